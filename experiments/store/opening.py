"""How a store is opened: its own tables by SQL if they are such as we know, else MLflow's public client.

Both leave the same rows: tests hold them against each other, and a trial does so for an MLflow not known yet.
Only MLflow's client and server change a store of another MLflow, so they get none.
"""

import json
import os
import shlex
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from experiments.hints import python, typed
from experiments.store import sqlite
from experiments.store.address import (
    PATIENCE,
    Address,
    NoStore,
    StoreError,
    address,
    complaint,
    complaints,
    sqlite_uri,
    usual,
)
from experiments.store.client import Client, preload
from experiments.store.entries import SWEEP, TAKEN, Run, checked, complete, context
from experiments.store.queries import COLUMNS, READ, REVISIONS, Queries
from experiments.store.transactions import Tables
from experiments.wording import exactly

SLOWER = 10  # times, that recording by MLflow's client takes: 5 for `quick`, 14 for 400 runs of 120 epochs


def writing(where: Address) -> Tables | Client:
    """The store, to record in; a SQLite file is made when missing. Raises StoreError."""
    with complaints(where):
        if where.path is not None:
            if where.path.exists():
                sqlite.check(where.path, write=True)
            else:
                sqlite.make(where.path)
        return backend(where, write=True)


@contextmanager
def reading(uri: str) -> Iterator[tuple[Address, Queries | Client]]:
    """The store at a URI, to load from; what fails inside becomes a StoreError. Changes nothing."""
    where = address(uri)
    with complaints(where):
        if where.path is not None:
            if not where.path.exists():
                raise complaint(where.uri, f"there is no store yet; `{sweep_into(where)}` makes it", NoStore)
            sqlite.check(where.path, write=False)
        yield where, backend(where, write=False)


def sweep_into(where: Address) -> str:
    """The command that records a sweep in this store."""
    with suppress(StoreError):  # of what the environment names
        if address(usual()).uri == where.uri:
            return typed("sweep")
    return typed("sweep", f"tracking.uri={exactly(where.uri)}")


def backend(where: Address, write: bool) -> Queries | Client:
    """SQL on MLflow's tables where that is known to be right, else MLflow's client."""
    if where.kind not in ("sqlite", "database"):
        return Client(where)
    engine = _engine(where)
    revision = _revision(engine)
    if revision is None:
        if not write:
            nothing = f"there is no sweep in it yet; `{sweep_into(where)}` records one"
            raise complaint(where.uri, nothing, NoStore)
        _make_tables(where, engine)
        revision = own_revision()
    if not _in_workspaces():
        if write and _fits(engine, COLUMNS, to_write=True) and _is_trusted(revision):
            return Tables(engine)
        if not write and _fits(engine, READ, to_write=False):
            return Queries(engine)
    engine.dispose()
    if revision != own_revision():
        raise complaint(where.uri, _other(where, revision))
    return Client(where, _slowness(revision) if write else "")


def check_for_server(uri: str) -> None:
    """Raise StoreError if MLflow's server would change the tables of a store, which another MLflow made."""
    where = address(uri)
    if where.kind in ("sqlite", "database"):
        with complaints(where):
            engine = _engine(where)
            revision = _revision(engine)
            engine.dispose()
            if revision != own_revision():
                raise complaint(where.uri, _other(where, revision))


def _engine(where: Address):
    import sqlalchemy

    try:
        url = sqlalchemy.make_url(where.uri)
        if where.path is not None:
            url = sqlalchemy.URL.create("sqlite", database=str(where.path))
        dialect = url.get_backend_name()
        waits = {"sqlite": {"timeout": PATIENCE}, "mssql": {}}.get(dialect, {"connect_timeout": 5})
        # A file is shut after each transaction; a database is asked whether it still answers.
        pool = sqlalchemy.NullPool if dialect == "sqlite" else sqlalchemy.QueuePool
        return sqlalchemy.create_engine(url, connect_args=waits, poolclass=pool, pool_pre_ping=True)
    except ModuleNotFoundError as error:
        package = "psycopg2-binary" if "psycopg" in str(error) else error.name
        raise complaint(where.uri, f"its driver is missing; `{_install(package)}`") from None
    except (sqlalchemy.exc.ArgumentError, ValueError):
        hint = "say postgresql://user@host/name"
        raise complaint(where.uri, f"is no address of a database; {hint}") from None


def _revision(engine) -> str | None:
    """Which tables MLflow made; None before it has made any."""
    import sqlalchemy

    if not sqlalchemy.inspect(engine).has_table("alembic_version"):
        return None
    with engine.connect() as connection:
        return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


@cache
def own_revision() -> str:
    """That of the tables which the MLflow installed here makes."""
    if sqlite.empty_store().exists():
        with closing(sqlite3.connect(sqlite.empty_store())) as database:
            return database.execute("SELECT version_num FROM alembic_version").fetchone()[0]
    preload()
    from mlflow.store.db.utils import _get_latest_schema_revision

    return _get_latest_schema_revision()


def _make_tables(where: Address, engine) -> None:
    preload()
    from mlflow.store.db.utils import _safe_initialize_tables

    _safe_initialize_tables(engine)  # one process of this machine at a time
    Client(where)  # makes the Default experiment


def _in_workspaces() -> bool:
    return os.environ.get("MLFLOW_ENABLE_WORKSPACES", "").lower() in ("true", "1")


def _fits(engine, known: Mapping[str, str], to_write: bool) -> bool:
    """Whether the columns known are there, and, to write, none besides that a new row must give."""
    import sqlalchemy

    inspector = sqlalchemy.inspect(engine)
    if not known.keys() <= set(inspector.get_table_names()):
        return False
    for table, names in known.items():
        columns = {column["name"]: column for column in inspector.get_columns(table)}
        if not set(names.split()) <= columns.keys():
            return False
        others = [column for name, column in columns.items() if name not in names.split()]
        if to_write and any(not other["nullable"] and other["default"] is None for other in others):
            return False
    return True


def _is_trusted(revision: str) -> bool:
    """Whether rows as we write them are known to be right in tables of this revision."""
    return revision in REVISIONS or (revision == own_revision() and not verdict()["differs"])


def _other(where: Address, revision: str) -> str:
    """What is told of a store that only another MLflow may change."""
    here = version("mlflow")
    scripts = Path(find_spec("mlflow").origin).parent / "store" / "db_migrations" / "versions"
    if any(scripts.glob(f"{revision}_*.py")):
        maker = f"MLflow {REVISIONS[revision]}" if revision in REVISIONS else "an older MLflow"
        remedy = f"{_upgraded_copy(where, here)} and name that, or name another store"
        return f"was made by {maker}, whose tables the {here} here would change; {remedy}"
    if revision in REVISIONS:
        maker = f"MLflow {REVISIONS[revision]}"
        remedy = f"`{_install(f'mlflow=={REVISIONS[revision]}.*')}`, or name another store"
        return f"was made by {maker}, newer than the {here} here; {remedy}"
    maker = f"a newer MLflow than the {here} here (its revision is {revision})"
    return f"was made by {maker}; install that MLflow, or name another store"


def _upgraded_copy(where: Address, version_here: str) -> str:
    """How to get one that the MLflow here may change; -n: never over a store that is there."""
    if where.path is None:
        return f"copy it, run `{python('-m', 'mlflow', 'db', 'upgrade')}` with the address of the copy"
    copy = where.path.with_name(f"{where.path.stem}-{version_here}{where.path.suffix}")
    duplicate = shlex.join(["cp", "-n", str(where.path), str(copy)])
    return f"copy it, `{duplicate} && {python('-m', 'mlflow', 'db', 'upgrade', sqlite_uri(copy))}`,"


def _install(package: str) -> str:
    return python("-m", "pip", "install", package)


def _slowness(revision: str) -> str:
    """What is told before recording by MLflow's client into a database."""
    times = SLOWER
    if _in_workspaces():
        cause = "MLFLOW_ENABLE_WORKSPACES is set; unset it"
    elif revision in REVISIONS:
        cause = "somebody has changed the tables; name another store"
    else:
        times = verdict()["times"]
        newest = [*REVISIONS.values()][-1]
        cause = f"MLflow {version('mlflow')} keeps runs in another way; `{_install(f'mlflow=={newest}.*')}`"
    return f"recording by MLflow's client, which takes {times:.0f} times as long: {cause} for full speed"


# --- a trial of tables not known -----------------------------------------------------------------------


def prepare() -> None:
    """At set-up: an empty store to copy; a trial if its tables are not known."""
    sqlite.prepare()
    if own_revision() not in REVISIONS:
        verdict()


@cache
def verdict() -> dict:
    """What the trial of the MLflow installed here has shown, remembered beside its empty store."""
    kept = sqlite.empty_store().with_suffix(".json")
    if kept.exists():
        return json.loads(kept.read_text())
    shown = trial()
    with suppress(StoreError):  # an environment that can only be read
        sqlite.place_whole(kept, lambda fresh: fresh.write_text(json.dumps(shown)))
    return shown


def trial() -> dict:
    """Record a few runs by SQL and by MLflow's client, each in an empty store.

    differs: lines of SQL that one store holds and the other not; times: how much slower the client was.
    """
    lines, seconds = [], []
    with tempfile.TemporaryDirectory() as folder:
        for kind in (Tables, Client):
            where = address(sqlite_uri(Path(folder, kind.__name__, "mlflow.db")))
            sqlite.make(where.path)
            store = Client(where) if kind is Client else Tables(_engine(where))
            began = time.perf_counter()
            try:
                _record_some(store, where.path.parent)
            except Exception as error:  # whatever it is that new tables refuse
                return {"differs": [f"{kind.__name__}: {error}"], "times": SLOWER}
            seconds.append(time.perf_counter() - began)
            held = [line for line in sqlite.contents(where.path) if TAKEN not in line]
            lines.append(Counter(held))
    ours, theirs = lines
    differs = [*(ours - theirs), *(theirs - ours)]
    return {"differs": differs, "times": seconds[1] / seconds[0]}


def _record_some(store: Tables | Client, folder: Path) -> None:
    """Two sweeps of the same runs, one failed: curves, values that are not finite, all kinds of text."""
    store.make_experiment("trial/é", str(folder / "mlruns" / "trial"), {"mlflow.experimentKind": "é"})
    experiment_id, _, location = store.experiment("trial/é")
    place = (str(experiment_id), location)
    error = np.array([[1.0, 0.5, 1e-300], [1.0, np.nan, np.inf], [-0.0, 7.0, 1e300]])  # (n_runs, n_steps)
    for sweep in ("first", "second"):
        parent = checked(Run(sweep, sweep, {"n_runs": 3}, tags={**context(), SWEEP: sweep}))
        for _ in range(2):  # opened, and continued
            run_id, start, *_ = store.open_parent(place, sweep, parent, fresh=False)
        runs = {}
        for seed, curve in enumerate(error):
            params = {"seed": np.int64(seed), "sweep": sweep, "empty": "", "bias": False}
            curves = {"error": curve, "some": (np.array([0, 5]), curve[:2])}
            metrics = {"final_error": curve[-1], "half": np.float32(0.5)}
            run = Run(f"{sweep} {seed}", f"{seed}", params, metrics, curves, {"tag": "x'"}, failed=seed == 2)
            runs[run.fingerprint] = complete(run, run_id)
        store.take_over(place, (run_id, start), list(runs), runs.get, 10)
        store.record(place, (run_id, start), list(runs.values()))
        store.close(run_id, "FINISHED", checked(Run(sweep, "", {}, {"seconds": 1.5}, {}, {"note": "done"})))
