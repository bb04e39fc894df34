"""Commands that we tell people to type: each works as it stands, in a shell, where it is told."""

import os
import shlex
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODULES = {"sweep": ("run", "experiment=convergence"), "report": ("report",), "ui": ("ui",)}


def typed(target: str, *words: str) -> str:
    """sweep, report or ui in this folder: with make, if our Makefile is here and would do just that."""
    if Path.cwd() != ROOT or _another_experiment_is_exported():
        module, *usual = MODULES[target]
        return python("-m", f"experiments.{module}", *usual, *words)
    if not words:
        return f"make {target}"
    arguments = shlex.quote(shlex.join(words)).replace("$", "$$")  # for the shell, then for make
    return f"make {target} ARGS={arguments}"


def python(*words: str) -> str:
    """A command of the Python that runs this."""
    return shlex.join([sys.executable, *words])


def again(command: str) -> str:
    """A command as it was recorded, of the Python that runs this."""
    return f"{python()} {command.removeprefix('python ')}"


def _another_experiment_is_exported() -> bool:
    """Make takes EXPERIMENT from the environment; what its own command line says ends with that."""
    return "EXPERIMENT" in os.environ and "EXPERIMENT=" not in os.environ.get("MAKEFLAGS", "")
