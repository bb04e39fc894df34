"""A SQLite file, PostgreSQL and an MLflow server hold the same sweep, and give the same report."""

import html
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

from experiments.report import __main__ as report
from experiments.store import (
    StoreError,
    check_for_server,
    client,
    foreseen,
    load_sweep,
    masked,
    open_store,
    opening,
    queries,
    transactions,
)
from experiments.store import sweeps as sweeps_of
from experiments.store.address import address
from experiments.sweep import SweepTask
from experiments.sweep import train as train_stack
from tests.servers import Server
from tests.store.runs import record, some_runs

# Laws of any store: here they meet the uri below, a database.
from tests.store.test_as_mlflow import test_columns_are_those_of_mlflows_models  # noqa: F401
from tests.store.test_loading import (  # noqa: F401
    test_a_run_that_is_recorded_while_others_are_loaded_is_passed_over,
    test_a_sweep_without_runs_loads_empty,
    test_every_way_of_loading_gives_the_same,
    test_loading_from_a_database_does_not_import_mlflow,
    test_points_that_another_program_logged_at_other_times_are_loaded_too,
    test_the_newest_sweep_is_loaded_or_the_one_named,
    test_what_is_loaded_is_what_was_recorded,
)
from tests.store.test_recording import (  # noqa: F401
    test_a_deleted_experiment_is_named,
    test_a_deleted_run_is_recorded_again,
    test_a_run_taken_over_is_the_run_but_for_its_name_params_and_sweep,
    test_fresh_opens_another_sweep_and_the_newest_is_continued,
    test_names_that_mlflow_refuses_are_refused,
    test_recorded_gives_outcome_and_final_error,
    test_stores_opened_at_once_open_one_sweep,
)
from tests.sweep.commands import ROOT, run

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own, of its dependencies
KINDS = ["sqlite", "postgresql", "server"]
N_RUNS = 16
QUICK = ("experiment=quick", "seed=0,1")
SWEEP = (*QUICK, "learning_rate=0.1,1", "bias=true", "diagnostics=true", "online_error=true")


@pytest.fixture(scope="module")
def laws(postgres):
    # With its driver's name, which MLflow's own client must be told under SQLAlchemy 2.1.
    return postgres.database("laws").replace("postgresql:", "postgresql+psycopg2:")


@pytest.fixture
def uri(postgres, laws):
    """A database with MLflow's tables, and nothing in them."""
    open_store(laws)
    postgres.sql("laws", *(f"DELETE FROM {table}" for table in reversed(queries.COLUMNS)))
    return laws


@pytest.fixture(scope="module")
def places(template, postgres, tmp_path_factory):
    """kind -> a folder, and the URI of an empty store as a user writes it: also a server of its own."""
    server = Server(tmp_path_factory.mktemp("sweeps"), template)
    server.start()
    server.wait()
    folders = {kind: tmp_path_factory.mktemp(kind) for kind in KINDS}
    file = shutil.copy(template, folders["sqlite"])
    uris = f"sqlite:///{file}", postgres.database("sweeps"), server.uri
    yield {kind: (folders[kind], uri) for kind, uri in zip(KINDS, uris, strict=True)}
    server.kill()


@pytest.fixture(scope="module")
def swept(places):
    """kind -> (folder, URI) of a store that holds SWEEP, each run said to have taken a millisecond."""

    def train(stack):
        return replace(train_stack(stack), seconds=0.001 * len(stack))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SweepTask, "train", staticmethod(train))
        for folder, uri in places.values():
            run(folder, *SWEEP, f"tracking.uri={uri}")
    return places


@pytest.fixture(scope="module")
def sweeps(swept):
    return {kind: load_sweep(uri, experiment="quick") for kind, (_, uri) in swept.items()}


@pytest.fixture(scope="module")
def reports(swept):
    """kind -> (file of the report -> its bytes)."""
    found = {}
    for kind, (folder, uri) in swept.items():
        made = folder / "report"
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            assert report.main(["--store", uri, "--experiment", "quick", "--output", str(made)]) == 0
        found[kind] = {str(p.relative_to(made)): p.read_bytes() for p in made.rglob("*.*")}
    return found


def neutral(content, uri, sweep):
    """A page or table without what must differ between stores: address, ids, names, dates and seconds."""
    text = content.decode()
    for run_id in (sweep.run_id, *sweep.runs["run_id"]):
        text = text.replace(run_id, "RUN")
    text = text.replace(sweep.name, "NAME")
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "THEN", text)
    store = re.escape(html.escape(masked(uri)))
    text = re.sub(rf"(&#39;)?(tracking\.uri=)?{store}(&#39;)?", "STORE", text)
    return re.sub(r"(<th>seconds, \w+</th><td>)[\d.e-]+", r"\1SECONDS", text)


def plain(sweep):
    """Every number and word of a sweep but ids, times, and the command, which names the store."""
    own = ["run_id", "tags.mlflow.parentRunId"]
    return {
        "runs": sweep.runs.drop(columns=own).to_csv(),
        "types": {c: t for c, t in sweep.runs.dtypes.items() if c not in own},
        "curves": {k: (c.shape, c.tobytes()) for k, c in sweep.curves.items()},
        "sweep": (sweep.experiment, sweep.status, sweep.params),
        "metrics": {k: v for k, v in sweep.metrics.items() if not k.startswith("seconds.")},
        "tags": {k: v for k, v in sweep.tags.items() if k not in ("command", "mlflow.runName")},
    }


@pytest.mark.parametrize("kind", KINDS[1:])
def test_every_store_holds_the_same_sweep(sweeps, kind):
    expected, found = plain(sweeps["sqlite"]), plain(sweeps[kind])
    assert len(sweeps[kind].runs) == N_RUNS
    assert set(sweeps[kind].runs["tags.outcome"]) >= {"diverged", "converged"}
    for part in expected:
        assert found[part] == expected[part], part


@pytest.mark.parametrize("kind", KINDS[1:])
def test_every_store_gives_the_same_report(swept, sweeps, reports, kind):
    expected, found = reports["sqlite"], reports[kind]
    assert {"report.html", "tables/runs.csv", "figures/pairs.svg"} < set(found) == set(expected)
    for file in found:
        if file in ("report.html", "tables/runs.csv"):
            one, other = (neutral(reports[k][file], swept[k][1], sweeps[k]) for k in ("sqlite", kind))
            assert one == other, file
        else:
            assert found[file] == expected[file], file
    assert b"s3cr3t" not in b"".join(found.values())
    attached = client.Client(address(swept[kind][1])).client.list_artifacts(sweeps[kind].run_id)
    assert {"config.yaml", "report.html", "tables", "figures"} == {file.path for file in attached}


@pytest.mark.parametrize("kind", KINDS[1:])
def test_a_sweep_stopped_midway_goes_on_where_it_stopped(places, kind, monkeypatch):
    folder, uri = places[kind]
    words = (*QUICK, "n_epochs=7", "tracking.experiment=stopped", f"tracking.uri={uri}")
    trained, most = [], 2

    def train(stack):
        if len(trained) == most:
            raise KeyboardInterrupt
        trained.append(len(stack))
        return train_stack(stack)

    monkeypatch.setattr(SweepTask, "train", staticmethod(train))
    assert "stopped at 8 of 16 runs" in run(folder, *words, code=130)
    assert load_sweep(uri, experiment="stopped").status == "KILLED"
    most = 4
    assert "8 of 16 jobs are done" in run(folder, *words)
    assert "all 16 jobs are done" in run(folder, *words)
    sweep = load_sweep(uri, experiment="stopped")
    assert (sum(trained), len(sweep.runs), sweep.status) == (16, 16, "FINISHED")


def test_two_processes_that_start_one_sweep_at_once_record_each_run_once(postgres, tmp_path):
    """In a database that MLflow has not seen yet: both would make its tables, the experiment, the sweep."""
    uri = postgres.database("shared")
    code = (
        "import os, sys; from experiments import run; from experiments.store import client\n"
        "client.preload(); other = os.fork()\n"
        "run.command(); sys.exit(other and os.waitstatus_to_exitcode(os.waitpid(other, 0)[1]))"
    )
    words = ("experiment=quick", f"tracking.uri={uri}", "hydra.launcher.max_stack=2")
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=tmp_path, text=True, capture_output=True, check=False, timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.returncode, done.stdout.count("finished in")) == (0, 2), done.stdout + done.stderr
    sweep = load_sweep(uri)
    assert len(sweep.runs) == sweep.runs["name"].nunique() == 40
    assert set(sweep.runs["status"]) == {sweep.status} == {"FINISHED"}
    assert len(sweeps_of(uri)) == 1
    with opening.reading(uri) as (_, backend):
        assert len(list(backend.points(sweep.run_id, "error"))) == 40 * 121


def test_a_stack_is_recorded_whole_or_not_at_all(uri, monkeypatch):
    sweep = open_store(uri).open_sweep("convergence", "f00d", "first", {}, {})

    def broken(runs, time, whole=transactions.metric_rows):
        yield from list(whole(runs, time))[:20]
        raise KeyboardInterrupt

    monkeypatch.setattr(transactions, "metric_rows", broken)
    with pytest.raises(KeyboardInterrupt):
        sweep.record(some_runs())
    monkeypatch.undo()
    assert len(load_sweep(uri).runs) == 0
    sweep.record(some_runs())
    assert len(sweep.recorded()) == len(load_sweep(uri).runs) == 6


def test_in_an_empty_database_nothing_is_foreseen(postgres):
    assert foreseen(postgres.database("empty"), "quick", "f00d", {"1"}) == (0, 0)


def test_a_database_of_another_mlflow_is_recorded_in_and_not_migrated(postgres, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    uri = postgres.database("other").replace("postgresql:", "postgresql+psycopg2:")
    open_store(uri)
    client.Client(address(uri)).make_experiment("theirs", None, {})
    revision = min(queries.REVISIONS.keys() - {opening.own_revision()})
    postgres.sql(
        "other", f"UPDATE alembic_version SET version_num = '{revision}'", "DROP TABLE webhooks CASCADE"
    )
    monkeypatch.setattr(opening, "Client", None)
    store = open_store(uri)
    record(store, some_runs(2), experiment="ours")
    assert len(load_sweep(uri).runs) == 2
    experiments = [store.backend.experiment(name) for name in ("theirs", "ours")]
    places = {number: location for number, _, location in experiments}
    assert places == {number: f"{tmp_path}/mlruns/{number}" for number in places}
    with pytest.raises(StoreError, match="was made by MLflow"):
        check_for_server(uri)
    with opening.reading(uri) as (_, backend), backend.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == revision
