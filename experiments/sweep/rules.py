"""What each setting may be, as tables: setting -> whether a value is right, and what would be."""

import sys
from collections.abc import Callable, Iterable, Mapping

from experiments.store import UNDERSTOOD
from hydra_plugins.hydra_stacked_launcher.messages import suggestion
from tinynet.network import ACTIVATIONS

LARGEST_NET = 1_000_000  # weights
Rule = tuple[Callable[[object], bool], str]


def _whole(low: int, high: int) -> Rule:
    return lambda v: type(v) is int and low <= v <= high, f"a whole number from {low} to {high:,}"


def _one_of(*names: str) -> Rule:
    return names.__contains__, f"one of {', '.join(names)}"


def _is_name(v: object) -> bool:
    return isinstance(v, str) and v.isprintable() and 0 < len(v.strip()) <= 200


def _is_number(v: object) -> bool:
    return type(v) in (int, float)


FLAG: Rule = (lambda v: type(v) is bool, "true or false")
OF_A_RUN: dict[str, Rule] = {
    "learning_rate": (lambda v: _is_number(v) and 0 < v <= sys.float_info.max, "a finite number above 0"),
    "hidden_size": _whole(1, LARGEST_NET),
    "seed": _whole(0, 2**32 - 1),
    "n_epochs": _whole(1, 1_000_000),
    "activation": _one_of(*ACTIVATIONS),
    "bias": FLAG,
    "dtype": _one_of("float64", "float32"),
    "start": _one_of("fresh", "nudged", "continued"),
    "online_error": FLAG,
    "diagnostics": FLAG,
    "converged_below": (lambda v: _is_number(v) and 0 < v < 0.9, "a number above 0 and below 0.9"),
}
OF_THE_COMMAND: dict[str, Rule] = {
    "fresh": FLAG,
    "dry_run": FLAG,
    "tracking.uri": (lambda v: isinstance(v, str), UNDERSTOOD),
    "tracking.experiment": (_is_name, "a name of 1 to 200 characters, numbers quoted"),
}


def faults(plain: Mapping[str, object], rules: Mapping[str, Rule], others: Iterable[str] = ()) -> list[str]:
    """A line for each setting that is unknown, then for each whose value is not right."""
    known = [*rules, *others]
    lines = [f"{key}: no such setting{suggestion(key, known)}" for key in plain if key not in known]
    for key, (is_right, right) in rules.items():
        if not is_right(plain.get(key)):
            lines.append(f"{key}: {plain.get(key)!r}; give {right}")
    return lines
