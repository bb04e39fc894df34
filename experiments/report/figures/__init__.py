"""WHAT IS DRAWN: an Analysis becomes pictures, each drawn once as PNG and once as SVG."""

import contextlib
import multiprocessing
import os
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkProcess

    from experiments.analysis import Analysis
    from experiments.report.figures.sheet import Picture, Sheet

__all__ = ["pictures"]


def pictures(analysed: "Analysis", n_workers: int | None = None) -> "list[Picture]":
    """All that have something to show, in the order of the report, drawn by workers (one for each core)."""
    from experiments.report.figures import curves, estimators, forest, outcomes, tail, tutorial

    draws = [
        tutorial.tutorial,
        forest.forest,
        curves.convergence,
        tail.tail,
        curves.precision,
        outcomes.outcomes,
        outcomes.pairs,
        tail.mechanism,
        tail.gradient_error,
        estimators.step_size,
        estimators.all_modes,
        estimators.cost,
    ]
    return drawn([partial(draw, analysed) for draw in draws], n_workers or _n_cores())


def _n_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def drawn(jobs: "Sequence[Callable[[], Sheet | None]]", n_workers: int) -> "list[Picture]":
    """The pictures of all sheets that there are, in order, the same bytes for any number of workers.

    What workers do not draw, because there are none or they failed, is drawn in this process.
    """
    by_job = {}
    if n_workers > 1 and sys.platform == "linux":  # elsewhere processes that fork may crash
        with contextlib.suppress(OSError):
            by_job = _drawn_by_workers(jobs, min(n_workers, len(jobs)))
    in_order = [by_job[i] if i in by_job else _rendered(job) for i, job in enumerate(jobs)]
    return [picture for picture in in_order if picture is not None]


def _rendered(job) -> "Picture | None":
    sheet = job()
    return None if sheet is None else sheet.rendered()


def _drawn_by_workers(jobs, n_workers: int) -> "dict[int, Picture | None]":
    """Each takes the number of a job from a pipe until it is empty. Jobs and data it has, being a fork."""
    source, target = os.pipe()
    os.write(target, bytes(range(len(jobs))))
    os.close(target)
    by_job = {}
    with open(source, "rb", buffering=0) as numbers:
        workers = [_start(jobs, numbers) for _ in range(n_workers)]
    for worker, receiver in workers:
        with contextlib.suppress(EOFError, OSError):  # it died
            by_job |= receiver.recv()
        worker.join()
    return by_job


def _start(jobs, numbers: BinaryIO) -> "tuple[ForkProcess, Connection]":
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    worker = context.Process(target=_work, args=(jobs, numbers, sender), daemon=True)
    with warnings.catch_warnings(), sender:
        warnings.filterwarnings("ignore", ".*multi-threaded", DeprecationWarning)  # threads of BLAS, idle
        worker.start()
    return worker, receiver


def _work(jobs, numbers: BinaryIO, sender: "Connection") -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's to handle
    by_job = {}
    with contextlib.suppress(Exception):  # it is raised again where the parent draws the same
        while number := numbers.read(1):
            by_job[number[0]] = _rendered(jobs[number[0]])
    with contextlib.suppress(OSError):  # the parent is gone
        sender.send(by_job)
