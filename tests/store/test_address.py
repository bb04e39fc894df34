"""What a URI means: what names no store, what is hidden of it, and the page of MLflow's UI."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.store import StoreError, artifact_location, link, load_sweep, masked, open_store, sqlite_uri
from experiments.store.address import address, complaints, local_folder

pytestmark = [
    pytest.mark.usefixtures("starting"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # MLflow's own, of its dependencies
]

SECRET = "s3cr3t@/:x"


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("", "not understood; say sqlite:///mlflow.db"),
        ("mongodb://user:s3cr3t@/:x@host/db", "not understood"),
        ("sqlite://", "a SQLite store is a file"),
        ("sqlite:///", "a SQLite store is a file"),
        ("sqlite:///:memory:", "a SQLite store is a file"),
        ("sqlite:///%3Amemory%3A", "a SQLite store is a file"),
        ("sqlite:///what?.db", "a SQLite store is a file.*%3F for a \\?"),
        ("sqlite:mlflow.db", "not understood"),
        ("http://", "not understood"),
        ("http://host:port", "not understood"),
        ("./mlruns", "no longer keeps runs in folders"),
        ("file:///tmp/mlruns", "no longer keeps runs in folders"),
        ("databricks:x", "not understood"),
        ("postgresql://", "not understood"),
        ("postgresql+nodriver://user:s3cr3t@/:x@localhost/db", "is no address of a database|driver"),
        ("postgresql://user:s3cr3t%40%2F%3Ax@127.0.0.1:1/db", "refused|driver"),
        ("http://user:s3cr3t@127.0.0.1:1", "the server does not answer"),
    ],
)
def test_a_uri_that_names_no_store_is_answered_without_its_password(bad, says, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
    for use in (open_store, load_sweep):
        with pytest.raises(StoreError, match=says) as caught:
            use(bad)
        assert "s3cr3t" not in str(caught.value)
        assert str(caught.value).startswith("tracking.uri=")


@pytest.mark.parametrize("uri", ["a b", "file:a b", "./a b"])
def test_a_folder_is_meant_from_where_it_was_typed(uri, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.chdir(tmp_path)
    assert address(uri).uri == str(tmp_path / "a b")
    assert address("file:///x/y").uri == "file:///x/y"


@pytest.mark.parametrize(
    "uri",
    [
        f"postgresql://me:{SECRET}@host:5432/runs",
        f"https://me:{SECRET}@host/x?token=abc&password={SECRET}",
        f"cannot reach mysql+pymysql://me:{SECRET}@host today",
    ],
)
def test_masked_hides_passwords_and_nothing_else(uri):
    hidden = masked(uri)
    assert "s3cr3t" not in hidden
    assert "abc" not in hidden
    assert "me:***@host" in hidden


@pytest.mark.parametrize(
    "fault", ["Max retries exceeded with url: /", "Connection broken: IncompleteRead(0 bytes)"]
)
def test_a_server_that_is_gone_is_named_in_the_midst_of_an_answer_too(fault):
    with (
        pytest.raises(StoreError, match="http://host:1: the server does not answer; see"),
        complaints(address("http://host:1")),
    ):
        raise OSError(fault)


def test_link_opens_training_runs_and_holds_no_password():
    page = "/#/experiments/7/runs?workflowType=machine_learning"
    assert link("sqlite:///mlflow.db", "7") == f"http://127.0.0.1:5000{page}"
    assert link("sqlite:///mlflow.db", "7", port=5001) == f"http://127.0.0.1:5001{page}"
    assert link("https://me:secret@host:8080/sub/", "7") == f"https://host:8080/sub{page}"
    assert "parentRunId%60%20%3D%20%27abc%27" in link("sqlite:///mlflow.db", "7", "abc")


PATHS = st.text(st.sampled_from("ab/?%#&;:@ +'\"ü実$*[]=25F"), min_size=1, max_size=12).map(
    lambda name: Path("/tmp", *name.split("/"), "mlflow.db")
)


@given(PATHS)
def test_a_path_is_one_file_to_us_and_to_sqlalchemy(path):
    from sqlalchemy import make_url

    uri = sqlite_uri(path)
    assert (make_url(uri).database, dict(make_url(uri).query)) == (str(path), {})
    assert address(uri).path == path
    assert address(uri).uri == uri


@pytest.mark.parametrize("name", ["sub%20p.db", "a%2Fb.db", "50%zz.db", "a+b.db", "a b.db", "ü#&.db"])
def test_a_uri_means_the_file_that_sqlalchemy_takes_it_for(name, tmp_path, monkeypatch):
    from sqlalchemy import make_url

    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{name}"
    assert address(uri).path == tmp_path / make_url(uri).database


@given(PATHS)
def test_a_folder_of_artifacts_is_the_same_to_us_and_to_mlflow(path):
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
    from mlflow.utils.uri import append_to_uri_path

    location = artifact_location(path.parent)
    assert local_folder(location) == path.parent
    inside = f"{location}/id/artifacts"
    assert inside == append_to_uri_path(location, "id", "artifacts")
    assert Path(get_artifact_repository(inside).artifact_dir) == local_folder(inside)
