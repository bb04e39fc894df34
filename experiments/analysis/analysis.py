"""From a recorded sweep to numbers: which mode is compared with which, run by run and cell by cell."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

import numpy as np

from experiments.analysis.analysis import estimates as cells
from experiments.analysis.pairs import Pairing, pair_up
from experiments.analysis.statistics import MARGINS, Margins
from experiments.analysis.table import cell_names, settings_of, table_of_runs
from experiments.store.loaded import Recorded

if TYPE_CHECKING:
    import pandas as pd

OF_A_MODE = re.compile(r"gradient(\..*)?|start|dtype|n_params")  # and n_params, which follows from the others


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
    keys = [k for k in _same_in_a_pair(runs) if k != "seed" and runs[k].nunique(dropna=False) > 1]
    keys.sort(key=lambda key: (key != "learning_rate", key != "hidden_size"))
    continued = set(runs["mode"][runs["start"] == "continued"])
    others = [m for m in modes[1:] if (m in continued) == (reference in continued)]  # else see tutorial.py
    own_rate = frozenset(mode for mode in others if _own_rate(runs, mode, reference))
    pairings = {mode: _paired(runs, mode, reference, keys, mode in own_rate) for mode in others}
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


def command_of(sweep: Recorded) -> str:
    """The command that trains what is missing of a sweep: its own, again."""
    return sweep.tags.get("command") or f"python -m experiments.run experiment={sweep.experiment}"


def _place(mode: str) -> tuple:
    """Analytic first; then by name and variant, from wide h to narrow."""
    name, *words = mode.split()
    h = next((float(word[2:]) for word in words if re.fullmatch(r"h=[\d.e+-]+", word)), 0.0)
    variant = [word for word in words if not word.startswith("h=")]
    return name != "analytic", name, variant, -h, mode


def _same_in_a_pair(runs: "pd.DataFrame") -> list[str]:
    return [key for key in settings_of(runs) if not OF_A_MODE.fullmatch(key)]


def _own_rate(runs: "pd.DataFrame", mode: str, reference: str) -> bool:
    """Whether both have one learning rate each, and not the same."""
    a, b = (set(runs["learning_rate"][runs["mode"] == one]) for one in (mode, reference))
    return len(a) == len(b) == 1 and a != b


def _of_the_grid(pairing: Pairing) -> Pairing:
    """Without the partners that no grid held: in a sweep that is complete nothing else is missing."""
    never = {one.pair for one in pairing.left_out if one.reason == "missing"}
    return pairing._replace(left_out=[one for one in pairing.left_out if one.pair not in never])


def by_design(runs: "pd.DataFrame", *modes: str) -> bool:
    """Whether modes start elsewhere because they say so: nudged, continued, or rounded to another dtype."""
    of = runs["mode"].isin(modes)
    return len(set(zip(runs["start"][of], runs["dtype"][of], strict=True))) > 1


def _paired(
    runs: "pd.DataFrame", mode: str, reference: str, cell_keys: Sequence[str], own_rate: bool
) -> Pairing:
    """The pairs by cell and seed. Equal start bytes are demanded, unless modes differ in them by design.

    own_rate: the learning rate may differ.
    """
    pair = runs["pair"]
    if own_rate:
        same = [key for key in _same_in_a_pair(runs) if key != "learning_rate"]
        pair = runs[same].astype(str).agg(" ".join, axis=1)
    start = pair if by_design(runs, mode, reference) else runs["start_weights"]
    columns = {"pair": pair, "mode": runs["mode"], "start": start, "failed": runs["outcome"] == "failed"}
    pairing = pair_up(columns, mode, reference)
    partners = runs.iloc[pairing.b].reset_index()
    order = partners.sort_values([*cell_keys, "seed"], kind="stable").index.to_numpy()
    return pairing._replace(a=pairing.a[order], b=pairing.b[order])


def compare(
    runs: "pd.DataFrame", pairing: Pairing, mode: str, reference: str, keys: Sequence[str], margins: Margins
) -> list[dict]:
    """cells.compare's rows, each with the modes and the settings of its cell."""
    a, b = (runs.iloc[rows] for rows in (pairing.a, pairing.b))
    names = cell_names(b, keys)
    settings = dict(zip(names, b[list(keys)].to_dict("records"), strict=True))
    a, b = ({name: half[name].to_numpy() for name in half} for half in (a, b))
    rows = cells.compare(a, b, names, margins)
    head = {"a": mode, "b": reference, "cell": None}
    return [head | settings.get(row["cell"], dict.fromkeys(keys)) | row for row in rows]


def left_out(analysis: Analysis) -> list[dict]:
    """Every run without a partner and every partner without a run, and why."""
    runs, told = analysis.runs, []
    for mode, pairing in analysis.pairings.items():
        for one in pairing.left_out:
            known = runs.loc[one.rows[0] if one.rows else one.known]
            failure = "; ".join(sorted({runs["failure"][row] for row in one.rows} - {""}))
            told.append(
                {"compared": mode, "mode": one.mode, "reason": one.reason}
                | {key: known[key] for key in (*analysis.cell_keys, "seed")}
                | {"runs": "; ".join(runs["name"][row] for row in one.rows), "failure": failure}
            )
    return told
