"""What a launch says while it runs: how many jobs in how many stacks, a bar or lines, and what failed."""

import contextlib
import fcntl
import io
import logging
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest

from hydra_plugins.hydra_stacked_launcher import _progress
from hydra_plugins.hydra_stacked_launcher._progress import Progress, head
from tests.plugin.tasks import APPS, STACKED, Tracked, sweep


class Terminal(io.StringIO):
    def isatty(self):
        return True


def screen(written):
    """The lines that stay on a terminal: a carriage return goes back to the start, to write over it."""
    lines = []
    for line in written.split("\n"):
        shown = ""
        for part in line.split("\r"):
            shown = part + shown[len(part) :]
        lines.append(shown.rstrip())
    return lines


def on_a_terminal(*words):
    """What stays on the terminal, 80 columns wide, of the app swept there."""
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    command = [sys.executable, str(APPS / "app.py"), "-m", *STACKED, *words]
    with subprocess.Popen(command, stdin=side, stdout=side, stderr=side) as process:
        os.close(side)
        written = b""
        with contextlib.suppress(OSError):  # Linux ends the reading so when the process has ended
            while chunk := os.read(main, 65536):
                written += chunk
        os.close(main)
    assert process.returncode is not None
    return screen(written.decode().replace("\r\n", "\n"))


@pytest.mark.parametrize(("counts", "said"), [
    ((0, 1000, 3), "1,000 jobs in 3 stacks"), ((0, 1, 1), "1 job in 1 stack"),
    ((400, 1000, 2), "400 of 1,000 jobs are done; 600 to go in 2 stacks"),
    ((1, 2, 1), "1 of 2 jobs is done; 1 to go in 1 stack"),
    ((1000, 1000, 0), "all 1,000 jobs are done"), ((1, 1, 0), "the 1 job is done"),
])  # fmt: skip
def test_the_head_says_what_is_done_and_what_is_to_do(counts, said):
    assert head(*counts) == said


def test_the_stacks_told_are_the_stacks_trained(capsys):
    task = Tracked(done={0: "kept"})
    sweep(task, "seed=range(0,10)", "width=4,8", "hydra.launcher.max_stack=4")
    n_stacks = len([entry for entry in task.calls if entry[0] == "record"])
    assert capsys.readouterr().out == f"1 of 20 jobs is done; 19 to go in {n_stacks} stacks\n"


def test_a_terminal_shows_a_bar_with_rate_time_left_and_failures():
    stream = Terminal()
    with Progress(10, stream) as progress:
        progress.add(4)
        progress.bar.refresh()
        progress.add(1, failed=True)
        progress.bar.refresh()
        assert re.search(r"40%.*4/10 \[.*<.*jobs/s\]", stream.getvalue())
        assert re.search(r"50%.*5/10 \[.*<.*jobs/s, 1 failed\]", stream.getvalue())
    assert screen(stream.getvalue()) == [""]


def test_elsewhere_a_line_is_said_now_and_then(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(_progress.time, "monotonic", lambda: now[0])
    stream = io.StringIO()
    with Progress(1000, stream) as progress:
        for now[0], n_jobs in ((5.0, 100), (11.0, 120), (12.0, 10), (22.0, 210), (30.0, 560)):
            progress.add(n_jobs, failed=n_jobs == 10)
    assert stream.getvalue().splitlines() == [
        "  220 of 1,000 jobs, 20 a second, 39 s left",
        "  440 of 1,000 jobs, 20 a second, 28 s left, 10 failed",
    ]


def test_what_is_printed_and_logged_meanwhile_gets_lines_of_its_own(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", stream)
    handler = logging.StreamHandler(stream)
    monkeypatch.setattr(logging.root, "handlers", [handler])
    with Progress(4) as progress:
        progress.bar.mininterval = 0
        for number in range(4):
            print("printed", number)
            print("warned", number, file=sys.stderr)
            logging.warning("logged %d", number)
            progress.add(1)
    printed = [f"{word} {number}" for number in range(4) for word in ("printed", "warned", "logged")]
    assert screen(stream.getvalue()) == [*printed, ""]
    assert (sys.stdout, sys.stderr, handler.stream) == (stream, stream, stream)


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_a_stream_that_is_closed_stops_nothing(closed, monkeypatch):
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(sys, closed, None)
    task = Tracked()
    sweep(task, "seed=0,1", "hydra.launcher.max_stack=1")
    assert len([entry for entry in task.calls if entry[0] == "record"]) == 2


def test_no_bar_is_left_on_a_terminal_and_nothing_is_said_twice():
    assert on_a_terminal("seed=11,12", "hydra.launcher.max_stack=1") == [
        "enter", "start 2", "2 jobs in 2 stacks", "record 11/4", "record 12/4", "exit None", ""
    ]  # fmt: skip


def test_a_failure_leaves_no_bar_either():
    lines = on_a_terminal("seed=12,13")
    assert lines[2:8] == [
        "2 jobs in 1 stack",
        "record 12/4",
        "failed 13/4 FloatingPointError",
        "exit None",
        "1 of 2 jobs failed; the others are recorded:",
        "  seed=13: FloatingPointError: unlucky",
    ]
    assert not any("%|" in line for line in lines)


def test_an_error_that_ends_the_launch_closes_the_bar(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    task = Tracked()
    task.record = lambda stack, trained: {}["a bug"]
    with pytest.raises(KeyError, match="a bug"):
        sweep(task, "seed=11,12")
    assert screen(stream.getvalue()) == [""]
