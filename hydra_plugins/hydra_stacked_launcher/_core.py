"""One launch of a stackable task, as the door's docstring has it: check every job, train, record."""

import contextlib
import copy
import functools
import os
import reprlib
from collections.abc import Mapping, Sequence
from typing import Any

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.utils import JobReturn, JobRuntime, JobStatus, configure_log, env_override, setup_globals
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from hydra_plugins.hydra_stacked_launcher._composition import Composer, hydra_config
from hydra_plugins.hydra_stacked_launcher._faults import Fault, fault_lines
from hydra_plugins.hydra_stacked_launcher._progress import Progress, head
from hydra_plugins.hydra_stacked_launcher._stacks import Stack, make_stacks, train_stacks, workers
from hydra_plugins.hydra_stacked_launcher.messages import message_of, names_in

MOST_WORKERS = 1000  # processes that a slip of the keyboard would start
GIVE_UP = 50  # jobs failed before one was trained: the fault is not theirs


def launch(launcher: BasicLauncher, job_overrides: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
    """One JobReturn per job, in order; first: the number of the first job."""
    setup_globals()
    hydra = launcher.config.hydra
    configure_log(hydra.hydra_logging, hydra.verbose)
    check_settings(launcher)
    with (
        workers(launcher.n_jobs, launcher.backend, launcher.options) as n_workers,
        env_override(OmegaConf.to_container(hydra.job.env_set, resolve=True)),
        hydra_config(launcher.config),
        entered(launcher.task_function.stacked(launcher.config)) as task,
    ):
        started = Launch(launcher, task, job_overrides, first)
        started.check()
        started.run(n_workers)
    return [started.returns[index] for index in range(len(job_overrides))]


def entered(task: Any) -> contextlib.AbstractContextManager:
    """The task to be entered, though it may be no context manager."""
    return task if isinstance(task, contextlib.AbstractContextManager) else contextlib.nullcontext(task)


def check_settings(launcher: BasicLauncher) -> None:
    """Raises one Fault for all of the launcher's own settings that are wrong."""
    faults = []
    if launcher.max_stack is not None and launcher.max_stack < 1:
        faults.append(f"hydra.launcher.max_stack: {launcher.max_stack}; give 1 or more, or null for no limit")
    if launcher.n_jobs != -1 and not 1 <= launcher.n_jobs <= MOST_WORKERS:
        right = f"give 1 to {MOST_WORKERS:,}, or -1 for every core"
        faults.append(f"hydra.launcher.n_jobs: {launcher.n_jobs}; {right}")
    if launcher.config.hydra.job.chdir:
        faults.append("hydra.job.chdir: true; give false, or hydra/launcher=basic for a folder per job")
    if faults:
        raise Fault("\n".join(faults))


class Launch:
    """Jobs checked, trained and recorded; callbacks hear of each."""

    def __init__(self, launcher: BasicLauncher, task: Any, overrides: Sequence[Sequence[str]], first: int):
        self.launcher = launcher
        self.task = task
        self.overrides = overrides  # of each job
        self.first = first
        self.loader = launcher.hydra_context.config_loader
        self.callbacks = launcher.hydra_context.callbacks
        self.composer = Composer(self.loader, launcher.config)
        self._names = functools.cache(lambda: names_in(self.loader, launcher.config))  # 10 ms
        self.jobs: list[Any] = [None] * len(overrides)
        self.returns: dict[int, JobReturn] = {}

    def check(self) -> None:
        """Compose and check every job. Raises one Fault for all that are bad."""
        choices = [self.composer.choices(overrides) for overrides in self.overrides]
        faults: list[tuple[int, str]] = []
        for index in sorted(range(len(choices)), key=choices.__getitem__):
            faults += [(index, message) for message in self._check_job(index)]
        if faults:
            n_bad = len({index for index, _ in faults})
            summary = f"{n_bad:,} of {len(self.jobs):,} jobs can't be run, so none was started:"
            raise Fault("\n  ".join([summary, *fault_lines(sorted(faults), self.overrides)]))

    def _check_job(self, index: int) -> list[str]:
        """Its faults."""
        try:
            composed = self.composer.compose(self.overrides[index], self.first + index)
            self.composer.check_settings(composed)
        except Exception as error:  # Hydra's, of what the overrides say
            return [message_of(error, self._names)]
        config, whole = composed
        try:
            with hydra_config(whole):
                self.jobs[index] = self.task.check(config)
                if self.callbacks.callbacks:
                    str(whole.hydra.runtime.output_dir)  # callbacks are given it resolved
        except OmegaConfBaseException as error:
            return [message_of(error)]
        except ValueError as error:
            return [line.strip() for line in str(error).splitlines() if line.strip()]
        return []

    def run(self, n_workers: int) -> None:
        """Train and record every job that isn't done."""
        done = self._start()
        for index, value in done.items():
            self._return(index, value)
        waiting = {index: job for index, job in enumerate(self.jobs) if index not in done}
        stacks = make_stacks(self.task, waiting, self.launcher.max_stack, n_workers)
        print(head(len(done), len(self.jobs), len(stacks)), flush=True)
        n_failed = 0
        n_trained = 0
        with (
            Progress(len(waiting)) as progress,
            contextlib.closing(train_stacks(self.task.train, self.jobs, stacks, n_workers)) as results,
        ):
            for stack, trained, error in results:
                if error is None:
                    values = self._record(stack, trained)
                    status = JobStatus.COMPLETED
                    n_trained += len(stack)
                else:
                    n_failed += 1
                    if n_failed == GIVE_UP and not n_trained:
                        note = f"{GIVE_UP} jobs failed before any was trained: the others weren't tried"
                        error.add_note(note)
                        raise error
                    self._fail(*stack, error)
                    values = [error]
                    status = JobStatus.FAILED
                for index, value in zip(stack, values, strict=True):
                    self._return(index, value, status)
                    self._tell_callbacks(index)
                progress.add(len(stack), failed=error is not None)

    def _start(self) -> Mapping[int, Any]:
        """Let the task open what the sweep needs. Gives the values of jobs already done."""
        done = {}
        try:
            if hasattr(self.task, "start"):
                self.task.start(self.jobs)
            if hasattr(self.task, "done"):
                done = self.task.done(self.jobs)
        except ValueError as error:
            raise Fault(str(error)) from error
        for index in done:
            if index not in range(len(self.jobs)):
                raise IndexError(f"done: {index!r} is no index of {len(self.jobs)} jobs; give 0, 1, 2, ...")
        return done

    def _record(self, stack: Stack, trained: Any) -> Sequence[Any]:
        values = self.task.record([self.jobs[index] for index in stack], trained)
        if not hasattr(values, "__len__") or len(values) != len(stack):
            right = f"give a value for each of {len(stack)} jobs"
            raise TypeError(f"record: returned {reprlib.repr(values)}; {right}")
        return values

    def _fail(self, index: int, error: Exception) -> None:
        if hasattr(self.task, "failed"):
            self.task.failed(self.jobs[index], error)

    def _return(self, index: int, value: Any, status: JobStatus = JobStatus.COMPLETED) -> None:
        self.returns[index] = JobReturn(
            overrides=list(self.overrides[index]),
            working_dir=os.getcwd(),
            task_name=JobRuntime.instance().get("name"),
            status=status,
            _return_value=value,
        )

    def _tell_callbacks(self, index: int) -> None:
        """That the job starts and ends, of one and the same config."""
        if not self.callbacks.callbacks:
            return
        job = self.returns[index]
        whole = copy.deepcopy(self.composer.compose(self.overrides[index], self.first + index)[1])
        with hydra_config(whole):
            whole.hydra.runtime.output_dir = whole.hydra.runtime.output_dir  # resolved, as in Hydra's own
            job.hydra_cfg = OmegaConf.masked_copy(whole, "hydra")
            job.cfg = copy.deepcopy(whole)
            del job.cfg._content["hydra"]
            self.callbacks.on_job_start(config=whole, task_function=self.launcher.task_function)
            self.callbacks.on_job_end(config=whole, job_return=job)
            job.hydra_cfg = None  # half a megabyte
            job.cfg = None
