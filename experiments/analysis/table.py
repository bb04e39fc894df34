"""What a recorded sweep holds, as tables: a row per run with its error curve, counts by cell, diagnostics."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from experiments.wording import tidy
from tinynet import outcomes

if TYPE_CHECKING:
    import pandas as pd

    from experiments.store import Loaded

CURVES = ("error", "online_error")  # what else is recorded over epochs are diagnostics
DECIDED = ("exponential", "power", "mixed", "flat")  # laws that two runs can be compared by
CONVERGED_BELOW = 1e-3  # the error of runs recorded before converged_below was a setting
TAUS = [float(f"1e-{k}") for k in range(1, 33)]
TAGS = {  # column of runs -> tag of MLflow
    "mode": "mode",
    "outcome": "outcome",
    "pair": "pair",
    "start_weights": "start",
    "fingerprint": "fingerprint",
    "code": "code",
    "commit": "git.commit",
    "dirty": "git.dirty",
    "numpy": "numpy",
    "machine": "machine",
    "taken_over": "taken_over",
    "failure": "failure",
}
METRICS = ("evaluations", "seconds", "diverged_epoch")
MEASURED = ("converged_error", "final_error", "late_error", "law", "law_s")
RESERVED = re.compile("|".join(("run_id", "name", "status", *TAGS, *METRICS, *MEASURED, "epochs_to_.*")))


def epochs_name(tau: float) -> str:
    """1e-3 -> epochs_to_1e-3, 0.05 -> epochs_to_0.05: the column of runs and the question."""
    return f"epochs_to_{f'{tau:.0e}'.replace('e-0', 'e-') if tau in TAUS else tidy(tau)}"


def known_runs(loaded: "Loaded") -> "Loaded":
    """The sweep without the runs whose mode nobody can tell any more: their tag was deleted."""
    if "tags.mode" not in loaded.runs:
        rows = np.zeros(len(loaded.runs), dtype=bool)
    else:
        rows = (loaded.runs["tags.mode"].fillna("").str.strip() != "").to_numpy()
    curves = {key: curve[:, rows] for key, curve in loaded.curves.items()}
    return replace(loaded, runs=loaded.runs[rows].reset_index(drop=True), curves=curves)


def table_of_runs(loaded: "Loaded", taus: Sequence[float] = ()) -> tuple["pd.DataFrame", np.ndarray]:
    """The table runs.csv, and the error curves of its rows, (n_epochs + 1, n_runs) of the longest run.

    Beside what is recorded: converged_error (below it a run has converged), final_error, late_error (median
    of the last tenth of the epochs), law, law_s, and the epochs to 1e-1 … 1e-32 and to each of taus.
    """
    import pandas as pd

    stored = loaded.runs

    def column(name: str, missing: object) -> "pd.Series":
        return stored[name].fillna(missing) if name in stored else pd.Series(missing, stored.index)

    params = stored.filter(regex=r"^params\.").rename(columns=lambda name: name.removeprefix("params."))
    ours = [name for name in params if not RESERVED.fullmatch(name)]  # any program may log a param "status"
    runs = stored[["run_id", "name", "status"]].join(params[ours])
    runs = runs.assign(**{name: column(f"tags.{tag}", "") for name, tag in TAGS.items()})
    runs["outcome"] = runs["outcome"].where(runs["status"] == "FINISHED", "failed")
    share = runs.get("converged_below", np.nan)
    runs["converged_error"] = (column("metrics.zero_error", np.nan) * share).fillna(CONVERGED_BELOW)

    n_points = int(runs["n_epochs"].max()) + 1
    error = loaded.curves.get("error", np.empty((0, len(runs))))[:n_points]
    if len(error) < n_points:
        error = np.vstack([error, np.full((n_points - len(error), len(runs)), np.nan)])
    parts = []
    for n_epochs, rows in runs.groupby("n_epochs").indices.items():  # a curve ends with its run
        converged_error = runs["converged_error"].to_numpy()[rows]
        parts.append(_measured(error[: int(n_epochs) + 1, rows], converged_error, {*TAUS, *taus}, rows))
    runs = runs.join(pd.concat(parts))
    runs = runs.assign(**{name: column(f"metrics.{name}", np.nan) for name in METRICS})
    runs.loc[runs["outcome"] == "failed", ["final_error", "late_error"]] = np.nan
    runs.loc[runs["taken_over"] != "", "seconds"] = np.nan  # measured in other stacks, on any machine
    return runs, error


def _measured(error: np.ndarray, converged_error: np.ndarray, taus: set[float], rows: np.ndarray):
    """What follows from the curves, a row per run."""
    import pandas as pd

    law, s = outcomes.law(error, converged_error)
    columns = {"final_error": outcomes.final_error(error), "late_error": late_error(error)}
    columns |= {"law": law.astype(object), "law_s": s}
    ordered = sorted(taus, reverse=True)
    for tau, epochs in zip(ordered, epochs_to(error, ordered), strict=True):
        columns[epochs_name(tau)] = epochs
    return pd.DataFrame(columns, index=rows)


def late_error(error: np.ndarray) -> np.ndarray:
    """Median error over the last tenth of the epochs, (n_runs,); inf where the last one is not finite."""
    n_late = max(1, (len(error) - 1) // 10)
    late = np.median(error[-n_late:], axis=0)
    return np.where(np.isfinite(late) & np.isfinite(error[-1]), late, np.inf)


def epochs_to(error: np.ndarray, taus: Sequence[float]) -> np.ndarray:
    """outcomes.epochs_to of several taus at once, (n_taus, n_runs): a search in each run's least error."""
    least = np.minimum.accumulate(np.where(np.isnan(error), np.inf, error), axis=0)
    rising = np.ascontiguousarray(-least.T)  # (n_runs, n_epochs + 1)
    wanted = np.negative(taus)
    first = np.array([np.searchsorted(row, wanted) for row in rising], dtype=float).T
    first[first == len(error)] = np.nan
    return first


def few(values: Sequence, most: int) -> list:
    """At most so many of the values, evenly spaced, with the first and the last."""
    chosen = np.linspace(0, len(values) - 1, min(most, len(values))).round().astype(int)
    return [values[i] for i in chosen]


def settings_of(runs: "pd.DataFrame") -> list[str]:
    """The columns that hold settings."""
    columns = list(runs.columns)
    return columns[columns.index("status") + 1 : columns.index("mode")]


def cell_names(runs: "pd.DataFrame", cell_keys: Sequence[str]) -> np.ndarray:
    """The name of each run's cell, "learning_rate=0.1 hidden_size=4"; "single" where nothing varies."""
    names = np.full(len(runs), "single", dtype=object)
    if cell_keys:
        words = [[f"{key}={tidy(value)}" for value in runs[key]] for key in cell_keys]
        names[:] = [" ".join(parts) for parts in zip(*words, strict=True)]
    return names


def n_rows(runs: "pd.DataFrame") -> int | None:
    """Rows of the problem, which are the steps of an epoch; None where the runs do not tell."""
    import tinynet

    problems = runs.filter(regex=r"^problem(\.|$)").drop_duplicates().to_dict("records")
    if len(problems) != 1:
        return None
    kind = problems[0].pop("problem")
    make = getattr(tinynet.Problem, kind, None) or getattr(tinynet.Problem, f"from_{kind}", None)
    try:
        return make(**{key.removeprefix("problem."): value for key, value in problems[0].items()}).n_rows
    except (ValueError, TypeError, OSError):  # a problem of the user's own, a file that has gone
        return None


def diagnostics(loaded: "Loaded") -> "pd.DataFrame":
    """diagnostics.csv: a row per mode and watched epoch; of each diagnostic the median over its runs."""
    import pandas as pd

    watched = {key: curve for key, curve in loaded.curves.items() if key not in CURVES}
    if not watched:
        return pd.DataFrame()
    tables = []
    for mode, rows in loaded.runs.groupby("tags.mode").indices.items():
        finite = {
            key: pd.DataFrame(curve[:, rows]).replace([np.inf, -np.inf], np.nan)
            for key, curve in watched.items()
        }
        n_runs = pd.DataFrame({key: curve.count(axis=1) for key, curve in finite.items()}).max(axis=1)
        medians = {key: curve.median(axis=1) for key, curve in finite.items()}
        table = pd.DataFrame({"mode": mode, "epoch": n_runs.index, "n_runs": n_runs.astype(int), **medians})
        tables.append(table[n_runs > 0])
    return pd.concat(tables, ignore_index=True)


def counts_by_cell(runs: "pd.DataFrame", cell_keys: Sequence[str]) -> "pd.DataFrame":
    """modes.csv: per mode and cell, of all runs: counts by outcome and by law, cost."""
    by = [runs["mode"], cell_names(runs, cell_keys)]
    groups = runs.groupby(by, sort=False)
    counts = groups.size().to_frame("n_runs").rename_axis(["mode", "cell"])
    for name in (*outcomes.OUTCOMES, "failed"):
        counts[name] = (runs["outcome"] == name).groupby(by, sort=False).sum()
    for name in DECIDED:
        counts[f"law_{name}"] = (runs["law"] == name).groupby(by, sort=False).sum()
    counts["evaluations"] = groups["evaluations"].first()
    counts["median_seconds"] = groups["seconds"].median()
    return counts.reset_index()
