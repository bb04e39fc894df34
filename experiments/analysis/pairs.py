"""Which runs make a pair, and why the others make none.

A pair is two runs that differ in nothing but the gradient mode, from the same start weights.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from experiments.analysis.statistics import Margins
from experiments.analysis.table import few, settings_of
from tinynet.outcomes import lift

if TYPE_CHECKING:
    import pandas as pd

    from experiments.store import Loaded

OF_A_MODE = re.compile(r"gradient(\..*)?|start|dtype|n_params")  # and n_params, which follows from the others
DEEPEST = 1e-15  # the error beyond the practical ones that precision is drawn to
MOST_MODES = 11  # in one picture; captions say what is left out


class LeftOut(NamedTuple):
    """Runs of a mode that are in no pair, and why."""

    pair: str
    mode: str
    reason: str  # failed, duplicate, no partner, other start; or missing, which has no rows
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


@dataclass(frozen=True)
class Paired:
    """A sweep's runs and pairs, and what pictures and summaries read of them: rows of drawn runs.

    runs: a row per run, as in runs.csv; error (n_epochs + 1, n_runs): its columns are the rows of runs, and
    n_epochs is that of the longest. practical: errors that speed is judged to. drawn (n_runs,): the runs that
    pictures show: not failed, and of a mode that both starts afresh and goes on what starts as the reference.
    """

    loaded: "Loaded" = field(repr=False)
    margins: Margins
    practical: Sequence[float]
    runs: "pd.DataFrame" = field(repr=False)
    error: np.ndarray = field(repr=False)
    modes: list[str]  # the reference first
    names: Mapping[str, str]  # mode -> its name for people
    cell_keys: list[str]  # settings that vary between cells
    pairings: Mapping[str, Pairing] = field(repr=False)
    own_rate: frozenset[str]  # modes at a learning rate of their own, paired with the reference all the same
    drawn: np.ndarray = field(repr=False)
    n_rows: int | None  # of the problem, None if unknown

    @property
    def reference(self) -> str:
        return self.modes[0]

    @property
    def n_epochs(self) -> int:
        return len(self.error) - 1

    @property
    def taus(self) -> list[float]:
        """The errors that speed is told to."""
        return [*self.practical, DEEPEST]

    def column(self, name: str) -> np.ndarray:
        return self.runs[name].to_numpy()

    def values(self, name: str) -> list:
        """The values of a setting among the drawn runs."""
        return sorted(set(self.column(name)[self.drawn].tolist()))

    @property
    def pooled_keys(self) -> list[str]:
        """Settings whose values a picture of one learning rate and hidden size takes together."""
        return [key for key in self.cell_keys if key not in ("learning_rate", "hidden_size")]

    @cached_property
    def drawn_modes(self) -> list[str]:
        present = set(self.column("mode")[self.drawn])
        return [mode for mode in self.modes if mode in present]

    @cached_property
    def shown(self) -> list[str]:
        """Of these, as many as one picture takes."""
        return few(self.drawn_modes, MOST_MODES)

    @cached_property
    def others(self) -> list[str]:
        """The modes shown that have pairs with the reference at its own learning rates."""
        paired = [mode for mode in self.shown if mode in self.pairings and mode not in self.own_rate]
        return [mode for mode in paired if len(self.matched(mode)[0])]

    @cached_property
    def converged(self) -> np.ndarray:
        return self.column("outcome") == "converged"

    @cached_property
    def final(self) -> np.ndarray:
        """log10 of the final error, lifted to eps²; inf for runs that diverged."""
        error = self.column("final_error").astype(float)
        lost = ~np.isfinite(error) | (self.column("outcome") == "diverged")
        return np.log10(lift(np.where(lost, np.inf, error)))

    @cached_property
    def converged_error(self) -> float | None:
        """The error below which runs have converged, if it is one for all."""
        below = set(self.column("converged_error").tolist())
        return below.pop() if len(below) == 1 else None

    def cell(self, learning_rate: float, hidden_size: int) -> np.ndarray:
        """Its runs, a mask."""
        return (self.column("learning_rate") == learning_rate) & (self.column("hidden_size") == hidden_size)

    def rows(self, mode: str, mask: np.ndarray | bool = True) -> np.ndarray:
        """The mode's runs in a mask."""
        return np.flatnonzero((self.column("mode") == mode) & self.drawn & mask)

    def matched(self, mode: str, mask: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the mode and of the reference, pair by pair, of the runs in a mask."""
        a, b = self.pairings[mode].a, self.pairings[mode].b
        keep = self.drawn[a] & self.drawn[b]
        if mask is not None:
            keep = keep & mask[a]
        return a[keep], b[keep]

    def both(self, mode: str, mask: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Of these the pairs in which both converge."""
        a, b = self.matched(mode, mask)
        keep = self.converged[a] & self.converged[b]
        return a[keep], b[keep]

    @cached_property
    def none_converges(self) -> bool:
        if self.others:
            return not any(len(self.both(mode)[0]) for mode in self.others)
        return not self.converged[self.drawn].any()
