"""The road, end to end, as a person drives it: commands in an empty folder, and what MLflow then holds."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

import tinynet
from experiments.store import OpenSweep, load_sweep, sweeps
from experiments.sweep import SweepTask
from tests.sweep.commands import ROOT, process, run, says, store
from tinynet import gradients


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """The quick experiment in a folder of its own: (folder, what it printed, the recorded sweep)."""
    folder = tmp_path_factory.mktemp("quick")
    printed = process(folder, "experiment=quick")
    return folder, printed, load_sweep(store(folder))


def test_a_sweep_is_recorded_whole(quick):
    _, _, sweep = quick
    assert len(sweep.runs) == 40
    assert set(sweep.runs["status"]) == {"FINISHED"}
    assert sweep.curves["error"].shape == (121, 40)
    assert np.isfinite(sweep.curves["error"]).all()
    assert sweep.status == "FINISHED"


def test_a_sweep_says_what_it_runs_what_came_out_and_what_to_do_next(quick):
    _, printed, sweep = quick
    assert "quick: 40 runs of 120 epochs, recorded in sqlite:///mlflow.db" in printed
    assert "seed           0,1,2,3,4" in printed
    assert "Traceback" not in printed
    assert sweep.name in printed
    assert "-m experiments.report" in printed
    assert printed.count("numeric h=1e-4") >= 4


def test_what_is_recorded_of_a_run_are_the_bits_of_that_run_trained_alone(quick):
    _, _, sweep = quick
    problem = tinynet.Problem.streetlights()
    modes = {"analytic": tinynet.gradients.Analytic(), "numeric": tinynet.gradients.Numeric()}
    for i in range(0, 40, 7):
        row = sweep.runs.iloc[i]
        network = tinynet.Network(3, int(row["params.hidden_size"]))
        params = network.initial([int(row["params.seed"])])
        mode, learning_rate = modes[row["params.gradient"]], float(row["params.learning_rate"])
        alone = tinynet.train(network, problem, params, mode, learning_rate, 120)
        np.testing.assert_array_equal(sweep.curves["error"][:, i], alone.error[:, 0])


def test_pairs_share_their_start_and_differ_in_mode(quick):
    _, _, sweep = quick
    for _, pair in sweep.runs.groupby("tags.pair"):
        assert sorted(pair["tags.mode"]) == ["analytic", "numeric h=1e-4"]
        assert pair["tags.start"].nunique() == 1


def test_artifacts_without_a_place_stop_no_sweep_and_a_store_that_moved_is_told_of_it(tmp_path):
    words = ("-m", "seed=0,1", "n_epochs=3")
    home = tmp_path / "home"
    home.mkdir()
    (home / "mlruns").write_text("a file, no folder")
    printed = run(home, *words)
    assert "finished in" in printed
    assert says("config.yaml not attached: tracking.uri=.*: Not a directory", printed)
    assert load_sweep(store(home)).status == "FINISHED"
    moved = home.rename(tmp_path / "moved")
    assert f"the store was moved: artifacts go to {moved / 'mlruns'} now" in run(moved, *words)


def test_workers_in_other_processes_record_the_same_rows(quick, tmp_path):
    _, _, sweep = quick
    printed = process(tmp_path, "experiment=quick", "hydra.launcher.n_jobs=2", "hydra.launcher.max_stack=3")
    again = load_sweep(store(tmp_path))
    assert "finished" in printed
    assert list(again.runs["name"]) == list(sweep.runs["name"])
    np.testing.assert_array_equal(again.curves["error"], sweep.curves["error"])


def test_the_same_command_again_trains_nothing(quick):
    folder, _, sweep = quick
    printed = run(folder, "experiment=quick")
    assert "all 40 jobs are done" in printed
    again = load_sweep(store(folder))
    assert again.run_id == sweep.run_id
    assert list(again.runs["run_id"]) == list(sweep.runs["run_id"])


def test_all_bad_jobs_are_told_together_and_nothing_is_recorded(tmp_path):
    printed = run(tmp_path, "experiment=quick", "learning_rate=0.1,-1,0", "hidden_size=4,2.5", code=1)
    assert "learning_rate: -1; give a finite number above 0" in printed
    assert "learning_rate: 0; give a finite number above 0" in printed
    assert "hidden_size: 2.5; give a whole number" in printed
    assert "Traceback" not in printed
    assert not list(tmp_path.iterdir())


def test_one_run_prints_its_error_and_its_answers_and_is_recorded(tmp_path):
    printed = run(tmp_path, "gradient=numeric", "seed=3")
    lines = printed.splitlines()
    assert lines[0] == "numeric h=1e-4 lr=0.1 H=4 seed=3"
    assert [line.split()[0] for line in lines[2:13]] == [str(epoch) for epoch in range(0, 61, 6)]
    assert len([line for line in lines if line.startswith(("0 ", "1 "))]) == 4
    (child,) = [path for path in tmp_path.iterdir() if path.name == "mlflow.db"]
    assert child.stat().st_size > 0


def test_an_empty_tracking_uri_in_the_environment_names_no_store(tmp_path):
    printed = run(tmp_path, "n_epochs=2", uri="")
    assert "in sqlite:///mlflow.db" in printed


def test_one_bad_run_is_one_line(tmp_path):
    printed = run(tmp_path, "learning_rate=nan", "seed=-1", code=1)
    assert printed.splitlines() == [
        "learning_rate: nan; give a finite number above 0",
        "seed: -1; give a whole number from 0 to 4,294,967,295",
    ]
    assert not list(tmp_path.iterdir())


def test_hydras_own_launcher_runs_our_jobs_one_by_one(tmp_path):
    printed = run(tmp_path, "-m", "hydra/launcher=basic", "seed=0,1", "n_epochs=10")
    assert printed.count("recorded as run") == 2


@pytest.mark.parametrize("words", [("-m", "hydra/launcher=basic", "seed=0,1"), ("seed=0",)])
def test_paths_are_meant_from_where_the_command_was_typed_also_in_jobs_that_change_folders(tmp_path, words):
    (tmp_path / "rows.csv").write_text("x,y\n1,2\n0,1\n")
    folders = ("hydra.job.chdir=true", "hydra.run.dir=jobs", "hydra.sweep.dir=jobs")
    csv = ("problem=csv", "problem.path=rows.csv", "problem.target=y")
    run(tmp_path, *words, *folders, "hydra.sweep.subdir=${hydra.job.num}", *csv, "n_epochs=3")
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.db")] == ["mlflow.db"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["jobs", "mlflow.db", "rows.csv"]


def test_sigterm_ends_a_sweep_and_its_workers_as_ctrl_c_does(tmp_path):
    words = ["-m", "seed=0,1", "n_epochs=1000000", "hydra.launcher.n_jobs=2"]
    command = [sys.executable, "-m", "experiments.run", *words]
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    with subprocess.Popen(
        command, cwd=tmp_path, env=clean | {"PYTHONPATH": str(ROOT)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as started:  # fmt: skip
        assert "2 runs of 1000000 epochs" in started.stdout.readline()
        while not (tmp_path / "mlflow.db").exists() or not sweeps(store(tmp_path)):
            assert started.poll() is None
            time.sleep(0.1)
        time.sleep(2)  # the workers
        started.send_signal(signal.SIGTERM)
        assert "stopped at 0 of 2 runs" in started.stdout.read()  # until no worker holds the pipe
        assert started.wait(10) == 130


def test_a_dry_run_names_the_runs_and_touches_nothing(tmp_path):
    printed = run(tmp_path, "experiment=quick", "dry_run=true")
    assert printed.count("seed=") == 40
    assert not list(tmp_path.iterdir())


def test_a_dry_run_says_how_many_runs_are_there(quick):
    folder, _, sweep = quick
    assert "40 of 40 runs are there" in run(folder, "experiment=quick", "dry_run=true")
    assert "0 of 40 runs are there" in run(folder, "experiment=quick", "dry_run=true", "n_epochs=7")
    assert load_sweep(store(folder)).run_id == sweep.run_id


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--cfg", "job"), "learning_rate: 0.1"),
        (("--help",), "experiment: convergence"),
        (("--info", "defaults"), "gradient/analytic"),
    ],
)
def test_hydras_own_switches_work(tmp_path, words, told):
    assert told in run(tmp_path, *words)


def test_a_mode_of_the_users_own_needs_no_change_of_ours(tmp_path, monkeypatch):
    """The example of tinynet/gradients.py's own docstring, in a package of the user's."""
    example = gradients.__doc__.split("two methods:")[1].split("estimate returns")[0]
    head = "from dataclasses import dataclass\nimport numpy as np\n"
    (tmp_path / "my_package.py").write_text(head + textwrap.dedent(example))
    monkeypatch.syspath_prepend(tmp_path)
    printed = run(tmp_path, "gradient._target_=my_package.Rounded", "gradient.grid=0.05", "n_epochs=10")
    assert "rounded grid=0.05 lr=0.1 H=4 seed=0" in printed
    assert "recorded as run" in printed


def test_diagnostics_along_the_way_are_recorded_at_about_fifty_epochs(tmp_path):
    run(tmp_path, "-m", "gradient=numeric", "seed=0,1", "n_epochs=400", "diagnostics=true")
    curves = load_sweep(store(tmp_path)).curves
    kinks, cosine = curves["kink_share"], curves["gradient_cosine"]
    watched = np.flatnonzero(np.isfinite(kinks[:, 0]))
    assert 35 <= len(watched) <= 50
    assert watched[[0, -1]].tolist() == [1, 400]
    assert np.nanmax(np.abs(1 - cosine[kinks == 0])) < 1e-3  # away from kinks only rounding is left


def test_a_wider_grid_takes_over_what_earlier_sweeps_trained(tmp_path, monkeypatch):
    narrow = ("-m", "gradient=numeric,analytic", "seed=0,1", "n_epochs=20")
    run(tmp_path, *narrow)
    first, trained, train = load_sweep(store(tmp_path)), [], SweepTask.train

    def watched(stack):
        trained.extend((settings.mode, settings.seed) for settings in stack)
        return train(stack)

    monkeypatch.setattr(SweepTask, "train", staticmethod(watched))
    wider = (*narrow[:2], "seed=0,1,2", "learning_rate=0.1,0.2", "n_epochs=20")
    assert "(4 would be copied from other sweeps)" in run(tmp_path, *wider, "dry_run=true")
    printed = run(tmp_path, *wider)
    assert "  4 runs copied from other sweeps\n4 of 12 jobs are done; 8 to go in " in printed
    assert len(trained) == 8
    second = load_sweep(store(tmp_path))
    assert (len(first.runs), len(second.runs), second.status) == (4, 12, "FINISHED")
    assert len(load_sweep(store(tmp_path), sweep=first.run_id).runs) == 4
    error = dict(zip(second.runs["tags.fingerprint"], second.curves["error"].T, strict=True))
    for fingerprint, curve in zip(first.runs["tags.fingerprint"], first.curves["error"].T, strict=True):
        np.testing.assert_array_equal(error[fingerprint], curve)
    run(tmp_path, *wider, "fresh=true")
    assert len(trained) == 8 + 12


def test_a_sweep_into_a_store_that_is_known_does_without_importing_mlflow(tmp_path, monkeypatch):
    """It would take longer than everything else together."""
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    printed = process(tmp_path, "experiment=quick", "n_epochs=2")
    assert "40 runs" in printed
    assert "| mlflow" not in printed
    assert len(load_sweep(store(tmp_path)).runs) == 40


def test_runs_taken_over_bear_the_settings_of_the_sweep_that_takes_them(tmp_path):
    """xor is the parity of two bits: the same rows, the same results."""
    words = ("seed=0,1", "n_epochs=3", "gradient=analytic")
    run(tmp_path, "-m", "problem=parity", "problem.n_bits=2", *words)
    assert "copied" in run(tmp_path, "-m", "problem=xor", "learning_rate=0.1,0.2", *words)
    sweep = load_sweep(store(tmp_path))
    assert sweep.runs["params.problem"].tolist() == ["xor"] * 4
    assert not [column for column in sweep.runs if "n_bits" in column]


def test_what_another_process_recorded_while_this_one_looked_is_not_trained_again(tmp_path, monkeypatch):
    words = ("-m", "gradient=analytic", "seed=0,1", "n_epochs=3")
    take_over = OpenSweep.take_over
    run(tmp_path, *words, "seed=0,1,2")
    monkeypatch.setattr(OpenSweep, "take_over", lambda *arguments: 0 * take_over(*arguments))
    monkeypatch.setattr(SweepTask, "train", None)  # fails if called
    assert "all 2 jobs are done" in run(tmp_path, *words)
