"""What is asked of MLflow's tables, by SQL: a sweep in eight queries, and two more for each of its curves.

Imports nothing of MLflow, which takes longer than most sweeps. opening.py decides whether a database may be
treated like this; tests hold what is read against what MLflow's own client reads.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from experiments.store.entries import FINGERPRINT, MARKS, PARENT, SWEEP, matrix

# Revisions of MLflow's tables, and the versions that make them. All keep a run in the same way.
REVISIONS = {
    "1b5f0d9ad7c1": "3.10",
    "c3d6457b6d8a": "3.11",
    "7d34483879f0": "3.12",
    "da6fb0208061": "3.13",
    "b7e4c1a90f23": "3.14",
    "6f8d9c3b2a1e": "3.15",
    "b7e2c1a4d9f3": "3.16",
    "dc11669786a5": "3.17",
    "f4a9b2c7d1e6": "3.18",
}
# What is kept of a run: column names in the order of MLflow's models.
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
READ = {  # of these, what a sweep is loaded from
    "experiments": "experiment_id name artifact_location lifecycle_stage",
    "experiment_tags": "key value experiment_id",
    "runs": "run_uuid name status start_time end_time lifecycle_stage artifact_uri experiment_id",
    "metrics": "key value timestamp step is_nan run_uuid",
    "latest_metrics": "key value timestamp step is_nan run_uuid",
    "params": "key value run_uuid",
    "tags": "key value run_uuid",
}


class Queries:
    """A database that MLflow made, to be read."""

    def __init__(self, engine):
        import sqlalchemy

        self.sql = sqlalchemy
        self.engine = engine
        self.sqlite = engine.dialect.name == "sqlite"
        for name, columns in COLUMNS.items():
            setattr(self, name, sqlalchemy.table(name, *map(sqlalchemy.column, columns.split())))

    def _rows(self, query, questions: Iterable[Mapping] = ({},)) -> Iterator[tuple]:
        """Of a query, asked once for each of the questions: the driver's own, at half SQLAlchemy's price."""
        with self.engine.connect() as connection:
            for parameters in questions:
                yield from connection.execute(query, parameters).cursor

    def experiment(self, name: str) -> tuple[int, str, str] | None:
        """Its id, lifecycle stage and artifact location."""
        e = self.experiments.c
        query = self.sql.select(e.experiment_id, e.lifecycle_stage, e.artifact_location)
        return next(self._rows(query.where(e.name == name, e.workspace == "default")), None)

    def artifacts(self, run_id: str) -> str:
        r = self.runs.c
        return next(self._rows(self.sql.select(r.artifact_uri).where(r.run_uuid == run_id)))[0]

    def sweeps(self, experiment: str | None, fingerprint: str = "%") -> list[dict]:
        """Sweeps, all by default, newest first: the fields of Loaded that need no further query."""
        r, e, t = self.runs.c, self.experiments.c, self.tags.c
        marks = self.tags.alias("marks").c
        ours = self.sql.select(marks.run_uuid).where(marks.key.in_(MARKS))
        fields = ("run_id", "name", "status", "experiment", "experiment_id", "start_time", "end_time")
        query = (
            self.sql.select(r.run_uuid, r.name, r.status, e.name, e.experiment_id, r.start_time, r.end_time)
            .join_from(self.tags, self.runs, r.run_uuid == t.run_uuid)
            .join(self.experiments, e.experiment_id == r.experiment_id)
            .where(
                t.key == SWEEP,
                t.value.like(fingerprint),
                t.run_uuid.in_(ours),
                r.lifecycle_stage == "active",
                e.lifecycle_stage == "active",
            )
            .order_by(*self._newest_first())
        )
        if experiment is not None:
            query = query.where(e.name == experiment)
        rows = [dict(zip(fields, row, strict=True)) for row in self._rows(query)]
        return [row | {"experiment_id": str(row["experiment_id"])} for row in rows]

    def _newest_first(self) -> tuple:
        """By order of recording, whatever the clock said then; only SQLite keeps it."""
        r = self.runs.c
        if self.sqlite:
            return (self.sql.literal_column("runs.rowid").desc(),)
        return (r.start_time.desc(), r.run_uuid)

    def _children(self, parent: str):
        """A subquery: the run ids of a sweep. What else has the parent isn't ours."""
        r, t = self.runs.c, self.tags.c
        marks = self.tags.alias("marks")
        return (
            self.sql.select(t.run_uuid)
            .join_from(self.tags, marks, marks.c.run_uuid == t.run_uuid)
            .join(self.runs, r.run_uuid == t.run_uuid)
            .where(
                t.key == PARENT, t.value == parent, marks.c.key == FINGERPRINT, r.lifecycle_stage == "active"
            )
        )

    def children(self, parent: str) -> list[tuple]:
        """Rows (run id, name, status)."""
        r = self.runs.c
        query = self.sql.select(r.run_uuid, r.name, r.status)
        return list(self._rows(query.where(r.run_uuid.in_(self._children(parent)))))

    def contents(self, parent: str, of_children: bool) -> dict[str, Iterator[tuple]]:
        """Rows (run id, key, value) of params, tags and metrics of a parent, or of its children.

        Those of metrics hold the latest value, None for NaN, and, fourth, its step.
        """
        run_ids = self._children(parent) if of_children else [parent]
        p, t, m = self.params.c, self.tags.c, self.latest_metrics.c
        value = self.sql.case((m.is_nan == self.sql.false(), m.value), else_=None)  # 0 is kept for NaN
        selected = {
            "params": (p.run_uuid, p.key, p.value),
            "tags": (t.run_uuid, t.key, t.value),
            "metrics": (m.run_uuid, m.key, value, m.step),
        }
        return {
            kind: self._rows(self.sql.select(*columns).where(columns[0].in_(run_ids)))
            for kind, columns in selected.items()
        }

    def curves(self, parent: str, key: str, run_ids: Sequence[str], n_steps: int) -> np.ndarray:
        """The values of a metric, (n_steps, n_runs), NaN where none is recorded."""
        curves, n_points = matrix(self._points_by_moment(parent, key), run_ids, n_steps)
        if n_points != self._n_points(parent, key, run_ids):  # another program logged some at other times
            curves, _ = matrix(self.points(parent, key), run_ids, n_steps)
        return curves

    def points(self, parent: str, key: str) -> Iterator[tuple]:
        """Rows (run id, step, value) of one metric of all children; the latest of a step last."""
        m = self.metrics.c
        query = self.sql.select(m.run_uuid, m.step, m.value).order_by(m.timestamp, m.value)
        query = query.where(m.key == key, m.is_nan == self.sql.false())
        return self._rows(query.where(m.run_uuid.in_(self._children(parent))))

    def _points_by_moment(self, parent: str, key: str) -> Iterator[tuple]:
        """Rows (run id, step, value) of one metric, if each run's were recorded at one moment, as ours are.

        Then they are a stretch of the primary key, key, timestamp, step, run, value, which holds all that is
        asked; run by run each would be looked up elsewhere in the table, which takes twice as long in all.
        """
        latest, m = self.latest_metrics.c, self.metrics.c
        names = ("moment", "first", "last")
        ends = (self.sql.func.min(latest.run_uuid), self.sql.func.max(latest.run_uuid))
        moments = (
            self.sql.select(latest.timestamp, *ends)
            .where(latest.key == key, latest.run_uuid.in_(self._children(parent)))
            .group_by(latest.timestamp)
        )
        questions = [dict(zip(names, row, strict=True)) for row in self._rows(moments)]
        moment, first, last = map(self.sql.bindparam, names)
        query = self.sql.select(m.run_uuid, m.step, m.value).where(m.key == key, m.timestamp == moment)
        outside = (m.run_uuid < first) | (m.run_uuid > last)
        query = query.where(m.is_nan == self.sql.false())
        return self._rows(query.where(~outside), questions)  # "between" may let SQLite go run by run

    def _n_points(self, parent: str, key: str, run_ids: Sequence[str]) -> int:
        """How many points are recorded of these runs; an index tells it."""
        m = self.metrics.c
        query = self.sql.select(m.run_uuid, self.sql.func.count()).group_by(m.run_uuid)
        counts = dict(self._rows(query.where(m.key == key, m.run_uuid.in_(self._children(parent)))))
        return sum(counts.get(run_id, 0) for run_id in run_ids)

    def finished(self, fingerprints: Iterable[str]) -> dict[str, str]:
        """fingerprint -> run id, of the newest run in the store that is FINISHED."""
        if not fingerprints:
            return {}
        r, t = self.runs.c, self.tags.c
        query = self.sql.select(t.value, r.run_uuid).join_from(self.tags, self.runs, r.run_uuid == t.run_uuid)
        query = query.where(t.key == FINGERPRINT, r.status == "FINISHED", r.lifecycle_stage == "active")
        rows = self._rows(query.order_by(r.start_time))
        return {fingerprint: run_id for fingerprint, run_id in rows if fingerprint in fingerprints}
