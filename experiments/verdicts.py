"""What a comparison says: rows of comparison.csv in, sentences out. None has numbers of its own.

a is the mode in question, b the reference. A state is equivalent, different or unresolved, by the rule of
cells.py; "exact" for what is counted, not estimated; "not measured" where the sweep cannot tell.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from experiments.cells import DECIDED, JUDGED, PRACTICAL
from experiments.comparison import FEWEST_SEEDS, FLOOR, Margins, pairs_without_a_flip, verdict
from experiments.wording import RAISED as RAISED
from experiments.wording import decades, interval, listed, number, percent, plural, points, polished, signed

Row = Mapping[str, object]
STATES = ("different", "equivalent", "unresolved")


class Verdict(NamedTuple):
    topic: str
    question: str
    state: str
    text: str
    short: str = "–"  # the number alone
    picture: str = ""  # the one that shows it: a word of its name
    about: str = ""  # what is in that state, for a summary


# --- a sentence per question, from the row of all cells, and its number alone -------------------------


def _outcome(row: Row, margin: float, limits: Callable[[str], str]) -> tuple[str, str]:
    n, count = row["n_pairs"], round(row["other"] * row["n_pairs"])
    told = f"{count:,} of {plural(n, 'pair')} {'ends' if count == 1 else 'end'} in another outcome, "
    told += percent(row["other"])
    if count == 0:
        told = (
            f"None of {plural(n, 'pair')} ends in another outcome; up to {percent(row['other_high'])} could"
        )
    text = f"{told} {limits('other')}."
    if count == 0 and row["other_verdict"] == "unresolved":
        text += (
            f" To bound it by {percent(margin)} takes {pairs_without_a_flip(margin)} pairs without a flip."
        )
    return text, f"{count:,} of {n:,}"


def _converged(row: Row, margin: float, limits: Callable[[str], str]) -> tuple[str, str]:
    a, b, apart = row["a"], row["b"], f"{points(row['share'])} points"
    p, over = (row["p_seeds"], "seeds") if row["n_seeds"] < row["n_pairs"] else (row["p"], "pairs")
    text = (
        f"{a} converges in {row['a_converged']:,} of {plural(row['n_pairs'], 'pair')} and {b} in "
        f"{row['b_converged']:,}; only {a} in {row['a_only']:,}, only {b} in {row['b_only']:,}. Difference: "
        f"{apart} {limits('share')}; exact McNemar over {over}, p = {number(p, 2)}."
    )
    return text, apart


def _speed(row: Row, margin: float, limits: Callable[[str], str]) -> tuple[str, str]:
    known = {field: number(tau) for field, tau in PRACTICAL.items() if row[f"{field}_n"]}
    if not known:
        return f"No run comes below {number(max(PRACTICAL.values()))}.", "–"
    told = [
        f"{signed(row[field]) if row[field] == row[field] else 'undetermined'} to {tau} "
        f"({_interval(row, field, signed)}; {plural(row[f'{field}_n'], 'pair')}, "
        f"{percent(row[f'{field}_beyond'])} of them beyond the margin)"
        for field, tau in known.items()
    ]
    text = f"The median difference in epochs, {row['a']} less {row['b']}, is {', '.join(told)}. "
    text += f"The margin is {plural(margin, 'epoch')}."
    for state in STATES if len({row[f"{field}_verdict"] for field in known}) > 1 else ():
        if there := [tau for field, tau in known.items() if row[f"{field}_verdict"] == state]:
            text += f" {state.capitalize()} to {listed(there)}."
    return text, " · ".join(signed(row[field]) for field in known) + " epochs"


def _depth(row: Row, margin: float, limits: Callable[[str], str]) -> tuple[str, str]:
    if not row["depth_n"]:
        return "There is no pair in which both converge.", "–"
    a, b, above, apart = row["a"], row["b"], row["depth"] > 0, decades(row["depth"])
    medians = {arm: 10.0 ** row[f"{arm}_depth"] for arm in "ab"}
    at_floor = {arm: median <= FLOOR * (1 + 1e-9) for arm, median in medians.items()}
    floor = f"≤ {number(FLOOR, 2)} (rounding)"
    told = [f"{floor if at_floor[arm] else number(medians[arm], 2)} for {row[arm]}" for arm in "ab"]
    least = "at least " if at_floor["b" if above else "a"] else ""
    ends = f"{a} ends {least}{apart[1:]} decades {'above' if above else 'below'} {b}"
    ends = f"{a} and {b} end 0.00 decades apart" if apart == "0.00" else ends
    text = (
        f"After {_span(row, 'epochs_run')} epochs the median final error is {' and '.join(told)}, of "
        f"{plural(row['depth_n'], 'pair')} in which both converge. Pair by pair, {ends} in the median "
        f"{limits('depth')}. {percent(row['apart'])} of these pairs are more than a decade apart "
        f"({_interval(row, 'apart', percent)})."
    )
    return text, f"{apart} decades"


def _law(row: Row, margin: float, limits: Callable[[str], str]) -> tuple[str, str]:
    n, few = row["law_n"], f"A law is not read off {_span(row, 'epochs_run')} epochs; it takes 300."
    if not n:
        return few if row["epochs_run_max"] < 300 else "No pair falls far enough on both sides.", "–"
    count, told = round(row["law"] * n), {}
    for arm in "ab":
        laws = {name: row[f"{arm}_{name}"] for name in DECIDED}
        told[arm] = ", ".join(f"{k:,} {name}" for name, k in laws.items() if k)
    if row["a_power"]:
        told["a"] += f" (powers t to the −{number(1 / row['a_power_s'], 2)} in the median)"
    text = (
        f"{f'{count:,}' if count else 'None'} of {plural(n, 'pair')} with a decided law on both sides follow "
        f"different ones, {percent(row['law'])} {limits('law')}. Of {row['a']}: {told['a']}; of {row['b']}: "
        f"{told['b']}."
    )
    return text, f"{count:,} of {n:,} differ"


def _cost(row: Row) -> Verdict:
    ratio = _span(row, "ratio")
    times = "as many" if ratio == "1" else f"{ratio} times as many"
    text = (
        f"In error evaluations, a step of {row['a']} costs {_span(row, 'a_evaluations')} and a step of "
        f"{row['b']} {_span(row, 'b_evaluations')}: {times}, as “How it was measured” counts. Beside it, in "
        f"stacks on the machine of this sweep, a run took {number(1000 * row['a_seconds'], 2)} and "
        f"{number(1000 * row['b_seconds'], 2)} ms in the median."
    )
    return Verdict("cost", "What does it cost?", "exact", text, f"× {ratio}", "cost")


class Topic(NamedTuple):
    question: str
    noun: str  # in a summary
    picture: str
    say: Callable[[Row, float, Callable[[str], str]], tuple[str, str]]
    numbers: str  # what is told of each cell
    show: Callable[[float], str]
    margin: Callable[[float], str]


TOPICS = {
    "outcome": Topic("The same outcome, pair by pair?", "the outcome of a pair", "outcomes", _outcome,
                     "shares", percent, percent),
    "converged": Topic("Does one converge more often?", "the share that converges", "outcomes", _converged,
                       "points", points, lambda x: f"{number(100 * x)} point" + "s" * (x != 0.01)),
    "speed": Topic("Equally fast to {}?", "speed", "precision", _speed,
                   "medians", signed, lambda x: plural(x, "epoch")),
    "depth": Topic("The same depth?", "depth", "pairs", _depth, "medians", decades, "{:g} decades".format),
    "law": Topic("The same law of convergence?", "the law of convergence", "tail", _law,
                 "shares", percent, percent),
}  # fmt: skip


def verdicts(row: Row, cells: Sequence[Row], margins: Margins) -> list[Verdict]:
    """All that is said of one mode. row: its row for all cells; cells: the others."""
    if not row["n_pairs"]:
        return []
    return [*(_verdict(topic, row, cells, margins) for topic in TOPICS), _cost(row)]


def _verdict(name: str, row: Row, cells: Sequence[Row], margins: Margins) -> Verdict:
    topic, (fields, kind) = TOPICS[name], JUDGED[name]
    known, margin = [field for field in fields if row[f"{field}_n"]], getattr(margins, kind)
    question = topic.question.format(
        listed([number(PRACTICAL[f]) for f in known or fields if f in PRACTICAL])
    )
    text, short = topic.say(row, margin, lambda field: _limits(row, field, topic, margin))
    if not known:
        return Verdict(name, question, "not measured", text, short, topic.picture, topic.noun)
    states = {row[f"{field}_verdict"] for field in known}
    state = "different" if "different" in states else "unresolved" if len(states) > 1 else states.pop()
    there = _to(*(field for field in known if row[f"{field}_verdict"] == state))
    if len(cells) > 1:
        text += f" Cell by cell, by Holm: {'; '.join(_cells(row, cells, f, topic, margin) for f in known)}."
        if where := [_where(cells, field) for field in known if _different(cells, field)]:
            short = there = listed(where)
    about = f"{topic.noun} {there}".strip()
    return Verdict(name, question, state, polished(text), short, topic.picture, about)


def _to(*fields: str) -> str:
    taus = [number(PRACTICAL[field]) for field in fields if field in PRACTICAL]
    return f"to {listed(taus)}" if taus else ""


def _limits(row: Row, field: str, topic: Topic, margin: float) -> str:
    """The interval of all cells, and where it lies."""
    n_seeds, pooled = row[f"{field}_n_seeds"], _pooled(row, field, margin)
    words = {
        "equivalent": "within",
        "different": "beyond",
        "unresolved": "which leaves open whether it is within",
    }
    where = f"{words[pooled]} the margin of {topic.margin(margin)}"
    if n_seeds < FEWEST_SEEDS:
        where = f"from {plural(n_seeds, 'seed')}, too few to settle anything: it takes {FEWEST_SEEDS}"
    elif pooled == "different" and row[f"{field}_verdict"] == "unresolved":
        where += ", though not once it is adjusted for the number of cells"
    return f"({_interval(row, field, topic.show)}), {where}"


def _cells(row: Row, cells: Sequence[Row], field: str, topic: Topic, margin: float) -> str:
    """The states of the cells, counted; those that differ by name, if few; what they span."""
    own = [cell for cell in cells if cell[f"{field}_n"]]
    counts, different = Counter(cell[f"{field}_verdict"] for cell in own), _different(own, field)
    names = f" ({'; '.join(different)})" if len(different) <= 2 else ""
    told = [
        f"{state} in {counts[state]}" + names * (state == "different") for state in STATES if counts[state]
    ]
    text = f"{_to(field)} of {len(own)} cells {', '.join(told)}".strip()
    if values := [cell[field] for cell in own if cell[field] == cell[field]]:
        span = dict.fromkeys((topic.show(min(values)), topic.show(max(values))))
        text += f", {topic.numbers} {' to '.join(span)}"
    if _pooled(row, field, margin) == "equivalent" and any(abs(value) > margin for value in values):
        text += ", some beyond the margin, which the pool would hide"
    return text


def _where(cells: Sequence[Row], field: str) -> str:
    n = sum(1 for cell in cells if cell[f"{field}_n"])
    return f"{_to(field)} in {len(_different(cells, field))} of {n} cells".strip()


def _different(cells: Sequence[Row], field: str) -> list[str]:
    """The cells that differ, as people name them."""
    named = [cell["cell"] for cell in cells if cell[f"{field}_n"] and cell[f"{field}_verdict"] == "different"]
    return [name.replace(" ", ", ").replace("_", " ").replace("=", " ") for name in named]


def _pooled(row: Row, field: str, margin: float) -> str:
    """What the interval of all cells says by itself."""
    return verdict((row[f"{field}_low"], row[f"{field}_high"]), margin)


def _interval(row: Row, field: str, show: Callable) -> str:
    return interval(row[f"{field}_low"], row[f"{field}_high"], show)


def _span(row: Row, field: str) -> str:
    low, high = row[f"{field}_min"], row[f"{field}_max"]
    return f"{low:,.4g}" if low == high else f"{low:,.4g} to {high:,.4g}"


# --- all verdicts in a sentence or two ----------------------------------------------------------------


def summary_of_many(reference: str, judged: Mapping[str, Sequence[Verdict]]) -> str:
    """A sentence on the outcomes and one on the depths of several modes, by name."""
    words = {"equivalent": f"equivalent to {reference}", "different": f"different from {reference}"}
    sentences = []
    for topic, noun in (("outcome", "outcomes"), ("depth", "depth")):
        states = {name: v.state for name, of in judged.items() for v in of if v.topic == topic}
        names = {
            state: [name for name in states if states[name] == state] for state in (*words, "unresolved")
        }
        clauses = [f"{_are(of)} {words.get(state, state)}" for state, of in names.items() if of]
        sentences += [f"In {noun}, {'; '.join(clauses)}."] if clauses else []
    return " ".join(sentences)


def summary(a: str, b: str, judged: Sequence[Verdict]) -> str:
    """All states in one sentence."""
    about = {state: [v.about for v in judged if v.state == state] for state in (*STATES, "not measured")}
    clauses = [f"{state} in {listed(about[state])}" for state in ("equivalent", "different") if about[state]]
    text = f"{a} and {b} are {' but '.join(clauses)}" if clauses else f"{a} against {b}: nothing is settled"
    rest = [f"; {_are(about[state])} {state}" for state in ("unresolved", "not measured") if about[state]]
    return polished(text + "".join(rest) + ".")


def _are(names: Sequence[str]) -> str:
    return f"{listed(names)} {'is' if len(names) == 1 else 'are'}"
