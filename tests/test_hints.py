"""What a command tells its user to type next works as it stands, where it stands."""

import os
import shlex
import subprocess
import sys

import pytest

from experiments.wording import ROOT, typed
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


def test_a_store_that_is_not_there_is_made_by_what_is_told(tmp_path):
    line = [sys.executable, "-m", "experiments.report"]
    said = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, env=environment()).stderr
    told = said.split("`")[1]
    assert shell(f"{told} dry_run=true", tmp_path).startswith("convergence: 800 runs")


@pytest.mark.parametrize("words", [(), ("--store", 'sqlite:///a b\'s $HOME "q".db', "--sweep", "own-1")])
def test_make_passes_the_words_on_as_they_are(tmp_path, monkeypatch, words):
    monkeypatch.chdir(ROOT)
    line = typed("report", *words)
    assert line.startswith("make report")
    program = tmp_path / "program"
    program.write_text(f"#!{sys.executable}\nimport sys\nprint(*sys.argv[1:], sep='\\n')\n")
    program.chmod(0o755)
    shown = shell(f"{line} -o setup RUN={shlex.quote(str(program))}", ROOT)
    assert shown.splitlines() == ["-m", "experiments.report", *words]
