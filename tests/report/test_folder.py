"""Where a report goes: any name makes a folder, an older report there goes, a bad place is told at once."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.report import __main__ as report
from experiments.report import folder
from experiments.store import StoreError
from tests.report.conftest import ANALYTIC, NUMERIC, runs_of


@pytest.fixture(scope="module")
def uri(record):
    return record("sweep", runs_of([ANALYTIC, NUMERIC], range(2), n_epochs=5))


@given(st.text(min_size=1))
def test_any_name_makes_one_folder_that_file_systems_take(name):
    slug = folder.slug(name)
    assert slug
    assert len(slug.encode()) <= 143
    assert "/" not in slug
    assert not slug.startswith(".")


def test_a_usual_name_stays_and_long_names_stay_apart():
    assert folder.slug("größe-20261125-041922") == "größe-20261125-041922"
    assert folder.slug("実験" * 100 + "a") != folder.slug("実験" * 100 + "b")


def test_a_name_that_the_file_system_cannot_write_makes_a_folder(monkeypatch):
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "ascii")  # LC_ALL=C PYTHONUTF8=0
    assert folder.slug("größe-1") == "gr_e-1"


def written(place, *names):
    """A report that has these files, and its page."""
    links = "".join(f'<a href="{name}">' for name in names)
    for name in names:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(name)
    (place / "report.html").write_text(f"<pre>python {folder.OURS} --sweep x</pre>{links}")
    return place


def test_an_older_report_is_replaced_and_what_else_is_there_stays(tmp_path):
    output = tmp_path / "output"
    folder.place(written(tmp_path / "old", "tables/runs.csv", "tables/old.csv", "figures/old.svg"), output)
    others = {output / "tables" / "mine.csv", output / "notes.txt"}
    for file in others:
        file.write_text("")
    folder.place(written(tmp_path / "new", "tables/runs.csv", "figures/new.svg"), output)
    ours = {output / name for name in ("report.html", "tables/runs.csv", "figures/new.svg")}
    assert {file for file in output.rglob("*.*")} == ours | others


def test_a_page_of_somebody_else_takes_nothing_along(tmp_path):
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "mine.png").write_text("")
    (tmp_path / "report.html").write_text('<img href="figures/mine.png">')
    folder.place(written(tmp_path / "new", "tables/runs.csv"), tmp_path)
    assert (tmp_path / "figures" / "mine.png").exists()


@pytest.mark.parametrize("name", ["a file", "a file/report", "x" * 300])
def test_a_folder_that_cannot_be_made_is_told_before_the_work(uri, tmp_path, capsys, monkeypatch, name):
    (tmp_path / "a file").write_text("mine")
    monkeypatch.setattr(report, "analyse", None)
    monkeypatch.chdir(tmp_path)
    assert report.main(["--store", uri, "--output", name]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"output={name}: ")
    assert error.endswith("; give --output a folder that can be written\n")
    assert error.count("\n") == 1
    assert [file.name for file in tmp_path.iterdir()] == ["a file"]


def test_a_report_that_cannot_be_attached_is_there_and_a_line_says_so(uri, tmp_path, capsys, monkeypatch):
    def refuse(uri, run_id, folder):
        raise StoreError("no room for artifacts")

    monkeypatch.setattr(report, "attach", refuse)
    monkeypatch.setattr(
        report, "write", lambda analysed, store, place, draw: written(place, "tables/runs.csv")
    )
    assert report.main(["--store", uri, "--output", str(tmp_path / "a b")]) == 0
    said = capsys.readouterr()
    assert said.err == "the report is not attached to the sweep in MLflow: no room for artifacts\n"
    assert f"'{tmp_path}/a b/report.html'" in said.out
    assert (tmp_path / "a b" / "report.html").exists()
