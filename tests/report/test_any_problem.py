"""Any problem gets a report, and any sweep: noisy targets, small ones, one seed, one cell, a missing mode."""

import re

import numpy as np
import pandas as pd
import pytest

import tinynet
from tests.report.conftest import ANALYTIC, NUMERIC, made, mode, runs_of


def noisy(scale: float = 1.0, n_rows: int = 12) -> tinynet.Problem:
    """Two rows in three contradict each other: no net can fit them."""
    draws = np.random.RandomState(5)
    inputs = np.repeat(draws.uniform(-1, 1, (n_rows // 3, 2)), 3, axis=0)
    return tinynet.Problem(inputs, scale * draws.uniform(-1, 1, n_rows))


def reported(record, folder, name, runs) -> tuple[str, pd.DataFrame]:
    """The page, and its estimates for all cells by question."""
    page = made(record(name, runs), name, folder)
    table = pd.read_csv(folder / "tables" / "estimates.csv")
    return page, table[table["scope"] == "pooled"].set_index("question")


def figures(folder) -> set[str]:
    return {path.stem for path in (folder / "figures").glob("*.png")}


@pytest.fixture(scope="module")
def unfit(record, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unfit")
    problem = {"_target_": f"{__name__}.noisy"}
    modes = [ANALYTIC, NUMERIC, mode("Forward", h=0.3)]
    runs = runs_of(modes, range(20), problem=problem, hidden_size=4, n_epochs=100, learning_rate=0.02)
    assert "converged" not in {run.tags["outcome"] for run in runs}
    return *reported(record, folder, "noisy", runs), folder


def test_what_no_run_reaches_is_not_measured_and_never_equivalent(unfit):
    _, table, _ = unfit
    numeric = table[table["mode"] == "numeric h=1e-4"]
    for question in ("converged", "epochs_to_1e-3", "epochs_to_1e-9", "depth", "law"):
        assert numeric["verdict"][question] == "not measured"
    assert numeric["verdict"]["outcome"] in ("unresolved", "equivalent")


def test_late_errors_of_all_pairs_are_compared_instead(unfit):
    page, table, _ = unfit
    late = table.loc["late_error"].set_index("mode")
    assert (late["n_pairs"] == 20).all()
    assert late["verdict"]["numeric h=1e-4"] == "equivalent"
    assert late["verdict"]["forward h=0.3"] == "different"  # so wide a step has another fixed point
    assert "late error" in page


def test_panels_without_content_are_left_out(unfit):
    page, _, folder = unfit
    assert "convergence" in figures(folder)
    assert not figures(folder) & {"cost", "step_size", "mechanism"}
    assert not re.search(r"\bnan\b|\binf\b", re.sub(r"data:[^\"]+", "", page))


def test_outcomes_do_not_depend_on_the_unit_of_the_targets(record, tmp_path):
    tables = []
    for scale in (1.0, 1e-2, 1e3):
        problem = {"_target_": f"{__name__}.noisy", "scale": scale}
        # the square of the scale stands before the gradient; the start weights do not scale with the targets
        runs = runs_of([ANALYTIC], range(8), problem=problem, hidden_size=4, n_epochs=100, learning_rate=0.02)
        tables.append([run.tags["outcome"] for run in runs])
        assert "converged" not in tables[-1]


@pytest.mark.parametrize("n_seeds", [1, 3])
def test_few_seeds_are_reported_and_settle_nothing(record, tmp_path, n_seeds, undrawn):
    page, table = reported(record, tmp_path, f"{n_seeds} seeds", runs_of([ANALYTIC, NUMERIC], range(n_seeds)))
    assert set(table["verdict"].dropna()) <= {"unresolved", "not measured", "exact"}
    assert "it takes 6 to settle anything" in page
    assert not re.search(r"\bnan\b", re.sub(r"data:[^\"]+", "", page))


def test_a_mode_that_is_missing_in_a_cell_is_reported_where_it_is(record, tmp_path, undrawn):
    runs = runs_of([ANALYTIC, NUMERIC], range(7), n_epochs=60)
    runs += runs_of([ANALYTIC], range(7), n_epochs=60, hidden_size=4)
    page, table = reported(record, tmp_path, "half", runs)
    assert table["n_pairs"]["outcome"] == 7
    assert "21 runs" in page


def test_practical_errors_decide_what_speed_is_asked_to(record, tmp_path, monkeypatch, undrawn):
    from experiments.report import __main__ as report

    config = tmp_path / "report.yaml"
    config.write_text(report.CONFIG.read_text().replace("[1e-3, 1e-6, 1e-9]", "[0.05, 0.02]"))
    monkeypatch.setattr(report, "CONFIG", config)
    page, table = reported(record, tmp_path / "own", "own errors", runs_of([ANALYTIC, NUMERIC], range(7)))
    assert [name for name in table.index if name.startswith("epochs_to_") and "apart" not in name] == [
        "epochs_to_0.05", "epochs_to_0.02", "epochs_to_1e-15",
    ]  # fmt: skip
    assert "Are both equally fast to 0.05?" in page
