"""One run by itself, a stack of one: trained, printed, recorded."""

import numpy as np
from omegaconf import DictConfig

from experiments.store import StoreError, masked, open_store
from experiments.sweep import terminal
from experiments.sweep.runs import Trained, finished_runs, train
from experiments.sweep.settings import Settings, check_command, read
from experiments.sweep.task import trained_error
from hydra_plugins.hydra_stacked_launcher.messages import FailedJobs


def run_alone(config: DictConfig) -> float:
    """Train and record one run; print its error along the way and its answers."""
    try:
        settings = read(config)
        check_command(config)
    except ValueError as fault:
        raise SystemExit(str(fault)) from None
    if config.dry_run:
        print(settings.name())
        return np.nan
    try:
        store = open_store(config.tracking.uri)  # before training: it may not be there
        trained = _trained(settings)
        print(terminal.run_alone(settings, trained.curves["error"][1][:, 0], trained.params))
        (run,) = finished_runs([settings], trained)
        run_id = store.record_run(config.tracking.experiment, run)
    except StoreError as fault:
        raise SystemExit(str(fault)) from None
    print(f"{run.tags['outcome']}; recorded as run {run_id} in {masked(config.tracking.uri)}")
    return trained_error(run)


def _trained(settings: Settings) -> Trained:
    """What a mode of the user raises is told as in a sweep; our own errors keep a trace."""
    try:
        return train([settings])
    except Exception as error:
        if type(settings.estimator).__module__.startswith("tinynet."):
            raise
        raise FailedJobs({0: error}, [[]]) from error
