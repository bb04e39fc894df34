"""The house as its sources tell it: which room imports what. `python -m tests.house` draws it in the docs."""

import ast
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "architecture.md"
FOLDERS = ("tinynet", "experiments", "hydra_plugins")
AS_PROGRAM = "__name__ == '__main__'"

PLUGIN = "hydra_plugins.hydra_stacked_launcher"
ENTRANCE, STORE = "experiments.entrance", "experiments.store"
WORDING, MODES, HINTS = "experiments.wording", "experiments.modes", "experiments.hints"
SWEEP, ANALYSIS = "experiments.sweep", "experiments.analysis"
REPORT, FIGURES = "experiments.report", "experiments.report.figures"
RUN, UI, BENCHMARK = "experiments.run", "experiments.ui", "experiments.benchmark"
MAY_IMPORT = {  # nothing imports report, run, ui or benchmark
    RUN: (ENTRANCE, SWEEP, STORE, WORDING, PLUGIN),
    UI: (ENTRANCE, STORE, WORDING),
    REPORT: (ENTRANCE, FIGURES, ANALYSIS, STORE, WORDING, "tinynet"),
    BENCHMARK: (ENTRANCE, SWEEP, ANALYSIS, STORE, WORDING, PLUGIN, "tinynet"),
    FIGURES: (ANALYSIS, MODES, WORDING, "tinynet"),
    SWEEP: (STORE, WORDING, HINTS, PLUGIN, "tinynet"),
    ANALYSIS: (STORE, MODES, WORDING, HINTS, "tinynet"),
    STORE: (WORDING, HINTS),
    MODES: (WORDING,),
    ENTRANCE: (),
    HINTS: (),
    WORDING: ("tinynet",),
    PLUGIN: (),
    "tinynet": (),
}
PUBLIC = ("tinynet", f"{PLUGIN}.messages")  # others may import these modules, else a room's package only
TAKES_ONLY = {  # (importer, imported): what it may take from there
    (WORDING, "tinynet"): "tinynet.outcomes",
    (ANALYSIS, STORE): f"{STORE}.Loaded",
}
INSIDE_TINYNET = {  # all other modules stand alone
    "tinynet": ("gradients", "network", "optimizers", "outcomes", "problem", "training"),
    "tinynet.training": ("gradients", "optimizers", "diagnostics", "rows", "checks"),
    "tinynet.diagnostics": ("gradients", "rows"),
    "tinynet.gradients": ("rows", "checks"),
    "tinynet.optimizers": ("rows", "checks"),
    "tinynet.network": ("rows", "checks"),  # a row's forward pass is the only way to predict
}
KEPT_IN = {  # package: the only places that import it
    "hydra": (RUN, f"{SWEEP}.settings", PLUGIN, BENCHMARK),
    "mlflow": (STORE, BENCHMARK),
    "sqlalchemy": (STORE, BENCHMARK),
    "matplotlib": (FIGURES,),
}
NEEDS_ONLY = {  # room: the packages of others that it may import
    "tinynet": ("numpy",),
    WORDING: ("numpy",),
    HINTS: (),
    PLUGIN: ("hydra", "omegaconf", "joblib", "tqdm"),
}
HEAVY = ("mlflow", "sqlalchemy", "matplotlib", "scipy", "joblib", "pandas")
MOST_MODULES = 9  # in a room, besides __init__.py
MOST_LINES = 300


@dataclass(frozen=True)
class Import:
    """An import, or a use of what an imported module holds, which comes to the same."""

    path: str  # of the file that imports
    line: int
    importer: str  # that file as a module
    module: str  # what it imports
    name: str  # what it takes from a module of ours; empty for the module itself
    when: str  # "early": as the file is loaded; "late": in a function; "typing": never

    def __str__(self) -> str:
        taken = f"{self.module}.{self.name}" if self.name else self.module
        return f"{self.path}:{self.line} imports {taken}"


class House:
    """Files, path -> text, and what they import."""

    def __init__(self, files: Mapping[str, str]):
        self.files = files
        self.modules = {module_at(path): path for path in files if path.endswith(".py")}
        self.imports: list[Import] = []
        for module, path in self.modules.items():
            self.imports += dict.fromkeys(self._imports(module, path))

    def _imports(self, module: str, path: str) -> Iterator[Import]:
        walked = [*nodes(ast.parse(self.files[path]), "early")]
        meanings = {}  # a name in this file -> the dotted name that it stands for
        for node, when in walked:
            for dotted, name, meaning in imported_by(node, path):
                meanings[name] = meaning
                yield Import(path, node.lineno, module, *self._split(dotted), when)
        for node, when in walked:
            root, _, attributes = dotted_name(node).partition(".")
            if attributes and meanings.get(root, "").split(".")[0] in FOLDERS:
                used = self._split(f"{meanings[root]}.{attributes}")
                yield Import(path, node.lineno, module, *used, when)

    def _split(self, dotted: str) -> tuple[str, str]:
        """Into a module that there is and what is taken from it; other packages' names stay whole."""
        parts = dotted.split(".")
        for n in range(len(parts), 0, -1):
            module = ".".join(parts[:n])
            if module in self.modules:
                return module, ".".join(parts[n : n + 1])
        return dotted, ""

    def between_rooms(self) -> list[Import]:
        """The imports that lead from one room of ours into another."""
        return [
            use
            for use in self.imports
            if use.module.split(".")[0] in FOLDERS and room_of(use.module) != room_of(use.importer)
        ]

    def offered_by(self, room: str) -> list[str]:
        """The __all__ of a room's door."""
        door = self.files.get(self.modules.get(room), "")
        for node in ast.parse(door).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                return ast.literal_eval(node.value)
        return []


def standing_house() -> House:
    """The house of this repository."""
    files = {}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                files[path.relative_to(ROOT).as_posix()] = path.read_text(encoding="utf-8")
    return House(files)


def module_at(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def room_of(module: str) -> str:
    """The innermost room that a module stands in; empty if it stands in none."""
    rooms = [room for room in MAY_IMPORT if f"{module}.".startswith(f"{room}.")]
    return max(rooms, key=len, default="")


def nodes(tree: ast.AST, when: str) -> Iterator[tuple[ast.AST, str]]:
    """Every node below a tree, with when it runs."""
    for node in ast.iter_child_nodes(tree):
        condition = ast.unparse(node.test) if isinstance(node, ast.If) and not node.orelse else ""
        inside = when
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or condition == AS_PROGRAM:
            inside = "late"
        elif condition == "TYPE_CHECKING":
            inside = "typing"
        yield node, inside
        yield from nodes(node, inside)


def imported_by(node: ast.AST, path: str) -> Iterator[tuple[str, str, str]]:
    """What a node imports, dotted; the name that it binds in the file; and what this name stands for."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            root = alias.name.split(".")[0]
            yield alias.name, alias.asname or root, alias.name if alias.asname else root
    if isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            package = path.split("/")[: -node.level]
            base = ".".join([*package, base]).rstrip(".")
        for alias in node.names:
            dotted = f"{base}.{alias.name}"
            yield dotted, alias.asname or alias.name, dotted
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
        for argument in node.args[:1]:
            yield ast.unparse(argument).strip("'\""), "", ""


def dotted_name(node: ast.AST) -> str:
    """a.b.c for an attribute of an attribute of a name; empty for anything else."""
    if isinstance(node, ast.Attribute):
        value = dotted_name(node.value)
        return f"{value}.{node.attr}" if value else ""
    return node.id if isinstance(node, ast.Name) else ""


def diagram(house: House) -> str:
    """The rooms and who imports whom, as a Mermaid flowchart."""
    lines = ["flowchart TD"]
    rooms = {room: room.replace(".", "_") for room in MAY_IMPORT if room in house.modules}
    for room, box in rooms.items():
        lines.append(f'    {box}["{house.modules[room].removesuffix("/__init__.py")}"]')
    arrows = {(room_of(use.importer), room_of(use.module)) for use in house.between_rooms()}
    for importer, imported in itertools.product(rooms, repeat=2):
        if (importer, imported) in arrows:
            lines.append(f"    {rooms[importer]} --> {rooms[imported]}")
    return "\n".join(lines)


def redrawn(page: str, drawing: str) -> str:
    """The page with this drawing in its Mermaid block."""
    return re.sub(r"(?s)(?<=```mermaid\n).*?(?=\n```)", lambda _: drawing, page, count=1)


if __name__ == "__main__":
    PAGE.write_text(redrawn(PAGE.read_text(encoding="utf-8"), diagram(standing_house())), encoding="utf-8")
