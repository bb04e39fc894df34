"""The statistics of pairs against exact probabilities, enumeration, simulation and planted truths."""

from itertools import product
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from experiments.analysis.statistics import (
    FEWEST,
    Estimate,
    clopper_pearson,
    design_effect,
    epochs_beyond,
    epochs_difference,
    holm,
    mcnemar,
    median,
    other,
    pairs_without_a_flip,
    precision_profile,
    reached_by,
    share,
    share_difference,
    stepwise,
    verdict,
)
from experiments.analysis.table import TAUS
from tinynet.outcomes import FLOOR, lift

nan, inf = np.nan, np.inf
E = 600


def flips(n, a_only, b_only):
    """Hits of a and b in n pairs of which a_only and b_only are flips."""
    rank = np.arange(n)
    return (rank < a_only) | (rank >= a_only + b_only), rank >= a_only


def covers(interval, truth):
    return (interval[0] <= truth) & (truth <= interval[1])


# Shares


@pytest.mark.parametrize("n", [1, 5, 30])
def test_clopper_pearson_is_scipys(n):
    for k in range(n + 1):
        exact = stats.binomtest(k, n).proportion_ci(method="exact")
        assert clopper_pearson(k, n) == pytest.approx((exact.low, exact.high), abs=1e-9)


@pytest.mark.parametrize("n", [3, 25, 100, 400])
def test_clopper_pearson_covers_every_share_at_least_as_often_as_it_says(n):
    k, truth = np.arange(n + 1), np.linspace(0, 1, 501)[:, None]  # summed over all k: exact, not simulated
    coverage = (stats.binom.pmf(k, n, truth) * covers(clopper_pearson(k, n), truth)).sum(axis=1)
    assert coverage.min() > 0.95 - 1e-12


def test_zero_flips_leave_an_upper_bound():
    estimate = other(["converged"] * 100, ["converged"] * 100)
    assert estimate[:2] == (0, 0)
    assert estimate.high == pytest.approx(1 - 0.025 ** (1 / 100))
    assert clopper_pearson(0, 0) == (0, 1)


@pytest.mark.parametrize(("a_only", "b_only"), [(0, 0), (0, 6), (1, 7), (3, 3), (9, 2)])
def test_mcnemar_is_the_share_of_all_assignments_of_the_flips_that_are_as_uneven(a_only, b_only):
    m, uneven = a_only + b_only, abs(a_only - b_only)
    as_uneven = sum(abs(m - 2 * sum(heads)) >= uneven for heads in product((0, 1), repeat=m))
    assert mcnemar(a_only, b_only) == pytest.approx(as_uneven / 2**m)
    assert mcnemar(a_only, b_only) == mcnemar(b_only, a_only)


def test_mcnemar_rejects_no_more_often_than_it_says():
    for m in range(1, 60):
        p = np.array([mcnemar(k, m - k) for k in range(m + 1)])
        chance = np.array([comb(m, k) / 2**m for k in range(m + 1)])
        assert all(chance[p <= level].sum() <= level for level in (0.01, 0.05, 0.2))


def test_bonett_price_by_hand():
    # 21 pairs with 1 and 7 flips: p = 2/23, q = 8/23
    estimate = share_difference(*flips(21, 1, 7))
    assert estimate.value == pytest.approx(-6 / 21)
    half = 1.959964 * ((10 / 23 - (6 / 23) ** 2) / 23) ** 0.5
    assert estimate[1:3] == pytest.approx((-6 / 23 - half, -6 / 23 + half))


@pytest.mark.parametrize(("n", "least"), [(25, 0.945), (100, 0.935), (400, 0.945)])
def test_bonett_price_covers_about_as_often_as_it_says(n, least):
    rng = np.random.default_rng(n)
    for p, q in ((0, 0), (0.01, 0.01), (0.1, 0), (0.05, 0.2), (0.3, 0.3)):
        counts, times = np.unique(rng.multinomial(n, (p, q, 1 - p - q), 20_000), axis=0, return_counts=True)
        held = [covers(share_difference(*flips(n, a, b))[1:3], p - q) for a, b, _ in counts]
        assert np.average(held, weights=times) > least


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60), st.integers(1, 20))
def test_exchanging_the_modes_turns_the_sign_of_the_difference(hits, n_seeds):
    (a, b), seed = np.array(hits).T, np.arange(len(hits)) % n_seeds
    forth, back = share_difference(a, b, seed), share_difference(b, a, seed)
    assert back[:3] == pytest.approx((-forth.value, -forth.high, -forth.low))
    assert -1 <= forth.low <= forth.high <= 1


def test_holm_by_hand_and_in_any_order():
    p = np.array([0.01, 0.04, 0.03, 0.005])
    np.testing.assert_allclose(holm(p), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm(p[::-1]), holm(p)[::-1])
    assert holm([]).size == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_lies_between_p_and_bonferroni_and_keeps_the_order(p):
    adjusted = holm(p)
    assert (adjusted >= p).all()
    assert (adjusted <= np.minimum(1, np.array(p) * len(p) * (1 + 1e-12))).all()
    assert (np.diff(adjusted[np.argsort(p)]) >= 0).all()


# Verdicts


@pytest.mark.parametrize(
    ("interval", "says"),
    [
        ((-0.1, 0.1), "equivalent"),
        ((0.0, 0.0), "equivalent"),
        ((0.01, 0.09), "equivalent"),  # a difference, and too small to matter
        ((0.2, 0.3), "different"),
        ((-inf, -0.2), "different"),
        ((0.05, 0.3), "unresolved"),  # excludes 0, not the margin
        ((0.1, 0.3), "unresolved"),
        ((-0.2, 0.05), "unresolved"),
        ((-inf, inf), "unresolved"),
        ((nan, nan), "unresolved"),
    ],
)
def test_an_interval_and_a_margin_give_the_verdict(interval, says):
    assert verdict(interval, 0.1) == says


def of_p(p):
    """A difference beyond 0 whose p is p: its interval excludes 0 at confidence 1 − p, and less."""
    return lambda confidence: Estimate(1.0, 0.5 if 1 - confidence >= p else -0.5, 2.0, 99, 99)


@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=20))
def test_intervals_step_by_step_find_what_holms_adjusted_p_finds(p):
    found = stepwise(dict(enumerate(map(of_p, p))), "different", 0.0)
    near = np.isclose(holm(p), 0.05)
    assert {i for i in range(len(p)) if not near[i] and i in found} == {
        i for i, adjusted in enumerate(holm(p)) if not near[i] and adjusted <= 0.05
    }


def test_few_seeds_have_no_verdict_whatever_their_interval():
    for n in (1, 5):
        assert share(np.full(n, True)).verdict(0.01) == "unresolved"
        assert share(np.full(6 * n, True), np.repeat(np.arange(n), 6)).verdict(0.01) == "unresolved"
    assert share(np.full(6, True)).verdict(0.01) == "different"


# Medians


@pytest.mark.parametrize("n", [6, 7, 10, 25, 400])
def test_the_median_interval_is_scipys_and_the_narrowest_that_covers(n):
    x = np.sort(np.random.default_rng(n).normal(size=n))
    estimate = median(x)
    assert estimate[1:3] == pytest.approx(stats.quantile_test(x, p=0.5).confidence_interval(0.95))
    k = int(np.searchsorted(x, estimate.low)) + 1
    assert 1 - 2 * stats.binom.cdf(k - 1, n, 0.5) >= 0.95 > 1 - 2 * stats.binom.cdf(k, n, 0.5)


def test_too_few_pairs_have_no_interval():
    for n in range(6):
        estimate = median(np.zeros(n))
        assert estimate[1:] == (-inf, inf, n, n)
        assert estimate.verdict(0.1) == "unresolved"


@pytest.mark.parametrize("n", [9, 50])
def test_the_median_interval_covers_as_often_as_it_says(n):
    rng = np.random.default_rng(n)
    found = [median(x) for x in rng.standard_cauchy((4000, n))]
    held = np.mean([covers(e[1:3], 0) for e in found])
    k = int(stats.binom.ppf(0.025, n, 0.5))  # P(X < k) ≤ 0.025
    assert held == pytest.approx(1 - 2 * stats.binom.cdf(k - 1, n, 0.5), abs=0.012)  # four standard errors
    rounded = [median(x) for x in np.round(rng.normal(size=(2000, n)))]  # ties cover more, never less
    assert np.mean([covers(e[1:3], 0) for e in rounded]) > 0.95


def test_errors_below_rounding_are_equal():
    assert (lift([0, 1e-40, FLOOR]) == FLOOR).all()
    assert pytest.approx(4.93e-32, rel=1e-3) == FLOOR
    assert lift([1e-31, 0.5]).tolist() == [1e-31, 0.5]


def test_fewest_is_how_many_values_bound_a_median():
    assert np.isfinite(median(np.arange(FEWEST))[:3]).all()
    assert np.isinf(median(np.arange(FEWEST - 1))[1:3]).all()


@given(st.lists(st.floats(-5, 5, width=32), min_size=1, max_size=40), st.randoms())
def test_the_median_keeps_its_laws(values, random):
    estimate, mirrored = median(values), median(np.negative(values))
    assert mirrored[:3] == (-estimate.value, -estimate.high, -estimate.low)
    shuffled = random.sample(values, len(values))
    assert median(shuffled) == estimate
    assert estimate.low <= estimate.value <= estimate.high
    assert median(np.array(values) * 8)[:3] == tuple(8 * part for part in estimate[:3])


# Repeated seeds


@pytest.mark.parametrize(("shared", "n_seeds"), [(0.0, 25), (0.3, 25), (0.3, 100), (1.0, 100)])
def test_intervals_cover_when_cells_of_a_seed_flip_together(shared, n_seeds):
    rng, n_cells, kinds = np.random.default_rng(7), 8, [-1, 0, 1]
    seed, chance, held, plain = np.repeat(np.arange(n_seeds), n_cells), [0.1, 0.7, 0.2], [], []
    for _ in range(600):
        own = rng.choice(kinds, (n_seeds, n_cells), p=chance)
        lean = np.where(
            rng.random((n_seeds, 1)) < shared, rng.choice(kinds, (n_seeds, 1), p=chance), own
        ).ravel()
        x = lean + rng.uniform(-0.45, 0.35, n_seeds * n_cells)  # three bands that do not touch
        held.append(
            [
                covers(share_difference(lean == 1, lean == -1, seed)[1:3], 0.1),
                covers(share(lean != 0, seed)[1:3], 0.3),
                covers(median(x, seed=seed)[1:3], -0.45 + 0.8 * (0.5 - 0.1) / 0.7),
            ]
        )
        plain.append(covers(share_difference(lean == 1, lean == -1)[1:3], 0.1))
    assert np.min(np.mean(held, axis=0)) > 0.91
    if shared == 1:
        assert np.mean(plain) < 0.7  # what counting the cells of a seed as replicates would do


def test_the_design_effect_is_the_size_of_a_group_that_moves_as_one():
    seed = np.repeat(np.arange(50), 4)
    assert design_effect(np.repeat(np.arange(50) % 2, 4), seed) == pytest.approx(4 * 50 / 49)
    assert design_effect(np.tile([0, 1, 0, 1], 50), seed) == 1  # seeds as alike as can be: no gain is claimed
    assert design_effect(np.arange(200), np.arange(200)) == 1
    assert design_effect(np.zeros(12), np.repeat([1, 2, 3], 4)) == 4  # 3 seeds are 3 replicates


# Precision and speed


def test_the_profile_counts_all_runs():
    assert [TAUS[i] for i in (0, 2, 31)] == [1e-1, 1e-3, 1e-32]
    profile = precision_profile([0.1, 1e-3, 0.0, nan, inf], TAUS)
    assert profile[0] == 3 / 5
    assert profile[2] == 2 / 5
    assert profile[31] == 1 / 5
    assert (precision_profile([], TAUS) == 0).all()


@given(st.lists(st.floats(0, 1) | st.just(nan), min_size=1, max_size=30))
def test_shares_within_tau_rise_with_tau_and_with_epochs(values):
    assert (np.diff(precision_profile(values, TAUS)) <= 0).all()
    epochs = np.round(np.array(values) * 20)
    reached = reached_by(epochs, 20)
    assert reached.shape == (21,)
    assert (np.diff(reached) >= 0).all()
    assert reached[-1] == np.isfinite(values).mean()


def test_reached_by_counts_runs_that_never_arrive():
    assert reached_by([0, 2, 2, nan], 3).tolist() == [0.25, 0.25, 0.75, 0.75]


def test_the_median_difference_of_epochs_is_exact_where_censoring_cannot_touch_it():
    a, b = np.array([10.0] * 9 + [nan] * 4), np.array([30.0] * 8 + [nan] * 5)
    estimate = epochs_difference(a, b, 100)
    assert estimate.value == -20
    assert estimate.n == 9  # four pairs in which neither arrives say nothing
    # the ninth pair: a at 10, b some time after 100
    assert (estimate.low, estimate.high) == (-20, -20)
    assert epochs_difference(a[4:], b[4:], 100).n == 5


def test_a_median_in_the_unseen_is_not_given():
    a, b = np.array([10.0] * 10), np.array([30.0] * 4 + [nan] * 6)
    estimate = epochs_difference(a, b, 100)
    assert np.isnan(estimate.value)
    assert (estimate.low, estimate.high) == (-inf, -20)
    assert estimate.verdict(1) == "different"  # wherever the six are, b is slower


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=40), st.integers(0, 40)
)
def test_censoring_only_widens_the_interval(pairs, n_epochs):
    a, b = np.array(pairs, dtype=float).T
    seen = [np.where(x <= n_epochs, x, nan) for x in (a, b)]
    known = (a <= n_epochs) | (b <= n_epochs)
    full, censored = epochs_difference(a[known], b[known], 40), epochs_difference(*seen, n_epochs)
    assert censored.low <= full.low <= full.high <= censored.high
    assert censored.n == full.n
    assert np.isnan(censored.value) or censored.value == full.value
    mirrored = epochs_difference(*seen[::-1], n_epochs)
    assert mirrored[1:3] == (-censored.high, -censored.low)


def test_the_share_beyond_the_margin_counts_those_that_never_arrive():
    a, b = np.array([10.0, 10, 10, 10, nan]), np.array([10.0, 11, 12, nan, nan])
    estimate = epochs_beyond(a, b, 100, margin=1)
    assert (estimate.value, estimate.n) == (2 / 4, 4)


def test_so_many_pairs_without_a_flip_bound_their_share():
    n = pairs_without_a_flip(0.01)
    assert n == 368
    assert clopper_pearson(0, n)[1] <= 0.01 < clopper_pearson(0, n - 1)[1]
