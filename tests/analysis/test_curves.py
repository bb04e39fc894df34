"""Errors over the epochs are quartiles, laws and shares of the runs that a picture names."""

import numpy as np
import pandas as pd
import pytest

from experiments.analysis import analyse
from experiments.analysis.curves import late_epochs, quartiles
from tests.loaded import loaded, made_up
from tinynet import outcomes
from tinynet.outcomes import FLOOR

MODES = ["analytic", "numeric h=1e-4", "forward h=1e-4"]


def columns(runs, mode, **where) -> np.ndarray:
    """The runs of a mode, by seed."""
    mask = runs["mode"] == mode
    for name, value in where.items():
        mask &= runs[name] == value
    return np.flatnonzero(mask)


def log_median(error) -> np.ndarray:
    return np.median(np.log10(np.maximum(error, FLOOR)), axis=1)


def converged(error) -> np.ndarray:
    return outcomes.classify(error, 0.5) == "converged"


@pytest.fixture(scope="module")
def sweep() -> tuple[pd.DataFrame, np.ndarray]:
    return made_up(MODES, (0.03, 0.1), (2, 4), n_seeds=12)


@pytest.fixture(scope="module")
def analysed(sweep):
    return analyse(loaded(*sweep))


def test_medians_are_of_the_pairs_in_which_both_converge(sweep, analysed):
    runs, error = sweep
    assert len(analysed.curves.medians) == len(MODES) * 4
    for (rate, size, mode), curve in analysed.curves.medians.items():
        cell = {"learning_rate": rate, "hidden_size": size}
        ours, theirs = columns(runs, mode, **cell), columns(runs, "analytic", **cell)
        if mode == "analytic":  # a half of either pair
            others = np.array([converged(error[:, columns(runs, other, **cell)]) for other in MODES[1:]])
            kept = ours[converged(error[:, ours]) & others.any(axis=0)]
        else:
            kept = ours[converged(error[:, ours]) & converged(error[:, theirs])]
        assert curve.n_runs == kept.size > 0
        assert np.log10(curve.middle) == pytest.approx(log_median(error[np.ix_(curve.epochs, kept)]))
        assert (curve.low <= curve.middle).all()
        assert (curve.middle <= curve.high).all()


def test_where_none_converges_medians_are_of_all_runs():
    runs, error = made_up(n_seeds=7, ends="none")
    analysed = analyse(loaded(runs, error))
    assert analysed.none_converges
    for (_, _, mode), curve in analysed.curves.medians.items():
        assert curve.n_runs == 7
        assert np.log10(curve.middle) == pytest.approx(
            log_median(error[np.ix_(curve.epochs, columns(runs, mode))])
        )


def test_a_mode_at_a_rate_of_its_own_is_drawn_by_its_own_converged_runs():
    runs, error = made_up(MODES, n_seeds=12)
    runs.loc[runs["mode"] == "forward h=1e-4", "learning_rate"] = 0.01
    runs["start_weights"] = runs["seed"].astype(str)
    analysed = analyse(loaded(runs, error))
    assert analysed.own_rate == {"forward h=1e-4"}
    assert analysed.others == ["numeric h=1e-4"]
    n_converged = converged(error[:, columns(runs, "forward h=1e-4")]).sum()
    assert analysed.curves.medians[0.01, 4, "forward h=1e-4"].n_runs == n_converged


def test_quartiles_go_by_the_logarithm_and_leave_out_what_is_not_finite():
    error = np.array([[1.0, 1e-2, 1e-4, 1e-6, 1e-8], [1e-2, np.nan, np.inf, np.nan, 1e-40]])
    curve = quartiles(error, np.arange(5), np.array([0, 1]))
    assert curve.middle == pytest.approx([1e-4, np.nan], nan_ok=True)
    assert (curve.low[0], curve.high[0]) == pytest.approx((1e-6, 1e-2))
    assert (curve.n_runs, curve.last) == (5, pytest.approx(1e-4))
    floor = quartiles(error, np.array([4]), np.array([1]))
    assert floor.middle == pytest.approx([FLOOR])
    empty = quartiles(error, np.array([], dtype=int), np.array([0, 1]))
    assert empty.n_runs == 0
    assert np.isnan([*empty.middle, empty.last]).all()


def test_the_tail_is_of_the_main_cell_and_its_axes_reach_the_last_epoch(analysed):
    tail = analysed.curves.tail
    assert list(tail.late) == list(tail.early) == MODES
    for mode, curve in tail.late.items():
        both = analysed.curves.medians[0.1, 4, mode]
        assert curve.n_runs == both.n_runs
        assert (curve.epochs[0], curve.epochs[-1]) == (1, 320)
        assert curve.last == pytest.approx(both.last)
    deepest = tail.late["analytic"]
    floored = deepest.epochs[deepest.middle > 10**0.5 * deepest.middle.min()].max()
    end = tail.early["analytic"].epochs[-1]
    assert floored < end <= 320  # where nothing falls any more, the linear axis ends
    assert late_epochs(10_000).size <= 161
    assert late_epochs(1).tolist() == [1]


def test_the_tail_tells_an_exponential_from_a_power_law():
    runs, error = made_up(n_seeds=12, n_epochs=600, ends="converged")
    tail = analyse(loaded(runs, error)).curves.tail
    for mode in MODES[:2]:
        laws, exponents = outcomes.law(error[:, columns(runs, mode)], 1e-3)
        law = tail.laws[mode]
        names, counts = np.unique(laws[np.isin(laws, ("exponential", "power", "mixed"))], return_counts=True)
        assert (law.name, law.n, law.n_runs) == (names[counts.argmax()], counts.max(), 12)
        if law.name == "power":
            assert law.power == -1 / np.median(exponents[laws == "power"])
    assert tail.laws["analytic"].name == "exponential"
    assert np.isnan(tail.laws["analytic"].power)
    assert tail.laws["numeric h=1e-4"].power == pytest.approx(-4, abs=0.5)
    assert tail.slowest == ("numeric h=1e-4", tail.laws["numeric h=1e-4"].power)


def test_sixty_epochs_or_five_runs_have_no_slope():
    short = analyse(loaded(*made_up(n_seeds=12, n_epochs=60))).curves.tail
    assert set(short.laws.values()) == {None}
    assert short.slowest is None
    five = analyse(loaded(*made_up(n_seeds=5, n_epochs=600, ends="converged"))).curves.tail
    assert five.laws["numeric h=1e-4"].name == "power"
    assert five.slowest is None


def test_of_two_power_laws_the_slowest_is_the_one_that_ends_higher():
    runs, error = made_up(MODES, n_seeds=12, n_epochs=600, ends="converged")
    error[:, columns(runs, "forward h=1e-4")] *= np.where(
        error[:, columns(runs, "forward h=1e-4")] < 1e-4, 10, 1
    )
    tail = analyse(loaded(runs, error)).curves.tail
    ends = {mode: tail.late[mode].last for mode in MODES[1:]}
    assert tail.slowest[0] == max(ends, key=ends.get)


def test_shares_are_of_all_runs_that_came_within_an_error(sweep, analysed):
    runs, error = sweep
    reached = analysed.curves.reached
    assert list(reached.by_epoch) == [1e-3, 1e-9, 1e-15]
    least = np.minimum.accumulate(error, axis=0)
    for tau, shares in reached.by_epoch.items():
        assert list(shares) == MODES
        for mode, share in shares.items():
            assert share == pytest.approx((least[:, columns(runs, mode)] <= tau).mean(axis=1))
    for mode, profile in reached.profile.items():
        final = error[-1, columns(runs, mode)]
        within = np.maximum(final, FLOOR) <= reached.depths[:, None]
        assert profile == pytest.approx(within.mean(axis=1))


def test_errors_that_no_run_reaches_are_not_asked_for():
    def taus(**options):
        return list(analyse(loaded(*made_up(n_seeds=7, **options))).curves.reached.by_epoch)

    assert taus(ends="none") == []
    assert taus(n_epochs=30) == [1e-3]
    assert taus(n_epochs=320) == [1e-3, 1e-9, 1e-15]


def test_errors_that_only_continued_runs_reach_are_not_asked_for():
    arms = ["analytic", "numeric h=1e-4", "analytic continued", "numeric h=1e-4 continued"]
    runs, error = made_up(arms, n_seeds=7, ends="converged")
    fresh = (runs["start"] == "fresh").to_numpy()
    error[:, fresh] = np.maximum(error[:, fresh], 1e-5)
    assert list(analyse(loaded(runs, error)).curves.reached.by_epoch) == [1e-3]


def test_work_is_the_median_of_converged_runs_against_evaluations():
    runs, error = made_up(MODES, (0.03, 0.1), n_seeds=12)
    runs.loc[runs["mode"] == "forward h=1e-4", "evaluations"] = 17.0
    works = analyse(loaded(runs, error)).curves.work
    assert [(work.mode, work.learning_rate) for work in works] == [(mode, 0.1) for mode in MODES]
    for work in works:
        rows = columns(runs, work.mode, learning_rate=0.1)
        rows = rows[converged(error[:, rows])]
        evaluations = runs["evaluations"][rows[0]]
        assert work.curve.n_runs == rows.size
        assert work.curve.epochs == pytest.approx(late_epochs(320) * 4 * evaluations)  # 4 rows in the problem
        below = np.flatnonzero(log_median(error[:, rows]) <= -6)[0]
        assert work.to_a_millionth / (4 * evaluations) == pytest.approx(below, rel=0.05)  # of drawn epochs


def test_work_is_at_the_rate_of_most_converged_runs_where_none_converges_at_the_usual():
    runs, error = made_up(MODES, (0.03, 0.1), n_seeds=12)
    error[:, columns(runs, "forward h=1e-4", learning_rate=0.1)] = 0.3
    works = analyse(loaded(runs, error)).curves.work
    assert {work.mode: work.learning_rate for work in works} == {
        "analytic": 0.1, "numeric h=1e-4": 0.1, "forward h=1e-4": 0.03,
    }  # fmt: skip
    error[:, columns(runs, "forward h=1e-4")] = 0.3
    assert [work.mode for work in analyse(loaded(runs, error)).curves.work] == MODES[:2]


def test_an_error_that_the_median_never_reaches_costs_what_is_not_known():
    runs, error = made_up(n_seeds=12, n_epochs=320, ends="converged")
    error[:, columns(runs, "numeric h=1e-4")] = np.maximum(error[:, columns(runs, "numeric h=1e-4")], 1e-5)
    works = {work.mode: work for work in analyse(loaded(runs, error)).curves.work}
    assert np.isnan(works["numeric h=1e-4"].to_a_millionth)
    assert np.isfinite(works["analytic"].to_a_millionth)
