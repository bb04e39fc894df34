"""Which jobs a sweep has: axes, cases, and what the command line replaces."""

import re

import pytest
from hydra.errors import CompactHydraException

from tests.plugin.tasks import Tracked, sweep


@pytest.mark.parametrize(
    "axis", ["seed=range(2),7", "seed=7,range(2)", "seed=[range(2)],7", "seed=1,{a:[range(2)]}"]
)
def test_a_range_beside_other_values_is_refused_by_its_name(axis):
    with pytest.raises(CompactHydraException) as refused:
        sweep(Tracked(), axis)
    right = "give the range alone, or write out its values"
    assert str(refused.value) == f"{axis.replace('=', ': ')}; {right}"


@pytest.mark.parametrize("axis", ["seed=1,2,1", "rate=0.1,1e-1", "seed=range(0,0)", "db=glob(x*)"])
def test_an_axis_must_have_values_and_each_once(axis):
    task = Tracked()
    fault = re.escape(axis.replace("=", ": ") + "; give values, each")
    with pytest.raises(CompactHydraException, match=fault):
        sweep(task, axis)
    assert task.calls == []


def test_a_stackable_task_refuses_batches_which_would_be_several_sweeps():
    task = Tracked()
    with pytest.raises(CompactHydraException, match=r"max_batch_size: 2; give null.*launcher\.max_stack"):
        sweep(task, "seed=1,2,3", "hydra.sweeper.max_batch_size=2")
    assert task.calls == []


def test_the_command_line_replaces_an_axis_of_the_yaml_and_keeps_its_place():
    task = Tracked()
    returns = sweep(task, "experiment=swept", options=[])
    assert [job.overrides for job in returns][:3] == [
        ["seed=0", "db=mysql", "experiment=swept"],
        ["seed=0", "db=postgres", "experiment=swept"],
        ["seed=1", "db=mysql", "experiment=swept"],
    ]
    returns = sweep(task, "experiment=swept", "seed=7,8", "db=mysql", options=[])
    assert [job.overrides for job in returns] == [
        ["seed=7", "db=mysql", "experiment=swept"],
        ["seed=8", "db=mysql", "experiment=swept"],
    ]


def test_settings_that_go_together_are_run_as_cases():
    cases = ["db=mysql width=4", "db=postgres width=8,16", "db=mysql seed=5 width=2"]
    task = Tracked()
    returns = sweep(task, "seed=0,1", f"hydra.sweeper.cases={cases}".replace("'", '"'))
    assert [job.overrides for job in returns] == [
        ["db=mysql", "width=4", "seed=0"], ["db=mysql", "width=4", "seed=1"],
        ["db=postgres", "width=8", "seed=0"], ["db=postgres", "width=8", "seed=1"],
        ["db=postgres", "width=16", "seed=0"], ["db=postgres", "width=16", "seed=1"],
        ["db=mysql", "seed=0", "width=2"], ["db=mysql", "seed=1", "width=2"],
    ]  # fmt: skip
    with pytest.raises(CompactHydraException, match=r"hydra\.sweeper\.cases: .*; give none"):
        sweep(
            task, 'hydra.sweeper.cases=["seed=1"]', options=["hydra/launcher=basic", "hydra/sweeper=stacked"]
        )


@pytest.mark.parametrize(("case", "jobs"), [
    ("seed=range(0, 2) width=4", [["seed=0", "width=4"], ["seed=1", "width=4"]]),
    ("seed=range(start=0, stop=2)", [["seed=0"], ["seed=1"]]),
    ("rate=choice(1e-3, 1e-4)  db=mysql ", [["rate=0.001", "db=mysql"], ["rate=0.0001", "db=mysql"]]),
    ("rate=1, 2 seed=3", [["rate=1", "seed=3"], ["rate=2", "seed=3"]]),
    ("name='my  own.csv' ~flag xs=[1, 2]", [["name='my  own.csv'", "~flag=null", "xs=[1,2]"]]),
    ("name='a seed=3' +more=1", [["name='a seed=3'", "+more=1"]]),
])  # fmt: skip
def test_a_case_is_read_by_hydras_own_grammar(case, jobs):
    returns = sweep(Tracked(), f'hydra.sweeper.cases=["{case}"]')
    assert [job.overrides for job in returns] == jobs


@pytest.mark.parametrize(
    ("case", "rest"),
    [("width=4 seed", "seed"), ("name=two words", "words"), ("seed=range(0, 3", "seed=range(0, 3")],
)
def test_what_is_no_override_in_a_case_is_told(case, rest):
    with pytest.raises(CompactHydraException) as caught:
        sweep(Tracked(), f'hydra.sweeper.cases=["{case}"]')
    assert caught.value.override == rest


def test_the_command_line_replaces_what_cases_say_and_a_job_is_run_once():
    returns = sweep(Tracked(), "width=9", 'hydra.sweeper.cases=["seed=1 width=4","seed=2 width=5","seed=1"]')
    assert [job.overrides for job in returns] == [["seed=1", "width=9"], ["seed=2", "width=9"]]


def test_cases_that_the_command_line_makes_equal_are_run_once_in_whatever_order_they_say_it():
    cases = 'hydra.sweeper.cases=["db=mysql","db=postgres","db=mysql width=8"]'
    returns = sweep(Tracked(), "rate=1", "width=9", cases, "seed=0,1")
    assert [job.overrides for job in returns] == [
        ["db=mysql", "rate=1", "width=9", "seed=0"], ["db=mysql", "rate=1", "width=9", "seed=1"],
        ["db=postgres", "rate=1", "width=9", "seed=0"], ["db=postgres", "rate=1", "width=9", "seed=1"],
    ]  # fmt: skip
