"""Training is plain SGD, whatever is trained beside a run; against a loop as the tutorial would write it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tinynet.test_gradients import MODES, networks
from tinynet import Network, Problem, train, training
from tinynet.gradients import Analytic, Forward, Numeric

INPUTS = [[1, 0, 1], [0, 1, 1], [0, 0, 1], [1, 1, 1]]
TARGETS = [1, 1, 0, 0]


def plain_loop(seed, numeric, n_epochs=60, hidden_size=4, learning_rate=0.1, h=1e-4):
    """One run with one-line formulas: (errors, online errors, params)."""
    random = np.random.RandomState(seed)
    W, v = 2 * random.random((hidden_size, 3)) - 1, 2 * random.random((1, hidden_size)) - 1
    rows = [(np.array(x)[:, None], t) for x, t in zip(INPUTS, TARGETS, strict=True)]

    def error(x, t):
        return float(((v @ np.maximum(W @ x, 0) - t) ** 2).item())

    errors, online = [np.mean([error(x, t) for x, t in rows])], []
    for _ in range(n_epochs):
        after = []
        for x, t in rows:
            if numeric:
                slopes = np.zeros_like(W), np.zeros_like(v)
                for weights, slope in zip((W, v), slopes, strict=True):
                    for i in np.ndindex(weights.shape):
                        kept = weights[i]
                        weights[i] = kept + h
                        above = error(x, t)
                        weights[i] = kept - h
                        slope[i] = (above - error(x, t)) / (2 * h)
                        weights[i] = kept
            else:
                z = W @ x
                delta = 2 * (v @ np.maximum(z, 0) - t)
                slopes = ((v.T @ delta) * (z > 0)) @ x.T, delta @ np.maximum(z, 0).T
            W, v = W - learning_rate * slopes[0], v - learning_rate * slopes[1]
            after.append(error(x, t))
        online.append(np.mean(after))
        errors.append(np.mean([error(x, t) for x, t in rows]))
    return np.array(errors), np.array(online), np.concatenate([W.ravel(), v.ravel()])


@pytest.mark.parametrize(
    ("mode", "seeds", "at_most", "of_most"),
    [(Analytic(), 100, 1e-13, 1e-14), (Numeric(), 100, 1e-6, 1e-12)],
    ids=str,
)
def test_a_plain_loop_of_the_tutorial_agrees(mode, seeds, at_most, of_most):
    """Rounding is amplified when a unit passes a kink, so a few numeric runs are further off."""
    network = Network(3, 4)
    history = train(network, Problem.streetlights(), network.initial(range(seeds)), mode, 0.1, 60)
    off = []
    for seed in range(seeds):
        expected = plain_loop(seed, isinstance(mode, Numeric))
        ours = history.error[:, seed], history.online_error[:, seed], history.params[:, seed]
        off.append(max(np.abs(a - b).max() for a, b in zip(ours, expected, strict=True)))
    assert max(off) < at_most
    assert np.mean(np.array(off) < of_most) > 0.5


def test_the_tutorials_first_table_is_that_of_a_look_alike_seed():
    """What the tutorial prints after 10, 20, ... 60 epochs; seed 144273 was searched for, to within 13 %."""
    printed = [
        0.014687928092963858,
        0.0002586911405566519,
        5.201032288065113e-06,
        1.1521188868884113e-07,
        2.509888068656647e-09,
        7.063314626310347e-11,
    ]
    network = Network(3, 4)
    history = train(network, Problem.streetlights(), network.initial([144273]), Numeric(), 0.1, 60)
    np.testing.assert_allclose(history.online_error[9::10, 0], printed, rtol=0.13)
    assert network.predict(history.params, [1, 0, 1]) == pytest.approx(0.99997933, abs=2e-5)


def test_continued_training_is_the_same_as_training_on():
    network, problem = Network(3, 4), Problem.streetlights()
    params = network.initial(range(5))
    whole = train(network, problem, params, Analytic(), 0.1, 30)
    first = train(network, problem, params, Analytic(), 0.1, 12)
    second = train(network, problem, first.params, Analytic(), 0.1, 18)
    assert (np.concatenate([first.error, second.error[1:]]) == whole.error).all()
    assert (second.params == whole.params).all()


@settings(deadline=None, max_examples=150)
@given(networks, st.sampled_from(MODES), st.sampled_from(["f4", "f8"]), st.integers(2, 30), st.data())
def test_a_runs_bits_are_the_same_alone_and_at_any_place_of_any_stack(network, mode, dtype, n_runs, data):
    """Learning rates up to 30, so some runs overflow; blocks of few runs, so a stack is cut anywhere."""
    values = st.sampled_from([0, 1, 0.3, -2])
    inputs = data.draw(
        st.lists(
            st.lists(values, min_size=network.n_inputs, max_size=network.n_inputs), min_size=1, max_size=3
        )
    )
    problem = Problem(inputs, data.draw(st.lists(values, min_size=len(inputs), max_size=len(inputs))))
    rates = np.array(data.draw(st.lists(st.sampled_from([0.1, 0.5, 30]), min_size=n_runs, max_size=n_runs)))
    params = network.initial(range(n_runs)).astype(dtype)
    order = np.array(data.draw(st.permutations(range(n_runs))))
    alone = data.draw(st.integers(0, n_runs - 1))
    before = params.tobytes()

    def run(runs, block=training.BLOCK):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(training, "BLOCK", block)
            return train(network, problem, params[:, runs], mode, rates[runs], 3, seeds=runs)

    whole = run(np.arange(n_runs))
    cut = run(order, block=network.n_params * data.draw(st.integers(1, 7)))
    single = run(np.array([alone]))
    for history in ("error", "online_error", "params"):
        values = getattr(whole, history)
        assert values.dtype == dtype
        assert values[:, order].tobytes() == getattr(cut, history).tobytes()
        assert values[:, [alone]].tobytes() == getattr(single, history).tobytes()
    assert params.tobytes() == before


class Plain(Analytic):
    """Backpropagation by the general update, p - learning_rate·estimate."""

    descend = None


@settings(deadline=None, max_examples=50)
@given(networks, st.sampled_from([[1, 1, 1, 1], [1, 0, -0.3, 2], [0, 0, 0, 0]]), st.booleans())
def test_analytic_descends_by_its_own_estimate(network, x, own_rates):
    """To a few roundings of the largest weight; for one epoch, as training amplifies them from then on."""
    problem = Problem([x[: network.n_inputs], x[::-1][: network.n_inputs]], [0.5, -1])
    params, rates = network.initial(range(5)), [0.1, 0.2, 0.01, 0.1, 0.1] if own_rates else 0.1
    fast, plain = (train(network, problem, params, mode, rates, 1) for mode in (Analytic(), Plain()))
    rounding = np.finfo(float).eps * np.abs(plain.params).max()
    np.testing.assert_allclose(fast.params, plain.params, rtol=0, atol=16 * rounding)


@pytest.mark.parametrize("mode", [Analytic(), Numeric(), Forward()], ids=str)
def test_a_large_stack_gives_the_bits_of_small_ones(mode):
    """Sizes at which numeric moves many weights at a time, and one, and at which blocks are cut."""
    network, problem = Network(3, 4), Problem.streetlights()
    params = network.initial(range(5000))
    whole = train(network, problem, params, mode, 0.1, 2)
    for runs in (slice(0, 1), slice(3990, 4017), slice(4500, 5000)):
        part = train(network, problem, params[:, runs], mode, 0.1, 2)
        assert whole.error[:, runs].tobytes() == part.error.tobytes()
        assert whole.params[:, runs].tobytes() == part.params.tobytes()


def test_a_step_moves_against_the_gradient_of_each_row_in_turn():
    """One linear unit by hand: y = v·w·x with w = v = 1, so after row (1, t=0): w = v = 1 - 2·0.1."""
    history = train(Network(1, 1), Problem([[1], [2]], [0, 0]), [[1.0], [1.0]], Analytic(), 0.1, 1)
    y = 2 * 0.8 * 0.8  # second row, after the first row's update
    assert history.params.ravel() == pytest.approx([0.8 - 0.1 * 2 * y * 0.8 * 2, 0.8 - 0.1 * 2 * y * 0.8 * 2])
    assert history.error[0, 0] == (1 + 4) / 2
    w = history.params[0, 0]
    assert history.online_error[0, 0] == pytest.approx((0.64**2 + (2 * w * w) ** 2) / 2)
    assert history.error[1, 0] == pytest.approx((w**4 + 4 * w**4) / 2)


def test_learning_rates_of_runs_of_their_own():
    network, problem = Network(3, 4), Problem.streetlights()
    params = np.repeat(network.initial([0]), 3, axis=1)
    together = train(network, problem, params, Numeric(), [0.1, 0.2, 0.1], 5)
    assert (
        together.error[:, 1] == train(network, problem, params[:, :1], Numeric(), 0.2, 5).error[:, 0]
    ).all()
    assert (together.error[:, 0] == together.error[:, 2]).all()


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_overflow_is_an_outcome_and_stays_in_its_run(mode):
    network, problem = Network(3, 4), Problem.streetlights()
    params = network.initial(range(3))
    params[:, 1] = 1e200
    history = train(network, problem, params, mode, 0.01, 5, seeds=range(3))
    assert not np.isfinite(history.error[-1, 1])
    assert np.isfinite(history.error[:, [0, 2]]).all()


def test_training_leaves_numpys_own_settings_as_they_were():
    with np.errstate(over="raise"):
        np.setbufsize(4096)
        before = np.geterr(), np.getbufsize()
        train(Network(3, 4), Problem.streetlights(), Network(3, 4).initial([0]), Analytic(), 1e9, 5)
        assert (np.geterr(), np.getbufsize()) == before


def test_without_epochs_there_is_only_the_error_before_training():
    network, problem = Network(3, 4), Problem.streetlights()
    params = network.initial([0, 1])
    history = train(network, problem, params, Analytic(), 0.1, 0)
    rows = [network.error(params, x, t) for x, t in zip(problem.inputs, problem.targets, strict=True)]
    np.testing.assert_allclose(history.error, [np.mean(rows, axis=0)], rtol=1e-15)
    assert history.online_error.shape == (0, 2)
    assert (history.params == params).all()


def test_online_errors_can_be_left_out():
    network, problem = Network(3, 4), Problem.streetlights()
    params = network.initial(range(4))
    with_them = train(network, problem, params, Numeric(), 0.1, 5)
    without = train(network, problem, params, Numeric(), 0.1, 5, online_error=False)
    assert np.isnan(without.online_error).all()
    assert (with_them.error == without.error).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"params": np.zeros((15, 2))}, r"params: shape \(15, 2\).*\(16, n_runs\)"),
        ({"params": np.zeros((16, 0))}, r"params: shape \(16, 0\)"),
        ({"params": np.zeros((16, 2), complex)}, "params: complex128"),
        ({"params": [["a", "b"]] * 16}, "params: shape"),
        ({"problem": Problem.xor()}, "network: n_inputs is 3; the problem's rows have 2"),
        ({"learning_rate": 0}, "learning_rate: 0; give a finite number above 0"),
        ({"learning_rate": np.nan}, "learning_rate: nan"),
        ({"learning_rate": np.inf}, "learning_rate: inf; give a finite"),
        ({"learning_rate": [0.1, 0.1, 0.1]}, r"learning_rate: .* one for each run \(2\)"),
        ({"learning_rate": [[0.1, 0.1]]}, "learning_rate: "),
        ({"learning_rate": "fast"}, "learning_rate: 'fast'"),
        ({"n_epochs": -1}, "n_epochs: -1; give an integer"),
        ({"n_epochs": 2.0}, "n_epochs: 2.0; give an integer"),
        ({"seeds": [1]}, "seeds: 1 of them; give one for each of 2 runs"),
        ({"seeds": [1, -1]}, "seeds: "),
    ],
)
def test_arguments_that_do_not_fit_are_refused_by_name(change, message):
    network = Network(3, 4)
    good = {"problem": Problem.streetlights(), "params": network.initial([0, 1]), "gradient": Analytic()}
    with pytest.raises(ValueError, match=message):
        train(network, **{**good, "learning_rate": 0.1, "n_epochs": 1, **change})
