"""What a comparison says: rows of comparison.csv in, sentences out. None has numbers of its own.

a is the mode in question, b the reference. A state is equivalent, different or unresolved
(comparison.verdict), "exact" for what is counted, not estimated, "not measured" where the sweep cannot tell.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from experiments.comparison import FEWEST_SEEDS, FLOOR, Margins, pairs_without_a_flip

Row = Mapping[str, object]
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
TOPICS = {  # what is judged, in a word and in a sentence
    "outcome": "the outcome of a pair",
    "converged": "the share that converges",
    "speed": "speed",
    "depth": "depth",
    "law": "the law of convergence",
}


class Verdict(NamedTuple):
    topic: str
    question: str
    state: str
    text: str
    short: str = "–"  # the number alone
    picture: str = ""  # the one that shows it: a word of its name


# --- numbers as people write them ---------------------------------------------------------------------


def number(x: float, digits: int = 3) -> str:
    """1.2·10⁻¹⁷, 0.03, −2.5."""
    if x != x:
        return "–"
    mantissa, e, exponent = f"{x:.{digits}g}".replace("inf", "∞").partition("e")
    if not e and 0 < abs(x) <= 1e-3:
        mantissa, e, exponent = f"{x:.{digits - 1}e}".partition("e")
    if e:
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        power = "10" + str(int(exponent)).translate(RAISED)
        mantissa = power if mantissa == "1" else f"{mantissa}·{power}"
    return mantissa.replace("-", "−")


def signed(x: float) -> str:
    return ("+" if x > 0 else "") + number(x)


def decades(x: float) -> str:
    """Two places, which is more than the intervals of depths tell."""
    if x != x or abs(x) == float("inf"):
        return signed(x)
    return "0.00" if abs(x) < 0.005 else f"{x:+.2f}".replace("-", "−")


def points(x: float) -> str:
    """A difference of shares, in points of percent."""
    return ("+" if x > 0 else "") + percent(x)[:-2]


def percent(x: float) -> str:
    if x != x:
        return "–\u202f%"
    digits = f"{100 * x:.1f}".removesuffix(".0") if abs(x) >= 0.1 else f"{100 * x:.2g}"
    return digits.replace("-", "−") + "\u202f%"


def plural(n: float, noun: str) -> str:
    return f"{n:,.0f} {noun}" + "s" * bool(n != 1)


def listed(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def interval(row: Row, field: str, show=number) -> str:
    low, high = row[f"{field}_low"], row[f"{field}_high"]
    if low == float("-inf") and high == float("inf"):
        return "too few pairs for an interval"
    return f"95 % interval {show(low)} to {show(high)}"


def _span(row: Row, field: str) -> str:
    low, high = row[f"{field}_min"], row[f"{field}_max"]
    return f"{low:,.4g}" if low == high else f"{low:,.4g} to {high:,.4g}"


def _against(state: str, margin: str, n_seeds: int) -> str:
    if n_seeds < FEWEST_SEEDS:
        return f"from {plural(n_seeds, 'seed')}, too few to settle anything: it takes {FEWEST_SEEDS}"
    return {
        "equivalent": f"within the margin of {margin}",
        "different": f"beyond the margin of {margin}",
        "unresolved": f"which leaves open whether it is within the margin of {margin}",
    }[state]


def _of_cells(field: str, row: Row, cells: Sequence[Row], margin: float, show=signed) -> tuple[str, str]:
    """The state of all cells, and their counts in words.

    One cell that differs makes all different; none may look beyond the margin where all are equivalent.
    """
    state, cells = row[f"{field}_verdict"], [cell for cell in cells if cell[f"{field}_n"]]
    if len(cells) < 2:
        return state, ""
    counts = Counter(cell[f"{field}_verdict"] for cell in cells)
    values = [cell[field] for cell in cells if cell[field] == cell[field]]
    told = [f"{of} in {counts[of]}" for of in ("different", "equivalent", "unresolved") if counts[of]]
    told = f"of {len(cells)} cells {', '.join(told)}"
    told += f", medians {show(min(values))} to {show(max(values))}" if values else ""
    if counts["different"]:
        return "different", told
    beyond = any(abs(value) > margin for value in values)
    return ("unresolved" if state == "equivalent" and beyond else state), told


def _n_different(field: str, cells: Sequence[Row]) -> str:
    """3 of 16 cells; nothing where none differs."""
    states = [cell[f"{field}_verdict"] for cell in cells if cell[f"{field}_n"]]
    n = states.count("different")
    return f"{n} of {plural(len(states), 'cell')}" if n and len(states) > 1 else ""


# --- a sentence per question --------------------------------------------------------------------------


def outcome(row: Row, cells: Sequence[Row], margins: Margins) -> Verdict:
    n, state, count = row["n_pairs"], row["other_verdict"], round(row["other"] * row["n_pairs"])
    verb = "ends" if count == 1 else "end"
    told = f"{count:,} of {plural(n, 'pair')} {verb} in another outcome, {percent(row['other'])}"
    if count == 0:
        told = (
            f"None of {plural(n, 'pair')} ends in another outcome; up to {percent(row['other_high'])} could"
        )
    against = _against(state, percent(margins.share), row["n_seeds"])
    text = f"{told} ({interval(row, 'other', percent)}), {against}."
    if count == 0 and state == "unresolved":
        text += f" To bound it by {percent(margins.share)} takes "
        text += f"{plural(pairs_without_a_flip(margins.share), 'pair')} without a flip."
    return Verdict(
        "outcome", "The same outcome, pair by pair?", state, text, f"{count:,} of {n:,}", "outcomes"
    )


def converged(row: Row, cells: Sequence[Row], margins: Margins) -> Verdict:
    a, b, state = row["a"], row["b"], row["share_verdict"]
    p, over = (row["p_seeds"], "seeds") if row["n_seeds"] < row["n_pairs"] else (row["p"], "pairs")
    text = (
        f"{a} converges in {row['a_converged']:,} of {plural(row['n_pairs'], 'pair')} and {b} in "
        f"{row['b_converged']:,}; only {a} in {row['a_only']:,}, only {b} in {row['b_only']:,}. Difference: "
        f"{points(row['share'])} points ({interval(row, 'share', points)}), "
        f"{_against(state, f'{points(margins.share)[1:]} point', row['n_seeds'])}; exact McNemar over "
        f"{over}, p = {number(p, 2)}."
    )
    if len(cells) > 1:
        least = number(min(cell["p_holm"] for cell in cells), 2)
        text += f" The smallest p of {len(cells)} cells, adjusted by Holm, is {least}."
    short = f"{points(row['share'])} points"
    return Verdict("converged", "Does one converge more often?", state, text, short, "outcomes")


def speed(row: Row, cells: Sequence[Row], margins: Margins, taus: Mapping[str, float]) -> Verdict:
    """taus: field of comparison.csv -> error, from the loosest to the tightest."""
    known = {field: number(tau) for field, tau in taus.items() if row[f"{field}_n"]}
    question, picture = (
        f"Equally fast to {listed([*known.values()] or [*map(number, taus.values())])}?",
        "precision",
    )
    if not known:
        text = f"No run comes below {number(max(taus.values()))}."
        return Verdict("speed", question, "not measured", text, picture=picture)
    told, states, ends = [], {}, []
    for field, tau in known.items():
        states[tau], counts = _of_cells(field, row, cells, margins.epochs)
        told.append(
            f"{signed(row[field]) if row[field] == row[field] else 'undetermined'} to {tau} "
            f"({interval(row, field, signed)}; {plural(row[f'{field}_n'], 'pair')}, "
            f"{percent(row[f'{field}_beyond'])} of them beyond the margin)"
        )
        ends += [f"to {tau} {counts}"] if counts else []
    state = "equivalent" if set(states.values()) == {"equivalent"} else "unresolved"
    state = "different" if "different" in states.values() else state
    text = f"The median difference in epochs, {row['a']} less {row['b']}, is {', '.join(told)}. "
    text += f"The margin is {plural(margins.epochs, 'epoch')}."
    if state != "equivalent":
        for of in ("different", "equivalent"):
            if there := [tau for tau in states if states[tau] == of]:
                text += f" {capital(of)} to {listed(there)}."
    if ends:
        text += f" Cell by cell: {'; '.join(ends)}."
    cells_short = [_n_different(field, cells) for field in known]
    short = " · ".join(signed(row[field]) for field in known) + " epochs"
    if any(cells_short):
        short = "different in " + " · ".join(one or "none" for one in cells_short)
    return Verdict("speed", question, state, text, short, picture)


def depth(row: Row, cells: Sequence[Row], margins: Margins) -> Verdict:
    question, picture, n, a, b = "The same depth?", "pairs", row["depth_n"], row["a"], row["b"]
    if not n:
        text = "There is no pair in which both converge."
        return Verdict("depth", question, "not measured", text, picture=picture)
    state, counts = _of_cells("depth", row, cells, margins.decades, decades)
    apart = decades(row["depth"])
    medians = {arm: row[f"{arm}_depth"] for arm in "ab"}
    at_floor = {arm: 10.0 ** medians[arm] <= FLOOR * (1 + 1e-9) for arm in "ab"}
    shown = {
        arm: f"≤ {number(FLOOR, 2)} (rounding)" if at_floor[arm] else number(10.0 ** medians[arm], 2)
        for arm in "ab"
    }
    least = "at least " if at_floor["b" if row["depth"] > 0 else "a"] else ""
    ends = f"{a} ends {least}{apart[1:]} decades {'above' if row['depth'] > 0 else 'below'} {b}"
    if apart == "0.00":
        ends = f"{a} and {b} end 0.00 decades apart"
    text = f"After {_span(row, 'epochs_run')} epochs, "
    if counts:
        text += f"{counts} decades. All cells pooled, "
    text += (
        f"the median final error is {shown['a']} for {a} and {shown['b']} for {b}, of "
        f"{plural(n, 'pair')} in which both converge. Pair by pair, {ends} in the median "
        f"({interval(row, 'depth', decades)}), "
        f"{_against(row['depth_verdict'], f'{margins.decades:g} decades', row['n_seeds'])}. "
        f"{percent(row['apart'])} of these pairs are more than a decade apart "
        f"({interval(row, 'apart', percent)})."
    )
    return Verdict(
        "depth", question, state, text, _n_different("depth", cells) or f"{apart} decades", picture
    )


def law(row: Row, cells: Sequence[Row], margins: Margins) -> Verdict:
    question, picture, n = "The same law of convergence?", "tail", row["law_n"]
    if not n:
        text = "No pair falls far enough on both sides."
        if row["epochs_run_max"] < 300:
            text = f"A law is not read off {_span(row, 'epochs_run')} epochs; it takes 300."
        return Verdict("law", question, "not measured", text, picture=picture)
    count, told = round(row["law"] * n), []
    state, counts = _of_cells("law", row, cells, margins.share, percent)
    for arm in "ab":
        laws = {name: row[f"{arm}_{name}"] for name in ("exponential", "power", "mixed", "flat")}
        told.append(f"{row[arm]}: " + ", ".join(f"{k:,} {name}" for name, k in laws.items() if k))
    if row["a_power"]:
        told[0] += f" (powers t to the −{number(1 / row['a_power_s'], 2)} in the median)"
    text = (
        f"{f'{count:,}' if count else 'None'} of {plural(n, 'pair')} with a decided law on both sides follow "
        f"different ones, {percent(row['law'])} ({interval(row, 'law', percent)}), "
        f"{_against(row['law_verdict'], percent(margins.share), row['law_seeds'])}. "
        f"{capital('; '.join(told))}."
    )
    text += f" Cell by cell, {counts.replace('medians', 'shares')}." if counts else ""
    short = _n_different("law", cells) or f"{count:,} of {n:,} differ"
    return Verdict("law", question, state, text, short, picture)


def cost(row: Row, cells: Sequence[Row], margins: Margins) -> Verdict:
    ratio = _span(row, "ratio")
    times = "as many" if ratio == "1" else f"{ratio} times as many"
    text = (
        f"In error evaluations, a step of {row['a']} costs {_span(row, 'a_evaluations')} and a step of "
        f"{row['b']} {_span(row, 'b_evaluations')}: {times}, as “How it was measured” counts. Beside it, "
        f"in stacks on the machine of this sweep, a run took {number(1000 * row['a_seconds'], 2)} and "
        f"{number(1000 * row['b_seconds'], 2)} ms in the median."
    )
    return Verdict("cost", "What does it cost?", "exact", text, f"× {ratio}", "cost")


def verdicts(row: Row, cells: Sequence[Row], margins: Margins, taus: Mapping[str, float]) -> list[Verdict]:
    """All that is said of one mode. row: its row for all cells; cells: the others; taus: see speed."""
    if not row["n_pairs"]:
        return []
    judged = [outcome(row, cells, margins), converged(row, cells, margins), speed(row, cells, margins, taus)]
    judged += [say(row, cells, margins) for say in (depth, law, cost)]
    return [verdict._replace(text=polished(verdict.text)) for verdict in judged]


def polished(text: str) -> str:
    """A capital at the start; what the brackets hold is said once."""
    first, said, rest = text.partition("95 % interval ")
    return capital(first + said.replace(" ", "\u00a0", 1) + rest.replace("95 % interval ", ""))


def summary_of_many(reference: str, judged: Mapping[str, Sequence[Verdict]]) -> str:
    """A sentence on the outcomes and one on the depths of several modes, by name."""
    sentences = []
    for topic, noun in (("outcome", "outcomes"), ("depth", "depth")):
        states = {name: v.state for name, of in judged.items() for v in of if v.topic == topic}
        clauses = []
        for state, verb in (("equivalent", "equivalent to"), ("different", "different from")):
            if found := [name for name in judged if states.get(name) == state]:
                clauses.append(f"{listed(found)} {'is' if len(found) == 1 else 'are'} {verb} {reference}")
        if open_ := [name for name in judged if states.get(name) == "unresolved"]:
            clauses.append(f"{listed(open_)} {'remains' if len(open_) == 1 else 'remain'} unresolved")
        sentences += [f"In {noun}, {'; '.join(clauses)}."] if clauses else []
    return " ".join(sentences)


def summary(a: str, b: str, judged: Sequence[Verdict]) -> str:
    """All states in one sentence."""
    where = {
        v.topic: f" in {v.short}" if v.topic in ("depth", "law") and "cell" in v.short else "" for v in judged
    }
    where |= {v.topic: v.question.removeprefix("Equally fast")[:-1] for v in judged if v.topic == "speed"}
    named = [(v.state, TOPICS[v.topic] + where[v.topic]) for v in judged if v.topic in TOPICS]
    topics = {state: [topic for of, topic in named if of == state]
              for state in ("equivalent", "different", "unresolved", "not measured")}  # fmt: skip
    clauses = [f"{of} in {listed(topics[of])}" for of in ("equivalent", "different") if topics[of]]
    text = f"{a} and {b} are {' but '.join(clauses)}" if clauses else f"{a} against {b}: nothing is settled"
    for of in ("unresolved", "not measured"):
        if topics[of]:
            text += f"; {listed(topics[of])} {'is' if len(topics[of]) == 1 else 'are'} {of}"
    return capital(text) + "."
