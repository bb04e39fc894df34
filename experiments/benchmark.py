"""Our speed beside what people use today: `make bench`, or python -m experiments.benchmark --only trainer,sweep

Every ratio is measured side by side in one run, ours and theirs by turns, medians of the repeats: two noisy cores
give no seconds to trust, but ratios. Theirs are small programs as people write them (APPS, plain_loop). What
would take theirs an hour is measured at two smaller sizes, extrapolated along the line through them, and marked *.
"""

import argparse
import contextlib
import csv
import dataclasses
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
    """One line of the table: ours beside theirs in `unit`. Goals: the ratio theirs/ours, or ours alone."""

    section: str
    what: str
    ours: float
    theirs: float | None
    unit: str
    at_least: float | None = None  # theirs / ours
    at_most: float | None = None  # ours
    extrapolated: str = ""  # from what theirs was extrapolated; empty where it was measured
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return None if self.theirs is None else self.theirs / self.ours

    @property
    def goal(self) -> str:
        if self.at_least is not None:
            return f"≥ {self.at_least:g}×"
        return "" if self.at_most is None else f"≤ {self.at_most:g} {self.unit}"

    @property
    def met(self) -> bool | None:
        if self.at_least is not None:
            return self.ratio >= self.at_least
        return None if self.at_most is None else self.ours <= self.at_most


# ------------------------------------------------------------------------------------------ what people write today


def plain_loop(gradient, seed, hidden_size, learning_rate=0.1, n_epochs=N_EPOCHS, h=1e-4) -> Iterator[tuple]:
    """The tutorial's own loop: one net, row by row, derivatives by backpropagation or by moving each weight in place.

    Yields (error, online_error, W, v) after every epoch, epoch 0 first; science.md has both errors.
    """
    inputs = np.array([[1, 0, 1], [0, 1, 1], [0, 0, 1], [1, 1, 1]])
    targets = np.array([1, 1, 0, 0])
    random = np.random.RandomState(seed)
    W = 2 * random.random((hidden_size, 3)) - 1
    v = 2 * random.random((1, hidden_size)) - 1

    def error(x, t):
        return ((v @ np.maximum(W @ x, 0) - t) ** 2)[0]

    def analytic(x, t):
        a = np.maximum(W @ x, 0)
        delta = 2 * (v @ a - t)
        return np.outer(v[0] * delta * (a > 0), x), delta * a

    def numeric(x, t):
        slopes = np.empty_like(W), np.empty_like(v)
        for weights, slope in zip((W, v), slopes, strict=True):
            weights, slope = weights.reshape(-1), slope.reshape(-1)  # views
            for i in range(weights.size):
                value = weights[i]
                weights[i] = value + h
                above = error(x, t)
                weights[i] = value - h
                slope[i] = (above - error(x, t)) / (2 * h)
                weights[i] = value
        return slopes

    slopes = {"analytic": analytic, "numeric": numeric}[gradient]
    online_error = np.nan
    for epoch in range(n_epochs + 1):
        if epoch > 0:
            online_error = 0.0
            for x, t in zip(inputs, targets, strict=True):
                dW, dv = slopes(x, t)
                W -= learning_rate * dW
                v -= learning_rate * dv
                online_error += error(x, t) / len(inputs)
        yield np.mean([error(x, t) for x, t in zip(inputs, targets, strict=True)]), online_error, W, v


APPS = {
    "config.yaml": "{gradient: analytic, learning_rate: 0.1, hidden_size: 4, seed: 0}",
    # hydra.main and its basic launcher; every epoch's error is logged as it comes
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
    mlflow.set_experiment("usual")
    main()
""",
    # the same over all cores (hydra/launcher=joblib), a run's metrics in one call
    "best.py": """
import time
import hydra, mlflow
from mlflow.entities import Metric
from experiments.benchmark import plain_loop

@hydra.main(version_base="1.3", config_path=".", config_name="config")
def main(config):
    mlflow.set_experiment("best")
    with mlflow.start_run() as run:
        mlflow.log_params(dict(config))
        now = int(time.time() * 1000)
        errors = [Metric("error", error, now, epoch) for epoch, (error, *_) in enumerate(plain_loop(**config))]
        mlflow.MlflowClient().log_batch(run.info.run_id, metrics=errors)

if __name__ == "__main__":
    mlflow.set_experiment("best")  # here, so that the workers don't race for a store that isn't there yet
    main()
""",
    # composes our own config and does nothing else, by either launcher; says for how many jobs, in how many seconds
    "compose.py": """
import sys, time
import hydra
from experiments import settings

class Nothing:
    check = staticmethod(settings.read)
    def __init__(self, config): pass
    def __enter__(self): return self
    def __exit__(self, *error): pass
    def shape(self, job): return job.shape
    def start(self, jobs): return {}
    @staticmethod
    def train(stack): return None
    def record(self, stack, trained):
        seen.extend(stack)
        return [None] * len(stack)
    def failed(self, job, error): raise error

seen = []
def main(config): seen.append(config)
main.stacked = Nothing

if __name__ == "__main__":
    settings.register()
    began = time.perf_counter()
    hydra.main(version_base="1.3", config_path=sys.argv.pop(1), config_name="config")(main)()
    print(len(seen), time.perf_counter() - began)
""",
}


def grid(n_runs: int) -> list[str]:
    """Overrides of a sweep of n_runs, a multiple of 4: every sweep here, ours and theirs, has this shape."""
    return ["-m", "gradient=analytic,numeric", "learning_rate=0.03,0.1", f"seed=range({n_runs // 4})"]


# ------------------------------------------------------------------------------------------ measuring


@dataclass(frozen=True)
class Measured:
    seconds: float
    megabytes: float  # peak, of the child or its largest descendant
    output: str
    folder: Path  # where it ran, with its mlflow.db


def measure(folder: Path, *command: str) -> Measured:
    """Run `python *command` on a fresh store in a new folder, inside `folder`, that holds APPS.

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
    output = folder / "output.txt"
    with output.open("w") as out:
        began = time.perf_counter()
        child = subprocess.Popen([sys.executable, *command], cwd=folder, env=env, stdout=out, stderr=out)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    text = output.read_text()
    if child.returncode:
        raise RuntimeError(f"python {' '.join(command)} ended with {child.returncode}:\n{text[-3000:]}")
    per_megabyte = 1e6 if sys.platform == "darwin" else 1e6 / 1024
    return Measured(seconds, usage.ru_maxrss / per_megabyte, text, folder)


def ours(folder: Path, *overrides: str) -> Measured:
    return measure(folder, "-m", "experiments.run", *overrides)


def by_turns(repeats: int, *ways: Callable[[], float]) -> list[float]:
    """The median of each way over `repeats` rounds of all of them: A B A B."""
    rounds = [[way() for way in ways] for _ in range(repeats)]
    return [median(column) for column in zip(*rounds, strict=True)]


def timed(work: Callable, *arguments) -> float:
    began = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - began


def extrapolate(sizes: Sequence[int], seconds: Sequence[float], n: int) -> tuple[float, str]:
    """Seconds for n, on the line through two measured sizes, and the words that say so."""
    (small, large), (before, after) = sizes, seconds
    each = (after - before) / (large - small)
    fixed = before - each * small
    return (
        fixed + each * n,
        f"extrapolated from {small} and {large}: {fixed:.1f} s + {1000 * each:.0f} ms each",
    )


# ------------------------------------------------------------------------------------------ the sections

TRAINER_GOALS = {
    ("analytic", 4, 1): 0.77,  # no slower than 1.3 times
    ("numeric", 4, 1): 8,
    ("analytic", 4, 1000): 400,
    ("numeric", 4, 1000): 350,
    ("analytic", 4, 10000): 1000,
    ("numeric", 4, 10000): 600,
}


def trainer(_folder, hidden_sizes=(4, 16), stacks=(1, 10, 100, 1000, 10000), repeats=5) -> Iterator[Line]:
    """Microseconds per step of one run: ours in a stack of n_runs beside the plain loop; both give both errors."""
    problem = tinynet.Problem.streetlights()
    modes = {"analytic": tinynet.gradients.Analytic(), "numeric": tinynet.gradients.Numeric(h=1e-4)}

    def line(mode: str, hidden_size: int, n_runs: int) -> Line:
        network = tinynet.Network(problem.n_inputs, hidden_size)
        params = network.initial(range(n_runs))
        n_epochs = N_EPOCHS if n_runs <= 1000 else N_EPOCHS // 5

        def train(params, n_epochs):
            return tinynet.train(network, problem, params, modes[mode], 0.1, n_epochs)

        def plain(seed):
            return [(*errors, W.copy(), v.copy()) for *errors, W, v in plain_loop(mode, seed, hidden_size)]

        mine, theirs = by_turns(repeats, lambda: timed(train, params, n_epochs), lambda: timed(plain, 0))
        history = train(params[:, :3], N_EPOCHS)
        apart = max(disagreement(history, run, plain(run)) for run in range(min(n_runs, 3)))
        return Line(
            "trainer",
            f"{mode}, H={hidden_size}, stack of {n_runs:,}",
            1e6 * mine / (n_runs * n_epochs * problem.n_rows),
            1e6 * theirs / (N_EPOCHS * problem.n_rows),
            "µs",
            TRAINER_GOALS.get((mode, hidden_size, n_runs)),
            note=f"{modes[mode].evaluations(network)} evaluations a step; agree to {apart:.0e}",
        )

    for hidden_size in hidden_sizes:
        for mode in modes:
            yield from (line(mode, hidden_size, n_runs) for n_runs in stacks)


def disagreement(history, run: int, epochs: Sequence[tuple]) -> float:
    """The largest difference in a run's two error curves and its last weights, relative to each one's largest."""
    error, online_error, W, v = zip(*epochs, strict=True)
    pairs = [
        (history.error[:, run], np.array(error)),
        (history.online_error[:, run], np.array(online_error[1:])),
        (history.params[:, run], np.concatenate([W[-1].ravel(), v[-1].ravel()])),
    ]
    return max(float(np.abs(mine - its).max() / np.abs(its).max()) for mine, its in pairs)


def composition(folder: Path, n_jobs=1000, sizes=(4, 24), repeats=3) -> Iterator[Line]:
    """Jobs composed, checked and stacked, from hydra.main's call to its return; nothing is trained or recorded."""

    def compose(n: int, *overrides: str) -> float:
        output = measure(folder, "compose.py", str(ROOT / "conf"), *grid(n), *overrides).output
        count, seconds = output.split()[-2:]
        if int(count) != n:
            raise RuntimeError(f"{count} jobs came out of {n}")
        return float(seconds)

    basic = "hydra/launcher=basic", "hydra/sweeper=basic"
    mine, *theirs = by_turns(
        repeats, lambda: compose(n_jobs), *(lambda n=n: compose(n, *basic) for n in sizes)
    )
    theirs, words = extrapolate(sizes, theirs, n_jobs)
    yield Line("composition", f"{n_jobs:,} jobs / basic launcher", mine, theirs, "s", 100, extrapolated=words)


def sweep(folder: Path, n_runs=1000, usual=(4, 16), best=(8, 48), repeats=3) -> Iterator[Line]:
    """Whole processes on fresh stores, fixed costs included."""
    joblib = "hydra/launcher=joblib", "hydra.launcher.n_jobs=-1"
    mine, a0, a1, b0, b1 = by_turns(
        repeats,
        lambda: ours(folder, *grid(n_runs)).seconds,
        *(lambda n=n: measure(folder, "usual.py", *grid(n)).seconds for n in usual),
        *(lambda n=n: measure(folder, "best.py", *grid(n), *joblib).seconds for n in best),
    )
    for what, sizes, seconds, goal in (
        ("basic launcher, log_metric per epoch", usual, (a0, a1), 100),
        ("joblib launcher, log_batch per run", best, (b0, b1), 25),
    ):
        theirs, words = extrapolate(sizes, seconds, n_runs)
        yield Line("sweep", f"{n_runs:,} runs / {what}", mine, theirs, "s", goal, extrapolated=words)


def memory(folder: Path, experiment="convergence", small=1000, large=10000) -> Iterator[Line]:
    """Seconds and peak memory of large sweeps, and whether they grow in proportion."""
    whole = ours(folder, f"experiment={experiment}")
    few, many = ours(folder, *grid(small)), ours(folder, *grid(large))
    what, times = f"{large:,} runs", large // small
    for run, named, seconds, megabytes in (
        (whole, f"experiment={experiment}", 25, 600),
        (many, what, 70, 1000),
    ):
        yield Line("memory", named, run.seconds, None, "s", at_most=seconds)
        yield Line("memory", named, run.megabytes, None, "MB", at_most=megabytes)
    yield Line("memory", f"{what} / {times} × {small:,}", many.seconds, times * few.seconds, "s", 0.9)
    yield Line("memory", f"{what} / {times} × {small:,}", many.megabytes, times * few.megabytes, "MB", 0.9)


def recording(folder: Path, n_runs=1000, batches=40, points=4, repeats=3) -> Iterator[Line]:
    """The same runs with the same params, tags and metrics into one SQLite store, through open connections."""
    ways = Recording(Path(tempfile.mkdtemp(dir=folder)), n_runs)
    mine, raw, batch, point = by_turns(
        repeats, ways.ours, ways.raw, lambda: ways.log_batch(batches), lambda: ways.log_metric(points)
    )
    what = f"{n_runs:,} runs / "
    words = f"extrapolated from {points} runs"
    yield Line(
        "recording", what + "log_metric per point", mine, point * n_runs / points, "s", extrapolated=words
    )
    words = f"extrapolated from {batches} runs"
    yield Line(
        "recording", what + "log_batch per run", mine, batch * n_runs / batches, "s", 12, extrapolated=words
    )
    yield Line("recording", what + "raw sqlite3 executemany", mine, raw, "s", 0.5)


class Recording:
    """n_runs trained runs, and four ways to record them; each returns the seconds it took."""

    TABLES = "runs", "params", "tags", "metrics", "latest_metrics"

    def __init__(self, folder: Path, n_runs: int):
        import hydra

        from experiments import settings, stacks, tracking

        settings.register()
        with hydra.initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            config = hydra.compose("config")
        jobs = [dataclasses.replace(settings.read(config), seed=seed) for seed in range(n_runs)]
        self.runs = stacks.Results(config).runs(jobs, stacks.train(jobs))
        self.database, self.n_copies = folder / "mlflow.db", 0
        self.uri = f"sqlite:///{self.database}"
        self.store = tracking.open_store(self.uri)

    def ours(self) -> float:
        self.sweep = self.store.open_sweep("ours", "0", "ours", {}, {}, fresh=True)
        self.before = self._copy()
        return timed(self.sweep.record, self.runs)

    def raw(self) -> float:
        """The rows that ours has just written, into a copy of the store as it was before."""
        children = "run_uuid IN (SELECT run_uuid FROM tags WHERE key = 'mlflow.parentRunId' AND value = ?)"
        with contextlib.closing(sqlite3.connect(self.database)) as store:
            rows = {
                table: store.execute(
                    f"SELECT * FROM {table} WHERE {children} ORDER BY rowid", [self.sweep.run_id]
                ).fetchall()
                for table in self.TABLES
            }
        with contextlib.closing(sqlite3.connect(self.before)) as copy:
            return timed(self._insert, copy, rows)

    @staticmethod
    def _insert(connection, rows):
        with connection:  # one transaction
            for table, of_table in rows.items():
                connection.executemany(
                    f"INSERT INTO {table} VALUES ({', '.join('?' * len(of_table[0]))})", of_table
                )

    def _copy(self) -> Path:
        self.n_copies += 1
        path = self.database.with_name(f"before-{self.n_copies}.db")
        with (
            contextlib.closing(sqlite3.connect(self.database)) as store,
            contextlib.closing(sqlite3.connect(path)) as copy,
        ):
            store.backup(copy)
        return path

    def log_batch(self, n: int) -> float:
        import mlflow
        from mlflow.entities import Metric, Param

        client = mlflow.MlflowClient(self.uri)
        experiment_id = self._experiment(client, "log_batch")

        def record(run):
            run_id = client.create_run(experiment_id, tags=run.tags, run_name=run.name).info.run_id
            now = int(time.time() * 1000)
            metrics = [Metric(key, value, now, step) for key, value, step in _points(run)]
            params = [Param(key, str(value)) for key, value in run.params.items()]
            client.log_batch(run_id, metrics, params)
            client.set_terminated(run_id)

        return timed(lambda: [record(run) for run in self.runs[:n]])

    def log_metric(self, n: int) -> float:
        import mlflow

        before = mlflow.get_tracking_uri()
        mlflow.set_tracking_uri(self.uri)
        experiment_id = self._experiment(mlflow.MlflowClient(self.uri), "log_metric")

        def record(run):
            with mlflow.start_run(experiment_id=experiment_id, run_name=run.name, tags=run.tags):
                mlflow.log_params(run.params)
                for key, value, step in _points(run):
                    mlflow.log_metric(key, value, step=step)

        try:
            return timed(lambda: [record(run) for run in self.runs[:n]])
        finally:
            mlflow.set_tracking_uri(before)

    @staticmethod
    def _experiment(client, name: str) -> str:
        found = client.get_experiment_by_name(name)
        return found.experiment_id if found else client.create_experiment(name)


def _points(run) -> Iterator[tuple[str, float, int]]:
    yield from ((key, float(value), 0) for key, value in run.metrics.items())
    for key, curve in run.curves.items():
        yield from ((key, float(value), step) for step, value in enumerate(curve) if np.isfinite(value))


# ------------------------------------------------------------------------------------------ the table

SECTIONS = {  # recording last: it imports mlflow here, and a child's peak memory counts its parent's at the fork
    "trainer": trainer,
    "composition": composition,
    "sweep": sweep,
    "memory": memory,
    "recording": recording,
}
HEAD = f"{'ours / theirs':<48} {'ours':>9} {'theirs':>10}       {'ratio':>8} {'goal':>9}"


def machine() -> dict[str, object]:
    """What the figures depend on; nothing that names the machine or its user."""
    cpu = platform.processor() or platform.machine()
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    packages = {name: version(package) for name, package in (("mlflow", "mlflow"), ("hydra", "hydra-core"))}
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "os": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        **packages,
    }


def figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def printed(line: Line) -> str:
    """The line as the table shows it; * marks what was extrapolated, and the next line says from what."""
    theirs = figure(line.theirs) + ("*" if line.extrapolated else " ")
    ratio = "" if line.ratio is None else f"{figure(line.ratio)}×"
    met = {True: "met", False: "MISSED", None: ""}[line.met]
    text = (
        f"{line.what:<48} {figure(line.ours):>9} {theirs:>11} {line.unit:<4} {ratio:>8} {line.goal:>9} {met}"
    )
    remarks = [f"* {line.extrapolated}"] if line.extrapolated else []
    return "\n".join([text.rstrip(), *(f"    {remark}" for remark in [*remarks, line.note] if remark)])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.benchmark", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--only", default=",".join(SECTIONS), help="some of these, separated by commas")
    parser.add_argument("--output", default="bench.csv", type=Path, help="the table as CSV (bench.csv)")
    options = parser.parse_args(arguments)
    chosen = options.only.split(",")
    if unknown := set(chosen) - set(SECTIONS):
        parser.error(f"--only={','.join(sorted(unknown))}: must be of {', '.join(SECTIONS)}")
    facts = machine()
    print(", ".join(f"{name} {fact}" for name, fact in facts.items()), HEAD, sep="\n", flush=True)
    computed = ("ratio", "goal", "met")
    fields = [field.name for field in dataclasses.fields(Line)]
    with options.output.open("w", newline="") as file, tempfile.TemporaryDirectory() as folder:
        table = csv.writer(file)
        table.writerow([*fields, *computed, *facts])
        for name, section in SECTIONS.items():
            if name not in chosen:
                continue
            print(f"\n{name}: {section.__doc__.splitlines()[0]}", flush=True)
            for line in section(Path(folder)):
                print(printed(line), flush=True)
                values = [getattr(line, field) for field in (*fields, *computed)]
                table.writerow([*values, *facts.values()])
    print(f"\n* extrapolated, not measured. The table is in {options.output}")


if __name__ == "__main__":
    main()
