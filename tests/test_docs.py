"""The pages for other people's projects: what they say is typed is typed, and says what they say it says."""

import doctest
import io
import logging
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tomllib
from contextlib import redirect_stderr, redirect_stdout, suppress

import pytest

from hydra_plugins.hydra_stacked_launcher import StackedTask, config
from tests.house import ROOT
from tests.plugin.test_ridge import FOLDER, module

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
KINDS = {  # what a test does with a block
    "console": "typed, in order",
    "python": "found in the example, or executed, in order",
    "pycon": "typed into Python, in order",
    "yaml": "found in the example",
    "measured": "held against the script that prints it",
    "sh": "for people: an installation, as tests/test_wheel.py does, or a program that goes on until Ctrl-C",
}
TIME = re.compile(r"\[\d{4}-\d\d-\d\d [\d:,]+\]")  # of a log line
LONG_NUMBER = re.compile(r"\d+\.\d{7,}")  # its last digits are the machine's


def page(name):
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def blocks(name, kind):
    return [text for found, text in FENCE.findall(page(name)) if found == kind]


def typed(block):
    """The commands of a console block, each with the output that follows it."""
    for entry in block.removeprefix("$ ").split("\n$ "):
        command, _, output = entry.partition("\n")
        yield command, output


def anywhere(shown):
    """What is the same at any time and on any machine."""
    return LONG_NUMBER.sub(lambda number: f"{float(number[0]):.6f}", TIME.sub("[time]", shown)).strip()


def output_of(command):
    """What a shell shows; a program in Python runs in this process, which saves a second each."""
    program, *words = shlex.split(command)
    if program != "python":
        return subprocess.run(command, shell=True, check=True, capture_output=True, text=True).stdout
    shown = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(shown), redirect_stderr(shown):
        patch.setattr(sys, "argv", words)
        patch.setattr(logging.root, "handlers", [])
        with suppress(SystemExit):
            runpy.run_path(words[0], run_name="__main__")
        for handler in logging.root.handlers:  # Hydra's, of this command
            handler.close()
    return shown.getvalue()


@pytest.mark.parametrize("name", ["launcher.md", "recorder.md"])
def test_every_block_is_of_a_kind_that_is_tested(name):
    text = page(name)
    fences = FENCE.findall(text)
    assert {kind for kind, _ in fences} <= set(KINDS)
    assert text.count("```") == 2 * len(fences)


def test_the_commands_of_the_launchers_page_say_what_it_says(tmp_path, monkeypatch):
    shutil.copytree(FOLDER, tmp_path / FOLDER.relative_to(ROOT))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for block in blocks("launcher.md", "console"):
        for command, expected in typed(block):
            if command.startswith("cd "):
                monkeypatch.chdir(command.removeprefix("cd "))
            else:
                shown = output_of(command)
                assert anywhere(shown) == anywhere(expected), f"{command}\n{shown}"


def test_the_code_of_the_launchers_page_is_that_of_the_example():
    source = (FOLDER / "ridge.py").read_text(encoding="utf-8")
    for block in blocks("launcher.md", "python"):
        assert block in source
    for block in blocks("launcher.md", "yaml"):
        assert block in (FOLDER / "conf" / "config.yaml").read_text(encoding="utf-8")


def test_the_table_of_methods_is_the_protocol():
    rows = re.findall(r"^\| `(\w+)\((.*?)\)` \| (yes|no) \|", page("launcher.md"), re.MULTILINE)
    methods = {name: method for name, method in vars(StackedTask).items() if getattr(method, "__doc__", None)}
    methods = {name: method for name, method in methods.items() if not name.startswith("_")}
    assert [name for name, _, _ in rows] == list(methods)
    for name, arguments, needed in rows:
        method = methods[name]
        assert method.__code__.co_varnames[1:] == tuple(arguments.split(", "))
        assert ("Optional" in method.__doc__) == (needed == "no")


def test_the_table_of_settings_has_every_setting_and_its_default():
    rows = re.findall(r"^\| `hydra\.(\w+)\.(\w+)` \| (\S+) \|", page("launcher.md"), re.MULTILINE)
    defaults = []
    for part, settings in (
        ("launcher", config.StackedLauncherConf()),
        ("sweeper", config.StackedSweeperConf()),
    ):
        for name, value in vars(settings).items():
            if name not in ("_target_", "max_batch_size"):
                defaults.append((part, name, "null" if value is None else str(value)))
    assert rows == defaults


def test_the_figures_of_the_launchers_page_are_lines_of_the_measurement():
    (block,) = blocks("launcher.md", "measured")
    stacked, basic = (float(seconds) for seconds in re.findall(r"jobs in ([\d.]+) s", block))
    printed = module("measure").comparison(stacked, basic)
    number = re.compile(r"[\d,.]*\d")
    assert number.sub("#", printed) == number.sub("#", block.strip())
    for shown, computed in zip(number.findall(block), number.findall(printed), strict=True):
        assert float(shown.replace(",", "")) == pytest.approx(float(computed.replace(",", "")), rel=0.05)


def test_the_code_of_the_recorders_page_does_what_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for kind, block in FENCE.findall(page("recorder.md")):
        if kind == "python":
            exec(block, names)
        elif kind == "pycon":
            typed_in = doctest.DocTestParser().get_doctest(block, names, "recorder.md", None, None)
            shown = []
            result = doctest.DocTestRunner().run(typed_in, out=shown.append, clear_globs=False)
            assert result.failed == 0, "".join(shown)
            names |= typed_in.globs
    assert (tmp_path / "descent.db").exists()


@pytest.mark.parametrize("name", ["launcher.md", "recorder.md"])
def test_what_is_to_be_installed_is_there(name):
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = re.findall(r"(?:tinynet|\.)\[(\w+)\]", "".join(blocks(name, "sh")))
    assert named
    assert set(named) <= set(extras)


@pytest.mark.parametrize("name", ["launcher.md", "recorder.md"])
def test_what_a_page_links_to_is_there(name):
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", page(name)):
        assert (ROOT / "docs" / link).exists(), link
