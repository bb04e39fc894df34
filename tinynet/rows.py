"""The hot loop's arithmetic: one row of a problem as a stack of nets sees it.

    z = W x + b    a = f(z)    y = v·a + c    e = (y - t)²        (b and c only with bias)

A column of an array is a run, or a copy of one, and its bits are the same whatever stands beside it: sums are
written out in a fixed order, without BLAS and without reductions, whose order follows the memory layout.
"""

import numpy as np

CELLS = 16384  # numbers in an array of the hot loop, so that the arrays in use fit the cache together


def _relu(z, out):
    if z.dtype.kind == "c":  # the real part decides; a NaN stays one
        out[...] = np.where(z.real <= 0, 0, z)
        return out
    return np.maximum(z, 0.0, out=out)


def _relu_slope(a, out):
    out[...] = a > 0
    return out


def _logistic(z, out):  # 1 / (1 + exp(-z)), without its overflow
    np.tanh(np.multiply(z, 0.5, out=out), out=out)
    return np.multiply(np.add(out, 1, out=out), 0.5, out=out)


def _logistic_slope(a, out):
    return np.multiply(1 - a, a, out=out)


def _tanh_slope(a, out):
    return np.subtract(1, np.multiply(a, a, out=out), out=out)


ACTIVATIONS = {  # name: f(z), and f'(z) as a function of a = f(z); f's `out` may be z itself
    "relu": (_relu, _relu_slope),
    "logistic": (_logistic, _logistic_slope),
    "tanh": (np.tanh, _tanh_slope),
}


class Row:
    """One row: its error, (n_columns,), and the error's gradient, (n_params, n_columns).

    params come in working order (`Network.order`), with any number of columns, real or complex. Inputs of 0
    are left out and multiplications by 1 saved, which changes no finite value. Rows may share a workspace.
    """

    def __init__(self, network, x, target, workspace=None):
        H, n_weights = network.hidden_size, network.hidden_size * network.n_inputs
        self.network, self.target = network, float(target)
        self.workspace = Workspace() if workspace is None else workspace
        self.inputs = [(slice(j * H, (j + 1) * H), float(value)) for j, value in enumerate(x) if value != 0]
        rest = slice(n_weights, network.n_params)
        self.live = _joined([block for block, _ in self.inputs] + [rest])  # what the error depends on
        if network.bias:  # b is the weights of an input that is always 1, and the first in the sum
            self.inputs.insert(0, (slice(n_weights, n_weights + H), 1.0))
        self.v = slice(network.n_params - network.bias - H, network.n_params - network.bias)
        self._f, self._slope = ACTIVATIONS[network.activation]
        self._bound = {}

    def output(self, params) -> np.ndarray:
        """y = v·a + c, (n_columns,), a new array."""
        at = self._at(params)
        return self._output(at, at.in_place).copy()

    def error(self, params) -> np.ndarray:
        """e = (y - t)², (n_columns,), a new array."""
        at = self._at(params)
        d = self._output(at, at.in_place) - at.t
        return at.product(d, d, out=d)

    def preactivations(self, params) -> np.ndarray:
        """z = W x + b, (hidden_size, n_columns), a new array."""
        at = self._at(params)
        return _weighted_sum(at.inputs, at.spare, out=at.a).copy()

    def gradient(self, params, out=None) -> np.ndarray:
        """de/dparams by backpropagation, relu'(0) = 0; into `out`, or a new array."""
        out, at = np.zeros_like(params) if out is None else out, self._at(params)
        d = self._output(at, at.beside) - at.t
        d *= 2  # de/dy
        out[self.v], dz = self._backward(at, d)
        for block, x in self.inputs:
            np.multiply(dz, x, out=out[block])
        if at.c is not None:
            out[-1] = d
        return out

    def descend(self, params, rates):
        """params ← params - rates·gradient, in place, the rates multiplied in early: half the time."""
        at = self._at(params)
        d = self._output(at, at.beside) - at.t
        d *= 2 * rates
        dv, dz = self._backward(at, d)
        np.subtract(at.v, dv, out=at.v)
        for weights, x in at.inputs:
            np.subtract(weights, dz if x == 1 else np.multiply(dz, x, out=dv), out=weights)
        if at.c is not None:
            at.c -= d

    def slope(self, params, direction) -> np.ndarray:
        """∇e·direction (n_columns,), by forward mode: each value carried on with its derivative."""
        at = self._at(params)
        d = self._output(at, at.beside) - at.t
        weights = [(direction[block], x) for block, x in self.inputs]
        dz = _weighted_sum(weights, at.spare, out=np.empty_like(at.v))
        terms = at.beside.terms
        np.multiply(direction[self.v], at.a, out=terms)
        terms += dz * at.v * self._slope(at.a, out=at.spare)
        dy = at.beside.total()
        return 2 * d * (dy if at.c is None else dy + direction[-1])

    def _output(self, at, va):
        self._terms(at, out=va.terms)
        y = va.total()
        return y if at.c is None else np.add(y, at.c, out=y)

    def _terms(self, at, out):  # v·a before its sum
        self._f(_weighted_sum(at.inputs, at.spare, out=at.a), out=at.a)
        at.product(at.v, at.a, out=out)

    def _backward(self, at, d):  # d·dy/dv = d·a and d·dy/dz = d·v·f'(z), buffers of (hidden_size, n_columns)
        dz = np.multiply(at.v, d, out=at.spare)
        np.multiply(dz, self._slope(at.a, out=at.beside.terms), out=dz)
        return np.multiply(at.a, d, out=at.a), dz

    def _at(self, params):  # views and buffers of the last few params
        bound = self._bound.get(id(params))
        if bound is None or bound.params is not params:
            if len(self._bound) > 3:
                self._bound.clear()
            bound = self._bound[id(params)] = _Bound(self, params)
        return bound

    def moved_errors(self, params, moves):
        """Errors with one weight moved: for every weight that the error depends on, by each of `moves`.

        Yields (block, errors (n_moves, block size, n_columns)), bit for bit the `error` of params with that
        one weight moved: from copies of params, all weights at a time, when there are few columns; else one
        weight of each hidden unit at a time. Complex moves take the second way, which leaves the other units
        real: a complex tanh rounds differently.
        """
        n_params, n_columns = params.shape
        if len(moves) * n_params**2 * n_columns <= CELLS and not isinstance(moves[0], complex):
            yield slice(0, n_params), self._errors_of_copies(params, moves)
        else:
            yield from self._errors_of_moved_units(params, moves)

    def _errors_of_copies(self, params, moves):  # (n_moves, n_params, n_columns)
        n, n_columns = params.shape
        n_copies = len(moves) * n
        copies = self.workspace.array("copies", (n, n_copies * n_columns), params.dtype)
        weights = copies.reshape(n * n_copies, n_columns)  # the first one of every copy, the second, ...
        weights.reshape(n, n_copies, n_columns)[...] = params[:, None]
        for m, move in enumerate(moves):
            np.add(params, move, out=weights[m * n :: n_copies + 1])  # in copy m·n + i weight i
        return self.error(copies).reshape(len(moves), n, n_columns)

    def _errors_of_moved_units(self, params, moves):
        """Only the moved unit is computed again; the other units' terms are added in the full sum's order."""
        at, others, n_moves = self._at(params), [], len(moves)
        self._terms(at, out=at.beside.terms)
        for (*_, partners), (upper, lower) in zip(self.network.folds, at.beside.folds, strict=True):
            others.append(at.padded.take(partners, axis=0, mode="clip"))
            np.add(upper, lower, out=upper)
        dtype = np.result_type(params, np.complex64) if isinstance(moves[0], complex) else params.dtype
        moves = np.array(moves, dtype)[:, None, None]
        moved, d, spare = (
            self.workspace.array(name, (n_moves, *at.v.shape), dtype) for name in ("moved", "d", "spare")
        )
        for moving, _ in self.inputs:
            np.add(params[moving], moves, out=moved)
            weights = [(moved if block is moving else params[block], x) for block, x in self.inputs]
            _product(at.v, self._f(_weighted_sum(weights, spare, out=d), out=d), out=d)
            yield moving, self._errors_of_terms(at, d, others)
        _product(np.add(at.v, moves, out=moved), at.a, out=d)
        yield self.v, self._errors_of_terms(at, d, others)
        if at.c is not None:
            d = at.beside.terms[0] + (at.c + moves) - at.t
            yield slice(len(params) - 1, len(params)), _product(d, d, out=d)

    def _errors_of_terms(self, at, d, others):
        for other in others:
            d += other
        if at.c is not None:
            d += at.c
        d -= at.t
        return _product(d, d, out=d)


class _Bound:
    """Views of one params array and the buffers beside it: made once, so that the hot loop only computes."""

    def __init__(self, row, params):
        network, array = row.network, row.workspace.array
        H, n_columns = network.hidden_size, params.shape[1]
        self.params = params
        self.inputs = [(params[block], x) for block, x in row.inputs]
        self.v = params[row.v]
        self.c = params[-1] if network.bias else None
        self.t = np.array(row.target).astype(params.real.dtype)
        self.product = _product if params.dtype.kind == "c" else np.multiply
        self.a, self.spare = (array(name, (H, n_columns), params.dtype) for name in ("a", "spare"))
        self.padded = array("terms", (H + 1, n_columns), params.dtype)
        self.padded[-1] = 0
        self.in_place, self.beside = (_Sum(terms, network.folds) for terms in (self.a, self.padded[:-1]))


class _Sum:
    """Of terms (hidden_size, n_columns) over hidden units: in one order for any number of columns."""

    def __init__(self, terms, folds):
        self.terms, self._total = terms, terms[0]
        self.folds = [(terms[: n - half], terms[half:n]) for n, half, _ in folds]

    def total(self):
        for upper, lower in self.folds:
            np.add(upper, lower, out=upper)
        return self._total


def _weighted_sum(terms, spare, out):
    """Σ weights·x over (weights, x): in out, or what was given, where there is nothing to compute."""
    total = None
    for weights, x in terms:
        if x != 1:
            weights = np.multiply(weights, x, out=out if total is None else spare)
        total = weights if total is None else np.add(total, weights, out=out)
    if total is None:
        out[...] = 0
        return out
    return total


def _product(a, b, out):
    """a·b into out; complex ones in real parts, for NumPy rounds a complex product by its place in memory."""
    if out.dtype.kind != "c":
        return np.multiply(a, b, out=out)
    real = a.real * b.real - a.imag * b.imag
    out.imag = a.real * b.imag + a.imag * b.real
    out.real = real
    return out


class Workspace(dict):
    """Arrays that the hot loop uses again and again, uninitialised when first asked for."""

    def array(self, name, shape, dtype):
        key = name, shape, dtype.char
        if key not in self:
            n_bytes = int(np.prod(shape)) * dtype.itemsize
            memory = np.empty(n_bytes + 64, np.uint8)
            start = -memory.ctypes.data % 64  # a cache line's: vector instructions run up to twice as fast
            self[key] = memory[start : start + n_bytes].view(dtype).reshape(shape)
        return self[key]


def _joined(blocks):
    joined = []
    for block in blocks:
        if joined and joined[-1].stop == block.start:
            block = slice(joined.pop().start, block.stop)
        joined.append(block)
    return joined
