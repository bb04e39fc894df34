"""Pictures say what the data say, and can be read, whatever the sweep."""

import io
import re
from dataclasses import replace
from statistics import median
from types import SimpleNamespace

import matplotlib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.image import imread

from experiments.analysis.pairs import pair_up
from experiments.analysis.statistics import Margins
from experiments.analysis.tutorial import EPOCHS, PRINTED, SEARCHED, claim
from experiments.modes import name_of
from experiments.report.figures import curves as courses
from experiments.report.figures import estimators as appendix
from experiments.report.figures import outcomes as endings
from experiments.report.figures.estimators import every_picture
from experiments.report.figures.view import Sweep, few
from experiments.wording import decades
from tests.report.legible import texts, unreadable
from tinynet import outcomes

SEVEN = ["analytic", "numeric h=1e-4", "numeric h=1e-2", "forward h=1e-4", "hybrid h=1e-4",
         "complex_step h=1e-20", "spsa h=1e-4 n_samples=16"]  # fmt: skip
RATES, SIZES = [0.01, 0.03, 0.1, 0.3], [2, 4, 8, 16]


def sweep_of(
    modes=SEVEN[:2], rates=(0.1,), sizes=(4,), n_seeds=3, n_epochs=320, ends="mixed", reference=None
):
    """Made-up runs: exponentials down to rounding, power laws above it, plateaus ("mixed": a third)."""
    rng, rows, curves = np.random.default_rng(5), [], []
    t = np.arange(n_epochs + 1)[:, None]
    for rate in rates:
        for size in sizes:
            noise = rng.uniform(0.7, 1.3, n_seeds)
            for mode in modes:
                error = 0.5 * 10 ** (-0.15 * noise * np.sqrt(rate * 10) * t) + 3e-32
                if "h=" in mode and "complex" not in mode:
                    error = np.maximum(error, 1e-4 * noise * (1 + t / 4) ** -4.0)
                stuck = {"mixed": np.arange(n_seeds) % 3 == 2, "none": np.full(n_seeds, True)}
                error = np.where(stuck.get(ends, np.full(n_seeds, False)), 0.3 * noise, error)
                if ends == "lost":
                    error = np.where(t < 20, 10.0 ** (noise * np.minimum(t, 20)), np.nan)
                if mode.startswith("numeric") and n_seeds > 9:
                    error[:, 2], error[:, 4], error[:, 7] = error[:, 0], 0.2, 0.2  # flips, both ways
                curves.append(error)
                rows += [(mode, rate, size, seed, f"{rate} {size} {seed}") for seed in range(n_seeds)]
    error = np.concatenate(curves, axis=1)
    runs = pd.DataFrame(rows, columns=["mode", "learning_rate", "hidden_size", "seed", "pair"])
    runs = runs.assign(start=runs["pair"], failed=False, evaluations=runs["mode"].map(len).astype(float))
    runs["outcome"], runs["final_error"] = outcomes.classify(error, 0.5), outcomes.final_error(error)
    reference = reference or modes[0]
    pairs = {mode: pair_up(runs, mode, reference) for mode in modes if mode != reference}
    return Sweep(runs, error, reference, pairs)


ARMS = ["numeric h=1e-4", "analytic", "analytic continued", "numeric h=1e-4 continued"]


def tutorial_sweep():
    return sweep_of(ARMS, n_seeds=12, n_epochs=60, reference="analytic")


def claim_of(sweep):
    curves = {"online_error": np.vstack([sweep.error[:1], sweep.error[1:] * 0.8])}
    runs = sweep.runs.assign(n_epochs=60)
    return claim(SimpleNamespace(runs=runs, sweep=SimpleNamespace(curves=curves), margins=Margins()))


STEPS = ["analytic", *(f"{kind} h=1e-{k}" for kind in ("numeric", "forward") for k in range(1, 8)),
         "numeric h=0.5 decay=0.99"]  # fmt: skip
CASES = {
    "two modes, one cell": lambda: sweep_of(n_seeds=25),
    "two modes, 16 cells": lambda: sweep_of(rates=RATES, sizes=SIZES, n_seeds=12),
    "seven modes, one cell, 100 seeds": lambda: sweep_of(SEVEN, n_seeds=100),
    "seven modes, 16 cells": lambda: sweep_of(SEVEN, RATES, SIZES, n_seeds=4),
    "three seeds": lambda: sweep_of(),
    "learning rates only": lambda: sweep_of(rates=RATES, n_seeds=7),
    "nothing converges": lambda: sweep_of(SEVEN[:3], RATES[:2], ends="none"),
    "all diverge": lambda: sweep_of(rates=RATES[:2], n_seeds=5, ends="lost"),
    "one run": lambda: sweep_of(["analytic"], n_seeds=1),
    "one epoch": lambda: sweep_of(n_epochs=1),
    "names of the user's own": lambda: sweep_of(
        [
            "analytic",
            "my_mode strength=2",
            "<script>$_$",
            "a_very_long_name_of_a_mode amount=0.001 other=some",
        ]
    ),
    "many cells and modes": lambda: sweep_of(STEPS[:10], [0.01 * k for k in range(1, 9)], n_epochs=40),
    "the tutorial": tutorial_sweep,
    "steps": lambda: sweep_of(STEPS, n_seeds=9),
}


def numbers(text):
    return [float(n.replace("−", "-").replace(",", "")) for n in re.findall(r"−?\d[\d,]*\.?\d*", text)]


# ---------------------------------------------------------------------------------------- whatever the sweep


@pytest.mark.parametrize("case", CASES)
def test_every_picture_can_be_read_and_is_small(case):
    sweep = CASES[case]()
    drawn_pictures = every_picture(sweep, claim_of(sweep) if set(ARMS) <= set(sweep.modes) else None)
    assert len({picture.name for picture in drawn_pictures}) == len(drawn_pictures) >= 3
    for picture in drawn_pictures:
        assert not unreadable(picture.figure), picture.name
        assert picture.caption.endswith(".")
        assert len(picture.alt) > 20
        assert "nan" not in picture.caption.lower()
        assert len(picture.svg()) < 500_000
    image = imread(io.BytesIO(drawn_pictures[0].png(dpi=40)))
    assert (image[[0, 0, -1, -1], [0, -1, 0, -1]] == 1).all()  # white and opaque, for dark pages
    assert image[..., :3].std() > 0.01


def test_the_same_sweep_gives_the_same_bytes_whatever_the_settings_of_matplotlib():
    first = [(p.png(dpi=50), p.svg(), p.caption, p.alt) for p in every_picture(sweep_of(n_seeds=10))]
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "black", "svg.hashsalt": "other"}):
        before = dict(matplotlib.rcParams)
        second = [(p.png(dpi=50), p.svg(), p.caption, p.alt) for p in every_picture(sweep_of(n_seeds=10))]
        assert dict(matplotlib.rcParams) == before
    assert first == second


def test_a_picture_of_pairs_needs_pairs_and_others_need_their_experiment():
    alone = sweep_of(["analytic"])
    assert endings.pairs(alone) is None
    for draw in (appendix.step_size, appendix.all_modes, appendix.cost):
        assert draw(alone) is None
        assert draw is appendix.cost or draw(sweep_of()) is None
    assert appendix.tutorial(claim_of(alone)) is None
    assert every_picture(tutorial_sweep(), claim_of(tutorial_sweep()))[0].name == "tutorial"
    assert appendix.step_size(CASES["steps"]()) is not None
    assert {p.name for p in every_picture(sweep_of(SEVEN))} >= {"mechanism", "all_modes", "cost"}


# ---------------------------------------------------------------------------------------- numbers


def test_outcomes_counts_the_flips_and_the_converged():
    sweep = sweep_of(rates=RATES, n_seeds=12)
    runs = sweep.runs.pivot(index=["learning_rate", "seed"], columns="mode", values="outcome")
    flips = (runs["analytic"] != runs["numeric h=1e-4"]).groupby("learning_rate").sum()
    converged = [(runs[mode] == "converged").sum() for mode in ("analytic", "numeric h=1e-4")]
    picture = endings.outcomes(sweep)
    assert flips.sum() > 0
    assert f"numeric in {flips.sum()} of 48 pairs" in picture.caption
    assert f"Converged: {converged[0]} of 48 analytic and {converged[1]} of 48 numeric." in picture.caption
    notes = [text for text, _ in texts(picture.figure) if re.fullmatch(r"\d+ of 12", text)]
    assert notes == [f"{k} of 12" for k in flips]


def test_precision_says_which_share_comes_within_tau():
    sweep = sweep_of(SEVEN, n_seeds=12)
    caption = courses.precision(sweep).caption
    assert caption.startswith("Share of all runs that come within 10⁻³, 10⁻⁹ and 10⁻¹⁵: analytic ")
    for mode in SEVEN:
        least = np.nanmin(sweep.error[:, sweep.runs["mode"] == mode], axis=0)  # of each run
        told = re.search(
            rf"{re.escape(name_of(mode, SEVEN))} ([^;]*?)[;.](?!\d)", caption.partition(": ")[2]
        )[1]
        assert numbers(told) == pytest.approx([100 * np.mean(least <= tau) for tau in courses.TAUS], abs=0.06)


def test_precision_draws_the_share_that_got_there():
    sweep = sweep_of(n_seeds=12)
    panel = courses.precision(sweep).figure.axes[1]  # error ≤ 1e-9
    for line, mode in zip(panel.lines, sweep.modes, strict=True):
        error = sweep.error[:, sweep.runs["mode"] == mode]
        epochs, share = line.get_data()
        assert share == pytest.approx([np.mean((error[: int(t) + 1] <= 1e-9).any(axis=0)) for t in epochs])


def test_convergence_draws_medians_of_the_pairs_in_which_both_converge():
    sweep = sweep_of(n_seeds=12)
    outcome = sweep.runs.pivot(index="seed", columns="mode", values="outcome")
    both = (outcome == "converged").all(axis=1)
    picture = courses.convergence(sweep)
    lines = [line for line in picture.figure.axes[0].lines if len(line.get_xdata()) > 2]
    assert len(lines) == 2
    for line, mode in zip(lines, sweep.modes, strict=True):
        error = sweep.error[:, (sweep.runs["mode"] == mode).to_numpy()][:, both]
        epochs, drawn_median = line.get_data()
        assert np.log10(drawn_median) == pytest.approx(
            np.median(np.log10(np.maximum(error[epochs], 4.930381e-32)), axis=1)
        )
    assert f"{both.sum()} of 12 pairs converge" in [text for text, _ in texts(picture.figure)]
    wide = courses.convergence(replace(sweep_of(rates=RATES, n_seeds=12), margins=Margins(decades=99.0)))
    assert "within 99 in 4 of 4 cells" in wide.caption
    last = {
        mode: np.log10(sweep.error[-1, (sweep.runs["mode"] == mode).to_numpy()][both]) for mode in sweep.modes
    }
    apart = median(last["numeric h=1e-4"] - np.log10(4.930381e-32))
    assert f"numeric {decades(apart)} (medians" in picture.caption


def test_tail_tells_exponential_from_power_law():
    caption = courses.tail(sweep_of(n_seeds=12, n_epochs=600)).caption
    assert "analytic exponential in" in caption
    assert re.search(r"numeric a power law in \d+ of \d+ runs, t\^−(4|[34]\.\d+) by the median", caption)


def test_pairs_says_how_many_end_a_decade_apart_and_marks_every_flip():
    sweep = sweep_of(n_seeds=12, n_epochs=64)
    a, b = (
        sweep.runs[sweep.runs["mode"] == mode].set_index("seed") for mode in ("numeric h=1e-4", "analytic")
    )
    hit_a, hit_b = a["outcome"] == "converged", b["outcome"] == "converged"
    picture = endings.pairs(sweep)
    apart = np.abs(np.log10(a["final_error"]) - np.log10(b["final_error"]))[hit_a & hit_b] > 1
    assert 0 < apart.mean() < 1
    assert numbers(picture.caption)[:3] == pytest.approx(
        [(hit_a & hit_b).sum(), 12, 100 * apart.mean()], abs=0.1
    )
    for who, only in (("analytic", hit_b & ~hit_a), ("numeric", hit_a & ~hit_b)):
        assert f"only {who}: {only.sum()} of 12" in " ".join(text for text, _ in texts(picture.figure))
    triangles = [
        len(line.get_xdata()) for line in picture.figure.axes[0].lines if line.get_marker() in ("^", "v")
    ]
    assert triangles == [(hit_b & ~hit_a).sum(), (hit_a & ~hit_b).sum()]
    assert min(triangles) > 0


def test_tutorial_draws_the_printed_tables_and_says_what_the_start_is_worth():
    sweep = tutorial_sweep()
    picture = appendix.tutorial(claim_of(sweep))
    for line, mode in zip(picture.figure.axes[0].lines, ("numeric", "analytic"), strict=True):
        assert (line.get_xdata() == EPOCHS).all()
        assert line.get_ydata() == pytest.approx(PRINTED[mode])
    last = {mode: np.log10(0.8 * sweep.error[60, sweep.rows(mode)]) for mode in sweep.modes}
    used = [s for s in range(12) if all(sweep.converged[sweep.rows(mode)[s]] for mode in sweep.modes)]
    gap = median((last["analytic continued"] - last["numeric h=1e-4"])[used])
    assert f"{len(used)} seeds that were not picked {decades(gap)} as the tutorial ran it" in picture.caption
    assert "−12.38 as printed" in picture.caption
    late = median((last["analytic continued"] - last["numeric h=1e-4 continued"])[used])
    assert f"analytic ends {decades(late)} above numeric" in picture.caption


def test_a_seed_that_diverged_is_never_the_nearest_to_the_printed_tables():
    sweep = tutorial_sweep()
    sweep.error[30:, [sweep.rows(mode)[5] for mode in ARMS]] = np.nan
    lost = claim_of(sweep)
    said = " ".join(verdict.text for verdict in lost.verdicts)
    assert lost.seed != 5
    assert "Seed 5 " not in said
    assert "nan" not in said


def test_look_alikes_that_were_picked_stand_in_no_median():
    sweep = tutorial_sweep()
    picked = replace(sweep, runs=sweep.runs.replace({"seed": {0: SEARCHED[0]}}))
    captions = [appendix.tutorial(claim_of(s)).caption.partition("median of")[2] for s in (sweep, picked)]
    assert numbers(captions[1])[0] == numbers(captions[0])[0] - 1


def test_the_power_of_h_is_found():
    h = 10.0 ** np.arange(-8, 0)
    assert appendix._power(h, h**2 / 1000) == ("²·⁰⁰", 8)
    assert appendix._power(h, np.maximum(h**4, 1e-32)) == ("⁴·⁰⁰", 7)  # not what lies at rounding
    assert appendix._power(h, h**2 + 1e12 * h**6) == ("", 8)  # no power law
    assert appendix._power(h[:2], h[:2] ** 2) == ("", 2)


def test_the_power_of_h_and_the_medians_rest_on_steps_where_most_runs_converge():
    sweep, truth = CASES["steps"](), {f"h=1e-{k}": 2.0 * -k for k in range(1, 8)}
    runs = sweep.runs
    for h, log_error in truth.items():
        runs.loc[runs["mode"] == f"numeric {h}", ["outcome", "final_error"]] = "converged", 10.0**log_error
    widest = runs.index[runs["mode"] == "numeric h=1e-1"]
    runs.loc[widest, "final_error"] = 1e-20
    runs.loc[widest[:5], "outcome"] = "stuck"  # of 9
    picture = appendix.step_size(sweep)
    assert "h²·⁰⁰ (numeric, 6 h)" in picture.caption
    assert any("hollow" in text for text, _ in texts(picture.figure))
    runs.loc[widest, "outcome"] = "converged"
    assert "h²·⁰ (numeric" not in appendix.step_size(Sweep(runs, sweep.error, "analytic", {})).caption


def test_a_step_without_a_run_in_the_cell_is_not_drawn_in_its_picture():
    sweep = sweep_of(STEPS, rates=[0.1, 0.3], n_seeds=9)
    absent = ["numeric h=1e-7", "forward h=1e-7", STEPS[-1]]
    elsewhere = np.isin(sweep.column("mode"), absent) & sweep.cell(0.1, 4)
    picture = appendix.step_size(sweep.only(~elsewhere))
    assert picture.figure.axes[0].get_xlim() == pytest.approx((1e-6 / 2, 1e-1 * 2))
    assert "annealed" not in picture.caption
    assert "–" not in picture.caption


def test_continued_arms_are_drawn_by_the_tutorial_alone():
    sweep = tutorial_sweep()
    first, *others = every_picture(sweep, claim_of(sweep))
    assert first.name == "tutorial"
    assert "continued" in first.caption
    for picture in others:
        assert not any("continued" in text for text, _ in texts(picture.figure))
    assert "Not drawn: analytic continued and numeric continued" in others[0].caption
    only = sweep_of(["analytic", "numeric h=1e-4 continued"])  # no fresh arm to show instead
    assert only.fresh().modes == only.modes


def test_a_median_of_fewer_than_six_runs_is_thin_and_says_so():
    sweep = sweep_of(SEVEN[:3], n_seeds=12)
    lost = sweep.rows("numeric h=1e-2", sweep.converged)[:-2]
    sweep.runs.loc[lost, "outcome"] = "stuck"
    sweep = Sweep(sweep.runs, sweep.error, "analytic", sweep.pairs)
    for draw, widths in ((courses.convergence, [1.8, 0.8, 1.8]), (courses.tail, [1.8, 0.8, 1.8])):
        figure = draw(sweep).figure
        curves = [line for line in figure.axes[0].lines if len(line.get_xdata()) > 2]
        assert [line.get_linewidth() for line in curves] == widths
        assert "numeric h=0.01 (2 runs)" in [text for text, _ in texts(figure)]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(), min_size=1, max_size=40, unique=True), st.integers(2, 9))
def test_few_keeps_the_ends_and_the_order(values, most):
    kept = few(values, most)
    assert kept == [value for value in values if value in kept]
    assert len(kept) == min(most, len(values))
    assert (kept[0], kept[-1]) == (values[0], values[-1])


# ---------------------------------------------------------------------------------------- pictures of tables


def test_cost_counts_evaluations_and_shows_seconds_beside():
    sweep = sweep_of(SEVEN, sizes=SIZES, n_seeds=12)
    runs = sweep.runs.assign(n_params=4 * sweep.runs["hidden_size"])
    runs["seconds"] = 3e-6 * sweep.n_epochs * 5 * runs["n_params"] / 8
    picture = appendix.cost(Sweep(runs, sweep.error, "analytic", sweep.pairs, n_rows=5))
    assert not unreadable(picture.figure)
    time = picture.figure.axes[1].lines[0]
    weights, micro = time.get_data()
    assert weights == pytest.approx([8, 16, 32, 64])
    assert micro == pytest.approx([3, 6, 12, 24])
    assert "analytic 3 with 8 to 24 with 64" in picture.caption
    rows = sweep.rows("analytic", sweep.converged & sweep.cell(0.1, 4))
    first = np.flatnonzero(np.median(sweep.error[:, rows], axis=1) <= 1e-6)[0]
    told = numbers(picture.caption.partition("analytic ")[2])[0]
    assert told / (5 * len("analytic")) == pytest.approx(first, abs=2)  # drawn at 121 epochs


def test_cost_draws_seconds_of_the_runs_that_have_them():
    sweep = sweep_of(SEVEN[:2], sizes=SIZES, n_seeds=12)
    runs = sweep.runs.assign(n_params=4 * sweep.runs["hidden_size"], seconds=1.0)
    runs.loc[(runs["mode"] == "analytic") & (runs["hidden_size"] > 2), "seconds"] = np.nan  # copied
    draw = appendix.cost
    picture = draw(Sweep(runs, sweep.error, "analytic", sweep.pairs))
    analytic, numeric = (line.get_xdata() for line in picture.figure.axes[1].lines)
    assert (len(analytic), len(numeric)) == (1, 4)
    assert not unreadable(picture.figure)
    assert re.search("analytic [^ ]+ with 8 weights; numeric [^ ]+ with 8 to [^ ]+ with 64", picture.caption)
    runs["seconds"] = np.nan
    assert len(draw(Sweep(runs, sweep.error, "analytic", sweep.pairs)).figure.axes) == 1


def test_cost_needs_the_rows_of_an_epoch_and_seconds_need_three_sizes():
    sweep = sweep_of(sizes=SIZES[:2])
    assert appendix.cost(Sweep(sweep.runs, sweep.error, "analytic", sweep.pairs, n_rows=None)) is None
    assert len(appendix.cost(replace(sweep, runs=sweep.runs.assign(seconds=1.0))).figure.axes) == 1
