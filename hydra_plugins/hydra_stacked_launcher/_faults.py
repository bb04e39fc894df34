"""Faults of users' commands, and of many jobs a line each.

In a private module: Hydra executes the public ones anew when it looks for plugins, and a class that is made
twice is no longer the one that others catch.
"""

from collections.abc import Mapping, Sequence

from hydra.errors import CompactHydraException

MOST_LINES = 20  # of a message


class Fault(CompactHydraException):
    """What is wrong with a command, in words for its user."""


class FailedJobs(Fault):
    """Jobs that failed while the others went on: errors by index of the job in the sweep."""

    def __init__(self, errors: Mapping[int, Exception], job_overrides: Sequence[Sequence[str]]) -> None:
        head = f"{len(errors):,} of {len(job_overrides):,} jobs failed"
        if len(errors) < len(job_overrides):
            head += "; the others are recorded"
        faults = [(index, f"{type(error).__name__}: {one_line(error)}") for index, error in errors.items()]
        super().__init__("\n  ".join([f"{head}:", *fault_lines(faults, job_overrides)]))
        self.errors = errors
        self.__cause__ = next(iter(errors.values()))


def one_line(error: BaseException) -> str:
    """The error's text, and its cause's when that is OmegaConf's, without line breaks."""
    cause = error.__cause__ if type(error.__cause__).__module__.startswith("omegaconf") else None
    text = " ".join(str(error).split())
    return text if cause is None else f"{text} {one_line(cause)}".strip()


def fault_lines(faults: Sequence[tuple[int, str]], job_overrides: Sequence[Sequence[str]]) -> list[str]:
    """A line for each text of (job, text): the overrides that only its jobs have, their count, the text."""
    jobs_of: dict[str, list[int]] = {}
    for index, text in faults:
        jobs_of.setdefault(text, []).append(index)
    in_all_jobs = set(job_overrides[0]).intersection(*job_overrides)
    lines = []
    for text, indices in list(jobs_of.items())[:MOST_LINES]:
        first = job_overrides[indices[0]]
        shared = set(first).intersection(*(job_overrides[index] for index in indices)) - in_all_jobs
        where = [override for override in first if override in shared]
        if 1 < len(indices) < len(job_overrides):
            own = [override for override in first if override not in in_all_jobs]
            example = "" if where else f", such as {' '.join(own)}"
            where.append(f"({len(indices):,} jobs{example})")
        lines.append(f"{' '.join(where)}: {text}" if where else text)
    if len(jobs_of) > len(lines):
        lines.append(f"... and {len(jobs_of) - len(lines)} faults more")
    return lines
