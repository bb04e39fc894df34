"""What a sweep says: its axes as a command line has them, and a table that adds up."""

import re
import tracemalloc
from types import SimpleNamespace

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Transformer
from hypothesis import given
from hypothesis import strategies as st

from experiments.sweep import terminal
from experiments.sweep.settings import read
from experiments.wording import plural
from tests.sweep.test_settings import PLAIN


def job(**changes):
    return read(PLAIN | changes)


def test_the_summary_counts_every_run_once_and_takes_the_median_of_what_converged():
    ends = [("converged", 1e-8), ("converged", 1e-4), ("stuck", 0.3), ("converged", 1e-6)]
    results = [terminal.Result(job(seed=seed), *end) for seed, end in enumerate(ends)]
    results.append(terminal.Result(job(learning_rate=0.3), "diverged", float("inf")))
    lines = [re.sub(" +", " ", line).strip() for line in terminal.summary(results).splitlines()]
    assert lines == [
        "learning rate hidden size mode converged stuck diverged median error of converged",
        "0.1 4 numeric h=1e-4 3 1 · 1.0e-06",
        "0.3 4 numeric h=1e-4 · · 1 —",
        "converged: an error below 0.002 of that of answering 0",
    ]


def test_the_summary_says_below_what_a_run_has_converged():
    results = [terminal.Result(job(converged_below=share), "stuck", 0.3) for share in (0.05, 0.01, 0.05)]
    assert terminal.summary(results).endswith("converged: an error below 0.01 or 0.05 of that of answering 0")


def test_the_plan_names_the_axes_and_how_many_runs():
    analytic = {"_target_": "tinynet.gradients.Analytic"}
    jobs = [job(seed=seed, **change) for seed in range(12) for change in ({}, {"gradient": analytic})]
    assert terminal.plan("mine", jobs, "a store").splitlines() == [
        "mine: 24 runs of 60 epochs, recorded in a store",
        "  seed  range(0,12)",
        "  mode  numeric h=1e-4,analytic",
    ]


def test_axes_tell_values_apart_as_they_are_written():
    """A list can be no key of a table, and True is 1 to Python."""
    rows = [[[0, 1], [1, 0]], [[0, 1], [1, 1]], [[0, 1], [True, 0]]]
    problem = {"_target_": "tinynet.Problem", "targets": [0, 1]}
    jobs = [job(problem=problem | {"inputs": inputs}) for inputs in (*rows[:2], rows[0])]
    assert terminal.axes(jobs) == {"problem.inputs": rows[:2]}
    jobs = [SimpleNamespace(params=lambda value=value: {"x": value}) for value in (1, True, 1.0, "1", None)]
    assert [repr(value) for value in terminal.axes(jobs)["x"]] == ["1", "True", "1.0", "'1'", "None"]


ODD_TEXT = (
    "1", "1.0", "true", "null", "nan", "1_0", "", "a b", "it's", "a\\", "\\'", "[1]", "{a:1}", "a=b", "ü",
    "$a", "a:b", "../a.csv", "-", ".", "a,b", '"',
)  # fmt: skip
NESTED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(ODD_TEXT),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=6,
)
AXIS = st.one_of(
    st.lists(st.integers(-(2**32), 2**32), min_size=1, unique=True),
    st.builds(range, st.integers(-99, 99), st.integers(100, 999), st.integers(1, 30)).map(list),
    st.builds(range, st.integers(100, 999), st.integers(-99, 99), st.integers(-30, -1)).map(list),
    st.lists(st.floats(allow_nan=False), min_size=1, unique=True),
    st.lists(st.text("abc, ").map(str.strip), min_size=1, unique=True),
    st.lists(st.booleans(), min_size=1, unique=True),
    st.lists(NESTED, min_size=1, unique_by=repr),
)


@given(AXIS)
def test_hydra_reads_from_a_listed_axis_the_very_values(values):
    parsed = OverridesParser.create().parse_override(f"x={terminal.listed(values)}")
    several = parsed.is_sweep_override()
    again = list(parsed.sweep_iterator(Transformer.identity)) if several else [parsed.value()]
    for value, same in zip(values, map(plain, again), strict=True):
        assert repr(same) == repr(value) or (type(value) is float and same == value)  # 600.0 as 600
    assert len(set(map(repr, again))) == len(values)


def plain(value):
    """Without the marks of Hydra's on text that was quoted."""
    if isinstance(value, list):
        return list(map(plain, value))
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return getattr(value, "text", value)


@pytest.mark.parametrize(("values", "said"), [
    (list(range(25)), "range(0,25)"), ([0, 1, 2], "0,1,2"), (list(range(0, 100, 10)), "range(0,100,10)"),
    ([7], "7"), ([1e-4, 0.1, 600.0], "1e-4,0.1,600"),
])  # fmt: skip
def test_an_axis_is_listed_as_briefly_as_it_can_be_exact(values, said):
    assert terminal.listed(values) == said


def test_an_axis_that_takes_too_much_room_is_shortened_to_its_ends():
    values = [number**2 for number in range(10_000)]
    assert terminal.listed(values) == terminal.listed(values, 80) == "0,1 … 99980001 (10000 values)"


def test_an_axis_of_few_values_far_apart_takes_no_room():
    tracemalloc.start()
    assert terminal.listed([0, 1, 2_000_000]) == "0,1,2000000"
    assert tracemalloc.get_traced_memory()[1] < 1e5  # bytes at most
    tracemalloc.stop()


@pytest.mark.parametrize(("n", "said"), [(1, "1 run"), (2, "2 runs"), (0, "0 runs"), (12_000, "12,000 runs")])
def test_a_count_agrees_with_its_noun(n, said):
    assert plural(n, "run") == said
