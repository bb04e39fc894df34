"""Real faults: a sweep that is killed, stopped, locked out or starved loses and doubles nothing.

Minutes, so only `make test-faults` runs it. Sweeps are processes of their own, as a person starts them.
"""

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager, suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from experiments.analysis import analyse
from experiments.store import load_sweep
from tests.servers import Server
from tests.sweep.commands import ROOT, store

pytestmark = [pytest.mark.faults, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
SMALL = ("experiment=quick", "seed=range(3)", "n_epochs=60")  # 24 runs, 0.1 s
LONG = ("-m", "seed=range(40)", "n_epochs=20000", "hydra.launcher.max_stack=4")  # 10 stacks, 0.5 s each


def begin(folder: Path, *words: str, **environment: str) -> subprocess.Popen:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    hear = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # background jobs of a shell are deaf to it
    return subprocess.Popen(
        [sys.executable, "-m", "experiments.run", *words], cwd=folder, start_new_session=True,
        preexec_fn=hear, env=clean | {"PYTHONPATH": str(ROOT)} | environment, **pipes,
    )  # fmt: skip


def end(sweep: subprocess.Popen, code: int = 0, timeout: float = 120) -> str:
    try:
        said = sweep.communicate(timeout=timeout)[0]
    finally:
        with suppress(ProcessLookupError):
            os.killpg(sweep.pid, signal.SIGKILL)
    assert sweep.returncode == code, said
    assert "Traceback" not in said, said
    return said


def complete(folder: Path, *words: str, code: int = 0) -> str:
    return end(begin(folder, *words), code)


def rows(folder: Path, query: str) -> list[tuple]:
    with closing(sqlite3.connect(folder / "mlflow.db")) as database:
        return database.execute(query).fetchall()


CHILDREN = "FROM runs JOIN tags USING (run_uuid) WHERE key = 'mlflow.parentRunId'"


def whole(folder: Path) -> None:
    """What is recorded is recorded whole, at any moment."""
    assert rows(folder, "PRAGMA integrity_check") == [("ok",)]
    assert rows(folder, f"SELECT count(*) {CHILDREN} AND status != 'FINISHED'") == [(0,)]
    points = (
        f"SELECT run_uuid, n.value, (SELECT count(*) FROM metrics m WHERE m.run_uuid = c.run_uuid AND "
        f"m.key = 'error') FROM (SELECT run_uuid {CHILDREN}) c JOIN params n USING (run_uuid) "
        f"WHERE n.key = 'n_epochs'"
    )
    assert [row for row in rows(folder, points) if row[2] != int(row[1]) + 1] == []


def n_recorded(folder: Path) -> int:
    if not (folder / "mlflow.db").exists():
        return 0
    return rows(folder, f"SELECT count(*) {CHILDREN} AND status = 'FINISHED'")[0][0]


def told(folder: Path, **which):
    """What does not depend on the clock: the runs table, and the curves."""
    sweep = load_sweep(store(folder), **which)
    clock = (
        r"run_id|tags\.mlflow\.parentRunId|metrics\.seconds|tags\..*git\..*"  # somebody may commit meanwhile
    )
    return sweep.runs.filter(regex=rf"^(?!({clock})$)"), sweep.curves


def same(one, other) -> None:
    (runs, curves), (runs_again, curves_again) = one, other
    assert runs.to_csv() == runs_again.to_csv()
    assert curves.keys() == curves_again.keys()
    for key in curves:
        np.testing.assert_array_equal(curves[key], curves_again[key])


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """(words -> what an uninterrupted sweep of them left), each run once."""
    made = {}

    def of(*words):
        if words not in made:
            made[words] = tmp_path_factory.mktemp("uninterrupted")
            complete(made[words], *words)
        return made[words]

    return of


# --- killed -------------------------------------------------------------------------------------------


def test_killed_at_twenty_moments_and_run_again_nothing_is_lost_or_twice(tmp_path, uninterrupted):
    words = ("experiment=quick", "hydra.launcher.max_stack=2")  # 20 stacks, a transaction each
    reference = uninterrupted(*words)
    began = time.monotonic()
    complete(reference, *words)
    takes = time.monotonic() - began
    rng, kept = np.random.default_rng(0), [0] * 4
    for i in range(20):  # three times at any moment, then while recording, then as the last run is recorded
        folder, at = tmp_path / f"{i // 5}", i % 5
        folder.mkdir(exist_ok=True)
        sweep = begin(folder, *words)
        until = time.monotonic() + takes * rng.uniform(0.05 + 0.3 * at, 0.35 + 0.3 * at)
        enough = (np.inf, np.inf, np.inf, min(38, kept[i // 5] + rng.integers(1, 20)), 40)[at]
        while sweep.poll() is None and time.monotonic() < until + 10 * (at > 2):
            if at > 2 and n_recorded(folder) >= enough:
                break
            time.sleep(0.002)
        with suppress(ProcessLookupError):
            os.killpg(sweep.pid, signal.SIGKILL)
        sweep.communicate()
        if (folder / "mlflow.db").exists():
            whole(folder)
            assert n_recorded(folder) >= kept[i // 5]
            kept[i // 5] = n_recorded(folder)
    for i in range(4):
        complete(tmp_path / f"{i}", *words)
        whole(tmp_path / f"{i}")
        assert rows(tmp_path / f"{i}", "SELECT count(*) FROM tags WHERE key = 'sweep'") == [(1,)]
        assert rows(tmp_path / f"{i}", f"SELECT count(*), count(DISTINCT run_uuid) {CHILDREN}") == [(40, 40)]
        assert rows(tmp_path / f"{i}", "SELECT status FROM runs GROUP BY status") == [("FINISHED",)]
        same(told(tmp_path / f"{i}"), told(reference))
        assert not list((tmp_path / f"{i}").glob(".*.new*"))


def test_the_report_of_a_killed_sweep_is_that_of_an_uninterrupted_one(tmp_path, uninterrupted):
    words = ("experiment=quick", "hydra.launcher.max_stack=2")
    sweep = begin(tmp_path, *words)
    while not n_recorded(tmp_path):
        time.sleep(0.005)
    os.killpg(sweep.pid, signal.SIGKILL)
    sweep.communicate()
    complete(tmp_path, *words)
    tables = []
    for folder in (tmp_path, uninterrupted(*words)):
        analysed = analyse(load_sweep(store(folder)))
        runs = analysed.runs.drop(columns=["run_id", "seconds", "commit", "dirty"])
        results = (runs, analysed.counts, analysed.estimates)
        tables.append([table.filter(regex="^(?!.*seconds)").to_csv() for table in results])
    assert tables[0] == tables[1]


def test_ctrl_c_stops_at_once_says_how_to_go_on_and_the_rerun_completes(tmp_path):
    sweep = begin(tmp_path, *LONG)
    while not n_recorded(tmp_path):
        assert sweep.poll() is None
        time.sleep(0.02)
    os.kill(sweep.pid, signal.SIGINT)
    said = end(sweep, 130)
    assert int(re.search(r"stopped at (\d+) of 40 runs", said)[1]) < 40
    assert "go on: the same command trains what is missing" in said
    assert rows(tmp_path, "SELECT status FROM runs JOIN tags USING (run_uuid) WHERE key = 'sweep'") == [
        ("KILLED",)
    ]
    whole(tmp_path)
    said = complete(tmp_path, *LONG)
    assert re.search(r"\d+ of 40 jobs are done", said)
    assert "finished" in said
    assert rows(tmp_path, "SELECT status, count(*) FROM runs GROUP BY status") == [("FINISHED", 41)]


def test_ctrl_c_is_heard_while_another_program_holds_the_lock(tmp_path):
    complete(tmp_path, *SMALL)
    with locked(tmp_path):
        sweep = begin(tmp_path, *SMALL, "fresh=true")
        while not _has_opened(sweep.pid, tmp_path / "mlflow.db"):
            assert sweep.poll() is None
            time.sleep(0.02)
        os.kill(sweep.pid, signal.SIGINT)
        end(sweep, 130)  # not 1, as when the lock has been waited for in vain


def _has_opened(process: int, path: Path) -> bool:
    for link in Path(f"/proc/{process}/fd").iterdir():
        with suppress(OSError):
            if link.readlink() == path:
                return True
    return False


def test_a_worker_killed_in_the_middle_of_a_stack_costs_nothing(tmp_path):
    words = (*LONG[:-1], "hydra.launcher.n_jobs=2", "hydra.launcher.max_stack=10")
    sweep = begin(tmp_path, *words)
    worker = None
    while worker is None:
        assert sweep.poll() is None
        time.sleep(0.05)
        worker = next(iter(_workers(sweep.pid)), None)
    while _seconds_of_work(worker) < 1.5:  # a second to start, then it trains
        assert sweep.poll() is None
        time.sleep(0.05)
    os.kill(worker, signal.SIGKILL)
    end(sweep)
    whole(tmp_path)
    assert rows(tmp_path, "SELECT status, count(*) FROM runs GROUP BY status") == [("FINISHED", 41)]


def _workers(parent: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            words = path.with_name("cmdline").read_bytes()
            if int(fields[1]) == parent and b"loky.backend.popen_loky" in words:
                found.append(int(path.parent.name))
    return found


def _seconds_of_work(process: int) -> float:
    """Of a processor, by the process itself."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) / os.sysconf("SC_CLK_TCK")


# --- at once ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 4])
def test_processes_that_start_one_sweep_on_no_store_record_it_once(tmp_path, n, uninterrupted):
    for sweep in [begin(tmp_path, *SMALL) for _ in range(n)]:
        end(sweep)
    whole(tmp_path)
    assert rows(tmp_path, "SELECT status, count(*) FROM runs GROUP BY status") == [("FINISHED", 25)]
    same(told(tmp_path), told(uninterrupted(*SMALL)))


@pytest.mark.parametrize("n", [2, 4])
def test_processes_that_start_different_sweeps_on_no_store_record_each(tmp_path, n):
    for sweep in [begin(tmp_path, *SMALL, f"n_epochs={60 + i}") for i in range(n)]:
        end(sweep)
    whole(tmp_path)
    assert rows(tmp_path, "SELECT status, count(*) FROM runs GROUP BY status") == [("FINISHED", 25 * n)]
    assert [path.name for path in tmp_path.glob(".mlflow*")] == []


@contextmanager
def locked(folder: Path):
    with closing(sqlite3.connect(folder / "mlflow.db", isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        yield
        database.execute("ROLLBACK")


def test_a_lock_held_for_thirty_seconds_is_waited_for(tmp_path):
    complete(tmp_path, *SMALL)
    with locked(tmp_path):
        sweep = begin(tmp_path, *SMALL, "fresh=true", "tracking.experiment=other")
        time.sleep(30)
        assert sweep.poll() is None
    end(sweep)
    whole(tmp_path)
    assert rows(tmp_path, "SELECT status, count(*) FROM runs GROUP BY status") == [("FINISHED", 50)]


# --- no room, no rights, other files ------------------------------------------------------------------


@pytest.fixture
def tmpfs(tmp_path):
    """A disk of 3 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", folder], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("may not mount here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_disk_that_fills_up_midway_is_named_and_with_room_the_rerun_completes(tmpfs, uninterrupted):
    words = ("experiment=quick", "n_epochs=600", "hydra.launcher.max_stack=4")
    said = end(begin(tmpfs, *words), 1)
    assert "no space is left on the disk; make room, then run this again" in said
    assert "go on: the same command trains what is missing" in said
    whole(tmpfs)
    kept = rows(tmpfs, f"SELECT count(*) {CHILDREN}")[0][0]
    subprocess.run(["mount", "-o", "remount,size=100m", tmpfs], check=True)
    said = complete(tmpfs, *words)
    assert 0 < kept < 40
    assert f"{kept} of 40 jobs are done" in said
    same(told(tmpfs), told(uninterrupted(*words)))


def other_revision(path: Path, revision: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE alembic_version SET version_num = ?", [revision])
        database.commit()


SPOILT = {
    "corrupt": (lambda path: path.write_bytes(b"SQLite format 3\0" + bytes(range(256)) * 64), "is damaged"),
    "torn": (lambda path: path.write_bytes(path.read_bytes()[:5000]), "is damaged or no SQLite"),
    "text": (lambda path: path.write_text("not a database, too short? no" * 9), "is damaged or no SQLite"),
    "older": (lambda path: other_revision(path, "451aebb31d03"), "older MLflow.*mlflow db upgrade"),
    "newer": (lambda path: other_revision(path, "ffffffffffff"), "newer MLflow.*name another store"),
}  # fmt: skip


@pytest.mark.parametrize("fault", SPOILT)
def test_a_store_of_another_kind_is_named_and_left_untouched(tmp_path, template, fault):
    path, (spoil, message) = Path(shutil.copy(template, tmp_path / "mlflow.db")), SPOILT[fault]
    spoil(path)
    before = path.read_bytes()
    said = complete(tmp_path, *SMALL, code=1)
    assert re.search(message, said), said
    assert path.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]


def test_an_old_folder_of_mlruns_beside_the_store_is_left_alone(tmp_path):
    old = tmp_path / "mlruns" / "0" / "meta.yaml"
    old.parent.mkdir(parents=True)
    old.write_text("experiment_id: '0'\n")
    complete(tmp_path, *SMALL)
    assert old.read_text() == "experiment_id: '0'\n"
    said = complete(tmp_path, *SMALL, "tracking.uri=./mlruns", code=1)
    assert "no longer keeps runs in folders of files" in said


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    """/proc refuses even root."""
    for words in (SMALL, ("n_epochs=2",)):
        said = complete(tmp_path, *words, "tracking.uri=sqlite:////proc/self/mlflow.db", code=1)
        assert "read-only; name a file in a folder that can be written" in said or "can't be made" in said


# --- servers ------------------------------------------------------------------------------------------


class Refusing(BaseHTTPRequestHandler):
    def do_POST(self):
        self.send_error(500)

    do_GET = do_POST

    def log_message(self, *_):
        pass


def test_a_server_that_answers_500_is_named_before_anything_is_trained(tmp_path):
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        said = complete(
            tmp_path, *SMALL, f"tracking.uri=http://me:s3cr3t@127.0.0.1:{server.server_port}", code=1
        )
        server.shutdown()
    assert "tracking.uri=http://me:***@127.0.0.1" in said
    assert "s3cr3t" not in said


@pytest.mark.parametrize("fault", ["dies", "freezes"])
def test_what_a_server_missed_is_recorded_when_it_is_back(tmp_path, template, fault, uninterrupted):
    folder = tmp_path / "server"
    folder.mkdir()
    server = Server(folder, template)
    server.start()
    server.wait()
    words = ("experiment=quick", "hydra.launcher.max_stack=5", f"tracking.uri={server.uri}")
    try:
        sweep = begin(tmp_path, *words, MLFLOW_HTTP_REQUEST_TIMEOUT="5")
        while n_recorded(folder) < 5:
            assert sweep.poll() is None
            time.sleep(0.02)
        server.kill() if fault == "dies" else server.process.send_signal(signal.SIGSTOP)
        said = end(sweep, 1)  # within two minutes: MLflow's own patience is four
        assert "the server does not answer" in said
        assert "go on: the same command trains what is missing" in said
        server.start() if fault == "dies" else server.process.send_signal(signal.SIGCONT)
        server.wait()
        said = complete(tmp_path, *words)
        assert re.search(r"\d+ of 40 jobs are done", said)
        active = f"SELECT status, count(*) {CHILDREN} AND lifecycle_stage = 'active' GROUP BY status"
        assert rows(folder, active) == [("FINISHED", 40)]
        same(told(folder), told(uninterrupted("experiment=quick", "hydra.launcher.max_stack=5")))
    finally:
        server.process.send_signal(signal.SIGCONT)
        server.kill()
