"""One launch of a stackable task, as the docstring of stacked.py has it: check every job, train, record."""

import contextlib
import copy
import math
import os
from collections.abc import Sequence
from typing import Any

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.utils import JobReturn, JobRuntime, JobStatus
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from hydra_plugins.hydra_stacked_launcher._composition import Composer, hydra_config
from hydra_plugins.hydra_stacked_launcher._stacks import stacked, trained
from hydra_plugins.hydra_stacked_launcher.messages import Fault, folded, names_in, told

Overrides = Sequence[str]  # one job's, as on the command line
GIVE_UP = 50  # jobs failed before one was trained: the fault is not theirs


class Launch:
    """One launch of a stackable task: jobs checked, trained and recorded; callbacks hear of each."""

    def __init__(self, launcher: BasicLauncher, task: Any, overrides: Sequence[Overrides], first: int):
        self.launcher, self.task, self.overrides, self.first = launcher, task, overrides, first
        self.loader, self.callbacks = launcher.hydra_context.config_loader, launcher.hydra_context.callbacks
        self.composer = Composer(self.loader, launcher.config)
        self.jobs: list[Any] = [None] * len(overrides)
        self.returns: dict[int, JobReturn] = {}

    def check(self) -> None:
        """Compose and check every job."""
        faults: list[tuple[int, str]] = []
        for index in sorted(range(len(self.jobs)), key=lambda i: self.composer.choices(self.overrides[i])):
            try:
                config, whole = self.composer.compose(self.overrides[index], self.first + index)
            except Exception as error:  # Hydra's, of what the overrides say
                faults.append((index, told(error, lambda: [*names_in(self.loader, self.launcher.config)])))
                continue
            try:
                with hydra_config(whole):
                    self.jobs[index] = self.task.check(config)
                    if self.callbacks.callbacks:
                        str(whole.hydra.runtime.output_dir)  # callbacks are given it resolved
            except OmegaConfBaseException as error:
                faults.append((index, told(error)))
            except ValueError as error:
                faults += [(index, line.strip()) for line in str(error).splitlines() if line.strip()]
        if faults:
            n_bad = len({index for index, _ in faults})
            head = f"{n_bad} of {len(self.jobs)} jobs can't be run, so none was started:"
            raise Fault("\n  ".join([head, *folded(sorted(faults), self.overrides)]))

    def run(self, n_workers: int) -> None:
        """Train and record every job that isn't done."""
        try:
            done = self.task.start(self.jobs)
        except ValueError as error:
            raise Fault(str(error)) from error
        for index, value in done.items():
            self._return(index, value)
        todo = [index for index in range(len(self.jobs)) if index not in done]
        max_stack = self.launcher.max_stack or len(self.jobs)
        if n_workers > 1:  # two stacks a worker at least: one that is slow doesn't leave the others idle
            max_stack = min(max_stack, math.ceil(len(todo) / (2 * n_workers)) or 1)
        most = getattr(self.task, "most", lambda job: max_stack)
        shapes = {index: self.task.shape(self.jobs[index]) for index in todo}
        stacks = stacked(shapes, lambda first: min(max_stack, most(self.jobs[first])))
        n_failed = n_trained = 0
        with contextlib.closing(trained(self.task.train, self.jobs, stacks, n_workers)) as results:
            for stack, result, error in results:
                jobs = [self.jobs[index] for index in stack]
                if error is None:
                    n_trained += len(stack)
                    for index, value in zip(stack, self.task.record(jobs, result), strict=True):
                        self._tell(self._return(index, value), index)
                    continue
                n_failed += 1
                if n_failed == GIVE_UP and not n_trained:
                    error.add_note(f"{GIVE_UP} jobs failed before any was trained: the others weren't tried")
                    raise error
                self.task.failed(*jobs, error)
                self._tell(self._return(*stack, error, JobStatus.FAILED), *stack)

    def _return(self, index: int, value: Any, status: JobStatus = JobStatus.COMPLETED) -> JobReturn:
        self.returns[index] = JobReturn(
            overrides=list(self.overrides[index]),
            working_dir=os.getcwd(),
            task_name=JobRuntime.instance().get("name"),
            status=status,
            _return_value=value,
        )
        return self.returns[index]

    def _tell(self, job: JobReturn, index: int) -> None:
        """Callbacks hear that the job starts and ends, of one and the same config."""
        if not self.callbacks.callbacks:
            return
        whole = copy.deepcopy(self.composer.compose(self.overrides[index], self.first + index)[1])
        with hydra_config(whole):
            whole.hydra.runtime.output_dir = whole.hydra.runtime.output_dir  # resolved, as in Hydra's own
            job.hydra_cfg, job.cfg = OmegaConf.masked_copy(whole, "hydra"), copy.deepcopy(whole)
            del job.cfg._content["hydra"]
            self.callbacks.on_job_start(config=whole, task_function=self.launcher.task_function)
            self.callbacks.on_job_end(config=whole, job_return=job)
            job.hydra_cfg = job.cfg = None  # half a megabyte
