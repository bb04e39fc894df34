"""What `pip install .` gives: the library alone, which trains and sweeps where nothing else of ours is."""

import json
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import distributions
from pathlib import Path

import pytest
import uv

import experiments
import tinynet

ROOT = Path(__file__).parent.parent
RIDGE = ROOT / "docs" / "examples" / "ridge"
TRAIN = """
import json, tinynet
problem, network = tinynet.Problem.streetlights(), tinynet.Network(n_inputs=3, hidden_size=4)
gradient = tinynet.gradients.Numeric(h=1e-4)
history = tinynet.train(network, problem, network.initial(seeds=range(3)), gradient, 0.1, n_epochs=5)
print(json.dumps(history.error.tolist()))
"""
INSTALLED = """
import importlib.metadata, json
print(json.dumps(sorted(found.name for found in importlib.metadata.distributions())))
"""
IMPORTABLE = "import pkgutil; print(*(module.name for module in pkgutil.iter_modules()))"


def called(command, folder):
    ended = subprocess.run([*map(str, command)], cwd=folder, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def build(source, folder):
    """The sdist and the wheel of a folder of sources."""
    called([sys.executable, "-m", "hatchling", "build", "-d", folder], source)
    (sdist,) = folder.glob("*.tar.gz")
    (wheel,) = folder.glob("*.whl")
    return sdist, wheel


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return build(ROOT, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def install(tmp_path_factory):
    """Install into an empty environment, of the versions that this one has; give its Python."""
    folder = tmp_path_factory.mktemp("install")
    versions = {found.name: found.version for found in distributions() if found.name != "tinynet"}
    constraints = folder / "constraints.txt"
    constraints.write_text("".join(f"{name}=={version}\n" for name, version in versions.items()))

    def installed(name, what):
        python = folder / name / "bin" / "python"
        called([uv.find_uv_bin(), "venv", "--python", sys.executable, folder / name], folder)
        called([uv.find_uv_bin(), "pip", "install", "--python", python, "-c", constraints, what], folder)
        return python

    return installed


def test_the_wheel_holds_the_library_and_nothing_else(built):
    with zipfile.ZipFile(built[1]) as archive:
        names = archive.namelist()
    folders = {name.split("/")[0] for name in names}
    assert folders == {"tinynet", "hydra_plugins", "tinynet-0.1.0.dist-info"}
    assert "hydra_plugins/__init__.py" not in names  # Hydra looks for plugins of all packages there
    sources = {str(path.relative_to(ROOT)) for path in ROOT.glob("tinynet/*.py")}
    sources |= {str(path.relative_to(ROOT)) for path in ROOT.glob("hydra_plugins/*/*.py")}
    assert sources == {name for name in names if name.endswith(".py")}


def test_the_sdist_makes_the_same_wheel(built, tmp_path):
    sdist, wheel = built
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    _, again = build(tmp_path / sdist.name.removesuffix(".tar.gz"), tmp_path)
    assert again.read_bytes() == wheel.read_bytes()


def test_the_library_trains_with_numpy_alone(built, install, tmp_path):
    python = install("bare", built[1])
    assert json.loads(called([python, "-I", "-c", INSTALLED], tmp_path)) == ["numpy", "tinynet"]
    problem, network = tinynet.Problem.streetlights(), tinynet.Network(n_inputs=3, hidden_size=4)
    gradient = tinynet.gradients.Numeric(h=1e-4)
    ours = tinynet.train(network, problem, network.initial(seeds=range(3)), gradient, 0.1, n_epochs=5)
    assert json.loads(called([python, "-I", "-c", TRAIN], tmp_path)) == ours.error.tolist()


def test_an_app_of_ones_own_sweeps_with_the_extra_launcher(built, install, tmp_path):
    python = install("launcher", f"tinynet[launcher] @ {built[1].as_uri()}")
    assert not {"experiments", "conf", "tests"} & set(called([python, "-c", IMPORTABLE], tmp_path).split())
    shutil.copytree(RIDGE, tmp_path / "ridge")
    axes = ["alpha=0.1,1", "n_features=5,10", "fold=range(3)"]
    printed = called([python, "-I", "ridge/ridge.py", "-m", *axes], tmp_path)
    assert "12 jobs in 2 stacks" in printed
    assert len((tmp_path / "results.csv").read_text().splitlines()) == 1 + 12


def test_without_an_environment_a_command_says_what_to_type(built, install):
    python = install("none", built[1])
    for entrance in ("run", "report", "ui", "benchmark"):
        command = [python, "-m", f"experiments.{entrance}"]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert ended.returncode == 1
        assert ended.stderr.endswith("jinja2; type `make setup`, then use `.venv/bin/python`\n")
        assert ended.stderr.count("\n") == 1


def test_what_a_command_looks_for_is_what_the_harness_depends_on():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    packages = {line.split(">")[0].removesuffix("-core") for line in extras["launcher"] + extras["harness"]}
    assert packages - {"tinynet[launcher]"} == set(experiments.NEEDED) - {"numpy"}
