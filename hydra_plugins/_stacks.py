"""Trains stacks of jobs, in this process or by workers, until every job has a result or has failed alone."""

import contextlib
import math
import pickle
import traceback
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

MOST_DEATHS = 2  # of workers, until a stack is trained alone to learn whether it is the one that kills them


@dataclass(frozen=True)
class Stack:
    """Jobs of one shape, as indices."""

    jobs: Sequence[int]
    deaths: int = 0  # times a worker died while the workers had this stack

    def halves(self) -> list["Stack"]:
        middle = len(self.jobs) // 2
        return [Stack(self.jobs[:middle], self.deaths), Stack(self.jobs[middle:], self.deaths)]


class WorkerDied(RuntimeError):
    """A worker process ended while it trained this job alone: it crashed, or was killed for its memory."""


def stacked(shapes: Sequence[tuple[int, Hashable]], most: Callable[[int], int]) -> list[Stack]:
    """Stacks of (index, shape), in order of their first jobs: as few as most(first) allows, of like size."""
    by_shape: dict[Hashable, list[int]] = {}
    for index, shape in shapes:
        by_shape.setdefault(shape, []).append(index)
    stacks = []
    for indices in by_shape.values():
        n = math.ceil(len(indices) / most(indices[0]))
        stacks += [Stack(indices[i * len(indices) // n : (i + 1) * len(indices) // n]) for i in range(n)]
    return stacks


def trained(
    train: Callable[[Sequence[Any]], Any], jobs: Sequence[Any], stacks: Sequence[Stack], n_workers: int
) -> Iterator[tuple[Stack, Any, Exception | None]]:
    """(stack, what train returned, None) for each stack as it comes; (stack of one, None, error) if it fails.

    A stack that fails is trained again in halves. When a worker dies, what the workers had is trained again;
    what they had at two deaths is then trained alone, so that only a stack that kills its worker has failed.
    """
    pending = list(stacks)
    while pending:
        together = [stack for stack in pending if stack.deaths < MOST_DEATHS]
        alone = [stack for stack in pending if stack.deaths >= MOST_DEATHS]
        pending = []
        for group in [together, *([suspect] for suspect in alone)]:
            round_ = _by_workers(train, jobs, group) if n_workers > 1 else _here(train, jobs, group)
            with contextlib.closing(round_) as results:
                for stack, result, error in results:
                    if isinstance(error, WorkerDied) and stack.deaths < MOST_DEATHS:
                        pending.append(Stack(stack.jobs, stack.deaths + 1))
                    elif error is not None and len(stack.jobs) > 1:
                        pending += stack.halves()
                    else:
                        yield stack, result, error


def _here(train, jobs, stacks) -> Iterator[tuple[Stack, Any, Exception | None]]:
    for stack in stacks:
        try:
            result = train([jobs[index] for index in stack.jobs])
        except Exception as error:
            yield stack, None, error
        else:
            yield stack, result, None


def _by_workers(train, jobs, stacks) -> Iterator[tuple[Stack, Any, Exception | None]]:
    from concurrent.futures.process import BrokenProcessPool

    import joblib

    def attempt(number, stack):  # local, so that it is pickled whole: workers needn't import Hydra
        try:
            return number, train(stack), None
        except Exception as error:
            text = "".join(traceback.format_exception(error))
            try:
                error = pickle.loads(pickle.dumps(error))
            except Exception:
                error = RuntimeError(f"{type(error).__name__}: {error}")
            error.add_note(text)
            return number, None, error

    left = dict(enumerate(stacks))
    calls = (
        joblib.delayed(attempt)(i, [jobs[index] for index in stack.jobs]) for i, stack in enumerate(stacks)
    )
    try:
        with contextlib.closing(joblib.Parallel(return_as="generator_unordered")(calls)) as answers:
            for number, result, error in answers:
                yield left.pop(number), result, error
    except BrokenProcessPool as error:
        for stack in left.values():
            yield (
                stack,
                None,
                WorkerDied("the worker that trained it crashed, or was killed for its memory use"),
            )
