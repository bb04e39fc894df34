"""Callbacks hear of every job what Hydra's own launcher would have them hear."""

import pickle
from pathlib import Path

import pytest
from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException
from hydra.experimental.callback import Callback
from omegaconf import OmegaConf

from tests.plugin.tasks import Tracked, sweep


class Heard(Callback):
    calls: list = []  # noqa: RUF012

    def on_job_start(self, config, **kwargs):
        self.calls.append(("start", config.seed, config.hydra.job.num, HydraConfig.get().job.num))

    def on_job_end(self, config, job_return, **kwargs):
        assert job_return.cfg.seed == config.seed
        assert Path(config.hydra.runtime.output_dir).name == f"{config.seed}-{config.hydra.job.num}"
        self.calls.append(("end", config.seed, job_return.status.name, job_return._return_value))


class Returned(Callback):
    jobs: list = []  # noqa: RUF012

    def on_job_end(self, config, job_return, **kwargs):
        folder = OmegaConf.to_container(job_return.hydra_cfg.hydra.runtime)["output_dir"]  # as it is kept
        self.jobs.append(vars(job_return) | {"cfg": OmegaConf.to_yaml(job_return.cfg), "hydra_cfg": folder})


def test_callbacks_hear_of_every_job():
    Heard.calls.clear()
    with pytest.raises(CompactHydraException):
        sweep(Tracked(), "seed=12,13", f"+hydra.callbacks.heard._target_={__name__}.Heard")
    assert [entry[:4] for entry in Heard.calls[:3]] == [
        ("start", 12, 0, 0), ("end", 12, "COMPLETED", 120), ("start", 13, 1, 1)
    ]  # fmt: skip
    assert [entry[:3] for entry in Heard.calls[3:]] == [("end", 13, "FAILED")]


def test_hydras_own_callback_keeps_what_every_job_returned():
    sweep(
        Tracked(),
        "seed=1,2,3",
        "+hydra.callbacks.kept._target_=hydra.experimental.callbacks.PickleJobInfoCallback",
    )
    kept = {path.parts[-3]: pickle.loads(path.read_bytes()) for path in Path().rglob("job_return.pickle")}
    assert {folder: job.return_value for folder, job in kept.items()} == {"1-0": 10, "2-1": 20, "3-2": 30}
    assert {folder: f"{job.cfg.seed}-{job.hydra_cfg.hydra.job.num}" for folder, job in kept.items()} == {
        folder: folder for folder in kept
    }


def test_a_job_return_holds_what_hydras_own_launcher_tells():
    def ordinary(config):
        return 10 * config.seed

    heard = ["seed=1,2", "hydra.sweep.dir=jobs", f"+hydra.callbacks.heard._target_={__name__}.Returned"]
    Returned.jobs.clear()
    sweep(ordinary, *heard, options=["hydra/launcher=basic", "hydra/sweeper=basic"])
    own, Returned.jobs[:] = [*Returned.jobs], []
    sweep(Tracked(), *heard)
    assert Returned.jobs == own


def test_a_folder_that_callbacks_cannot_be_told_is_found_before_any_job_starts():
    task, where = Tracked(), "hydra.sweep.subdir='${nowhere}'"
    with pytest.raises(CompactHydraException, match="Interpolation key 'nowhere' not found"):
        sweep(task, "seed=1,2", where, f"+hydra.callbacks.heard._target_={__name__}.Heard")
    assert task.calls == ["Fault"]
