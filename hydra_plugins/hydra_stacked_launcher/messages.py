"""What a user reads of bad and failed jobs: a line per fault, however many jobs have it."""

import difflib
import re
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from hydra.errors import CompactHydraException, HydraException, OverrideParseException
from omegaconf import DictConfig

MOST_LINES = 20  # of a message


class Fault(CompactHydraException):
    """What is wrong with a command, in words for its user."""


class FailedJobs(Fault):
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


# What Hydra and OmegaConf say, and how it is told here: setting: value; what is right.
SEVERAL = "{key}: {value!r} are several values; give one, or -m to sweep over them"
SAYINGS = [
    (r"Could not override .* full_key: (?P<key>\S+).*", "{key}: no such setting{near}"),
    (r"Could not delete from config\. '(?P<key>[^']+)' does not exist.*",
     "~{key}: there is nothing to delete{near}"),
    (r"Could not delete from config\. The value of '(?P<key>[^']+)' is (?P<value>.*) and not .*",
     "{key}: is {value}; give ~{key}={value} to delete it"),
    (r".*Could not find '(?P<group>.+)/(?P<key>[^/']+)' Available options in '[^']+': (?P<options>.*)",
     "{group}: {key!r}; give one of {options}{near}"),
    (r"You must specify '(?P<key>[^']+)', .* Available options: (?P<options>.*)",
     "{key}: missing; give one of {options}"),
    (r"Could not append to config\. .*? already at '(?P<key>[^']+)'.*",
     "+{key}: is there already; give {key}=..."),
    (r"force-add of config groups is not supported: '\+\+(?P<key>.*)'",
     "++{key}: a config group; give {key}"),
    (r"Multiple values for (?P<key>\S+)\. .*", "{key}: has a value already; give {key}=... without a plus"),
    (r"Ambiguous value for argument '(?P<key>[^=]+)=(?P<value>.*?)' 1\. .*", SEVERAL),
    (r"Sweep parameters '(?P<key>[^=]+)=(?P<value>.*)' requires --multirun", SEVERAL),
    (r"Sweeping over Hydra's configuration is not supported : '(?P<key>[^=]+)=(?P<value>.*)'",
     "{key}: {value!r} are several values; give one"),
    (r"Config group override must be a string or a list\. Got (?P<value>.*)",
     "an empty key or a config group: {value}; give the name of an option, as in group=option"),
    (r"Config group override deletion value must .* input_line='(?P<key>[^=]+)=(?P<value>.*?)', .*",
     "{key}: {value!r}; give {key} alone"),
    (r"Cannot find primary config '(?P<value>[^']+)'.*",
     "--config-name: {value!r}; give the name of a file in the folder of configs"),
    (r"Error merging override (?P<key>[^=]+)=(?P<value>.*?) (?P<why>(Value '|Cannot |Invalid ).*?)"
     r"( full_key: .*)?",
     "{key}: {value!r}; give another value ({why})"),
    (r"Missing mandatory value: (?P<key>\S+).*", "{key}: missing; give it as {key}=..."),
]  # fmt: skip


def of_the_user(error: Exception) -> bool:
    """Whether the command line or a config is at fault: Hydra or OmegaConf found it, or it is a Fault."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    found_by = frames[-1].f_globals.get("__name__", "") if frames else ""
    return isinstance(error, HydraException) or found_by.startswith(("hydra.", "omegaconf.", "yaml."))


def told(error: Exception, names: Callable[[], list[str]] = list) -> str:
    """What Hydra or OmegaConf says, in one line, with the name that is nearest to an unknown one."""
    key = getattr(error, "full_key", None)
    if isinstance(error, Fault):
        return str(error)
    text = re.sub(r" (Config s|S)earch path:.*| See https://hydra.cc\S* for details", "", one_line(error))
    if isinstance(error, OverrideParseException):
        reason = re.sub(r"^Error parsing override '.*?' | expecting \{.*", "", text)
        return f"{error.override}: not understood ({reason}); give setting=value, odd characters in quotes"
    if type(error).__module__.startswith("yaml."):
        return f"a config file: not understood ({text}); give YAML"
    if isinstance(error, TypeError):  # [1,2] where Hydra took a list for one of names
        return f"a config group: not understood ({text}); give the name of an option, as in group=option"
    for pattern, saying in SAYINGS:
        if found := re.fullmatch(pattern, text):
            words = found.groupdict(default="") | ({"key": key} if key else {})
            options = words.get("options", "").split()
            near = suggestion(words["key"], options or names()) if "{near}" in saying else ""
            return saying.format_map(words | {"options": ", ".join(options), "near": near})
    text = text.partition(" full_key: ")[0]
    return f"{key}: {text}; give a value" if key else text


def suggestion(word: str, options: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, [option for option in options if option != word], n=1)
    return f"; did you mean {near[0]}?" if near else ""


def names_in(loader: Any, config: DictConfig, prefix: str = "") -> Iterator[str]:
    """Every group and every key that a command line could override."""
    yield from loader.list_groups("") if loader else ()
    for key, value in config.items_ex(resolve=False):
        yield f"{prefix}{key}"
        if isinstance(value, DictConfig) and isinstance(value._content, dict):
            yield from names_in(None, value, f"{prefix}{key}.")


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
