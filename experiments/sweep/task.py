"""A sweep from checked jobs to recorded runs: what the stacked launcher asks of our task; a run alone."""

import shlex
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from omegaconf import DictConfig, OmegaConf

from experiments.store import OpenSweep, Run, StoreError, foreseen, link, masked, open_store, usual
from experiments.sweep import terminal
from experiments.sweep.runs import LARGEST_STACK, Trained, failed_run, planned, provenance, runs, train
from experiments.sweep.settings import Settings, check_command, digest, read
from experiments.wording import plural
from hydra_plugins.hydra_stacked_launcher.messages import FailedJobs

COPIED = 200_000  # values copied at once from other sweeps: two seconds without an ear for Ctrl-C
NAMED = {"learning_rate", "hidden_size", "mode", "seed"}  # what every run is named by


class Sweep:
    """What hydra/launcher=stacked asks of tinynet; hydra_plugins/stacked.py says when it calls which."""

    check = staticmethod(read)
    train = staticmethod(train)

    def __init__(self, config: DictConfig):
        self.config = config
        self.sweep: OpenSweep | None = None
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
        print(terminal.plan(experiment, jobs, masked(uri)), flush=True)
        if self.config.dry_run:
            there = elsewhere = 0
            if not self.config.fresh:
                there, elsewhere = foreseen(uri, experiment, fingerprint, fingerprints)
            copied = f" ({elsewhere:,} would be copied from other sweeps)" if elsewhere else ""
            print("\n".join(f"  {job.name()}" for job in jobs))
            print(f"  {there:,} of {plural(len(jobs), 'run')} are there{copied}")
            raise SystemExit(0)
        axes = terminal.axes(jobs)
        self.also = tuple(key for key in axes if key not in NAMED)
        told = map(masked, sys.argv[1:])
        self.sweep = open_store(uri).open_sweep(
            experiment,
            fingerprint=fingerprint,
            name=f"{experiment}-{time.strftime('%Y%m%d-%H%M%S')}",
            params={key: terminal.listed(values) for key, values in axes.items()} | {"n_runs": len(jobs)},
            tags=provenance() | {"command": shlex.join(["python", "-m", "experiments.run", *told])},
            fresh=self.config.fresh,
        )
        self.n_runs = len(jobs)
        recorded = self.sweep.recorded()
        job_of = {key: job for key, job in zip(fingerprints, jobs, strict=True) if key not in recorded}
        taken = 0
        if job_of and not self.config.fresh:
            at_once = max(1, COPIED // max(job.n_epochs for job in jobs))
            taken = self.sweep.take_over(job_of, lambda key: planned(job_of[key], self.also), at_once)
            recorded = self.sweep.recorded()  # another process may have recorded some by now, too
        done = {i: recorded[key] for i, key in enumerate(fingerprints) if key in recorded}
        self.results = {fingerprints[i]: (jobs[i], *done[i]) for i in done}
        if done:
            there = f"{len(done):,} of" if len(done) < len(jobs) else "all"
            copied = f", {taken:,} of them copied from other sweeps" if taken else ""
            print(f"  {there} {plural(len(jobs), 'run')} are there{copied}", flush=True)
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
        if self.seconds["train"]:  # a command that trains nothing leaves those of the one that did
            metrics |= {f"seconds.{phase}": spent for phase, spent in self.seconds.items()}
        try:
            self.sweep.end(
                status,
                metrics,
                texts={"config.yaml": masked(OmegaConf.to_yaml(self.config, resolve=True))},
            )
        except StoreError:
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
        at = "" if uri == usual() else f' ARGS="--store {masked(uri)}"'
        next_step = f"next: make report{at}" if whole else "go on: the same command trains what is missing"
        page = link(self.config.tracking.uri, self.sweep.experiment_id)
        lines = (
            f"{self.sweep.name} {state} in {total:.1f} s ({seconds})",
            f"browse: make ui{at}, {page}",
            next_step,
        )
        return "\n".join(lines)


def _twice(jobs: Sequence[Settings]) -> str:
    (name, n), *_ = Counter(job.name() for job in jobs).most_common(1)
    return f"{name}: {n} jobs are this run; give each value once, and one tracking, fresh and dry_run"


def trained_error(run: Run) -> float:
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
    try:
        store = open_store(config.tracking.uri)  # before training: it may not be there
        trained = _trained(settings)
        print(terminal.run_alone(settings, trained.curves["error"][1][:, 0], trained.params))
        (run,) = runs([settings], trained)
        run_id = store.record_run(config.tracking.experiment, run)
    except StoreError as fault:
        raise SystemExit(str(fault)) from None
    print(f"{run.tags['outcome']}; recorded as run {run_id} in {masked(config.tracking.uri)}")
    return trained_error(run)


def _trained(settings: Settings) -> Trained:
    """A stack of one. What a mode of the user raises is told as in a sweep; our own errors keep a trace."""
    try:
        return train([settings])
    except Exception as error:
        if type(settings.estimator).__module__.startswith("tinynet."):
            raise
        raise FailedJobs({0: error}, [[]]) from error
