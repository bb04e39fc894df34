"""The report on a sweep: python -m experiments.report [--sweep NAME] [--experiment NAME] [--store URI] ...

MLflow -> analysis -> verdicts, pictures, tables -> reports/<sweep>/, also attached to the sweep's parent run.
All of it follows from the sweep and the arguments, nothing from the clock: the same sweep, the same bytes.
"""

import argparse
import base64
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from experiments.analysis.analysis import Analysis, ReportError, analyse, analysis, tutorial
from experiments.analysis.analysis import table as measured
from experiments.analysis.statistics import Margins
from experiments.report.__main__ import page
from experiments.store import tracking
from experiments.store.address import usual
from experiments.wording import plural

CONFIG = Path(__file__).resolve().parents[2] / "conf" / "report.yaml"
MARGIN = {  # of what, below which value, what is right
    "share": ("share of pairs", 1.0, "a share above 0 and below 1, such as 0.01"),
    "decades": ("decades of depth", float("inf"), "decades above 0, such as 0.1"),
    "epochs": ("epochs to an error", float("inf"), "epochs above 0, such as 1"),
}
LARGEST_SVG = 600_000  # bytes; beyond that the page shows the PNG


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    began = time.perf_counter()
    try:
        margins = _margins(given)
        sweep = tracking.load_sweep(given.store, given.experiment, given.sweep)
        folder = Path(given.output or Path("reports", slug(sweep.name)))
        analysed = analyse(sweep, given.reference, margins)
        with tempfile.TemporaryDirectory() as made:
            write(analysed, given.store, report := Path(made, "report"))
            try:
                shutil.copytree(report, folder, dirs_exist_ok=True)
            except OSError as error:
                several = isinstance(error, shutil.Error)  # of which the first is told
                fault = error.args[0][0][2] if several else error.strerror
                raise ReportError(f"output={folder}: {fault}; give a folder that can be written") from None
            tracking.attach(given.store, sweep.run_id, report)
    except (ReportError, tracking.StoreError) as fault:
        print(fault, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    told, judged = [], page.judge(analysed)
    if sweep.status != "FINISHED":
        told.append(f"the sweep is {sweep.status}: it holds {plural(len(sweep.runs), 'run')} so far")
    for mode, verdicts in judged.items():
        told += [f"{mode} against {analysed.reference}"] if len(judged) > 1 else []
        told += [f"{one.state:>12}  {one.question}  {one.short}" for one in verdicts]
    told.append(f"{folder / 'report.html'} ({time.perf_counter() - began:.1f} s)")
    try:
        print("\n".join(told), flush=True)
    except BrokenPipeError:  # the reader had enough; what is left must not be flushed into the pipe at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser, store = (
        argparse.ArgumentParser("experiments.report", description="Report on a recorded sweep."),
        usual(),
    )
    helps = {
        "store": f"tracking URI ({tracking.masked(store)})".replace("%", "%%"),
        "experiment": "the newest sweep of this experiment; default: the newest of all",
        "sweep": "name or run id of a sweep",
        "output": "folder (reports/<sweep>)",
        "reference": "mode that all others are compared with (analytic, or the first)",
    }
    for name, words in helps.items():
        parser.add_argument(f"--{name}", help=words, default=store if name == "store" else None)
    for name, (what, *_) in MARGIN.items():
        parser.add_argument(
            f"--margin-{name}", type=float, help=f"{what}, too small to matter ({CONFIG.name})"
        )
    return parser


def _margins(given: argparse.Namespace) -> Margins:
    """Those of conf/report.yaml, but for what the command line gives."""
    from omegaconf import OmegaConf

    margins = dict(OmegaConf.load(CONFIG).margins)
    if set(margins) != set(MARGIN):
        raise ReportError(f"{CONFIG.name}: margins of {', '.join(margins)}; give {', '.join(MARGIN)}")
    margins |= {name: value for name in MARGIN if (value := getattr(given, f"margin_{name}")) is not None}
    for name, (_, most, right) in MARGIN.items():
        if isinstance(margins[name], bool | str) or not 0 < margins[name] < most:
            raise ReportError(f"margin-{name}={margins[name]}: give {right}")
    return Margins(**margins)


def slug(name: str) -> str:
    """A file name: nothing that leaves the folder or upsets a shell."""
    return re.sub(r"[^\w.=+-]+", "_", name).strip("._") or "sweep"


def pictures(analysed: Analysis, claim: tutorial.Claim | None) -> list:
    """The pictures that the sweep has something to show in, in the order of the report."""
    from experiments.report.figures.estimators import every_picture
    from experiments.report.figures.view import Sweep

    pairs = {mode: pairing for mode, pairing in analysed.pairings.items()
             if mode not in analysed.own_rate}  # pictures of a cell draw the partners in it  # fmt: skip
    sweep = Sweep(
        analysed.runs,
        analysed.error,
        analysed.reference,
        pairs,
        measured.n_rows(analysed.runs),
        analysed.margins,
    )
    return every_picture(sweep.only((analysed.runs["outcome"] != "failed").to_numpy()), claim)


def write(analysed: Analysis, store: str, folder: Path) -> None:
    """Write report.html, figures/ and tables/ into a folder."""
    import pandas as pd

    claim = tutorial.claim(analysed)
    tables = {
        "comparison": pd.DataFrame([row for rows in analysed.comparisons.values() for row in rows]),
        "modes": measured.modes_by_cell(analysed.runs, analysed.cell_keys),
        "runs": analysed.runs,
        "diagnostics": measured.diagnostics(analysed.sweep),
        "left_out": pd.DataFrame(analysis.left_out(analysed)),
    } | (claim.tables if claim else {})
    (folder / "tables").mkdir(parents=True)
    (folder / "figures").mkdir()
    tables = {name: table for name, table in tables.items() if len(table)}
    for name, table in tables.items():
        table.to_csv(folder / "tables" / f"{name}.csv", index=False)
    drawn = []
    for picture in pictures(analysed, claim):
        png, svg = picture.png(), picture.svg()
        (folder / "figures" / f"{picture.name}.png").write_bytes(png)
        (folder / "figures" / f"{picture.name}.svg").write_bytes(svg)
        kind, shown = ("svg+xml", svg) if len(svg) <= LARGEST_SVG else ("png", png)
        data = f"data:image/{kind};base64,{base64.b64encode(shown).decode()}"
        drawn.append({"name": picture.name, "caption": picture.caption, "alt": picture.alt, "data": data,
                      "width": round(96 * picture.figure.get_figwidth())})  # fmt: skip
    html = page.render(analysed, claim, drawn, list(tables), store)
    (folder / "report.html").write_text(html, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
