"""A launcher and a sweeper for Hydra that train the jobs of a sweep many at a time: see docs/launcher.md.

Hydra's own launcher runs a sweep job by job: each is composed twice, gets a folder and calls the task. A task
that can train many jobs as one array says so, and the whole sweep becomes a few calls:

    def main(config): ...          # the ordinary Hydra task: one job
    main.stacked = Sweep           # Sweep(config of the sweep) is a StackedTask
    main = hydra.main(version_base="1.3", config_path="conf", config_name="config")(main)

with hydra/launcher=stacked and hydra/sweeper=stacked. Every job is composed and checked before any starts;
jobs of one shape become stacks; stacks are trained here or by workers; what comes back is recorded here. A
task without the attribute takes Hydra's own path.

Callbacks hear of one job after another, once it is recorded or has failed: on_job_start, then at once
on_job_end. They hear nothing of jobs that were done already. hydra.runtime.output_dir names a folder that is
theirs to make.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Protocol

from omegaconf import DictConfig

from hydra_plugins.hydra_stacked_launcher._faults import FailedJobs, Fault

__all__ = ["FailedJobs", "Fault", "StackedTask"]


class StackedTask(Protocol):
    """What a stackable task can do. Jobs are what check returns: small, and picklable when workers train.

    The launcher asks for what follows in this order. A task that is also a context manager is entered before
    the first question and left after the last, whatever ends the sweep.
    """

    def check(self, config: DictConfig) -> Any:
        """One job's settings, from its config, good during this call. Raises ValueError: a line per fault."""

    def start(self, jobs: Sequence[Any]) -> None:
        """Every job is good, none is trained: open what the sweep needs. Optional.

        Raises ValueError, whose text is shown without a traceback, when the sweep as a whole can't be run.
        """

    def done(self, jobs: Sequence[Any]) -> Mapping[int, Any]:
        """The values of jobs that need no training, by index in jobs. Optional. May raise as start may."""

    def shape(self, job: Any) -> Hashable:
        """Jobs of equal shape are trained in one stack."""

    def most(self, job: Any) -> int:
        """The most jobs of this one's shape that memory lets be one stack. Optional."""

    def train(self, stack: Sequence[Any]) -> Any:
        """Train one stack. Pure: it may run in a worker process, and again on half of the stack."""

    def record(self, stack: Sequence[Any], trained: Any) -> Sequence[Any]:
        """Keep, in the launching process, what train returned; a value per job. An error ends the launch."""

    def failed(self, job: Any, error: Exception) -> None:
        """This job fails even when it is trained alone. Optional: the user is told in any case."""
