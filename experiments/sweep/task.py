"""The Hydra task: one run by itself, or a sweep from checked jobs to recorded runs."""

import shlex
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, chdir, suppress

import numpy as np
from omegaconf import DictConfig

from experiments.hints import typed
from experiments.store import (
    OpenSweep,
    Run,
    Store,
    StoreError,
    foreseen,
    link,
    masked,
    open_store,
    sweeps,
    usual,
)
from experiments.sweep import terminal
from experiments.sweep.origin import digest, provenance
from experiments.sweep.runs import LARGEST_STACK, Trained, finished_runs, planned_run, train
from experiments.sweep.settings import Settings, read
from experiments.sweep.whole import Whole, check_command, text_of
from experiments.wording import plural
from hydra_plugins.hydra_stacked_launcher.messages import FailedJobs

COPIED = 200_000  # values copied at once from other sweeps: two seconds without an ear for Ctrl-C
NAMED = {"learning_rate", "hidden_size", "mode", "seed"}  # what every run is named by


def run_alone(config: DictConfig, folder: str) -> float:
    """Train and record one run, a stack of one; print its error along the way and its answers.

    folder: where its paths are meant from, whatever folder Hydra has changed to.
    """
    try:
        with chdir(folder):
            settings = read(config)
            check_command(config)
            if config.dry_run:
                print(settings.name())
                return np.nan
            store = _opened(config.tracking.uri)  # before training: it may not be there
    except ValueError as fault:  # also a StoreError
        raise SystemExit(str(fault)) from None
    trained = _trained(settings)
    (run,) = finished_runs([settings], trained)
    try:
        run_id = store.record_run(config.tracking.experiment, run)
    except StoreError as fault:
        raise SystemExit(str(fault)) from None
    finally:  # a reader who has had enough costs no run
        print(terminal.run_alone(settings, trained.curves["error"][1][:, 0], trained.params))
    print(f"{run.tags['outcome']}; recorded as run {run_id} in {masked(config.tracking.uri)}")
    return _final_error(run)


def _opened(uri: str) -> Store:
    store = open_store(uri)
    for notice in store.notices:
        print(notice, flush=True)
    return store


def _trained(settings: Settings) -> Trained:
    """What a mode of the user raises is told as in a sweep; our own errors keep a trace."""
    try:
        return train([settings])
    except Exception as error:
        if type(settings.estimator).__module__.startswith("tinynet."):
            raise
        raise FailedJobs({0: error}, [[]]) from error


def _final_error(run: Run) -> float:
    """What a sweeper may minimise: infinite for a run that diverged."""
    return run.metrics.get("final_error", np.inf)


class SweepTask(AbstractContextManager):
    """The StackedTask of tinynet; hydra_plugins/hydra_stacked_launcher says when it is asked what."""

    train = staticmethod(train)

    def __init__(self, config: DictConfig):
        self.config = config
        self.whole = Whole(config)
        self.config_text = ""
        self.uri = ""
        self.sweep: OpenSweep | None = None
        self.began = time.perf_counter()
        self.seconds = Counter()
        self.n_runs = 0
        self.also: tuple[str, ...] = ()  # settings that vary, and so belong into a run's name
        self.results: dict[str, terminal.Result] = {}  # by fingerprint

    def check(self, config: DictConfig) -> Settings:
        """A job's settings. Raises ValueError: a line per fault."""
        settings = read(config)
        self.whole.check(config)
        return settings

    @staticmethod
    def shape(settings: Settings) -> tuple:
        return settings.shape

    @staticmethod
    def most(settings: Settings) -> int:
        """The runs like this one that one stack can take."""
        n_curves = 1 + settings.online_error
        return max(1, LARGEST_STACK // (n_curves * settings.n_epochs + 4 * settings.network.n_params))

    def start(self, jobs: Sequence[Settings]) -> None:
        """Open the sweep in MLflow and say what will be run."""
        check_command(self.config)
        self.config_text = text_of(self.config)  # before training: nothing of it may fail after
        self.uri = self.config.tracking.uri
        job_of = {job.fingerprint: job for job in jobs}
        # By what is recorded of them: h=1 and h=1.0 are one mode, of two fingerprints.
        different = {(job.mode, job.pair, job.online_error, job.diagnostics) for job in jobs}
        if len(different) < len(jobs):
            [(name, n)] = Counter(job.name() for job in jobs).most_common(1)
            raise ValueError(f"{name}: {n} jobs are this run; give each value once")
        self.n_runs = len(jobs)
        self.seconds["compose"] = time.perf_counter() - self.began
        print(terminal.plan(self.config.tracking.experiment, jobs, masked(self.uri)), flush=True)
        if self.config.dry_run:
            self._print_jobs(job_of)
            raise SystemExit(0)
        self._open(job_of)

    def done(self, jobs: Sequence[Settings]) -> Mapping[int, float]:
        """Results already there, by index of job."""
        job_of = {job.fingerprint: job for job in jobs}
        n_taken = self._take_over(job_of)
        if n_taken:
            print(f"  {plural(n_taken, 'run')} copied from other sweeps", flush=True)
        self.seconds["store"] = time.perf_counter() - self.began - self.seconds["compose"]
        return {i: self.results[key].final_error for i, key in enumerate(job_of) if key in self.results}

    def _print_jobs(self, job_of: Mapping[str, Settings]) -> None:
        n_there = n_elsewhere = 0
        if not self.config.fresh:
            experiment = self.config.tracking.experiment
            n_there, n_elsewhere = foreseen(self.uri, experiment, digest(*sorted(job_of)), list(job_of))
        copied = f" ({n_elsewhere:,} would be copied from other sweeps)" if n_elsewhere else ""
        print("\n".join(f"  {job.name()}" for job in job_of.values()))
        print(f"  {n_there:,} of {plural(len(job_of), 'run')} are there{copied}")

    def _open(self, job_of: Mapping[str, Settings]) -> None:
        axes = terminal.axes(job_of.values())
        self.also = tuple(key for key in axes if key not in NAMED)
        experiment = self.config.tracking.experiment
        command = shlex.join(["python", "-m", "experiments.run", *map(masked, sys.argv[1:])])
        self.sweep = _opened(self.uri).open_sweep(
            experiment,
            fingerprint=digest(*sorted(job_of)),
            name=f"{experiment}-{time.strftime('%Y%m%d-%H%M%S')}",
            params=terminal.listed_axes(axes) | {"n_runs": len(job_of)},
            tags=provenance() | {"command": command},
            fresh=self.config.fresh,
        )

    def _take_over(self, job_of: Mapping[str, Settings]) -> int:
        """Copy what other sweeps hold of our runs; how many. Results then hold all that is there."""
        recorded = self.sweep.recorded()
        n_taken = 0
        missing = [key for key in job_of if key not in recorded]
        if missing and not self.config.fresh:
            at_once = max(1, COPIED // max(job_of[key].n_epochs for key in missing))
            n_taken = self.sweep.take_over(missing, lambda key: planned_run(job_of[key], self.also), at_once)
            recorded = self.sweep.recorded()  # another process may have recorded some by now, too
        for fingerprint, (outcome, final_error) in recorded.items():
            self.results[fingerprint] = terminal.Result(job_of[fingerprint], outcome, final_error)
        return n_taken

    def record(self, stack: Sequence[Settings], trained: Trained) -> list[float]:
        began = time.perf_counter()
        runs = finished_runs(stack, trained, self.also)
        self.sweep.record(runs)
        for settings, run in zip(stack, runs, strict=True):
            self.results[run.fingerprint] = terminal.Result(settings, run.tags["outcome"], _final_error(run))
        self.seconds["train"] += trained.seconds
        self.seconds["record"] += time.perf_counter() - began
        return [_final_error(run) for run in runs]

    def failed(self, settings: Settings, error: Exception) -> None:
        failure = f"{type(error).__name__}: {error}"
        run = planned_run(settings, self.also, outcome="failed", failure=failure)
        self.sweep.record([run])
        self.results[run.fingerprint] = terminal.Result(settings, "failed", np.inf)

    def __exit__(self, kind: type | None, error: BaseException | None, _traceback) -> None:
        """Close the sweep in MLflow, whatever ended it, before anything else; print what came out."""
        if self.sweep is None:
            return
        counts = Counter(result.outcome for result in self.results.values())
        whole = len(self.results) == self.n_runs
        status = "FINISHED" if whole and not counts["failed"] else "FAILED"
        if kind is KeyboardInterrupt:
            status = "KILLED"
        began = time.perf_counter()
        metrics = {f"runs.{outcome}": float(n) for outcome, n in counts.items()}
        if self.seconds["train"]:  # a command that trains nothing leaves those of the one that did
            metrics |= {f"seconds.{phase}": spent for phase, spent in self.seconds.items()}
        missing = ""
        closed = False
        try:
            missing = self.sweep.end(status, metrics, texts={"config.yaml": self.config_text})
            closed = True
        except StoreError:  # the same command closes it
            if error is None:
                raise
        finally:
            self.seconds["close"] = time.perf_counter() - began
            if whole and closed:
                print(f"\n{terminal.summary(self.results.values())}\n")
            print(self._ending(whole and closed), flush=True)
            if missing:
                print(missing, file=sys.stderr)

    def _ending(self, whole: bool) -> str:
        """How long the sweep took, where it is, what to do next."""
        phases = ", ".join(f"{phase} {spent:.1f}" for phase, spent in self.seconds.items() if spent >= 0.05)
        total = time.perf_counter() - self.began
        state = "finished" if whole else f"stopped at {len(self.results):,} of {self.n_runs:,} runs"
        place = [] if self.uri == usual() else ["--store", masked(self.uri)]
        following = "go on: the same command trains what is missing"
        if self.config.fresh:
            following = "go on: the same command without fresh=true trains what is missing"
        if whole:
            following = f"next: {typed('report', *place, *self._unless_newest())}"
        lines = [
            f"{self.sweep.name} {state} in {total:.1f} s ({phases})",
            f"browse: {typed('ui', *place)}, {link(self.uri, self.sweep.experiment_id)}",
            following,
        ]
        return "\n".join(lines)

    def _unless_newest(self) -> list[str]:
        """The words by which a report finds this sweep; none if it would take it by itself."""
        with suppress(StoreError):
            if sweeps(self.uri)[0]["run_id"] == self.sweep.run_id:
                return []
        return ["--sweep", self.sweep.name]
