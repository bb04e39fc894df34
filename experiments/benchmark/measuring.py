"""What every section is measured with: a line of the table, programs, turns, extrapolation."""

import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import linear_regression, median

OURS = ("-m", "experiments.run")
THEIRS = ("-m", "experiments.benchmark.peers")


@dataclass(frozen=True)
class Line:
    """One line of the table: ours, and theirs where there is one, in `unit`."""

    what: str
    ours: float
    unit: str
    theirs: float | None = None
    extrapolated: str = ""  # what theirs was extrapolated from; empty where it was measured
    goal: float | None = None  # the least theirs / ours; without theirs, the most of ours

    @property
    def ratio(self) -> float | None:
        return None if self.theirs is None else self.theirs / self.ours

    @property
    def met(self) -> bool | None:
        if self.goal is None:
            return None
        if self.ratio is None:
            return self.ours <= self.goal
        return self.ratio >= self.goal

    def __str__(self) -> str:
        theirs = ratio = goal = ""
        if self.ratio is not None:
            theirs = rounded(self.theirs) + ("*" if self.extrapolated else " ")
            ratio = rounded(self.ratio) + "×"
        if self.goal is not None:
            bound = f"≤ {self.goal:g}" if self.ratio is None else f"≥ {self.goal:g}×"
            goal = f"{bound:>7} {'met' if self.met else 'MISSED'}"
        ours = f"{rounded(self.ours):>7} {theirs:>8} {self.unit:<3}"
        source = f"\n    * extrapolated from {self.extrapolated}" if self.extrapolated else ""
        return f"{self.what:<52} {ours} {ratio:>7} {goal}".rstrip() + source


def rounded(value: float) -> str:
    """To whole numbers from 100 on, to three digits below."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


@dataclass(frozen=True)
class Measured:
    """What a program took and printed, and the folder it ran in."""

    seconds: float
    megabytes: float  # peak
    output: str
    folder: Path


def measure(folder: Path, *command: str) -> Measured:
    """Run `python *command` in a new folder below `folder`, which will hold its store, mlflow.db.

    Raises RuntimeError with the end of its output when it fails.
    """
    folder = Path(tempfile.mkdtemp(dir=folder))
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    env = os.environ | {"MLFLOW_TRACKING_URI": uri, "MLFLOW_DISABLE_TELEMETRY": "true"}
    python = [sys.executable, *command]
    with (folder / "output.txt").open("w+") as file:
        began = time.perf_counter()
        child = subprocess.Popen(python, cwd=folder, env=env, stdout=file, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - began
        file.seek(0)
        output = file.read()
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"python {' '.join(command)} ended with {child.returncode}:\n{output[-3000:]}")
    bytes_each = 1 if sys.platform == "darwin" else 1024
    return Measured(seconds, usage.ru_maxrss * bytes_each / 1e6, output, folder)


def grid(n_runs: int) -> list[str]:
    """A sweep of n_runs, a multiple of 4, on our command line and theirs."""
    return ["-m", "gradient=analytic,numeric", "learning_rate=0.03,0.1", f"seed=range({n_runs // 4})"]


def timed(work: Callable, *arguments: object) -> float:
    """The seconds that work(*arguments) takes."""
    began = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - began


def by_turns(rounds: int, *ways: Callable[[], float]) -> list[float]:
    """The median of what each way returns, over rounds of all of them: A B A B."""
    seconds = [[] for _ in ways]
    for _ in range(rounds):
        for way, taken in zip(ways, seconds, strict=True):
            taken.append(way())
    return [median(taken) for taken in seconds]


def extrapolate(sizes: Sequence[int], seconds: Sequence[float], n: int) -> tuple[float, str]:
    """Seconds for n, on the line through two measured sizes, and the words that say so; NaN if it falls."""
    each, fixed = linear_regression(sizes, seconds)
    source = f"{sizes[0]} and {sizes[1]}: {fixed:.1f} s and {1000 * each:.0f} ms each"
    if each <= 0:
        return math.nan, f"{source}; too noisy, run it again"
    return fixed + each * n, source
