"""What belongs to a sweep as a whole: it fails before training or not at all, and no job says otherwise."""

import io
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from experiments.store import OpenSweep, load_sweep
from experiments.sweep import terminal
from experiments.sweep.whole import text_of
from tests.sweep.commands import run, store
from tests.sweep.test_conf import EXPERIMENTS, composed


def config_of(folder: Path) -> str:
    (path,) = folder.rglob("config.yaml")
    return path.read_text()


@pytest.mark.parametrize(("words", "unresolved"), [
    (["seed=0,1", "hydra.sweep.subdir=${hydra.job.num}"], "subdir: ${hydra.job.num}"),
    (["seed=0,1", "hydra/job_logging=default"], "${hydra.job.name}.log"),
    (["gradient=numeric,forward", "learning_rate=${gradient.h}"], "learning_rate: ${gradient.h}"),
    (["seed=0,1", "+hydra.job.env_set.A=${oc.env:TINYNET_NOPE,x}", "+hydra.help.x=${nope}"], "x: ${nope}"),
])  # fmt: skip
def test_a_config_that_has_no_value_for_the_sweep_as_a_whole_stands_in_the_way_of_nothing(
    tmp_path, words, unresolved
):
    words = ["-m", "n_epochs=2", *words]
    assert "-m experiments.report" in run(tmp_path, *words)
    assert load_sweep(store(tmp_path)).status == "FINISHED"
    assert unresolved in config_of(tmp_path)
    assert "n_epochs: 2" in config_of(tmp_path)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_a_config_that_resolves_is_kept_as_omegaconf_writes_it(experiment):
    config = composed(f"experiment={experiment}")
    assert text_of(config) == OmegaConf.to_yaml(config, resolve=True)


def test_each_value_is_kept_resolved_or_as_it_stands():
    stated = {"a": 1, "b": "${a}", "c": {"d": ["${a}", "${nope}"], "e": "${c.f}", "f": "???"}}
    kept = OmegaConf.create(text_of(OmegaConf.create(stated)))
    assert kept.b == kept.c.d[0] == 1
    assert OmegaConf.to_container(kept) == {
        "a": 1, "b": 1, "c": {"d": [1, "${nope}"], "e": "${c.f}", "f": "???"},
    }  # fmt: skip


@pytest.mark.parametrize("value", ["\\${a}", "\\${", "\\${nope", "$", "${oc.env:TINYNET_ODD}"])
def test_a_value_that_only_looks_like_an_interpolation_stands_in_the_way_of_nothing(value, monkeypatch):
    monkeypatch.setenv("TINYNET_ODD", "${")
    for config in ({"a": 1, "b": value}, {"a": 1, "b": value, "c": "${nope}"}):
        assert "a: 1\n" in text_of(OmegaConf.create(config))


def test_the_same_command_closes_a_parent_that_was_left_running(tmp_path):
    words = ["-m", "seed=0,1", "n_epochs=2"]
    run(tmp_path, *words)
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        database.execute("UPDATE runs SET status = 'RUNNING', end_time = NULL WHERE name LIKE 'own-%'")
        database.commit()
    assert "-m experiments.report" in run(tmp_path, *words)
    assert load_sweep(store(tmp_path)).status == "FINISHED"


def bug(*_, **__):
    raise KeyError("a bug")


def test_a_summary_that_cannot_be_printed_leaves_a_closed_sweep(tmp_path, monkeypatch):
    monkeypatch.setattr(terminal, "summary", bug)
    with pytest.raises(KeyError, match="a bug"):
        run(tmp_path, "-m", "seed=0,1", "n_epochs=2")
    assert load_sweep(store(tmp_path)).status == "FINISHED"


def test_answers_that_cannot_be_printed_leave_a_recorded_run(tmp_path, monkeypatch):
    monkeypatch.setattr(terminal, "run_alone", bug)
    with pytest.raises(KeyError, match="a bug"):
        run(tmp_path, "n_epochs=2")
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        assert database.execute("SELECT status FROM runs").fetchall() == [("FINISHED",)]


def test_what_is_not_closed_is_not_told_as_finished(tmp_path, monkeypatch):
    printed = io.StringIO()
    monkeypatch.setattr(OpenSweep, "end", bug)
    monkeypatch.setattr("tests.sweep.commands.io.StringIO", lambda: printed)
    with pytest.raises(KeyError, match="a bug"):
        run(tmp_path, "-m", "seed=0,1", "n_epochs=2")
    assert "stopped at 2 of 2 runs" in printed.getvalue()
    assert "finished" not in printed.getvalue()


CASES = "hydra.sweeper.cases="
OWN_WORDS = [  # command line, what it says of the whole, in which jobs
    ([CASES + '["seed=0 tracking.experiment=a","seed=1 tracking.experiment=b"]'],
     "seed=1 tracking.experiment=b: tracking.experiment: 'b' in a job, 'own' for the sweep"),
    ([CASES + '["tracking.experiment=a"]', "seed=0,1"],
     "tracking.experiment: 'a' in a job, 'own' for the sweep"),
    (["seed=0,1", "tracking.experiment=e${seed}"],
     "seed=1: tracking.experiment: 'e${seed}' in a job, 'e0' for the sweep"),
    (["seed=0,1", "tracking.experiment=${hydra:job.num}"],
     "seed=1: tracking.experiment: '${hydra:job.num}' in a job, 0 for the sweep"),
    ([CASES + '["seed=0 fresh=maybe","seed=1"]'], "fresh: 'maybe' in a job, False for the sweep"),
    ([CASES + '["seed=0 fresh=1","seed=1 fresh=true"]'], "fresh: 1 in a job, False for the sweep"),
    ([CASES + '["seed=0 ~dry_run","seed=1"]'], "dry_run: nothing in a job, False for the sweep"),
    ([CASES + '["seed=0 +tracking.x=1","seed=1"]'], "tracking.x: 1 in a job, nothing for the sweep"),
    (["tracking.uri=sqlite:///a.db,sqlite:///b.db"], "tracking.uri: 'sqlite:///a.db' in a job,"),
    ([CASES + '["seed=0 hydra.launcher.n_jobs=2","seed=1"]'],
     "seed=0 hydra.launcher.n_jobs=2: hydra.launcher.n_jobs: 2 in a job, 1 for the sweep"),
    ([CASES + '["seed=0 hydra/launcher=basic","seed=1"]'], "hydra.launcher._target_: 'hydra._internal."),
    (["experiment=quick,tutorial", "seed=0"], "experiment=quick: hydra.sweeper.params.learning_rate:"),
    (["+experiment=quick,tutorial", "seed=0"], "experiment"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "message"), OWN_WORDS, ids=[" ".join(row[0]) for row in OWN_WORDS])
def test_what_a_job_says_of_the_whole_is_refused_before_any_run(tmp_path, words, message):
    printed = run(tmp_path, "-m", "n_epochs=2", *words, code=1)
    assert message in printed
    assert "; give " in printed
    assert "Traceback" not in printed
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words",
    [
        ["tracking.experiment=e${n_epochs}"],
        [CASES + '["tracking.experiment=own fresh=false"]'],
        ["tracking.uri=${oc.env:TINYNET_NOPE,sqlite:///mlflow.db}"],
    ],
)
def test_what_all_jobs_and_the_sweep_say_alike_is_taken(tmp_path, words):
    run(tmp_path, "-m", "n_epochs=2", "seed=0,1", *words)
    assert len(load_sweep(store(tmp_path)).runs) == 2
