"""What a user reads of bad and failed jobs: a line per fault, however many jobs have it."""

import difflib
import re
from collections.abc import Callable, Mapping, Sequence

from hydra.errors import CompactHydraException, MissingConfigException

MOST_LINES = 20  # of a message


class FailedJobs(CompactHydraException):
    """Jobs that failed while the others went on: errors by index of the job in the sweep."""

    def __init__(self, errors: Mapping[int, Exception], job_overrides: Sequence[Sequence[str]]) -> None:
        others = "; the others are recorded" if len(errors) < len(job_overrides) else ""
        head = f"{len(errors)} of {len(job_overrides)} jobs failed{others}:"
        faults = [(index, f"{type(error).__name__}: {one_line(error)}") for index, error in errors.items()]
        super().__init__("\n  ".join([head, *folded(faults, job_overrides)]))
        self.errors = errors
        self.__cause__ = next(iter(errors.values()))


def one_line(error: BaseException) -> str:
    """The error's text, and its cause's when that is OmegaConf's, without line breaks."""
    cause = error.__cause__ if type(error.__cause__).__module__.startswith("omegaconf") else None
    text = " ".join(str(error).split())
    return text if cause is None else f"{text} {one_line(cause)}".strip()


def told(error: Exception, names: Callable[[], list[str]]) -> str:
    """What Hydra or OmegaConf says of a job, in one line, with the name that is nearest to an unknown one."""
    text = re.sub(r" (Config s|S)earch path:.*| full_key: .*", "", one_line(error))
    unknown = re.match(r"Could not override '([^']+)'", text)
    known = names() if unknown else []
    if isinstance(error, MissingConfigException) and error.options:
        unknown, known = re.search(r"/([^/']+)'", text), list(error.options)
    near = difflib.get_close_matches(unknown[1], known, n=1) if unknown else []
    if not near:
        return text
    return re.sub(r" To append to your config use \S+", "", text).rstrip(".") + f". Did you mean '{near[0]}'?"


def folded(faults: Sequence[tuple[int, str]], job_overrides: Sequence[Sequence[str]]) -> list[str]:
    """A line per fault: the overrides that its jobs share and not all jobs have, their count, the fault."""
    common = set(job_overrides[0]).intersection(*job_overrides)
    jobs_of: dict[str, list[int]] = {}
    for index, fault in faults:
        jobs_of.setdefault(fault, []).append(index)
    lines = []
    for fault, indices in list(jobs_of.items())[:MOST_LINES]:
        shared = set(job_overrides[indices[0]]).intersection(*(job_overrides[index] for index in indices))
        words = [line for line in job_overrides[indices[0]] if line in shared - common]
        count = [f"({len(indices)} jobs)"] if 1 < len(indices) < len(job_overrides) else []
        lines.append(": ".join([" ".join(words + count), fault] if words + count else [fault]))
    more = len(jobs_of) - len(lines)
    return [*lines, f"... and {more} faults more"] if more else lines
