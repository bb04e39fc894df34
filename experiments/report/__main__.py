"""The report on a sweep: python -m experiments.report [--sweep NAME] [--experiment NAME] [--store URI] ...

Loaded -> Analysis -> Pictures -> page, into reports/<sweep>/, also attached to the sweep's parent run. It all
follows from the sweep and the arguments, nothing from the clock: the same sweep, the same bytes.
"""

import argparse
import base64
import gc
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from experiments.analysis import Analysis, AnalysisError, Margins, analyse
from experiments.entrance import Arguments, enter, print_to_nobody
from experiments.report import folder
from experiments.report.folder import ReportError
from experiments.report.page import load_templates, render, render_lines
from experiments.store import StoreError, attach, load_sweep, masked, usual
from experiments.wording import plural

CONFIG = Path(__file__).resolve().parents[2] / "conf" / "report.yaml"
MARGINS = {  # of what, below which value, what is right
    "share": ("share of pairs", 1.0, "a share above 0 and below 1, such as 0.01"),
    "decades": ("decades of depth", float("inf"), "decades above 0, such as 0.1"),
    "epochs": ("epochs to an error", float("inf"), "epochs above 0, such as 1"),
    "ratio": ("share of a late error", 1.0, "a share above 0 and below 1, such as 0.01"),
}
LARGEST_SVG = 600_000  # bytes; beyond that the page shows the PNG


def main(arguments: Sequence[str] | None = None) -> int:
    from experiments.report.figures import studio

    given = _parser().parse_args(arguments)
    began = time.perf_counter()
    try:
        margins, practical = _settings(given)
        _say(f"reading {masked(given.store)} …")
        with studio() as draw, tempfile.TemporaryDirectory() as made:
            loaded = load_sweep(given.store, given.experiment, given.sweep)
            output = Path(given.output or Path("reports", folder.slug(loaded.name)))
            folder.check(output)
            _say(f"comparing {plural(len(loaded.runs), 'run')} of {loaded.name} …")
            analysed = analyse(loaded, given.reference, margins, practical)
            report = Path(made, "report")
            write(analysed, given.store, report, draw)
            folder.place(report, output)
            _attach(given.store, loaded.run_id, report)
    except (AnalysisError, ReportError, StoreError) as fault:
        print(fault, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    seconds = time.perf_counter() - began
    _say(f"{render_lines(analysed)}\n{shlex.quote(str(output / 'report.html'))} ({seconds:.1f} s)")
    return 0


def _attach(store: str, run_id: str, report: Path) -> None:
    """To the sweep in MLflow, too; where that can't be, the report is there all the same."""
    try:
        attach(store, run_id, report)
    except StoreError as fault:
        print(f"the report is not attached to the sweep in MLflow: {fault}", file=sys.stderr)


def _say(text: str) -> None:
    try:
        print(text, flush=True)
    except OSError:  # the reader had enough, or a disk is full; the report goes to files
        print_to_nobody()


def _parser() -> Arguments:
    parser = Arguments("experiments.report", description="Report on a recorded sweep.")
    helps = {
        "store": f"tracking URI ({masked(usual())})".replace("%", "%%"),
        "experiment": "the newest sweep of this experiment; default: the newest of all",
        "sweep": "name or run id of a sweep",
        "output": "folder (reports/<sweep>)",
        "reference": "mode that all others are compared with (analytic, or the first)",
    }
    for name, meaning in helps.items():
        parser.add_argument(f"--{name}", help=meaning, default=usual() if name == "store" else None)
    for name, (what, *_) in MARGINS.items():
        meaning = f"{what}, too small to matter ({CONFIG.name})"
        parser.add_argument(f"--margin-{name}", type=float, help=meaning)
    return parser


def _settings(given: argparse.Namespace) -> tuple[Margins, list[float]]:
    """Margins and practical errors: those of conf/report.yaml, but for what the command line gives."""
    config = _config()
    margins = config.get("margins")
    if not isinstance(margins, dict) or set(margins) != set(MARGINS):
        raise ReportError(f"{CONFIG.name}: margins={margins}; give {', '.join(MARGINS)}")
    for name, (_, most, right) in MARGINS.items():
        value = getattr(given, f"margin_{name}")
        margins[name] = margins[name] if value is None else value
        if not _is_number(margins[name]) or not 0 < margins[name] < most:
            raise ReportError(f"margin-{name}={margins[name]!r}: give {right}")
    practical = config.get("practical_errors")
    errors = practical if isinstance(practical, list) else []
    if not errors or not all(_is_number(error) and error > 0 for error in errors):
        raise ReportError(
            f"{CONFIG.name}: practical_errors={practical}; give errors above 0, such as [1e-3, 1e-6]"
        )
    return Margins(**margins), sorted(set(practical), reverse=True)


def _config() -> dict:
    """conf/report.yaml. Raises ReportError where it is no table of what a report takes."""
    from omegaconf import OmegaConf
    from yaml import YAMLError

    keys = ("margins", "practical_errors")
    try:
        config = OmegaConf.to_container(OmegaConf.load(CONFIG))
    except (OSError, YAMLError) as error:
        raise ReportError(
            f"{CONFIG.name}: {' '.join(str(error).split())}; give {' and '.join(keys)}"
        ) from None
    if not isinstance(config, dict) or not set(config) <= set(keys):
        raise ReportError(f"{CONFIG.name}: {config}; give {' and '.join(keys)} and nothing else")
    return config


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value < float("inf")


def write(analysed: Analysis, store: str, report: Path, draw: Callable[[Analysis], list]) -> None:
    """Write report.html, figures/ and tables/ into a new folder. draw: what figures.studio gives."""
    _say("drawing …")
    with ThreadPoolExecutor(1) as pool:
        drawing = pool.submit(draw, analysed.for_pictures())  # by other processes, where there are some
        tables = tables_of(analysed)
        (report / "tables").mkdir(parents=True)
        for name, table in tables.items():
            table.to_csv(report / "tables" / f"{name}.csv", index=False)
        load_templates()
        pictures = drawing.result()
    shown = _written(pictures, report / "figures")
    html = render(analysed, shown, list(tables), store)
    (report / "report.html").write_text(html, encoding="utf-8")


def tables_of(analysed: Analysis) -> dict:
    """Name -> table, of those that hold anything."""
    tables = {
        "estimates": analysed.estimates,
        "halves": analysed.halves,
        "modes": analysed.counts,
        "runs": analysed.runs,
        "controls": analysed.controls,
        "diagnostics": analysed.diagnostics,
        "left_out": analysed.left_out,
    }
    if analysed.tutorial is not None:
        tables |= {"tutorial": analysed.tutorial.table, "tutorial_seeds": analysed.tutorial.gaps}
    return {name: table for name, table in tables.items() if len(table)}


def _written(pictures: list, figures: Path) -> list[dict]:
    """Write the pictures' files; give what the page needs of each."""
    figures.mkdir()
    shown = []
    for picture in pictures:
        (figures / f"{picture.name}.png").write_bytes(picture.png)
        (figures / f"{picture.name}.svg").write_bytes(picture.svg)
        small = len(picture.svg) <= LARGEST_SVG
        kind, content = ("svg+xml", picture.svg) if small else ("png", picture.png)
        data = f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
        shown.append({"name": picture.name, "alt": picture.alt, "data": data, "width": picture.width})
    return shown


if __name__ == "__main__":
    enter()
    gc.disable()  # a report makes few cycles, and to look for them takes 0.1 s
    sys.exit(main())
