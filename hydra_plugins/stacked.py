"""hydra/launcher=stacked and hydra/sweeper=stacked: a sweep whose jobs are trained many at a time.

Hydra's own launcher runs a sweep job by job: each is composed twice, gets a folder and calls the task. A task
that can train many jobs as one array says so, and the whole sweep becomes a few calls:

    def main(config): ...          # the ordinary Hydra task: one job
    main.stacked = Sweep           # Sweep(config) is a context manager that gives a StackedTask
    main = hydra.main(version_base="1.3", config_path="conf", config_name="config")(main)

Every job is composed and checked before any starts; jobs of one shape become stacks; stacks are trained here
or by workers; what comes back is recorded here. A task without the attribute takes Hydra's own path.
"""

import contextlib
import copy
import functools
import itertools
import math
import os
import shlex
import signal
import threading
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import JobReturn, JobRuntime, JobStatus, configure_log, env_override, setup_globals
from hydra.errors import CompactHydraException, HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from hydra_plugins._composition import Composer, hydra_config
from hydra_plugins._faults import FailedJobs, folded, one_line, told
from hydra_plugins._stacks import stacked, trained

Overrides = Sequence[str]  # one job's, as on the command line
GIVE_UP = 50  # jobs failed before one was trained: the fault is not theirs


class StackedTask(Protocol):
    """What a stackable task can do. Jobs are what check returns: small, and picklable when workers train."""

    def check(self, config: DictConfig) -> Any:
        """One job's settings, read from its config (as main gets it; good during this call only).

        Raises ValueError whose text holds one fault per line.
        """

    def shape(self, job: Any) -> Hashable:
        """Jobs of equal shape are trained in one stack."""

    def most(self, job: Any) -> int:
        """The most jobs of this one's shape that memory lets be one stack. Optional."""

    def start(self, jobs: Sequence[Any]) -> Mapping[int, Any]:
        """Every job is good, none is trained. Returns the values of jobs already done, by index, or {}.

        Raises ValueError, whose text is told without a traceback, when the sweep as a whole can't be run.
        """

    def train(self, stack: Sequence[Any]) -> Any:
        """Train one stack. Pure: it may run in a worker process, and again on half of the stack."""

    def record(self, stack: Sequence[Any], trained: Any) -> Sequence[Any]:
        """Keep what train returned; a return value per job. Called in the launching process only.

        An error here is the store's, not the jobs': it ends the launch.
        """

    def failed(self, job: Any, error: Exception) -> None:
        """This job fails even when it is trained alone."""


@dataclass
class StackedLauncherConf:
    _target_: str = "hydra_plugins.stacked.StackedLauncher"

    # most jobs in one stack, null for no limit; memory grows with it, speed hardly does beyond some thousands
    max_stack: int | None = 2000

    # stacks trained at the same time; 1 trains in this process, -1 takes every core
    n_jobs: int = 1

    # joblib's backend, when n_jobs is not 1: loky (processes), threading, dask (a cluster), ...
    backend: str = "loky"

    # passed on to joblib.parallel_config as they are, such as inner_max_num_threads, temp_folder,
    # or for dask scheduler_host: tcp://<address>:8786
    options: dict[str, Any] = field(default_factory=dict)


@dataclass
class StackedSweeperConf:
    _target_: str = "hydra_plugins.stacked.StackedSweeper"

    # most jobs of one launch, null for no limit
    max_batch_size: int | None = None

    # the axes: overrides as on the command line, where they can be given again to replace these
    params: dict[str, str] | None = None

    # settings that go together, a line of overrides each ("gradient=numeric gradient.h=1e-2,1e-4"):
    # the axes are run once for each line, which may replace an axis
    cases: list[str] | None = None


for _group, _conf in (("hydra/launcher", StackedLauncherConf), ("hydra/sweeper", StackedSweeperConf)):
    ConfigStore.instance().store(group=_group, name="stacked", node=_conf, provider="stacked_launcher")


class StackedLauncher(BasicLauncher):
    """Trains the jobs of a stackable task in stacks; launches any other task as Hydra's own launcher does."""

    def __init__(self, max_stack: int | None, n_jobs: int, backend: str, options: Mapping[str, Any]) -> None:
        super().__init__()
        self.max_stack, self.n_jobs, self.backend, self.options = max_stack, n_jobs, backend, dict(options)

    @property
    def stackable(self) -> bool:
        return hasattr(self.task_function, "stacked")

    def launch(self, job_overrides: Sequence[Overrides], initial_job_idx: int) -> Sequence[JobReturn]:
        """One JobReturn per job, in order. Raises one CompactHydraException for all bad jobs."""
        if not self.stackable:
            return super().launch(job_overrides, initial_job_idx)
        setup_globals()
        hydra = self.config.hydra
        configure_log(hydra.hydra_logging, hydra.verbose)
        self._check_own_settings()
        environment = OmegaConf.to_container(hydra.job.env_set, resolve=True)
        with (
            _ended_by_sigterm(),
            self._workers() as n_workers,
            env_override(environment),
            hydra_config(self.config),
            self.task_function.stacked(self.config) as task,
        ):
            composer = Composer(self.hydra_context.config_loader, self.config)
            jobs = self._checked(task, composer, job_overrides, initial_job_idx)
            returns = _Returns(self, composer, job_overrides, initial_job_idx)
            self._run(task, jobs, returns, n_workers)
        return returns.in_order()

    def _check_own_settings(self) -> None:
        faults = []
        if self.max_stack is not None and self.max_stack < 1:
            faults.append(
                f"hydra.launcher.max_stack must be 1 or more, or null for no limit, got {self.max_stack}"
            )
        if self.n_jobs == 0 or self.n_jobs < -1:
            faults.append(f"hydra.launcher.n_jobs must be 1 or more, or -1 for every core, got {self.n_jobs}")
        if self.config.hydra.job.chdir:
            faults.append(
                "hydra.job.chdir=true needs a folder per job: only hydra/launcher=basic makes these"
            )
        if faults:
            raise CompactHydraException("\n".join(faults))

    @contextlib.contextmanager
    def _workers(self) -> Iterator[int]:
        """joblib set up for this launch; gives the number of workers, 1 meaning this process."""
        if self.n_jobs == 1:
            yield 1
            return
        import joblib

        try:
            workers = joblib.parallel_config(backend=self.backend, n_jobs=self.n_jobs, **self.options)
        except (ValueError, TypeError, ImportError) as error:
            raise CompactHydraException(
                f"hydra.launcher.backend={self.backend} with options={self.options}: {one_line(error)}"
            ) from error
        with workers:
            if not joblib.parallel.get_active_backend()[0].supports_return_generator:
                raise CompactHydraException(
                    f"hydra.launcher.backend={self.backend} can't stream results; use loky"
                )
            yield joblib.effective_n_jobs(self.n_jobs)

    def _checked(
        self, task: StackedTask, composer: Composer, job_overrides: Sequence[Overrides], first: int
    ) -> list[Any]:
        jobs: list[Any] = [None] * len(job_overrides)
        faults = []
        with hydra_config(self.config) as tell_of:
            for index in composer.order(job_overrides):
                overrides = job_overrides[index]
                try:
                    config, whole = composer.compose(overrides, first + index)
                    tell_of(whole)
                    jobs[index] = task.check(config)
                except (HydraException, OmegaConfBaseException) as error:
                    faults.append((index, told(error, functools.partial(composer.names, overrides))))
                except ValueError as error:
                    faults += [(index, line.strip()) for line in str(error).splitlines() if line.strip()]
        if faults:
            faults.sort(key=lambda fault: fault[0])
            n_bad = len({index for index, _ in faults})
            head = f"{n_bad} of {len(job_overrides)} jobs can't be run, so none was started:"
            raise CompactHydraException("\n  ".join([head, *folded(faults, job_overrides)]))
        return jobs

    def _run(self, task: StackedTask, jobs: Sequence[Any], returns: "_Returns", n_workers: int) -> None:
        try:
            done = task.start(jobs)
        except ValueError as error:
            raise CompactHydraException(str(error)) from error
        for index, value in done.items():
            returns.end(index, value)
        todo = [index for index in range(len(jobs)) if index not in done]
        max_stack = self.max_stack or len(jobs)
        if n_workers > 1:  # two stacks a worker at least: one that is slow doesn't leave the others idle
            max_stack = min(max_stack, math.ceil(len(todo) / (2 * n_workers)) or 1)
        most = getattr(task, "most", lambda job: max_stack)
        shapes = [(index, task.shape(jobs[index])) for index in todo]
        stacks = stacked(shapes, lambda first: min(max_stack, most(jobs[first])))
        for index in todo:
            returns.begin(index)
        n_failed = n_trained = 0
        with contextlib.closing(trained(task.train, jobs, stacks, n_workers)) as results:
            for stack, result, error in results:
                of_stack = [jobs[index] for index in stack.jobs]
                if error is not None:
                    n_failed += 1
                    if n_failed == GIVE_UP and not n_trained:
                        error.add_note(
                            f"{GIVE_UP} jobs failed before any was trained: the others weren't tried"
                        )
                        raise error
                    task.failed(of_stack[0], error)
                    returns.end(stack.jobs[0], error, JobStatus.FAILED)
                else:
                    n_trained += len(stack.jobs)
                    for index, value in zip(stack.jobs, task.record(of_stack, result), strict=True):
                        returns.end(index, value)


class _Returns:
    """What a launch returns for each job; callbacks hear of jobs as they begin and end."""

    def __init__(self, launcher: StackedLauncher, composer: Composer, job_overrides, first: int) -> None:
        self.launcher, self.composer = launcher, composer
        self.job_overrides, self.first = job_overrides, first
        self.callbacks = launcher.hydra_context.callbacks
        self.begun: set[int] = set()
        self.returns: dict[int, JobReturn] = {}

    def begin(self, index: int) -> None:
        if self.callbacks.callbacks:
            self.begun.add(index)
            whole = self.composer.to_keep(self.job_overrides[index], self.first + index)
            with hydra_config(whole):
                self.callbacks.on_job_start(config=whole, task_function=self.launcher.task_function)

    def end(self, index: int, value: Any, status: JobStatus = JobStatus.COMPLETED) -> None:
        job = JobReturn(
            overrides=list(self.job_overrides[index]),
            working_dir=os.getcwd(),
            task_name=JobRuntime.instance().get("name"),
            status=status,
            _return_value=value,
        )
        self.returns[index] = job
        if index in self.begun:
            whole = self.composer.to_keep(self.job_overrides[index], self.first + index)
            job.hydra_cfg, job.cfg = OmegaConf.masked_copy(whole, "hydra"), copy.deepcopy(whole)
            del job.cfg.__dict__["_content"]["hydra"]
            with hydra_config(whole):
                self.callbacks.on_job_end(config=whole, job_return=job)
            job.hydra_cfg = job.cfg = None  # half a megabyte

    def in_order(self) -> list[JobReturn]:
        returns = [self.returns[index] for index in range(len(self.job_overrides))]
        failed = [index for index, job in enumerate(returns) if job.status is JobStatus.FAILED]
        if failed:  # whichever of them a sweeper raises, it tells of all
            errors = {index: returns[index]._return_value for index in failed}
            together = FailedJobs(errors, self.job_overrides)
            for index in failed:
                returns[index].return_value = together
        return returns


class StackedSweeper(BasicSweeper):
    """Hydra's basic sweeper, with cases; leaves a stackable task's jobs to the launcher to compose, once."""

    def __init__(
        self,
        max_batch_size: int | None,
        params: Mapping[str, str] | None = None,
        cases: Sequence[str] | None = None,
    ) -> None:
        super().__init__(max_batch_size, params)
        self.cases = cases

    def sweep(self, arguments: list[str]) -> list[Sequence[JobReturn]]:
        """Launch every combination of the axes. A stackable task gets no folder and no multirun.yaml."""
        if not (isinstance(self.launcher, StackedLauncher) and self.launcher.stackable):
            if self.cases:
                raise CompactHydraException("hydra.sweeper.cases are run by hydra/launcher=stacked only")
            return super().sweep(arguments)
        if self.max_batch_size is not None and self.max_batch_size < 1:
            raise CompactHydraException(
                f"hydra.sweeper.max_batch_size must be 1 or more, got {self.max_batch_size}"
            )
        grids = [itertools.product(*self._axes(arguments, case)) for case in self.cases or [""]]
        jobs = list(map(list, dict.fromkeys(itertools.chain(*grids))))
        returns: list[Sequence[JobReturn]] = []
        errors: dict[int, Exception] = {}
        for batch in self.split_overrides_to_chunks(jobs, self.max_batch_size):
            first = sum(map(len, returns))
            returns.append(self.launcher.launch(batch, initial_job_idx=first))
            failed = next((job._return_value for job in returns[-1] if job.status is JobStatus.FAILED), None)
            if failed:
                errors |= {first + index: error for index, error in failed.errors.items()}
        if errors:
            raise FailedJobs(errors, jobs)
        return returns

    def _axes(self, arguments: list[str], case: str) -> list[list[str]]:
        """The values of each axis: of hydra.sweeper.params, where the case has none, nor the command line."""
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        try:
            configured = parser.parse_overrides([*self._parse_config(), *shlex.split(case)])
        except ValueError as error:
            raise CompactHydraException(f"hydra.sweeper.cases: {case!r}; give overrides ({error})") from None
        overrides = {_name(override): override for override in configured}
        own = set(overrides)
        for override in parser.parse_overrides(arguments):
            name = _name(override)
            overrides[name if name in own else override.get_key_element()] = override
            own.discard(name)
        axes = [[job[0] for job in self.split_arguments([one], None)[0]] for one in overrides.values()]
        for override, axis in zip(overrides.values(), axes, strict=True):
            twice = [value for value, later in itertools.pairwise(sorted(axis)) if value == later]
            if twice or not axis:
                fault = f"{twice[0]} is there twice, and would be run twice" if twice else "it has no values"
                raise CompactHydraException(f"can't sweep over {override.input_line}: {fault}")
        return axes


@contextlib.contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM ends a launch as Ctrl-C does: through the task's __exit__, and its workers with it."""
    default = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM)
    if default is not signal.SIG_DFL:  # someone else has a use for it
        yield
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, default)


def _name(override: Override) -> str:
    return override.get_key_element().lstrip("+~")
