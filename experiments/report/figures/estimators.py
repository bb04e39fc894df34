"""Pictures of one experiment each: the tutorial's tables, and the appendix. None for other sweeps."""

import numpy as np

from experiments.analysis.analysis import statistics as comparison
from experiments.analysis.statistics import FLOOR
from experiments.analysis.tutorial import ARMS, EPOCHS, PRINTED, SEARCHED, Claim
from experiments.report.figures import curves as courses
from experiments.report.figures import kinks as probes
from experiments.report.figures import outcomes as endings
from experiments.report.figures.curves import end_of_runs
from experiments.report.figures.sheet import Panel, Picture, Sheet, Strip, last, picture, span
from experiments.report.figures.styles import DIFFERENCES, parse, style_of
from experiments.report.figures.view import Sweep, few, few_runs
from experiments.wording import RAISED, decades, listed, number, percent, plural

# ---------------------------------------------------------------------------------------- 1 tutorial

STARTS = {  # gap of tutorial.claim: the mode that ends in it, its name
    "as_run": ("analytic continued", "as the tutorial ran it"),
    "start_numeric": ("numeric h=1e-4 continued", "numeric itself continued"),
    "gradient_fresh": ("analytic", "from equal starts"),
}
TABLES = {"numeric": ("numeric h=1e-4", "first"), "analytic": ("analytic", "second")}


@picture
def tutorial(claim: Claim | None):
    """Both printed tables by epoch; the same along one run, where the second is epochs 61 to 120; decades
    between the last rows of the two, over many seeds, for each way to start the second."""
    if claim is None or not len(gaps := claim.tables["tutorial_seeds"]):
        return None
    sheet, n = Sheet([[1, 1.7], [1]], [2.8, 0.9]), EPOCHS[-1]
    table, run, over_seeds = sheet.panels
    look = {mode: style_of(mode) for mode in ARMS}
    curves = {m: [row[arm] for row in claim.rows] for m, arm in ARMS.items() if arm in claim.rows[0]}
    limits = span(*PRINTED.values(), *curves.values())
    for panel, end in ((table, n + 8), (run, 2 * n + 2)):
        panel.logarithmic("y", "printed error" * (panel is table), limits)
        panel.set(xlim=(0, end), xticks=range(0, end + 1, 20))
    for mode, curve in reversed(curves.items()):
        later = n * mode.endswith("continued")
        x, y = [n, *np.add(EPOCHS, n)], [curves["numeric h=1e-4"][-1], *curve]
        run.plot(x if later else EPOCHS, y if later else curve, lw=1.5, **look[mode].line)
        run.beside([(curve[-1], f"{mode.split()[0]} from numeric's weights", look[mode].ink)] * bool(later))
    for name, errors in PRINTED.items():
        (mode, which), later = TABLES[name], n * (name == "analytic")
        for panel, shift in ((table, 0), (run, later)):
            panel.plot(np.add(EPOCHS, shift), errors, ls="", marker=look[mode].marker, color=look[mode].color)
        x, y, ha, va = (2, errors[-1], "left", "bottom") if later else (n + 6, errors[0], "right", "center")
        table.text(x, y, f"{which} table:\n{name}", color=look[mode].ink, ha=ha, va=va)
    run.axvline(n, color="#888888", lw=0.9, ls=":")
    table.set_xlabel("printed epoch")
    run.set_xlabel("epochs since the weights were drawn")
    table.above("as printed")
    run.above(f"what was run: table 2 is epochs {n + 1} to {2 * n} (seed {claim.seed})")
    starts = {name: start for name, start in STARTS.items() if name in gaps}
    medians = {name: comparison.median(gaps[name]) for name in starts}
    rows = [
        (words, look[mode].ink, look[mode], gaps[name].to_numpy()) for name, (mode, words) in starts.items()
    ]
    over_seeds.strips([Strip(*row, *median[:3]) for row, median in zip(rows, medians.values(), strict=True)])
    over_seeds.beside([(y, decades(median.value), "black") for y, median in enumerate(medians.values())])
    over_seeds.axvline(0, color="#444444", lw=1)
    over_seeds.set_xlabel("decades above numeric's table, last row")
    over_seeds.above(f"{plural(len(gaps), 'seed')} that converge; bar: median with its 95 % interval")
    said = [f"{decades(medians[name].value)} {words}" for name, (_, words) in starts.items()]
    caption = (
        f"Last row of table 2 over that of table 1, in decades: "
        f"{decades(np.log10(PRINTED['analytic'][-1] / PRINTED['numeric'][-1]))} as printed; "
        f"by the median of {plural(len(gaps), 'seed')} that were not picked {listed(said)}."
    )
    if "gradient_continued" in gaps:
        late = decades(np.median(gaps["gradient_continued"]))
        caption += f" From equal weights at epoch {n} analytic ends {late} above numeric, in the median seed."
    caption += f" At the top right: seed {claim.seed}, whose tables are nearest to the printed ones"
    return sheet, caption + (", found by a search." if claim.seed in SEARCHED else ".")


# ---------------------------------------------------------------------------------------- the step h

MANY_STEPS = 4


@picture
def step_size(sweep: Sweep):
    """Share of runs that converge, and their median final error, against the step h of difference modes; a
    line for each kind of mode, annealed ones as stars."""
    kinds = _steps(sweep, of := sweep.cell(*sweep.main_cell()))
    if max(map(len, kinds.values()), default=0) < MANY_STEPS:
        return None
    sheet = Sheet([[1, 1]], [3])
    often, deep = sheet.panels
    best, depths, labels, powers, hollow = [], [], {often: [], deep: []}, [], ""
    for kind, members in kinds.items():
        h, rows = np.array([h for h, _ in members]), [sweep.rows(mode, of) for _, mode in members]
        style, annealed = style_of(kind.replace(" annealed", " h=1e-4 decay=0.9")), "annealed" in kind
        share, low, high, *_ = np.transpose([comparison.share(sweep.converged[own]) for own in rows])
        depth = np.array([end_of_runs(sweep, sweep.reference, own).median for own in rows])
        much = share > 0.5  # where the median is of most runs
        look = style.line | {"marker": style.marker, "ms": 5, "zorder": 3}
        look |= {"ls": "", "ms": 10, "mec": "black", "zorder": 4} if annealed else {}
        aside = h * 1.12 ** len(depths)
        often.vlines(aside, low, high, color=style.color, lw=1)
        often.plot(aside, share, **look)
        deep.plot(h, depth, **look)
        deep.plot(h[~much], depth[~much], **look | {"ls": "", "mfc": "white"})
        if np.isfinite(depth[~much]).any():
            hollow = " (hollow: no more than half converge)"
        power, n = _power(h[much], depth[much])
        powers += [f"h{power} ({kind}, {n} h)"] * bool(power)
        labels[often].append((share[-1], kind, style.ink))
        labels[deep].append((last(depth), kind + f" ∝ h{power}" * bool(power), style.ink))
        best.append(f"{kind} {percent(share.max())} at h={number(h[share.argmax()])}")
        depths.append(depth)
    reference, steps = sweep.rows(sweep.reference, of), [h for members in kinds.values() for h, _ in members]
    if "h" not in parse(sweep.reference)[1] and len(reference):
        share, end = sweep.converged[reference].mean(), end_of_runs(sweep, sweep.reference, reference)
        for panel, at in ((often, share), (deep, end.median)):
            panel.axhline(at, lw=1.5, **end.style.line)
            labels[panel].append((at, end.name, end.ink))
        best.append(f"{end.name} {percent(share)}")
        depths.append([end.median])
    often.set(ylim=(0, 1.02), ylabel="share of runs that converge")
    deep.logarithmic("y", "final error, median of converged", span(*depths))
    for panel in sheet.panels:
        panel.logarithmic("x", "difference step h", (min(steps) / 2, max(steps) * 2))
        panel.beside(labels[panel])
    often.above("how often (95 % intervals)")
    deep.above(f"how deep{hollow}")
    caption = f"Share of runs that converge, where it is most: {listed(best)}."
    if powers:
        caption += f" Median final error grows as {listed(powers)}, fitted where more than half converge."
    return sheet, caption


def _steps(sweep: Sweep, of: np.ndarray | bool = True) -> dict[str, list]:
    """The difference modes of runs, (h, mode) by h, of each kind such as numeric or numeric annealed."""
    kinds = {}
    for mode in sweep.modes:
        family, arguments, variants = parse(mode)
        wanted = family in DIFFERENCES and "h" in arguments and set(variants) <= {"annealed"}
        if wanted and len(sweep.rows(mode, of)):
            kinds.setdefault(family + " annealed" * bool(variants), []).append((arguments["h"], mode))
    return {kind: sorted(members) for kind, members in kinds.items()}


def _power(h, depth) -> tuple[str, int]:
    """By least squares, which power of h depths above rounding follow, and of how many.

    "" for fewer than 3, and where the slopes from one h to the next differ: that is no power law.
    """
    of = depth > 10 * FLOOR
    x, y = np.log10(h[of]), np.log10(depth[of])
    if len(x) < 3 or np.ptp(np.diff(y) / np.diff(x)) > 0.5:
        return "", len(x)
    power = np.polyfit(x, y, 1)[0]
    return f"{power:.2f}".translate(RAISED).replace(".", "·"), len(x)


# ---------------------------------------------------------------------------------------- all modes


@picture
def all_modes(sweep: Sweep):
    """A row for each mode and learning rate: share of runs that converge, with its interval; final error of
    each run; error evaluations per step."""
    if len({parse(mode)[0] for mode in sweep.modes}) < 4 or "evaluations" not in sweep.runs:
        return None
    size, rates, best, labels = sweep.main_cell()[1], sweep.values("learning_rate"), {}, []
    rows = [(mode, rate, sweep.rows(mode, sweep.cell(rate, size))) for mode in sweep.modes for rate in rates]
    n_rows, rows = len(rows), few([row for row in rows if len(row[2])], 40)
    told = ", {}" if len(rates) > 1 else ""
    strips = [end_of_runs(sweep, mode, of, told.format(number(rate))) for mode, rate, of in rows]
    sheet = Sheet([[1, 2]], [0.26 * len(rows)], shared=True)
    often, deep = sheet.panels
    finals = np.concatenate([strip.values for strip in strips])
    deep.errors("x", finals, f"error after {plural(sweep.n_epochs, 'epoch')}", not np.isfinite(finals).all())
    deep.strips(strips)
    for y, (mode, rate, of) in enumerate(rows):
        style, share = sweep.style(mode), comparison.share(sweep.converged[of])
        often.hlines(y, share.low, share.high, color=style.color, lw=1.5)
        often.plot(share.value, y, marker=style.marker, color=style.color, ms=6)
        n_evaluations = np.median(sweep.column("evaluations")[of])
        labels.append((y, plural(n_evaluations, "evaluation"), style.ink))
        best[mode] = max(best.get(mode, (-1.0, 0.0)), (share.value, rate))
    often.named_rows([strip.name for strip in strips], [strip.ink for strip in strips])
    often.set(xlim=(-0.02, 1.02), xlabel="share that converges")
    deep.beside(labels)
    often.above("how often (95 % interval)")
    deep.above("how deep: each run; bar: median of those that converge")
    said = sweep.each([*best], lambda mode: percent(best[mode][0]) + told.format(number(best[mode][1])))
    where = ", at the learning rate where it is most" * bool(told)
    caption = f"Share of runs that converge{where}: {said}. At the right: error evaluations per step."
    return sheet, caption + f" Drawn: {len(rows)} of {n_rows} rows." * (len(rows) == 40)


# ---------------------------------------------------------------------------------------- cost


@picture
def cost(sweep: Sweep):
    """Median error of converged runs against error evaluations, both logarithmic, a line per mode; for three
    sizes of net or more also microseconds per step and run against the number of weights."""
    if len(sweep.modes) < 2 or not sweep.n_rows or "evaluations" not in sweep.runs:
        return None
    (usual, size), curves, labels, reached = sweep.main_cell(), [], [], []
    epochs, rates = sweep.few_epochs, sweep.values("learning_rate")
    for mode in sweep.shown:
        by_rate = {rate: sweep.rows(mode, sweep.converged & sweep.cell(rate, size)) for rate in rates}
        rate = usual if len(by_rate[usual]) else max(by_rate, key=lambda rate: len(by_rate[rate]))
        if len(rows := by_rate[rate]):
            work = epochs * sweep.n_rows * np.median(sweep.column("evaluations")[rows])
            error, own = sweep.quartiles(rows, epochs)[1], f", {number(rate)}" * (rate != usual)
            curves.append((work, error, sweep.line(mode, rows)))
            labels.append(sweep.label(mode, last(error), own + few_runs(rows)))
            below = work[error <= 1e-6]
            reached.append(f"{sweep.name(mode)}{own} {f'{below[0]:,.0f}' if len(below) else 'never'}")
    if not any((error <= 1e-6).any() for _, error, _ in curves):
        return None
    several_sizes = {"seconds", "n_params"} <= set(sweep.runs) and len(np.unique(_timed(sweep))) > 2
    sheet = Sheet([[1.4, 1] if several_sizes else [1]], [3.2], width=10 if several_sizes else 7)
    panel, end = sheet.panels[0], max(work[-1] for work, *_ in curves)
    for work, error, line in curves:
        panel.plot(work, error, **line)
        panel.hlines(last(error), work[-1], end, color=line["color"], lw=0.7, ls=":")  # to its name
    panel.errors("y", [error for _, error, _ in curves], "mean error (median of converged runs)")
    panel.logarithmic("x", "error evaluations", (min(work[0] for work, *_ in curves), end))
    panel.beside(labels)
    panel.above("what an error costs")
    own = ", or the one given" * any(", " in name for _, name, _ in labels)
    caption = (
        f"Error evaluations to a median of 10⁻⁶ over the converged runs, with {plural(size, 'hidden unit')} "
        f"at learning rate {number(usual)}{own}: {'; '.join(reached)}. Forward and backward pass of an "
        "analytic step count as one."
    )
    if several_sizes:
        caption += f" Microseconds per step and run, trained in stacks: {_seconds(sheet.panels[1], sweep)}."
    return sheet, caption


def _timed(sweep: Sweep) -> np.ndarray:
    """The numbers of weights of the runs whose seconds are known: not of those copied from other sweeps."""
    return sweep.column("n_params")[np.isfinite(sweep.column("seconds"))]


def _seconds(panel: Panel, sweep: Sweep) -> str:
    """Draws the median of each number of weights; gives the first and the last of each mode in words."""
    micro = 1e6 * sweep.column("seconds") / max(1, sweep.n_epochs) / sweep.n_rows
    n_params, labels, said = sweep.column("n_params"), [], {}
    for mode in sweep.shown:
        rows = sweep.rows(mode, micro > 0)
        sizes, style = np.unique(n_params[rows]), sweep.style(mode)
        times = [np.median(micro[rows][n_params[rows] == n]) for n in sizes]
        panel.plot(sizes, times, marker=style.marker, ms=4, **style.line)
        if times:
            labels.append(sweep.label(mode, times[-1]))
            ends = dict.fromkeys(f"{number(times[i], 2)} with {sizes[i]:,}" for i in (0, -1))
            said[mode] = f"{' to '.join(ends)} weights"
    panel.logarithmic("x", "number of weights")
    panel.logarithmic("y", "µs per step and run")
    panel.beside(labels)
    panel.above("what a step costs")
    return sweep.each([*said], said.get)


def every_picture(sweep: Sweep, claim: Claim | None = None) -> list[Picture]:
    """The pictures that the sweep has something to show in, in the order of the report."""
    fresh, families = sweep.fresh(), {parse(mode)[0] for mode in sweep.modes}
    main = endings.outcomes, courses.precision, courses.convergence, courses.tail, endings.pairs
    drawn = [tutorial(claim), *(draw(fresh) for draw in main)]
    if {"numeric", "hybrid"} <= families:  # are kinks the cause?
        drawn.append(probes.mechanism())
    if max(map(len, _steps(sweep).values()), default=0) >= MANY_STEPS:
        drawn.append(probes.gradient_error())
    drawn += [draw(fresh) for draw in (step_size, all_modes, cost)]
    return [picture for picture in drawn if picture is not None]
