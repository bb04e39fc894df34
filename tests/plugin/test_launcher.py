"""A launch of a stackable task keeps what the protocol promises."""

import os
import re

import pytest
from hydra.core.utils import JobStatus
from hydra.errors import CompactHydraException

from hydra_plugins.hydra_stacked_launcher import _core
from tests.plugin.tasks import Tracked, stacks, sweep


def test_jobs_of_one_shape_are_one_stack_and_returns_keep_their_order():
    task = Tracked()
    returns = sweep(task, "seed=0,1,2", "width=4,8")
    assert task.calls[0] == ("start", [(0, 4), (0, 8), (1, 4), (1, 8), (2, 4), (2, 8)])
    assert stacks(task) == [[(0, 4), (1, 4), (2, 4)], [(0, 8), (1, 8), (2, 8)]]
    assert [job.return_value for job in returns] == [0, 0, 10, 10, 20, 20]
    assert [job.overrides for job in returns][:2] == [["seed=0", "width=4"], ["seed=0", "width=8"]]
    assert {job.status for job in returns} == {JobStatus.COMPLETED}
    assert os.listdir() == []  # no folder, no multirun.yaml


def test_no_stack_is_larger_than_max_stack_and_none_is_needlessly_small():
    task = Tracked()
    sweep(task, "seed=range(0,10)", "hydra.launcher.max_stack=4")
    assert [len(stack) for stack in stacks(task)] == [3, 3, 4]


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_workers_give_what_this_process_gives(backend):
    here, there = Tracked(), Tracked()
    axes = ["seed=range(0,9)", "width=4,8"]
    alone = sweep(here, *axes)
    shared = sweep(there, *axes, "hydra.launcher.n_jobs=2", f"hydra.launcher.backend={backend}")
    assert [job.return_value for job in alone] == [job.return_value for job in shared]
    assert len(stacks(there)) >= 4  # enough for every worker


def test_jobs_already_done_are_not_trained_again():
    task = Tracked(done={1: "kept"})
    returns = sweep(task, "seed=0,1,2")
    assert stacks(task) == [[(0, 4), (2, 4)]]
    assert [job.return_value for job in returns] == [0, "kept", 20]


def test_all_bad_jobs_are_told_together_and_nothing_starts():
    task = Tracked()
    with pytest.raises(CompactHydraException) as caught:
        sweep(task, "rate=-1,1", "db=mysql,mysgl", "seed=0,1")
    assert task.calls == ["Fault"]
    assert str(caught.value).splitlines() == [
        "6 of 8 jobs can't be run, so none was started:",
        "  rate=-1 db=mysql (2 jobs): rate must be 0 or more, got -1",
        "  db=mysgl (4 jobs): db: 'mysgl'; give one of mysql, postgres; did you mean mysql?",
    ]


@pytest.mark.parametrize(
    ("axis", "line"),
    [
        ("rate=-1,2,-3", "rate=-1: rate must be 0 or more, got -1"),
        ("sede=1,2,3", "sede: no such setting; did you mean seed?"),
        ("db.prot=1,2", "db.prot: no such setting; did you mean db.port?"),
        ("seed=0,???,1", "seed=???: seed: missing; give it as seed=..."),
        ("width='${nowhere}',4", "width: Interpolation key 'nowhere' not found; give a value"),
    ],
)
def test_a_bad_job_gets_one_line_that_says_what_is_wrong(axis, line):
    with pytest.raises(CompactHydraException, match=re.escape(line)) as caught:
        sweep(Tracked(), axis)
    assert all(len(text) < 110 for text in str(caught.value).splitlines())


def test_the_names_that_there_are_are_asked_once_for_all_jobs(monkeypatch):
    asked = []
    names_in = _core.names_in
    monkeypatch.setattr(_core, "names_in", lambda *of: asked.append(of) or names_in(*of))
    with pytest.raises(
        CompactHydraException, match=r"3 of 3 jobs .*\n  sede: no such setting; did you mean seed"
    ):
        sweep(Tracked(), "sede=1,2,3")
    assert len(asked) == 1


def test_an_error_of_check_that_is_no_fault_of_the_job_is_not_folded():
    task = Tracked()
    task.check = lambda config: {}["a bug"]
    with pytest.raises(KeyError, match="a bug"):
        sweep(task, "seed=0,1")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_stack_that_fails_is_halved_until_only_the_culprits_fail(workers):
    task = Tracked()
    with pytest.raises(CompactHydraException) as caught:
        sweep(task, "seed=range(0,20)", "width=4,8", f"hydra.launcher.n_jobs={workers}")
    recorded = sorted(job for stack in stacks(task) for job in stack)
    assert recorded == [(seed, width) for seed in range(20) if seed != 13 for width in (4, 8)]
    failed = sorted(entry[1:] for entry in task.calls if entry[0] == "failed")
    assert failed == [((13, 4), "unlucky"), ((13, 8), "unlucky")]
    assert "\n  seed=13 (2 jobs): FloatingPointError: unlucky" in str(caught.value)


def test_jobs_that_fail_alike_and_have_nothing_in_common_are_told_by_an_example():
    def train(stack):
        if any(seed % 2 for seed, _ in stack):
            raise FloatingPointError("odd")
        return Tracked.train(stack)

    with pytest.raises(
        CompactHydraException, match=r"\n  \(2 jobs, such as seed=1\): FloatingPointError: odd$"
    ):
        sweep(Tracked(train=train), "seed=0,1,2,3", "width=4")


def test_a_failure_is_told_when_the_others_are_done():
    task = Tracked()
    with pytest.raises(CompactHydraException, match="1 of 3 jobs failed") as caught:
        sweep(task, "seed=12,13,14", "hydra.launcher.max_stack=1")
    assert stacks(task) == [[(12, 4)], [(14, 4)]]
    assert list(caught.value.errors) == [1]


def test_an_error_of_the_store_ends_the_launch_and_is_not_halved():
    task = Tracked()

    def record(stack, trained):
        task.calls.append("tried")
        raise OSError("disk full")

    task.record = record
    with pytest.raises(OSError, match="disk full"):
        sweep(task, "seed=0,1,2,3")
    assert task.calls[1:] == ["tried", "OSError"]


def test_a_task_that_can_train_no_job_is_given_up_with_its_own_error():
    task = Tracked(train=lambda stack: {}["a bug"])
    with pytest.raises(KeyError, match="a bug"):
        sweep(task, "seed=range(0,200)")
    assert len([entry for entry in task.calls if entry[0] == "failed"]) < 60


def test_a_sweep_that_cannot_start_says_why_without_a_traceback():
    def start(jobs):
        raise ValueError("tracking.uri=nowhere: no such store")

    task = Tracked()
    task.start = start
    with pytest.raises(CompactHydraException, match="no such store"):
        sweep(task, "seed=0,1")


def test_every_job_is_checked_as_the_job_it_is():
    task, seen = Tracked(), []
    task.check = lambda config: seen.append((config.number, config.seed, config.dirname)) or (config.seed, 4)
    sweep(task, "seed=5,6,7", "width=4,8")
    assert seen == [(number, 5 + number // 2, f"width={(4, 8)[number % 2]}") for number in range(6)]


def test_what_all_jobs_have_in_common_is_not_told_again():
    with pytest.raises(CompactHydraException, match=r"\n  rate=-1: rate must be"):
        sweep(Tracked(), "name=fixed", "seed=1", "rate=-1,1")


def test_a_task_may_say_how_many_of_its_jobs_memory_takes():
    task = Tracked()
    task.most = lambda job: 2
    sweep(task, "seed=0,1,2,3")
    assert stacks(task) == [[(0, 4), (1, 4)], [(2, 4), (3, 4)]]


def test_a_task_that_has_no_room_for_one_job_tries_it_alone():
    task = Tracked()
    task.most = lambda job: 0
    sweep(task, "seed=0,1")
    assert stacks(task) == [[(0, 4)], [(1, 4)]]


def test_a_stack_too_large_for_memory_is_trained_in_parts():
    def train(stack):
        if len(stack) > 3:
            raise MemoryError
        return Tracked.train(stack)

    task = Tracked(train=train)
    assert [job.return_value for job in sweep(task, "seed=range(0,12)")] == [10 * seed for seed in range(12)]
    assert [len(stack) for stack in stacks(task)] == [3, 3, 3, 3]


@pytest.mark.parametrize(
    ("setting", "fault"),
    [
        ("max_stack=0", "hydra.launcher.max_stack: 0; give 1 or more, or null for no limit"),
        ("n_jobs=0", "hydra.launcher.n_jobs: 0; give 1 to 1,000, or -1 for every core"),
        ("backend=lokky", "Invalid backend: lokky"),
        ("backend=multiprocessing", "backend: 'multiprocessing'.*; give .*does not support return_as"),
    ],
)
def test_settings_of_the_launcher_are_checked_first(setting, fault):
    task = Tracked()
    with pytest.raises(CompactHydraException, match=fault):
        sweep(task, "seed=0,1", "hydra.launcher.n_jobs=2", f"hydra.launcher.{setting}")
    assert task.calls == []


class Least:
    """No more than a task must have: no context manager, no optional method."""

    check, shape, train = Tracked.check, Tracked.shape, staticmethod(Tracked.train)

    def __init__(self, config):
        self.kept = {}

    def record(self, stack, trained):
        self.kept.update(zip(stack, trained, strict=True))
        return trained


def swept(task):
    """An application whose task is this class."""

    def main(config):
        raise AssertionError("a stackable task is not called job by job")

    main.stacked = task
    return main


def test_four_methods_are_enough():
    assert [job.return_value for job in sweep(swept(Least), "seed=0,1,2", "width=4,8")] == [
        0,
        0,
        10,
        10,
        20,
        20,
    ]
    with pytest.raises(
        CompactHydraException, match=r"1 of 2 jobs failed; the others are recorded:\n  seed=13: "
    ):
        sweep(swept(Least), "seed=12,13")


def test_a_sweep_that_cannot_tell_what_is_done_says_why_without_a_traceback():
    def done(self, jobs):
        raise ValueError("results.csv: not understood; give another file")

    with pytest.raises(CompactHydraException, match=r"^results.csv: not understood; give another file$"):
        sweep(swept(type("Task", (Least,), {"done": done})), "seed=0,1")


@pytest.mark.parametrize("index", [2, -1, "seed=0"])
def test_a_job_that_there_is_not_cannot_be_done(index):
    task = type("Task", (Least,), {"done": lambda self, jobs: {index: 1.0}})
    with pytest.raises(IndexError, match=re.escape(f"done: {index!r} is no index of 2 jobs")):
        sweep(swept(task), "seed=0,1")


@pytest.mark.parametrize("values", [None, [], [1, 2, 3]])
def test_record_must_give_a_value_for_each_job(values):
    task = type("Task", (Least,), {"record": lambda self, stack, trained: values})
    with pytest.raises(
        TypeError, match=re.escape(f"record: returned {values}; give a value for each of 2 jobs")
    ):
        sweep(swept(task), "seed=0,1")


def test_a_folder_per_job_is_refused():
    with pytest.raises(CompactHydraException, match=r"hydra\.job\.chdir: true; give false"):
        sweep(Tracked(), "seed=0,1", "hydra.job.chdir=true")


@pytest.mark.parametrize(("case", "line"), [
    ("seed=1 hydra.launcher.n_jobs=2", "hydra.launcher.n_jobs: 2 in a job, 1 for the sweep; give all jobs"),
    ("seed=1 hydra/launcher=basic", "hydra.launcher._target_: "),
    ("seed=1 hydra.job.name=x", "hydra.job.name: 'x' in a job, "),
    ("seed=1 +hydra.job.env_set.A=x", "hydra.job.env_set.A: 'x' in a job, nothing for the sweep"),
])  # fmt: skip
def test_a_job_with_hydra_settings_of_its_own_is_refused(case, line):
    with pytest.raises(CompactHydraException, match=re.escape(line)):
        sweep(Tracked(), f'hydra.sweeper.cases=["seed=0","{case}"]')
