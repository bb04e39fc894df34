"""Reports that cannot be made: one message, exit code 1, no files; no password in any help."""

import pytest

from experiments import ui
from experiments.report import __main__ as report
from experiments.store import StoreError, load_sweep, open_store
from tests.sweep.commands import run, says, store


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recorded")
    run(folder, "-m", "seed=0,1", "n_epochs=3", "tracking.experiment=alone")
    return folder


@pytest.mark.parametrize(("words", "message"), [
    ([], "are all of the mode analytic, which makes no pair; run a sweep over two modes"),
    (["--sweep", "alon"], "no sweep 'alon'.*there are alone-"),
    (["--experiment", "other"], "no sweep of experiment 'other'; there are alone"),
    (["--reference", "numeric"], "reference=numeric: no such mode"),
    (["--store", "nope:nope"], "tracking.uri=nope:nope: not understood; say"),
    (["--store", "sqlite:///no/mlflow.db"], "there is no store yet; `"),
    (["--margin-share", "2"], "margin-share=2.0: give a share above 0"),
])  # fmt: skip
def test_a_report_that_cannot_be_made_is_one_message(recorded, capsys, monkeypatch, words, message):
    monkeypatch.chdir(recorded)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert report.main(words) == 1
    said = capsys.readouterr()
    assert says(message, said.err), said.err
    assert not (recorded / "reports").exists()


def test_a_report_on_an_empty_store_says_what_records_a_sweep(tmp_path, capsys):
    open_store(store(tmp_path))
    assert report.main(["--store", store(tmp_path)]) == 1
    assert "there is no sweep in it yet; `" in capsys.readouterr().err


def test_a_near_name_of_a_sweep_is_suggested(recorded):
    name = load_sweep(store(recorded)).name
    with pytest.raises(StoreError, match=f"did you mean {name}"):
        load_sweep(store(recorded), sweep=name[:-1] + "x")


@pytest.mark.parametrize("main", [report.main, ui.main], ids=["report", "ui"])
def test_help_shows_no_password_of_the_environment(monkeypatch, capsys, main):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:s3cr3t@host")
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    assert "http://me:***@host" in said
    assert "s3cr3t" not in said
