"""Pictures of one experiment each: the tutorial's tables, and the appendix. None for other sweeps."""

from dataclasses import replace

import numpy as np

from experiments import comparison
from experiments.comparison import FLOOR, lift
from experiments.figures import (
    GREY,
    SMALL,
    Page,
    Picture,
    Style,
    Sweep,
    decades_axis,
    drawn,
    error_axis,
    few,
    inches,
    infinity,
    last,
    listed,
    marks,
    name_of,
    parse,
    power_of_ten,
    span,
    style_of,
)  # fmt: skip
from experiments.pictures import decades, thin, with_count
from experiments.tutorial import EPOCHS, PRINTED, SEARCHED
from experiments.verdicts import RAISED, number, percent, plural

# ---------------------------------------------------------------------------------------- 1 tutorial


NUMERIC, CONTINUED = "numeric h=1e-4", "analytic continued"
ARMS = {  # mode: its name under a column, in a sentence
    CONTINUED: ("as run:\ncontinued", "as the tutorial ran it"),
    f"{NUMERIC} continued": ("numeric,\ncontinued", "numeric itself continued"),
    "analytic": ("equal\nstart", "from equal starts"),
}


@drawn
def tutorial(sweep: Sweep) -> Picture | None:
    """The tutorial's tables as printed; what was run; over seeds, what the start does and what the gradient.

    Needs runs numeric, analytic and analytic continued of the tutorial's net, with online errors.
    """
    n, of, seed = EPOCHS[-1], sweep.cell(0.1, 4), sweep.column("seed")
    run_of = {mode: {int(seed[row]): row for row in sweep.rows(mode, of)} for mode in (NUMERIC, *ARMS)}
    run_of = {mode: rows for mode, rows in run_of.items() if rows}
    if (
        sweep.online_error is None
        or len(sweep.online_error) < n
        or not {NUMERIC, CONTINUED, "analytic"} <= set(run_of)
    ):
        return None
    log, at = np.log10(lift(sweep.online_error)), np.array(EPOCHS) - 1
    printed = {mode: np.log10(values) for mode, values in PRINTED.items()}
    seeds = sorted(set.intersection(*map(set, run_of.values())))
    if not seeds:
        return None
    tables = {NUMERIC: printed["numeric"], CONTINUED: printed["analytic"]}
    off = {s: max(np.abs(log[at, run_of[m][s]] - t).max() for m, t in tables.items()) for s in seeds}
    alike = min(seeds, key=lambda s: (off[s], s))
    all_converge = (s for s in seeds if all(sweep.converged[rows[s]] for rows in run_of.values()))
    used = [s for s in all_converge if s not in SEARCHED]  # those were picked to look like the tables
    if not used:
        return None
    arms = [mode for mode in ARMS if mode in run_of]
    apart = {
        mode: np.array([log[n - 1, run_of[mode][s]] - log[n - 1, run_of[NUMERIC][s]] for s in used])
        for mode in arms
    }
    key = [(sweep.style(NUMERIC), "numeric"), (sweep.style("analytic"), "analytic, equal start")]
    key += [(sweep.style(m), f"{m.split()[0]} from numeric's weights") for m in arms if m != "analytic"]
    page = Page([2.2, 3.7, 1.15 * len(arms)], [3.3], key, bottom=0.75, gap_x=[0.25, 0.95])
    table, run, seeds_panel = page.axes[0]
    for mode in ("analytic", NUMERIC, *arms[:-1]):
        curve, later = log[:, run_of[mode][alike]], n * mode.endswith("continued")
        run.plot(np.arange(1, len(curve) + 1) + later, curve, lw=1.5, **sweep.style(mode).line)
    for mode, rows, later in ((NUMERIC, printed["numeric"], 0), ("analytic", printed["analytic"], n)):
        style, words = sweep.style(mode), f"{'second' if later else 'first'} table:\n{mode.split()[0]}"
        for ax, shift in ((table, 0), (run, later)):
            ax.plot(np.add(EPOCHS, shift), rows, ls="", marker=style.marker, color=style.color, ms=7)
        x, y, ha, va = (2, rows[-1], "left", "bottom") if later else (n + 6, rows[0], "right", "center")
        table.text(x, y, words, color=style.ink, ha=ha, va=va)
    run.axvline(n, color="#888888", lw=0.9, ls=":")
    low, high = span([*printed.values(), *(log[:, rows[alike]] for rows in run_of.values())])
    for ax, end in ((table, n + 8), (run, 2 * n + 4)):
        ax.set(xlim=(0, end), ylim=(low, high + 0.06 * (high - low)), xticks=range(0, end, 20))
        error_axis(ax.yaxis, low, high, "printed error" if ax is table else "")
    run.tick_params(labelleft=False)
    table.set_xlabel("printed epoch")
    run.set_xlabel("epochs since the weights were drawn")
    page.above(table, "as printed", size=9.5)
    page.above(run, f"what was run: table 2 is epochs {n + 1} to {2 * n} (seed {alike})")
    _over_seeds(page, seeds_panel, [(sweep.style(m), ARMS[m][0], apart[m]) for m in arms], len(used))
    said = [f"{decades(comparison.median(apart[m]).value)} {ARMS[m][1]}" for m in arms]
    rows = printed["analytic"], printed["numeric"]
    caption = (
        f"Last row of table 2 over that of table 1, in decades: "
        f"{decades(np.subtract(*rows)[-1])} as printed; "
        f"by the median of {plural(len(used), 'seed')} that were not picked {listed(said)}."
    )
    if (both := f"{NUMERIC} continued") in apart:
        late = decades(comparison.median(apart[CONTINUED] - apart[both]).value)
        caption += f" From equal weights at epoch {n} analytic ends {late} above numeric, in the median seed."
    caption += f" In the middle: seed {alike}, whose tables are nearest to the printed ones"
    caption += ", found by a search." if alike in SEARCHED else "."
    alt = (
        f"Both printed tables by epoch, down to {power_of_ten(rows[1][-1])} and {power_of_ten(rows[0][-1])}; "
        f"the same along one run; decades between the tables over {plural(len(used), 'seed')} for "
        f"{plural(len(arms), 'start')}."
    )
    return Picture("tutorial", page.figure, caption, alt)


def _over_seeds(page: Page, ax, columns, n_seeds: int):
    """Decades of many seeds, a column per (style, name, values), the median as a bar with its value."""
    ends = np.concatenate([[-1.0, 1.0], *(values for *_, values in columns)])
    ax.set(
        xlim=(-0.6, len(columns) - 0.4),
        ylim=(ends.min() - 0.05 * np.ptp(ends), ends.max() + 0.14 * np.ptp(ends)),
    )
    ax.axhline(0, color="#444444", lw=1)
    for x, (style, _, values) in enumerate(columns):
        marks(ax, np.full(len(values), x), values, style, 3.2, spread=0.5)
        if len(values):
            middle, top = comparison.median(values).value, ax.get_ylim()[1]
            ax.hlines(middle, x - 0.36, x + 0.36, color=style.ink, lw=3, zorder=4)
            ax.text(x, top, decades(middle), ha="center", va="top", weight="bold", color=style.ink)
    ax.set_xticks(range(len(columns)), [name for _, name, _ in columns], fontsize=9)
    ax.grid(axis="x", visible=False)
    ax.set_ylabel("decades above table 1, last row")
    page.above(ax, f"{plural(n_seeds, 'seed')} that converge", size=9.5)


# ---------------------------------------------------------------------------------------- the step h


@drawn
def step_size(sweep: Sweep) -> Picture | None:
    """Share converged, and median depth of what converged, against the step h; annealed ones marked."""
    of, kinds = sweep.cell(*sweep.main_cell()), _steps(sweep)
    if max((len(members) for members in kinds.values()), default=0) < MANY_STEPS:
        return None
    kinds = {kind: [(h, sweep.rows(mode, of)) for h, mode in members] for kind, members in kinds.items()}
    styles = {kind: style_of(kind.replace(" annealed", " h=1e-4 decay=0.9")) for kind in kinds}
    key, reference = [(styles[kind], kind) for kind in kinds], sweep.rows(sweep.reference, of)
    plain = "h" not in parse(sweep.reference)[1] and len(reference) > 0
    page = Page([4.0, 4.0], [3.2], key + sweep.key([sweep.reference] * plain), right=0.8, gap_x=0.95)
    often, deep = page.axes[0]
    best, points, labels, powers, hollow = [], [], [], [], False
    for kind, members in kinds.items():
        h, style, annealed = np.log10([h for h, _ in members]), styles[kind], "annealed" in kind
        shares = [comparison.share(sweep.converged[rows]) for _, rows in members]
        depths = np.array([_median_depth(sweep, rows) for _, rows in members])
        look = {
            "marker": style.marker,
            "ms": 10 if annealed else 5,
            "mec": "black" if annealed else style.color,
        }
        look |= style.line | {"ls": "" if annealed else style.dash, "zorder": 3 + annealed}
        aside = h + 0.05 * len(points)
        often.vlines(aside, [s.low for s in shares], [s.high for s in shares], color=style.color, lw=1)
        often.plot(aside, [s.value for s in shares], **look)
        deep.plot(h, depths, **look)
        points.append(depths)
        most = int(np.argmax([s.value for s in shares]))
        best.append(f"{kind} {percent(shares[most].value)} at h={number(members[most][0])}")
        much = np.array([share.value > 0.5 for share in shares])  # where the median is of most runs
        hollow |= bool(np.isfinite(depths[~much]).any())
        deep.plot(h[~much], depths[~much], **look | {"ls": "", "mfc": "white"})
        p, n = _power(h[much], depths[much])
        if p:
            labels.append((last(depths), f"∝ h{p}", style.ink))
            powers.append(f"h{p} ({kind}, {n} h)")
    if plain:
        share, line = sweep.converged[reference].mean(), sweep.style(sweep.reference).line | {"lw": 1.5}
        points.append(_median_depth(sweep, reference))
        often.axhline(share, **line)
        deep.axhline(points[-1], **line)
        best.append(f"{sweep.name(sweep.reference)} {percent(share)}")
    steps, limits = np.log10([h for members in kinds.values() for h, _ in members]), span(points)
    for ax in (often, deep):
        ax.set_xlim(steps.min() - 0.3, steps.max() + 0.3)
        error_axis(ax.xaxis, *ax.get_xlim(), "difference step h")
    often.set(ylim=(0, 1.02), ylabel="share of runs that converge")
    deep.set_ylim(*limits)
    error_axis(deep.yaxis, *limits, "final error, median of converged")
    page.beside(deep, labels)
    page.above(often, "how often (95 % intervals)", size=9.5)
    page.above(deep, "how deep" + " (hollow: no more than half converge)" * hollow, size=9.5)
    caption = f"Share of runs that converge, where it is most: {listed(best)}."
    if powers:
        caption += f" Median final error grows as {listed(powers)}, fitted where more than half converge."
    alt = (
        f"Share of runs that converge, and their median final error, against {plural(len(steps), 'step')} h "
        f"from {number(10 ** steps.min(), 2)} to {number(10 ** steps.max(), 2)}; a line for each of "
        f"{plural(len(kinds), 'kind')} of mode; the deepest median is "
        f"{power_of_ten(np.nanmin(np.hstack(points)))}."
    )
    return Picture("step_size", page.figure, caption, alt)


MANY_STEPS = 4


def _steps(sweep: Sweep) -> dict[str, list]:
    """The difference modes of a sweep, (h, mode) by h, of each kind such as numeric or numeric annealed."""
    kinds = {}
    for mode in sweep.modes:
        family, arguments, variants = parse(mode)
        if family in ("numeric", "forward", "hybrid") and "h" in arguments and set(variants) <= {"annealed"}:
            kinds.setdefault(family + " annealed" * bool(variants), []).append((arguments["h"], mode))
    return {kind: sorted(members) for kind, members in kinds.items()}


def _median_depth(sweep: Sweep, rows) -> float:
    rows = rows[sweep.converged[rows]]
    return float(np.median(sweep.final[rows])) if len(rows) else np.nan


def _power(h, depth) -> tuple[str, int]:
    """By least squares, which power of h depths above rounding follow, "" for fewer than 3; their number."""
    of = depth > np.log10(FLOOR) + 1
    if of.sum() < 3:
        return "", int(of.sum())
    return f"{np.polyfit(h[of], depth[of], 1)[0]:.1f}".translate(RAISED).replace(".", "·"), int(of.sum())


# ---------------------------------------------------------------------------------------- all modes


@drawn
def all_modes(sweep: Sweep) -> Picture | None:
    """A row per mode and learning rate: how often it converges, how deep, at how many evaluations a step."""
    if len({parse(mode)[0] for mode in sweep.modes}) < 4 or "evaluations" not in sweep.runs:
        return None
    size, rates = sweep.main_cell()[1], sweep.values("learning_rate")
    rows = [(m, r, sweep.rows(m, sweep.cell(r, size))) for m in sweep.modes for r in rates]
    n_rows, rows = len(rows), few([row for row in rows if len(row[2])], 40)
    names = [sweep.name(m) + f", {number(r)}" * (len(rates) > 1) for m, r, _ in rows]
    left = 0.25 + max(inches(name, SMALL) for name in names)
    page = Page([2.4, 4.2], [0.3 * len(rows) + 0.1], left=left, right=1.1)
    often, deep = page.axes[0]
    limits, best = span([sweep.final[of] for *_, of in rows]), {}
    for ax, x in ((often, (-0.02, 1.02)), (deep, limits)):
        ax.set(xlim=x, ylim=(len(rows) - 0.5, -0.5))
        ax.set_yticks(range(len(rows)), names if ax is often else [""] * len(rows), fontsize=SMALL)
        ax.grid(axis="y", visible=False)
    error_axis(deep.xaxis, *limits, f"error after {plural(sweep.n_epochs, 'epoch')}")
    labels, shares = [], [sweep.converged[of].mean() for *_, of in rows]
    for y, (mode, learning_rate, of) in enumerate(rows):
        style, share = sweep.style(mode), comparison.share(sweep.converged[of])
        often.hlines(y, share.low, share.high, color=style.color, lw=1.5)
        often.plot(share.value, y, marker=style.marker, color=style.color, ms=6)
        marks(deep, sweep.final[of], np.full(len(of), y), style, 2.8, spread=0.55, across="y")
        deep.plot([_median_depth(sweep, of)] * 2, [y - 0.38, y + 0.38], color=style.ink, lw=3, zorder=4)
        labels.append((y, f"{np.median(sweep.column('evaluations')[of]):,.0f}", style.ink))
        best[mode] = max(best.get(mode, (-1.0, 0.0)), (share.value, learning_rate))
    if not np.isfinite(np.concatenate([sweep.final[of] for *_, of in rows])).all():
        infinity(deep.xaxis, limits[1])
    often.set_xlabel("share that converges")
    page.beside(deep, labels, SMALL)
    page.above(often, "how often (95 % interval)")
    page.above(deep, "how deep: each run; bar: median of those that converge")
    page.text(
        page.width - 0.96, page.top - 0.22, "evaluations\nper step", fontsize=7.5, color=GREY, va="center"
    )
    said = [
        f"{sweep.name(m)} {percent(s)}" + f" ({number(r)})" * (len(rates) > 1) for m, (s, r) in best.items()
    ]
    where = ", at the learning rate where it is most" * (len(rates) > 1)
    caption = f"Share of runs that converge{where}: {listed(said)}."
    caption += f" Drawn: {len(rows)} of {n_rows} rows." if len(rows) == 40 else ""
    alt = (
        f"{plural(len(rows), 'row')}, one per mode and learning rate: share of runs that converge, from "
        f"{percent(min(shares))} to {percent(max(shares))}; final error of each of "
        f"{plural(sum(len(of) for *_, of in rows), 'run')}."
    )
    return Picture("all_modes", page.figure, caption, alt)


# ---------------------------------------------------------------------------------------- cost


@drawn
def cost(sweep: Sweep) -> Picture | None:
    """Median error against error evaluations, each mode at the main learning rate, or else its best.

    Beside it, for a sweep over three sizes of net or more, seconds per step against the size.
    """
    if (
        len(sweep.modes) < 2
        or not sweep.n_rows
        or "evaluations" not in sweep.runs
        or not sweep.converged.any()
    ):
        return None
    (usual, size), curves, reached, names, looks = sweep.main_cell(), {}, [], {}, {}
    epochs = np.unique(np.geomspace(1, max(1, sweep.n_epochs), 121).round().astype(int)).clip(
        max=sweep.n_epochs
    )
    for mode in few(sweep.modes, 14):
        by_rate = {
            r: sweep.rows(mode, sweep.converged & sweep.cell(r, size)) for r in sweep.values("learning_rate")
        }
        rate = usual if len(by_rate[usual]) else max(by_rate, key=lambda r: len(by_rate[r]))
        if len(rows := by_rate[rate]):
            names[mode] = with_count(sweep, mode, rows) + f" ({number(rate)})" * (rate != usual)
            looks[mode] = sweep.style(mode).line | thin(rows)
            work = epochs * sweep.n_rows * np.median(sweep.column("evaluations")[rows])
            error = np.median(np.log10(lift(sweep.error[np.ix_(epochs, rows)])), axis=1)
            curves[mode] = np.log10(np.maximum(work, 1)), error
            below = work[error <= -6]
            reached.append(f"{names[mode]} {f'{below[0]:,.0f}' if len(below) else 'never'}")
    if not any((error <= -6).any() for _, error in curves.values()):
        return None
    beside, seconds = 0.3 + max(inches(name, 9.5) for name in names.values()), _seconds_per_step(sweep)
    page = Page([4.6, 3.4] if seconds else [4.6], [3.4], right=beside, gap_x=beside + 0.75)
    ax, limits = page.axes[0][0], span([error for _, error in curves.values()])
    left, end = min(x[0] for x, _ in curves.values()), max(x[-1] for x, _ in curves.values())
    for mode, (x, error) in curves.items():
        ax.plot(x, error, **looks[mode])
        ax.hlines(last(error), x[-1], end, color=sweep.style(mode).color, lw=0.7, ls=":")  # to its name
    ax.set(xlim=(left, end), ylim=limits)
    decades_axis(ax.xaxis, *ax.get_xlim(), "error evaluations")
    error_axis(ax.yaxis, *limits, "mean error (median of converged runs)")
    page.beside(ax, [(last(error), names[m], sweep.style(m).ink) for m, (_, error) in curves.items()])
    page.above(ax, "what an error costs", size=9.5)
    caption = (
        f"Error evaluations to a median of {power_of_ten(-6)} over the converged runs, with "
        f"{plural(size, 'hidden unit')} at learning rate {number(usual)}, or the one given: "
        f"{listed(reached)}. Forward and backward pass of an analytic step count as one."
    )
    if "(" not in "".join(names.values()):
        caption = caption.replace(", or the one given", "")
    ends = [last(error) for _, error in curves.values()]
    alt = (
        f"Median error against error evaluations, both logarithmic, {plural(len(ends), 'line')}, one per "
        f"mode, ending between {power_of_ten(min(ends))} and {power_of_ten(max(ends))}"
    )
    if seconds:
        said = _seconds(page, page.axes[0][1], sweep, seconds)
        caption += f" Microseconds per step and run, trained in stacks: {listed(said)}."
        alt += f"; microseconds per step against the size of the net: {listed(said)}"
    return Picture("cost", page.figure, caption, alt + ".")


def _seconds_per_step(sweep: Sweep) -> dict[str, list]:
    """Of each mode (size, log10 of median µs per step) by size, if there are three sizes or more."""
    if "seconds" not in sweep.runs or len(sizes := sweep.values(_size(sweep))) < 3:
        return {}
    micro = 1e6 * sweep.column("seconds").astype(float) / max(1, sweep.n_epochs) / sweep.n_rows
    found = {}
    for mode in few(sweep.modes, 14):
        of = {n: sweep.rows(mode, (sweep.column(_size(sweep)) == n) & (micro > 0)) for n in sizes}
        found[mode] = [(n, np.log10(np.median(micro[rows]))) for n, rows in of.items() if len(rows)]
    return {mode: points for mode, points in found.items() if points}


def _size(sweep: Sweep) -> str:
    return "n_params" if "n_params" in sweep.runs else "hidden_size"


def _seconds(page: Page, ax, sweep: Sweep, seconds) -> list[str]:
    """Draws them; gives of each mode the first and the last in words."""
    labels, said = [], []
    for mode, points in seconds.items():
        (n, time), style = np.transpose(points), sweep.style(mode)
        ax.plot(np.log10(n), time, marker=style.marker, ms=4, **style.line)
        labels.append((time[-1], sweep.name(mode), style.ink))
        first, most = (number(10**t, 2) for t in time[[0, -1]])
        said.append(f"{sweep.name(mode)} {first} with {n[0]:,.0f} to {most} with {n[-1]:,.0f}")
    sizes = few(sorted({n for points in seconds.values() for n, _ in points}), 6)
    ax.set_xticks(np.log10(sizes), sizes)
    ax.set_xlabel({"n_params": "number of weights", "hidden_size": "hidden units"}[_size(sweep)])
    decades_axis(ax.yaxis, *ax.get_ylim(), "µs per step and run")
    page.beside(ax, labels)
    page.above(ax, "what a step costs", size=9.5)
    return said


# ---------------------------------------------------------------------------------------- at a kink


@drawn
def mechanism(h: float, seed: int, epochs, z, error, n_nets=1, n_units=1, n_creeping=1) -> Picture:
    """Beside a kink: the two slopes; a unit that creeps from 0 to −h; its speed, squared, is the error.

    epochs (n,); z: mode -> (n,), pre-activation of one unit on a row of target 0; error: mode -> (n,), mean
    error. Of n_units units in n_nets nets n_creeping creep. The first mode is the reference, the second a
    central difference of step h. The slopes are of (V relu(z))², and for |z| < h its central difference
    V²(z + h)²/2h, in units of V²h.
    """
    reference, numeric = z
    styles = {mode: style_of(mode, list(z)) for mode in z}
    page = Page([2.7, 2.9, 2.9], [3.0], [(styles[m], name_of(m, list(z))) for m in z], left=0.7, gap_x=0.85)
    (slope, creep, fall), names = page.axes[0], [name_of(mode, list(z)) for mode in z]
    u = np.linspace(-2, 2, 201)
    slope.plot(u, np.maximum(2 * u, 0), **styles[reference].line)
    slope.plot(u, np.where(np.abs(u) < 1, (u + 1) ** 2 / 2, np.maximum(2 * u, 0)), **styles[numeric].line)
    slope.set(xlim=(-2, 2), ylim=(-0.2, 4), xlabel="pre-activation z / h")
    slope.set_ylabel("slope of the error along z (in V²h)")
    slope.text(-1.9, 1.2, f"{names[1]} still pushes\nhere, down to −h", color=styles[numeric].ink, fontsize=9)
    slope.annotate(
        "", (-0.5, 0.16), (-1.0, 1.15), arrowprops={"arrowstyle": "-", "color": styles[numeric].ink}
    )
    slope.text(0.45, 0.2, f"{names[0]}\nstops at 0", color=styles[reference].ink, fontsize=9)
    away = np.flatnonzero(np.abs(z[numeric]) > 1.2 * h)
    kept = slice(int(away[-1]) + 1 if len(away) and away[-1] + 2 < len(epochs) else 0, None)
    x = np.log10(np.maximum(epochs, 1))[kept]
    for mode in z:
        creep.plot(x, np.divide(z[mode], h)[kept], **styles[mode].line)
    creep.axhline(-1, color="#888888", lw=0.9, ls=":")
    creep.set(xlim=(x[0], x[-1]), ylim=(-1.3, 0.6), ylabel="z / h of one unit on a row of target 0")
    distance = 1 + np.divide(z[numeric], h)[kept]
    distance = np.log10(np.where(distance > 1e-12, distance, np.nan))  # NaN: beyond −h
    size = np.log10(np.maximum(np.divide(error[numeric], h**2), 1e-300))[kept]
    late = x >= x[-1] - 0.6 * (x[-1] - x[0])
    fall.plot(x, distance, **styles[numeric].line)
    fall.plot(x, size, color=styles[numeric].ink, lw=1.2)
    for curve, power in ((distance, -1), (size, -4)):
        line = power * (x[late] - x[-1])
        fall.plot(x[late], line + np.nanmax(curve[late] - line) + 0.3, color="black", lw=1)
    limits = span([distance, size], 0.1)
    fall.set(xlim=(x[0], x[-1]), ylim=limits)
    error_axis(fall.yaxis, *limits, "1 + z/h (dashed), error/h² (thin)")
    for ax in (creep, fall):
        decades_axis(ax.xaxis, x[0], x[-1], "epoch")
    page.above(slope, "beside a kink the slopes differ")
    page.above(creep, f"so the unit creeps from 0 to −h (seed {seed})")
    page.above(fall, "as t⁻¹, and the error as t⁻⁴ (black)")
    caption = (
        "For |z| < h the central difference still pushes, so the unit creeps to −h: after "
        f"{plural(int(epochs[-1]), 'epoch')} 1 + z/h is {number(10 ** last(distance), 2)} and the error "
        f"{number(error[numeric][-1], 2)}; the reference stops at the kink. Of {plural(n_units, 'unit')} in "
        f"{plural(n_nets, 'net')} {n_creeping} creep{'s' * (n_creeping == 1)} to within 10 % of −h; drawn "
        "is the clearest."
    )
    alt = (
        "Slope of the error beside a kink; pre-activation of a unit over "
        f"{plural(int(epochs[-1]), 'epoch')}; its distance from −h falls to "
        f"{number(10 ** last(distance), 2)} h."
    )
    return Picture("mechanism", page.figure, caption, alt)


# ---------------------------------------------------------------------------------------- gradient error

PLACES = {
    "smooth": "smooth: logistic units",
    "relu": "relu, no kink within h",
    "kink": "relu, a kink at 0 (solid) or away",
}


@drawn
def gradient_error(table) -> Picture:
    """Relative error of difference gradients against h, with theory: rounding eps/h, truncation h and h².

    table: columns place ("smooth", "relu", "kink"), mode, h, distance (of the kink, for "kink"), error.
    """
    place, mode, distance = (np.asarray(table[name]) for name in ("place", "mode", "distance"))
    x, y = np.log10(np.asarray(table["h"])), np.log10(np.maximum(table["error"], 1e-17))
    modes = list(dict.fromkeys(mode.tolist()))
    key = [
        *((style_of(m, modes), name_of(m, modes)) for m in modes),
        (Style("#444444", "solid", ""), "theory: eps/h, h, h²"),
    ]
    page, limits = Page([2.9] * 3, [3.2], key, gap_x=0.25), span([y])
    for ax, (where, title) in zip(page.axes[0], PLACES.items(), strict=True):
        for family, power, at in (("numeric", -1, x.min()), ("forward", 1, -3.0), ("numeric", 2, -1.5)):
            of = np.flatnonzero((place == where) & np.char.startswith(mode.astype(str), family))
            if len(of) and (where == "smooth" or (where == "relu" and power < 2)):
                near = of[np.abs(x[of] - at).argmin()]  # through the measurement where the term rules
                ends = np.array([x.min(), x.max()])
                ax.plot(ends, y[near] + power * (ends - x[near]), color="#444444", lw=0.9, zorder=1.5)
        for m in modes:
            of = (place == where) & (mode == m)
            for d in np.unique(distance[of]) if where == "kink" else [None]:
                if d and not m.startswith("numeric"):  # one family shows where the jump is
                    continue
                line = np.flatnonzero(of if d is None else of & (distance == d))
                line, style = line[np.argsort(x[line])], style_of(m, modes)
                ax.plot(x[line], y[line], **style.line | ({"ls": "solid"} if d == 0 else {}))
                if d:
                    ax.text(np.log10(d) + 0.7, -4, number(d), color=style.ink, fontsize=SMALL, va="center")
        ax.set(xlim=(x.min(), x.max()), ylim=limits)
        error_axis(ax.xaxis, x.min(), x.max(), "step h")
        error_axis(ax.yaxis, *limits, "gradient error / gradient" * (where == "smooth"))
        ax.tick_params(labelleft=where == "smooth")
        page.above(ax, title)
    smooth = {m: np.flatnonzero((place == "smooth") & (mode == m)) for m in modes}
    least = {m: of[y[of].argmin()] for m, of in smooth.items() if len(of)}
    said = [f"{name_of(m, modes)} {power_of_ten(y[i])} at h={power_of_ten(x[i])}" for m, i in least.items()]
    caption = f"Smallest relative error for smooth units: {listed(said)}"
    at_kink = (place == "kink") & (distance == 0) & np.char.startswith(mode.astype(str), "numeric")
    if at_kink.any():
        caption += f"; at a kink numeric is wrong by {number(10 ** np.median(y[at_kink]), 2)}, whatever h"
    alt = (
        f"Relative gradient error of {plural(len(modes), 'mode')} against the step h from "
        f"{power_of_ten(x.min())} to {power_of_ten(x.max())}: smooth units, relu away from kinks, "
        "relu beside one."
    )
    return Picture("gradient_error", page.figure, caption + ".", alt)


def explain_kink(sweep: Sweep) -> Picture | None:
    """mechanism, for a sweep that asks whether kinks are the cause: one with numeric and hybrid."""
    from experiments import probes

    asked = {"numeric", "hybrid"} <= {parse(mode)[0] for mode in sweep.modes}
    return _computed(mechanism(**probes.creeping_unit())) if asked else None


def explain_steps(sweep: Sweep) -> Picture | None:
    """gradient_error, for a sweep over steps."""
    from experiments import probes

    most = max(map(len, _steps(sweep).values()), default=0)
    return _computed(gradient_error(probes.gradient_errors())) if most >= MANY_STEPS else None


def _computed(picture: Picture) -> Picture:
    return replace(picture, caption=f"{picture.caption} Computed beside the sweep, on nets of 3-4-1.")


OF_A_SWEEP = (explain_kink, explain_steps, step_size, all_modes, cost)
