"""Stores of other MLflows: read as they are, written where that is known to be right, changed by nobody."""

import json
import shutil
import sqlite3
import sys
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import pytest

from experiments import ui
from experiments.store import (
    StoreError,
    attach,
    client,
    foreseen,
    load_sweep,
    open_store,
    opening,
    queries,
    sqlite,
    transactions,
)
from tests.store.runs import record, rows, same, some_runs
from tests.sweep.commands import run

pytestmark = [
    pytest.mark.usefixtures("starting"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # MLflow's own, of its dependencies
]
OLD, NEW = "451aebb31d03", "f" * 12  # a revision of MLflow 1, and one that nobody knows
KNOWN = [revision for revision, minor in queries.REVISIONS.items() if not version("mlflow").startswith(minor)]


def path_of(uri):
    return Path(uri.removeprefix("sqlite:///"))


def edited(uri, *statements):
    with closing(sqlite3.connect(path_of(uri))) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


def of_revision(uri, revision):
    """Make it a store of another MLflow: another revision, and a table less, which MLflow's client makes."""
    edited(uri, f"UPDATE alembic_version SET version_num = '{revision}'", "DROP TABLE webhooks")


@pytest.mark.parametrize("revision", [KNOWN[0], KNOWN[-1], OLD, NEW])
def test_what_reads_a_store_of_another_mlflow_changes_no_byte(uri, revision, tmp_path, capsys):
    sweep = record(open_store(uri), some_runs())
    before = load_sweep(uri)
    of_revision(uri, revision)
    held = path_of(uri).read_bytes()
    same(load_sweep(uri), before)
    assert foreseen(uri, "convergence", "f00d", {run.fingerprint for run in some_runs(8)}) == (6, 0)
    (tmp_path / "report").mkdir()
    attach(uri, sweep.run_id, tmp_path / "report")
    assert "0 of 16 runs" in run(tmp_path, "experiment=quick", "seed=0,1", "dry_run=true")
    assert ui.main(["--store", uri]) == 1
    assert capsys.readouterr().err.startswith(f"tracking.uri={uri}: was made by ")
    assert path_of(uri).read_bytes() == held


@pytest.mark.parametrize("revision", KNOWN)
def test_a_store_of_an_mlflow_that_is_known_is_recorded_in_and_not_migrated(uri, revision):
    of_revision(uri, revision)
    before = sqlite.contents(path_of(uri))
    record(open_store(uri), some_runs())
    assert len(load_sweep(uri).runs) == 6
    after = sqlite.contents(path_of(uri))
    tables = [line for line in after if not line.startswith(("INSERT", "ANALYZE"))]
    assert tables == [line for line in before if not line.startswith("INSERT")]
    assert f"""INSERT INTO "alembic_version" VALUES('{revision}');""" in after


@pytest.mark.parametrize(
    ("revision", "says"),
    [
        (OLD, r"an older MLflow.*copy it, `cp -n .* -m mlflow db upgrade "),
        (NEW, r"a newer MLflow.*install that MLflow"),
    ],
)
def test_a_store_of_an_mlflow_that_is_not_known_is_not_recorded_in(uri, revision, says):
    of_revision(uri, revision)
    held = path_of(uri).read_bytes()
    with pytest.raises(StoreError, match=says):
        open_store(uri)
    assert path_of(uri).read_bytes() == held


def test_a_sweep_is_read_from_the_columns_that_are_said_to_be_read(uri):
    record(open_store(uri), some_runs())
    before = load_sweep(uri)
    for table in queries.COLUMNS:
        columns = ", ".join(queries.READ.get(table, "1").split())
        copied = f"CREATE TABLE {table} AS SELECT {columns} FROM whole"
        edited(uri, f"ALTER TABLE {table} RENAME TO whole", copied, "DROP TABLE whole")
    same(load_sweep(uri), before)


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("colour TEXT", transactions.Tables),
        ("colour TEXT NOT NULL DEFAULT 'red'", transactions.Tables),
        ("colour TEXT NOT NULL", client.Client),
    ],
)
def test_a_column_not_known_is_left_to_mlflow_if_it_must_be_given(uri, column, kind):
    with closing(sqlite3.connect(path_of(uri))) as database:
        (made,) = database.execute("SELECT sql FROM sqlite_master WHERE name = 'experiment_tags'").fetchone()
    wider = made.replace("(", f"({column}, ", 1)
    edited(uri, "DROP TABLE experiment_tags", wider)
    store = open_store(uri)
    assert isinstance(store.backend, kind)
    notice = "".join(store.notices)
    assert ("somebody has changed the tables" in notice) == (kind is client.Client)


# --- an MLflow whose tables are not known --------------------------------------------------------------


@pytest.fixture
def unknown(monkeypatch, tmp_path):
    """As if the MLflow here were one that nobody has looked at, in an environment just set up."""
    known = {key: value for key, value in queries.REVISIONS.items() if key in KNOWN}
    monkeypatch.setattr(opening, "REVISIONS", known)
    empty = sqlite.empty_store()
    monkeypatch.setattr(sqlite, "migrate", lambda path: shutil.copyfile(empty, path))  # a second less
    (tmp_path / "environment").mkdir()
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "environment"))
    opening.verdict.cache_clear()
    yield
    opening.verdict.cache_clear()


def test_a_trial_of_the_mlflow_here_finds_no_difference():
    shown = opening.trial()
    assert shown["differs"] == []
    assert shown["times"] > 1


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (lambda rows: [row for row in rows if row[0] != "half"], "'half'"),
        (lambda rows: [(*row[:2], row[2] + 0.5, *row[3:]) for row in rows], "'error'"),
        (lambda rows: [row[:-1] for row in rows], "Tables: "),
    ],
    ids=["left out", "another type", "refused"],
)
def test_a_trial_finds_a_fault_that_is_planted(monkeypatch, fault, says):
    written = transactions.metric_rows
    monkeypatch.setattr(transactions, "metric_rows", lambda *given: fault(written(*given)))
    differs = opening.trial()["differs"]
    assert any(says in line for line in differs), differs


def test_an_mlflow_that_is_not_known_is_tried_once_and_trusted(unknown, uri, monkeypatch):
    assert isinstance(open_store(uri).backend, transactions.Tables)
    kept = sqlite.empty_store().with_suffix(".json")
    assert json.loads(kept.read_text())["differs"] == []
    opening.verdict.cache_clear()
    monkeypatch.setattr(opening, "trial", None)
    assert isinstance(open_store(uri).backend, transactions.Tables)


def test_where_the_trial_finds_a_difference_mlflow_records_and_a_line_says_so(unknown, tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "trial", lambda: {"differs": ["a line"], "times": 12.3})
    opening.prepare()
    printed = run(tmp_path, "-m", "seed=0,1", "n_epochs=3")
    [line] = [line for line in printed.splitlines() if "MLflow's client" in line]
    assert "takes 12 times as long" in line
    assert f"-m pip install 'mlflow=={queries.REVISIONS[KNOWN[-1]]}.*'`" in line
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    assert isinstance(open_store(uri).backend, client.Client)
    assert len(load_sweep(uri).runs) == 2


def test_in_an_environment_that_can_only_be_read_the_trial_is_not_remembered(unknown, uri, monkeypatch):
    Path(sys.prefix, "share").touch()  # no folder can be made there
    with pytest.raises(StoreError, match="folder can't be made"):
        sqlite.prepare()
    store = open_store(uri)
    assert isinstance(store.backend, transactions.Tables)
    record(store, some_runs(1))
    assert len(rows(uri, "runs")["runs"]) == 2


def test_in_workspaces_mlflow_records(uri, monkeypatch):
    monkeypatch.setenv("MLFLOW_ENABLE_WORKSPACES", "true")
    store = open_store(uri)
    assert isinstance(store.backend, client.Client)
    assert "unset it" in store.notices[0]
