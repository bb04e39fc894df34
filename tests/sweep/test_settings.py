"""Settings say exactly what is run, refuse what makes no sense, and hash to what their names promise."""

import math
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinynet
from experiments.modes import names_of, parse
from experiments.sweep import SweepTask, read
from experiments.sweep.origin import code
from experiments.wording import tidy

PLAIN = {
    "learning_rate": 0.1, "hidden_size": 4, "seed": 0, "n_epochs": 60, "activation": "relu", "bias": False,
    "dtype": "float64", "start": "fresh", "online_error": False, "diagnostics": False,
    "converged_below": 0.002,
    "problem": {"_target_": "tinynet.Problem.streetlights"},
    "gradient": {"_target_": "tinynet.gradients.Numeric", "h": 1e-4, "decay": 1.0},
}  # fmt: skip


def setting(**changes):
    return read(PLAIN | changes)


def faults(**changes) -> list[str]:
    with pytest.raises(ValueError, match=":") as refused:
        setting(**changes)
    return str(refused.value).splitlines()


@pytest.mark.parametrize(("key", "value"), [
    ("learning_rate", 0), ("learning_rate", -1.0), ("learning_rate", math.nan), ("learning_rate", math.inf),
    ("learning_rate", "0.1"), ("learning_rate", True), ("learning_rate", None), ("learning_rate", [0.1]),
    ("learning_rate", 10**400),
    ("hidden_size", 0), ("hidden_size", 2.0), ("hidden_size", "4"), ("hidden_size", 10**9),
    ("seed", -1), ("seed", 1.5), ("seed", 2**32), ("seed", True), ("n_epochs", 0), ("n_epochs", 10**7),
    ("activation", "sigmoid"), ("activation", None), ("bias", "yes"), ("bias", 1), ("dtype", "float16"),
    ("start", "warm"), ("converged_below", 0), ("converged_below", 0.9), ("converged_below", math.nan),
    ("converged_below", "0.1"), ("converged_below", None),
])  # fmt: skip
def test_a_wrong_value_is_named_with_its_field_and_what_is_right(key, value):
    (fault,) = faults(**{key: value})
    assert fault.startswith(f"{key}: {value!r}; give ")


def test_all_faults_are_told_at_once():
    lines = faults(
        learning_rate=-1, hidden_size=0, gradient={"_target_": "tinynet.gradients.Numeric", "h": 0}
    )
    assert len(lines) == 3
    assert [re.split("[=:]", line)[0] for line in lines] == ["learning_rate", "hidden_size", "gradient.h"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mode", ["Numeric", "Forward", "Hybrid", "SPSA"])
def test_an_h_is_refused_where_it_moves_no_weight_of_about_1(mode, dtype):
    weight = np.nextafter(np.dtype(dtype).type(1), np.dtype(dtype).type(0))  # more moves those nearer to 0
    for h in (float(np.finfo(dtype).eps) / 4.1, float(np.finfo(dtype).eps)):
        moved = (weight + np.dtype(dtype).type(h)) != weight
        settings = {"dtype": dtype, "gradient": {"_target_": f"tinynet.gradients.{mode}", "h": h}}
        if moved:
            setting(**settings)
        else:
            (fault,) = faults(**settings)
            assert fault.startswith(f"gradient.h: {h!r}; give more than ")


def test_a_complex_step_may_be_tiny_but_not_0_to_its_dtype():
    step = {"_target_": "tinynet.gradients.ComplexStep"}
    setting(dtype="float32", gradient=step | {"h": 1e-30})
    (fault,) = faults(dtype="float32", gradient=step | {"h": 1e-60})
    assert fault == "gradient.h: 1e-60; give more than 1.2e-38, else no float32 weight moves"


@pytest.mark.parametrize(("values", "right"), [
    ({"inputs": {1: "a", "b": "c"}}, "problem.inputs: 1 is a key in it; give names as keys"),
    ({"inputs": [[1], {"a": {True: 1}}]}, "problem.inputs.a: True is a key in it; give names as keys"),
    ({"targets": [1, -(10**400)]}, "problem.targets: a number of more than 308 digits; give a smaller one"),
])  # fmt: skip
def test_what_a_record_would_change_is_refused_however_deep(values, right):
    assert faults(problem={"_target_": "tinynet.Problem"} | values) == [right]


class Weighed(tinynet.gradients.Analytic):
    """A mode of the user's own, with an argument of any type."""

    def __init__(self, weight=1):
        self.weight = weight


VALUES = [
    1, True, 2.5, "1", "2.5", "true", None, "None", "null", "a b", "a c", "a b c",
    [1], [1.0], [True], ["1"], [1, 2], {"a": 1},
]  # fmt: skip


def test_modes_of_other_arguments_have_other_names():
    """To the report, runs of one mode differ in nothing but the cell and the seed."""
    names = [
        setting(gradient={"_target_": "tests.sweep.test_settings.Weighed", "weight": value}).mode
        for value in VALUES
    ]
    assert len(set(names)) == len(VALUES)
    assert [parse(name)[2] for name in names] == [[]] * len(VALUES)
    assert len(set(names_of(names).values())) == len(VALUES)


def test_a_misspelt_key_is_answered_with_the_one_that_was_meant():
    (fault,) = faults(learning_rat=0.1)
    assert fault == "learning_rat: no such setting; did you mean learning_rate?"
    (fault,) = faults(gradient={"_target_": "tinynet.gradients.Numeric", "dekay": 0.9})
    assert fault == "gradient.dekay: numeric has no such setting; it has h, decay; did you mean decay?"


def test_a_setting_of_another_mode_is_refused():
    (fault,) = faults(gradient={"_target_": "tinynet.gradients.Analytic", "h": 1e-4})
    assert fault == "gradient.h: analytic has no such setting; it has none"


@pytest.mark.parametrize("target", ["nowhere.Mode", "tinynet.gradients.Nothing", "tinynet.gradients.", "", 3])
def test_a_target_that_is_not_there_is_named(target):
    (fault,) = faults(gradient={"_target_": target})
    assert fault.startswith(f"gradient._target_: {target!r}; give a class or function that can be imported")


def test_a_net_too_large_for_its_problem_and_a_problem_without_signal_are_refused(tmp_path):
    (fault,) = faults(problem={"_target_": "tinynet.Problem.parity", "n_bits": 10}, hidden_size=10**6)
    assert "11,000,000 weights" in fault
    (tmp_path / "rows.csv").write_text("x,target\n1,0\n0,0\n")
    csv = {"_target_": "tinynet.Problem.from_csv", "path": str(tmp_path / "rows.csv"), "target": "target"}
    (fault,) = faults(problem=csv)
    assert fault.startswith("problem: every target is 0")


def streetlights(target: float) -> dict:
    rows = tinynet.Problem.streetlights()
    targets = (target * rows.targets).tolist()
    return {"_target_": "tinynet.Problem", "inputs": rows.inputs.tolist(), "targets": targets}


@pytest.mark.parametrize(("target", "dtype", "fault"), [
    (1e-200, "float64", "the mean square of its targets is 0, and converged_below of it is rounding"),
    (1e-15, "float64", "the mean square of its targets is 5e-31, and converged_below of it is rounding"),
    (1e-6, "float32", "the mean square of its targets is 5e-13, and converged_below of it is rounding"),
    (1e200, "float64", "the mean square of its targets is inf, too large for float64"),
    (1e20, "float32", "the mean square of its targets is 5e+39, too large for float32"),
])  # fmt: skip
def test_targets_whose_errors_cannot_be_told_apart_are_refused(target, dtype, fault):
    (line,) = faults(problem=streetlights(target), dtype=dtype)
    assert line.startswith(f"problem: {fault}")
    assert line.endswith("; give targets of about 1")


@pytest.mark.parametrize(("target", "dtype"), [(1e-14, "float64"), (1e100, "float64"), (1e-5, "float32")])
def test_targets_of_any_usual_size_are_taken(target, dtype):
    assert setting(problem=streetlights(target), dtype=dtype).rows.zero_error == pytest.approx(target**2 / 2)


def test_only_the_mode_tells_the_runs_of_a_pair_apart():
    numeric = setting()
    analytic = setting(gradient={"_target_": "tinynet.gradients.Analytic"})
    assert numeric.pair == analytic.pair == setting(start="nudged").pair
    assert numeric.fingerprint != analytic.fingerprint != setting(start="nudged").fingerprint
    for change in ({"learning_rate": 0.2}, {"seed": 1}, {"hidden_size": 5}, {"n_epochs": 61}, {"bias": True},
                   {"activation": "tanh"}, {"problem": {"_target_": "tinynet.Problem.xor"}},
                   {"converged_below": 0.05}):  # fmt: skip
        assert setting(**change).pair != numeric.pair
        assert setting(**change).fingerprint != numeric.fingerprint


def test_the_rows_of_a_file_are_part_of_the_fingerprint_and_its_name_is_not(tmp_path):
    prints = {}
    for name, text in [("a", "x,y\n1,1\n0,0\n"), ("b", "x,y\n1,1\n0,0\n"), ("c", "x,y\n1,1\n0,0.5\n")]:
        (tmp_path / name).write_text(text)
        words = {"_target_": "tinynet.Problem.from_csv", "path": str(tmp_path / name), "target": "y"}
        prints[name] = setting(problem=words).fingerprint
    assert prints["a"] == prints["b"] != prints["c"]


def test_the_same_number_written_otherwise_is_the_same_run():
    assert setting(learning_rate=1).fingerprint == setting(learning_rate=1.0).fingerprint
    assert read(PLAIN | {"converged_below": 2e-3}).fingerprint == setting().fingerprint


def test_learning_rate_and_seed_alone_vary_within_a_stack():
    assert setting(learning_rate=0.3, seed=9).shape == setting().shape
    for change in ({"hidden_size": 5}, {"n_epochs": 61}, {"dtype": "float32"}, {"start": "nudged"},
                   {"converged_below": 0.05}):  # fmt: skip
        assert setting(**change).shape != setting().shape


def test_settings_reach_a_worker_unchanged():
    settings = setting()
    again = pickle.loads(pickle.dumps(settings))
    assert again == settings
    assert again.fingerprint == settings.fingerprint


def test_names_are_readable():
    assert setting(seed=7).name() == "numeric h=1e-4 lr=0.1 H=4 seed=7"
    annealed = {"_target_": "tinynet.gradients.Numeric", "h": 0.1, "decay": 0.99}
    assert setting(gradient=annealed).mode == "numeric h=0.1 decay=0.99"
    assert setting(dtype="float32", start="nudged").mode == "numeric h=1e-4 nudged float32"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_survives_its_tidy_form(value):
    assert float(tidy(value)) == value


@given(st.dictionaries(
    st.sampled_from([*PLAIN, "extra"]),
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.lists(st.integers(), max_size=2) | st.dictionaries(st.just("_target_"), st.text(max_size=5)),
))  # fmt: skip
def test_any_settings_are_read_or_refused_line_by_line(changes):
    said = []
    try:
        read(PLAIN | changes)
    except ValueError as refused:
        said = str(refused).splitlines() or [""]
    assert all(":" in line for line in said)


@pytest.mark.parametrize("name", ["runs.py", "outcomes.py", "rows.py"])
def test_the_source_of_all_that_is_recorded_is_part_of_the_fingerprint(monkeypatch, name):
    read_bytes, before = Path.read_bytes, code.__wrapped__()
    monkeypatch.setattr(Path, "read_bytes", lambda path: read_bytes(path) + b" " * (path.name == name))
    assert code.__wrapped__() != before


class Analytic(tinynet.gradients.Analytic):
    """A user's own mode, named as ours."""


def test_a_mode_of_the_users_that_is_named_as_ours_is_not_taken_for_it():
    own, ours = (
        setting(gradient={"_target_": f"{place}.Analytic"}).mode for place in (__name__, "tinynet.gradients")
    )
    assert (own, ours) == (f"{__name__}.Analytic", "analytic")


def test_few_runs_of_a_million_epochs_are_one_stack():
    assert SweepTask.most(read(PLAIN | {"n_epochs": 1_000_000})) == 3
    assert SweepTask.most(read(PLAIN)) > 2000
