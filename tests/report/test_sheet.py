"""Sheets can be read and are the same bytes whatever the settings; modes look different from each other."""

import io
from itertools import pairwise

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.image import imread
from matplotlib.text import Text
from scipy.optimize import isotonic_regression

from experiments.report.figures.panel import apart, span
from experiments.report.figures.sheet import DPI, Sheet, picture
from experiments.report.figures.styles import Style, luminance, style_of
from tests.report.legible import texts, unreadable

RING = Style("#000000", "", "o")
SEVEN = ["analytic", "numeric h=1e-4", "numeric h=1e-2", "forward h=1e-4", "hybrid h=1e-4",
         "complex_step h=1e-20", "spsa h=1e-4 n_samples=16"]  # fmt: skip
STEPS = ["analytic", *(f"{kind} h=1e-{k}" for kind in ("numeric", "forward") for k in range(1, 8)),
         "numeric h=0.5 decay=0.99"]  # fmt: skip


@picture("A falling curve; its end beside it.")
def curves(rate: float):
    if rate == 0:
        return None
    epochs = np.arange(300)
    error = np.exp(-rate * epochs)
    sheet = Sheet([[1, 1], [1]], [2, 1], [(style_of(mode), mode) for mode in SEVEN])
    falling, marked, strip = sheet.panels
    falling.epochs(299)
    falling.errors("y", [error], "mean error")
    falling.plot(epochs, error, **style_of("analytic").line)
    falling.beside([(error[-1], "analytic", "black"), (error[-1] * 1.1, "numeric", "red")])
    marked.errors("x", [error], "final error", lost=True)
    marked.marks(error, epochs, RING)
    strip.above("each run", ("at the end", "#666666"))
    return sheet


# ---------------------------------------------------------------------------------------- what is written


def test_a_sheet_of_everything_can_be_read():
    assert not unreadable(curves(0.1).figure)


def test_an_overlap_and_a_clipped_text_would_be_seen():
    figure = curves(0.1).figure
    figure.text(0.5, 0.2, "one")
    figure.text(0.501, 0.2, "two")
    figure.text(0.99, 0.2, "leaves the figure")
    assert unreadable(figure) == ["leaves the figure", ("two", "one")]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(-1, 2), min_size=1, max_size=14))
def test_labels_beside_a_panel_keep_their_order_and_their_distance(ends):
    sheet = Sheet([[1.0]], [3.0])
    sheet.panels[0].set(ylim=(0, 1))
    sheet.panels[0].beside([(y, f"{y:.3f}", "black") for y in ends])
    sheet.place()
    boxes = sorted((Text.get_window_extent(text) for text in sheet.panels[0].texts), key=lambda box: box.y0)
    assert min((b.y0 - a.y1 for a, b in pairwise(boxes)), default=0) > -0.01
    assert boxes[0].y0 > 0
    assert boxes[-1].y1 < sheet.figure.bbox.height
    at = {text.get_text(): Text.get_window_extent(text).y0 for text in sheet.panels[0].texts}
    heights = [at[f"{y:.3f}"] for y in sorted({round(np.clip(y, 0, 1), 3): y for y in ends}.values())]
    assert heights == sorted(heights)


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(0.1, 2)), min_size=1, max_size=20))
def test_labels_move_apart_by_least_squares(labels):
    labels.sort()
    wanted, sizes = np.transpose(labels)
    ahead = np.append(0, np.cumsum((sizes[1:] + sizes[:-1]) / 2))  # theirs: Pedregosa's isotonic regression
    theirs = isotonic_regression(wanted - ahead).x + ahead
    assert apart(wanted, sizes, -1e9, 1e9) == pytest.approx(theirs, abs=1e-9)


def test_labels_stay_within_the_panel_where_there_is_room():
    assert apart([5, 5, 5], [1] * 3, 0, 4) == pytest.approx([2, 3, 4])
    assert apart([5, 5, 5], [1] * 3, 0, 1) == pytest.approx([0, 1, 2])


@pytest.mark.parametrize("decades", range(-9, 7))
def test_the_label_of_infinity_stands_clear_of_the_last_error(decades):
    sheet = Sheet([[1.0]], [3.0])
    sheet.panels[0].errors("x", [[1e-32, 10.0**decades]], "error", lost=True)
    assert "∞" in dict(texts(sheet.figure))
    assert not unreadable(sheet.figure)


@pytest.mark.parametrize("low", [1e-32, 1e-8, 1e-4, 0.02, 1, 30])
@pytest.mark.parametrize("decades", [0.75, 1, 2, 3, 5, 12])
def test_ticks_of_a_logarithmic_axis_are_all_written_alike(low, decades):
    sheet = Sheet([[1.0]], [3.0])
    sheet.panels[0].logarithmic("y", limits=(low, low * 10**decades))
    ticks = [text for text, _ in texts(sheet.figure)][6:]  # behind those of x
    raised = [bool(set(tick) & set("⁻⁰¹²³⁴⁵⁶⁷⁸⁹")) for tick in ticks]
    assert len(ticks) > 1
    assert len(set(ticks)) == len(ticks)
    assert len(set(raised)) == 1


def test_a_title_stands_above_the_key_and_the_panels():
    key = [(style_of(mode), mode) for mode in SEVEN]
    title = "Numeric slows to a power law, and analytic goes on falling exponentially down to rounding. " * 2
    heights = {}
    for given_title in (title, None):
        sheet = Sheet([[1]], [2], key, title=given_title)
        sheet.panels[0].above("each run")
        sheet.place()
        assert not unreadable(sheet.figure)
        heights[given_title] = sheet.figure.get_figheight()
        if given_title:
            (first, box), *others = texts(sheet.figure)
    assert " ".join(first.split()) == title.strip()
    assert box.y0 > max(other.y1 for _, other in others)
    assert heights[title] > heights[None] + 0.3


# ---------------------------------------------------------------------------------------- panels


def test_panels_have_their_heights_and_columns_stand_in_line():
    sheet = Sheet([[1, 2], [1, 2], [1]], [1.5, 2.0, 0.5], width=9)
    sheet.panels[0].set_ylabel("a label of\ntwo lines")
    sheet.panels[3].beside([(0.5, "a long label at the right", "black")])
    sheet.place()
    boxes = [panel.bbox for panel in sheet.panels]
    assert [box.height / DPI for box in boxes] == pytest.approx([1.5, 1.5, 2, 2, 0.5])
    for above, below in ((0, 2), (1, 3)):
        assert boxes[above].intervalx == pytest.approx(boxes[below].intervalx)
    assert boxes[1].width == pytest.approx(2 * boxes[0].width)
    assert sheet.figure.get_figwidth() == pytest.approx(9)


def test_an_infinite_error_is_marked_at_the_end_of_its_axis_and_very_many_marks_are_pixels():
    panel = Sheet([[1.0]], [3.0]).panels[0]
    panel.marks(np.array([0.1, np.inf]), np.array([0.2, 0.5]), RING)
    panel.marks(*np.random.default_rng(0).random((2, 2000)), RING)
    assert np.column_stack(panel.lines[0].get_data()).tolist() == [[0.1, 0.2], [1.0, 0.5]]
    assert [line.get_rasterized() for line in panel.lines] == [False, True]


@pytest.mark.parametrize("unit", [1e-200, 1.0, 1e9])
def test_limits_of_errors_follow_the_unit_of_the_problem(unit):
    errors = np.array([1e-7, 0.3, 50, 1e7, np.inf, np.nan, 0])  # what diverged leaves the picture
    low, high = span(errors * unit, converged=1e-3 * unit)
    assert (low / unit, high / unit) == pytest.approx(span(errors))
    assert low < 1e-7 * unit < 50 * unit < high < 1e3 * unit


def test_an_axis_of_errors_has_a_line_at_that_of_converged_runs_if_it_is_one():
    for converged, n_lines in ((0.2, 1), (None, 0)):
        panel = Sheet([[1.0]], [3.0]).panels[0]
        panel.errors("y", [[1e-9, 1]], converged=converged)
        assert [line.get_ydata()[0] for line in panel.lines] == [0.2] * n_lines


# ---------------------------------------------------------------------------------------- bytes


def test_a_picture_is_opaque_small_and_says_what_is_drawn():
    shown = curves(0.1).rendered()
    assert shown.name == "curves"
    assert shown.alt == "A falling curve; its end beside it."
    assert shown.width == 960
    assert len(shown.svg) < 100_000
    image = imread(io.BytesIO(shown.png))
    assert image.shape[1] == 10 * DPI
    assert (image[[0, 0, -1, -1], [0, -1, 0, -1]] == 1).all()  # white, for dark pages
    assert image[..., :3].std() > 0.01


def test_the_bytes_do_not_depend_on_the_settings_of_matplotlib(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "pdf")
    first = curves(0.1).rendered()
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "black", "svg.hashsalt": "other"}):
        before = dict(matplotlib.rcParams)
        second = curves(0.1).rendered()
        assert dict(matplotlib.rcParams) == before
    assert first == second


# ---------------------------------------------------------------------------------------- looks of modes


def test_a_mode_looks_the_same_whatever_other_modes_there_are():
    known = [
        *SEVEN,
        *STEPS,
        "analytic nudged",
        "analytic continued",
        "analytic float32",
        "forward_gradient n_samples=1",
    ]
    for mode in known:
        assert (
            style_of(mode) == style_of(mode, known) == style_of(mode, known[::-1]) == style_of(mode, [mode])
        )
    looks = {(style.color, str(style.dash)) for style in map(style_of, known)}
    assert len(looks) == len(set(known))


def test_modes_of_the_users_own_look_different_from_each_other_and_from_ours():
    modes = [*SEVEN, *(f"mine{k}" for k in range(4))]
    assert len({style_of(mode, modes) for mode in modes}) == len(modes)


def test_a_wider_step_is_a_lighter_shade_of_the_same_dash():
    styles = [style_of(f"numeric h=1e-{k}") for k in (2, 4, 6)]
    assert len({(style.dash, style.marker) for style in styles}) == 1
    light = [luminance(style.color) for style in styles]
    assert light == sorted(light, reverse=True)


@pytest.mark.parametrize("family", ["numeric", "forward", "hybrid"])
def test_seven_steps_of_one_mode_are_told_apart(family):
    steps = ("0.5", "0.1", "1e-2", "1e-3", "1e-4", "1e-6", "1e-8")
    colors = [style_of(f"{family} h={h}").color for h in steps]
    rgb = np.array([[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in colors]) / 255
    assert np.linalg.norm(np.diff(rgb, axis=0), axis=1).min() > 0.05
    assert np.linalg.norm(rgb[0] - rgb[-1]) > 0.6


@pytest.mark.parametrize("mode", [*SEVEN, *STEPS, "mine", "analytic nudged"])
def test_text_in_the_colour_of_a_mode_has_contrast(mode):
    assert 1.05 / (luminance(style_of(mode).ink) + 0.05) >= 4.5
