"""What people write today, for the benchmark: the tutorial's loop, recorded from Hydra sweeps in two ways.

python -m experiments.benchmark.peers log_metric -m gradient=analytic,numeric seed=range(5)
"""

import sys
import time
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

N_EPOCHS = 60  # the tutorial's
DEFAULT = "0"  # id of MLflow's own experiment
Points = Iterable[tuple[str, float, int]]  # key, value, step


def plain_loop(gradient, seed, hidden_size, learning_rate=0.1, n_epochs=N_EPOCHS, h=1e-4) -> Iterator[tuple]:
    """The tutorial's loop in its own manner: one net, row by row, numeric by moving each weight in place.

    Yields (error, online_error, W, v) for epoch 0 and after every epoch; both errors as tinynet gives them.
    """
    table = ([1, 0, 1], 1), ([0, 1, 1], 1), ([0, 0, 1], 0), ([1, 1, 1], 0)
    rows = [(np.array([x]).T, np.array([[t]])) for x, t in table]
    random = np.random.RandomState(seed)
    W = 2 * random.random((hidden_size, 3)) - 1
    v = 2 * random.random((1, hidden_size)) - 1

    def relu(z):
        return (z > 0) * z

    def error(x, t):
        return np.sum((np.dot(v, relu(np.dot(W, x))) - t) ** 2)

    def analytic(x, t):
        a = relu(np.dot(W, x))
        dy = 2 * (np.dot(v, a) - t)
        return np.dot(np.dot(v.T, dy) * (a > 0), x.T), np.dot(dy, a.T)

    def numeric(x, t):
        slopes = np.zeros_like(W), np.zeros_like(v)
        for weights, slope in zip((W, v), slopes, strict=True):
            for i in np.ndindex(weights.shape):
                value = weights[i]
                weights[i] = value + h
                above = error(x, t)
                weights[i] = value - h
                below = error(x, t)
                weights[i] = value
                slope[i] = (above - below) / (2 * h)
        return slopes

    slopes = {"analytic": analytic, "numeric": numeric}[gradient]
    online_error = np.nan
    for epoch in range(n_epochs + 1):
        if epoch > 0:
            online_error = 0.0
            for x, t in rows:
                dW, dv = slopes(x, t)
                W -= learning_rate * dW
                v -= learning_rate * dv
                online_error += error(x, t) / len(rows)
        yield sum(error(x, t) for x, t in rows) / len(rows), online_error, W, v


def log_metric(params: Mapping, points: Points, name=None, tags=None) -> None:
    """Every value is logged as it comes."""
    import mlflow

    with mlflow.start_run(run_name=name, tags=tags):
        mlflow.log_params(params)
        for key, value, step in points:
            mlflow.log_metric(key, value, step=step)


def log_batch(params: Mapping, points: Points, name=None, tags=None) -> None:
    """A run is logged in one call when it is over."""
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param

    client = MlflowClient()
    run_id = client.create_run(DEFAULT, tags=tags, run_name=name).info.run_id
    now = int(time.time() * 1000)
    metrics = [Metric(key, value, now, step) for key, value, step in points]
    client.log_batch(run_id, metrics, [Param(key, str(value)) for key, value in params.items()])
    client.set_terminated(run_id)


if __name__ == "__main__":
    import hydra
    import mlflow
    from hydra.core.config_store import ConfigStore

    log = {"log_metric": log_metric, "log_batch": log_batch}[sys.argv.pop(1)]
    mlflow.get_experiment(DEFAULT)  # here, so that workers don't race to make the store
    defaults = {"gradient": "analytic", "learning_rate": 0.1, "hidden_size": 4, "seed": 0}
    ConfigStore.instance().store("config", defaults)

    @hydra.main(version_base="1.3", config_path=None, config_name="config")
    def main(config):
        errors = (error for error, *_ in plain_loop(**config))
        log(dict(config), (("error", error, epoch) for epoch, error in enumerate(errors)))

    main()
