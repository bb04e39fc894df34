"""Every file in conf/ composes, states its own command line, and describes runs that are accepted."""

from math import prod
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser

from experiments.sweep import settings
from hydra_plugins.hydra_stacked_launcher.stacked_sweeper import overrides_of

CONF = Path(__file__).parent.parent.parent / "conf"
EXPERIMENTS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))
settings.register()


def composed(*overrides: str):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", list(overrides), return_hydra_config=True)


def jobs(experiment: str) -> list[list[str]]:
    """The override lists that a sweeper makes of an experiment's axes."""
    found, parser = composed(f"experiment={experiment}").hydra.sweeper, OverridesParser.create()
    jobs = []
    for case in found.cases or [""]:
        axes = parser.parse_overrides([f"{key}={value}" for key, value in found.params.items()])
        jobs += BasicSweeper.split_arguments(axes + overrides_of(case, parser), None)[0]
    return jobs


def read(*overrides: str) -> settings.Settings:
    config = composed(*overrides)
    return settings.read({key: value for key, value in config.items() if key != "hydra"})


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_an_experiment_opens_with_its_own_command_line_and_records_under_its_own_name(experiment):
    lines = (CONF / "experiment" / f"{experiment}.yaml").read_text().splitlines()
    assert lines[1].startswith(f"# make sweep EXPERIMENT={experiment} ")
    config = composed(f"experiment={experiment}")
    assert config.tracking.experiment == experiment
    assert config.hydra.mode.name == "MULTIRUN"


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_the_jobs_of_an_experiment_are_runs_each_its_own(experiment):
    of_one_seed = {
        tuple(word for word in job if not word.startswith("seed=")): job for job in jobs(experiment)
    }
    settings = [read(f"experiment={experiment}", *job) for job in of_one_seed.values()]
    assert len({setting.fingerprint for setting in settings}) == len(of_one_seed)


@pytest.mark.parametrize(("experiment", "axes"), [
    ("convergence", (4, 4, 2, 25)), ("quick", (2, 2, 2, 5)), ("full", (4, 4, 2, 100)), ("tutorial", (4, 102)),
    ("explain", (7, 100)), ("step_size", (11, 100)), ("modes", (10, 100)), ("logistic", (7, 100)),
])  # fmt: skip
def test_the_grids_are_those_of_science_md(experiment, axes):
    assert len(jobs(experiment)) == prod(axes)


@pytest.mark.parametrize("path", sorted(CONF.glob("gradient/*.yaml")), ids=lambda path: path.stem)
def test_every_gradient_mode_is_named_like_its_file(path):
    assert read(f"gradient={path.stem}").params()["gradient"] == path.stem


@pytest.mark.parametrize("path", sorted(CONF.glob("problem/*.yaml")), ids=lambda path: path.stem)
def test_every_problem_is_named_like_its_file(path, tmp_path):
    overrides = [f"problem={path.stem}"]
    if path.stem == "csv":
        (tmp_path / "rows.csv").write_text("x,target\n1,1\n0,0\n")
        overrides.append(f"problem.path={tmp_path / 'rows.csv'}")
    assert read(*overrides).params()["problem"] == path.stem
