"""Two modes compared in every cell of a sweep and in all cells pooled: the rows of comparison.csv.

A cell is one choice of what a sweep varies besides mode and seed, such as a learning rate and a hidden size.
One rule for all that is judged:
different: the pool or a cell is, by Holm over all of them, so that no cell is averaged away;
equivalent: the pool's interval lies within the margin, no cell is different, and no cell's own number lies
beyond the margin;  unresolved: the rest.
Cells are called equivalent by Holm as well. What a question asks several times (speed, to three errors) is
one family.
"""

from collections.abc import Mapping
from functools import partial

import numpy as np

from experiments.analysis.analysis import statistics as comparison
from experiments.analysis.statistics import (
    MARGINS,
    Estimate,
    Margins,
    lift,
    mcnemar,
    other,
    share,
    share_difference,
)

PRACTICAL = {"epochs": 1e-3, "epochs_1e-6": 1e-6, "epochs_1e-9": 1e-9}  # field -> error whose epochs count
JUDGED = {  # question -> its fields of comparison.csv, and the margin that decides on them
    "outcome": (("other",), "share"),
    "converged": (("share",), "share"),
    "speed": (tuple(PRACTICAL), "epochs"),
    "depth": (("depth",), "decades"),
    "law": (("law",), "share"),
}
DECIDED = ("exponential", "power", "mixed", "flat")  # laws that two runs can be compared by

Half = Mapping[str, np.ndarray]  # one mode's half of the pairs: columns of runs.csv, (n_pairs,)


def epochs_name(tau: float) -> str:
    return f"epochs_to_{tau:.0e}".replace("e-0", "e-")


def compare(a: Half, b: Half, cell, margins: Margins = MARGINS) -> list[dict]:
    """The rows, flat dicts: one per cell in order of first appearance, the last for "all".

    a, b: halves, aligned by pair; cell (n_pairs,) names. Of each estimate x of _estimates: x, x_low, x_high,
    x_n, x_n_seeds, and x_verdict if it is judged. p: exact McNemar over pairs; p_holm: adjusted
    over cells (p itself in "all"); p_seeds: over seeds, each counted for the mode that converges more often,
    so right for repeated seeds too. Raises ValueError where columns differ in length.
    """
    cell = np.asarray(cell)
    if len(sizes := {len(column) for column in (*a.values(), *b.values(), cell)}) > 1:
        raise ValueError(f"pairs: columns of {sorted(sizes)} values; all must be aligned, one value per pair")
    n_epochs = int(min(b["n_epochs"], default=0))
    everything = {str(name): cell == name for name in dict.fromkeys(cell.tolist())}
    parts = [*everything.items(), ("all", np.full(cell.size, True))]
    rows, estimates = [], []
    for name, of in parts:
        halves = [{key: column[of] for key, column in half.items()} for half in (a, b)]
        estimates.append(_estimates(*halves, n_epochs, margins))
        rows.append({"cell": name} | _counts(*halves) | _cost(*halves))
        for field, estimate in estimates[-1].items():
            for part, value in estimate()._asdict().items():
                rows[-1][field if part == "value" else f"{field}_{part}"] = value
    for row, p in zip(rows, [*comparison.holm([row["p"] for row in rows[:-1]]), rows[-1]["p"]], strict=True):
        row["p_holm"] = float(p)
    for fields, margin in JUDGED.values():
        _judge(rows, estimates, fields, getattr(margins, margin))
    return rows


def _estimates(a: Half, b: Half, n_epochs: int, margins: Margins) -> dict[str, partial[Estimate]]:
    """Field -> its Estimate, a function of the confidence. Differences are a less b.

    other: share of pairs with another outcome; share: of runs that converge; depth: decades where both do;
    apart: share of those more than a decade apart; law: share of pairs with two decided laws that differ;
    epochs: to each practical error; epochs_beyond: share of pairs in which they differ beyond the margin.
    """
    seed, hit_a, hit_b = b["seed"], a["outcome"] == "converged", b["outcome"] == "converged"
    both, decided = hit_a & hit_b, np.isin(a["law"], DECIDED) & np.isin(b["law"], DECIDED)
    depth = np.log10(lift(a["final_error"][both])) - np.log10(lift(b["final_error"][both]))
    found = {
        "other": partial(other, a["outcome"], b["outcome"], seed),
        "share": partial(share_difference, hit_a, hit_b, seed),
        "depth": partial(comparison.median, depth, seed=seed[both]),
        "apart": partial(share, np.abs(depth) > 1, seed[both]),
        "law": partial(other, a["law"][decided], b["law"][decided], seed[decided]),
    }
    for field, tau in PRACTICAL.items():
        epochs = [half[epochs_name(tau)] for half in (a, b)]
        found[field] = partial(comparison.epochs_difference, *epochs, n_epochs, seed)
        beyond = partial(comparison.epochs_beyond, *epochs, n_epochs, margins.epochs, seed)
        found[f"{field}_beyond"] = beyond
    return found


def _judge(rows: list[dict], estimates: list[dict], fields: tuple[str, ...], margin: float) -> None:
    """Set x_verdict of one question's fields in all rows, by the rule above."""
    last = len(rows) - 1
    every = {  # the one cell of a sweep is its pool
        (i, field): estimates[i][field]
        for i in (range(last + 1) if last > 1 else [last])
        for field in fields
        if rows[i][f"{field}_n"]
    }
    pools = {key: estimate for key, estimate in every.items() if key[0] == last}
    cells = {key: estimate for key, estimate in every.items() if key[0] < last}
    state = {key: "different" for key in comparison.stepwise(every, "different", margin)}
    for family in (cells, pools):
        state |= {key: "equivalent" for key in comparison.stepwise(family, "equivalent", margin)}
    for field in fields:
        for i, row in enumerate(rows):
            row[f"{field}_verdict"] = state.get((i if last > 1 else last, field), "unresolved")
        of_cells = [i for i, of in cells if of == field]
        beyond = [i for i in of_cells if not abs(rows[i][field]) <= margin]  # also one that is not determined
        if any(state.get((i, field)) == "different" for i in of_cells):
            rows[last][f"{field}_verdict"] = "different"
        elif rows[last][f"{field}_verdict"] == "equivalent" and beyond:
            rows[last][f"{field}_verdict"] = "unresolved"


def _counts(a: Half, b: Half) -> dict:
    hit_a, hit_b = a["outcome"] == "converged", b["outcome"] == "converged"
    both, lean = hit_a & hit_b, hit_a.astype(int) - hit_b
    a_only, b_only = int((lean > 0).sum()), int((lean < 0).sum())
    by_seed = np.bincount(np.unique(b["seed"], return_inverse=True)[1], lean)
    decided = np.isin(a["law"], DECIDED) & np.isin(b["law"], DECIDED)
    counts = {
        "n_pairs": lean.size,
        "n_seeds": by_seed.size,
        "a_converged": int(hit_a.sum()),
        "b_converged": int(hit_b.sum()),
        "both_converged": int(both.sum()),
        "a_only": a_only,
        "b_only": b_only,
        "p": mcnemar(a_only, b_only),
        "p_seeds": mcnemar(int((by_seed > 0).sum()), int((by_seed < 0).sum())),
    }
    for arm, half in (("a", a), ("b", b)):
        counts[f"{arm}_depth"] = _median(np.log10(lift(half["final_error"][both])))
        counts |= {f"{arm}_{law}": int((half["law"][decided] == law).sum()) for law in DECIDED}
        counts[f"{arm}_power_s"] = _median(half["law_s"][decided & (half["law"] == "power")])
    return counts


def _cost(a: Half, b: Half) -> dict:
    cost, (steps_a, steps_b) = {}, (a["evaluations"], b["evaluations"])
    spans = {"epochs_run": b["n_epochs"], "a_evaluations": steps_a, "b_evaluations": steps_b,
             "ratio": steps_a / steps_b}  # fmt: skip
    for name, values in spans.items():
        cost[f"{name}_min"], cost[f"{name}_max"] = min(values, default=np.nan), max(values, default=np.nan)
    timed = np.isfinite(a["seconds"]) & np.isfinite(b["seconds"])  # else copied from another sweep
    return cost | {f"{arm}_seconds": _median(half["seconds"][timed]) for arm, half in (("a", a), ("b", b))}


def _median(values) -> float:
    return float(np.median(values)) if len(values) else np.nan
