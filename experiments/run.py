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

from experiments.entrance import enter, is_of_output, print_to_nobody
from experiments.store import StoreError, masked
from experiments.sweep import SweepTask, forget_built, register, run_alone
from hydra_plugins.hydra_stacked_launcher.messages import FailedJobs, caused_by_user, message_of, names_in

CONF = Path(__file__).resolve().parent.parent / "conf"
register()


def main(config) -> float:
    return run_alone(config, hydra.utils.get_original_cwd())


main.stacked = SweepTask  # many jobs at once: docs/launcher.md


def command() -> None:
    """Run what the command line says. What is wrong with it is answered in a line, without a traceback."""
    forget_built()
    if not os.environ.get("MLFLOW_TRACKING_URI"):  # an empty one is none, to MLflow too
        os.environ.pop("MLFLOW_TRACKING_URI", None)
    wants_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    try:
        with env_override({"HYDRA_FULL_ERROR": "1"}):  # Hydra hands its errors on as they are
            hydra.main(config_path=str(CONF), config_name="config", version_base="1.3")(main)()
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # `| head` has read enough: nobody reads on
        print_to_nobody()
        sys.exit(141)
    except Exception as error:
        if isinstance(error, OSError) and is_of_output(error):
            print_to_nobody()
            sys.exit(f"output: {error.strerror}; print elsewhere, and the same command goes on")
        if wants_traceback or not (isinstance(error, StoreError) or caused_by_user(error)):
            raise
        message = message_of(error, _names)
        if isinstance(error, FailedJobs):
            message += "; HYDRA_FULL_ERROR=1 tells where"
        sys.exit(masked(message))


def _names() -> list[str]:
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = hydra.compose("config", return_hydra_config=True)
        return names_in(GlobalHydra.instance().config_loader(), config)


if __name__ == "__main__":
    enter()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends a sweep as Ctrl-C does
    gc.set_threshold(50_000, 20, 100)  # MLflow's imports make millions of objects that stay: 0.4 s of looking
    command()
