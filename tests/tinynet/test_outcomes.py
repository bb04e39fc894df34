"""Outcomes and laws on curves whose answer is known by construction."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tinynet.test_gradients import MODES
from tinynet import Network, Problem, train
from tinynet.outcomes import (
    CONVERGED_BELOW,
    CONVERGED_ERROR,
    LAWS,
    OUTCOMES,
    SILENT_WITHIN,
    classify,
    diverged_epoch,
    epochs_to,
    final_error,
    law,
)

ZERO = 0.5  # mean(t²) of the tutorial's targets 1 1 0 0
nan, inf = np.nan, np.inf


def columns(*curves):
    return np.array(curves, dtype=float).T  # (n_epochs + 1, n_runs)


@pytest.mark.parametrize(
    ("curve", "outcome"),
    [
        ([1, 1, 1, 1, 9e-4], "converged"),
        ([1, 1, 1, 1, 1e-3], "falling"),  # 1e-3 is not below 1e-3
        ([1, 1, 0.4, 0.4, 0.35], "falling"),
        ([1, 1, 0.4, 0.4, 0.4 * 0.9], "stuck"),  # not below 0.9 of half time
        ([1, 1, 1, 0.9, 0.5001], "falling"),  # falling comes before silent
        ([1, 0.5, 0.5, 0.5, 0.5005], "silent"),
        ([1, 0.5, 0.5, 0.5, 0.502], "stuck"),
        ([1, 0.5, 0.5, 0.5, 5.0], "stuck"),  # 10·zero is not above itself
        ([1, 0.5, 0.5, 0.5, 5.1], "diverged"),
        ([9, 2, 0.5, 0.1, 1e-9], "converged"),  # may start above 10·zero
        ([1, 30, 1e300, nan, nan], "diverged"),
        ([1, 30, 1e300, inf, inf], "diverged"),
        ([1, inf, 0.5, 0.5, 0.5], "diverged"),
    ],
)
def test_the_first_definition_that_applies_names_the_outcome(curve, outcome):
    assert classify(columns(curve), ZERO).tolist() == [outcome]


def test_diverged_comes_before_converged_for_tiny_targets():
    assert classify(columns([1e-4, 1e-4, 1e-4]), 1e-6).tolist() == ["diverged"]


def test_half_time_of_an_odd_number_of_epochs_is_the_epoch_before_it():
    # E = 3: half time is epoch 1 (0.4); epoch 2 would make it stuck
    assert classify(columns([1, 0.4, 0.3, 0.3]), ZERO).tolist() == ["falling"]


def test_a_run_of_no_epochs_has_an_outcome():
    assert classify(columns([0.5], [0.7], [nan]), ZERO).tolist() == ["silent", "stuck", "diverged"]


@given(
    st.lists(st.lists(st.floats(1e-12, 1e3) | st.just(nan), min_size=5, max_size=5), min_size=1, max_size=8)
)
def test_a_run_has_the_same_outcome_alone_and_in_any_company(curves):
    together = classify(columns(*curves), ZERO)
    assert [classify(columns(curve), ZERO)[0] for curve in curves] == together.tolist()
    assert set(together) <= set(OUTCOMES)
    lost = diverged_epoch(columns(*curves), ZERO)
    assert (np.isfinite(lost) == (together == "diverged")).all()


def test_zero_error_may_differ_from_run_to_run():
    assert classify(columns([1, 1, 1], [1, 1, 1]), np.array([1.0, 0.01])).tolist() == ["silent", "diverged"]


def test_the_epoch_of_divergence_starts_the_last_excursion():
    curves = columns(
        [9, 0.5, 0.5, 6, 7], [9, 9, 9, 9, 9], [1, 1, 40, nan, nan], [1, nan, 1, 1, 9], [9, 1, 1, 1, 1]
    )
    np.testing.assert_array_equal(diverged_epoch(curves, ZERO), [3, 0, 2, 1, nan])


def test_epochs_to_is_the_first_epoch_at_or_below_tau():
    curves = columns([1, 0.1, 0.2, 0.1], [0.1, 1, 1, 1], [1, 1, 1, nan], [nan, nan, nan, nan])
    np.testing.assert_array_equal(epochs_to(curves, 0.1), [1, 0, nan, nan])


@given(st.lists(st.floats(0, 1), min_size=2, max_size=30), st.floats(0, 1), st.floats(0, 1))
def test_a_smaller_tau_is_never_reached_earlier(curve, tau, other):
    first, second = (
        epochs_to(columns(curve), max(tau, other))[0],
        epochs_to(columns(curve), min(tau, other))[0],
    )
    assert np.isnan(second) or first <= second


def test_the_final_error_of_a_lost_run_sorts_last():
    assert final_error(columns([1, 0.5], [1, nan], [1, inf])).tolist() == [0.5, inf, inf]


@pytest.mark.parametrize("function", [lambda e: classify(e, ZERO), final_error, law])
def test_curves_of_another_shape_are_refused(function):
    with pytest.raises(ValueError, match=r"error: shape \(3,\)"):
        function(np.ones(3))


CURVE = st.lists(
    st.floats(1e-9, 1e3) | st.sampled_from([1e-3, 0.5, 0.499, 0.501, 5.0, nan]), min_size=5, max_size=5
)


@given(st.lists(CURVE, min_size=1, max_size=8), st.integers(-60, 60))
def test_targets_in_other_units_change_no_outcome(curves, power):
    """c·t has the errors c²·e; powers of two, so that the products are exact."""
    c = 2.0**power
    error = columns(*curves)
    assert classify(c**2 * error, c**2 * ZERO).tolist() == classify(error, ZERO).tolist()
    np.testing.assert_array_equal(diverged_epoch(c**2 * error, c**2 * ZERO), diverged_epoch(error, ZERO))


def test_small_targets_do_not_make_every_run_converge():
    """Targets of 0.01: answering 0 has the error 5e-5, below the tutorial's 1e-3."""
    curves = columns([5e-5] * 5, [4e-5] * 5, [4e-5, 4e-5, 4e-5, 4e-5, 9e-8], [4e-5, 4e-5, 4e-5, 4e-5, 3e-5])
    assert classify(curves, 5e-5).tolist() == ["silent", "stuck", "converged", "falling"]


def test_the_tutorials_thresholds_are_those_that_were_absolute():
    assert CONVERGED_BELOW * ZERO == SILENT_WITHIN * ZERO == CONVERGED_ERROR == 1e-3


def test_a_run_converges_below_the_share_that_is_asked_for():
    curves = columns([0.02] * 3, [0.03] * 3)
    assert classify(curves, ZERO, 0.05).tolist() == ["converged", "stuck"]
    assert classify(curves, ZERO, np.array([0.01, 0.1])).tolist() == ["stuck", "converged"]


T = np.arange(601.0)


def named(curve, dtype=float):
    names, s = law(np.asarray(curve, dtype=dtype)[:, None])
    return str(names[0]), float(s[0])


@given(st.floats(0.02, 0.5), st.floats(1e-3, 1))
def test_an_exponential_is_exponential(rate, start):
    name, s = named(start * np.exp(-rate * T))
    assert name == "exponential"
    assert abs(s) < 1e-6


@given(st.floats(2, 7.9), st.floats(0.3, 20), st.floats(1e-6, 1e-3))
def test_a_power_law_is_found_with_its_power_wherever_its_time_starts(p, origin, start):
    name, s = named(start * (1 + T / origin) ** -p)
    assert name == "power"
    assert 1 / s == pytest.approx(p, rel=1e-6)


@pytest.mark.parametrize("p", [2, 3, 4, 6])
def test_an_exponential_that_turns_into_a_power_law_is_a_power_law(p):
    # de/dt = −k·e below epoch 20, then t^−p: what a central difference does at a kink
    curve = np.where(T < 20, np.exp(-0.5 * T), np.exp(-10.0) * (1 + np.maximum(T - 20, 0) / 5) ** -p)
    assert named(curve)[0] == "power"


@pytest.mark.parametrize(
    ("curve", "name"),
    [
        (np.maximum(np.exp(-0.2 * T), 1e-20), "mixed"),  # falls, then a floor
        (np.maximum(np.exp(-2 * T), 5e-12), "flat"),  # on its floor after an eighth of the window
        (np.maximum(np.exp(-0.2 * T), 1e-31 * (1 + T % 3)), "exponential"),  # rounding is left out
        (np.exp(-5 * T), "undecided"),  # through the window in 11 epochs
        (9e-4 * np.exp(-0.002 * T), "undecided"),  # 0.4 decade
        (1e-4 * (1 + T / 10) ** -10, "mixed"),  # s = 0.1 lies between the laws
        (1e-4 * (1 + T / 10) ** -1.5, "undecided"),  # less than a decade without the first quarter
        (1e-4 * np.exp(-((T / 250) ** 2)), "mixed"),  # faster and faster, s < 0
        (np.full(601, 1e-30), "undecided"),
        (np.zeros(601), "undecided"),
        (np.r_[np.ones(600), 0.0], "undecided"),
        (np.full(601, 0.5), "none"),
        (np.r_[np.exp(-0.05 * T[:-1]), nan], "none"),
    ],
)
def test_what_is_no_law_is_not_called_one(curve, name):
    assert named(curve)[0] == name


def test_there_are_no_laws_below_300_epochs():
    curve = np.exp(-0.05 * T)
    assert named(curve[:300])[0] == "none"
    assert named(curve[:301])[0] == "exponential"


def test_the_window_of_a_law_begins_where_the_run_has_converged():
    """An exponential that slows to a power law below 1e-6: which of both is the law depends on the window."""
    curve = np.where(T < 30, np.exp(-0.5 * T), np.exp(-15.0) * (1 + np.maximum(T - 30, 0) / 5) ** -3)
    names, _ = law(np.stack([curve, curve, 1e-3 * curve], axis=1), np.array([1e-3, 1e-20, 1e-6]))
    assert names.tolist() == ["power", "none", "power"]
    assert law(curve[:, None])[0] == law(curve[:, None], CONVERGED_ERROR)[0] == ["power"]


@given(st.floats(0.02, 0.2), st.integers(-20, 20))
def test_the_law_of_a_run_does_not_change_with_the_units_of_its_targets(rate, power):
    """Above 1e-28, where every error is still an error and no rounding."""
    c = 4.0**power
    curve = np.maximum(np.exp(-rate * T), 1e-14 * (1 + T) ** -0.1)[:, None]
    name, s = law(curve, CONVERGED_ERROR)
    name_scaled, s_scaled = law(c * curve, c * CONVERGED_ERROR)
    assert name_scaled == name
    np.testing.assert_allclose(s_scaled, s, rtol=1e-6, atol=1e-12)


def test_float32_curves_obey_the_same_laws():
    assert named(np.exp(-0.05 * T), np.float32)[0] == "exponential"
    assert named(1e-3 * (1 + T / 5) ** -4, np.float32)[0] == "power"


def test_laws_of_many_runs_are_those_of_each_alone():
    rng = np.random.default_rng(5)
    curves = np.exp(-rng.exponential(0.1, (601, 40)).cumsum(axis=0) * rng.uniform(0, 1, 40))
    names, s = law(curves)
    alone = [law(curves[:, [run]]) for run in range(40)]
    assert names.tolist() == [name[0] for name, _ in alone]
    np.testing.assert_array_equal(s, [value[0] for _, value in alone])
    assert set(names) <= set(LAWS)


@pytest.mark.parametrize("target", [1e153, 3e153, 1e300])
def test_targets_too_large_to_be_squared_give_outcomes_and_no_warning(target):
    problem = Problem([[1, 0], [0, 1]], [target, 1])
    network = Network(2, 3)
    for mode in MODES:
        error = train(network, problem, network.initial([0, 1]), mode, 1.0, 5, seeds=[0, 1]).error
        is_diverged = classify(error, problem.zero_error) == "diverged"
        assert is_diverged.all() or target < 1e300
        assert (np.isfinite(diverged_epoch(error, problem.zero_error)) == is_diverged).all()
