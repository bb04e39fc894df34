"""Reports on sweeps that no experiment plans: what is said of them is true, and nothing crashes."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from experiments.analysis import AnalysisError, analyse
from experiments.report.figures.curves import main_cell
from experiments.report.figures.forest import forest
from experiments.report.figures.panel import names_of_ticks
from experiments.report.page import render, render_lines
from tests.loaded import loaded, made_up


def page(runs: pd.DataFrame, error: np.ndarray, **more) -> str:
    """The text of a report without pictures."""
    analysed = analyse(loaded(runs, error, **more))
    assert render_lines(analysed)
    return render(analysed, [], [], "sqlite:///mlflow.db")


def text_of(html: str) -> str:
    return " ".join(re.sub("<[^>]+>", " ", html.split("</style>")[-1]).split())


def later(error: np.ndarray, n_epochs: int) -> np.ndarray:
    """Curves that fall so many epochs later."""
    return np.concatenate([np.repeat(error[:1], n_epochs, axis=0), error[: len(error) - n_epochs]])


def test_a_mode_that_is_lost_where_the_reference_is_not_has_no_late_error():
    runs, error = made_up(n_seeds=8, ends="none")
    error[20:, runs["mode"] != "analytic"] = np.nan
    text = text_of(page(runs, error))
    assert "Do both end at the same error?" not in text
    assert "inf" not in text.replace("information", "")


def test_late_errors_lie_above_or_below():
    runs, error = made_up(n_seeds=8, ends="none")
    error[:, runs["mode"] != "analytic"] *= 0.75
    assert "the late error of numeric is 25 % below that of analytic" in text_of(page(runs, error))


def test_a_tutorial_whose_runs_are_all_lost_has_a_page():
    arms = ("analytic", "numeric h=1e-4", "analytic continued", "numeric h=1e-4 continued")
    runs, error = made_up(arms, n_seeds=8, n_epochs=60, ends="lost")
    assert "∞" in text_of(page(runs, error, online_error=error))


def test_an_interval_that_adjusting_widens_beyond_the_margin_is_not_blamed_on_cells():
    runs, error = made_up(("analytic", "forward"), n_seeds=9, ends="converged")
    error[:, -1] = later(error[:, -1], 3)
    text = text_of(page(runs, error))
    assert "(95 % interval 0 to 0; 9 pairs)" in text
    assert "cells" not in text.split("Are both equally fast to 10⁻³?")[1].split("Do both end")[0]
    assert "but not once it is adjusted for all that is judged with it" in text


def test_a_cell_that_alone_is_slower_makes_no_difference_of_zero_epochs():
    runs, error = made_up(("analytic", "forward"), rates=(0.1, 0.2, 0.3), n_seeds=12, ends="converged")
    is_slow = ((runs["mode"] == "forward") & (runs["learning_rate"] == 0.3)).to_numpy()
    error[:, is_slow] = later(error[:, is_slow], 5)
    text = text_of(page(runs, error))
    assert "takes 0 epochs" not in text
    assert "but not equally fast to 10⁻³" in text


def test_every_mode_has_a_cell_for_every_question_in_the_table_of_modes():
    runs, error = made_up(
        ("analytic", "numeric h=1e-4", "spsa"), rates=(0.1, 0.3), n_seeds=8, ends="converged"
    )
    error[:, runs["learning_rate"] == 0.3] = 0.3
    is_kept = ((runs["mode"] != "spsa") | (runs["learning_rate"] == 0.3)).to_numpy()
    html = page(runs[is_kept], error[:, is_kept])
    matrix = html.split('<table class="matrix">')[1].split("</table>")[0]
    n_columns = matrix.split("</thead>")[0].count("<th ")
    for row in matrix.split("<tr>")[2:]:
        assert row.count("<td") == n_columns
    assert "late error" in matrix


def test_a_cell_that_failed_leaves_the_cost_of_a_step_known():
    runs, error = made_up(rates=(0.1, 0.3), n_seeds=8)
    is_failed = (runs["mode"] != "analytic") & (runs["learning_rate"] == 0.1)
    runs = runs.assign(status=np.where(is_failed, "FAILED", "FINISHED"))
    runs["evaluations"] = runs["evaluations"].mask(is_failed)
    assert (
        "–" not in text_of(page(runs, error)).split("Runs by mode and outcome")[1].split("All estimates")[0]
    )


def test_a_margin_of_several_points_is_in_the_plural():
    analysed = analyse(loaded(*made_up()))
    for share, words in ((0.01, "1 point of share"), (0.05, "5 points of share")):
        margins = analysed.margins._replace(share=share)
        changed = analyse(analysed.loaded, margins=margins)
        assert words in text_of(render(changed, [], [], "sqlite:///mlflow.db"))


@pytest.mark.parametrize("steps", [("0.00012345", "0.00012346"), ("1024", "1025")])
def test_modes_that_differ_in_a_late_digit_have_names_of_their_own(steps):
    modes = ["analytic", *(f"numeric h={step}" for step in steps)]
    names = analyse(loaded(*made_up(modes, n_seeds=6))).names
    assert len(set(names.values())) == 3


def test_a_picture_of_one_rate_and_size_says_what_it_takes_together():
    runs, error = made_up(n_seeds=8)
    same = runs["seed"].astype(str)
    runs = pd.concat([
        runs.assign(activation=name, pair=name + same, start_weights=name + same) for name in ("relu", "tanh")
    ])  # fmt: skip
    analysed = analyse(loaded(runs, np.concatenate([error, error], axis=1)))
    picture = {"name": "tail", "alt": "", "data": "", "width": 900}
    text = text_of(render(analysed, [picture], [], "sqlite:///mlflow.db"))
    assert main_cell(analysed) == "Learning rate 0.1, 4 hidden units, every activation"
    assert main_cell(analysed) in text


@pytest.mark.parametrize(("margin", "names"), [
    (1.0, ["0", "1", "10", "100", "1000", "−1", "−10"]),
    (0.0015, ["0", "1.5·10⁻³", "1.5·10⁻²", "−1.5·10⁻³"]),
    (1e4, ["0", "10⁴", "10⁵"]),
])  # fmt: skip
def test_the_ticks_of_one_axis_are_written_alike(margin, names):
    sizes = [margin * 10.0**k for k in range(sum(not name.startswith("−") for name in names) - 1)]
    below = [-margin * 10.0**k for k in range(len(names) - len(sizes) - 1)]
    ticks = [0.0, *sizes, *below]
    assert names_of_ticks(ticks, ticks) == names


def test_learning_rates_that_differ_in_a_late_digit_have_rows_of_their_own():
    rates = (0.1, 0.1001, 0.10012)
    panel = forest(analyse(loaded(*made_up(rates=rates, n_seeds=6)))).panels[0]
    names = [label.get_text() for label in panel.get_yticklabels()]
    assert names == ["learning rate", "0.1", "0.1001", "0.10012", "all cells"]


@pytest.mark.parametrize("lost", ["", "  ", None])
def test_a_run_whose_mode_somebody_deleted_is_left_out_and_a_line_says_so(lost):
    runs, error = made_up(n_seeds=8)
    sweep = loaded(runs, error)
    sweep.runs["tags.mode"] = sweep.runs["tags.mode"].where(sweep.runs.index != 3, lost)
    analysed = analyse(sweep)
    rest = runs.index != 3
    assert list(analysed.runs["run_id"]) == list(sweep.runs["run_id"][rest])
    np.testing.assert_array_equal(analysed.error, error[:, rest])
    clause = "1 run, deleted or without the tags that say what a run is"
    assert f"No longer in this sweep: {clause}" in text_of(render(analysed, [], [], "sqlite:///mlflow.db"))
    assert f"no longer in the sweep: {clause}" in render_lines(analysed)


def test_a_sweep_whose_modes_are_all_deleted_says_what_trains_it_anew():
    sweep = loaded(*made_up())
    with pytest.raises(AnalysisError, match="its 6 runs have lost the tag mode; train them anew with"):
        analyse(replace(sweep, runs=sweep.runs.drop(columns="tags.mode")))


@pytest.mark.parametrize(
    "name", ["status", "name", "mode", "outcome", "final_error", "epochs_to_1e-3", "law"]
)
def test_a_param_of_somebody_else_is_not_taken_for_a_column_of_ours(name):
    runs, error = made_up()
    sweep = loaded(runs, error)
    odd = replace(sweep, runs=sweep.runs.assign(**{f"params.{name}": ["theirs"] + [None] * 5}))
    assert analyse(odd).runs.equals(analyse(sweep).runs)
