"""A sweep as its pictures read it: runs, cells, pairs, names."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from experiments.analysis.pairs import Pairing
from experiments.analysis.statistics import FEWEST, MARGINS, Margins, lift
from experiments.report.figures.styles import Style, in_order, name_of, style_of
from experiments.wording import listed, plural

MOST_MODES, MOST_VALUES = 11, 6  # in one picture; captions say what is left out


@dataclass(frozen=True)
class Sweep:
    """The runs of a sweep.

    runs: a table with a row per run and columns mode, learning_rate, hidden_size, seed, outcome, final_error
    (not finite for runs that diverged) and, if known, evaluations, seconds, n_params; error
    (n_epochs + 1, n_runs) in the order of its rows, NaN where nothing was recorded; pairs:
    pairs.pair_up(runs, mode, reference) by mode; n_rows of the problem, None if unknown.
    """

    runs: Mapping[str, Sequence]
    error: np.ndarray
    reference: str
    pairs: Mapping[str, Pairing]
    n_rows: int | None = 4
    margins: Margins = MARGINS
    omitted: str = ""  # what is not in it, for captions

    def only(self, keep: np.ndarray, omitted: str = "") -> "Sweep":
        """With the runs of a mask."""
        row, of = keep.cumsum() - 1, {mode: keep[p.a] & keep[p.b] for mode, p in self.pairs.items()}
        pairs = {m: p._replace(a=row[p.a[of[m]]], b=row[p.b[of[m]]]) for m, p in self.pairs.items()}
        runs = {name: self.column(name)[keep] for name in self.runs}
        return replace(self, runs=runs, error=self.error[:, keep], pairs=pairs, omitted=omitted)

    def fresh(self) -> "Sweep":
        """Without arms that go on from trained weights, where the mode also has a fresh one."""
        own = {mode: " ".join(w for w in mode.split() if w != "continued") for mode in self.modes}
        later = [m for m in self.modes if own[m] != m and own[m] in own and m != self.reference]
        told = f" Not drawn: {listed([*map(self.name, later)])}, whose epochs go on from trained weights."
        return self.only(~np.isin(self.column("mode"), later), told * bool(later))

    def column(self, name: str) -> np.ndarray:
        return np.asarray(self.runs[name])

    def values(self, name: str) -> list:
        return sorted(set(self.column(name).tolist()))

    @functools.cached_property
    def modes(self) -> list[str]:
        return in_order(self.values("mode"), self.reference)

    @functools.cached_property
    def shown(self) -> list[str]:
        return few(self.modes, MOST_MODES)

    @functools.cached_property
    def others(self) -> list[str]:
        """The modes shown that have pairs with the reference."""
        return [mode for mode in self.shown if mode in self.pairs and len(self.pairs[mode].a)]

    @functools.cached_property
    def n_epochs(self) -> int:
        return len(self.error) - 1

    @property
    def few_epochs(self) -> np.ndarray:
        """At most 161 of them, evenly spaced by their logarithm."""
        epochs = np.geomspace(1, max(1, self.n_epochs), 161).round().astype(int)
        return np.unique(epochs.clip(max=self.n_epochs))

    @functools.cached_property
    def converged(self) -> np.ndarray:
        return self.column("outcome") == "converged"

    @functools.cached_property
    def final(self) -> np.ndarray:
        """log10 of the final error, lifted to eps²; inf for runs that diverged."""
        error = self.column("final_error").astype(float)
        lost = ~np.isfinite(error) | (self.column("outcome") == "diverged")
        return np.log10(lift(np.where(lost, np.inf, error)))

    def grid(self) -> tuple[list, list]:
        """The learning rates and hidden sizes that are drawn."""
        return few(self.values("learning_rate"), MOST_VALUES), few(self.values("hidden_size"), MOST_VALUES)

    def cell(self, learning_rate: float, hidden_size: int) -> np.ndarray:
        """Its runs, a mask."""
        return (self.column("learning_rate") == learning_rate) & (self.column("hidden_size") == hidden_size)

    def cells(self) -> dict[tuple, np.ndarray]:
        """All that hold runs."""
        pairs = ((r, s) for r in self.values("learning_rate") for s in self.values("hidden_size"))
        return {pair: of for pair in pairs if (of := self.cell(*pair)).any()}

    def main_cell(self) -> tuple[float, int]:
        """The tutorial's if it is there and converges, else the one with most converged runs."""
        counts = {pair: int((of & self.converged).sum()) for pair, of in self.cells().items()}
        return (0.1, 4) if counts.get((0.1, 4)) else max(counts, key=counts.get)

    def rows(self, mode: str, of: np.ndarray | bool = True) -> np.ndarray:
        """Those of the mode's runs in the mask `of`."""
        return np.flatnonzero((self.column("mode") == mode) & of)

    def matched(self, mode: str, of: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the mode and of the reference, pair by pair, of the runs in the mask `of`."""
        a, b = self.pairs[mode].a, self.pairs[mode].b
        return (a, b) if of is None else (a[of[a]], b[of[a]])

    def both(self, mode: str, of: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Of these the pairs in which both converge."""
        a, b = self.matched(mode, of)
        keep = self.converged[a] & self.converged[b]
        return a[keep], b[keep]

    @functools.cached_property
    def none_converges(self) -> bool:
        both = any(len(self.both(mode)[0]) for mode in self.others)
        return not both if self.others else not self.converged.any()

    def typical(self, mode: str, of: np.ndarray) -> np.ndarray:
        """The runs whose median is drawn: halves of pairs in which both converge, or all if none do."""
        if self.none_converges:
            return self.rows(mode, of)
        if mode in self.others:
            return self.both(mode, of)[0]
        if mode == self.reference and self.others:
            return np.unique(np.concatenate([self.both(other, of)[1] for other in self.others]))
        return self.rows(mode, of & self.converged)

    def quartiles(self, rows: np.ndarray, epochs: np.ndarray) -> np.ndarray:
        """Of the error of runs at some epochs, by its logarithm, (3, n_epochs); NaN where not finite."""
        if not len(rows):
            return np.full((3, len(epochs)), np.nan)
        error = self.error[np.ix_(epochs, rows)]
        logs = np.log10(lift(np.where(np.isfinite(error), error, np.inf)))
        with np.errstate(invalid="ignore"):  # between inf and inf
            quartile = 10.0 ** np.quantile(logs, [0.25, 0.5, 0.75], axis=1)
        return np.where(np.isfinite(quartile), quartile, np.nan)

    def style(self, mode: str) -> Style:
        return style_of(mode, self.modes)

    def line(self, mode: str, rows: np.ndarray) -> dict:
        """How the median of such runs is drawn: thin, if they are few."""
        return self.style(mode).line | ({"lw": 0.8} if len(rows) < FEWEST else {})

    def name(self, mode: str) -> str:
        return name_of(mode, self.modes)

    def label(self, mode: str, at: float, told: str = "") -> tuple[float, str, str]:
        """The mode's name, and what is told of it, in its ink; for figures.Panel."""
        return at, self.name(mode) + told, self.style(mode).ink

    def each(self, modes: Sequence[str], say: Callable[[str], str]) -> str:
        """A clause of a caption for each mode."""
        return "; ".join(f"{self.name(mode)} {say(mode)}" for mode in modes)

    def converged_counts(self) -> str:
        """A sentence."""
        rows = {mode: self.rows(mode) for mode in self.shown}
        counts = [f"{self.converged[of].sum():,} of {len(of):,} {self.name(m)}" for m, of in rows.items()]
        return f"Converged: {listed(counts)}."

    def left_out(self) -> str:
        """What a picture leaves out, as the end of its caption."""
        parts = []
        if len(self.shown) < len(self.modes):
            missing = [self.name(mode) for mode in self.modes if mode not in self.shown]
            named = f" (not {listed(missing)})" if len(missing) < 4 else ""
            parts.append(f"{len(self.shown)} of {len(self.modes)} modes{named}")
        if any(len(self.values(name)) > MOST_VALUES for name in ("learning_rate", "hidden_size")):
            parts.append(f"at most {MOST_VALUES} × {MOST_VALUES} of {len(self.cells())} cells")
        return self.omitted + (f" Drawn: {listed(parts)}; the tables hold all." if parts else "")


def few(values: Sequence, most: int) -> list:
    """At most so many of the values, evenly spaced, with the first and the last."""
    chosen = np.linspace(0, len(values) - 1, min(most, len(values))).round().astype(int)
    return [values[i] for i in chosen]


def few_runs(rows: np.ndarray) -> str:
    """How many runs stand behind a line, if they are few."""
    return f" ({plural(len(rows), 'run')})" if 0 < len(rows) < FEWEST else ""
