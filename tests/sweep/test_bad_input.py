"""Bad command lines and files, through the real entry: one message, exit code not 0, nothing recorded."""

import os
import re
import sqlite3
import subprocess
import sys
import time
import tracemalloc
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiments import ui
from experiments.report import __main__ as report
from experiments.store import tracking
from experiments.sweep import task as stacks
from experiments.sweep.rules import OF_A_RUN
from experiments.sweep.settings import read
from tests.sweep.test_settings import PLAIN
from tests.sweep.test_sweep import ROOT, process, run, store

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
    ("-m learning_rate=1,1.0", "analytic lr=1 H=4 seed=0: 2 jobs are this run; give each value once"),
    ("-m tracking.experiment=a,b", "2 jobs are this run; give each value once, and one tracking"),
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


def says(words: str, text: str) -> bool:
    """Whether the text has the words; .* in them stands for anything within a line."""
    return re.search(".*".join(map(re.escape, words.split(".*"))), text) is not None


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


# --- files --------------------------------------------------------------------------------------------

FILES = [
    ("empty", b"", "has no rows; give a line of column names"),
    ("names only", b"x,target\n", "has no rows; give a line of column names"),
    ("ragged", b"x,target\n1,0\n1,0,1\n", "line 3: 3 values; give 2, one for each column"),
    ("text", b"x,target\n1,yes\n", "line 2, column 'target': 'yes' is not a number; give one"),
    ("nan", b"x,target\n1,nan\n", "line 2, column 'target': 'nan'; give finite numbers only"),
    ("1e400", b"x,target\n1e400,1\n", "line 2, column 'x': '1e400'; give finite numbers only"),
    ("no target", b"x,y\n1,1\n", "target: .* has no column 'target'; give one of: x, y"),
    ("target alone", b"target\n1\n", "has only target; give at least one input column"),
    ("twice", b"x,x,target\n1,1,1\n", "has column 'x' twice; give each its own name"),
    ("no signal", b"x,target\n1,0\n", "problem: every target is 0"),
    ("latin-1", "größe,target\n1,1\n".encode("latin-1"), "is not UTF-8 text .*; save it as UTF-8"),
    ("utf-16", "x,target\n1,1\n".encode("utf-16"), "is not UTF-8 text .*; save it as UTF-8"),
    ("binary", bytes(range(256)), "path: "),
    ("NUL", b"x,target\n\0,1\n", "path: "),
]


@pytest.mark.parametrize(("content", "message"), [row[1:] for row in FILES], ids=[row[0] for row in FILES])
def test_a_bad_file_gets_one_message_and_records_nothing(tmp_path, content, message):
    (tmp_path / "rows.csv").write_bytes(content)
    printed = run(tmp_path, "problem=csv", "problem.path=rows.csv", code=1)
    assert says(message, printed), printed
    assert "problem" in printed
    assert "Traceback" not in printed
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


@pytest.mark.parametrize(("words", "message"), [
    ([], "problem.path: missing; give it as problem.path=..."),
    (["problem.path=nowhere.csv"], "problem.path: 'nowhere.csv' is not a file; give a CSV file"),
    (["problem.path=."], "problem.path: '.' is not a file; give a CSV file"),
    (["problem.path=5"], "problem.path: 5; give the name of a CSV file"),
    (["problem.path=/dev/zero"], "problem.path: '/dev/zero' is not a file; give a CSV file"),
])  # fmt: skip
def test_a_path_that_names_no_file_is_answered(tmp_path, words, message):
    printed = run(tmp_path, "problem=csv", *words, code=1)
    assert says(message, printed), printed
    assert not list(tmp_path.iterdir())


def test_ten_million_columns_are_refused_within_seconds_and_little_memory(tmp_path):
    with (tmp_path / "wide.csv").open("w") as file:
        file.write(",".join(["c"] * 10_000_000) + "\n" + ",".join(["0"] * 10_000_000) + "\n")
    began = time.monotonic()
    tracemalloc.start()
    printed = run(tmp_path, "problem=csv", "problem.path=wide.csv", code=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert says("problem.path: 'wide.csv' has .* columns; give at most", printed), printed[:500]
    assert len(printed) < 500
    assert time.monotonic() - began < 5
    assert peak < 300e6


# --- reports ------------------------------------------------------------------------------------------


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
    (["--store", "sqlite:///no/mlflow.db"], "there is no store yet; `make sweep` makes it"),
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
    tracking.open_store(store(tmp_path))
    assert report.main(["--store", store(tmp_path)]) == 1
    assert "there is no sweep in it yet; `make sweep` records one" in capsys.readouterr().err


def test_a_near_name_of_a_sweep_is_suggested(recorded):
    name = tracking.load_sweep(store(recorded)).name
    with pytest.raises(tracking.StoreError, match=f"did you mean {name}"):
        tracking.load_sweep(store(recorded), sweep=name[:-1] + "x")


# --- passwords ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("uri", [
    "http://me:s3cr3t@127.0.0.1:1", "postgresql://me:s3cr3t@127.0.0.1:1/x", "mysql://me:s3cr3t@",
    "'postgresql://127.0.0.1:1/x?password=s3cr3t'", "postgresql://h/x?password=s3cr3t",
    "nope://me:s3cr3t@host", "sqlite:///x?token=s3cr3t",
])  # fmt: skip
@pytest.mark.parametrize("words", [["n_epochs=2"], ["-m", "seed=0,1", "n_epochs=2"]], ids=["run", "sweep"])
def test_a_password_is_not_told_when_a_store_fails(tmp_path, uri, words, caplog):
    printed = run(tmp_path, *words, f"tracking.uri={uri}", code=1)
    assert "s3cr3t" not in printed + caplog.text
    assert not list(tmp_path.iterdir())


def test_a_password_on_the_command_line_reaches_neither_store_nor_artifacts(tmp_path):
    run(tmp_path, "-m", "seed=0,1", "n_epochs=2", "+hydra.job.env_set.PGPASSWORD=s3cr3t",
        "+hydra.job.env_set.DB='postgresql://me:s3cr3t@host/x'")  # fmt: skip
    found = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "config.yaml" for path in found)
    assert not [path for path in found if b"s3cr3t" in path.read_bytes()]


def test_no_source_loads_a_pickle_from_a_file():
    loads = re.compile(r"pickle\.load\(|read_pickle|joblib\.load\(|allow_pickle=True|np\.load\(|yaml\.load\(")
    sources = [
        path for name in ("tinynet", "experiments", "hydra_plugins") for path in (ROOT / name).glob("*.py")
    ]
    assert len(sources) > 20
    assert not [path for path in sources if loads.search(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("main", [report.main, ui.main], ids=["report", "ui"])
def test_help_shows_no_password_of_the_environment(monkeypatch, capsys, main):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:s3cr3t@host")
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    assert "http://me:***@host" in said
    assert "s3cr3t" not in said


def test_few_runs_of_a_million_epochs_are_one_stack():
    assert stacks.Sweep.most(read(PLAIN | {"n_epochs": 1_000_000})) == 3
    assert stacks.Sweep.most(read(PLAIN)) > 2000


# --- anything -----------------------------------------------------------------------------------------

ODD = st.sampled_from(
    ["0", "1", "2", "-1", "1e400", "nan", "inf", "-inf", "null", "true", "''", "[]", "{}", "[1,2]", "{a: 1}",
     "???", "${seed}", "${nope}", "0.5", "1e-300", "1e308", "4294967296", "relu", "float32", "numeric", "xor",
     "a b", "\u00e9", "'", "1,2", "0,1,0", "range(3)", "relu,tanh", "choice(1)", "interval(0,1)", "glob(*)",
     "shuffle(1,2)", "{_target_: int}", "tinynet.gradients.SPSA", "${oc.env:HOME}"]
)  # fmt: skip
KEYS = st.sampled_from(
    [*OF_A_RUN, "problem", "gradient", "gradient.h", "gradient._target_", "problem.n_bits", "nothing",
     "fresh", "dry_run", "tracking", "tracking.uri", "tracking.experiment", "experiment", "hydra/launcher",
     "hydra.launcher.n_jobs", "hydra.launcher.max_stack", "hydra.sweeper.params", "hydra.sweeper.cases"]
)  # fmt: skip
SIGNS = st.sampled_from(["", "", "", "+", "++", "~"])
FITTING = st.sampled_from(
    ["learning_rate=0.5", "learning_rate=1e308", "learning_rate=0.1,1e300", "hidden_size=2", "n_epochs=1",
     "seed=3", "seed=1,2", "activation=tanh", "bias=true", "dtype=float32", "start=nudged", "start=continued",
     "online_error=true", "diagnostics=true", "problem=xor", "problem=parity", "problem.n_bits=2",
     "gradient=numeric", "gradient=spsa", "gradient=hybrid", "gradient=complex_step", "gradient=numeric,spsa",
     "gradient.h=1e-300", "gradient.n_samples=2", "hydra.launcher.max_stack=1", "hydra/launcher=basic",
     'hydra.sweeper.cases=["seed=1,2"]', "hydra.sweeper.max_batch_size=2", "tracking.experiment=x",
     "tracking.experiment=${seed}", "fresh=true", "dry_run=true"]
)  # fmt: skip
OVERRIDE = st.one_of(
    st.tuples(SIGNS, KEYS, st.just("="), ODD).map("".join), KEYS.map("~{}".format), FITTING, FITTING
)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A folder with a store, and how many runs are in it."""
    folder = tmp_path_factory.mktemp("any")
    tracking.open_store(store(folder))
    with closing(sqlite3.connect(folder / "mlflow.db")) as database:
        yield folder, lambda: database.execute("SELECT count(*) FROM runs").fetchone()[0]


@settings(max_examples=40, suppress_health_check=list(HealthCheck), deadline=None)
@given(overrides=st.lists(OVERRIDE, min_size=1, max_size=3), many=st.booleans())
def test_any_override_runs_or_is_refused_without_a_traceback(kept, overrides, many):
    folder, n_runs = kept
    before, refused = n_runs(), False
    try:
        printed = run(folder, "n_epochs=2", *overrides, *(["-m"] if many else []))
    except AssertionError as error:  # the exit code was not 0
        printed, refused = str(error), True
        assert "assert 1 == 0" in printed, printed
    assert "Traceback" not in printed
    if refused:
        assert n_runs() == before
    elif "dry_run=true" not in overrides:
        assert re.search("recorded as run|finished in", printed), printed
    assert {path.name for path in folder.iterdir()} <= {"mlflow.db", "mlruns", "multirun.yaml"}
