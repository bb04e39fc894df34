"""The Hydra entry point: one run, or a sweep.

python -m experiments.run gradient=numeric seed=3            one run
python -m experiments.run experiment=convergence             a sweep
python -m experiments.run -m learning_rate=0.1,0.3 seed=0,1  a sweep of your own
"""

import gc
import os
import sys
from pathlib import Path

import hydra
from hydra.core.global_hydra import GlobalHydra

from experiments import settings, stacks
from experiments.stores import StoreError, masked
from hydra_plugins._composition import dotted
from hydra_plugins._faults import FailedJobs, of_the_user, told

CONF = Path(__file__).resolve().parent.parent / "conf"
FULL_ERROR = "HYDRA_FULL_ERROR"
settings.register()


def main(config) -> float:
    return stacks.run_alone(config)


main.stacked = stacks.Sweep  # many jobs at once: hydra_plugins/stacked.py


def command() -> None:
    """Run what the command line says. What its writer got wrong is told in a line, without a traceback."""
    settings.forget()
    before = os.environ.get(FULL_ERROR)
    os.environ[FULL_ERROR] = "1"  # Hydra hands its errors on as they are
    try:
        hydra.main(config_path=str(CONF), config_name="config", version_base="1.3")(main)()
    except KeyboardInterrupt:
        sys.exit(130)
    except (StoreError, FailedJobs) as error:
        if before == "1":
            raise
        where = f"; {FULL_ERROR}=1 tells where" if isinstance(error, FailedJobs) else ""
        sys.exit(masked(f"{error}{where}"))
    except Exception as error:
        if before == "1" or not of_the_user(error):
            raise
        sys.exit(masked(told(error, _names)))
    finally:
        if before is None:
            del os.environ[FULL_ERROR]
        else:
            os.environ[FULL_ERROR] = before


def _names() -> list[str]:
    """Every setting that a command line can name."""
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = hydra.compose("config", return_hydra_config=True)
        return [*GlobalHydra.instance().config_loader().list_groups(""), *dotted(config)]


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):  # a terminal without our symbols gets question marks
        stream.reconfigure(errors="replace")
    gc.set_threshold(50_000, 20, 100)  # MLflow's imports make millions of objects that stay: 0.4 s of looking
    command()
