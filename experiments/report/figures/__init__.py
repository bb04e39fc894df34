"""WHAT IS DRAWN: an Analysis becomes pictures, each drawn once as PNG and once as SVG."""

import contextlib
import gc
import logging
import multiprocessing
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from experiments.analysis import Analysis
    from experiments.report.figures.sheet import Sheet

__all__ = ["Picture", "pictures", "studio"]

CAN_FORK = sys.platform == "linux"  # elsewhere libraries may crash in a fork


@dataclass(frozen=True)
class Picture:
    name: str  # file name without ending
    alt: str  # what is drawn, for those who do not see it
    width: int  # CSS pixels on a page
    png: bytes = field(repr=False)
    svg: bytes = field(repr=False)


def pictures(analysed: "Analysis", n_workers: int | None = None) -> list[Picture]:
    """All that have something to show, in the order of the report, drawn by workers (one for each core)."""
    return drawn([partial(draw, analysed) for draw in _draws()], n_workers or _n_cores())


@contextlib.contextmanager
def studio(n_workers: int | None = None) -> "Iterator[Callable[[Analysis], list[Picture]]]":
    """Gives what pictures is, in a process that imports matplotlib while the analysis is on its way.

    That takes 0.7 s of the 3.7 s of a report on 800 runs.
    """
    n_workers = n_workers or _n_cores()
    if n_workers == 1 or not CAN_FORK:
        yield pictures
        return
    with _forked(_serve, n_workers) as connection:

        def draw(analysed: "Analysis") -> list[Picture]:
            try:
                connection.send(analysed)
                return connection.recv()
            except (EOFError, OSError):  # the process failed
                return pictures(analysed, n_workers)

        yield draw


def drawn(jobs: "Sequence[Callable[[], Sheet | None]]", n_workers: int) -> list[Picture]:
    """The pictures of all sheets that there are, in order, the same bytes for any number of workers.

    What workers do not draw, because there are none or they failed, is drawn in this process.
    """
    by_job = {}
    if n_workers > 1 and CAN_FORK:
        with contextlib.suppress(OSError):
            by_job = _drawn_by_workers(jobs, min(n_workers, len(jobs)))
    in_order = [by_job[i] if i in by_job else _rendered(job) for i, job in enumerate(jobs)]
    return [picture for picture in in_order if picture is not None]


def _draws() -> "list[Callable[[Analysis], Sheet | None]]":
    """In the order of the report.

    What matplotlib reads as it is imported, it isn't let read: a notebook's backend can't be imported
    everywhere, a matplotlibrc changes no picture, and what it says of folders it can't write helps nobody.
    """
    os.environ.update(MPLBACKEND="agg", MATPLOTLIBRC=os.devnull)
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    from experiments.report.figures import curves, estimators, forest, outcomes, tail, tutorial

    return [
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


def _n_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _rendered(job: "Callable[[], Sheet | None]") -> Picture | None:
    sheet = job()
    return None if sheet is None else sheet.rendered()


def _drawn_by_workers(jobs: Sequence[Callable], n_workers: int) -> dict[int, Picture | None]:
    """Each takes the number of a job from a pipe until it is empty."""
    source, target = os.pipe()
    os.write(target, bytes(range(len(jobs))))
    os.close(target)
    by_job = {}
    with open(source, "rb", buffering=0) as numbers, contextlib.ExitStack() as stack:
        workers = [stack.enter_context(_forked(_work, jobs, numbers)) for _ in range(n_workers)]
        for connection in workers:
            with contextlib.suppress(EOFError, OSError):  # it died
                by_job |= connection.recv()
    return by_job


def _work(connection: "Connection", jobs: Sequence[Callable], numbers: BinaryIO) -> None:
    by_job = {}
    with contextlib.suppress(Exception):  # it is raised again where the parent draws the same
        while number := numbers.read(1):
            by_job[number[0]] = _rendered(jobs[number[0]])
    connection.send(by_job)


def _serve(connection: "Connection", n_workers: int) -> None:
    import pandas  # noqa: F401  which an Analysis holds

    _draws()
    analysed = connection.recv()
    with contextlib.suppress(Exception):  # as in _work
        connection.send(pictures(analysed, n_workers))


@contextlib.contextmanager
def _forked(work: Callable, *arguments) -> "Iterator[Connection]":
    """A process that does work(connection, *arguments) with a copy of our memory; gives our end."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_run, args=(work, ours, theirs, *arguments))
    with warnings.catch_warnings(), theirs:
        warnings.filterwarnings("ignore", ".*multi-threaded", DeprecationWarning)  # threads of BLAS, idle
        process.start()
    try:
        with ours:
            yield ours
    finally:
        process.terminate()
        process.join()


def _run(work: Callable, ours: "Connection", theirs: "Connection", *arguments) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's to handle
    gc.disable()  # drawing takes 11 % longer with it
    ours.close()  # that we see when the parent is gone
    with contextlib.suppress(EOFError, OSError):
        work(theirs, *arguments)
