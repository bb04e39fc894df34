"""A stackable task that keeps what it is asked, and sweeps of it; the app of apps/ as a process."""

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

APPS = Path(__file__).parent / "apps"
STACKED = ["hydra/launcher=stacked", "hydra/sweeper=stacked"]


class Tracked:
    """A task that keeps what it is asked; its faults are those of app.py."""

    def __init__(self, done=(), train=None):
        self.calls, self.values, self.train = [], dict(done), train or self.train

    def stacked(self, config):
        @contextmanager
        def sweep():
            try:
                yield self
            except BaseException as error:
                self.calls.append(type(error).__name__)
                raise

        return sweep()

    def check(self, config):
        if config.rate < 0:
            raise ValueError(f"rate must be 0 or more, got {config.rate}")
        return config.seed, config.width

    def shape(self, job):
        return job[1]

    def start(self, jobs):
        self.calls.append(("start", list(jobs)))

    def done(self, jobs):
        return self.values

    @staticmethod
    def train(stack):
        if any(seed == 13 for seed, _ in stack):
            raise FloatingPointError("unlucky")
        return [10 * seed for seed, _ in stack]

    def record(self, stack, trained):
        self.calls.append(("record", stack))
        return trained

    def failed(self, job, error):
        self.calls.append(("failed", job, str(error)))

    def __call__(self, config):
        raise AssertionError("a stackable task is not called job by job")


def sweep(task, *overrides, options=STACKED):
    """All JobReturns of a sweep of the app in apps, made in this process."""
    with initialize_config_dir(str(APPS / "conf"), version_base="1.3"):
        hydra = GlobalHydra.instance().hydra
        given = ["hydra.mode=MULTIRUN", *options, *overrides]
        batches = hydra.multirun("config", task, given, with_log_configuration=False)
    return [job for batch in batches for job in batch]


def stacks(task):
    return [entry[1] for entry in task.calls if entry[0] == "record"]


def run(*arguments, **options):
    command = [sys.executable, str(APPS / "app.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)
