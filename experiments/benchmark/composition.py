"""How long it takes to compose the jobs of a sweep, by our launcher and by Hydra's."""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from experiments.benchmark.measuring import Line, by_turns, extrapolate, grid, measure

BASIC = ("hydra/launcher=basic", "hydra/sweeper=basic")
PROGRAM = """import time; from experiments import run; began = time.perf_counter()
try: run.command()
finally: print(time.perf_counter() - began)"""


def lines(folder: Path, n_jobs=1000, sizes=(4, 24), rounds=3) -> Iterator[Line]:
    ours = partial(seconds, folder, n_jobs)
    theirs = [partial(seconds, folder, n, *BASIC) for n in sizes]
    seconds_ours, *seconds_theirs = by_turns(rounds, ours, *theirs)
    extrapolated = extrapolate(sizes, seconds_theirs, n_jobs)
    yield Line(f"{n_jobs:,} jobs / basic launcher", seconds_ours, "s", *extrapolated, goal=100)


def seconds(folder: Path, n_jobs: int, *overrides: str) -> float:
    """A dry run of our own command, whose list shows that every job was composed."""
    output = measure(folder, "-c", PROGRAM, *grid(n_jobs), "dry_run=true", *overrides).output
    n_listed = len(re.findall(r"H=\d+ seed=\d+\n", output))
    if n_listed != n_jobs:
        raise RuntimeError(f"{n_listed} jobs came out of {n_jobs}:\n{output[-3000:]}")
    return float(output.split()[-1])
