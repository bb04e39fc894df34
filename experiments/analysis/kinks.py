"""What no sweep holds: a unit beside a kink along a run, and gradient errors against h.

Computed from tinynet alone, the same every time, for the sweeps that ask what kinks do.
"""

from typing import NamedTuple

import numpy as np

import tinynet
from tinynet import gradients

H, LEARNING_RATE, N_EPOCHS, N_NETS = 1e-4, 0.1, 3000, 100
MODES = {"analytic": gradients.Analytic(), "numeric": gradients.Numeric(H)}
KINDS = {"numeric": gradients.Numeric, "forward": gradients.Forward, "complex_step": gradients.ComplexStep}
STEPS = 10.0 ** np.arange(-13, 0.1, 0.5)


class Creep(NamedTuple):
    """A unit that creeps to −h in a numeric run; by mode over epochs (n_points,)."""

    epochs: np.ndarray
    ratio: dict[str, np.ndarray]  # z/h of the unit on a row of target 0
    error: dict[str, np.ndarray]  # mean error of the run
    seed: int
    n_creeping: int  # units that creep to within 10 % of −h
    n_nets: int = N_NETS
    h: float = H


def creeping_unit() -> Creep:
    """Of the tutorial's nets the one whose unit shows it best.

    Chosen among units on rows of target 0 in numeric runs that converge: the nearest to −h that is not there.
    """
    problem = tinynet.Problem.streetlights()
    network = tinynet.Network(3, 4)
    rows = problem.inputs[problem.targets == 0]
    epochs = np.unique(np.geomspace(1, N_EPOCHS, 160).round().astype(int))
    z = {}  # mode -> (n_points, n_rows, hidden_size, n_runs)
    error = {}  # mode -> (n_points, n_runs)
    for name, mode in MODES.items():
        z[name], error[name] = _along(problem, network, mode, epochs, rows)
    distance = np.abs(z["numeric"][-1] + 1)
    creeps = (distance > 1e-4) & (distance < 0.1) & (error["numeric"][-1] < 1e-10)
    row, unit, seed = np.unravel_index(np.where(creeps, distance, np.inf).argmin(), distance.shape)
    ratio = {name: values[:, row, unit, seed] for name, values in z.items()}
    errors = {name: values[:, seed] for name, values in error.items()}
    return Creep(epochs, ratio, errors, int(seed), int(creeps.any(axis=0).sum()))


def _along(problem, network, mode, epochs: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """z/h of every unit on some rows, and the mean errors, of N_NETS runs at some epochs."""
    seeds = range(N_NETS)
    params = network.initial(seeds)
    z = []
    error = []
    for n_epochs in np.diff(epochs, prepend=0):
        history = tinynet.train(network, problem, params, mode, LEARNING_RATE, int(n_epochs), seeds=seeds)
        params = history.params
        W = params[:12].reshape(4, 3, -1)  # (hidden_size, n_inputs, n_runs)
        z.append((W * rows[:, None, :, None]).sum(axis=2) / H)  # (n_rows, hidden_size, n_runs)
        error.append(history.error[-1])
    return np.array(z), np.array(error)


def gradient_errors(n_nets: int = 300) -> dict[tuple, np.ndarray]:
    """(place, distance, mode) -> medians over nets of ‖g − g_analytic‖/max(‖g‖, ‖g_analytic‖), by STEPS.

    "smooth": logistic units; "relu": every unit more than 1 away from its kink; "kink": one `distance` below.
    """
    problem = tinynet.Problem.streetlights()
    x = problem.inputs[3]
    target = problem.targets[3]
    errors = {}
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
            errors[place, distance, name] = np.array(error)
    return errors


def _move_kinks(params, x, distance):
    """Change W in place: for x of ones every z is beyond ±2, but unit 0's −distance if that is given."""
    W = params[:12].reshape(4, 3, -1)
    z = (W * x[None, :, None]).sum(axis=1)
    W[:, 0] += np.where(z > 0, 2.0, -2.0)
    W[1, 0] += np.where(z[1] > 0, 0.0, 4.0 - 2 * z[1])  # one unit at least passes a gradient
    if distance is not None:
        W[0] -= ((W[0] * x[:, None]).sum(axis=0) + distance) / 3
