"""Which runs make a pair, and why the others make none."""

from typing import NamedTuple

import numpy as np


class LeftOut(NamedTuple):
    """Runs of a mode that are in no pair, and why."""

    pair: str
    mode: str
    reason: str  # "missing" (no rows) | "failed" | "duplicate" | "no partner" | "other start"
    rows: tuple[int, ...]
    known: int  # a row of the same pair, of whichever mode


class Pairing(NamedTuple):
    a: np.ndarray  # (n_pairs,) rows of the table
    b: np.ndarray  # (n_pairs,) rows of their partners
    left_out: list[LeftOut]


def pair_up(runs, a, b) -> Pairing:
    """Match the runs of mode a with those of mode b, in order of first appearance.

    runs: a table or mapping of columns (n_runs,): "pair" (the pairing key), "mode", "start" (hash of the
    start weights), "failed" (bool). Not used: failed runs, and pairs with two finished runs of one mode or
    with unequal or unknown starts. Every row of the two modes is in the pairing or in left_out.
    """
    if a == b:
        raise ValueError(f"a, b: both are {a!r}; a pair needs two modes")
    columns = (runs[name] for name in ("pair", "mode", "start", "failed"))
    pair, mode, start, failed = (np.asarray(column).tolist() for column in columns)
    found: dict = {}
    for row, key in enumerate(pair):
        if mode[row] in (a, b):
            found.setdefault(key, {a: [], b: []})[mode[row]].append(row)
    matched, left_out = [], []
    for key, rows in found.items():
        whole = {m: [row for row in rows[m] if not failed[row]] for m in (a, b)}
        single = {m: whole[m][0] for m in (a, b) if len(whole[m]) == 1}
        reasons = []
        for m in (a, b):
            lost = [row for row in rows[m] if failed[row]]
            reasons += [(m, "failed", lost)] if lost else []
            reasons += [(m, "duplicate", whole[m])] if len(whole[m]) > 1 else []
            reasons += [(m, "missing", [])] if not rows[m] else []
        if len(single) < 2:
            reasons += [(m, "no partner", [row]) for m, row in single.items()]
        elif not (start[single[a]] and start[single[a]] == start[single[b]]):
            reasons += [(m, "other start", [row]) for m, row in single.items()]
        else:
            matched.append((single[a], single[b]))
        known = (rows[a] + rows[b])[0]
        left_out += [LeftOut(key, m, reason, tuple(of), known) for m, reason, of in reasons]
    a_rows, b_rows = np.array(matched, dtype=int).reshape(-1, 2).T
    return Pairing(a_rows, b_rows, left_out)
