"""Pictures 3 to 5 of the report, of errors over the epochs: precision, convergence, tail."""

import numpy as np

from experiments.analysis.analysis import statistics as comparison
from experiments.analysis.statistics import FEWEST, FLOOR
from experiments.report.figures.sheet import Panel, Sheet, Strip, last, picture
from experiments.report.figures.styles import GREY
from experiments.report.figures.view import Sweep, few_runs
from experiments.wording import decades, depth, listed, number, percent, plural, signed
from tinynet import outcomes

TAUS = (1e-3, 1e-9, 1e-15)
LAWS = {"power": "a power law", "mixed": "neither law"}

# ---------------------------------------------------------------------------------------- 3 precision


@picture
def precision(sweep: Sweep):
    """Share of all runs that have come within an error over the epochs, a panel each for three errors; then
    the share of runs within any error at the end. A line per mode."""
    rows, n_epochs = {mode: sweep.rows(mode) for mode in sweep.shown}, sweep.n_epochs
    epochs = np.linspace(0, n_epochs, min(241, n_epochs + 1)).astype(int)
    depths, shares = 10.0 ** np.arange(1, np.log10(FLOOR) - 0.5, -0.1), {mode: [] for mode in rows}
    sheet = Sheet([[1, 1]] * 2, [max(1.9, 0.17 * len(rows))] * 2)
    *panels, profile = sheet.panels
    for panel in sheet.panels:
        panel.set(ylim=(0, 1.01), ylabel="share of runs")
    for panel, tau in zip(panels, TAUS, strict=True):
        reached = outcomes.epochs_to(sweep.error, tau)
        panel.epochs(n_epochs)
        panel.above(f"error ≤ {number(tau)}")
        for mode, of in rows.items():
            share = comparison.reached_by(reached[of], n_epochs)
            panel.step(epochs, share[epochs], where="post", **sweep.style(mode).line)
        ends = {mode: np.isfinite(reached[of]).mean() for mode, of in rows.items()}
        for mode, share in ends.items():
            shares[mode].append(percent(share))
        panel.beside([sweep.label(mode, at, _later(sweep, mode, reached)) for mode, at in ends.items()])
    profile.logarithmic("x", f"error at most … after {plural(n_epochs, 'epoch')}", (4, FLOOR / 5))
    for mode, of in rows.items():
        share = comparison.precision_profile(10.0 ** sweep.final[of], depths)
        profile.plot(depths, share, **sweep.style(mode).line)
    profile.above("precision profile")
    caption = f"Share of all runs that come within {listed([number(tau) for tau in TAUS])}: "
    caption += sweep.each(sweep.shown, lambda mode: ", ".join(shares[mode])) + "."
    if sweep.others:
        caption += f" Beside names: how much later than {sweep.name(sweep.reference)}, by the median pair ("
        caption += "undetermined where too few get there)."
    if len({frozenset(sweep.column("learning_rate")[of].tolist()) for of in rows.values()}) > 1:
        caption += " Not all modes have the same learning rates."
    return sheet, caption + sweep.left_out()


def _later(sweep: Sweep, mode: str, reached) -> str:
    """How many epochs later than the reference, by the median pair."""
    if mode not in sweep.others:
        return ""
    a, b = sweep.matched(mode)
    later = comparison.epochs_difference(reached[a], reached[b], sweep.n_epochs, sweep.column("seed")[a])
    if np.isfinite(later.value):
        epochs = f"{signed(later.value)} epoch{'s' * (abs(later.value) != 1)}"
        return f", {epochs if later.value else 'same epoch'}"
    return ", undetermined" if later.n else ", never"


# ---------------------------------------------------------------------------------------- 4 convergence


@picture
def convergence(sweep: Sweep):
    """Median error over the epochs, logarithmic, a panel for each learning rate and hidden size, a line per
    mode; with up to three modes also the middle half."""
    (rates, sizes), modes, single = sweep.grid(), sweep.shown, len(sweep.cells()) == 1
    of = {(rate, size): sweep.cell(rate, size) for size in sizes for rate in rates}
    typical = {(cell, mode): sweep.typical(mode, of[cell]) for cell in of for mode in modes}
    banded = len(modes) <= 3  # more bands are mud
    key = [(sweep.style(mode), sweep.name(mode)) for mode in modes] * (not single)
    if banded:
        key.append(({"fc": "#d9d9d9"}, f"middle half of the {'pairs' if sweep.others else 'runs'}"))
    if not single and any(map(few_runs, typical.values())):
        key.append(({"fc": "none"}, f"thin: median of fewer than {FEWEST} runs"))
    heights = [2.8] if len(sizes) == 1 else [1.2] * len(sizes)
    sheet = Sheet([[1] * len(rates)] * len(sizes), heights, key, 7.5 if single else 10, shared=True)
    n_epochs, n_lines = sweep.n_epochs, len(typical) * (3 if banded else 1)
    epochs = np.linspace(0, n_epochs, int(np.clip(11000 / n_lines, 30, 200))).astype(int)
    curves = {line: sweep.quartiles(rows, epochs) for line, rows in typical.items()}
    for ((rate, size), runs), panel in zip(of.items(), sheet.panels, strict=True):
        panel.epochs(n_epochs, "epoch" * (panel in sheet.rows[-1]))
        unit = f"{size} hidden unit{'s' * (size != 1)}\nmean error"
        panel.errors("y", curves.values(), unit * (panel in [row[0] for row in sheet.rows]))
        for mode in modes:
            rows, (low, middle, high) = typical[(rate, size), mode], curves[(rate, size), mode]
            if banded and len(rows) >= FEWEST:
                panel.fill_between(epochs, low, high, color=sweep.style(mode).color, alpha=0.2, lw=0)
            panel.plot(epochs, middle, **sweep.line(mode, rows))
            panel.beside([sweep.label(mode, last(middle), few_runs(rows))] * single)
        head = [f"learning rate {number(rate)}"] * (panel in sheet.rows[0])
        panel.above(*head, (_n_typical(sweep, runs, " converge" * (len(rates) < 5)), GREY))
    return sheet, _largest_difference(sweep) + sweep.left_out()


def _n_typical(sweep: Sweep, of, converge: str) -> str:
    """How many pairs, or runs, stand behind a panel's lines."""
    n_pairs = {mode: len(sweep.matched(mode, of)[0]) for mode in sweep.others}
    counts = {len(sweep.both(mode, of)[0]) for mode, n in n_pairs.items() if n}
    if counts:
        n_both = "–".join(map(str, sorted({min(counts), max(counts)})))
        return f"{n_both} of {plural(max(n_pairs.values()), 'pair')}{converge}"
    return f"{(of & sweep.converged).sum()} of {plural(of.sum(), 'run')}{converge}" if of.any() else "no runs"


def _largest_difference(sweep: Sweep) -> str:
    """Per mode the cell whose paired depths differ most, and in how many cells they do not."""
    if not sweep.others or sweep.none_converges:
        what = "all runs; none converges" if sweep.none_converges else "converged runs"
        return f"Median of {what}. {sweep.converged_counts()}"
    said, final, margin = {}, sweep.final, sweep.margins.decades
    for mode in sweep.others:
        cells = {cell: both for cell, of in sweep.cells().items() if len((both := sweep.both(mode, of))[0])}
        medians = {cell: np.median(final[a] - final[b]) for cell, (a, b) in cells.items()}
        if not medians:
            continue
        rate, size = cell = max(medians, key=lambda cell: abs(medians[cell]))
        own, of_reference = (depth(10.0 ** np.median(final[rows])) for rows in cells[cell])
        said[mode] = f"{decades(medians[cell])} (medians {own} and {of_reference}"
        if len(medians) > 1:
            close = sum(abs(median) <= margin for median in medians.values())
            said[mode] += f", at learning rate {number(rate)} and {size} hidden units; "
            said[mode] += f"within {margin:g} in {close} of {len(medians)} cells"
    where = ", in the cell where it is most" if len(sweep.cells()) > 1 else ""
    head = f"Decades above {sweep.name(sweep.reference)}, by the median pair in which both converge{where}: "
    return head + sweep.each([*said], lambda mode: said[mode] + ")") + "."


# ---------------------------------------------------------------------------------------- 5 tail


@picture
def tail(sweep: Sweep):
    """Median error over the epochs of one learning rate and hidden size, a line per mode: semi-logarithmic,
    where an exponential is straight, and double logarithmic, where a power law is; the end of each run."""
    rate, size = sweep.main_cell()
    of, n_epochs = sweep.cell(rate, size), sweep.n_epochs
    rows = {mode: own for mode in sweep.shown if len(own := sweep.rows(mode, of))}
    typical = {mode: sweep.typical(mode, of) for mode in rows}
    far = sweep.few_epochs
    late = {mode: sweep.quartiles(own, far)[1] for mode, own in typical.items()}
    near = np.linspace(0, _settled(late, far), 201).astype(int)
    early = {mode: sweep.quartiles(own, near)[1] for mode, own in typical.items()}
    sheet = Sheet([[1, 1], [1]], [2.8, 0.24 * len(rows)])
    linear, log, ends = sheet.panels
    strips = [end_of_runs(sweep, mode, own) for mode, own in rows.items()]
    drawn = [*late.values(), *early.values(), *(strip.values for strip in strips)]
    whose = "all" if sweep.none_converges else "converging"
    linear.errors("y", drawn, f"mean error (median of {whose} runs)")
    log.errors("y", drawn)
    ends.errors("x", drawn, f"error after {plural(n_epochs, 'epoch')}", sweep.final[of].max() == np.inf)
    linear.epochs(near[-1], "epoch (linear)")
    log.logarithmic("x", "epoch (logarithmic)", (1, max(2, n_epochs)))
    for mode, own in typical.items():
        linear.plot(near, early[mode], **sweep.line(mode, own))
        log.plot(far, late[mode], **sweep.line(mode, own))
    laws = {mode: outcomes.law(sweep.error[:, own]) for mode, own in typical.items() if len(own)}
    labels = [sweep.label(mode, last(late[mode]), few_runs(own)) for mode, own in typical.items()]
    log.beside(labels + _slope(log, far, late, laws))
    ends.strips(strips)
    linear.above("an exponential is straight here")
    log.above("a power law is straight here")
    ends.above("each run; bar: median of those that converge")
    whose = " of the runs whose pair converges" if sweep.others and not sweep.none_converges else ""
    said = {mode: text for mode, law in laws.items() if (text := _law(*law))}
    text = (
        f"Law of convergence{whose}: {sweep.each([*said], said.get)}." if said else sweep.converged_counts()
    )
    return sheet, f"Learning rate {number(rate)}, {size} hidden units. {text}{sweep.left_out()}"


def end_of_runs(sweep: Sweep, mode: str, rows, told: str = "") -> Strip:
    """Their final errors, and the median of those that converge."""
    deep, (_, name, ink) = rows[sweep.converged[rows]], sweep.label(mode, 0, told)
    middle = 10.0 ** np.median(sweep.final[deep]) if len(deep) else np.nan
    return Strip(name + few_runs(deep), ink, sweep.style(mode), 10.0 ** sweep.final[rows], middle)


def _settled(curves, epochs) -> int:
    """Where the linear panel ends: at twice the epochs the deepest mode takes to its floor, or the last."""
    known = [np.log10(curve) for curve in curves.values() if np.isfinite(curve).any()]
    deepest = min(known, key=np.nanmin, default=np.zeros(1))
    late = np.flatnonzero(deepest > np.nanmin(deepest) + 0.5)
    end = 2 * int(epochs[late[-1]]) if len(late) else int(epochs[-1])
    digit = 10 ** (len(str(end)) - 1)
    return min(int(epochs[-1]), -(-end // digit) * digit)


def _slope(panel: Panel, epochs, curves, laws) -> list:
    """Above the slowest power law, a line of its slope, −1/s of the median run; gives the line's label."""
    power = {m: s[law == "power"] for m, (law, s) in laws.items() if len(law) >= FEWEST}
    slopes = {m: -1 / np.median(s) for m, s in power.items() if len(s) > len(laws[m][0]) / 2}
    if not slopes:
        return []
    mode = max(slopes, key=lambda mode: last(curves[mode]))
    late = (epochs >= epochs[-1] / 3) & np.isfinite(curves[mode])
    line = epochs[late] ** slopes[mode]
    line *= 10 * (curves[mode][late] / line).max()  # a decade above the curve
    panel.plot(epochs[late], line, color="black", lw=1)
    return [(line[-1], f"slope {number(slopes[mode], 2)}", "black")]


def _law(laws, exponents) -> str:
    names, counts = np.unique(laws[~np.isin(laws, ("none", "undecided"))], return_counts=True)
    if not len(names):
        return ""
    most = str(names[counts.argmax()])
    text = f"{LAWS.get(most, most)} in {counts.max()} of {plural(len(laws), 'run')}"
    return text + f", t^{number(-1 / np.median(exponents[laws == most]))} by the median" * (most == "power")
