"""What is recorded of a run: names, values and curves that MLflow takes, and curves as rows of a table."""

import getpass
import hashlib
import posixpath
import re
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import islice, repeat

import numpy as np

PARENT, SWEEP, FINGERPRINT = "mlflow.parentRunId", "sweep", "fingerprint"  # tags that we search by
NAME, TAKEN = "mlflow.runName", "taken_over"  # TAKEN: which run of another sweep a run is a copy of
MARKS = (FINGERPRINT, "command")  # every sweep of ours has one of these: any program may tag runs "sweep"
LONGEST = {"key": 250, "param": 6000, "tag": 8000}  # characters that MLflow keeps
POINT = np.dtype([("column", np.int64), ("step", np.int64), ("value", np.float64)])
BLOCK = 50_000  # points at once from rows to arrays
INFINITE = np.finfo(float).max  # what MLflow keeps of an infinite value


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
    tags = {**context(), **run.tags, FINGERPRINT: run.fingerprint}
    if parent:
        tags[PARENT] = parent
    return checked(replace(run, tags=tags))


def checked(run: Run) -> Run:
    """The run as it arrives in the store: names that MLflow takes, text, finite curves. Raises ValueError."""
    name = run.name[: LONGEST["key"]]
    tags = {**run.tags, NAME: name} if run.fingerprint else run.tags
    single_values = {key: ([0], [value]) for key, value in run.metrics.items()}
    curves = {}
    for key, curve in {**single_values, **run.curves}.items():
        valid_name("metric", key)
        steps, values = _finite(key, curve)
        if len(steps):
            curves[key] = (steps, values)
    return replace(
        run,
        name=name,
        params={key: valid("param", key, str(value)) for key, value in run.params.items()},
        tags={key: valid("tag", key, str(value)) for key, value in tags.items()},
        metrics={},
        curves=curves,
    )


def valid(kind: str, key: str, value: str) -> str:
    """The value, cut where MLflow cuts it."""
    valid_name(kind, key)
    return value[: LONGEST[kind]]


@cache
def valid_name(kind: str, key: str) -> str:
    """The key, if MLflow takes it as a name: it might be that of a file."""
    if not re.fullmatch(r"[/\w.\- :]*", key) or len(key) > LONGEST["key"]:
        allowed = "letters, digits and _ - . : / or a space"
        raise ValueError(f"{kind} {key!r}: give a name of at most {LONGEST['key']} {allowed}")
    if posixpath.normpath(key) != key or key == "." or key.startswith(("..", "/")):
        raise ValueError(f"{kind} {key!r}: as a file it would be {posixpath.normpath(key)!r}; give that name")
    return key


def _finite(key: str, curve: object) -> tuple[np.ndarray, np.ndarray]:
    """Steps and values of a curve, without what isn't finite."""
    if not isinstance(curve, tuple):
        curve = (np.arange(len(curve)), curve)
    steps = np.asarray(curve[0], dtype=np.int64)
    values = np.asarray(curve[1], dtype=np.float64)
    if steps.ndim != 1 or steps.shape != values.shape or np.any(np.diff(steps) <= 0):
        shapes = f"{steps.shape} and {values.shape}"
        raise ValueError(f"curve {key!r}: one value a step, steps rising; got {shapes}")
    keep = np.isfinite(values)
    return steps[keep], values[keep]


def now() -> int:
    """Milliseconds since 1970, as MLflow counts time."""
    return time.time_ns() // 1_000_000


def new_run_id(start: int, *parts: str) -> str:
    """Follows from its arguments; neighbours in an index are runs whose fingerprints (last part) begin alike.

    A stack of such runs costs the same in a sweep of 100,000; scattered ones four times as much.
    """
    return f"{start:012x}{parts[-1][:4]:0>4}" + hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def metric_rows(runs: Mapping[str, Run], time: int) -> Iterator[tuple]:
    """Rows of `metrics` in the order of its primary key, key, timestamp, step, run: it is appended to.

    runs: id -> run with curves key -> (steps, values), sorted by id.
    """
    curves = defaultdict(list)
    for run_id, run in runs.items():
        for key, (steps, values) in run.curves.items():
            curves[key].append((run_id, steps, values))
    for key in sorted(curves):
        run_ids, steps, values = zip(*curves[key], strict=True)
        position = np.repeat(np.arange(len(run_ids)), [len(part) for part in steps])
        steps = np.concatenate(steps)
        values = np.concatenate(values)
        order = np.argsort(steps, kind="stable")
        run_of_point = map(run_ids.__getitem__, position[order].tolist())
        points = (values[order].tolist(), repeat(time), steps[order].tolist(), repeat(False), run_of_point)
        yield from zip(repeat(key), *points)


def matrix(rows: Iterable[tuple], run_ids: Sequence[str], n_steps: int) -> tuple[np.ndarray, int]:
    """Rows (run id, step, value) -> (n_steps, n_runs), NaN where there is none; and how many points it took.

    Rows of other runs are passed over: they may have been recorded since run_ids were read. So are other
    steps and values that aren't finite, which we don't record. Of several values at a step the last counts.
    """
    curves = np.full((n_steps, len(run_ids)), np.nan)
    columns = {run_id: i for i, run_id in enumerate(run_ids)}
    points = ((columns.get(run_id, -1), step, value) for run_id, step, value in rows)
    n_points = 0
    while len(block := np.fromiter(islice(points, BLOCK), POINT)):
        block = block[block["column"] >= 0]
        n_points += len(block)
        block = block[(block["step"] >= 0) & (block["step"] < n_steps) & (np.abs(block["value"]) < INFINITE)]
        curves[block["step"], block["column"]] = block["value"]
    return curves, n_points
