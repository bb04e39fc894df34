"""What the control changes, a nudge of the start, and the intervention, the analytic gradient at kinks."""

from collections.abc import Callable

import numpy as np

from experiments.analysis.analysis import Analysis
from experiments.analysis.analysis import statistics as comparison
from experiments.analysis.estimates import DECIDED
from experiments.report.verdicts import Verdict
from experiments.sweep.runs import NUDGE
from experiments.wording import decades, interval, number, percent, plural, points, polished

NUDGED = "analytic nudged"


def verdicts(analysed: Analysis, name: Callable[[str], str]) -> list[Verdict]:
    """Of each numeric mode with its control or its intervention in the sweep; name: of a mode, in words."""
    paired, judged = {mode for mode, pairing in analysed.pairings.items() if len(pairing.a)}, []
    for mode in sorted(paired) if analysed.reference == "analytic" else ():
        kind, _, h = mode.partition(" h=")
        if kind == "numeric" and " " not in h:
            if NUDGED in paired and float(h) == NUDGE:
                judged.append(_control(analysed, mode, name(mode)))
            if (hybrid := f"hybrid h={h}") in paired:
                judged.append(_intervention(analysed, hybrid, mode, name(hybrid), name(mode)))
    return judged


def _partners(analysed: Analysis, a: str, b: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of a, of b and of the reference in the pairs that both have with it."""
    one, other = analysed.pairings[a], analysed.pairings[b]
    shared, at_a, at_b = np.intersect1d(one.b, other.b, assume_unique=True, return_indices=True)
    return one.a[at_a], other.a[at_b], shared


def _control(analysed: Analysis, mode: str, name: str) -> Verdict:
    """Outcomes that differ from the reference's: those of the mode, and those of a nudge of its size."""
    rows, nudged, plain = _partners(analysed, mode, NUDGED)
    outcome, seed = analysed.runs["outcome"].to_numpy(), analysed.runs["seed"].to_numpy()[plain]
    flips, moved = outcome[rows] != outcome[plain], outcome[nudged] != outcome[plain]
    less, margin = comparison.share_difference(flips, moved, seed), analysed.margins.share
    text = (
        f"Moving the start weights by {number(NUDGE)}·N(0,1) gives analytic another outcome in "
        f"{moved.sum():,} of {plural(len(plain), 'pair')}; {name}, from the weights not moved, has another "
        f"in {flips.sum():,} of the same: a difference of {points(less.value)} points "
        f"({interval(less.low, less.high, points)}); the margin is {percent(margin)}."
    )
    question = f"Does {name} change more outcomes than a nudge of size h?"
    return Verdict("control", question, less.verdict(margin), polished(text), picture="outcomes")


def _intervention(analysed: Analysis, hybrid: str, mode: str, hybrid_name: str, name: str) -> Verdict:
    """Depth of hybrid less the reference's and less the mode's, of the seeds in which all three converge."""
    runs, of = analysed.runs, np.array(_partners(analysed, hybrid, mode))  # (3, n_triples)
    of = of[:, (runs["outcome"].to_numpy()[of] == "converged").all(axis=0)]
    depth, seed = (
        np.log10(comparison.lift(runs["final_error"].to_numpy()[of])),
        runs["seed"].to_numpy()[of[2]],
    )
    question = f"Does {name} end like analytic once its steps at kinks are analytic?"
    text = f"{hybrid_name} is {name}, but analytic on the steps within h of a kink. "
    if not of.size:
        text = polished(f"{text}There is no triple in which all three converge.")
        return Verdict("intervention", question, "not measured", text, picture="tail")
    restored, kept = (comparison.median(depth[0] - other, seed=seed) for other in (depth[2], depth[1]))
    least = "at least " if comparison.at_floor(10.0 ** comparison.median(depth[0]).value) else ""
    margin, away = analysed.margins.decades, decades(abs(kept.value)).lstrip("+")
    side = f"{least}{away} {'below' if kept.value < 0 else 'above'}" if away != "0.00" else "0.00 from"
    text += (
        f"In the median of {plural(of.shape[1], 'triple')} in which all three converge it ends "
        f"{decades(restored.value)} decades from analytic "
        f"({interval(restored.low, restored.high, decades)}) and {side} {name} "
        f"({interval(kept.low, kept.high, decades)}); the margin is {margin:g} decades."
    )
    law = runs["law"].to_numpy()[of]
    if (decided := np.isin(law, DECIDED).all(axis=0)).any():
        a, b, c = (law[:, decided] == "power").sum(axis=1)
        text += (
            f" Of {decided.sum():,} with a decided law in all three, {a:,} end in a power law with hybrid, "
            f"{b:,} with {name}, {c:,} with analytic."
        )
    return Verdict("intervention", question, restored.verdict(margin), polished(text), picture="tail")
