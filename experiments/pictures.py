"""Pictures 2 to 6 of the report: outcomes, precision, convergence, tail, pairs. Sweep in, Picture out."""

from collections import Counter

import numpy as np

from experiments import comparison
from experiments import outcomes as outcome
from experiments.comparison import FLOOR, MARGINS
from experiments.figures import (
    FEWEST,
    GREY,
    HATCH,
    SMALL,
    Page,
    Picture,
    Sweep,
    decades_axis,
    depth,
    drawn,
    epochs_axis,
    error_axis,
    few,
    inches,
    infinity,
    last,
    listed,
    marks,
    parse,
    power_of_ten,
    quartiles,
    span,
)  # fmt: skip
from experiments.verdicts import number, percent, plural, signed

TAUS = (1e-3, 1e-9, 1e-15)
EDGE = np.log10(outcome.CONVERGED_BELOW)
COLORS = {  # in the order of a bar, from light to dark: it holds in grey
    "converged": "#c9e5cb", "falling": "#fff2b8", "stuck": "#c4afd6", "silent": "#8574a8",
    "diverged": "#3d3d3d",
}  # fmt: skip
WORDS = {
    "converged": f"converged (< {power_of_ten(EDGE)})", "falling": "still falling",
    "silent": "silent (answers 0)", "learning_rate": "learning rate", "hidden_size": "hidden units",
    "power": "a power law", "mixed": "neither law",
}  # fmt: skip

# ---------------------------------------------------------------------------------------- 2 outcomes


@drawn
def outcomes(sweep: Sweep) -> Picture:
    """Learning rate × hidden size, a stacked bar per mode; how many pairs end otherwise."""
    (rates, sizes), modes, ends = sweep.grid(), sweep.shown, sweep.column("outcome")
    order = [*(o for o in COLORS if o in ends), *sorted(set(ends.tolist()) - set(COLORS))]
    below = len(modes) == 2 and len(sweep.others) == 1  # room for words about the pairs
    names = max(inches(sweep.name(mode), SMALL, "bold") for mode in modes)
    note = 0.62 if sweep.others and not below else 0.0
    panel = min(max(1.5, (9.0 - names) / len(rates) - note), 4.5)
    key = [(("patch", COLORS.get(o, "black"), "////" * (o == "falling")), WORDS.get(o, o)) for o in order]
    page = Page(
        [panel] * len(rates), [0.3 * len(modes)] * len(sizes), key, left=1.0 + names, right=0.15 + note,
        gap_x=0.12 + note, gap_y=0.48 if below else 0.2, bottom=0.35 if below else 0.15,
    )  # fmt: skip
    for row, size in zip(page.axes, sizes, strict=True):
        for ax, learning_rate in zip(row, rates, strict=True):
            of = sweep.cell(learning_rate, size)
            ax.set(xlim=(0, 1), ylim=(len(modes) - 0.5, -0.5))
            ax.axis("off")
            for y, mode in enumerate(modes):
                _bar(ax, y, ends[sweep.rows(mode, of)], order, panel)
                if mode in sweep.others:
                    a, b = sweep.matched(mode, of)
                    _flips(ax, y, int((ends[a] != ends[b]).sum()), len(a), panel, below)
        x0, y0, _, y1 = page.box(row[0])
        page.text(0.12, (y0 + y1) / 2, f"{size} hidden\nunit{'s' * (size != 1)}", va="center")
        for y, mode in enumerate(modes):
            style = {"color": sweep.style(mode).ink, "fontsize": SMALL, "weight": "bold"}
            page.text(x0 - 0.08, y1 - 0.3 * (y + 0.5), sweep.name(mode), ha="right", va="center", **style)
    for ax, learning_rate in zip(page.axes[0], rates, strict=True):
        page.above(ax, f"learning rate {number(learning_rate)}", size=10)
        if note:
            *_, x1, y1 = page.box(ax)
            page.text(x1 + 0.05, y1 + 0.04, "other\noutcome", fontsize=7, color=GREY, linespacing=0.95)
    total = Counter(ends.tolist())
    alt = (
        f"Stacked bars of outcomes, a bar for each of {plural(len(modes), 'mode')}, by {_grid(sweep)}; of "
        f"{plural(len(ends), 'run')} {listed([f'{total[o]:,} {o}' for o in order])}."
    )
    caption = _ends_otherwise(sweep) + converged_counts(sweep) + sweep.left_out()
    return Picture("outcomes", page.figure, caption, alt)


def _grid(sweep: Sweep) -> str:
    rates, sizes = sweep.grid()
    return f"{plural(len(rates), 'learning rate')} × {plural(len(sizes), 'hidden size')}"


def _bar(ax, y, ends, order, panel):
    start = 0.0
    for name in order:
        count = int((ends == name).sum())
        if not count:
            continue
        width, color = count / len(ends), COLORS.get(name, "black")
        hatch = {"hatch": "////", "edgecolor": HATCH} if name == "falling" else {}
        ax.barh(y, width, 0.84, start, color=color, lw=0, **hatch)
        if start:
            ax.plot([start] * 2, [y - 0.42, y + 0.42], color="white", lw=min(1.2, 12 * width * panel))
        if width * panel > inches(str(count), SMALL) + 0.08:
            ink = "#222222" if name in ("converged", "falling", "stuck") else "white"
            box = {"facecolor": color, "edgecolor": "none", "pad": 1.2} if hatch else None
            ax.text(
                start + width / 2, y, count, ha="center", va="center", fontsize=SMALL, color=ink, bbox=box
            )
        start += width
    if not len(ends):
        ax.text(0.5, y, "no runs", ha="center", va="center", fontsize=SMALL, color=GREY)


def _flips(ax, y, flips, n, panel, below):
    if not n:
        return
    style = {"color": "black", "weight": "bold"} if flips else {"color": GREY}
    if below:
        text = f"other outcome in {flips} of {plural(n, 'pair')}"
        text = text if inches(text, SMALL, "bold") < panel else f"other in {flips} of {n}"
        ax.text(0.5, 1.76, text, ha="center", va="center", fontsize=SMALL, **style)
    else:
        ax.text(1 + 0.05 / panel, y, f"{flips} of {n}", va="center", fontsize=7.5, **style)


def _ends_otherwise(sweep: Sweep) -> str:
    ends, said = sweep.column("outcome"), []
    for mode in sweep.others:
        a, b = sweep.matched(mode)
        share = comparison.other(ends[a], ends[b], sweep.column("seed")[a])
        count = f"{int((ends[a] != ends[b]).sum()):,} of {plural(share.n, 'pair')}"
        said.append(f"{sweep.name(mode)} in {count} ({percent(share.low)} to {percent(share.high)})")
    head = f"Another outcome than {sweep.name(sweep.reference)}, with 95 % interval: "
    return f"{head}{listed(said)}. " if said else ""


def converged_counts(sweep: Sweep) -> str:
    rows = {mode: sweep.rows(mode) for mode in sweep.shown}
    counts = [f"{sweep.converged[of].sum():,} of {len(of):,} {sweep.name(mode)}" for mode, of in rows.items()]
    return f"Converged: {listed(counts)}."


# ---------------------------------------------------------------------------------------- 3 precision


@drawn
def precision(sweep: Sweep) -> Picture:
    """Share of all runs within τ over the epochs, for three τ, and within any τ at the end."""
    rows = {mode: sweep.rows(mode) for mode in sweep.shown}
    reached = {tau: outcome.epochs_to(sweep.error, tau) for tau in TAUS}
    notes = {
        tau: [
            (f"{sweep.name(m)}: {_later(sweep, m, reached[tau])}", sweep.style(m).ink) for m in sweep.others
        ]
        for tau in TAUS
    }
    width = max([1.95, *(inches(text, SMALL) - 0.25 for note in notes.values() for text, _ in note)])
    key = sweep.key(sweep.shown)
    if sweep.others:
        key.append((None, f"coloured: epochs later than {sweep.name(sweep.reference)}, median pair"))
    top = 0.3 + 0.165 * max(1, len(sweep.others))
    page = Page([width] * 3 + [2.75], [2.7], key, left=0.75, right=0.3, top=top, gap_x=0.36)
    epochs = np.linspace(0, sweep.n_epochs, min(241, sweep.n_epochs + 1)).astype(int)
    for ax, tau in zip(page.axes[0], TAUS, strict=False):
        for mode in sweep.shown:
            share = comparison.reached_by(reached[tau][rows[mode]], sweep.n_epochs)
            ax.step(epochs, share[epochs], where="post", **sweep.style(mode).line)
        page.above(ax, f"error ≤ {power_of_ten(np.log10(tau))}", *notes[tau])
        epochs_axis(ax, sweep.n_epochs, "epochs")
    profile, depths = page.axes[0][3], np.arange(1.0, np.log10(FLOOR) - 0.5, -0.1)
    for mode in sweep.shown:
        share = comparison.precision_profile(10.0 ** sweep.final[rows[mode]], 10.0**depths)
        profile.plot(depths, share, **sweep.style(mode).line)
    profile.set(xlim=(0.5, np.log10(FLOOR) - 0.7))
    error_axis(profile.xaxis, -32, 0, f"error at most … after {plural(sweep.n_epochs, 'epoch')}")
    page.above(profile, "precision profile", "")
    _squared_steps(page, profile, sweep)
    for ax in page.axes[0]:
        ax.set(ylim=(0, 1.01), yticks=np.linspace(0, 1, 6))
        ax.tick_params(labelleft=ax is page.axes[0][0])
    page.axes[0][0].set_ylabel("share of runs")
    taus = [power_of_ten(np.log10(tau)) for tau in TAUS]
    shares = {
        m: comparison.precision_profile(10.0 ** sweep.final[rows[m]], np.array(TAUS)) for m in sweep.shown
    }
    said = [f"{sweep.name(m)} {', '.join(map(percent, share))}" for m, share in shares.items()]
    caption = f"Share of all runs that end within {listed(taus)}: {'; '.join(said)}."
    if len({frozenset(sweep.column("learning_rate")[of].tolist()) for of in rows.values()}) > 1:
        caption += " Not all modes have the same learning rates."
    alt = (
        f"Three panels: share of all runs whose error has come within {listed(taus)} over the epochs; a "
        f"fourth: share of runs within any error after {plural(sweep.n_epochs, 'epoch')}. A line for each of "
        f"{plural(len(sweep.shown), 'mode')}; {len(sweep.final):,} runs."
    )
    return Picture("precision", page.figure, caption + sweep.left_out(), alt)


def _squared_steps(page: Page, ax, sweep: Sweep):
    """Mark h², the size of a difference mode's floor, where there are few h."""
    steps = {}
    for mode in sweep.shown:
        family, arguments, _ = parse(mode)
        if family in ("numeric", "forward", "hybrid") and "h" in arguments:
            steps.setdefault(2 * np.log10(arguments["h"]), sweep.style(mode))
    (x0, _, x1, y1), (left, right) = page.box(ax), ax.get_xlim()
    for x, style in steps.items() if len(steps) <= 3 else ():
        ax.axvline(x, color=style.color, lw=0.9, ls=":", zorder=1)
        at = x0 + (x - left) / (right - left) * (x1 - x0)
        page.text(at, y1 + 0.04, "h²", color=style.ink, fontsize=SMALL, ha="center")


def _later(sweep: Sweep, mode: str, reached) -> str:
    """How many epochs later than the reference, by the median pair."""
    a, b = sweep.matched(mode)
    later = comparison.epochs_difference(reached[a], reached[b], sweep.n_epochs, sweep.column("seed")[a])
    if not later.n:
        return "never"
    if np.isnan(later.value):
        return "median not determined"
    return f"{signed(later.value)} epoch{'s' * (abs(later.value) != 1)}" if later.value else "same epoch"


# ---------------------------------------------------------------------------------------- 4 convergence


@drawn
def convergence(sweep: Sweep) -> Picture:
    """Learning rate × hidden size: median error, and middle half, of pairs that both converge."""
    (rates, sizes), single = sweep.grid(), len(sweep.cells()) == 1
    key = [] if single else sweep.key(sweep.shown)  # one panel has its labels beside it
    banded = len(sweep.shown) <= 3  # more bands are mud
    if banded:
        key.append((("patch", "#d9d9d9", ""), f"middle half of the {'pairs' if sweep.others else 'runs'}"))
    width = min(max(1.35, 9.0 / len(rates) - 0.2), 5.5)
    height = min(max(1.15, 0.62 * width), max(1.15, 7.5 / len(sizes)), 2.8)
    of = {(size, learning_rate): sweep.cell(learning_rate, size) for size in sizes for learning_rate in rates}
    typical = {(c, m): sweep.typical(m, of[c]) for c in of for m in sweep.shown}
    names = [with_count(sweep, m, typical[c, m]) for c in of for m in sweep.shown]
    if not single and any(0 < len(rows) < FEWEST for rows in typical.values()):
        key.append((None, THIN))
    page = Page([width] * len(rates), [height] * len(sizes), key, left=1.15, top=0.62, gap_x=0.2, gap_y=0.38,
                right=0.3 + max(map(inches, names)) if single else 0.2)  # fmt: skip
    n_lines = len(rates) * len(sizes) * len(sweep.shown) * (3 if banded else 1)
    epochs = np.linspace(0, sweep.n_epochs, int(np.clip(11000 / n_lines, 30, 200))).astype(int)
    curves = {(c, m): quartiles(sweep, rows, epochs) for (c, m), rows in typical.items()}
    low, high = span(curves.values())
    for cell, ax in zip(of, (ax for row in page.axes for ax in row), strict=True):
        ax.axhline(EDGE, color="#999999", lw=0.8, ls=":", zorder=1)
        for mode in sweep.shown:
            style, (below, middle, above) = sweep.style(mode), curves[cell, mode]
            if banded and len(typical[cell, mode]) >= FEWEST:
                ax.fill_between(epochs, below, above, color=style.color, alpha=0.2, lw=0)
            ax.plot(epochs, middle, **style.line | thin(typical[cell, mode]))
        first, lowest = ax in [row[0] for row in page.axes], ax in page.axes[-1]
        epochs_axis(ax, sweep.n_epochs, "epoch" * lowest)
        ax.set(xlim=(-0.03 * sweep.n_epochs, 1.03 * max(1, sweep.n_epochs)), ylim=(low, high))
        error_axis(ax.yaxis, low, high, "mean error" * first)
        ax.tick_params(labelleft=first, labelbottom=lowest)
        if single:
            ends, inks = zip(
                *((last(curves[cell, m][1]), sweep.style(m).ink) for m in sweep.shown), strict=True
            )
            page.beside(ax, list(zip(ends, names, inks, strict=True)), 10)
        page.above(ax, _n_typical(sweep, of[cell], width), start=0.06)
    for ax, learning_rate in zip(page.axes[0], rates, strict=True):
        x0, _, x1, y1 = page.box(ax)
        page.text(
            (x0 + x1) / 2, y1 + 0.33, f"learning rate {number(learning_rate)}", ha="center", weight="bold"
        )
    for (ax, *_), size in zip(page.axes, sizes, strict=True):
        (_, y0, _, y1), text = page.box(ax), f"{size} hidden unit{'s' * (size != 1)}"
        style = {"rotation": 90, "va": "center", "ha": "center", "weight": "bold"}
        page.text(0.16, (y0 + y1) / 2, text, fontsize=10 * min(1, height / inches(text, 10, "bold")), **style)
    ends = [end for _, middle, _ in curves.values() if np.isfinite(end := last(middle))]
    alt = (
        f"{plural(len(of), 'panel')}, {_grid(sweep)}: median error, logarithmic, over "
        f"{plural(sweep.n_epochs, 'epoch')}, a line for each of {plural(len(sweep.shown), 'mode')}"
        f"{' with its middle half' if banded else ''}; they end between {power_of_ten(min(ends, default=0))} "
        f"and {power_of_ten(max(ends, default=0))}."
    )
    return Picture("convergence", page.figure, _largest_difference(sweep) + sweep.left_out(), alt)


THIN = f"thin: median of fewer than {FEWEST} runs"


def thin(rows) -> dict:
    return {"lw": 0.8} if len(rows) < FEWEST else {}


def with_count(sweep: Sweep, mode: str, rows) -> str:
    """The mode's name, with the number of runs behind its line if it is small."""
    return sweep.name(mode) + f" ({plural(len(rows), 'run')})" * (0 < len(rows) < FEWEST)


def _n_typical(sweep: Sweep, of, width: float) -> str:
    """How many pairs, or runs, stand behind a panel's lines."""
    here = [mode for mode in sweep.others if len(sweep.matched(mode, of)[0])]
    if here:
        n_pairs = max(len(sweep.matched(mode, of)[0]) for mode in here)
        counts = [len(sweep.both(mode, of)[0]) for mode in here]
        n_both = "–".join(map(str, sorted({min(counts), max(counts)})))
        text = f"{n_both} of {plural(n_pairs, 'pair')} converge"
    else:
        text = (
            f"{(of & sweep.converged).sum()} of {plural(of.sum(), 'run')} converge" if of.any() else "no runs"
        )
    return text if inches(text, SMALL) < width + 0.1 else text.removesuffix(" converge")


def _largest_difference(sweep: Sweep) -> str:
    """Per mode the cell whose paired depths differ most, and in how many cells they do not."""
    if not sweep.others or sweep.none_converges:
        what = "all runs; none converges" if sweep.none_converges else "converged runs"
        return f"Median of {what}. {converged_counts(sweep)}"
    said = []
    for mode in sweep.others:
        cells = {cell: sweep.both(mode, of) for cell, of in sweep.cells().items()}
        medians = {
            c: comparison.median(sweep.final[a] - sweep.final[b]).value
            for c, (a, b) in cells.items()
            if len(a)
        }
        if not medians:
            continue
        cell = max(medians, key=lambda cell: abs(medians[cell]))
        own, of_reference = (depth(np.median(sweep.final[rows])) for rows in cells[cell])
        text = f"{sweep.name(mode)} {decades(medians[cell])} (medians {own} and {of_reference}"
        if len(medians) > 1:
            close = sum(abs(m) <= MARGINS.decades for m in medians.values())
            text += f", at learning rate {number(cell[0])} and {cell[1]} hidden units; "
            text += f"within {MARGINS.decades:g} in {close} of {len(medians)} cells"
        said.append(text + ")")
    where = ", in the cell where it is most" if len(sweep.cells()) > 1 else ""
    head = f"Decades above {sweep.name(sweep.reference)}, by the median pair in which both converge{where}: "
    return f"{head}{'; '.join(said)}."


def decades(x: float) -> str:
    return f"{round(float(x), 1) + 0.0:.1f}".replace("-", "−")


# ---------------------------------------------------------------------------------------- 5 tail


@drawn
def tail(sweep: Sweep) -> Picture:
    """One cell: an exponential is straight on the left, a power law in the middle; then each run's end."""
    learning_rate, size = sweep.main_cell()
    of = sweep.cell(learning_rate, size)
    modes = [mode for mode in sweep.shown if len(sweep.rows(mode, of))]
    columns = [_broken(sweep.name(mode)) for mode in modes]
    typical = {mode: sweep.typical(mode, of) for mode in modes}
    names = [with_count(sweep, mode, rows) for mode, rows in typical.items()]
    beside = 0.25 + max(inches(text, 9.5) for text in [*names, "slope −4.0"])
    width = max(1.9, sum(max(0.62, inches(name, 8) + 0.14) for name in columns))
    under = 0.2 + 0.15 * max(name.count("\n") + 1 for name in columns)
    wide = width > 3.2  # too many modes for a third panel: it goes below
    if wide:
        page = Page([2.9, 3.2], [3.2, 2.3], right=beside, bottom=under, gap_y=1.0)
        (linear, log), (strips, unused) = page.axes
        unused.remove()
        page.place(strips, 0.85, max(width, 6.4))
    else:
        page = Page([2.9, 3.2, width], [3.2], gap_x=[0.3, beside + 0.65], top=0.5, bottom=max(0.6, under))
        linear, log, strips = page.axes[0]
    end = max(1, sweep.n_epochs)
    far = np.unique(np.geomspace(1, end, 161).round().astype(int)).clip(max=sweep.n_epochs)
    late = {mode: quartiles(sweep, rows, far)[1] for mode, rows in typical.items()}
    settled = _settled(late, far)
    near = np.linspace(0, settled, 201).astype(int)
    early = {mode: quartiles(sweep, rows, near)[1] for mode, rows in typical.items()}
    finals = [sweep.final[sweep.rows(mode, of)] for mode in modes]
    low, high = span([*late.values(), *early.values(), *finals])
    for mode in modes:
        line = sweep.style(mode).line | thin(typical[mode])
        linear.plot(near, early[mode], **line)
        log.plot(np.log10(np.maximum(far, 1)), late[mode], **line)
    epochs_axis(linear, settled, "epoch (linear)")
    log.set_xlim(0, np.log10(max(2, end)))
    decades_axis(log.xaxis, *log.get_xlim(), "epoch (logarithmic)")
    for ax in (linear, log, strips):
        ax.axhline(EDGE, color="#999999", lw=0.8, ls=":", zorder=1)
        ax.set_ylim(low, high)
        error_axis(ax.yaxis, low, high)
    linear.set_ylabel(f"mean error (median of {'all' if sweep.none_converges else 'converging'} runs)")
    log.tick_params(labelleft=False)
    page.above(linear, "an exponential is straight here", size=9.5)
    page.above(log, "a power law is straight here", size=9.5)
    laws = {mode: outcome.law(sweep.error[:, rows]) for mode, rows in typical.items() if len(rows)}
    labels = [(last(late[m]), name, sweep.style(m).ink) for m, name in zip(modes, names, strict=True)]
    page.beside(log, labels + _slope(log, far, late, laws))
    ends_of_runs(
        strips, [(sweep.style(m), name, f) for m, name, f in zip(modes, columns, finals, strict=True)]
    )
    strips.set_ylabel(f"error after {plural(sweep.n_epochs, 'epoch')}")
    words = ["each run; bar: median of", "those that converge"]
    page.above(strips, *([" ".join(words)] if wide else words))
    whose = " of the runs whose pair converges" if sweep.others and not sweep.none_converges else ""
    said = [text for mode, law in laws.items() if (text := _law(sweep.name(mode), *law))]
    caption = f"Learning rate {number(learning_rate)}, {size} hidden units. " + (
        f"Law of convergence{whose}: {'; '.join(said)}." if said else converged_counts(sweep)
    )
    ends = [
        f"{name} {depth(last(late[m]))}" for m, name in zip(modes, names, strict=True) if last(late[m]) < 9
    ]
    alt = (
        f"Median error over {plural(sweep.n_epochs, 'epoch')}, on a semi-logarithmic and a double "
        f"logarithmic panel, a line per mode, ending at {listed(ends) or 'no number'}; and "
        f"the final error of each of {plural(of.sum(), 'run')}."
    )
    return Picture("tail", page.figure, caption + sweep.left_out(), alt)


def _settled(curves, epochs) -> int:
    """Where the linear panel ends: at twice the epochs the deepest mode takes to its floor, or the last."""
    floors = {mode: np.nanmin(curve) for mode, curve in curves.items() if np.isfinite(curve).any()}
    deepest = curves[min(floors, key=floors.get)] if floors else np.array([])
    above = np.flatnonzero(deepest > min(floors.values(), default=0) + 0.5)
    end = 2 * int(epochs[above[-1]]) if len(above) else int(epochs[-1])
    digit = 10 ** (len(str(end)) - 1)
    return min(int(epochs[-1]), -(-end // digit) * digit)


def _slope(ax, epochs, curves, laws) -> list:
    """Above the slowest power law, a line of its slope, −1/s of the median run; gives the line's label."""
    slopes = {
        m: -1 / np.median(s[law == "power"])
        for m, (law, s) in laws.items()
        if len(law) >= FEWEST and (law == "power").mean() > 0.5
    }
    if not slopes:
        return []
    mode = max(slopes, key=lambda mode: last(curves[mode]))
    x = np.log10(epochs)
    of = (x >= x[-1] - 0.5) & np.isfinite(curves[mode])
    y = slopes[mode] * (x[of] - x[-1])
    y += (curves[mode][of] - y).max() + 0.03 * np.ptp(ax.get_ylim())  # just above the curve
    ax.plot(x[of][[0, -1]], y[[0, -1]], color="black", lw=1)
    return [(y[-1], f"slope {decades(slopes[mode])}", "black")]


def ends_of_runs(ax, columns):
    """Final errors of every run, a column per (style, name, log10 errors); median of converged ones."""
    ax.set_xlim(-0.6, len(columns) - 0.4)
    for x, (style, _, final) in enumerate(columns):
        marks(ax, np.full(len(final), x), final, style, spread=0.5)
        if len(deep := final[final < EDGE]):
            width = 1 if len(deep) < FEWEST else 3
            ax.hlines(np.median(deep), x - 0.36, x + 0.36, color=style.ink, lw=width, zorder=4)
    if not np.isfinite(np.concatenate([final for *_, final in columns])).all():
        infinity(ax.yaxis, ax.get_ylim()[1])
    ax.set_xticks(range(len(columns)), [name for _, name, _ in columns], fontsize=8)
    ax.grid(axis="x", visible=False)


def _broken(name: str) -> str:
    """A name in lines short enough to stand under a column."""
    lines = [""]
    for word in name.split():
        lines[-1:] = [f"{lines[-1]} {word}".strip()] if len(lines[-1] + word) < 9 else [lines[-1], word]
    return "\n".join(filter(None, lines))


def _law(name: str, laws, exponents) -> str:
    known = laws[~np.isin(laws, ("none", "undecided"))]
    if not len(known):
        return ""
    names, counts = np.unique(known, return_counts=True)
    most = str(names[counts.argmax()])
    text = f"{name} {WORDS.get(most, most)} in {counts.max()} of {plural(len(laws), 'run')}"
    return text + f", t^{decades(-1 / np.median(exponents[laws == most]))} by the median" * (most == "power")


# ---------------------------------------------------------------------------------------- 6 pairs


LEVELS = [
    *zip("os^D", ("#b0b0b0", "#909090", "#606060", "#202020"), strict=True),
    *((m, "#777777") for m in "v<>p"),
]


@drawn
def pairs(sweep: Sweep) -> Picture | None:
    """Final errors of pairs, flips marked; decades by which each mode ends above the reference."""
    if not sweep.others:
        return None
    axis = "learning_rate" if len(sweep.values("learning_rate")) > 1 else "hidden_size"
    values = set(sweep.column(axis)[np.concatenate([sweep.pairs[mode].a for mode in sweep.others])].tolist())
    levels = dict(zip(few(sorted(values), len(LEVELS)), LEVELS, strict=False))
    key = [
        (("mark", marker, "none", grey), f"{WORDS[axis]} {number(v)}") for v, (marker, grey) in levels.items()
    ]
    key, n = key if len(levels) > 1 else [], len(sweep.others)
    if n == 1:  # side by side
        page = Page([3.7, 3.0], [3.7], key, left=0.95, right=1.55, top=0.6, bottom=0.7, gap_x=0.95)
        scatters, medians = page.axes[0]
        scatters = [scatters]
        rows = [(sweep.others[0], value) for value in _levels_of(sweep, sweep.others[0], axis, levels)]
    else:  # the points above, three in a row; all medians in one panel below
        key.append((None, "triangles: pairs of which only one converges"))
        others = sweep.others[::-1]
        rows = [(mode, v) for mode in others for v in _levels_of(sweep, mode, axis, levels)]
        if len(rows) > 24:
            rows = [(mode, None) for mode in others]
        side = 3.3 if n == 2 else 2.35
        wide = max(
            inches(f"only {sweep.name(m)}: 1,000 of {len(sweep.pairs[m].a):,}", SMALL) for m in sweep.others
        )
        heights = [side] * -(-n // 3) + [0.36 * len(rows) + 0.2]
        page = Page(
            [side] * min(n, 3), heights, key, left=0.95, right=max(0.2, wide + 0.4 - side), top=0.6,
            gap_x=0.85, gap_y=1.15,
        )  # fmt: skip
        scatters, (medians, *unused) = [ax for row in page.axes[:-1] for ax in row], page.axes[-1]
        for ax in (*scatters[n:], *unused):
            ax.remove()
        left = 0.3 + max(inches(_row_name(sweep, *row, levels), SMALL) for row in rows)
        page.place(medians, left, page.width - left - 2.3)
    for ax, mode in zip(scatters, sweep.others, strict=False):
        _scatter(page, ax, sweep, mode, axis, levels)
    _decades_apart(page, medians, sweep, axis, levels, rows)
    alt = (
        f"Per mode a panel, {n} in all: final errors against those of {sweep.name(sweep.reference)}, "
        f"{plural(sum(len(sweep.pairs[m].a) for m in sweep.others), 'pair')} (of points that cover each "
        "other one is drawn), flips marked; then a panel with the decades between the two where both "
        f"converge, {plural(len(rows), 'row')} with medians and 95 % intervals."
    )
    return Picture("pairs", page.figure, _both_converge(sweep) + sweep.left_out(), alt)


def _levels_of(sweep: Sweep, mode: str, axis: str, levels) -> list:
    """Those at which both of a pair converge somewhere; else one, to say that there is none."""
    found = set(sweep.column(axis)[sweep.both(mode)[0]].tolist())
    return [value for value in levels if value in found] or [*levels][:1]


def _scatter(page: Page, ax, sweep: Sweep, mode: str, axis: str, levels):
    a, b = sweep.matched(mode)
    x, y, level = sweep.final[b], sweep.final[a], sweep.column(axis)[a]
    low, high = span([x, y, [EDGE, 0.0]])
    lost = not np.isfinite([x, y]).all()
    limits = low, high + 0.06 * (high - low) * lost
    ax.set(xlim=limits, ylim=limits)
    ax.plot(limits, limits, color="#444444", lw=1)
    for line in (ax.axhline, ax.axvline):
        line(EDGE, color="#999999", lw=0.8, ls=":", zorder=1)
    for value, mark in levels.items():
        marks(ax, x[level == value], y[level == value], mark)
    (x0, _, x1, y1), alone = page.box(ax), " converges" * (len(sweep.others) == 1)
    for i, (who, marker, rows, partners) in enumerate(((sweep.reference, "^", b, a), (mode, "v", a, b))):
        only = sweep.converged[rows] & ~sweep.converged[partners]
        face, at = sweep.style(who).color, y1 + 0.36 - 0.19 * i
        ends = np.minimum([x[only], y[only]], limits[1])
        ax.plot(*ends, ls="", marker=marker, ms=8, mfc=face, mec="black", mew=0.7, clip_on=False, zorder=5)
        page.mark(x0 + 0.08, at, marker, face)
        text = f"only {sweep.name(who)}{alone}: {only.sum():,} of {len(a):,}"
        page.text(x0 + 0.24, at, text, fontsize=SMALL, va="center_baseline")
        direction, text = (ax.xaxis, ax.yaxis)[i], f"final error, {sweep.name(who)}"
        error_axis(direction, low, high, text if inches(text) < 1.1 * (x1 - x0) else sweep.name(who))
        direction.label.set_color(sweep.style(who).ink)
        if lost:
            infinity(direction, limits[1])


def _row_name(sweep: Sweep, mode: str, value, levels) -> str:
    level = f"{number(value)}" if value is not None and len(levels) > 1 else ""
    return ", ".join(filter(None, [sweep.name(mode), level]))


def _decades_apart(page: Page, ax, sweep: Sweep, axis: str, levels, rows):
    """A row per (mode, level): decades between the two of a pair, the median as a bar, with its interval."""
    apart = {mode: np.subtract(*(sweep.final[half] for half in sweep.both(mode))) for mode in sweep.others}
    ends = np.concatenate([[-1.0, 1.0], *apart.values()])
    air, single = 0.05 * np.ptp(ends), len(sweep.others) == 1
    ax.set(xlim=(ends.min() - air, ends.max() + air), ylim=(-0.5, len(rows) - 0.5))
    ax.axvline(0, color="#444444", lw=1)
    labels = []
    for y, (mode, value) in enumerate(rows):
        a, _ = sweep.both(mode)
        of = np.full(len(a), True) if value is None else sweep.column(axis)[a] == value
        marks(
            ax, apart[mode][of], np.full(of.sum(), y), levels.get(value, LEVELS[0]), spread=0.55, across="y"
        )
        estimate, color = (
            comparison.median(apart[mode][of], None, sweep.column("seed")[a][of]),
            sweep.style(mode).ink,
        )
        labels.append((y, interval(estimate, ", " if len(rows) > 8 else "\n"), "black"))
        ax.plot([estimate.value] * 2, [y - 0.36, y + 0.36], color=color, lw=3.2, zorder=4)
        if np.isfinite(estimate.low):
            ax.plot([estimate.low, estimate.high], [y, y], color=color, lw=2, zorder=4)
    page.beside(ax, labels, SMALL)
    names = [number(value) if single else _row_name(sweep, mode, value, levels) for mode, value in rows]
    ax.set_yticks(range(len(rows)), names, fontsize=SMALL)
    ax.grid(axis="y", visible=False)
    who = f"{sweep.name(sweep.others[0])} ends\n" if single else "a mode ends "
    ax.set_xlabel(f"decades by which {who}above {sweep.name(sweep.reference)} (both converge)")
    if single:
        ax.set_ylabel(WORDS[axis])
    page.above(ax, "median and its 95 % interval", size=9.5)


def interval(estimate, comma: str) -> str:
    if not estimate.n:
        return "no such pair"
    low_high = (
        f"  [{decades(estimate.low)}, {decades(estimate.high)}]"
        if np.isfinite(estimate.low)
        else ", no interval"
    )
    return f"{decades(estimate.value)}{low_high}{comma}{plural(estimate.n, 'pair')}"


def _both_converge(sweep: Sweep) -> str:
    said = []
    for mode in sweep.others:
        a, b = sweep.both(mode)
        text = f"{sweep.name(mode)} in {len(a):,} of {plural(len(sweep.pairs[mode].a), 'pair')}"
        if len(a):
            apart = comparison.share(np.abs(sweep.final[a] - sweep.final[b]) > 1, sweep.column("seed")[a])
            low_high = f"{percent(apart.low)} to {percent(apart.high)}"
            text += f", of which {percent(apart.value)} ({low_high}) end more than a decade apart"
        said.append(text)
    return f"Both converge, with {sweep.name(sweep.reference)}: {'; '.join(said)}."


OF_A_SWEEP = (outcomes, precision, convergence, tail, pairs)
