"""The harness around tinynet: Hydra says what to run, MLflow holds what happened."""

import os
import shlex
import sys
from importlib.util import find_spec

NEEDED = ("numpy", "hydra", "joblib", "tqdm", "mlflow", "pandas", "matplotlib", "scipy", "jinja2")


def _how_to_start() -> str:
    """What to type, from the folder where we are; also read by older Pythons."""
    clone = os.path.relpath(os.path.dirname(os.path.dirname(__file__)))
    setup = "make setup"
    if clone != ".":
        setup = f"make -C {shlex.quote(clone)} setup"
    python = os.path.normpath(os.path.join(clone, ".venv/bin/python"))
    return f"type `{setup}`, then use `{shlex.quote(python)}`"


if sys.argv[0] == "-m":  # `python -m experiments.run` and its like, until Python has found that module
    _missing = [package for package in NEEDED if find_spec(package) is None]
    if _missing:
        sys.exit(f"{sys.executable} lacks {', '.join(_missing)}; {_how_to_start()}")
