"""The stacked launcher: composition held against Hydra's own, launches against what the protocol promises."""

import logging
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobStatus
from hydra.errors import CompactHydraException
from hydra.experimental.callback import Callback
from hydra.test_utils.launcher_common_tests import (
    BatchedSweeperTestSuite,
    IntegrationTestSuite,
    LauncherTestSuite,
)
from hydra.types import RunMode
from hydra.version import _UNSPECIFIED_, VersionBase
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from hydra_plugins.hydra_stacked_launcher._composition import Composer, hydra_config

APPS = Path(__file__).parent / "apps"
STACKED = ["hydra/launcher=stacked", "hydra/sweeper=stacked"]


# An ordinary task: Hydra's own tests of launchers, which are of an older version base

older = pytest.mark.filterwarnings("ignore::UserWarning:hydra")


@pytest.fixture(autouse=True)
def _plugin_is_found_from_anywhere(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(APPS.parent.parent))
    monkeypatch.setattr(VersionBase.instance(), "version_base", _UNSPECIFIED_)  # others set it
    for (
        logger
    ) in logging.root.manager.loggerDict.values():  # MLflow's migrations, of other tests, disable them
        logger.disabled = False


@older
@pytest.mark.parametrize(("launcher_name", "overrides"), [("stacked", ["hydra/sweeper=stacked"])])
class TestOrdinaryTask(LauncherTestSuite):
    pass


@older
@pytest.mark.parametrize(
    ("launcher_name", "overrides"), [("stacked", ["hydra/sweeper=stacked", "hydra.sweeper.max_batch_size=2"])]
)
class TestOrdinaryTaskInBatches(BatchedSweeperTestSuite):
    pass


@pytest.mark.parametrize(
    ("task_launcher_cfg", "extra_flags"), [({}, ["-m", "hydra/launcher=stacked", "hydra/sweeper=stacked"])]
)
class TestOrdinaryApplication(IntegrationTestSuite):
    pass


# Composition


@pytest.fixture(scope="module")
def composer():
    with initialize_config_dir(str(APPS / "conf"), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        return Composer(
            loader, loader.load_configuration("config", ["hydra.verbose=false"], RunMode.MULTIRUN)
        )


def keys(more=()):
    known = (
        "rate seed width name xs options options.a options.b.c twice same db.port db.timeout second.port by"
    )
    return st.sampled_from([*known.split(), "added.by", "missing", "options.zz", "xs.0", *more])


VALUES = st.one_of(
    st.integers(-9, 9).map(str),
    st.floats(-1, 1).map(str),
    st.lists(st.integers(0, 9), max_size=3).map(lambda values: str(values).replace(" ", "")),
    st.dictionaries(st.sampled_from("ace"), st.integers(0, 9)).map(
        lambda values: str(values).replace("'", "")
    ),
    st.sampled_from(
        ["true", "null", "abc", "'a, b'", '"x=y"', "${seed}", "${db.port}", "${hydra:job.num}", "???"]
    ),
    st.sampled_from(["'${seed}-${rate}'", "inf", "a b", "[a,{b:1}]", "${options}", "\\${x}", "''"]),
)
GROUPS = """
    db=mysql db=postgres db=nope db@second=mysql second@db=mysql extra=one extra=two extra=out
    +extra=two +extra@there=two ~db ~db=mysql +db@third=mysql +db@third.deep=postgres
    experiment=swept db@nope=mysql db={port:3} db=null db=[mysql,postgres] ++db=mysql
    extra@_global_=two
"""
OVERRIDE = st.one_of(
    st.tuples(keys(), VALUES).map("=".join),
    st.tuples(st.sampled_from(["+", "++"]), keys(["new", "new.deep.x"]), st.just("="), VALUES).map("".join),
    keys().map("~{}".format),
    st.sampled_from(GROUPS.split()),
)


def nodes(node):
    """Every node's type, flags and key, which texts don't tell."""
    content, metadata = node.__dict__.get("_content", node), node._metadata.__dict__
    inside = content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
    own = {key: value for key, value in metadata.items() if key != "resolver_cache"}
    return type(node), repr(own), [nodes(child) for child in inside]


def told(compose, overrides, number):
    """All that a task can see of its config: its text, what it resolves to, its hydra node; or the error."""
    try:
        config, whole = compose(overrides, number)
    except Exception as error:
        return type(error), str(error), str(error.__cause__)
    with hydra_config(whole):
        try:
            resolved = OmegaConf.to_container(config, resolve=True)
        except Exception as error:
            resolved = str(error)
    return OmegaConf.to_yaml(config), repr(resolved), OmegaConf.to_yaml(whole), nodes(config), nodes(whole)


@settings(max_examples=150, deadline=None)
@given(overrides=st.lists(OVERRIDE, min_size=1, max_size=4), number=st.integers(0, 999))
def test_the_fast_way_composes_what_hydra_composes(composer, overrides, number):
    fast = composer.compose if composer._kinds(overrides) is None else composer._fast
    assert told(fast, overrides, number) == told(composer._own, overrides, number)


@pytest.mark.parametrize(
    "overrides", [["hydra.job.name=mine"], ["name=${hydra:job.num}"], [], ["seed=("], ["seed=1,2"]]
)
def test_the_unusual_takes_hydras_own_way(composer, overrides, monkeypatch):
    monkeypatch.setattr(composer, "_fast", None)
    assert told(composer.compose, overrides, 7) == told(composer._own, overrides, 7)


def test_a_kind_of_job_that_differs_takes_hydras_own_way(composer, monkeypatch):
    def wrong(overrides, number):
        return right(overrides, number + 1)  # the planted fault

    right = composer._fast
    monkeypatch.setattr(composer, "_fast", wrong)
    monkeypatch.setattr(composer, "_equal", {})
    for number in (3, 4, 5):
        config, whole = composer.compose([f"rate={number}"], number)
        assert (config.rate, whole.hydra.job.num) == (number, number)


def test_hydra_composes_once_per_kind_and_choice_of_groups(composer, monkeypatch):
    loads = []

    def load(master, overrides):
        loads.append(overrides)
        return own(master, overrides)

    own = composer._loader.load_sweep_config
    monkeypatch.setattr(composer._loader, "load_sweep_config", load)
    fresh = Composer(composer._loader, composer._master)
    for number in range(60):
        fresh.compose([f"seed={number}", f"db={('mysql', 'postgres')[number % 2]}"], number)
    assert len(loads) == 4  # two choices of groups, each with one job held against Hydra's own


def test_a_config_may_name_the_folder_that_hydra_would_give_its_job(composer):
    for number in (4, 5, 6):
        config, whole = composer.compose(["extra=out", "seed=3"], number)
        with hydra_config(whole):
            assert Path(config.extra.path).parts[-2:] == (f"3-{number}", "weights")


def test_jobs_share_nothing_that_a_task_could_change(composer):
    before, changed = (composer._fast([f"seed={seed}"], seed)[0] for seed in range(2))
    OmegaConf.set_struct(changed, False)
    changed.options.b.c, changed.xs[0], changed.name, changed.fresh = ["changed"] * 4
    OmegaConf.set_readonly(changed.options, True)
    for config in (before, composer._fast(["seed=2"], 2)[0]):
        assert "changed" not in str(config)
        assert OmegaConf.is_struct(config)
        assert not OmegaConf.is_readonly(config.options)


def test_a_resolver_is_called_as_often_as_the_task_reads_it(composer):
    calls = []
    OmegaConf.register_new_resolver("counted", lambda: calls.append(1) or len(calls), replace=True)
    configs = [composer.compose([f"seed={seed}", "+count=${counted:}"], seed)[0] for seed in range(3)]
    assert calls == []
    assert [config.count for config in configs] == [1, 2, 3]


# A stackable task


class Tracked:
    """A task that keeps what it is told; its faults are those of app.py."""

    def __init__(self, done=(), train=None):
        self.told, self.done, self.train = [], dict(done), train or self.train

    def stacked(self, config):
        @contextmanager
        def sweep():
            try:
                yield self
            except BaseException as error:
                self.told.append(type(error).__name__)
                raise

        return sweep()

    def check(self, config):
        if config.rate < 0:
            raise ValueError(f"rate must be 0 or more, got {config.rate}")
        return config.seed, config.width

    def shape(self, job):
        return job[1]

    def start(self, jobs):
        self.told.append(("start", list(jobs)))
        return self.done

    @staticmethod
    def train(stack):
        if any(seed == 13 for seed, _ in stack):
            raise FloatingPointError("unlucky")
        return [10 * seed for seed, _ in stack]

    def record(self, stack, trained):
        self.told.append(("record", stack))
        return trained

    def failed(self, job, error):
        self.told.append(("failed", job, str(error)))

    def __call__(self, config):
        raise AssertionError("a stackable task is not called job by job")


def sweep(task, *overrides, options=STACKED):
    """All JobReturns of a sweep of the app in apps, made in this process."""
    with initialize_config_dir(str(APPS / "conf"), version_base="1.3"):
        hydra = GlobalHydra.instance().hydra
        given = ["hydra.mode=MULTIRUN", *options, *overrides]
        batches = hydra.multirun("config", task, given, with_log_configuration=False)
    return [job for batch in batches for job in batch]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    HydraConfig.instance().cfg = None


def stacks(task):
    return [entry[1] for entry in task.told if entry[0] == "record"]


def test_jobs_of_one_shape_are_one_stack_and_returns_keep_their_order():
    task = Tracked()
    returns = sweep(task, "seed=0,1,2", "width=4,8")
    assert task.told[0] == ("start", [(0, 4), (0, 8), (1, 4), (1, 8), (2, 4), (2, 8)])
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
    assert task.told == ["Fault"]
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


@pytest.mark.parametrize("axis", ["seed=1,2,1", "rate=0.1,1e-1", "seed=range(0,0)", "db=glob(x*)"])
def test_an_axis_must_have_values_and_each_once(axis):
    task = Tracked()
    fault = re.escape(axis.replace("=", ": ") + "; give values, each")
    with pytest.raises(CompactHydraException, match=fault):
        sweep(task, axis)
    assert task.told == []


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
    failed = sorted(entry[1:] for entry in task.told if entry[0] == "failed")
    assert failed == [((13, 4), "unlucky"), ((13, 8), "unlucky")]
    assert "\n  seed=13 (2 jobs): FloatingPointError: unlucky" in str(caught.value)


def test_a_failure_is_told_when_the_others_are_done():
    task = Tracked()
    with pytest.raises(CompactHydraException, match="1 of 3 jobs failed") as caught:
        sweep(task, "seed=12,13,14", "hydra.launcher.max_stack=1")
    assert stacks(task) == [[(12, 4)], [(14, 4)]]
    assert list(caught.value.errors) == [1]


def test_a_stackable_task_refuses_batches_which_would_be_several_sweeps():
    task = Tracked()
    with pytest.raises(CompactHydraException, match=r"max_batch_size: 2; give null.*launcher\.max_stack"):
        sweep(task, "seed=1,2,3", "hydra.sweeper.max_batch_size=2")
    assert task.told == []


def test_an_error_of_the_store_ends_the_launch_and_is_not_halved():
    task = Tracked()

    def record(stack, trained):
        task.told.append("tried")
        raise OSError("disk full")

    task.record = record
    with pytest.raises(OSError, match="disk full"):
        sweep(task, "seed=0,1,2,3")
    assert task.told[1:] == ["tried", "OSError"]


def test_a_task_that_can_train_no_job_is_given_up_with_its_own_error():
    task = Tracked(train=lambda stack: {}["a bug"])
    with pytest.raises(KeyError, match="a bug"):
        sweep(task, "seed=range(0,200)")
    assert len([entry for entry in task.told if entry[0] == "failed"]) < 60


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


def test_a_stack_too_large_for_memory_is_trained_in_parts():
    def train(stack):
        if len(stack) > 3:
            raise MemoryError
        return Tracked.train(stack)

    task = Tracked(train=train)
    assert [job.return_value for job in sweep(task, "seed=range(0,12)")] == [10 * seed for seed in range(12)]
    assert [len(stack) for stack in stacks(task)] == [3, 3, 3, 3]


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


class Heard(Callback):
    told: list = []  # noqa: RUF012

    def on_job_start(self, config, **kwargs):
        self.told.append(("start", config.seed, config.hydra.job.num, HydraConfig.get().job.num))

    def on_job_end(self, config, job_return, **kwargs):
        assert job_return.cfg.seed == config.seed
        assert Path(config.hydra.runtime.output_dir).name == f"{config.seed}-{config.hydra.job.num}"
        self.told.append(("end", config.seed, job_return.status.name, job_return._return_value))


class Returned(Callback):
    told: list = []  # noqa: RUF012

    def on_job_end(self, config, job_return, **kwargs):
        folder = OmegaConf.to_container(job_return.hydra_cfg.hydra.runtime)["output_dir"]  # as it is kept
        self.told.append(vars(job_return) | {"cfg": OmegaConf.to_yaml(job_return.cfg), "hydra_cfg": folder})


def test_callbacks_hear_of_every_job():
    Heard.told.clear()
    with pytest.raises(CompactHydraException):
        sweep(Tracked(), "seed=12,13", f"+hydra.callbacks.heard._target_={__name__}.Heard")
    assert [entry[:4] for entry in Heard.told[:3]] == [
        ("start", 12, 0, 0), ("end", 12, "COMPLETED", 120), ("start", 13, 1, 1)
    ]  # fmt: skip
    assert [entry[:3] for entry in Heard.told[3:]] == [("end", 13, "FAILED")]


def test_hydras_own_callback_keeps_what_every_job_returned():
    sweep(
        Tracked(),
        "seed=1,2,3",
        "+hydra.callbacks.kept._target_=hydra.experimental.callbacks.PickleJobInfoCallback",
    )
    kept = {path.parts[-3]: pickle.loads(path.read_bytes()) for path in Path().rglob("job_return.pickle")}
    assert {folder: job.return_value for folder, job in kept.items()} == {"1-0": 10, "2-1": 20, "3-2": 30}
    assert {folder: f"{job.cfg.seed}-{job.hydra_cfg.hydra.job.num}" for folder, job in kept.items()} == {
        folder: folder for folder in kept
    }


def test_a_job_return_holds_what_hydras_own_launcher_tells():
    def ordinary(config):
        return 10 * config.seed

    heard = ["seed=1,2", "hydra.sweep.dir=jobs", f"+hydra.callbacks.heard._target_={__name__}.Returned"]
    Returned.told.clear()
    sweep(ordinary, *heard, options=["hydra/launcher=basic", "hydra/sweeper=basic"])
    own, Returned.told[:] = [*Returned.told], []
    sweep(Tracked(), *heard)
    assert Returned.told == own


def test_a_folder_that_callbacks_cannot_be_told_is_found_before_any_job_starts():
    task, where = Tracked(), "hydra.sweep.subdir='${nowhere}'"
    with pytest.raises(CompactHydraException, match="Interpolation key 'nowhere' not found"):
        sweep(task, "seed=1,2", where, f"+hydra.callbacks.heard._target_={__name__}.Heard")
    assert task.told == ["Fault"]


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
    assert task.told == []


def test_a_folder_per_job_is_refused():
    with pytest.raises(CompactHydraException, match=r"hydra\.job\.chdir: true; give false"):
        sweep(Tracked(), "seed=0,1", "hydra.job.chdir=true")


# Real processes, real faults


def run(*arguments, **options):
    command = [sys.executable, str(APPS / "app.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)


def test_a_failed_sweep_ends_without_a_traceback():
    ended = run("-m", *STACKED, "seed=12,13", "hydra.launcher.n_jobs=2")
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert ended.stderr.startswith(
        "1 of 2 jobs failed; the others are recorded:\n  seed=13: FloatingPointError"
    )
    assert ended.stdout.splitlines()[-1] == "exit None"


def test_a_full_error_shows_where_the_worker_failed():
    ended = run(
        "-m", *STACKED, "seed=12,13", "hydra.launcher.n_jobs=2", env={**os.environ, "HYDRA_FULL_ERROR": "1"}
    )
    assert 'raise FloatingPointError("unlucky")' in ended.stderr


def test_only_a_job_that_kills_its_worker_is_lost():
    ended = run("-m", *STACKED, "seed=11,12,14,16,17", "hydra.launcher.n_jobs=2")
    assert ended.returncode == 1
    assert "seed=14: WorkerDied" in ended.stderr
    lines = ended.stdout.splitlines()
    assert [line for line in lines if line.startswith("failed")] == ["failed 14/4 WorkerDied"]
    recorded = sorted(job for line in lines if line.startswith("record") for job in line.split()[1:])
    assert recorded == ["11/4", "12/4", "16/4", "17/4"]


@pytest.mark.parametrize(("sent", "workers"), [(signal.SIGINT, 1), (signal.SIGINT, 2)])
def test_an_interrupt_passes_through_the_task_at_once_and_ends_the_workers(sent, workers):
    command = [
        sys.executable,
        APPS / "app.py",
        "-m",
        *STACKED,
        "seed=15,16",
        f"hydra.launcher.n_jobs={workers}",
    ]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    hear = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # background jobs of a shell are deaf to it
    with subprocess.Popen(command, start_new_session=True, preexec_fn=hear, **pipes) as started:
        try:
            assert any(line == "training\n" for line in started.stdout)
            began = time.monotonic()
            os.kill(started.pid, sent)
            output = started.stdout.read()  # until no worker holds the pipe
            assert time.monotonic() - began < 30  # training takes a minute
            assert output.endswith("exit KeyboardInterrupt\n")
            assert started.wait() != 0
        finally:
            with suppress(ProcessLookupError):
                os.killpg(started.pid, signal.SIGKILL)


def test_ordinary_use_of_hydra_stays_possible():
    assert "seed: 3" in run("--cfg", "job", "seed=3", *STACKED).stdout
    assert "seed" in run("--help", *STACKED).stdout
    assert "stacked" in run("--info", "plugins").stdout
    single = run("seed=3", *STACKED, "hydra.output_subdir=null")
    assert single.stdout == "one job 3\n"


def test_an_experiment_with_axes_runs_on_hydras_own_launcher():
    ended = run(
        "experiment=swept", "hydra/launcher=basic", "hydra/sweeper=basic", "seed=4", "hydra.sweep.dir=jobs"
    )
    assert re.findall("one job .", ended.stdout) == ["one job 4", "one job 4"]


def test_completion_knows_the_launcher():
    word = f"{APPS / 'app.py'} hydra/launcher="
    shell = {**os.environ, "COMP_LINE": word, "COMP_POINT": str(len(word)), "COMP_CWORD": "1"}
    assert "hydra/launcher=stacked" in run("-sc", "query=bash", env=shell).stdout
