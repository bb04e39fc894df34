"""The rules of the house, held against its sources: who may import whom, through which doors, and when.

A rule is a function of a House that yields its breaches, a line each. Every rule is also given made-up
sources that break it.
"""

import graphlib
import sys
from collections import Counter
from collections.abc import Iterator

import pytest

from tests import house as plan
from tests.house import FIGURES, MAY_IMPORT, PLUGIN, House, diagram, redrawn, room_of, standing_house


def within(module: str, place: str) -> bool:
    return f"{module}.".startswith(f"{place}.")


def against_the_plan(house: House) -> Iterator[str]:
    for use in house.between_rooms():
        importer, imported = room_of(use.importer), room_of(use.module)
        if importer and imported and imported not in MAY_IMPORT[importer]:
            yield f"{use}, which {importer} may not"


def more_than_allowed(house: House) -> Iterator[str]:
    for use in house.between_rooms():
        allowed = plan.TAKES_ONLY.get((room_of(use.importer), room_of(use.module)))
        if allowed and not within(f"{use.module}.{use.name}", allowed):
            yield f"{use}; it may take {allowed} only"


def beside_the_door(house: House) -> Iterator[str]:
    """Into inner files; or through the door, for what its __all__ does not offer."""
    for use in house.between_rooms():
        room = room_of(use.module)
        offered = house.offered_by(room)
        if use.module == room:
            is_door = house.modules[room].endswith("/__init__.py")
            if is_door and use.name and use.name not in offered and not use.name.startswith("__"):
                yield f"{use}, which is not in __all__"
            continue
        is_public = any(within(use.module, public) for public in plan.PUBLIC)
        is_offered = not use.name and use.module.removeprefix(f"{room}.") in offered
        if room and not is_public and not is_offered:
            yield f"{use}, an inner file of {room}"


def private_names(house: House) -> Iterator[str]:
    for use in house.between_rooms():
        parts = [*use.module.split("."), use.name]
        if any(part.startswith("_") and not part.startswith("__") for part in parts):
            yield f"{use}, which is private"


def cycles(house: House) -> Iterator[str]:
    graph = {}
    for use in house.between_rooms():
        graph.setdefault(room_of(use.importer), set()).add(room_of(use.module))
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        yield " <- ".join(error.args[1])


def upward_in_tinynet(house: House) -> Iterator[str]:
    for use in house.imports:
        if not within(use.importer, "tinynet") or not within(use.module, "tinynet"):
            continue
        name = use.module.removeprefix("tinynet.")
        if use.module != use.importer and name not in plan.INSIDE_TINYNET.get(use.importer, ()):
            yield f"{use}, which it may not"


def misplaced_packages(house: House) -> Iterator[str]:
    for use in house.imports:
        package = use.module.split(".")[0]
        places = plan.KEPT_IN.get(package)
        if places and not any(within(use.importer, place) for place in places):
            yield f"{use}; only {', '.join(places)} may"


def needless_packages(house: House) -> Iterator[str]:
    for use in house.imports:
        package = use.module.split(".")[0]
        needed = plan.NEEDS_ONLY.get(room_of(use.importer))
        known = package in sys.stdlib_module_names or room_of(use.module)
        if needed and not known and package not in needed:
            yield f"{use}; it may import {', '.join(needed)} only"


def heavy_imports(house: House) -> Iterator[str]:
    """Of heavy packages, and of the figures, which bring matplotlib."""
    for use in house.imports:
        if use.when != "early":
            continue
        package = use.module.split(".")[0]
        in_figures = room_of(use.importer) == FIGURES
        if room_of(use.module) == FIGURES and not in_figures:
            yield f"{use} before a function needs it"
        if package in plan.HEAVY and not (in_figures and package == "matplotlib"):
            yield f"{use} before a function needs it"


def strays(house: House) -> Iterator[str]:
    """Files that stand in no room, and imports that lead to no file."""
    for module, path in house.modules.items():
        if not room_of(module) and path != "experiments/__init__.py":
            yield f"{path} stands in no room"
    for use in house.between_rooms():
        if use.module not in house.modules or not room_of(use.module):
            yield f"{use}, which is in no room"


def crowded_rooms(house: House) -> Iterator[str]:
    modules = [module for module, path in house.modules.items() if not path.endswith("/__init__.py")]
    for room, n in Counter(map(room_of, modules)).items():
        if n > plan.MOST_MODULES:
            yield f"{room} has {n} modules; {plan.MOST_MODULES} are the most"


def long_files(house: House) -> Iterator[str]:
    for path, text in house.files.items():
        n = len(text.splitlines())
        if n > plan.MOST_LINES:
            yield f"{path} has {n} lines; {plan.MOST_LINES} are the most"


ROOMS = {  # a small house that keeps every rule
    "tinynet/__init__.py": '__all__ = ["train"]',
    "tinynet/outcomes.py": "import numpy as np",
    "tinynet/rows.py": "",
    "tinynet/training.py": "from tinynet.rows import Row",
    "experiments/__init__.py": "",
    "experiments/wording.py": "from tinynet.outcomes import FLOOR",
    "experiments/store/__init__.py": '__all__ = ["Loaded", "sweeps"]',
    "experiments/store/sql.py": "def late():\n    import mlflow",
    "experiments/store/sweeps.py": "",
    "experiments/ui.py": "from experiments.store import sweeps",
    "experiments/analysis/__init__.py": '__all__ = ["analyse"]',
    "experiments/analysis/table.py": """
import tinynet
from typing import TYPE_CHECKING
from experiments.store import Loaded
if TYPE_CHECKING:
    import pandas as pd
def late():
    import scipy
    return tinynet.train, tinynet.outcomes.FLOOR, tinynet.__file__
""",
    "experiments/report/__init__.py": "",
    "experiments/report/page.py": f"def late():\n    from {FIGURES} import draw",
    "experiments/report/figures/__init__.py": '__all__ = ["draw"]',
    "experiments/report/figures/tail.py": "import matplotlib\nfrom experiments.analysis import analyse",
    "experiments/run.py": "if __name__ == '__main__':\n    import joblib",
}
BREACHES = {  # rule: a file, made-up sources for it, and what the rule must say of them
    against_the_plan: [
        ("experiments/store/sql.py", "def late():\n    import experiments.report", ":2 imports experiments"),
        ("experiments/sweep/task.py", "from experiments.run import main", "experiments.sweep may not"),
        ("experiments/report/figures/tail.py", "from ..page import x", "experiments.report.figures may not"),
        ("tinynet/rows.py", "from experiments import wording", "tinynet may not"),
        ("tinynet/rows.py", "importlib.import_module('experiments.run')", ":1 imports experiments.run"),
    ],
    more_than_allowed: [
        ("experiments/analysis/pairs.py", "from experiments.store import sweeps", "store.Loaded only"),
        ("experiments/wording.py", "from tinynet.training import train", "tinynet.outcomes only"),
    ],
    beside_the_door: [
        (
            "experiments/ui.py",
            "from experiments.store.sql import Tables",
            "an inner file of experiments.store",
        ),
        ("experiments/ui.py", "from experiments.store import sql", "an inner file of experiments.store"),
        ("experiments/ui.py", "import experiments.store as s\ns.sql", ":2 imports experiments.store.sql, an"),
        ("experiments/ui.py", "from experiments.store import link", "store.link, which is not in __all__"),
        ("experiments/ui.py", "from experiments.store.sweeps import x", "an inner file of experiments.store"),
        ("experiments/run.py", f"import {PLUGIN}._core", f"an inner file of {PLUGIN}"),
    ],
    private_names: [
        ("experiments/run.py", "from tinynet.rows import _relu", "tinynet.rows._relu, which is private"),
        ("experiments/run.py", "import tinynet as t\nt.rows._relu", ":2 imports tinynet.rows._relu"),
    ],
    cycles: [
        ("tinynet/rows.py", "import experiments.wording", "experiments.wording <- tinynet"),
    ],
    upward_in_tinynet: [
        ("tinynet/network.py", "from tinynet.training import train", "tinynet.training.train, which it may"),
        ("tinynet/outcomes.py", "from tinynet import rows", "tinynet.rows, which it may not"),
    ],
    misplaced_packages: [
        ("experiments/sweep/task.py", "def late():\n    import hydra", ":2 imports hydra; only experiments."),
        ("experiments/report/page.py", "from matplotlib import pyplot", f"only {FIGURES} may"),
        ("experiments/analysis/table.py", "from mlflow.entities import Run", "only experiments.store, "),
    ],
    needless_packages: [
        ("tinynet/training.py", "def late():\n    import tqdm", "tqdm; it may import numpy only"),
    ],
    heavy_imports: [
        ("experiments/analysis/table.py", "try:\n    import pandas\nfinally:\n    pass", ":2 imports pandas"),
        ("experiments/report/figures/tail.py", "import scipy.stats", "scipy.stats before a function needs"),
        ("experiments/report/page.py", f"from {FIGURES} import draw", "draw before a function needs it"),
    ],
    strays: [
        ("experiments/utils.py", "", "experiments/utils.py stands in no room"),
        ("experiments/run.py", "from experiments.settings import read", "settings, which is in no room"),
        ("experiments/run.py", "import experiments", "imports experiments, which is in no room"),
    ],
    long_files: [
        ("experiments/report/templates/page.html", "\n" * 301, "page.html has 301 lines; 300 are the most"),
    ],
}


@pytest.fixture(scope="module")
def standing():
    return standing_house()


@pytest.mark.parametrize("rule", [*BREACHES, crowded_rooms])
def test_the_house_keeps_every_rule(rule, standing):
    breaches = sorted(set(rule(standing)))
    assert not breaches, "\n".join(["", *breaches])


@pytest.mark.parametrize("rule", BREACHES)
def test_a_breach_is_seen(rule):
    assert list(rule(House(ROOMS))) == []
    for path, source, expected in BREACHES[rule]:
        (breach,) = set(rule(House({**ROOMS, path: source})))
        assert expected in breach


def test_a_crowded_room_is_seen():
    full = {f"experiments/store/part{i}.py": "" for i in range(plan.MOST_MODULES)}
    assert list(crowded_rooms(House({**full, "experiments/store/__init__.py": ""}))) == []
    (breach,) = crowded_rooms(House({**full, "experiments/store/one_more.py": ""}))
    assert breach == "experiments.store has 10 modules; 9 are the most"


def test_the_plan_itself_has_no_cycle_and_leads_to_no_entrance():
    graphlib.TopologicalSorter(MAY_IMPORT).prepare()
    imported = set().union(*MAY_IMPORT.values())
    assert not imported & {plan.RUN, plan.UI, plan.REPORT, plan.BENCHMARK}


def test_every_room_has_a_folder_of_tests():
    folders = {path.parent.name for path in (plan.ROOT / "tests").glob("*/test_*.py")}
    rooms = {room.split(".")[1] for room in MAY_IMPORT if room.startswith("experiments.")}
    assert folders == (rooms - {"run", "ui", "entrance", "wording", "modes", "hints"}) | {"tinynet", "plugin"}


def test_the_diagram_of_the_docs_shows_the_imports_that_there_are(standing):
    page = plan.PAGE.read_text(encoding="utf-8")
    assert page == redrawn(page, diagram(standing)), ".venv/bin/python -m tests.house redraws it"


def test_a_new_import_changes_the_diagram():
    files = {"experiments/run.py": "", "tinynet/__init__.py": ""}
    page = redrawn("a\n```mermaid\nold\n```\nb", diagram(House(files)))
    boxes = '    experiments_run["experiments/run.py"]\n    tinynet["tinynet"]'
    assert page == f"a\n```mermaid\nflowchart TD\n{boxes}\n```\nb"
    files["experiments/run.py"] = "import tinynet"
    arrow = "    experiments_run --> tinynet"
    assert redrawn(page, diagram(House(files))) == page.replace(boxes, f"{boxes}\n{arrow}")
