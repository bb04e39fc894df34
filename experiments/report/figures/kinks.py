"""What no sweep holds and two pictures show: a unit beside a kink along a run, and gradient errors against h.

Computed from tinynet alone, the same every time.
"""

import numpy as np

import tinynet
from experiments.report.figures.sheet import Sheet, last, picture
from experiments.report.figures.styles import Style, style_of
from experiments.wording import RAISED, listed, number, plural
from tinynet import gradients

H, LEARNING_RATE, N_EPOCHS, N_NETS = 1e-4, 0.1, 3000, 100
MODES = {"analytic": gradients.Analytic(), "numeric": gradients.Numeric(H)}
KINDS = {"numeric": gradients.Numeric, "forward": gradients.Forward, "complex_step": gradients.ComplexStep}
STEPS = 10.0 ** np.arange(-13, 0.1, 0.5)
COMPUTED = "Computed beside the sweep, on nets of 3-4-1."


def creeping_unit():
    """Of the tutorial's nets one whose unit creeps to −h.

    Gives epochs (n,); by mode z/h of the unit (n,), and the mean error (n,); the seed; how many units creep
    to within 10 % of −h. Chosen among units on rows of target 0 in numeric runs that converge: the nearest to
    −h that is not there.
    """
    problem, network, seeds = tinynet.Problem.streetlights(), tinynet.Network(3, 4), range(N_NETS)
    rows = problem.inputs[problem.targets == 0]
    epochs = np.unique(np.geomspace(1, N_EPOCHS, 160).round().astype(int))
    z, error = {}, {}
    for name, mode in MODES.items():
        params, z[name], error[name] = network.initial(seeds), [], []
        for n_epochs in np.diff(epochs, prepend=0):
            history = tinynet.train(network, problem, params, mode, LEARNING_RATE, int(n_epochs), seeds=seeds)
            params = history.params
            W = params[:12].reshape(4, 3, -1)  # (hidden_size, n_inputs, n_runs)
            z[name].append((W * rows[:, None, :, None]).sum(axis=2) / H)  # (n_rows, hidden_size, n_runs)
            error[name].append(history.error[-1])
    distance = np.abs(z["numeric"][-1] + 1)
    creeps = (distance > 1e-4) & (distance < 0.1) & (error["numeric"][-1] < 1e-10)
    row, unit, seed = np.unravel_index(np.where(creeps, distance, np.inf).argmin(), distance.shape)
    z, error = ({name: np.array(values) for name, values in both.items()} for both in (z, error))
    ratio = {name: values[:, row, unit, seed] for name, values in z.items()}
    return epochs, ratio, {name: e[:, seed] for name, e in error.items()}, int(seed), creeps.any(axis=0).sum()


def gradient_errors(n_nets: int = 300) -> dict[tuple, np.ndarray]:
    """(place, distance, mode) -> medians over nets of ‖g − g_analytic‖/max(‖g‖, ‖g_analytic‖), by STEPS.

    "smooth": logistic units; "relu": every unit more than 1 away from its kink; "kink": one `distance` below.
    """
    problem = tinynet.Problem.streetlights()
    x, target, found = problem.inputs[3], problem.targets[3], {}
    for place, distance in (("smooth", 0), ("relu", 0), *(("kink", at) for at in (0, 1e-9, 1e-6, 1e-3))):
        network = tinynet.Network(3, 4, "logistic" if place == "smooth" else "relu")
        params = network.initial(range(n_nets))
        if place != "smooth":
            _move_kinks(params, x, distance if place == "kink" else None)
        exact = gradients.estimate(gradients.Analytic(), network, params, x, target)
        for name, kind in KINDS.items():
            error = []
            for h in STEPS:
                estimate = gradients.estimate(kind(h), network, params, x, target)
                wrong, *sizes = (np.linalg.norm(g, axis=0) for g in (estimate - exact, estimate, exact))
                error.append(np.median(wrong / np.maximum(*sizes)))
            found[place, distance, name] = np.array(error)
    return found


def _move_kinks(params, x, distance):
    """Change W in place: for x of ones every z is beyond ±2, but unit 0's −distance if that is given."""
    W = params[:12].reshape(4, 3, -1)
    z = (W * x[None, :, None]).sum(axis=1)
    W[:, 0] += np.where(z > 0, 2.0, -2.0)
    W[1, 0] += np.where(z[1] > 0, 0.0, 4.0 - 2 * z[1])  # one unit at least passes a gradient
    if distance is not None:
        W[0] -= ((W[0] * x[:, None]).sum(axis=0) + distance) / 3


@picture
def mechanism():
    """Slope of the error beside a kink; pre-activation of a unit over the epochs, which creeps from 0 to −h;
    its distance from −h, and the error, falling as power laws.

    The slopes are of (V relu(z))², and for |z| < h its central difference V²(z + h)²/2h, in units of V²h.
    """
    epochs, ratio, error, seed, n_creeping = creeping_unit()
    analytic, numeric = style_of("analytic"), style_of("numeric h=1e-4")
    sheet, u = Sheet([[1, 1, 1]], [2.9]), np.linspace(-2, 2, 201)
    slope, creep, fall = sheet.panels
    relu = np.maximum(2 * u, 0)
    slope.plot(u, relu, **analytic.line)
    slope.plot(u, np.where(np.abs(u) < 1, (u + 1) ** 2 / 2, relu), **numeric.line)
    slope.set(
        xlim=(-2, 2),
        ylim=(-0.2, 4),
        xlabel="pre-activation z / h",
        ylabel="slope of the error along z (in V²h)",
    )
    slope.text(-1.9, 1.2, "numeric still pushes\nhere, down to −h", color=numeric.ink)
    slope.plot([-1, -0.5], [1.15, 0.16], color=numeric.ink, lw=0.7)
    slope.text(0.4, 0.2, "analytic\nstops at 0", color=analytic.ink)
    away = np.flatnonzero(np.abs(ratio["numeric"]) > 1.2)
    t, labels = epochs[away[-1] + 1 :], []
    for mode, style in (("analytic", analytic), ("numeric", numeric)):
        creep.plot(t, ratio[mode][-len(t) :], **style.line)
        creep.beside([(ratio[mode][-1], mode, style.ink)])
    creep.axhline(-1, color="#888888", lw=0.9, ls=":")
    creep.set(ylim=(-1.3, 0.6), ylabel="z / h of one unit on a row of target 0")
    distance, left = 1 + ratio["numeric"][-len(t) :], error["numeric"][-len(t) :]
    distance, late = np.where(distance > 1e-12, distance, np.nan), t >= t[-1] ** 0.6 * t[0] ** 0.4
    for curve, name, power, width in ((distance, "1 + z/h", -1, 1.8), (left / H**2, "error/h²", -4, 1.2)):
        law = t[late] ** float(power)
        law *= 2 * np.nanmax(curve[late] / law)
        fall.plot(t, curve, color=numeric.color, lw=width, ls=numeric.dash if power == -1 else "-")
        fall.plot(t[late], law, color="black", lw=1)
        labels += [(last(curve), name, numeric.ink), (law[-1], f"t{str(power).translate(RAISED)}", "black")]
    for panel in (creep, fall):
        panel.logarithmic("x", "epoch", (t[0], t[-1]))
    fall.logarithmic("y")
    fall.beside(labels)
    slope.above("beside a kink the slopes differ")
    creep.above(f"so the unit creeps from 0 to −h (seed {seed})")
    fall.above("as t⁻¹, and the error as t⁻⁴")
    return sheet, (
        f"For |z| < h the central difference still pushes, so the unit creeps to −h: after {N_EPOCHS:,} "
        f"epochs 1 + z/h is {number(last(distance), 2)} and the error {number(left[-1], 2)}; analytic stops "
        f"at the kink. Of {plural(4 * N_NETS, 'unit')} in {plural(N_NETS, 'net')} {n_creeping} creep to "
        f"within 10 % of −h; drawn is the clearest. {COMPUTED}"
    )


PLACES = {  # title; theory: a power of h through the measurement of a mode nearest to a step
    "smooth": ("smooth: logistic units", [("numeric", 0, -1), ("forward", 1e-3, 1), ("numeric", 0.03, 2)]),
    "relu": ("relu, no kink within h", [("numeric", 0, -1), ("forward", 1e-3, 1)]),
    "kink": ("relu, a kink at 0 (solid) or away", []),
}


@picture
def gradient_error():
    """Relative error of difference gradients against the step h, logarithmic, a line per mode: for smooth
    units, relu away from kinks, and relu beside one; with theory, rounding eps/h and truncation h and h²."""
    lines = {key: np.maximum(error, 1e-17) for key, error in gradient_errors().items()}
    names = {mode: mode.replace("_", " ") for mode in KINDS}
    key = [(style_of(mode), name) for mode, name in names.items()]
    sheet = Sheet([[1] * 3], [2.9], [*key, (Style("#444444", "-"), "theory: eps/h, h, h²")], shared=True)
    for panel, (where, (title, terms)) in zip(sheet.panels, PLACES.items(), strict=True):
        for mode, at, power in terms:
            near = np.abs(STEPS - at).argmin()
            theory = lines[where, 0, mode][near] * (STEPS / STEPS[near]) ** power
            panel.plot(STEPS, theory, color="#444444", lw=0.9, zorder=1.5)
        for (place, distance, mode), error in lines.items():
            if place == where and (not distance or mode == "numeric"):  # one mode shows where the jump is
                solid = {"ls": "-"} if where == "kink" and not distance else {}
                panel.plot(STEPS, error, **style_of(mode).line | solid)
                if distance:
                    panel.text(5 * distance, 1e-4, number(distance), color=style_of(mode).ink, va="center")
        panel.logarithmic("x", "step h", (STEPS[0], STEPS[-1]))
        panel.logarithmic("y", "gradient error / gradient" * (where == "smooth"), (3e-18, 5))
        panel.above(title)
    said = []
    for mode, name in names.items():
        least = (error := lines["smooth", 0, mode]).argmin()
        said.append(f"{name} {number(error[least], 2)} at h={number(STEPS[least], 2)}")
    wrong = f"at a kink numeric is wrong by {number(np.median(lines['kink', 0, 'numeric']), 2)}, whatever h"
    return sheet, f"Smallest relative error for smooth units: {listed(said)}; {wrong}. {COMPUTED}"
