"""MLflow's UI, opened where the latest sweep is: ``python -m experiments.ui [--store URI] [--port 5000]``.

The UI has no login, so it is served to this machine only (127.0.0.1).
"""

import argparse
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, suppress

from experiments import store
from experiments.entrance import Arguments, enter
from experiments.store import Address, StoreError

TRIES = 50  # ports after the one asked for
OF_A_SERVER = re.compile(
    r"MLFLOW_(SERVER_.*|.*_STORE_URI|STATIC_PREFIX|ARTIFACTS_ONLY|GUNICORN_OPTS|EXPOSE_PROMETHEUS"
    r"|TRACE_ARCHIVAL_CONFIG)"
)


def main(arguments: list[str] | None = None) -> int:
    """Serve until Ctrl-C. Returns the exit code."""
    parser = Arguments(prog="experiments.ui", description="MLflow's UI, opened at the latest sweep.")
    default = store.usual()
    shown = store.masked(default).replace("%", "%%")
    parser.add_argument("--store", default=default, metavar="URI", help=f"tracking URI ({shown})")
    parser.add_argument("--port", type=_port, default=5000, help="or the next free one (%(default)s)")
    asked = parser.parse_args(arguments)
    try:
        where = store.address(asked.store)
        sweeps = store.sweeps(asked.store)
        store.check_for_server(asked.store)
        port = free_port(asked.port)
    except ValueError as fault:
        print(fault, file=sys.stderr)
        return 1
    latest = sweeps[0] if sweeps else {"name": "no sweep yet", "experiment_id": 0, "run_id": None}
    page = store.link(where.uri, latest["experiment_id"], latest["run_id"], port)
    print(f"{latest['name']}: {page}", flush=True)
    if where.kind == "server":
        return 0
    print("ready in a few seconds, for this machine only; Ctrl-C ends it", flush=True)
    return serve(where, port)


def _port(text: str) -> int:
    try:
        port = int(text)
    except ValueError:
        port = 0
    if not 0 < port < 65536:
        raise argparse.ArgumentTypeError(f"{text}; give a port from 1 to 65535, such as 5000")
    return port


def free_port(first: int) -> int:
    """The first free port of 127.0.0.1 from `first` on."""
    for port in range(first, min(first + TRIES, 65536)):
        with closing(socket.socket()) as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise StoreError(f"--port {first}: none is free from there on; give another, such as --port 8000")


def serve(where: Address, port: int) -> int:
    """Run `mlflow server` in one process, without its seven helpers (1.1 GB)."""
    command = f"mlflow server --host 127.0.0.1 --port {port} --workers 1 --no-serve-artifacts".split()
    command += ["--uvicorn-opts", "--log-level warning"]
    uri = where.uri
    folder = None
    if where.path is not None:
        folder = where.path.parent
        command += ["--default-artifact-root", store.artifact_location(folder / "mlruns")]
        # From its folder: MLflow also makes the folder that a path would name if %3F were no question mark.
        uri = store.sqlite_uri(where.path.relative_to(folder))
    heard: list[
        int
    ] = []  # signals: no exceptions, which a second one would raise in the midst of the first's
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: heard.append(number))
    # A session of its own: MLflow's server starts another process, and both must end with us.
    server = subprocess.Popen(
        [sys.executable, "-m", *command], cwd=folder, env=environment(uri), start_new_session=True
    )
    n_passed_on = 0
    while server.poll() is None:
        if len(heard) > n_passed_on:
            _signal_all(server.pid, signal.SIGKILL if n_passed_on else signal.SIGTERM)
            n_passed_on = len(heard)
        time.sleep(0.2)  # not wait(): a signal that another thread hears does not interrupt it
    _signal_all(server.pid, signal.SIGTERM)  # what a server that ended by itself has left
    return 0 if heard else server.returncode


def _signal_all(session: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(session, number)


def environment(uri: str) -> dict[str, str]:
    """That of our server: without what the user's says of a server for others."""
    kept = {key: value for key, value in os.environ.items() if not OF_A_SERVER.fullmatch(key)}
    return kept | {
        "MLFLOW_BACKEND_STORE_URI": uri,  # not among the arguments, which everybody can see
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PYTHONWARNINGS": "ignore",  # of its dependencies about each other
    }


if __name__ == "__main__":
    enter()
    sys.exit(main())
