"""What the control changes, a nudge of the start, and the intervention, the analytic gradient at kinks."""

from collections.abc import Callable

import numpy as np

from experiments import comparison
from experiments.analysis import DECIDED, Analysis
from experiments.comparison import FEWEST_SEEDS, Estimate
from experiments.stacks import NUDGE
from experiments.verdicts import Verdict, decades, interval, number, percent, plural, points, polished

NUDGED = "analytic nudged"


def verdicts(analysed: Analysis, name: Callable[[str], str]) -> list[Verdict]:
    """Of each numeric mode with its control or its intervention in the sweep; name: of a mode, in words."""
    if analysed.reference != "analytic":
        return []
    paired, judged = {mode for mode, pairing in analysed.pairings.items() if len(pairing.a)}, []
    for mode in sorted(paired):
        kind, _, h = mode.partition(" h=")
        if kind != "numeric" or " " in h:
            continue
        if NUDGED in paired and float(h) == NUDGE:
            judged.append(_control(analysed, mode, name))
        if f"hybrid h={h}" in paired:
            judged.append(_intervention(analysed, f"hybrid h={h}", mode, name))
    return judged


def _partners(analysed: Analysis, a: str, b: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of a, of b and of the reference in the pairs that both have with it."""
    one, other = analysed.pairings[a], analysed.pairings[b]
    shared, at_a, at_b = np.intersect1d(one.b, other.b, assume_unique=True, return_indices=True)
    return one.a[at_a], other.a[at_b], shared


def _control(analysed: Analysis, mode: str, name) -> Verdict:
    """Outcomes that differ from the reference's: those of the mode, and those of a nudge of its size."""
    rows, nudged, plain = _partners(analysed, mode, NUDGED)
    outcome, seed = analysed.runs["outcome"].to_numpy(), analysed.runs["seed"].to_numpy()[plain]
    flips, moved = outcome[rows] != outcome[plain], outcome[nudged] != outcome[plain]
    less, margin = comparison.share_difference(flips, moved, seed), analysed.margins.share
    state = _state(less, margin, seed)
    text = (
        f"Moving the start weights by {number(NUDGE)}·N(0,1) gives analytic another outcome in "
        f"{moved.sum():,} of {plural(len(plain), 'pair')}; {name(mode)}, from the weights not moved, has "
        f"another in {flips.sum():,} of the same: a difference of {points(less.value)} points "
        f"({_limits(less, points)}); the margin is {percent(margin)}."
    )
    question = f"Does {name(mode)} change more outcomes than a nudge of size h?"
    return Verdict("control", question, state, polished(text), picture="outcomes")


def _intervention(analysed: Analysis, hybrid: str, mode: str, name) -> Verdict:
    """Depth of hybrid less the reference's and less the mode's, of the seeds in which all three converge."""
    rows, plain, reference = _partners(analysed, hybrid, mode)
    runs = analysed.runs
    converged = (runs["outcome"] == "converged").to_numpy()
    keep = converged[rows] & converged[plain] & converged[reference]
    rows, plain, reference = rows[keep], plain[keep], reference[keep]
    depth, seed = np.log10(comparison.lift(runs["final_error"])), runs["seed"].to_numpy()[reference]
    restored, kept = (comparison.median(depth[rows] - depth[of], seed=seed) for of in (reference, plain))
    least = "at least " if np.median(depth[rows]) <= np.log10(comparison.FLOOR) else ""
    margin = analysed.margins.decades
    state = _state(restored, margin, seed)
    text = (
        f"{name(hybrid)} is {name(mode)}, but analytic on the steps within h of a kink. In the median of "
        f"{plural(len(rows), 'triple')} in which all three converge it ends {decades(restored.value)} "
        f"decades from analytic ({_limits(restored, decades)}) and {least}{decades(abs(kept.value))[1:]} "
        f"{'below' if kept.value < 0 else 'above'} {name(mode)} "
        f"({_limits(kept, decades)}); the margin is {margin:g} decades."
    )
    law = runs["law"].to_numpy()
    decided = np.isin(law[rows], DECIDED) & np.isin(law[plain], DECIDED) & np.isin(law[reference], DECIDED)
    if decided.any():
        a, b, c = ((law[of][decided] == "power").sum() for of in (rows, plain, reference))
        text += (
            f" Of {decided.sum():,} with a decided law in all three, {a:,} end in a power law with hybrid, "
            f"{b:,} with {name(mode)}, {c:,} with analytic."
        )
    question = f"Does {name(mode)} end like analytic once its steps at kinks are analytic?"
    return Verdict("intervention", question, state, polished(text), picture="tail")


def _state(estimate: Estimate, margin: float, seed: np.ndarray) -> str:
    return estimate.verdict(margin) if len(set(seed)) >= FEWEST_SEEDS else "unresolved"


def _limits(one: Estimate, show) -> str:
    return interval({"x_low": one.low, "x_high": one.high}, "x", show)
