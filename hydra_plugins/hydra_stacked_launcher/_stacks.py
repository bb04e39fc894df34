"""Trains stacks of jobs, in this process or by workers, until every job has a result or has failed alone."""

import contextlib
import math
import pickle
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor
from typing import Any, NamedTuple

from hydra_plugins.hydra_stacked_launcher._faults import Fault, one_line

MOST_DEATHS = 2  # of workers, until stacks are trained one at a time to learn which of them kills its worker

Stack = Sequence[int]  # jobs of one shape, as indices


class Result(NamedTuple):
    stack: Stack
    trained: Any  # what train returned
    error: Exception | None  # or what it raised


class WorkerDied(RuntimeError):
    """A worker process ended while it trained this job alone: it crashed, or was killed for its memory."""


@contextlib.contextmanager
def workers(n_jobs: int, backend: str, options: Mapping[str, Any]) -> Iterator[int]:
    """joblib set up for this launch; gives the number of workers, 1 meaning this process."""
    if n_jobs == 1:
        yield 1
        return
    try:
        import joblib
    except ModuleNotFoundError:
        raise Fault(f"hydra.launcher.n_jobs: {n_jobs}; give 1, or pip install joblib") from None
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(joblib.parallel_config(backend=backend, n_jobs=n_jobs, **options))
            joblib.Parallel(return_as="generator_unordered")
        except (ValueError, TypeError, ImportError) as error:
            right = f"give loky, threading or dask and options that fit ({one_line(error)})"
            raise Fault(f"hydra.launcher.backend: {backend!r}, {options}; {right}") from error
        yield joblib.effective_n_jobs(n_jobs)


def make_stacks(task: Any, jobs: Mapping[int, Any], max_stack: int | None, n_workers: int) -> list[Stack]:
    """Stacks of jobs of equal shape, in order of their first: as few as may be, of like size."""
    limit = max_stack or len(jobs)
    if n_workers > 1:  # two stacks a worker at least: one that is slow doesn't leave the others idle
        limit = min(limit, math.ceil(len(jobs) / (2 * n_workers)))
    by_shape = {}
    for index, job in jobs.items():
        by_shape.setdefault(task.shape(job), []).append(index)
    stacks = []
    for indices in by_shape.values():
        most = limit
        if hasattr(task, "most"):
            most = max(1, min(limit, task.most(jobs[indices[0]])))
        n = math.ceil(len(indices) / most)
        bounds = [i * len(indices) // n for i in range(n + 1)]
        stacks += [indices[bounds[i] : bounds[i + 1]] for i in range(n)]
    return stacks


def train_stacks(
    train: Callable, jobs: Sequence[Any], stacks: Sequence[Stack], n_workers: int
) -> Iterator[Result]:
    """A result for each stack as it comes, an error only for a job alone: a stack that fails is halved.

    When a worker dies, what the workers had is trained again, from the second death on a stack at a time.
    """
    pending = list(stacks)
    n_deaths = 0
    while pending:
        n = len(pending) if n_deaths < MOST_DEATHS else 1
        group = pending[:n]
        pending = pending[n:]
        died = False
        with contextlib.closing(_attempts(train, jobs, group, n_workers)) as results:
            for result in results:
                stack = result.stack
                worker_died = isinstance(result.error, WorkerDied)
                died = died or worker_died
                if worker_died and n_deaths < MOST_DEATHS:
                    pending.append(stack)
                elif result.error is not None and len(stack) > 1:
                    middle = len(stack) // 2
                    pending += [stack[:middle], stack[middle:]]
                else:
                    yield result
        n_deaths += died


def _attempts(
    train: Callable, jobs: Sequence[Any], stacks: Sequence[Stack], n_workers: int
) -> Iterator[Result]:
    """Each stack trained once: a result for every one, also for those that a dying worker took along."""

    def attempt(number, stack):  # local, so that it is pickled whole: workers needn't import Hydra
        try:
            return number, train(stack), None
        except Exception as error:
            where = "".join(traceback.format_exception(error))
            try:
                error = pickle.loads(pickle.dumps(error))
            except Exception:
                error = RuntimeError(f"{type(error).__name__}: {error}")
            error.add_note(where)
            return number, None, error

    waiting = dict(enumerate(stacks))
    calls = [(number, [jobs[index] for index in stack]) for number, stack in waiting.items()]
    if n_workers == 1:
        answers = (attempt(*call) for call in calls)
    else:
        import joblib

        parallel = joblib.Parallel(return_as="generator_unordered")
        answers = parallel(joblib.delayed(attempt)(*call) for call in calls)
    try:
        with contextlib.closing(answers):
            for number, trained, error in answers:
                yield Result(waiting.pop(number), trained, error)
    except BrokenExecutor:
        death = "the worker that trained it crashed, or was killed for its memory"
        for stack in waiting.values():
            yield Result(stack, None, WorkerDied(death))
