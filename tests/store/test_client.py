"""A server holds and gives the same as a database."""

import signal
import time

import numpy as np
import pytest

from experiments.store import Run, StoreError, client, entries, load_sweep, open_store, recording
from tests.store.runs import by_client, record, rows, same, some_runs

pytestmark = [
    pytest.mark.usefixtures("starting"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # MLflow's own, of its dependencies
]


def test_a_server_holds_the_same_as_a_database(server, uri):
    address, behind = server.uri, server.behind
    runs = some_runs(failed=[3])
    record(open_store(uri), runs)
    record(open_store(address), runs)
    ours, theirs = rows(uri), rows(behind)
    ours["experiment_tags"] = [row for row in ours["experiment_tags"] if row[0] != recording.INSIDE]
    for table in ours:
        assert ours[table] == theirs[table], table
    same(load_sweep(address), load_sweep(behind))
    again = open_store(address).open_sweep("convergence", "f00d", "second", {}, {})
    assert again.continued
    again.record(some_runs())
    assert list(load_sweep(address).runs["status"]) == ["FINISHED"] * 6


def test_long_histories_come_whole_from_a_server(server):
    """The server hands out 25,000 values at a time and takes 1,000; these are more."""
    address, behind = server.uri, server.behind
    curve = np.arange(2500.0)
    sweep = open_store(address).open_sweep("long", "1", "long", {}, {})
    sweep.record([Run("by the client", "0", {f"p{k}": k for k in range(130)}, curves={"error": curve})])
    place = open_store(behind).backend
    parent = (sweep.run_id, sweep._start)
    more = [
        entries.complete(Run(f"{i}", f"{i}", {}, curves={"error": curve + i}), sweep.run_id)
        for i in range(1, 25)
    ]
    place.record(sweep._place, parent, more)
    loaded = load_sweep(address, sweep="long")
    expected = curve[:, None] + loaded.runs["tags.fingerprint"].astype(int).to_numpy()
    assert np.array_equal(loaded.curves["error"], expected)
    assert sum(column.startswith("params.") for column in loaded.runs) == 130


def test_a_frozen_server_is_known_within_seconds(server, monkeypatch):
    monkeypatch.setattr(client, "GREETING", 0.5)
    server.process.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        with pytest.raises(StoreError, match="does not answer"):
            open_store(server.uri)
        assert time.monotonic() - began < 5
    finally:
        server.process.send_signal(signal.SIGCONT)


def test_a_run_that_another_process_takes_for_a_dead_one_is_written_again(uri, monkeypatch):
    """Two processes record the same sweep: one finds a run that the other is writing, and replaces it."""
    runs = some_runs(2)
    one, other = (by_client(uri).open_sweep("convergence", "f00d", "first", {}, {}) for _ in range(2))
    log = one.store.backend.client.log_batch
    asked = []

    def log_after_the_other(*arguments):
        asked.append(arguments)
        if len(asked) == 1:
            other.record(runs)
        return log(*arguments)

    monkeypatch.setattr(one.store.backend.client, "log_batch", log_after_the_other)
    one.record(runs)
    loaded = load_sweep(uri)
    assert list(loaded.runs["status"]) == ["FINISHED"] * 2
    assert list(loaded.runs["tags.fingerprint"]) == [run.fingerprint for run in runs]


def test_a_run_is_deleted_only_by_who_writes_it_again(uri):
    """Else processes that do the same at once may each rely on a run that another deletes."""
    sweep = record(by_client(uri), some_runs(1))
    mlflow = sweep.store.backend.client
    finished = mlflow.get_run(load_sweep(uri).runs["run_id"][0])
    unfinished = mlflow.create_run(sweep.experiment_id, tags=finished.data.tags).info.run_id
    by_client(uri).open_sweep("convergence", "f00d", "first", {}, {}).record(some_runs(1))
    assert mlflow.get_run(unfinished).info.lifecycle_stage == "active"
    assert list(load_sweep(uri).runs["run_id"]) == [finished.info.run_id]


def test_contents_of_children_are_there_without_asking_for_the_children_first(uri):
    sweep = record(by_client(uri), some_runs(2))
    contents = by_client(uri).backend.contents(sweep.run_id, of_children=True)
    assert len({run_id for run_id, *_ in contents["params"]}) == 2
