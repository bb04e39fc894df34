"""The UI's front door: what `make ui` prints, where it listens, and that it leaves nothing behind."""

import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import closing, suppress
from pathlib import Path

import pytest

from experiments import store, ui
from experiments.store import Run, open_store

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own, of its dependencies


def test_without_a_store_the_next_command_is_named(tmp_path, capsys):
    assert ui.main(["--store", f"sqlite:///{tmp_path}/mlflow.db"]) == 1
    assert "there is no store yet; `make sweep ARGS=tracking.uri=sqlite:///" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_bad_uri_is_answered_without_its_password(capsys):
    assert ui.main(["--store", "mongodb://me:secret@host/x"]) == 1
    said = capsys.readouterr()
    assert "not understood" in said.err
    assert "secret" not in said.err + said.out


def test_a_server_is_linked_to_and_not_started(monkeypatch, capsys):
    found = [{"name": "latest", "experiment_id": "7", "run_id": "abc"}]
    monkeypatch.setattr(store, "sweeps", lambda uri: found)
    monkeypatch.setattr(ui, "serve", None)
    assert ui.main(["--store", "http://me:secret@tracking:5000"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("latest: http://tracking:5000/#/experiments/7/runs?workflowType=machine_learning&")
    assert "secret" not in said


def test_a_port_that_is_taken_is_passed_over():
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert port < ui.free_port(port) <= port + ui.TRIES
    assert ui.free_port(port) == port


def test_what_the_environment_says_of_a_server_for_others_is_not_for_ours(monkeypatch):
    for name in ("SERVER_ALLOWED_HOSTS", "STATIC_PREFIX", "READ_REPLICA_BACKEND_STORE_URI", "GUNICORN_OPTS"):
        monkeypatch.setenv(f"MLFLOW_{name}", "other")
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", "https://files.example")
    environment = ui.environment("sqlite:///mlflow.db")
    assert "other" not in environment.values()
    assert environment["MLFLOW_S3_ENDPOINT_URL"] == "https://files.example"
    assert environment["MLFLOW_BACKEND_STORE_URI"] == "sqlite:///mlflow.db"


def test_the_ui_serves_this_machine_only_and_ends_with_its_helpers(tmp_path):
    """Of a folder with a name that would mean something else in a URL."""
    folder = tmp_path / "q?m%2F #&;'\"ü"
    uri = store.sqlite_uri(folder / "mlflow.db")
    sweep = open_store(uri).open_sweep("convergence", "f00d", "first", {}, {})
    sweep.record([Run("r", "1", {"seed": 1}, {"final_error": 0.5})])
    sweep.end("FINISHED", texts={"config.yaml": "seed: 1"})
    command = [sys.executable, "-m", "experiments.ui", "--store", uri, "--port", str(ui.free_port(5300))]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        name, link = process.stdout.readline().split(": ", 1)
        assert name == "first"
        assert f"/#/experiments/{sweep.experiment_id}/runs?workflowType=machine_learning&searchFilter" in link
        address = link.partition("/#")[0]
        port = int(address.rpartition(":")[2])
        assert address == f"http://127.0.0.1:{port}"
        assert up(f"{address}/health")
        assert b"<title>MLflow</title>" in urllib.request.urlopen(address).read()
        listed = urllib.request.urlopen(f"{address}/ajax-api/2.0/mlflow/artifacts/list?run_id={sweep.run_id}")
        assert b'"config.yaml"' in listed.read()
        file = urllib.request.urlopen(f"{address}/get-artifact?path=config.yaml&run_uuid={sweep.run_id}")
        assert file.read() == b"seed: 1"
        for other in {
            found[4][0] for found in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)
        }:
            with closing(socket.socket()) as probe:
                assert other.startswith("127.") or probe.connect_ex((other, port)) != 0
        for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM):  # as of somebody in a hurry
            process.send_signal(number)
        assert process.wait(20) == 0
        assert not up(f"{address}/health", tries=1)
        assert [made.name for made in tmp_path.iterdir()] == [folder.name]
    finally:
        process.kill()
        process.stdout.close()


def up(address, tries=300):
    for _ in range(tries):
        with suppress(OSError):
            return urllib.request.urlopen(address, timeout=5).status == 200
        time.sleep(0.1)
    return False
