"""What a command tells its user to type next works as it stands, where it stands."""

import os
import shlex
import subprocess
import sys

import pytest
from mlflow import MlflowClient

from experiments.hints import ROOT, again, python, typed
from experiments.report import __main__ as report
from experiments.store import StoreError, open_store
from experiments.sweep import SweepTask
from experiments.sweep.runs import train
from tests.store.runs import record, some_runs
from tests.sweep.commands import run

QUICK = ("experiment=quick", "seed=0,1", "n_epochs=2")
OWN = ("-m", "seed=0,1", "gradient=analytic,numeric", "n_epochs=2")


def environment():
    """Without what `make test` says to a make within it, which would then tell of folders."""
    not_ours = ("MLFLOW_", "MAKE", "MFLAGS", "ARGS")
    plain = {key: value for key, value in os.environ.items() if not key.startswith(not_ours)}
    return plain | {"PYTHONPATH": str(ROOT)}


def shell(line, folder):
    done = subprocess.run(
        line, shell=True, cwd=folder, capture_output=True, text=True, check=False, env=environment()
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def hint(printed):
    """The command after the last "next: "."""
    return printed.rpartition("next: ")[2].strip()


def test_what_is_next_reports_on_the_sweep_that_ended_also_when_it_is_not_the_newest(tmp_path):
    folder = tmp_path / "a b's $HOME"
    folder.mkdir()
    uri = "tracking.uri=sqlite:///its $x.db"
    first = hint(run(folder, *QUICK, uri))
    own = hint(run(folder, *OWN, uri))
    again = hint(run(folder, *QUICK, uri))
    assert first in again
    assert "comparing 4 runs of own-" in shell(own, folder)
    assert "comparing 16 runs of quick-" in shell(again, folder)


def quoted(message):
    """The last command between backquotes."""
    return message.split("`")[-2]


@pytest.fixture
def odd_folder(tmp_path, monkeypatch):
    folder = tmp_path / "a b's $HOME #é"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("words", [(), ("--store", "sqlite:///it's $x {1}.db")])
def test_a_store_that_is_not_there_is_made_by_what_is_told(odd_folder, capsys, words):
    assert report.main(words) == 1
    shell(f"{quoted(capsys.readouterr().err)} experiment=quick seed=0,1 n_epochs=2", odd_folder)
    assert report.main([*words, "--experiment", "other"]) == 1
    assert "there are quick" in capsys.readouterr().err


def test_an_experiment_that_was_deleted_is_brought_back_by_what_is_told(odd_folder):
    uri = "sqlite:///its.db"
    record(open_store(uri), some_runs(1))
    MlflowClient(uri).delete_experiment("1")
    with pytest.raises(StoreError, match="was deleted") as refused:
        record(open_store(uri), some_runs(2))
    shell(quoted(str(refused.value)), odd_folder)
    record(open_store(uri), some_runs(2))


def test_a_fresh_sweep_that_was_stopped_goes_on_as_is_told(tmp_path, monkeypatch):
    stacks = []

    def train_one(stack):
        if stacks:
            raise KeyboardInterrupt
        stacks.append(stack)
        return train(stack)

    words = ("-m", "hidden_size=3,4", "n_epochs=2")
    with monkeypatch.context() as patched:
        patched.setattr(SweepTask, "train", staticmethod(train_one))
        stopped = run(tmp_path, *words, "fresh=true", code=130)
    assert "go on: the same command without fresh=true trains what is missing" in stopped
    assert "1 of 2 jobs is done" in run(tmp_path, *words)


def test_a_recorded_command_is_told_with_the_python_that_there_is(tmp_path):
    command = again("python -m experiments.run -m seed=0,1 dry_run=true")
    assert shell(command, tmp_path).startswith("own: 2 runs")


def test_make_is_not_told_where_it_would_take_an_experiment_from_the_environment(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("EXPERIMENT", "tutorial")
    monkeypatch.delenv("MAKEFLAGS", raising=False)
    assert typed("report") == python("-m", "experiments.report")
    monkeypatch.setenv("MAKEFLAGS", " -- EXPERIMENT=tutorial")  # `make sweep EXPERIMENT=tutorial`, over soon
    assert typed("report") == "make report"


@pytest.mark.parametrize(
    "words", [(), ("--store", 'sqlite:///a b\'s $HOME "q" #%;\\é(1).db', "--sweep", "own-1")]
)
def test_make_passes_the_words_on_as_they_are(tmp_path, monkeypatch, words):
    monkeypatch.chdir(ROOT)
    line = typed("report", *words)
    assert line.startswith("make report")
    program = tmp_path / "program"
    program.write_text(f"#!{sys.executable}\nimport sys\nprint(*sys.argv[1:], sep='\\n')\n")
    program.chmod(0o755)
    shown = shell(f"{line} -o setup RUN={shlex.quote(str(program))}", ROOT)
    assert shown.splitlines() == ["-m", "experiments.report", *words]
