"""What a comparison says: rows of comparison.csv in, verdicts in words out. None has numbers of its own.

A state is equivalent, different or unresolved, by the rule of cells.py; "exact" for what is counted, not
estimated; "not measured" where the sweep cannot tell.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from experiments.analysis.estimates import JUDGED, PRACTICAL
from experiments.analysis.statistics import FEWEST, Margins, verdict
from experiments.report.sentences import STATES, TOPICS, Row, Topic, cost, of_row
from experiments.wording import listed, number, plural, polished


class Verdict(NamedTuple):
    topic: str
    question: str
    state: str
    text: str
    short: str = "–"  # the number alone
    picture: str = ""  # the one that shows it: a word of its name
    about: str = ""  # what is in that state, for a summary


def verdicts(row: Mapping, cells: Sequence[Mapping], margins: Margins) -> list[Verdict]:
    """All that is said of one mode. row: its row of comparison.csv for all cells; cells: the others."""
    if not (row := Row(row)).n_pairs:
        return []
    text, short = cost(row)
    exact = Verdict("cost", "What does it cost?", "exact", text, short, "cost")
    return [*(_verdict(topic, row, cells, margins) for topic in TOPICS), exact]


def _verdict(name: str, row: Row, cells: Sequence[Row], margins: Margins) -> Verdict:
    topic, (fields, kind) = TOPICS[name], JUDGED[name]
    known, margin = [field for field in fields if row[f"{field}_n"]], getattr(margins, kind)
    question = topic.question.format(_to(*(known or fields)))
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
    where = f"{'beyond' if pooled == 'different' else 'within'} the margin of {topic.margin(margin)}"
    if n_seeds < FEWEST:
        where = f"from {plural(n_seeds, 'seed')}, too few to settle anything: it takes {FEWEST}"
    elif pooled == "unresolved":
        where = f"which leaves open whether it is {where}"
    elif pooled == "different" and row[f"{field}_verdict"] == "unresolved":
        where += ", though not once it is adjusted for the number of cells"
    return f"({of_row(row, field, topic.show)}), {where}"


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
