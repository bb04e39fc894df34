"""What no sweep holds and two pictures show: a unit beside a kink along a run, and gradient errors against h.

Computed from tinynet alone, the same every time. figures.pictures adds them to sweeps they explain.
"""

import numpy as np

import tinynet
from tinynet import gradients

H, LEARNING_RATE, N_EPOCHS = 1e-4, 0.1, 3000
MODES = {"analytic": gradients.Analytic(), "numeric h=1e-4": gradients.Numeric(H)}


def creeping_unit(n_seeds: int = 100) -> dict:
    """The arguments of appendix.mechanism: of the tutorial's nets one whose unit creeps to −h.

    Among units on rows of target 0 in numeric runs that converge: the nearest to −h that is not there.
    """
    problem, network, seeds = tinynet.Problem.streetlights(), tinynet.Network(3, 4), range(n_seeds)
    rows = problem.inputs[problem.targets == 0]
    epochs = np.unique(np.geomspace(1, N_EPOCHS, 160).round().astype(int))
    z, error = {}, {}
    for name, mode in MODES.items():
        params, z[name], error[name] = network.initial(seeds), [], []
        for n_epochs in np.diff(epochs, prepend=0):
            history = tinynet.train(network, problem, params, mode, LEARNING_RATE, int(n_epochs), seeds=seeds)
            params = history.params
            W = params[:12].reshape(4, 3, -1)  # (hidden_size, n_inputs, n_runs)
            z[name].append((W[None] * rows[:, None, :, None]).sum(axis=2))  # (n_rows, hidden_size, n_runs)
            error[name].append(history.error[-1])
    z, error = ({name: np.array(values) for name, values in both.items()} for both in (z, error))
    *_, numeric = MODES
    distance = np.abs(z[numeric][-1] / H + 1)
    creeps = (distance > 1e-4) & (distance < 0.1) & (error[numeric][-1] < 1e-10)
    row, unit, seed = np.unravel_index(np.where(creeps, distance, np.inf).argmin(), distance.shape)
    return {
        "h": H, "seed": int(seed), "epochs": epochs,
        "z": {name: values[:, row, unit, seed] for name, values in z.items()},
        "error": {name: values[:, seed] for name, values in error.items()},
        "n_nets": n_seeds, "n_units": 4 * n_seeds, "n_creeping": int(creeps.any(axis=0).sum()),
    }  # fmt: skip


def gradient_errors(n_nets: int = 300) -> dict[str, list]:
    """The table of appendix.gradient_error: medians over nets of ‖g − g_analytic‖/max(‖g‖, ‖g_analytic‖).

    "relu": every unit more than 1 away from its kink; "kink": one unit `distance` below it, the others away.
    """
    problem = tinynet.Problem.streetlights()
    x, target = problem.inputs[3], problem.targets[3]
    kinds = {
        "numeric": gradients.Numeric,
        "forward": gradients.Forward,
        "complex_step": gradients.ComplexStep,
    }
    table: dict[str, list] = {name: [] for name in ("place", "mode", "h", "distance", "error")}
    places = [("smooth", np.nan), ("relu", np.nan), *(("kink", at) for at in (0.0, 1e-9, 1e-6, 1e-3))]
    for place, distance in places:
        network = tinynet.Network(3, 4, "logistic" if place == "smooth" else "relu")
        params = network.initial(range(n_nets))
        if place != "smooth":
            _move_kinks(params, x, distance)
        exact = gradients.estimate(gradients.Analytic(), network, params, x, target)
        for name, kind in kinds.items():
            for h in 10.0 ** np.arange(-13, 0.1, 0.5):
                estimate = gradients.estimate(kind(h), network, params, x, target)
                sizes = [np.linalg.norm(g, axis=0) for g in (estimate - exact, estimate, exact)]
                error = np.median(sizes[0] / np.maximum(sizes[1], sizes[2]))
                for column, value in zip(table, (place, name, h, distance, error), strict=True):
                    table[column].append(value)
    return table


def _move_kinks(params, x, distance):
    """Change W in place: for x of ones every z is beyond ±2, but unit 0's −distance if that is given."""
    W = params[:12].reshape(4, 3, -1)
    z = (W * x[None, :, None]).sum(axis=1)
    W[:, 0] += np.where(z > 0, 2.0, -2.0)
    W[1, 0] += np.where(z[1] > 0, 0.0, 4.0 - 2 * z[1])  # one unit at least passes a gradient
    if np.isfinite(distance):
        W[0] -= ((W[0] * x[:, None]).sum(axis=0) + distance) / 3
