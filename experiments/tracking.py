"""Runs into MLflow, sweeps out of it. The only file that imports mlflow, and only inside functions.

Runs go straight into MLflow's own tables (tables.py) if the store is a database whose tables are exactly
those of the MLflow this was written for; any other store is served through MLflow's public client. Both
leave the same rows: tests hold them against each other.
"""

import logging
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import numpy as np

from experiments.stores import (
    PATIENCE,
    Address,
    StoreError,
    address,
    check_sqlite,
    complaint,
    make_sqlite,
    masked,
)
from experiments.tables import COLUMNS, FINGERPRINT, PARENT, REVISION, SWEEP, Tables, now

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Recorded",
    "Run",
    "Store",
    "StoreError",
    "Sweep",
    "attach",
    "link",
    "load_sweep",
    "masked",
    "open_store",
    "preload",
]

_CLIENTS = 8  # threads that talk to a server
GREETING = 5  # seconds that a server has to answer at first
_BATCH = 900  # metrics in one request, beside 100 params: MLflow takes 1,000 entries


@dataclass(frozen=True)
class Run:
    """What is recorded of one run.

    curves: the values at step 0, 1, 2 ..., or a pair (steps, values) with rising steps. Only finite values
    arrive in the store, of metrics and curves alike: NaN breaks MLflow's charts.
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
    """A sweep as the store holds it: its parent run, and a table and curves of its runs.

    runs: a row per run; columns run_id, name, status, params.*, metrics.*, tags.*. Params are numbers or
    booleans where all of a column parse, tags stay text. Rows are sorted by the params, in alphabetical
    order with seed last, then by fingerprint: the same order from every store.
    curves: key -> (n_steps, n_runs), columns in the order of runs, NaN where nothing is recorded.
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
    runs: "pd.DataFrame"
    curves: Mapping[str, np.ndarray]


# --- opening ------------------------------------------------------------------------------------------


def preload() -> None:
    """Do the imports that open_store needs, 3 to 4 s of them; made for a thread beside other work.

    Waiting becomes bounded and MLflow quiet, without telemetry; what the user's environment says stays.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # the default waits 4 minutes
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    import mlflow.store.tracking.sqlalchemy_store
    import mlflow.tracking.context.registry  # noqa: F401

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # it prints what we raise


def open_store(uri: str) -> "Store":
    """The store that uri names, to record in; a SQLite file is made when missing. Raises StoreError."""
    where = address(uri)
    if where.path is not None and where.path.exists():
        check_sqlite(where.path, write=True)
    preload()
    with _complaints(where):
        if where.path is not None and not where.path.exists():
            make_sqlite(where.path, _migrate)
        return Store(where, _backend(where, write=True))


@contextmanager
def _complaints(where: Address) -> Iterator[None]:
    """Faults of the store become a StoreError; our own keep their traceback."""
    try:
        yield
    except StoreError:
        raise
    except Exception as error:
        if not isinstance(error, OSError) and type(error).__module__.split(".")[0] not in (
            "mlflow",
            "sqlalchemy",
            "sqlite3",
        ):
            raise
        text = str(getattr(error, "orig", None) or error).strip().partition("\n[SQL")[0]
        if "is locked" in text:
            text = f"another program has held a lock on it for {PATIENCE} s; end it, then run this again"
        elif "out-of-date database schema" in text:
            text = _schema_fault(text)
        elif "disk is full" in text:
            text = "no space is left on the disk; make room, then run this again"
        raise complaint(where.uri, text) from error


def _schema_fault(text: str) -> str:
    import mlflow

    found = text.partition("found version ")[2].partition(",")[0]
    scripts = Path(mlflow.__file__).parent / "store" / "db_migrations" / "versions"
    if any(scripts.glob(f"{found}_*.py")):
        return (
            f"was made by an older MLflow than the {mlflow.__version__} here; copy it, then run "
            f"`mlflow db upgrade` on it, or name another store"
        )
    return f"was made by a newer MLflow than the {mlflow.__version__} here; name another store"


def _migrate(path: Path) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    SqlAlchemyStore(f"sqlite:///{path}", str(path.parent / "mlruns"))._dispose_engine()


def _backend(where: Address, write: bool) -> "Tables | _Client":
    """MLflow's tables if the store has exactly those we know, else MLflow's client."""
    if where.kind in ("sqlite", "database"):
        engine = _engine(where)
        known = _known(engine)
        if known is None and not write:
            raise complaint(where.uri, "there is no sweep in it yet; `make sweep` records one")
        if known is None:  # an empty database: MLflow makes its tables
            _Client(where)
            known = _known(engine)
        if known:
            return Tables(engine, _models() if write else {})
        engine.dispose()
    preload()
    if where.kind == "server":
        _greet(where)
    return _Client(where)


def _engine(where: Address):
    import sqlalchemy

    waits = {
        "sqlite": {"timeout": PATIENCE},
        "postgresql": {"connect_timeout": 5},
        "mysql": {"connect_timeout": 5},
    }
    try:
        dialect = sqlalchemy.make_url(where.uri).get_backend_name()
        return sqlalchemy.create_engine(where.uri, connect_args=waits.get(dialect, {}), pool_pre_ping=True)
    except ModuleNotFoundError as error:
        hint = "pip install 'tinynet[postgres]'" if "psycopg" in str(error) else f"install {error.name}"
        raise complaint(where.uri, f"its driver is missing; {hint}") from None
    except (sqlalchemy.exc.ArgumentError, ValueError):
        raise complaint(
            where.uri, "is no address of a database; say postgresql://user:password@host/name"
        ) from None


def _known(engine) -> bool | None:
    """Whether tables and revision are exactly those we know; None if MLflow has made no tables."""
    import sqlalchemy

    inspector = sqlalchemy.inspect(engine)
    if not {"alembic_version", *COLUMNS} <= set(inspector.get_table_names()):
        return None
    with engine.connect() as connection:
        revision = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    live = {name: {column["name"] for column in inspector.get_columns(name)} for name in COLUMNS}
    workspaces = os.environ.get("MLFLOW_ENABLE_WORKSPACES", "").lower() in ("true", "1")
    return (
        not workspaces
        and revision == REVISION
        and live == {name: set(COLUMNS[name].split()) for name in COLUMNS}
    )


def _models() -> dict[str, object]:
    from mlflow.store.db.base_sql_model import Base
    from mlflow.store.tracking.dbmodels import models  # noqa: F401  (they register themselves)

    return {name: Base.metadata.tables[name] for name in COLUMNS}


def _greet(where: Address) -> None:
    """Ask the server something small: one that is dead or frozen is known within seconds."""
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request_safe

    creds, question = get_default_host_creds(where.uri), {"max_results": 1}
    path = "/api/2.0/mlflow/experiments/search"
    http_request_safe(creds, path, "POST", json=question, timeout=GREETING, max_retries=1)


# --- recording ----------------------------------------------------------------------------------------


class Store:
    """Where runs are recorded; see open_store."""

    def __init__(self, where: Address, backend: "Tables | _Client"):
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
        with _complaints(self.where):
            place = self._experiment(experiment)
            parent = _checked(Run(name, fingerprint, params, tags={**_context(), **tags, SWEEP: fingerprint}))
            return Sweep(self, place, *self.backend.open_parent(place, fingerprint, parent, fresh))

    def record_run(self, experiment: str, run: Run) -> str:
        """Record a run that belongs to no sweep, anew at every call; its run id."""
        with _complaints(self.where):
            place = self._experiment(experiment)
            return self.backend.record(place, None, [_complete(run)])[0]

    def _experiment(self, name: str) -> tuple[str, str]:
        """Id of the MLflow experiment and where its artifacts go; made when missing."""
        found = self.backend.experiment(name) or self._make_experiment(name)
        experiment_id, stage, artifacts = found
        if stage != "active":
            raise complaint(
                self.uri,
                f"its experiment {name!r} was deleted; `mlflow experiments restore -x {experiment_id}` brings "
                f"it back, `mlflow gc --experiment-ids {experiment_id}` deletes it for good",
            )
        return str(experiment_id), artifacts

    def _make_experiment(self, name: str) -> tuple[str, str, str]:
        from mlflow.exceptions import MlflowException

        folder = None  # a server knows where its artifacts go
        if self.where.path is not None:
            folder = str(self.where.path.parent / "mlruns" / "".join(c if c.isalnum() else "_" for c in name))
        try:
            kind = {"mlflow.experimentKind": "custom_model_development"}  # the UI opens on training runs
            _Client(self.where).client.create_experiment(name, folder, kind)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":  # another process was first
                raise
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
        with _complaints(self.store.where):
            found = self.store.backend.recorded(self.run_id)
        return {key: (outcome, np.inf if error is None else error) for key, (outcome, error) in found.items()}

    def record(self, runs: Sequence[Run]) -> None:
        """Record runs, all or none. One that is there and FINISHED stays, any other is replaced."""
        with _complaints(self.store.where):
            runs = [_complete(run, self.run_id) for run in runs]
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
        with _complaints(self.store.where), tempfile.TemporaryDirectory() as folder:
            for path, text in (texts or {}).items():
                file = Path(folder, path)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
            if texts:
                _attach(self.store.where, f"{self._place[1]}/{self.run_id}/artifacts", folder)
            self.store.backend.close(
                self.run_id, status, _checked(Run(self.name, "", {}, metrics or {}, {}, tags or {}))
            )
            if self._changed:
                self.store.backend.analyze()


@cache
def _context() -> dict[str, str]:
    """The tags that MLflow's own client gives a run: user, source, git commit."""
    from mlflow.tracking.context.registry import resolve_tags

    return resolve_tags()


def _complete(run: Run, parent: str | None = None) -> Run:
    ours = {FINGERPRINT: run.fingerprint, **({PARENT: parent} if parent else {})}
    return _checked(replace(run, tags={**_context(), **run.tags, **ours}))


def _checked(run: Run) -> Run:
    """The run as it arrives in the store, past MLflow's own validators: text, and finite curves."""
    names = {"mlflow.runName": run.name} if run.fingerprint else {}
    single = {key: ([0], [value]) for key, value in run.metrics.items()}
    curves = {_metric_name(key): _finite(key, curve) for key, curve in {**single, **run.curves}.items()}
    return replace(
        run,
        params={key: _valid("param", key, str(value)) for key, value in run.params.items()},
        tags={key: _valid("tag", key, str(value)) for key, value in {**run.tags, **names}.items()},
        metrics={},
        curves={key: curve for key, curve in curves.items() if len(curve[0])},
    )


@lru_cache(10_000)  # few values differ between the runs of a sweep
def _valid(kind: str, key: str, value: str) -> str:
    from mlflow.utils import validation

    return (validation._validate_param if kind == "param" else validation._validate_tag)(key, value).value


@lru_cache(1000)
def _metric_name(key: str) -> str:
    from mlflow.utils.validation import _validate_metric

    _validate_metric(key, 0.0, 0, 0)
    return key


def _finite(key: str, curve: object) -> tuple[np.ndarray, np.ndarray]:
    """Steps and values of a curve, without what isn't finite."""
    steps, values = curve if isinstance(curve, tuple) else (np.arange(len(curve)), curve)
    steps, values = np.asarray(steps, dtype=np.int64), np.asarray(values, dtype=np.float64)
    if steps.ndim != 1 or steps.shape != values.shape or np.any(np.diff(steps) <= 0):
        raise ValueError(
            f"curve {key!r}: one value a step, steps rising; got {steps.shape} and {values.shape}"
        )
    keep = np.isfinite(values)
    return (steps, values) if keep.all() else (steps[keep], values[keep])


class _Client:
    """Any store, through MLflow's public client; does what Tables does, without its transactions."""

    sqlite = False

    def __init__(self, where: Address):
        from mlflow import MlflowClient

        self.where, self.client = where, MlflowClient(tracking_uri=where.uri)
        self.threads = _CLIENTS if where.kind == "server" else 1

    def experiment(self, name: str) -> tuple[str, str, str] | None:
        found = self.client.get_experiment_by_name(name)
        return found and (found.experiment_id, found.lifecycle_stage, found.artifact_location)

    def open_parent(self, place, fingerprint: str, run: Run, fresh: bool) -> tuple[str, int, str, bool]:
        before = self._sweeps(place[0], f"tags.{SWEEP} = '{fingerprint}'")
        if before and not fresh:
            self.client.update_run(before[0].info.run_id, status="RUNNING")
            return (*_head(before[0]), True)
        made = self._write(place, run, now(), None)
        if fresh:
            return (*_head(made), False)
        # Another process may have done the same meanwhile: the first of the new ones is everybody's.
        first = self._sweeps(place[0], f"tags.{SWEEP} = '{fingerprint}'")[-1]
        if first.info.run_id != made.info.run_id:
            self.client.delete_run(made.info.run_id)
        return (*_head(first), first.info.run_id != made.info.run_id)

    def _sweeps(self, experiment_id: str, condition: str) -> list:
        return self._search(
            [experiment_id], condition, ["attributes.start_time DESC", "attributes.run_id DESC"]
        )

    def _search(self, experiment_ids: Sequence[str], condition: str, order: Sequence[str] = ()) -> list:
        found, token = [], None
        while token or not found:
            page = self.client.search_runs(experiment_ids, condition, 1, 5000, list(order), token)
            found, token = found + list(page), page.token
            if not token:
                break
        return found

    def _children(self, parent: str) -> list:
        experiment_id = self.client.get_run(parent).info.experiment_id
        return self._search([experiment_id], f"tags.`{PARENT}` = '{parent}'")

    def record(self, place, parent: tuple[str, int] | None, runs: Sequence[Run]) -> list[str]:
        time, there = now(), {}
        for child in self._children(parent[0]) if parent else ():
            there.setdefault(child.data.tags.get(FINGERPRINT), []).append(child)

        def write(run: Run) -> str:
            for old in there.get(run.fingerprint, ()):
                if old.info.status == "FINISHED":
                    return old.info.run_id
                self.client.delete_run(old.info.run_id)
            return self._write(place, run, time, "FAILED" if run.failed else "FINISHED").info.run_id

        with ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(write, runs))

    def _write(self, place, run: Run, time: int, status: str | None):
        made = self.client.create_run(place[0], time, dict(run.tags), run.name)
        self._log(made.info.run_id, replace(run, tags={}), time)
        if status:
            self.client.set_terminated(made.info.run_id, status, time)
        return made

    def _log(self, run_id: str, run: Run, time: int) -> None:
        from mlflow.entities import Metric, Param, RunTag

        params = [Param(key, value) for key, value in sorted(run.params.items())]
        tags = [RunTag(key, value) for key, value in run.tags.items()]
        metrics = [
            Metric(key, value, time, step)
            for key, (steps, values) in sorted(run.curves.items())
            for step, value in zip(steps.tolist(), values.tolist(), strict=True)
        ]
        while params or metrics or tags:
            self.client.log_batch(run_id, metrics[:_BATCH], params[:100], tags[:0] if params else tags[:100])
            tags = tags if params else tags[100:]
            metrics, params = metrics[_BATCH:], params[100:]

    def recorded(self, parent: str) -> dict[str, tuple[str | None, float | None]]:
        return {
            run.data.tags[FINGERPRINT]: (run.data.tags.get("outcome"), run.data.metrics.get("final_error"))
            for run in self._children(parent)
            if run.info.status == "FINISHED"
        }

    def close(self, parent: str, status: str, run: Run) -> None:
        time = now()
        self._log(parent, run, time)
        self.client.set_terminated(parent, status, time)

    def analyze(self) -> None:
        pass

    def sweeps(self, experiment: str | None) -> list[dict]:
        if experiment is None:
            experiments = {e.experiment_id: e.name for e in self.client.search_experiments()}
        else:
            found = self.client.get_experiment_by_name(experiment)
            experiments = {found.experiment_id: found.name} if found else {}
        order = ["attributes.start_time DESC", "attributes.run_id"]
        runs = self._search(list(experiments), f"tags.{SWEEP} LIKE '%'", order) if experiments else []
        return [
            {
                "run_id": run.info.run_id,
                "name": run.info.run_name,
                "status": run.info.status,
                "experiment": experiments[run.info.experiment_id],
                "experiment_id": run.info.experiment_id,
                "start_time": run.info.start_time,
                "end_time": run.info.end_time,
            }
            for run in runs
        ]

    def children(self, parent: str) -> list[tuple]:
        self._found = {run.info.run_id: run for run in self._children(parent)}
        return [(run_id, run.info.run_name, run.info.status) for run_id, run in self._found.items()]

    def contents(self, parent: str, of_children: bool) -> dict[str, list[tuple]]:
        runs = self._found if of_children else {parent: self.client.get_run(parent)}
        return {
            "params": [(run_id, *item) for run_id, run in runs.items() for item in run.data.params.items()],
            "tags": [(run_id, *item) for run_id, run in runs.items() for item in run.data.tags.items()],
            "metrics": [
                (run_id, metric.key, metric.value, metric.step)
                for run_id, run in runs.items()
                for metric in run.data._metric_objs
            ],
        }

    def history(self, parent: str, key: str, n_steps: int) -> list[tuple]:
        """As many runs a request as the server allows: 100, and 25,000 values."""
        ids, size = list(self._found), min(100, 25_000 // n_steps)
        if self.where.kind == "server" and size:
            chunks = [ids[start : start + size] for start in range(0, len(ids), size)]
            read = self._history_of_many
        else:
            chunks, read = [[run_id] for run_id in ids], self._history_of_one
        with ThreadPoolExecutor(self.threads) as pool:
            return [row for rows in pool.map(lambda chunk: read(chunk, key), chunks) for row in rows]

    def _history_of_one(self, ids: Sequence[str], key: str) -> list[tuple]:
        return [(ids[0], metric.step, metric.value) for metric in self.client.get_metric_history(ids[0], key)]

    def _history_of_many(self, ids: Sequence[str], key: str) -> list[tuple]:
        """As MLflow's own UI reads them; the public client asks for one run at a time."""
        from mlflow.utils.credentials import get_default_host_creds
        from mlflow.utils.rest_utils import http_request_safe

        path, question = (
            "/ajax-api/2.0/mlflow/metrics/get-history-bulk",
            {"run_id": list(ids), "metric_key": key},
        )
        answer = http_request_safe(get_default_host_creds(self.where.uri), path, "GET", params=question)
        return [(point["run_id"], point["step"], point["value"]) for point in answer.json()["metrics"]]


def _head(run) -> tuple[str, int, str]:
    return run.info.run_id, run.info.start_time, run.info.run_name


# --- loading ------------------------------------------------------------------------------------------


def load_sweep(uri: str, experiment: str | None = None, sweep: str | None = None) -> Recorded:
    """The newest sweep in the store, or of an experiment, or the one of that name or run id.

    Raises StoreError. A database is read in six queries, without importing mlflow; a server in one call for up to 100 runs.
    """
    where = address(uri)
    if where.path is not None:
        if not where.path.exists():
            raise complaint(where.uri, "there is no store yet; `make sweep` makes it")
        check_sqlite(where.path, write=False)
    with _complaints(where):
        backend = _backend(where, write=False)
        sweeps = backend.sweeps(experiment)
        chosen = [s for s in sweeps if sweep in (None, s["name"], s["run_id"])]
        if not chosen:
            raise complaint(where.uri, _no_sweep(experiment, sweep, sweeps))
        parent, rows = chosen[0], backend.contents(chosen[0]["run_id"], of_children=False)
        runs = _table(
            backend.children(parent["run_id"]),
            contents := backend.contents(parent["run_id"], of_children=True),
        )
        last = {}
        for _, key, _, step in contents["metrics"]:
            last[key] = max(step, last.get(key, 0))
        curves = {}
        for key in sorted(key for key, step in last.items() if step > 0):
            history = backend.history(parent["run_id"], key, last[key] + 1)
            curves[key] = _matrix(history, runs["run_id"], last[key] + 1)
    return Recorded(
        **{**parent, "experiment_id": str(parent["experiment_id"])},
        **{name: {key: value for _, key, value, *_ in rows[name]} for name in ("params", "metrics", "tags")},
        runs=runs,
        curves=curves,
    )


def _no_sweep(experiment: str | None, sweep: str | None, sweeps: Sequence[dict]) -> str:
    of = f" of experiment {experiment!r}" if experiment else ""
    if sweep and sweeps:
        return f"no sweep {sweep!r}{of}; there are {', '.join(s['name'] for s in sweeps[:5])}"
    command = f"make sweep EXPERIMENT={experiment}" if experiment else "make sweep"
    return f"there is no sweep{of} in it yet; `{command}` records one"


def _table(runs: Iterable[tuple], contents: Mapping[str, Sequence[tuple]]) -> "pd.DataFrame":
    import pandas as pd

    table = pd.DataFrame(runs, columns=["run_id", "name", "status"]).set_index("run_id")
    parts = [table]
    for kind in ("params", "metrics", "tags"):
        cells = pd.DataFrame([row[:3] for row in contents[kind]], columns=["run_id", "key", "value"])
        part = cells.pivot(index="run_id", columns="key", values="value").reindex(table.index)
        part = part.apply(_typed) if kind == "params" else part
        parts.append(part.add_prefix(f"{kind}."))
    table = pd.concat(parts, axis=1).reset_index()
    by = sorted((c for c in table if c.startswith("params.")), key=lambda c: (c == "params.seed", c))
    by += [c for c in (f"tags.{FINGERPRINT}",) if c in table]
    return table.sort_values([*by, "status", "run_id"], ignore_index=True)


def _typed(column: "pd.Series") -> "pd.Series":
    """Text as booleans or numbers, where all of it parses."""
    import pandas as pd

    if column.isin(["True", "False"]).all():
        return column == "True"
    try:
        return pd.to_numeric(column)
    except (ValueError, TypeError):
        return column


def _matrix(history: Sequence[tuple], run_ids: Sequence[str], n_steps: int) -> np.ndarray:
    """Rows (run id, step, value) -> (n_steps, n_runs)."""
    curves = np.full((n_steps, len(run_ids)), np.nan)
    column = {run_id: i for i, run_id in enumerate(run_ids)}
    ids, steps, values = zip(*history, strict=True)
    known = np.fromiter((column.get(run_id, -1) for run_id in ids), dtype=np.intp, count=len(ids))
    curves[np.asarray(steps)[known >= 0], known[known >= 0]] = np.asarray(values)[known >= 0]
    return curves


# --- beside the runs ----------------------------------------------------------------------------------


def attach(uri: str, run_id: str, folder: str | Path) -> None:
    """Attach the files of a folder to a run, as artifacts."""
    where = address(uri)
    preload()
    with _complaints(where):
        _attach(where, _Client(where).client.get_run(run_id).info.artifact_uri, folder)


def _attach(where: Address, artifacts: str, folder: str | Path) -> None:
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    get_artifact_repository(artifacts, tracking_uri=where.uri).log_artifacts(str(folder))


def link(uri: str, experiment_id: str, run_id: str | None = None, port: int = 5000) -> str:
    """The page of an experiment's training runs (of one sweep, by its run id) in MLflow's UI.

    MLflow's own start page is that of another kind of work, and empty. A database is shown by `make ui`.
    """
    where = address(uri)
    base = f"http://127.0.0.1:{port}"
    if where.kind == "server":
        parts = urlsplit(where.uri)
        base = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    only = "&searchFilter=" + quote(f"tags.`{PARENT}` = '{run_id}'") if run_id else ""
    return f"{base}/#/experiments/{experiment_id}/runs?workflowType=machine_learning{only}"
