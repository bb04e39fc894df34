"""What every command does with a bad argument, and with what the environment says to others than us."""

import os
import shlex
import subprocess
import sys

import matplotlib
import pytest

from experiments import ui
from experiments.benchmark import __main__ as benchmark
from experiments.report import __main__ as report
from tests.sweep.commands import ROOT, run, store

SWEEP = ("-m", "seed=0,1", "gradient=analytic,numeric", "n_epochs=5")


def attempt(folder, command, words=(), environment=None, streams=""):
    """A command in a process of its own: its exit code and what it printed."""
    line = shlex.join([sys.executable, "-m", f"experiments.{command}", *words])
    done = subprocess.run(
        f"{line} {streams}", shell=True, cwd=folder, capture_output=True, check=False, timeout=120,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | (environment or {}),
    )  # fmt: skip
    return done.returncode, (done.stdout + done.stderr).decode(errors="replace")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("größe")
    run(folder, *SWEEP)
    return folder


@pytest.mark.parametrize("main", [report.main, ui.main, benchmark.main], ids=["report", "ui", "benchmark"])
def test_a_bad_argument_is_answered_in_one_line(main, capsys):
    with pytest.raises(SystemExit) as end:
        main(["--sweeep", "x"])
    assert end.value.code == 2
    assert capsys.readouterr().err == "unrecognized arguments: --sweeep x; --help lists what there is\n"


@pytest.mark.parametrize("port", ["-5", "0", "65536", "http"])
def test_a_port_that_is_none_is_refused(port, capsys):
    with pytest.raises(SystemExit):
        ui.main([f"--port={port}"])
    assert f"--port: {port}; give a port from 1 to 65535, such as 5000" in capsys.readouterr().err


def test_a_benchmark_that_could_not_be_written_is_not_begun(tmp_path, capsys):
    with pytest.raises(SystemExit):
        benchmark.main(["--only", "trainer", "--output", str(tmp_path / "no" / "bench.csv")])
    assert "bench.csv: No such file or directory; give a file that can be written" in capsys.readouterr().err


def test_a_full_disk_under_the_output_ends_a_sweep_in_one_line(tmp_path):
    code, printed = attempt(tmp_path, "run", SWEEP, streams="> /dev/full")
    assert code == 1
    assert printed == "output: No space left on device; print elsewhere, and the same command goes on\n"
    code, printed = attempt(tmp_path, "run", SWEEP)
    assert (code, "finished" in printed) == (0, True)


def test_a_full_disk_under_the_output_costs_no_report(recorded, tmp_path):
    words = ["--store", store(recorded), "--output", str(tmp_path)]
    assert attempt(recorded, "report", words, streams="> /dev/full") == (0, "")
    assert (tmp_path / "report.html").exists()


@pytest.mark.parametrize(("command", "words"), [("run", SWEEP), ("report", ()), ("ui", ())])
def test_a_folder_that_is_gone_is_told_in_one_line(tmp_path, command, words):
    line = shlex.join([sys.executable, "-m", f"experiments.{command}", *words])
    done = subprocess.run(
        f"mkdir gone; cd gone; rmdir ../gone; {line}", shell=True, cwd=tmp_path,
        capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == "the folder that this was typed in is gone; cd to one that is there\n"


def test_a_report_is_the_same_whatever_the_environment_says_to_others(recorded, tmp_path):
    """All at once: a notebook's backend, warnings as errors, a terminal and home of another
    kind."""
    bad = tmp_path / "bad"
    bad.write_bytes(b"\xff\xfe: no settings")
    environment = {
        "MPLBACKEND": "module://no.such.backend",
        "MATPLOTLIBRC": str(bad),
        "MPLCONFIGDIR": matplotlib.get_configdir(),  # with the list of fonts, which takes seconds to make
        "HOME": str(bad / "no folder"),
        "TMPDIR": str(bad / "no folder"),
        "PYTHONWARNINGS": "error",
        "PYTHONIOENCODING": "ascii",
        "PYTHONSAFEPATH": "1",
        "LC_ALL": "C",
        "TZ": "Pacific/Kiritimati",
        "COLUMNS": "1",
        "OMP_NUM_THREADS": "no number",
    }
    assert report.main(["--store", store(recorded), "--output", str(tmp_path / "plain")]) == 0
    words = ["--store", store(recorded), "--output", str(tmp_path / "odd")]
    code, printed = attempt(tmp_path, "report", words, environment)
    assert code == 0, printed
    assert "Traceback" not in printed
    assert "matplotlib" not in printed.lower()
    for file in (tmp_path / "plain").rglob("*.*"):
        assert file.read_bytes() == (tmp_path / "odd" / file.relative_to(tmp_path / "plain")).read_bytes()


@pytest.mark.parametrize("streams", [">&-", "2>&-", ">&- 2>&- <&-"])
def test_a_sweep_is_recorded_though_nobody_listens(tmp_path, streams):
    code, printed = attempt(tmp_path, "run", SWEEP, streams=streams)
    assert code == 0, printed
    assert "Traceback" not in printed
