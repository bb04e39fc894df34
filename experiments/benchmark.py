"""Our speed beside what people use today: make bench, or python -m experiments.benchmark --only trainer,sweep

Every ratio is measured side by side in one run, ours and theirs by turns, medians of the rounds: seconds of a
noisy machine mean little, ratios more. Theirs are programs as people write them (plain_loop, APPS). What
would take theirs an hour is measured at smaller sizes, extrapolated, and marked so.
"""

import argparse
import contextlib
import csv
import dataclasses
import itertools
import math
import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median

import numpy as np

import tinynet

ROOT = Path(__file__).parent.parent
N_EPOCHS = 60  # the tutorial's


@dataclass(frozen=True)
class Line:
    """One line of the table: ours beside theirs, in `unit`."""

    section: str
    what: str
    ours: float
    theirs: float | None
    unit: str
    at_least: float | None = None  # the goal for theirs / ours
    at_most: float | None = None  # the goal for ours
    extrapolated: str = ""  # what theirs was extrapolated from; empty where it was measured

    @property
    def ratio(self) -> float | None:
        return None if self.theirs is None else self.theirs / self.ours

    @property
    def met(self) -> bool | None:
        if self.at_least is not None:
            return self.ratio >= self.at_least
        return None if self.at_most is None else self.ours <= self.at_most

    def __str__(self) -> str:
        goal = "" if self.met is None else f"≥ {self.at_least:g}×" if self.at_least else f"≤ {self.at_most:g}"
        theirs = figure(self.theirs) + ("*" if self.extrapolated else " ")
        ratio = figure(self.ratio) + ("×" if self.ratio else "")
        line = f"{self.what:<52} {figure(self.ours):>7} {theirs:>8} {self.unit:<3} {ratio:>7} {goal:>7}"
        line += {True: " met", False: " MISSED", None: ""}[self.met]
        return line.rstrip() + (f"\n    * extrapolated from {self.extrapolated}" if self.extrapolated else "")


def figure(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


# ---------------------------------------------------------------------------------- what people write today


def plain_loop(gradient, seed, hidden_size, learning_rate=0.1, n_epochs=N_EPOCHS, h=1e-4) -> Iterator[tuple]:
    """The tutorial's loop in its own manner: one net, row by row, numeric by moving each weight in place.

    Yields (error, online_error, W, v) for epoch 0 and after every epoch; both errors as tinynet gives them.
    """
    inputs = np.array([[1, 0, 1], [0, 1, 1], [0, 0, 1], [1, 1, 1]])
    targets = np.array([[1], [1], [0], [0]])
    random = np.random.RandomState(seed)
    W = 2 * random.random((hidden_size, 3)) - 1
    v = 2 * random.random((1, hidden_size)) - 1

    def relu(z):
        return (z > 0) * z

    def error(x, t):
        return np.sum((np.dot(v, relu(np.dot(W, x))) - t) ** 2)

    def analytic(x, t):
        a = relu(np.dot(W, x))
        dy = 2 * (np.dot(v, a) - t)
        return np.dot(np.dot(v.T, dy) * (a > 0), x.T), np.dot(dy, a.T)

    def numeric(x, t):
        slopes = np.zeros_like(W), np.zeros_like(v)
        for weights, slope in zip((W, v), slopes, strict=True):
            for i in np.ndindex(weights.shape):
                value = weights[i]
                weights[i] = value + h
                above = error(x, t)
                weights[i] = value - h
                below = error(x, t)
                weights[i] = value
                slope[i] = (above - below) / (2 * h)
        return slopes

    slopes = {"analytic": analytic, "numeric": numeric}[gradient]
    rows = [(inputs[i : i + 1].T, targets[i : i + 1]) for i in range(len(inputs))]
    online_error = np.nan
    for epoch in range(n_epochs + 1):
        if epoch > 0:
            online_error = 0.0
            for x, t in rows:
                dW, dv = slopes(x, t)
                W -= learning_rate * dW
                v -= learning_rate * dv
                online_error += error(x, t) / len(rows)
        yield sum(error(x, t) for x, t in rows) / len(rows), online_error, W, v


APPS = {
    "config.yaml": "{gradient: analytic, learning_rate: 0.1, hidden_size: 4, seed: 0}",
    # with Hydra's basic launcher: every epoch's error is logged as it comes
    "usual.py": """
import hydra, mlflow
from experiments.benchmark import plain_loop

@hydra.main(version_base="1.3", config_path=".", config_name="config")
def main(config):
    with mlflow.start_run():
        mlflow.log_params(dict(config))
        for epoch, (error, *_) in enumerate(plain_loop(**config)):
            mlflow.log_metric("error", error, step=epoch)

if __name__ == "__main__":
    mlflow.set_experiment("runs")
    main()
""",
    # with the joblib launcher on every core: the errors of a run are logged in one call
    "best.py": """
import time
import hydra, mlflow
from mlflow.entities import Metric
from experiments.benchmark import plain_loop

@hydra.main(version_base="1.3", config_path=".", config_name="config")
def main(config):
    mlflow.set_experiment("runs")
    with mlflow.start_run() as run:
        mlflow.log_params(dict(config))
        now = int(time.time() * 1000)
        curve = [Metric("error", error, now, epoch) for epoch, (error, *_) in enumerate(plain_loop(**config))]
        mlflow.MlflowClient().log_batch(run.info.run_id, metrics=curve)

if __name__ == "__main__":
    mlflow.set_experiment("runs")  # here too, so that workers don't race to make the store
    main()
""",
    # our own config composed, by either launcher, for a task that does nothing; prints jobs and seconds
    "compose.py": """
import contextlib, sys, time
from types import SimpleNamespace
import hydra
from experiments import settings

seen = []
def main(config):
    seen.append(config)

def record(stack, trained):
    seen.extend(stack)
    return [None] * len(stack)

main.stacked = lambda config: contextlib.nullcontext(SimpleNamespace(
    check=settings.read, shape=lambda job: job.shape, start=lambda jobs: {},
    train=lambda stack: None, record=record,
))

if __name__ == "__main__":
    settings.register()
    began = time.perf_counter()
    hydra.main(version_base="1.3", config_path=sys.argv.pop(1), config_name="config")(main)()
    print(len(seen), time.perf_counter() - began)
""",
}


def grid(n_runs: int) -> list[str]:
    """A sweep of n_runs, a multiple of 4, on our command line and theirs."""
    return ["-m", "gradient=analytic,numeric", "learning_rate=0.03,0.1", f"seed=range({n_runs // 4})"]


# ------------------------------------------------------------------------------------------------ measuring


@dataclass(frozen=True)
class Measured:
    seconds: float
    megabytes: float  # peak
    output: str
    folder: Path


def measure(folder: Path, *command: str) -> Measured:
    """Run `python *command` in a new folder of its own, which holds APPS and will hold its store, mlflow.db.

    Raises RuntimeError with the end of its output when it fails.
    """
    folder = Path(tempfile.mkdtemp(dir=folder))
    for name, text in APPS.items():
        (folder / name).write_text(text)
    env = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    with (folder / "output.txt").open("w+") as output:
        began = time.perf_counter()
        child = subprocess.Popen(
            [sys.executable, *command], cwd=folder, env=env, stdout=output, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - began
        output.seek(0)
        text = output.read()
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"python {' '.join(command)} ended with {child.returncode}:\n{text[-3000:]}")
    bytes_each = 1 if sys.platform == "darwin" else 1024
    return Measured(seconds, usage.ru_maxrss * bytes_each / 1e6, text, folder)


def ours(folder: Path, *overrides: str) -> Measured:
    return measure(folder, "-m", "experiments.run", *overrides)


def by_turns(rounds: int, *ways: Callable[[], float]) -> list[float]:
    """The median of each way over rounds of all of them: A B A B."""
    measured = [[way() for way in ways] for _ in range(rounds)]
    return [median(column) for column in zip(*measured, strict=True)]


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
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
TRAINER_GOALS = {  # mode, hidden size, runs in the stack: the ratio to reach
    ("analytic", 4, 1): 0.77,  # 1.3 times as slow
    ("numeric", 4, 1): 8,
    ("analytic", 4, 1000): 400,
    ("numeric", 4, 1000): 350,
    ("analytic", 4, 10000): 1000,
    ("numeric", 4, 10000): 600,
}


def trainer(_folder, hidden_sizes=(4, 16), stacks=(1, 10, 100, 1000, 10000), rounds=15) -> Iterator[Line]:
    """µs per step of one run in a stack, beside the plain loop; both give both errors. H: hidden size."""
    for hidden_size, mode in itertools.product(hidden_sizes, MODES):
        for n_runs in stacks:
            yield _trained(mode, hidden_size, n_runs, rounds)
        apart = max(disagreement(mode, hidden_size, seed) for seed in range(3))
        what = f"{mode}, H={hidden_size}: relative difference of results"
        yield Line("trainer", what, apart, None, "", at_most=1e-6 if mode == "numeric" else 1e-13)


def _trained(mode: str, hidden_size: int, n_runs: int, rounds: int) -> Line:
    problem, network = tinynet.Problem.streetlights(), tinynet.Network(3, hidden_size)
    params, n_epochs = network.initial(range(n_runs)), N_EPOCHS if n_runs <= 1000 else N_EPOCHS // 5
    mine, theirs = by_turns(
        rounds,
        lambda: timed(lambda: tinynet.train(network, problem, params, MODES[mode], 0.1, n_epochs)),
        lambda: timed(lambda: list(plain_loop(mode, 0, hidden_size))),
    )
    return Line(
        "trainer",
        f"{mode} (evaluations: {MODES[mode].evaluations(network)}), H={hidden_size}, stack of {n_runs:,}",
        1e6 * mine / (n_runs * n_epochs * problem.n_rows),
        1e6 * theirs / (N_EPOCHS * problem.n_rows),
        "µs",
        TRAINER_GOALS.get((mode, hidden_size, n_runs)),
    )


def disagreement(mode: str, hidden_size: int, seed: int) -> float:
    """The largest difference in a run's two curves and last weights, relative to each one's largest value."""
    network = tinynet.Network(3, hidden_size)
    history = tinynet.train(
        network, tinynet.Problem.streetlights(), network.initial([seed]), MODES[mode], 0.1, N_EPOCHS
    )
    loop = plain_loop(mode, seed, hidden_size)
    error, online_error, W, v = zip(
        *loop, strict=True
    )  # W and v are trained in place: every entry is the last
    pairs = [
        (history.error[:, 0], np.array(error)),
        (history.online_error[:, 0], np.array(online_error[1:])),
        (history.params[:, 0], np.concatenate([W[-1].ravel(), v[-1].ravel()])),
    ]
    return max(float(np.abs(mine - its).max() / np.abs(its).max()) for mine, its in pairs)


def composition(folder: Path, n_jobs=1000, sizes=(4, 24), rounds=3) -> Iterator[Line]:
    """Jobs composed, checked and stacked, from hydra.main's call to its return; nothing is trained."""

    def compose(n: int, *overrides: str) -> float:
        output = measure(folder, "compose.py", str(ROOT / "conf"), *grid(n), *overrides).output
        count, seconds = output.split()[-2:]
        if int(count) != n:
            raise RuntimeError(f"{count} jobs came out of {n}")
        return float(seconds)

    basic = "hydra/launcher=basic", "hydra/sweeper=basic"
    mine, *theirs = by_turns(
        rounds, lambda: compose(n_jobs), *(lambda n=n: compose(n, *basic) for n in sizes)
    )
    theirs, source = extrapolate(sizes, theirs, n_jobs)
    yield Line(
        "composition", f"{n_jobs:,} jobs / basic launcher", mine, theirs, "s", 100, extrapolated=source
    )


def sweep(folder: Path, n_runs=1000, usual=(4, 32), best=(8, 88), rounds=3) -> Iterator[Line]:
    """Whole processes on fresh stores, fixed costs included."""
    joblib = "hydra/launcher=joblib", "hydra.launcher.n_jobs=-1"
    mine, *theirs = by_turns(
        rounds,
        lambda: ours(folder, *grid(n_runs)).seconds,
        *(lambda n=n: measure(folder, "usual.py", *grid(n)).seconds for n in usual),
        *(lambda n=n: measure(folder, "best.py", *grid(n), *joblib).seconds for n in best),
    )
    for what, sizes, seconds, goal in (
        ("basic launcher, log_metric", usual, theirs[:2], 100),
        ("joblib launcher, log_batch", best, theirs[2:], 25),
    ):
        seconds, source = extrapolate(sizes, seconds, n_runs)
        yield Line("sweep", f"{n_runs:,} runs / {what}", mine, seconds, "s", goal, extrapolated=source)


def memory(folder: Path, experiment="convergence", small=1000, large=10000) -> Iterator[Line]:
    """Seconds and peak memory of large sweeps, and whether they grow in proportion."""
    whole = ours(folder, f"experiment={experiment}")
    few, many = ours(folder, *grid(small)), ours(folder, *grid(large))
    for what, run, seconds, megabytes in (
        (f"experiment={experiment}", whole, 25, 600),
        (f"{large:,} runs", many, 70, 1000),
    ):
        yield Line("memory", what, run.seconds, None, "s", at_most=seconds)
        yield Line("memory", what, run.megabytes, None, "MB", at_most=megabytes)
    what, times = f"{large:,} runs / {large // small} × {small:,} runs", large // small
    yield Line("memory", what, many.seconds, times * few.seconds, "s", 0.9)
    yield Line("memory", what, many.megabytes, times * few.megabytes, "MB", 0.9)


def recording(folder: Path, n_runs=1000, batches=40, points=4, rounds=3) -> Iterator[Line]:
    """The same runs, params, tags and metrics into one SQLite store that is open already."""
    ways = Recording(Path(tempfile.mkdtemp(dir=folder)), n_runs)
    mine, raw, batch, point = by_turns(
        rounds, ways.ours, ways.raw, lambda: ways.log_batch(batches), lambda: ways.log_metric(points)
    )
    for what, seconds, n, goal in (
        ("log_metric per point", point, points, None),
        ("log_batch per run", batch, batches, 12),
        ("raw sqlite3 executemany", raw, n_runs, 0.5),
    ):
        source = f"{n} runs" if n < n_runs else ""
        what = f"{n_runs:,} runs / {what}"
        yield Line("recording", what, mine, seconds * n_runs / n, "s", goal, extrapolated=source)


class Recording:
    """n_runs trained runs, and four ways to record them; each gives the seconds it took."""

    TABLES = "runs", "params", "tags", "metrics", "latest_metrics"

    def __init__(self, folder: Path, n_runs: int):
        import hydra
        import mlflow

        from experiments import settings, stacks, tracking

        settings.register()
        with hydra.initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            config = hydra.compose("config")
        jobs = [dataclasses.replace(settings.read(config), seed=seed) for seed in range(n_runs)]
        self.runs = stacks.runs(jobs, stacks.train(jobs))
        self.database, self.before = folder / "mlflow.db", folder / "before.db"
        uri = f"sqlite:///{self.database}"
        self.store = tracking.open_store(uri)
        mlflow.set_tracking_uri(uri)
        self.experiment_id = mlflow.set_experiment("theirs").experiment_id

    def ours(self) -> float:
        sweep = self.store.open_sweep("ours", "0", "ours", {}, {}, fresh=True)
        self.parent = sweep.run_id
        self.before.unlink(missing_ok=True)
        with contextlib.closing(sqlite3.connect(self.database)) as store:
            store.execute("VACUUM INTO ?", [str(self.before)])
        return timed(lambda: sweep.record(self.runs))

    def raw(self) -> float:
        """The rows that ours wrote last, into a copy of the store as it was before, in one transaction."""
        rows = self.rows(self.database)
        with contextlib.closing(sqlite3.connect(self.before)) as copy:
            began = time.perf_counter()
            for table, its_rows in rows.items():
                marks = ", ".join("?" * len(its_rows[0]))
                copy.executemany(f"INSERT INTO {table} VALUES ({marks})", its_rows)
            copy.commit()
            return time.perf_counter() - began

    def rows(self, database: Path) -> dict[str, list[tuple]]:
        """What a store holds of the runs that ours wrote last, by table."""
        children = "SELECT run_uuid FROM tags WHERE key = 'mlflow.parentRunId' AND value = ?"
        query = f"SELECT * FROM {{}} WHERE run_uuid IN ({children}) ORDER BY rowid"
        with contextlib.closing(sqlite3.connect(database)) as store:
            return {
                table: store.execute(query.format(table), [self.parent]).fetchall() for table in self.TABLES
            }

    def log_batch(self, n: int) -> float:
        from mlflow import MlflowClient
        from mlflow.entities import Metric, Param

        client, began = MlflowClient(), time.perf_counter()
        for run in self.runs[:n]:
            run_id = client.create_run(self.experiment_id, tags=run.tags, run_name=run.name).info.run_id
            now = int(time.time() * 1000)
            metrics = [Metric(key, value, now, step) for key, value, step in _points(run)]
            client.log_batch(run_id, metrics, [Param(key, str(value)) for key, value in run.params.items()])
            client.set_terminated(run_id)
        return time.perf_counter() - began

    def log_metric(self, n: int) -> float:
        import mlflow

        began = time.perf_counter()
        for run in self.runs[:n]:
            with mlflow.start_run(run_name=run.name, tags=run.tags):
                mlflow.log_params(run.params)
                for key, value, step in _points(run):
                    mlflow.log_metric(key, value, step=step)
        return time.perf_counter() - began


def _points(run) -> Iterator[tuple[str, float, int]]:
    for key, (steps, values) in {**{key: ([0], [v]) for key, v in run.metrics.items()}, **run.curves}.items():
        yield from (
            (key, float(v), int(step)) for step, v in zip(steps, values, strict=True) if np.isfinite(v)
        )


# ------------------------------------------------------------------------------------------------ the table

# recording is last: it imports mlflow into this process, and a child's peak starts from its parent's memory
SECTIONS = {part.__name__: part for part in (trainer, composition, sweep, memory, recording)}


def machine() -> dict[str, object]:
    """What the figures depend on; nothing that names the machine or its user."""
    cpu = platform.processor() or platform.machine()
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "os": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "mlflow": version("mlflow"),
        "hydra": version("hydra-core"),
    }


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
    fields = [field.name for field in dataclasses.fields(Line)] + ["ratio", "met"]
    with open(options.output, "w", newline="") as file, tempfile.TemporaryDirectory() as folder:
        table = csv.writer(file)
        table.writerow([*fields, *facts])
        for name in filter(chosen.__contains__, SECTIONS):
            print(f"\n{name}: {SECTIONS[name].__doc__}")
            print(
                f"{'ours / theirs':<52} {'ours':>7} {'theirs':>7}      {'ratio':>7} {'goal':>7}", flush=True
            )
            for line in SECTIONS[name](Path(folder)):
                print(line, flush=True)
                table.writerow([getattr(line, field) for field in fields] + list(facts.values()))
    print(f"\nthe table as CSV, with the machine's facts: {options.output}")


if __name__ == "__main__":
    main()
