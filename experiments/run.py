"""The Hydra entry point: one run, or a sweep.

python -m experiments.run gradient=numeric seed=3            one run
python -m experiments.run experiment=convergence             a sweep
python -m experiments.run -m learning_rate=0.1,0.3 seed=0,1  a sweep of your own
"""

import gc
import sys
from pathlib import Path

import hydra

from experiments import settings, stacks

CONF = Path(__file__).resolve().parent.parent / "conf"
settings.register()


def main(config) -> float:
    return stacks.run_alone(config)


main.stacked = stacks.Sweep  # many jobs at once: hydra_plugins/stacked.py
command = hydra.main(config_path=str(CONF), config_name="config", version_base="1.3")(main)

if __name__ == "__main__":
    gc.set_threshold(50_000, 20, 100)  # MLflow's imports make millions of objects that stay: 0.4 s of looking
    try:
        command()
    except KeyboardInterrupt:
        sys.exit(130)
