"""Whatever is written on the command line: it runs, or it is refused in a message."""

import re
import sqlite3
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiments.store import open_store
from experiments.sweep.rules import OF_A_RUN
from tests.sweep.commands import attempt, store

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
     "converged_below=0.5", "online_error=true", "diagnostics=true", "problem=xor", "problem=parity",
     "problem.n_bits=2", "gradient=numeric", "gradient=spsa", "gradient=hybrid", "gradient=complex_step",
     "gradient=numeric,spsa", "gradient.h=1e-300", "gradient.n_samples=2", "hydra.launcher.max_stack=1",
     "hydra/launcher=basic", 'hydra.sweeper.cases=["seed=1,2"]', "hydra.sweeper.max_batch_size=2",
     "tracking.experiment=x", "tracking.experiment=${seed}", "fresh=true", "dry_run=true"]
)  # fmt: skip
OVERRIDE = st.one_of(
    st.tuples(SIGNS, KEYS, st.just("="), ODD).map("".join), KEYS.map("~{}".format), FITTING, FITTING
)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A folder with a store, and how many runs are in it."""
    folder = tmp_path_factory.mktemp("any")
    open_store(store(folder))
    with closing(sqlite3.connect(folder / "mlflow.db")) as database:
        yield folder, lambda: database.execute("SELECT count(*) FROM runs").fetchone()[0]


@settings(max_examples=25, suppress_health_check=list(HealthCheck), deadline=None)
@given(overrides=st.lists(OVERRIDE, min_size=1, max_size=3), many=st.booleans())
def test_any_override_runs_or_is_refused_without_a_traceback(kept, overrides, many):
    folder, n_runs = kept
    before = n_runs()
    exit_code, printed = attempt(folder, "n_epochs=2", *overrides, *(["-m"] if many else []))
    assert exit_code in (0, 1), printed
    assert "Traceback" not in printed
    if exit_code == 1:
        assert n_runs() == before
    elif "dry_run=true" not in overrides:
        assert re.search("recorded as run|finished in", printed), printed
    assert {path.name for path in folder.iterdir()} <= {"mlflow.db", "mlruns", "multirun.yaml"}
