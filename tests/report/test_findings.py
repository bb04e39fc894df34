"""docs/findings.md names only what exists: experiments, pictures, settings of the cases it overrides."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
FINDINGS = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
CLAIMS, COMMANDS = FINDINGS.split("## Commands")
RUN = re.compile(r"experiments\.run experiment=(\w+)")
REPORT = re.compile(r"experiments\.report --experiment (\w+) --output reports/(\w+)")


def test_every_command_names_an_experiment_that_exists_and_reports_on_it():
    swept = RUN.findall(COMMANDS)
    assert swept
    assert set(swept) <= {path.stem for path in (ROOT / "conf" / "experiment").glob("*.yaml")}
    assert sorted(REPORT.findall(COMMANDS)) == sorted((name, name) for name in swept)


def test_every_sweep_confirms_on_seeds_that_were_not_explored():
    ranges = re.findall(r"seed=range\((\d+),(\d+)\)", COMMANDS)
    assert len(ranges) == len(RUN.findall(COMMANDS))
    assert all(int(first) >= 100 and int(last) - int(first) == 1000 for first, last in ranges)


def test_every_picture_is_there_and_shown_and_small():
    shown = set(re.findall(r"!\[\w+\]\((figures/\w+\.png)\)", CLAIMS))
    linked = set(re.findall(r"\]\((figures/[^)]+)\)", CLAIMS))
    there = {f"figures/{path.name}": path.stat().st_size for path in (ROOT / "docs" / "figures").iterdir()}
    assert shown == linked == set(there)
    assert max(there.values()) < 200_000


@pytest.mark.parametrize("anchor", re.findall(r"\]\(#([\w-]+)\)", FINDINGS))
def test_every_link_within_the_page_has_its_heading(anchor):
    assert anchor in {
        re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in re.findall(r"^#+ (.+)$", FINDINGS, re.M)
    }


def test_no_placeholder_is_left():
    assert "@@" not in FINDINGS
