"""The example of docs/launcher.md: right, the same by every launcher, and it goes on where it was stopped."""

import csv
import importlib.util
import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.house import ROOT

FOLDER = ROOT / "docs" / "examples" / "ridge"
FEW = ("alpha=0.1,10", "n_features=5,50", "fold=0,9")


def module(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def swept(*words, code=0):
    command = [sys.executable, str(FOLDER / "ridge.py"), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def results():
    """The file's lines, sorted: (alpha, n_features, fold) and error."""
    head, *rows = csv.reader(Path("results.csv").read_text().splitlines())
    assert head == ["alpha", "n_features", "fold", "error"]
    return sorted((tuple(map(float, settings)), float(error)) for *settings, error in rows)


def error_of_one(ridge, job):
    """Least squares with a row sqrt(alpha) for each weight, the other way to write ridge regression."""
    X, y = ridge.data()
    X = X[:, : job.n_features]
    held_out = np.arange(len(y)) % ridge.N_FOLDS == job.fold
    penalty = np.sqrt(job.alpha) * np.eye(job.n_features)
    rows = np.vstack([X[~held_out], penalty])
    w = np.linalg.lstsq(rows, np.append(y[~held_out], np.zeros(job.n_features)), rcond=None)[0]
    return np.mean((y[held_out] - X[held_out] @ w) ** 2)


@pytest.mark.parametrize("n_features", [1, 20, 50])
def test_a_stack_gives_what_least_squares_gives_for_each_job(n_features):
    ridge = module("ridge")
    jobs = [
        ridge.Job(alpha, n_features, fold) for alpha, fold in itertools.product([0.001, 1, 2000], range(10))
    ]
    assert ridge.fit(jobs) == pytest.approx([error_of_one(ridge, job) for job in jobs], rel=1e-9)


def test_a_thousand_jobs_are_one_command_and_the_same_again_runs_none():
    assert swept("-m") == "1,000 jobs in 5 stacks\n"
    assert len({settings for settings, _ in results()}) == 1000
    assert swept("-m") == "all 1,000 jobs are done\n"
    assert [path.name for path in Path().iterdir()] == ["results.csv"]


@pytest.mark.parametrize("launcher", ["hydra/launcher=basic", "hydra.launcher.n_jobs=2"])
def test_every_launcher_writes_the_same_results(launcher):
    swept("-m", "alpha=0.1,10", "n_features=5,50", "fold=0", launcher)
    ridge = module("ridge")
    jobs = [ridge.Job(alpha, n_features, 0) for alpha, n_features in itertools.product([0.1, 10], [5, 50])]
    assert [settings for settings, _ in results()] == jobs
    errors = [ridge.fit([job])[0] for job in jobs]
    assert [error for _, error in results()] == pytest.approx(errors, rel=1e-12)


def test_the_same_command_runs_only_what_is_missing():
    swept("-m", *FEW)
    whole = results()
    lines = Path("results.csv").read_text().splitlines(keepends=True)
    Path("results.csv").write_text("".join(lines[:4]))
    assert swept("-m", *FEW) == "3 of 8 jobs are done; 5 to go in 2 stacks\n"
    assert results() == whole


def test_settings_that_make_no_sense_are_told_together():
    printed = swept("-m", "alpha=-1,nan,x,1", "n_features=51,5", "fold=0.5,0", code=1)
    assert printed.splitlines()[:6] == [
        "15 of 16 jobs can't be run, so none was started:",
        "  alpha=-1 (4 jobs): alpha: -1.0; give 0 or more",
        "  alpha=nan (4 jobs): alpha: nan; give 0 or more",
        "  alpha=x (4 jobs): could not convert string to float: 'x'",
        "  alpha=1 n_features=51 (2 jobs): n_features: 51; give 1 to 50",
        "  alpha=1 n_features=5 fold=0.5: fold: 0.5; give 0 to 9",
    ]
    assert not Path("results.csv").exists()


def test_one_singular_matrix_costs_its_own_job_only():
    printed = swept("-m", "alpha=0,1", "n_features=20,50", "fold=0", code=1)
    assert "1 of 4 jobs failed; the others are recorded:\n  alpha=0 n_features=50: LinAlgError" in printed
    assert [settings for settings, _ in results()] == [(0, 20, 0), (1, 20, 0), (1, 50, 0)]


def test_the_measurement_counts_the_jobs_it_runs():
    measure = module("measure")
    assert f"{measure.N_BASIC} jobs in " in swept("-m", *measure.BASIC)
    assert measure.seconds(*FEW) > 0
    assert measure.comparison(stacked=2.0, basic=15.0).splitlines() == [
        "stacked: 1,000 jobs in 2.0 s, 2.0 ms a job",
        "basic: 50 jobs in 15.0 s, 300 ms a job",
        "1,000 jobs by basic: 300 s (extrapolated), 150 × as long",
    ]
