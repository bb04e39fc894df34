"""How runs end: outcomes by cell, and each pair's two final errors."""

from collections.abc import Mapping, Sequence

import numpy as np

from experiments.analysis import Analysis, few
from experiments.report.figures.curves import label, style
from experiments.report.figures.panel import Panel, Strip
from experiments.report.figures.sheet import WIDTH, Sheet, picture
from experiments.report.figures.styles import GREY, Style
from experiments.wording import decades, number, plural

ENDS = {  # in the order of a bar, from light to dark, so that it holds in grey; ink of its number
    "converged": ("#c9e5cb", "converged", "#222222"),
    "falling": ("#fff2b8", "still falling", "#222222"),
    "stuck": ("#c4afd6", "stuck", "#222222"),
    "silent": ("#8574a8", "silent (answers 0)", "white"),
    "diverged": ("#3d3d3d", "diverged", "white"),
}
HATCH = {"falling": {"hatch": "////", "edgecolor": "#d9c469", "lw": 0}}
DIGIT = 0.0125  # of the width of a sheet, in a bar
GREYS = ("#b0b0b0", "#8c8c8c", "#5c5c5c", "#202020", *["#777777"] * 4)
LEVELS = [Style(color, "", marker) for marker, color in zip("os^Dv<>p", GREYS, strict=True)]
MOST_STRIPS = 24
STRIP = 0.26  # inches
COLUMNS = 3  # of scatters


@picture("Outcomes as stacked bars, by learning rate, hidden size and mode; how many pairs end otherwise.")
def outcomes(analysed: Analysis) -> Sheet:
    panels = analysed.cells.panels
    rates, sizes = analysed.cells.grid
    present = [name for name in ENDS if panels[name].any()]
    heights = [0.24 * len(analysed.shown)] * len(sizes)
    sheet = Sheet([[1] * len(rates)] * len(sizes), heights, _key(analysed, present), shared=True)
    for row, size in zip(sheet.rows, sizes, strict=True):
        for panel, rate in zip(row, rates, strict=True):
            cell = panels[(panels["learning_rate"] == rate) & (panels["hidden_size"] == size)]
            _bars(panel, cell, present, DIGIT * len(rates))
            _notes(panel, cell)
            names, inks = zip(*(label(analysed, mode, 0)[1:] for mode in cell["mode"]), strict=True)
            panel.named_rows(names, inks)
            panel.set(xlim=(0, 1), xticks=[])
            panel.tick_params(length=0)
            panel.spines[:].set_visible(False)
            if row is sheet.rows[0]:
                panel.above(f"learning rate {number(rate)}")
        unit = "unit" if size == 1 else "units"
        row[0].set_ylabel(f"{size} hidden\n{unit}", rotation=0, ha="right", va="center")
    return sheet


def _key(analysed: Analysis, present: Sequence[str]) -> list:
    key = []
    for name in present:
        color, text, _ = ENDS[name]
        if name == "converged" and analysed.converged_error is not None:
            text += f" (< {number(analysed.converged_error)})"
        key.append(({"fc": color} | HATCH.get(name, {}), text))
    if analysed.others:
        versus = analysed.names[analysed.reference]
        key.append(({"fc": "none"}, f"k of n: pairs with another outcome than {versus}"))
    return key


def _bars(panel: Panel, cell, present: Sequence[str], digit: float) -> None:
    """A bar per row of a cell's table; digit: the share of a bar that is as wide as one."""
    left = np.zeros(len(cell))
    for name in present:
        counts = cell[name].to_numpy()
        widths = counts / np.maximum(1, cell["n_runs"].to_numpy())
        color, _, ink = ENDS[name]
        look = {"color": color, "edgecolor": "white", "lw": 0.5} | HATCH.get(name, {})
        bars = panel.barh(range(len(cell)), widths, 0.86, left, **look)
        texts = [
            f"{n}" if width > digit * len(f"{n}") else "" for n, width in zip(counts, widths, strict=True)
        ]
        panel.bar_label(bars, texts, label_type="center", fontsize=8.5, color=ink)
        left += widths


def _notes(panel: Panel, cell) -> None:
    """Beside each bar in how many pairs it ends otherwise."""
    for y, row in enumerate(cell.to_dict("records")):
        if not row["n_runs"]:
            panel.text(0.5, y, "no runs", ha="center", va="center", fontsize=8.5, color=GREY)
        elif row["n_pairs"]:
            look = {"color": "black", "weight": "bold"} if row["n_other"] else {"color": GREY}
            text = f"{row['n_other']} of {row['n_pairs']}"
            panel.text(1.02, y, text, va="center", fontsize=8.5, **look)


@picture(
    "Final errors against those of the reference, a panel per mode, pairs of which one converges as "
    "triangles; then the decades between the two where both converge, with medians and 95 % intervals."
)
def pairs(analysed: Analysis) -> Sheet | None:
    others = analysed.others
    if not others:
        return None
    levels = _levels(analysed)
    rows = _rows(analysed, levels)
    axis = analysed.cells.axis.replace("_", " ")
    key = [(look, f"{axis} {number(level)}") for level, look in levels.items()] if len(levels) > 1 else []
    n_lines = -(-len(others) // COLUMNS)
    widths = [[1] * min(COLUMNS, len(others))] * n_lines
    heights = [2.3] * n_lines
    if rows and len(others) == 1:
        widths, heights = [[1, 1]], [max(3.0, STRIP * len(rows))]
    elif rows:
        widths, heights = [*widths, [1]], [*heights, STRIP * len(rows)]
    sheet = Sheet(widths, heights, key, 0.5 * WIDTH if widths == [[1]] else WIDTH)
    scatters = sheet.panels[:-1] if rows else sheet.panels
    for panel, mode in zip(scatters, others, strict=False):
        _scatter(panel, analysed, mode, levels)
    for panel in scatters[len(others) :]:
        panel.axis("off")
    if rows:
        _decades_apart(sheet.panels[-1], analysed, levels, rows)
    return sheet


def _levels(analysed: Analysis) -> dict[float, Style]:
    """The values of the axis that are drawn, and their marks."""
    values = sorted(set(analysed.cells.levels["level"].dropna()))
    return dict(zip(few(values, len(LEVELS)), LEVELS, strict=False))


def _rows(analysed: Analysis, levels: Mapping[float, Style]) -> list[Mapping]:
    """The rows of the table of levels that are drawn: each level of each mode, or all of a mode together.

    None if in no pair both converge.
    """
    table = analysed.cells.levels
    rows = table[table["level"].isin(list(levels))]
    if len(rows) > MOST_STRIPS or len(levels) == 1:
        rows = table[table["level"].isna()]
    if not rows["n_pairs"].any():
        return []
    return rows.to_dict("records")


def _scatter(panel: Panel, analysed: Analysis, mode: str, levels: Mapping[float, Style]) -> None:
    a, b = analysed.matched(mode)
    x = 10.0 ** analysed.final[b]
    y = 10.0 ** analysed.final[a]
    is_lost = not np.isfinite([x, y]).all()
    for which, whose in (("x", analysed.reference), ("y", mode)):
        text = f"error, {analysed.names[whose]}"
        panel.errors(which, [x, y], text, is_lost, analysed.converged_error)
        getattr(panel, f"{which}axis").label.set_color(style(analysed, whose).ink)
    panel.plot(panel.get_xlim(), panel.get_ylim(), color="#444444", lw=1)
    level = analysed.column(analysed.cells.axis)[a]
    for value, look in levels.items():
        panel.marks(x[level == value], y[level == value], look)
    counts = []
    alone = ((analysed.reference, "^", "▲", b, a), (mode, "v", "▼", a, b))
    for whose, marker, sign, rows, partners in alone:
        is_alone = analysed.converged[rows] & ~analysed.converged[partners]
        look = style(analysed, whose)
        filled = {"marker": marker, "ms": 7, "mfc": look.color, "mec": "black", "zorder": 5}
        panel.marks(x[is_alone], y[is_alone], look, **filled)
        count = f"{sign} only {analysed.names[whose]}: {is_alone.sum():,} of {len(a):,}"
        counts.append((count, look.ink))
    panel.above(*counts)


def _decades_apart(
    panel: Panel, analysed: Analysis, levels: Mapping[float, Style], rows: Sequence[Mapping]
) -> None:
    """A strip per row: decades between the two of a pair, and their median with its interval."""
    strips = []
    labels = []
    for y, row in enumerate(rows):
        mode, level = row["mode"], row["level"]
        a, b = analysed.both(mode)
        apart = analysed.final[a] - analysed.final[b]
        name = analysed.names[mode]
        look = LEVELS[0]
        if level in levels:
            apart = apart[analysed.column(analysed.cells.axis)[a] == level]
            name += f", {number(level)}"
            look = levels[level]
        ink = style(analysed, mode).ink
        strips.append(Strip(name, ink, look, apart, row["value"], row["low"], row["high"]))
        labels.append((y, _median(row), ink))
    panel.set(xlim=_limits([strip.values for strip in strips]))
    panel.axvline(0, color="#444444", lw=1)
    panel.locator_params(axis="x", nbins=6)
    panel.strips(strips)
    panel.beside(labels)
    panel.set_xlabel(f"decades above {analysed.names[analysed.reference]}, where both converge")
    panel.above("median and its 95 % interval")


def _median(row: Mapping) -> str:
    if not row["n_pairs"]:
        return "no such pair"
    interval = "no interval"
    if row["low"] > -np.inf:
        interval = f"[{decades(row['low'])}, {decades(row['high'])}]"
    return f"{decades(row['value'])} {interval}, {plural(row['n_pairs'], 'pair')}"


def _limits(values: Sequence[np.ndarray]) -> tuple[float, float]:
    every = np.concatenate([[-1.0, 1.0], *values])
    air = 0.05 * np.ptp(every)
    return every.min() - air, every.max() + air
