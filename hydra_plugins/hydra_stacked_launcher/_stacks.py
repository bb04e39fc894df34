"""Trains stacks of jobs, in this process or by workers, until every job has a result or has failed alone."""

import contextlib
import math
import pickle
import traceback
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor
from typing import Any

MOST_DEATHS = 2  # of workers, until stacks are trained one at a time to learn which of them kills its worker

Stack = Sequence[int]  # jobs of one shape, as indices
Result = tuple[Stack, Any, Exception | None]  # what train returned, or the error that it raised


class WorkerDied(RuntimeError):
    """A worker process ended while it trained this job alone: it crashed, or was killed for its memory."""


def stacked(shapes: Mapping[int, Hashable], most: Callable[[int], int]) -> list[Stack]:
    """Stacks of jobs of equal shape, in order of their first: as few as most(first) allows, of like size."""
    by_shape: dict[Hashable, list[int]] = {}
    for index, shape in shapes.items():
        by_shape.setdefault(shape, []).append(index)
    stacks = []
    for indices in by_shape.values():
        n = math.ceil(len(indices) / most(indices[0]))
        stacks += [indices[i * len(indices) // n : (i + 1) * len(indices) // n] for i in range(n)]
    return stacks


def trained(
    train: Callable, jobs: Sequence[Any], stacks: Sequence[Stack], n_workers: int
) -> Iterator[Result]:
    """A result for each stack as it comes, an error only for a job alone: a stack that fails is halved.

    When a worker dies, what the workers had is trained again, from the second death on a stack at a time.
    """
    pending, deaths = list(stacks), 0
    while pending:
        n = len(pending) if deaths < MOST_DEATHS else 1
        group, pending = pending[:n], pending[n:]
        died = False
        with contextlib.closing(_attempts(train, jobs, group, n_workers)) as results:
            for stack, result, error in results:
                died |= isinstance(error, WorkerDied)
                if isinstance(error, WorkerDied) and deaths < MOST_DEATHS:
                    pending.append(stack)
                elif error is not None and len(stack) > 1:
                    pending += [stack[: len(stack) // 2], stack[len(stack) // 2 :]]
                else:
                    yield stack, result, error
        deaths += died


def _attempts(
    train: Callable, jobs: Sequence[Any], stacks: Sequence[Stack], n_workers: int
) -> Iterator[Result]:
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

    left = dict(enumerate(stacks))
    calls = [(number, [jobs[index] for index in stack]) for number, stack in left.items()]
    if n_workers == 1:
        answers = (attempt(*call) for call in calls)
    else:
        import joblib

        parallel = joblib.Parallel(return_as="generator_unordered")
        answers = parallel(joblib.delayed(attempt)(*call) for call in calls)
    try:
        with contextlib.closing(answers):
            for number, result, error in answers:
                yield left.pop(number), result, error
    except BrokenExecutor:
        for stack in left.values():
            yield stack, None, WorkerDied("the worker that trained it crashed, or was killed for its memory")
