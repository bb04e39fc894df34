"""How a store is opened: its own tables by SQL if they are those we know, else MLflow's public client.

Both leave the same rows: tests hold them against each other, and against MLflow's validators.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from experiments.store import sqlite
from experiments.store.address import PATIENCE, Address, NoStore, address, complaint, complaints
from experiments.store.client import Client, preload
from experiments.store.queries import COLUMNS, REVISION
from experiments.store.transactions import Tables


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
def reading(uri: str) -> Iterator[tuple[Address, Tables | Client]]:
    """The store at a URI, to load from; what fails inside becomes a StoreError."""
    where = address(uri)
    with complaints(where):
        if where.path is not None:
            if not where.path.exists():
                raise complaint(where.uri, "there is no store yet; `make sweep` makes it", NoStore)
            sqlite.check(where.path, write=False)
        yield where, backend(where, write=False)


def backend(where: Address, write: bool) -> Tables | Client:
    """MLflow's tables if the store has exactly those we know, else MLflow's client."""
    if where.kind not in ("sqlite", "database"):
        return Client(where)
    import sqlalchemy

    engine = _engine(where)
    if not {"alembic_version", *COLUMNS} <= set(sqlalchemy.inspect(engine).get_table_names()):
        if not write:
            raise complaint(where.uri, "there is no sweep in it yet; `make sweep` records one", NoStore)
        preload()  # MLflow makes its tables, one process of this machine at a time
        from mlflow.store.db.utils import _safe_initialize_tables

        _safe_initialize_tables(engine)
        Client(where)
    if _has_known_tables(engine):
        return Tables(engine)
    engine.dispose()
    return Client(where)


def _engine(where: Address):
    import sqlalchemy

    try:
        dialect = sqlalchemy.make_url(where.uri).get_backend_name()
        waits = {"sqlite": {"timeout": PATIENCE}, "mssql": {}}.get(dialect, {"connect_timeout": 5})
        # A file is shut after each transaction; a database is asked whether it still answers.
        pool = sqlalchemy.NullPool if dialect == "sqlite" else sqlalchemy.QueuePool
        return sqlalchemy.create_engine(where.uri, connect_args=waits, poolclass=pool, pool_pre_ping=True)
    except ModuleNotFoundError as error:
        hint = "pip install 'tinynet[postgres]'" if "psycopg" in str(error) else f"install {error.name}"
        raise complaint(where.uri, f"its driver is missing; {hint}") from None
    except (sqlalchemy.exc.ArgumentError, ValueError):
        hint = "say postgresql://user@host/name"
        raise complaint(where.uri, f"is no address of a database; {hint}") from None


def _has_known_tables(engine) -> bool:
    """Whether columns and revision are exactly those this was written for."""
    import sqlalchemy

    inspector = sqlalchemy.inspect(engine)
    for table, columns in COLUMNS.items():
        if {column["name"] for column in inspector.get_columns(table)} != set(columns.split()):
            return False
    with engine.connect() as connection:
        revision = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    workspaces = os.environ.get("MLFLOW_ENABLE_WORKSPACES", "").lower() in ("true", "1")
    return revision == REVISION and not workspaces
