"""How errors fall late, and why: the tail of one cell, a unit beside a kink, gradient errors against h."""

import numpy as np

from experiments.analysis import STEPS, Analysis
from experiments.report.figures.curves import few_runs, label, line, main_cell, style
from experiments.report.figures.panel import Label, Panel, Strip
from experiments.report.figures.sheet import Sheet, picture
from experiments.report.figures.styles import Style, style_of
from experiments.wording import RAISED, number, plural

GUIDE = "#444444"
CREEPING = 1.2  # |z/h| of a unit that is near its kink for good


@picture(
    "Median error over the epochs of one learning rate and hidden size, a line per mode: semi-logarithmic, "
    "where an exponential is straight, and double logarithmic, where a power law is; the end of each run."
)
def tail(analysed: Analysis) -> Sheet:
    cell_tail = analysed.curves.tail
    strips = [end_of_runs(analysed, mode, analysed.cells.learning_rate) for mode in cell_tail.late]
    curves = [*cell_tail.early.values(), *cell_tail.late.values()]
    drawn = [*(curve.middle for curve in curves), *(strip.values for strip in strips)]
    n_epochs = analysed.n_epochs
    sheet = Sheet([[1, 1], [1]], [2.8, 0.24 * len(strips)], title=main_cell(analysed))
    linear, log, ends = sheet.panels
    typical = "all" if analysed.none_converges else "converging"
    converged = analysed.converged_error
    linear.errors("y", drawn, f"mean error (median of {typical} runs)", converged=converged)
    log.errors("y", drawn, converged=converged)
    is_lost = any(np.isinf(strip.values).any() for strip in strips)
    ends.errors("x", drawn, f"error after {plural(n_epochs, 'epoch')}", is_lost, converged)
    linear.epochs(curves[0].epochs[-1], "epoch (linear)")
    log.logarithmic("x", "epoch (logarithmic)", (1, max(2, n_epochs)))
    labels = []
    for panel, medians in ((linear, cell_tail.early), (log, cell_tail.late)):
        for mode, curve in medians.items():
            panel.plot(curve.epochs, curve.middle, **line(analysed, mode, curve.n_runs))
    labels = [
        label(analysed, mode, curve.last, few_runs(curve.n_runs)) for mode, curve in cell_tail.late.items()
    ]
    log.beside(labels + _slope(log, analysed))
    ends.strips(strips)
    linear.above("an exponential is straight here")
    log.above("a power law is straight here")
    ends.above("each run" if analysed.none_converges else "each run; bar: median of those that converge")
    return sheet


def _slope(panel: Panel, analysed: Analysis) -> list[Label]:
    """A line of the slope of the slowest power law, above it; gives its label."""
    slowest = analysed.curves.tail.slowest
    if slowest is None:
        return []
    mode, power = slowest
    curve = analysed.curves.tail.late[mode]
    is_late = (curve.epochs >= curve.epochs[-1] / 3) & np.isfinite(curve.middle)
    epochs = curve.epochs[is_late]
    guide = above(epochs**power, curve.middle[is_late], 10)
    panel.plot(epochs, guide, color="black", lw=1)
    return [(guide[-1], f"slope {number(power, 2)}", "black")]


def above(guide: np.ndarray, curve: np.ndarray, factor: float) -> np.ndarray:
    """The guide moved to a factor above the curve, nowhere nearer."""
    return guide * factor * np.nanmax(curve / guide)


def end_of_runs(analysed: Analysis, mode: str, rate: float, note: str = "") -> Strip:
    """The final errors of a mode's runs at the main hidden size, and the median of those that converge."""
    cells = analysed.cells
    ends = cells.ends
    (end,) = ends[(ends["mode"] == mode) & (ends["learning_rate"] == rate)].to_dict("records")
    rows = analysed.rows(mode, analysed.cell(rate, cells.hidden_size))
    _, name, ink = label(analysed, mode, 0, note + few_runs(end["n_converged"]))
    values = 10.0 ** analysed.final[rows]
    return Strip(name, ink, style(analysed, mode), values, end["median_final_error"])


@picture(
    "Slope of the error beside a kink; pre-activation of a unit over the epochs, which creeps from 0 to −h; "
    "its distance from −h, and the error, falling as power laws."
)
def mechanism(analysed: Analysis) -> Sheet | None:
    creep = analysed.creep
    if creep is None:
        return None
    sheet = Sheet([[1, 1, 1]], [2.9])
    slope, path, fall = sheet.panels
    looks = {"analytic": style_of("analytic"), "numeric": style_of("numeric h=1e-4")}
    _slopes(slope, looks)
    near = np.flatnonzero(np.abs(creep.ratio["numeric"]) > CREEPING)[-1] + 1
    epochs = creep.epochs[near:]
    for panel in (path, fall):
        panel.logarithmic("x", "epoch", (epochs[0], epochs[-1]))
    for mode, look in looks.items():
        path.plot(epochs, creep.ratio[mode][near:], **look.line)
    path.axhline(-1, color="#888888", lw=0.9, ls=":")
    path.set(ylim=(-1.3, 0.6), ylabel="z / h of one unit on a row of target 0")
    path.beside([(creep.ratio[mode][-1], mode, look.ink) for mode, look in looks.items()])
    path.above(f"so the unit creeps from 0 to −h (seed {creep.seed})")
    distance = 1 + creep.ratio["numeric"][near:]
    distance = np.where(distance > 1e-12, distance, np.nan)
    error = creep.error["numeric"][near:] / creep.h**2
    _falls(fall, epochs, {"1 + z/h": (distance, -1), "error/h²": (error, -4)}, looks["numeric"])
    return sheet


def _slopes(panel: Panel, looks: dict[str, Style]) -> None:
    """Of (V relu(z))², and for |z| < h its central difference V²(z + h)²/2h, in units of V²h."""
    u = np.linspace(-2, 2, 201)  # z / h
    relu = np.maximum(2 * u, 0)
    panel.plot(u, relu, **looks["analytic"].line)
    panel.plot(u, np.where(np.abs(u) < 1, (u + 1) ** 2 / 2, relu), **looks["numeric"].line)
    panel.set(xlim=(-2, 2), ylim=(-0.2, 4), xlabel="pre-activation z / h")
    panel.set_ylabel("slope of the error along z (in V²h)")
    panel.text(-1.9, 1.2, "numeric still pushes\nhere, down to −h", color=looks["numeric"].ink)
    panel.plot([-1, -0.5], [1.15, 0.16], color=looks["numeric"].ink, lw=0.7)
    panel.text(0.4, 0.2, "analytic\nstops at 0", color=looks["analytic"].ink)
    panel.above("beside a kink the slopes differ")


def _falls(panel: Panel, epochs: np.ndarray, curves: dict, look: Style) -> None:
    """Curves beside the power of t that each follows."""
    is_late = epochs >= epochs[-1] ** 0.6 * epochs[0] ** 0.4
    labels = []
    for (name, (curve, power)), dash, width in zip(curves.items(), (look.dash, "-"), (1.8, 1.2), strict=True):
        guide = above(epochs[is_late] ** float(power), curve[is_late], 2)
        panel.plot(epochs, curve, color=look.color, lw=width, ls=dash)
        panel.plot(epochs[is_late], guide, color="black", lw=1)
        labels.append((curve[-1], name, look.ink))
        labels.append((guide[-1], f"t{str(power).translate(RAISED)}", "black"))
    panel.logarithmic("y")
    panel.beside(labels)
    panel.above("as t⁻¹, and the error as t⁻⁴")


PLACES = {
    "smooth": "smooth: logistic units",
    "relu": "relu, no kink within h",
    "kink": "relu, a kink at 0 (solid) or away",
}
THEORY = {  # place -> mode, a step h at which theory goes through its measurement, power of h
    "smooth": [("numeric", 1e-13, -1), ("forward", 1e-3, 1), ("numeric", 10**-1.5, 2)],
    "relu": [("numeric", 1e-13, -1), ("forward", 1e-3, 1)],
    "kink": [],
}
LEAST = 1e-17  # drawn


@picture(
    "Relative error of difference gradients against the step h, logarithmic, a line per mode: for smooth "
    "units, relu away from kinks, and relu beside one; with theory, rounding eps/h and truncation h and h²."
)
def gradient_error(analysed: Analysis) -> Sheet | None:
    if analysed.gradient_errors is None:
        return None
    errors = {key: np.maximum(error, LEAST) for key, error in analysed.gradient_errors.items()}
    modes = list(dict.fromkeys(mode for _, _, mode in errors))
    key = [(style_of(mode), mode.replace("_", " ")) for mode in modes]
    sheet = Sheet([[1] * 3], [2.9], [*key, (Style(GUIDE, "-"), "theory: eps/h, h, h²")], shared=True)
    for panel, (place, title) in zip(sheet.panels, PLACES.items(), strict=True):
        for mode, h, power in THEORY[place]:
            near = np.abs(STEPS - h).argmin()
            theory = errors[place, 0, mode][near] * (STEPS / STEPS[near]) ** power
            panel.plot(STEPS, theory, color=GUIDE, lw=0.9, zorder=1.5)
        for (where, distance, mode), error in errors.items():
            if where == place:
                _gradient_errors(panel, place, distance, mode, error)
        panel.logarithmic("x", "step h", (STEPS[0], STEPS[-1]))
        panel.logarithmic("y", "gradient error / gradient" if place == "smooth" else "", (LEAST / 3, 5))
        panel.above(title)
    return sheet


def _gradient_errors(panel: Panel, place: str, distance: float, mode: str, error: np.ndarray) -> None:
    """At a kink solid; away from one named by the distance, of one mode, which shows where the jump is."""
    if distance and mode != "numeric":
        return
    look = style_of(mode)
    options = look.line
    if place == "kink" and not distance:
        options = options | {"ls": "-"}
    panel.plot(STEPS, error, **options)
    if distance:
        panel.text(5 * distance, 1e-4, number(distance), color=look.ink, va="center")
