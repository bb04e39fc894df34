"""The Hydra entry point: one run, or a sweep.

python -m experiments.run gradient=numeric seed=3            one run
python -m experiments.run experiment=convergence             a sweep
python -m experiments.run -m learning_rate=0.1,0.3 seed=0,1  a sweep of your own
"""

import sys

import hydra

from experiments import settings, stacks

settings.register()


def main(config) -> float:
    return stacks.run_alone(config)


main.stacked = stacks.Sweep  # many jobs at once: hydra_plugins/stacked.py


if __name__ == "__main__":
    try:
        hydra.main(config_path="../conf", config_name="config", version_base="1.3")(main)()
    except KeyboardInterrupt:
        sys.exit(130)
