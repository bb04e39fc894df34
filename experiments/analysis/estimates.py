"""The tidy table of a report: every question to two modes, in every cell of a sweep and in all cells pooled.

A cell is one choice of what a sweep varies besides mode and seed, such as a learning rate and a hidden size.
One rule for all that is judged:
different: the pool or a cell is, by Holm over all of them, so that no cell is averaged away;
equivalent: the pool's interval lies within the margin, no cell is different, and no cell's own number lies
beyond the margin;  unresolved: the rest;  not measured: no pair can tell.
Cells are called equivalent by Holm as well. What a question asks several times (speed, to several errors) is
one family.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import NamedTuple

import numpy as np

from experiments.analysis import statistics
from experiments.analysis.statistics import MARGINS, Estimate, Margins
from experiments.analysis.table import DECIDED, epochs_name
from tinynet.outcomes import lift

POOL = "all"  # the name of all cells together
PRACTICAL = (1e-3, 1e-6, 1e-9)  # errors that speed is asked to

Half = Mapping[str, np.ndarray]  # one mode's half of the pairs: columns of runs.csv, (n_pairs,)
Estimator = Callable[..., Estimate]  # of the confidence


class Question(NamedTuple):
    name: str
    margin: str  # the field of Margins that decides
    family: str  # questions of one family are adjusted for their number


class Judgement(NamedTuple):
    verdict: str
    low: float
    high: float


def questions(practical: Sequence[float] = PRACTICAL) -> list[Question]:
    """What is judged, in the order of a report."""
    return [
        Question("outcome", "share", "outcome"),
        Question("converged", "share", "converged"),
        *(Question(epochs_name(tau), "epochs", "speed") for tau in practical),
        Question("depth", "decades", "depth"),
        Question("law", "share", "law"),
        Question("late_error", "ratio", "late_error"),
    ]


def compare(
    a: Half,
    b: Half,
    cell: Sequence[str],
    margins: Margins = MARGINS,
    practical: Sequence[float] = PRACTICAL,
    deeper: Sequence[float] = (),
) -> tuple[list[dict], list[dict]]:
    """Rows of estimates.csv and of halves.csv: one per cell in order of first appearance, the last for "all".

    a (the mode in question), b (the reference): halves, aligned by pair; cell (n_pairs,) names. Differences
    are a less b. An estimate has question, cell, scope ("cell" or "pooled"), value, low, high, n_pairs and
    n_seeds it rests on, margin and verdict ("" for what is not judged), and p of "converged": exact McNemar
    over seeds, each counted for the mode that converges more often, by Holm over cells. low and high: the
    95 % interval; low_judged and high_judged: at the confidence of Holm's last step, which tells the verdict.
    practical: errors that speed is judged to; deeper: errors that it is told to. Raises ValueError where
    columns differ in length.
    """
    cell = np.asarray(cell)
    lengths = {len(column) for column in (*a.values(), *b.values(), cell)}
    if len(lengths) > 1:
        raise ValueError(
            f"pairs: columns of {sorted(lengths)} values; all must be aligned, one value per pair"
        )
    masks = {str(name): cell == name for name in dict.fromkeys(cell.tolist())}
    masks[POOL] = np.full(cell.size, True)
    converges = bool(((a["outcome"] == "converged") | (b["outcome"] == "converged")).any())
    asked = questions(practical)
    estimators: dict[tuple[str, str], Estimator] = {}  # (cell, question) -> its estimate, of a confidence
    halves = []
    costs = {}
    for name, mask in masks.items():
        half_a, half_b = ({key: column[mask] for key, column in half.items()} for half in (a, b))
        of_cell = _estimators(half_a, half_b, margins, (*practical, *deeper), converges)
        estimators |= {(name, question): estimator for question, estimator in of_cell.items()}
        halves += [
            {"cell": name, **_half(*sides)}
            for sides in (("mode", half_a, half_b), ("reference", half_b, half_a))
        ]
        costs[name] = half_a["evaluations"] / half_b["evaluations"]

    verdicts = {}
    for family in dict.fromkeys(question.family for question in asked):
        of_family = [question for question in asked if question.family == family]
        margin = getattr(margins, of_family[0].margin)
        verdicts |= _judge(estimators, [question.name for question in of_family], list(masks), margin)
    not_judged = Judgement("", np.nan, np.nan)

    p = _p_of_cells(a, b, masks)
    margin_of = {question.name: getattr(margins, question.margin) for question in asked}
    rows = []
    for (name, question), estimator in estimators.items():
        value, low, high, n_pairs, n_seeds = estimator()
        verdict, low_judged, high_judged = verdicts.get((name, question), not_judged)
        rows.append(
            {
                "question": question, "cell": name, "scope": "pooled" if name == POOL else "cell",
                "value": value, "low": low, "high": high, "n_pairs": n_pairs, "n_seeds": n_seeds,
                "p": p[name] if question == "converged" else np.nan,
                "margin": margin_of.get(question, np.nan), "verdict": verdict,
                "low_judged": low_judged, "high_judged": high_judged,
            }
        )  # fmt: skip
        if question == "late_error":  # the last to be judged
            rows.append(_cost(name, costs[name], b["seed"][masks[name]]))
    return rows, halves


def _estimators(
    a: Half, b: Half, margins: Margins, taus: Sequence[float], converges: bool
) -> dict[str, Estimator]:
    """Question -> its Estimate, a function of the confidence. Differences are a less b.

    outcome: share of pairs with another outcome; converged: of runs that converge; epochs_to_…: to an error;
    depth: decades where both converge; law: share of pairs with two decided laws that differ; late_error:
    the ratio of late errors less 1, where no run of the sweep converges, of pairs in which none diverges.
    Not judged, decade_apart: share of pairs more than a decade apart; epochs_to_…_apart: in which they differ
    beyond the margin.
    """
    seed = b["seed"]
    n_epochs = int(min(b["n_epochs"], default=0))
    hit_a = a["outcome"] == "converged"
    hit_b = b["outcome"] == "converged"
    both = hit_a & hit_b
    decided = np.isin(a["law"], DECIDED) & np.isin(b["law"], DECIDED)
    depth = np.log10(lift(a["final_error"][both])) - np.log10(lift(b["final_error"][both]))
    asked = np.full(seed.size, converges)
    ends = (a["outcome"] != "diverged") & (b["outcome"] != "diverged")  # else nothing to compare
    late = ends & ~asked
    ratio = lift(a["late_error"][late]) / lift(b["late_error"][late])
    estimators = {
        "outcome": partial(statistics.other, a["outcome"], b["outcome"], seed),
        "converged": partial(statistics.share_difference, hit_a[asked], hit_b[asked], seed[asked]),
    }
    apart = {}
    for tau in taus:
        name = epochs_name(tau)
        epochs = (a[name], b[name], n_epochs)
        estimators[name] = partial(statistics.epochs_difference, *epochs, seed)
        apart[f"{name}_apart"] = partial(statistics.epochs_beyond, *epochs, margins.epochs, seed)
    estimators |= {
        "depth": partial(statistics.median, depth, seed=seed[both]),
        "law": partial(statistics.other, a["law"][decided], b["law"][decided], seed[decided]),
        "late_error": partial(statistics.median, ratio - 1, seed=seed[late]),
        "decade_apart": partial(statistics.share, np.abs(depth) > 1, seed[both]),
        **apart,
    }
    return {question: cache(estimator) for question, estimator in estimators.items()}  # asked again and again


def _judge(
    estimators: Mapping[tuple[str, str], Estimator], names: Sequence[str], cells: Sequence[str], margin: float
) -> dict[tuple[str, str], Judgement]:
    """Those of one family of questions in all cells and the pool, by the rule above."""
    single = len(cells) <= 2  # the one cell of a sweep is its pool
    whole = {}
    for cell in [POOL] if single else cells:
        for name in names:
            if estimators[cell, name]().n:
                whole[cell, name] = estimators[cell, name]
    pools = {key: estimator for key, estimator in whole.items() if key[0] == POOL}
    parts = {key: estimator for key, estimator in whole.items() if key[0] != POOL}
    different = statistics.stepwise(whole, "different", margin)
    states = dict.fromkeys(whole, "unresolved") | dict.fromkeys(different, "different")
    confidence = dict.fromkeys(whole, statistics.holm_level(len(whole), len(different)))
    for level in (parts, pools):
        equivalent = statistics.stepwise(level, "equivalent", margin)
        states |= dict.fromkeys(equivalent, "equivalent")
        inside = [key for key in level if _within(level[key]().value, margin)]  # these can be nothing else
        confidence |= dict.fromkeys(inside, statistics.holm_level(len(level), len(equivalent)))
    for pool in pools:
        of_cells = [key for key in parts if key[1] == pool[1]]
        if any(states[key] == "different" for key in of_cells):
            states[pool] = "different"
        elif states[pool] == "equivalent" and not all(
            _within(estimators[key]().value, margin) for key in of_cells
        ):
            states[pool] = "unresolved"
    judgements = {}
    for cell in cells:
        for name in names:
            key = (POOL if single else cell, name)
            judgements[cell, name] = Judgement("not measured", np.nan, np.nan)
            if key in whole:
                _, low, high, _, _ = whole[key](confidence=confidence[key])
                judgements[cell, name] = Judgement(states[key], low, high)
    return judgements


def _within(value: float, margin: float) -> bool:
    """Also False for a number that is not determined."""
    return abs(value) <= margin


def _p_of_cells(a: Half, b: Half, masks: Mapping[str, np.ndarray]) -> dict[str, float]:
    p = {}
    for name, mask in masks.items():
        lean = (a["outcome"][mask] == "converged").astype(int) - (b["outcome"][mask] == "converged")
        seeds, member = np.unique(b["seed"][mask], return_inverse=True)
        by_seed = np.bincount(member, lean, minlength=seeds.size)
        p[name] = statistics.mcnemar(int((by_seed > 0).sum()), int((by_seed < 0).sum()))
    cells = [name for name in masks if name != POOL]
    adjusted = statistics.holm([p[name] for name in cells])
    return p | dict(zip(cells, adjusted.tolist(), strict=True))


def _cost(cell: str, ratio: np.ndarray, seed: np.ndarray) -> dict:
    """Error evaluations per step, as a ratio: counted, not estimated; low and high are its range."""
    return {
        "question": "cost", "cell": cell, "scope": "pooled" if cell == POOL else "cell",
        "value": statistics.middle(ratio), "low": min(ratio, default=np.nan),
        "high": max(ratio, default=np.nan), "n_pairs": ratio.size, "n_seeds": np.unique(seed).size,
        "p": np.nan, "margin": np.nan, "verdict": "exact",
    }  # fmt: skip


def _half(side: str, half: Half, other: Half) -> dict:
    """What one mode's half of the pairs holds: counts, medians where both converge, cost."""
    hit = half["outcome"] == "converged"
    hit_other = other["outcome"] == "converged"
    decided = np.isin(half["law"], DECIDED) & np.isin(other["law"], DECIDED)
    timed = np.isfinite(half["seconds"]) & np.isfinite(other["seconds"])  # else copied from another sweep
    power = half["law_s"][decided & (half["law"] == "power")]
    laws = {law: int((half["law"][decided] == law).sum()) for law in DECIDED}
    return {
        "side": side,
        "n_pairs": hit.size,
        "n_converged": int(hit.sum()),
        "n_alone": int((hit & ~hit_other).sum()),
        "n_both": int((hit & hit_other).sum()),
        "median_final_error": 10.0 ** statistics.middle(np.log10(lift(half["final_error"][hit & hit_other]))),
        "median_late_error": statistics.middle(half["late_error"]),
        "n_decided": int(decided.sum()),
        **laws,
        "common_law": max(laws, key=laws.get),
        "median_power": 1 / statistics.middle(power),  # of t^−power
        "evaluations_min": min(half["evaluations"], default=np.nan),
        "evaluations_max": max(half["evaluations"], default=np.nan),
        "median_seconds": statistics.middle(half["seconds"][timed]),
    }
