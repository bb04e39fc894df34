"""Ways to a gradient, a small class each. A mode of your own is a class with these two methods:

    @dataclass(frozen=True)
    class Rounded:
        '''Backpropagation, rounded to a grid.'''

        grid: float = 0.01

        def evaluations(self, network):
            return 1  # error evaluations per step

        def estimate(self, row, params, epoch, draws):
            return np.round(row.gradient(params) / self.grid) * self.grid

estimate returns the gradient of the row's error, (n_params, n_runs), at params of that shape, which it leaves
as they are. Columns must not see each other. `row.error(params)` gives the errors (n_columns,) of any number
of columns, real or complex, and `row.gradient(params)` backpropagation. `epoch` counts completed epochs.
`draws.normals(n)` and `draws.signs(n)` give random numbers (n, n_runs) from a generator of each run's own.
Rows of params are in working order here: W input by input (`Network.order`), then b, v, c.

Two optional attributes: `local = True` says that the estimate is exactly 0 for the weights of an input that
is 0; they are left alone, and need not be computed. `descend(row, params, rates)` moves params itself.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinynet.checks import check_whole, checked_seeds
from tinynet.rows import Row


@dataclass(frozen=True)
class Analytic:
    """Backpropagation, relu'(0) = 0. The reference."""

    local: ClassVar[bool] = True

    def evaluations(self, network) -> int:
        return 1

    def estimate(self, row, params, epoch, draws):
        return row.gradient(params, out=_gradient_buffer(row, params))

    def descend(self, row, params, rates):
        row.descend(params, rates)


@dataclass(frozen=True)
class _Difference:
    h: float = 1e-4
    local: ClassVar[bool] = True

    def __post_init__(self):
        _check_positive("h", self.h)


@dataclass(frozen=True)
class Numeric(_Difference):
    """Central difference: de/dp_i ≈ (e(p + h·1_i) - e(p - h·1_i)) / 2h, with h·decay^epoch for h.

    Truncation grows as h², rounding as eps/h. With relu e is quadratic in each weight away from kinks, where
    only rounding is left.
    """

    decay: float = 1.0

    def __post_init__(self):
        super().__post_init__()
        if not _is_number(self.decay) or not 0 < self.decay <= 1:
            raise ValueError(f"decay: {self.decay!r}; give a number above 0, at most 1")

    def evaluations(self, network) -> int:
        return 2 * network.n_params

    def estimate(self, row, params, epoch, draws):
        h = max(self.h * self.decay**epoch, 1e-37)  # never 0, which would give 0/0
        gradient = _gradient_buffer(row, params)
        for block, (plus, minus) in row.moved_errors(params, (h, -h)):
            slopes = np.subtract(plus, minus, out=gradient[block])
            slopes /= 2 * h
        return gradient


@dataclass(frozen=True)
class Forward(_Difference):
    """Forward difference: de/dp_i ≈ (e(p + h·1_i) - e(p)) / h. Truncation, h/2·e'', moves the fixed point."""

    def evaluations(self, network) -> int:
        return network.n_params + 1

    def estimate(self, row, params, epoch, draws):
        gradient, error = _gradient_buffer(row, params), row.error(params)
        for block, (plus,) in row.moved_errors(params, (self.h,)):
            slopes = np.subtract(plus, error, out=gradient[block])
            slopes /= self.h
        return gradient


@dataclass(frozen=True)
class ComplexStep(_Difference):
    """de/dp_i ≈ Im e(p + ih·1_i) / h: nothing cancels, so h may be tiny and the result exact to rounding.

    relu is decided by the real part. Squire and Trapp, SIAM Review 40 (1998).
    """

    h: float = 1e-20

    def evaluations(self, network) -> int:
        return network.n_params

    def estimate(self, row, params, epoch, draws):
        gradient = _gradient_buffer(row, params)
        for block, (moved,) in row.moved_errors(params, (1j * self.h,)):
            np.divide(moved.imag, self.h, out=gradient[block])
        return gradient


@dataclass(frozen=True)
class Hybrid(_Difference):
    """Numeric, but backpropagation for a run whose step has some |z| ≤ h: a kink of relu that h can reach.

    Both are computed, so a step costs 2·n_params + 1 evaluations. Units without a kink make it numeric.
    """

    def evaluations(self, network) -> int:
        return 2 * network.n_params + 1

    def estimate(self, row, params, epoch, draws):
        kink = near_kink(row, params, self.h)
        gradient = Numeric(self.h).estimate(row, params, epoch, draws)
        if kink.any():
            np.copyto(gradient, row.gradient(params), where=kink)
        return gradient


@dataclass(frozen=True)
class SPSA(_Difference):
    """Mean of n_samples estimates (e(p + hΔ) - e(p - hΔ)) / 2h · Δ, each along random signs Δ.

    Unbiased to h²; the variance of weight i is the sum of the other weights' squared derivatives / n_samples.
    Spall, IEEE Transactions on Automatic Control 37 (1992).
    """

    n_samples: int = 1
    local: ClassVar[bool] = False

    def __post_init__(self):
        super().__post_init__()
        check_whole("n_samples", self.n_samples, at_least=1)

    def evaluations(self, network) -> int:
        return 2 * self.n_samples

    def estimate(self, row, params, epoch, draws):
        total = 0
        moved = row.workspace.array("params moved", params.shape, params.dtype)
        for _ in range(self.n_samples):
            signs = draws.signs(len(params)).astype(params.dtype)
            move = signs * self.h
            above = row.error(np.add(params, move, out=moved))
            below = row.error(np.subtract(params, move, out=moved))
            total = total + signs * ((above - below) / (2 * self.h))
        return total / self.n_samples


@dataclass(frozen=True)
class ForwardGradient:
    """Mean of n_samples directional derivatives times their direction u ~ N(0, 1): (∇e·u) u.

    Unbiased; the variance of weight i is (g_i² + |g|²) / n_samples. The directional derivative comes from
    forward mode, exact, without a backward pass: an evaluation in which values carry their derivatives along.
    Baydin et al., arXiv 2202.08587 (2022).
    """

    n_samples: int = 1

    def __post_init__(self):
        check_whole("n_samples", self.n_samples, at_least=1)

    def evaluations(self, network) -> int:
        return self.n_samples

    def estimate(self, row, params, epoch, draws):
        total = 0
        for _ in range(self.n_samples):
            u = draws.normals(len(params)).astype(params.dtype)
            total = total + u * row.slope(params, u)
        return total / self.n_samples


class Draws:
    """Random numbers (n, n_runs) for the steps of training: a run's column comes from its own seed alone."""

    def __init__(self, seeds):
        self._seeds = None if seeds is None else checked_seeds(seeds)
        self._streams = {}

    def normals(self, n) -> np.ndarray:
        return self._take("standard_normal", 0, n)

    def signs(self, n) -> np.ndarray:
        return np.where(self._take("random", 1, n) < 0.5, -1.0, 1.0)

    def _take(self, method, stream, n):
        if self._seeds is None:
            raise ValueError("seeds: None; a random gradient mode needs a seed for each run")
        if method not in self._streams:
            generators = [np.random.Generator(np.random.PCG64([seed, stream])) for seed in self._seeds]
            self._streams[method] = generators, np.empty((0, len(generators)))
        generators, ahead = self._streams[method]
        if len(ahead) < n:  # many at once: a call costs more than a number
            more = np.stack([getattr(generator, method)(16 * n) for generator in generators], axis=-1)
            ahead = np.concatenate([ahead, more])
        self._streams[method] = generators, ahead[n:]
        return ahead[:n]


def estimate(mode, network, params, x, target, epoch=0, seeds=None) -> np.ndarray:
    """The gradient (n_params, n_runs) that `mode` sees for one row at params (n_params, n_runs)."""
    params = network.checked_params(params)[network.order]
    row = Row(network, network.checked_inputs(x), target)
    gradient = np.zeros_like(params)
    with np.errstate(all="ignore"):
        estimated = mode.estimate(row, params, epoch, Draws(seeds))
    for block in steps(mode, row):
        gradient[block] = estimated[block]
    return gradient[np.argsort(network.order)]


def steps(mode, row) -> list[slice]:
    """The blocks of weights that `mode` moves on this row."""
    return row.live if getattr(mode, "local", False) else [slice(0, row.network.n_params)]


def near_kink(row, params, h) -> np.ndarray:
    """Whether some hidden unit has |z| ≤ h, (n_runs,); never for units without a kink."""
    if row.network.activation != "relu":
        return np.zeros(params.shape[1], dtype=bool)
    return np.logical_or.reduce(np.abs(row.preactivations(params)) <= h)


def _gradient_buffer(row, params):
    return row.workspace.array("gradient", params.shape, params.dtype)


def _is_number(value):
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)


def _check_positive(field, value):
    if not _is_number(value) or not 0 < value < np.inf:
        raise ValueError(f"{field}: {value!r}; give a finite number above 0")
