"""Sweeps out of a store: a table and curves of their runs, the same from every kind of store."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

import numpy as np

from experiments.store.address import Address, NoStore, complaint
from experiments.store.client import Client
from experiments.store.entries import FINGERPRINT, INFINITE
from experiments.store.opening import reading, sweep_into
from experiments.store.transactions import Tables

if TYPE_CHECKING:
    import pandas as pd


LONGEST_CURVE = 1_000_000  # steps; n_epochs can be no more


@dataclass(frozen=True)
class Loaded:
    """A sweep as the store holds it: its parent run, and a table and curves of its runs.

    runs: a row per run; columns run_id, name, status, params.*, metrics.*, tags.*. Params are numbers or
    booleans where all of a column parse, tags stay text. Rows are sorted by the params, in alphabetical
    order with seed last, then by fingerprint: the same order from every store.
    curves: key -> (n_steps, n_runs), columns in the order of runs, NaN where nothing is recorded.
    Values that aren't finite, and steps beyond the param n_epochs, are not ours and passed over.
    """

    run_id: str
    name: str
    status: str
    experiment: str
    experiment_id: str
    start_time: int  # ms since 1970, as end_time
    end_time: int | None
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    runs: "pd.DataFrame"
    curves: Mapping[str, np.ndarray]


def load_sweep(uri: str, experiment: str | None = None, sweep: str | None = None) -> Loaded:
    """The newest sweep in the store, or of an experiment, or the one of that name or run id.

    Raises StoreError. A database is read without importing mlflow, a server in one call for many runs.
    """
    with reading(uri) as (where, backend):
        candidates = backend.sweeps(experiment)
        matching = [row for row in candidates if sweep in (None, row["name"], row["run_id"])]
        if not matching:
            raise complaint(where.uri, _no_sweep(where, experiment, sweep, candidates, backend.sweeps(None)))
        parent = matching[0]
        run_id = parent["run_id"]
        contents = backend.contents(run_id, of_children=False)
        fields = {kind: {row[1]: row[2] for row in rows} for kind, rows in contents.items()}
        fields["metrics"] = {key: value for key, value in fields["metrics"].items() if _is_finite(value)}
        runs, last_steps = _table(backend.children(run_id), backend.contents(run_id, of_children=True))
        most = _most_steps(runs)
        curves = {
            key: backend.curves(run_id, key, list(runs["run_id"]), min(last_step, most) + 1)
            for key, last_step in sorted(last_steps.items())
            if last_step > 0
        }
        return Loaded(**parent, **fields, runs=runs, curves=curves)


def _most_steps(runs: "pd.DataFrame") -> int:
    """The last step that a curve of these runs can have: any program may log a metric at step 10⁹."""
    n_epochs = runs.get("params.n_epochs")
    if n_epochs is None or n_epochs.dtype.kind not in "iuf" or not n_epochs.max() > 0:
        return LONGEST_CURVE
    return min(int(n_epochs.max()), LONGEST_CURVE)


def _is_finite(value: float | None) -> bool:
    return value is not None and abs(value) < INFINITE


def _table(children: Sequence[tuple], contents: Mapping) -> tuple["pd.DataFrame", dict[str, int]]:
    """The runs, sorted; and of each metric the last step of any run.

    children: rows (run id, name, status). contents: "params", "metrics", "tags" -> rows (run id, key, value),
    of metrics also the step. Those of other runs are passed over: recorded since the children were read.
    """
    import pandas as pd

    runs = pd.DataFrame(children, columns=["run_id", "name", "status"])
    run_ids = [child[0] for child in children]
    parts = [runs]
    last_steps = {}
    for kind in ("params", "metrics", "tags"):
        values = defaultdict(dict)  # key -> run id -> value
        for run_id, key, value, *step in contents[kind]:
            if kind != "metrics" or _is_finite(value):
                values[key][run_id] = value
            if step:
                last_steps[key] = max(step[0], last_steps.get(key, 0))
        columns = {f"{kind}.{key}": list(map(values[key].get, run_ids)) for key in sorted(values)}
        parts.append(pd.DataFrame(columns, index=runs.index))
    if children:
        parts[1] = parts[1].apply(_parsed)
    table = pd.concat(parts, axis=1)
    params = sorted(parts[1], key=lambda column: (column == "params.seed", column))
    fingerprint = [column for column in parts[3] if column == "tags.fingerprint"]
    table = table.sort_values([*params, *fingerprint, "status", "run_id"], ignore_index=True)
    return _each_once(table, fingerprint), last_steps


def _each_once(table: "pd.DataFrame", fingerprint: Sequence[str]) -> "pd.DataFrame":
    """Processes that do the same at once, through MLflow's client, may both have recorded a run."""
    if not fingerprint:
        return table
    finished_first = table.sort_values("status", key=lambda status: status != "FINISHED", kind="stable")
    again = finished_first.duplicated(fingerprint) & finished_first["tags.fingerprint"].notna()
    return table[~again.sort_index()].reset_index(drop=True)


def _parsed(column: "pd.Series") -> "pd.Series":
    """Text as booleans or numbers, where all of it parses."""
    import pandas as pd

    if column.isin(["True", "False"]).all():
        return column == "True"
    try:
        return pd.to_numeric(column)
    except (ValueError, TypeError):
        return column


def _no_sweep(
    where: Address, experiment, sweep, candidates: Sequence[dict], everything: Sequence[dict]
) -> str:
    """Why nothing is loaded: candidates are the sweeps of the experiment, everything those of the store."""
    within = f" of experiment {experiment!r}" if experiment else ""
    if candidates:
        names = [candidate["name"] for candidate in candidates]
        asked = sweep
        message = f"no sweep {sweep!r}{within}"
    else:
        names = list(dict.fromkeys(other["experiment"] for other in everything))
        asked = experiment
        message = f"no sweep{within}"
    if not names:
        return f"there is no sweep in it yet; `{sweep_into(where)}` records one"
    near = get_close_matches(asked, names, 1)
    if near:
        return f"{message}; did you mean {near[0]}?"
    return f"{message}; there are {', '.join(names[:5])}"


def sweeps(uri: str) -> list[dict]:
    """Every sweep in the store, newest first: run_id, name, status, experiment, experiment_id, times."""
    with reading(uri) as (_, backend):
        return backend.sweeps(None)


def recorded(backend: Tables | Client, parent: str) -> dict[str, tuple[str | None, float]]:
    """fingerprint -> (outcome, final_error) of a sweep's FINISHED runs; infinite where none was recorded."""
    finished = {run_id for run_id, _, status in backend.children(parent) if status == "FINISHED"}
    contents = backend.contents(parent, of_children=True)
    tags = {(run_id, key): value for run_id, key, value in contents["tags"]}
    metrics = {(run_id, key): value for run_id, key, value, _ in contents["metrics"] if _is_finite(value)}
    results = {}
    for (run_id, key), value in tags.items():
        if key == FINGERPRINT and run_id in finished:
            results[value] = (tags.get((run_id, "outcome")), metrics.get((run_id, "final_error"), np.inf))
    return results


def foreseen(uri: str, experiment: str, fingerprint: str, wanted: Iterable[str]) -> tuple[int, int]:
    """How many runs of a sweep are there, and how many it would copy from other sweeps. Makes nothing."""
    try:
        with reading(uri) as (_, backend):
            same = backend.sweeps(experiment, fingerprint)
            there = set(recorded(backend, same[0]["run_id"])) if same else set()
            return len(there), len(backend.finished(set(wanted) - there))
    except NoStore:
        return 0, 0
