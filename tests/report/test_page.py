"""Sentences say what the numbers are and what the interval allows, no more, in words for a student."""

import math
from types import SimpleNamespace

import pytest

from experiments.analysis import MARGINS
from experiments.report.page import Block, _environment
from experiments.wording import percent
from tinynet.outcomes import FLOOR

MARGIN = {"outcome": MARGINS.share, "law": MARGINS.share, "converged": MARGINS.share}
MARGIN |= {"speed": MARGINS.epochs, "late_error": MARGINS.ratio}
HALF = {
    "n_pairs": 100, "n_converged": 60, "n_alone": 0, "n_both": 60, "median_final_error": 1e-20,
    "n_decided": 50, "exponential": 50, "power": 0, "mixed": 0, "flat": 0, "common_law": "exponential",
    "median_power": math.nan,
    "evaluations_min": 1, "evaluations_max": 1, "median_seconds": 0.001,
}  # fmt: skip


def block(kind, verdict="equivalent", cells=(), ours=None, theirs=None, **row) -> Block:
    """A question to 100 pairs that agree in everything, but for what is given."""
    plain = {
        "value": 0.0,
        "low": 0.0,
        "high": 0.0,
        "n_pairs": 100,
        "n_seeds": 100,
        "p": 1.0,
        "scope": "pooled",
    }
    row = {"low_judged": row.get("low", 0.0), "high_judged": row.get("high", 0.0)} | row
    plain |= {"margin": MARGIN.get(kind, MARGINS.decades), "verdict": verdict} | row
    counts = {state: sum(cell["verdict"] == state for cell in cells) for state in ("different", "equivalent")}
    tau = 1e-6 if kind == "speed" else None
    return Block(
        kind, "numeric h=1e-4", "numeric", "analytic", plain, list(cells), counts,
        HALF | (ours or {}), HALF | (theirs or {}), tau,
    )  # fmt: skip


def macro(template: str, name: str, *arguments) -> str:
    module = _environment().get_template(template).module
    return " ".join(str(getattr(module, name)(*arguments)).split()).replace("&#39;", "'")


def says(kind, *arguments, **row) -> str:
    one = block(kind, *arguments, **row)
    return f"{macro('questions.html', 'says', one)} {macro('questions.html', 'means', one)}".strip()


def more(kind, *arguments, **row) -> str:
    return macro("questions.html", "more", block(kind, *arguments, **row))


@pytest.mark.parametrize(("low", "high", "state", "words"), [
    (0.001, 0.009, "equivalent", "The whole interval lies within the margin of 1"),
    (0.02, 0.30, "different", "The whole interval lies beyond the margin of 1"),
    (0.0, 0.04, "unresolved", "The interval reaches across the margin of 1"),
])  # fmt: skip
def test_a_sentence_names_its_interval_and_its_margin(low, high, state, words):
    text = says("outcome", state, value=0.03, low=low, high=high)
    assert words in text
    assert f"95 % interval {percent(low)} to {percent(high)}".replace("\u202f", " ") in text
    assert text.startswith("3 of 100 pairs end in another outcome: 3 %")


def test_no_flip_is_told_with_what_it_leaves_open_and_what_would_bound_it():
    text = says("outcome", "unresolved", high=0.036)
    assert text.startswith("None of 100 pairs ends in another outcome; up to 3.6 % could")
    assert "takes 368 pairs without a flip" in text
    assert "without a flip" not in says("outcome")


@pytest.mark.parametrize(("value", "words"), [
    (40.0, "numeric reaches 10⁻⁶ 40 epochs later"), (-1.0, "numeric reaches 10⁻⁶ 1 epoch earlier"),
    (0.0, "The median pair reaches 10⁻⁶ in the same epoch"), (math.nan, "is undetermined"),
])  # fmt: skip
def test_speed_is_told_in_epochs_with_its_sign_in_words(value, words):
    assert words in says("speed", "different", value=value, low=-9, high=99)


def test_a_depth_names_its_side_and_both_medians():
    deep = {"median_final_error": 2e-15}
    assert "numeric ends 5.30 decades above analytic" in says(
        "depth", value=5.3, low=4.0, high=6.1, ours=deep
    )
    assert "numeric ends 5.30 decades below analytic" in says("depth", value=-5.3, low=-6.1, high=-4.0)
    text = more("depth", value=5.3, low=4.0, high=6.1, ours=deep)
    assert "2·10⁻¹⁵ for numeric" in text
    assert "10⁻²⁰ for analytic" in text


def test_a_median_at_the_floor_of_rounding_makes_the_distance_a_bound():
    floor = {"median_final_error": FLOOR}
    assert "ends at least 22.30 decades above" in says("depth", value=22.3, low=20.0, high=22.7, theirs=floor)
    assert "at least" not in says("depth", value=22.3, low=20.0, high=22.7)
    assert "≤ 4.9·10⁻³² (rounding) for analytic" in more("depth", theirs=floor)


def cells(*verdicts) -> list[dict]:
    return [block("depth", verdict).row | {"scope": "cell"} for verdict in verdicts]


def test_cells_that_differ_are_counted_also_where_the_pool_hides_them():
    three = cells("different", "different", "equivalent")
    assert "2 of 3 cells differ by themselves" in says("depth", "different", three, value=5, low=4, high=6)
    assert "hide it: 2 of 3 differ" in says("depth", "different", three, low=-0.01, high=0.01)
    assert "some cells by themselves do not" in says("depth", "unresolved", three, low=-0.01, high=0.01)
    assert "not once it is adjusted" in says("depth", "unresolved", three, value=5, low=4, high=6)
    assert "no cell differs" in says("depth", "equivalent", cells("equivalent", "unresolved"))


def test_few_seeds_are_called_too_few_and_not_an_open_margin():
    text = says("outcome", "unresolved", value=0.66, low=0.09, high=0.99, n_seeds=3)
    assert "rests on 3 seeds; it takes 6 to settle anything" in text
    assert "margin" not in text


@pytest.mark.parametrize("kind", ["converged", "speed", "depth", "law", "restored"])
def test_what_was_not_measured_says_why_and_has_no_number(kind):
    text = says(kind, "not measured", value=math.nan, low=-math.inf, high=math.inf, n_pairs=0)
    assert text.startswith(("No run", "There is no", "A law"))
    assert "interval" not in text
    assert macro("words.html", "short", block(kind, "not measured", value=math.nan)) == "–"


def test_a_power_law_is_told_by_its_power():
    assert "t to the −4 in the median" in more("law", ours={"power": 40, "median_power": 4.0})


def test_cost_counts_evaluations_and_seconds_where_they_are_known():
    cost = {
        "value": 48.0,
        "low": 16.0,
        "high": 128.0,
        "ours": {"evaluations_min": 16, "evaluations_max": 128},
    }
    text = says("cost", "exact", **cost)
    assert text.startswith(
        "A step of numeric takes 16 to 128 error evaluations, one of analytic 1 error evaluation:"
    )
    assert text.endswith("× 16 to 128 as many.")
    assert "took 3 and 1 ms" in more("cost", "exact", ours={"median_seconds": 0.003})
    assert more("cost", "exact", ours={"median_seconds": math.nan}) == ""


# --- the first screen ---------------------------------------------------------------------------------


def lede(*blocks) -> str:
    plain = {one.kind: one for one in (block("outcome"), block("depth"), block("law"))}
    kinds = [*plain, *{one.kind for one in blocks if one.kind not in plain}]
    group = [one for kind in kinds for one in ([b for b in blocks if b.kind == kind] or [plain.get(kind)])]
    return macro("lede.html", "summary", {"numeric": group}, {}, SimpleNamespace(tutorial=None))


def speed(tau, verdict, value=0.0) -> Block:
    return block("speed", verdict, value=value)._replace(tau=tau)


def test_the_first_sentences_say_what_is_the_same_and_where_they_part():
    slow = {"common_law": "power"}
    nine = cells(*["different"] * 9, *["unresolved"] * 7)
    text = lede(
        block("outcome", "unresolved", value=0.01), speed(1e-3, "equivalent"), speed(1e-6, "equivalent"),
        speed(1e-9, "unresolved"), block("law", "different", nine, value=0.6, low=0.5, high=0.7, ours=slow),
    )  # fmt: skip
    assert text == (
        "numeric and analytic end in the same outcome in 99 of 100 pairs, and are equally fast to 10⁻⁶. "
        "Deeper down analytic mostly goes on falling exponentially and numeric slows to a power law; "
        "their laws differ in 9 of 16 cells."
    )


def test_the_first_sentences_claim_nothing_that_is_not_settled():
    open_ = [speed(tau, "unresolved", 3.0) for tau in (1e-3, 1e-6)]
    text = lede(block("depth", "unresolved", value=1.2, n_seeds=5), *open_)
    assert "fast" not in text
    assert "not settled by 5 seeds" in text
    text = lede(speed(1e-3, "equivalent"), speed(1e-6, "different", 40.0))
    assert "equally fast to 10⁻³ but not to 10⁻⁶" in text
    assert "numeric takes 40 epochs more to 10⁻³" in lede(speed(1e-3, "different", 40.0))


def test_where_nothing_converges_the_first_sentences_tell_of_late_errors():
    text = lede(block("depth", "not measured"), block("late_error", "equivalent", value=0.002))
    assert "No run converges; in the median pair their late errors differ by +0.2 % (equivalent)." in text
    assert "deep" not in text
