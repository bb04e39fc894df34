"""What a sweep says: a bar on a terminal, a line now and then elsewhere, and a table that adds up."""

import io
import re

import pytest
from test_settings import PLAIN

from experiments import terminal
from experiments.settings import read


class Terminal(io.StringIO):
    def isatty(self):
        return True


def job(**changes):
    return read(PLAIN | changes)


def test_a_terminal_shows_a_bar_with_rate_and_time_left():
    stream = Terminal()
    progress = terminal.Progress(10, stream)
    progress.bar.mininterval = 0
    progress.add(4)
    progress.bar.refresh()
    assert re.search(r"40%.*4/10 \[.*<.*runs/s\]", stream.getvalue())
    progress.close()
    assert stream.getvalue().endswith("\r")  # it leaves an empty line


def test_elsewhere_a_line_is_said_now_and_then(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now[0])
    stream = io.StringIO()
    progress = terminal.Progress(1000, stream)
    for now[0], n_runs in ((5.0, 100), (11.0, 120), (12.0, 10), (22.0, 210), (30.0, 560)):
        progress.add(n_runs)
    assert stream.getvalue().splitlines() == [
        "  220 of 1,000 runs, 20 a second, 39 s left",
        "  440 of 1,000 runs, 20 a second, 28 s left",
    ]


def test_the_summary_counts_every_run_once_and_takes_the_median_of_what_converged():
    ends = [("converged", 1e-8), ("converged", 1e-4), ("stuck", 0.3), ("converged", 1e-6)]
    results = [(job(seed=seed), *end) for seed, end in enumerate(ends)]
    results.append((job(learning_rate=0.3), "diverged", float("inf")))
    lines = [re.sub(" +", " ", line).strip() for line in terminal.summary(results).splitlines()]
    assert lines == [
        "learning rate hidden size mode converged stuck diverged median error of converged",
        "0.1 4 numeric h=1e-4 3 1 · 1.0e-06",
        "0.3 4 numeric h=1e-4 · · 1 —",
    ]


def test_the_plan_names_the_axes_and_how_many_runs_and_stacks():
    analytic = {"_target_": "tinynet.gradients.Analytic"}
    jobs = [job(seed=seed, **change) for seed in range(12) for change in ({}, {"gradient": analytic})]
    assert terminal.plan("mine", jobs, "a store").splitlines() == [
        "mine: 24 runs of 60 epochs, 2 stacks, recorded in a store",
        "  seed  0, 1 … 11 (12 values)",
        "  mode  numeric h=1e-4, analytic",
    ]


@pytest.mark.parametrize(("n", "said"), [(1, "1 run"), (2, "2 runs"), (0, "0 runs"), (12_000, "12,000 runs")])
def test_a_count_agrees_with_its_noun(n, said):
    assert terminal.count(n, "run") == said
