"""Runs that tests record, the rows they become, and when two sweeps are the same."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import numpy as np

from experiments.store import Run, client, queries, recording
from experiments.store.address import address

ROOT = Path(__file__).parent.parent.parent


def by_client(uri):
    """The same store, served through MLflow's public client."""
    where = address(uri)
    return recording.Store(where, client.Client(where))


def some_runs(n_runs=6, n_epochs=10, failed=()):
    """Runs with what is awkward: early divergence, ragged curves, sparse steps, numpy scalars, a failure."""
    rng = np.random.default_rng(n_runs)
    error = 10.0 ** rng.normal(size=(n_epochs + 1, n_runs))  # (n_steps, n_runs)
    error[4:, 1:2] = np.nan
    error[6:, 2:3] = np.inf
    return [
        Run(
            name=f"numeric h=1e-4 lr=0.1 H=4 seed={seed}",
            fingerprint=f"{seed:016x}",
            params={
                "seed": np.int64(seed),
                "learning_rate": np.float64(0.1),
                "bias": False,
                "gradient": "numeric",
            },
            metrics={"final_error": error[-1, seed], "evaluations": np.int64(9), "half": np.float32(0.5)},
            curves={"error": error[: 8 + seed, seed], "online": (np.array([0, 5, 9]), error[:3, seed])},
            tags={"outcome": "converged", "empty": ""},
            failed=seed in failed,
        )
        for seed in range(n_runs)
    ]


def record(store, runs, experiment="convergence", name="first", status="FINISHED"):
    sweep = store.open_sweep(experiment, "f00d", name, {"seeds": len(runs)}, {"command": "make sweep"})
    sweep.record(runs)
    sweep.end(status, {"seconds": 1.5}, {"note": "done"}, {"config.yaml": "seed: 1\n"})
    return sweep


def rows(uri, *names):
    """Every row of every table that holds runs; run ids, times and places by what they belong to."""
    with closing(sqlite3.connect(uri.removeprefix("sqlite:///"))) as database:
        tags = database.execute("SELECT run_uuid, key, value FROM tags").fetchall()
        name = {owner: value for owner, key, value in tags if key in ("sweep", "fingerprint")}
        found = {}
        for table in names or set(queries.COLUMNS) - {"experiments"}:
            cursor = database.execute(
                f"SELECT *, {', '.join(f'typeof({c})' for c in queries.COLUMNS[table].split())} FROM {table}"
            )
            columns = [column[0] for column in cursor.description]
            found[table] = sorted(
                (
                    tuple(_neutral(column, value, name) for column, value in zip(columns, row, strict=True))
                    for row in cursor
                ),
                key=repr,
            )
        return found


def _neutral(column, value, name):
    if column in ("timestamp", "start_time", "end_time") and value is not None:
        return "a time" if time.time() * 1000 - 600_000 < value < time.time() * 1000 else value
    if column == "artifact_uri":
        return [name.get(part, part) for part in value.split("/")[-2:]]
    return name.get(value, value) if isinstance(value, str) else value


def same(a, b):
    assert a.runs.equals(b.runs)
    assert list(a.runs.columns) == list(b.runs.columns)
    assert a.curves.keys() == b.curves.keys()
    assert all(np.array_equal(a.curves[key], b.curves[key], equal_nan=True) for key in a.curves)
    fields = "run_id name status experiment experiment_id start_time params metrics tags"
    for field in fields.split():
        assert getattr(a, field) == getattr(b, field), field
