"""Diagnostics say what a gradient is worth, and change nothing."""

import numpy as np
import pytest

from experiments.sweep.runs import watched_epochs
from tinynet import Network, Problem, train
from tinynet.gradients import SPSA, Analytic, ForwardGradient, Hybrid, Numeric, estimate

MODES = (Analytic(), Numeric(1e-2), Hybrid(1e-2), SPSA(), ForwardGradient())
MEASURES = ("near_kink", "error_near", "error_beyond", "cosine", "silent_units")


def trained(mode, params, n_epochs=6, problem=None, activation="relu", diagnostics=(1, 4, 6)):
    network, n_runs = Network(3, 4, activation), params.shape[1]
    problem = problem or Problem.streetlights()
    return train(network, problem, params, mode, 0.05, n_epochs, range(n_runs), diagnostics=diagnostics)


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_looking_changes_no_bit(mode):
    params = Network(3, 4).initial(range(30))
    watched, blind = trained(mode, params), trained(mode, params, diagnostics=())
    assert watched.error.tobytes() == blind.error.tobytes()
    assert watched.params.tobytes() == blind.params.tobytes()
    assert blind.diagnostics.near_kink.shape == (0, 30)


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_a_run_is_diagnosed_the_same_alone(mode):
    params = Network(3, 4).initial(range(30))
    together = trained(mode, params).diagnostics
    alone = train(
        Network(3, 4), Problem.streetlights(), params[:, [7]], mode, 0.05, 6, [7], diagnostics=[1, 4, 6]
    )
    for measure in MEASURES:
        assert (
            getattr(together, measure)[:, 7].tobytes() == getattr(alone.diagnostics, measure)[:, 0].tobytes()
        )


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_measures_are_those_of_the_formulas(mode):
    """One row, one epoch: its only step, at the start params; np.linalg against the sums in fixed order."""
    problem, params, n_runs = Problem([[1, 0, 1]], [1]), Network(3, 4).initial(range(200)), 200
    seen = trained(mode, params, 1, problem, diagnostics=[1]).diagnostics
    g, exact = (
        estimate(m, Network(3, 4), params, [1, 0, 1], 1, seeds=range(n_runs)) for m in (mode, Analytic())
    )
    norms = np.linalg.norm(g, axis=0), np.linalg.norm(exact, axis=0)
    error = np.linalg.norm(g - exact, axis=0) / np.maximum(np.maximum(*norms), 1e-300)
    z = params[0:12:3] + params[2:12:3]
    near = (np.abs(z) <= getattr(mode, "h", 0)).any(axis=0)
    alive = (z > 0).any(axis=0)
    np.testing.assert_array_equal(seen.near_kink[0], near)
    np.testing.assert_allclose(seen.error_near[0], np.where(near, error, np.nan), atol=1e-12)
    np.testing.assert_allclose(seen.error_beyond[0], np.where(near, np.nan, error), atol=1e-12)
    cosine = (g * exact).sum(axis=0)[alive] / np.prod(norms, axis=0)[alive]
    np.testing.assert_allclose(seen.cosine[0, alive], cosine, atol=1e-12)
    assert mode == Hybrid(1e-2) or isinstance(mode, SPSA) or near.any() == isinstance(mode, Numeric)


def test_the_mode_that_is_exact_at_kinks_has_no_error_there():
    params = Network(3, 4).initial(range(300))
    hybrid, numeric = (
        trained(mode(1e-2), params, 1, diagnostics=[1]).diagnostics for mode in (Hybrid, Numeric)
    )
    near = ~np.isnan(numeric.error_near)
    assert near.sum() > 10
    assert (hybrid.error_near[~np.isnan(hybrid.error_near)] < 1e-12).all()
    assert np.nanmedian(numeric.error_near) > 0.01
    assert np.nanmax(numeric.error_beyond) < 1e-9


def test_units_are_silent_when_no_row_wakes_them():
    params = np.tile(-np.ones((16, 1)), 3)
    params[3:6, 1] = 1  # second run: one unit awake
    params[:12, 2] = 0  # third: all at their kink
    seen = trained(Analytic(), params, 1, diagnostics=[1]).diagnostics
    assert seen.silent_units.tolist() == [[4, 3, 4]]
    assert (
        trained(Analytic(), params, 1, activation="tanh", diagnostics=[1]).diagnostics.silent_units == 0
    ).all()


def test_h_shrinks_with_decay():
    params = Network(3, 4).initial(range(300))
    steady, annealed = (trained(Numeric(1e-1, decay), params).diagnostics for decay in (1.0, 0.1))
    assert (steady.near_kink[0] == annealed.near_kink[0]).all()
    assert annealed.near_kink[2].mean() < 0.1 * steady.near_kink[2].mean()


@pytest.mark.parametrize(
    ("n_epochs", "n_watched"), [(1, 1), (11, 1), (12, 2), (60, 9), (120, 18), (600, 41), (2000, 43)]
)
def test_a_sixth_of_the_epochs_is_watched_at_most_and_about_fifty_of_many(n_epochs, n_watched):
    """To watch a step takes up to 2.5 numeric steps; a sixth of that is less than half of one."""
    watched = watched_epochs(n_epochs)
    assert len(set(watched)) == len(watched) == n_watched <= max(1, n_epochs / 6)
    assert watched == sorted(watched)
    assert watched[0] == 1
    assert watched[-1] == n_epochs or n_watched == 1


@pytest.mark.parametrize("epochs", [[0], [7], [1, 1], [1.5], [[1]]])
def test_epochs_that_are_none_are_refused(epochs):
    with pytest.raises(ValueError, match=r"diagnostics: .*; give "):
        trained(Analytic(), Network(3, 4).initial([0]), diagnostics=epochs)
