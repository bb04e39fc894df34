"""Where runs are kept: what a tracking URI means, what its faults are called, how a SQLite store comes to be.

Everything here is known without importing MLflow, so that a bad URI is answered at once.
"""

import os
import re
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote, urlsplit

PATIENCE = 60  # seconds to wait for another program's lock on a SQLite store
TURN = 0.5  # seconds of it at a time: SQLite hears no Ctrl-C while it waits
UNDERSTOOD = "sqlite:///mlflow.db, postgresql://user@host/name or http://host:port"
_THEIRS = {"mlflow", "sqlalchemy", "sqlite3"}  # whose errors are faults of a store
_GONE = "the server does not answer; see that it runs and that host and port are right"
_SIGNS = {  # in what is raised of a store -> what it means
    "is locked": f"another program has held a lock on it for {PATIENCE} s; end it, then run this again",
    "disk is full": "no space is left on the disk; make room, then run this again",
    **dict.fromkeys(("Max retries exceeded", "Connection broken", "Connection aborted"), _GONE),
    "timed out": "the server does not answer in time; see that it runs, then run this again",
}


class StoreError(ValueError):
    """What is wrong with the store that tracking.uri names: one message, without passwords."""


class NoStore(StoreError):
    """Nothing is there yet."""


def usual() -> str:
    """The tracking URI of a command that names none."""
    return os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"


@dataclass(frozen=True)
class Address:
    """A tracking URI, understood. kind: "sqlite", "database", "server" or "files"."""

    uri: str  # a file's path is absolute here
    kind: str
    path: Path | None = None  # of a SQLite file


def address(uri: str) -> Address:
    """Raises StoreError for a URI that names no store."""
    uri = str(uri).strip()
    scheme, _, rest = uri.partition("://")
    dialect = scheme.split("+")[0].lower()
    if dialect == "sqlite":
        name, _, query = rest.removeprefix("/").partition("?")
        if not rest.startswith("/") or name in ("", ":memory:") or query or name.startswith("file:"):
            raise complaint(
                uri, "a SQLite store is a file; say sqlite:///mlflow.db or sqlite:////full/path.db"
            )
        path = Path(name).absolute()
        return Address(f"sqlite:///{path}", "sqlite", path)
    if dialect in ("postgresql", "mysql", "mssql") and rest:
        # SQLAlchemy 2.1 takes another driver than 2.0 for plain postgresql://; this one is tinynet[postgres].
        return Address(uri.replace("postgresql://", "postgresql+psycopg2://"), "database")
    if dialect in ("http", "https") and _host(uri):
        return Address(uri.rstrip("/"), "server")
    if uri.startswith("file:") or (uri and "://" not in uri and ":" not in uri):
        if os.environ.get("MLFLOW_ALLOW_FILE_STORE", "").lower() not in ("true", "1"):
            raise complaint(uri, f"MLflow no longer keeps runs in folders of files; say {UNDERSTOOD}")
        return Address(uri, "files")
    raise complaint(uri, f"not understood; say {UNDERSTOOD}")


def _host(uri: str) -> str | None:
    with suppress(ValueError):
        return urlsplit(uri).port is not False and urlsplit(uri).hostname
    return None


def masked(text: object) -> str:
    """The text with ``***`` in place of every password and token of a URI."""
    text = re.sub(r"(?i)((?:password|passwd|pwd|token|secret)(?:=|: ))[^&\s]*", r"\1***", str(text))
    return re.sub(r"(://[^:/?#\s]*):\S*@", r"\1:***@", text)  # greedy: a password may hold @ and /


def complaint(uri: str, what: object, kind: type[StoreError] = StoreError) -> StoreError:
    return kind(f"tracking.uri={masked(uri)}: {masked(what)}")


@contextmanager
def complaints(where: Address) -> Iterator[None]:
    """Faults of the store become a StoreError; our own keep their traceback."""
    try:
        yield
    except StoreError:
        raise
    except Exception as error:
        if not isinstance(error, OSError) and not _THEIRS & {type(error).__module__.split(".")[0]}:
            raise
        text = " ".join(str(getattr(error, "orig", None) or error).partition("\n[SQL")[0].split())
        for sign, message in _SIGNS.items():
            if sign in text:
                text = message
        if "out-of-date database schema" in text:
            text = _schema_fault(text)
        raise complaint(where.uri, text) from error


def _schema_fault(text: str) -> str:
    here = version("mlflow")
    found = text.partition("found version ")[2].partition(",")[0]
    scripts = Path(find_spec("mlflow").origin).parent / "store" / "db_migrations" / "versions"
    if any(scripts.glob(f"{found}_*.py")):
        return (
            f"was made by an older MLflow than the {here} here; copy it, then run "
            f"`mlflow db upgrade` on it, or name another store"
        )
    return f"was made by a newer MLflow than the {here} here; name another store"


def in_turns(attempt: Callable[[], object], patience: float) -> None:
    """Call attempt, that waits for a TURN only, until SQLite no longer says that it is locked."""
    until = time.monotonic() + patience
    while True:
        try:
            attempt()
            return
        except Exception as error:
            if "is locked" not in str(error) or time.monotonic() > until:
                raise


def check_sqlite(path: Path, write: bool) -> None:
    """Raise StoreError unless the file at path is a SQLite database that MLflow made. Touches nothing."""
    uri = f"sqlite:///{path}"
    if path.is_dir():
        raise complaint(uri, "is a folder; name a file in it, such as mlflow.db")
    if not os.access(path, os.R_OK):
        raise complaint(uri, "may not be read; change its permissions or name another file")
    if write and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        raise complaint(
            uri, "the file or its folder is read-only; name a file in a folder that can be written"
        )
    if path.stat().st_size == 0:
        raise complaint(uri, "is an empty file, no store; delete it or name another file")
    mode = "rw" if os.access(path, os.W_OK) else "ro"  # rw: what a killed writer left is rolled back
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode={mode}", TURN, uri=True)) as database:
            in_turns(lambda: database.execute("SELECT version_num FROM alembic_version").fetchall(), PATIENCE)
    except sqlite3.DatabaseError as error:
        raise complaint(uri, _sqlite_fault(error)) from None


def _sqlite_fault(error: Exception) -> str:
    text = str(error)
    if "locked" in text:
        return f"another program has held a lock on it for {PATIENCE} s; end that program, then try again"
    if "no such table" in text:
        return "is a SQLite file, but MLflow did not make it; name another file"
    if "not a database" in text or "malformed" in text:
        return f"is damaged or no SQLite file ({text}); restore it from a copy or name another file"
    return f"SQLite says: {text}"


def make_sqlite(path: Path, make: Callable[[Path], None]) -> None:
    """Let make(other path) create a store, then link it to path: whole, or not at all.

    Of several processes doing this at once, one wins and all use its store.
    """
    _sweep_up(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise complaint(f"sqlite:///{path}", f"its folder can't be made ({error.strerror})") from None
    if not os.access(path.parent, os.W_OK):
        raise complaint(
            f"sqlite:///{path}", "its folder is read-only; name a file in a folder that can be written"
        )
    fresh = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.new")
    try:
        make(fresh)
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass  # another process was first
        except OSError:  # no hard links on this file system
            if not path.exists():
                os.rename(fresh, path)
    finally:
        for left in path.parent.glob(f"{fresh.name}*"):
            left.unlink(missing_ok=True)


def _sweep_up(path: Path) -> None:
    """Delete what processes that are gone left of stores they were making."""
    if os.name != "posix":  # elsewhere os.kill(pid, 0) is no question
        return
    for left in path.parent.glob(f".{path.name}.*.new*"):
        with suppress(ValueError, PermissionError):  # no number there; a process of somebody else
            try:
                os.kill(int(left.name.removeprefix(f".{path.name}.").split("-")[0]), 0)
            except ProcessLookupError:
                left.unlink(missing_ok=True)
