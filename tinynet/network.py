"""A two-layer net, many runs of it at once: params, forward pass, error, and the error's gradient.

    z = W x + b    a = f(z)    y = v·a + c    e = (y - t)²        (b and c only with bias)

Columns of an array are runs (or copies of runs): each column's arithmetic is the same whatever stands beside
it, so all sums are written out in a fixed order, without BLAS and without reductions whose order follows the
memory layout.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

CELLS = 16384  # numbers in an array of the hot loop, so that all of them fit the cache


def _relu(z, out):
    if np.iscomplexobj(z):  # the real part decides; a NaN stays one
        out[...] = np.where(z.real <= 0, 0, z)
        return out
    return np.maximum(z, 0, out=out)


def _relu_slope(a, out):  # 1 where a > 0, else 0: a is never below
    return np.sign(a, out=out)


def _logistic(z, out):  # 1 / (1 + exp(-z)), without its overflow
    np.tanh(np.multiply(z, 0.5, out=out), out=out)
    return np.multiply(np.add(out, 1, out=out), 0.5, out=out)


def _logistic_slope(a, out):
    return np.multiply(np.subtract(1, a, out=out), a, out=out)


def _tanh(z, out):
    return np.tanh(z, out=out)


def _tanh_slope(a, out):
    return np.subtract(1, np.multiply(a, a, out=out), out=out)


ACTIVATIONS = {  # name: f(z) and f'(z) as a function of a = f(z), both into `out`
    "relu": (_relu, _relu_slope),
    "logistic": (_logistic, _logistic_slope),
    "tanh": (_tanh, _tanh_slope),
}


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
            value = getattr(self, field)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
                raise ValueError(f"{field}: {value!r} is not a size; give an integer of 1 or more")
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
        """Start params (n_params, n_runs) in [-1, 1), a column for each of seeds (n_runs,), as the tutorial draws.

        From RandomState(seed): 2·random((hidden_size, n_inputs)) - 1, then 2·random((1, hidden_size)) - 1; with
        bias b and c are drawn after these, so W and v are the same with bias and without.
        """
        H, n_weights = self.hidden_size, self.hidden_size * self.n_inputs
        drawn = [2 * np.random.RandomState(s).random_sample(self.n_params) - 1 for s in checked_seeds(seeds)]
        W, v, b, c = np.split(np.array(drawn).T, [n_weights, n_weights + H, n_weights + H + H * self.bias])
        return np.concatenate([W, b, v, c])

    def predict(self, params, x) -> np.ndarray:
        """The outputs y (n_runs,) for the inputs x (n_inputs,). Raises ValueError for any other shape."""
        return Row(self, self.checked_inputs(x), 0.0).outputs(self.checked_params(params)[self.order])[0]

    def error(self, params, x, target) -> np.ndarray:
        """The errors e = (y - t)² (n_runs,) of one row: inputs x (n_inputs,) and a target."""
        if np.shape(target) != () or not np.isfinite(target):
            raise ValueError(f"target: {target!r} is not a finite number")
        return Row(self, self.checked_inputs(x), target).error(self.checked_params(params)[self.order])

    @cached_property
    def order(self) -> np.ndarray:
        """Rows of params in working order: W input by input, so that the weights of one input lie together."""
        n_weights = self.hidden_size * self.n_inputs
        weights = np.arange(n_weights).reshape(self.hidden_size, self.n_inputs).T.ravel()
        return np.concatenate([weights, np.arange(n_weights, self.n_params)])

    @cached_property
    def folds(self) -> list[tuple[int, int]]:
        """The sum over hidden units: of n terms those from `half` on are added to the first, until one is left."""
        folds, n = [], self.hidden_size
        while n > 1:
            half = (n + 1) // 2
            folds.append((n, half))
            n = half
        return folds

    @cached_property
    def partners(self) -> list[np.ndarray]:
        """For every fold the term that each unit's own is added to; hidden_size for none."""
        partners, place = [], np.arange(self.hidden_size)
        for n, half in self.folds:
            partner = np.where(place < half, place + half, place - half)
            partners.append(np.where(partner < n, partner, self.hidden_size))
            place = np.where(place < half, place, place - half)
        return partners

    def checked_params(self, params) -> np.ndarray:
        params = np.asarray(params)
        if (
            params.ndim != 2
            or params.shape[0] != self.n_params
            or not params.size
            or params.dtype.kind not in "iufc"
        ):
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


def checked_seeds(seeds) -> list[int]:
    seeds = np.asarray(seeds)
    if (
        seeds.ndim != 1
        or not seeds.size
        or seeds.dtype.kind not in "iu"
        or (seeds < 0).any()
        or (seeds >= 2**32).any()
    ):
        raise ValueError(
            f"seeds: {seeds.tolist()!r}; give a list of integers from 0 to 2**32 - 1, one for each run"
        )
    return seeds.tolist()


class Rows:
    """Rows of a problem as a stack of nets sees them: their errors, (n_rows, n_columns).

    params come in working order (`Network.order`), with any number of columns, real or complex. Inputs of 0
    are left out and multiplications by 1 saved, which changes no finite value. Rows may share a workspace.
    """

    def __init__(self, network: Network, inputs, targets, workspace=None):
        H, n_weights = network.hidden_size, network.hidden_size * network.n_inputs
        self.network, self.targets = network, np.array(targets, dtype=float)
        self.workspace = Workspace() if workspace is None else workspace
        self.inputs = [
            [(slice(j * H, (j + 1) * H), float(x)) for j, x in enumerate(row) if x != 0] for row in inputs
        ]
        self.b = slice(n_weights, n_weights + H) if network.bias else None
        self.v = slice(n_weights + H * network.bias, n_weights + H * network.bias + H)
        self._f, self._slope = ACTIVATIONS[network.activation]
        self._bound = {}

    def errors(self, params) -> np.ndarray:
        """e = (y - t)² of every row, (n_rows, n_columns), a new array."""
        at = self._at(params)
        d = self._outputs(at) - at.t
        return np.multiply(d, d, out=d)

    def outputs(self, params) -> np.ndarray:
        """y = v·a + c of every row, (n_rows, n_columns), a new array."""
        return self._outputs(self._at(params)).copy()

    def _outputs(self, at):
        self._terms(at)
        for upper, lower in at.folds:
            np.add(upper, lower, out=upper)
        if at.c is not None:
            at.y += at.c
        return at.y

    def _terms(self, at):  # v·a before its sum
        for z, inputs in zip(at.a, at.inputs, strict=True):
            _weighted_sum(at.b, inputs, at.spare, out=z)
        np.multiply(at.v, self._f(at.a, out=at.a), out=at.terms)

    def _at(self, params):  # views and buffers of the last few params
        bound = self._bound.get(id(params))
        if bound is None or bound.params is not params:
            if len(self._bound) > 3:
                self._bound.clear()
            bound = self._bound[id(params)] = _Bound(self, params)
        return bound


class Row(Rows):
    """One row: its error, (n_columns,), and the error's gradient, (n_params, n_columns)."""

    def __init__(self, network: Network, x, target, workspace=None):
        super().__init__(network, [x], [target], workspace)
        rest = slice(network.hidden_size * network.n_inputs, network.n_params)
        self.live = _joined([block for block, _ in self.inputs[0]] + [rest])  # what the error depends on

    def error(self, params) -> np.ndarray:
        """e = (y - t)², (n_columns,), a new array."""
        return self.errors(params)[0]

    def preactivations(self, params) -> np.ndarray:
        """z = W x + b, (hidden_size, n_columns), a new array."""
        at = self._at(params)
        return _weighted_sum(at.b, at.inputs[0], at.spare, out=np.empty_like(at.v))

    def gradient(self, params, out=None) -> np.ndarray:
        """de/dparams by backpropagation, relu'(0) = 0; into `out`, or a new array."""
        if out is None:
            out = np.zeros_like(params)
        at = self._at(params)
        d = self._outputs(at)[0] - at.t[0]
        a, dy, dz = at.a[0], at.terms[0], at.spare
        d *= 2  # de/dy
        dy[...] = d  # for every unit: a copy is faster than to broadcast twice
        np.multiply(a, dy, out=out[self.v])
        np.multiply(at.v, dy, out=dz)
        dz *= self._slope(a, out=a)  # de/dz
        for block, x in self.inputs[0]:
            np.multiply(dz, x, out=out[block])
        if at.c is not None:
            out[self.b], out[-1] = dz, d
        return out

    def moved_errors(self, params, moves):
        """Errors with one weight moved: for every weight that the error depends on, by each of `moves`.

        Yields (block, errors (n_moves, block size, n_columns)), bit for bit the `error` of params with that
        one weight moved. A block holds one weight of each unit. Only the moved unit is computed again; then
        the others' terms are added in the order of the full sum. All blocks at a time when there are few
        columns, one when there are many.
        """
        at, others = self._at(params), []
        self._terms(at)
        for partners, (upper, lower) in zip(self.network.partners, at.folds, strict=True):
            others.append(_taken(at.terms[0], partners))
            np.add(upper, lower, out=upper)
        moves = np.array(moves)[:, None, None]
        dtype = np.result_type(params, np.complex64) if moves.dtype.kind == "c" else params.dtype
        moves, shape = moves.astype(dtype), (len(moves), *at.v.shape)
        moved, spare = (self.workspace.array(name, shape, dtype) for name in ("moved", "spare"))
        blocks = [block for block, _ in self.inputs[0]] + [self.b] * self.network.bias + [self.v]
        size = max(1, CELLS // moved.size)
        for start in range(0, len(blocks), size):
            chunk = blocks[start : start + size]
            errors = self.workspace.array("errors", (len(chunk), *shape), dtype)
            for block, place in zip(chunk, errors, strict=True):
                np.add(params[block], moves, out=moved)
                if block is self.v:
                    np.multiply(moved, at.a[0], out=place)
                else:
                    weights = [(moved if b is block else params[b], x) for b, x in self.inputs[0]]
                    _weighted_sum(moved if block is self.b else at.b, weights, spare, out=place)
            hidden = errors[:-1] if chunk[-1] is self.v else errors
            np.multiply(self._f(hidden, out=hidden), at.v, out=hidden)
            for other in others:
                errors += other
            if at.c is not None:
                errors += at.c
            errors -= at.t
            errors *= errors
            yield from zip(chunk, errors, strict=True)
        if at.c is not None:
            d = at.y + (at.c + moves) - at.t
            yield slice(len(params) - 1, len(params)), d * d


class _Bound:
    """Views of one params array and the buffers beside it: made once, so that the hot loop only computes."""

    def __init__(self, rows, params):
        network, array = rows.network, rows.workspace.array
        n_units = network.hidden_size, params.shape[1]
        self.params = params
        self.inputs = [[(params[block], x) for block, x in row] for row in rows.inputs]
        self.b = params[rows.b] if network.bias else None
        self.v = params[rows.v]
        self.c = params[-1] if network.bias else None
        self.t = rows.targets.astype(params.real.dtype)[:, None]
        self.a, self.terms = (array(name, (len(self.t), *n_units), params.dtype) for name in ("a", "terms"))
        self.spare = array("spare", n_units, params.dtype)
        self.folds = [(self.terms[:, : n - half], self.terms[:, half:n]) for n, half in network.folds]
        self.y = self.terms[:, 0]


def _weighted_sum(start, terms, spare, out):
    """start + Σ weights·x over (weights, x), into out."""
    total = start
    for weights, x in terms:
        if x != 1:
            weights = np.multiply(weights, x, out=out if total is None else spare)
        total = weights if total is None else np.add(total, weights, out=out)
    if total is not out:
        out[...] = 0 if total is None else total
    return out


def _taken(terms, partners):
    """The rows of terms at `partners`, and zeros where that is past the end."""
    taken = terms.take(partners, axis=0, mode="clip")
    taken[partners == len(terms)] = 0
    return taken


class Workspace(dict):
    """Arrays that the hot loop uses again and again, made when first asked for."""

    def array(self, name, shape, dtype):
        key = name, shape, dtype.char
        if key not in self:
            self[key] = aligned(shape, dtype)
        return self[key]


def aligned(shape, dtype):
    """An uninitialised array that starts on a cache line: vector instructions run up to twice as fast."""
    n_bytes = int(np.prod(shape)) * dtype.itemsize
    memory = np.empty(n_bytes + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + n_bytes].view(dtype).reshape(shape)


def _joined(blocks):
    joined = []
    for block in blocks:
        if joined and joined[-1].stop == block.start:
            block = slice(joined.pop().start, block.stop)
        joined.append(block)
    return joined
