"""The report on a sweep: python -m experiments.report [--sweep NAME] [--experiment NAME] [--store URI] ...

MLflow -> analysis -> verdicts, pictures, tables -> reports/<sweep>/, also attached to the sweep's parent run.
All of it follows from the sweep and the arguments, nothing from the clock: the same sweep, the same bytes.
"""

import argparse
import base64
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from experiments import analysis, measured, page, tracking, tutorial
from experiments.analysis import Analysis, ReportError, analyse
from experiments.comparison import Margins
from experiments.stores import usual

CONFIG = Path(__file__).resolve().parent.parent / "conf" / "report.yaml"
MARGIN = {"share": "share of pairs", "decades": "decades of depth", "epochs": "epochs to an error"}
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
                fault = getattr(error, "strerror", None) or error
                raise ReportError(f"output={folder}: {fault}; give a folder that can be written") from None
            tracking.attach(given.store, sweep.run_id, report)
    except (ReportError, tracking.StoreError) as fault:
        print(fault, file=sys.stderr)
        return 1
    judged = page.judge(analysed)
    for mode, of_mode in judged.items():
        if len(judged) > 1:
            print(f"{mode} against {analysed.reference}")
        for verdict in of_mode:
            print(f"{verdict.state:>12}  {verdict.question}  {verdict.short}")
    print(f"{folder / 'report.html'} ({time.perf_counter() - began:.1f} s)")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("experiments.report", description="Report on a recorded sweep.")
    store = usual()
    parser.add_argument(
        "--store", default=store, help=f"tracking URI ({tracking.masked(store)})".replace("%", "%%")
    )
    parser.add_argument(
        "--experiment", help="the newest sweep of this experiment; default: the newest of all"
    )
    parser.add_argument("--sweep", help="name or run id of a sweep")
    parser.add_argument("--output", help="folder (reports/<sweep>)")
    parser.add_argument("--reference", help="mode that all others are compared with (analytic, or the first)")
    for name, what in MARGIN.items():
        parser.add_argument(
            f"--margin-{name}", type=float, help=f"{what}, too small to matter ({CONFIG.name})"
        )
    return parser


def _margins(given) -> Margins:
    """Those of conf/report.yaml, but for what the command line gives."""
    from omegaconf import OmegaConf

    margins = dict(OmegaConf.load(CONFIG).margins)
    if set(margins) != set(MARGIN):
        raise ReportError(f"{CONFIG.name}: margins of {', '.join(margins)}; give {', '.join(MARGIN)}")
    margins |= {n: value for n in MARGIN if (value := getattr(given, f"margin_{n}")) is not None}
    for name, value in margins.items():
        most = 1 if name == "share" else float("inf")
        if isinstance(value, bool | str) or not 0 < value < most:
            such = {
                "share": "a share above 0 and below 1, such as 0.01",
                "decades": "decades above 0, such as 0.1",
            }
            raise ReportError(f"margin-{name}={value}: give {such.get(name, 'epochs above 0, such as 1')}")
    return Margins(**margins)


def slug(name: str) -> str:
    """A file name: nothing that leaves the folder or upsets a shell."""
    return re.sub(r"[^\w.=+-]+", "_", name).strip("._") or "sweep"


def pictures(analysed: Analysis) -> list:
    """The pictures that the sweep has something to show in, in the order of the report."""
    from experiments import figures

    finished = (analysed.runs["outcome"] != "failed").to_numpy()
    row = finished.cumsum() - 1
    pairs = {
        mode: p._replace(a=row[p.a], b=row[p.b])
        for mode, p in analysed.pairings.items()
        if mode not in analysed.own_rate  # pictures of a cell draw the partners in it
    }
    online = analysed.sweep.curves.get("online_error")
    sweep = figures.Sweep(
        analysed.runs[finished], analysed.error[:, finished], analysed.reference, pairs,
        None if online is None else online[1:, finished],  # nothing stands at epoch 0
        measured.n_rows(analysed.runs),
    )  # fmt: skip
    return figures.pictures(sweep)


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
    for picture in pictures(analysed):
        files = {"png": picture.png(), "svg": picture.svg()}
        for kind, content in files.items():
            (folder / "figures" / f"{picture.name}.{kind}").write_bytes(content)
        kind, shown = ("svg+xml", "svg") if len(files["svg"]) <= LARGEST_SVG else ("png", "png")
        drawn.append({
            "name": picture.name, "caption": picture.caption, "alt": picture.alt,
            "data": f"data:image/{kind};base64,{base64.b64encode(files[shown]).decode()}",
            "width": round(96 * picture.figure.get_figwidth()),
        })  # fmt: skip
    html = page.render(analysed, claim, drawn, list(tables), store)
    (folder / "report.html").write_text(html, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
