"""Sweeps for the tests of reports: trained here, recorded in a store of the module's own, reported on."""

import contextlib

import pytest

from experiments import sweep
from experiments.report import __main__ as report
from experiments.report import figures
from experiments.store import Run, open_store


def mode(name: str, **arguments) -> dict:
    return {"_target_": f"tinynet.gradients.{name}", **arguments}


ANALYTIC, NUMERIC = mode("Analytic"), mode("Numeric", h=1e-4)


def runs_of(modes, seeds, **changes) -> list[Run]:
    """Runs of every mode and seed; a mode may name its start."""
    plain = {
        "learning_rate": 0.1, "hidden_size": 16, "n_epochs": 320, "activation": "relu", "bias": False,
        "dtype": "float64", "start": "fresh", "online_error": True, "diagnostics": False,
        "converged_below": 0.002, "problem": {"_target_": "tinynet.Problem.streetlights"},
    } | changes  # fmt: skip
    runs = []
    for words in modes:
        start = words.get("start", "fresh")
        gradient = {key: value for key, value in words.items() if key != "start"}
        stack = [sweep.read(plain | {"gradient": gradient, "start": start, "seed": seed}) for seed in seeds]
        runs += sweep.finished_runs(stack, sweep.train(stack))
    return runs


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    """record(name, runs): a sweep in a store of this module's; gives the store's URI."""
    uri = f"sqlite:///{tmp_path_factory.mktemp('store') / 'mlflow.db'}"
    store = open_store(uri)

    def record(name, runs, status="FINISHED", experiment="test", planned=None):
        tags = sweep.provenance() | {"command": f"python -m experiments.run experiment={experiment}"}
        params = {"n_runs": planned or len(runs)}
        opened = store.open_sweep(experiment, sweep.digest(name), name, params, tags)
        opened.record(runs)
        if status != "RUNNING":
            opened.end(status)
        return uri

    return record


@pytest.fixture
def undrawn(monkeypatch):
    """Reports without pictures, which take most of the time: for tests of what the page and tables say."""
    monkeypatch.setattr(figures, "studio", lambda: contextlib.nullcontext(lambda analysed: []))


def made(uri, name, folder, *more, code=0):
    """The page of a report on the sweep of that name."""
    assert report.main(["--store", uri, "--sweep", name, "--output", str(folder), *more]) == code
    return (folder / "report.html").read_text() if code == 0 else None
