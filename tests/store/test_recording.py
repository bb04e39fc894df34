"""Laws of recording: once, whole, finished; and files beside the runs."""

import itertools
import shutil
import threading
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from experiments.store import (
    Run,
    StoreError,
    attach,
    entries,
    load_sweep,
    open_store,
    sqlite,
    transactions,
)
from tests.store.runs import by_client, record, rows, some_runs

pytestmark = [
    pytest.mark.usefixtures("starting"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # MLflow's own, of its dependencies
]


@pytest.mark.parametrize("opened", [open_store, by_client], ids=["tables", "client"])
def test_recording_again_changes_nothing_but_a_failure(uri, opened):
    runs = some_runs(failed=[3])
    sweep = record(opened(uri), runs)
    once = rows(uri, "runs", "metrics", "params", "tags", "latest_metrics")
    again = opened(uri).open_sweep("convergence", "f00d", "second", {}, {})
    assert (again.run_id, again.name, again.continued) == (sweep.run_id, "first", True)
    assert set(again.recorded()) == {run.fingerprint for run in runs} - {runs[3].fingerprint}
    again.record(some_runs())
    again.end("FINISHED", {"seconds": 1.5}, {"note": "done"})
    loaded = load_sweep(uri)
    assert list(loaded.runs["status"]) == ["FINISHED"] * 6
    assert list(loaded.runs["run_id"]) == list(dict.fromkeys(loaded.runs["run_id"]))
    twice = rows(uri, "params", "tags")
    if opened is open_store:  # the client can only hide the failed run
        assert twice == {table: once[table] for table in twice}


def test_recorded_gives_outcome_and_final_error(uri):
    runs = some_runs()
    found = record(open_store(uri), runs).recorded()
    errors = np.array([run.metrics["final_error"] for run in runs])
    errors[~np.isfinite(errors)] = np.inf
    assert found == {run.fingerprint: ("converged", error) for run, error in zip(runs, errors, strict=True)}


def test_a_stack_is_recorded_whole_or_not_at_all(uri, monkeypatch):
    sweep = open_store(uri).open_sweep("convergence", "f00d", "first", {}, {})
    before = rows(uri)

    def broken(runs, time, whole=entries.metric_rows):
        yield from itertools.islice(whole(runs, time), 20)
        raise KeyboardInterrupt

    monkeypatch.setattr(transactions, "metric_rows", broken)
    with pytest.raises(KeyboardInterrupt):
        sweep.record(some_runs())
    monkeypatch.undo()
    assert rows(uri) == before
    sweep.record(some_runs())
    assert len(sweep.recorded()) == 6


def test_a_deleted_run_is_recorded_again(uri):
    from mlflow import MlflowClient

    sweep = record(open_store(uri), some_runs())
    MlflowClient(uri).delete_run(load_sweep(uri).runs["run_id"][0])
    sweep = open_store(uri).open_sweep("convergence", "f00d", "second", {}, {})
    assert len(sweep.recorded()) == 5
    sweep.record(some_runs())
    assert len(sweep.recorded()) == 6


def test_run_ids_follow_from_parent_and_fingerprint_and_begin_with_the_time():
    ids = {entries.new_run_id(1_700_000_000_000, parent, mark) for parent in "ab" for mark in "xy"}
    assert len(ids) == 4
    assert all(len(i) == 32 and int(i[:12], 16) == 1_700_000_000_000 for i in ids)
    assert entries.new_run_id(7, "a", "x") == entries.new_run_id(7, "a", "x")


@pytest.mark.parametrize("opened", [open_store, by_client], ids=["tables", "client"])
def test_stores_opened_at_once_open_one_sweep(uri, opened):
    open_store(uri).record_run("convergence", some_runs(1)[0])
    found, gate = [], threading.Barrier(6)

    def start():
        store = opened(uri)
        gate.wait()
        sweep = store.open_sweep("convergence", "f00d", "first", {}, {})
        sweep.record(some_runs())
        found.append(sweep.run_id)

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len(set(found)) == 1
    assert len(load_sweep(uri).runs) == 6


def test_a_run_taken_over_is_the_run_but_for_its_name_params_and_sweep(uri, template, tmp_path):
    other, runs = f"sqlite:///{shutil.copy(template, tmp_path / 'other.db')}", some_runs(failed=[3])

    def again(run):
        return replace(run, name=f"{run.name} again", params={**run.params, "problem": "xor"})

    wanted = {run.fingerprint: again(run) for run in some_runs(8)}
    record(open_store(uri), runs)
    before = load_sweep(uri, sweep="first")
    sweep = open_store(uri).open_sweep("wider", "beef", "second", {}, {})
    assert sweep.take_over(wanted, wanted.__getitem__, 2) == 5
    assert sweep.take_over(wanted, wanted.__getitem__, 2) == 0
    sweep.end("FINISHED")
    record(open_store(other), [again(run) for run in runs if not run.failed], "wider", "second")
    ours, theirs = (load_sweep(place, sweep="second") for place in (uri, other))
    assert ours.runs["tags.taken_over"].isin(before.runs["run_id"]).all()
    drop = ["run_id", "tags.mlflow.parentRunId", "tags.taken_over"]
    pd.testing.assert_frame_equal(
        ours.runs.drop(columns=drop), theirs.runs.drop(columns=drop, errors="ignore")
    )
    for key, curve in theirs.curves.items():
        np.testing.assert_array_equal(ours.curves[key], curve)
    assert len(load_sweep(uri, sweep="first").runs) == len(runs)
    third = open_store(uri).open_sweep("third", "cafe", "third", {}, {})
    n_taken = third.take_over(wanted, wanted.__getitem__, 2)  # of the newest copies: one parent and name each
    assert n_taken == 5
    assert third.recorded() == sweep.recorded()


def test_runs_that_are_deleted_for_good_meanwhile_are_not_taken_over(uri, monkeypatch):
    store, runs = open_store(uri), some_runs(2)
    record(store, runs)
    (there, gone), found = [run.fingerprint for run in runs], store.backend.finished
    monkeypatch.setattr(store.backend, "finished", lambda wanted: found(wanted) | {gone: "0" * 32})
    sweep = store.open_sweep("wider", "beef", "second", {}, {})
    assert sweep.take_over([there, gone], lambda key: runs[key == gone], 10) == 1
    assert set(sweep.recorded()) == {there}


def test_fresh_opens_another_sweep_and_the_newest_is_continued(uri):
    store = open_store(uri)
    first = record(store, some_runs(2))
    second = store.open_sweep("convergence", "f00d", "second", {}, {}, fresh=True)
    assert second.run_id != first.run_id
    assert store.open_sweep("convergence", "f00d", "third", {}, {}).run_id == second.run_id
    other = store.open_sweep("convergence", "beef", "other", {}, {})
    assert other.run_id not in (first.run_id, second.run_id)


def test_a_run_alone_is_recorded_anew_each_time(uri):
    store = open_store(uri)
    run = some_runs(1)[0]
    assert store.record_run("alone", run) != store.record_run("alone", run)
    assert len(rows(uri, "runs")["runs"]) == 2


def test_a_deleted_experiment_is_named(uri):
    from mlflow import MlflowClient

    sweep = record(open_store(uri), some_runs(1))
    MlflowClient(uri).delete_experiment(sweep.experiment_id)
    with pytest.raises(StoreError, match=r"'convergence' was deleted.*restore"):
        open_store(uri).open_sweep("convergence", "f00d", "first", {}, {})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"params": {"a$b": 1}}, "a\\$b"),
        ({"tags": {"a/../b": "1"}}, "would be 'b'"),
        ({"metrics": {"x" * 251: 1.0}}, "251|250"),
    ],
)
def test_names_that_mlflow_refuses_are_refused(uri, change, says):
    sweep = open_store(uri).open_sweep("convergence", "f00d", "first", {}, {})
    with pytest.raises(ValueError, match=says):
        sweep.record([Run("r", "f", **{"params": {}, **change})])
    assert sweep.recorded() == {}


def test_a_curve_must_have_rising_steps():
    with pytest.raises(ValueError, match="steps rising"):
        entries.checked(Run("r", "f", {}, curves={"error": (np.array([0, 2, 1]), np.zeros(3))}))


def test_an_interrupted_wait_for_a_lock_leaves_the_patience_of_the_next(uri, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    engine = open_store(uri).backend.engine
    with engine.connect() as connection:
        before = connection.exec_driver_sql("PRAGMA busy_timeout").scalar()
        monkeypatch.setattr(sqlite, "in_turns", interrupted)
        with pytest.raises(KeyboardInterrupt):
            sqlite.begin(connection)
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == before > 1000


def test_names_are_cut_where_a_database_would_refuse_them():
    run = entries.checked(Run("x" * 300, "f", {}))
    assert (len(run.name), len(run.tags["mlflow.runName"])) == (250, 250)


def test_artifacts_arrive_beside_the_store(uri, tmp_path):
    from mlflow import MlflowClient

    sweep = record(open_store(uri), some_runs(1))
    folder = tmp_path / "report"
    folder.mkdir()
    (folder / "index.html").write_text("<p>")
    attach(uri, sweep.run_id, folder)
    names = {file.path for file in MlflowClient(uri).list_artifacts(sweep.run_id)}
    assert names == {"config.yaml", "index.html"}
    assert list((tmp_path / "mlruns").rglob("config.yaml"))
