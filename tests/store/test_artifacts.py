"""Artifacts are beside a SQLite store as it stands now, and decide over nothing."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from experiments.store import StoreError, attach, client, load_sweep, open_store, opening
from tests.store.runs import record, some_runs

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own, of its dependencies


@pytest.fixture(params=["tables", "client"])
def way(request, monkeypatch):
    """Either way into a store."""
    if request.param == "client":
        monkeypatch.setattr(opening, "backend", lambda where, write: client.Client(where))


@pytest.fixture
def home(tmp_path, template):
    """A folder with a store and a sweep with artifacts: config.yaml."""
    folder = tmp_path / "home"
    folder.mkdir()
    shutil.copy(template, folder / "mlflow.db")
    record(open_store(at(folder)), some_runs(2))
    return folder


@pytest.fixture
def page(tmp_path):
    """A report to attach: index.html, tables/runs.csv."""
    folder = tmp_path / "page"
    (folder / "tables").mkdir(parents=True)
    (folder / "index.html").write_text("new")
    (folder / "tables" / "runs.csv").write_text("new")
    return folder


def at(folder):
    return f"sqlite:///{folder / 'mlflow.db'}"


def places(folder):
    """Every place that the store names."""
    with closing(sqlite3.connect(folder / "mlflow.db")) as database:
        experiments = database.execute("SELECT artifact_location FROM experiments WHERE name != 'Default'")
        runs = database.execute("SELECT artifact_uri FROM runs")
        return [place for (place,) in [*experiments, *runs]]


def change(folder, *statement):
    with closing(sqlite3.connect(folder / "mlflow.db")) as database:
        database.execute(*statement)
        database.commit()


def test_a_report_is_attached_beside_a_store_that_was_moved_and_changes_no_row(way, home, page):
    moved = home.rename(home.parent / "moved")
    before = (moved / "mlflow.db").read_bytes()
    attach(at(moved), load_sweep(at(moved)).run_id, page)
    assert not home.exists()
    (config,) = moved.glob("mlruns/convergence/*/artifacts/config.yaml")
    assert (config.parent / "tables" / "runs.csv").read_text() == "new"
    assert (moved / "mlflow.db").read_bytes() == before


def test_a_copy_leaves_the_original_alone(way, home, page):
    copy = shutil.copytree(home, home.parent / "copy")
    before = {file: file.read_bytes() for file in home.rglob("*.*")}
    record(open_store(at(copy)), some_runs(3))
    attach(at(copy), load_sweep(at(copy)).run_id, page)
    assert {file: file.read_bytes() for file in home.rglob("*.*")} == before
    assert list(copy.rglob("index.html"))


def test_mlflow_finds_what_was_moved_along_after_the_next_sweep(way, home):
    from mlflow import MlflowClient

    moved = home.rename(home.parent / "moved")
    run_id = load_sweep(at(moved)).run_id
    store = open_store(at(moved))
    assert store.notices == [f"the store was moved: artifacts go to {moved / 'mlruns'} now"]
    assert all(place.startswith(f"{moved}/mlruns/convergence") for place in places(moved))
    assert [file.path for file in MlflowClient(at(moved)).list_artifacts(run_id)] == ["config.yaml"]
    assert open_store(at(moved)).notices == []


def test_what_was_recorded_before_experiments_bore_a_mark_moves_along_too(home):
    change(home, "DELETE FROM experiment_tags WHERE key = 'tinynet.artifacts'")
    moved = home.rename(home.parent / "moved")
    open_store(at(moved))
    assert all(place.startswith(f"{moved}/") for place in places(moved))


def test_an_experiment_that_was_renamed_moves_along_too(home):
    change(home, "UPDATE experiments SET name = 'mine' WHERE name = 'convergence'")
    moved = home.rename(home.parent / "moved")
    open_store(at(moved))
    assert all(place.startswith(f"{moved}/mlruns/convergence") for place in places(moved))


@pytest.mark.parametrize("place", ["/data/mlruns/7", "/data/mlruns/theirs", "s3://bucket/mlruns/theirs"])
def test_the_places_of_other_peoples_experiments_stay(home, place):
    columns = "name, workspace, artifact_location, lifecycle_stage"
    change(home, f"INSERT INTO experiments ({columns}) VALUES ('theirs', 'default', ?, 'active')", (place,))
    moved = home.rename(home.parent / "moved")
    open_store(at(moved)).open_sweep("theirs", "feed", "second", {}, {}).record(some_runs(1))
    assert place in places(moved)


def test_a_store_that_is_reached_through_a_link_was_not_moved(home):
    link = home.parent / "link"
    link.symlink_to(home)
    assert open_store(at(link)).notices == []
    other = home.parent / "other"
    other.mkdir()
    (other / "mlflow.db").symlink_to(home / "mlflow.db")
    assert open_store(at(other)).notices == []
    record(open_store(at(other)), some_runs(1), experiment="by link")
    assert all(place.startswith(f"{home}/") for place in places(home))


def test_an_older_report_is_replaced_where_it_is_attached(home, page):
    run_id = load_sweep(at(home)).run_id
    attach(at(home), run_id, page)
    (page / "tables" / "runs.csv").rename(page / "tables" / "modes.csv")
    attach(at(home), run_id, page)
    (tables,) = home.rglob("tables")
    assert [file.name for file in tables.iterdir()] == ["modes.csv"]
    assert (tables.parent / "config.yaml").exists()


def test_a_sweep_whose_artifacts_have_no_place_is_closed_and_says_so(way, home, page):
    shutil.rmtree(home / "mlruns")
    (home / "mlruns").write_text("a file")
    sweep = open_store(at(home)).open_sweep("convergence", "feed", "second", {}, {})
    sweep.record(some_runs(1))
    missing = sweep.end("FINISHED", texts={"config.yaml": "seed: 1\n"})
    assert missing.startswith(
        f"config.yaml not attached: tracking.uri={at(home)}: artifacts can't be written"
    )
    assert missing.endswith(": Not a directory")
    assert load_sweep(at(home)).status == "FINISHED"
    with pytest.raises(StoreError, match=r"artifacts can't be written to .*: Not a directory"):
        attach(at(home), sweep.run_id, page)


def test_a_service_that_is_not_installed_is_told_like_any_other_fault(home, page, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "boto3", None)
    change(home, "UPDATE runs SET artifact_uri = 's3://bucket/' || run_uuid")
    with pytest.raises(StoreError, match=r"artifacts can't be written to s3://bucket/.*: .*boto3"):
        attach(at(home), load_sweep(at(home)).run_id, page)


def test_artifacts_of_an_experiment_with_a_long_name_can_be_read_by_all_who_may_read_the_store(home):
    sweep = record(open_store(at(home)), some_runs(1), experiment="実験" * 50)
    folder = Path(open_store(at(home)).backend.artifacts(sweep.run_id))
    assert (folder / "config.yaml").read_text() == "seed: 1\n"
    assert folder.stat().st_mode == folder.parent.stat().st_mode
