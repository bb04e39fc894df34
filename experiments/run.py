"""The Hydra entry point: one run, or a sweep.

python -m experiments.run gradient=numeric seed=3            one run
python -m experiments.run experiment=convergence             a sweep
python -m experiments.run -m learning_rate=0.1,0.3 seed=0,1  a sweep of your own
"""

import gc
import os
import signal
import sys
from pathlib import Path

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import env_override

from experiments.store import StoreError, masked
from experiments.sweep import settings
from experiments.sweep import task as stacks
from hydra_plugins.hydra_stacked_launcher.messages import FailedJobs, names_in, of_the_user, told

CONF = Path(__file__).resolve().parent.parent / "conf"
settings.register()


def main(config) -> float:
    return stacks.run_alone(config)


main.stacked = stacks.Sweep  # many jobs at once: hydra_plugins/stacked.py


def command() -> None:
    """Run what the command line says. What its writer got wrong is told in a line, without a traceback."""
    settings.forget()
    if not os.environ.get("MLFLOW_TRACKING_URI"):  # an empty one is none, to MLflow too
        os.environ.pop("MLFLOW_TRACKING_URI", None)
    whole = os.environ.get("HYDRA_FULL_ERROR") == "1"
    try:
        with env_override({"HYDRA_FULL_ERROR": "1"}):  # Hydra hands its errors on as they are
            hydra.main(config_path=str(CONF), config_name="config", version_base="1.3")(main)()
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # `| head` has read enough: nobody is there to be told
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except Exception as error:
        if whole or not (isinstance(error, StoreError) or of_the_user(error)):
            raise
        where = "; HYDRA_FULL_ERROR=1 tells where" if isinstance(error, FailedJobs) else ""
        sys.exit(masked(told(error, _names) + where))


def _names() -> list[str]:
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = hydra.compose("config", return_hydra_config=True)
        return list(names_in(GlobalHydra.instance().config_loader(), config))


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):  # a terminal without our symbols gets question marks
        stream.reconfigure(errors="replace")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends a sweep as Ctrl-C does
    gc.set_threshold(50_000, 20, 100)  # MLflow's imports make millions of objects that stay: 0.4 s of looking
    command()
