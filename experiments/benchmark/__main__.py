"""Our speed beside what people use today: make bench, or python -m experiments.benchmark --only trainer,sweep

Every ratio is measured side by side in one run, ours and theirs by turns, medians of the rounds: seconds of a
noisy machine mean little, ratios more. Theirs are programs as people write them (theirs.py). What would take
theirs an hour is measured at smaller sizes, extrapolated, and marked so.
"""

import argparse
import contextlib
import csv
import dataclasses
import itertools
import math
import os
import platform
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median

import numpy as np

import tinynet
from experiments.benchmark.peers import N_EPOCHS, Points, log_batch, log_metric, plain_loop


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
        return self.ours <= self.goal if self.ratio is None else self.ratio >= self.goal

    def __str__(self) -> str:
        theirs = figure(self.theirs) + ("*" if self.extrapolated else " ")
        ratio = figure(self.ratio) + ("×" if self.ratio else "")
        goal = "" if self.goal is None else f"≥ {self.goal:g}×" if self.ratio else f"≤ {self.goal:g}"
        goal = f"{goal:>7} {({True: 'met', False: 'MISSED', None: ''})[self.met]}"
        line = f"{self.what:<52} {figure(self.ours):>7} {theirs:>8} {self.unit:<3} {ratio:>7} {goal}".rstrip()
        return f"{line}\n    * extrapolated from {self.extrapolated}" if self.extrapolated else line


def figure(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


# ------------------------------------------------------------------------------------------------ measuring


@dataclass(frozen=True)
class Measured:
    seconds: float
    megabytes: float  # peak
    output: str
    folder: Path


def measure(folder: Path, *command: str) -> Measured:
    """Run `python *command` in a new folder of its own, which will hold its store, mlflow.db.

    Raises RuntimeError with the end of its output when it fails.
    """
    folder = Path(tempfile.mkdtemp(dir=folder))
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    env = os.environ | {"MLFLOW_TRACKING_URI": uri, "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (folder / "output.txt").open("w+") as output:
        words, began = [sys.executable, *command], time.perf_counter()
        child = subprocess.Popen(words, cwd=folder, env=env, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - began
        output.seek(0)
        text = output.read()
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"python {' '.join(command)} ended with {child.returncode}:\n{text[-3000:]}")
    bytes_each = 1 if sys.platform == "darwin" else 1024
    return Measured(seconds, usage.ru_maxrss * bytes_each / 1e6, text, folder)


OURS, THEIRS = ("-m", "experiments.run"), ("-m", "experiments.benchmark.peers")


def grid(n_runs: int) -> list[str]:
    """A sweep of n_runs, a multiple of 4, on our command line and theirs."""
    return ["-m", "gradient=analytic,numeric", "learning_rate=0.03,0.1", f"seed=range({n_runs // 4})"]


def by_turns(rounds: int, *ways: Callable[[], float]) -> list[float]:
    """The median of each way over rounds of all of them: A B A B."""
    measured = [[way() for way in ways] for _ in range(rounds)]
    return [median(column) for column in zip(*measured, strict=True)]


def timed(work: Callable, *arguments: object) -> float:
    began = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - began


def extrapolate(sizes: Sequence[int], seconds: Sequence[float], n: int) -> tuple[float, str]:
    """Seconds for n, on the line through two measured sizes, and the words that say so; NaN if it falls."""
    (small, large), (before, after) = sizes, seconds
    each = (after - before) / (large - small)
    fixed = before - each * small
    source = f"{small} and {large}: {fixed:.1f} s and {1000 * each:.0f} ms each"
    return (fixed + each * n, source) if each > 0 else (math.nan, f"{source}; too noisy, run it again")


# --------------------------------------------------------------------------------------------- the sections

MODES = {"analytic": tinynet.gradients.Analytic(), "numeric": tinynet.gradients.Numeric(h=1e-4)}
APART = {"analytic": 1e-13, "numeric": 1e-6}  # the most that results may differ, relatively
TRAINER_GOALS = {  # (mode, hidden size) -> runs in the stack -> the ratio to reach
    ("analytic", 4): {1: 0.77, 1000: 400, 10000: 1000},  # 0.77: 1.3 times as slow
    ("numeric", 4): {1: 8, 1000: 350, 10000: 600},
}


def trainer(_folder, hidden_sizes=(4, 16), stacks=(1, 10, 100, 1000, 10000), rounds=15) -> Iterator[Line]:
    """µs per step of one run in a stack, beside the plain loop; both give both errors. H: hidden size."""
    for hidden_size, (mode, estimator) in itertools.product(hidden_sizes, MODES.items()):
        evaluations = estimator.evaluations(tinynet.Network(3, hidden_size))
        case = f"{mode} (evaluations: {evaluations}), H={hidden_size}"
        for n_runs in stacks:
            ours = training(mode, hidden_size, range(n_runs))
            mine, theirs = by_turns(
                rounds, partial(timed, ours), partial(timed, looped, mode, 0, hidden_size)
            )
            mine, theirs = 1e6 * mine / (4 * N_EPOCHS * n_runs), 1e6 * theirs / (4 * N_EPOCHS)
            goal = TRAINER_GOALS.get((mode, hidden_size), {}).get(n_runs)
            yield Line(f"{case}, stack of {n_runs:,}", mine, "µs", theirs, goal=goal)
        apart = max(disagreement(mode, hidden_size, seed) for seed in range(3))
        yield Line(f"{mode}, H={hidden_size}: relative difference of results", apart, "", goal=APART[mode])


def training(mode: str, hidden_size: int, seeds: Sequence[int]) -> Callable:
    """To call, as often as one likes: it trains fresh nets on the tutorial's four rows."""
    problem, network = tinynet.Problem.streetlights(), tinynet.Network(3, hidden_size)
    return partial(tinynet.train, network, problem, network.initial(seeds), MODES[mode], 0.1, N_EPOCHS)


def looped(*case) -> list[tuple]:
    return list(plain_loop(*case))


def disagreement(mode: str, hidden_size: int, seed: int) -> float:
    """The largest difference in a run's two curves and last weights, relative to each one's largest value."""
    history = training(mode, hidden_size, [seed])()
    # W and v are trained in place: every entry is the last
    error, online_error, W, v = zip(*looped(mode, seed, hidden_size), strict=True)
    pairs = [
        (history.error[:, 0], np.array(error)),
        (history.online_error[:, 0], np.array(online_error[1:])),
        (history.params[:, 0], np.concatenate([W[-1].ravel(), v[-1].ravel()])),
    ]
    return max(float(np.abs(mine - its).max() / np.abs(its).max()) for mine, its in pairs)


COMPOSE = """import time; from experiments import run; began = time.perf_counter()
try: run.command()
finally: print(time.perf_counter() - began)"""


def composition(folder: Path, n_jobs=1000, sizes=(4, 24), rounds=3) -> Iterator[Line]:
    """Jobs of our config, composed, checked and listed by either launcher; imports do not count."""

    def seconds(n: int, *overrides: str) -> float:
        said = measure(folder, "-c", COMPOSE, *grid(n), "dry_run=true", *overrides).output
        if (found := len(re.findall(r"H=\d+ seed=\d+\n", said))) != n:
            raise RuntimeError(f"{found} jobs came out of {n}:\n{said[-3000:]}")
        return float(said.split()[-1])

    basic = (partial(seconds, n, "hydra/launcher=basic", "hydra/sweeper=basic") for n in sizes)
    mine, *theirs = by_turns(rounds, partial(seconds, n_jobs), *basic)
    yield Line(f"{n_jobs:,} jobs / basic launcher", mine, "s", *extrapolate(sizes, theirs, n_jobs), 100)


def sweep(folder: Path, n_runs=1000, usual=(4, 32), best=(8, 88), rounds=3) -> Iterator[Line]:
    """Whole processes on fresh stores, fixed costs included."""

    def seconds(n: int, program: Sequence[str], *overrides: str) -> float:
        return measure(folder, *program, *grid(n), *overrides).seconds

    joblib = "hydra/launcher=joblib", "hydra.launcher.n_jobs=-1"
    mine, *theirs = by_turns(
        rounds,
        partial(seconds, n_runs, OURS),
        *(partial(seconds, n, (*THEIRS, "log_metric")) for n in usual),
        *(partial(seconds, n, (*THEIRS, "log_batch"), *joblib) for n in best),
    )
    usual, best = extrapolate(usual, theirs[:2], n_runs), extrapolate(best, theirs[2:], n_runs)
    yield Line(f"{n_runs:,} runs / basic launcher, log_metric", mine, "s", *usual, 100)
    yield Line(f"{n_runs:,} runs / joblib launcher, log_batch", mine, "s", *best, 25)


def memory(folder: Path, experiment="convergence", small=1000, large=10000) -> Iterator[Line]:
    """Seconds and peak memory of large sweeps, and whether they grow in proportion."""
    sweeps = [f"experiment={experiment}"], grid(small), grid(large)
    whole, few, many = (measure(folder, *OURS, *words) for words in sweeps)
    yield Line(f"experiment={experiment}", whole.seconds, "s", goal=25)
    yield Line(f"experiment={experiment}", whole.megabytes, "MB", goal=600)
    yield Line(f"{large:,} runs", many.seconds, "s", goal=70)
    yield Line(f"{large:,} runs", many.megabytes, "MB", goal=1000)
    times, what = large // small, f"{large:,} runs / {large // small} × {small:,} runs"
    yield Line(what, many.seconds, "s", times * few.seconds, goal=0.9)
    yield Line(what, many.megabytes, "MB", times * few.megabytes, goal=0.9)


def recording(folder: Path, n_runs=1000, batches=40, points=4, rounds=3) -> Iterator[Line]:
    """The same runs, params, tags and metrics into one SQLite store that is open already."""
    ways, what = Recording(Path(tempfile.mkdtemp(dir=folder)), n_runs), f"{n_runs:,} runs /"
    theirs = partial(ways.theirs, log_metric, points), partial(ways.theirs, log_batch, batches)
    mine, raw, point, batch = by_turns(rounds, ways.ours, ways.raw, *theirs)
    yield Line(f"{what} log_metric per point", mine, "s", point * n_runs / points, f"{points} runs")
    yield Line(f"{what} log_batch per run", mine, "s", batch * n_runs / batches, f"{batches} runs", 12)
    yield Line(f"{what} raw sqlite3 executemany", mine, "s", raw, goal=0.5)


class Recording:
    """n_runs trained runs, and ways to record them; each gives the seconds it took."""

    TABLES = "runs", "params", "tags", "metrics", "latest_metrics"

    def __init__(self, folder: Path, n_runs: int):
        import hydra
        import mlflow

        from experiments import run
        from experiments.store import tracking
        from experiments.sweep import settings
        from experiments.sweep import task as stacks

        with hydra.initialize_config_dir(str(run.CONF), version_base="1.3"):
            one = settings.read(hydra.compose("config"))
        jobs = [dataclasses.replace(one, seed=seed) for seed in range(n_runs)]
        self.runs, self.database = stacks.runs(jobs, stacks.train(jobs)), folder / "mlflow.db"
        self.store = tracking.open_store(f"sqlite:///{self.database}")
        mlflow.set_tracking_uri(self.store.uri)
        mlflow.set_experiment("Default")

    def ours(self) -> float:
        sweep = self.store.open_sweep("ours", "0", "ours", {}, {}, fresh=True)
        self.parent = sweep.run_id
        return timed(sweep.record, self.runs)

    def raw(self) -> float:
        """The rows that ours wrote last, deleted and written again in one transaction."""
        rows = self.rows()
        with contextlib.closing(sqlite3.connect(self.database)) as store:
            for table in rows:
                store.executemany(
                    f"DELETE FROM {table} WHERE run_uuid = ?", [run[:1] for run in rows["runs"]]
                )
            store.commit()
            began = time.perf_counter()
            for table, of_table in rows.items():
                marks = ", ".join("?" * len(of_table[0]))
                store.executemany(f"INSERT INTO {table} VALUES ({marks})", of_table)
            store.commit()
            return time.perf_counter() - began

    def rows(self) -> dict[str, list[tuple]]:
        """What the store holds of the runs that ours wrote last, by table."""
        children = "SELECT run_uuid FROM tags WHERE key = 'mlflow.parentRunId' AND value = ?"
        query = f"SELECT * FROM {{}} WHERE run_uuid IN ({children}) ORDER BY rowid"
        with contextlib.closing(sqlite3.connect(self.database)) as store:
            return {name: store.execute(query.format(name), [self.parent]).fetchall() for name in self.TABLES}

    def theirs(self, log: Callable, n: int) -> float:
        """The first n runs by a function of theirs.py."""
        return timed(lambda: [log(run.params, _points(run), run.name, run.tags) for run in self.runs[:n]])


def _points(run) -> Points:
    single = {key: ([0], [value]) for key, value in run.metrics.items()}
    for key, (steps, values) in {**single, **run.curves}.items():
        yield from ((key, float(v), int(k)) for k, v in zip(steps, values, strict=True) if np.isfinite(v))


# ------------------------------------------------------------------------------------------------ the table

# recording is last: it imports mlflow into this process, and a child's peak starts from its parent's memory
SECTIONS = {part.__name__: part for part in (trainer, composition, sweep, memory, recording)}


def machine() -> dict[str, object]:
    """What the figures depend on; nothing that names the machine or its user."""
    cpu = platform.processor() or platform.machine()
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    system = f"{platform.system()} {platform.release().partition('-')[0]}"
    facts = {"cpu": cpu, "cores": os.cpu_count(), "os": system, "python": platform.python_version()}
    return facts | {name.partition("-")[0]: version(name) for name in ("numpy", "mlflow", "hydra-core")}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.benchmark")
    parser.add_argument("--only", default=",".join(SECTIONS), help="some of these, with commas: %(default)s")
    parser.add_argument("--output", default="bench.csv", help="the table as CSV: %(default)s")
    options = parser.parse_args(arguments)
    chosen = options.only.split(",")
    if unknown := [name for name in chosen if name not in SECTIONS]:
        parser.error(f"--only={options.only}: there is no {unknown[0]}; give some of {', '.join(SECTIONS)}")
    facts = machine()
    print(", ".join(f"{name} {fact}" for name, fact in facts.items()))
    fields = [*(field.name for field in dataclasses.fields(Line)), "ratio", "met"]
    head = f"{'ours / theirs':<52} {'ours':>7} {'theirs':>7}      {'ratio':>7} {'goal':>7}"
    with open(options.output, "w", newline="") as file, tempfile.TemporaryDirectory() as folder:
        table = csv.writer(file)
        table.writerow(["section", *fields, *facts])
        for name in filter(chosen.__contains__, SECTIONS):
            print(f"\n{name}: {SECTIONS[name].__doc__}\n{head}", flush=True)
            for line in SECTIONS[name](Path(folder)):
                print(line, flush=True)
                table.writerow([name, *(getattr(line, field) for field in fields), *facts.values()])
    print(f"\nthe table as CSV, with the machine's facts: {options.output}")


if __name__ == "__main__":
    main()
