"""An empty store for each test."""

import shutil

import pytest


@pytest.fixture
def uri(template, tmp_path):
    return f"sqlite:///{shutil.copy(template, tmp_path / 'mlflow.db')}"
