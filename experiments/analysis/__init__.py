"""WHAT FOLLOWS: a loaded sweep becomes tables of numbers, each computed once, in one order.

runs, error -> pairs -> estimates -> what pictures show beyond them (cells, curves, kinks)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from experiments.analysis import controls, kinks, table
from experiments.analysis.cells import Cells, cells_of, few
from experiments.analysis.curves import Curve, Curves, curves_of
from experiments.analysis.estimates import POOL, PRACTICAL, compare, questions
from experiments.analysis.kinks import STEPS
from experiments.analysis.pairs import (
    Pairing,
    differ_by_design,
    has_own_rate,
    left_out_table,
    pairing_of,
    settings_of_a_pair,
)
from experiments.analysis.statistics import FEWEST, MARGINS, Margins, pairs_without_a_flip
from experiments.analysis.table import epochs_name, settings_of
from experiments.analysis.tutorial import ARMS, EPOCHS, PRINTED, SEARCHED, Tutorial, tutorial
from experiments.modes import in_order, names_of, parse
from tinynet.outcomes import lift

if TYPE_CHECKING:
    import pandas as pd

    from experiments.store import Loaded

__all__ = [
    "ARMS", "EPOCHS", "FEWEST", "MARGINS", "POOL", "PRACTICAL", "PRINTED", "SEARCHED", "STEPS",
    "Analysis", "AnalysisError", "Curve", "Margins", "Tutorial", "analyse", "by_design", "command_of",
    "epochs_name", "few", "pairs_without_a_flip", "questions", "settings_of",
]  # fmt: skip

DEEPEST = 1e-15  # the error beyond the practical ones that precision is drawn to
MOST_MODES = 11  # in one picture; captions say what is left out


class AnalysisError(ValueError):
    """Why there can be no report: field, value, and what to do."""


@dataclass(frozen=True)
class Analysis:
    """A sweep and all that is computed from it.

    runs: a row per run, as in runs.csv; error (n_epochs + 1, n_runs): its columns are the rows of runs, and
    n_epochs is that of the longest. estimates: estimates.csv, the source of every verdict; halves: the
    counts behind it. drawn (n_runs,): the runs that pictures show: not failed, not going on from trained
    weights where their mode also starts afresh.
    """

    loaded: "Loaded"
    margins: Margins
    practical: Sequence[float]
    runs: "pd.DataFrame"
    error: np.ndarray = field(repr=False)
    modes: list[str]  # the reference first
    names: Mapping[str, str]  # mode -> its name for people
    cell_keys: list[str]  # settings that vary between cells
    pairings: Mapping[str, Pairing]
    own_rate: frozenset[str]  # modes at a learning rate of their own, paired with the reference all the same
    drawn: np.ndarray
    n_rows: int | None  # of the problem, None if unknown
    estimates: "pd.DataFrame" = None
    halves: "pd.DataFrame" = None
    controls: "pd.DataFrame" = None
    counts: "pd.DataFrame" = None  # modes.csv
    left_out: "pd.DataFrame" = None
    diagnostics: "pd.DataFrame" = None
    tutorial: Tutorial | None = None
    cells: Cells = None
    curves: Curves = None
    creep: kinks.Creep | None = None
    gradient_errors: Mapping | None = None

    @property
    def reference(self) -> str:
        return self.modes[0]

    @property
    def taus(self) -> list[float]:
        """The errors that speed is told to."""
        return [*self.practical, DEEPEST]

    @property
    def n_epochs(self) -> int:
        return len(self.error) - 1

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

    # --- what pictures read: rows of runs, all of them drawn -------------------------------------------

    def column(self, name: str) -> np.ndarray:
        return self.runs[name].to_numpy()

    def values(self, name: str) -> list:
        """The values of a setting among the drawn runs."""
        return sorted(set(self.column(name)[self.drawn].tolist()))

    @cached_property
    def drawn_modes(self) -> list[str]:
        present = set(self.column("mode")[self.drawn])
        return [mode for mode in self.modes if mode in present]

    @cached_property
    def shown(self) -> list[str]:
        """Of these, as many as one picture takes."""
        return few(self.drawn_modes, MOST_MODES)

    @cached_property
    def others(self) -> list[str]:
        """The modes shown that have pairs with the reference at its own learning rates."""
        paired = [mode for mode in self.shown if mode in self.pairings and mode not in self.own_rate]
        return [mode for mode in paired if len(self.matched(mode)[0])]

    @cached_property
    def converged(self) -> np.ndarray:
        return self.column("outcome") == "converged"

    @cached_property
    def final(self) -> np.ndarray:
        """log10 of the final error, lifted to eps²; inf for runs that diverged."""
        error = self.column("final_error").astype(float)
        lost = ~np.isfinite(error) | (self.column("outcome") == "diverged")
        return np.log10(lift(np.where(lost, np.inf, error)))

    @cached_property
    def converged_error(self) -> float | None:
        """The error below which runs have converged, if it is one for all."""
        below = set(self.column("converged_error").tolist())
        return below.pop() if len(below) == 1 else None

    def cell(self, learning_rate: float, hidden_size: int) -> np.ndarray:
        """Its runs, a mask."""
        return (self.column("learning_rate") == learning_rate) & (self.column("hidden_size") == hidden_size)

    def rows(self, mode: str, mask: np.ndarray | bool = True) -> np.ndarray:
        """The mode's runs in a mask."""
        return np.flatnonzero((self.column("mode") == mode) & self.drawn & mask)

    def matched(self, mode: str, mask: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the mode and of the reference, pair by pair, of the runs in a mask."""
        a, b = self.pairings[mode].a, self.pairings[mode].b
        keep = self.drawn[a] & self.drawn[b]
        if mask is not None:
            keep = keep & mask[a]
        return a[keep], b[keep]

    def both(self, mode: str, mask: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Of these the pairs in which both converge."""
        a, b = self.matched(mode, mask)
        keep = self.converged[a] & self.converged[b]
        return a[keep], b[keep]

    @cached_property
    def none_converges(self) -> bool:
        if self.others:
            return not any(len(self.both(mode)[0]) for mode in self.others)
        return not self.converged[self.drawn].any()


def analyse(
    loaded: "Loaded",
    reference: str | None = None,
    margins: Margins = MARGINS,
    practical: Sequence[float] = PRACTICAL,
) -> Analysis:
    """Pair each mode with the reference (analytic, or what is nearest to it) and compute everything.

    practical: errors that speed is asked to. Raises AnalysisError if nothing can be paired.
    """
    paired = _pair(loaded, reference, margins, practical)
    runs = paired.runs
    rows, halves = [], []
    for mode in paired.pairings:
        mode_rows, mode_halves = _compare(paired, mode)
        rows += mode_rows
        halves += mode_halves
    control_rows, counts = controls.controls(runs, paired.pairings, paired.reference, margins)
    claim = tutorial(runs, loaded.curves.get("online_error"), margins.decades)
    rows += control_rows
    if claim is not None:
        rows += claim.estimates
    return _with_tables(paired, rows, halves, counts, claim)


def _with_tables(paired: Analysis, rows, halves, counts, claim: Tutorial | None) -> Analysis:
    import pandas as pd

    head = ["mode", "reference", "question", "cell", *paired.cell_keys, "scope"]
    tail = ["value", "low", "high", "n_pairs", "n_seeds", "p", "margin", "verdict"]
    tail += ["low_judged", "high_judged"]
    analysed = replace(
        paired,
        estimates=pd.DataFrame(rows, columns=head + tail),
        halves=pd.DataFrame(halves),
        controls=pd.DataFrame(counts),
        counts=table.counts_by_cell(paired.runs, paired.cell_keys),
        left_out=left_out_table(paired.runs, paired.pairings, paired.cell_keys),
        diagnostics=table.diagnostics(paired.loaded),
        tutorial=claim,
    )
    families = {parse(mode)[0] for mode in analysed.drawn_modes}
    are_kinks_the_cause = {"numeric", "hybrid"} <= families
    analysed = replace(analysed, cells=cells_of(analysed))
    return replace(
        analysed,
        curves=curves_of(analysed),
        creep=kinks.creeping_unit() if are_kinks_the_cause else None,
        gradient_errors=kinks.gradient_errors() if analysed.cells.has_many_steps else None,
    )


def _pair(loaded: "Loaded", reference: str | None, margins: Margins, practical: Sequence[float]) -> Analysis:
    """The analysis as far as pairs."""
    again = f"`{command_of(loaded)}`"
    if loaded.runs.empty:
        raise AnalysisError(f"sweep={loaded.name}: no run is recorded yet; go on with {again}")
    runs, error = table.table_of_runs(loaded, (*practical, DEEPEST))
    modes = _modes(loaded, runs, reference)
    keys = [key for key in settings_of_a_pair(runs) if key != "seed" and runs[key].nunique(dropna=False) > 1]
    keys.sort(key=lambda key: (key != "learning_rate", key != "hidden_size"))
    continued = set(runs["mode"][runs["start"] == "continued"])
    alike = [mode for mode in modes[1:] if (mode in continued) == (modes[0] in continued)]  # else tutorial.py
    n_planned = int(loaded.params.get("n_runs") or 0)
    complete = 0 < n_planned <= len(set(zip(runs["pair"], runs["mode"], strict=True)))
    pairings = {mode: pairing_of(runs, mode, modes[0], keys, complete) for mode in alike}
    if not any(len(pairing.a) for pairing in pairings.values()):
        raise AnalysisError(
            f"sweep={loaded.name}: none of its {len(runs)} runs has a finished partner of mode {modes[0]} "
            f"with the same start; run what is missing with {again}"
        )
    fresh = {mode: " ".join(word for word in mode.split() if word != "continued") for mode in modes}
    later = [mode for mode in modes[1:] if fresh[mode] != mode and fresh[mode] in modes]
    return Analysis(
        loaded=loaded,
        margins=margins,
        practical=tuple(practical),
        runs=runs,
        error=error,
        modes=modes,
        names=names_of(modes),
        cell_keys=keys,
        pairings=pairings,
        own_rate=frozenset(mode for mode in alike if has_own_rate(runs, mode, modes[0])),
        drawn=(runs["outcome"] != "failed").to_numpy() & ~runs["mode"].isin(later).to_numpy(),
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


def _compare(paired: Analysis, mode: str) -> tuple[list[dict], list[dict]]:
    """The rows of estimates and halves of a mode, with its name and the settings of each cell."""
    pairing = paired.pairings[mode]
    keys = list(paired.cell_keys)
    a = paired.runs.iloc[pairing.a]
    b = paired.runs.iloc[pairing.b]
    cells = table.cell_names(b, keys)
    settings = dict(zip(cells, b[keys].to_dict("records") if keys else [{}] * len(b), strict=True))
    columns = ({name: half[name].to_numpy() for name in half} for half in (a, b))
    rows, halves = compare(*columns, cells, paired.margins, paired.practical, (DEEPEST,))
    head = {"mode": mode, "reference": paired.reference}
    rows = [head | settings.get(row["cell"], {}) | row for row in rows]
    return rows, [head | settings.get(half["cell"], {}) | half for half in halves]


def command_of(loaded: "Loaded") -> str:
    """The command that trains what is missing of a sweep: its own, again."""
    return loaded.tags.get("command") or f"python -m experiments.run experiment={loaded.experiment}"


def by_design(analysed: Analysis, mode: str) -> bool:
    """Whether a mode's starts differ from those of the reference because it says so."""
    return differ_by_design(analysed.runs, mode, analysed.reference)
