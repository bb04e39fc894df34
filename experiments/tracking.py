"""Runs into MLflow, sweeps out of it. The only file that imports mlflow, and only inside functions.

A stack of runs goes into MLflow's own tables in one transaction, if the store is a database whose
tables are exactly those of the MLflow this was written for (`_COLUMNS`, `_REVISION`). Any other store
is served through MLflow's public client. Both leave the same rows; tests hold them against each other.
"""

import hashlib
import itertools
import json
import logging
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import quote, urlsplit

import numpy as np

from experiments.stores import PATIENCE, Address, StoreError, address, check_sqlite, complaint, make_sqlite

# What MLflow 3.17 keeps of a run. A store with other columns or another revision is left to MLflow itself.
_REVISION = "dc11669786a5"
_COLUMNS = {
    "experiments": "experiment_id name workspace artifact_location lifecycle_stage creation_time "
    "last_update_time",
    "runs": "run_uuid name source_type source_name entry_point_name user_id status start_time end_time "
    "deleted_time source_version lifecycle_stage artifact_uri experiment_id",
    "metrics": "key value timestamp step is_nan run_uuid",
    "latest_metrics": "key value timestamp step is_nan run_uuid",
    "params": "key value run_uuid",
    "tags": "key value run_uuid",
}
_PARENT = "mlflow.parentRunId"
_SWEEP = "sweep"  # tag of a parent: the fingerprint of its sweep
_CLIENTS = 8  # threads that talk to a server


@dataclass(frozen=True)
class Run:
    """What is recorded of one run.

    curves: a key's values at step 0, 1, 2 ..., or a pair (steps, values) with rising steps. Only finite
    values arrive in the store, of metrics and curves alike: NaN breaks MLflow's charts.
    """

    name: str
    fingerprint: str
    params: Mapping[str, object]
    metrics: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, object] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    failed: bool = False


@dataclass(frozen=True)
class Recorded:
    """A sweep as the store holds it.

    runs: a row per run; columns run_id, name, status, params.*, metrics.*, tags.*; params are typed where
    all of them parse (numbers, booleans), tags stay text. Rows are sorted by the params, alphabetically
    with seed last, then by fingerprint: the same order from every store.
    curves: key -> (n_steps, n_runs), columns in the order of runs, NaN where nothing was recorded.
    """

    run_id: str
    name: str
    status: str
    experiment: str
    experiment_id: str
    start_time: int  # ms since 1970, as end_time
    end_time: int | None
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    runs: "pandas.DataFrame"  # noqa: F821
    curves: Mapping[str, np.ndarray]


def open_store(uri: str) -> "Store":
    """The store that uri names; a SQLite file is made when missing. Takes seconds (imports mlflow).

    May be called in a thread beside other work. Raises StoreError.
    """
    where = address(uri)
    _quiet()
    if where.path is not None:
        if not where.path.exists():
            make_sqlite(where.path, lambda path: _make(where, path))
        check_sqlite(where.path, write=True)
    with _complaints(where):
        return Store(where, _tables(where, write=True))


def _quiet() -> None:
    """Bounded waiting, no telemetry, no chatter from MLflow; what the user has set stays."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # the default waits 4 minutes
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    import mlflow  # noqa: F401  (sets up its loggers)

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # we raise what it would print


@contextmanager
def _complaints(where: Address) -> Iterator[None]:
    """Faults of the store as StoreError; our own faults keep their traceback."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        text = str(getattr(error, "orig", None) or error).strip()
        if "is locked" in text:
            text = f"another program has held a lock on it for {PATIENCE} s; end it, then run this again"
        elif "out-of-date database schema" in text:
            text = _schema_fault(where, text)
        elif "disk is full" in text:
            text = "no space is left on the disk; make room, then run this again"
        raise complaint(where.uri, text.partition("\n[SQL")[0]) from error


def _schema_fault(where: Address, text: str) -> str:
    import mlflow

    found = text.partition("found version ")[2].partition(",")[0]
    scripts = Path(mlflow.__file__).parent / "store" / "db_migrations" / "versions"
    if any(scripts.glob(f"{found}_*.py")):
        return (
            f"was made by an older MLflow than the {mlflow.__version__} here; copy it, then bring it up to "
            f"date with `mlflow db upgrade <the URI>`, or name another store"
        )
    return f"was made by a newer MLflow than the {mlflow.__version__} here; name another store"


def _make(where: Address, path: Path) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    with _complaints(where):
        store = SqlAlchemyStore(f"sqlite:///{path}", str(path.parent / "mlruns"))
        store._dispose_engine()


def _engine(where: Address):
    import sqlalchemy

    waits = {"sqlite": {"timeout": PATIENCE}, "postgresql": {"connect_timeout": 5}, "mysql": {"connect_timeout": 5}}
    try:
        dialect = sqlalchemy.make_url(where.uri).get_backend_name()
        return sqlalchemy.create_engine(where.uri, connect_args=waits.get(dialect, {}), pool_pre_ping=True)
    except ModuleNotFoundError as error:
        hint = "pip install 'tinynet[postgres]'" if "psycopg" in str(error) else f"install {error.name}"
        raise complaint(where.uri, f"its driver is missing; {hint}") from None
    except (sqlalchemy.exc.ArgumentError, ValueError):
        raise complaint(where.uri, "not understood as the address of a database") from None


def _tables(where: Address, write: bool) -> "_Tables | None":
    """MLflow's tables, or None where its client has to do: no database, or not the tables we know."""
    if where.kind not in ("sqlite", "database"):
        if where.kind == "server":
            _greet(where)
        return None
    import sqlalchemy

    engine = _engine(where)
    inspector = sqlalchemy.inspect(engine)
    present = set(inspector.get_table_names())
    if "alembic_version" not in present and write:  # an empty database: MLflow fills it
        _client(where)
        inspector, present = sqlalchemy.inspect(engine), set(_COLUMNS) | {"alembic_version"}
    if not present >= {*_COLUMNS, "alembic_version"}:
        raise complaint(where.uri, "is a database, but MLflow has not been here yet")
    live = {name: {column["name"] for column in inspector.get_columns(name)} for name in _COLUMNS}
    with engine.connect() as connection:
        revision = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    workspaces = os.environ.get("MLFLOW_ENABLE_WORKSPACES", "").lower() in ("true", "1")
    if workspaces or revision != _REVISION or any(live[name] != set(_COLUMNS[name].split()) for name in live):
        engine.dispose()
        return None
    return _Tables(where, engine)


def _greet(where: Address) -> None:
    """Ask the server something small, so that a dead one is known within seconds."""
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request_safe

    http_request_safe(
        get_default_host_creds(where.uri),
        "/api/2.0/mlflow/experiments/search",
        "POST",
        json={"max_results": 1},
        timeout=5,
        max_retries=1,
    )


def _client(where: Address):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=where.uri)


class Store:
    """Somewhere to record runs; see open_store."""

    def __init__(self, where: Address, tables: "_Tables | None"):
        self.where = where
        self.uri = where.uri
        self.backend = tables or _Client(where)

    def open_sweep(
        self,
        experiment: str,
        fingerprint: str,
        name: str,
        params: Mapping[str, object],
        tags: Mapping[str, str],
        fresh: bool = False,
    ) -> "Sweep":
        """The newest sweep of this fingerprint, running again; a new one if there is none, or if fresh.

        Several processes that open the same sweep at once get the same one.
        """
        with _complaints(self.where):
            experiment_id, artifacts = self._experiment(experiment)
            parent = Run(name, fingerprint, params, tags={**_context(), **tags, _SWEEP: fingerprint})
            found = self.backend.open_parent(experiment_id, artifacts, _checked(parent), fresh)
            return Sweep(self, experiment_id, artifacts, *found)

    def record_run(self, experiment: str, run: Run) -> str:
        """Record a run that belongs to no sweep, anew at every call; its run id."""
        with _complaints(self.where):
            experiment_id, artifacts = self._experiment(experiment)
            return self.backend.record(experiment_id, artifacts, None, [_complete(run, None)])[0]

    def _experiment(self, name: str) -> tuple[str, str]:
        """Its id and where its artifacts go."""
        found = self.backend.experiment(name)
        if found is None:
            from mlflow.exceptions import MlflowException

            folder = None  # MLflow's default: a server keeps its artifacts itself
            if self.where.path is not None:
                slug = "".join(c if c.isalnum() or c in "-_." else "_" for c in name)
                folder = str(self.where.path.parent / "mlruns" / slug)
            try:
                _client(self.where).create_experiment(
                    name, folder, {"mlflow.experimentKind": "custom_model_development"}
                )
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":  # another process was first
                    raise
            found = self.backend.experiment(name)
        experiment_id, stage, artifacts = found
        if stage != "active":
            raise complaint(
                self.uri,
                f"the MLflow experiment {name!r} was deleted; bring it back with `mlflow experiments restore -x "
                f"{experiment_id}`, or delete it for good with `mlflow gc --experiment-ids {experiment_id}`",
            )
        return str(experiment_id), artifacts


class Sweep:
    """A parent run that is RUNNING, and its children; see Store.open_sweep."""

    def __init__(self, store, experiment_id, artifacts, run_id, start, name, continued):
        self.store, self.experiment_id, self.run_id, self.name = store, experiment_id, run_id, name
        self.continued = continued
        self._artifacts, self._start, self._changed = artifacts, start, not continued

    def recorded(self) -> dict[str, float]:
        """fingerprint -> final_error of every FINISHED run of the sweep; NaN where it wasn't finite."""
        with _complaints(self.store.where):
            return self.store.backend.recorded(self.run_id)

    def record(self, runs: Sequence[Run]) -> None:
        """Record runs, whole or not at all. A run that is there and FINISHED stays; a FAILED one is replaced."""
        runs = [_complete(run, self.run_id) for run in runs]
        with _complaints(self.store.where):
            parent = (self.run_id, self._start)
            self.store.backend.record(self.experiment_id, self._artifacts, parent, runs)
        self._changed = True

    def end(
        self,
        status: str,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
        texts: Mapping[str, str] | None = None,
    ) -> None:
        """Close the parent: "FINISHED", "FAILED" or "KILLED". texts: path of an artifact -> its text."""
        with _complaints(self.store.where):
            for path, text in (texts or {}).items():
                self._attach(path, text)
            closing = _checked(Run(self.name, "", {}, metrics or {}, tags=tags or {}))
            self.store.backend.close(self.run_id, status, closing)
            if self._changed:
                self.store.backend.analyze()

    def _attach(self, path: str, text: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            self.store.backend.attach(self.run_id, folder)


# --- what a run becomes -------------------------------------------------------------------------------


def _context() -> dict[str, str]:
    """The tags that MLflow's own client gives a run: user, source, git commit."""
    from mlflow.tracking.context.registry import resolve_tags

    return resolve_tags()


def _complete(run: Run, parent: str | None) -> Run:
    belongs = {_PARENT: parent} if parent else {}
    return _checked(run, {**_shared_context(), "fingerprint": run.fingerprint, **belongs})
