"""Every question to two modes against its margin: the geometry is the rule of decision."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from experiments.analysis import FEWEST, POOL, Analysis, epochs_name, questions
from experiments.report.figures.panel import Panel, names_of_ticks
from experiments.report.figures.sheet import WIDTH, Sheet, picture
from experiments.report.figures.styles import GREY, Style
from experiments.wording import exact, number

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS = 20
MOST_PANELS = 8  # side by side
ROW, LONG_ROW = 0.2, 0.34  # inches
LONG = 36  # letters of a name, from which on it is broken
LETTER = 0.08  # inches, of a tick's name
BAND = "#e3e8ee"
FAINT, DOTS = "#b4b1aa", (0, (1, 2))
IN_PANELS = 0.75  # of the width of a sheet, about
BEYOND = 1.5  # axes end at so many times the largest number


class Look(NamedTuple):
    """Of a verdict: the colour that it has on the page, a marker and its face, the colour of an interval."""

    color: str
    marker: str
    face: str
    bar: str
    name: str


LOOKS = {
    "equivalent": Look("#0b5a94", "o", "#0b5a94", "#0b5a94", "≡ equivalent: inside the margin"),
    "different": Look("#a94400", "D", "#a94400", "#a94400", "≠ different: wholly outside"),
    "unresolved": Look("#5c5b57", "s", "white", "#93918b", "? unresolved"),
}


class Scale(NamedTuple):
    """How a question's panel is titled, and what an estimate of 1 is in the unit of its axis."""

    title: str
    unit: str
    factor: float = 1
    is_share: bool = False  # never negative


SCALES = {
    "outcome": Scale("another\noutcome", "% of\npairs", 100, is_share=True),
    "converged": Scale("converges", "points\nmore often", 100),
    "depth": Scale("final\nerror", "decades\nhigher"),
    "law": Scale("another\nlaw", "% of\npairs", 100, is_share=True),
    "late_error": Scale("late\nerror", "%\nhigher", 100),
}


class Row(NamedTuple):
    mode: str
    cell: str
    name: str
    group: object = None  # rows of one group stand together


@picture("Of every question and cell the difference, its interval and its verdict, against a shaded margin.")
def forest(analysed: Analysis) -> Sheet:
    scales = scales_of(analysed)
    every, pool, head = rows_of(analysed)
    rows = [*most_apart(analysed, every, list(scales), MOST_ROWS - len(pool)), *pool]
    columns = {name: [analysed.estimate(row.mode, name, row.cell) for row in rows] for name in scales}
    n_lines = -(-len(scales) // MOST_PANELS)
    n_panels = -(-len(scales) // n_lines)  # in a line
    width = WIDTH if n_panels > 3 else 0.7 * WIDTH
    height = (LONG_ROW if any(len(row.name) > LONG for row in rows) else ROW) * (len(rows) + bool(head))
    key = _key([estimate for column in columns.values() for estimate in column])
    key += [({"fc": "none"}, note) for note in _notes(analysed, rows, every)]
    title = _title(analysed, rows)
    sheet = Sheet([[1] * n_panels] * n_lines, [height] * n_lines, key, width, title=title)
    _fill(sheet)
    for panel in sheet.panels[len(scales) :]:
        panel.axis("off")
    for panel, (question, estimates) in zip(sheet.panels, columns.items(), strict=False):
        scale = scales[question]
        first = _names(panel, rows, head)
        panel.tick_params(axis="y", length=0, labelleft=any(panel is line[0] for line in sheet.rows))
        _axis(panel, scale, estimates)
        _ticks(panel, scale.factor * estimates[0]["margin"], IN_PANELS * width / n_panels)
        for y, estimate in enumerate(estimates, first):
            _interval(panel, y, estimate, scale.factor)
    return sheet


def _title(analysed: Analysis, rows: Sequence[Row]) -> str:
    modes = {row.mode for row in rows}
    subject = "each mode" if len(modes) > 1 else analysed.names[rows[0].mode]
    return f"{subject[0].upper()}{subject[1:]} compared with {analysed.names[analysed.reference]}"


def scales_of(analysed: Analysis) -> dict[str, Scale]:
    """Question -> its scale, of those that some pair can tell."""
    scales = dict(SCALES)
    for tau in analysed.practical:
        scales[epochs_name(tau)] = Scale(f"epochs to\n{number(tau)}", "epochs\nlater")
    measured = set(analysed.estimates["question"][analysed.estimates["n_pairs"] > 0])
    asked = [question.name for question in questions(analysed.practical)]
    return {name: scales[name] for name in asked if name in measured}


def rows_of(analysed: Analysis) -> tuple[list[Row], list[Row], str]:
    """Modes; or of a single one its cells, and all of them pooled. With what their names are."""
    modes = [mode for mode, pairing in analysed.pairings.items() if len(pairing.a)]
    if len(modes) > 1:
        return [_row_of_mode(analysed, mode) for mode in modes], [], ""
    (mode,) = modes
    cells = _cells(analysed, mode).drop_duplicates("cell")
    if len(cells) < 2:
        return [], [Row(mode, POOL, analysed.names[mode])], ""
    rows = []
    for cell in cells.to_dict("records"):
        values = [cell[key] for key in analysed.cell_keys]
        rows.append(Row(mode, cell["cell"], ", ".join(map(exact, values)), values[0]))
    head = ", ".join(key.replace("_", " ") for key in analysed.cell_keys)
    return rows, [Row(mode, POOL, "all cells")], head


def _cells(analysed: Analysis, mode: str) -> "pd.DataFrame":
    """A mode's estimates of cells."""
    estimates = analysed.estimates
    return estimates[(estimates["mode"] == mode) & (estimates["scope"] == "cell")]


def _row_of_mode(analysed: Analysis, mode: str) -> Row:
    name = analysed.names[mode]
    if mode in analysed.own_rate:
        name += " †"
    cells = _cells(analysed, mode)
    n_cells = cells["cell"].nunique()
    n_apart = cells["cell"][cells["verdict"] == "different"].nunique()
    if n_cells > 1 and n_apart:
        name += f", ≠ in {n_apart} of {n_cells} cells"
    return Row(mode, POOL, name)


def most_apart(analysed: Analysis, rows: Sequence[Row], asked: Sequence[str], most: int) -> list[Row]:
    """Those with most that differs, then farthest beyond a margin; in the order of rows."""

    def apart(row: Row) -> tuple[int, float]:
        estimates = [analysed.estimate(row.mode, question, row.cell) for question in asked]
        distances = [abs(estimate["value"]) / estimate["margin"] for estimate in estimates]
        n_different = sum(estimate["verdict"] == "different" for estimate in estimates)
        return n_different, np.nanmax([0.0, *distances])

    kept = sorted(rows, key=apart, reverse=True)[:most]
    return [row for row in rows if row in kept]


def _key(estimates: Sequence[Mapping]) -> list:
    """To the margin, and to what is seen of verdicts and of intervals without an end."""
    verdicts = {estimate["verdict"] for estimate in estimates}
    key = [({"fc": BAND}, "margin (linear inside, logarithmic outside)")]
    for verdict, look in LOOKS.items():
        if verdict in verdicts:
            key.append((Style(look.color, "", look.marker), look.name))
    if any(_is_open(estimate) for estimate in estimates):
        key.append((Style(FAINT, DOTS), "too few seeds to tell"))
    return key


def _notes(analysed: Analysis, rows: Sequence[Row], every: Sequence[Row]) -> list[str]:
    notes = ["thick: 95 % interval; thin: as judged (Holm)"]
    if rows[-1] not in every and every:
        notes.append("all cells: ≠ if one cell is")
    if any(row.mode in analysed.own_rate for row in rows):
        notes.append("† at a learning rate of its own")
    n_drawn = sum(row in rows for row in every)
    if n_drawn < len(every):
        notes.append(f"{n_drawn} of {len(every)} rows: those that differ most")
    return notes


def _fill(sheet: Sheet) -> None:
    """Give the key's marks the faces that they have in panels."""
    faces = {look.name: look.face for look in LOOKS.values()}
    for handle, text in zip(sheet.key.legend_handles, sheet.key.get_texts(), strict=True):
        if text.get_text() in faces:
            handle.set_markerfacecolor(faces[text.get_text()])


def _names(panel: Panel, rows: Sequence[Row], head: str) -> int:
    """Names of rows, cells in groups, the pool set apart; gives the height of the first, below the head."""
    names = [row.name for row in rows]
    inks = ["black"] * len(rows)
    first = 0
    if head:
        names = [head, *names]
        inks = [GREY, *inks]
        first = 1
    panel.named_rows(names, inks)
    for label in panel.get_yticklabels()[-1:] if head else ():  # none where they are hidden
        label.set_fontweight("bold")
    for y in range(1, len(rows)):
        if rows[y].cell == POOL != rows[y - 1].cell:
            panel.axhline(first + y - 0.5, color="#444444", lw=0.9, zorder=1)
        elif rows[y].group != rows[y - 1].group:
            panel.axhline(first + y - 0.5, color="#d5d2ca", lw=0.7, zorder=1)
    return first


def _axis(panel: Panel, scale: Scale, estimates: Sequence[Mapping]) -> None:
    """Linear within the margin, logarithmic beyond, as far as numbers go."""
    margin = scale.factor * estimates[0]["margin"]
    ends = ("value", "low", "high", "low_judged", "high_judged")
    numbers = [scale.factor * estimate[end] for estimate in estimates for end in ends]
    numbers = [x for x in numbers if np.isfinite(x)]
    closed = [estimate for estimate in estimates if not _is_open(estimate)]
    low = BEYOND * min([-2 * margin, *numbers])
    high = BEYOND * max([2 * margin, *numbers])
    if any(estimate["low_judged"] == -np.inf for estimate in closed):
        low *= BEYOND  # for the arrow
    if any(estimate["high_judged"] == np.inf for estimate in closed):
        high *= BEYOND
    if scale.is_share:
        low = -0.3 * margin
    panel.set_xscale("symlog", linthresh=margin)
    panel.set_xlim(low, high)
    panel.axvspan(max(low, -margin), margin, color=BAND, lw=0, zorder=0.5)
    panel.axvline(0, color="#777777", lw=0.8, zorder=1)
    panel.set_xlabel(scale.unit, fontsize=8.5)
    panel.above(*scale.title.split("\n"))
    panel.grid(axis="x", visible=False)
    panel.spines["left"].set_visible(False)


def _ticks(panel: Panel, margin: float, width: float) -> None:
    """At 0 and at the margin times powers of ten; named as far as there is room, the margin first."""
    low, high = panel.get_xlim()
    sizes = [margin * 10.0**k for k in range(7)]
    ticks = [x for x in (0.0, *sizes, *(-x for x in sizes)) if low <= x <= high]
    place = panel.transScale.transform(np.column_stack([[low, high, *ticks], [1] * (len(ticks) + 2)]))[:, 0]
    inches = (place[2:] - place[0]) / (place[1] - place[0]) * width
    taken = []
    names = []
    for at, name in zip(inches, names_of_ticks(ticks, ticks), strict=True):
        half = LETTER * (len(name) + 0.5) / 2
        is_free = all(abs(at - other) > half + other_half for other, other_half in taken)
        names.append(name if is_free else "")
        if is_free:
            taken.append((at, half))
    panel.set_xticks(ticks, names, fontsize=8)
    panel.set_xticks([], minor=True)


def _interval(panel: Panel, y: int, estimate: Mapping, factor: float) -> None:
    """Thick the 95 % interval, thin the one that is judged; no point where the value is undetermined."""
    if estimate["verdict"] == "not measured":
        box = {"fc": BAND, "ec": "none", "pad": 0.5}
        panel.text(0, y, "–", color=GREY, ha="center", va="center", bbox=box)
        return
    look = LOOKS[estimate["verdict"]]
    value = factor * estimate["value"]
    if _is_open(estimate):
        panel.plot(panel.get_xlim(), [y, y], color=FAINT, lw=1, ls=DOTS, zorder=2)
    else:
        _bar(panel, y, factor * np.array([estimate["low_judged"], estimate["high_judged"]]), look, 1.0)
    if estimate["n_seeds"] >= FEWEST:
        interval = factor * np.array([estimate["low"], estimate["high"]])
        _bar(panel, y, interval, look, 2.8)
        if np.isnan(value):
            panel.plot(interval, [y, y], "|", color=look.color, ms=8, mew=1.5, zorder=4)
    panel.plot(value, y, marker=look.marker, color=look.color, mfc=look.face, ms=5, zorder=4, clip_on=False)


def _is_open(estimate: Mapping) -> bool:
    """Whether there are too few seeds for an interval, or for one that settles anything."""
    is_unbounded = np.isinf(estimate["low_judged"]) and np.isinf(estimate["high_judged"])
    return estimate["verdict"] != "not measured" and (is_unbounded or estimate["n_seeds"] < FEWEST)


def _bar(panel: Panel, y: int, interval: np.ndarray, look: Look, width: float) -> None:
    """To the edge, and an arrow, where it has no end; nothing where it has none at all."""
    if np.isinf(interval).all():
        return
    limits = panel.get_xlim()
    panel.plot(np.clip(interval, *limits), [y, y], color=look.bar, lw=width, solid_capstyle="butt", zorder=3)
    for end, edge, marker in zip(interval, limits, "<>", strict=True):
        if np.isinf(end):
            panel.plot(edge, y, marker=marker, color=look.bar, ms=4, clip_on=False, zorder=3)
