"""From a recorded sweep to numbers: a table of runs, pairs with a reference mode, comparisons by cell."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

import numpy as np

from experiments import comparison, outcomes
from experiments.comparison import FEWEST_SEEDS, MARGINS, TAUS, Arm, Margins, Pairing
from experiments.tracking import Recorded

if TYPE_CHECKING:
    import pandas as pd

PRACTICAL = {
    "epochs": 1e-3,
    "epochs_1e-6": 1e-6,
    "epochs_1e-9": 1e-9,
}  # field -> error whose epochs are compared
DECIDED = ("exponential", "power", "mixed", "flat")  # laws that two runs can be compared by
CURVES = ("error", "online_error")  # what else is recorded over epochs are diagnostics
OF_A_MODE = re.compile(r"gradient(\..*)?|start|dtype")  # settings that tell modes apart
TAGS = dict(
    mode="mode", outcome="outcome", pair="pair", start_weights="start", fingerprint="fingerprint",
    code="code", commit="git.commit", dirty="git.dirty", failure="failure",
)  # fmt: skip


class ReportError(ValueError):
    """Why there can be no report: field, value, and what to do."""


@dataclass(frozen=True)
class Analysis:
    """A sweep and all that is computed from it.

    runs: a row per run, as in runs.csv; error (n_epochs + 1, n_runs): its columns are the rows of runs, and
    n_epochs is that of the longest. comparisons: by mode, rows of comparison.csv, the one for all cells last.
    own_rate: modes without a run at a learning rate of the reference, paired with it all the same.
    """

    sweep: Recorded
    runs: "pd.DataFrame"
    error: np.ndarray
    modes: list[str]  # the reference first
    cell_keys: list[str]  # settings that vary between cells
    pairings: Mapping[str, Pairing]
    comparisons: Mapping[str, list[dict]]
    margins: Margins
    own_rate: frozenset[str] = frozenset()

    @property
    def reference(self) -> str:
        return self.modes[0]


def analyse(sweep: Recorded, reference: str | None = None, margins: Margins = MARGINS) -> Analysis:
    """Pair each mode with the reference: analytic, or what is nearest to it. ReportError if none can be."""
    again = f"`{command_of(sweep)}`"
    if sweep.runs.empty:
        raise ReportError(f"sweep={sweep.name}: no run is recorded yet; go on with {again}")
    runs, error = table_of_runs(sweep)
    modes = sorted(set(runs["mode"]), key=_place)
    reference = modes[0] if reference is None else reference
    if reference not in modes:
        close = get_close_matches(reference, modes, 1)
        hint = f"did you mean {close[0]!r}?" if close else f"give one of: {', '.join(modes)}"
        raise ReportError(f"reference={reference}: no such mode in sweep {sweep.name}; {hint}")
    if len(modes) < 2:
        raise ReportError(
            f"sweep={sweep.name}: its {len(runs)} runs are all of the mode {reference}, which makes no pair; "
            "run a sweep over two modes, such as gradient=analytic,numeric"
        )
    modes = [reference, *(mode for mode in modes if mode != reference)]
    keys = [
        k
        for k in settings_of(runs)
        if k != "seed" and not OF_A_MODE.fullmatch(k) and runs[k].nunique(dropna=False) > 1
    ]
    keys.sort(key=lambda key: (key != "learning_rate", key != "hidden_size"))
    continued = set(runs["mode"][runs["start"] == "continued"])
    others = [m for m in modes[1:] if (m in continued) == (reference in continued)]  # else see tutorial.py
    own_rate = frozenset(mode for mode in others if _own_rate(runs, mode, reference))
    pairings = {mode: paired(runs, mode, reference, keys, mode in own_rate) for mode in others}
    n_planned = int(sweep.params.get("n_runs") or 0)
    if 0 < n_planned <= len(set(zip(runs["pair"], runs["mode"], strict=True))):  # nothing is missing
        pairings = {mode: _of_the_grid(pairing) for mode, pairing in pairings.items()}
    if not any(len(pairing.a) for pairing in pairings.values()):
        raise ReportError(
            f"sweep={sweep.name}: none of its {len(runs)} runs has a finished partner of mode {reference} "
            f"with the same start; run what is missing with {again}"
        )
    compared = {mode: compare(runs, pairings[mode], mode, reference, keys, margins) for mode in pairings}
    return Analysis(sweep, runs, error, modes, keys, pairings, compared, margins, own_rate)


def _place(mode: str) -> tuple:
    """Analytic first; then by name and variant, from wide h to narrow."""
    name, *words = mode.split()
    h = next((float(word[2:]) for word in words if re.fullmatch(r"h=[\d.e+-]+", word)), 0.0)
    variant = [word for word in words if not word.startswith("h=")]
    return name != "analytic", name, variant, -h, mode


def _own_rate(runs: "pd.DataFrame", mode: str, reference: str) -> bool:
    """Whether both have one learning rate each, and not the same."""
    a, b = (set(runs["learning_rate"][runs["mode"] == one]) for one in (mode, reference))
    return len(a) == len(b) == 1 and a != b


def _of_the_grid(pairing: Pairing) -> Pairing:
    """Without the partners that no grid held: in a sweep that is complete nothing else is missing."""
    never = {one.pair for one in pairing.left_out if one.reason == "missing"}
    return pairing._replace(left_out=[one for one in pairing.left_out if one.pair not in never])


def command_of(sweep: Recorded) -> str:
    """The command that trains what is missing of a sweep: its own, again."""
    return sweep.tags.get("command") or f"python -m experiments.run experiment={sweep.experiment}"


def table_of_runs(sweep: Recorded) -> tuple["pd.DataFrame", np.ndarray]:
    """runs.csv and the error curves; see Analysis."""
    import pandas as pd

    stored = sweep.runs

    def column(name, missing):
        return stored[name].fillna(missing) if name in stored else pd.Series(missing, stored.index)

    runs = stored[["run_id", "name", "status"]].join(
        stored.filter(regex=r"^params\.").rename(columns=lambda c: c[7:])
    )
    runs = runs.assign(**{name: column(f"tags.{tag}", "") for name, tag in TAGS.items()})
    runs["outcome"] = runs["outcome"].where(runs["status"] == "FINISHED", "failed")
    longest = int(runs["n_epochs"].max())
    error = np.full((longest + 1, len(runs)), np.nan)
    recorded = sweep.curves.get("error", error)[: longest + 1]
    error[: len(recorded)] = recorded
    measured = {"final_error": np.inf, "law": "none", "law_s": np.nan} | dict.fromkeys(
        map(epochs_name, TAUS), np.nan
    )
    measured = {name: np.full(len(runs), missing, dtype=np.asarray(missing).dtype.char.replace("U", "O"))
                for name, missing in measured.items()}  # fmt: skip
    for n_epochs in sorted(set(runs["n_epochs"])):  # outcomes takes runs that share their last epoch
        rows = np.flatnonzero(runs["n_epochs"] == n_epochs)
        curves = error[: int(n_epochs) + 1, rows]
        measured["final_error"][rows] = outcomes.final_error(curves)
        measured["law"][rows], measured["law_s"][rows] = outcomes.law(curves)
        for tau in TAUS:
            measured[epochs_name(tau)][rows] = outcomes.epochs_to(curves, tau)
    for name in ("evaluations", "seconds", "diverged_epoch"):
        measured[name] = column(f"metrics.{name}", np.nan)
    runs = runs.assign(**measured)
    runs.loc[runs["outcome"] == "failed", "final_error"] = np.nan
    return runs, error


def epochs_name(tau: float) -> str:
    return f"epochs_to_{tau:.0e}".replace("e-0", "e-")


def settings_of(runs: "pd.DataFrame") -> list[str]:
    columns = list(runs.columns)
    return columns[columns.index("status") + 1 : columns.index("mode")]


def by_design(runs: "pd.DataFrame", *modes: str) -> bool:
    """Whether modes start elsewhere because they say so: nudged, continued, or rounded to another dtype."""
    of = runs["mode"].isin(modes)
    return len(set(zip(runs["start"][of], runs["dtype"][of], strict=True))) > 1


def paired(
    runs: "pd.DataFrame", mode: str, reference: str, cell_keys: Sequence[str], own_rate: bool = False
) -> Pairing:
    """The pairs by cell and seed. Equal start bytes are demanded, unless modes differ in them by design.

    own_rate: the learning rate may differ.
    """
    pair = runs["pair"]
    if own_rate:
        same = [k for k in settings_of(runs) if k != "learning_rate" and not OF_A_MODE.fullmatch(k)]
        pair = runs[same].astype(str).agg(" ".join, axis=1)
    start = pair if by_design(runs, mode, reference) else runs["start_weights"]
    columns = {
        "pair": pair,
        "mode": runs["mode"],
        "start": start,
        "failed": runs["outcome"] == "failed",
    }
    pairing = comparison.pair_up(columns, mode, reference)
    order = (
        runs.iloc[pairing.b].reset_index().sort_values([*cell_keys, "seed"], kind="stable").index.to_numpy()
    )
    return pairing._replace(a=pairing.a[order], b=pairing.b[order])


def cell_names(rows: "pd.DataFrame", cell_keys: Sequence[str]) -> np.ndarray:
    columns = [
        [f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}" for value in rows[key]]
        for key in cell_keys
    ]
    return np.array(
        [" ".join(words) for words in zip(*columns, strict=True)] if columns else ["single"] * len(rows),
        dtype=object,
    )


def compare(
    runs, pairing: Pairing, mode: str, reference: str, cell_keys: Sequence[str], margins: Margins
) -> list[dict]:
    """comparison.compare's rows, and of each: what it compares, epochs to further errors, laws, cost."""
    a, b = (runs.iloc[rows].reset_index(drop=True) for rows in (pairing.a, pairing.b))
    cell, seed = cell_names(b, cell_keys), b["seed"].to_numpy()
    n_epochs = int(b["n_epochs"].min()) if len(b) else 0
    first = epochs_name(PRACTICAL["epochs"])
    arms = [Arm(*(half[name].to_numpy() for name in ("outcome", "final_error", first))) for half in (a, b)]
    rows = comparison.compare(*arms, n_epochs, seed, cell, margins)
    for row in rows:
        of = np.flatnonzero(cell == row["cell"]) if row is not rows[-1] else np.arange(len(b))
        half_a, half_b, seeds = a.iloc[of], b.iloc[of], seed[of]
        row["epochs_run_min"], row["epochs_run_max"] = half_b["n_epochs"].min(), half_b["n_epochs"].max()
        for field, tau in PRACTICAL.items():
            epochs = [half[epochs_name(tau)].to_numpy() for half in (half_a, half_b)]
            row |= _fields(field, comparison.epochs_difference(*epochs, n_epochs, seeds), margins.epochs)
            beyond = comparison.epochs_beyond(*epochs, n_epochs, margins.epochs, seeds)
            row |= {f"{field}_beyond": beyond.value, f"{field}_beyond_low": beyond.low,
                    f"{field}_beyond_high": beyond.high}  # fmt: skip
        both = half_a["law"].isin(DECIDED).to_numpy() & half_b["law"].isin(DECIDED).to_numpy()
        laws = [half["law"].to_numpy()[both] for half in (half_a, half_b)]
        row |= _fields("law", comparison.other(*laws, seeds[both]), margins.share) | {
            "law_seeds": len(set(seeds[both]))
        }
        for arm, half, law in (("a", half_a, laws[0]), ("b", half_b, laws[1])):
            row |= {f"{arm}_{name}": int((law == name).sum()) for name in DECIDED}
            row[f"{arm}_power_s"] = comparison.median(half["law_s"].to_numpy()[both][law == "power"]).value
            row[f"{arm}_evaluations_min"], row[f"{arm}_evaluations_max"] = (
                half["evaluations"].min(),
                half["evaluations"].max(),
            )
            row[f"{arm}_seconds"] = half["seconds"].median()
        ratio = half_a["evaluations"].to_numpy() / half_b["evaluations"].to_numpy()
        row["ratio_min"], row["ratio_max"] = (ratio.min(), ratio.max()) if len(of) else (np.nan, np.nan)
        for key in [
            key for key in row if key.endswith("_verdict")
        ]:  # one pair of one would bound a share above 1 %
            if row["law_seeds" if key == "law_verdict" else "n_seeds"] < FEWEST_SEEDS:
                row[key] = "unresolved"
    head = {"a": mode, "b": reference}
    values = {name: b[cell == name].iloc[0][list(cell_keys)].to_dict() for name in dict.fromkeys(cell)}
    return [
        head | {"cell": row["cell"]} | values.get(row["cell"], dict.fromkeys(cell_keys)) | row for row in rows
    ]


def _fields(name: str, estimate: comparison.Estimate, margin: float) -> dict:
    value, *parts = estimate
    names = (f"{name}_{part}" for part in estimate._fields[1:])
    return {name: value, **dict(zip(names, parts, strict=True)), f"{name}_verdict": estimate.verdict(margin)}


def left_out(analysis: Analysis) -> list[dict]:
    """Every run without a partner and every partner without a run, and why."""
    runs, told = analysis.runs, []
    of_pair = dict(zip(runs["pair"][::-1], runs.index[::-1], strict=True))
    for mode, pairing in analysis.pairings.items():
        for one in pairing.left_out:
            partner = runs.loc[
                one.rows[0] if one.rows else of_pair[one.pair]
            ]  # knows the settings of a run that is missing
            cell = {key: partner[key] for key in (*analysis.cell_keys, "seed")}
            names = [runs["name"][row] for row in one.rows]
            failure = "; ".join(sorted({runs["failure"][row] for row in one.rows} - {""}))
            told.append({"compared": mode, "mode": one.mode, "reason": one.reason, **cell,
                         "runs": "; ".join(names), "failure": failure})  # fmt: skip
    return told


def n_rows(runs: "pd.DataFrame") -> int | None:
    """Rows of the problem, which are the steps of an epoch; None where the runs do not tell."""
    import tinynet

    keys = [key for key in settings_of(runs) if key.partition(".")[0] == "problem"]
    problems = runs[keys].drop_duplicates().to_dict("records")
    if len(problems) != 1:
        return None
    kind, *values = (
        problems[0].get(k) for k in ("problem", "problem.n_bits", "problem.path", "problem.target")
    )
    n_bits, path, target = values
    make = {
        "streetlights": tinynet.Problem.streetlights,
        "xor": tinynet.Problem.xor,
        "parity": lambda: tinynet.Problem.parity(int(n_bits)),
        "csv": lambda: tinynet.Problem.from_csv(path, target),
    }
    try:
        return make[kind]().n_rows
    except (KeyError, ValueError, TypeError, OSError):  # a problem of the user's own, a file that has gone
        return None


def diagnostics(sweep: Recorded) -> "pd.DataFrame":
    """diagnostics.csv: a row per mode and watched epoch; of each diagnostic the median over its runs."""
    import pandas as pd

    watched = {key: curve for key, curve in sweep.curves.items() if key not in CURVES}
    rows = []
    for mode, of in sweep.runs.groupby("tags.mode").indices.items() if watched else ():
        for epoch in range(max(map(len, watched.values()))):
            values = {key: c[epoch, of] for key, c in watched.items() if epoch < len(c)}
            values = {key: v[np.isfinite(v)] for key, v in values.items()}
            if any(v.size for v in values.values()):
                medians = {key: np.median(v) if v.size else np.nan for key, v in values.items()}
                n_runs = max(v.size for v in values.values())
                rows.append({"mode": mode, "epoch": epoch, "n_runs": n_runs} | medians)
    return pd.DataFrame(rows)


def modes_by_cell(analysis: Analysis) -> "pd.DataFrame":
    """modes.csv: per mode and cell, of all runs: counts by outcome and by law, cost."""
    runs = analysis.runs.assign(cell=cell_names(analysis.runs, analysis.cell_keys))
    groups = runs.groupby(["mode", "cell"], sort=False)
    table = groups.size().to_frame("n_runs")
    for name in (*outcomes.OUTCOMES, "failed"):
        table[name] = groups["outcome"].agg(lambda values, name=name: int((values == name).sum()))
    for name in DECIDED:
        table[f"law_{name}"] = groups["law"].agg(lambda values, name=name: int((values == name).sum()))
    table["evaluations"] = groups["evaluations"].first()
    table["median_seconds"] = groups["seconds"].median()
    return table.reset_index()
