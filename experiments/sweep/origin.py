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
    commit = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain")
    tags = {
        "git.commit": commit or "unknown",
        "git.dirty": "unknown" if changes is None else str(bool(changes)).lower(),
        "code": code(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }
    if commit:
        tags["mlflow.source.git.commit"] = commit  # MLflow's UI shows it
    return tags


def _git(*arguments: str) -> str | None:
    """None on a machine without git."""
    try:
        done = subprocess.run(
            ["git", "-C", str(TINYNET), *arguments], capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return done.stdout.strip()
