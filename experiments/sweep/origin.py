"""Where results come from: hashes of what decides them, the code's commit, versions, the machine."""

import functools
import hashlib
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np

import tinynet

TINYNET = Path(tinynet.__file__).parent
UNKNOWN = "unknown"


def digest(*parts: object) -> str:
    """128 bits in hex that follow from the parts."""
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:32]


@functools.lru_cache(maxsize=64)
def code(estimator: type = tinynet.Network) -> str:
    """Hash of the source that decides what is recorded: tinynet's, ours, that of a user's own estimator."""
    sources = [*sorted(TINYNET.glob("*.py")), Path(__file__).with_name("runs.py")]
    module = sys.modules.get(estimator.__module__)
    file = getattr(module, "__file__", None)
    if file and Path(file) not in sources:
        sources.append(Path(file))
    return digest(*(path.read_bytes().hex() for path in sources))


@functools.cache
def provenance() -> dict[str, str]:
    """Commit and dirty flag, the hash of the source, versions and machine, as tags of a run."""
    commit, dirty = _commit()
    tags = {
        "git.commit": commit,
        "git.dirty": dirty,
        "code": code(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }
    if commit != UNKNOWN:
        tags["mlflow.source.git.commit"] = commit  # MLflow's UI shows it
    return tags


def _commit() -> tuple[str, str]:
    """The commit that this source stands at and whether anything is changed; unknown unless git knows both.

    Git answers for the repository around a folder: ours only if it is the one whose top holds tinynet/.
    """
    tracked = _git("ls-files", "--full-name", "__init__.py")
    status = _git("status", "--porcelain=v2", "--branch")
    if tracked != f"{TINYNET.name}/__init__.py" or status is None:
        return UNKNOWN, UNKNOWN
    head, *lines = status.splitlines()
    commit = head.removeprefix("# branch.oid ")
    if commit == "(initial)":  # nothing is committed yet
        return UNKNOWN, UNKNOWN
    is_dirty = any(not line.startswith("# ") for line in lines)
    return commit, str(is_dirty).lower()


def _git(*arguments: str) -> str | None:
    """What git says in the folder of tinynet, whatever repository the environment names; None if it can't."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "--no-optional-locks", "-C", str(TINYNET), *arguments]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return os.fsdecode(done.stdout).strip()
