"""What a recorded sweep holds, as tables: a row per run, counts by mode and cell, diagnostics."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from experiments.analysis.estimates import DECIDED, epochs_name
from experiments.analysis.statistics import TAUS
from experiments.store.loaded import Recorded
from experiments.wording import tidy
from tinynet import outcomes

if TYPE_CHECKING:
    import pandas as pd

CURVES = ("error", "online_error")  # what else is recorded over epochs are diagnostics
TAGS = dict(
    mode="mode", outcome="outcome", pair="pair", start_weights="start", fingerprint="fingerprint",
    code="code", commit="git.commit", dirty="git.dirty", numpy="numpy", machine="machine",
    taken_over="taken_over", failure="failure",
)  # fmt: skip


def table_of_runs(sweep: Recorded) -> tuple["pd.DataFrame", np.ndarray]:
    """runs.csv, and the error curves (n_epochs + 1, n_runs) of its rows, n_epochs that of the longest run."""
    import pandas as pd

    stored = sweep.runs

    def column(name, missing):
        return stored[name].fillna(missing) if name in stored else pd.Series(missing, stored.index)

    runs = stored[["run_id", "name", "status"]].join(
        stored.filter(regex=r"^params\.").rename(columns=lambda c: c.removeprefix("params."))
    )
    runs = runs.assign(**{name: column(f"tags.{tag}", "") for name, tag in TAGS.items()})
    runs["outcome"] = runs["outcome"].where(runs["status"] == "FINISHED", "failed")
    error = np.full((int(runs["n_epochs"].max()) + 1, len(runs)), np.nan)
    recorded = sweep.curves.get("error", error)[: len(error)]
    error[: len(recorded)] = recorded
    of_epochs = runs.groupby("n_epochs").indices.items()  # outcomes takes runs that share their last epoch
    runs = runs.join(pd.concat([_measured(error[: int(n) + 1, of], of) for n, of in of_epochs]))
    runs = runs.assign(
        **{k: column(f"metrics.{k}", np.nan) for k in ("evaluations", "seconds", "diverged_epoch")}
    )
    runs.loc[runs["outcome"] == "failed", "final_error"] = np.nan
    runs.loc[runs["taken_over"] != "", "seconds"] = np.nan  # measured in other stacks, on any machine
    return runs, error


def _measured(error: np.ndarray, index: np.ndarray) -> "pd.DataFrame":
    import pandas as pd

    law, s = outcomes.law(error)
    epochs = {epochs_name(tau): outcomes.epochs_to(error, tau) for tau in TAUS}
    columns = {"final_error": outcomes.final_error(error), "law": law.astype(object), "law_s": s, **epochs}
    return pd.DataFrame(columns, index=index)


def settings_of(runs: "pd.DataFrame") -> list[str]:
    columns = list(runs.columns)
    return columns[columns.index("status") + 1 : columns.index("mode")]


def cell_names(runs: "pd.DataFrame", cell_keys: Sequence[str]) -> np.ndarray:
    words = [[f"{key}={tidy(value)}" for value in runs[key]] for key in cell_keys]
    names = map(" ".join, zip(*words, strict=True)) if words else ["single"] * len(runs)
    return np.array(list(names), dtype=object)


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


def diagnostics(sweep: Recorded) -> "pd.DataFrame":
    """diagnostics.csv: a row per mode and watched epoch; of each diagnostic the median over its runs."""
    import pandas as pd

    watched, parts = {key: curve for key, curve in sweep.curves.items() if key not in CURVES}, []
    for mode, of in sweep.runs.groupby("tags.mode").indices.items() if watched else ():
        finite = {key: pd.DataFrame(c[:, of]).where(np.isfinite(c[:, of])) for key, c in watched.items()}
        n_runs = pd.DataFrame({key: c.count(axis=1) for key, c in finite.items()}).max(axis=1).astype(int)
        medians = {key: c.median(axis=1) for key, c in finite.items()}
        table = pd.DataFrame({"mode": mode, "epoch": n_runs.index, "n_runs": n_runs, **medians})
        parts.append(table[n_runs > 0])
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def modes_by_cell(runs: "pd.DataFrame", cell_keys: Sequence[str]) -> "pd.DataFrame":
    """modes.csv: per mode and cell, of all runs: counts by outcome and by law, cost."""
    by = [runs["mode"], cell_names(runs, cell_keys)]
    groups = runs.groupby(by, sort=False)
    table = groups.size().to_frame("n_runs").rename_axis(["mode", "cell"])
    counted = [("outcome", name, name) for name in (*outcomes.OUTCOMES, "failed")]
    for column, value, name in counted + [("law", name, f"law_{name}") for name in DECIDED]:
        table[name] = (runs[column] == value).groupby(by, sort=False).sum()
    table["evaluations"] = groups["evaluations"].first()
    table["median_seconds"] = groups["seconds"].median()
    return table.reset_index()
