"""Each gradient mode keeps its law: what it is exact for, how its miss grows with h, mean and variance."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinynet import Network, Problem, train
from tinynet.gradients import (
    SPSA,
    Analytic,
    ComplexStep,
    Draws,
    Forward,
    ForwardGradient,
    Hybrid,
    Numeric,
    estimate,
)
from tinynet.rows import Row

EXACT = (Analytic(), Numeric(), Forward(), ComplexStep(), Hybrid())
RANDOM = (SPSA(n_samples=2), ForwardGradient(n_samples=2))
MODES = (*EXACT, *RANDOM)
networks = st.builds(
    Network,
    n_inputs=st.integers(1, 4),
    hidden_size=st.integers(1, 7),
    activation=st.sampled_from(["relu", "logistic", "tanh"]),
    bias=st.booleans(),
)
smooth = networks.filter(lambda network: network.activation != "relu")
X = np.array([1, 0, 0.7, -2])


def kinkless(network, h, n_runs=5):
    """Start params whose hidden units all stay clear of z = 0 at X when a weight moves by h."""
    params = network.initial(range(60))
    W = params[: network.hidden_size * network.n_inputs]
    z = (W.reshape(network.hidden_size, network.n_inputs, -1) * X[: network.n_inputs, None]).sum(axis=1)
    if network.bias:
        z += params[len(W) : len(W) + network.hidden_size]
    return params[:, (np.abs(z) > 5 * h).all(axis=0)][:, :n_runs]


def gradient(mode, network, params, target=0.5, **more):
    return estimate(mode, network, params, X[: network.n_inputs], target, **more)


def miss(mode, network, params):
    return np.abs(gradient(mode, network, params) - gradient(Analytic(), network, params)).max()


@settings(deadline=None, max_examples=50)
@given(networks)
def test_backpropagation_is_the_slope_of_the_error_seen_from_outside(network):
    """Against a five-point difference of Network.error, which shares nothing with the backward rule."""
    params, x, h = kinkless(network, 1e-3), X[: network.n_inputs], 1e-3
    slopes = gradient(Analytic(), network, params)
    for i in range(network.n_params):
        move = np.eye(network.n_params)[:, [i]] * h
        at = {k: network.error(params + k * move, x, 0.5) for k in (-2, -1, 1, 2)}
        expected = (at[-2] - 8 * at[-1] + 8 * at[1] - at[2]) / (12 * h)
        np.testing.assert_allclose(slopes[i], expected, rtol=0, atol=1e-9)


def test_the_slope_of_relu_at_its_kink_is_zero():
    network = Network(2, 2)  # z = 0 for the first unit, 1 for the second
    params = np.array([[1.0, -1, 1, 0, 3, 2]]).T
    slopes = estimate(Analytic(), network, params, [1, 1], 1)
    assert slopes.ravel().tolist() == [0, 0, 4, 4, 0, 2]


@settings(deadline=None, max_examples=50)
@given(networks, st.sampled_from([1e-2, 1e-4]))
def test_central_differences_are_exact_to_rounding_away_from_kinks_of_relu(network, h):
    network = Network(network.n_inputs, network.hidden_size, "relu", network.bias)
    assert miss(Numeric(h), network, kinkless(network, h)) < 1e-13 / h


@settings(deadline=None, max_examples=50)
@given(smooth)
def test_central_differences_miss_by_h_squared_and_forward_ones_by_h(network):
    params = network.initial(range(5))
    assert miss(Numeric(2e-2), network, params) / miss(Numeric(1e-2), network, params) == pytest.approx(
        4, rel=0.1
    )
    assert miss(Forward(2e-4), network, params) / miss(Forward(1e-4), network, params) == pytest.approx(
        2, rel=0.1
    )


@settings(deadline=None, max_examples=50)
@given(networks)
def test_forward_differences_miss_by_half_h_times_the_curvature(network):
    network = Network(network.n_inputs, network.hidden_size, "relu", network.bias)
    params, h = kinkless(network, 1e-3), 1e-3
    # e = (y - t)² is quadratic in c and in each v: e'' = 2 (dy/dv)², and dy/dv = (de/dv) / 2(y - t)
    d = network.predict(params, X[: network.n_inputs]) - 0.5
    v = slice(-network.hidden_size - network.bias, None)
    slopes = gradient(Analytic(), network, params)[v]
    excess = gradient(Forward(h), network, params)[v] - slopes
    np.testing.assert_allclose(excess, h * (slopes / (2 * d)) ** 2, rtol=1e-6, atol=1e-9)


@settings(deadline=None, max_examples=50)
@given(networks)
def test_the_complex_step_is_exact_to_rounding(network):
    params = kinkless(network, 1e-6)
    assert miss(ComplexStep(), network, params) < 1e-14
    assert miss(ComplexStep(1e-100), network, params) < 1e-14


@settings(deadline=None, max_examples=50)
@given(networks)
def test_the_slope_along_a_direction_is_its_product_with_the_gradient(network):
    params = network.initial(range(3))[network.order]
    row, direction = (
        Row(network, X[: network.n_inputs], 0.5),
        np.random.default_rng(0).normal(size=params.shape),
    )
    expected = (row.gradient(params) * direction).sum(axis=0)
    np.testing.assert_allclose(row.slope(params, direction), expected, rtol=0, atol=1e-13)


def test_within_h_of_a_kink_the_central_difference_sees_part_of_the_slope():
    """At 0 < z < h: (z + h)² / 2h takes the place of z; science.md, "Why numeric ends differently"."""
    V, z, h = 0.8, 3e-5, 1e-4
    params = np.array([[z], [V]])
    seen = estimate(Numeric(h), Network(1, 1), params, [1], 0)[0]
    assert seen == pytest.approx(V**2 * (z + h) ** 2 / (2 * h), rel=1e-9)
    assert estimate(Analytic(), Network(1, 1), params, [1], 0)[0] == pytest.approx(2 * V**2 * z)


@settings(deadline=None, max_examples=50)
@given(networks, st.sampled_from([1e-1, 1e-4]))
def test_hybrid_is_analytic_at_kinks_and_numeric_elsewhere_bit_for_bit(network, h):
    params = network.initial(range(30))
    z = Row(network, X[: network.n_inputs], 0.5).preactivations(params[network.order])
    kink = (np.abs(z) <= h).any(axis=0) & (network.activation == "relu")
    expected = np.where(kink, gradient(Analytic(), network, params), gradient(Numeric(h), network, params))
    assert (gradient(Hybrid(h), network, params) == expected).all()


def test_hybrid_sees_both_cases():
    network = Network(3, 4)
    params = network.initial(range(200))
    row = Row(network, [1, 0, 1], 0.5)
    near = (np.abs(row.preactivations(params[network.order])) <= 1e-2).any(axis=0)
    assert 0 < near.sum() < 200


@pytest.mark.parametrize("epoch", [0, 1, 7])
def test_decay_shrinks_h_epoch_by_epoch(epoch):
    network, params = Network(3, 4, "tanh"), Network(3, 4, "tanh").initial(range(5))
    annealed = estimate(Numeric(0.1, decay=0.5), network, params, [1, 0, 1], 1, epoch=epoch)
    assert (annealed == estimate(Numeric(0.1 * 0.5**epoch), network, params, [1, 0, 1], 1)).all()


def test_an_h_that_has_shrunk_to_nothing_gives_no_nan():
    params = Network(3, 4).initial(range(5))
    assert (estimate(Numeric(1e-4, decay=0.5), Network(3, 4), params, [1, 0, 1], 1, epoch=5000) == 0).all()


@pytest.mark.parametrize("n_samples", [1, 4])
@pytest.mark.parametrize("mode", [SPSA, ForwardGradient])
def test_random_modes_are_unbiased_with_the_variance_of_theory(mode, n_samples):
    """n_runs copies of one net with seeds of their own: mean g; variance as in each class's docstring.

    Bounds are 5 standard errors; that of a variance from the fourth moment of the sample itself.
    """
    network, n_runs = Network(3, 3, "tanh"), 20_000
    params = np.repeat(network.initial([1]), n_runs, axis=1)
    g = estimate(Analytic(), network, params[:, :1], [1, 0.5, -1], 1)
    samples = estimate(mode(n_samples=n_samples), network, params, [1, 0.5, -1], 1, seeds=range(n_runs))
    variance = (g**2).sum() + (g**2 if mode is ForwardGradient else -(g**2))
    variance = variance.ravel() / n_samples
    np.testing.assert_array_less(np.abs(samples.mean(axis=1) - g.ravel()), 5 * np.sqrt(variance / n_runs))
    squares = (samples - g) ** 2
    bound = 5 * squares.std(axis=1) / np.sqrt(n_runs)
    np.testing.assert_array_less(np.abs(squares.mean(axis=1) - variance), bound)


def test_the_bias_of_spsa_falls_as_h_squared():
    """The mean over all 2^n_params directions, each taken once, has no sampling error left."""
    network = Network(1, 2, "tanh")
    params, x = network.initial([1]), [1.5]
    signs = np.array(np.meshgrid(*[[-1.0, 1.0]] * network.n_params)).reshape(network.n_params, -1)

    class Every:
        def signs(self, n):
            return signs

    def bias(h):
        row = Row(network, x, 1.0)
        tiled = np.repeat(params[network.order], signs.shape[1], axis=1)
        mean = SPSA(h).estimate(row, tiled, 0, Every()).mean(axis=1)
        return np.abs(mean - row.gradient(params[network.order])[:, 0]).max()

    assert bias(2e-2) / bias(1e-2) == pytest.approx(4, rel=0.01)


def test_draws_come_from_a_runs_own_seed_whatever_is_asked_together():
    together, alone = Draws([3, 4]), Draws([4])
    for n in (3, 200, 3, 7):
        assert (together.normals(n)[:, 1] == alone.normals(n)[:, 0]).all()
        assert (together.signs(n)[:, 1] == alone.signs(n)[:, 0]).all()
    one_by_one, at_once = Draws([4]), Draws([4])
    assert (np.concatenate([one_by_one.normals(n) for n in (3, 60, 7)]) == at_once.normals(70)).all()
    assert set(np.unique(alone.signs(500))) == {-1.0, 1.0}


@pytest.mark.parametrize("mode", RANDOM, ids=str)
def test_a_random_mode_without_seeds_says_what_it_lacks(mode):
    with pytest.raises(ValueError, match="seeds: None; a random gradient mode needs a seed for each run"):
        train(Network(3, 4), Problem.streetlights(), Network(3, 4).initial([0]), mode, 0.1, 1)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("n_runs", [1, 2100])
def test_an_estimate_keeps_dtype_and_leaves_params_alone_bit_for_bit(mode, dtype, n_runs):
    network = Network(2, 2, bias=True)
    params = np.array(network.initial(range(n_runs)) * 1e-3, dtype)
    before = params.tobytes()
    row = Row(network, [1, 0.3], 1.0)
    slopes = mode.estimate(row, params, 0, Draws(range(n_runs)))
    assert params.tobytes() == before
    assert slopes.shape == params.shape
    assert slopes.dtype == dtype


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_modes_state_the_evaluations_that_they_ask_for(mode, monkeypatch):
    """Counted where a mode meets the net, for a row whose inputs are all live and far from kinks."""
    network, asked = Network(3, 4, bias=True), []
    params = np.repeat(kinkless(network, 1e-2, n_runs=1), 100, axis=1)[network.order]
    row, moved_errors = Row(network, X[[0, 2, 3]], 1.0), Row.moved_errors

    def moved(self, params, moves):
        for block, errors in moved_errors(self, params, moves):
            asked.append(errors.shape[0] * errors.shape[1])
            yield block, errors

    monkeypatch.setattr(Row, "moved_errors", moved)
    for name in ("error", "gradient", "slope", "preactivations"):
        whole = getattr(Row, name)
        monkeypatch.setattr(Row, name, lambda *a, whole=whole, **more: asked.append(1) or whole(*a, **more))
    mode.estimate(row, params, 0, Draws(range(100)))
    assert sum(asked) == mode.evaluations(network)


@dataclass(frozen=True)
class Rounded:
    """The example at the top of gradients.py."""

    grid: float = 0.01

    def evaluations(self, network):
        return 1

    def estimate(self, row, params, epoch, draws):
        return np.round(row.gradient(params) / self.grid) * self.grid


def test_a_users_own_mode_trains():
    network, problem = Network(3, 4), Problem.streetlights()
    params = network.initial(range(3))
    exact = train(network, problem, params, Analytic(), 0.1, 20)
    fine, coarse = (train(network, problem, params, Rounded(grid), 0.1, 20) for grid in (1e-12, 0.3))
    np.testing.assert_allclose(fine.error, exact.error, atol=1e-10)
    assert not np.allclose(coarse.error, exact.error, atol=1e-3)


def test_a_users_mode_of_the_wrong_shape_is_told_so():
    class Flat(Rounded):
        def estimate(self, row, params, epoch, draws):
            return row.gradient(params)[0]

    with pytest.raises(ValueError, match=r"gradient: .*Flat.* gives \(1,\); give \(16, 1\)"):
        train(Network(3, 4), Problem.streetlights(), Network(3, 4).initial([0]), Flat(), 0.1, 1)


@pytest.mark.parametrize("mode", [Numeric, Forward, ComplexStep, Hybrid, SPSA])
@pytest.mark.parametrize("h", [0, -1e-4, np.nan, np.inf, "1e-4", None, True])
def test_h_is_a_finite_number_above_zero(mode, h):
    with pytest.raises(ValueError, match=r"h: .*; give a finite number above 0"):
        mode(h=h)


@pytest.mark.parametrize("decay", [0, 1.1, -0.5, np.nan, "1"])
def test_decay_is_above_zero_and_at_most_one(decay):
    with pytest.raises(ValueError, match=r"decay: .*; give a number above 0, at most 1"):
        Numeric(decay=decay)


@pytest.mark.parametrize("mode", [SPSA, ForwardGradient])
@pytest.mark.parametrize("n_samples", [0, 1.5, "2", True])
def test_n_samples_is_a_count(mode, n_samples):
    with pytest.raises(ValueError, match=r"n_samples: .*; give an integer of 1 or more"):
        mode(n_samples=n_samples)
