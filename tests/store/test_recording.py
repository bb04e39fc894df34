"""Laws of recording and loading. The reference is MLflow itself: its client, its models, its reading."""

import itertools
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import tomllib
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.store import (
    Run,
    StoreError,
    attach,
    client,
    entries,
    link,
    load_sweep,
    masked,
    open_store,
    opening,
    queries,
    recording,
    sqlite,
    transactions,
)
from experiments.store.address import address, complaints

pytestmark = [
    pytest.mark.usefixtures("starting"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # MLflow's own, of its dependencies
]
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def uri(template, tmp_path):
    return f"sqlite:///{shutil.copy(template, tmp_path / 'mlflow.db')}"


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


# --- two ways in, one result --------------------------------------------------------------------------


def test_tables_and_client_leave_the_same_rows(uri, template, tmp_path):
    other = f"sqlite:///{shutil.copy(template, tmp_path / 'other.db')}"
    runs = some_runs(failed=[3])
    record(open_store(uri), runs)
    record(by_client(other), runs)
    ours, theirs = rows(uri), rows(other)
    assert len(ours["metrics"]) > 60
    for table in ours:
        assert ours[table] == theirs[table], table


def test_mlflow_reads_the_same_from_both_ways(uri, template, tmp_path):
    from mlflow import MlflowClient

    other = f"sqlite:///{shutil.copy(template, tmp_path / 'other.db')}"
    runs = some_runs(failed=[3])
    sweeps = [record(open_store(uri), runs), record(by_client(other), runs)]
    questions = [
        ("", ["metrics.final_error DESC"]),
        ("metrics.final_error < 1 AND params.seed != '2'", ["params.seed ASC"]),
        ("attributes.status = 'FAILED'", []),
        ("tags.outcome = 'converged' AND attributes.run_name LIKE '%seed=1'", ["attributes.run_name"]),
    ]
    answers = []
    for place, sweep in zip((uri, other), sweeps, strict=True):
        client = MlflowClient(place)
        seen = []
        for condition, order in questions:
            condition = " AND ".join(filter(None, [condition, f"tags.mlflow.parentRunId = '{sweep.run_id}'"]))
            found = client.search_runs(
                [sweep.experiment_id], condition, order_by=[*order, "tags.fingerprint"]
            )
            seen.append([run.data.tags["fingerprint"] for run in found])
        for run in found:
            run = client.get_run(run.info.run_id)
            history = client.get_metric_history(run.info.run_id, "error")
            seen.append([(point.step, point.value) for point in history])
            tags = {key: value for key, value in run.data.tags.items() if key != "mlflow.parentRunId"}
            seen.append((run.info.status, run.info.run_name, run.data.params, run.data.metrics, tags))
        answers.append(seen)
    assert len(answers[0][0]) == len(runs)
    assert answers[0] == answers[1]


@settings(max_examples=25)
@given(values=st.lists(st.floats(width=32) | st.sampled_from([np.nan, np.inf, -np.inf]), max_size=12))
def test_latest_value_is_that_of_the_last_finite_step(values):
    run = entries.checked(Run("r", "f", {}, curves={"error": np.array(values)}))
    written = list(entries.metric_rows({"id": run}, 5))
    finite = [(step, value) for step, value in enumerate(values) if np.isfinite(value)]
    assert [(row[3], row[1]) for row in written] == finite
    assert ("error" in run.curves) == bool(finite)


def test_rows_go_in_in_the_order_of_their_primary_key():
    runs = {f"{i:032x}": entries.checked(run) for i, run in enumerate(some_runs())}
    written = [(key, time, step, owner) for key, _, time, step, _, owner in entries.metric_rows(runs, 5)]
    assert written == sorted(written)


# --- the guard ----------------------------------------------------------------------------------------


def test_columns_are_those_of_mlflows_models(uri):
    from mlflow.store.db.base_sql_model import Base
    from mlflow.store.db.utils import _get_latest_schema_revision
    from mlflow.store.tracking.dbmodels import models  # noqa: F401  (they register themselves)

    known = {name: Base.metadata.tables[name].columns for name in queries.COLUMNS}
    live = {name: " ".join(column.name for column in columns) for name, columns in known.items()}
    assert live == queries.COLUMNS
    assert _get_latest_schema_revision() == queries.REVISION
    assert isinstance(open_store(uri).backend, transactions.Tables)


def dump(path):
    """All of a database but times and place; sorted, as MLflow orders constraints by chance."""
    with closing(sqlite3.connect(path)) as database:
        lines = "\n".join(database.iterdump()).replace(str(path.parent), "PLACE").splitlines()
    return re.sub(r"\b1[78]\d{11}\b", "TIME", "\n".join(sorted(line.strip("\t ,") for line in lines)))


def test_an_empty_store_is_what_mlflow_makes(tmp_path):
    ours, theirs = tmp_path / "ours" / "mlflow.db", tmp_path / "theirs" / "mlflow.db"
    assert sqlite.empty_store().exists(), "`make setup` makes it"
    sqlite.make(ours)
    sqlite.place_whole(theirs, sqlite.migrate)
    assert "PLACE/mlruns/0" in dump(ours)
    assert dump(ours) == dump(theirs)


def test_without_an_empty_store_to_copy_mlflow_makes_one(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    record(open_store(f"sqlite:///{tmp_path}/mlflow.db"), some_runs(1))
    assert dump(tmp_path / "mlflow.db").count("f00d")


def test_an_experiment_is_made_as_mlflows_client_makes_it(template, tmp_path):
    ours, theirs = (Path(shutil.copy(template, tmp_path / name)) for name in ("a.db", "b.db"))
    for path, opened in ((ours, open_store), (theirs, by_client)):
        opened(f"sqlite:///{path}")._place("odd name/é")
        opened(f"sqlite:///{path}")._place("odd name/é")
    assert "odd_name_é" in dump(ours)
    assert dump(ours) == dump(theirs)


def test_context_is_that_of_mlflows_client():
    from mlflow.tracking.context.registry import resolve_tags

    theirs = {key: value for key, value in resolve_tags().items() if "git" not in key}
    assert entries.context.__wrapped__() == theirs


NAMES = st.text(st.sampled_from("ab./_- :$é\t%"), max_size=8) | st.sampled_from(["x" * 250, "x" * 251])


@settings(max_examples=300)
@given(kind=st.sampled_from(["param", "tag", "metric"]), name=NAMES)
def test_names_are_refused_when_mlflow_refuses_them(kind, name):
    from mlflow.exceptions import MlflowException
    from mlflow.utils import validation

    def taken(check, *errors):
        try:
            return check() is not None
        except errors:
            return False

    theirs = {
        "param": lambda: validation._validate_param(name, "1"),
        "tag": lambda: validation._validate_tag(name, "1"),
        "metric": lambda: validation._validate_metric(name, 0.0, 0, 0) or len(name) <= 250 or None,
    }[kind]
    assert taken(lambda: entries.valid_name(kind, name), ValueError) == taken(theirs, MlflowException)


@pytest.mark.parametrize("kind", ["param", "tag"])
@pytest.mark.parametrize("length", [0, 5999, 6001, 7999, 8001])
def test_values_are_cut_where_mlflow_cuts_them(kind, length):
    from mlflow.utils import validation

    theirs = {"param": validation._validate_param, "tag": validation._validate_tag}[kind]
    assert entries.valid(kind, "key", "x" * length) == theirs("key", "x" * length).value


def test_bound_on_mlflow_is_what_the_guard_knows():
    """Tables are known for one minor version. A wider bound needs a look at the next one's models first."""
    import mlflow
    from packaging.requirements import Requirement
    from packaging.version import Version

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    bound = next(r.specifier for r in map(Requirement, project["dependencies"]) if r.name == "mlflow")
    installed = Version(mlflow.__version__)
    assert (installed.major, installed.minor) == (3, 17)
    assert installed in bound
    assert not {"3.16.99", "3.18.0", "3.99", "4.0"} & set(bound.filter(["3.16.99", "3.18.0", "3.99", "4.0"]))


def test_a_store_with_another_column_is_left_to_mlflow(uri):
    with closing(sqlite3.connect(uri.removeprefix("sqlite:///"))) as database:
        database.execute("ALTER TABLE runs ADD COLUMN colour TEXT")
    store = open_store(uri)
    assert isinstance(store.backend, client.Client)
    record(store, some_runs(2))
    assert len(load_sweep(uri).runs) == 2


@pytest.mark.parametrize(
    "fault", ["Max retries exceeded with url: /", "Connection broken: IncompleteRead(0 bytes)"]
)
def test_a_server_that_is_gone_is_named_in_the_midst_of_an_answer_too(fault):
    with (
        pytest.raises(StoreError, match="http://host:1: the server does not answer; see"),
        complaints(address("http://host:1")),
    ):
        raise OSError(fault)


# --- once, whole, finished ----------------------------------------------------------------------------


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
    expected = {run.fingerprint: run.metrics["final_error"] for run in runs}
    assert found == {
        key: ("converged", error if np.isfinite(error) else np.inf) for key, error in expected.items()
    }


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


def test_stores_opened_at_once_open_one_sweep(uri):
    open_store(uri).record_run("convergence", some_runs(1)[0])
    found, gate = [], threading.Barrier(6)

    def start():
        store = open_store(uri)
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
    assert (
        third.take_over(wanted, wanted.__getitem__, 2) == 5
    )  # of the newest copies: one parent, one name each
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
    assert store.open_sweep("convergence", "beef", "other", {}, {}).run_id not in (
        first.run_id,
        second.run_id,
    )


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


def test_a_sweep_is_closed_even_if_its_artifacts_have_no_place(uri, monkeypatch):
    def refuse(*_):
        raise OSError("no space")

    monkeypatch.setattr(recording, "copy_artifacts", refuse)
    with pytest.raises(StoreError, match="no space"):
        record(open_store(uri), some_runs(1))
    assert load_sweep(uri).status == "FINISHED"


def test_artifacts_of_an_experiment_with_a_long_name_can_be_read_by_all_who_may_read_the_store(uri):
    sweep = record(open_store(uri), some_runs(1), experiment="実験" * 50)
    folder = Path(open_store(uri).backend.artifacts(sweep.run_id))
    assert (folder / "config.yaml").read_text() == "seed: 1\n"
    assert folder.stat().st_mode == folder.parent.stat().st_mode


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


# --- loading ------------------------------------------------------------------------------------------


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


def same(a, b):
    assert a.runs.equals(b.runs)
    assert list(a.runs.columns) == list(b.runs.columns)
    assert a.curves.keys() == b.curves.keys()
    assert all(np.array_equal(a.curves[key], b.curves[key], equal_nan=True) for key in a.curves)
    for field in (
        "run_id",
        "name",
        "status",
        "experiment",
        "experiment_id",
        "start_time",
        "params",
        "metrics",
        "tags",
    ):
        assert getattr(a, field) == getattr(b, field), field


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


# --- stores that are no store -------------------------------------------------------------------------

SECRET = "s3cr3t@/:x"


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("", "not understood; say sqlite:///mlflow.db"),
        ("mongodb://user:s3cr3t@/:x@host/db", "not understood"),
        ("sqlite://", "a SQLite store is a file"),
        ("sqlite:///", "a SQLite store is a file"),
        ("sqlite:///:memory:", "a SQLite store is a file"),
        ("sqlite:mlflow.db", "not understood"),
        ("http://", "not understood"),
        ("http://host:port", "not understood"),
        ("./mlruns", "no longer keeps runs in folders"),
        ("file:///tmp/mlruns", "no longer keeps runs in folders"),
        ("databricks:x", "not understood"),
        ("postgresql://", "not understood"),
        ("postgresql+nodriver://user:s3cr3t@/:x@localhost/db", "is no address of a database|driver"),
        ("postgresql://user:s3cr3t%40%2F%3Ax@127.0.0.1:1/db", "refused|driver"),
        ("http://user:s3cr3t@127.0.0.1:1", "the server does not answer"),
    ],
)
def test_a_uri_that_names_no_store_is_answered_without_its_password(bad, says, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
    for use in (open_store, load_sweep):
        with pytest.raises(StoreError, match=says) as caught:
            use(bad)
        assert "s3cr3t" not in str(caught.value)
        assert str(caught.value).startswith("tracking.uri=")


@pytest.mark.parametrize(
    "uri",
    [
        f"postgresql://me:{SECRET}@host:5432/runs",
        f"https://me:{SECRET}@host/x?token=abc&password={SECRET}",
        f"cannot reach mysql+pymysql://me:{SECRET}@host today",
    ],
)
def test_masked_hides_passwords_and_nothing_else(uri):
    hidden = masked(uri)
    assert "s3cr3t" not in hidden
    assert "abc" not in hidden
    assert "me:***@host" in hidden


def sqlite_with(path, *statements):
    with closing(sqlite3.connect(path)) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


def folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda path: path.write_bytes(b""), "empty file"),
        (lambda path: path.write_bytes(os.urandom(5000)), "damaged or no SQLite file"),
        (lambda path: path.write_bytes(b"SQLite format 3\0" + os.urandom(5000)), "damaged or no SQLite file"),
        (lambda path: (path.unlink(), sqlite_with(path, "CREATE TABLE t (a)")), "MLflow did not make it"),
        (
            lambda path: sqlite_with(path, "UPDATE alembic_version SET version_num='451aebb31d03'"),
            "older MLflow",
        ),
        (
            lambda path: sqlite_with(path, "UPDATE alembic_version SET version_num='ffffffffffff'"),
            "newer MLflow",
        ),
        (folder, "is a folder"),
    ],
    ids=["empty", "noise", "damaged", "foreign", "older", "newer", "folder"],
)
def test_a_file_that_is_no_store_is_named_and_left_alone(uri, spoil, says):
    path = Path(uri.removeprefix("sqlite:///"))
    spoil(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(StoreError, match=says):
        open_store(uri)
    assert (path.read_bytes() if path.is_file() else None) == before
    assert not list(path.parent.glob(".mlflow.db*"))


@pytest.mark.parametrize(
    ("experiment", "says"), [("quik", "did you mean quick"), ("other", "there are convergence, quick")]
)
def test_of_an_experiment_without_sweeps_those_that_have_some_are_named(uri, experiment, says):
    for name in ("quick", "convergence"):
        record(open_store(uri), some_runs(1), experiment=name)
    with pytest.raises(StoreError, match=f"no sweep of experiment '{experiment}'; {says}"):
        load_sweep(uri, experiment)


def test_a_store_that_is_not_there_is_no_sweep(tmp_path):
    with pytest.raises(StoreError, match="no store yet; `make sweep`"):
        load_sweep(f"sqlite:///{tmp_path}/mlflow.db")
    assert not list(tmp_path.iterdir())


def test_recording_waits_for_another_writer(uri):
    sweep = open_store(uri).open_sweep("convergence", "f00d", "first", {}, {})
    with closing(sqlite3.connect(uri.removeprefix("sqlite:///"), check_same_thread=False)) as other:
        other.execute("BEGIN EXCLUSIVE")
        threading.Timer(1, other.rollback).start()
        began = time.monotonic()
        sweep.record(some_runs())
        assert time.monotonic() - began > 0.9
    assert len(sweep.recorded()) == 6


def test_a_lock_that_stays_is_named(uri, monkeypatch):
    monkeypatch.setattr(opening, "PATIENCE", 0.1)
    sweep = open_store(uri).open_sweep("convergence", "f00d", "first", {}, {})
    with closing(sqlite3.connect(uri.removeprefix("sqlite:///"))) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another program has held a lock"):
            sweep.record(some_runs())


def test_opening_a_store_that_stays_locked_is_answered(uri, monkeypatch):
    monkeypatch.setattr(sqlite, "PATIENCE", 0.1)
    with closing(sqlite3.connect(uri.removeprefix("sqlite:///"))) as other:
        other.execute("BEGIN EXCLUSIVE")
        for use in (open_store, load_sweep):
            with pytest.raises(StoreError, match="another program has held a lock"):
                use(uri)


def test_a_store_that_can_only_be_read_is_read_and_not_recorded_in(uri, monkeypatch):
    record(open_store(uri), some_runs(2))
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)  # root may write anywhere
    with pytest.raises(StoreError, match="read-only"):
        open_store(uri)
    with pytest.raises(StoreError, match="its folder is read-only"):
        open_store(uri.replace("mlflow.db", "other.db"))
    assert len(load_sweep(uri).runs) == 2


def test_a_full_disk_is_named_and_leaves_the_store_whole(uri):
    store = open_store(uri)
    sweep = store.open_sweep("convergence", "f00d", "first", {}, {})
    with store.backend.engine.connect() as connection:  # the pool's one connection, which keeps the limit
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 2}")
    before = rows(uri)
    with pytest.raises(StoreError, match="no space is left"):
        sweep.record(some_runs(40))
    assert rows(uri) == before


# --- a store that comes to be -------------------------------------------------------------------------


def test_of_makers_at_once_one_wins_and_nothing_is_left_over(tmp_path):
    path, gate = tmp_path / "new" / "mlflow.db", threading.Barrier(8)

    def make(fresh):
        gate.wait()
        fresh.write_text(fresh.name)

    threads = [threading.Thread(target=sqlite.place_whole, args=(path, make)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [file.name for file in path.parent.iterdir()] == ["mlflow.db"]


def test_a_store_that_another_process_made_meanwhile_stays(tmp_path):
    path = tmp_path / "mlflow.db"

    def slow(fresh):
        fresh.write_text("ours")
        path.write_text("theirs")

    sqlite.place_whole(path, slow)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("mlflow.db", "theirs")]


def test_a_maker_killed_midway_leaves_no_store_and_the_next_clears_up(tmp_path):
    path = tmp_path / "mlflow.db"
    code = (
        "import os, pathlib, sys; from experiments.store import sqlite\n"
        "def make(fresh): fresh.write_text('half'); os.kill(os.getpid(), 9)\n"
        "sqlite.place_whole(pathlib.Path(sys.argv[1]), make)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT, check=False)
    assert done.returncode == -9
    assert [file.name.endswith(".new") for file in tmp_path.iterdir()] == [True]
    sqlite.place_whole(path, lambda fresh: fresh.write_text("whole"))
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("mlflow.db", "whole")]


@pytest.mark.faults
def test_killed_at_any_moment_and_run_again_nothing_is_lost_or_twice(tmp_path):
    """kill -9, twenty times, from before the store is there until the sweep is closed."""
    stacks = [some_runs(40)[start : start + 4] for start in range(0, 40, 4)]

    def sweep(uri):
        sweep = open_store(uri).open_sweep("convergence", "f00d", "first", {}, {})
        for stack in stacks:
            if not {run.fingerprint for run in stack} <= set(sweep.recorded()):
                sweep.record(stack)
                time.sleep(0.02)  # training
        sweep.end("FINISHED", {"seconds": 1.5})

    def forked(uri):
        if not (child := os.fork()):
            sweep(uri)
            os._exit(0)
        return child

    uri, whole = f"sqlite:///{tmp_path}/killed/mlflow.db", f"sqlite:///{tmp_path}/whole/mlflow.db"
    path = Path(uri.removeprefix("sqlite:///"))
    rng, seen = np.random.default_rng(0), []
    for _ in range(20):
        child = forked(uri)
        time.sleep(rng.uniform(0.01, 0.7) if path.exists() else rng.uniform(0.1, 1.5))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        if path.exists():
            with closing(sqlite3.connect(path)) as database:
                assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
                count = (
                    "SELECT count(*) FROM runs JOIN tags USING (run_uuid) WHERE key = 'mlflow.parentRunId'"
                )
                seen.append(database.execute(count).fetchone()[0])
                assert database.execute(f"{count} AND status != 'FINISHED'").fetchone() == (0,)
                assert database.execute("SELECT count(*) FROM tags WHERE key = 'sweep'").fetchone()[0] <= 1
    for place in (uri, whole):
        assert os.waitpid(forked(place), 0)[1] == 0
    assert seen == sorted(seen)
    assert rows(uri) == rows(whole)
    assert [file.name for file in path.parent.iterdir()] == ["mlflow.db"]


def test_without_hard_links_the_store_is_moved(tmp_path, monkeypatch):
    def no_links(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", no_links)
    sqlite.place_whole(tmp_path / "mlflow.db", lambda fresh: fresh.write_text("whole"))
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("mlflow.db", "whole")]


# --- a server -----------------------------------------------------------------------------------------


def test_a_server_holds_the_same_as_a_database(server, uri):
    address, behind = server.uri, server.behind
    runs = some_runs(failed=[3])
    record(open_store(uri), runs)
    record(open_store(address), runs)
    ours, theirs = rows(uri), rows(behind)
    for table in ours:
        assert ours[table] == theirs[table], table
    same(load_sweep(address), load_sweep(behind))
    again = open_store(address).open_sweep("convergence", "f00d", "second", {}, {})
    assert again.continued
    again.record(some_runs())
    assert list(load_sweep(address).runs["status"]) == ["FINISHED"] * 6


def test_long_histories_come_whole_from_a_server(server):
    """The server hands out 25,000 values at a time and takes 1,000; these are more."""
    address, behind = server.uri, server.behind
    curve = np.arange(2500.0)
    sweep = open_store(address).open_sweep("long", "1", "long", {}, {})
    sweep.record([Run("by the client", "0", {f"p{k}": k for k in range(130)}, curves={"error": curve})])
    place = open_store(behind).backend
    parent = (sweep.run_id, sweep._start)
    more = [
        entries.complete(Run(f"{i}", f"{i}", {}, curves={"error": curve + i}), sweep.run_id)
        for i in range(1, 25)
    ]
    place.record(sweep._place, parent, more)
    loaded = load_sweep(address, sweep="long")
    expected = curve[:, None] + loaded.runs["tags.fingerprint"].astype(int).to_numpy()
    assert np.array_equal(loaded.curves["error"], expected)
    assert sum(column.startswith("params.") for column in loaded.runs) == 130


def test_a_frozen_server_is_known_within_seconds(server, monkeypatch):
    monkeypatch.setattr(client, "GREETING", 0.5)
    server.process.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        with pytest.raises(StoreError, match="does not answer"):
            open_store(server.uri)
        assert time.monotonic() - began < 5
    finally:
        server.process.send_signal(signal.SIGCONT)


# --- the link -----------------------------------------------------------------------------------------


def test_link_opens_training_runs_and_holds_no_password():
    page = "/#/experiments/7/runs?workflowType=machine_learning"
    assert link("sqlite:///mlflow.db", "7") == f"http://127.0.0.1:5000{page}"
    assert link("sqlite:///mlflow.db", "7", port=5001) == f"http://127.0.0.1:5001{page}"
    assert link("https://me:secret@host:8080/sub/", "7") == f"https://host:8080/sub{page}"
    assert "parentRunId%60%20%3D%20%27abc%27" in link("sqlite:///mlflow.db", "7", "abc")
