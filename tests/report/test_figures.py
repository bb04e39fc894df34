"""Pictures show what the analysis holds, and can be read, whatever the sweep."""

import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex

from experiments.analysis import ARMS, EPOCHS, FEWEST, PRINTED, Analysis, analyse, few
from experiments.report import figures
from experiments.report.figures import pictures
from experiments.report.figures.curves import convergence, precision
from experiments.report.figures.estimators import all_modes, cost, step_size
from experiments.report.figures.outcomes import outcomes, pairs
from experiments.report.figures.tail import gradient_error, mechanism, tail
from experiments.report.figures.tutorial import tutorial
from experiments.wording import decades
from tests.loaded import loaded, made_up
from tests.report.legible import texts, unreadable

ALL = (convergence, tail, precision, outcomes, pairs, mechanism, gradient_error, step_size, all_modes, cost)
SEVEN = ["analytic", "numeric h=1e-4", "numeric h=1e-2", "forward h=1e-4", "hybrid h=1e-4",
         "complex_step h=1e-20", "spsa h=1e-4 n_samples=16"]  # fmt: skip
STEPS = ["analytic", *(f"{kind} h=1e-{k}" for kind in ("numeric", "forward") for k in range(1, 8)),
         "numeric h=0.5 decay=0.99"]  # fmt: skip
OWN = ["analytic", "my_mode strength=2", "<script>$_$", "a_very_long_name_of_a_mode amount=0.001 other=some"]
RATES, SIZES = [0.01, 0.03, 0.1, 0.3], [2, 4, 8, 16]
CASES = {
    "two modes, one cell": {"n_seeds": 25},
    "two modes, 16 cells": {"rates": RATES, "sizes": SIZES, "n_seeds": 12},
    "seven modes, one cell, 100 seeds": {"modes": SEVEN, "n_seeds": 100},
    "seven modes, 16 cells": {"modes": SEVEN, "rates": RATES, "sizes": SIZES, "n_seeds": 4},
    "three seeds": {},
    "learning rates only": {"rates": RATES, "n_seeds": 7},
    "nothing converges": {"modes": SEVEN[:3], "rates": RATES[:2], "n_seeds": 7, "ends": "none"},
    "all diverge": {"rates": RATES[:2], "n_seeds": 5, "ends": "lost"},
    "one pair": {"n_seeds": 1},
    "one epoch": {"n_epochs": 1},
    "names of the user's own": {"modes": OWN, "n_seeds": 7},
    "many cells and modes": {"modes": STEPS[:10], "rates": [0.01 * k for k in range(1, 9)], "n_epochs": 40},
    "the tutorial": {"modes": list(ARMS), "n_seeds": 12, "n_epochs": 60},
    "steps": {"modes": STEPS, "n_seeds": 9},
}


@cache
def case(name: str) -> Analysis:
    runs, error = made_up(**CASES[name])
    return analyse(loaded(runs, error, 0.8 * error if name == "the tutorial" else None))


def written(sheet) -> list[str]:
    return [text for text, _ in texts(sheet.figure)]


def curves(panel) -> list:
    """Lines that are no guides."""
    return [line for line in panel.lines if len(line.get_xdata()) > 2]


# ---------------------------------------------------------------------------------------- whatever the sweep


@pytest.mark.parametrize("name", CASES)
def test_every_picture_can_be_read(name):
    sheets = [sheet for draw in (*ALL, tutorial) if (sheet := draw(case(name))) is not None]
    assert len(sheets) >= 3
    for sheet in sheets:
        assert not unreadable(sheet.figure), sheet.name
        assert len(sheet.alt) > 20
        assert "nan" not in " ".join(written(sheet)).lower().split()


@pytest.mark.parametrize("name", ["seven modes, one cell, 100 seeds", "the tutorial"])
def test_all_pictures_are_drawn_small_in_the_order_of_the_report(name):
    drawn = pictures(case(name), n_workers=1)
    names = [picture.name for picture in drawn]
    order = ["tutorial", "forest", "convergence", "tail", "precision", "outcomes", "pairs", "mechanism",
             "gradient_error", "step_size", "all_modes", "cost"]  # fmt: skip
    assert names == [name for name in order if name in names]
    assert {"forest", "convergence", "tail", "precision", "outcomes", "pairs"} <= set(names)
    assert all(len(picture.svg) < 500_000 for picture in drawn)


def test_a_picture_needs_what_it_shows():
    for draw in (tutorial, mechanism, gradient_error, step_size, all_modes):
        assert draw(case("two modes, one cell")) is None
    assert tutorial(case("the tutorial")) is not None
    for draw in (gradient_error, step_size):
        assert draw(case("steps")) is not None
    for draw in (mechanism, all_modes):
        assert draw(case("seven modes, one cell, 100 seeds")) is not None
    assert cost(case("nothing converges")) is None
    assert precision(case("all diverge")) is None


def test_pictures_compute_no_statistic():
    """No medians, quantiles or fits: a number that is drawn is one of the analysis."""
    for source in Path(figures.__file__).parent.glob("*.py"):
        used = re.findall(r"\.(median|mean|quantile|percentile|polyfit|std|average)\(", source.read_text())
        assert not used, source.name
        assert "analysis.statistics" not in source.read_text()


def test_where_no_run_converges_nothing_is_called_converging():
    for draw in (convergence, tail, precision):
        assert not any("converg" in text for text in written(draw(case("nothing converges"))))


@pytest.mark.parametrize("draw", [convergence, tail, pairs, cost])
def test_there_is_a_line_at_the_error_of_converged_runs_if_it_is_one(draw):
    runs, error = made_up(rates=[0.03, 0.1], n_seeds=9)
    for shares, lines in (([0.004, 0.004], {0.002}), ([0.002, 0.004], set())):
        share = np.where(runs["learning_rate"] == 0.1, *shares)
        panel = draw(analyse(loaded(runs.assign(converged_below=share, zero_error=0.5), error))).panels[0]
        levels = [line.get_ydata() for line in panel.lines if line.get_linestyle() == ":"]
        assert {y[0] for y in levels if y[0] == y[-1]} == lines


def test_continued_arms_are_drawn_by_the_tutorial_alone():
    analysed = case("the tutorial")
    assert any("continued" in text for text in written(tutorial(analysed)))
    for draw in ALL:
        sheet = draw(analysed)
        assert sheet is None or not any("continued" in text for text in written(sheet))


# ---------------------------------------------------------------------------------------- of each picture


def test_outcomes_are_bars_of_their_shares_with_the_flips_beside():
    analysed = case("two modes, 16 cells")
    sheet = outcomes(analysed)
    panels = analysed.cells.panels
    flips = panels[panels["mode"] == "numeric h=1e-4"]["n_other"]
    assert flips.sum() > 0
    notes = [text for text in written(sheet) if re.fullmatch(r"\d+ of 12", text)]
    assert notes == [f"{n} of 12" for n in flips]
    for panel, (_, cell) in zip(sheet.panels, panels.groupby(["hidden_size", "learning_rate"]), strict=True):
        widths = {}
        for bar in panel.patches:
            widths.setdefault(to_hex(bar.get_facecolor()), []).append(bar.get_width())
        assert widths["#c9e5cb"] == (cell["converged"] / 12).tolist()
        assert np.sum([*widths.values()], axis=0) == pytest.approx([1, 1])


def test_precision_has_a_panel_for_each_error_and_draws_the_shares_that_came_within():
    analysed = case("seven modes, one cell, 100 seeds")
    reached = analysed.curves.reached
    sheet = precision(analysed)
    *panels, profile = sheet.panels
    assert len(panels) == len(reached.by_epoch) == 3
    for panel, shares in zip(panels, reached.by_epoch.values(), strict=True):
        for line, share in zip(panel.lines, shares.values(), strict=True):
            epochs, drawn = line.get_data()
            assert drawn.tolist() == share[epochs].tolist()
            assert (epochs[0], epochs[-1]) == (0, 320)
    for line, share in zip(profile.lines, reached.profile.values(), strict=True):
        assert line.get_ydata().tolist() == share.tolist()


def test_precision_tells_how_many_epochs_later_the_median_pair_gets_there():
    runs, error = made_up(n_seeds=9, ends="converged")
    numeric = (runs["mode"] == "numeric h=1e-4").to_numpy()
    error[:, numeric] = np.maximum(error[:, ~numeric], 1e-7)
    error[7:, numeric] = error[4:-3, numeric]  # three epochs later
    for practical, note in (((1e-3, 1e-6), "numeric, +3 epochs"), ((1e-3, 1e-9), "numeric, undetermined")):
        analysed = analyse(loaded(runs, error), practical=practical)
        assert note in written(precision(analysed))
    assert "numeric, same epoch" in written(precision(case("two modes, one cell")))


def test_convergence_draws_the_medians_of_each_cell_and_says_of_how_many_pairs():
    analysed = case("two modes, 16 cells")
    sheet = convergence(analysed)
    cells = [(rate, size) for size in SIZES for rate in RATES]
    for panel, (rate, size) in zip(sheet.panels, cells, strict=True):
        for line, mode in zip(curves(panel), analysed.shown, strict=True):
            curve = analysed.curves.medians[rate, size, mode]
            assert np.array_equal(line.get_xydata().T, [curve.epochs, curve.middle], equal_nan=True)
        assert len(panel.collections) == 2 * (curve.n_runs >= FEWEST)  # middle halves
    panels = analysed.cells.panels
    n_both = panels[panels["mode"] == "numeric h=1e-4"]["n_both"]
    notes = [text for text in written(sheet) if "of 12 pairs" in text]
    assert notes == [f"{n} of 12 pairs converge" for n in n_both]


def test_a_median_of_fewer_than_six_runs_is_thin_and_says_so():
    runs, error = made_up(SEVEN[:3], n_seeds=12, ends="converged")
    error[:, np.flatnonzero(runs["mode"] == "numeric h=1e-2")[2:]] = 0.3
    analysed = analyse(loaded(runs, error))
    for draw in (convergence, tail):
        sheet = draw(analysed)
        assert [line.get_linewidth() for line in curves(sheet.panels[0])] == [1.8, 0.8, 1.8]
        assert "numeric h=0.01 (2 runs)" in written(sheet)
    rates = analyse(loaded(*made_up(rates=RATES, n_seeds=5)))
    assert f"thin: median of fewer than {FEWEST} runs" in written(convergence(rates))


def test_the_tail_shows_medians_on_both_axes_and_the_end_of_each_run():
    analysed = case("two modes, one cell")
    found = analysed.curves.tail
    linear, log, ends = tail(analysed).panels
    for panel, medians in ((linear, found.early), (log, found.late)):
        for line, curve in zip(curves(panel), medians.values(), strict=False):
            assert line.get_xydata().T.tolist() == [curve.epochs.tolist(), curve.middle.tolist()]
    rings = [line for line in ends.lines if line.get_marker() in ("o", "s")]
    bars = [line.get_xdata()[0] for line in ends.lines if line.get_linewidth() == 3]
    for mode, ring, bar in zip(analysed.shown, rings, bars, strict=True):
        assert ring.get_xdata().tolist() == (10.0 ** analysed.final[analysed.rows(mode)]).tolist()
        ending = analysed.cells.ends.set_index("mode").loc[mode]
        assert bar == ending["median_final_error"]


def test_the_slope_of_the_tail_is_that_of_the_slowest_power_law_and_lies_above_it():
    analysed = analyse(loaded(*made_up(n_seeds=12, n_epochs=600, ends="converged")))
    mode, power = analysed.curves.tail.slowest
    panel = tail(analysed).panels[1]
    (guide,) = [line for line in curves(panel) if line.get_color() == "black"]
    epochs, error = guide.get_data()
    assert np.diff(np.log(error)) / np.diff(np.log(epochs)) == pytest.approx(power)
    curve = analysed.curves.tail.late[mode]
    below = np.interp(epochs, curve.epochs, curve.middle)
    assert (error / below).min() == pytest.approx(10)
    assert any(text.startswith("slope −") for text in written(tail(analysed)))


def test_pairs_marks_every_flip_and_tells_the_median_of_decades_apart():
    analysed = case("two modes, 16 cells")
    sheet = pairs(analysed)
    a, b = analysed.matched("numeric h=1e-4")
    hit_a, hit_b = analysed.converged[a], analysed.converged[b]
    triangles = [line for line in sheet.panels[0].lines if line.get_marker() in ("^", "v")]
    flips = [line for line in triangles if line.get_markerfacecolor() != "none"]
    assert [len(line.get_xdata()) for line in flips] == [(hit_b & ~hit_a).sum(), (hit_a & ~hit_b).sum()]
    assert min(len(line.get_xdata()) for line in flips) > 0
    for who, only in (("analytic", hit_b & ~hit_a), ("numeric", hit_a & ~hit_b)):
        assert f"only {who}: {only.sum()} of {len(a)}" in " ".join(written(sheet))
    levels = analysed.cells.levels.dropna(subset="level").to_dict("records")
    bars = [line for line in sheet.panels[1].lines if line.get_linewidth() == 3]
    assert [bar.get_xdata()[0] for bar in bars] == [level["value"] for level in levels]
    for level in levels:
        interval = f"[{decades(level['low'])}, {decades(level['high'])}]"
        assert f"{decades(level['value'])} {interval}, {level['n_pairs']} pairs" in written(sheet)


def test_pairs_of_which_none_converges_have_no_decades_between_them():
    sheet = pairs(case("nothing converges"))
    assert len(sheet.panels) == 2
    assert not any("decades" in text for text in written(sheet))


def test_the_tutorial_draws_the_printed_tables_and_what_start_and_gradient_are_worth():
    analysed = case("the tutorial")
    claim = analysed.tutorial
    printed, run, seeds = tutorial(analysed).panels
    for line, table in zip(printed.lines, ("numeric", "analytic"), strict=True):
        assert line.get_xdata().tolist() == list(EPOCHS)
        assert line.get_ydata().tolist() == list(PRINTED[table])
    drawn = [line.get_ydata()[-6:].tolist() for line in run.lines[:4]]
    assert drawn == [claim.table[arm].tolist() for arm in reversed(ARMS.values())]
    assert max(line.get_xdata().max() for line in run.lines[:4]) == 120
    medians = {row["question"]: row["value"] for row in claim.estimates}
    gaps = ("as_run", "start_numeric", "gradient_fresh")
    bars = [line.get_xdata()[0] for line in seeds.lines if line.get_linewidth() == 3]
    assert bars == [medians[f"tutorial_{gap}"] for gap in gaps]
    for gap in gaps:
        assert decades(medians[f"tutorial_{gap}"]) in written(tutorial(analysed))


def test_a_step_without_a_run_in_the_cell_is_not_drawn():
    runs, error = made_up(STEPS, rates=[0.1, 0.3], n_seeds=9)
    absent = runs["mode"].isin(["numeric h=1e-7", "forward h=1e-7", STEPS[-1]])
    kept = ~(absent & (runs["learning_rate"] == 0.1)).to_numpy()
    sheet = step_size(analyse(loaded(runs[kept], error[:, kept])))
    assert sheet.panels[0].get_xlim() == pytest.approx((1e-6 / 2, 1e-1 * 2))
    assert not any("annealed" in text for text in written(sheet))


def test_steps_are_drawn_by_kind_and_hollow_where_no_more_than_half_converge():
    runs, error = made_up(STEPS, n_seeds=9, ends="converged")
    for k in range(1, 8):
        error[-1, (runs["mode"] == f"numeric h=1e-{k}").to_numpy()] = 10.0 ** (-2 * k - 2)
    assert not any("hollow" in text for text in written(step_size(analyse(loaded(runs, error)))))
    widest = np.flatnonzero(runs["mode"] == "numeric h=1e-1")
    error[:, widest[:5]] = 0.3  # of 9
    analysed = analyse(loaded(runs, error))
    sheet = step_size(analysed)
    assert any("hollow" in text for text in written(sheet))
    assert "numeric ∝ h²·⁰⁰" in written(sheet)
    deep = sheet.panels[1]
    numeric = analysed.cells.steps[analysed.cells.steps["kind"] == "numeric"]
    assert deep.lines[0].get_xdata().tolist() == numeric["h"].tolist()
    assert deep.lines[0].get_ydata().tolist() == numeric["median_final_error"].tolist()
    hollow = [line.get_xdata().tolist() for line in deep.lines if line.get_markerfacecolor() == "white"]
    assert hollow[0] == [0.1]


def test_all_modes_has_a_row_of_how_often_and_how_deep_for_each_mode_and_rate():
    runs, error = made_up(SEVEN, rates=[0.03, 0.1], n_seeds=12)
    analysed = analyse(loaded(runs, error))
    sheet = all_modes(analysed)
    often, deep = sheet.panels
    ends = analysed.cells.ends
    assert [line.get_xdata()[0] for line in often.lines] == ends["share"].tolist()
    intervals = [bar.get_segments()[0][:, 0].tolist() for bar in often.collections]
    assert intervals == ends[["low", "high"]].to_numpy().tolist()
    bars = [line.get_xdata()[0] for line in deep.lines if line.get_linewidth() == 3]
    assert bars == ends["median_final_error"].tolist()
    assert "numeric h=10⁻⁴, 0.03" in written(sheet)
    assert f"{len('numeric h=1e-4')} evaluations" in written(sheet)


def test_cost_draws_errors_against_evaluations_and_seconds_beside():
    runs, error = made_up(SEVEN, sizes=SIZES, n_seeds=12)
    analysed = analyse(loaded(runs, error))
    sheet = cost(analysed)
    assert not unreadable(sheet.figure)
    errors, seconds = sheet.panels
    for line, work in zip(curves(errors), analysed.curves.work, strict=True):
        assert line.get_xydata().T.tolist() == [work.curve.epochs.tolist(), work.curve.middle.tolist()]
    times = analysed.cells.seconds
    for line, mode in zip(seconds.lines, analysed.shown, strict=True):
        assert line.get_xdata().tolist() == times[times["mode"] == mode]["n_params"].tolist()
        assert line.get_ydata().tolist() == times[times["mode"] == mode]["microseconds"].tolist()


def test_cost_shows_seconds_of_three_sizes_or_more_of_the_runs_that_have_them():
    runs, error = made_up(sizes=SIZES, n_seeds=12)
    copied = np.where((runs["mode"] == "analytic") & (runs["hidden_size"] > 2), "another", "")
    analytic, numeric = cost(analyse(loaded(runs.assign(taken_over=copied), error))).panels[1].lines
    assert (len(analytic.get_xdata()), len(numeric.get_xdata())) == (1, 4)
    assert len(cost(analyse(loaded(runs.assign(taken_over="another"), error))).panels) == 1
    two = (runs["hidden_size"] < 8).to_numpy()
    assert len(cost(analyse(loaded(runs[two], error[:, two]))).panels) == 1
    assert cost(analyse(loaded(runs.assign(problem="someones_own"), error))) is None


def test_the_unit_beside_a_kink_and_its_error_are_drawn_beside_their_powers_of_t():
    analysed = case("seven modes, one cell, 100 seeds")
    _, path, fall = mechanism(analysed).panels
    creep = analysed.creep
    for line, mode in zip(path.lines, ("analytic", "numeric"), strict=False):
        assert line.get_ydata().tolist() == creep.ratio[mode][-len(line.get_ydata()) :].tolist()
    distance, slow, error, fast = fall.lines
    assert error.get_ydata()[-1] == creep.error["numeric"][-1] / creep.h**2
    assert distance.get_ydata()[-1] == 1 + creep.ratio["numeric"][-1]
    for guide, power in ((slow, -1), (fast, -4)):
        epochs, values = guide.get_data()
        assert np.diff(np.log(values)) / np.diff(np.log(epochs)) == pytest.approx(power)


def test_gradient_errors_are_those_of_the_analysis():
    analysed = case("steps")
    sheet = gradient_error(analysed)
    for panel, place in zip(sheet.panels, ("smooth", "relu", "kink"), strict=True):
        drawn = [line.get_ydata().tolist() for line in panel.lines if line.get_color() != "#444444"]
        expected = []
        for (where, distance, mode), error in analysed.gradient_errors.items():
            if where == place and (not distance or mode == "numeric"):
                expected.append(np.maximum(error, 1e-17).tolist())
        assert drawn == expected


def test_of_many_values_few_are_drawn():
    analysed = case("many cells and modes")
    assert len(convergence(analysed).panels) == 6
    assert analysed.cells.grid[0] == few(analysed.values("learning_rate"), 6)
