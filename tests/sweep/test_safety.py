"""No password is printed or recorded, and no file is unpickled."""

import re

import pytest

from tests.sweep.commands import ROOT, run


@pytest.mark.parametrize("uri", [
    "http://me:s3cr3t@127.0.0.1:1", "postgresql://me:s3cr3t@127.0.0.1:1/x", "mysql://me:s3cr3t@",
    "'postgresql://127.0.0.1:1/x?password=s3cr3t'", "postgresql://h/x?password=s3cr3t",
    "nope://me:s3cr3t@host", "sqlite:///x?token=s3cr3t",
])  # fmt: skip
@pytest.mark.parametrize("words", [["n_epochs=2"], ["-m", "seed=0,1", "n_epochs=2"]], ids=["run", "sweep"])
def test_a_password_is_not_told_when_a_store_fails(tmp_path, uri, words, caplog):
    printed = run(tmp_path, *words, f"tracking.uri={uri}", code=1)
    assert "s3cr3t" not in printed + caplog.text
    assert not list(tmp_path.iterdir())


def test_a_password_on_the_command_line_reaches_neither_store_nor_artifacts(tmp_path):
    run(tmp_path, "-m", "seed=0,1", "n_epochs=2", "+hydra.job.env_set.PGPASSWORD=s3cr3t",
        "+hydra.job.env_set.DB='postgresql://me:s3cr3t@host/x'")  # fmt: skip
    found = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "config.yaml" for path in found)
    assert not [path for path in found if b"s3cr3t" in path.read_bytes()]


def test_no_source_loads_a_pickle_from_a_file():
    loads = re.compile(r"pickle\.load\(|read_pickle|joblib\.load\(|allow_pickle=True|np\.load\(|yaml\.load\(")
    folders = [ROOT / name for name in ("tinynet", "experiments", "hydra_plugins")]
    sources = [path for folder in folders for path in folder.rglob("*.py")]
    assert len(sources) > 20
    assert not [path for path in sources if loads.search(path.read_text(encoding="utf-8"))]
