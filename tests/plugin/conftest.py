"""Every test of the plugin runs in an empty folder, from which an app of its own finds the plugin."""

import logging

import pytest
from hydra.core.hydra_config import HydraConfig
from hydra.version import _UNSPECIFIED_, VersionBase

from tests.plugin.tasks import APPS


@pytest.fixture(autouse=True)
def _plugin_is_found_from_anywhere(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(APPS.parents[2]))
    monkeypatch.setattr(VersionBase.instance(), "version_base", _UNSPECIFIED_)  # others set it
    for logger in logging.root.manager.loggerDict.values():
        logger.disabled = False  # MLflow's migrations, of other tests, disable them


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    HydraConfig.instance().cfg = None
