"""A stackable task for the tests of the stacked launcher: what it is told is told again on stdout.

Faults are planted by settings: seed=13 raises, seed=14 kills its worker, seed=15 trains for a minute.
"""

import os
import time

import hydra
from omegaconf import OmegaConf


class Sweep:
    def __init__(self, config):
        self.config = config

    def __enter__(self):
        print("enter", flush=True)
        return self

    def __exit__(self, kind, error, trace):
        print("exit", kind.__name__ if kind else None, flush=True)

    def check(self, config):
        settings = OmegaConf.to_container(config, resolve=True)
        faults = [
            f"{key} must be 0 or more, got {settings[key]}" for key in ("rate", "width") if settings[key] < 0
        ]
        if faults:
            raise ValueError("\n".join(faults))
        return settings["seed"], settings["width"]

    def shape(self, job):
        return job[1]

    def start(self, jobs):
        print("start", len(jobs), flush=True)

    @staticmethod
    def train(stack):
        seeds = [seed for seed, _ in stack]
        if 13 in seeds:
            raise FloatingPointError("unlucky")
        if 14 in seeds:
            os._exit(3)
        if 15 in seeds:
            print("training", flush=True)
            time.sleep(60)
        return [10 * seed for seed in seeds]

    def record(self, stack, trained):
        print("record", *(f"{seed}/{width}" for seed, width in stack), flush=True)
        return trained

    def failed(self, job, error):
        print("failed", f"{job[0]}/{job[1]}", type(error).__name__, flush=True)


def main(config):
    print("one job", config.seed)


main.stacked = Sweep
main = hydra.main(version_base="1.3", config_path="conf", config_name="config")(main)

if __name__ == "__main__":
    main()
