"""Gradient estimators side by side: what the step h does, how often and how deep modes end, at what cost."""

from collections.abc import Mapping

import numpy as np

from experiments.analysis import Analysis, few
from experiments.modes import parse
from experiments.report.figures.curves import few_runs, label, line, main_cell, style
from experiments.report.figures.panel import Panel, span
from experiments.report.figures.sheet import Sheet, picture
from experiments.report.figures.styles import Style, style_of
from experiments.report.figures.tail import end_of_runs
from experiments.wording import RAISED, number, plural

MOST_ROWS = 40
ASIDE = 1.12  # of h, from kind to kind, so that intervals don't hide each other
MANY_FAMILIES = 4
MANY_SIZES = 3  # of nets, from which on seconds are drawn as a line


@picture(
    "Share of runs that converge, and their median final error, against the step h of difference modes; a "
    "line for each kind of mode, annealed ones as stars."
)
def step_size(analysed: Analysis) -> Sheet | None:
    cells = analysed.cells
    if not cells.has_many_steps:
        return None
    sheet = Sheet([[1, 1]], [3], title=main_cell(analysed))
    often, deep = sheet.panels
    labels = {often: [], deep: []}
    for place, (kind, steps) in enumerate(cells.steps.groupby("kind", sort=False)):
        look = style_of(f"{kind.split()[0]} h=1e-4{' decay=0.9' if 'annealed' in kind else ''}")
        _kind(often, deep, steps, look, ASIDE**place)
        share, error = steps["share"].iloc[-1], steps["median_final_error"].dropna()
        labels[often].append((share, kind, look.ink))
        labels[deep].append(
            (error.iloc[-1] if len(error) else np.nan, kind + _power(analysed, kind), look.ink)
        )
    reference = _reference(analysed)
    if reference is not None:
        for panel, at in ((often, reference["share"]), (deep, reference["median_final_error"])):
            panel.axhline(at, lw=1.5, **style(analysed, analysed.reference).line)
            labels[panel].append(label(analysed, analysed.reference, at))
    often.set(ylim=(0, 1.02), ylabel="share of runs that converge")
    drawn = [*cells.steps["median_final_error"], reference["median_final_error"] if reference else np.nan]
    deep.logarithmic("y", "final error, median of converged", span(drawn))
    for panel in sheet.panels:
        panel.logarithmic("x", "difference step h", (cells.steps["h"].min() / 2, cells.steps["h"].max() * 2))
        panel.beside(labels[panel])
    is_rare = (cells.steps["share"] <= 0.5) & (cells.steps["n_converged"] > 0)
    often.above("how often (95 % intervals)")
    deep.above("how deep (hollow: no more than half converge)" if is_rare.any() else "how deep")
    return sheet


def _kind(often: Panel, deep: Panel, steps, look: Style, aside: float) -> None:
    """A kind of mode, such as forward: a line, or a star where it is annealed."""
    options = look.line | {"marker": look.marker, "ms": 5, "zorder": 3}
    if "annealed" in steps["kind"].iloc[0]:
        options |= {"ls": "", "ms": 10, "mec": "black", "zorder": 4}
    often.vlines(aside * steps["h"], steps["low"], steps["high"], color=look.color, lw=1)
    often.plot(aside * steps["h"], steps["share"], **options)
    deep.plot(steps["h"], steps["median_final_error"], **options)
    rare = steps[steps["share"] <= 0.5]
    deep.plot(rare["h"], rare["median_final_error"], **options | {"ls": "", "mfc": "white"})


def _power(analysed: Analysis, kind: str) -> str:
    power, _ = analysed.cells.powers[kind]
    if not np.isfinite(power):
        return ""
    return f" ∝ h{f'{power:.2f}'.translate(RAISED).replace('.', '·')}"


def _reference(analysed: Analysis) -> Mapping | None:
    """The end of the reference in the main cell, if it has no step of its own."""
    ends = analysed.cells.ends
    end = ends[(ends["mode"] == analysed.reference) & (ends["learning_rate"] == analysed.cells.learning_rate)]
    if "h" in parse(analysed.reference)[1] or end.empty:
        return None
    return end.to_dict("records")[0]


@picture(
    "A row for each mode and learning rate: share of runs that converge, with its interval; final error of "
    "each run; error evaluations per step."
)
def all_modes(analysed: Analysis) -> Sheet | None:
    families = {parse(mode)[0] for mode in analysed.drawn_modes}
    if len(families) < MANY_FAMILIES:
        return None
    ends = few(analysed.cells.ends.to_dict("records"), MOST_ROWS)
    has_rates = len(analysed.values("learning_rate")) > 1
    strips = []
    for end in ends:
        rate = end["learning_rate"]
        strips.append(end_of_runs(analysed, end["mode"], rate, f", {number(rate)}" if has_rates else ""))
    sheet = Sheet([[1, 2]], [0.26 * len(ends)], shared=True)
    often, deep = sheet.panels
    finals = np.concatenate([strip.values for strip in strips])
    is_lost = not np.isfinite(finals).all()
    deep.errors(
        "x", finals, f"error after {plural(analysed.n_epochs, 'epoch')}", is_lost, analysed.converged_error
    )
    deep.strips(strips)
    labels = []
    for y, (end, strip) in enumerate(zip(ends, strips, strict=True)):
        often.hlines(y, end["low"], end["high"], color=strip.style.color, lw=1.5)
        often.plot(end["share"], y, marker=strip.style.marker, color=strip.style.color, ms=6)
        if np.isfinite(end["evaluations"]):
            labels.append((y, plural(end["evaluations"], "evaluation"), strip.ink))
    often.named_rows([strip.name for strip in strips], [strip.ink for strip in strips])
    often.set(xlim=(-0.02, 1.02), xlabel="share that converges")
    deep.beside(labels)
    often.above("how often (95 % interval)")
    deep.above("how deep: each run; bar: median of those that converge")
    return sheet


@picture(
    "Median error of converged runs against error evaluations, both logarithmic, a line per mode; for three "
    "sizes of net or more also microseconds per step and run against the number of weights."
)
def cost(analysed: Analysis) -> Sheet | None:
    works = analysed.curves.work
    if not any(np.isfinite(work.to_a_millionth) for work in works):
        return None
    has_times = analysed.cells.seconds["n_params"].nunique() >= MANY_SIZES
    widths = [1.4, 1] if has_times else [1]
    sheet = Sheet([widths], [3.2], width=10 if has_times else 7, title=main_cell(analysed))
    panel = sheet.panels[0]
    first = min(work.curve.epochs[0] for work in works)
    end = max(work.curve.epochs[-1] for work in works)
    labels = []
    for work in works:
        curve = work.curve
        options = line(analysed, work.mode, curve.n_runs)
        panel.plot(curve.epochs, curve.middle, **options)
        panel.hlines(curve.last, curve.epochs[-1], end, color=options["color"], lw=0.7, ls=":")  # to its name
        is_usual = work.learning_rate == analysed.cells.learning_rate
        note = "" if is_usual else f", {number(work.learning_rate)}"
        labels.append(label(analysed, work.mode, curve.last, note + few_runs(curve.n_runs)))
    panel.errors(
        "y",
        [work.curve.middle for work in works],
        "mean error (median of converged runs)",
        converged=analysed.converged_error,
    )
    panel.logarithmic("x", "error evaluations", (first, end))
    panel.beside(labels)
    panel.above("what an error costs")
    if has_times:
        _seconds(sheet.panels[1], analysed)
    return sheet


def _seconds(panel: Panel, analysed: Analysis) -> None:
    labels = []
    seconds = analysed.cells.seconds
    for mode in analysed.shown:
        times = seconds[seconds["mode"] == mode]
        if len(times):
            look = style(analysed, mode)
            panel.plot(times["n_params"], times["microseconds"], marker=look.marker, ms=4, **look.line)
            labels.append(label(analysed, mode, times["microseconds"].iloc[-1]))
    panel.logarithmic("x", "number of weights")
    panel.logarithmic("y", "µs per step and run")
    panel.beside(labels)
    panel.above("what a step costs")
