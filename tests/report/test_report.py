"""The report says what the sweep holds, no more, the same twice, and it tells what is missing."""

import html
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tinynet
from experiments.analysis import MARGINS, analyse
from experiments.analysis.estimates import compare
from experiments.analysis.table import n_rows as rows_of_problem
from experiments.analysis.tutorial import factor
from experiments.report import __main__ as report
from experiments.report.page import blocks_of, special_blocks
from experiments.store import load_sweep
from experiments.wording import decades
from tests.report.conftest import ANALYTIC, NUMERIC, made, mode, runs_of

ROOT = Path(__file__).parent.parent.parent
EVIL = "<script>alert(1)</script>"


class Again(tinynet.gradients.Analytic):
    """The reference under another name: whatever it is called, nothing differs."""


@pytest.fixture(scope="module")
def planted(record):
    """Analytic, numeric and a forward difference whose fixed point lies elsewhere, 12 seeds."""
    return record("planted", runs_of([ANALYTIC, NUMERIC, mode("Forward", h=1e-3)], range(12)))


@pytest.fixture(scope="module")
def page(planted, tmp_path_factory):
    """The report on `planted`: (its page, its folder)."""
    folder = tmp_path_factory.mktemp("page")
    return made(planted, "planted", folder), folder


def states(uri, name) -> dict[str, dict[str, str]]:
    """Per mode: question -> verdict."""
    blocks = blocks_of(analyse(load_sweep(uri, sweep=name)))
    return {mode: {block.row["question"]: block.verdict for block in group} for mode, group in blocks.items()}


def test_a_sweep_of_one_mode_under_two_names_is_never_called_different(record):
    again = {"_target_": f"{__name__}.Again"}
    said = states(record("same", runs_of([ANALYTIC, again], range(12))), "same")["again"]
    assert "different" not in said.values()
    assert said["depth"] == said["epochs_to_1e-3"] == said["epochs_to_1e-9"] == "equivalent"


def test_a_planted_difference_is_called_different(planted):
    said = states(planted, "planted")
    assert said["forward h=0.001"]["depth"] == "different"
    assert said["numeric h=1e-4"]["depth"] == "different"
    assert said["numeric h=1e-4"]["epochs_to_1e-9"] == "equivalent"


def test_three_seeds_resolve_nothing_however_far_apart_they_end(record):
    uri = record("three", runs_of([ANALYTIC, mode("SPSA", h=1e-4), NUMERIC], range(3), n_epochs=300))
    for of in states(uri, "three").values():
        assert set(of.values()) <= {"unresolved", "not measured", "exact"}


def test_sixty_epochs_have_no_law(record):
    uri = record("short", runs_of([ANALYTIC, NUMERIC], range(8), n_epochs=60))
    said = states(uri, "short")["numeric h=1e-4"]
    assert said["law"] == "not measured"


def test_estimates_are_tidy_and_the_page_holds_each_verdict(page):
    """A row per mode, question and cell: what is judged stands on the page, number by number."""
    page, folder = page
    table = pd.read_csv(folder / "tables" / "estimates.csv")
    assert not table.duplicated(["mode", "question", "cell"]).any()
    assert set(table["scope"]) == {"cell", "pooled"}
    pooled = table[(table["scope"] == "pooled") & table["verdict"].notna()]
    assert len(pooled) == 2 * 9
    text = html.unescape(re.sub(r"<[^>]+>", " ", page))
    for row in pooled[pooled["question"] == "depth"].to_dict("records"):
        assert decades(row["value"]) in text
        assert f"{decades(row['low'])} to {decades(row['high'])}" in text
    shown = re.findall(r'<span class="badge ([a-z-]+)">', page)
    for verdict, n in pooled["verdict"].value_counts().items():
        if verdict != "not measured":  # late errors, where runs converge: nobody asks
            assert shown.count(verdict) >= 2 * n  # in the answers and at the question


def test_the_tables_are_those_of_the_runs_in_the_store(planted, page):
    runs = pd.read_csv(page[1] / "tables" / "runs.csv", dtype={"final_error": str})  # pandas 2: near
    stored = load_sweep(planted, sweep="planted").runs
    assert list(runs["name"]) == list(stored["name"])
    assert list(runs["final_error"].map(float)) == list(stored["metrics.final_error"])
    assert runs["epochs_to_1e-3"].equals(stored["metrics.epochs_to_1e-3"])


def test_twice_gives_the_same_bytes_and_the_store_gets_them_too(planted, page, tmp_path):
    made(planted, "planted", tmp_path)
    files, again = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (page[1], tmp_path)
    )
    assert files == again
    sweep = load_sweep(planted, sweep="planted")
    artifacts = next(p for p in tmp_path.parent.rglob(f"{sweep.run_id}/artifacts"))
    for path, content in files.items():
        assert (artifacts / path).read_bytes() == content


def test_a_reader_that_has_enough_gets_no_complaint(planted, tmp_path):
    """python -m experiments.report | head -1: nobody reads on."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "experiments.report", "--store", planted, "--output", str(tmp_path)]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "report.html").exists()


def test_the_page_asks_the_network_for_nothing(page):
    page, folder = page
    for target in re.findall(r"""(?:src|href)\s*=\s*["']?([^"'\s>]+)""", page):
        assert target.startswith(("data:image/", "#", "figures/", "tables/"))
        if not target.startswith("data:"):
            inside = f'id="{target[1:]}"' in page if target[0] == "#" else (folder / target).is_file()
            assert inside, target
    assert not re.search(r"<script|@import|url\(|https?://", page)


def test_text_from_runs_is_text_on_the_page(record, tmp_path):
    runs = runs_of([ANALYTIC, NUMERIC], range(7), n_epochs=60)
    evil = replace(runs[3], name=EVIL, failed=True, tags=runs[3].tags | {"failure": EVIL})
    mocking = [replace(run, tags=run.tags | {"mode": f"numeric {EVIL}"}) for run in runs[7:]]
    uri = record(EVIL, [*runs[:3], evil, *runs[4:7], *mocking])
    page = made(uri, EVIL, tmp_path)
    assert "<script" not in page
    assert html.escape(EVIL) in page


def test_what_is_missing_or_failed_is_listed_with_the_command_that_completes_it(
    record, tmp_path, capsys, undrawn
):
    runs = runs_of([ANALYTIC, NUMERIC], range(8), n_epochs=60)
    broken = replace(runs[12], failed=True, tags=runs[12].tags | {"failure": "MemoryError: no room"})
    twice = replace(runs[15], fingerprint="f" * 32)
    uri = record("holes", [*runs[:2], *runs[3:12], broken, *runs[13:], twice], status="FAILED", planned=16)
    page = made(uri, "holes", tmp_path)
    listed = pd.read_csv(tmp_path / "tables" / "left_out.csv")
    assert set(zip(listed["seed"], listed["mode"], listed["reason"], strict=True)) == {
        (2, "analytic", "missing"), (2, "numeric h=1e-4", "no partner"),
        (4, "numeric h=1e-4", "failed"), (4, "analytic", "no partner"),
        (7, "numeric h=1e-4", "duplicate"), (7, "analytic", "no partner"),
    }  # fmt: skip
    assert "MemoryError: no room" in page
    assert "5 pairs" in page
    assert "is trained by the sweep’s own command" in page
    assert page.count("python -m experiments.run experiment=test") >= 2


def test_a_sweep_still_running_and_runs_of_different_code_are_reported_and_called_so(
    record, tmp_path, undrawn
):
    runs = runs_of([ANALYTIC, NUMERIC], range(3), n_epochs=60)
    old = [replace(run, tags=run.tags | {"code": "0123456789abcdef"}) for run in runs[:2]]
    page = made(record("running", [*old, *runs[2:]], status="RUNNING"), "running", tmp_path)
    assert "is still running" in page
    assert "different versions of tinynet" in page


def test_runs_copied_from_other_sweeps_have_no_seconds_and_are_counted_with_where_they_ran(
    record, tmp_path, undrawn
):
    runs = runs_of([ANALYTIC, NUMERIC], range(8), n_epochs=60)
    page = made(record("own machine", runs), "own machine", tmp_path / "own")
    assert "copied from other sweeps" not in page
    assert "different places" not in page
    assert "ms in the median" in page
    elsewhere = {"taken_over": "d" * 32, "numpy": "1.26.4", "machine": "VAX, 1 core"}
    for n_copied, told in ((3, True), (16, False)):
        copied = [replace(run, tags=run.tags | elsewhere) for run in runs[:n_copied]]
        uri = record(f"copied {n_copied}", [*copied, *runs[n_copied:]])
        page = made(uri, f"copied {n_copied}", tmp_path / str(n_copied))
        table = pd.read_csv(tmp_path / str(n_copied) / "tables" / "runs.csv")
        assert (table["seconds"].isna() == table["taken_over"].notna()).all()
        assert table["seconds"].isna().sum() == n_copied
        assert f"{n_copied} of 16 runs were copied from other sweeps" in page
        assert ("ms in the median" in page, "different places" in page) == (told, told)
        assert ("3 runs by numpy 1.26.4 on VAX, 1 core" in page) == told
        assert not re.search(r"\bnan\b", page)


def test_other_start_weights_make_no_pair_unless_the_mode_says_so(record):
    runs = runs_of([ANALYTIC, NUMERIC, ANALYTIC | {"start": "nudged"}], range(4), n_epochs=60)
    runs[1] = replace(runs[1], tags=runs[1].tags | {"start": "elsewhere"})
    uri = record("starts", runs)
    analysed = analyse(load_sweep(uri, sweep="starts"))
    assert len(analysed.pairings["numeric h=1e-4"].a) == 3
    assert len(analysed.pairings["analytic nudged"].a) == 4
    gaps = analysed.left_out
    assert list(gaps["reason"][gaps["seed"] == 1]) == ["other start"] * 2


def test_a_mode_with_a_learning_rate_of_its_own_is_paired_by_seed_and_start_and_labelled(
    record, tmp_path, undrawn
):
    runs = runs_of([ANALYTIC, NUMERIC], range(8), n_epochs=60)
    runs += runs_of([mode("SPSA", h=1e-4)], range(8), n_epochs=60, learning_rate=0.01)
    page = made(uri := record("own", runs), "own", tmp_path)
    analysed = analyse(load_sweep(uri, sweep="own"))
    assert analysed.own_rate == {"spsa h=1e-4"}
    pairing, table = analysed.pairings["spsa h=1e-4"], analysed.runs
    assert list(table["seed"][pairing.a]) == list(table["seed"][pairing.b]) == list(range(8))
    assert list(table["start_weights"][pairing.a]) == list(table["start_weights"][pairing.b])
    assert "At its own learning rate, 0.01, against analytic at 0.1" in page
    assert "Which of 2 ways to train end where" in page


def test_a_missing_partner_of_a_mode_with_a_learning_rate_of_its_own_is_listed_with_its_seed(record):
    runs = runs_of([ANALYTIC], range(4), n_epochs=60)
    runs += runs_of([mode("SPSA", h=1e-4)], range(3), n_epochs=60, learning_rate=0.01)
    uri = record("own hole", runs, planned=8)
    listed = analyse(load_sweep(uri, sweep="own hole")).left_out
    assert list(zip(listed["mode"], listed["reason"], listed["seed"], strict=True)) == [
        ("spsa h=1e-4", "missing", 3),
        ("analytic", "no partner", 3),
    ]


def test_a_derived_setting_makes_no_cell(record):
    runs = [
        run
        for size in (4, 8)
        for run in runs_of([ANALYTIC, NUMERIC], range(2), n_epochs=60, hidden_size=size)
    ]
    analysed = analyse(load_sweep(record("sizes", runs), sweep="sizes"))
    assert "n_params" in analysed.runs
    assert analysed.cell_keys == ["hidden_size"]


def test_values_that_differ_in_the_seventh_digit_are_cells_of_their_own(record, tmp_path, undrawn):
    rates = (0.1234567, 0.1234568)
    runs = [
        run
        for rate in rates
        for run in runs_of([ANALYTIC, NUMERIC], range(2), n_epochs=60, learning_rate=rate)
    ]
    page = made(uri := record("near", runs), "near", tmp_path)
    analysed = analyse(load_sweep(uri, sweep="near"))
    rows = analysed.estimates[analysed.estimates["question"] == "outcome"]
    names = [*(f"learning_rate={rate}" for rate in rates), "all"]
    assert list(zip(rows["cell"], rows["n_pairs"], strict=True)) == list(zip(names, (2, 2, 4), strict=True))
    tables = page.count("<th>learning rate</th>")
    assert tables > 0
    assert [page.count(f"<td>{rate}</td>") for rate in rates] == [tables, tables]


def test_what_no_grid_held_is_not_called_missing(record):
    runs = runs_of([ANALYTIC, NUMERIC], range(6), n_epochs=60)
    runs += runs_of([ANALYTIC], range(6), n_epochs=60, learning_rate=0.03)
    uri = record("wider", runs)
    assert analyse(load_sweep(uri, sweep="wider")).left_out.empty
    record("cut", runs[:-1], planned=len(runs))
    assert not analyse(load_sweep(uri, sweep="cut")).left_out.empty


def test_continued_runs_are_compared_with_each_other(record):
    runs = runs_of(
        [ANALYTIC | {"start": "continued"}, NUMERIC | {"start": "continued"}], range(6), n_epochs=60
    )
    analysed = analyse(load_sweep(record("both", runs), sweep="both"))
    assert analysed.reference == "analytic continued"
    assert len(analysed.pairings["numeric h=1e-4 continued"].a) == 6


def test_starts_that_differ_by_design_are_not_called_equal(record, tmp_path, undrawn):
    runs = runs_of([ANALYTIC, NUMERIC, ANALYTIC | {"start": "nudged"}], range(6), n_epochs=60)
    page = made(record("nudge", runs), "nudge", tmp_path)
    assert "6 pairs from equal starts and 6 from starts that differ by design" in page
    assert not {run.tags["start"] for run in runs[:6]} & {run.tags["start"] for run in runs[12:]}


def test_control_and_intervention_are_told_where_they_were_run_and_only_there(
    record, planted, tmp_path, undrawn
):
    runs = runs_of([ANALYTIC, NUMERIC, ANALYTIC | {"start": "nudged"}, mode("Hybrid", h=1e-4)], range(10))
    uri = record("controls", runs)
    analysed = analyse(load_sweep(uri, sweep="controls"))
    control, restored, removed = special_blocks(analysed)["controls"]
    outcome = analysed.runs.pivot(index="seed", columns="mode", values="outcome")
    for name, count in (("numeric h=1e-4", "n_other"), ("analytic nudged", "n_other_nudged")):
        assert control.support[count] == (outcome[name] != outcome["analytic"]).sum()
    assert restored.verdict == "equivalent"
    assert (removed.a, removed.b, removed.row["value"] < -1) == ("hybrid", "numeric", True)
    assert "h·N(0,1)" in made(uri, "controls", tmp_path)
    assert special_blocks(analyse(load_sweep(planted, sweep="planted")))["controls"] == []


def test_an_intervention_that_changes_nothing_says_so_and_one_without_triples_says_that(
    record, tmp_path, undrawn
):
    modes = [ANALYTIC, NUMERIC, mode("Hybrid", h=1e-4)]
    same = runs_of([ANALYTIC], range(10))
    moot = []
    for words in modes:
        for run, like in zip(runs_of([words], range(10)), same, strict=True):
            moot.append(
                replace(
                    run,
                    metrics=like.metrics,
                    curves=like.curves,
                    tags=run.tags | {"outcome": like.tags["outcome"]},
                )
            )
    page = made(record("moot", moot), "moot", tmp_path / "moot")
    for other in ("analytic", "numeric"):
        assert f"In the median triple hybrid ends 0.00 decades from {other}" in page
    stuck = [replace(run, tags=run.tags | {"outcome": "stuck"}) for run in moot]
    page = made(record("stuck", stuck), "stuck", tmp_path / "stuck")
    assert page.count("There is no triple in which all three converge.") == 2


def test_diagnostics_have_a_table(record, tmp_path, undrawn):
    made(
        record("watched", runs_of([ANALYTIC, NUMERIC], range(4), n_epochs=60, diagnostics=True)),
        "watched",
        tmp_path,
    )
    table = pd.read_csv(tmp_path / "tables" / "diagnostics.csv")
    assert set(table["mode"]) == {"analytic", "numeric h=1e-4"}
    assert {"epoch", "n_runs", "kink_share", "gradient_cosine"} <= set(table)
    assert (table["n_runs"] == 4).all()
    assert (table["gradient_error_beyond_kink"][table["mode"] == "analytic"].dropna() == 0).all()


def test_a_law_needs_seeds_that_have_one(planted):
    """Three seeds that all change their law are three replicates, however many pairs the sweep has."""
    analysed = analyse(load_sweep(planted, sweep="planted"))
    runs, few = analysed.runs.copy(), analysed.runs["seed"] < 3
    runs["law"] = [
        ("power" if m == "analytic" else "mixed") if of else "none"
        for m, of in zip(runs["mode"], few, strict=True)
    ]
    pairing = analysed.pairings["numeric h=1e-4"]
    halves = [
        {name: half[name].to_numpy() for name in half}
        for half in (runs.iloc[pairing.a], runs.iloc[pairing.b])
    ]
    rows, _ = compare(*halves, ["single"] * len(pairing.a))
    (law,) = [row for row in rows if (row["question"], row["cell"]) == ("law", "all")]
    (outcome,) = [row for row in rows if (row["question"], row["cell"]) == ("outcome", "all")]
    assert (law["n_seeds"], outcome["n_seeds"], law["low"] > MARGINS.share) == (3, 12, True)
    assert law["verdict"] == "unresolved"


def test_margins_are_those_of_the_config_and_the_command_line_changes_them():
    assert report._settings(report._parser().parse_args([])) == (MARGINS, [1e-3, 1e-6, 1e-9])
    given = report._parser().parse_args(["--margin-epochs", "5", "--margin-share", "0.02"])
    assert report._settings(given)[0] == MARGINS._replace(epochs=5, share=0.02)


@pytest.mark.parametrize("practical", ["0.5", "[]", "[0.1, x]", "[-1.0]", "null"])
def test_practical_errors_that_are_none_are_refused_in_one_line(
    planted, tmp_path, monkeypatch, capsys, practical
):
    config = tmp_path / "report.yaml"
    margins = "margins: {share: 0.01, decades: 0.1, epochs: 1, ratio: 0.01}"
    config.write_text(f"{margins}\npractical_errors: {practical}\n")
    monkeypatch.setattr(report, "CONFIG", config)
    assert report.main(["--store", planted, "--sweep", "planted"]) == 1
    error = capsys.readouterr().err
    assert "practical_errors=" in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(("text", "words"), [
    ("[1, 2]", "[1, 2]; give margins and practical_errors"),
    ("margins: [1,2", "give margins and practical_errors"),
    ("practcal: 3", "give margins and practical_errors and nothing else"), ("", "margins=None; give share"),
    ("margins: {share: '0.01', decades: 1, epochs: 1, ratio: 1}", "margin-share='0.01': give a share"),
    ("margins: {share: 0.01, decades: .inf, epochs: 1, ratio: 0.1}", "margin-decades=inf: give decades"),
    (None, "No such file"),
])  # fmt: skip
def test_a_config_that_is_none_is_one_message(planted, tmp_path, monkeypatch, capsys, text, words):
    config = tmp_path / "report.yaml"
    if text is not None:
        config.write_text(text)
    monkeypatch.setattr(report, "CONFIG", config)
    assert report.main(["--store", planted, "--sweep", "planted"]) == 1
    error = capsys.readouterr().err
    assert words in error
    assert "report.yaml" in error or "margin-" in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize("variables", [
    {"MPLBACKEND": "module://matplotlib_inline.backend_inline"},
    {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
])  # fmt: skip
def test_the_environment_of_a_notebook_or_an_old_terminal_stops_no_report(planted, tmp_path, variables):
    command = [sys.executable, "-m", "experiments.report", "--store", planted, "--output", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, cwd=ROOT, env=os.environ | variables, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "report.html").exists()


@pytest.mark.parametrize(("problem", "n_rows"), [
    ({"_target_": "tinynet.Problem.parity", "n_bits": 3}, 8), ({"_target_": "tinynet.Problem.xor"}, 4),
    ({"_target_": "tinynet.Problem.from_csv", "path": "{}/rows.csv", "target": "y"}, 3),
])  # fmt: skip
def test_an_epoch_has_as_many_steps_as_the_problem_has_rows(record, tmp_path, problem, n_rows):
    (tmp_path / "rows.csv").write_text("x,y\n1,1\n0,0\n2,1\n")
    problem = {key: str(value).format(tmp_path) if key == "path" else value for key, value in problem.items()}
    name = problem["_target_"]
    uri = record(name, runs_of([ANALYTIC, NUMERIC], range(2), n_epochs=60, problem=problem))
    table = analyse(load_sweep(uri, sweep=name)).runs
    assert rows_of_problem(table) == n_rows
    (tmp_path / "rows.csv").unlink()
    if "path" in problem:
        assert rows_of_problem(table) is None


def test_the_tutorials_advantage_is_split_into_start_and_gradient(record, tmp_path, undrawn):
    continued = [ANALYTIC | {"start": "continued"}, NUMERIC | {"start": "continued"}]
    runs = runs_of([ANALYTIC, NUMERIC, *continued], [14184, 144273, *range(30)], n_epochs=60, hidden_size=4)
    page = made(record("claim", runs, experiment="tutorial"), "claim", tmp_path)
    seeds = pd.read_csv(tmp_path / "tables" / "tutorial_seeds.csv")
    assert not {14184, 144273} & set(seeds["seed"])  # picked, so in no estimate
    for start, gradient in (("start_analytic", "gradient_fresh"), ("start_numeric", "gradient_continued")):
        assert (seeds[start] + seeds[gradient]).to_numpy() == pytest.approx(seeds["as_run"].to_numpy())
    estimates = pd.read_csv(tmp_path / "tables" / "estimates.csv", index_col="question")["value"]
    medians = {
        name: estimates[f"tutorial_{name}"]
        for name in ("start_numeric", "gradient_fresh", "gradient_continued")
    }
    assert medians["start_numeric"] < -4  # most of it is more epochs of the same
    assert abs(medians["gradient_fresh"]) < 0.1  # the gradient changes next to nothing before epoch 60
    for name in ("gradient_fresh", "gradient_continued"):  # and both are on the page
        assert decades(medians[name]) in page
    assert f"Of 30 seeds that were not picked, {len(seeds)} enter" in page
    assert "one goes on from weights that n_epochs of the numeric mode had trained" in page
    tables = pd.read_csv(tmp_path / "tables" / "tutorial.csv")
    for printed, run in (("printed_numeric", "numeric"), ("printed_analytic", "analytic_continued")):
        assert (tables[run] / tables[printed]).between(1 / 2.8, 2.8).all()
    assert "Seed 144273 comes within 12.7" in page
    assert "14184 within a factor 2.8" in page
    assert "found by a search" in page


@pytest.mark.parametrize(("words", "said"), [
    (["--sweep", "plantde"], "no sweep 'plantde'"),
    (["--experiment", "tset"], "no sweep of experiment 'tset'"),
    (["--sweep", "planted", "--reference", "analitic"], "did you mean 'analytic'?"),
    (["--sweep", "planted", "--margin-decades", "-1"], "margin-decades=-1.0: give decades above 0"),
    (["--sweep", "planted", "--margin-share", "nan"], "margin-share=nan: give a share"),
    (["--sweep", "planted", "--margin-epochs", "0"], "margin-epochs=0.0: give epochs above 0"),
    (["--sweep", "alone"], "sweep=alone: its 2 runs are all of the mode analytic"),
    (["--sweep", "apart"], "sweep=apart: none of its 2 runs has a finished partner"),
    (["--sweep", "planted", "--output", os.devnull + "/x"], "output="),
])  # fmt: skip
def test_what_cannot_be_reported_is_one_message(record, planted, capsys, words, said, undrawn):
    record("alone", runs_of([ANALYTIC], range(2), n_epochs=60))
    both = runs_of([ANALYTIC, NUMERIC], range(2), n_epochs=60)
    record("apart", [both[0], both[3]])
    assert report.main(["--store", planted, *words]) == 1
    told = capsys.readouterr().err
    assert said in told
    assert len(told.splitlines()) == 1


def test_a_store_that_is_not_there_is_one_message_and_is_not_made(tmp_path, capsys):
    assert report.main(["--store", f"sqlite:///{tmp_path / 'none.db'}"]) == 1
    assert "no store yet" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_an_error_of_zero_is_as_far_from_a_printed_one_as_can_be():
    assert factor(np.array([1e-3, 0.0]), np.array([1e-3, 1e-9])) == np.inf
