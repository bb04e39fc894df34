"""hydra/sweeper=stacked: every combination of the axes, and settings that go together as cases."""

import contextlib
import re
from collections.abc import Mapping, Sequence

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override, Sweep
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException

from hydra_plugins.hydra_stacked_launcher._faults import FailedJobs, Fault
from hydra_plugins.hydra_stacked_launcher.stacked_launcher import StackedLauncher


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
            why = "a sweep is one launch (hydra.launcher.max_stack bounds what is trained at once)"
            raise Fault(f"hydra.sweeper.max_batch_size: {self.max_batch_size}; give null: {why}")
        jobs = self._jobs(arguments)
        returns = self.launcher.launch(jobs, initial_job_idx=0)
        errors = {i: job._return_value for i, job in enumerate(returns) if job.status is JobStatus.FAILED}
        if errors:
            raise FailedJobs(errors, jobs)
        return [returns]

    def _jobs(self, arguments: list[str]) -> list[Sequence[str]]:
        """Each job's overrides, every job once: cases replace axes of params, the command line either."""
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        axes = parser.parse_overrides(self._parse_config())
        from_command_line = parser.parse_overrides(arguments)
        jobs: dict[frozenset[str], Sequence[str]] = {}  # by what it overrides, in whatever order
        for case in self.cases or [""]:
            overrides = [*axes, *overrides_of(case, parser), *from_command_line]
            for override in overrides:
                _check_values(override)
            for job in self.split_arguments(overrides, None)[0]:
                jobs.setdefault(frozenset(job), tuple(job))
        return list(jobs.values())


def overrides_of(case: str, parser: OverridesParser) -> list[Override]:
    """A case's overrides: a space ends one, unless Hydra's grammar asks for more, as within range(0, 3)."""
    overrides = []
    text = ""
    for word in re.findall(r"\S+\s*", case):
        text += word
        with contextlib.suppress(HydraException):
            overrides.append(parser.parse_override(text.strip()))
            text = ""
    if text:
        overrides += parser.parse_overrides([text.strip()])  # raises, and says why
    return overrides


def _check_values(override: Override) -> None:
    """An axis must have values, each of them once. Hydra knows no range among other values."""
    if not override.is_sweep_override():
        return
    axis = override.input_line.replace("=", ": ", 1)
    choice = override.value()
    if isinstance(choice, ChoiceSweep) and any(map(_has_sweep, choice.list)):
        raise Fault(f"{axis}; give the range alone, or write out its values")
    values = list(override.sweep_string_iterator()) if override.is_discrete_sweep() else []
    if not values or len(values) > len(set(values)):
        raise Fault(f"{axis}; give values, each of them once")


def _has_sweep(value: object) -> bool:
    """Whether it is a range or its like, or holds one, however deep."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return any(map(_has_sweep, value))
    return isinstance(value, Sweep)
