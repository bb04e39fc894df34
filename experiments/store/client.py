"""Any store, through MLflow's public client: does what Tables does, without its transactions.

Runs are written one by one, of a server by a few threads. A run that a dead server left RUNNING is replaced
when its sweep is run again.
"""

import logging
import os
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import numpy as np

from experiments.store.address import Address
from experiments.store.entries import FINGERPRINT, MARKS, PARENT, SWEEP, Run, matrix, now

N_THREADS = 8  # that talk to a server
GREETING = 5  # seconds that a server has to answer at first
NEWEST_FIRST = ("attributes.start_time DESC", "attributes.run_id DESC")


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


@contextmanager
def _alone() -> Iterator[None]:
    """One process of a user at a time, on this machine; MLflow has nothing that would do so for several."""
    if os.name != "posix":
        yield
        return
    import fcntl

    with open(Path(tempfile.gettempdir(), f"tinynet-{os.getuid()}.lock"), "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # until the file is closed
        yield


class Client:
    """A store behind an MlflowClient. notice: what a user is told before it is used."""

    def __init__(self, where: Address, notice: str = ""):
        preload()
        from mlflow import MlflowClient, entities

        self.where = where
        self.notice = notice
        self.client = MlflowClient(tracking_uri=where.uri)
        self.entities = entities
        self._recorded = {}  # parent -> fingerprint -> its runs as (run id, whether FINISHED)
        self._loaded = {}  # parent -> its children as MLflow's runs
        if where.kind == "server":  # ask something small: one that is dead or frozen is known within seconds
            path = "/api/2.0/mlflow/experiments/search"
            self._http("POST", path, json={"max_results": 1}, timeout=GREETING, max_retries=1)

    def _http(self, method: str, path: str, **options) -> dict:
        from mlflow.utils.credentials import get_default_host_creds
        from mlflow.utils.rest_utils import http_request_safe

        return http_request_safe(get_default_host_creds(self.where.uri), path, method, **options).json()

    def experiment(self, name: str) -> tuple[str, str, str] | None:
        """Its id, lifecycle stage and artifact location."""
        experiment = self.client.get_experiment_by_name(name)
        if experiment is None:
            return None
        return experiment.experiment_id, experiment.lifecycle_stage, experiment.artifact_location

    def make_experiment(self, name: str, location: str | None, tags: dict[str, str]) -> None:
        """Make it unless it is there; location: where its artifacts go, None where the store knows."""
        try:
            self.client.create_experiment(name, location, tags)
        except Exception as error:  # another process may have been first
            if getattr(error, "error_code", "") != "RESOURCE_ALREADY_EXISTS":
                raise

    def finished(self, fingerprints: Iterable[str]) -> dict[str, str]:
        """None: to read a run from a server and write it again takes longer than to train it."""
        return {}

    def take_over(self, *_) -> int:
        return 0

    def artifacts(self, run_id: str) -> str:
        return self.client.get_run(run_id).info.artifact_uri

    # --- recording ------------------------------------------------------------------------------------

    def open_parent(self, place, fingerprint: str, run: Run, fresh: bool) -> tuple[str, int, str, bool]:
        """The sweep's run id, start time, name, and whether it was there before."""
        condition = f"tags.{SWEEP} = '{fingerprint}'"
        with _alone():
            there = [] if fresh else self._search([place[0]], condition, NEWEST_FIRST)
            if there:
                self.client.update_run(there[0].info.run_id, status="RUNNING")
                parent = there[0].info
            else:
                parent = self._write(place, run, now(), None)
        return parent.run_id, parent.start_time, parent.run_name, bool(there)

    def record(self, place, parent: tuple[str, int] | None, runs: Sequence[Run]) -> list[str]:
        """Write the runs that aren't there and FINISHED; their ids."""
        time = now()
        there = self._recorded_in(parent[0]) if parent else {}

        def write(run: Run) -> str:
            same = there.get(run.fingerprint, ())
            for run_id, finished in same:
                if finished:
                    return run_id
            for run_id, _ in same:  # who deletes writes: of processes doing this at once, one's run stays
                self.client.delete_run(run_id)
            status = "FAILED" if run.failed else "FINISHED"
            run_id = self._write(place, run, time, status).run_id
            there[run.fingerprint] = [(run_id, not run.failed)]
            return run_id

        return list(self._each(write, runs))

    def _recorded_in(self, parent: str) -> dict[str, list[tuple[str, bool]]]:
        if parent not in self._recorded:
            self._recorded[parent] = defaultdict(list)
            for run in self._children(parent):
                entry = (run.info.run_id, run.info.status == "FINISHED")
                self._recorded[parent][run.data.tags.get(FINGERPRINT)].append(entry)
        return self._recorded[parent]

    def _each(self, function: Callable, items: Iterable) -> Iterator:
        """function of every item, in threads where it waits for a server. After an error none is begun."""
        pool = ThreadPoolExecutor(N_THREADS if self.where.kind == "server" else 1)
        try:
            yield from pool.map(function, items)
        finally:
            pool.shutdown(cancel_futures=True)

    def _write(self, place, run: Run, time: int, status: str | None):
        while True:
            made = self.client.create_run(place[0], time, dict(run.tags), run.name).info
            try:
                self._log(made.run_id, run, time)
                if status:
                    self.client.set_terminated(made.run_id, status, time)
                return made
            except Exception as error:
                # Another process that records the same may have taken the run for one that a dead one left.
                if getattr(error, "error_code", "") != "INVALID_PARAMETER_VALUE":
                    raise
                if self.client.get_run(made.run_id).info.lifecycle_stage != "deleted":
                    raise

    def _log(self, run_id: str, run: Run, time: int) -> None:
        params = [self.entities.Param(key, value) for key, value in sorted(run.params.items())]
        metrics = []
        for key, (steps, values) in sorted(run.curves.items()):
            for step, value in zip(steps.tolist(), values.tolist(), strict=True):
                metrics.append(self.entities.Metric(key, value, time, step))
        self.client.log_batch(run_id, metrics, params)  # in requests that a server takes

    def close(self, parent: str, status: str, run: Run) -> None:
        time = now()
        self._log(parent, run, time)
        for key, value in run.tags.items():
            self.client.set_tag(parent, key, value)
        self.client.set_terminated(parent, status, time)

    def analyze(self) -> None:
        """The server's own business."""

    # --- loading --------------------------------------------------------------------------------------

    def _search(self, experiment_ids: Sequence[str], condition: str, order: Sequence[str] = ()) -> list:
        runs = []
        token = None
        while True:
            page = self.client.search_runs(experiment_ids, condition, 1, 5000, list(order), token)
            runs += page
            token = page.token
            if not token:
                return runs

    def _children(self, parent: str) -> list:
        """What else has the parent isn't ours."""
        experiment_id = self.client.get_run(parent).info.experiment_id
        runs = self._search([experiment_id], f"tags.`{PARENT}` = '{parent}'")
        return [run for run in runs if FINGERPRINT in run.data.tags]

    def sweeps(self, experiment: str | None, fingerprint: str = "%") -> list[dict]:
        """As Queries.sweeps."""
        experiments = self.client.search_experiments()
        names = {e.experiment_id: e.name for e in experiments if experiment in (None, e.name)}
        if not names:
            return []
        fields = ("run_id", "status", "experiment_id", "start_time", "end_time")
        sweeps = []
        for run in self._search(list(names), f"tags.{SWEEP} LIKE '{fingerprint}'", NEWEST_FIRST):
            if not run.data.tags.keys() & MARKS:
                continue
            sweep = {field: getattr(run.info, field) for field in fields}
            sweeps.append(sweep | {"name": run.info.run_name, "experiment": names[run.info.experiment_id]})
        return sweeps

    def children(self, parent: str) -> list[tuple]:
        """Rows (run id, name, status)."""
        self._loaded[parent] = self._children(parent)
        return [(run.info.run_id, run.info.run_name, run.info.status) for run in self._loaded[parent]]

    def contents(self, parent: str, of_children: bool) -> dict[str, list[tuple]]:
        """As Queries.contents; of the children that `children` found last, if it was asked."""
        if of_children:
            if parent not in self._loaded:
                self.children(parent)
            runs = self._loaded[parent]
        else:
            runs = [self.client.get_run(parent)]
        contents = {"params": [], "tags": [], "metrics": []}
        for run in runs:
            run_id = run.info.run_id
            contents["params"] += [(run_id, *item) for item in run.data.params.items()]
            contents["tags"] += [(run_id, *item) for item in run.data.tags.items()]
            contents["metrics"] += [(run_id, m.key, m.value, m.step) for m in run.data._metric_objs]
        return contents

    def curves(self, parent: str, key: str, run_ids: Sequence[str], n_steps: int) -> np.ndarray:
        """As Queries.curves; as many runs a request as a server allows its UI: 100, and 25,000 values."""
        size = max(1, min(100, 25_000 // n_steps))
        portions = [list(run_ids[at : at + size]) for at in range(0, len(run_ids), size)]
        in_bulk = self.where.kind == "server" and n_steps <= 25_000

        def read(portion: list[str]) -> list[tuple]:
            answer = self._bulk_history(portion, key) if in_bulk else None
            points = []  # (timestamp, value, run id, step): of several at a step the last counts
            if answer is not None:
                for point in answer["metrics"]:
                    points.append((point["timestamp"], float(point["value"]), point["run_id"], point["step"]))
            else:
                for run_id in portion:
                    history = self.client.get_metric_history(run_id, key)
                    points += [(point.timestamp, point.value, run_id, point.step) for point in history]
            points = sorted(point for point in points if point[1] == point[1])  # without NaN
            return [(run_id, step, value) for _, value, run_id, step in points]

        points = chain.from_iterable(self._each(read, portions))
        return matrix(points, run_ids, n_steps)[0]

    def _bulk_history(self, run_ids: list[str], key: str) -> Mapping | None:
        """What a server tells its UI; None from a server of another kind."""
        from mlflow.exceptions import MlflowException

        question = {"run_id": run_ids, "metric_key": key}
        try:
            return self._http("GET", "/ajax-api/2.0/mlflow/metrics/get-history-bulk", params=question)
        except MlflowException:
            return None
