"""Pictures 1 to 6 of the report: outcomes, precision, convergence, tail, pairs, tutorial. Sweep in, Picture out."""

import numpy as np

from experiments import comparison
from experiments import outcomes as outcome
from experiments.comparison import MARGINS, FLOOR
from experiments.figures import (
    GREY, SMALL, TAUS, Page, Picture, Style, Sweep, bands, decade, decades_axis, drawn, error_axis, few, inches, jitter,
    listed, marks, parse, percent, plural, power, raised, rate, sentence, span,
)  # fmt: skip

OUTCOME_COLORS = {  # from light to dark, so that the order holds in grey
    "converged": "#c9e5cb", "falling": "#fff2b8", "silent": "#8574a8", "stuck": "#c4afd6", "diverged": "#3d3d3d",
}  # fmt: skip
OUTCOME_WORDS = {
    "converged": f"converged (< {decade(np.log10(outcome.CONVERGED_BELOW))})",
    "falling": "still falling",
    "silent": "silent (answers 0)",
}
BAR = 0.3  # inches from one mode's bar to the next
EDGE = np.log10(outcome.CONVERGED_BELOW)


def main_pictures(sweep: Sweep) -> list[Picture]:
    """Those of pictures 2 to 6 that the sweep has data for, in the report's order."""
    pictures = [draw(sweep) for draw in (outcomes, precision, convergence, tail, pairs)]
    return [picture for picture in pictures if picture is not None]


# ------------------------------------------------------------------------------------------------ 2 outcomes


@drawn
def outcomes(sweep: Sweep) -> Picture:
    """Learning rate × hidden size, a stacked bar per mode, and how many pairs end otherwise than the reference."""
    rates, sizes = sweep.cells()
    modes, ends = sweep.shown, sweep.column("outcome")
    order = [name for name in ("converged", "falling", "stuck", "silent", "diverged") if (ends == name).any()]
    order += sorted(set(ends.tolist()) - set(order))
    single = len(sweep.others) == 1 and len(modes) == 2
    names = max(inches(sweep.name(mode), SMALL, "bold") for mode in modes)
    note = 0.0 if single or not sweep.others else 0.62
    panel = min(max(1.5, (9.0 - names) / len(rates) - note), 4.5)
    key = [
        (
            ("patch", OUTCOME_COLORS.get(name, "#000000"), "////" if name == "falling" else None),
            OUTCOME_WORDS.get(name, name),
        )
        for name in order
    ]
    page = Page(
        [panel] * len(rates), [BAR * len(modes)] * len(sizes), key, left=1.0 + names, right=0.15 + note,
        gap_x=0.12 + note, gap_y=0.48 if single else 0.2, bottom=0.35 if single else 0.15,
    )  # fmt: skip
    for row, size in zip(page.axes, sizes, strict=True):
        for ax, learning_rate in zip(row, rates, strict=True):
            of = sweep.cell(learning_rate, size)
            ax.set(xlim=(0, 1), ylim=(len(modes) - 0.5, -0.5))
            ax.axis("off")
            for y, mode in enumerate(modes):
                _bar(ax, y, ends[of & (sweep.column("mode") == mode)], order, panel)
                if ax is row[0]:
                    ax.text(-0.08 / panel, y, sweep.name(mode), ha="right", va="center", fontsize=SMALL,
                            color=sweep.style(mode).ink, weight="bold")  # fmt: skip
                if mode in sweep.others:
                    a, b = sweep.matched(mode, of)
                    flips, n = int((ends[a] != ends[b]).sum()), len(a)
                    _flips(ax, flips, n, y, panel, single)
    for ax, learning_rate in zip(page.axes[0], rates, strict=True):
        page.above(ax, [(f"learning rate {rate(learning_rate)}", "black")], size=10)
    for row, size in zip(page.axes, sizes, strict=True):
        box = row[0].get_position()
        page.text(
            0.12, (box.y0 + box.y1) / 2 * page.height, f"{size} hidden\nunit{'s' * (size != 1)}", va="center"
        )
    if note:
        box = page.axes[0][-1].get_position()
        page.text(page.width - 0.08, box.y1 * page.height + 0.08, "other\noutcome", fontsize=7.5, color=GREY, ha="right",
                  linespacing=0.95)  # fmt: skip
    caption = "".join([_ends_otherwise(sweep), _converged_counts(sweep)])
    alt = f"Stacked bars of outcomes for {len(rates)} × {len(sizes)} cells (learning rate × hidden units): {', '.join(order)}."
    return Picture("outcomes", page.figure, caption + sweep.left_out(), alt)


def _bar(ax, y, ends, order, panel):
    start = 0.0
    for name in order:
        count = int((ends == name).sum())
        if not count:
            continue
        width, color = count / len(ends), OUTCOME_COLORS.get(name, "#000000")
        hatch = {"hatch": "////", "edgecolor": "#d9c469"} if name == "falling" else {}
        ax.barh(y, width, 0.84, start, color=color, lw=0, **hatch)
        if start:
            ax.plot([start] * 2, [y - 0.42, y + 0.42], color="white", lw=min(1.2, 12 * width * panel))
        if width * panel > inches(str(count), SMALL) + 0.08:
            dark = name not in ("converged", "falling", "stuck")
            box = {"facecolor": color, "edgecolor": "none", "pad": 1.2} if hatch else None
            ax.text(start + width / 2, y, count, ha="center", va="center", fontsize=SMALL, bbox=box,
                    color="white" if dark else "#222222")  # fmt: skip
        start += width
    if not len(ends):
        ax.text(0.5, y, "no runs", ha="center", va="center", fontsize=SMALL, color=GREY)


def _flips(ax, flips, n, y, panel, below):
    style = {"fontsize": SMALL, "color": "black" if flips else GREY, "weight": "bold" if flips else "normal"}
    if below:
        text = f"other outcome in {flips} of {plural(n, 'pair')}"
        text = text if inches(text, SMALL, "bold") < panel else f"other in {flips} of {n}"
        ax.text(0.5, 1.76, text, ha="center", va="center", **style)
    else:
        ax.text(1 + 0.05 / panel, y, f"{flips} of {n}", va="center", **style | {"fontsize": 7.5})


def _ends_otherwise(sweep: Sweep) -> str:
    ends, said = sweep.column("outcome"), []
    for mode in sweep.others:
        a, b = sweep.matched(mode)
        estimate = comparison.other(ends[a], ends[b], sweep.column("seed")[a])
        count = f"{int((ends[a] != ends[b]).sum()):,} of {plural(estimate.n, 'pair')}"
        said.append(f"{sweep.name(mode)} in {count} ({percent(estimate.low)} to {percent(estimate.high)})")
    if not said:
        return ""
    head = f"Another outcome than {sweep.name(sweep.reference)}, with 95 % interval: "
    return f"{head}{listed(said)}. "


def _converged_counts(sweep: Sweep) -> str:
    mode = sweep.column("mode")
    counts = [
        f"{int(sweep.converged[mode == m].sum()):,} of {(mode == m).sum():,} {sweep.name(m)}"
        for m in sweep.shown
    ]
    return f"Converged: {listed(counts)}."


# ------------------------------------------------------------------------------------------------ 3 precision


@drawn
def precision(sweep: Sweep) -> Picture:
    """Share of all runs within τ over the epochs, for three τ, and within any τ at the end."""
    mode = sweep.column("mode")
    runs = {m: np.flatnonzero(mode == m) for m in sweep.shown}
    key = [(sweep.style(m), sweep.name(m)) for m in sweep.shown]
    key += [(None, f"coloured: when, by the median pair with {sweep.name(sweep.reference)}")] * bool(
        sweep.others
    )
    notes = 0.165 * max(1, len(sweep.others))
    page = Page(
        [1.95, 1.95, 1.95, 2.75], [2.7], key, left=0.75, right=0.3, top=0.3 + notes, gap_x=0.36, bottom=0.6
    )
    epochs = np.unique(np.linspace(0, sweep.n_epochs, 241).round().astype(int))
    for ax, tau in zip(page.axes[0], TAUS, strict=False):
        reached = outcome.epochs_to(sweep.error, tau)
        for m in sweep.shown:
            curve = comparison.reached_by(reached[runs[m]], sweep.n_epochs)
            style = sweep.style(m)
            ax.step(epochs, curve[epochs], where="post", color=style.color, ls=style.dash)
        later = [(f"{sweep.name(m)}: {_later(sweep, m, reached)}", sweep.style(m).ink) for m in sweep.others]
        page.above(ax, [(f"error ≤ {decade(np.log10(tau))}", "black"), *later])
        ax.set(xlim=(0, max(1, sweep.n_epochs)), ylim=(0, 1.01), xlabel="epochs")
        ax.set_xticks(sorted({0, sweep.n_epochs // 2, sweep.n_epochs}))
        ax.set_yticks(np.linspace(0, 1, 6), None if ax is page.axes[0][0] else [""] * 6)
    page.axes[0][0].set_ylabel("share of runs")
    ax = page.axes[0][3]
    for m in sweep.shown:
        style = sweep.style(m)
        depth = np.sort(sweep.final[runs[m]])
        depth = depth[np.isfinite(depth)]
        share = np.arange(1, len(depth) + 1) / max(1, len(runs[m]))
        # right to left: the share within τ falls as τ does; drawn from no precision at all to the deepest run
        ax.step([2, *depth[::-1], depth[0] if len(depth) else 2], [*share[::-1][:1], *share[::-1], 0], where="pre",
                color=style.color, ls=style.dash)  # fmt: skip
    deepest = np.log10(FLOOR) - 0.7
    ax.set(xlim=(0.5, deepest), ylim=(0, 1.01))
    ax.set_xticks(range(0, -33, -8), [decade(k) for k in range(0, -33, -8)])
    ax.set_yticks(np.linspace(0, 1, 6), [""] * 6)
    ax.set_xlabel(f"error at most … after {plural(sweep.n_epochs, 'epoch')}")
    page.above(ax, [("precision profile", "black"), ("", "black")])
    _squared_steps(page, ax, sweep)
    shares = [f"{sweep.name(m)} {_within(sweep, runs[m])}" for m in sweep.shown]
    caption = f"Share of all runs that end within {listed([decade(np.log10(t)) for t in TAUS])}: {'; '.join(shares)}."
    alt = (
        "Three panels: share of all runs whose error has come within 10⁻³, 10⁻⁹, 10⁻¹⁵ over the epochs; a fourth: "
        "share of runs within any error at the end. A line per mode."
    )
    return Picture("precision", page.figure, caption + sweep.left_out(), alt)


def _squared_steps(page: Page, ax, sweep: Sweep):
    """Mark h², the size of a difference mode's floor, where there are few h."""
    steps = {
        float(parse(m)[1]["h"])
        for m in sweep.shown
        if parse(m)[0] in ("numeric", "forward", "hybrid") and "h" in parse(m)[1]
    }
    if len(steps) <= 3:
        for h in steps:
            ax.axvline(2 * np.log10(h), color="#888888", lw=0.9, ls=":", zorder=1)
            text = "h²" if len(steps) == 1 else f"{power(f'{h:.0e}')}²"
            ax.annotate(text, (2 * np.log10(h), 1), (0, 3), xycoords=("data", "axes fraction"), textcoords="offset points",
                        ha="center", color=GREY, fontsize=SMALL)  # fmt: skip


def _within(sweep: Sweep, rows) -> str:
    error = sweep.column("final_error")[rows]
    return ", ".join(percent(s) for s in comparison.precision_profile(error, np.array(TAUS)))


def _later(sweep: Sweep, mode: str, reached) -> str:
    """How many epochs later than the reference, by the median pair."""
    a, b = sweep.matched(mode)
    later = comparison.epochs_difference(reached[a], reached[b], sweep.n_epochs, sweep.column("seed")[a])
    if not later.n:
        return "never"
    if np.isnan(later.value):
        return "median not reached"
    if later.value == 0:
        return "same epoch"
    return f"{plural(round(abs(later.value)), 'epoch')} {'later' if later.value > 0 else 'earlier'}"


# ------------------------------------------------------------------------------------------------ 4 convergence


@drawn
def convergence(sweep: Sweep) -> Picture:
    """Learning rate × hidden size: median error over the epochs, and the middle half, of pairs that both converge."""
    rates, sizes = sweep.cells()
    key = [(sweep.style(m), sweep.name(m)) for m in sweep.shown]
    banded = len(sweep.shown) <= 3
    key += (
        [(("patch", "#d9d9d9", None), f"middle half of the {'pairs' if sweep.others else 'runs'}")]
        if banded
        else []
    )
    width = min(max(1.35, 9.0 / len(rates) - 0.2), 5.5)
    height = min(max(1.15, 0.62 * width), 2.8)
    page = Page(
        [width] * len(rates),
        [height] * len(sizes),
        key,
        left=1.15,
        right=0.2,
        top=0.62,
        gap_x=0.2,
        gap_y=0.38,
    )
    n_points = int(
        np.clip(11000 / (len(rates) * len(sizes) * len(sweep.shown)) / (3 if banded else 1), 30, 200)
    )
    epochs = np.unique(np.linspace(0, sweep.n_epochs, n_points).round().astype(int))
    curves = {
        (s, r, m): bands(sweep, sweep.typical(m, sweep.cell(r, s)), epochs)
        for s in sizes
        for r in rates
        for m in sweep.shown
    }
    low, high = span(curves.values())
    for size, row in zip(sizes, page.axes, strict=True):
        for learning_rate, ax in zip(rates, row, strict=True):
            ax.axhline(EDGE, color="#999999", lw=0.8, ls=":", zorder=1)
            for m in sweep.shown:
                style, (below, middle, above) = sweep.style(m), curves[size, learning_rate, m]
                if banded:
                    ax.fill_between(epochs, below, above, color=style.color, alpha=0.2, lw=0)
                ax.plot(epochs, middle, color=style.color, ls=style.dash, lw=1.8)
            ax.set(xlim=(-0.03 * sweep.n_epochs, 1.03 * sweep.n_epochs), ylim=(low, high))
            error_axis(ax.yaxis, low, high, "mean error" if ax is row[0] else None)
            ax.set_xticks(sorted({0, sweep.n_epochs // 2, sweep.n_epochs}))
            if ax is not row[0]:
                ax.tick_params(labelleft=False)
            if row is not page.axes[-1]:
                ax.tick_params(labelbottom=False)
            else:
                ax.set_xlabel("epoch")
            page.above(ax, [(_n_typical(sweep, sweep.cell(learning_rate, size), width), "black")], start=0.06)
    for ax, learning_rate in zip(page.axes[0], rates, strict=True):
        box = ax.get_position()
        x, y = (box.x0 + box.x1) / 2 * page.width, box.y1 * page.height + 0.33
        page.text(x, y, f"learning rate {rate(learning_rate)}", ha="center", weight="bold")
    for row, size in zip(page.axes, sizes, strict=True):
        box = row[0].get_position()
        text = f"{size} hidden unit{'s' * (size != 1)}"
        page.text(0.16, (box.y0 + box.y1) / 2 * page.height, text, weight="bold", rotation=90, va="center", ha="center",
                  fontsize=min(10, 10 * height / inches(text, 10, "bold")))  # fmt: skip
    alt = (
        f"{len(rates)} × {len(sizes)} panels, learning rate by hidden units: mean error on a logarithmic axis over "
        f"{sweep.n_epochs} epochs, a line per mode{' with its middle half' if banded else ''}."
    )
    return Picture("convergence", page.figure, _deepest_difference(sweep) + sweep.left_out(), alt)


def _n_typical(sweep: Sweep, of, width: float) -> str:
    """How many pairs, or runs, stand behind a panel's lines."""
    if not of.any():
        return "no runs"
    if not sweep.others:
        n = int((of & sweep.converged).sum())
        text = f"{n} of {int(of.sum())} runs converge"
    elif sweep.none_converges:
        text = f"{plural(max(len(sweep.matched(m, of)[0]) for m in sweep.others), 'pair')}, none converges"
    else:
        counts = [len(sweep.both(m, of)[0]) for m in sweep.others]
        n = "–".join(str(k) for k in sorted({min(counts), max(counts)}))
        text = f"{n} of {max(len(sweep.matched(m, of)[0]) for m in sweep.others)} pairs converge"
    return text if inches(text, SMALL) < width + 0.1 else text.replace(" converge", "")


def _deepest_difference(sweep: Sweep) -> str:
    """The cell whose paired depths differ most, and how many cells do not differ."""
    if not sweep.others or sweep.none_converges:
        what = (
            "Median and middle half of all runs; none converges"
            if sweep.none_converges
            else "Median of converged runs"
        )
        return f"{what}. {_converged_counts(sweep)}"
    parts = []
    for mode in sweep.others:
        medians = {}
        for learning_rate in sweep.values("learning_rate"):
            for size in sweep.values("hidden_size"):
                a, b = sweep.both(mode, sweep.cell(learning_rate, size))
                if len(a):
                    medians[learning_rate, size] = (
                        comparison.median(sweep.final[a] - sweep.final[b]).value,
                        a,
                        b,
                    )
        if not medians:
            continue
        (learning_rate, size), (most, a, b) = max(medians.items(), key=lambda item: abs(item[1][0]))
        close = sum(abs(m) <= MARGINS.decades for m, _, _ in medians.values())
        ends = [raised(float(np.median(sweep.final[rows]))) for rows in (a, b)]
        where = f" at learning rate {rate(learning_rate)}, {size} hidden" if len(medians) > 1 else ""
        parts.append(
            f"{sweep.name(mode)} ends {abs(most):.1f} decades {'above' if most > 0 else 'below'} "
            f"{sweep.name(sweep.reference)} by the median pair{where} (median errors {ends[0]} and {ends[1]})"
            + (f", within {MARGINS.decades:g} in {close} of {len(medians)} cells" if len(medians) > 1 else "")
        )
    largest = (
        "Where the depths differ most, "
        if len(sweep.values("learning_rate")) * len(sweep.values("hidden_size")) > 1
        else ""
    )
    return sentence(f"{largest}{'; '.join(parts)}.")


# ------------------------------------------------------------------------------------------------ 5 tail


@drawn
def tail(sweep: Sweep, name: str = "tail") -> Picture:
    """One cell: an exponential is straight on the left, a power law in the middle; on the right where each run ends."""
    learning_rate, size = _cell_of_the_tail(sweep)
    of = sweep.cell(learning_rate, size)
    modes = [m for m in sweep.shown if (of & (sweep.column("mode") == m)).any()]
    names = [_broken(sweep.name(m)) for m in modes]
    beside = 0.25 + max(inches(sweep.name(m), 9.5) for m in modes)
    strip = max(1.9, sum(max(0.62, inches(name, 8) + 0.14) for name in names))
    wide = strip > 3.2  # too many modes for a third panel: it goes below
    under = 0.2 + 0.15 * max(name.count("\n") + 1 for name in names)
    if wide:
        page = Page([2.9, 3.2], [3.2, 2.3], left=0.85, right=beside, bottom=under, gap_y=1.0)
        linear, log, strips = *page.axes[0], page.widen(1, max(strip, 6.4))
    else:
        page = Page(
            [2.9, 3.2, strip], [3.2], left=0.85, gap_x=[0.3, beside + 0.65], top=0.5, bottom=max(0.6, under)
        )
        linear, log, strips = page.axes[0]
    end = max(1, sweep.n_epochs)
    far = np.unique(np.geomspace(1, end, 161).round().astype(int))
    late = {m: bands(sweep, sweep.typical(m, of), far)[1] for m in modes}
    settled = _settled(late, far)
    near = np.unique(np.linspace(0, settled, 201).round().astype(int))
    early = {m: bands(sweep, sweep.typical(m, of), near)[1] for m in modes}
    finals = [sweep.final[of & (sweep.column("mode") == m)] for m in modes]
    low, high = span([*late.values(), *early.values(), *finals])
    for m in modes:
        style = sweep.style(m)
        linear.plot(near, early[m], color=style.color, ls=style.dash)
        log.plot(np.log10(far), late[m], color=style.color, ls=style.dash)
    linear.set(xlim=(0, settled), xlabel="epoch (linear)")
    linear.set_xticks(sorted({0, settled // 2, settled}))
    log.set(xlim=(0, np.log10(end) if end > 1 else 1))
    decades_axis(log.xaxis, 0, log.get_xlim()[1], "epoch (logarithmic)")
    for ax in (linear, log, strips):
        ax.set_ylim(low, high)
        error_axis(ax.yaxis, low, high)
        if ax is not strips:
            ax.axhline(EDGE, color="#999999", lw=0.8, ls=":", zorder=1)
    kind = "all runs" if sweep.none_converges else "converging runs"
    linear.set_ylabel(f"mean error (median of {kind})")
    log.tick_params(labelleft=False)
    page.above(linear, [("an exponential is straight here", "black")], size=9.5)
    page.above(log, [("a power law is straight here", "black")], size=9.5)
    laws = {
        m: outcome.law(sweep.error[:, rows]) if len(rows := sweep.typical(m, of)) else None for m in modes
    }
    labels = [(_last(late[m]), sweep.name(m), sweep.style(m).ink) for m in modes]
    labels += [] if sweep.none_converges else _slope(log, far, late, laws)
    page.beside(log, labels)
    _strips(
        strips, [(sweep.style(m), n, f) for m, n, f in zip(modes, names, finals, strict=True)], (low, high)
    )
    strips.set_ylabel(f"error after {plural(sweep.n_epochs, 'epoch')}")
    words = ["each run; bar: median of", "those that converge"]
    page.above(strips, [(line, "black") for line in ([" ".join(words)] if wide else words)])
    said = [s for m in modes if laws[m] is not None and (s := _law_sentence(sweep.name(m), *laws[m]))]
    caption = f"Learning rate {rate(learning_rate)}, {size} hidden units. " + (
        f"Law of convergence: {'; '.join(said)}." if said else _converged_counts(sweep)
    )
    alt = (
        "Median error over the epochs, on a semi-logarithmic and on a double logarithmic panel, a line per mode; "
        "beside them the final error of every run."
    )
    return Picture(name, page.figure, caption + sweep.left_out(), alt)


def _cell_of_the_tail(sweep: Sweep) -> tuple[float, int]:
    """The tutorial's learning rate and size if they are there and converge, else the cell with most converged runs."""
    rates, sizes = sweep.values("learning_rate"), sweep.values("hidden_size")
    counts = {(r, s): int((sweep.cell(r, s) & sweep.converged).sum()) for s in sizes for r in rates}
    return (0.1, 4) if counts.get((0.1, 4)) else max(counts, key=counts.get)


def _settled(curves, epochs) -> int:
    """Where the linear panel ends: at twice the epochs that the deepest mode takes to its floor, or the last epoch."""
    floors = {m: np.nanmin(c) for m, c in curves.items() if np.isfinite(c).any()}
    above = np.flatnonzero(curves[min(floors, key=floors.get)] > min(floors.values()) + 0.5) if floors else []
    end = 2 * int(epochs[above[-1]]) if len(above) else int(epochs[-1])
    digit = 10 ** (len(str(max(1, end))) - 1)
    return min(int(epochs[-1]), -(-end // digit) * digit)


def _last(curve) -> float:
    finite = curve[np.isfinite(curve)]
    return float(finite[-1]) if finite.size else np.nan


def _slope(ax, epochs, curves, laws) -> list:
    """Above the slowest power law, a line of its slope, p = 1/s of the median run; gives the line's label."""
    exponents = {}
    for m, law in laws.items():
        if law is not None and 2 * (law[0] == "power").sum() > len(law[0]):
            exponents[m] = -1 / float(np.median(law[1][law[0] == "power"]))
    if not exponents:
        return []
    mode = max(exponents, key=lambda m: _last(curves[m]))
    p, x, curve = exponents[mode], np.log10(epochs), curves[mode]
    of = (x >= x[-1] - 0.5) & np.isfinite(curve)
    y = p * (x[of] - x[-1])
    y += (curve[of] - y).max() + 0.03 * np.ptp(ax.get_ylim())  # just above the curve
    ax.plot(x[of][[0, -1]], y[[0, -1]], color="black", lw=1)
    return [(y[-1], f"slope {p:.1f}".replace("-", "−"), "black")]


def _strips(ax, columns, limits):
    """Final errors of every run, a column per (style, name, log10 errors); diverged runs at the top."""
    for x, (style, _, final) in enumerate(columns):
        lost = ~np.isfinite(final)
        at = np.where(lost, limits[1], final)
        ax.set(xlim=(-0.6, len(columns) - 0.4), ylim=limits)
        marks(ax, x + 0.5 * jitter(len(at)), at, marker=style.marker, ms=3.4, mfc="none", mec=style.color, mew=0.7,
              clip_on=False)  # fmt: skip
        deep = final[final < EDGE]
        if len(deep):
            ax.hlines(np.median(deep), x - 0.36, x + 0.36, color=style.ink, lw=3, zorder=4)
    ax.set_xticks(range(len(columns)), [name for _, name, _ in columns], fontsize=8)
    ax.grid(axis="x", visible=False)


def _broken(name: str) -> str:
    """A name in lines short enough to stand under a column."""
    lines = [""]
    for word in name.split():
        lines = (
            [*lines[:-1], f"{lines[-1]} {word}".strip()] if len(lines[-1]) + len(word) < 9 else [*lines, word]
        )
    return "\n".join(line for line in lines if line)


def _law_sentence(name, laws, exponents) -> str:
    known = laws[~np.isin(laws, ("none", "undecided"))]
    if not len(known):
        return ""
    names, counts = np.unique(known, return_counts=True)
    most = str(names[counts.argmax()])
    words = {"power": "a power law", "exponential": "exponential", "flat": "flat", "mixed": "neither law"}
    p = f", t^−{1 / np.median(exponents[laws == 'power']):.1f} by the median" if most == "power" else ""
    return f"{name} {words[most]} in {counts.max()} of {plural(len(laws), 'run')}{p}"


# ------------------------------------------------------------------------------------------------ 6 pairs


AXIS_WORDS = {"learning_rate": "learning rate", "hidden_size": "hidden units"}
LEVEL_MARKS = [(marker, grey) for greys in (["#b0b0b0", "#909090", "#606060", "#202020"], ["#777777"] * 4)
               for marker, grey in zip("os^Dv<>p", greys, strict=False)]  # fmt: skip


@drawn
def pairs(sweep: Sweep) -> Picture | None:
    """Every mode against the reference: final errors of the pairs, flips marked; decades apart, with medians."""
    if not sweep.others:
        return None
    axis = "learning_rate" if len(sweep.values("learning_rate")) > 1 else "hidden_size"
    levels = list(zip(few(sweep.values(axis), len(LEVEL_MARKS)), LEVEL_MARKS, strict=False))
    key = [(("mark", mark, "none", grey, 5), f"{AXIS_WORDS[axis]} {rate(v)}") for v, (mark, grey) in levels]
    key, n, reference = key if len(levels) > 1 else [], len(sweep.others), sweep.name(sweep.reference)
    if n == 1:  # side by side
        page = Page([3.7, 3.0], [3.7], key, left=0.95, right=1.55, top=0.6, bottom=0.7, gap_x=0.95)
        scatters, beside = page.axes[0][:1], page.axes[0][1]
    else:  # the points above, three in a row; all medians in one panel below
        n_rows, n_columns = -(-n // 3), min(n, 3)
        pooled = n * len(levels) > 24
        tall = 0.36 * n * (1 if pooled else len(levels)) + 0.2
        page = Page([2.35] * n_columns, [2.35] * n_rows + [tall], key, left=0.95, right=0.2, top=0.6, bottom=0.5, gap_x=0.85,
                    gap_y=1.15)  # fmt: skip
        scatters = [ax for row in page.axes[:-1] for ax in row]
        for ax in scatters[n:]:
            ax.remove()
        beside = page.widen(-1, 1.0)
        left = 0.3 + max(inches(f"{sweep.name(m)}, 0.001", SMALL) for m in sweep.others)
        box = beside.get_position()
        beside.set_position((left / page.width, box.y0, 1 - (left + 1.7) / page.width, box.height))
        levels = [(None, LEVEL_MARKS[0])] if pooled else levels
    for ax, mode in zip(scatters, sweep.others, strict=False):
        _scatter(page, ax, sweep, mode, axis, levels)
    _decades(page, beside, sweep, axis, levels)
    sentences = " ".join([_pairs_that_converge(sweep)])
    return Picture(
        "pairs",
        page.figure,
        sentences + sweep.left_out(),
        f"For each mode a panel with its final errors against those of {reference}, a point per pair (points that cover "
        "each other drawn once), and the pairs marked of which one converges; and a panel with the decades between the "
        "two, with medians and 95 % intervals.",
    )


def _scatter(page: Page, ax, sweep: Sweep, mode: str, axis: str, levels):
    a, b = sweep.matched(mode)
    style, reference = sweep.style(mode), sweep.style(sweep.reference)
    shown = sweep.final[np.concatenate([a, b])]
    low, high = span([shown, [EDGE]])
    lost = ~np.isfinite(shown).all()
    limits = (low, high + 0.06 * (high - low) if lost else high)
    x, y = (np.where(np.isfinite(sweep.final[rows]), sweep.final[rows], limits[1]) for rows in (b, a))
    ax.set(xlim=limits, ylim=limits)
    for line in (ax.axhline, ax.axvline):
        line(EDGE, color="#999999", lw=0.8, ls=":", zorder=1)
    ax.plot(limits, limits, color="#444444", lw=1)
    level = sweep.column(axis)[a]
    for value, (marker, grey) in levels:
        of = np.full(len(a), value is None) | (level == value)
        marks(ax, x[of], y[of], marker=marker, ms=3.6, mfc="none", mec=grey, mew=0.7, clip_on=False)
    only_a, only_b = sweep.converged[a] & ~sweep.converged[b], sweep.converged[b] & ~sweep.converged[a]
    for only, marker, color in ((only_b, "^", reference.color), (only_a, "v", style.color)):
        ax.plot(
            x[only],
            y[only],
            ls="",
            marker=marker,
            ms=8,
            mfc=color,
            mec="black",
            mew=0.7,
            clip_on=False,
            zorder=5,
        )
    for direction, who in ((ax.xaxis, sweep.reference), (ax.yaxis, mode)):
        error_axis(direction, low, high, f"final error, {sweep.name(who)}")
        if lost:
            ticks = [t for t in direction.get_ticklocs() if t < high - 0.05 * (high - low)]
            direction.set_ticks([*ticks, limits[1]], [*(decade(t) for t in ticks), "∞"])
        direction.label.set_color(sweep.style(who).ink)
    box = ax.get_position()
    x0, y1 = box.x0 * page.width, box.y1 * page.height
    entries = (("^", reference, sweep.reference, only_b), ("v", style, mode, only_a))
    for i, (marker, s, who, only) in enumerate(entries):
        page.mark(x0 + 0.08, y1 + 0.36 - 0.19 * i, marker, s.color)
        page.text(x0 + 0.24, y1 + 0.36 - 0.19 * i, f"only {sweep.name(who)} converges: {int(only.sum())} of {len(a):,}",
                  fontsize=SMALL, va="center_baseline")  # fmt: skip


def _decades(page: Page, ax, sweep: Sweep, axis: str, levels):
    """The decades between the two of a pair: a row per mode and level, the median as a bar with its interval."""
    rows = [(mode, *level) for mode in reversed(sweep.others) for level in levels]
    apart = {mode: np.subtract(*(sweep.final[half] for half in sweep.both(mode))) for mode in sweep.others}
    everything = np.concatenate(list(apart.values()))
    low, high = min(-1.0, everything.min(initial=0)), max(1.0, everything.max(initial=0))
    ax.set(xlim=(low - 0.05 * (high - low), high + 0.05 * (high - low)), ylim=(-0.5, len(rows) - 0.5))
    ax.axvline(0, color="#444444", lw=1)
    texts, names = [], []
    for y, (mode, value, (marker, grey)) in enumerate(rows):
        a, _ = sweep.both(mode)
        here = np.full(len(a), value is None) | (sweep.column(axis)[a] == value)
        spread, color = y + 0.55 * jitter(int(here.sum())), sweep.style(mode).ink
        marks(ax, apart[mode][here], spread, marker=marker, ms=3.4, mfc="none", mec=grey, mew=0.7)
        estimate = comparison.median(apart[mode][here], None, sweep.column("seed")[a][here])
        texts.append((y, _interval(estimate, len(rows) > 8), "black"))
        names.append(
            sweep.name(mode) + (f", {rate(value)}" if len(levels) > 1 else "")
            if len(sweep.others) > 1
            else rate(value)
        )
        if estimate.n:
            ax.plot([estimate.value] * 2, [y - 0.36, y + 0.36], color=color, lw=3.2, zorder=4)
            if np.isfinite(estimate.low):
                ax.plot([estimate.low, estimate.high], [y, y], color=color, lw=2, zorder=4)
    page.beside(ax, texts, SMALL)
    ax.set_yticks(range(len(rows)), names, fontsize=SMALL)
    ax.grid(axis="y", visible=False)
    if len(sweep.others) == 1:
        ax.set_ylabel(AXIS_WORDS[axis])
        ax.set_xlabel(
            f"decades by which {sweep.name(sweep.others[0])} ends\nabove {sweep.name(sweep.reference)} (both converge)"
        )
    else:
        ax.set_xlabel(f"decades by which a mode ends above {sweep.name(sweep.reference)} (both converge)")
    page.above(ax, [("median and its 95 % interval", "black")], size=9.5)


def _interval(estimate, short: bool) -> str:
    if not estimate.n:
        return "no such pair"
    n = plural(estimate.n, "pair")
    if not np.isfinite(estimate.low):
        text = f"{estimate.value:.1f}; {n}: too\nfew for an interval"
    else:
        text = f"{estimate.value:.1f}  [{estimate.low:.1f}, {estimate.high:.1f}]\n{n}"
    return text.replace("-", "−").replace("\n", ", " if short else "\n")


def _pairs_that_converge(sweep: Sweep) -> str:
    said = []
    for mode in sweep.others:
        a, b = sweep.both(mode)
        text = f"{sweep.name(mode)} in {len(a):,} of {plural(len(sweep.matched(mode)[0]), 'pair')}"
        if len(a):
            apart = comparison.share(np.abs(sweep.final[a] - sweep.final[b]) > 1, sweep.column("seed")[a])
            text += f", of which {percent(apart.value)} [{percent(apart.low)}, {percent(apart.high)}] end over a decade apart"
        said.append(text)
    return f"Both converge, with {sweep.name(sweep.reference)}: {'; '.join(said)}."
