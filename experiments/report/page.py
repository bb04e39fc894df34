"""The page of a report: an analysis, its verdicts and pictures, through page.html. All of it is escaped."""

import shlex
import time
from collections import Counter
from importlib.metadata import version
from pathlib import Path

from experiments import wording
from experiments.analysis.analysis import Analysis, analysis, controls
from experiments.analysis.analysis import table as measured
from experiments.report.__main__ import verdicts
from experiments.store import tracking
from experiments.wording import number, plural, tidy
from tinynet.outcomes import OUTCOMES

MOST_LISTED = 12
TOLD = (
    "command",
    "sweep",
    "fingerprint",
)  # tags of a sweep that the page tells elsewhere, or that tell nothing
PACKAGES = ("numpy", "scipy", "pandas", "matplotlib", "mlflow")
REASONS = {
    "missing": "was not run, or not recorded",
    "failed": "failed",
    "duplicate": "is there more than once",
    "no partner": "has no partner that can be used",
    "other start": "began at other weights than its partner",
}


def names(analysed: Analysis) -> dict[str, str]:
    """Mode -> its name in pictures and sentences."""
    from experiments.report.figures.styles import name_of

    return {mode: name_of(mode, analysed.modes) for mode in analysed.modes}


def judge(analysed: Analysis) -> dict[str, list[verdicts.Verdict]]:
    """The verdicts on every mode that is compared with the reference."""
    name, rates, judged = names(analysed), _rates(analysed), {}
    for mode, (*cells, row) in analysed.comparisons.items():
        arms = {arm: name[row[arm]] for arm in "ab"}
        if mode in analysed.own_rate:
            arms = {arm: f"{arms[arm]} at {number(rates[row[arm]])}" for arm in "ab"}
        judged[mode] = verdicts.verdicts(row | arms, cells, analysed.margins)
    return judged


def _rates(analysed: Analysis) -> dict[str, float]:
    """The learning rates of the modes that have one each, where the sweep has several."""
    rates = analysed.runs.groupby("mode")["learning_rate"].unique()
    several = analysed.runs["learning_rate"].nunique() > 1
    return {mode: own[0] for mode, own in rates.items() if several and len(own) == 1}


def render(analysed: Analysis, claim, pictures: list[dict], tables: list[str], store: str) -> str:
    """claim: tutorial.claim's; pictures: name, caption, alt, data, width; tables: names; store: its URI."""
    import jinja2

    sweep, runs, name, judged = analysed.sweep, analysed.runs, names(analysed), judge(analysed)
    left_out, store = analysis.left_out(analysed), tracking.masked(store)
    also = controls.verdicts(analysed, name.__getitem__)
    states = [v.state for of in (*judged.values(), also, claim.verdicts if claim else ()) for v in of]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined, lstrip_blocks=True,
    )  # fmt: skip
    shows = ("number", "percent", "points", "signed", "decades", "plural", "listed")
    environment.filters |= {show: getattr(wording, show) for show in shows} | {"date": _date, "tidy": tidy}
    environment.filters["picture"] = lambda word: next(
        (p["name"] for p in pictures if word in p["name"]), None
    )
    return environment.get_template("page.html").render(
        analysed=analysed, sweep=sweep, claim=claim, pictures=pictures, tables=tables, judged=judged,
        also=also, infinity=float("inf"),
        name=name.__getitem__,
        title=_title(analysed, claim),
        summary=claim.summary if claim else _summary(analysed, judged),
        facts=_facts(analysed),
        codes=Counter(runs["code"]).most_common(),
        n_copied=int((runs["taken_over"] != "").sum()),
        places=Counter(zip(runs["numpy"], runs["machine"], strict=True)).most_common(),
        unpaired=[mode for mode, pairing in analysed.pairings.items() if not len(pairing.a)],
        apart=[mode for mode in analysed.modes[1:] if mode not in analysed.pairings],
        n_judgements=sum(state in verdicts.STATES for state in states),
        rates=_rates(analysed),
        command=analysis.command_of(sweep),
        columns=[*verdicts.TOPICS, "cost"],
        elsewhere={mode for mode in judged if analysis.by_design(runs, mode, analysed.reference)},
        outcomes=[one for one in (*OUTCOMES, "failed") if (runs["outcome"] == one).any()],
        by_cell=measured.modes_by_cell(runs, analysed.cell_keys).to_dict("records"),
        left_out=left_out[:MOST_LISTED],
        n_left_out=len(left_out),
        reasons=Counter((one["mode"], REASONS[one["reason"]]) for one in left_out),
        whole=sweep.params.get("n_runs") == str(len(runs)) and not (runs["outcome"] == "failed").any(),
        repeat=shlex.join(["python", "-m", "experiments.report", "--store", store, "--sweep", sweep.name]),
        store=store,
        tags={k: v for k, v in sorted(sweep.tags.items()) if not k.startswith("mlflow.") and k not in TOLD},
        versions=[f"{package} {version(package)}" for package in PACKAGES],
        settings={key: sorted(set(runs[key].dropna())) for key in measured.settings_of(runs)},
    )  # fmt: skip


def _title(analysed: Analysis, claim) -> str:
    if claim:
        return "Is the tutorial’s second table better because of its gradient?"
    name = names(analysed)
    others = [mode for mode, pairing in analysed.pairings.items() if len(pairing.a)]
    subject = f"the {name[others[0]]} gradient" if len(others) == 1 else f"any of {len(others)} other modes"
    return f"Does training by {subject} end where {name[analysed.reference]} training ends?"


def _summary(analysed: Analysis, judged) -> str:
    name, own = names(analysed), " at its own rate"
    judged = {name[mode] + own * (mode in analysed.own_rate): of for mode, of in judged.items()}
    if len(judged) > 1:
        return verdicts.summary_of_many(name[analysed.reference], judged)
    ((mode, only),) = judged.items()
    return verdicts.summary(mode, name[analysed.reference], only)


def _facts(analysed: Analysis) -> str:
    """What the sweep holds, in a line."""
    runs, n_pairs = analysed.runs, Counter()
    for mode, pairing in analysed.pairings.items():
        n_pairs[analysis.by_design(runs, mode, analysed.reference)] += len(pairing.a)
    unlike = f" and {n_pairs[True]:,} from starts that differ by design" if n_pairs[True] else ""
    shortest, longest = int(runs["n_epochs"].min()), int(runs["n_epochs"].max())
    cells = max(len(rows) - 1 for rows in analysed.comparisons.values())
    return (
        f"{plural(len(runs), 'run')}, {plural(n_pairs[False], 'pair')} from equal starts{unlike}, "
        f"{plural(cells, 'cell')}, {plural(runs['seed'].nunique(), 'seed')}, "
        f"{f'{shortest:,} to ' * (shortest < longest)}{longest:,} epochs."
    )


def _date(milliseconds: int | None) -> str:
    if milliseconds is None:
        return "–"
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(milliseconds / 1000))
