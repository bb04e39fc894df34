"""What a URI means: what names no store, what is hidden of it, and the page of MLflow's UI."""

import pytest

from experiments.store import StoreError, link, load_sweep, masked, open_store
from experiments.store.address import address, complaints

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
