"""What the control changes, a nudge of the start, and the intervention, the analytic gradient at kinks."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

import tinynet
from experiments.analysis import statistics
from experiments.analysis.estimates import POOL
from experiments.analysis.pairs import Pairing
from experiments.analysis.statistics import Estimate, Margins
from experiments.analysis.table import DECIDED
from experiments.modes import parse
from tinynet.outcomes import lift

if TYPE_CHECKING:
    import pandas as pd

NUDGED = "analytic nudged"
NUDGE = tinynet.gradients.Numeric().h  # standard deviation of what start=nudged adds to each weight


def controls(
    runs: "pd.DataFrame", pairings: Mapping[str, Pairing], reference: str, margins: Margins
) -> tuple[list[dict], list[dict]]:
    """Rows of estimates.csv, and of controls.csv: the counts behind them.

    Of each numeric mode with its control in the sweep, question "control": the share of pairs whose outcome
    is not the reference's, less the share that a nudge of the start by NUDGE changes. With its intervention,
    questions "restored" and "removed": decades of hybrid less analytic, and less numeric, where all three
    converge.
    """
    rows = []
    counts = []
    paired = [mode for mode in sorted(pairings) if len(pairings[mode].a)]
    for mode in paired if reference == "analytic" else ():
        family, arguments, variants = parse(mode)
        if family != "numeric" or variants:
            continue
        if NUDGED in paired and arguments.get("h") == NUDGE:
            control, count = _control(runs, pairings, mode, margins)
            rows += control
            counts.append(count)
        hybrid = mode.replace("numeric", "hybrid", 1)
        if hybrid in paired:
            intervention, count = _intervention(runs, pairings, hybrid, mode, margins)
            rows += intervention
            counts.append(count)
    return rows, counts


def _shared(pairings: Mapping[str, Pairing], a: str, b: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of a, of b and of the reference in the pairs that both have with it."""
    pairs_a, pairs_b = pairings[a], pairings[b]
    shared, at_a, at_b = np.intersect1d(pairs_a.b, pairs_b.b, assume_unique=True, return_indices=True)
    return pairs_a.a[at_a], pairs_b.a[at_b], shared


def _control(runs: "pd.DataFrame", pairings, mode: str, margins: Margins) -> tuple[list[dict], dict]:
    rows, nudged, plain = _shared(pairings, mode, NUDGED)
    outcome = runs["outcome"].to_numpy()
    flips = outcome[rows] != outcome[plain]
    flips_nudged = outcome[nudged] != outcome[plain]
    estimate = statistics.share_difference(flips, flips_nudged, runs["seed"].to_numpy()[plain])
    count = {"question": "control", "mode": mode, "n_pairs": len(plain)}
    count |= {"n_other": int(flips.sum()), "n_other_nudged": int(flips_nudged.sum())}
    return [pooled("control", mode, NUDGED, estimate, margins.share)], count


def _intervention(
    runs: "pd.DataFrame", pairings, hybrid: str, mode: str, margins: Margins
) -> tuple[list[dict], dict]:
    triples = np.array(_shared(pairings, hybrid, mode))  # (3, n_triples): hybrid, numeric, analytic
    converged = (runs["outcome"].to_numpy()[triples] == "converged").all(axis=0)
    triples = triples[:, converged]
    depth = np.log10(lift(runs["final_error"].to_numpy()[triples]))
    seed = runs["seed"].to_numpy()[triples[2]]
    restored = statistics.median(depth[0] - depth[2], seed=seed)
    removed = statistics.median(depth[0] - depth[1], seed=seed)
    laws = runs["law"].to_numpy()[triples]
    decided = np.isin(laws, DECIDED).all(axis=0)
    n_power = (laws[:, decided] == "power").sum(axis=1)
    count = {"question": "restored", "mode": hybrid, "n_pairs": triples.shape[1]}
    count |= {"median_final_error": 10.0 ** statistics.middle(depth[0]), "n_decided": int(decided.sum())}
    names = ("n_power_hybrid", "n_power_numeric", "n_power_analytic")
    count |= dict(zip(names, n_power.tolist(), strict=True))
    rows = [
        pooled("restored", hybrid, "analytic", restored, margins.decades),
        pooled("removed", hybrid, mode, removed, margins.decades),
    ]
    return rows, count


def pooled(question: str, mode: str, reference: str, estimate: Estimate, margin: float) -> dict:
    """A row of estimates.csv for a question of its own, asked once."""
    verdict = estimate.verdict(margin) if estimate.n else "not measured"
    row = {"mode": mode, "reference": reference, "question": question, "cell": POOL, "scope": "pooled"}
    row |= {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    return row | {
        "n_pairs": estimate.n, "n_seeds": estimate.n_seeds, "p": np.nan, "margin": margin, "verdict": verdict,
    }  # fmt: skip
