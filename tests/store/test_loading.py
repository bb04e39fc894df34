"""Laws of loading: what was recorded comes back, the same from every way."""

import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from experiments.store import (
    StoreError,
    client,
    entries,
    load_sweep,
    open_store,
    opening,
    queries,
    sweeps,
    transactions,
)
from tests.store.runs import ROOT, record, same, some_runs

pytestmark = [
    pytest.mark.usefixtures("starting"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # MLflow's own, of its dependencies
]


def test_what_is_loaded_is_what_was_recorded(uri):
    runs = some_runs(failed=[3])
    sweep = record(open_store(uri), runs)
    loaded = load_sweep(uri)
    assert (loaded.run_id, loaded.name, loaded.status) == (sweep.run_id, "first", "FINISHED")
    assert (loaded.params, loaded.metrics) == ({"seeds": "6"}, {"seconds": 1.5})
    assert loaded.tags["note"] == "done"
    assert list(loaded.runs["params.seed"]) == list(range(6))
    assert loaded.runs["params.seed"].dtype == np.int64
    assert loaded.runs["params.bias"].dtype == bool
    assert list(loaded.runs["params.learning_rate"]) == [0.1] * 6
    assert list(loaded.runs["tags.fingerprint"]) == [run.fingerprint for run in runs]
    assert list(loaded.runs["status"] == "FAILED") == [run.failed for run in runs]
    assert set(loaded.curves) == {"error", "online"}
    for i, run in enumerate(runs):
        recorded = np.where(np.isfinite(run.curves["error"]), run.curves["error"], np.nan)
        curve = loaded.curves["error"][:, i]
        assert np.array_equal(curve[: len(recorded)], recorded, equal_nan=True)
        assert np.isnan(curve[len(recorded) :]).all()


def test_every_way_of_loading_gives_the_same(uri, monkeypatch):
    record(open_store(uri), some_runs(failed=[3]))
    ours = load_sweep(uri)
    monkeypatch.setattr(opening, "backend", lambda where, write: client.Client(where))
    same(ours, load_sweep(uri))


def test_points_that_another_program_logged_at_other_times_are_loaded_too(uri):
    from mlflow import MlflowClient

    sweep = record(open_store(uri), some_runs())
    before = load_sweep(uri)
    run_id = before.runs["run_id"][1]  # diverged in epoch 4
    for step in (4, 7):
        MlflowClient(uri).log_metric(run_id, "error", step / 8, timestamp=1000 + step, step=step)
    expected = before.curves["error"].copy()
    expected[[4, 7], 1] = 0.5, 0.875
    assert load_sweep(uri).run_id == sweep.run_id
    np.testing.assert_array_equal(load_sweep(uri).curves["error"], expected)


def test_what_others_log_into_a_sweep_changes_nothing_of_it(uri, monkeypatch):
    """A nested run of theirs, and into runs of ours values and steps that we don't record."""
    from mlflow import MlflowClient

    sweep = record(open_store(uri), runs_of_ten_epochs())
    before = load_sweep(uri)
    theirs = MlflowClient(uri)
    run_id = before.runs["run_id"][0]
    for step, value in ((3, np.nan), (5, np.inf), (5, -np.inf), (-7, 0.5), (10**9, 0.5), (10**9, np.nan)):
        theirs.log_metric(run_id, "error", value, step=step)
    theirs.log_metric(sweep.run_id, "seconds.lost", np.nan)
    nested = theirs.create_run(sweep.experiment_id, tags={entries.PARENT: sweep.run_id}).info.run_id
    theirs.log_metric(nested, "loss", 0.5, step=10**9)
    theirs.log_param(nested, "seed", "none")
    deleted = theirs.create_run(
        sweep.experiment_id, tags={entries.PARENT: sweep.run_id, entries.FINGERPRINT: "1"}
    ).info.run_id
    theirs.log_param(deleted, "other", "1")
    theirs.delete_run(deleted)
    theirs.create_run(sweep.experiment_id, tags={"sweep": "theirs"})
    same(without_latest(load_sweep(uri)), without_latest(before))
    monkeypatch.setattr(opening, "backend", lambda where, write: client.Client(where))
    same(without_latest(load_sweep(uri)), without_latest(before))


def without_latest(sweep):
    """Without the latest value of a curve, which MLflow tells."""
    return replace(sweep, runs=sweep.runs.drop(columns="metrics.error"))


def test_of_a_step_that_was_logged_twice_the_later_counts_from_every_store(uri, monkeypatch):
    from mlflow import MlflowClient

    record(open_store(uri), runs_of_ten_epochs())
    run_id = load_sweep(uri).runs["run_id"][1]
    for value, moment in ((0.25, 9_000_000_000_001), (0.5, 9_000_000_000_002), (0.125, 9_000_000_000_002)):
        MlflowClient(uri).log_metric(run_id, "error", value, timestamp=moment, step=3)
    ours = load_sweep(uri)
    assert ours.curves["error"][3, 1] == 0.5
    monkeypatch.setattr(opening, "backend", lambda where, write: client.Client(where))
    same(load_sweep(uri), ours)


def runs_of_ten_epochs():
    """As a sweep records them: with the number of epochs, all of them finite."""
    runs = [replace(run, params={**run.params, "n_epochs": 10}) for run in some_runs()]
    curve = np.linspace(1, 2, 11)
    return [replace(run, metrics={"final_error": 2.0}, curves={"error": curve}) for run in runs]


def test_a_run_that_is_recorded_while_others_are_loaded_is_passed_over(uri, monkeypatch):
    runs = some_runs()
    sweep = open_store(uri).open_sweep("convergence", "f00d", "first", {}, {})
    sweep.record(runs[:4])
    before = load_sweep(uri)
    children = queries.Queries.children

    def and_then_more(backend, parent):
        rows = children(backend, parent)
        sweep.record(runs[4:])
        return rows

    monkeypatch.setattr(queries.Queries, "children", and_then_more)
    same(load_sweep(uri), before)
    monkeypatch.undo()
    assert len(load_sweep(uri).runs) == 6


@pytest.mark.parametrize("analyzed", [False, True])
def test_points_are_read_off_the_index_that_holds_them_all(uri, analyzed):
    """SQLite chooses by what it knows of the tables, which ANALYZE changes."""
    from sqlalchemy import event

    tables = open_store(uri).backend
    sweep = open_store(uri).open_sweep("convergence", "f00d", "first", {}, {})
    sweep.record(some_runs())
    if analyzed:
        tables.analyze()
    asked = []
    event.listen(tables.engine, "before_cursor_execute", lambda *details: asked.append(details[2:4]))
    assert len(list(tables._points_by_moment(sweep.run_id, "error"))) > 50
    statement, parameters = asked[-1]
    with closing(sqlite3.connect(uri.removeprefix("sqlite:///"))) as database:
        plan = database.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
    assert [row[3] for row in plan] == [
        "SEARCH metrics USING COVERING INDEX sqlite_autoindex_metrics_1 (key=? AND timestamp=?)"
    ]


def test_the_newest_sweep_is_loaded_or_the_one_named(uri):
    store = open_store(uri)
    for mark, experiment in (("a", "one"), ("b", "two"), ("c", "two")):
        sweep = store.open_sweep(experiment, mark, f"sweep {mark}", {}, {})
        sweep.record(some_runs(2))
        time.sleep(0.002)
    assert load_sweep(uri).name == "sweep c"
    assert load_sweep(uri, experiment="one").name == "sweep a"
    assert load_sweep(uri, sweep="sweep b").name == "sweep b"
    assert load_sweep(uri, sweep=sweep.run_id).name == "sweep c"
    with pytest.raises(StoreError, match=r"no sweep 'nine'; there are sweep c, sweep b, sweep a"):
        load_sweep(uri, sweep="nine")
    with pytest.raises(StoreError, match=r"no sweep of experiment 'three'; there are two, one"):
        load_sweep(uri, experiment="three")


@pytest.mark.parametrize("moment", [1_700_000_000_000, 1_000])
def test_the_newest_is_the_last_recorded_though_the_clock_was_set_back(uri, monkeypatch, moment):
    sweep = record(open_store(uri), some_runs(1), name="first")
    monkeypatch.setattr(transactions, "now", lambda: moment)
    store = open_store(uri)
    store.open_sweep("convergence", "feed", "second", {}, {})
    assert [found["name"] for found in sweeps(uri)] == ["second", "first"]
    assert load_sweep(uri).name == "second"
    again = store.open_sweep("convergence", "f00d", "third", {}, {}, fresh=True)
    assert again.run_id != sweep.run_id
    assert store.open_sweep("convergence", "f00d", "fourth", {}, {}).run_id == again.run_id


def test_a_sweep_without_runs_loads_empty(uri):
    open_store(uri).open_sweep("convergence", "f00d", "first", {}, {})
    loaded = load_sweep(uri)
    assert (len(loaded.runs), loaded.curves, loaded.status) == (0, {}, "RUNNING")


def test_loading_from_a_database_does_not_import_mlflow(uri):
    record(open_store(uri), some_runs(2))
    code = f"""import sys; from experiments.store import load_sweep
load_sweep({uri!r}); print('mlflow' in sys.modules)"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("experiment", "says"), [("quik", "did you mean quick"), ("other", "there are convergence, quick")]
)
def test_of_an_experiment_without_sweeps_those_that_have_some_are_named(uri, experiment, says):
    for name in ("quick", "convergence"):
        record(open_store(uri), some_runs(1), experiment=name)
    with pytest.raises(StoreError, match=f"no sweep of experiment '{experiment}'; {says}"):
        load_sweep(uri, experiment)


def test_a_store_that_is_not_there_is_no_sweep(tmp_path):
    with pytest.raises(StoreError, match=r"no store yet; `make sweep ARGS=tracking\.uri="):
        load_sweep(f"sqlite:///{tmp_path}/mlflow.db")
    assert not list(tmp_path.iterdir())
