"""What is changed in MLflow's tables, by SQL: a stack of runs in one transaction.

Tests hold the rows against those that MLflow's own client leaves.
"""

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

from experiments.store import sqlite
from experiments.store.address import artifact_location
from experiments.store.entries import NAME, PARENT, SWEEP, TAKEN, Run, metric_rows, new_run_id, now
from experiments.store.queries import COLUMNS, Queries

CHUNK = 1000  # ids in one statement; SQLite takes 32,766 at most


class Tables(Queries):
    """A database that MLflow made. Every change is one transaction, or nothing."""

    notice = ""

    @contextmanager
    def _transaction(self, lock) -> Iterator:
        """Shut to others with the same lock, a condition that selects one row (SQLite locks the file)."""
        with self.engine.connect() as connection:
            if self.sqlite:
                connection.exec_driver_sql("PRAGMA cache_size = -65536")  # 64 MB
                sqlite.begin(connection)
            else:
                # Not FOR UPDATE: whoever inserts a row that refers to this one would wait, and deadlock.
                connection.execute(self.sql.select(lock.left).where(lock).with_for_update(key_share=True))
            yield connection
            connection.commit()

    def _insert(self, connection, name: str, rows: Iterable[tuple]) -> None:
        insert = getattr(self, name).insert()
        if self.sqlite:  # by the driver itself: three times as fast as dicts through SQLAlchemy
            statement = str(insert.compile(dialect=self.engine.dialect))
            connection.connection.cursor().executemany(statement, rows)
            return
        rows = iter(rows)
        columns = COLUMNS[name].split()
        while chunk := list(islice(rows, 10_000)):
            connection.execute(insert, [dict(zip(columns, row, strict=True)) for row in chunk])

    def _insert_contents(self, connection, runs: Mapping[str, Run], time: int) -> None:
        """Params, tags, metrics of runs: id -> run, sorted by id."""
        params, tags, latest = [], [], []
        for run_id, run in runs.items():
            params += [(key, value, run_id) for key, value in run.params.items()]
            tags += [(key, value, run_id) for key, value in run.tags.items()]
            for key, (steps, values) in run.curves.items():
                latest.append((key, float(values[-1]), time, int(steps[-1]), False, run_id))
        self._insert(connection, "params", sorted(params))
        self._insert(connection, "tags", sorted(tags))
        self._insert(connection, "metrics", metric_rows(runs, time))
        self._insert(connection, "latest_metrics", sorted(latest))

    def _insert_runs(self, connection, place, runs: Mapping[str, Run], time: int, running=False) -> None:
        runs = dict(sorted(runs.items()))
        end = None if running else time
        rows = []
        for run_id, run in runs.items():
            status = "FAILED" if run.failed else "FINISHED"
            if running:
                status = "RUNNING"
            head = (run_id, run.name, "UNKNOWN", "", "", run.tags["mlflow.user"], status, time, end, None, "")
            rows.append((*head, "active", f"{place[1]}/{run_id}/artifacts", int(place[0])))
        self._insert(connection, "runs", rows)
        self._insert_contents(connection, runs, time)

    def make_experiment(self, name: str, location: str | None, tags: Mapping[str, str]) -> None:
        """Insert it, unless it is there; location: where its artifacts go, None: where MLflow puts them."""
        e = self.experiments.c
        time = now()
        number = self.sql.select(e.experiment_id).where(e.name == name, e.workspace == "default")
        values = {"name": name, "workspace": "default", "artifact_location": location or ""}
        values |= {"lifecycle_stage": "active", "creation_time": time, "last_update_time": time}
        with suppress(self.sql.exc.IntegrityError), self._transaction(e.name == name) as connection:
            if connection.execute(number).first():
                return  # another process was first, or, where a database refuses the name, is now
            connection.execute(self.experiments.insert().values(values))  # the database numbers it
            experiment_id = connection.execute(number).scalar()
            if location is None:
                default = artifact_location(Path.cwd() / "mlruns" / str(experiment_id))
                change = self.experiments.update().where(e.experiment_id == experiment_id)
                connection.execute(change.values(artifact_location=default))
            self._insert(connection, "experiment_tags", [(*tag, experiment_id) for tag in tags.items()])

    def open_parent(self, place, fingerprint: str, run: Run, fresh: bool) -> tuple[str, int, str, bool]:
        """The sweep's run id, start time, name, and whether it was there before."""
        r, t = self.runs.c, self.tags.c
        newest = (
            self.sql.select(r.run_uuid, r.start_time, r.name)
            .join_from(self.runs, self.tags, r.run_uuid == t.run_uuid)
            .where(r.experiment_id == int(place[0]), r.lifecycle_stage == "active")
            .where(t.key == SWEEP, t.value == fingerprint)
            .order_by(*self._newest_first())
        )
        with self._transaction(self.experiments.c.experiment_id == int(place[0])) as connection:
            there = None if fresh else connection.execute(newest).first()
            if there:
                again = self.runs.update().where(r.run_uuid == there[0])
                connection.execute(again.values(status="RUNNING", end_time=None))
                return (*there, True)
            time = now()
            run_id = new_run_id(time, fingerprint, secrets.token_hex(16))
            self._insert_runs(connection, place, {run_id: run}, time, running=True)
            return run_id, time, run.name, False

    def record(self, place, parent: tuple[str, int] | None, runs: Sequence[Run]) -> list[str]:
        """Insert the runs that aren't there and FINISHED; their ids."""
        time = now()
        parent_id, start = parent or (secrets.token_hex(16), time)
        by_id = {new_run_id(start, parent_id, run.fingerprint): run for run in runs}
        with self._transaction(self.runs.c.run_uuid == parent_id) as connection:
            absent = self._absent(connection, list(by_id))
            self._insert_runs(connection, place, {run_id: by_id[run_id] for run_id in absent}, time)
        return list(by_id)

    def _absent(self, connection, run_ids: Sequence[str]) -> list[str]:
        """Those that aren't there and FINISHED; what else is there of them is deleted."""
        r = self.runs.c
        tables = (self.metrics, self.latest_metrics, self.params, self.tags, self.runs)
        finished = set()
        for at in range(0, len(run_ids), CHUNK):
            query = self.sql.select(r.run_uuid, r.status, r.lifecycle_stage)
            rows = connection.execute(query.where(r.run_uuid.in_(run_ids[at : at + CHUNK])))
            state = {row[0]: row[1:] for row in rows}
            finished |= {run_id for run_id in state if state[run_id] == ("FINISHED", "active")}
            unfinished = state.keys() - finished
            if unfinished:
                for table in tables:
                    connection.execute(table.delete().where(table.c.run_uuid.in_(unfinished)))
        return [run_id for run_id in run_ids if run_id not in finished]

    def take_over(self, place, parent, fingerprints: Iterable[str], run_of: Callable, at_once: int) -> int:
        """Copy runs, FINISHED in other sweeps, into this one, with the name and params given; how many.

        run_of(fingerprint) -> run, asked for what is found only. So many in a transaction, as a copy inside
        the database: their curves never come to Python.
        """
        parent_id, start = parent
        donors = self.finished(fingerprints)
        at_once = min(at_once, CHUNK)
        n_taken = 0
        for at in range(0, len(donors), at_once):
            keys = list(donors)[at : at + at_once]
            fingerprint_of = {new_run_id(start, parent_id, key): key for key in keys}
            with self._transaction(self.runs.c.run_uuid == parent_id) as connection:
                copies = []
                for run_id in sorted(self._absent(connection, list(fingerprint_of))):
                    fingerprint = fingerprint_of[run_id]
                    copies.append((run_id, donors[fingerprint], run_of(fingerprint)))
                n_taken += self._copy(connection, place, parent_id, copies)
        return n_taken

    def _copy(self, connection, place, parent_id: str, copies: Sequence[tuple[str, str, Run]]) -> int:
        """copies: (new run id, run id of the donor, run), sorted. How many donors were still there."""
        r = self.runs.c
        query = self.sql.select(*r).where(r.run_uuid.in_([donor for _, donor, _ in copies]))
        donors = {row.run_uuid: row._asdict() for row in connection.execute(query)}
        copies = [copy for copy in copies if copy[1] in donors]
        runs, tags, params = [], [], []
        for run_id, donor, run in copies:
            changes = {"run_uuid": run_id, "name": run.name, "experiment_id": int(place[0])}
            changes["artifact_uri"] = f"{place[1]}/{run_id}/artifacts"
            runs.append(tuple((donors[donor] | changes).values()))
            tags += [(TAKEN, donor, run_id), (PARENT, parent_id, run_id), (NAME, run.name, run_id)]
            params += [(key, value, run_id) for key, value in run.params.items()]
        self._insert(connection, "runs", runs)
        self._insert(connection, "tags", sorted(tags))
        self._insert(connection, "params", sorted(params))
        for table in (self.tags, self.metrics, self.latest_metrics):
            self._copy_rows(connection, table, [run_id for run_id, _, _ in copies])
        return len(copies)

    def _copy_rows(self, connection, table, run_ids: Sequence[str]) -> None:
        """To new runs with a tag TAKEN, from their donors: a table's rows, but for the tags they have."""
        mark = self.tags.alias("mark")
        columns = [mark.c.run_uuid if c.name == "run_uuid" else c for c in table.c]
        query = self.sql.select(*columns).where(mark.c.key == TAKEN, table.c.run_uuid == mark.c.value)
        query = query.where(mark.c.run_uuid.in_(run_ids))
        if table is self.tags:
            query = query.where(table.c.key.not_in([TAKEN, PARENT, NAME]))
        order = [c for c in columns if c.name in ("key", "timestamp", "step")]  # as their index: appended
        connection.execute(table.insert().from_select(list(table.c), query.order_by(*order)))

    def close(self, parent: str, status: str, run: Run) -> None:
        """End it; metrics and tags replace those of the last time it was closed."""
        r = self.runs.c
        time = now()
        with self._transaction(r.run_uuid == parent) as connection:
            for table in (self.tags, self.metrics, self.latest_metrics):
                keys = list(run.tags if table is self.tags else run.curves)
                connection.execute(table.delete().where(table.c.run_uuid == parent, table.c.key.in_(keys)))
            self._insert_contents(connection, {parent: run}, time)
            ended = self.runs.update().where(r.run_uuid == parent)
            connection.execute(ended.values(status=status, end_time=time))

    def analyze(self) -> None:
        """Without statistics SQLite sorts 10,000 runs for the UI in 11 s instead of 0.2."""
        if self.sqlite:
            with suppress(self.sql.exc.OperationalError), self.engine.connect() as connection:
                connection.exec_driver_sql("ANALYZE")
                connection.commit()
