"""Sweeps made by hand: what a store would hand out, without a store and without training."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from experiments.store import Loaded
from tinynet import outcomes

ZERO_ERROR = 0.5  # of answering 0, in the tutorial
SETTINGS = {
    "learning_rate": 0.1, "hidden_size": 4, "seed": 0, "activation": "relu", "bias": False,
    "dtype": "float64", "start": "fresh", "problem": "streetlights",
}  # fmt: skip
TAGS = {
    "outcome": "outcome", "pair": "pair", "start_weights": "start", "code": "code", "failure": "failure",
    "fingerprint": "fingerprint", "taken_over": "taken_over", "mode": "mode",
}  # fmt: skip
METRICS = ("evaluations", "seconds", "zero_error", "diverged_epoch")


def loaded(
    runs: pd.DataFrame, error: np.ndarray, online_error: np.ndarray | None = None, **parent: object
) -> Loaded:
    """A sweep of these runs, whose curves are the columns of error (n_epochs + 1, n_runs).

    runs has a column mode; what else a run has is filled in unless given: settings, start_weights (of one
    learning rate, size and seed the same), outcome (by the error), evaluations, status. Other columns are
    settings. parent: fields of Loaded.
    """
    runs = runs.reset_index(drop=True)
    runs = runs.assign(**{name: value for name, value in SETTINGS.items() if name not in runs})
    same = runs[["learning_rate", "hidden_size", "seed"]].astype(str).agg(" ".join, axis=1)
    usual = {
        "n_epochs": len(error) - 1, "pair": same, "start_weights": same, "status": "FINISHED",
        "outcome": outcomes.classify(error, ZERO_ERROR), "evaluations": 1.0, "seconds": 1.0,
        "fingerprint": [f"{row:032x}" for row in range(len(runs))], "code": "c" * 32,
        "run_id": [f"run{row}" for row in range(len(runs))],
        "name": runs["mode"] + " " + same,
    }  # fmt: skip
    runs = runs.assign(**{name: value for name, value in usual.items() if name not in runs})
    stored = runs[["run_id", "name", "status"]].copy()
    for name in runs.columns.difference(["run_id", "name", "status"], sort=False):
        if name in TAGS:
            stored[f"tags.{TAGS[name]}"] = runs[name]
        elif name in METRICS:
            stored[f"metrics.{name}"] = runs[name]
        else:
            stored[f"params.{name}"] = runs[name]
    curves = {"error": error}
    if online_error is not None:
        curves["online_error"] = online_error
    fields = {
        "run_id": "sweep", "name": "by hand", "status": "FINISHED", "experiment": "test",
        "experiment_id": "1", "start_time": 0, "end_time": 1000, "params": {"n_runs": str(len(runs))},
        "metrics": {}, "tags": {},
    }  # fmt: skip
    return Loaded(**fields | parent, runs=stored, curves=curves)


def made_up(
    modes: Sequence[str] = ("analytic", "numeric h=1e-4"),
    rates: Sequence[float] = (0.1,),
    sizes: Sequence[int] = (4,),
    n_seeds: int = 3,
    n_epochs: int = 320,
    ends: str = "mixed",
) -> tuple[pd.DataFrame, np.ndarray]:
    """Runs and errors: analytic falls exponentially down to rounding, modes with an h end in a power law.

    ends: "mixed", a third are plateaus, and from 10 seeds on numeric flips pairs both ways; "converged";
    "none", plateaus; "lost", all diverge.
    """
    rng = np.random.default_rng(5)
    rows = []
    curves = []
    t = np.arange(n_epochs + 1)[:, None]
    for rate in rates:
        for size in sizes:
            noise = rng.uniform(0.7, 1.3, n_seeds)
            for mode in modes:
                curves.append(_errors(mode, t, rate, noise, ends))
                for seed in range(n_seeds):
                    rows.append({"mode": mode, "learning_rate": rate, "hidden_size": size, "seed": seed})
    runs = pd.DataFrame(rows)
    runs["evaluations"] = runs["mode"].map(len).astype(float)
    runs["n_params"] = 4 * runs["hidden_size"]
    runs["start"] = np.where(runs["mode"].str.contains("continued"), "continued", "fresh")
    return runs, np.concatenate(curves, axis=1)


def _errors(mode: str, t: np.ndarray, rate: float, noise: np.ndarray, ends: str) -> np.ndarray:
    error = 0.5 * 10 ** (-0.15 * noise * np.sqrt(rate * 10) * t) + 3e-32
    if "h=" in mode and "complex" not in mode:
        error = np.maximum(error, 1e-4 * noise * (1 + t / 4) ** -4.0)
    if ends == "lost":
        return np.where(t < 20, 10.0 ** (noise * np.minimum(t, 20)), np.nan)
    is_stuck = np.full(noise.size, ends == "none")
    if ends == "mixed":
        is_stuck = np.arange(noise.size) % 3 == 2
    error = np.where(is_stuck, 0.3 * noise, error)
    if ends == "mixed" and mode.startswith("numeric") and noise.size > 9:
        error[:, 2] = error[:, 0]
        error[:, [4, 7]] = 0.2
    return error
