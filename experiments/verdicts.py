"""What a comparison says, in sentences. Rows of comparison.csv in, text out: no sentence holds a number of its own.

`a` is the mode in question, `b` the reference; a state is equivalent, different or unresolved (comparison.verdict),
"exact" for what is counted and not estimated, "not measured" where the sweep cannot tell.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from experiments.comparison import FEWEST_SEEDS, Margins

Row = Mapping[str, object]
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Verdict(NamedTuple):
    question: str
    state: str
    short: str  # the number alone, for a table of many modes
    text: str
    picture: str  # the one that shows it: a word of its name
    field: str  # of comparison.csv


def number(x: float, digits: int = 3) -> str:
    """1.2·10⁻¹⁷, 0.03, −2.5: as people write it."""
    if x != x:
        return "–"
    mantissa, e, exponent = f"{x:.{digits}g}".replace("inf", "∞").partition("e")
    if not e and 0 < abs(x) < 1e-3:
        mantissa, e, exponent = f"{x:.{digits - 1}e}".partition("e")
    if e:
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        power = "10" + str(int(exponent)).translate(RAISED)
        mantissa = power if mantissa == "1" else f"{mantissa}·{power}"
    return mantissa.replace("-", "−")


def percent(x: float) -> str:
    return points(x).removeprefix("+") + " %"


def signed(x: float) -> str:
    return "+" * (x > 0) + number(x)


def points(x: float) -> str:
    """A share in percent without its sign: 0.25, 61.3."""
    if x != x:
        return "–"
    digits = f"{100 * x:.1f}".removesuffix(".0") if abs(x) >= 0.1 else f"{100 * x:.2g}"
    return "+" * (x > 0) + digits.replace("-", "−")


def plural(n: float, noun: str) -> str:
    return f"{n:,.0f} {noun}" + "s" * (n != 1)


def interval(row: Row, field: str, show=number) -> str:
    """The interval in words; what is missing where there is none."""
    low, high = row[f"{field}_low"], row[f"{field}_high"]
    if low == float("-inf") and high == float("inf"):
        return f"no interval: {plural(row['n_seeds'], 'seed')}, and a median needs {FEWEST_SEEDS} independent pairs"
    return f"95 % interval {show(low)} to {show(high)}"


def _against(state: str, margin: str) -> str:
    return {
        "equivalent": f"within the margin of {margin}",
        "different": f"beyond the margin of {margin}",
        "unresolved": f"which leaves open whether it is within the margin of {margin}",
    }[state]


def _by_cell(cells: Sequence[Row], field: str) -> str:
    """How the cells judge one by one; nothing where there is one."""
    if len(cells) < 2:
        return ""
    counts = Counter(cell[f"{field}_verdict"] for cell in cells)
    states = [f"{state} in {counts[state]}" for state in ("equivalent", "different", "unresolved") if counts[state]]
    return f" Of {len(cells)} cells taken one by one: {', '.join(states)}."


def outcome(row: Row, cells: Sequence[Row], margins: Margins) -> Verdict:
    n, state = row["n_pairs"], row["other_verdict"]
    count = round(row["other"] * n) if n else 0
    text = f"{count:,} of {plural(n, 'pair')} end in another outcome, {percent(row['other'])}"
    if count == 0:
        text = f"None of {plural(n, 'pair')} ends in another outcome; up to {percent(row['other_high'])} could"
    text += f" ({interval(row, 'other', percent)}), {_against(state, percent(margins.share))}."
    return Verdict(
        "The same outcome, pair by pair?", state, f"{count:,} of {n:,}", text, "outcomes", "other"
    )


def share(row: Row, cells: Sequence[Row], margins: Margins) -> Verdict:
    state, n = row["share_verdict"], row["n_pairs"]
    p, of = (row["p_seeds"], "over seeds") if row["n_seeds"] < n else (row["p"], "over pairs")
    text = (
        f"{row['a']} converges in {row['a_converged']:,} of {plural(n, 'pair')} and {row['b']} in "
        f"{row['b_converged']:,}; only {row['a']} in {row['a_only']}, only {row['b']} in {row['b_only']}. The difference "
        f"is {points(row['share'])} points ({interval(row, 'share', points)}), "
        f"{_against(state, f'{points(margins.share).lstrip(chr(43))} point')}; exact McNemar {of}, p = {number(p, 2)}."
    )
    if len(cells) > 1:
        least = min(cell["p_holm"] for cell in cells)
        text += f" The smallest p of {len(cells)} cells after Holm is {number(least, 2)}."
    return Verdict("Does one converge more often?", state, f"{points(row['share'])} points", text, "outcomes", "share")


def speed(row: Row, cells: Sequence[Row], margins: Margins, taus: Mapping[str, float]) -> Verdict:
    """taus: field of comparison.csv -> error, from the loosest to the tightest."""
    known = {field: tau for field, tau in taus.items() if row[f"{field}_n"]}
    states = {field: row[f"{field}_verdict"] for field in known}
    question, picture = "Equally fast to any practical error?", "precision"
    if not known:
        return Verdict(question, "not measured", "–", f"No run comes below {number(max(taus.values()))}.", picture, "epochs")
    told = [
        f"to {number(tau)} {signed(row[field]) if row[field] == row[field] else 'undetermined'} "
        f"({interval(row, field, signed)}; {plural(row[f'{field}_n'], 'pair')})"
        for field, tau in known.items()
    ]
    different = [number(tau) for field, tau in known.items() if states[field] == "different"]
    equal = [number(tau) for field, tau in known.items() if states[field] == "equivalent"]
    state = "different" if different else "equivalent" if len(equal) == len(known) else "unresolved"
    verdict = f" Equivalent to {', '.join(equal)}." if equal and state != "equivalent" else ""
    verdict += f" Different to {', '.join(different)}." if different else ""
    text = (
        f"Median difference in epochs, {row['a']} less {row['b']}: {'; '.join(told)}. "
        f"The margin is {plural(margins.epochs, 'epoch')}.{verdict}"
    )
    short = " · ".join(signed(row[field]) for field in known) + " epochs"
    return Verdict(question, state, short, text, picture, "epochs")


def depth(row: Row, cells: Sequence[Row], margins: Margins) -> Verdict:
    question, n = "The same depth?", row["depth_n"]
    if not n:
        return Verdict(question, "not measured", "–", "There is no pair in which both converge.", "pairs", "depth")
    state = row["depth_verdict"]
    side = "above" if row["depth"] > 0 else "below"
    text = (
        f"After {row['n_epochs']} epochs the median final error is {number(10.0 ** row['a_depth'], 2)} for {row['a']} and "
        f"{number(10.0 ** row['b_depth'], 2)} for {row['b']}, of {plural(n, 'pair')} in which both converge. Pair by "
        f"pair, {row['a']} ends {number(abs(row['depth']))} decades {side} {row['b']} in the median "
        f"({interval(row, 'depth', signed)}), {_against(state, plural(margins.decades, 'decade').replace('0 ', f'{margins.decades:g} '))}. "
        f"{percent(row['apart'])} of the pairs are more than a decade apart ({interval(row, 'apart', percent)})."
    )
    return Verdict(question, state, f"{signed(row['depth'])} decades", text + _by_cell(cells, "depth"), "pairs", "depth")


def law(row: Row, cells: Sequence[Row], margins: Margins) -> Verdict:
    question, n, picture = "The same law of convergence?", row["law_n"], "tail"
    if row["n_epochs"] < 300:
        text = f"A law is not read off {row['n_epochs']} epochs; it takes 300."
        return Verdict(question, "not measured", "–", text, picture, "law")
    if not n:
        return Verdict(question, "not measured", "–", "No pair falls far enough on both sides.", picture, "law")
    state, told = row["law_verdict"], []
    for arm in "ab":
        counts = {name: row[f"{arm}_{name}"] for name in ("exponential", "power", "mixed", "flat")}
        told.append(f"{row[arm]}: " + ", ".join(f"{k:,} {name}" for name, k in counts.items() if k))
    if row["a_power"]:
        told[0] += f" (median power t^−{number(1 / row['a_power_s'], 2)})"
    text = (
        f"{round(row['law'] * n):,} of {plural(n, 'pair')} with a decided law on both sides follow different ones, "
        f"{percent(row['law'])} ({interval(row, 'law', percent)}), {_against(state, percent(margins.share))}. {'; '.join(told)}."
    )
    return Verdict(question, state, f"{round(row['law'] * n):,} of {n:,} differ", text, picture, "law")


def cost(row: Row, cells: Sequence[Row], margins: Margins) -> Verdict:
    def span(field):
        low, high = row[f"{field}_min"], row[f"{field}_max"]
        return f"{low:,.4g}" if low == high else f"{low:,.4g} to {high:,.4g}"

    ratio = span("ratio")
    text = (
        f"A step costs {span('a_evaluations')} evaluations of the error for {row['a']} and {span('b_evaluations')} for "
        f"{row['b']}: {ratio} times as many, exactly. Beside it, in stacks on the machine of this sweep, a run took "
        f"{number(1000 * row['a_seconds'], 2)} and {number(1000 * row['b_seconds'], 2)} ms in the median."
    )
    return Verdict("What does it cost?", "exact", f"× {ratio}", text, "cost", "ratio_min")


def verdicts(row: Row, cells: Sequence[Row], margins: Margins, taus: Mapping[str, float]) -> list[Verdict]:
    """All that one mode's rows say: row is the one for all cells."""
    if not row["n_pairs"]:
        return []
    judged = [outcome(row, cells, margins), share(row, cells, margins), speed(row, cells, margins, taus)]
    return judged + [say(row, cells, margins) for say in (depth, law, cost)]
