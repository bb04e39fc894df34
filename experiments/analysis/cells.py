"""What runs of a cell have in common, as pictures show it: outcomes, how often, how deep, at what cost."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from experiments.analysis import statistics
from experiments.analysis.table import few
from experiments.modes import DIFFERENCES, parse
from tinynet import outcomes
from tinynet.outcomes import FLOOR

if TYPE_CHECKING:
    import pandas as pd

    from experiments.analysis.pairs import Paired

MOST_VALUES = 6  # of the learning rate and of the hidden size, in one picture
MANY_STEPS = 4  # sizes of h of one kind of mode, from which on they are drawn as a line
TUTORIALS_CELL = (0.1, 4)  # learning rate, hidden size


class Cells(NamedTuple):
    """What is drawn by cell.

    learning_rate, hidden_size: of the main cell, where runs converge, of more than one mode; of several the
    tutorial's, else the one with most converged runs. grid: the learning rates and hidden sizes that are
    drawn. panels: a row per mode and cell of the grid: counts by outcome, n_pairs, n_other (outcome), n_both
    (converge). ends: a row per mode and learning rate at the main hidden size: share that converges with
    interval, median final error of what converges, evaluations per step. steps: those of difference modes at
    the main rate, by kind and h; powers: kind -> (power of h that depth follows or NaN, number of h). levels:
    per mode and level of an axis (None: all), decades apart where both converge. seconds: per mode and
    n_params, microseconds per step and run.
    """

    learning_rate: float
    hidden_size: int
    n_cells: int
    grid: tuple[list, list]
    panels: "pd.DataFrame"
    ends: "pd.DataFrame"
    steps: "pd.DataFrame"
    powers: Mapping[str, tuple[float, int]]
    axis: str
    levels: "pd.DataFrame"
    seconds: "pd.DataFrame"

    @property
    def has_many_steps(self) -> bool:
        return bool(len(self.steps)) and self.steps.groupby("kind").size().max() >= MANY_STEPS


def cells_of(paired: "Paired") -> Cells:
    masks = _masks(paired)
    rate, size = _main_cell(paired, masks)
    grid = tuple(few(paired.values(name), MOST_VALUES) for name in ("learning_rate", "hidden_size"))
    ends = _ends(paired, size)
    steps = _steps(ends[ends["learning_rate"] == rate])
    axis = "learning_rate" if len(paired.values("learning_rate")) > 1 else "hidden_size"
    by_kind = steps.groupby("kind", sort=False)
    return Cells(
        learning_rate=rate,
        hidden_size=size,
        n_cells=len(masks),
        grid=grid,
        panels=_panels(paired, grid),
        ends=ends,
        steps=steps,
        powers={kind: power_of_h(*_above_half(members)) for kind, members in by_kind},
        axis=axis,
        levels=_levels(paired, axis),
        seconds=_seconds(paired),
    )


def _masks(paired: "Paired") -> dict[tuple, np.ndarray]:
    """(learning rate, hidden size) -> mask, of all that hold drawn runs."""
    masks = {}
    for rate in paired.values("learning_rate"):
        for size in paired.values("hidden_size"):
            mask = paired.cell(rate, size) & paired.drawn
            if mask.any():
                masks[rate, size] = mask
    return masks


def _main_cell(paired: "Paired", masks: Mapping[tuple, np.ndarray]) -> tuple[float, int]:
    def rank(cell: tuple) -> tuple:
        n_modes = len(set(paired.column("mode")[masks[cell]]))
        n_converged = int((masks[cell] & paired.converged).sum())
        return n_converged > 0, n_modes > 1, cell == TUTORIALS_CELL, n_converged

    return max(masks, key=rank)


def _panels(paired: "Paired", grid: tuple[list, list]) -> "pd.DataFrame":
    import pandas as pd

    outcome = paired.column("outcome")
    panels = []
    for size in grid[1]:
        for rate in grid[0]:
            mask = paired.cell(rate, size)
            for mode in paired.shown:
                rows = paired.rows(mode, mask)
                panel = {"mode": mode, "learning_rate": rate, "hidden_size": size, "n_runs": len(rows)}
                panel |= {name: int((outcome[rows] == name).sum()) for name in outcomes.OUTCOMES}
                panel |= {"n_pairs": 0, "n_other": 0, "n_both": 0}
                if mode in paired.others:
                    a, b = paired.matched(mode, mask)
                    panel |= {"n_pairs": len(a), "n_other": int((outcome[a] != outcome[b]).sum())}
                    panel["n_both"] = len(paired.both(mode, mask)[0])
                panels.append(panel)
    return pd.DataFrame(panels)


def _ends(paired: "Paired", size: int) -> "pd.DataFrame":
    import pandas as pd

    ends = []
    for mode in paired.drawn_modes:
        for rate in paired.values("learning_rate"):
            rows = paired.rows(mode, paired.cell(rate, size))
            if len(rows):
                ends.append({"mode": mode, "learning_rate": rate} | _end(paired, rows))
    return pd.DataFrame(ends)


def _end(paired: "Paired", rows: np.ndarray) -> dict:
    share, low, high, n_runs, _ = statistics.share(paired.converged[rows])
    deep = paired.final[rows[paired.converged[rows]]]
    return {
        "n_runs": n_runs, "n_converged": len(deep), "share": share, "low": low, "high": high,
        "median_final_error": 10.0 ** statistics.middle(deep),
        "evaluations": statistics.middle(paired.column("evaluations")[rows]),
    }  # fmt: skip


def _steps(ends: "pd.DataFrame") -> "pd.DataFrame":
    """The rows of plain and annealed difference modes, by kind and h."""
    kinds = []
    for mode in ends["mode"]:
        family, arguments, variants = parse(mode)
        plain = family in DIFFERENCES and "h" in arguments and set(variants) <= {"annealed"}
        kinds.append((" ".join([family, *variants]) if plain else None, arguments.get("h", np.nan)))
    steps = ends.assign(kind=[kind for kind, _ in kinds], h=[h for _, h in kinds])
    steps = steps[steps["kind"].notna()].astype({"h": float})
    order = {kind: place for place, kind in enumerate(dict.fromkeys(steps["kind"]))}
    return steps.sort_values(
        ["kind", "h"], key=lambda column: column.map(order) if column.name == "kind" else column
    )


def _above_half(members: "pd.DataFrame") -> tuple[np.ndarray, np.ndarray]:
    """h and median depth, where the median is of most runs."""
    most = members[members["share"] > 0.5]
    return most["h"].to_numpy(), most["median_final_error"].to_numpy()


def power_of_h(h: np.ndarray, depth: np.ndarray) -> tuple[float, int]:
    """By least squares, which power of h depths above rounding follow, and of how many.

    NaN for fewer than 3, and where the slopes from one h to the next differ: that is no power law.
    """
    above = depth > 10 * FLOOR
    x = np.log10(h[above])
    y = np.log10(depth[above])
    if len(x) < 3 or np.ptp(np.diff(y) / np.diff(x)) > 0.5:
        return np.nan, len(x)
    return float(np.polyfit(x, y, 1)[0]), len(x)


def _levels(paired: "Paired", axis: str) -> "pd.DataFrame":
    import pandas as pd

    rows = []
    level = paired.column(axis)
    seed = paired.column("seed")
    for mode in paired.others:
        a, b = paired.both(mode)
        apart = paired.final[a] - paired.final[b]
        every = {None: np.full(len(a), True)}
        every |= {value: level[a] == value for value in sorted(set(level[paired.matched(mode)[0]].tolist()))}
        for value, mask in every.items():
            estimate = statistics.median(apart[mask], seed=seed[a][mask])
            rows.append({"mode": mode, "level": value} | estimate._asdict())
    return pd.DataFrame(rows).rename(columns={"n": "n_pairs"})


def _seconds(paired: "Paired") -> "pd.DataFrame":
    """Without runs whose seconds are unknown: those copied from other sweeps."""
    import pandas as pd

    runs = paired.runs[paired.drawn & paired.runs["seconds"].notna().to_numpy()]
    if not paired.n_rows or not len(runs):
        return pd.DataFrame(columns=["mode", "n_params", "microseconds"])
    micro = 1e6 * runs["seconds"] / max(1, paired.n_epochs) / paired.n_rows
    medians = micro.groupby([runs["mode"], runs["n_params"]]).median()
    return medians.rename("microseconds").reset_index()
