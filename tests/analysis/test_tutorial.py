"""The tutorial's claim: what its tables say of seeds that nobody picked, and which seed looks alike."""

import numpy as np
import pandas as pd
import pytest

from experiments.analysis import ARMS, EPOCHS, PRINTED, SEARCHED, analyse
from experiments.analysis.tutorial import factor
from tests.loaded import loaded, made_up

MODE = {arm: mode for mode, arm in ARMS.items()}


def sweep() -> tuple[pd.DataFrame, np.ndarray]:
    """12 seeds in all four arms: runs and online errors."""
    runs, error = made_up(list(ARMS), n_seeds=12, n_epochs=60)
    return runs, np.vstack([error[:1], error[1:] * 0.8])


def claim_of(runs, online):
    return analyse(loaded(runs, online / 0.8, online)).tutorial


def rows(runs, arm) -> np.ndarray:
    """The runs of an arm, by seed."""
    return np.flatnonzero(runs["mode"] == MODE[arm])


def test_gaps_are_decades_between_the_last_rows_of_seeds_that_converge_in_all_arms():
    runs, online = sweep()
    claim = claim_of(runs, online)
    last = {arm: np.log10(online[60, rows(runs, arm)]) for arm in MODE}
    used = np.all([online[60, rows(runs, arm)] / 0.8 < 1e-3 for arm in MODE], axis=0)
    assert 0 < used.sum() < 12
    assert claim.gaps["seed"].tolist() == np.flatnonzero(used).tolist()
    assert claim.n_drawn == 12
    expected = {
        "as_run": last["analytic_continued"] - last["numeric"],
        "start_numeric": last["numeric_continued"] - last["numeric"],
        "gradient_fresh": last["analytic"] - last["numeric"],
        "gradient_continued": last["analytic_continued"] - last["numeric_continued"],
    }
    estimates = {row["question"]: row for row in claim.estimates}
    for name, gap in expected.items():
        assert claim.gaps[name].to_numpy() == pytest.approx(gap[used])
        assert estimates[f"tutorial_{name}"]["value"] == pytest.approx(np.median(gap[used]))
        assert claim.beyond_a_decade[name] == np.mean(np.abs(gap[used]) > 1)
        assert claim.alike_gaps[name] == pytest.approx(gap[claim.alike[0]])
    assert claim.printed_gap == pytest.approx(-12.38, abs=0.005)


def test_start_and_gradient_add_up_to_what_was_run():
    gaps = claim_of(*sweep()).gaps
    for start, gradient in (("start_analytic", "gradient_fresh"), ("start_numeric", "gradient_continued")):
        assert (gaps[start] + gaps[gradient]).to_numpy() == pytest.approx(gaps["as_run"].to_numpy())


def test_the_table_holds_the_printed_errors_beside_those_of_the_seed_that_looks_most_alike():
    runs, online = sweep()
    claim = claim_of(runs, online)
    assert claim.table["epoch"].tolist() == list(EPOCHS)
    for table, errors in PRINTED.items():
        assert claim.table[f"printed_{table}"].tolist() == list(errors)
    seed, within = claim.alike
    farthest = np.zeros(12)
    for arm, table in (("numeric", "numeric"), ("analytic_continued", "analytic")):
        ratio = online[list(EPOCHS)][:, rows(runs, arm)] / np.array(PRINTED[table])[:, None]
        farthest = np.maximum(farthest, np.exp(np.abs(np.log(ratio)).max(axis=0)))
    assert (seed, within) == (farthest.argmin(), pytest.approx(farthest.min()))
    for arm in MODE:
        assert claim.table[arm].tolist() == online[list(EPOCHS), rows(runs, arm)[seed]].tolist()


def test_look_alikes_that_were_picked_are_in_no_median():
    runs, online = sweep()
    assert not claim_of(runs, online).picked
    before = claim_of(runs, online)
    picked = claim_of(runs.replace({"seed": {0: SEARCHED[0]}}), online)
    assert 0 in set(before.gaps["seed"])
    assert not set(SEARCHED) & set(picked.gaps["seed"])
    assert (picked.n_drawn, len(picked.gaps)) == (before.n_drawn - 1, len(before.gaps) - 1)


def test_a_seed_that_diverged_is_never_the_nearest_to_the_printed_tables():
    runs, online = sweep()
    nearest = claim_of(runs, online).nearest[0]
    online[30:, runs["seed"] == nearest] = np.nan
    lost = claim_of(runs, online)
    assert nearest not in (lost.nearest[0], lost.alike[0])
    assert np.isfinite([lost.nearest[1], lost.alike[1]]).all()


@pytest.mark.parametrize(("name", "value"), [("learning_rate", 0.3), ("hidden_size", 8)])
def test_another_net_or_rate_has_no_claim(name, value):
    runs, online = sweep()
    assert claim_of(runs.assign(**{name: value}), online) is None


@pytest.mark.parametrize("mode", [mode for mode in ARMS if "continued" in mode])
def test_without_one_of_the_arms_there_is_no_claim(mode):
    runs, online = sweep()
    kept = (runs["mode"] != mode).to_numpy()
    assert claim_of(runs[kept], online[:, kept]) is None


def test_a_sweep_without_online_errors_has_no_claim():
    runs, online = sweep()
    assert analyse(loaded(runs, online)).tutorial is None


def test_an_error_of_zero_is_as_far_from_a_printed_one_as_can_be():
    assert factor(np.array([1e-3, 0.0]), (1e-3, 1e-9)) == np.inf
    assert factor(np.array([2e-3, 5e-10]), (1e-3, 1e-9)) == pytest.approx(2)
