"""Settings -> stacks -> trained -> recorded: what the stacked launcher asks of our task, and a run alone."""

import functools
import os
import platform
import shlex
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from omegaconf import DictConfig, OmegaConf

import tinynet
from experiments import outcomes, terminal, tracking
from experiments.settings import Settings, check_command, code, digest, read
from experiments.stores import usual

EPOCHS_TO = {f"epochs_to_1e-{k}": float(f"1e-{k}") for k in (3, 6, 9)}  # to sort and chart by
WATCHED = {  # metric: field of tinynet's Diagnostics
    "kink_share": "near_kink",
    "gradient_error_near_kink": "error_near",
    "gradient_error_beyond_kink": "error_beyond",
    "gradient_cosine": "cosine",
    "silent_units": "silent_units",
}
LARGEST_STACK = 4_000_000  # numbers: 32 MB trained, 300 MB on their way into the store
NAMED = {"learning_rate", "hidden_size", "mode", "seed"}  # what every run is named by
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
    first, seeds = stack[0], [settings.seed for settings in stack]
    params = first.network.initial(seeds).astype(first.dtype)
    if first.start == "nudged":
        draws = [np.random.default_rng(seed).standard_normal(len(params)) for seed in seeds]
        params += (NUDGE * np.stack(draws, axis=-1)).astype(first.dtype)
    if first.start == "continued":
        params = _train(stack, params, tinynet.gradients.Numeric()).params
    return params


def _train(stack: Sequence[Settings], params: np.ndarray, estimator: object, **also) -> tinynet.History:
    first = stack[0]
    learning_rate = np.array([settings.learning_rate for settings in stack])
    seeds = [settings.seed for settings in stack]
    return tinynet.train(
        first.network, first.rows, params, estimator, learning_rate, first.n_epochs, seeds=seeds, **also
    )


def train(stack: Sequence[Settings]) -> Trained:
    """Train runs of one shape as one array. Pure; may run in a worker process."""
    began, first = time.perf_counter(), stack[0]
    params = start_params(stack)
    watched = watched_epochs(first.n_epochs) if first.diagnostics else ()
    history = _train(stack, params, first.estimator, online_error=first.online_error, diagnostics=watched)
    curves = {"error": (np.arange(first.n_epochs + 1), history.error)}
    if first.online_error:
        curves["online_error"] = (np.arange(1, first.n_epochs + 1), history.online_error)
    curves |= {
        name: (watched, getattr(history.diagnostics, field)) for name, field in WATCHED.items() if watched
    }
    starts = [digest(params[:, run].tobytes().hex()) for run in range(len(stack))]
    return Trained(curves, history.params, starts, time.perf_counter() - began)


def watched_epochs(n_epochs: int) -> list[int]:
    """About 50 epochs from 1 to n_epochs, spaced evenly in the logarithm.

    At most a sixth of them: to look at a step takes up to 2.5 numeric steps, and must add less than half.
    """
    n_watched = min(50, max(1, n_epochs // 6))
    return np.unique(np.geomspace(1, n_epochs, n_watched).round().astype(int)).tolist()


def runs(stack: Sequence[Settings], trained: Trained, also: tuple[str, ...] = ()) -> list[tracking.Run]:
    """What is recorded of each run of a trained stack; `also` names settings that belong into its name."""
    first, (_, error) = stack[0], trained.curves["error"]
    zero_error = np.mean(first.rows.targets**2)
    outcome = outcomes.classify(error, zero_error)
    metrics = {
        "final_error": outcomes.final_error(error),
        "best_error": np.fmin.reduce(error),
        "diverged_epoch": outcomes.diverged_epoch(error, zero_error),
        **{name: outcomes.epochs_to(error, tau) for name, tau in EPOCHS_TO.items()},
        "evaluations": np.full(len(stack), float(first.estimator.evaluations(first.network))),
        "seconds": np.full(len(stack), trained.seconds / len(stack)),
    }
    return [
        tracking.Run(
            name=settings.name(also),
            fingerprint=settings.fingerprint,
            params=settings.params() | {"n_params": settings.network.n_params},
            metrics={name: values[i] for name, values in metrics.items() if np.isfinite(values[i])},
            curves={name: (epochs, values[:, i]) for name, (epochs, values) in trained.curves.items()},
            tags={**_identity(settings), "outcome": str(outcome[i]), "start": trained.starts[i]},
        )
        for i, settings in enumerate(stack)
    ]


def failed_run(settings: Settings, error: Exception, also: tuple[str, ...] = ()) -> tracking.Run:
    """What is recorded of a run that could not be trained."""
    tags = {**_identity(settings), "outcome": "failed", "failure": f"{type(error).__name__}: {error}"}
    return tracking.Run(settings.name(also), settings.fingerprint, settings.params(), tags=tags, failed=True)


def _identity(settings: Settings) -> dict[str, str]:
    return {**provenance(), "mode": settings.mode, "pair": settings.pair}


@functools.cache
def provenance() -> dict[str, str]:
    """Where results come from: commit and dirty flag, the hash of tinynet's source, versions, machine."""

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(Path(tinynet.__file__).parent), *words],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip()

    try:
        commit, dirty = git("rev-parse", "HEAD"), str(bool(git("status", "--porcelain"))).lower()
    except OSError:  # a machine without git
        commit = dirty = ""
    return {
        **({"mlflow.source.git.commit": commit} if commit else {}),  # MLflow's UI shows it
        "git.commit": commit or "unknown",
        "git.dirty": dirty or "unknown",
        "code": code(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }


class Sweep:
    """What hydra/launcher=stacked asks of tinynet; hydra_plugins/stacked.py says when it calls which."""

    check = staticmethod(read)
    train = staticmethod(train)

    def __init__(self, config: DictConfig):
        self.config = config
        self.sweep: tracking.Sweep | None = None
        self.progress: terminal.Progress | None = None
        self.began = time.perf_counter()
        self.seconds = Counter()
        self.results: dict[str, tuple[Settings, str, float]] = {}  # by fingerprint

    def __enter__(self) -> "Sweep":
        return self

    @staticmethod
    def shape(settings: Settings) -> tuple:
        return settings.shape

    def start(self, jobs: Sequence[Settings]) -> Mapping[int, float]:
        """Open the sweep in MLflow and say what will be run. Gives results already there, by index of job."""
        check_command(self.config)
        fingerprints = [job.fingerprint for job in jobs]
        if len(set(fingerprints)) < len(jobs):
            raise ValueError(_twice(jobs))
        experiment, uri = self.config.tracking.experiment, self.config.tracking.uri
        fingerprint = digest(*sorted(fingerprints))
        self.seconds["compose"] = time.perf_counter() - self.began
        print(terminal.plan(experiment, jobs, tracking.masked(uri)), flush=True)
        if self.config.dry_run:
            foreseen = tracking.foreseen(uri, experiment, fingerprint, fingerprints)
            there, elsewhere = (0, 0) if self.config.fresh else foreseen
            copied = f" ({elsewhere:,} would be copied from other sweeps)" if elsewhere else ""
            print("\n".join(f"  {job.name()}" for job in jobs))
            print(f"  {there:,} of {terminal.count(len(jobs), 'run')} are there{copied}")
            raise SystemExit(0)
        axes = terminal.axes(jobs)
        self.also = tuple(key for key in axes if key not in NAMED)
        told = map(tracking.masked, sys.argv[1:])
        self.sweep = tracking.open_store(uri).open_sweep(
            experiment,
            fingerprint=fingerprint,
            name=f"{experiment}-{time.strftime('%Y%m%d-%H%M%S')}",
            params={key: terminal.listed(values) for key, values in axes.items()} | {"n_runs": len(jobs)},
            tags=provenance() | {"command": shlex.join(["python", "-m", "experiments.run", *told])},
            fresh=self.config.fresh,
        )
        self.n_runs = len(jobs)
        recorded = self.sweep.recorded()
        wanted = {job.fingerprint: job.name(self.also) for job in jobs if job.fingerprint not in recorded}
        taken = 0 if self.config.fresh else self.sweep.take_over(wanted)
        if taken:
            recorded = self.sweep.recorded()
        done = {i: recorded[key] for i, key in enumerate(fingerprints) if key in recorded}
        self.results = {fingerprints[i]: (jobs[i], *done[i]) for i in done}
        if done:
            there = f"{len(done):,} of" if len(done) < len(jobs) else "all"
            copied = f", {taken:,} of them copied from other sweeps" if taken else ""
            print(f"  {there} {terminal.count(len(jobs), 'run')} are there{copied}", flush=True)
        self.progress = terminal.Progress(len(jobs) - len(done))
        self.seconds["store"] = time.perf_counter() - self.began - self.seconds["compose"]
        return {i: final_error for i, (_, final_error) in done.items()}

    def record(self, stack: Sequence[Settings], trained: Trained) -> list[float]:
        began = time.perf_counter()
        recorded = runs(stack, trained, self.also)
        self.sweep.record(recorded)
        for settings, run in zip(stack, recorded, strict=True):
            self.results[settings.fingerprint] = (settings, run.tags["outcome"], trained_error(run))
        self.seconds["train"] += trained.seconds
        self.seconds["record"] += time.perf_counter() - began
        self.progress.add(len(stack))
        return [trained_error(run) for run in recorded]

    @staticmethod
    def most(settings: Settings) -> int:
        """The runs like this one that one stack can take."""
        n_curves = 1 + settings.online_error
        return max(1, LARGEST_STACK // (n_curves * settings.n_epochs + 4 * settings.network.n_params))

    def failed(self, settings: Settings, error: Exception) -> None:
        self.sweep.record([failed_run(settings, error, self.also)])
        self.results[settings.fingerprint] = (settings, "failed", np.inf)
        self.progress.add(1)

    def __exit__(self, kind: type | None, error: BaseException | None, _traceback) -> None:
        if self.sweep is None:
            return
        if self.progress is not None:
            self.progress.close()
        counts = Counter(outcome for _, outcome, _ in self.results.values())
        whole = len(self.results) == self.n_runs
        status = "FINISHED" if whole and not counts["failed"] else "FAILED"
        if kind is KeyboardInterrupt:
            status = "KILLED"
        began, metrics = time.perf_counter(), {f"runs.{outcome}": float(n) for outcome, n in counts.items()}
        if self.seconds["train"]:  # else those of the command that trained stay
            metrics |= {f"seconds.{phase}": spent for phase, spent in self.seconds.items()}
        try:
            self.sweep.end(
                status,
                metrics,
                texts={"config.yaml": tracking.masked(OmegaConf.to_yaml(self.config, resolve=True))},
            )
        except tracking.StoreError:
            whole = False  # the same command closes it
            if error is None:
                raise
        finally:
            self.seconds["close"] = time.perf_counter() - began
            if whole:
                print(f"\n{terminal.summary(self.results.values())}\n")
            print(self._where(whole), flush=True)

    def _where(self, whole: bool) -> str:
        """The sweep's last words: where it is, how long it took, what to do next."""
        seconds = ", ".join(f"{phase} {spent:.1f}" for phase, spent in self.seconds.items() if spent >= 0.05)
        total = time.perf_counter() - self.began
        state = "finished" if whole else f"stopped at {len(self.results):,} of {self.n_runs:,} runs"
        uri = self.config.tracking.uri
        at = "" if uri == usual() else f' ARGS="--store {tracking.masked(uri)}"'
        next_step = f"next: make report{at}" if whole else "go on: the same command trains what is missing"
        link = tracking.link(self.config.tracking.uri, self.sweep.experiment_id)
        lines = (
            f"{self.sweep.name} {state} in {total:.1f} s ({seconds})",
            f"browse: make ui{at}, {link}",
            next_step,
        )
        return "\n".join(lines)


def _twice(jobs: Sequence[Settings]) -> str:
    (name, n), *_ = Counter(job.name() for job in jobs).most_common(1)
    return f"{name}: {n} jobs are this run; give each value once, and one tracking, fresh and dry_run"


def trained_error(run: tracking.Run) -> float:
    """What a sweeper may minimise: the final error, infinite for a run that diverged."""
    return run.metrics.get("final_error", np.inf)


def run_alone(config: DictConfig) -> float:
    """Train and record one run, a stack of one; print its error along the way and its answers."""
    try:
        settings = read(config)
        check_command(config)
    except ValueError as fault:
        raise SystemExit(str(fault)) from None
    if config.dry_run:
        print(settings.name())
        return np.nan
    trained = train([settings])
    print(terminal.run_alone(settings, trained.curves["error"][1][:, 0], trained.params))
    (run,) = runs([settings], trained)
    try:
        store = tracking.open_store(config.tracking.uri)
        run_id = store.record_run(config.tracking.experiment, run)
    except tracking.StoreError as fault:
        raise SystemExit(str(fault)) from None
    print(f"{run.tags['outcome']}; recorded as run {run_id} in {tracking.masked(config.tracking.uri)}")
    return trained_error(run)
