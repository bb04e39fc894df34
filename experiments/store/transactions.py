"""MLflow's tables, read and written by SQL: a stack of runs in one transaction, a sweep in five queries.

Imports nothing of MLflow, which takes longer than most sweeps. tracking.py decides whether a database may be
treated like this; tests hold the rows against those that MLflow's own client leaves.
"""

import hashlib
import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import chain, islice, repeat

import numpy as np

from experiments.store.address import TURN, in_turns

# What MLflow 3.17 keeps of a run: column names in the order of its models.
REVISION = "dc11669786a5"
COLUMNS = {
    "experiments": "experiment_id name workspace artifact_location lifecycle_stage creation_time "
    "last_update_time",
    "runs": "run_uuid name source_type source_name entry_point_name user_id status start_time end_time "
    "deleted_time source_version lifecycle_stage artifact_uri experiment_id",
    "metrics": "key value timestamp step is_nan run_uuid",
    "latest_metrics": "key value timestamp step is_nan run_uuid",
    "experiment_tags": "key value experiment_id",
    "params": "key value run_uuid",
    "tags": "key value run_uuid",
}
PARENT, SWEEP, FINGERPRINT = "mlflow.parentRunId", "sweep", "fingerprint"  # tags that we search by
NAME, TAKEN = "mlflow.runName", "taken_over"  # TAKEN: which run of another sweep a run is a copy of
CHUNK = 1000  # ids in one statement; SQLite takes 32,766 at most


def now() -> int:
    """Milliseconds since 1970, as MLflow counts time."""
    return time.time_ns() // 1_000_000


def run_id(start: int, *parts: str) -> str:
    """Follows from its arguments; neighbours in an index are runs whose fingerprints (last part) begin alike.

    A stack of such runs costs the same in a sweep of 100,000; scattered ones four times as much.
    """
    return f"{start:012x}{parts[-1][:4]:0>4}" + hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _begin(connection) -> None:
    (patience,) = connection.exec_driver_sql("PRAGMA busy_timeout").one()  # ms
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {min(patience, round(TURN * 1000))}")
    try:
        in_turns(lambda: connection.exec_driver_sql("BEGIN IMMEDIATE"), patience / 1000)
    finally:
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {patience}")


def metric_rows(runs: Mapping[str, object], time: int) -> Iterator[tuple]:
    """Rows of `metrics` in the order of its primary key, key, timestamp, step, run: it is appended to.

    runs: id -> run with curves key -> (steps, values), sorted by id.
    """
    curves = defaultdict(list)
    for owner, run in runs.items():
        for key, (steps, values) in run.curves.items():
            curves[key].append((steps, values, owner))
    for key in sorted(curves):
        steps, values, owners = zip(*curves[key], strict=True)
        owner = np.repeat(np.arange(len(owners)), [len(s) for s in steps])
        steps, values = np.concatenate(steps), np.concatenate(values)
        order = np.argsort(steps, kind="stable")
        owner = map(owners.__getitem__, owner[order].tolist())
        steps, values = steps[order].tolist(), values[order].tolist()
        yield from zip(repeat(key), values, repeat(time), steps, repeat(False), owner)


class Tables:
    """A database that MLflow made. Every change is one transaction, or nothing."""

    def __init__(self, engine):
        import sqlalchemy

        self.sql, self.engine = sqlalchemy, engine
        self.sqlite = engine.dialect.name == "sqlite"
        for name, columns in COLUMNS.items():
            setattr(self, name, sqlalchemy.table(name, *map(sqlalchemy.column, columns.split())))

    @contextmanager
    def _transaction(self, lock) -> Iterator:
        """Shut to others with the same lock, a condition that selects one row (SQLite locks the file)."""
        with self.engine.connect() as connection:
            if self.sqlite:
                connection.exec_driver_sql("PRAGMA cache_size = -65536")  # 64 MB
                _begin(connection)
            else:
                # Not FOR UPDATE: whoever inserts a row that refers to this one would wait, and deadlock.
                connection.execute(self.sql.select(lock.left).where(lock).with_for_update(key_share=True))
            yield connection
            connection.commit()

    def _select(self, query) -> list[tuple]:
        with self.engine.connect() as connection:
            return connection.execute(query).fetchall()

    def _insert(self, connection, name: str, rows: Iterable[tuple]) -> None:
        insert = getattr(self, name).insert()
        if self.sqlite:  # by the driver itself: three times as fast as dicts through SQLAlchemy
            statement = str(insert.compile(dialect=self.engine.dialect))
            connection.connection.cursor().executemany(statement, rows)
            return
        rows, columns = iter(rows), COLUMNS[name].split()
        while chunk := list(islice(rows, 10_000)):
            connection.execute(insert, [dict(zip(columns, row, strict=True)) for row in chunk])

    def _insert_contents(self, connection, runs: Mapping[str, object], time: int) -> None:
        """Params, tags, metrics of runs: id -> run, sorted by id."""
        for name in ("params", "tags"):
            items = ((owner, item) for owner, run in runs.items() for item in getattr(run, name).items())
            self._insert(connection, name, sorted((key, value, owner) for owner, (key, value) in items))
        self._insert(connection, "metrics", metric_rows(runs, time))
        latest = (
            (key, float(values[-1]), time, int(steps[-1]), False, owner)
            for owner, run in runs.items()
            for key, (steps, values) in run.curves.items()
        )
        self._insert(connection, "latest_metrics", sorted(latest))

    def _insert_runs(self, connection, place, runs: Mapping[str, object], time: int, running=False) -> None:
        runs, end = dict(sorted(runs.items())), None if running else time
        rows = []
        for owner, run in runs.items():
            status = "RUNNING" if running else "FAILED" if run.failed else "FINISHED"
            head = (owner, run.name, "UNKNOWN", "", "", run.tags["mlflow.user"], status, time, end, None, "")
            rows.append((*head, "active", f"{place[1]}/{owner}/artifacts", int(place[0])))
        self._insert(connection, "runs", rows)
        self._insert_contents(connection, runs, time)

    def _delete(self, connection, ids: Sequence[str]) -> None:
        for start in range(0, len(ids), CHUNK):
            for table in (self.metrics, self.latest_metrics, self.params, self.tags, self.runs):
                connection.execute(table.delete().where(table.c.run_uuid.in_(ids[start : start + CHUNK])))

    def experiment(self, name: str) -> tuple[int, str, str] | None:
        """Its id, lifecycle stage and artifact location."""
        e = self.experiments.c
        query = self.sql.select(e.experiment_id, e.lifecycle_stage, e.artifact_location)
        return next(iter(self._select(query.where(e.name == name, e.workspace == "default"))), None)

    def make_experiment(self, name: str, folder: str, tags: Mapping[str, str]) -> None:
        """Insert it, unless it is there, into a SQLite store; folder: where its artifacts go."""
        time, e = now(), self.experiments.c
        with self._transaction(e.name == name) as connection:
            if connection.execute(self.sql.select(e.experiment_id).where(e.name == name)).first():
                return
            columns = COLUMNS["experiments"].split()[1:]
            values = (name, "default", folder, "active", time, time)
            made = self.experiments.insert().values(dict(zip(columns, values, strict=True)))
            number = connection.execute(made).lastrowid
            rows = [{"key": key, "value": value, "experiment_id": number} for key, value in tags.items()]
            connection.execute(self.experiment_tags.insert(), rows)

    def open_parent(self, place, fingerprint: str, run, fresh: bool) -> tuple[str, int, str, bool]:
        """The sweep's run id, start time, name, and whether it was there before."""
        r, t = self.runs.c, self.tags.c
        newest = (
            self.sql.select(r.run_uuid, r.start_time, r.name)
            .join_from(self.runs, self.tags, r.run_uuid == t.run_uuid)
            .where(r.experiment_id == int(place[0]), r.lifecycle_stage == "active")
            .where(t.key == SWEEP, t.value == fingerprint)
            .order_by(r.start_time.desc(), r.run_uuid)
        )
        with self._transaction(self.experiments.c.experiment_id == int(place[0])) as connection:
            found = None if fresh else connection.execute(newest).first()
            if found:
                again = self.runs.update().where(r.run_uuid == found[0])
                connection.execute(again.values(status="RUNNING", end_time=None))
                return (*found, True)
            time = now()
            new = run_id(time, fingerprint, secrets.token_hex(16))
            self._insert_runs(connection, place, {new: run}, time, running=True)
            return new, time, run.name, False

    def record(self, place, parent: tuple[str, int] | None, runs: Sequence) -> list[str]:
        """Insert the runs that aren't there and FINISHED; their ids."""
        time = now()
        owner, start = parent or (secrets.token_hex(16), time)
        runs = {run_id(start, owner, run.fingerprint): run for run in runs}
        with self._transaction(self.runs.c.run_uuid == owner) as connection:
            new = self._absent(connection, list(runs))
            self._insert_runs(connection, place, {key: runs[key] for key in new}, time)
        return list(runs)

    def _absent(self, connection, ids: Sequence[str]) -> list[str]:
        """Those that aren't there and FINISHED; what else is there of them is deleted."""
        r, found = self.runs.c, {}
        for at in range(0, len(ids), CHUNK):
            query = self.sql.select(r.run_uuid, r.status, r.lifecycle_stage)
            rows = connection.execute(query.where(r.run_uuid.in_(ids[at : at + CHUNK])))
            found |= {row[0]: tuple(row[1:]) == ("FINISHED", "active") for row in rows}
        self._delete(connection, [key for key, whole in found.items() if not whole])
        return [key for key in ids if not found.get(key)]

    def take_over(
        self, place, parent: tuple[str, int], fingerprints: Iterable[str], run_of: Callable, at_once: int
    ) -> int:
        """Copy runs, FINISHED in other sweeps, into this one, with the name and params given; how many.

        run_of(fingerprint) -> run, asked for what is found only. So many in a transaction, as a copy inside
        the database: their curves never come to Python.
        """
        owner, start = parent
        donors, taken, at_once = self.finished(fingerprints), 0, min(at_once, CHUNK)
        for at in range(0, len(donors), at_once):
            new = {run_id(start, owner, key): key for key in list(donors)[at : at + at_once]}
            with self._transaction(self.runs.c.run_uuid == owner) as connection:
                absent = sorted(self._absent(connection, list(new)))
                rows = ((key, donors[new[key]], run_of(new[key])) for key in absent)
                taken += self._copy(connection, place, owner, list(rows))
        return taken

    def finished(self, fingerprints: Iterable[str]) -> dict[str, str]:
        """fingerprint -> run id, of the newest run in the store that is FINISHED."""
        if not fingerprints:
            return {}
        r, t = self.runs.c, self.tags.c
        query = self.sql.select(t.value, r.run_uuid).join_from(self.tags, self.runs, r.run_uuid == t.run_uuid)
        query = query.where(t.key == FINGERPRINT, r.status == "FINISHED", r.lifecycle_stage == "active")
        return {
            key: donor for key, donor in self._select(query.order_by(r.start_time)) if key in fingerprints
        }

    def _copy(self, connection, place, owner: str, rows: Sequence[tuple[str, str, object]]) -> int:
        """rows: (new run id, run id of the donor, run), sorted. How many donors were still there."""
        r, mark = self.runs.c, self.tags.alias("mark")
        found = connection.execute(self.sql.select(*r).where(r.run_uuid.in_([donor for _, donor, _ in rows])))
        donors = {run.run_uuid: run._asdict() for run in found}
        runs, tags, params, rows = [], [], [], [row for row in rows if row[1] in donors]
        for new, donor, run in rows:
            own = {"run_uuid": new, "name": run.name, "experiment_id": int(place[0])}
            own["artifact_uri"] = f"{place[1]}/{new}/artifacts"
            runs.append(tuple((donors[donor] | own).values()))
            tags += [(key, value, new) for key, value in ((TAKEN, donor), (PARENT, owner), (NAME, run.name))]
            params += [(key, value, new) for key, value in run.params.items()]
        for name, filled in (("runs", runs), ("tags", sorted(tags)), ("params", sorted(params))):
            self._insert(connection, name, filled)
        for table in (self.tags, self.metrics, self.latest_metrics):
            columns = [mark.c.run_uuid if c.name == "run_uuid" else c for c in table.c]
            query = self.sql.select(*columns).where(mark.c.key == TAKEN, table.c.run_uuid == mark.c.value)
            query = query.where(mark.c.run_uuid.in_([new for new, *_ in rows]))
            if table is self.tags:
                query = query.where(table.c.key.not_in([TAKEN, PARENT, NAME]))
            order = [c for c in columns if c.name in ("key", "timestamp", "step")]  # as their index: appended
            connection.execute(table.insert().from_select(list(table.c), query.order_by(*order)))
        return len(rows)

    def recorded(self, parent: str) -> dict[str, tuple[str | None, float | None]]:
        """fingerprint -> outcome and final_error of the FINISHED children."""
        r, m = self.runs.c, self.latest_metrics.c
        of, fingerprint, outcome = (self.tags.alias(name) for name in ("of", "fingerprint", "outcome"))

        def tag(table, key):
            return (table.c.run_uuid == r.run_uuid) & (table.c.key == key)

        query = (
            self.sql.select(fingerprint.c.value, outcome.c.value, m.value)
            .select_from(of)
            .join(self.runs, r.run_uuid == of.c.run_uuid)
            .join(fingerprint, tag(fingerprint, FINGERPRINT))
            .outerjoin(outcome, tag(outcome, "outcome"))
            .outerjoin(self.latest_metrics, (m.run_uuid == r.run_uuid) & (m.key == "final_error"))
            .where(of.c.key == PARENT, of.c.value == parent)
            .where(r.status == "FINISHED", r.lifecycle_stage == "active")
        )
        return {key: (label, error) for key, label, error in self._select(query)}

    def close(self, parent: str, status: str, run) -> None:
        time, r = now(), self.runs.c
        with self._transaction(r.run_uuid == parent) as connection:
            for table in (self.tags, self.metrics, self.latest_metrics):  # of the last time it was closed
                keys = run.tags if table is self.tags else run.curves
                before = table.c.run_uuid == parent, table.c.key.in_(list(keys))
                connection.execute(table.delete().where(*before))
            self._insert_contents(connection, {parent: run}, time)
            ended = self.runs.update().where(r.run_uuid == parent)
            connection.execute(ended.values(status=status, end_time=time))

    def artifacts(self, run_id: str) -> str:
        r = self.runs.c
        return self._select(self.sql.select(r.artifact_uri).where(r.run_uuid == run_id))[0][0]

    def analyze(self) -> None:
        """Without statistics SQLite sorts 10,000 runs for the UI in 11 s instead of 0.2."""
        if self.sqlite:
            with suppress(self.sql.exc.OperationalError), self.engine.connect() as connection:
                connection.exec_driver_sql("ANALYZE")
                connection.commit()

    def sweeps(self, experiment: str | None) -> list[dict]:
        """Every sweep, newest first: the fields of tracking.Recorded that need no further query."""
        r, e, t = self.runs.c, self.experiments.c, self.tags.c
        query = (
            self.sql.select(
                r.run_uuid.label("run_id"), r.name, r.status, e.name.label("experiment"),
                e.experiment_id, r.start_time, r.end_time, 
            )
            .join_from(self.tags, self.runs, r.run_uuid == t.run_uuid)
            .join(self.experiments, e.experiment_id == r.experiment_id)
            .where(t.key == SWEEP, r.lifecycle_stage == "active", e.lifecycle_stage == "active")
            .order_by(r.start_time.desc(), r.run_uuid)
        )  # fmt: skip
        if experiment is not None:
            query = query.where(e.name == experiment)
        return [{**row._mapping, "experiment_id": str(row.experiment_id)} for row in self._select(query)]

    def children(self, parent: str) -> list[tuple]:
        """Rows (run id, name, status)."""
        r = self.runs.c
        query = self.sql.select(r.run_uuid, r.name, r.status).where(r.run_uuid.in_(self._ids(parent)))
        return self._select(query.where(r.lifecycle_stage == "active"))

    def contents(self, parent: str, of_children: bool) -> dict[str, Iterator[tuple]]:
        """Rows (run id, key, value) of params, tags and metrics of a parent, or of its children.

        Those of metrics hold the latest value and, fourth, its step.
        """
        ids = self._ids(parent) if of_children else [parent]
        columns = {"params": "key value", "tags": "key value", "latest_metrics": "key value step"}
        found = {}
        for name, wanted in columns.items():
            c = getattr(self, name).c
            query = self.sql.select(c.run_uuid, *(c[column] for column in wanted.split()))
            portions = self._portions(query.where(c.run_uuid.in_(ids)))
            found[name.removeprefix("latest_")] = chain.from_iterable(portions)
        return found

    def _portions(self, query) -> Iterator[list[tuple]]:
        with self.engine.connect() as connection:
            yield from connection.execute(query).partitions(50_000)

    def _ids(self, parent: str):
        t = self.tags.c
        return self.sql.select(t.run_uuid).where(t.key == PARENT, t.value == parent)

    def history(self, parent: str, key: str, n_steps: int) -> Iterator[list[tuple]]:
        """Rows (run id, step, value) of one metric of all children, by one query, in portions."""
        m = self.metrics.c
        query = self.sql.select(m.run_uuid, m.step, m.value)
        return self._portions(query.where(m.key == key, m.run_uuid.in_(self._ids(parent))))
