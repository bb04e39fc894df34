"""Ridge regression for many settings, each judged on held-out rows: the example of docs/launcher.md.

python ridge.py alpha=0.1 fold=3          one setting
python ridge.py -m                        all 1,000 of conf/config.yaml, many at a time
python ridge.py -m hydra/launcher=basic   the same one by one, as Hydra does
"""

from pathlib import Path
from typing import NamedTuple

import hydra
import numpy as np

N_ROWS, N_FEATURES, N_FOLDS = 200, 50, 10
RESULTS = Path("results.csv")


class Job(NamedTuple):
    alpha: float
    n_features: int
    fold: int


def read(config):
    """The settings of a job."""
    job = Job(float(config.alpha), config.n_features, config.fold)
    if not job.alpha >= 0:
        raise ValueError(f"alpha: {job.alpha}; give 0 or more")
    if job.n_features not in range(1, N_FEATURES + 1):
        raise ValueError(f"n_features: {job.n_features}; give 1 to {N_FEATURES}")
    if job.fold not in range(N_FOLDS):
        raise ValueError(f"fold: {job.fold}; give 0 to {N_FOLDS - 1}")
    return job


def data():
    """X (N_ROWS, N_FEATURES) and y (N_ROWS,), the same at every call."""
    random = np.random.default_rng(seed=0)
    X = random.normal(size=(N_ROWS, N_FEATURES))
    X[:, -1] = 0  # a sensor that was off: with it, alpha = 0 has no solution
    return X, X @ (1 / np.arange(1, N_FEATURES + 1)) + random.normal(size=N_ROWS)


def fit(jobs):
    """Solve (X'X + alpha 1) w = X'y over the rows not held out, for all jobs at once.

    Returns each job's mean squared error on the rows held out. The jobs have the same n_features.
    """
    X, y = data()
    X = X[:, : jobs[0].n_features]  # (N_ROWS, n_features)
    alpha = np.array([job.alpha for job in jobs])[:, None, None]
    fold = np.array([job.fold for job in jobs])[:, None]
    held_out = np.arange(N_ROWS) % N_FOLDS == fold  # (n_jobs, N_ROWS)
    transposed = np.where(held_out[:, None], 0, X.T)  # (n_jobs, n_features, N_ROWS)
    w = np.linalg.solve(transposed @ X + alpha * np.eye(X.shape[1]), transposed @ y[:, None])
    error = (y - (X @ w)[:, :, 0]) ** 2  # (n_jobs, N_ROWS)
    return error.mean(axis=1, where=held_out).tolist()


def keep(jobs, errors):
    """Add a line for each job. The file is whole whenever this is killed; one command may write at a time."""
    text = RESULTS.read_text() if RESULTS.exists() else "alpha,n_features,fold,error\n"
    for job, error in zip(jobs, errors, strict=True):
        text += f"{job.alpha},{job.n_features},{job.fold},{error}\n"
    part = RESULTS.with_suffix(".part")
    part.write_text(text)
    part.replace(RESULTS)


class RidgeSweep:
    """Many jobs: what hydra/launcher=stacked asks for."""

    check = staticmethod(read)
    train = staticmethod(fit)

    def __init__(self, config):
        """config: that of the sweep, which this task does not need."""

    def shape(self, job):
        return job.n_features

    def record(self, stack, errors):
        keep(stack, errors)
        return errors

    def done(self, jobs):
        """What the file holds: the same command again goes on where it was stopped."""
        if not RESULTS.exists():
            return {}
        rows = np.loadtxt(RESULTS, delimiter=",", skiprows=1, ndmin=2)
        errors = {tuple(settings): error for *settings, error in rows.tolist()}
        return {index: errors[job] for index, job in enumerate(jobs) if job in errors}


def main(config):
    """One job, like any Hydra task."""
    job = read(config)
    errors = fit([job])
    keep([job], errors)
    print(*job, *errors)
    return errors[0]


main.stacked = RidgeSweep

if __name__ == "__main__":
    hydra.main(version_base="1.3", config_path="conf", config_name="config")(main)()
