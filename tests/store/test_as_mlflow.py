"""What is recorded is what MLflow's own client, models and checks make of it."""

import shutil
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.store import Run, entries, open_store, opening, queries, sqlite, transactions
from tests.store.runs import ROOT, by_client, record, rows, some_runs

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
    minor = ".".join(version("mlflow").split(".")[:2])
    if minor in queries.REVISIONS.values():
        assert live == queries.COLUMNS
        assert queries.REVISIONS[_get_latest_schema_revision()] == minor
    assert opening.own_revision() == _get_latest_schema_revision()
    assert isinstance(open_store(uri).backend, transactions.Tables), "MLflow has changed how it keeps runs"


def test_an_empty_store_is_what_mlflow_makes(tmp_path):
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    ours, theirs = tmp_path / "ours" / "mlflow.db", tmp_path / "theirs" / "mlflow.db"
    assert sqlite.empty_store().exists(), "`make setup` makes it"
    sqlite.make(ours)
    theirs.parent.mkdir()
    SqlAlchemyStore(f"sqlite:///{theirs}", str(theirs.parent / "mlruns"))._dispose_engine()
    assert "FOLDER/mlruns/0" in "".join(sqlite.contents(ours))
    assert sqlite.contents(ours) == sqlite.contents(theirs)


def test_without_an_empty_store_to_copy_mlflow_makes_one(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    record(open_store(f"sqlite:///{tmp_path}/mlflow.db"), some_runs(1))
    assert "f00d" in "".join(sqlite.contents(tmp_path / "mlflow.db"))


def test_an_experiment_is_made_as_mlflows_client_makes_it(template, tmp_path):
    ours, theirs = (Path(shutil.copy(template, tmp_path / name)) for name in ("a.db", "b.db"))
    for path, opened in ((ours, open_store), (theirs, by_client)):
        opened(f"sqlite:///{path}")._place("odd name/é")
        opened(f"sqlite:///{path}")._place("odd name/é")
    assert "odd_name_é" in "".join(sqlite.contents(ours))
    assert sqlite.contents(ours) == sqlite.contents(theirs)


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


def test_the_bound_on_mlflow_begins_with_the_oldest_tables_known():
    from packaging.requirements import Requirement

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    bound = next(r.specifier for r in map(Requirement, extras["harness"]) if r.name == "mlflow")
    assert str(bound) == f"<4,>={min(queries.REVISIONS.values(), key=lambda v: int(v.split('.')[1]))}"
    assert version("mlflow") in bound
