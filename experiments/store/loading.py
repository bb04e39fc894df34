"""A sweep as a table and curves, built from the rows that a store hands out. Knows nothing of stores."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

Rows = Sequence[tuple]


@dataclass(frozen=True)
class Recorded:
    """A sweep as the store holds it: its parent run, and a table and curves of its runs.

    runs: a row per run; columns run_id, name, status, params.*, metrics.*, tags.*. Params are numbers or
    booleans where all of a column parse, tags stay text. Rows are sorted by the params, in alphabetical
    order with seed last, then by fingerprint: the same order from every store.
    curves: key -> (n_steps, n_runs), columns in the order of runs, NaN where nothing is recorded.
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


def assemble(
    parent: Mapping[str, object],
    own: Mapping[str, Rows],
    children: Rows,
    contents: Mapping[str, Iterable[tuple]],
    history: Callable[[str, int], Iterable[Rows]],
) -> Recorded:
    """Build a Recorded.

    own and contents: "params", "metrics", "tags" -> rows (run id, key, value, of metrics also the step) of
    the parent and of its children. children: rows (run id, name, status). history(key, n_steps): rows
    (run id, step, value) of all children, in portions.
    """
    runs, last = table(children, contents)
    curves = {}
    for key in sorted(key for key, step in last.items() if step > 0):
        curves[key] = matrix(history(key, last[key] + 1), runs["run_id"], last[key] + 1)
    own = {name: {row[1]: row[2] for row in rows} for name, rows in own.items()}
    return Recorded(**parent, **own, runs=runs, curves=curves)


def table(children: Rows, contents: Mapping[str, Iterable[tuple]]) -> tuple["pd.DataFrame", dict[str, int]]:
    """The runs, sorted; and of each metric the last step of any run."""
    import pandas as pd

    table = pd.DataFrame(children, columns=["run_id", "name", "status"])
    index, last, parts = {run_id: i for i, run_id in enumerate(table["run_id"])}, {}, [table]
    for kind in ("params", "metrics", "tags"):
        columns, same = {}, {}
        for run_id, key, value, *step in contents[kind]:
            if run_id in index:  # else recorded since the others were read
                if key not in columns:
                    columns[key] = [None] * len(table)
                text = isinstance(value, str)  # of which few differ
                columns[key][index[run_id]] = same.setdefault(value, value) if text else value
                if step:
                    last[key] = max(*step, last.get(key, 0))
        part = pd.DataFrame({f"{kind}.{key}": columns[key] for key in sorted(columns)}, index=table.index)
        parts.append(part.apply(_typed) if kind == "params" and len(part) else part)
    table = pd.concat(parts, axis=1)
    by = sorted((c for c in table if c.startswith("params.")), key=lambda c: (c == "params.seed", c))
    by += [c for c in ("tags.fingerprint",) if c in table]
    return table.sort_values([*by, "status", "run_id"], ignore_index=True), last


def _typed(column: "pd.Series") -> "pd.Series":
    """Text as booleans or numbers, where all of it parses."""
    import pandas as pd

    if column.isin(["True", "False"]).all():
        return column == "True"
    try:
        return pd.to_numeric(column)
    except (ValueError, TypeError):
        return column


def matrix(history: Iterable[Rows], run_ids: Sequence[str], n_steps: int) -> np.ndarray:
    """Rows (run id, step, value) in portions -> (n_steps, n_runs), NaN where there is none."""
    curves = np.full((n_steps, len(run_ids)), np.nan)
    column = {run_id: i for i, run_id in enumerate(run_ids)}
    for rows in history:
        for_ids, steps, values = zip(*rows, strict=True)
        columns = np.array([column.get(run_id, -1) for run_id in for_ids])
        known = columns >= 0  # a run may have been recorded since the others were read
        curves[np.array(steps)[known], columns[known]] = np.array(values)[known]
    return curves
