"""What belongs to a sweep as a whole: it fails before training or not at all."""

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
    assert "next: make report" in run(tmp_path, *words)
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
    assert "next: make report" in run(tmp_path, *words)
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
