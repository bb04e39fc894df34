"""A SQLite store: how it comes to be, how it is checked before use, and how its lock is waited for."""

import glob
import os
import re
import secrets
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from experiments.store.address import FAULTS, PATIENCE, StoreError, artifact_location, complaint, sqlite_uri
from experiments.store.client import preload
from experiments.store.entries import FINGERPRINT, SWEEP, now

TURN = 0.5  # seconds to wait for a lock at a time: SQLite hears no Ctrl-C while it waits
READ_ONLY = "read-only; name a file in a folder that can be written"


def check(path: Path, write: bool) -> None:
    """Raise an error unless the file at path is a SQLite database that MLflow made. Touches nothing."""
    uri = sqlite_uri(path)
    if path.is_dir():
        raise complaint(uri, "is a folder; name a file in it, such as mlflow.db")
    if not path.is_file():
        raise complaint(uri, "is no ordinary file, but a pipe or a device; name another")
    if not os.access(path, os.R_OK):
        raise complaint(uri, "may not be read; change its permissions or name another file")
    if write and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        raise complaint(uri, f"the file or its folder is {READ_ONLY}")
    if path.stat().st_size == 0:
        raise complaint(uri, "is an empty file, no store; delete it or name another file")
    mode = "rw" if os.access(path, os.W_OK) else "ro"  # rw: what a killed writer left is rolled back
    file = f"file:{quote(os.fsencode(path))}?mode={mode}"
    with closing(sqlite3.connect(file, timeout=TURN, uri=True)) as database:
        revision = "SELECT version_num FROM alembic_version"
        if not in_turns(lambda: database.execute(revision).fetchall(), PATIENCE):
            raise complaint(uri, FAULTS["no such table"])


def in_turns(attempt: Callable[[], Any], patience: float) -> Any:
    """Call attempt, that waits for a TURN only, until SQLite no longer says that it is locked."""
    until = time.monotonic() + patience
    while True:
        try:
            return attempt()
        except Exception as error:
            if "is locked" not in str(error) or time.monotonic() > until:
                raise


def begin(connection) -> None:
    """Begin a transaction that writes, of a connection of SQLAlchemy, once no other program does."""
    (patience,) = connection.exec_driver_sql("PRAGMA busy_timeout").one()  # ms
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {min(patience, round(TURN * 1000))}")
    try:
        in_turns(lambda: connection.exec_driver_sql("BEGIN IMMEDIATE"), patience / 1000)
    finally:
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {patience}")


def make(path: Path) -> None:
    """Make a store without runs: a copy of an empty one, which MLflow is let make when it is missing."""
    if not empty_store().exists():
        with suppress(StoreError):  # an environment that can only be read
            prepare()
    place_whole(path, _copy_empty if empty_store().exists() else migrate)


def prepare() -> None:
    """Let MLflow make an empty store in this environment, to be copied: a second of migrations, once."""
    place_whole(empty_store(), migrate)


def empty_store() -> Path:
    return Path(sys.prefix, "share", "tinynet", f"mlflow-{version('mlflow')}.db")


def _copy_empty(path: Path) -> None:
    _copy(empty_store(), path)


def migrate(path: Path) -> None:
    """Let MLflow make a store, by all the migrations of its history."""
    preload()
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    # Elsewhere first: MLflow also makes the folder that a path would name if its %3F were no question mark.
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "mlflow.db")
        SqlAlchemyStore(sqlite_uri(made), folder)._dispose_engine()
        _copy(made, path)


def _copy(empty: Path, path: Path) -> None:
    shutil.copyfile(empty, path)
    with closing(sqlite3.connect(path)) as database:  # MLflow's Default experiment, the only one
        database.execute(
            "UPDATE experiments SET artifact_location = ?, creation_time = ?, last_update_time = ?",
            (artifact_location(path.parent / "mlruns" / "0"), now(), now()),
        )
        database.commit()


def contents(path: Path) -> list[str]:
    """All that a store holds, as sorted lines of SQL; of ids, times and its folder what they stand for."""
    with closing(sqlite3.connect(path)) as database:
        text = "\n".join(database.iterdump())
        marks = "SELECT run_uuid, value FROM tags WHERE key IN (?, ?)"
        run_ids = dict(database.execute(marks, (SWEEP, FINGERPRINT)).fetchall())
    text = text.replace(str(path.parent), "FOLDER")
    text = re.sub(r"\b[0-9a-f]{32}\b", lambda found: run_ids.get(found[0], found[0]), text)
    text = re.sub(r"\b1\d{12}\b", "TIME", text)  # in ms since 1970
    return sorted(line.strip("\t ,") for line in text.splitlines())


def place_whole(path: Path, create: Callable[[Path], None]) -> None:
    """Let create(other path) make a file, then link it to path: whole, or not at all.

    Of several processes doing this at once, one wins and all use its file.
    """
    _delete_abandoned(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise complaint(sqlite_uri(path), f"its folder can't be made ({error.strerror})") from None
    if not os.access(path.parent, os.W_OK):
        raise complaint(sqlite_uri(path), f"its folder is {READ_ONLY}")
    fresh = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.new")
    try:
        create(fresh)
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass  # another process was first
        except OSError:  # no hard links on this file system
            if not path.exists():
                os.rename(fresh, path)
    finally:
        for file in path.parent.glob(f"{glob.escape(fresh.name)}*"):
            file.unlink(missing_ok=True)


def _delete_abandoned(path: Path) -> None:
    """Delete what processes that are gone left of stores they were making."""
    if os.name != "posix":  # elsewhere os.kill(pid, 0) is no question
        return
    for file in path.parent.glob(f".{glob.escape(path.name)}.*.new*"):
        with suppress(ValueError, PermissionError):  # no number there; a process of somebody else
            process = int(file.name.removeprefix(f".{path.name}.").split("-")[0])
            try:
                os.kill(process, 0)
            except ProcessLookupError:
                file.unlink(missing_ok=True)


def experiments(path: Path) -> list[tuple[str, str, dict[str, str]]]:
    """Of each experiment its name, where its artifacts go, and its tags."""
    with closing(sqlite3.connect(path, timeout=TURN)) as database:
        query = "SELECT experiment_id, name, artifact_location FROM experiments"
        rows = in_turns(database.execute(query).fetchall, PATIENCE)
        tags = {row[0]: {} for row in rows}
        query = "SELECT experiment_id, key, value FROM experiment_tags"
        for experiment_id, key, value in in_turns(database.execute(query).fetchall, PATIENCE):
            tags[experiment_id][key] = value
    return [(name, location, tags[experiment_id]) for experiment_id, name, location in rows]


def move_artifacts(path: Path, moved: Mapping[str, str]) -> None:
    """Let experiments and their runs have their artifacts in another place; moved: old -> new."""
    experiment = "UPDATE experiments SET artifact_location = :new WHERE artifact_location = :old"
    runs = (
        "UPDATE runs SET artifact_uri = :new || substr(artifact_uri, length(:old) + 1) "
        "WHERE instr(artifact_uri, :old || '/') = 1"
    )
    places = [{"old": old, "new": new} for old, new in moved.items()]
    with closing(sqlite3.connect(path, timeout=TURN)) as database:
        in_turns(lambda: database.execute("BEGIN IMMEDIATE"), PATIENCE)
        database.executemany(experiment, places)
        database.executemany(runs, places)
        in_turns(database.commit, PATIENCE)
