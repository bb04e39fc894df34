"""What is recorded of a run, as it arrives in the store: names, values and curves that MLflow takes."""

import getpass
import posixpath
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np

from experiments.store.sql import FINGERPRINT, NAME, PARENT

LONGEST = {"key": 250, "param": 6000, "tag": 8000}  # characters that MLflow keeps


@dataclass(frozen=True)
class Run:
    """What is recorded of one run.

    curves: the values at step 0, 1, 2 ..., or a pair (steps, values) with rising steps. Only finite values
    arrive in the store, of metrics and curves alike: NaN breaks MLflow's charts.
    """

    name: str
    fingerprint: str
    params: Mapping[str, object]
    metrics: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, object] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    failed: bool = False


@cache
def context() -> dict[str, str]:
    """The tags that MLflow's own client gives a run of a script."""
    try:
        user = getpass.getuser()
    except (ImportError, KeyError, OSError):  # nobody that the machine knows
        user = "unknown"
    source = sys.argv[0] or "<console>"
    return {"mlflow.user": user, "mlflow.source.name": source, "mlflow.source.type": "LOCAL"}


def complete(run: Run, parent: str | None = None) -> Run:
    """The run with the tags that every run has, checked; parent: run id of its sweep."""
    ours = {FINGERPRINT: run.fingerprint, **({PARENT: parent} if parent else {})}
    return checked(replace(run, tags={**context(), **run.tags, **ours}))


def checked(run: Run) -> Run:
    """The run as it arrives in the store: names that MLflow takes, text, finite curves. Raises ValueError."""
    name = run.name[: LONGEST["key"]]
    names = {NAME: name} if run.fingerprint else {}
    single = {key: ([0], [value]) for key, value in run.metrics.items()}
    curves = {
        valid_name("metric", key): _finite(key, curve) for key, curve in {**single, **run.curves}.items()
    }
    return replace(
        run,
        name=name,
        params={key: valid("param", key, str(value)) for key, value in run.params.items()},
        tags={key: valid("tag", key, str(value)) for key, value in {**run.tags, **names}.items()},
        metrics={},
        curves={key: curve for key, curve in curves.items() if len(curve[0])},
    )


def valid(kind: str, key: str, value: str) -> str:
    """The value, cut where MLflow cuts it."""
    valid_name(kind, key)
    return value[: LONGEST[kind]]


@cache
def valid_name(kind: str, key: str) -> str:
    """The key, if MLflow takes it as a name: it might be that of a file."""
    if not re.fullmatch(r"[/\w.\- :]*", key) or len(key) > LONGEST["key"]:
        what = "letters, digits and _ - . : / or a space"
        raise ValueError(f"{kind} {key!r}: give a name of at most {LONGEST['key']} {what}")
    if posixpath.normpath(key) != key or key == "." or key.startswith(("..", "/")):
        raise ValueError(f"{kind} {key!r}: as a file it would be {posixpath.normpath(key)!r}; give that name")
    return key


def _finite(key: str, curve: object) -> tuple[np.ndarray, np.ndarray]:
    """Steps and values of a curve, without what isn't finite."""
    steps, values = curve if isinstance(curve, tuple) else (np.arange(len(curve)), curve)
    steps, values = np.asarray(steps, dtype=np.int64), np.asarray(values, dtype=np.float64)
    if steps.ndim != 1 or steps.shape != values.shape or np.any(np.diff(steps) <= 0):
        raise ValueError(
            f"curve {key!r}: one value a step, steps rising; got {steps.shape} and {values.shape}"
        )
    keep = np.isfinite(values)
    return (steps, values) if keep.all() else (steps[keep], values[keep])
