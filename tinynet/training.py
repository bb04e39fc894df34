"""Stochastic gradient descent, row by row, for a stack of runs at once."""

from dataclasses import dataclass

import numpy as np

from tinynet.gradients import Draws, steps
from tinynet.network import checked_seeds
from tinynet.rows import CELLS, Row, Rows, Workspace, aligned

BLOCK = 2048


@dataclass(frozen=True, eq=False)
class History:
    """What training gives back; the run axis is last.

    error (n_epochs + 1, n_runs): mean error over all rows at the end of an epoch, epoch 0 = before training.
    online_error (n_epochs, n_runs): mean over the rows of the error right after that row's own update, as the
    tutorial prints it. params (n_params, n_runs): the trained weights.
    """

    error: np.ndarray
    online_error: np.ndarray
    params: np.ndarray


def train(
    network, problem, params, gradient, learning_rate, n_epochs, seeds=None, online_error=True
) -> History:
    """Train each column of params (n_params, n_runs) on its own: p ← p - learning_rate · de/dp after every row.

    params is not changed, its dtype (float64 or float32) is the arithmetic's. learning_rate is a number or
    (n_runs,). seeds (n_runs,) feed the random modes and no others. A run's bits do not depend on the runs beside
    it. Overflow is an outcome: errors then are inf or NaN. online_error=False leaves that out (NaN), which saves
    a forward pass per step. Raises ValueError, naming the argument, for anything of the wrong shape or range.
    """
    params = network.checked_params(params)
    if params.dtype.kind == "c":
        raise ValueError(f"params: {params.dtype} cannot be trained; give float64 or float32")
    n_runs = params.shape[1]
    if problem.n_inputs != network.n_inputs:
        raise ValueError(
            f"network: n_inputs is {network.n_inputs}; the problem's rows have {problem.n_inputs}"
        )
    rates = np.asarray(learning_rate)
    if rates.dtype.kind not in "iuf" or rates.shape not in ((), (n_runs,)) or not (rates > 0).all():
        raise ValueError(
            f"learning_rate: {learning_rate!r}; give one number above 0, or one for each of {n_runs} runs"
        )
    if not np.isfinite(rates).all():
        raise ValueError(f"learning_rate: {learning_rate!r}; give finite numbers")
    if not isinstance(n_epochs, (int, np.integer)) or isinstance(n_epochs, bool) or n_epochs < 0:
        raise ValueError(f"n_epochs: {n_epochs!r}; give an integer of 0 or more")
    if seeds is not None and len(seeds := checked_seeds(seeds)) != n_runs:
        raise ValueError(f"seeds: {len(seeds)} of them; give one for each of {n_runs} runs")

    rates = np.broadcast_to(rates, n_runs).astype(params.dtype)
    history = History(
        error=np.full((n_epochs + 1, n_runs), np.nan, params.dtype),
        online_error=np.full((n_epochs, n_runs), np.nan, params.dtype),
        params=np.empty_like(params),
    )
    size = max(1, BLOCK // network.n_params)
    for start in range(0, n_runs, size):
        runs = slice(start, start + size)
        draws = Draws(None if seeds is None else seeds[runs])
        trained = aligned((network.n_params, rates[runs].size), params.dtype)
        trained[...] = params[network.order, runs]
        online = history.online_error[:, runs] if online_error else None
        with np.errstate(all="ignore"):
            _train_block(
                network, problem, trained, gradient, rates[runs], draws, history.error[:, runs], online
            )
        history.params[network.order, runs] = trained
    return history


def _train_block(network, problem, params, gradient, rates, draws, error, online_error):
    workspace = Workspace()
    inputs, targets = problem.inputs, problem.targets
    rows = [Row(network, x, t, workspace) for x, t in zip(inputs, targets, strict=True)]
    size = max(1, CELLS // (network.hidden_size * params.shape[1]))
    all_rows = [
        Rows(network, inputs[at : at + size], targets[at : at + size], workspace)
        for at in range(0, len(rows), size)
    ]
    update = workspace.array("update", params.shape, params.dtype)
    moved = [[(params[block], update[block], block) for block in steps(gradient, row)] for row in rows]
    rates = rates[0] if (rates == rates[0]).all() else rates  # a number is faster, with the same bits
    error[0] = _mean_error(all_rows, params)
    for epoch in range(len(error) - 1):
        online = []
        for row, blocks in zip(rows, moved, strict=True):
            slope = gradient.estimate(row, params, epoch, draws)
            if np.shape(slope) != params.shape:
                raise ValueError(
                    f"gradient: {gradient} gave shape {np.shape(slope)}; params have {params.shape}"
                )
            for weights, step, block in blocks:
                np.multiply(slope[block], rates, out=step)
                np.subtract(weights, step, out=weights)
            if online_error is not None:
                online.append(row.error(params))
        if online_error is not None:
            online_error[epoch] = sum(online) / len(rows)
        error[epoch + 1] = _mean_error(all_rows, params)


def _mean_error(all_rows, params):
    errors = [error for rows in all_rows for error in rows.errors(params)]
    return sum(errors) / len(errors)
