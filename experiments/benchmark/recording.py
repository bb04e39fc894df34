"""Recording the same trained runs: by our store, by MLflow's two calls, and by bare sqlite3."""

import contextlib
import dataclasses
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from experiments.benchmark.measuring import Line, by_turns, timed
from experiments.benchmark.peers import Points, log_batch, log_metric
from experiments.store import open_store
from experiments.sweep import finished_runs, read, register, train

CONF = Path(__file__).resolve().parents[2] / "conf"
TABLES = ("runs", "params", "tags", "metrics", "latest_metrics")


def lines(folder: Path, n_runs=1000, batches=40, points=4, rounds=3) -> Iterator[Line]:
    recording = Recording(Path(tempfile.mkdtemp(dir=folder)), n_runs)
    by_point = partial(recording.theirs, log_metric, points)
    by_batch = partial(recording.theirs, log_batch, batches)
    ours, raw, point, batch = by_turns(rounds, recording.ours, recording.raw, by_point, by_batch)
    what = f"{n_runs:,} runs /"
    yield Line(f"{what} log_metric per point", ours, "s", point * n_runs / points, f"{points} runs")
    yield Line(f"{what} log_batch per run", ours, "s", batch * n_runs / batches, f"{batches} runs", goal=12)
    yield Line(f"{what} raw sqlite3 executemany", ours, "s", raw, goal=0.5)


class Recording:
    """n_runs trained runs, and ways to record them; each returns the seconds it took."""

    def __init__(self, folder: Path, n_runs: int):
        import hydra
        import mlflow

        register()
        with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
            settings = read(hydra.compose("config"))
        stack = [dataclasses.replace(settings, seed=seed) for seed in range(n_runs)]
        self.runs = finished_runs(stack, train(stack))
        self.database = folder / "mlflow.db"
        self.store = open_store(f"sqlite:///{self.database}")
        mlflow.set_tracking_uri(self.store.uri)
        mlflow.set_experiment("Default")

    def ours(self) -> float:
        sweep = self.store.open_sweep("ours", "0", "ours", {}, {}, fresh=True)
        self.parent = sweep.run_id
        return timed(sweep.record, self.runs)

    def raw(self) -> float:
        """The rows that ours wrote last, deleted and written again in one transaction."""
        rows_of_table = self.rows()
        run_ids = [row[:1] for row in rows_of_table["runs"]]
        with contextlib.closing(sqlite3.connect(self.database)) as store:
            for table in TABLES:
                store.executemany(f"DELETE FROM {table} WHERE run_uuid = ?", run_ids)
            store.commit()
            return timed(insert, store, rows_of_table)

    def rows(self) -> dict[str, list[tuple]]:
        """What the store holds of the runs that ours wrote last, by table."""
        children = "SELECT run_uuid FROM tags WHERE key = 'mlflow.parentRunId' AND value = ?"
        query = f"SELECT * FROM {{}} WHERE run_uuid IN ({children}) ORDER BY rowid"
        with contextlib.closing(sqlite3.connect(self.database)) as store:
            return {table: store.execute(query.format(table), [self.parent]).fetchall() for table in TABLES}

    def theirs(self, log: Callable, n_runs: int) -> float:
        """The first n_runs, by a function of peers.py."""
        began = time.perf_counter()
        for run in self.runs[:n_runs]:
            log(run.params, points_of(run), run.name, run.tags)
        return time.perf_counter() - began


def insert(store: sqlite3.Connection, rows_of_table: dict[str, list[tuple]]) -> None:
    for table, rows in rows_of_table.items():
        marks = ", ".join("?" * len(rows[0]))
        store.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
    store.commit()


def points_of(run) -> Points:
    """Every finite value of a run, one by one: its single metrics at step 0, then its curves."""
    for key, value in run.metrics.items():
        yield key, float(value), 0
    for key, (steps, values) in run.curves.items():
        for step, value in zip(steps, values, strict=True):
            if np.isfinite(value):
                yield key, float(value), int(step)
