"""Two modes cell by cell: one rule, on sweeps whose answer is planted."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from experiments.analysis.estimates import JUDGED, PRACTICAL, compare, epochs_name
from experiments.analysis.statistics import MARGINS

nan, inf = np.nan, np.inf


def sweep(n_seeds, n_cells):
    cell, seed = (part.ravel() for part in np.mgrid[:n_cells, :n_seeds])
    return seed, cell.astype(str)


def half(seed, converged, log10_error, epochs, law="exponential"):
    """One mode's half of the pairs: columns of runs.csv."""
    n = seed.size
    return {
        "seed": seed, "outcome": np.where(converged, "converged", "stuck"), "n_epochs": np.full(n, 600),
        "final_error": np.where(converged, 10.0 ** np.broadcast_to(log10_error, n), 0.3),
        "law": np.where(converged, law, "none"), "law_s": np.zeros(n),
        "evaluations": np.ones(n), "seconds": np.ones(n),
        **{epochs_name(tau): np.where(converged, epochs, nan) for tau in PRACTICAL.values()},
    }  # fmt: skip


def arm(rng, seed, decades_deep=-20.0, fail=0.3):
    n = seed.size
    lost, deep = rng.random(n) < fail, decades_deep + rng.normal(size=n)
    return half(seed, ~lost, deep, rng.integers(20, 90, n))


def said(row) -> dict[str, str]:
    return {field: row[f"{field}_verdict"] for fields, _ in JUDGED.values() for field in fields}


def test_a_against_a_is_equivalent_in_everything():
    seed, cell = sweep(25, 16)  # the size of the experiment `convergence`
    mode = arm(np.random.default_rng(1), seed)
    *cells, everything = compare(mode, mode, cell)
    assert everything["p"] == everything["p_holm"] == everything["p_seeds"] == 1
    assert len(cells) == 16
    assert said(everything)["share"] == said(everything)["other"] == "equivalent"
    assert {said(row)["share"] for row in cells} == {"unresolved"}  # 25 pairs cannot show 1 point
    assert {said(everything)[field] for field in ("depth", *PRACTICAL)} == {"equivalent"}
    seed, cell = sweep(100, 16)
    assert set(said(compare(*[arm(np.random.default_rng(1), seed)] * 2, cell)[-1]).values()) == {"equivalent"}


def noisy(rng, n_seeds, n_cells, flips, apart=0.0):
    """Halves that differ by noise alone: as many flips either way, depths and epochs that scatter about 0."""
    seed, cell = sweep(n_seeds, n_cells)
    n = seed.size
    converged, flip, deep, epochs = rng.random(n) < 0.7, rng.random(n) < flips, rng.normal(-20, 2, n), 100
    a = half(seed, converged ^ flip, deep + rng.normal(apart, 0.5, n), epochs + rng.integers(-3, 4, n))
    return a, half(seed, converged, deep, np.full(n, epochs)), cell


@pytest.mark.parametrize("n_seeds", [25, 100])
def test_noise_is_called_different_in_no_more_than_5_of_100_sweeps_of_16_cells(n_seeds):
    rng, found, n_sweeps = np.random.default_rng(n_seeds), [], 60
    for _ in range(n_sweeps):
        # at the margin, where it is hardest: 1 % flips, 0.1 decades
        rows = compare(*noisy(rng, n_seeds, 16, flips=MARGINS.share, apart=MARGINS.decades))
        found.append({field for row in rows for field, state in said(row).items() if state == "different"})
    for field in ("other", "share", "depth", "law"):
        assert sum(field in fields for fields in found) <= 7  # P(more) < 0.02 at 5 %
    assert sum(bool(fields & set(PRACTICAL)) for fields in found) <= 7


def test_noise_is_equivalent_with_enough_seeds():
    rows = compare(*noisy(np.random.default_rng(0), 2000, 16, flips=0.002))
    assert set(said(rows[-1]).values()) == {"equivalent"}


@pytest.mark.parametrize("field", ["other", "depth", "epochs_1e-6", "law"])
def test_one_cell_of_sixteen_that_differs_makes_all_different_though_the_pool_does_not(field):
    seed, cell = sweep(400, 16)
    reference = arm(np.random.default_rng(3), seed, fail=0.1)
    there, mode = cell == "6", {name: column.copy() for name, column in reference.items()}
    if field == "other":
        mode["outcome"][there & (seed % 16 == 0)] = "silent"
    mode["final_error"] *= np.where(there & (field == "depth"), 100, 1)
    mode["epochs_to_1e-6"] += np.where(there & (field == "epochs_1e-6"), 5, 0)
    mode["law"] = np.where(
        there & (field == "law") & (seed % 16 == 0) & (mode["law"] != "none"), "power", mode["law"]
    )
    *cells, everything = compare(mode, reference, cell)
    assert [row["cell"] for row in cells if said(row)[field] == "different"] == ["6"]
    assert said(everything)[field] == "different"
    margin = {"depth": MARGINS.decades, "epochs_1e-6": MARGINS.epochs}.get(field, MARGINS.share)
    assert -margin <= everything[f"{field}_low"] <= everything[f"{field}_high"] <= margin  # the pool hides it
    others = {name for name, state in said(everything).items() if state == "different"} - {field}
    assert others <= {"share"}  # with an outcome goes convergence


def test_a_cell_that_looks_different_and_may_not_be_leaves_all_open():
    seed, cell = sweep(100, 16)
    reference = arm(np.random.default_rng(3), seed, fail=0.1)
    mode = reference | {"outcome": reference["outcome"].copy()}
    mode["outcome"][np.flatnonzero((cell == "6") & (reference["outcome"] == "stuck"))[:2]] = "silent"
    *cells, everything = compare(mode, reference, cell)
    assert everything["other_high"] < MARGINS.share
    assert said(everything)["other"] == "unresolved"  # 2 of 100 in one cell
    assert "different" not in {said(row)["other"] for row in cells}


def test_what_is_small_everywhere_and_sure_in_sum_is_different():
    """4 % in each of 16 cells of 25 pairs: no cell can tell, all together can."""
    seed, cell = sweep(25, 16)
    reference = half(seed, seed >= 0, -20.0, 50)
    mode = reference | {"outcome": np.where(seed == cell.astype(int), "stuck", "converged")}
    *cells, everything = compare(mode, reference, cell)
    assert {said(row)["other"] for row in cells} == {"unresolved"}
    assert said(everything)["other"] == "different"


@pytest.mark.parametrize("n_cells", [1, 4, 200])
def test_three_seeds_resolve_nothing_however_many_cells_they_fill(n_cells):
    seed, cell = sweep(3, n_cells)
    rng = np.random.default_rng(2)
    same = arm(rng, seed)
    for mode in (same, arm(rng, seed, decades_deep=-8)):
        for row in compare(mode, same, cell):
            assert set(said(row).values()) == {"unresolved"}


def test_planted_differences_are_found_and_signed():
    rng, (seed, cell) = np.random.default_rng(3), sweep(100, 4)
    reference = arm(rng, seed, fail=0.1)
    worse = {name: column.copy() for name, column in reference.items()}
    worse["outcome"][rng.random(seed.size) < 0.3] = "silent"
    worse["final_error"] *= 1e3
    for tau in PRACTICAL.values():
        worse[epochs_name(tau)] += 5
    worse["law"] = np.where(worse["law"] == "none", "none", "power")
    *cells, everything = compare(worse, reference, cell)
    for row in (*cells, everything):
        assert set(said(row).values()) == {"different"}
        assert row["share_high"] < -MARGINS.share
        assert row["depth"] == pytest.approx(3)
        assert row["a_depth"] - row["b_depth"] == pytest.approx(3)
        assert row["epochs"] == 5
        assert row["apart"] == 1
        assert row["p_holm"] < 1e-4
    assert everything["a_only"] == 0
    assert everything["b_only"] == everything["b_converged"] - everything["a_converged"]
    assert everything["n_pairs"] == sum(row["n_pairs"] for row in cells) == 400


def test_p_of_cells_is_adjusted_for_their_number():
    """6 and 7 flips to one side: p = 2/2⁶ and 2/2⁷; of three cells Holm takes 2/2⁶·2 and 2/2⁷·3."""
    seed, cell = sweep(10, 3)
    lost = seed < np.array([6, 7, 0])[cell.astype(int)]
    reference = arm(np.random.default_rng(5), seed, fail=0)
    rows = compare(reference | {"outcome": np.where(lost, "stuck", "converged")}, reference, cell)
    assert [row["p"] for row in rows[:-1]] == pytest.approx([2 / 64, 2 / 128, 1])
    assert [row["p_holm"] for row in rows[:-1]] == pytest.approx([4 / 64, 6 / 128, 1])


def test_a_median_of_zero_does_not_hide_pairs_that_are_decades_apart():
    seed, cell = sweep(400, 1)
    reference = arm(np.random.default_rng(4), seed, fail=0)
    split = reference | {"final_error": reference["final_error"] * np.where(seed < 150, 1e4, 1)}
    row = compare(split, reference, cell)[-1]
    assert said(row)["depth"] == "equivalent"
    assert row["apart"] == 150 / 400


def test_seconds_are_of_the_pairs_that_have_them_on_both_sides():
    """A run copied from another sweep has none, and its partner alone would be compared with other nets."""
    seed, cell = sweep(4, 1)
    mode = arm(np.random.default_rng(0), seed)
    a = mode | {"seconds": np.array([nan, 2.0, 4.0, 9.0])}
    b = mode | {"seconds": np.array([1.0, nan, 3.0, 5.0])}
    row = compare(a, b, cell)[-1]
    assert (row["a_seconds"], row["b_seconds"]) == (6.5, 4)
    row = compare(a | {"seconds": np.full(4, nan)}, b, cell)[-1]
    assert np.isnan([row["a_seconds"], row["b_seconds"]]).all()


def test_depth_is_equal_below_rounding():
    seed, cell = sweep(50, 1)
    won = half(seed, seed >= 0, -inf, 40)
    row = compare(won, won | {"final_error": np.full(50, 3e-32)}, cell)[-1]
    assert (row["depth"], row["depth_low"], row["depth_high"]) == (0, 0, 0)


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 4))
@example(129, 8, 2)  # the design effect once looked at the lower bounds alone
def test_a_comparison_does_not_depend_on_order_and_turns_with_its_modes(random, n_seeds, n_cells):
    rng, (seed, cell) = np.random.default_rng(random), sweep(n_seeds, n_cells)
    a, b = arm(rng, seed), arm(rng, seed)
    forth, back = compare(a, b, cell), compare(b, a, cell)
    order = rng.permutation(seed.size)
    moved = compare(*({name: x[order] for name, x in one.items()} for one in (a, b)), cell[order])
    moved = {row["cell"]: row for row in moved}
    for one, two in zip(forth, back, strict=True):
        assert moved[one["cell"]] == pytest.approx(one, nan_ok=True)
        assert said(one) == said(two)
        for name in ("p", "p_holm", "p_seeds", "apart", "both_converged", "other_high"):
            assert one[name] == pytest.approx(two[name], nan_ok=True)
        for name in ("share", "depth", *PRACTICAL):
            parts = [two[name], two[f"{name}_low"], two[f"{name}_high"]]
            mirrored = [-one[name], -one[f"{name}_high"], -one[f"{name}_low"]]
            assert parts == pytest.approx(mirrored, nan_ok=True)


@pytest.mark.parametrize("outcome", ["diverged", "stuck"])
def test_a_sweep_in_which_nothing_converges_has_a_comparison(outcome):
    seed, cell = sweep(30, 1)
    lost = half(seed, seed < 0, inf, nan) | {"outcome": np.full(30, outcome), "final_error": np.full(30, inf)}
    row = compare(lost, lost, cell)[-1]
    assert (row["both_converged"], row["depth_n"], row["epochs_n"], row["law_n"], row["p"]) == (0, 0, 0, 0, 1)
    assert said(row)["depth"] == said(row)["epochs"] == "unresolved"
    assert np.isnan(row["depth"])


def test_no_pairs_at_all_have_a_row():
    none = half(np.array([], dtype=int), np.array([], dtype=bool), 0, 0)
    (row,) = compare(none, none, np.array([]))
    assert (row["cell"], row["n_pairs"], row["p"]) == ("all", 0, 1)
    assert set(said(row).values()) == {"unresolved"}


def test_halves_that_are_not_aligned_are_refused():
    seed, _ = sweep(5, 1)
    mode = arm(np.random.default_rng(0), seed)
    with pytest.raises(ValueError, match="aligned"):
        compare(mode, mode, ["single"] * 4)
