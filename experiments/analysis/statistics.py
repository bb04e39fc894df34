"""The statistics of pairs: two modes from equal starts, a (the mode in question) and b (the reference).

Arrays in, numbers out; deterministic. A difference is a minus b, and log10(error_a / error_b) > 0 says that
b went deeper. The seed is the replicate. Where a seed occurs in several pairs (several cells taken together)
its pairs are not independent, and intervals widen by the design effect: pass `seed`.
"""

from statistics import NormalDist
from typing import NamedTuple

import numpy as np

CONFIDENCE = 0.95
FEWEST = 6  # values, such as seeds: fewer bound no median at 95 %


class Margins(NamedTuple):
    """Differences too small to matter."""

    share: float = 0.01  # of runs that converge, or that end otherwise
    decades: float = 0.1  # of depth
    epochs: float = 1.0  # to a practical error; 1 is the resolution of a curve
    ratio: float = 0.01  # of late errors, where none converges


MARGINS = Margins()


class Estimate(NamedTuple):
    """A number with its interval, and the pairs and seeds it rests on."""

    value: float  # NaN where the data do not determine it
    low: float
    high: float
    n: int
    n_seeds: int

    def verdict(self, margin) -> str:
        """`verdict`'s; of fewer than 6 seeds unresolved: one pair of one would bound a share above 1 %."""
        return verdict((self.low, self.high), margin) if self.n_seeds >= FEWEST else "unresolved"


def verdict(interval, margin):
    """What an interval (low, high) of a difference says, given the margin that would matter.

    "equivalent": within ±margin; "different": wholly outside ±margin, so that it excludes 0 and the margin;
    "unresolved": anything else, so also an interval that is unbounded or not a number.
    """
    low, high = interval
    if -margin <= low <= high <= margin:
        return "equivalent"
    return "different" if low > margin or high < -margin else "unresolved"


def clopper_pearson(count, n, confidence=CONFIDENCE):
    """The exact interval (low, high) of a share, count of n; numbers or arrays. (0, 1) for n = 0.

    low = B(α/2; k, n − k + 1), high = B(1 − α/2; k + 1, n − k), quantiles of the beta distribution. Clopper &
    Pearson 1934, Biometrika 26:404. Of zero flips in n pairs the upper limit is 1 − (α/2)^(1/n).
    """
    from scipy.special import betaincinv

    k, n = np.asarray(count, dtype=float), np.asarray(n, dtype=float)
    tail = (1 - confidence) / 2
    with np.errstate(invalid="ignore"):
        low = np.where(k > 0, betaincinv(np.maximum(k, 1e-9), n - k + 1, tail), 0.0)
        high = np.where(k < n, betaincinv(k + 1, np.maximum(n - k, 1e-9), 1 - tail), 1.0)
    return low[()], high[()]


def pairs_without_a_flip(margin, confidence=CONFIDENCE) -> int:
    """How many pairs, none of which flips, bound the share of flips by margin: 1 − (α/2)^(1/n) ≤ margin."""
    return int(np.ceil(np.log((1 - confidence) / 2) / np.log1p(-margin)))


def share(hits, seed=None, confidence=CONFIDENCE) -> Estimate:
    """The share of pairs that hit, bool (n_pairs,), with its Clopper-Pearson interval.

    Repeated seeds: count and n over the design effect (Korn & Graubard 1998, Survey Methodology 24:193).
    """
    hits = np.asarray(hits, dtype=bool)
    n = hits.size
    count = int(hits.sum())
    design = design_effect(hits, seed)
    low, high = clopper_pearson(count / design, n / design, confidence)
    return Estimate(count / n if n else np.nan, float(low), float(high), n, _n_seeds(hits, seed))


def other(labels_a, labels_b, seed=None, confidence=CONFIDENCE) -> Estimate:
    """The share of pairs whose two labels (outcomes, laws) are not the same; Clopper-Pearson interval."""
    return share(np.asarray(labels_a) != np.asarray(labels_b), seed, confidence)


def mcnemar(a_only, b_only) -> float:
    """Exact two-sided p that both modes are equally likely to be the one that converges alone.

    Of m = a_only + b_only, a_only is binomial (m, 1/2): p = min(1, 2·P(X ≤ min(a_only, b_only))). McNemar
    1947, Psychometrika 12:153. It cannot show "no difference": print share_difference beside it.
    """
    from scipy.special import bdtr

    return min(1.0, 2 * float(bdtr(min(a_only, b_only), int(a_only + b_only), 0.5)))


def share_difference(hit_a, hit_b, seed=None, confidence=CONFIDENCE) -> Estimate:
    """Share of a minus share of b over pairs, with the interval of Bonett & Price for paired shares.

    p − q ± z·√((p + q − (p − q)²)/(n + 2)), cut to [−1, 1], where p = (a_only + 1)/(n + 2) and
    q = (b_only + 1)/(n + 2). Bonett & Price 2012, J. Educ. Behav. Stat. 37:479.
    Repeated seeds: counts and n over the design effect (Rao & Scott 1992, Biometrics 48:577).
    """
    difference = np.asarray(hit_a, dtype=int) - np.asarray(hit_b, dtype=int)
    n = difference.size
    design = design_effect(difference, seed)
    total = n / design + 2
    p, q = (((difference == side).sum() / design + 1) / total for side in (1, -1))
    half = NormalDist().inv_cdf((1 + confidence) / 2) * np.sqrt((p + q - (p - q) ** 2) / total)
    low, high = max(-1.0, float(p - q - half)), min(1.0, float(p - q + half))
    value = float(difference.mean()) if n else np.nan
    return Estimate(value, low, high, n, _n_seeds(difference, seed))


def _n_seeds(values, seed) -> int:
    return len(values) if seed is None else np.unique(seed).size


def design_effect(values, seed):
    """How much the variance of a mean over pairs grows because pairs share seeds; 1 when none do, or less.

    The variance of the seeds' sums over that of as many independent pairs (Rao & Scott 1992). Fewer than
    FEWEST seeds cannot tell: then each seed counts as one pair. values (n_pairs,).
    """
    values = np.asarray(values, dtype=float)
    if seed is None or values.size == 0:
        return 1.0
    seeds, member = np.unique(np.asarray(seed), return_inverse=True)
    if seeds.size == values.size:
        return 1.0
    if seeds.size < FEWEST:
        return values.size / seeds.size
    centred = values - values.mean()
    alone = (centred**2).sum()
    together = (np.bincount(member, centred) ** 2).sum()
    return max(1.0, seeds.size / (seeds.size - 1) * together / alone) if alone > 0 else 1.0


def holm(p):
    """p values (n_cells,) adjusted for being n_cells at once, in the same order.

    The smallest times n_cells, the next times n_cells − 1, …; none falls below a smaller one. Holm 1979,
    Scand. J. Stat. 6:65.
    """
    p = np.asarray(p, dtype=float)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1)))
    return adjusted


def stepwise(estimates, state, margin, confidence=CONFIDENCE) -> set:
    """Which of several differences are in a state ("different", "equivalent"), by Holm's steps on intervals.

    estimates: key -> a function of the confidence that gives the Estimate. Each has its interval at 1 − α/m,
    m being how many are not settled yet, until no more is: any is settled wrongly with a chance of α at most,
    α = 1 − confidence.
    """
    maybe = [key for key in estimates if estimates[key](confidence=confidence).verdict(margin) == state]
    settled = set()
    while maybe:
        level = holm_level(len(estimates), len(settled), confidence)
        step = {key for key in maybe if estimates[key](confidence=level).verdict(margin) == state}
        if not step:
            break
        settled |= step
        maybe = [key for key in maybe if key not in step]
    return settled


def holm_level(n, n_settled, confidence=CONFIDENCE) -> float:
    """The confidence of Holm's next step; after his last one, of the interval that tells each verdict."""
    return 1 - (1 - confidence) / max(1, n - n_settled)


def median(values, upper=None, seed=None, confidence=CONFIDENCE) -> Estimate:
    """The median with a distribution-free interval between two order statistics, x_(k) and x_(n + 1 − k).

    Its coverage is 1 − 2·P(X < k) for X binomial (n, 1/2), more where values are tied; k is the largest that
    leaves `confidence`. Fewer than 6 values (at 95 %) leave none: (−inf, inf). David & Nagaraja 2003, Order
    Statistics, 7.1. Of values known only to lie between `values` and `upper`, the former give the lower limit
    and the latter the upper; the median is NaN where the two disagree.
    Repeated seeds: ranks as of n over the design effect of "above or below" (Woodruff 1952, JASA 47:635).
    """
    from scipy.special import bdtr

    bounds = [np.asarray(x, dtype=float) for x in (values, values if upper is None else upper)]
    n = bounds[0].size
    if n == 0:
        return Estimate(np.nan, -np.inf, np.inf, 0, 0)
    centres = [float(np.median(x)) for x in bounds]
    sides = [(x > at).astype(int) - (x < at) for x, at in zip(bounds, centres, strict=True)]
    n_alone = int(n / max(design_effect(side, seed) for side in sides) + 1e-9)
    below = bdtr(np.arange(n_alone // 2 + 1.0), n_alone, 0.5)
    k_alone = int(np.searchsorted(below, (1 - confidence) / 2, side="right"))
    low, high = -np.inf, np.inf
    if k_alone:
        k = max(1, k_alone * n // n_alone)
        low, high = float(np.sort(bounds[0])[k - 1]), float(np.sort(bounds[1])[n - k])
    value = centres[0] if centres[0] == centres[1] else np.nan
    return Estimate(value, low, high, n, _n_seeds(sides[0], seed))


def middle(values) -> float:
    """The median, NaN of nothing."""
    return float(np.median(values)) if len(values) else np.nan


def precision_profile(error, taus):
    """The share of all runs whose final error is ≤ tau, for every tau: (n_taus,). NaN is not."""
    ordered = np.sort(np.asarray(error, dtype=float))  # NaN last
    return np.searchsorted(ordered, taus, side="right") / max(1, ordered.size)


def reached_by(epochs, n_epochs):
    """ECDF of epochs to τ: the share of ALL runs that got there by epoch 0 … n_epochs, (n_epochs + 1,).

    epochs (n_runs,) from outcomes.epochs_to; NaN, not within the n_epochs every run had, counts as not yet.
    """
    epochs = np.asarray(epochs, dtype=float)
    got_there = epochs[np.isfinite(epochs)].astype(int)
    return np.bincount(got_there, minlength=n_epochs + 1).cumsum() / max(1, epochs.size)


def _known(epochs_a, epochs_b, seed):
    """The pairs in which at least one got to τ: the others say nothing of speed."""
    a, b = np.asarray(epochs_a, dtype=float), np.asarray(epochs_b, dtype=float)
    known = np.isfinite(a) | np.isfinite(b)
    return a[known], b[known], None if seed is None else np.asarray(seed)[known]


def epochs_difference(epochs_a, epochs_b, n_epochs, seed=None, confidence=CONFIDENCE) -> Estimate:
    """Median of epochs_a − epochs_b over the pairs in which at least one got to τ; n is their number.

    NaN = not within n_epochs, and no more is known: if only a got there, at epoch t, the difference is
    between −inf and t − (n_epochs + 1), and the interval holds wherever it is.
    """
    a, b, seed = _known(epochs_a, epochs_b, seed)
    lower = np.nan_to_num(a, nan=n_epochs + 1) - np.nan_to_num(b, nan=np.inf)
    upper = np.nan_to_num(a, nan=np.inf) - np.nan_to_num(b, nan=n_epochs + 1)
    return median(lower, upper, seed, confidence)


def epochs_beyond(epochs_a, epochs_b, n_epochs, margin, seed=None, confidence=CONFIDENCE) -> Estimate:
    """The share of those pairs whose epochs to τ differ by more than margin.

    NaN = not within n_epochs: later than that by at least one, so a lower bound of the share in rare cases.
    """
    a, b, seed = _known(epochs_a, epochs_b, seed)
    apart = np.abs(np.nan_to_num(a, nan=n_epochs + 1) - np.nan_to_num(b, nan=n_epochs + 1))
    return share(apart > margin, seed, confidence)
