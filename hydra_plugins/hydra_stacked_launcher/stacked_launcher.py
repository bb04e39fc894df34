"""hydra/launcher=stacked and hydra/sweeper=stacked: a sweep whose jobs are trained many at a time.

Hydra's own launcher runs a sweep job by job: each is composed twice, gets a folder and calls the task. A task
that can train many jobs as one array says so, and the whole sweep becomes a few calls:

    def main(config): ...          # the ordinary Hydra task: one job
    main.stacked = Sweep           # Sweep(config) is a context manager that gives a StackedTask
    main = hydra.main(version_base="1.3", config_path="conf", config_name="config")(main)

Every job is composed and checked before any starts; jobs of one shape become stacks; stacks are trained here
or by workers; what comes back is recorded here. A task without the attribute takes Hydra's own path.

Callbacks hear of one job after another, once it is recorded or has failed: on_job_start, then at once
on_job_end. They hear nothing of jobs that were done already. hydra.runtime.output_dir names a folder that is
theirs to make.
"""

import contextlib
import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import JobReturn, JobStatus, configure_log, env_override, setup_globals
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from hydra_plugins.hydra_stacked_launcher._composition import hydra_config
from hydra_plugins.hydra_stacked_launcher._core import Launch, Overrides
from hydra_plugins.hydra_stacked_launcher.messages import FailedJobs, Fault, one_line

MOST_WORKERS = 1000  # processes that a slip of the keyboard would start


class StackedTask(Protocol):
    """What a stackable task can do. Jobs are what check returns: small, and picklable when workers train."""

    def check(self, config: DictConfig) -> Any:
        """One job's settings, from its config, good during this call. Raises ValueError: a line per fault."""

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
        """Keep, in the launching process, what train returned; a value per job. An error ends the launch."""

    def failed(self, job: Any, error: Exception) -> None:
        """This job fails even when it is trained alone."""


@dataclass
class StackedLauncherConf:
    _target_: str = "hydra_plugins.hydra_stacked_launcher.stacked_launcher.StackedLauncher"
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
    _target_: str = "hydra_plugins.hydra_stacked_launcher.stacked_launcher.StackedSweeper"
    # most jobs of one launch, for an ordinary task; a stackable task's sweep is one launch
    max_batch_size: int | None = None
    # the axes: overrides as on the command line, where they can be given again to replace these
    params: dict[str, str] = field(default_factory=dict)
    # settings that go together, a line of overrides each ("gradient=numeric gradient.h=1e-2,1e-4"):
    # the axes are run once for each line, which may replace an axis; a text with spaces needs quotes
    cases: list[str] | None = None


for _group, _conf in (("hydra/launcher", StackedLauncherConf), ("hydra/sweeper", StackedSweeperConf)):
    ConfigStore.instance().store(group=_group, name="stacked", node=_conf, provider="stacked_launcher")


class StackedSweeper(BasicSweeper):
    """Hydra's basic sweeper, with cases; leaves a stackable task's jobs to the launcher to compose, once."""

    def __init__(self, max_batch_size: int | None, params: Mapping[str, str], cases: Sequence[str] | None):
        super().__init__(max_batch_size, params)
        self.cases = cases

    def sweep(self, arguments: list[str]) -> list[Sequence[JobReturn]]:
        """Launch every combination of the axes. A stackable task gets no folder and no multirun.yaml."""
        if not (isinstance(self.launcher, StackedLauncher) and self.launcher.stackable):
            if self.cases:
                raise Fault(f"hydra.sweeper.cases: {self.cases}; give none, or hydra/launcher=stacked")
            return super().sweep(arguments)
        if self.max_batch_size is not None:
            what = (
                "give null: a sweep is one launch (hydra.launcher.max_stack bounds what is trained at once)"
            )
            raise Fault(f"hydra.sweeper.max_batch_size: {self.max_batch_size}; {what}")
        jobs = self._jobs(arguments)
        returns = self.launcher.launch(jobs, initial_job_idx=0)
        errors = {i: job._return_value for i, job in enumerate(returns) if job.status is JobStatus.FAILED}
        if errors:
            raise FailedJobs(errors, jobs)
        return [returns]

    def _jobs(self, arguments: list[str]) -> list[Overrides]:
        """Every combination of the axes, once: cases replace axes of params, the command line either."""
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        axes, given = parser.parse_overrides(self._parse_config()), parser.parse_overrides(arguments)
        jobs: dict[frozenset[str], Overrides] = {}  # by what it overrides, in whatever order
        for case in self.cases or [""]:
            overrides = [*axes, *overrides_of(case, parser), *given]
            for override in filter(Override.is_sweep_override, overrides):
                values = [*override.sweep_string_iterator()] if override.is_discrete_sweep() else []
                if not values or len(values) > len({*values}):
                    axis = override.input_line.replace("=", ": ", 1)
                    raise Fault(f"{axis}; give values, each of them once")
            for job in self.split_arguments(overrides, None)[0]:
                jobs.setdefault(frozenset(job), tuple(job))
        return list(jobs.values())


def overrides_of(case: str, parser: OverridesParser) -> list[Override]:
    """A case's overrides: a space ends one, unless Hydra's grammar asks for more, as within range(0, 3)."""
    overrides, text = [], ""
    for word in re.findall(r"\S+\s*", case):
        text += word
        with contextlib.suppress(HydraException):
            overrides.append(parser.parse_override(text.strip()))
            text = ""
    return overrides + parser.parse_overrides([text.strip()] if text else [])


class StackedLauncher(BasicLauncher):
    """Trains the jobs of a stackable task in stacks; launches any other task as Hydra's own launcher does."""

    def __init__(self, max_stack: int | None, n_jobs: int, backend: str, options: Mapping[str, Any]) -> None:
        super().__init__()
        self.max_stack, self.n_jobs, self.backend, self.options = max_stack, n_jobs, backend, options

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
            launch = Launch(self, task, job_overrides, initial_job_idx)
            launch.check()
            launch.run(n_workers)
        return [launch.returns[index] for index in range(len(job_overrides))]

    def _check_own_settings(self) -> None:
        faults = []
        if self.max_stack is not None and self.max_stack < 1:
            faults.append(f"hydra.launcher.max_stack: {self.max_stack}; give 1 or more, or null for no limit")
        if self.n_jobs != -1 and not 1 <= self.n_jobs <= MOST_WORKERS:
            what = f"give 1 to {MOST_WORKERS:,}, or -1 for every core"
            faults.append(f"hydra.launcher.n_jobs: {self.n_jobs}; {what}")
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

        with contextlib.ExitStack() as stack:
            try:
                config = joblib.parallel_config(backend=self.backend, n_jobs=self.n_jobs, **self.options)
                stack.enter_context(config)
                joblib.Parallel(return_as="generator_unordered")
            except (ValueError, TypeError, ImportError) as error:
                what = f"give loky, threading or dask and options that fit ({one_line(error)})"
                raise Fault(f"hydra.launcher.backend: {self.backend!r}, {self.options}; {what}") from error
            yield joblib.effective_n_jobs(self.n_jobs)
