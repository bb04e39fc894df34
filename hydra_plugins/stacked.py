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
import math
import os
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import JobReturn, JobRuntime, JobStatus, configure_log, env_override, setup_globals
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from hydra_plugins._composition import Composer, hydra_config
from hydra_plugins._faults import FailedJobs, Fault, folded, names_in, one_line, told
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

    # of an ordinary task: most jobs of one launch; a stackable task's sweep is one launch
    max_batch_size: int | None = None

    # the axes: overrides as on the command line, where they can be given again to replace these
    params: dict[str, str] = field(default_factory=dict)

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
        """One JobReturn per job, in order. Raises one Fault for all bad jobs."""
        if not self.stackable:
            return super().launch(job_overrides, initial_job_idx)
        setup_globals()
        hydra = self.config.hydra
        configure_log(hydra.hydra_logging, hydra.verbose)
        self._check_own_settings()
        with (
            self._workers() as n_workers,
            env_override(OmegaConf.to_container(hydra.job.env_set, resolve=True)),
            hydra_config(self.config),
            self.task_function.stacked(self.config) as task,
        ):
            composer = Composer(self.hydra_context.config_loader, self.config)
            jobs = self._checked(task, composer, job_overrides, initial_job_idx)
            returns = _Returns(self, composer, job_overrides, initial_job_idx)
            self._run(task, jobs, returns, n_workers)
        return [returns.of[index] for index in range(len(jobs))]

    def _check_own_settings(self) -> None:
        faults = []
        if self.max_stack is not None and self.max_stack < 1:
            faults.append(f"hydra.launcher.max_stack: {self.max_stack}; give 1 or more, or null for no limit")
        if self.n_jobs == 0 or self.n_jobs < -1:
            faults.append(f"hydra.launcher.n_jobs: {self.n_jobs}; give 1 or more, or -1 for every core")
        if self.config.hydra.job.chdir:
            faults.append("hydra.job.chdir: true; give false, or hydra/launcher=basic for a folder per job")
        if faults:
            raise Fault("\n".join(faults))

    @contextlib.contextmanager
    def _workers(self) -> Iterator[int]:
        """joblib set up for this launch; gives the number of workers, 1 meaning this process."""
        if self.n_jobs == 1:
            yield 1
            return
        import joblib

        try:
            workers = joblib.parallel_config(backend=self.backend, n_jobs=self.n_jobs, **self.options)
            if not joblib.parallel.get_active_backend()[0].supports_return_generator:
                workers.unregister()
                raise ValueError("it can't stream results")
        except (ValueError, TypeError, ImportError) as error:
            raise Fault(
                f"hydra.launcher.backend: {self.backend!r} with options={self.options}; give loky, threading "
                f"or dask with its options ({one_line(error)})"
            ) from error
        with workers:
            yield joblib.effective_n_jobs(self.n_jobs)

    def _checked(
        self, task: StackedTask, composer: Composer, job_overrides: Sequence[Overrides], first: int
    ) -> list[Any]:
        jobs: list[Any] = [None] * len(job_overrides)
        faults = []
        loader = self.hydra_context.config_loader
        for index in sorted(range(len(jobs)), key=lambda index: composer.choices(job_overrides[index])):
            try:
                config, whole = composer.compose(job_overrides[index], first + index)
            except Exception as error:  # Hydra's, of what the overrides say
                faults.append((index, told(error, lambda: [*names_in(loader, self.config)])))
                continue
            try:
                with hydra_config(whole):
                    jobs[index] = task.check(config)
            except OmegaConfBaseException as error:
                faults.append((index, told(error)))
            except ValueError as error:
                faults += [(index, line.strip()) for line in str(error).splitlines() if line.strip()]
        if faults:
            n_bad = len({index for index, _ in faults})
            head = f"{n_bad} of {len(jobs)} jobs can't be run, so none was started:"
            faults.sort(key=lambda fault: fault[0])
            raise Fault("\n  ".join([head, *folded(faults, job_overrides)]))
        return jobs

    def _run(self, task: StackedTask, jobs: Sequence[Any], returns: "_Returns", n_workers: int) -> None:
        try:
            done = task.start(jobs)
        except ValueError as error:
            raise Fault(str(error)) from error
        for index, value in done.items():
            returns.end(index, value)
        todo = [index for index in range(len(jobs)) if index not in done]
        max_stack = self.max_stack or len(jobs)
        if n_workers > 1:  # two stacks a worker at least: one that is slow doesn't leave the others idle
            max_stack = min(max_stack, math.ceil(len(todo) / (2 * n_workers)) or 1)
        most = getattr(task, "most", lambda job: max_stack)
        shapes = {index: task.shape(jobs[index]) for index in todo}
        stacks = stacked(shapes, lambda first: min(max_stack, most(jobs[first])))
        for index in todo:
            returns.begin(index)
        n_failed = n_trained = 0
        with contextlib.closing(trained(task.train, jobs, stacks, n_workers)) as results:
            for stack, result, error in results:
                of_stack = [jobs[index] for index in stack]
                if error is None:
                    n_trained += len(stack)
                    for index, value in zip(stack, task.record(of_stack, result), strict=True):
                        returns.end(index, value)
                    continue
                n_failed += 1
                if n_failed == GIVE_UP and not n_trained:
                    error.add_note(f"{GIVE_UP} jobs failed before any was trained: the others weren't tried")
                    raise error
                task.failed(of_stack[0], error)
                returns.end(stack[0], error, JobStatus.FAILED)


class _Returns:
    """What a launch returns for each job; callbacks hear of jobs as they begin and end."""

    def __init__(self, launcher: StackedLauncher, composer: Composer, job_overrides, first: int) -> None:
        self.launcher, self.composer = launcher, composer
        self.job_overrides, self.first = job_overrides, first
        self.callbacks = launcher.hydra_context.callbacks
        self.begun: set[int] = set()
        self.of: dict[int, JobReturn] = {}

    def begin(self, index: int) -> None:
        if self.callbacks.callbacks:
            self.begun.add(index)
            with self._config(index) as whole:
                self.callbacks.on_job_start(config=whole, task_function=self.launcher.task_function)

    def end(self, index: int, value: Any, status: JobStatus = JobStatus.COMPLETED) -> None:
        job = self.of[index] = JobReturn(
            overrides=list(self.job_overrides[index]),
            working_dir=os.getcwd(),
            task_name=JobRuntime.instance().get("name"),
            status=status,
            _return_value=value,
        )
        if index in self.begun:
            with self._config(index) as whole:
                job.hydra_cfg, job.cfg = OmegaConf.masked_copy(whole, "hydra"), copy.deepcopy(whole)
                del job.cfg._content["hydra"]
                self.callbacks.on_job_end(config=whole, job_return=job)
                job.hydra_cfg = job.cfg = None  # half a megabyte

    @contextlib.contextmanager
    def _config(self, index: int) -> Iterator[DictConfig]:
        """The job's whole config, to keep."""
        whole = copy.deepcopy(self.composer.compose(self.job_overrides[index], self.first + index)[1])
        with hydra_config(whole):
            yield whole


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
                raise Fault("hydra.sweeper.cases: give none, or hydra/launcher=stacked, which alone runs them")
            return super().sweep(arguments)
        if self.max_batch_size is not None:
            raise Fault(
                f"hydra.sweeper.max_batch_size: {self.max_batch_size}; give null, for a sweep is launched whole "
                "(hydra.launcher.max_stack bounds what is trained at once)"
            )
        jobs = self._jobs(arguments)
        returns = self.launcher.launch(jobs, initial_job_idx=0)
        errors = {i: job._return_value for i, job in enumerate(returns) if job.status is JobStatus.FAILED}
        if errors:
            raise FailedJobs(errors, jobs)
        return [returns]

    def _jobs(self, arguments: list[str]) -> list[list[str]]:
        """Every combination of the axes, once: cases replace axes of params, the command line either."""
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        jobs: dict[tuple[str, ...], None] = {}
        for case in self.cases or [""]:
            overrides = parser.parse_overrides([*self._parse_config(), *case.split(), *arguments])
            for override in filter(Override.is_sweep_override, overrides):
                values = [*override.sweep_string_iterator()] if override.is_discrete_sweep() else []
                if not values or len(values) > len({*values}):
                    raise Fault(f"{override.input_line.replace('=', ': ', 1)}; give values, each of them once")
            jobs |= dict.fromkeys(map(tuple, self.split_arguments(overrides, None)[0]))
        return list(map(list, jobs))
