"""The net computes its formula, column by column, whatever stands beside a column."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinynet import Network
from tinynet.rows import CELLS, Row

UNITS = {"relu": lambda z: max(z, 0.0), "logistic": lambda z: 1 / (1 + math.exp(-z)), "tanh": math.tanh}
shapes = st.builds(
    Network,
    n_inputs=st.integers(1, 5),
    hidden_size=st.integers(1, 9),
    activation=st.sampled_from(sorted(UNITS)),
    bias=st.booleans(),
)


def by_hand(network, params, x):
    """y of one run: math.fsum over plain floats, from the public order of params."""
    values, H, n = iter(params), network.hidden_size, network.n_inputs
    W = [[next(values) for _ in range(n)] for _ in range(H)]
    b = [next(values) if network.bias else 0.0 for _ in range(H)]
    v = [next(values) for _ in range(H)]
    c = next(values) if network.bias else 0.0
    f = UNITS[network.activation]
    a = [f(math.fsum([b[i], *(w * xj for w, xj in zip(W[i], x, strict=True))])) for i in range(H)]
    return math.fsum([c, *(vi * ai for vi, ai in zip(v, a, strict=True))])


@settings(deadline=None)
@given(shapes, st.integers(0, 99), st.lists(st.sampled_from([0, 1, -1, 0.3, -7.5]), min_size=5, max_size=5))
def test_prediction_and_error_are_the_formula(network, seed, values):
    x = values[: network.n_inputs]
    params = network.initial([seed, seed + 1])
    y = [by_hand(network, column, x) for column in params.T]
    np.testing.assert_allclose(network.predict(params, x), y, rtol=0, atol=1e-13)
    np.testing.assert_allclose(network.error(params, x, 0.25), np.square(np.array(y) - 0.25), atol=1e-12)


def test_start_params_are_the_tutorials_two_lines():
    random = np.random.RandomState(7)
    W, v = 2 * random.random((4, 3)) - 1, 2 * random.random((1, 4)) - 1
    params = Network(3, 4).initial([3, 7])
    assert params.shape == (Network(3, 4).n_params, 2) == (16, 2)
    assert (params[:, 1] == np.concatenate([W.ravel(), v.ravel()])).all()


@settings(deadline=None)
@given(st.integers(1, 4), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_with_bias_the_weights_start_the_same(n_inputs, hidden_size, seed):
    plain, biased = Network(n_inputs, hidden_size), Network(n_inputs, hidden_size, bias=True)
    n_weights = n_inputs * hidden_size
    start = biased.initial([seed])
    weights = np.concatenate([start[:n_weights], start[n_weights + hidden_size : -1]])
    assert (weights == plain.initial([seed])).all()
    assert biased.n_params == plain.n_params + hidden_size + 1 == len(start)
    assert (np.abs(start) <= 1).all()
    assert len(np.unique(start)) == len(start)


@settings(deadline=None)
@given(shapes, st.integers(1, 40), st.sampled_from(["f4", "f8", "c8", "c16"]), st.data())
def test_a_columns_answer_does_not_depend_on_its_neighbours(network, n_runs, dtype, data):
    params = (3 * network.initial(range(n_runs))).astype(dtype)
    if params.dtype.kind == "c":  # as a mode of the user's may ask
        params += (0.5j * params[::-1]).astype(dtype)
    x = data.draw(
        st.lists(st.sampled_from([0, 1, 0.1, -2]), min_size=network.n_inputs, max_size=network.n_inputs)
    )
    together = network.error(params, x, 0.3)
    assert together.dtype == dtype
    alone = [network.error(params[:, [run]], x, 0.3)[0] for run in range(n_runs)]
    assert together.tobytes() == np.array(alone).tobytes()


@settings(deadline=None)
@given(shapes, st.sampled_from(["f4", "f8"]), st.sampled_from([1, 3, 2100]), st.data())
def test_moved_errors_are_the_errors_of_moved_params_to_the_bit(network, dtype, n_runs, data):
    """Both ways of computing them, from copies and unit by unit, against one full forward pass per weight."""
    x = data.draw(
        st.lists(st.sampled_from([0, 1, 0.3]), min_size=network.n_inputs, max_size=network.n_inputs)
    )
    row, params = Row(network, x, 0.5), np.tile(network.initial([5]).astype(dtype), n_runs)
    assert n_runs != 2100 or 2 * params.size * len(params) > CELLS  # the second way is taken
    seen = set()
    for block, errors in row.moved_errors(params, (0.25, -1e-3)):
        for at, index in enumerate(range(block.start, block.stop)):
            seen.add(index)
            for move, error in zip((0.25, -1e-3), errors[:, at], strict=True):
                moved = params[:, :1].copy()
                moved[index] += move
                expected = Row(network, x, 0.5).error(moved)
                assert error.dtype == dtype
                assert error.tobytes() == np.repeat(expected, n_runs).tobytes()
    assert {i for block in row.live for i in range(block.start, block.stop)} <= seen


def test_preactivations_are_no_view_of_params():
    row, params = Row(Network(2, 3), [1, 0], 0.5), Network(2, 3).initial([0])
    assert not np.shares_memory(row.preactivations(params), params)


def test_params_that_overflow_answer_without_a_warning():
    params = np.full((16, 1), 1e200)
    assert Network(3, 4).error(params, [1, 1, 1], 0) == np.inf


@pytest.mark.parametrize(
    ("field", "value", "right"),
    [
        ("n_inputs", 0, "1 or more"),
        ("hidden_size", 2.5, "integer"),
        ("hidden_size", True, "integer"),
        ("activation", "sigmoid", "relu, logistic, tanh"),
        ("bias", "yes", "true nor false"),
    ],
)
def test_a_shape_that_is_none_is_refused(field, value, right):
    with pytest.raises(ValueError, match=f"{field}: {value!r}.*{right}"):
        Network(**{"n_inputs": 3, "hidden_size": 4, field: value})


@pytest.mark.parametrize("seeds", [3, [], [-1], [2**32], [0.5], [[1]], "7"])
def test_seeds_that_are_none_are_refused(seeds):
    with pytest.raises(ValueError, match=r"seeds: .*give a list of integers from 0"):
        Network(3, 4).initial(seeds)


def test_inputs_of_the_wrong_shape_are_refused():
    network, params = Network(3, 4), Network(3, 4).initial([0])
    with pytest.raises(ValueError, match=r"params: shape \(16,\).*\(16, n_runs\)"):
        network.predict(params[:, 0], [1, 0, 1])
    with pytest.raises(ValueError, match="params: shape"):
        network.predict(params[:-1], [1, 0, 1])
    with pytest.raises(ValueError, match=r"x: \[1, 0\]; give 3 finite numbers"):
        network.predict(params, [1, 0])
    with pytest.raises(ValueError, match=r"x: .*finite"):
        network.error(params, [1, 0, np.nan], 1)
    with pytest.raises(ValueError, match="target: nan"):
        network.error(params, [1, 0, 1], np.nan)
