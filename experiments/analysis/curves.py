"""Errors over the epochs, as pictures show them: medians of cells, one tail, shares within an error."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from experiments.analysis import statistics
from experiments.analysis.statistics import FEWEST
from experiments.analysis.table import epochs_name, few
from tinynet.outcomes import FLOOR, lift

if TYPE_CHECKING:
    from experiments.analysis.cells import Cells
    from experiments.analysis.pairs import Paired

MOST_POINTS = 11_000  # of all lines of one picture
DEPTHS = 10.0 ** np.arange(1, np.log10(FLOOR) - 0.5, -0.1)  # of the precision profile


class Curve(NamedTuple):
    """Quartiles of runs' errors over epochs, by their logarithm; NaN where not finite."""

    epochs: np.ndarray  # (n_points,)
    low: np.ndarray
    middle: np.ndarray
    high: np.ndarray
    n_runs: int

    @property
    def quartiles(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.low, self.middle, self.high

    @property
    def last(self) -> float:
        """The last median that is finite, or NaN."""
        finite = self.middle[np.isfinite(self.middle)]
        return float(finite[-1]) if finite.size else np.nan


class Law(NamedTuple):
    """What most of a mode's runs with a decided law follow."""

    name: str
    n: int
    n_runs: int
    power: float  # of t, in the median of the runs that follow a power law; NaN for other laws


class Tail(NamedTuple):
    """One cell's medians: early on a linear axis, late on a logarithmic one."""

    early: Mapping[str, Curve]
    late: Mapping[str, Curve]
    laws: Mapping[str, Law | None]
    slowest: tuple[str, float] | None  # mode and power of the slowest power law that most of its runs follow


class Reached(NamedTuple):
    """The share of all runs that came within an error by each epoch, and within any error at the end."""

    by_epoch: Mapping[float, Mapping[str, np.ndarray]]  # error -> mode -> (n_epochs + 1,)
    profile: Mapping[str, np.ndarray]  # mode -> share within each of depths
    depths: np.ndarray = DEPTHS


class Work(NamedTuple):
    """The median error of a mode's converged runs at one learning rate, against evaluations."""

    mode: str
    learning_rate: float
    curve: Curve  # its epochs times n_rows and evaluations per step
    to_a_millionth: float  # evaluations until the median is at most 1e-6, NaN if never


class Curves(NamedTuple):
    """What is drawn over epochs. medians: by (learning_rate, hidden_size, mode) of the grid."""

    medians: Mapping[tuple, Curve]
    tail: Tail  # of the main cell
    reached: Reached
    work: Sequence[Work]  # at the main hidden size


def curves_of(paired: "Paired", cells: "Cells") -> Curves:
    return Curves(
        medians=_medians(paired, cells.grid),
        tail=_tail(paired, paired.cell(cells.learning_rate, cells.hidden_size)),
        reached=_reached(paired),
        work=_work(paired, cells.learning_rate, cells.hidden_size),
    )


def typical(paired: "Paired", mode: str, mask: np.ndarray) -> np.ndarray:
    """The runs whose median is drawn: halves of pairs in which both converge, or all if none do."""
    if paired.none_converges:
        return paired.rows(mode, mask)
    if mode in paired.others:
        return paired.both(mode, mask)[0]
    if mode == paired.reference and paired.others:
        return np.unique(np.concatenate([paired.both(other, mask)[1] for other in paired.others]))
    return paired.rows(mode, mask & paired.converged)


def quartiles(error: np.ndarray, rows: np.ndarray, epochs: np.ndarray) -> Curve:
    if not len(rows):
        nothing = np.full(len(epochs), np.nan)
        return Curve(epochs, nothing, nothing, nothing, 0)
    values = error[np.ix_(epochs, rows)]
    logs = np.log10(lift(np.where(np.isfinite(values), values, np.inf)))
    with np.errstate(invalid="ignore"):  # between inf and inf
        low, middle, high = 10.0 ** np.quantile(logs, [0.25, 0.5, 0.75], axis=1)
    return Curve(
        epochs, *(np.where(np.isfinite(line), line, np.nan) for line in (low, middle, high)), len(rows)
    )


def late_epochs(n_epochs: int) -> np.ndarray:
    """At most 161 of them, evenly spaced by their logarithm."""
    epochs = np.geomspace(1, max(1, n_epochs), 161).round().astype(int)
    return np.unique(epochs.clip(max=n_epochs))


def _medians(paired: "Paired", grid: tuple[list, list]) -> dict[tuple, Curve]:
    rates, sizes = grid
    n_lines = 3 * len(rates) * len(sizes) * len(paired.shown)
    n_points = int(np.clip(MOST_POINTS / n_lines, 30, 200))
    n_epochs = paired.n_epochs
    epochs = np.unique(np.linspace(0, n_epochs, min(n_points, n_epochs + 1)).astype(int))
    curves = {}
    for rate in rates:
        for size in sizes:
            mask = paired.cell(rate, size)
            for mode in paired.shown:
                curves[rate, size, mode] = quartiles(paired.error, typical(paired, mode, mask), epochs)
    return curves


def _tail(paired: "Paired", mask: np.ndarray) -> Tail:
    present = [mode for mode in paired.shown if len(paired.rows(mode, mask))]
    rows = {mode: typical(paired, mode, mask) for mode in present}
    far = late_epochs(paired.n_epochs)
    late = {mode: quartiles(paired.error, rows[mode], far) for mode in present}
    near = np.linspace(0, _settled(late), 201).astype(int)
    early = {mode: quartiles(paired.error, rows[mode], near) for mode in present}
    laws = {mode: _law(paired, rows[mode]) for mode in present}
    powers = {}
    for mode, law in laws.items():
        if law is not None and law.name == "power" and law.n > law.n_runs / 2 and law.n_runs >= FEWEST:
            powers[mode] = law.power
    slowest = max(powers, key=lambda mode: late[mode].last, default=None)
    return Tail(early, late, laws, None if slowest is None else (slowest, powers[slowest]))


def _settled(late: Mapping[str, Curve]) -> int:
    """Where the linear axis ends: at twice the epochs the deepest mode takes to its floor, or the last."""
    epochs = next(iter(late.values())).epochs
    known = [np.log10(curve.middle) for curve in late.values() if np.isfinite(curve.middle).any()]
    deepest = min(known, key=np.nanmin, default=np.zeros(1))
    falling = np.flatnonzero(deepest > np.nanmin(deepest) + 0.5)
    end = 2 * int(epochs[falling[-1]]) if len(falling) else int(epochs[-1])
    digit = 10 ** (len(str(end)) - 1)
    return min(int(epochs[-1]), -(-end // digit) * digit)


def _law(paired: "Paired", rows: np.ndarray) -> Law | None:
    laws = paired.column("law")[rows].astype(str)
    exponents = paired.column("law_s")[rows]
    names, counts = np.unique(laws[~np.isin(laws, ("none", "undecided"))], return_counts=True)
    if not len(names):
        return None
    most = str(names[counts.argmax()])
    power = -1 / statistics.middle(exponents[laws == most]) if most == "power" else np.nan
    return Law(most, int(counts.max()), len(rows), power)


def _reached(paired: "Paired") -> Reached:
    rows = {mode: paired.rows(mode) for mode in paired.shown}
    by_epoch = {}
    for tau in _taus(paired):
        epochs = paired.column(epochs_name(tau))
        by_epoch[tau] = {mode: statistics.reached_by(epochs[rows[mode]], paired.n_epochs) for mode in rows}
    final = 10.0**paired.final
    profile = {mode: statistics.precision_profile(final[rows[mode]], DEPTHS) for mode in rows}
    return Reached(by_epoch, profile)


def _taus(paired: "Paired") -> list[float]:
    """At most three of the errors that are asked for and reached, the first and the last among them."""
    asked = sorted(paired.taus, reverse=True)
    return few([tau for tau in asked if np.isfinite(paired.column(epochs_name(tau))[paired.drawn]).any()], 3)


def _work(paired: "Paired", usual: float, size: int) -> list[Work]:
    works = []
    if not paired.n_rows:
        return works
    epochs = late_epochs(paired.n_epochs)
    for mode in paired.shown:
        by_rate = {}
        for rate in paired.values("learning_rate"):
            by_rate[rate] = paired.rows(mode, paired.converged & paired.cell(rate, size))
        best = max(by_rate, key=lambda rate: len(by_rate[rate]))
        rate = usual if len(by_rate[usual]) else best
        rows = by_rate[rate]
        if len(rows):
            curve = quartiles(paired.error, rows, epochs)
            evaluations = epochs * paired.n_rows * np.median(paired.column("evaluations")[rows])
            below = evaluations[curve.middle <= 1e-6]
            first = float(below[0]) if len(below) else np.nan
            works.append(Work(mode, rate, curve._replace(epochs=evaluations), first))
    return works
