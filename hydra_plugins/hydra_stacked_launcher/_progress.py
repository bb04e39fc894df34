"""How far a launch is: a head line, then a bar on a terminal, and elsewhere a line now and then."""

import contextlib
import logging
import sys
import time
from typing import TextIO

from tqdm import tqdm
from tqdm.contrib import DummyTqdmFile

SECONDS_BETWEEN_LINES = 10  # where the output is no terminal


def head(n_done: int, n_jobs: int, n_stacks: int) -> str:
    """What a launch is about to do."""
    jobs = "1 job" if n_jobs == 1 else f"{n_jobs:,} jobs"
    stacks = "1 stack" if n_stacks == 1 else f"{n_stacks:,} stacks"
    if n_done == 0:
        return f"{jobs} in {stacks}"
    if n_done < n_jobs:
        are = "is" if n_done == 1 else "are"
        return f"{n_done:,} of {jobs} {are} done; {n_jobs - n_done:,} to go in {stacks}"
    return "the 1 job is done" if n_jobs == 1 else f"all {jobs} are done"


def is_terminal(stream: TextIO | None) -> bool:
    """stream: None if it was closed before Python began."""
    return stream is not None and stream.isatty()


class Progress(contextlib.ExitStack):
    """Jobs trained or failed, of a total."""

    def __init__(self, total: int, stream: TextIO | None = None) -> None:
        super().__init__()
        self.total = total
        self.n_ended = 0
        self.n_failed = 0
        self.stream = stream or sys.stderr
        self.began = time.monotonic()
        self.last_line = self.began
        hidden = total == 0 or not is_terminal(self.stream)
        self.bar = self.enter_context(
            tqdm(total=total, unit=" jobs", file=self.stream, leave=False, dynamic_ncols=True, disable=hidden)
        )
        if not hidden and is_terminal(sys.stdout):
            self._print_above_bar()

    def _print_above_bar(self) -> None:
        """What a task prints or logs meanwhile gets lines of its own."""
        above = DummyTqdmFile(self.stream)
        for handler in logging.root.handlers:
            if getattr(handler, "stream", None) in (sys.stdout, sys.stderr):
                self.callback(handler.setStream, handler.setStream(above))
        self.enter_context(contextlib.redirect_stdout(above))
        self.enter_context(contextlib.redirect_stderr(above))

    def add(self, n_jobs: int, failed: bool = False) -> None:
        self.n_ended += n_jobs
        if failed:
            self.n_failed += n_jobs
            self.bar.set_postfix_str(f"{self.n_failed:,} failed", refresh=False)
        self.bar.update(n_jobs)
        now = time.monotonic()
        is_due = now - self.last_line >= SECONDS_BETWEEN_LINES and self.n_ended < self.total
        if self.bar.disable and is_due:
            self.last_line = now
            print(f"  {self._line(now - self.began)}", file=self.stream, flush=True)

    def _line(self, seconds: float) -> str:
        rate = self.n_ended / seconds
        left = (self.total - self.n_ended) / rate
        line = f"{self.n_ended:,} of {self.total:,} jobs, {rate:.0f} a second, {left:.0f} s left"
        return f"{line}, {self.n_failed:,} failed" if self.n_failed else line
