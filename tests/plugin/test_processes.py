"""Real processes, real faults."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial

import pytest

from tests.plugin.tasks import APPS, STACKED, run


def test_a_failed_sweep_ends_without_a_traceback():
    ended = run("-m", *STACKED, "seed=12,13", "hydra.launcher.n_jobs=2")
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert ended.stderr.startswith(
        "1 of 2 jobs failed; the others are recorded:\n  seed=13: FloatingPointError"
    )
    assert ended.stdout.splitlines()[-1] == "exit None"


def test_a_full_error_shows_where_the_worker_failed():
    ended = run(
        "-m", *STACKED, "seed=12,13", "hydra.launcher.n_jobs=2", env={**os.environ, "HYDRA_FULL_ERROR": "1"}
    )
    source = (APPS / "app.py").read_text().splitlines()
    number = 1 + source.index('            raise FloatingPointError("unlucky")')
    assert (
        f"line {number}, in train\n" in ended.stderr
    )  # the line itself only where cloudpickle names the file


def test_only_a_job_that_kills_its_worker_is_lost():
    ended = run("-m", *STACKED, "seed=11,12,14,16,17", "hydra.launcher.n_jobs=2")
    assert ended.returncode == 1
    assert "seed=14: WorkerDied" in ended.stderr
    lines = ended.stdout.splitlines()
    assert [line for line in lines if line.startswith("failed")] == ["failed 14/4 WorkerDied"]
    recorded = sorted(job for line in lines if line.startswith("record") for job in line.split()[1:])
    assert recorded == ["11/4", "12/4", "16/4", "17/4"]


@pytest.mark.parametrize(
    ("package", "override", "line"),
    [
        ("joblib", "hydra.launcher.n_jobs=2", "hydra.launcher.n_jobs: 2; give 1, or pip install joblib"),
        ("tqdm", "hydra.launcher.n_jobs=1", "hydra/launcher: stacked; needs a package: pip install tqdm"),
    ],
)
def test_a_package_that_is_not_installed_is_told_in_a_line(package, override, line):
    app = str(APPS / "app.py")
    without = (
        f"import runpy, sys; sys.modules[{package!r}] = None; runpy.run_path({app!r}, run_name='__main__')"
    )
    command = [sys.executable, "-c", without, "-m", *STACKED, "seed=0,1", override]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr.splitlines()[0]) == (1, line)
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(("sent", "workers"), [(signal.SIGINT, 1), (signal.SIGINT, 2)])
def test_an_interrupt_passes_through_the_task_at_once_and_ends_the_workers(sent, workers):
    command = [
        sys.executable,
        APPS / "app.py",
        "-m",
        *STACKED,
        "seed=15,16",
        f"hydra.launcher.n_jobs={workers}",
    ]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    hear = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # background jobs of a shell are deaf to it
    with subprocess.Popen(command, start_new_session=True, preexec_fn=hear, **pipes) as started:
        try:
            assert any(line == "training\n" for line in started.stdout)
            began = time.monotonic()
            os.kill(started.pid, sent)
            output = started.stdout.read()  # until no worker holds the pipe
            assert time.monotonic() - began < 30  # training takes a minute
            assert output.endswith("exit KeyboardInterrupt\n")
            assert started.wait() != 0
        finally:
            with suppress(ProcessLookupError):
                os.killpg(started.pid, signal.SIGKILL)
