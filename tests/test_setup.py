"""`make setup` sets up this folder, whatever the environment says of other places."""

import json
import shutil
import subprocess
import sys
import tomllib

import pytest
from packaging.specifiers import SpecifierSet

from tests.sweep.commands import ROOT

PROGRAM = f"""#!{sys.executable} -I
# Stands for python, pip and uv: a venv is three more of it, and each says its name and what it was told.
import json, os, pathlib, shutil, sys
if sys.argv[1:3] == ["-m", "venv"]:
    programs = pathlib.Path(sys.argv[-1], "bin")
    programs.mkdir(parents=True)
    for name in ("python", "pip", "uv"):
        shutil.copy(sys.argv[0], programs / name)
print(json.dumps([pathlib.Path(sys.argv[0]).name, dict(os.environ)]))
"""


def test_packages_go_into_this_folder_from_where_the_user_says(tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("make", "sh", "env", "touch"):  # and no uv
        (programs / name).symlink_to(shutil.which(name))
    python = programs / "python3"
    python.write_text(PROGRAM)
    python.chmod(0o755)
    of_other_places = {
        "PIP_USER": "1", "PIP_TARGET": "/elsewhere", "PYTHONWARNINGS": "error", "PYTHONPATH": "/elsewhere",
        "PYTHONOPTIMIZE": "2", "MPLBACKEND": "module://no.such.backend",
    }  # fmt: skip
    of_sources = {"PIP_INDEX_URL": "https://packages.example", "UV_INDEX_URL": "https://packages.example"}
    done = subprocess.run(
        ["make", "setup", f"VENV={tmp_path / 'venv'}"], cwd=ROOT, capture_output=True, text=True, check=False,
        env={"PATH": str(programs)} | of_other_places | of_sources,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    started = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    asked, *steps = started  # the first is asked for its version
    assert asked[0] == "python3"
    assert [name for name, _ in steps] == ["python3", "pip", "uv", "python"]
    for _, told in steps:
        assert told.items() >= (of_sources | {"PIP_USER": "0", "MPLBACKEND": "agg"}).items()
        assert not told.keys() & {"PIP_TARGET", "PYTHONWARNINGS", "PYTHONPATH", "PYTHONOPTIMIZE"}


@pytest.mark.parametrize("version", ["2.7", "3.10", "3.11", "3.12", "3.13", "3.14"])
def test_a_python_that_will_not_do_is_told_in_a_line(version, tmp_path):
    python = tmp_path / "python3"
    numbers = tuple(map(int, version.split(".")))
    pretend = f"import sys; sys.version_info = {(*numbers, 0)}; exec(sys.argv[1])"
    python.write_text(f'#!/bin/sh\n[ "$1" = -c ] || exit 9\nexec {sys.executable} -I -c "{pretend}" "$2"\n')
    python.chmod(0o755)
    done = subprocess.run(
        ["make", "--no-print-directory", "setup", f"VENV={tmp_path / 'venv'}", f"PYTHON={python}"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    if version in SpecifierSet(project["requires-python"]):
        assert done.stdout.startswith("setting up")
    else:
        assert done.stdout == ""
        assert done.stderr.startswith(f"Python {version}: tinynet wants 3.11 to 3.13")
        assert len(done.stderr.splitlines()) == 2  # the other is make's
