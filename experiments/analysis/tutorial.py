"""The tutorial's claim in numbers: its two printed tables, what was run, what start and gradient add."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from experiments.analysis.controls import pooled
from experiments.analysis.statistics import median, share
from tinynet.outcomes import lift

if TYPE_CHECKING:
    import pandas as pd

EPOCHS = (10, 20, 30, 40, 50, 60)
# as the tutorial prints them: mean over rows of the error right after each row's own update, h = 1e-4
PRINTED = {
    "numeric": (0.014687928092963858, 0.0002586911405566519, 5.201032288065113e-06,
                1.1521188868884113e-07, 2.509888068656647e-09, 7.063314626310347e-11),
    "analytic": (5.992573980015191e-13, 5.191218969687312e-15, 4.4970151644239996e-17,
                 3.895643033350437e-19, 3.3746928762906878e-21, 2.923396564864991e-23),
}  # fmt: skip
ARMS = {  # mode -> its name in tables
    "numeric h=1e-4": "numeric",
    "analytic": "analytic",
    "analytic continued": "analytic_continued",
    "numeric h=1e-4 continued": "numeric_continued",
}
MODES = {arm: mode for mode, arm in ARMS.items()}
TABLES = {"numeric": "numeric", "analytic": "analytic_continued"}  # printed table -> what was run
SEARCHED = (144273, 14184)  # found by a search for start weights whose tables look like the printed ones
GAPS = {  # what is compared over seeds: name -> (arm, less arm)
    "as_run": ("analytic_continued", "numeric"),
    "start_analytic": ("analytic_continued", "analytic"),
    "start_numeric": ("numeric_continued", "numeric"),
    "gradient_fresh": ("analytic", "numeric"),
    "gradient_continued": ("analytic_continued", "numeric_continued"),
}


class Tutorial(NamedTuple):
    """What the four arms of the experiment `tutorial` show.

    table: a row per printed epoch: the printed errors, and those of the look-alike seed's four arms.
    gaps: a row per seed that was not picked and converges in all arms: decades between the last rows.
    estimates: rows of estimates.csv, questions "tutorial_…"; beyond_a_decade: share of seeds, by gap.
    nearest, alike: the seeds nearest to the first table and to both, with the factor that holds for each row.
    """

    table: "pd.DataFrame"
    gaps: "pd.DataFrame"
    estimates: list[dict]
    beyond_a_decade: Mapping[str, float]
    n_drawn: int  # seeds that were not picked
    nearest: tuple[int, float]
    alike: tuple[int, float]
    alike_gaps: Mapping[str, float]
    printed_gap: float  # decades between the last printed rows

    @property
    def picked(self) -> bool:
        """Whether the look-alikes were found by a search."""
        return {self.nearest[0], self.alike[0]} <= set(SEARCHED)


def tutorial(runs: "pd.DataFrame", online: np.ndarray | None, margin: float) -> Tutorial | None:
    """None where the sweep lacks one of the four ARMS, or their online errors (n_epochs + 1, n_runs).

    margin: in decades.
    """
    import pandas as pd

    if online is None or len(online) <= EPOCHS[-1]:
        return None
    rows_of_seed = _rows_of_arms(runs)
    seeds = np.array(sorted(set.intersection(*map(set, rows_of_seed.values()))), dtype=int)
    drawn = ~np.isin(seeds, SEARCHED)
    if not drawn.any():
        return None
    rows = {arm: [row_of[seed] for seed in seeds] for arm, row_of in rows_of_seed.items()}
    errors = {arm: online[np.array(EPOCHS)][:, rows[arm]] for arm in rows}  # (6, n_seeds)
    factors = np.array([factor(errors[arm].T, PRINTED[table]) for table, arm in TABLES.items()])
    nearest = factors[0].argmin()
    alike = factors.max(axis=0).argmin()
    outcome = runs["outcome"].to_numpy()
    converged = np.all([outcome[rows[arm]] == "converged" for arm in rows], axis=0)
    used = drawn & converged
    last = {arm: np.log10(lift(errors[arm][-1])) for arm in rows}
    gaps = {name: last[a] - last[b] for name, (a, b) in GAPS.items()}
    estimates = []
    beyond = {}
    for name, (a, b) in GAPS.items():
        row = pooled(f"tutorial_{name}", MODES[a], MODES[b], median(gaps[name][used]), margin)
        estimates.append(row)
        beyond[name] = share(np.abs(gaps[name][used]) > 1).value
    printed = {f"printed_{table}": values for table, values in PRINTED.items()}
    look_alike = {arm: errors[arm][:, alike] for arm in rows}
    depths = {f"log10_{arm}": last[arm] for arm in rows}
    return Tutorial(
        table=pd.DataFrame({"epoch": EPOCHS, **printed, **look_alike}),
        gaps=pd.DataFrame({"seed": seeds, **depths, **gaps})[used],
        estimates=estimates,
        beyond_a_decade=beyond,
        n_drawn=int(drawn.sum()),
        nearest=(int(seeds[nearest]), float(factors[0, nearest])),
        alike=(int(seeds[alike]), float(factors[:, alike].max())),
        alike_gaps={name: float(gap[alike]) for name, gap in gaps.items()},
        printed_gap=float(np.log10(PRINTED["analytic"][-1] / PRINTED["numeric"][-1])),
    )


def _rows_of_arms(runs: "pd.DataFrame") -> dict[str, dict[int, int]]:
    """arm -> seed -> row of the runs that the tutorial could have made: its net, rate and epochs."""
    same_net = (runs["learning_rate"] == 0.1) & (runs["hidden_size"] == 4) & (runs["n_epochs"] == EPOCHS[-1])
    wanted = same_net & runs["mode"].isin(ARMS) & (runs["outcome"] != "failed")
    rows = {arm: {} for arm in ARMS.values()}
    for row in np.flatnonzero(wanted):
        rows[ARMS[runs["mode"].iloc[row]]][int(runs["seed"].iloc[row])] = row
    return rows


def factor(errors: np.ndarray, printed: tuple[float, ...]) -> np.ndarray:
    """How far from the printed errors, as a factor, the farthest of a row is; infinite for 0 and NaN."""
    with np.errstate(divide="ignore"):
        farthest = np.exp(np.abs(np.log(errors / np.array(printed))).max(axis=-1))
    return np.where(np.isnan(farthest), np.inf, farthest)
