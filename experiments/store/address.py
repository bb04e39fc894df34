"""What a tracking URI means, how the faults of a store are told, and where MLflow's UI shows a sweep.

Everything here is known without importing MLflow, so that a bad URI is answered at once.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import url2pathname

from experiments.store.entries import PARENT

PATIENCE = 60  # seconds to wait for another program's lock on a SQLite store
UNDERSTOOD = "sqlite:///mlflow.db, postgresql://user@host/name or http://host:port"
STORE_PACKAGES = {"mlflow", "sqlalchemy", "sqlite3"}  # whose errors are faults of a store
DAMAGED = "is damaged or no SQLite file; restore it from a copy or name another file"
GONE = "the server does not answer; see that it runs and that host and port are right"
FAULTS = {  # part of an error's text -> what is told
    "is locked": f"another program has held a lock on it for {PATIENCE} s; end it, then run this again",
    "no such table": "is a SQLite file, but MLflow did not make it; name another file",
    "not a database": DAMAGED,
    "malformed": DAMAGED,
    "disk is full": "no space is left on the disk; make room, then run this again",
    "Max retries exceeded": GONE,
    "Connection broken": GONE,
    "Connection aborted": GONE,
    "timed out": "the server does not answer in time; see that it runs, then run this again",
}


class StoreError(ValueError):
    """What is wrong with the store that tracking.uri names: one message, without passwords."""


class NoStore(StoreError):
    """Nothing is there yet."""


@dataclass(frozen=True)
class Address:
    """A tracking URI, understood. kind: "sqlite", "database", "server" or "files"."""

    uri: str  # as SQLAlchemy and MLflow read it; a file's path is absolute here
    kind: str
    path: Path | None = None  # of a SQLite file


def usual() -> str:
    """The tracking URI of a command that names none."""
    return os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"


def address(uri: str) -> Address:
    """Raises StoreError for a URI that names no store."""
    uri = str(uri).strip()
    scheme, _, place = uri.partition("://")
    dialect = scheme.split("+")[0].lower()
    if dialect == "sqlite":
        return _sqlite_file(uri, place)
    if dialect in ("postgresql", "mysql", "mssql") and place:
        # SQLAlchemy 2.1 takes another driver than 2.0 for plain postgresql://; this one is tinynet[postgres].
        return Address(uri.replace("postgresql://", "postgresql+psycopg2://"), "database")
    if dialect in ("http", "https") and _names_host(uri):
        return Address(uri.rstrip("/"), "server")
    if uri.startswith("file:") or (uri and ":" not in uri):
        if os.environ.get("MLFLOW_ALLOW_FILE_STORE", "").lower() not in ("true", "1"):
            raise complaint(uri, f"MLflow no longer keeps runs in folders of files; say {UNDERSTOOD}")
        if not uri.startswith("file:/"):  # a path, which means this folder, whatever folder a job is in
            uri = str(Path(uri.removeprefix("file:")).absolute())
        return Address(uri, "files")
    raise complaint(uri, f"not understood; say {UNDERSTOOD}")


def _sqlite_file(uri: str, place: str) -> Address:
    name, _, query = place.removeprefix("/").partition("?")
    if "%" in name:
        from sqlalchemy import make_url  # 0.2 s; what a % means depends on its version

        name = make_url(f"sqlite:///{name}").database
    if not place.startswith("/") or name in ("", ":memory:") or query or name.startswith("file:"):
        right = "sqlite:///mlflow.db or sqlite:////full/path.db, and %3F for a ? in its name"
        raise complaint(uri, f"a SQLite store is a file; say {right}")
    path = Path(name).absolute()
    return Address(sqlite_uri(path), "sqlite", path)


def sqlite_uri(path: Path) -> str:
    """The URI of a SQLite file, for MLflow and for people."""
    if not re.search(r"[%?]", str(path)):  # what else there may be in a path means itself
        return f"sqlite:///{path}"
    from sqlalchemy import URL

    return URL.create("sqlite", database=str(path)).render_as_string()


def artifact_location(folder: Path) -> str:
    """A folder as MLflow keeps it: its path, or a URI where MLflow would misread the path."""
    return folder.as_uri() if re.search(r"[%?#;]", str(folder)) else str(folder)


def local_folder(location: str) -> Path | None:
    """The folder of this machine that artifacts go to; None for any other place."""
    if location.startswith("file:"):
        return Path(url2pathname(urlsplit(location).path))
    folder = Path(location)
    return folder if folder.is_absolute() else None


def _names_host(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:  # of a port that is no number
        return False


def link(uri: str, experiment_id: str, run_id: str | None = None, port: int = 5000) -> str:
    """The page of an experiment's training runs in MLflow's UI, or of one sweep's, best first, with charts.

    MLflow's own start page is that of another kind of work, and empty. `make ui` shows a database.
    """
    where = address(uri)
    base = f"http://127.0.0.1:{port}"
    if where.kind == "server":
        parts = urlsplit(where.uri)
        base = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    query = {"workflowType": "machine_learning"}
    if run_id:
        query["searchFilter"] = f"tags.`{PARENT}` = '{run_id}'"
        query |= {"orderByKey": "metrics.`final_error`", "orderByAsc": "true", "compareRunsMode": "CHART"}
    return f"{base}/#/experiments/{experiment_id}/runs?{urlencode(query, quote_via=quote)}"


def masked(text: object) -> str:
    """The text with ``***`` in place of every password and token of a URI."""
    text = re.sub(r"(?i)((?:password|passwd|pwd|token|secret)(?:=|: ))[^&\s]*", r"\1***", str(text))
    return re.sub(r"(://[^:/?#\s]*):\S*@", r"\1:***@", text)  # greedy: a password may hold @ and /


def complaint(uri: str, fault: object, kind: type[StoreError] = StoreError) -> StoreError:
    return kind(f"tracking.uri={masked(uri)}: {masked(fault)}")


@contextmanager
def complaints(where: Address) -> Iterator[None]:
    """Faults of the store become a StoreError; our own keep their traceback."""
    try:
        yield
    except StoreError:
        raise
    except Exception as error:
        package = type(error).__module__.split(".")[0]
        if not isinstance(error, OSError) and package not in STORE_PACKAGES:
            raise
        raise complaint(where.uri, _fault(error)) from error


def _fault(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error  # the driver's own, where SQLAlchemy wraps it
    text = " ".join(str(cause).partition("\n[SQL")[0].split())
    for part, message in FAULTS.items():
        if part in text:
            return message
    return text
