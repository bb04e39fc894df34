"""`python -m experiments.run` as a person types it, in a process of its own or in this one."""

import io
import os
import re
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from experiments.run import command

ROOT = Path(__file__).parents[2]


def process(folder: Path, *words: str, code: int = 0) -> str:
    """`python -m experiments.run` in a folder; gives what it printed, and insists on its exit code."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    done = subprocess.run(
        [sys.executable, "-m", "experiments.run", *words],
        cwd=folder, text=True, capture_output=True, check=False, timeout=120,
        env=clean | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def attempt(folder: Path, *words: str, uri: str | None = None) -> tuple[int, str]:
    """The same command in this process: its exit code and what it printed. uri: MLFLOW_TRACKING_URI."""
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed), redirect_stderr(printed):
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        if uri is not None:
            patch.setenv("MLFLOW_TRACKING_URI", uri)
        patch.setattr(sys, "argv", ["experiments.run", *words])
        try:
            command()
        except SystemExit as end:
            if isinstance(end.code, str):
                print(end.code)
                return 1, printed.getvalue()
            return end.code or 0, printed.getvalue()
    return 0, printed.getvalue()


def run(folder: Path, *words: str, code: int = 0, uri: str | None = None) -> str:
    """What the command printed in this process, which has imported MLflow; insists on its exit code."""
    exit_code, printed = attempt(folder, *words, uri=uri)
    assert exit_code == code, printed
    return printed


def store(folder: Path) -> str:
    return f"sqlite:///{folder / 'mlflow.db'}"


def says(words: str, text: str) -> bool:
    """Whether the text has the words; .* in them stands for anything within a line."""
    return re.search(".*".join(map(re.escape, words.split(".*"))), text) is not None
