"""What pictures show by cell is what the runs hold: counted and taken again, from the runs by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.analysis import analyse, few
from experiments.analysis.cells import power_of_h
from experiments.analysis.statistics import clopper_pearson
from tests.loaded import loaded, made_up
from tinynet import outcomes

MODES = ["analytic", "numeric h=1e-4", "forward h=1e-4"]
STEPS = ["analytic", *(f"{kind} h=1e-{k}" for kind in ("numeric", "forward") for k in range(1, 8)),
         "numeric h=0.5 decay=0.99"]  # fmt: skip


@pytest.fixture(scope="module")
def sweep() -> tuple[pd.DataFrame, np.ndarray]:
    """Three modes, 2 × 2 cells, 12 seeds: the runs with outcome and final error, and their curves."""
    runs, error = made_up(MODES, (0.03, 0.1), (2, 4), n_seeds=12)
    runs["outcome"] = outcomes.classify(error, 0.5)
    runs["final"] = np.maximum(error[-1], outcomes.FLOOR)
    return runs, error


@pytest.fixture(scope="module")
def analysed(sweep):
    return analyse(loaded(sweep[0].drop(columns="final"), sweep[1]))


def half(runs, mode, **where) -> pd.DataFrame:
    """A mode's runs, by seed."""
    for name, value in where.items():
        runs = runs[runs[name] == value]
    return runs[runs["mode"] == mode].set_index(["learning_rate", "hidden_size", "seed"])


def test_a_panel_counts_outcomes_and_pairs_of_its_cell(sweep, analysed):
    panels = analysed.cells.panels
    assert len(panels) == len(MODES) * 4
    for panel in panels.to_dict("records"):
        cell = {"learning_rate": panel["learning_rate"], "hidden_size": panel["hidden_size"]}
        ours = half(sweep[0], panel["mode"], **cell)["outcome"]
        theirs = half(sweep[0], "analytic", **cell)["outcome"]
        assert panel["n_runs"] == 12
        for name in outcomes.OUTCOMES:
            assert panel[name] == (ours == name).sum()
        if panel["mode"] == "analytic":
            assert panel["n_pairs"] == panel["n_other"] == panel["n_both"] == 0
        else:
            assert panel["n_pairs"] == 12
            assert panel["n_other"] == (ours != theirs).sum()
            assert panel["n_both"] == ((ours == "converged") & (theirs == "converged")).sum()
    assert panels["n_other"].sum() > 0


def test_ends_tell_how_often_and_how_deep_runs_of_the_main_size_converge(sweep, analysed):
    cells = analysed.cells
    assert (cells.learning_rate, cells.hidden_size, cells.n_cells) == (0.1, 4, 4)
    assert len(cells.ends) == len(MODES) * 2
    for end in cells.ends.to_dict("records"):
        runs = half(sweep[0], end["mode"], learning_rate=end["learning_rate"], hidden_size=4)
        deep = runs["final"][runs["outcome"] == "converged"]
        assert (end["n_runs"], end["n_converged"]) == (12, len(deep))
        assert end["share"] == len(deep) / 12
        assert (end["low"], end["high"]) == clopper_pearson(len(deep), 12)
        assert np.log10(end["median_final_error"]) == pytest.approx(np.median(np.log10(deep)))
        assert end["evaluations"] == len(end["mode"])


def test_levels_tell_decades_apart_where_both_converge(sweep, analysed):
    cells = analysed.cells
    assert cells.axis == "learning_rate"
    assert len(cells.levels) == 2 * 3
    for row in cells.levels.to_dict("records"):
        where = {} if np.isnan(row["level"]) else {"learning_rate": row["level"]}
        ours, theirs = (half(sweep[0], mode, **where) for mode in (row["mode"], "analytic"))
        both = (ours["outcome"] == "converged") & (theirs["outcome"] == "converged")
        apart = np.log10(ours["final"][both]) - np.log10(theirs["final"][both])
        assert row["n_pairs"] == both.sum() > 0
        assert row["value"] == pytest.approx(np.median(apart))
        assert row["low"] <= row["value"] <= row["high"]


def test_the_levels_of_all_pairs_are_the_depth_of_the_estimates(analysed):
    levels = analysed.cells.levels
    for row in levels[levels["level"].isna()].to_dict("records"):
        estimate = analysed.estimate(row["mode"], "depth")
        for name in ("value", "low", "high", "n_pairs"):
            assert row[name] == estimate[name]


def test_with_one_learning_rate_levels_are_hidden_sizes():
    analysed = analyse(loaded(*made_up(sizes=(2, 4, 8), n_seeds=7)))
    assert analysed.cells.axis == "hidden_size"
    assert analysed.cells.levels["level"].dropna().tolist() == [2, 4, 8]


def test_the_main_cell_is_the_tutorials_or_the_one_that_converges_most():
    runs, error = made_up(rates=(0.1, 0.3), n_seeds=9)
    error[:, (runs["learning_rate"] == 0.1).to_numpy()] = 0.3  # stuck
    cells = analyse(loaded(runs, error)).cells
    assert (cells.learning_rate, cells.hidden_size) == (0.3, 4)
    error[:, 0] = 1e-9  # one run of the tutorial's cell converges
    cells = analyse(loaded(runs, error)).cells
    assert (cells.learning_rate, cells.hidden_size) == (0.1, 4)


def test_steps_are_the_difference_modes_by_kind_and_h():
    steps = analyse(loaded(*made_up(STEPS, n_seeds=9))).cells.steps
    numeric, forward = ([f"{kind} h=1e-{k}" for k in range(7, 0, -1)] for kind in ("numeric", "forward"))
    assert steps["mode"].tolist() == [*numeric, STEPS[-1], *forward]
    assert steps["kind"].tolist() == ["numeric"] * 7 + ["numeric annealed"] + ["forward"] * 7
    h = 10.0 ** np.arange(-7, 0)
    assert steps["h"].to_numpy() == pytest.approx(np.array([*h, 0.5, *h]), rel=1e-12)


def test_steps_are_those_with_runs_in_the_main_cell():
    runs, error = made_up(STEPS, rates=(0.1, 0.3), n_seeds=9)
    absent = ["numeric h=1e-7", "forward h=1e-7", STEPS[-1]]
    kept = ~(runs["mode"].isin(absent) & (runs["learning_rate"] == 0.1)).to_numpy()
    steps = analyse(loaded(runs[kept], error[:, kept])).cells.steps
    assert (steps["h"].min(), steps["h"].max()) == (1e-6, 1e-1)
    assert set(steps["kind"]) == {"numeric", "forward"}


@pytest.mark.parametrize(("n_steps", "is_many"), [(3, False), (4, True)])
def test_four_steps_of_a_kind_are_many(n_steps, is_many):
    modes = ["analytic", *(f"numeric h=1e-{k}" for k in range(1, n_steps + 1))]
    analysed = analyse(loaded(*made_up(modes, n_seeds=2)))
    assert analysed.cells.has_many_steps == is_many
    assert (analysed.gradient_errors is not None) == is_many


def test_the_power_of_h_is_found():
    h = 10.0 ** np.arange(-8, 0)
    assert power_of_h(h, h**2 / 1000) == (pytest.approx(2), 8)
    assert power_of_h(h, np.maximum(h**4, 1e-32)) == (pytest.approx(4), 7)  # not what lies at rounding
    assert power_of_h(h, h**2 + 1e12 * h**6) == (pytest.approx(np.nan, nan_ok=True), 8)  # no power law
    assert power_of_h(h[:2], h[:2] ** 2) == (pytest.approx(np.nan, nan_ok=True), 2)


def test_the_power_of_h_rests_on_steps_where_most_runs_converge():
    runs, error = made_up(STEPS, n_seeds=9, ends="converged")
    for k in range(1, 8):
        error[-1, (runs["mode"] == f"numeric h=1e-{k}").to_numpy()] = 10.0 ** (-2 * k - 2)
    widest = np.flatnonzero(runs["mode"] == "numeric h=1e-1")
    error[-1, widest] = 1e-20  # far from the power law
    power, n = analyse(loaded(runs, error)).cells.powers["numeric"]
    assert (np.isnan(power), n) == (True, 7)
    error[:, widest[:5]] = 0.3  # of 9 no more than 4 converge
    assert analyse(loaded(runs, error)).cells.powers["numeric"] == (pytest.approx(2), 6)


def test_seconds_are_per_step_and_run_of_the_runs_that_have_them():
    runs, error = made_up(sizes=(2, 4, 8, 16), n_seeds=4)
    steps = (len(error) - 1) * 4  # rows of the problem
    runs["seconds"] = 3e-6 * steps * runs["n_params"] / 8
    runs.loc[runs["seed"] == 0, "seconds"] *= 1.5
    runs["taken_over"] = ""
    runs.loc[(runs["mode"] == "analytic") & (runs["hidden_size"] > 2), "taken_over"] = "another sweep"
    seconds = analyse(loaded(runs, error)).cells.seconds
    numeric = seconds[seconds["mode"] == "numeric h=1e-4"]
    assert numeric["n_params"].tolist() == [8, 16, 32, 64]
    assert numeric["microseconds"].tolist() == pytest.approx([3, 6, 12, 24])
    analytic = seconds[seconds["mode"] == "analytic"]
    assert analytic["n_params"].tolist() == [8]
    assert analyse(loaded(runs.assign(taken_over="another"), error)).cells.seconds.empty
    unknown = analyse(loaded(runs.assign(problem="someones_own"), error))
    assert unknown.cells.seconds.empty
    assert unknown.curves.work == []


def test_failed_runs_are_in_no_number_of_a_picture(sweep):
    runs, error = sweep
    failed = (runs["seed"] == 3).to_numpy()
    status = np.where(failed, "FAILED", "FINISHED")
    with_failed = analyse(loaded(runs.drop(columns="final").assign(status=status), error)).cells
    without = analyse(loaded(runs[~failed].drop(columns="final"), error[:, ~failed])).cells
    for name in ("panels", "ends", "levels"):
        pd.testing.assert_frame_equal(getattr(with_failed, name), getattr(without, name))


def test_continued_modes_are_not_drawn_beside_fresh_ones_and_are_alone():
    arms = ["analytic", "analytic continued", "numeric h=1e-4", "numeric h=1e-4 continued"]
    analysed = analyse(loaded(*made_up(arms, n_seeds=7)))
    assert analysed.drawn_modes == ["analytic", "numeric h=1e-4"]
    assert set(analysed.cells.panels["mode"]) == {"analytic", "numeric h=1e-4"}
    runs, error = made_up(["analytic continued", "numeric h=1e-4 continued"], n_seeds=7)
    assert analyse(loaded(runs, error)).drawn_modes == ["analytic continued", "numeric h=1e-4 continued"]


@settings(max_examples=50)
@given(st.lists(st.integers(), min_size=1, max_size=40, unique=True), st.integers(2, 9))
def test_few_keeps_the_ends_and_the_order(values, most):
    kept = few(values, most)
    assert kept == [value for value in values if value in kept]
    assert len(kept) == min(most, len(values))
    assert (kept[0], kept[-1]) == (values[0], values[-1])


def test_a_grid_has_six_by_six_cells_at_most():
    rates = [0.01 * k for k in range(1, 10)]
    analysed = analyse(loaded(*made_up(rates=rates, sizes=(2, 4), n_seeds=2, n_epochs=40)))
    drawn, sizes = analysed.cells.grid
    assert (len(drawn), sizes, analysed.cells.n_cells) == (6, [2, 4], 18)
    assert len(analysed.cells.panels) == 2 * 12


def test_the_main_cell_is_one_with_modes_to_compare():
    runs, error = made_up(rates=(0.1, 0.3), n_seeds=9)
    is_kept = ((runs["mode"] == "analytic") | (runs["learning_rate"] == 0.3)).to_numpy()
    cells = analyse(loaded(runs[is_kept], error[:, is_kept])).cells
    assert (cells.learning_rate, cells.hidden_size) == (0.3, 4)
