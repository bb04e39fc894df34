"""The sentences of a report: what is said to each question, from a row of comparison.csv for all cells.

a is the mode in question, b the reference.
"""

from collections.abc import Callable
from typing import NamedTuple

from experiments.analysis.estimates import DECIDED, PRACTICAL
from experiments.analysis.statistics import at_floor, pairs_without_a_flip
from experiments.wording import decades, depth, interval, listed, number, percent, plural, points, signed

STATES = ("different", "equivalent", "unresolved")
Limits = Callable[[str], str]  # a field's interval, and where it lies


class Row(dict):
    """A row of comparison.csv: row.depth is row["depth"]."""

    __getattr__ = dict.__getitem__


class Topic(NamedTuple):
    question: str
    noun: str  # in a summary
    picture: str
    say: Callable[[Row, float, Limits], tuple[str, str]]  # the sentence but for the cells; its number alone
    numbers: str  # what is told of each cell
    show: Callable[[float], str]
    margin: Callable[[float], str]


def _outcome(row: Row, margin: float, limits: Limits) -> tuple[str, str]:
    n, count = row.n_pairs, round(row.other * row.n_pairs)
    told = f"{count:,} of {plural(n, 'pair')} {'ends' if count == 1 else 'end'} in another outcome, "
    told += percent(row.other)
    if count == 0:
        told = f"None of {plural(n, 'pair')} ends in another outcome; up to {percent(row.other_high)} could"
    text = f"{told} {limits('other')}."
    if count == 0 and row.other_verdict == "unresolved":
        text += (
            f" To bound it by {percent(margin)} takes {pairs_without_a_flip(margin)} pairs without a flip."
        )
    return text, f"{count:,} of {n:,}"


def _converged(row: Row, margin: float, limits: Limits) -> tuple[str, str]:
    a, b, apart = row.a, row.b, f"{points(row.share)} points"
    p, over = (row.p_seeds, "seeds") if row.n_seeds < row.n_pairs else (row.p, "pairs")
    text = (
        f"{a} converges in {row.a_converged:,} of {plural(row.n_pairs, 'pair')} and {b} in "
        f"{row.b_converged:,}; only {a} in {row.a_only:,}, only {b} in {row.b_only:,}. Difference: {apart} "
        f"{limits('share')}; exact McNemar over {over}, p = {number(p, 2)}."
    )
    return text, apart


def _speed(row: Row, margin: float, limits: Limits) -> tuple[str, str]:
    known = {field: number(tau) for field, tau in PRACTICAL.items() if row[f"{field}_n"]}
    if not known:
        return f"No run comes below {number(max(PRACTICAL.values()))}.", "–"
    told = [
        f"{signed(row[field]) if row[field] == row[field] else 'undetermined'} to {tau} "
        f"({of_row(row, field, signed)}; {plural(row[f'{field}_n'], 'pair')}, "
        f"{percent(row[f'{field}_beyond'])} of them beyond the margin)"
        for field, tau in known.items()
    ]
    text = f"The median difference in epochs, {row.a} less {row.b}, is {', '.join(told)}. "
    text += f"The margin is {plural(margin, 'epoch')}."
    for state in STATES if len({row[f"{field}_verdict"] for field in known}) > 1 else ():
        if there := [tau for field, tau in known.items() if row[f"{field}_verdict"] == state]:
            text += f" {state.capitalize()} to {listed(there)}."
    return text, " · ".join(signed(row[field]) for field in known) + " epochs"


def _depth(row: Row, margin: float, limits: Limits) -> tuple[str, str]:
    if not row.depth_n:
        return "There is no pair in which both converge.", "–"
    a, b, above, apart = row.a, row.b, row.depth > 0, decades(row.depth)
    medians = {arm: 10.0 ** row[f"{arm}_depth"] for arm in "ab"}
    told = [f"{depth(medians[arm])} for {row[arm]}" for arm in "ab"]
    least = "at least " if at_floor(medians["b" if above else "a"]) else ""
    ends = f"{a} ends {least}{apart[1:]} decades {'above' if above else 'below'} {b}"
    ends = f"{a} and {b} end 0.00 decades apart" if apart == "0.00" else ends
    text = (
        f"After {_span(row, 'epochs_run')} epochs the median final error is {' and '.join(told)}, of "
        f"{plural(row.depth_n, 'pair')} in which both converge. Pair by pair, {ends} in the median "
        f"{limits('depth')}. {percent(row.apart)} of these pairs are more than a decade apart "
        f"({of_row(row, 'apart', percent)})."
    )
    return text, f"{apart} decades"


def _law(row: Row, margin: float, limits: Limits) -> tuple[str, str]:
    n, few = row.law_n, f"A law is not read off {_span(row, 'epochs_run')} epochs; it takes 300."
    if not n:
        return few if row.epochs_run_max < 300 else "No pair falls far enough on both sides.", "–"
    count, told = round(row.law * n), {}
    for arm in "ab":
        laws = {name: row[f"{arm}_{name}"] for name in DECIDED}
        told[arm] = ", ".join(f"{k:,} {name}" for name, k in laws.items() if k)
    if row.a_power:
        told["a"] += f" (powers t to the −{number(1 / row.a_power_s, 2)} in the median)"
    text = (
        f"{f'{count:,}' if count else 'None'} of {plural(n, 'pair')} with a decided law on both sides follow "
        f"different ones, {percent(row.law)} {limits('law')}. Of {row.a}: {told['a']}; of {row.b}: "
        f"{told['b']}."
    )
    return text, f"{count:,} of {n:,} differ"


def cost(row: Row) -> tuple[str, str]:
    ratio = _span(row, "ratio")
    times = "as many" if ratio == "1" else f"{ratio} times as many"
    text = (
        f"In error evaluations, a step of {row.a} costs {_span(row, 'a_evaluations')} and a step of {row.b} "
        f"{_span(row, 'b_evaluations')}: {times}, as “How it was measured” counts."
    )
    if row.a_seconds == row.a_seconds:
        text += (
            f" Beside it, in stacks on the machine of this sweep, a run took "
            f"{number(1000 * row.a_seconds, 2)} and {number(1000 * row.b_seconds, 2)} ms in the median."
        )
    return text, f"× {ratio}"


def of_row(row: Row, field: str, show: Callable) -> str:
    return interval(row[f"{field}_low"], row[f"{field}_high"], show)


def _span(row: Row, field: str) -> str:
    low, high = row[f"{field}_min"], row[f"{field}_max"]
    return f"{low:,.4g}" if low == high else f"{low:,.4g} to {high:,.4g}"


TOPICS = {
    "outcome": Topic("The same outcome, pair by pair?", "the outcome of a pair", "outcomes", _outcome,
                     "shares", percent, percent),
    "converged": Topic("Does one converge more often?", "the share that converges", "outcomes", _converged,
                       "points", points, lambda x: f"{number(100 * x)} point" + "s" * (x != 0.01)),
    "speed": Topic("Equally fast {}?", "speed", "precision", _speed,
                   "medians", signed, lambda x: plural(x, "epoch")),
    "depth": Topic("The same depth?", "depth", "pairs", _depth, "medians", decades, "{:g} decades".format),
    "law": Topic("The same law of convergence?", "the law of convergence", "tail", _law,
                 "shares", percent, percent),
}  # fmt: skip
