"""Whole sweeps, ours and theirs: how long, how large, and whether both grow in proportion."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from experiments.benchmark.measuring import OURS, THEIRS, Line, by_turns, extrapolate, grid, measure

JOBLIB = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=-1")


def lines(folder: Path, n_runs=1000, usual=(4, 32), best=(8, 88), rounds=3) -> Iterator[Line]:
    ways = [partial(seconds, folder, n_runs, OURS)]
    ways += [partial(seconds, folder, n, (*THEIRS, "log_metric")) for n in usual]
    ways += [partial(seconds, folder, n, (*THEIRS, "log_batch"), *JOBLIB) for n in best]
    ours, *theirs = by_turns(rounds, *ways)
    usual_way = extrapolate(usual, theirs[:2], n_runs)
    best_way = extrapolate(best, theirs[2:], n_runs)
    yield Line(f"{n_runs:,} runs / basic launcher, log_metric", ours, "s", *usual_way, goal=100)
    yield Line(f"{n_runs:,} runs / joblib launcher, log_batch", ours, "s", *best_way, goal=25)


def seconds(folder: Path, n_runs: int, program: Sequence[str], *overrides: str) -> float:
    return measure(folder, *program, *grid(n_runs), *overrides).seconds


def growth(folder: Path, experiment="convergence", small=1000, large=10000) -> Iterator[Line]:
    whole = measure(folder, *OURS, f"experiment={experiment}")
    few = measure(folder, *OURS, *grid(small))
    many = measure(folder, *OURS, *grid(large))
    yield Line(f"experiment={experiment}", whole.seconds, "s", goal=25)
    yield Line(f"experiment={experiment}", whole.megabytes, "MB", goal=600)
    yield Line(f"{large:,} runs", many.seconds, "s", goal=70)
    yield Line(f"{large:,} runs", many.megabytes, "MB", goal=1000)
    times = large // small
    what = f"{large:,} runs / {times} × {small:,} runs"
    yield Line(what, many.seconds, "s", times * few.seconds, goal=0.9)
    yield Line(what, many.megabytes, "MB", times * few.megabytes, goal=0.9)
