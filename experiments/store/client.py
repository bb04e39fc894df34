"""Any store, through MLflow's public client: does what Tables does, without its transactions.

Imports nothing of MLflow; tracking.py hands in its client. Runs are written one by one, by a few threads. A
run that a dead server left RUNNING is replaced when its sweep is run again.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from experiments.store.sql import FINGERPRINT, PARENT, SWEEP, now

BATCH = 900  # metrics in one request, beside 100 params or tags: MLflow takes 1,000 entries
NEWEST_FIRST = ("attributes.start_time DESC", "attributes.run_id DESC")


class Client:
    """A store behind an MlflowClient."""

    def __init__(self, client, entities, n_threads: int, ask: Callable[[str, dict], dict | None]):
        """entities: mlflow.entities. ask(path, question): what a server tells its UI, None if it doesn't."""
        self.client, self.entities, self.n_threads, self.ask = client, entities, n_threads, ask
        self._there = {}  # parent -> fingerprint -> its runs as (run id, whether FINISHED)

    def experiment(self, name: str) -> tuple[str, str, str] | None:
        """Its id, lifecycle stage and artifact location."""
        found = self.client.get_experiment_by_name(name)
        return found and (found.experiment_id, found.lifecycle_stage, found.artifact_location)

    def make_experiment(self, name: str, folder: str | None, tags: dict[str, str]) -> None:
        """Make it unless it is there; folder: where its artifacts go, None where the store knows."""
        try:
            self.client.create_experiment(name, folder, tags)
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

    def open_parent(self, place, fingerprint: str, run, fresh: bool) -> tuple[str, int, str, bool]:
        """The sweep's run id, start time, name, and whether it was there before."""

        def sweeps() -> list:
            return self._search([place[0]], f"tags.{SWEEP} = '{fingerprint}'", NEWEST_FIRST)

        if not fresh and (before := sweeps()):
            self.client.update_run(before[0].info.run_id, status="RUNNING")
            return (*_head(before[0]), True)
        made = self._write(place, run, now(), None)
        if fresh:
            return (*_head(made), False)
        first = sweeps()[-1]  # of processes doing this at once, all take the first one's
        if others := first.info.run_id != made.info.run_id:
            self.client.delete_run(made.info.run_id)
        return (*_head(first), others)

    def record(self, place, parent: tuple[str, int] | None, runs: Sequence) -> list[str]:
        """Write the runs that aren't there and FINISHED; their ids."""
        time, there = now(), self._known(parent[0]) if parent else {}

        def write(run) -> str:
            for old, finished in there.get(run.fingerprint, ()):
                if finished:
                    return old
                self.client.delete_run(old)
            made = self._write(place, run, time, "FAILED" if run.failed else "FINISHED").info.run_id
            there[run.fingerprint] = [(made, not run.failed)]
            return made

        return list(self._each(write, runs))

    def _known(self, parent: str) -> dict[str, list[tuple[str, bool]]]:
        if parent not in self._there:
            self._there[parent] = defaultdict(list)
            for run in self._children(parent):
                entry = (run.info.run_id, run.info.status == "FINISHED")
                self._there[parent][run.data.tags.get(FINGERPRINT)].append(entry)
        return self._there[parent]

    def _each(self, function: Callable, items: Iterable) -> Iterator:
        """function of every item, in threads. After an error none is begun."""
        pool = ThreadPoolExecutor(self.n_threads)
        try:
            yield from pool.map(function, items)
        finally:
            pool.shutdown(cancel_futures=True)

    def _write(self, place, run, time: int, status: str | None):
        made = self.client.create_run(place[0], time, dict(run.tags), run.name)
        self._log(made.info.run_id, replace(run, tags={}), time)
        if status:
            self.client.set_terminated(made.info.run_id, status, time)
        return made

    def _log(self, run_id: str, run, time: int) -> None:
        params = [self.entities.Param(key, value) for key, value in sorted(run.params.items())]
        tags = [self.entities.RunTag(key, value) for key, value in run.tags.items()]
        metrics = [
            self.entities.Metric(key, value, time, step)
            for key, (steps, values) in sorted(run.curves.items())
            for step, value in zip(steps.tolist(), values.tolist(), strict=True)
        ]
        while params or metrics or tags:
            now_tags, tags = (tags[:0], tags) if params else (tags[:100], tags[100:])
            self.client.log_batch(run_id, metrics[:BATCH], params[:100], now_tags)
            metrics, params = metrics[BATCH:], params[100:]

    def close(self, parent: str, status: str, run) -> None:
        time = now()
        self._log(parent, run, time)
        self.client.set_terminated(parent, status, time)

    def analyze(self) -> None:
        """The server's own business."""

    def _search(self, experiment_ids: Sequence[str], condition: str, order: Sequence[str] = ()) -> list:
        found, token = [], None
        while True:
            page = self.client.search_runs(experiment_ids, condition, 1, 5000, list(order), token)
            found, token = found + list(page), page.token
            if not token:
                return found

    def _children(self, parent: str) -> list:
        experiment_id = self.client.get_run(parent).info.experiment_id
        return self._search([experiment_id], f"tags.`{PARENT}` = '{parent}'")

    def recorded(self, parent: str) -> dict[str, tuple[str | None, float | None]]:
        """fingerprint -> outcome and final_error of the FINISHED children."""
        return {
            run.data.tags[FINGERPRINT]: (run.data.tags.get("outcome"), run.data.metrics.get("final_error"))
            for run in self._children(parent)
            if run.info.status == "FINISHED"
        }

    def sweeps(self, experiment: str | None) -> list[dict]:
        """Every sweep, newest first: the fields of Recorded that need no further question."""
        if experiment is None:
            names = {found.experiment_id: found.name for found in self.client.search_experiments()}
        else:
            found = self.client.get_experiment_by_name(experiment)
            names = {found.experiment_id: found.name} if found else {}
        infos = (
            [run.info for run in self._search(list(names), f"tags.{SWEEP} LIKE '%'", NEWEST_FIRST)]
            if names
            else []
        )
        fields = ("run_id", "status", "experiment_id", "start_time", "end_time")
        return [
            {field: getattr(info, field) for field in fields}
            | {"name": info.run_name, "experiment": names[info.experiment_id]}
            for info in infos
        ]

    def children(self, parent: str) -> list[tuple]:
        """Rows (run id, name, status)."""
        found = {}
        for run in self._children(parent):  # processes doing the same at once may have written one twice
            mark = run.data.tags.get(FINGERPRINT, run.info.run_id)
            if mark not in found or found[mark].info.status != "FINISHED":
                found[mark] = run
        self._found = {run.info.run_id: run for run in found.values()}
        return [(run_id, run.info.run_name, run.info.status) for run_id, run in self._found.items()]

    def contents(self, parent: str, of_children: bool) -> dict[str, list[tuple]]:
        """As Tables.contents; of the children that `children` has just found."""
        runs = self._found if of_children else {parent: self.client.get_run(parent)}
        found = {"params": [], "tags": [], "metrics": []}
        for run_id, run in runs.items():
            found["params"] += [(run_id, *item) for item in run.data.params.items()]
            found["tags"] += [(run_id, *item) for item in run.data.tags.items()]
            found["metrics"] += [(run_id, m.key, m.value, m.step) for m in run.data._metric_objs]
        return found

    def history(self, parent: str, key: str, n_steps: int) -> Iterator[list[tuple]]:
        """As Tables.history; as many runs a request as a server allows its UI: 100, and 25,000 values."""
        ids, size = list(self._found), min(100, 25_000 // n_steps)

        def read(ids: list[str]) -> list[tuple]:
            answer = (
                self.ask("metrics/get-history-bulk", {"run_id": ids, "metric_key": key}) if size else None
            )
            if answer is not None:
                return [(point["run_id"], point["step"], point["value"]) for point in answer["metrics"]]
            one_by_one = ((run_id, self.client.get_metric_history(run_id, key)) for run_id in ids)
            return [(run_id, point.step, point.value) for run_id, points in one_by_one for point in points]

        size = size or 1
        yield from filter(None, self._each(read, [ids[at : at + size] for at in range(0, len(ids), size)]))


def _head(run) -> tuple[str, int, str]:
    return run.info.run_id, run.info.start_time, run.info.run_name
