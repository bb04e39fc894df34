"""Sentences say what the numbers are and what the interval allows, no more."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.analysis.estimates import JUDGED, PRACTICAL
from experiments.analysis.statistics import FLOOR, MARGINS, verdict
from experiments.report.verdicts import summary, verdicts
from experiments.wording import decades, depth, listed, number, percent, points, signed

MARGIN = {field: getattr(MARGINS, margin) for fields, margin in JUDGED.values() for field in fields}
READ = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−", "-0123456789-")


def row(**changes) -> dict:
    """A row of comparison.csv in which 100 pairs agree in everything."""
    plain = {
        "cell": "all", "a": "numeric", "b": "analytic", "n_pairs": 100, "n_seeds": 100, "a_converged": 60,
        "b_converged": 60, "both_converged": 60, "a_only": 0, "b_only": 0, "p": 1.0, "p_holm": 1.0,
        "p_seeds": 1.0, "a_depth": -20.0, "b_depth": -20.0, "epochs_run_min": 600, "epochs_run_max": 600,
        "a_exponential": 50, "b_exponential": 50, "a_power": 0, "b_power": 0, "a_mixed": 0, "b_mixed": 0,
        "a_flat": 0, "b_flat": 0, "a_power_s": math.nan, "b_power_s": math.nan, 
        "a_evaluations_min": 16, "a_evaluations_max": 128, "b_evaluations_min": 1, "b_evaluations_max": 1,
        "ratio_min": 16, "ratio_max": 128, "a_seconds": 0.003, "b_seconds": 0.001,
    }  # fmt: skip
    for field in ("apart", *MARGIN):
        plain |= {
            field: 0.0,
            f"{field}_low": 0.0,
            f"{field}_high": 0.0,
            f"{field}_n": 60,
            f"{field}_n_seeds": changes.get("n_seeds", 60),
            f"{field}_beyond": 0.0,
        }
    plain |= changes
    for field, margin in MARGIN.items():
        interval = plain[f"{field}_low"], plain[f"{field}_high"]
        plain.setdefault(f"{field}_verdict", verdict(interval, margin))
    return plain


def said(*cells, **changes) -> dict:
    return {one.topic: one for one in verdicts(row(**changes), cells, MARGINS)}


def test_what_agrees_everywhere_is_called_equivalent():
    states = {topic: one.state for topic, one in said().items()}
    assert states.pop("cost") == "exact"
    assert set(states.values()) == {"equivalent"}


@pytest.mark.parametrize(("low", "high", "state", "words"), [
    (0.001, 0.009, "equivalent", "within the margin of 1"),
    (0.02, 0.30, "different", "beyond the margin of 1"),
    (0.0, 0.04, "unresolved", "leaves open whether"),
])  # fmt: skip
def test_a_sentence_names_its_interval_and_its_margin(low, high, state, words):
    one = said(other=0.03, other_low=low, other_high=high)["outcome"]
    assert one.state == state
    assert words in one.text
    assert f"95\u00a0% interval {percent(low)} to {percent(high)}" in one.text
    assert one.text.startswith("3 of 100 pairs end in another outcome, 3\u202f%")


def test_no_flip_is_told_with_what_it_leaves_open():
    text = said(other_high=0.036)["outcome"].text
    assert text.startswith("None of 100 pairs ends in another outcome; up to 3.6\u202f% could")


def test_speed_is_equivalent_only_if_it_is_at_every_error_and_says_to_which():
    one = said(**{"epochs_1e-6": 40.0, "epochs_1e-6_low": 30.0, "epochs_1e-6_high": 50.0})["speed"]
    assert one.state == "different"
    assert one.text.endswith("Different to 10⁻⁶. Equivalent to 10⁻³ and 10⁻⁹.")
    assert "+40 to 10⁻⁶ (+30 to +50; 60 pairs, 0\u202f% of them beyond the margin)" in one.text


def test_depth_names_both_medians_the_epochs_and_the_spread():
    text = said(depth=5.3, depth_low=4.0, depth_high=6.1, a_depth=-14.7, apart=0.5)["depth"].text
    for words in (
        "After 600 epochs",
        "2·10⁻¹⁵ for numeric",
        "10⁻²⁰ for analytic",
        "5.30 decades above",
        "50\u202f%",
    ):
        assert words in text


def test_cells_that_disagree_are_counted():
    cells = [row(depth_verdict=state) for state in ("equivalent", "different", "different")]
    one = said(*cells, depth_verdict="different")["depth"]
    assert "of 3 cells different in 2" in one.text
    assert "equivalent in 1" in one.text
    assert (one.state, one.short) == ("different", "in 2 of 3 cells")
    assert "depth in 2 of 3 cells" in summary("a", "b", [one])


def test_a_cell_that_differs_is_named():
    cells = [row(), row(cell="learning_rate=0.1 hidden_size=4", other=0.03, other_verdict="different")]
    one = said(*cells, other=0.002, other_high=0.004, other_verdict="different")["outcome"]
    assert "within the margin of 1" in one.text
    assert "different in 1 (learning rate 0.1, hidden size 4), equivalent in 1" in one.text
    assert (one.state, one.short) == ("different", "in 1 of 2 cells")


def test_cells_that_look_different_are_not_hidden_by_their_sum():
    slow = row(epochs=5.0, epochs_low=0.0, epochs_high=9.0, epochs_beyond=0.6)
    one = said(row(), row(), slow, epochs_beyond=0.2, epochs_verdict="unresolved")["speed"]
    assert one.state == "unresolved"
    assert "20\u202f% of them beyond the margin" in one.text
    assert "to 10⁻³ of 3 cells equivalent in 2, unresolved in 1, medians 0 to +5, some beyond" in one.text


def test_a_median_at_the_floor_of_rounding_is_a_bound():
    text = said(a_depth=-9.0, b_depth=math.log10(FLOOR), depth=22.3, depth_low=20.0, depth_high=22.7)[
        "depth"
    ].text
    assert "≤ 4.9·10⁻³² (rounding) for analytic" in text
    assert "numeric ends at least 22.30 decades above analytic" in text
    assert "at least" not in said(depth=5.0, depth_low=4.0, depth_high=6.0)["depth"].text


def test_a_power_law_is_told_by_its_power():
    assert "powers t to the −4 in the median" in said(a_power=40, a_power_s=0.25)["law"].text


@pytest.mark.parametrize(
    ("n_seeds", "words"), [(25, "over seeds, p = 0.5."), (100, "over pairs, p = 0.001.")]
)
def test_the_p_is_of_what_it_is_said_to_be_of(n_seeds, words):
    text = said(n_seeds=n_seeds, p=0.001, p_seeds=0.5)["converged"].text
    assert words.replace("0.001", "10⁻³") in text


def test_a_law_counts_the_seeds_that_have_one():
    text = said(n_seeds=100, law_n_seeds=3, law=1.0, law_n=3, law_low=0.29, law_high=1.0)["law"].text
    assert "from 3 seeds, too few" in text
    assert "too few" not in said(n_seeds=3, law_n_seeds=50)["law"].text


def test_no_flip_says_how_many_pairs_would_bound_it():
    assert "takes 368 pairs without a flip" in said(other_high=0.036)["outcome"].text
    assert "without a flip" not in said()["outcome"].text


def test_what_was_not_measured_is_not_judged():
    none = {f"{field}_n": 0 for field in ("depth", "law", *PRACTICAL)}
    states = {topic: one.state for topic, one in said(**none).items()}
    assert states["depth"] == states["law"] == states["speed"] == "not measured"
    assert "it takes 300" in said(law_n=0, epochs_run_min=60, epochs_run_max=60)["law"].text
    assert verdicts(row(n_pairs=0), [], MARGINS) == []


def test_few_seeds_are_called_too_few_and_not_an_open_margin():
    text = said(n_seeds=3, other_verdict="unresolved", other=0.66, other_low=0.09, other_high=0.99)[
        "outcome"
    ].text
    assert "from 3 seeds, too few to settle anything" in text


def test_cost_is_exact_and_counts_evaluations():
    one = said()["cost"]
    assert "numeric costs 16 to 128 and a step of analytic 1: 16 to 128 times as many" in one.text
    assert "3 and 1 ms" in one.text


def test_nothing_is_said_of_seconds_that_were_not_measured():
    text = said(a_seconds=math.nan, b_seconds=math.nan)["cost"].text
    assert text.endswith("counts.")
    assert "ms" not in text


def test_the_summary_names_every_topic_once():
    text = summary("numeric", "analytic", verdicts(row(depth_verdict="different"), [], MARGINS))
    assert text == (
        "Numeric and analytic are equivalent in the outcome of a pair, the share that converges, speed to "
        "10⁻³, 10⁻⁶ and 10⁻⁹ and the law of convergence but different in depth."
    )


@given(st.floats(1e-40, 1e40) | st.floats(-1e40, -1e-40))
def test_a_number_reads_back_to_its_three_digits(x):
    read = re.sub("10(?=[⁻⁰-⁹¹²³])", "1e", number(x).replace("·10", "e")).translate(READ)
    assert float(read) == pytest.approx(x, rel=5.01e-3)


@pytest.mark.parametrize(("show", "x", "text"), [
    (number, 1e-3, "10⁻³"), (number, 1.9e-25, "1.9·10⁻²⁵"), (number, 0.0, "0"), (number, math.inf, "∞"),
    (number, math.nan, "–"), (number, 600, "600"), (signed, 3.0, "+3"), (signed, -math.inf, "−∞"),
    (decades, 4.8, "+4.80"), (decades, -0.001, "0.00"), (decades, -8.37, "−8.37"), (points, 0.0025, "+0.25"),
    (points, -0.25, "−25"), (percent, 0.613, "61.3\u202f%"), (percent, 1.0, "100\u202f%"),
    (percent, 0.0, "0\u202f%"),
])  # fmt: skip
def test_numbers_are_written_as_people_write_them(show, x, text):
    assert show(x) == text


@pytest.mark.parametrize(("error", "text"), [
    (0.0, "≤ 4.9·10⁻³² (rounding)"), (FLOOR, "≤ 4.9·10⁻³² (rounding)"), (1e-20, "10⁻²⁰"),
    (10.0 ** math.log10(FLOOR), "≤ 4.9·10⁻³² (rounding)"), (2 * FLOOR, "9.9·10⁻³²"),
])  # fmt: skip
def test_a_final_error_at_the_floor_is_a_bound(error, text):
    assert depth(error) == text


def test_lists_are_written_as_people_write_them():
    assert [listed("a"), listed("ab"), listed("abc")] == ["a", "a and b", "a, b and c"]
