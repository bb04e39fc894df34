"""Our statistics beside those of scipy and statsmodels, wherever these have the same one.

Where seeds repeat there is none to compare with: they have no paired share whose pairs share seeds, and no
interval of Bonett and Price. Simulation holds those, in test_statistics.py.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from experiments.analysis.statistics import (
    clopper_pearson,
    design_effect,
    holm,
    mcnemar,
    median,
    precision_profile,
    reached_by,
)
from experiments.analysis.table import TAUS

CHANCES = st.lists(st.floats(0, 1), min_size=1, max_size=40)


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.999])
def test_clopper_pearson_is_the_beta_interval_of_statsmodels(confidence):
    k, n = np.tril_indices(41)[::-1]
    n, k = n[n > 0], k[n > 0]
    theirs = proportion_confint(k, n, alpha=1 - confidence, method="beta")
    assert clopper_pearson(k, n, confidence) == pytest.approx(np.array(theirs), abs=1e-9)


@pytest.mark.parametrize("n_flips", range(0, 31, 3))
def test_mcnemar_is_the_exact_one_of_statsmodels(n_flips):
    for a_only in range(n_flips + 1):
        table = [[50, a_only], [n_flips - a_only, 50]]
        assert mcnemar(a_only, n_flips - a_only) == pytest.approx(
            statsmodels_mcnemar(table, exact=True).pvalue
        )


@settings(max_examples=20)  # theirs takes its time
@given(CHANCES)
def test_holm_is_that_of_statsmodels(p):
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])


@given(st.lists(st.floats(-50, 50), min_size=6, max_size=80), st.sampled_from([0.9, 0.95, 0.99]))
def test_the_interval_of_a_median_is_that_of_scipys_quantile_test(values, confidence):
    theirs = stats.quantile_test(values, p=0.5).confidence_interval(confidence)
    ours = median(values, confidence=confidence)
    known = ~np.isnan([theirs.low, theirs.high])  # NaN where no value bounds it, which is ±inf to us
    assert (
        np.array([ours.low, ours.high])[known].tolist() == np.array([theirs.low, theirs.high])[known].tolist()
    )
    assert np.isinf([ours.low, ours.high])[~known].all()


@given(st.integers(0, 2**32 - 1), st.integers(6, 30), st.integers(2, 8))
def test_the_design_effect_is_a_clustered_variance_over_that_of_as_many_independent_pairs(
    draw, n_seeds, n_cells
):
    rng = np.random.default_rng(draw)
    seed = np.repeat(np.arange(n_seeds), n_cells)
    values = (rng.random(n_seeds)[seed] + rng.random(seed.size) > 1).astype(float)
    if values.std() == 0:
        return
    fit = OLS(values, np.ones(seed.size))
    clustered = fit.fit(cov_type="cluster", cov_kwds={"groups": seed, "use_correction": False}).cov_params()
    alone = fit.fit(cov_type="HC0").cov_params()
    effect = float(clustered[0, 0] / alone[0, 0]) * n_seeds / (n_seeds - 1)
    assert design_effect(values, seed) == pytest.approx(max(1, effect))


@given(st.lists(st.floats(1e-40, 1), min_size=1, max_size=40), st.lists(st.integers(0, 30), min_size=1))
def test_shares_within_an_error_and_an_epoch_are_scipys_empirical_distributions(errors, epochs):
    assert precision_profile(errors, TAUS) == pytest.approx(stats.ecdf(errors).cdf.evaluate(TAUS))
    assert reached_by(epochs, 30) == pytest.approx(stats.ecdf(epochs).cdf.evaluate(np.arange(31)))
