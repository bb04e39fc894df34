"""The benchmark compares equal work: both sides are run small, and their results held against each other."""

import csv
import math
import platform
import re
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from importlib.util import find_spec

import numpy as np
import pytest

from experiments.benchmark import __main__ as benchmark
from experiments.benchmark import composition, sweep, trainer
from experiments.benchmark.measuring import OURS, THEIRS, Line, Measured, extrapolate, grid, measure
from experiments.benchmark.peers import N_EPOCHS, log_batch, log_metric
from experiments.benchmark.recording import Recording


def test_trainer_and_plain_loop_compute_the_same():
    lines = list(trainer.lines(None, hidden_sizes=(2,), stacks=(1, 3), rounds=1))
    apart = [line for line in lines if "difference" in line.what]
    assert len(lines) == 6
    assert all(line.ratio > 0 for line in lines if line not in apart)
    assert len(apart) == 2
    assert all(line.met for line in apart)


def test_another_computation_would_be_seen(monkeypatch):
    assert trainer.disagreement("analytic", hidden_size=4, seed=5) < 1e-13
    loop = trainer.plain_loop
    monkeypatch.setattr(trainer, "plain_loop", lambda *case: loop(*case, learning_rate=0.1 + 1e-9))
    assert trainer.disagreement("analytic", hidden_size=4, seed=5) > 1e-10


def test_extrapolation_is_exact_on_a_line_and_says_what_it_rests_on():
    seconds, source = extrapolate((4, 24), (2 + 4 * 0.3, 2 + 24 * 0.3), 1000)
    assert seconds == pytest.approx(302)
    assert source == "4 and 24: 2.0 s and 300 ms each"
    seconds, source = extrapolate((4, 24), (20, 10), 1000)
    assert math.isnan(seconds)
    assert "too noisy" in source


def test_composition_counts_the_jobs_of_both_launchers(tmp_path):
    (line,) = composition.lines(tmp_path, n_jobs=8, sizes=(4, 8), rounds=1)
    assert line.extrapolated.startswith("4 and 8: ")
    assert "* extrapolated from 4 and 8: " in str(line)
    with pytest.raises(RuntimeError, match="no_such_key"):
        measure(tmp_path, *OURS, "no_such_key=1")


def test_jobs_that_got_lost_would_be_seen(monkeypatch, tmp_path):
    output = "analytic lr=0.1 H=4 seed=0\n" * 7 + "1.5\n"
    monkeypatch.setattr(composition, "measure", lambda folder, *_: Measured(1.0, 1.0, output, folder))
    with pytest.raises(RuntimeError, match="7 jobs came out of 8"):
        list(composition.lines(tmp_path, n_jobs=8, rounds=1))


def errors(database) -> dict[tuple, list[float]]:
    """The error curve of every run with a seed, by gradient, learning rate and seed."""
    with closing(sqlite3.connect(database)) as store:
        params = {}
        curves = {}
        for run, key, value in store.execute("SELECT run_uuid, key, value FROM params"):
            params.setdefault(run, {})[key] = value
        query = "SELECT run_uuid, value FROM metrics WHERE key = 'error' ORDER BY step"
        for run, value in store.execute(query):
            curves.setdefault(run, []).append(value)
    keys = "gradient", "learning_rate", "seed"
    return {tuple(params[run][key] for key in keys): curve for run, curve in curves.items()}


def test_all_three_programs_record_the_same_errors(tmp_path):
    installed = find_spec("hydra_plugins.hydra_joblib_launcher")  # extra: bench
    joblib = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=1"] if installed else []
    commands = [
        [*OURS, *grid(4)],
        [*THEIRS, "log_metric", *grid(4)],
        [*THEIRS, "log_batch", *grid(4), *joblib],
    ]
    with ThreadPoolExecutor() as pool:
        runs = pool.map(lambda command: measure(tmp_path, *command), commands)
        ours, *theirs = [errors(run.folder / "mlflow.db") for run in runs]
    assert len(ours) == 4
    for recorded in theirs:
        assert recorded.keys() == ours.keys()
        for key, curve in recorded.items():
            assert len(curve) == N_EPOCHS + 1
            np.testing.assert_allclose(curve, ours[key], rtol=1e-6)


def programs_that_take(fixed: float, each: float):
    """In place of measuring.measure: seconds and megabytes that grow with the number of runs."""

    def measure(folder, *command):
        seeds = re.search(r"seed=range\((\d+)\)", " ".join(command))
        amount = fixed + each * 4 * int(seeds[1]) if seeds else fixed
        return Measured(amount, amount, "", folder)

    return measure


def test_every_extrapolated_figure_of_the_sweep_is_marked(monkeypatch, tmp_path):
    monkeypatch.setattr(sweep, "measure", programs_that_take(fixed=5, each=0.5))
    for line in sweep.lines(tmp_path, rounds=1):
        assert (line.ours, line.theirs) == (pytest.approx(505), pytest.approx(505))
        assert "5.0 s and 500 ms each" in str(line)
        assert f"{line.theirs:.0f}*" in str(line)


def test_proportion_compares_large_with_many_small(monkeypatch, tmp_path):
    monkeypatch.setattr(sweep, "measure", programs_that_take(fixed=0, each=0.01))
    *goals, seconds, megabytes = sweep.growth(tmp_path)
    assert [line.ours for line in goals] == [0, 0, 100, 100]
    assert [line.met for line in goals] == [True, True, False, True]
    assert seconds.ratio == megabytes.ratio == 1


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    import mlflow

    before = mlflow.get_tracking_uri()
    patched = pytest.MonkeyPatch()
    patched.setenv("MLFLOW_TRACKING_URI", before)  # set_tracking_uri sets it for what later tests start, too
    ways = Recording(tmp_path_factory.mktemp("recording"), n_runs=4)
    ways.ours()
    wrote = ways.rows()
    assert all(seconds > 0 for seconds in (ways.raw(), ways.theirs(log_batch, 2), ways.theirs(log_metric, 2)))
    yield ways, wrote
    mlflow.set_tracking_uri(before)
    patched.undo()


def test_raw_sqlite_writes_what_ours_wrote(recorded):
    ways, wrote = recorded
    assert len(wrote["runs"]) == 4
    assert len(wrote["metrics"]) > 4 * N_EPOCHS
    assert ways.rows() == wrote


def test_log_batch_and_log_metric_write_what_ours_wrote(recorded):
    ways, _ = recorded
    own = "key NOT LIKE 'mlflow.%' AND key != 'fingerprint'"  # tags that each way adds by itself
    queries = (
        "SELECT key, value FROM params WHERE run_uuid = ? ORDER BY 1",
        "SELECT key, value, step FROM metrics WHERE run_uuid = ? ORDER BY 1, 3",
        "SELECT key, value, step FROM latest_metrics WHERE run_uuid = ? ORDER BY 1",
        f"SELECT key, value FROM tags WHERE run_uuid = ? AND {own} ORDER BY 1",
    )
    with closing(sqlite3.connect(ways.database)) as store:
        for name in [run.name for run in ways.runs[:2]]:
            runs = store.execute("SELECT run_uuid FROM runs WHERE name = ?", [name]).fetchall()
            ours, batch, points = [
                [store.execute(query, run).fetchall() for query in queries] for run in runs
            ]
            assert ours == batch == points
            assert all(ours)


def test_table_and_machine_name_neither_host_nor_user(monkeypatch, tmp_path, capsys):
    def lines(folder):
        yield Line("a", 2.0, "s", 1000.0, "3 runs", goal=400)

    monkeypatch.setitem(benchmark.SECTIONS, "trainer", ("One line.", lines))
    output = tmp_path / "bench.csv"
    benchmark.main(["--only", "trainer", "--output", str(output)])
    text = output.read_text()
    (row,) = csv.DictReader(text.splitlines())
    expected = {"section": "trainer", "ours": "2.0", "ratio": "500.0", "met": "True"}
    expected["extrapolated"] = "3 runs"
    assert expected.items() <= row.items()
    assert row["python"] == platform.python_version()
    assert {"cpu", "cores", "os", "numpy", "mlflow", "hydra"} <= row.keys()
    text += capsys.readouterr().out
    assert "500×" in text
    assert platform.node() not in text


def test_an_unknown_section_is_answered_with_the_known(capsys):
    with pytest.raises(SystemExit):
        benchmark.main(["--only", "trainer,speed"])
    message = "there is no speed; give some of trainer, composition, sweep, memory, recording"
    assert message in capsys.readouterr().err
