"""A SQLite store: how it comes to be, files that are none, locks, and disks that are full."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import event

from experiments.store import StoreError, load_sweep, open_store, opening, sqlite
from experiments.store.address import sqlite_uri as store_uri
from tests.store.runs import ROOT, record, rows, some_runs

pytestmark = [
    pytest.mark.usefixtures("starting"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # MLflow's own, of its dependencies
]


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
        (lambda path: sqlite_with(path, "DELETE FROM alembic_version"), "MLflow did not make it"),
        (folder, "is a folder"),
    ],
    ids=["empty", "noise", "damaged", "foreign", "without a revision", "folder"],
)
def test_a_file_that_is_no_store_is_named_and_left_alone(uri, spoil, says):
    path = Path(uri.removeprefix("sqlite:///"))
    spoil(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(StoreError, match=says):
        open_store(uri)
    assert (path.read_bytes() if path.is_file() else None) == before
    assert not list(path.parent.glob(".mlflow.db*"))


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
    with store.backend.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    limit = f"PRAGMA max_page_count = {pages + 2}"
    event.listen(store.backend.engine, "connect", lambda connection, _: connection.execute(limit))
    before = rows(uri)
    with pytest.raises(StoreError, match="no space is left"):
        sweep.record(some_runs(40))
    assert rows(uri) == before


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


def test_a_store_may_have_any_name_and_leaves_no_other_file(tmp_path):
    path = tmp_path / "q?m%2F #&" / "[a]*%41?.db"
    record(open_store(store_uri(path)), some_runs(2))
    assert len(load_sweep(store_uri(path)).runs) == 2
    assert sorted(file.name for file in path.parent.iterdir()) == [path.name, "mlruns"]
    assert [file.name for file in tmp_path.iterdir()] == [path.parent.name]


def test_without_hard_links_the_store_is_moved(tmp_path, monkeypatch):
    def no_links(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", no_links)
    sqlite.place_whole(tmp_path / "mlflow.db", lambda fresh: fresh.write_text("whole"))
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("mlflow.db", "whole")]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_in_the_place_of_a_store_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "mlflow.db")
    with pytest.raises(StoreError, match=r"mlflow\.db: is no ordinary file"):
        load_sweep(store_uri(tmp_path / "mlflow.db"))
