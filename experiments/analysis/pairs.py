"""Which runs make a pair, and why the others make none.

A pair is two runs that differ in nothing but the gradient mode, from the same start weights.
"""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from experiments.analysis.table import settings_of

if TYPE_CHECKING:
    import pandas as pd

OF_A_MODE = re.compile(r"gradient(\..*)?|start|dtype|n_params")  # and n_params, which follows from the others
REASONS = ("missing", "failed", "duplicate", "no partner", "other start")


class LeftOut(NamedTuple):
    """Runs of a mode that are in no pair, and why."""

    pair: str
    mode: str
    reason: str  # of REASONS; "missing" has no rows
    rows: tuple[int, ...]
    known: int  # a row of the same pair, of whichever mode


class Pairing(NamedTuple):
    a: np.ndarray  # (n_pairs,) rows of the table
    b: np.ndarray  # (n_pairs,) rows of their partners
    left_out: list[LeftOut]


def pair_up(runs: Mapping[str, Sequence], a: str, b: str) -> Pairing:
    """Match the runs of mode a with those of mode b, in order of first appearance.

    runs: a table or mapping of columns (n_runs,): "pair" (the pairing key), "mode", "start" (hash of the
    start weights), "failed" (bool). Not used: failed runs, and pairs with two finished runs of one mode or
    with unequal or unknown starts. Every row of the two modes is in the pairing or in left_out.
    Raises ValueError if a is b.
    """
    if a == b:
        raise ValueError(f"a, b: both are {a!r}; a pair needs two modes")
    pair, mode, start, failed = (
        np.asarray(runs[name]).tolist() for name in ("pair", "mode", "start", "failed")
    )
    rows_of_pair: dict = {}
    for row, key in enumerate(pair):
        if mode[row] in (a, b):
            rows_of_pair.setdefault(key, {a: [], b: []})[mode[row]].append(row)
    matched = []
    left_out = []
    for key, rows in rows_of_pair.items():
        finished = {m: [row for row in rows[m] if not failed[row]] for m in (a, b)}
        single = {m: finished[m][0] for m in (a, b) if len(finished[m]) == 1}
        reasons = []
        for m in (a, b):
            lost = [row for row in rows[m] if failed[row]]
            if lost:
                reasons.append((m, "failed", lost))
            if len(finished[m]) > 1:
                reasons.append((m, "duplicate", finished[m]))
            if not rows[m]:
                reasons.append((m, "missing", []))
        if len(single) < 2:
            reasons += [(m, "no partner", [row]) for m, row in single.items()]
        elif not start[single[a]] or start[single[a]] != start[single[b]]:
            reasons += [(m, "other start", [row]) for m, row in single.items()]
        else:
            matched.append((single[a], single[b]))
        known = (rows[a] + rows[b])[0]
        left_out += [LeftOut(key, m, reason, tuple(lost), known) for m, reason, lost in reasons]
    a_rows, b_rows = np.array(matched, dtype=int).reshape(-1, 2).T
    return Pairing(a_rows, b_rows, left_out)


def pairing_of(
    runs: "pd.DataFrame", mode: str, reference: str, cell_keys: Sequence[str], complete: bool
) -> Pairing:
    """The pairs of a mode with the reference, by cell and seed.

    Equal start bytes are demanded, unless the modes differ in them by design; a mode at a learning rate of
    its own is paired across rates. complete: the sweep holds all its grid had, so that nothing is missing.
    """
    pair = runs["pair"]
    if has_own_rate(runs, mode, reference):
        shared = [key for key in settings_of_a_pair(runs) if key != "learning_rate"]
        pair = runs[shared].astype(str).agg(" ".join, axis=1)
    start = pair if differ_by_design(runs, mode, reference) else runs["start_weights"]
    columns = {"pair": pair, "mode": runs["mode"], "start": start, "failed": runs["outcome"] == "failed"}
    pairing = pair_up(columns, mode, reference)
    partners = runs.iloc[pairing.b].reset_index()
    order = partners.sort_values([*cell_keys, "seed"], kind="stable").index.to_numpy()
    left_out = pairing.left_out
    if complete:  # a partner that is missing was in no grid, and a run that lacks it lacks nothing
        never = {gap.pair for gap in left_out if gap.reason == "missing"}
        left_out = [gap for gap in left_out if gap.pair not in never]
    return Pairing(pairing.a[order], pairing.b[order], left_out)


def settings_of_a_pair(runs: "pd.DataFrame") -> list[str]:
    """The settings in which the runs of a pair agree."""
    return [key for key in settings_of(runs) if not OF_A_MODE.fullmatch(key)]


def has_own_rate(runs: "pd.DataFrame", mode: str, reference: str) -> bool:
    """Whether both have one learning rate each, and not the same."""
    rates, rates_of_reference = (set(runs["learning_rate"][runs["mode"] == m]) for m in (mode, reference))
    return len(rates) == len(rates_of_reference) == 1 and rates != rates_of_reference


def differ_by_design(runs: "pd.DataFrame", *modes: str) -> bool:
    """Whether modes start elsewhere because they say so: nudged, continued, or rounded to another dtype."""
    rows = runs["mode"].isin(modes)
    return len(set(zip(runs["start"][rows], runs["dtype"][rows], strict=True))) > 1


def left_out_table(
    runs: "pd.DataFrame", pairings: Mapping[str, Pairing], cell_keys: Sequence[str]
) -> "pd.DataFrame":
    """left_out.csv: every run without a partner and every partner without a run, and why."""
    import pandas as pd

    rows = []
    for mode, pairing in pairings.items():
        for gap in pairing.left_out:
            known = runs.loc[gap.rows[0] if gap.rows else gap.known]
            failures = sorted({runs["failure"][row] for row in gap.rows} - {""})
            row = {"compared": mode, "mode": gap.mode, "reason": gap.reason}
            row |= {key: known[key] for key in (*cell_keys, "seed")}
            row |= {"runs": "; ".join(runs["name"][r] for r in gap.rows), "failure": "; ".join(failures)}
            rows.append(row)
    return pd.DataFrame(rows)
