"""Numbers and lists are written as people write them."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.wording import decades, depth, listed, number, percent, plural, points, signed, tidy
from tinynet.outcomes import FLOOR

READ = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−", "-0123456789-")


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
    assert listed([]) == ""


@pytest.mark.parametrize(
    ("n", "text"), [(1, "1 run"), (0, "0 runs"), (1200, "1,200 runs"), (0.5, "0.5 runs")]
)
def test_one_is_singular_and_nothing_else(n, text):
    assert plural(n, "run") == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_tidy_number_is_exact(x):
    assert float(tidy(x)) == x
