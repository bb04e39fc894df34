"""Two modes cell by cell: one rule, on sweeps whose answer is planted."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from experiments.analysis import estimates, statistics
from experiments.analysis.estimates import POOL, PRACTICAL, questions
from experiments.analysis.statistics import MARGINS
from experiments.analysis.table import epochs_name

nan, inf = np.nan, np.inf
SPEED = [epochs_name(tau) for tau in PRACTICAL]
JUDGED = ["outcome", "converged", *SPEED, "depth", "law"]


def compare(a, b, cell, **more) -> list[dict]:
    """Per cell, the pool last: question -> its row of estimates; "mode", "reference" -> those of halves."""
    rows, halves = estimates.compare(a, b, cell, **more)
    cells = {}
    for row in rows:
        cells.setdefault(row["cell"], {"cell": row["cell"]})[row["question"]] = row
    for half in halves:
        cells[half["cell"]][half["side"]] = half
    assert list(cells)[-1] == POOL
    return list(cells.values())


def sweep(n_seeds, n_cells):
    cell, seed = (part.ravel() for part in np.mgrid[:n_cells, :n_seeds])
    return seed, cell.astype(str)


def half(seed, converged, log10_error, epochs, law="exponential"):
    """One mode's half of the pairs: columns of runs.csv."""
    n = seed.size
    return {
        "seed": seed, "outcome": np.where(converged, "converged", "stuck"), "n_epochs": np.full(n, 600),
        "final_error": np.where(converged, 10.0 ** np.broadcast_to(log10_error, n), 0.3),
        "law": np.where(converged, law, "none"), "law_s": np.full(n, 0.25),
        "evaluations": np.ones(n), "seconds": np.ones(n),
        "late_error": np.full(n, 0.3), **{name: np.where(converged, epochs, nan) for name in SPEED},
    }  # fmt: skip


def arm(rng, seed, decades_deep=-20.0, fail=0.3):
    n = seed.size
    lost, deep = rng.random(n) < fail, decades_deep + rng.normal(size=n)
    return half(seed, ~lost, deep, rng.integers(20, 90, n))


def said(row) -> dict[str, str]:
    return {question: row[question]["verdict"] for question in JUDGED}


def test_a_against_a_is_equivalent_in_everything():
    seed, cell = sweep(25, 16)  # the size of the experiment `convergence`
    mode = arm(np.random.default_rng(1), seed)
    *cells, everything = compare(mode, mode, cell)
    assert everything["converged"]["p"] == 1
    assert len(cells) == 16
    assert said(everything)["converged"] == said(everything)["outcome"] == "equivalent"
    assert {said(row)["converged"] for row in cells} == {"unresolved"}  # 25 pairs cannot show 1 point
    assert {said(everything)[field] for field in ("depth", *SPEED)} == {"equivalent"}
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
    for field in ("outcome", "converged", "depth", "law"):
        assert sum(field in fields for fields in found) <= 7  # P(more) < 0.02 at 5 %
    assert sum(bool(fields & set(SPEED)) for fields in found) <= 7


def test_noise_is_equivalent_with_enough_seeds():
    rows = compare(*noisy(np.random.default_rng(0), 2000, 16, flips=0.002))
    assert set(said(rows[-1]).values()) == {"equivalent"}


@pytest.mark.parametrize("field", ["outcome", "depth", "epochs_to_1e-6", "law"])
def test_one_cell_of_sixteen_that_differs_makes_all_different_though_the_pool_does_not(field):
    seed, cell = sweep(400, 16)
    reference = arm(np.random.default_rng(3), seed, fail=0.1)
    there, mode = cell == "6", {name: column.copy() for name, column in reference.items()}
    if field == "outcome":
        mode["outcome"][there & (seed % 16 == 0)] = "silent"
    mode["final_error"] *= np.where(there & (field == "depth"), 100, 1)
    mode["epochs_to_1e-6"] += np.where(there & (field == "epochs_to_1e-6"), 5, 0)
    mode["law"] = np.where(
        there & (field == "law") & (seed % 16 == 0) & (mode["law"] != "none"), "power", mode["law"]
    )
    *cells, everything = compare(mode, reference, cell)
    assert [row["cell"] for row in cells if said(row)[field] == "different"] == ["6"]
    assert said(everything)[field] == "different"
    margin = {"depth": MARGINS.decades, "epochs_to_1e-6": MARGINS.epochs}.get(field, MARGINS.share)
    assert -margin <= everything[field]["low"] <= everything[field]["high"] <= margin  # the pool hides it
    others = {name for name, state in said(everything).items() if state == "different"} - {field}
    assert others <= {"converged"}  # with an outcome goes convergence


def test_a_cell_that_looks_different_and_may_not_be_leaves_all_open():
    seed, cell = sweep(100, 16)
    reference = arm(np.random.default_rng(3), seed, fail=0.1)
    mode = reference | {"outcome": reference["outcome"].copy()}
    mode["outcome"][np.flatnonzero((cell == "6") & (reference["outcome"] == "stuck"))[:2]] = "silent"
    *cells, everything = compare(mode, reference, cell)
    assert everything["outcome"]["high"] < MARGINS.share
    assert said(everything)["outcome"] == "unresolved"  # 2 of 100 in one cell
    assert "different" not in {said(row)["outcome"] for row in cells}


@pytest.mark.parametrize("n_cells", [1, 3, 16])
def test_the_interval_that_is_judged_tells_the_verdict_of_each_cell(n_cells):
    rng = np.random.default_rng(n_cells)
    n_told = 0
    for apart in (0.0, MARGINS.decades, 0.3):
        for row in compare(*noisy(rng, 25, n_cells, flips=0.1, apart=apart)):
            for question in JUDGED:
                judged = row[question]
                interval = judged["low_judged"], judged["high_judged"]
                assert judged["low_judged"] <= judged["low"] <= judged["high"] <= judged["high_judged"]
                if row["cell"] != POOL or n_cells == 1:
                    assert statistics.verdict(interval, judged["margin"]) == judged["verdict"]
                    n_told += judged["verdict"] != "unresolved"
    assert n_told > 0


def test_what_is_small_everywhere_and_sure_in_sum_is_different():
    """4 % in each of 16 cells of 25 pairs: no cell can tell, all together can."""
    seed, cell = sweep(25, 16)
    reference = half(seed, seed >= 0, -20.0, 50)
    mode = reference | {"outcome": np.where(seed == cell.astype(int), "stuck", "converged")}
    *cells, everything = compare(mode, reference, cell)
    assert {said(row)["outcome"] for row in cells} == {"unresolved"}
    assert said(everything)["outcome"] == "different"


@pytest.mark.parametrize("n_cells", [1, 4, 200])
def test_three_seeds_resolve_nothing_however_many_cells_they_fill(n_cells):
    seed, cell = sweep(3, n_cells)
    rng = np.random.default_rng(2)
    same = arm(rng, seed)
    for mode in (same, arm(rng, seed, decades_deep=-8)):
        for row in compare(mode, same, cell):
            assert set(said(row).values()) <= {"unresolved", "not measured"}
            assert "unresolved" in said(row).values()


def test_planted_differences_are_found_and_signed():
    rng, (seed, cell) = np.random.default_rng(3), sweep(100, 4)
    reference = arm(rng, seed, fail=0.1)
    worse = {name: column.copy() for name, column in reference.items()}
    worse["outcome"][rng.random(seed.size) < 0.3] = "silent"
    worse["final_error"] *= 1e3
    for name in SPEED:
        worse[name] += 5
    worse["law"] = np.where(worse["law"] == "none", "none", "power")
    *cells, everything = compare(worse, reference, cell)
    for row in (*cells, everything):
        assert set(said(row).values()) == {"different"}
        assert row["converged"]["high"] < -MARGINS.share
        assert row["depth"]["value"] == pytest.approx(3)
        medians = [row[side]["median_final_error"] for side in ("mode", "reference")]
        assert medians[0] / medians[1] == pytest.approx(1e3)
        assert row["epochs_to_1e-3"]["value"] == 5
        assert row["decade_apart"]["value"] == 1
        assert row["converged"]["p"] < 1e-4
    mode, reference = everything["mode"], everything["reference"]
    assert mode["n_alone"] == 0
    assert reference["n_alone"] == reference["n_converged"] - mode["n_converged"]
    assert mode["n_pairs"] == sum(row["mode"]["n_pairs"] for row in cells) == 400


def test_p_of_cells_is_adjusted_for_their_number():
    """6 and 7 flips to one side: p = 2/2⁶ and 2/2⁷; of three cells Holm takes 2/2⁶·2 and 2/2⁷·3."""
    seed, cell = sweep(10, 3)
    lost = seed < np.array([6, 7, 0])[cell.astype(int)]
    reference = arm(np.random.default_rng(5), seed, fail=0)
    rows = compare(reference | {"outcome": np.where(lost, "stuck", "converged")}, reference, cell)
    assert [row["converged"]["p"] for row in rows[:-1]] == pytest.approx([4 / 64, 6 / 128, 1])


def test_a_median_of_zero_does_not_hide_pairs_that_are_decades_apart():
    seed, cell = sweep(400, 1)
    reference = arm(np.random.default_rng(4), seed, fail=0)
    split = reference | {"final_error": reference["final_error"] * np.where(seed < 150, 1e4, 1)}
    row = compare(split, reference, cell)[-1]
    assert said(row)["depth"] == "equivalent"
    assert row["decade_apart"]["value"] == 150 / 400


def test_seconds_are_of_the_pairs_that_have_them_on_both_sides():
    """A run copied from another sweep has none, and its partner alone would be compared with other nets."""
    seed, cell = sweep(4, 1)
    mode = arm(np.random.default_rng(0), seed)
    a = mode | {"seconds": np.array([nan, 2.0, 4.0, 9.0])}
    b = mode | {"seconds": np.array([1.0, nan, 3.0, 5.0])}
    row = compare(a, b, cell)[-1]
    assert [row[side]["median_seconds"] for side in ("mode", "reference")] == [6.5, 4]
    row = compare(a | {"seconds": np.full(4, nan)}, b, cell)[-1]
    assert np.isnan([row[side]["median_seconds"] for side in ("mode", "reference")]).all()


def test_depth_is_equal_below_rounding():
    seed, cell = sweep(50, 1)
    won = half(seed, seed >= 0, -inf, 40)
    row = compare(won, won | {"final_error": np.full(50, 3e-32)}, cell)[-1]
    assert [row["depth"][part] for part in ("value", "low", "high")] == [0, 0, 0]


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
        for question in JUDGED:
            assert moved[one["cell"]][question] == pytest.approx(one[question], nan_ok=True)
        assert said(one) == said(two)
        assert one["mode"]["n_both"] == two["mode"]["n_both"]
        for name, part in (("converged", "p"), ("decade_apart", "value"), ("outcome", "high")):
            assert one[name][part] == pytest.approx(two[name][part], nan_ok=True)
        for name in ("converged", "depth", *SPEED):
            parts = [two[name][part] for part in ("value", "low", "high")]
            mirrored = [-one[name][part] for part in ("value", "high", "low")]
            assert parts == pytest.approx(mirrored, nan_ok=True)


@pytest.mark.parametrize("outcome", ["diverged", "stuck"])
def test_a_sweep_in_which_nothing_converges_has_a_comparison(outcome):
    seed, cell = sweep(30, 1)
    lost = half(seed, seed < 0, inf, nan) | {"outcome": np.full(30, outcome), "final_error": np.full(30, inf)}
    if outcome == "diverged":
        lost["late_error"] = np.full(30, inf)
    row = compare(lost, lost, cell)[-1]
    unknown = ("converged", *SPEED, "depth", "law")
    assert {said(row)[question] for question in unknown} == {"not measured"}
    assert {row[question]["n_pairs"] for question in unknown} == {0}
    assert np.isnan(row["depth"]["value"])
    assert row["late_error"]["n_pairs"] == (0 if outcome == "diverged" else 30)


def test_no_pairs_at_all_have_a_row():
    none = half(np.array([], dtype=int), np.array([], dtype=bool), 0, 0)
    (row,) = compare(none, none, np.array([]))
    assert (row["cell"], row["mode"]["n_pairs"], row["converged"]["p"]) == (POOL, 0, 1)
    assert set(said(row).values()) == {"not measured"}


def test_halves_that_are_not_aligned_are_refused():
    seed, _ = sweep(5, 1)
    mode = arm(np.random.default_rng(0), seed)
    with pytest.raises(ValueError, match="aligned"):
        compare(mode, mode, ["single"] * 4)


def test_where_nothing_converges_late_errors_are_compared_and_found():
    seed, cell = sweep(40, 4)
    lost = half(seed, seed < 0, inf, nan)
    ratios = 1 + np.random.default_rng(0).normal(0, 1e-3, seed.size)
    for factor, verdict in ((1, "equivalent"), (1.1, "different"), (0.8, "different")):
        rows = compare(lost | {"late_error": 0.3 * factor * ratios}, lost, cell)
        assert {row["late_error"]["verdict"] for row in rows} == {verdict}
        assert rows[-1]["late_error"]["value"] == pytest.approx(factor - 1, abs=1e-3)
    one = lost | {"outcome": np.where(seed == 0, "converged", "stuck")}
    assert compare(one, lost, cell)[-1]["late_error"]["verdict"] == "not measured"  # depth and speed can tell


def test_runs_that_diverge_have_no_late_error_to_compare():
    """However far they are apart, 1e55 or infinite: that they diverge is another question."""
    seed, cell = sweep(40, 1)
    lost = half(seed, seed < 0, inf, nan)
    outcome = np.where(seed < 16, "diverged", "stuck")
    some = lost | {"outcome": outcome, "late_error": np.where(seed < 16, 1e55, 0.3)}
    row = compare(some, lost, cell)[-1]["late_error"]
    assert (row["n_pairs"], row["value"], row["verdict"]) == (24, 0, "equivalent")
    worse = some | {"late_error": np.where(seed < 16, inf, 0.3)}
    assert compare(worse, some, cell)[-1]["late_error"] == row


def test_cost_is_counted_not_estimated():
    seed, cell = sweep(10, 2)
    mode = arm(np.random.default_rng(0), seed)
    dear = mode | {"evaluations": np.where(cell == "0", 16.0, 64.0)}
    *cells, everything = compare(dear, mode, cell)
    assert [row["cost"]["value"] for row in cells] == [16, 64]
    assert (everything["cost"]["low"], everything["cost"]["high"], everything["cost"]["verdict"]) == (
        16,
        64,
        "exact",
    )


def test_practical_errors_are_those_that_are_asked_for():
    seed, cell = sweep(40, 1)
    mode = arm(np.random.default_rng(0), seed, fail=0) | {"epochs_to_0.05": np.full(40, 7.0)}
    later = mode | {"epochs_to_0.05": np.full(40, 20.0)}
    row = compare(later, mode, cell, practical=(0.05,))[-1]
    assert (row["epochs_to_0.05"]["value"], row["epochs_to_0.05"]["verdict"]) == (13, "different")
    assert [question.name for question in questions((0.05,))][2:4] == ["epochs_to_0.05", "depth"]
