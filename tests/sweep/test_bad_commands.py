"""Bad command lines, through the real entry: one message, exit code not 0, nothing recorded."""

import os
import re
import subprocess
import sys

import pytest

from tests.sweep.commands import ROOT, process, run, says

WHOLE = "give a whole number from"
TARGET = "class or function that can be imported"

# command line -> what the message must say: field and value, and the remedy
BAD = [
    # names
    ("learning_rat=0.1", "learning_rat: no such setting; did you mean learning_rate?"),
    ("grdient=numeric", "grdient: no such setting; did you mean gradient?"),
    ("tracking.ur=x", "tracking.ur: no such setting; did you mean tracking.uri?"),
    ("hydra.lancher.n_jobs=2", "hydra.lancher: no such setting; did you mean hydra.launcher?"),
    ("hydra.launcher.max_stak=3", "did you mean hydra.launcher.max_stack?"),
    ("learning_rate.x=3", "learning_rate.x: no such setting"),
    ("problem=[1,2]", "a config group: not understood .*; give the name of an option"),
    ("-m problem=xor,[[1]]", "a config group: not understood .*; give the name of an option"),
    ("+nothing=1", "nothing: no such setting"),
    ("+learning_rat=1", "learning_rat: no such setting; did you mean learning_rate?"),
    ("+tracking.url=x", "tracking.url: no such setting; did you mean tracking.uri?"),
    ("~nothing", "~nothing: there is nothing to delete"),
    ("~dry_run", "dry_run: None; give true or false"),
    ("~seeds", "~seeds: there is nothing to delete; did you mean seed?"),
    ("~seed", f"seed: None; {WHOLE} 0"),
    ("~learning_rate=0.3", "learning_rate: is 0.1; give ~learning_rate=0.1"),
    ("+learning_rate=0.2", "+learning_rate: is there already; give learning_rate=..."),
    ("-m learning_rat=0.1,0.2", "learning_rat: no such setting; did you mean learning_rate?"),
    # groups
    ("gradient=numerik", "gradient: 'numerik'; give one of analytic, .*; did you mean numeric?"),
    ("problem=xr", "problem: 'xr'; give one of csv, parity, .*; did you mean xor?"),
    ("experiment=convergense", "experiment: 'convergense'; give one of .*; did you mean convergence?"),
    ("-m gradient=numerik,analytic", "gradient: 'numerik'; give one of .*; did you mean numeric?"),
    ("hydra/launcher=stackd", "hydra/launcher: 'stackd'; give one of .*; did you mean stacked?"),
    ("+gradient=numeric", "gradient: has a value already; give gradient=..."),
    ("experiment=???", "experiment: missing; give one of convergence, "),
    ("++gradient=numeric", "++gradient=numeric: a config group; give gradient=numeric"),
    ("-m hydra.sweeper.params={seed:1}", "hydra.sweeper.params.seed: no such setting"),
    ("gradient=null", "NoneType; give the name of an option"),
    ("~gradient=3", "~gradient: '3'; give ~gradient alone"),
    ("~gradient", "gradient: {}; give a class or function as gradient._target_"),
    ("--config-name=nope", "--config-name: 'nope'; give the name of a file"),
    # grammar
    ("=0.1", "an empty key or a config group: float; give the name of an option"),
    ("learning_rate", "learning_rate: not understood .*; give setting=value"),
    ("learning_rate=${seed", "learning_rate=${seed: not understood .*; give setting=value"),
    ("learning_rate=0.1,0.2", "learning_rate: '0.1,0.2' are several values; give one, or -m to sweep"),
    ("seed=range(3)", "seed: 'range(3)' are several values; give one, or -m to sweep"),
    ("learning_rate=${oc.env:NOPE}", "learning_rate: .*'NOPE' not found.*; give a value"),
    ("learning_rate=${nope}", "learning_rate: .*'nope' not found; give a value"),
    # values
    ("learning_rate=0", "learning_rate: 0; give a finite number above 0"),
    ("learning_rate=nan", "learning_rate: nan; give a finite number above 0"),
    ("learning_rate=1e400", "learning_rate: inf; give a finite number above 0"),
    ("learning_rate=-inf", "learning_rate: -inf; give a finite number above 0"),
    ("learning_rate=null", "learning_rate: None; give a finite number above 0"),
    ("learning_rate=[0.1]", "learning_rate: [0.1]; give a finite number above 0"),
    ("learning_rate=", "learning_rate: ''; give a finite number above 0"),
    ("learning_rate=???", "learning_rate: missing; give it as learning_rate=..."),
    ("seed=-1", f"seed: -1; {WHOLE} 0 to 4,294,967,295"),
    ("seed=1.5", f"seed: 1.5; {WHOLE} 0 to 4,294,967,295"),
    ("seed=1e3", f"seed: 1000.0; {WHOLE} 0 to 4,294,967,295"),
    ("seed=99999999999", f"seed: 99999999999; {WHOLE} 0 to 4,294,967,295"),
    ("hidden_size=0", f"hidden_size: 0; {WHOLE} 1"),
    ("hidden_size=10000000", f"hidden_size: 10000000; {WHOLE} 1"),
    ("n_epochs=60.0", f"n_epochs: 60.0; {WHOLE} 1"),
    ("activation=Relu", "activation: 'Relu'; give one of relu, logistic, tanh"),
    ("bias=maybe", "bias: 'maybe'; give true or false"),
    ("dtype=float16", "dtype: 'float16'; give one of float64, float32"),
    ("start=fesh", "start: 'fesh'; give one of fresh, nudged, continued"),
    ("converged_below=1", "converged_below: 1; give a number above 0 and below 0.9"),
    ("converged_below=1e-40", "problem: .* converged_below of it is rounding in float64; give targets of"),
    ("fresh=maybe", "fresh: 'maybe'; give true or false"),
    ("dry_run=2", "dry_run: 2; give true or false"),
    # modes and problems
    ("gradient=numeric gradient.h=0", "gradient.h: 0; give a finite number above 0"),
    ("gradient=numeric gradient.h=-1e-4", "gradient.h: -0.0001; give a finite number above 0"),
    ("gradient=forward gradient.h=1e400", "gradient.h: inf; give a finite number above 0"),
    ("gradient=numeric gradient.h=abc", "gradient.h: 'abc'; give a finite number above 0"),
    ("gradient=numeric gradient.decay=2", "gradient.decay: 2; give a number above 0, at most 1"),
    ("gradient=numeric gradient.dekay=1", "gradient.dekay: numeric has no .*did you mean decay?"),
    ("gradient=analytic gradient.h=1", "gradient.h: analytic has no such setting; it has none"),
    ("gradient=spsa gradient.n_samples=1.5", "gradient.n_samples: 1.5; give an integer of 1 or more"),
    ("gradient=spsa gradient.n_samples=1000000000000", "gradient: 2,000,000,000,000 evaluations .*; give"),
    ("problem=parity problem.n_bits=99", "problem.n_bits: 99 .*; give an integer from 1 to 16"),
    ("gradient._target_=tinynet.gradients.Nmeric", f"gradient._target_: .*Nmeric'; give a {TARGET}"),
    ("gradient._target_=tinynet.Problem.xor", "gradient._target_: .*; give one that makes an object with"),
    ("problem._target_=tinynet.gradients.Numeric", "problem._target_: .*; give one that makes an object"),
    ("problem._target_=os.system", "problem._target_: 'os.system'; give another"),
    # sweeps
    ("-m seed=0,0", "seed: 0,0; give values, each of them once"),
    ("-m seed=range(0)", "seed: range(0); give values, each of them once"),
    ("-m seed=interval(0,1)", "seed: interval(0,1); give values, each of them once"),
    ("-m seed=,", "seed=,: not understood .*; give setting=value"),
    ("-m gradient=forward gradient.h=1,1.0", "forward h=1 lr=0.1 H=4 seed=0: 2 jobs are this run; give each"),
    ("-m learning_rate=1,1.0", "analytic lr=1 H=4 seed=0: 2 jobs are this run; give each value once"),
    ("-m tracking.experiment=a,b", "tracking.experiment: 'a' in a job, 'own' for the sweep; give all jobs"),
    ("experiment=quick learning_rate=0.1,-1", "learning_rate: -1; give a finite number above 0"),
    ("experiment=quick gradient.h=1,2", "gradient.h: analytic has no such setting"),
    ("experiment=quick seed=a,b", f"seed: 'a'; {WHOLE} 0"),
    ("experiment=quick hydra.launcher.n_jobs=two", "hydra.launcher.n_jobs: 'two'; give another value"),
    ("experiment=quick hydra.launcher.n_jobs=0", "hydra.launcher.n_jobs: 0; give 1 to 1,000, or -1"),
    ("experiment=quick hydra.launcher.n_jobs=4294967296", "n_jobs: 4294967296; give 1 to 1,000, or -1"),
    ("experiment=quick hydra.launcher.max_stack=0", "hydra.launcher.max_stack: 0; give 1 or more, or null"),
    ("experiment=quick hydra.sweeper.max_batch_size=2", "hydra.sweeper.max_batch_size: 2; give null"),
    ("experiment=quick hydra.job.chdir=true", "hydra.job.chdir: true; give false, or hydra/launcher=basic"),
    ("-m hydra.launcher.n_jobs=2 hydra.launcher.backend=lokky",
     "hydra.launcher.backend: 'lokky', .*; give loky"),
    ("-m hydra.launcher.n_jobs=2,3", "hydra.launcher.n_jobs: '2,3' are several values; give one"),
    ("experiment=quick hydra.sweeper.cases=['seed']", "seed: not understood .*; give setting=value"),
    # stores
    ("tracking=null", "tracking: None; give tracking.uri and tracking.experiment"),
    ("tracking.experiment=null", "tracking.experiment: None; give a name"),
    ("tracking.experiment=", "tracking.experiment: ''; give a name"),
    ("tracking.experiment=3", "tracking.experiment: 3; give a name of 1 to 200 characters, numbers quoted"),
    ("tracking.uri=null", "tracking.uri: None; give sqlite:///mlflow.db"),
    ("tracking.uri=foo", "tracking.uri=foo: .*; say sqlite:///mlflow.db"),
    ("tracking.uri=foo://bar", "tracking.uri=foo://bar: not understood; say sqlite:///mlflow.db"),
    ("tracking.uri=sqlite:///", "tracking.uri=sqlite:///: a SQLite store is a file; say sqlite:///mlflow.db"),
    ("tracking.uri=http://", "tracking.uri=http://: not understood; say"),
    ("-m seed=0,1 tracking.uri=nope:nope", "tracking.uri=nope:nope: not understood; say"),
    ("tracking.uri=sqlite:////proc/x/mlflow.db", "tracking.uri=sqlite:////proc/x/mlflow.db: its folder"),
    ("experiment=quick tracking.uri=http://127.0.0.1:1", ":1: the server does not answer; see"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "message"), BAD, ids=[line for line, _ in BAD])
def test_a_bad_command_line_gets_one_message_and_records_nothing(tmp_path, line, message):
    printed = run(tmp_path, *line.split(" "), code=1)
    assert says(message, printed), printed
    assert "Traceback" not in printed
    assert "HYDRA_FULL_ERROR" not in printed
    assert not list(tmp_path.iterdir())


def test_a_message_leaves_python_without_a_traceback_and_with_code_1(tmp_path):
    assert process(tmp_path, "learning_rat=0.1", code=1) == (
        "learning_rat: no such setting; did you mean learning_rate?\n"
    )


def test_a_run_alone_is_not_trained_for_a_store_that_is_not_there(tmp_path):
    printed = run(tmp_path, "tracking.uri=http://127.0.0.1:1", code=1)
    assert re.fullmatch(r"tracking.uri=http://127.0.0.1:1: the server does not answer; see .*\n", printed)


def test_a_mode_of_the_users_that_fails_is_told_without_a_traceback(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "failing.py").write_text(
        "class Mode:\n"
        "    def evaluations(self, network):\n        return 1\n"
        "    def estimate(self, row, params, epoch, draws):\n        raise KeyError('x')\n"
    )
    printed = run(tmp_path, "gradient._target_=failing.Mode", code=1)
    assert "1 of 1 jobs failed:\n  KeyError: 'x'; HYDRA_FULL_ERROR=1 tells where" in printed
    assert "Traceback" not in printed


def test_a_config_file_that_is_no_yaml_is_named(tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "broken.yaml").write_text("a: [\n")
    printed = run(tmp_path, "--config-dir", str(tmp_path), "experiment=broken", code=1)
    assert says("a config file: not understood .*broken.yaml.*; give YAML", printed)
    assert "Traceback" not in printed


def test_a_reader_that_has_had_enough_ends_a_sweep_quietly(tmp_path):
    command = f"{sys.executable} -m experiments.run experiment=quick | true"
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, shell=True, cwd=tmp_path, env=env, capture_output=True, text=True, check=True
    )
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_a_refused_sweep_has_not_waited_for_mlflow(tmp_path, monkeypatch):
    """Nor begun its import in a thread: that once left two threads in the midst of importing MLflow."""
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    printed = process(tmp_path, "experiment=quick", "seed=-1", code=1)
    assert "import time:" in printed
    assert "mlflow" not in printed


def test_an_error_of_ours_keeps_its_traceback(tmp_path, monkeypatch):
    monkeypatch.setattr("experiments.sweep.task.train", lambda stack: {}["a bug"])
    with pytest.raises(KeyError, match="a bug"):
        run(tmp_path, "n_epochs=2")
