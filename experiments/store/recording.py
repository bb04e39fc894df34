"""Runs into MLflow, sweeps out of it. The only file that imports mlflow, and only where nothing else will do.

Runs go straight into MLflow's own tables (tables.py) if the store is a database whose tables are exactly
those of the MLflow this was written for; any other store is served through MLflow's public client
(client.py). Both leave the same rows: tests hold them against each other, and against MLflow's validators.
"""

import logging
import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from difflib import get_close_matches
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

import numpy as np

from experiments.store.address import (
    PATIENCE,
    Address,
    NoStore,
    address,
    check_sqlite,
    complaint,
    complaints,
    make_sqlite,
)
from experiments.store.address import StoreError as StoreError  # for those who call us
from experiments.store.address import masked as masked
from experiments.store.client import Client
from experiments.store.entries import Run, checked, complete, context
from experiments.store.loaded import Recorded, assemble
from experiments.store.sql import COLUMNS, PARENT, REVISION, SWEEP, Tables, now

_CLIENTS = 8  # threads that talk to a server
GREETING = 5  # seconds that a server has to answer at first


# --- opening ------------------------------------------------------------------------------------------


def preload() -> None:
    """Import MLflow, 1 to 2 s; not in a thread: two that import parts of it meet each other's half made.

    Waiting becomes bounded and MLflow quiet, without telemetry; what the user's environment says stays.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # two lines for every run
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # the default waits 4 minutes
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # it prints what we raise


def open_store(uri: str) -> "Store":
    """The store that uri names, to record in; a SQLite file is made when missing. Raises StoreError."""
    where = address(uri)
    if where.path is not None and where.path.exists():
        check_sqlite(where.path, write=True)
    with complaints(where):
        if where.path is not None and not where.path.exists():
            make_sqlite(where.path, _create)
        return Store(where, _backend(where, write=True))


def _create(path: Path) -> None:
    """A store without runs: a copy of the one that `make setup` had MLflow make, or made by MLflow now."""
    artifacts = str(path.parent / "mlruns")
    if not _empty().exists():
        _migrate(path, artifacts)
        return
    shutil.copyfile(_empty(), path)
    with closing(sqlite3.connect(path)) as database:  # MLflow's Default experiment, the only one
        place = (f"{artifacts}/0", now(), now())
        database.execute(
            "UPDATE experiments SET artifact_location = ?, creation_time = ?, last_update_time = ?", place
        )
        database.commit()


def _migrate(path: Path, artifacts: str) -> None:
    preload()
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    SqlAlchemyStore(f"sqlite:///{path}", artifacts)._dispose_engine()


def _empty() -> Path:
    return Path(sys.prefix, "share", "tinynet", f"mlflow-{version('mlflow')}.db")


def prepare() -> None:
    """Let MLflow make an empty store in this environment, to be copied: a second of migrations, once."""
    _empty().unlink(missing_ok=True)
    make_sqlite(_empty(), lambda path: _migrate(path, "mlruns"))


def _backend(where: Address, write: bool) -> "Tables | Client":
    """MLflow's tables if the store has exactly those we know, else MLflow's client."""
    if where.kind in ("sqlite", "database"):
        engine = _engine(where)
        known = _known(engine)
        if known is None and not write:
            raise complaint(where.uri, "there is no sweep in it yet; `make sweep` records one", NoStore)
        if known is None:  # an empty database: MLflow makes its tables, one process of this machine at a time
            preload()
            from mlflow.store.db.utils import _safe_initialize_tables

            _safe_initialize_tables(engine)
            _client(where)
            known = _known(engine)
        if known:
            return Tables(engine)
        engine.dispose()
    if where.kind == "server":
        _greet(where)
    return _client(where)


def _engine(where: Address):
    import sqlalchemy

    try:
        dialect = sqlalchemy.make_url(where.uri).get_backend_name()
        waits = {"sqlite": {"timeout": PATIENCE}, "mssql": {}}.get(dialect, {"connect_timeout": 5})
        return sqlalchemy.create_engine(where.uri, connect_args=waits, pool_pre_ping=True)
    except ModuleNotFoundError as error:
        hint = "pip install 'tinynet[postgres]'" if "psycopg" in str(error) else f"install {error.name}"
        raise complaint(where.uri, f"its driver is missing; {hint}") from None
    except (sqlalchemy.exc.ArgumentError, ValueError):
        hint = "say postgresql://user@host/name"
        raise complaint(where.uri, f"is no address of a database; {hint}") from None


def _known(engine) -> bool | None:
    """Whether tables and revision are exactly those we know; None if MLflow has made no tables."""
    import sqlalchemy

    inspector = sqlalchemy.inspect(engine)
    if not {"alembic_version", *COLUMNS} <= set(inspector.get_table_names()):
        return None
    with engine.connect() as connection:
        revision = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    live = {name: {column["name"] for column in inspector.get_columns(name)} for name in COLUMNS}
    ours = {name: set(columns.split()) for name, columns in COLUMNS.items()}
    workspaces = os.environ.get("MLFLOW_ENABLE_WORKSPACES", "").lower() in ("true", "1")
    return live == ours and revision == REVISION and not workspaces


def _client(where: Address) -> Client:
    preload()
    from mlflow import MlflowClient, entities

    server = where.kind == "server"

    def ask(path: str, question: dict) -> dict | None:
        from mlflow.exceptions import MlflowException

        try:
            return _http(where, "GET", f"/ajax-api/2.0/mlflow/{path}", params=question) if server else None
        except MlflowException:  # a server of another kind
            return None

    return Client(MlflowClient(tracking_uri=where.uri), entities, _CLIENTS if server else 1, ask)


def _greet(where: Address) -> None:
    """Ask the server something small: one that is dead or frozen is known within seconds."""
    preload()
    path = "/api/2.0/mlflow/experiments/search"
    _http(where, "POST", path, json={"max_results": 1}, timeout=GREETING, max_retries=1)


def _http(where: Address, method: str, path: str, **options) -> dict:
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request_safe

    return http_request_safe(get_default_host_creds(where.uri), path, method, **options).json()


# --- recording ----------------------------------------------------------------------------------------


class Store:
    """Where runs are recorded; see open_store."""

    def __init__(self, where: Address, backend: "Tables | Client"):
        self.where, self.uri, self.backend = where, where.uri, backend

    def open_sweep(
        self,
        experiment: str,
        fingerprint: str,
        name: str,
        params: Mapping[str, object],
        tags: Mapping[str, str],
        fresh: bool = False,
    ) -> "Sweep":
        """The newest sweep of this fingerprint, RUNNING again; a new one if there is none or if fresh.

        Processes that open the same sweep at once get the same one.
        """
        with complaints(self.where):
            place = self._experiment(experiment)
            parent = checked(Run(name, fingerprint, params, tags={**context(), **tags, SWEEP: fingerprint}))
            return Sweep(self, place, *self.backend.open_parent(place, fingerprint, parent, fresh))

    def record_run(self, experiment: str, run: Run) -> str:
        """Record a run that belongs to no sweep, anew at every call; its run id."""
        with complaints(self.where):
            place = self._experiment(experiment)
            return self.backend.record(place, None, [complete(run)])[0]

    def _experiment(self, name: str) -> tuple[str, str]:
        """Id of the MLflow experiment and where its artifacts go; made when missing."""
        found = self.backend.experiment(name) or self._make_experiment(name)
        experiment_id, stage, artifacts = found
        if stage != "active":
            raise complaint(
                self.uri,
                f"its experiment {name!r} was deleted; `mlflow experiments restore -x {experiment_id}` "
                f"brings it back, `mlflow gc --experiment-ids {experiment_id}` deletes it for good",
            )
        return str(experiment_id), artifacts

    def _make_experiment(self, name: str) -> tuple[str, str, str]:
        kind = {"mlflow.experimentKind": "custom_model_development"}  # the UI opens on training runs
        if self.where.path is not None:
            folder = "".join(c if c.isalnum() else "_" for c in name).encode()[:200].decode(errors="ignore")
            self.backend.make_experiment(name, str(self.where.path.parent / "mlruns" / folder), kind)
        else:  # where MLflow or its server knows the place of artifacts
            _client(self.where).make_experiment(name, None, kind)
        return self.backend.experiment(name)


class Sweep:
    """A parent run, RUNNING, and its children; see Store.open_sweep. continued: it was there already."""

    def __init__(
        self, store: Store, place: tuple[str, str], run_id: str, start: int, name: str, continued: bool
    ):
        self.store, self.run_id, self.name, self.continued = store, run_id, name, continued
        self.experiment_id = place[0]
        self._place, self._start, self._changed = place, start, False

    def recorded(self) -> dict[str, tuple[str | None, float]]:
        """fingerprint -> (outcome, final_error) of every FINISHED run; infinite where none was recorded."""
        with complaints(self.store.where):
            found = self.store.backend.recorded(self.run_id)
        return {key: (outcome, np.inf if error is None else error) for key, (outcome, error) in found.items()}

    def take_over(self, fingerprints: Iterable[str], run_of: Callable[[str], Run], at_once: int) -> int:
        """Copy from other sweeps of the store those that it holds; how many. Names and params are ours.

        run_of(fingerprint) -> run, asked for what is found only. at_once: runs in a transaction, which
        nothing can interrupt.
        """
        place, parent = self._place, (self.run_id, self._start)
        with complaints(self.store.where):
            taken = self.store.backend.take_over(
                place, parent, fingerprints, lambda key: checked(run_of(key)), at_once
            )
        self._changed |= taken > 0
        return taken

    def record(self, runs: Sequence[Run]) -> None:
        """Record runs, all or none. One that is there and FINISHED stays, any other is replaced."""
        with complaints(self.store.where):
            runs = [complete(run, self.run_id) for run in runs]
            self.store.backend.record(self._place, (self.run_id, self._start), runs)
        self._changed = True

    def end(
        self,
        status: str,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
        texts: Mapping[str, str] | None = None,
    ) -> None:
        """Close the parent: "FINISHED", "FAILED" or "KILLED". texts: path of an artifact -> its text."""
        with complaints(self.store.where):
            last = checked(Run(self.name, "", {}, metrics or {}, {}, tags or {}))
            self.store.backend.close(self.run_id, status, last)
            if texts:  # last: whatever becomes of them, the parent is closed
                with tempfile.TemporaryDirectory() as made:
                    folder = Path(made, "artifacts")  # of the usual mode, which is copied with it
                    for path, text in texts.items():
                        file = folder / path
                        file.parent.mkdir(parents=True, exist_ok=True)
                        file.write_text(text, encoding="utf-8")
                    _attach(self.store.where, f"{self._place[1]}/{self.run_id}/artifacts", folder)
            if self._changed:
                self.store.backend.analyze()


# --- loading ------------------------------------------------------------------------------------------


def load_sweep(uri: str, experiment: str | None = None, sweep: str | None = None) -> Recorded:
    """The newest sweep in the store, or of an experiment, or the one of that name or run id.

    Raises StoreError. A database is read without importing mlflow, a server in one call for many runs.
    """
    with _reading(uri) as (where, backend):
        found = backend.sweeps(experiment)
        parent = next((one for one in found if sweep in (None, one["name"], one["run_id"])), None)
        if parent is None:
            raise complaint(where.uri, _no_sweep(experiment, sweep, found, backend.sweeps(None)))
        run_id = parent["run_id"]
        return assemble(
            parent,
            backend.contents(run_id, of_children=False),
            backend.children(run_id),
            backend.contents(run_id, of_children=True),
            lambda key, n_steps: backend.history(run_id, key, n_steps),
        )


def sweeps(uri: str) -> list[dict]:
    """Every sweep in the store, newest first: run_id, name, status, experiment, experiment_id, times."""
    with _reading(uri) as (_, backend):
        return backend.sweeps(None)


def foreseen(uri: str, experiment: str, fingerprint: str, wanted: Iterable[str]) -> tuple[int, int]:
    """How many runs of a sweep are there, and how many it would copy from other sweeps. Makes nothing."""
    try:
        with _reading(uri) as (_, backend):
            there = set()
            for sweep in backend.sweeps(experiment):
                tags = backend.contents(sweep["run_id"], of_children=False)["tags"]
                if any((key, value) == (SWEEP, fingerprint) for _, key, value in tags):
                    there = set(backend.recorded(sweep["run_id"]))
                    break
            return len(there), len(backend.finished(set(wanted) - there))
    except NoStore:
        return 0, 0


@contextmanager
def _reading(uri: str) -> Iterator[tuple]:
    where = address(uri)
    if where.path is not None:
        if not where.path.exists():
            raise complaint(where.uri, "there is no store yet; `make sweep` makes it", NoStore)
        check_sqlite(where.path, write=False)
    with complaints(where):
        yield where, _backend(where, write=False)


def _no_sweep(experiment: str | None, sweep: str | None, found: Sequence[dict], every: Sequence[dict]) -> str:
    of, names = f" of experiment {experiment!r}" if experiment else "", [one["name"] for one in found]
    if not found:
        names, sweep = list(dict.fromkeys(one["experiment"] for one in every)), experiment
    if not names:
        command = f"make sweep EXPERIMENT={experiment}" if experiment else "make sweep"
        return f"there is no sweep{of} in it yet; `{command}` records one"
    what = f"no sweep {sweep!r}{of}" if found else f"no sweep{of}"
    near = get_close_matches(sweep, names, 1)
    return f"{what}; did you mean {near[0]}?" if near else f"{what}; there are {', '.join(names[:5])}"


# --- beside the runs ----------------------------------------------------------------------------------


def attach(uri: str, run_id: str, folder: str | Path) -> None:
    """Attach the files of a folder to a run, as artifacts."""
    with _reading(uri) as (where, backend):
        _attach(where, backend.artifacts(run_id), folder)


def _attach(where: Address, artifacts: str, folder: str | Path) -> None:
    if Path(artifacts).is_absolute():
        shutil.copytree(folder, artifacts, dirs_exist_ok=True)
        return
    preload()
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    get_artifact_repository(artifacts, tracking_uri=where.uri).log_artifacts(str(folder))


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
