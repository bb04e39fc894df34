"""Where results come from is what git says of this very folder, or unknown."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from experiments.sweep import origin

UNKNOWN = ("unknown", "unknown")


def git(folder: Path, *words: str) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    who = ("-c", "user.name=me", "-c", "user.email=me@here")
    command = ["git", *who, "-C", str(folder), *words]
    return subprocess.run(command, env=clean, capture_output=True, text=True, check=True).stdout.strip()


def clone(folder: Path) -> Path:
    """A repository that holds tinynet/."""
    (folder / "tinynet").mkdir(parents=True)
    (folder / "tinynet" / "__init__.py").write_text("")
    git(folder, "init", "--quiet")
    git(folder, "add", "tinynet")
    git(folder, "commit", "--quiet", "-m", "first")
    return folder


@pytest.fixture
def commit(tmp_path, monkeypatch):
    """What is said of tinynet/ in a folder."""

    def of(folder: Path) -> tuple[str, str]:
        monkeypatch.setattr(origin, "TINYNET", folder / "tinynet")
        return origin._commit()

    return of


@pytest.mark.parametrize("name", ["clone", "a b", "größe", "line\nbreak"])
def test_a_clone_knows_its_commit_and_whether_it_is_changed(tmp_path, commit, name):
    folder = clone(tmp_path / name)
    head = git(folder, "rev-parse", "HEAD")
    assert commit(folder) == (head, "false")
    (folder / "new").write_text("")
    assert commit(folder) == (head, "true")


@pytest.mark.parametrize("variable", ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR"])
def test_a_repository_that_the_environment_names_is_not_ours(tmp_path, commit, monkeypatch, variable):
    folder = clone(tmp_path / "ours")
    other = clone(tmp_path / "other")
    head = git(folder, "rev-parse", "HEAD")
    monkeypatch.setenv(variable, str(other / ".git" if variable != "GIT_WORK_TREE" else other))
    assert commit(folder) == (head, "false")


@pytest.mark.parametrize("is_tracked", [True, False])
def test_a_repository_around_ours_says_nothing_of_it(tmp_path, commit, is_tracked):
    outer = clone(tmp_path / "outer")
    inner = outer / "vendor" / "tarball"
    shutil.copytree(outer / "tinynet", inner / "tinynet")
    if is_tracked:
        git(outer, "add", "vendor")
        git(outer, "commit", "--quiet", "-m", "vendored")
    assert commit(inner) == UNKNOWN


def test_a_tinynet_that_is_not_tracked_has_no_commit(tmp_path, commit):
    folder = clone(tmp_path / "clone")
    git(folder, "rm", "--quiet", "--cached", "tinynet/__init__.py")
    assert commit(folder) == UNKNOWN


def test_a_repository_without_a_commit_and_a_folder_without_one_are_unknown(tmp_path, commit):
    folder = clone(tmp_path / "clone")
    shutil.rmtree(folder / ".git")
    assert commit(folder) == UNKNOWN
    git(folder, "init", "--quiet")
    git(folder, "add", "tinynet")
    assert commit(folder) == UNKNOWN


def test_a_repository_that_is_damaged_is_unknown(tmp_path, commit):
    folder = clone(tmp_path / "clone")
    (folder / ".git" / "index").write_bytes(b"damaged")
    assert commit(folder) == UNKNOWN


@pytest.mark.parametrize("script", ["exit 128", "echo tinynet/__init__.py; exit 128", None])
def test_a_git_that_fails_or_is_missing_leaves_all_unknown(tmp_path, commit, monkeypatch, script):
    """As on a folder of dubious ownership, whose git says so and exits with 128."""
    folder = clone(tmp_path / "clone")
    (tmp_path / "bin").mkdir()
    if script is not None:
        (tmp_path / "bin" / "git").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "bin" / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert commit(folder) == UNKNOWN


def test_what_is_unknown_is_not_given_to_mlflow_as_a_commit(monkeypatch):
    monkeypatch.setattr(origin, "_commit", lambda: UNKNOWN)
    tags = origin.provenance.__wrapped__()
    assert (tags["git.commit"], tags["git.dirty"]) == UNKNOWN
    assert "mlflow.source.git.commit" not in tags
