"""WHAT FOLLOWS: a loaded sweep becomes tables of numbers, each computed once, in one order.

runs, error -> pairs -> estimates -> what pictures show beyond them (cells, curves, kinks)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING

from experiments.analysis import controls, kinks, table
from experiments.analysis.cells import Cells, cells_of
from experiments.analysis.curves import Curve, Curves, curves_of
from experiments.analysis.estimates import POOL, PRACTICAL, compare, questions
from experiments.analysis.kinks import STEPS
from experiments.analysis.pairs import (
    Paired,
    differ_by_design,
    has_own_rate,
    left_out_table,
    pairing_of,
    settings_of_a_pair,
)
from experiments.analysis.statistics import FEWEST, MARGINS, Margins, pairs_without_a_flip
from experiments.analysis.table import epochs_name, few, settings_of
from experiments.analysis.tutorial import ARMS, EPOCHS, PRINTED, SEARCHED, Tutorial, tutorial
from experiments.hints import again
from experiments.modes import in_order, names_of, parse

if TYPE_CHECKING:
    import pandas as pd

    from experiments.store import Loaded

__all__ = [
    "ARMS", "EPOCHS", "FEWEST", "MARGINS", "POOL", "PRACTICAL", "PRINTED", "SEARCHED", "STEPS",
    "Analysis", "AnalysisError", "Curve", "Margins", "Tutorial", "analyse", "by_design", "command_of",
    "epochs_name", "few", "pairs_without_a_flip", "questions", "settings_of",
]  # fmt: skip

ESTIMATE = (
    "scope",
    "value",
    "low",
    "high",
    "n_pairs",
    "n_seeds",
    "p",
    "margin",
    "verdict",
    "low_judged",
    "high_judged",
)


class AnalysisError(ValueError):
    """Why there can be no report: field, value, and what to do."""


@dataclass(frozen=True)
class Analysis(Paired):
    """A sweep and all that is computed from it.

    estimates: estimates.csv, the source of every verdict; halves and controls: the counts behind it; counts:
    modes.csv. What is None or empty the sweep has not.
    """

    estimates: "pd.DataFrame" = field(repr=False)
    halves: "pd.DataFrame" = field(repr=False)
    controls: "pd.DataFrame"
    counts: "pd.DataFrame" = field(repr=False)
    left_out: "pd.DataFrame"
    diagnostics: "pd.DataFrame" = field(repr=False)
    tutorial: Tutorial | None
    cells: Cells = field(repr=False)
    curves: Curves = field(repr=False)
    creep: kinks.Creep | None = field(repr=False)
    gradient_errors: Mapping | None = field(repr=False)

    def for_pictures(self) -> "Analysis":
        """Without the curves and what was loaded, which no picture reads: small, to be sent to a process."""
        loaded = replace(self.loaded, runs=self.loaded.runs[:0], curves={})
        return replace(self, loaded=loaded, error=self.error[:, :0])

    def estimate(self, mode: str, question: str, cell: str = POOL) -> Mapping | None:
        """The row of estimates, None if there is none."""
        return self._estimates.get((mode, question, cell))

    @cached_property
    def _estimates(self) -> dict[tuple, Mapping]:
        return {(row["mode"], row["question"], row["cell"]): row for row in self.estimates.to_dict("records")}

    def most_apart(self, mode: str) -> Mapping | None:
        """The row of the cell whose depths differ most; of all pairs, where there is one cell."""
        depths = self.estimates[(self.estimates["mode"] == mode) & (self.estimates["question"] == "depth")]
        cells = depths[
            depths["value"].notna() & (depths["scope"] == ("pooled" if len(depths) <= 2 else "cell"))
        ]
        return None if cells.empty else cells.loc[cells["value"].abs().idxmax()].to_dict()


def analyse(
    loaded: "Loaded",
    reference: str | None = None,
    margins: Margins = MARGINS,
    practical: Sequence[float] = PRACTICAL,
) -> Analysis:
    """Pair each mode with the reference (analytic, or what is nearest to it) and compute everything.

    practical: errors that speed is asked to. Raises AnalysisError if nothing can be paired.
    """
    import pandas as pd

    paired = _pair(loaded, reference, margins, practical)
    runs = paired.runs
    rows = []
    halves = []
    for mode in paired.pairings:
        mode_rows, mode_halves = _compare(paired, mode)
        rows += mode_rows
        halves += mode_halves
    control_rows, counts = controls.controls(runs, paired.pairings, paired.reference, margins)
    claim = tutorial(runs, paired.loaded.curves.get("online_error"), margins.decades)
    rows += control_rows
    if claim is not None:
        rows += claim.estimates
    cells = cells_of(paired)
    families = {parse(mode)[0] for mode in paired.drawn_modes}
    are_kinks_the_cause = {"numeric", "hybrid"} <= families
    return Analysis(
        **{part.name: getattr(paired, part.name) for part in fields(paired)},
        estimates=pd.DataFrame(
            rows, columns=["mode", "reference", "question", "cell", *paired.cell_keys, *ESTIMATE]
        ),
        halves=pd.DataFrame(halves),
        controls=pd.DataFrame(counts),
        counts=table.counts_by_cell(runs, paired.cell_keys),
        left_out=left_out_table(runs, paired.pairings, paired.cell_keys),
        diagnostics=table.diagnostics(paired.loaded),
        tutorial=claim,
        cells=cells,
        curves=curves_of(paired, cells),
        creep=kinks.creeping_unit() if are_kinks_the_cause else None,
        gradient_errors=kinks.gradient_errors() if cells.has_many_steps else None,
    )


def _pair(loaded: "Loaded", reference: str | None, margins: Margins, practical: Sequence[float]) -> Paired:
    """As far as pairs."""
    command = again(command_of(loaded))
    n_recorded = len(loaded.runs)
    if n_recorded == 0:
        raise AnalysisError(f"sweep={loaded.name}: no run is recorded yet; go on with `{command}`")
    loaded = table.known_runs(loaded)
    if loaded.runs.empty:
        fault = f"its {n_recorded} runs have lost the tag mode"
        raise AnalysisError(f"sweep={loaded.name}: {fault}; train them anew with `{command} fresh=true`")
    runs, error = table.table_of_runs(loaded, practical)
    modes = _modes(loaded, runs, reference)
    keys = [key for key in settings_of_a_pair(runs) if key != "seed" and runs[key].nunique(dropna=False) > 1]
    keys.sort(key=lambda key: (key != "learning_rate", key != "hidden_size"))
    continued = set(runs["mode"][runs["start"] == "continued"])
    alike = [mode for mode in modes if (mode in continued) == (modes[0] in continued)]  # else tutorial.py
    n_planned = int(loaded.params.get("n_runs") or 0)
    complete = 0 < n_planned <= len(set(zip(runs["pair"], runs["mode"], strict=True)))
    pairings = {mode: pairing_of(runs, mode, modes[0], keys, complete) for mode in alike[1:]}
    if not any(len(pairing.a) for pairing in pairings.values()):
        raise AnalysisError(
            f"sweep={loaded.name}: none of its {len(runs)} runs has a finished partner of mode {modes[0]} "
            f"with the same start; run what is missing with {again}"
        )
    fresh = {mode: " ".join(word for word in mode.split() if word != "continued") for mode in modes}
    counterparts = {fresh[mode] for mode in alike}
    others = [mode for mode in modes if mode not in alike and fresh[mode] in counterparts]
    return Paired(
        loaded=loaded,
        margins=margins,
        practical=tuple(practical),
        runs=runs,
        error=error,
        modes=modes,
        names=names_of(modes),
        cell_keys=keys,
        pairings=pairings,
        own_rate=frozenset(mode for mode in alike[1:] if has_own_rate(runs, mode, modes[0])),
        drawn=(runs["outcome"] != "failed").to_numpy() & ~runs["mode"].isin(others).to_numpy(),
        n_rows=table.n_rows(runs),
    )


def _modes(loaded: "Loaded", runs: "pd.DataFrame", reference: str | None) -> list[str]:
    """The modes of a sweep, the reference first. Raises AnalysisError for one that it does not have."""
    modes = in_order(set(runs["mode"]))
    reference = modes[0] if reference is None else reference
    if reference not in modes:
        close = get_close_matches(reference, modes, 1)
        hint = f"did you mean {close[0]!r}?" if close else f"give one of: {', '.join(modes)}"
        raise AnalysisError(f"reference={reference}: no such mode in sweep {loaded.name}; {hint}")
    if len(modes) < 2:
        raise AnalysisError(
            f"sweep={loaded.name}: its {len(runs)} runs are all of the mode {reference}, "
            "which makes no pair; "
            "run a sweep over two modes, such as gradient=analytic,numeric"
        )
    return in_order(modes, reference)


def _compare(paired: Paired, mode: str) -> tuple[list[dict], list[dict]]:
    """The rows of estimates and halves of a mode, with its name and the settings of each cell."""
    pairing = paired.pairings[mode]
    keys = list(paired.cell_keys)
    a = paired.runs.iloc[pairing.a]
    b = paired.runs.iloc[pairing.b]
    cells = table.cell_names(b, keys)
    settings = dict(zip(cells, b[keys].to_dict("records") if keys else [{}] * len(b), strict=True))
    columns = ({name: half[name].to_numpy() for name in half} for half in (a, b))
    rows, halves = compare(*columns, cells, paired.margins, paired.practical, paired.taus[-1:])
    head = {"mode": mode, "reference": paired.reference}
    rows = [head | settings.get(row["cell"], {}) | row for row in rows]
    return rows, [head | settings.get(half["cell"], {}) | half for half in halves]


def command_of(loaded: "Loaded") -> str:
    """The command that trains what is missing of a sweep: its own, again."""
    return loaded.tags.get("command") or f"python -m experiments.run experiment={loaded.experiment}"


def by_design(analysed: Paired, mode: str) -> bool:
    """Whether a mode's starts differ from those of the reference because it says so."""
    return differ_by_design(analysed.runs, mode, analysed.reference)
