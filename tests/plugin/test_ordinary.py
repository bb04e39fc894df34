"""With the stacked launcher, ordinary tasks and ordinary use of Hydra go on as they did."""

import os
import re
import subprocess
import sys

import pytest
from hydra.test_utils.launcher_common_tests import (
    BatchedSweeperTestSuite,
    IntegrationTestSuite,
    LauncherTestSuite,
)

from tests.plugin.tasks import APPS, STACKED, run

# An ordinary task: Hydra's own tests of launchers, which are of an older version base

older = pytest.mark.filterwarnings("ignore::UserWarning:hydra")


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


def test_hydra_finds_both_and_a_fault_is_still_the_fault_that_was_imported_before():
    """Hydra executes the plugin's public modules anew when it looks for plugins."""
    lines = [
        "from hydra_plugins.hydra_stacked_launcher import FailedJobs, Fault, messages",
        "from hydra.core.plugins import Plugins",
        "print(*(plugin.__name__ for plugin in Plugins.instance().discover()))",
        "from hydra_plugins.hydra_stacked_launcher import stacked_sweeper",
        "assert Fault is messages.Fault is stacked_sweeper.Fault",
        "assert FailedJobs is messages.FailedJobs is stacked_sweeper.FailedJobs",
    ]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True
    )
    assert {"StackedLauncher", "StackedSweeper"} <= set(done.stdout.split())


def test_the_door_loads_nothing_slow():
    lines = ["import sys, hydra_plugins.hydra_stacked_launcher", "assert 'joblib' not in sys.modules"]
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True)
