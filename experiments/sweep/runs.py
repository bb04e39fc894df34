"""Settings -> a trained stack -> what is recorded of its runs. This source is part of every fingerprint."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

import tinynet
from experiments.store import Run
from experiments.sweep.origin import digest, provenance
from experiments.sweep.settings import Settings
from tinynet import outcomes

EPOCHS_TO = {f"epochs_to_1e-{k}": float(f"1e-{k}") for k in (3, 6, 9)}  # to sort and chart by
WATCHED = {  # metric: field of tinynet's Diagnostics
    "kink_share": "near_kink",
    "gradient_error_near_kink": "error_near",
    "gradient_error_beyond_kink": "error_beyond",
    "gradient_cosine": "cosine",
    "silent_units": "silent_units",
}
LARGEST_STACK = 4_000_000  # numbers: 32 MB trained, 300 MB on their way into the store
NUDGE = tinynet.gradients.Numeric().h  # how far start=nudged moves each weight, in standard deviations


@dataclass(frozen=True)
class Trained:
    """A stack after training. curves: name ("error", ...) -> (epochs, values (len(epochs), n_runs))."""

    curves: Mapping[str, tuple[np.ndarray, np.ndarray]]
    params: np.ndarray  # (n_params, n_runs)
    starts: list[str]  # hash of each run's start params
    seconds: float


def start_params(stack: Sequence[Settings]) -> np.ndarray:
    """Start params (n_params, n_runs) of runs of one shape: science.md, `fresh`, `nudged` and `continued`."""
    first = stack[0]
    seeds = [settings.seed for settings in stack]
    params = first.network.initial(seeds).astype(first.dtype)
    if first.start == "nudged":
        draws = [np.random.default_rng(seed).standard_normal(len(params)) for seed in seeds]
        params += (NUDGE * np.stack(draws, axis=-1)).astype(first.dtype)
    if first.start == "continued":
        params = _train(stack, params, tinynet.gradients.Numeric()).params
    return params


def _train(stack: Sequence[Settings], params: np.ndarray, estimator: object, **options) -> tinynet.History:
    first = stack[0]
    learning_rate = np.array([settings.learning_rate for settings in stack])
    seeds = [settings.seed for settings in stack]
    return tinynet.train(
        first.network, first.rows, params, estimator, learning_rate, first.n_epochs, seeds=seeds, **options
    )


def train(stack: Sequence[Settings]) -> Trained:
    """Train runs of one shape as one array. Pure; may run in a worker process."""
    began = time.perf_counter()
    first = stack[0]
    params = start_params(stack)
    watched = watched_epochs(first.n_epochs) if first.diagnostics else []
    history = _train(stack, params, first.estimator, online_error=first.online_error, diagnostics=watched)
    curves = {"error": (np.arange(first.n_epochs + 1), history.error)}
    if first.online_error:
        curves["online_error"] = (np.arange(1, first.n_epochs + 1), history.online_error)
    if first.diagnostics:
        for name, field in WATCHED.items():
            curves[name] = (watched, getattr(history.diagnostics, field))
    starts = [digest(params[:, run].tobytes().hex()) for run in range(len(stack))]
    return Trained(curves, history.params, starts, time.perf_counter() - began)


def watched_epochs(n_epochs: int) -> list[int]:
    """About 50 epochs from 1 to n_epochs, spaced evenly in the logarithm.

    At most a sixth of them: to look at a step takes up to 2.5 numeric steps, and must add less than half.
    """
    n_watched = min(50, max(1, n_epochs // 6))
    return np.unique(np.geomspace(1, n_epochs, n_watched).round().astype(int)).tolist()


def finished_runs(stack: Sequence[Settings], trained: Trained, also: tuple[str, ...] = ()) -> list[Run]:
    """What is recorded of each run of a trained stack; `also` names settings that belong into its name."""
    n_runs = len(stack)
    first = stack[0]
    zero_error = first.rows.zero_error
    _, error = trained.curves["error"]
    outcome = outcomes.classify(error, zero_error, first.converged_below)
    metrics = {
        "final_error": outcomes.final_error(error),
        "best_error": np.fmin.reduce(error),
        "zero_error": np.full(n_runs, zero_error),
        "diverged_epoch": outcomes.diverged_epoch(error, zero_error),
        **{name: outcomes.epochs_to(error, tau) for name, tau in EPOCHS_TO.items()},
        "evaluations": np.full(n_runs, float(first.estimator.evaluations(first.network))),
        "seconds": np.full(n_runs, trained.seconds / n_runs),
    }
    return [
        planned_run(
            settings,
            also,
            metrics={name: values[i] for name, values in metrics.items() if np.isfinite(values[i])},
            curves={name: (epochs, values[:, i]) for name, (epochs, values) in trained.curves.items()},
            outcome=str(outcome[i]),
            start=trained.starts[i],
        )
        for i, settings in enumerate(stack)
    ]


def planned_run(settings: Settings, also: tuple[str, ...], metrics=None, curves=None, **tags: str) -> Run:
    """What is known of a run beforehand, with what is given of its results; a failure is one of the tags."""
    params = settings.params() | {"n_params": settings.network.n_params}
    failed = "failure" in tags
    tags = {**provenance(), "mode": settings.mode, "pair": settings.pair, **tags}
    return Run(settings.name(also), settings.fingerprint, params, metrics or {}, curves or {}, tags, failed)
