"""The forest: where an interval lies against the margin is the verdict, and nothing is left out unsaid."""

import numpy as np
import pytest

from experiments.analysis import MARGINS, PRACTICAL, analyse
from experiments.analysis.statistics import verdict
from experiments.report.figures.forest import LOOKS, MOST_ROWS, forest
from tests.loaded import loaded, made_up
from tests.report.legible import unreadable
from tests.report.test_figures import CASES, SEVEN, case, written

FACTORS = {"points\nmore often": 100, "% of\npairs": 100, "%\nhigher": 100}
MARKERS = {look.marker: name for name, look in LOOKS.items()}
THICK, THIN = 2.8, 1.0


def points(panel) -> dict[int, tuple[str, float]]:
    """Row -> the verdict that its marker tells, and where it stands."""
    marks = {}
    for line in panel.lines:
        if line.get_marker() in MARKERS:
            marks[int(line.get_ydata()[0])] = (MARKERS[line.get_marker()], line.get_xdata()[0])
    return marks


def bars(panel, width) -> dict[int, np.ndarray]:
    """Row -> the ends of its thick or thin line."""
    lines = [line for line in panel.lines if line.get_linewidth() == width and line.get_linestyle() == "-"]
    return {
        int(line.get_ydata()[0]): np.array(line.get_xdata()) for line in lines if len(line.get_xdata()) == 2
    }


def band(panel) -> tuple[float, float]:
    (patch,) = panel.patches
    return patch.get_x(), patch.get_x() + patch.get_width()


def factor(panel) -> float:
    return FACTORS.get(panel.get_xlabel(), 1)


def shown(sheet) -> list:
    return [panel for panel in sheet.panels if panel.axison]


@pytest.mark.parametrize("name", CASES)
def test_a_forest_can_be_read(name):
    sheet = forest(case(name))
    assert not unreadable(sheet.figure)
    assert "nan" not in " ".join(written(sheet)).lower().split()


@pytest.mark.parametrize("name", ["two modes, 16 cells", "seven modes, one cell, 100 seeds", "steps"])
def test_the_geometry_is_the_verdict(name):
    n_told = 0
    for panel in shown(forest(case(name))):
        _, margin = band(panel)
        marks = points(panel)
        for y, ends in bars(panel, THIN).items():
            if y in marks and y != max(marks):  # of the pool cells have a say
                n_told += marks[y][0] != "unresolved"
                assert verdict(tuple(ends), margin * (1 + 1e-12)) == marks[y][0]
    assert n_told > 0


@pytest.mark.parametrize("name", ["two modes, 16 cells", "learning rates only", "the tutorial"])
def test_points_and_intervals_are_those_of_the_estimates(name):
    analysed = case(name)
    (mode,) = analysed.pairings
    table = analysed.estimates[(analysed.estimates["mode"] == mode) & analysed.estimates["margin"].notna()]
    measured = table[table["n_pairs"] > 0]["question"]
    questions = [question for question in dict.fromkeys(table["question"]) if question in set(measured)]
    sheet = forest(analysed)
    assert len(shown(sheet)) == len(questions)
    for panel, question in zip(shown(sheet), questions, strict=True):
        rows = table[table["question"] == question].to_dict("records")
        if len(rows) == 2:  # one cell, which is all
            rows = rows[1:]
        marks = points(panel)
        thick = bars(panel, THICK)
        assert band(panel)[1] == pytest.approx(factor(panel) * rows[0]["margin"])
        assert band(panel)[1] < panel.get_xlim()[1]
        for y, row in enumerate(rows, len(rows) > 1):
            if row["verdict"] == "not measured":
                assert y not in marks
                continue
            state, value = marks[y]
            assert state == row["verdict"]
            assert value == pytest.approx(factor(panel) * row["value"], nan_ok=True)
            if row["n_seeds"] >= 6 and np.isfinite([row["low"], row["high"]]).any():
                interval = factor(panel) * np.array([row["low"], row["high"]])
                assert thick[y] == pytest.approx(np.clip(interval, *panel.get_xlim()))
            else:
                assert y not in thick


def test_cells_stand_in_order_above_all_of_them_together():
    sheet = forest(case("two modes, 16 cells"))
    rates, sizes = ("0.01", "0.03", "0.1", "0.3"), ("2", "4", "8", "16")
    names = [label.get_text() for label in sheet.panels[0].get_yticklabels()]
    assert names == [
        "learning rate, hidden size", *(f"{rate}, {size}" for rate in rates for size in sizes), "all cells",
    ]  # fmt: skip
    assert sheet.panels[0].get_yticklabels()[-1].get_fontweight() == "bold"
    rules = [line.get_ydata()[0] for line in sheet.panels[0].lines if line.get_linewidth() in (0.7, 0.9)]
    assert rules == [4.5, 8.5, 12.5, 16.5]  # between learning rates, and above the pool


def test_of_several_modes_each_has_a_row_that_tells_in_how_many_cells_it_differs():
    analysed = case("seven modes, 16 cells")
    sheet = forest(analysed)
    names = [label.get_text().replace("\n", " ") for label in sheet.panels[0].get_yticklabels()]
    assert len(names) == 6
    runs, error = made_up(SEVEN[:3], rates=[0.03, 0.1], n_seeds=12, ends="converged")
    same = (runs["mode"] == "numeric h=1e-2").to_numpy() & (runs["learning_rate"] == 0.03).to_numpy()
    error[:, same] = error[:, (runs["mode"] == "analytic") & (runs["learning_rate"] == 0.03)]
    sheet = forest(analyse(loaded(runs, error)))
    names = [label.get_text() for label in sheet.panels[0].get_yticklabels()]
    assert names == ["numeric h=0.01, ≠ in 1 of 2 cells", "numeric h=10⁻⁴, ≠ in 2 of 2 cells"]
    assert "Each mode compared with analytic" in written(sheet)


def test_a_mode_at_a_rate_of_its_own_is_marked():
    runs, error = made_up(SEVEN[:3], n_seeds=9)
    runs.loc[runs["mode"] == "numeric h=1e-2", "learning_rate"] = 0.01
    runs["start_weights"] = runs["seed"].astype(str)
    sheet = forest(analyse(loaded(runs, error)))
    names = [label.get_text() for label in sheet.panels[0].get_yticklabels()]
    assert names == ["numeric h=0.01 †", "numeric h=10⁻⁴"]
    assert "† at a learning rate of its own" in written(sheet)


def test_with_one_cell_there_is_a_row_for_all_pairs():
    sheet = forest(case("two modes, one cell"))
    assert [label.get_text() for label in sheet.panels[0].get_yticklabels()] == ["numeric"]
    assert "Numeric compared with analytic" in written(sheet)


def test_of_many_cells_those_are_drawn_that_differ_most_and_it_is_said():
    runs, error = made_up(rates=[0.01 * k for k in range(1, 31)], n_seeds=8, ends="converged")
    differ = runs["learning_rate"].isin([0.01 * k for k in (7, 11, 25)])
    alike = np.flatnonzero((runs["mode"] == "numeric h=1e-4") & ~differ)
    error[:, alike] = error[:, alike - 8]  # the partners, analytic
    analysed = analyse(loaded(runs, error))
    different = analysed.estimates[analysed.estimates["verdict"] == "different"]
    sheet = forest(analysed)
    names = [label.get_text() for label in sheet.panels[0].get_yticklabels()]
    assert len(names) == MOST_ROWS + 1  # and the head
    assert {f"{rate:g}" for rate in different["learning_rate"].dropna()} <= set(names)
    assert names[1:-1] == sorted(names[1:-1], key=float)
    assert "19 of 30 rows: those that differ most" in written(sheet)


def test_what_is_not_measured_is_a_dash_and_no_mark():
    runs, error = made_up(rates=[0.03, 0.1], n_seeds=9, ends="converged")
    error[:, (runs["learning_rate"] == 0.03).to_numpy()] = 0.3
    sheet = forest(analyse(loaded(runs, error)))
    depth = next(panel for panel in sheet.panels if panel.get_xlabel() == "decades\nhigher")
    assert [text.get_position()[1] for text in depth.texts if text.get_text() == "–"] == [1]
    assert set(points(depth)) == {2, 3}


def test_an_interval_without_an_end_goes_to_the_edge_and_an_undetermined_value_has_no_point():
    runs, error = made_up(n_seeds=12, ends="converged")
    error[:, (runs["mode"] == "numeric h=1e-4").to_numpy()] = np.maximum(error[:, :12], 1e-8)  # never to 1e-9
    analysed = analyse(loaded(runs, error))
    estimate = analysed.estimate("numeric h=1e-4", "epochs_to_1e-9")
    assert (np.isnan(estimate["value"]), estimate["high"], estimate["verdict"]) == (True, np.inf, "different")
    panel = forest(analysed).panels[4]
    edge = panel.get_xlim()[1]
    assert not np.isfinite([x for _, x in points(panel).values()]).any()
    assert bars(panel, THICK)[0] == pytest.approx([estimate["low"], edge])
    assert {line.get_marker() for line in panel.lines if line.get_xdata()[0] == edge} == {">"}


def test_three_seeds_are_dotted_and_unresolved():
    sheet = forest(case("three seeds"))
    for panel in shown(sheet):
        assert {state for state, _ in points(panel).values()} == {"unresolved"}
        assert not bars(panel, THICK)
        assert not bars(panel, THIN)
    assert "too few seeds to tell" in written(sheet)


def test_the_band_is_the_margin_that_is_asked_for_and_many_questions_take_two_lines():
    runs, error = made_up(n_seeds=9, ends="converged")
    margins = MARGINS._replace(share=0.05, decades=0.3, epochs=7.0)
    practical = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7)
    sheet = forest(analyse(loaded(runs, error), margins=margins, practical=practical))
    assert not unreadable(sheet.figure)
    assert [band(panel)[1] for panel in shown(sheet)] == pytest.approx([5, 5, *[7] * 7, 0.3, 5])
    assert len(sheet.rows) == 2
    assert len(practical) > len(PRACTICAL)


def test_where_nothing_converges_outcomes_and_late_errors_are_compared():
    sheet = forest(case("nothing converges"))
    assert [panel.get_xlabel() for panel in shown(sheet)] == ["% of\npairs", "%\nhigher"]
