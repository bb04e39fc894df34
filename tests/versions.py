"""The whole suite with the lowest and the highest versions that pyproject.toml allows: `make test-versions`.

python -m tests.versions                   on each Python that is there, and once with the newest MLflow
python -m tests.versions 3.11-lowest -x    one of them; the rest goes to pytest

Environments stand in .versions/ and are brought up to date each time; what pytest prints is beside them.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from uv import find_uv_bin

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / ".versions"
PYTHONS = ("3.11", "3.12", "3.13")  # that requires-python allows
RESOLUTIONS = {"lowest": "lowest-direct", "highest": "highest", "mlflow": "highest"}
# Of packages: the lowest that has a wheel for the Python; this one has none for any.
WHEELS = ("--only-binary", ":all:", "--no-binary", "antlr4-python3-runtime")
EXTRAS = ("--extra", "test", "--extra", "bench", "--extra", "cluster")
TOLD = ("numpy", "hydra-core", "mlflow", "pandas", "matplotlib", "scipy")
PREPARE = "from experiments.store import prepare; prepare()"


def main(arguments: list[str]) -> int:
    pythons = found_pythons()
    for version in PYTHONS:
        if version not in pythons:
            print(f"Python {version}: not found; put python{version} on PATH, or into pyenv")
    combinations = [f"{version}-{name}" for version in pythons for name in ("lowest", "highest")]
    combinations += [f"{version}-mlflow" for version in list(pythons)[-1:]]
    asked = [argument for argument in arguments if argument in combinations]
    options = [argument for argument in arguments if argument not in combinations]
    failed = False
    for combination in asked or combinations:
        version, kind = combination.split("-")
        python = environment(combination, pythons[version], RESOLUTIONS[kind])
        if kind == "mlflow":
            newest_mlflow(python)
        passed, summary = tested(python, FOLDER / f"{combination}.log", options)
        print(f"{combination}: {summary}\n  {versions(python)}", flush=True)
        failed |= not passed
    return int(failed)


def found_pythons() -> dict[str, str]:
    """Version -> program, of pyenv and of PATH."""
    places = os.environ["PATH"]
    if shutil.which("pyenv"):
        root = subprocess.check_output(["pyenv", "root"], text=True).strip()
        bins = map(str, Path(root).glob("versions/*/bin"))  # its own python3.12 may be switched off
        places = os.pathsep.join([*bins, places])
    programs = {version: shutil.which(f"python{version}", path=places) for version in PYTHONS}
    return {version: program for version, program in programs.items() if program}


def environment(name: str, program: str, resolution: str) -> Path:
    """Make the environment, or renew it; give its Python."""
    folder = FOLDER / name
    python = folder / "bin" / "python"
    if not python.exists():
        uv("venv", "--python", program, folder)
    wanted = FOLDER / f"{name}.txt"
    asked = ("--python", python, "--resolution", resolution)
    uv("pip", "compile", "pyproject.toml", *EXTRAS, *WHEELS, *asked, "--no-header", "--output-file", wanted)
    with wanted.open("a") as file:
        file.write("-e .\n")
    uv("pip", "sync", "--python", python, wanted)
    subprocess.run([python, "-c", PREPARE], cwd=ROOT, check=True)
    return python


def newest_mlflow(python: Path) -> None:
    """Whatever the bound says. It holds all of its parts, which may come to a registry days later."""
    uv("pip", "uninstall", "--python", python, "mlflow", "mlflow-skinny", "mlflow-tracing")
    uv("pip", "install", "--python", python, "--no-deps", "mlflow")
    subprocess.run([python, "-c", PREPARE], cwd=ROOT, check=True)


def tested(python: Path, log: Path, options: list[str]) -> tuple[bool, str]:
    """Run the suite; give whether it passed, and pytest's closing line."""
    command = [python, "-m", "pytest", "-n", "2", "--dist", "loadfile", "-m", "not faults", *options]
    with log.open("w") as file:
        ended = subprocess.run(command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT)
    return ended.returncode == 0, log.read_text().rstrip().splitlines()[-1].strip("= ")


def versions(python: Path) -> str:
    lines = subprocess.check_output([find_uv_bin(), "pip", "freeze", "--python", python], text=True)
    pairs = [line.split("==") for line in lines.splitlines() if "==" in line]
    return ", ".join(f"{name} {version}" for name, version in pairs if name in TOLD)


def uv(*arguments: object) -> None:
    command = [find_uv_bin(), *map(str, arguments), "--quiet"]
    subprocess.run(command, cwd=ROOT, check=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
