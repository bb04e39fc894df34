"""A launcher and a sweeper for Hydra that train the jobs of a sweep many at a time: see task.py."""

from hydra_plugins.hydra_stacked_launcher._faults import FailedJobs, Fault
from hydra_plugins.hydra_stacked_launcher.task import StackedTask

__all__ = ["FailedJobs", "Fault", "StackedTask"]
