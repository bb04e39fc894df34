"""The page of a report: an analysis, its verdicts and pictures, through page.html. All of it is escaped."""

import shlex
import time
from collections import Counter
from importlib.metadata import version
from pathlib import Path

from experiments import analysis, controls, tracking, verdicts
from experiments.analysis import Analysis
from experiments.outcomes import OUTCOMES

MOST_LISTED = 12
TOLD = (
    "command",
    "sweep",
    "fingerprint",
)  # tags of a sweep that the page has told already, or that tell nothing
REASONS = {
    "missing": "was not run, or not recorded",
    "failed": "failed",
    "duplicate": "is there more than once",
    "no partner": "has no partner that can be used",
    "other start": "began at other weights than its partner",
}


def names(analysed: Analysis) -> dict[str, str]:
    """Mode -> its name in pictures and sentences."""
    from experiments.figures import name_of

    return {mode: name_of(mode, analysed.modes) for mode in analysed.modes}


def judge(analysed: Analysis) -> dict[str, list[verdicts.Verdict]]:
    """The verdicts on every mode that is compared with the reference."""
    name, judged = names(analysed), {}
    for mode, rows in analysed.comparisons.items():
        row = rows[-1] | {arm: name[rows[-1][arm]] for arm in "ab"}
        if mode in analysed.own_rate:
            row |= {arm: f"{row[arm]} at {verdicts.number(_rate(analysed, rows[-1][arm]))}" for arm in "ab"}
        judged[mode] = verdicts.verdicts(row, rows[:-1], analysed.margins, analysis.PRACTICAL)
    return judged


def _rate(analysed: Analysis, mode: str) -> float:
    """The learning rate of a mode that has one."""
    return analysed.runs["learning_rate"][analysed.runs["mode"] == mode].iloc[0]


def _is_apart(analysed: Analysis, mode: str) -> bool:
    """Whether the mode has one learning rate where the sweep has several."""
    runs = analysed.runs
    return runs["learning_rate"].nunique() > runs["learning_rate"][runs["mode"] == mode].nunique() == 1


def render(analysed: Analysis, claim, pictures: list[dict], tables: list[str], store: str) -> str:
    """claim: tutorial.claim's; pictures: name, caption, alt, data, width; tables: names; store: its URI."""
    import jinja2

    sweep, runs, name, judged = analysed.sweep, analysed.runs, names(analysed), judge(analysed)
    left_out, store = analysis.left_out(analysed), tracking.masked(store)
    also = controls.verdicts(analysed, name.__getitem__)
    states = [v.state for of in (*judged.values(), also, claim.verdicts if claim else ()) for v in of]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shows = (
        verdicts.number,
        verdicts.percent,
        verdicts.points,
        verdicts.signed,
        verdicts.decades,
        verdicts.plural,
    )
    environment.filters |= {show.__name__: show for show in shows} | {"date": _date}
    environment.filters["picture"] = lambda word: next(
        (p["name"] for p in pictures if word in p["name"]), None
    )
    return environment.get_template("page.html").render(
        analysed=analysed,
        sweep=sweep,
        claim=claim,
        pictures=pictures,
        tables=tables,
        infinity=float("inf"),
        name=name.__getitem__,
        title=_title(analysed, claim),
        summary=claim.summary if claim else _summary(analysed, judged),
        facts=_facts(analysed),
        notices=notices(analysed),
        judged=judged,
        also=also,
        n_judgements=sum(state in ("equivalent", "different", "unresolved") for state in states),
        rates={mode: _rate(analysed, mode) for mode in judged if _is_apart(analysed, mode)},
        rate=_rate(analysed, analysed.reference),
        columns=[*verdicts.TOPICS, "cost"],
        elsewhere={mode for mode in judged if analysis.by_design(runs, mode, analysed.reference)},
        outcomes=[one for one in (*OUTCOMES, "failed") if (runs["outcome"] == one).any()],
        by_cell=analysis.modes_by_cell(analysed).to_dict("records"),
        left_out=left_out[:MOST_LISTED],
        n_left_out=len(left_out),
        reasons=Counter((one["mode"], REASONS[one["reason"]]) for one in left_out),
        whole=sweep.params.get("n_runs") == str(len(runs)) and not (runs["outcome"] == "failed").any(),
        command=analysis.command_of(sweep),
        repeat=shlex.join(["python", "-m", "experiments.report", "--store", store, "--sweep", sweep.name]),
        store=store,
        tags={k: v for k, v in sorted(sweep.tags.items()) if not k.startswith("mlflow.") and k not in TOLD},
        versions=[
            f"{package} {version(package)}"
            for package in ("numpy", "scipy", "pandas", "matplotlib", "mlflow")
        ],
        settings={key: sorted(set(runs[key].dropna())) for key in analysis.settings_of(runs)},
    )


def _title(analysed: Analysis, claim) -> str:
    if claim:
        return "Is the tutorial’s second table better because of its gradient?"
    name = names(analysed)
    others = [mode for mode, pairing in analysed.pairings.items() if len(pairing.a)]
    subject = f"the {name[others[0]]} gradient" if len(others) == 1 else f"any of {len(others)} other modes"
    return f"Does training by {subject} end where {name[analysed.reference]} training ends?"


def _summary(analysed: Analysis, judged) -> str:
    name = names(analysed)
    own = " at its own rate"
    judged = {name[mode] + own * (mode in analysed.own_rate): of for mode, of in judged.items()}
    if len(judged) > 1:
        return verdicts.summary_of_many(name[analysed.reference], judged)
    ((mode, only),) = judged.items()
    return verdicts.summary(mode, name[analysed.reference], only)


def _facts(analysed: Analysis) -> str:
    """What the sweep holds, in a line."""
    runs = analysed.runs
    moved = {m for m in analysed.pairings if analysis.by_design(runs, m, analysed.reference)}
    n_pairs, n_moved = (
        sum(len(pairing.a) for mode, pairing in analysed.pairings.items() if (mode in moved) == of)
        for of in (False, True)
    )
    unlike = f" and {n_moved:,} from starts that differ by design" if n_moved else ""
    epochs = sorted(set(runs["n_epochs"].astype(int)))
    cells = max(len(rows) - 1 for rows in analysed.comparisons.values())
    return (
        f"{verdicts.plural(len(runs), 'run')}, {verdicts.plural(n_pairs, 'pair')} from equal starts{unlike}, "
        f"{verdicts.plural(cells, 'cell')}, {verdicts.plural(runs['seed'].nunique(), 'seed')}, "
        f"{' to '.join(f'{n:,}' for n in sorted({epochs[0], epochs[-1]}))} epochs."
    )


def _date(milliseconds: int | None) -> str:
    return (
        "–"
        if milliseconds is None
        else time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(milliseconds / 1000))
    )


def notices(analysed: Analysis) -> list[str]:
    """What a reader must know before the verdicts."""
    sweep, runs, told = analysed.sweep, analysed.runs, []
    if sweep.status != "FINISHED":
        state = {"RUNNING": "is still running, or was ended without a word"}.get(
            sweep.status, f"ended as {sweep.status}"
        )
        told.append(
            f"This sweep {state}: it holds {len(runs):,} runs so far. To go on: {analysis.command_of(sweep)}"
        )
    codes = Counter(runs["code"])
    if len(codes) > 1:
        counts = ", ".join(f"{n:,} runs of {code[:8] or 'unknown'}" for code, n in codes.most_common())
        told.append(
            f"The runs were computed by different versions of tinynet ({counts}); to compute all by one: "
            f"{analysis.command_of(sweep)} fresh=true"
        )
    for mode, pairing in analysed.pairings.items():
        if not len(pairing.a):
            told.append(f"{mode} has no pair with {analysed.reference}, and no verdict.")
    apart = [mode for mode in analysed.modes[1:] if mode not in analysed.pairings]
    if apart:
        told.append(
            f"{verdicts.listed(apart)}: no pair with {analysed.reference}: one is trained from "
            "fresh weights, one goes on from those that n_epochs of the numeric mode had trained. Epochs of "
            "a continued run are counted from there."
        )
    if not analysed.reference.startswith("analytic"):
        reference = f"the reference, {analysed.reference}, is an approximation"
        told.append(f"This sweep has no analytic mode: {reference}.")
    return told
