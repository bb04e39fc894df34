"""WHAT IS RUN: settings -> stacks -> trained runs, recorded. Results depend on tinynet and runs.py alone."""

from experiments.sweep.origin import digest, provenance
from experiments.sweep.runs import finished_runs, train
from experiments.sweep.settings import Settings, forget_built, read, register
from experiments.sweep.task import SweepTask, run_alone

__all__ = [
    "Settings",
    "SweepTask",
    "digest",
    "finished_runs",
    "forget_built",
    "provenance",
    "read",
    "register",
    "run_alone",
    "train",
]
