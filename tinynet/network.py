"""A two-layer net's shape, its start weights, and its answers, for a stack of runs."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tinynet.checks import check_whole, checked_seeds
from tinynet.rows import ACTIVATIONS, Row


@dataclass(frozen=True)
class Network:
    """The shape of a net; its weights come in as params (n_params, n_runs), a column for each run.

    Rows of params: W row-major (hidden_size, n_inputs), [b (hidden_size)], v (hidden_size), [c].
    Raises ValueError for a size below 1, an unknown activation, or a bias that is not a bool.
    """

    n_inputs: int
    hidden_size: int
    activation: str = "relu"
    bias: bool = False

    def __post_init__(self):
        for field in ("n_inputs", "hidden_size"):
            check_whole(field, getattr(self, field), at_least=1)
        if self.activation not in ACTIVATIONS:
            raise ValueError(
                f"activation: {self.activation!r} is unknown; give one of: {', '.join(ACTIVATIONS)}"
            )
        if not isinstance(self.bias, (bool, np.bool_)):
            raise ValueError(f"bias: {self.bias!r} is neither true nor false")

    @property
    def n_params(self) -> int:
        return self.hidden_size * (self.n_inputs + 1 + self.bias) + self.bias

    def initial(self, seeds) -> np.ndarray:
        """The tutorial's start params (n_params, n_runs), in [-1, 1): a column for each of seeds (n_runs,).

        From RandomState(seed): 2·random((hidden_size, n_inputs)) - 1, then 2·random((1, hidden_size)) - 1.
        With bias b, then c are drawn after these, so W and v are the same with bias and without.
        """
        H, n_weights = self.hidden_size, self.hidden_size * self.n_inputs
        drawn = [2 * np.random.RandomState(s).random_sample(self.n_params) - 1 for s in checked_seeds(seeds)]
        W, v, b, c = np.split(
            np.stack(drawn, axis=-1), [n_weights, n_weights + H, n_weights + H + H * self.bias]
        )
        return np.concatenate([W, b, v, c])

    def predict(self, params, x) -> np.ndarray:
        """The outputs y (n_runs,) for the inputs x (n_inputs,). Raises ValueError for any other shape."""
        row = Row(self, self.checked_inputs(x), 0.0)
        with np.errstate(all="ignore"):
            return row.output(self.checked_params(params)[self.order])

    def error(self, params, x, target) -> np.ndarray:
        """The errors e = (y - t)² (n_runs,) of one row: inputs x (n_inputs,) and a target."""
        if np.shape(target) != () or np.asarray(target).dtype.kind not in "biuf" or not np.isfinite(target):
            raise ValueError(f"target: {target!r}; give a finite number")
        row = Row(self, self.checked_inputs(x), target)
        with np.errstate(all="ignore"):
            return row.error(self.checked_params(params)[self.order])

    @cached_property
    def order(self) -> np.ndarray:
        """Rows of params in working order: W input by input; the weights of one input lie together."""
        n_weights = self.hidden_size * self.n_inputs
        weights = np.arange(n_weights).reshape(self.hidden_size, self.n_inputs).T.ravel()
        return np.concatenate([weights, np.arange(n_weights, self.n_params)])

    @cached_property
    def folds(self) -> list[tuple[int, int, np.ndarray]]:
        """The sum over hidden units as (n, half, partners): of n terms those from `half` on go to the first.

        partners (hidden_size,): the term that joins each unit's own then; hidden_size for none.
        """
        folds, n, place = [], self.hidden_size, np.arange(self.hidden_size)
        while n > 1:
            half = (n + 1) // 2
            partners = (place + half) % (2 * half)
            folds.append((n, half, np.where(partners < n, partners, self.hidden_size)))
            n, place = half, place % half
        return folds

    def checked_params(self, params) -> np.ndarray:
        params = np.asarray(params)
        fits = params.ndim == 2 and len(params) == self.n_params and params.size
        if not fits or params.dtype.kind not in "iufc":
            raise ValueError(
                f"params: shape {params.shape} of {params.dtype}; give numbers of shape "
                f"({self.n_params}, n_runs) for {self.n_inputs} inputs and {self.hidden_size} hidden units"
            )
        return params if params.dtype in ("f4", "f8", "c8", "c16") else params.astype(float)

    def checked_inputs(self, x) -> np.ndarray:
        x = np.asarray(x)
        if x.shape != (self.n_inputs,) or x.dtype.kind not in "biuf" or not np.isfinite(x).all():
            raise ValueError(f"x: {x.tolist()!r}; give {self.n_inputs} finite numbers, one for each input")
        return x
