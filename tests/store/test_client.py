"""A server holds and gives the same as a database."""

import signal
import time

import numpy as np
import pytest

from experiments.store import Run, StoreError, client, entries, load_sweep, open_store
from tests.store.runs import record, rows, same, some_runs

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
