"""The house rules of imports, read off the sources: who may import whom, and what must not load early."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted(
    p for folder in ("tinynet", "experiments", "hydra_plugins") for p in (ROOT / folder).glob("*.py")
)
HEAVY = {"mlflow", "sqlalchemy", "matplotlib", "scipy", "joblib", "pandas"}


def imports(path: Path, whole_file: bool = True) -> set[str]:
    """Dotted names of the modules that a source file imports: anywhere, or at module level only."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = ast.walk(tree) if whole_file else iter(tree.body)
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            names |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return names


def packages(names: set[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


def name(path: Path) -> str:
    return f"{path.parent.name}.{path.stem}"


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_every_import_points_the_permitted_way(path):
    used, outside = imports(path), packages(imports(path)) - set(sys.stdlib_module_names)
    if path.parent.name == "tinynet":
        assert outside <= {"numpy", "tinynet"}
    if path.parent.name == "hydra_plugins":
        assert not outside & {"tinynet", "experiments", "numpy", "mlflow"}
    if path.parent.name == "experiments" and path.stem not in ("benchmark", "theirs"):  # others' ways, too
        assert "mlflow" not in outside or path.stem == "tracking"
        assert "matplotlib" not in outside or path.stem == "figures"
        assert "hydra" not in outside or path.stem in ("run", "settings")
    forbidden = {
        "tinynet.network": {"tinynet.gradients", "tinynet.training", "tinynet.problem"},
        "tinynet.gradients": {"tinynet.training", "tinynet.problem"},
        "tinynet.problem": {"tinynet.network", "tinynet.gradients", "tinynet.training"},
        "experiments.outcomes": {"experiments"},
        "experiments.comparison": {"experiments.tracking", "experiments.figures", "experiments.report"},
        "experiments.figures": {"experiments.tracking", "experiments.report"},
    }.get(name(path), set())
    assert not {u for u in used for f in forbidden if u == f or u.startswith(f + ".")}


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_no_module_loads_heavy_packages_when_it_is_imported(path):
    """A launcher that imports mlflow at module level slows every Hydra app; a sweep needs no matplotlib."""
    if name(path) not in ("experiments.figures", "experiments.benchmark"):
        assert not packages(imports(path, whole_file=False)) & HEAVY


def test_a_breach_would_be_seen(tmp_path):
    path = tmp_path / "breach.py"
    path.write_text("import numpy\ndef late():\n    from mlflow import log_metric\n")
    assert packages(imports(path)) == {"numpy", "mlflow"}
    assert packages(imports(path, whole_file=False)) == {"numpy"}
