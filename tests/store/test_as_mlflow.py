"""What is recorded is what MLflow's own client, models and checks make of it."""

import shutil
import sqlite3
import sys
import tomllib
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.store import Run, client, entries, load_sweep, open_store, queries, sqlite, transactions
from tests.store.runs import ROOT, by_client, dump, record, rows, some_runs

pytestmark = [
    pytest.mark.usefixtures("starting"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # MLflow's own, of its dependencies
]


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


def test_columns_are_those_of_mlflows_models(uri):
    from mlflow.store.db.base_sql_model import Base
    from mlflow.store.db.utils import _get_latest_schema_revision
    from mlflow.store.tracking.dbmodels import models  # noqa: F401  (they register themselves)

    known = {name: Base.metadata.tables[name].columns for name in queries.COLUMNS}
    live = {name: " ".join(column.name for column in columns) for name, columns in known.items()}
    assert live == queries.COLUMNS
    assert _get_latest_schema_revision() == queries.REVISION
    assert isinstance(open_store(uri).backend, transactions.Tables)


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
    harness = map(Requirement, project["optional-dependencies"]["harness"])
    bound = next(r.specifier for r in harness if r.name == "mlflow")
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
