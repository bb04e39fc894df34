"""Pictures 2 and 6 of the report, of how runs end: outcomes, pairs."""

import numpy as np

from experiments.analysis.analysis import statistics as comparison
from experiments.report.figures.sheet import Panel, Sheet, Strip, picture
from experiments.report.figures.styles import GREY, Style
from experiments.report.figures.view import Sweep, few
from experiments.wording import decades, number, percent, plural
from tinynet.outcomes import CONVERGED_BELOW

ENDS = {  # in the order of a bar, from light to dark, so that it holds in grey; ink of its number
    "converged": ("#c9e5cb", f"converged (< {number(CONVERGED_BELOW)})", "#222222"),
    "falling": ("#fff2b8", "still falling", "#222222"),
    "stuck": ("#c4afd6", "stuck", "#222222"),
    "silent": ("#8574a8", "silent (answers 0)", "white"),
    "diverged": ("#3d3d3d", "diverged", "white"),
}
HATCH = {"falling": {"hatch": "////", "edgecolor": "#d9c469", "lw": 0}}
GREYS = ("#b0b0b0", "#8c8c8c", "#5c5c5c", "#202020", *["#777777"] * 4)
LEVELS = [Style(color, "", marker) for marker, color in zip("os^Dv<>p", GREYS, strict=True)]

# ---------------------------------------------------------------------------------------- 2 outcomes


@picture
def outcomes(sweep: Sweep):
    """Outcomes as stacked bars, by learning rate, hidden size and mode; how many pairs end otherwise."""
    (rates, sizes), ends, versus = sweep.grid(), sweep.column("outcome"), sweep.name(sweep.reference)
    order = [name for name in ENDS if name in ends]
    key = [({"fc": ENDS[name][0]} | HATCH.get(name, {}), ENDS[name][1]) for name in order]
    if sweep.others:
        key.append(({"fc": "none"}, f"k of n: pairs with another outcome than {versus}"))
    sheet = Sheet([[1] * len(rates)] * len(sizes), [0.24 * len(sweep.shown)] * len(sizes), key, shared=True)
    for row, size in zip(sheet.rows, sizes, strict=True):
        for panel, rate in zip(row, rates, strict=True):
            _bars(panel, sweep, sweep.cell(rate, size), order, 0.0125 * len(rates))
            if row is sheet.rows[0]:
                panel.above(f"learning rate {number(rate)}")
        row[0].set_ylabel(f"{size} hidden\nunit{'s' * (size != 1)}", rotation=0, ha="right", va="center")

    def otherwise(mode):
        a, b = sweep.matched(mode)
        share = comparison.other(ends[a], ends[b], sweep.column("seed")[a])
        n_other = f"{(ends[a] != ends[b]).sum():,} of {plural(share.n, 'pair')}"
        return f"in {n_other} ({percent(share.low)} to {percent(share.high)})"

    said = f"Another outcome than {versus}, with 95 % interval: {sweep.each(sweep.others, otherwise)}. "
    return sheet, said * bool(sweep.others) + sweep.converged_counts() + sweep.left_out()


def _bars(panel: Panel, sweep: Sweep, of, order, digit: float):
    """digit: the share of a bar that is as wide as one."""
    outcomes, modes = sweep.column("outcome"), sweep.shown
    ends, left = [outcomes[sweep.rows(mode, of)] for mode in modes], np.zeros(len(modes))
    for name in order:
        counts = np.array([(e == name).sum() for e in ends])
        share = counts / [max(1, len(e)) for e in ends]
        color, _, ink = ENDS[name]
        style = {"color": color, "edgecolor": "white", "lw": 0.5} | HATCH.get(name, {})
        bars = panel.barh(range(len(ends)), share, 0.86, left, **style)
        told = [f"{n}" if wide > digit * len(f"{n}") else "" for n, wide in zip(counts, share, strict=True)]
        panel.bar_label(bars, told, label_type="center", fontsize=8.5, color=ink)
        left += share
    for y, mode in enumerate(modes):
        if not len(ends[y]):
            panel.text(0.5, y, "no runs", ha="center", va="center", fontsize=8.5, color=GREY)
        elif mode in sweep.others and len(rows := np.transpose(sweep.matched(mode, of))):
            flips = sum(a != b for a, b in outcomes[rows])
            style = {"color": "black", "weight": "bold"} if flips else {"color": GREY}
            panel.text(1.02, y, f"{flips} of {len(rows)}", va="center", fontsize=8.5, **style)
    panel.named_rows(*zip(*((sweep.name(mode), sweep.style(mode).ink) for mode in modes), strict=True))
    panel.set(xlim=(0, 1), xticks=[])
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)


# ---------------------------------------------------------------------------------------- 6 pairs


@picture
def pairs(sweep: Sweep):
    """Final errors against those of the reference, a panel per mode, pairs of which one converges as
    triangles; then the decades between the two where both converge, with medians and 95 % intervals."""
    if not (others := sweep.others):
        return None
    axis = "learning_rate" if len(sweep.values("learning_rate")) > 1 else "hidden_size"
    found = {mode: set(sweep.column(axis)[sweep.matched(mode)[0]].tolist()) for mode in others}
    levels = dict(zip(few(sorted(set().union(*found.values())), len(LEVELS)), LEVELS, strict=False))
    rows = [(mode, value) for mode in others for value in levels if value in found[mode]]
    if len(rows) > 24 or len(levels) == 1:
        rows = [(mode, None) for mode in others]
    key = [(style, f"{axis.replace('_', ' ')} {number(value)}") for value, style in levels.items()] * (
        len(levels) > 1
    )
    below, n_rows = 0.26 * len(rows), -(-len(others) // 3)
    if len(others) == 1:
        sheet = Sheet([[1, 1]], [max(3.0, below)], key)
    else:
        sheet = Sheet([*[[1] * min(3, len(others))] * n_rows, [1]], [2.3] * n_rows + [below], key)
    for panel, mode in zip(sheet.panels, others, strict=False):
        _scatter(panel, sweep, mode, axis, levels)
    for panel in sheet.panels[len(others) : -1]:
        panel.axis("off")
    _decades_apart(sheet.panels[-1], sweep, axis, levels, rows)

    def apart(mode):
        a, b = sweep.both(mode)
        share = comparison.share(np.abs(sweep.final[a] - sweep.final[b]) > 1, sweep.column("seed")[a])
        said = f", of which {percent(share.value)} ({percent(share.low)} to {percent(share.high)})"
        said = f"{said} end more than a decade apart" * bool(len(a))
        return f"in {len(a):,} of {plural(len(sweep.pairs[mode].a), 'pair')}{said}"

    caption = f"Both converge, with {sweep.name(sweep.reference)}: {sweep.each(others, apart)}."
    return sheet, caption + sweep.left_out()


def _scatter(panel: Panel, sweep: Sweep, mode: str, axis: str, levels):
    a, b = sweep.matched(mode)
    x, y, level = 10.0 ** sweep.final[b], 10.0 ** sweep.final[a], sweep.column(axis)[a]
    lost, counts = not np.isfinite([x, y]).all(), []
    for which, who in (("x", sweep.reference), ("y", mode)):
        panel.errors(which, [x, y], f"error, {sweep.name(who)}", lost)
        getattr(panel, f"{which}axis").label.set_color(sweep.style(who).ink)
    panel.plot(panel.get_xlim(), panel.get_ylim(), color="#444444", lw=1)
    for value, style in levels.items():
        panel.marks(x[level == value], y[level == value], style)
    for who, marker, sign, rows, partners in ((sweep.reference, "^", "▲", b, a), (mode, "v", "▼", a, b)):
        only, style = sweep.converged[rows] & ~sweep.converged[partners], sweep.style(who)
        panel.marks(x[only], y[only], style, marker=marker, ms=7, mfc=style.color, mec="black", zorder=5)
        counts.append((f"{sign} only {sweep.name(who)}: {only.sum():,} of {len(a):,}", style.ink))
    panel.above(*counts)


def _decades_apart(panel: Panel, sweep: Sweep, axis: str, levels, rows):
    """A row per (mode, level): decades between the two of a pair, and their median with its interval."""
    strips, labels = [], []
    for y, (mode, value) in enumerate(rows):
        a, b = sweep.both(mode)
        of = np.full(len(a), True) if value is None else sweep.column(axis)[a] == value
        apart, ink = (sweep.final[a] - sweep.final[b])[of], sweep.style(mode).ink
        middle = comparison.median(apart, None, sweep.column("seed")[a][of])
        name = sweep.name(mode) + ("" if value is None else f", {number(value)}")
        strips.append(Strip(name, ink, levels.get(value, LEVELS[0]), apart, *middle[:3]))
        interval = (
            f"[{decades(middle.low)}, {decades(middle.high)}]" if middle.low > -np.inf else "no interval"
        )
        text = (
            f"{decades(middle.value)} {interval}, {plural(middle.n, 'pair')}" if middle.n else "no such pair"
        )
        labels.append((y, text, ink))
    ends = np.concatenate([[-1.0, 1.0], *(strip.values for strip in strips)])
    panel.set(xlim=(ends.min() - 0.05 * np.ptp(ends), ends.max() + 0.05 * np.ptp(ends)))
    panel.axvline(0, color="#444444", lw=1)
    panel.locator_params(axis="x", nbins=6)
    panel.strips(strips)
    panel.beside(labels)
    panel.set_xlabel(f"decades above {sweep.name(sweep.reference)}, where both converge")
    panel.above("median and its 95 % interval")
