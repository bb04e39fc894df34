"""The page of a report: an Analysis and its pictures through templates, which hold every sentence.

Templates read rows and format numbers; they compute nothing. All text is escaped.
"""

import functools
import math
import shlex
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from experiments import wording
from experiments.analysis import (
    FEWEST,
    POOL,
    Analysis,
    by_design,
    command_of,
    epochs_name,
    pairs_without_a_flip,
    questions,
    settings_of,
)
from experiments.store import masked
from tinynet.outcomes import OUTCOMES

TEMPLATES = Path(__file__).parent / "templates"
MOST_LISTED = 12  # runs left out, values of a setting
MOST_CELLS = 48  # rows of a table folded into the page
TOLD_ELSEWHERE = ("command", "sweep", "fingerprint")  # tags of a sweep
PACKAGES = ("numpy", "scipy", "pandas", "matplotlib", "mlflow")
STATES = ("different", "equivalent", "unresolved", "not measured")
CONTROLS = ("control", "restored", "removed")


class Block(NamedTuple):
    """What a report says to one question: its rows of estimates and halves, with names for people."""

    kind: str  # the question, but "speed" for all epochs_to_…
    mode: str
    a: str  # name of the mode
    b: str  # name of what it is compared with
    row: Mapping  # all cells pooled
    cells: Sequence[Mapping]  # none where there is but one
    counts: Mapping[str, int]  # verdict -> number of cells
    ours: Mapping  # the mode's half of the pairs
    theirs: Mapping
    tau: float | None = None  # of a speed
    support: Mapping | None = None  # counts behind a control

    @property
    def verdict(self) -> str:
        return self.row["verdict"]


def blocks_of(analysed: Analysis) -> dict[str, list[Block]]:
    """Mode -> its blocks, in the order of a report; those of "late_error" only where it tells something."""
    taus = {epochs_name(tau): tau for tau in analysed.practical}
    halves = {(half["mode"], half["cell"], half["side"]): half for half in analysed.halves.to_dict("records")}
    by_question = analysed.estimates.groupby(["mode", "question"], sort=False)
    rows = {key: table.to_dict("records") for key, table in by_question}
    asked = [*(question.name for question in questions(analysed.practical)), "cost"]
    late = analysed.estimates[analysed.estimates["question"] == "late_error"]
    asked.remove("late_error")
    if late["n_pairs"].any():  # no run converges: what else is asked about, this tells
        asked.insert(1, "late_error")
    blocks = {}
    for mode, pairing in analysed.pairings.items():
        blocks[mode] = []
        for question in asked if len(pairing.a) else ():
            blocks[mode].append(_block(analysed, rows[mode, question], halves, taus.get(question)))
    return blocks


def _block(analysed: Analysis, rows: Sequence[Mapping], halves: Mapping, tau: float | None) -> Block:
    (row,) = [row for row in rows if row["scope"] == "pooled"]
    cells = [row for row in rows if row["scope"] == "cell" and row["n_pairs"]]
    mode = row["mode"]
    name = analysed.names[mode]
    if mode in analysed.own_rate:
        name += " at its own rate"
    return Block(
        kind="speed" if tau is not None else row["question"],
        mode=mode,
        a=name,
        b=analysed.names.get(row["reference"], row["reference"]),
        row=row,
        cells=cells if len(cells) > 1 else [],
        counts=Counter(cell["verdict"] for cell in cells),
        ours=halves.get((mode, POOL, "mode")),
        theirs=halves.get((mode, POOL, "reference")),
        tau=tau,
    )


def special_blocks(analysed: Analysis) -> dict[str, list[Block]]:
    """The blocks of questions that are asked once: of the tutorial, of control and intervention."""
    blocks = {"tutorial": [], "controls": []}
    counts = {(row["question"], row["mode"]): row for row in analysed.controls.to_dict("records")}
    for row in analysed.estimates.to_dict("records"):
        section = "tutorial" if row["question"].startswith("tutorial_") else "controls"
        if section == "tutorial" or row["question"] in CONTROLS:
            question = "restored" if row["question"] == "removed" else row["question"]
            block = _block(analysed, [row], {}, None)
            blocks[section].append(block._replace(support=counts.get((question, row["mode"]))))
    return blocks


def rates_of(analysed: Analysis) -> dict[str, float]:
    """The learning rates of the modes that have one each, where the sweep has several."""
    rates = analysed.runs.groupby("mode")["learning_rate"].unique()
    several = analysed.runs["learning_rate"].nunique() > 1
    return {mode: rate[0] for mode, rate in rates.items() if several and len(rate) == 1}


def first_picture(analysed: Analysis, names: Sequence[str]) -> str | None:
    """The name of the picture that shows most of what this sweep has to show."""
    wanted = ["tutorial"]
    if analysed.cells.has_many_steps:
        wanted.append("step_size")
    if analysed.own_rate:  # which no picture of one cell shows
        wanted.append("all_modes")
    if analysed.creep is not None:  # the sweep asks for the cause
        wanted.append("tail")
    wanted.append("all_modes")
    if analysed.cells.n_cells > 1:
        wanted.append("convergence")
    different = analysed.estimates[analysed.estimates["verdict"] == "different"]
    if set(different["question"]) & {"depth", "law"}:
        wanted.append("tail")
    if "outcome" in set(different["question"]):
        wanted.append("outcomes")
    return next((name for name in [*wanted, "forest"] if name in names), None)


def render(analysed: Analysis, pictures: Sequence[Mapping], tables: Sequence[str], store: str) -> str:
    """report.html. pictures: name, alt, data (a URI) and width of each; tables: names; store: its URI."""
    loaded = analysed.loaded
    runs = analysed.runs
    blocks = blocks_of(analysed)
    special = special_blocks(analysed)
    verdicts = [block.verdict for group in (*blocks.values(), *special.values()) for block in group]
    left_out = analysed.left_out.to_dict("records")
    first = first_picture(analysed, [picture["name"] for picture in pictures])
    uri = masked(store)
    return _environment().get_template("page.html").render(
        analysed=analysed,
        loaded=loaded,
        names=analysed.names,
        blocks=blocks,
        judged={mode: group for mode, group in blocks.items() if group},
        special=special,
        tutorial=analysed.tutorial,
        first=first,
        pictures=sorted(pictures, key=lambda picture: picture["name"] != first),
        tables=tables,
        facts=facts_of(analysed),
        rates=rates_of(analysed),
        unpaired=[mode for mode, pairing in analysed.pairings.items() if not len(pairing.a)],
        apart=[mode for mode in analysed.modes[1:] if mode not in analysed.pairings],
        elsewhere=[mode for mode in blocks if by_design(analysed, mode)],
        n_judgements=sum(verdict in STATES for verdict in verdicts),
        codes=Counter(runs["code"]).most_common(),
        places=Counter(zip(runs["numpy"], runs["machine"], strict=True)).most_common(),
        n_copied=int((runs["taken_over"] != "").sum()),
        outcomes=[outcome for outcome in (*OUTCOMES, "failed") if (runs["outcome"] == outcome).any()],
        counts=analysed.counts.to_dict("records"),
        evaluations=_ranges(runs.groupby("mode")["evaluations"]),
        left_out=left_out[:MOST_LISTED],
        n_left_out=len(left_out),
        reasons=Counter((gap["mode"], gap["reason"]) for gap in left_out),
        n_missing=n_missing(analysed),
        complete=loaded.params.get("n_runs") == str(len(runs)) and not (runs["outcome"] == "failed").any(),
        command=command_of(loaded),
        repeat=shlex.join(["python", "-m", "experiments.report", "--store", uri, "--sweep", loaded.name]),
        store=uri,
        tags=_tags(loaded.tags),
        versions=[f"{package} {version(package)}" for package in PACKAGES],
        settings={key: sorted(set(runs[key].dropna())) for key in settings_of(runs)},
    )  # fmt: skip


def render_lines(analysed: Analysis) -> str:
    """What the terminal shows: a line per question, and per mode if there are several."""
    text = _environment(autoescape=False).get_template("terminal.txt")
    blocks = blocks_of(analysed)
    missing = n_missing(analysed)
    return text.render(loaded=analysed.loaded, analysed=analysed, blocks=blocks, n_missing=missing).strip(
        "\n"
    )


def n_missing(analysed: Analysis) -> int:
    """Runs of a finished sweep that are not to be found any more: somebody deleted them or their tags."""
    n_planned = int(analysed.loaded.params.get("n_runs") or 0)
    return max(0, n_planned - len(analysed.runs)) if analysed.loaded.status == "FINISHED" else 0


def facts_of(analysed: Analysis) -> dict[str, int]:
    """What the sweep holds, counted."""
    runs = analysed.runs
    n_pairs = Counter()
    for mode, pairing in analysed.pairings.items():
        n_pairs[by_design(analysed, mode)] += len(pairing.a)
    cells = analysed.estimates[analysed.estimates["scope"] == "cell"]
    return {
        "runs": len(runs),
        "pairs": n_pairs[False],
        "pairs_by_design": n_pairs[True],
        "cells": cells["cell"].nunique(),
        "seeds": runs["seed"].nunique(),
        "shortest": int(runs["n_epochs"].min()),
        "longest": int(runs["n_epochs"].max()),
    }


def _ranges(groups) -> dict[str, tuple[float, float]]:
    """Group -> least and largest value that is known."""
    return dict(zip(groups.groups, zip(groups.min(), groups.max(), strict=True), strict=True))


def _tags(tags: Mapping[str, str]) -> dict[str, str]:
    shown = [key for key in sorted(tags) if not key.startswith("mlflow.") and key not in TOLD_ELSEWHERE]
    return {key: tags[key] for key in shown}


def load_templates() -> None:
    """Compile them, which takes as long as to fill them in, while pictures are drawn."""
    environment = _environment()
    for name in environment.list_templates():
        environment.get_template(name)


@functools.cache
def _environment(autoescape: bool = True):
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=autoescape,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shows = ("number", "percent", "points", "signed", "decades", "depth", "plural", "listed", "tidy", "times")
    environment.filters |= {name: getattr(wording, name) for name in shows}
    environment.filters |= {"date": _date, "line": _line, "sentence": _sentence, "up": _up}
    constants = {"FEWEST": FEWEST, "MOST_LISTED": MOST_LISTED, "MOST_CELLS": MOST_CELLS, "STATES": STATES}
    environment.globals |= constants | {
        "infinity": float("inf"),
        "pairs_without_a_flip": pairs_without_a_flip,
    }
    return environment


def _line(text: str) -> str:
    """Whitespace as in a line of text, whatever the macro that wrote it."""
    return type(text)(" ".join(str(text).split()))


def _sentence(text: str) -> str:
    """A line with a capital at its start."""
    line = str(_line(text))
    return type(text)(line[:1].upper() + line[1:])


def _up(x: float, places: int) -> float:
    """Rounded up: "within" must hold."""
    if math.isinf(x):
        return x
    return math.ceil(x * 10**places - 1e-9) / 10**places


def _date(milliseconds: int | None) -> str:
    if milliseconds is None:
        return "–"
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(milliseconds / 1000))
