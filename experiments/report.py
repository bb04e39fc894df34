"""The report on a sweep: python -m experiments.report [--sweep NAME] [--experiment NAME] [--store URI] ...

MLflow -> analysis -> verdicts, pictures, tables -> reports/<sweep>/, the same attached to the sweep's parent run. All
of it follows from the sweep and the arguments, nothing from the clock: the same sweep gives the same bytes.
"""

import argparse
import base64
import os
import re
import shlex
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from experiments import analysis, tracking, tutorial, verdicts
from experiments.analysis import Analysis, ReportError, analyse
from experiments.comparison import MARGINS, Margins

LARGEST_SVG = 600_000  # bytes; beyond that the page shows the PNG
MOST_LISTED = 12
REASONS = {
    "missing": "was not run, or not recorded",
    "failed": "failed",
    "duplicate": "is there more than once",
    "no partner": "has no partner that can be used",
    "other start": "began at other weights than its partner",
}


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    began = time.perf_counter()
    try:
        margins = _margins(given)
        with ThreadPoolExecutor(1) as beside:
            mlflow = beside.submit(tracking.preload)  # 3 s, to attach the report with
            sweep = tracking.load_sweep(given.store, given.experiment, given.sweep)
            folder = Path(given.output or Path("reports", slug(sweep.name)))
            analysed = analyse(sweep, given.reference, margins)
            with tempfile.TemporaryDirectory() as made:
                write(analysed, given.store, report := Path(made, "report"))
                try:
                    shutil.copytree(report, folder, dirs_exist_ok=True)
                except OSError as error:
                    raise ReportError(f"output={folder}: {error.strerror or error}; give a folder that can be written") from None
                mlflow.result()
                tracking.attach(given.store, sweep.run_id, report)
    except (ReportError, tracking.StoreError) as fault:
        print(fault, file=sys.stderr)
        return 1
    for verdict in (v for judged in judge(analysed).values() for v in judged):
        print(f"{verdict.state:>12}  {verdict.question}  {verdict.short}")
    print(f"{folder / 'report.html'} ({time.perf_counter() - began:.1f} s)")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("experiments.report", description="Report on a recorded sweep.")
    store = os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
    parser.add_argument("--store", default=store, help=f"tracking URI ({tracking.masked(store)})".replace("%", "%%"))
    parser.add_argument("--experiment", help="the newest sweep of this experiment; default: the newest of all")
    parser.add_argument("--sweep", help="name or run id of a sweep")
    parser.add_argument("--output", help="folder (reports/<sweep>)")
    parser.add_argument("--reference", help="mode that all others are compared with (analytic, or the first)")
    parser.add_argument("--margin-share", type=float, default=MARGINS.share, help="of runs, too small to matter (%(default)s)")
    parser.add_argument("--margin-depth", type=float, default=MARGINS.decades, help="decades of depth, likewise (%(default)s)")
    return parser


def _margins(given) -> Margins:
    if not 0 < given.margin_share < 1:
        raise ReportError(f"margin-share={given.margin_share}: give a share above 0 and below 1, such as 0.01")
    if not 0 < given.margin_depth < float("inf"):
        raise ReportError(f"margin-depth={given.margin_depth}: give decades above 0, such as 0.1")
    return MARGINS._replace(share=given.margin_share, decades=given.margin_depth)


def slug(name: str) -> str:
    """A file name: nothing that leaves the folder or upsets a shell."""
    return re.sub(r"[^\w.=+-]+", "_", name).strip("._") or "sweep"


def judge(analysed: Analysis) -> dict[str, list[verdicts.Verdict]]:
    """The verdicts on every mode but the reference."""
    from experiments.figures import name_of

    def named(row):
        return row | {arm: name_of(row[arm], analysed.modes) for arm in "ab"}

    return {
        mode: verdicts.verdicts(named(rows[-1]), rows[:-1], analysed.margins, analysis.PRACTICAL)
        for mode, rows in analysed.comparisons.items()
    }


def pictures(analysed: Analysis) -> list:
    """The pictures that the sweep has something to show in, in the order of the report."""
    from experiments import figures

    finished = (analysed.runs["outcome"] != "failed").to_numpy()
    row = finished.cumsum() - 1
    pairs = {mode: p._replace(a=row[p.a], b=row[p.b]) for mode, p in analysed.pairings.items()}
    online = analysed.sweep.curves.get("online_error")
    sweep = figures.Sweep(
        analysed.runs[finished], analysed.error[:, finished], analysed.reference, pairs,
        None if online is None else online[:, finished],
    )  # fmt: skip
    return figures.pictures(sweep)


def write(analysed: Analysis, store: str, folder: Path) -> None:
    """Write report.html, figures/ and tables/ into a folder."""
    import pandas as pd

    tables = {
        "comparison": pd.DataFrame([row for rows in analysed.comparisons.values() for row in rows]),
        "modes": analysis.modes_by_cell(analysed),
        "runs": analysed.runs,
        "left_out": pd.DataFrame(analysis.left_out(analysed)),
    }
    claim = tutorial.claim(analysed)
    tables |= claim.tables if claim else {}
    (folder / "tables").mkdir(parents=True)
    (folder / "figures").mkdir()
    tables = {name: table for name, table in tables.items() if len(table)}
    for name, table in tables.items():
        table.to_csv(folder / "tables" / f"{name}.csv", index=False)
    drawn = []
    for picture in pictures(analysed):
        png, svg = picture.png(), picture.svg()
        (folder / "figures" / f"{picture.name}.png").write_bytes(png)
        (folder / "figures" / f"{picture.name}.svg").write_bytes(svg)
        kind, shown = ("svg+xml", svg) if len(svg) <= LARGEST_SVG else ("png", png)
        data = f"data:image/{kind};base64,{base64.b64encode(shown).decode()}"
        drawn.append({"name": picture.name, "caption": picture.caption, "alt": picture.alt, "data": data})
    (folder / "report.html").write_text(page(analysed, claim, drawn, list(tables), store), encoding="utf-8")


def page(analysed: Analysis, claim, drawn: list[dict], tables: list[str], store: str) -> str:
    """The page, from page.html; everything in it is escaped."""
    import jinja2

    from experiments.figures import name_of

    sweep, runs = analysed.sweep, analysed.runs
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {name: getattr(verdicts, name) for name in ("number", "percent", "points", "signed", "plural")}
    environment.filters |= {"date": _date, "picture": lambda word: next((p["name"] for p in drawn if word in p["name"]), None)}
    left_out = analysis.left_out(analysed)
    settings = {key: sorted(set(runs[key].dropna()), key=str) for key in analysis.settings_of(runs)}
    settings = {key: sorted(v) if len({type(x) for x in v}) == 1 else v for key, v in settings.items()}
    judged = judge(analysed)
    return environment.get_template("page.html").render(
        sweep=sweep,
        title=title(analysed, claim),
        facts=facts(analysed),
        columns=next(([v.question for v in one] for one in judged.values() if one), []),
        name=lambda mode: name_of(mode, analysed.modes),
        analysed=analysed,
        modes=analysed.modes,
        judged=judged,
        claim=claim,
        pictures=drawn,
        tables=tables,
        notices=notices(analysed),
        left_out=left_out[:MOST_LISTED],
        n_left_out=len(left_out),
        reasons=Counter((one["mode"], REASONS[one["reason"]]) for one in left_out),
        command=analysis.command_of(sweep),
        settings={key: values for key, values in settings.items() if values},
        outcomes=[o for o in (*analysis.outcomes.OUTCOMES, "failed") if (runs["outcome"] == o).any()],
        by_cell=analysis.modes_by_cell(analysed).to_dict("records"),
        store=tracking.masked(store),
        repeat=shlex.join(["python", "-m", "experiments.report", "--store", tracking.masked(store), "--sweep", sweep.name]),
        tags={key: value for key, value in sorted(sweep.tags.items()) if not key.startswith("mlflow.") and key not in ("command", "sweep", "fingerprint")},
    )


def title(analysed: Analysis, claim) -> str:
    from experiments.figures import name_of

    if claim:
        return "Is the tutorial’s second table better because of its gradient?"
    reference, *others = (name_of(mode, analysed.modes) for mode in analysed.modes)
    subject = f"the {others[0]} gradient" if len(others) == 1 else f"any of {len(others)} other modes"
    return f"Does training by {subject} end where {reference} training ends?"


def facts(analysed: Analysis) -> str:
    """What the sweep holds, in a line."""
    runs = analysed.runs
    n_pairs = sum(len(pairing.a) for pairing in analysed.pairings.values())
    epochs = sorted(set(runs["n_epochs"].astype(int)))
    cells = max(len(rows) - 1 for rows in analysed.comparisons.values())
    return (
        f"{verdicts.plural(len(runs), 'run')}, {verdicts.plural(n_pairs, 'pair')} from equal starts, "
        f"{verdicts.plural(cells, 'cell')}, {verdicts.plural(runs['seed'].nunique(), 'seed')}, "
        f"{' to '.join(f'{n:,}' for n in sorted({epochs[0], epochs[-1]}))} epochs."
    )


def _date(milliseconds: int | None) -> str:
    return "–" if milliseconds is None else time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(milliseconds / 1000))


def notices(analysed: Analysis) -> list[str]:
    """What a reader must know before the verdicts."""
    sweep, runs, told = analysed.sweep, analysed.runs, []
    if sweep.status != "FINISHED":
        state = {"RUNNING": "is still running, or was ended without a word"}.get(sweep.status, f"ended as {sweep.status}")
        told.append(f"This sweep {state}: it holds {len(runs):,} runs so far. To go on: {analysis.command_of(sweep)}")
    codes = Counter(runs["code"])
    if len(codes) > 1:
        counts = ", ".join(f"{n:,} runs of {code[:8] or 'unknown'}" for code, n in codes.most_common())
        told.append(f"The runs were computed by different versions of tinynet ({counts}); to compute all by one: "
                    f"{analysis.command_of(sweep)} fresh=true")  # fmt: skip
    for mode in analysed.modes[1:]:
        if analysis.by_design(runs, mode, analysed.reference):
            told.append(f"{mode} starts at other weights than {analysed.reference}, as its name says; its pairs share the seed.")
        if not len(analysed.pairings[mode].a):
            told.append(f"{mode} has no pair with {analysed.reference}, and no verdict.")
    return told


if __name__ == "__main__":
    sys.exit(main())
