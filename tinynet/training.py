"""Stochastic gradient descent, row by row, for a stack of runs at once."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from tinynet.checks import check_whole, checked_seeds
from tinynet.diagnostics import Diagnostics
from tinynet.gradients import Draws, steps
from tinynet.rows import Row, Workspace

BLOCK = 80000  # weights trained together, so that a block of runs stays in the cache
BUFFER = 512  # NumPy's default of 8192 has it copy what it broadcasts to small arrays: up to 15 % slower


@dataclass(frozen=True, eq=False)
class History:
    """What training gives back; the run axis is last.

    error (n_epochs + 1, n_runs): mean error over all rows at the end of an epoch, epoch 0 = before training.
    online_error (n_epochs, n_runs): mean over the rows of the error right after that row's own update, as the
    tutorial prints it. params (n_params, n_runs): the trained weights. diagnostics: of the epochs asked for.
    """

    error: np.ndarray
    online_error: np.ndarray
    params: np.ndarray
    diagnostics: Diagnostics


def train(
    network, problem, params, gradient, learning_rate, n_epochs, seeds=None, online_error=True, diagnostics=()
) -> History:
    """Train each column of params (n_params, n_runs) by itself: p ← p - learning_rate·de/dp after every row.

    params is not changed; its dtype, float64 or float32, is the arithmetic's. learning_rate is a number or
    (n_runs,). seeds (n_runs,) feed the random gradient modes, and no others. The bits of a run do not depend
    on the runs beside it. Overflow is an outcome: errors then are inf or NaN. online_error=False saves a
    forward pass per step and leaves that history NaN. diagnostics lists epochs to look into. Raises
    ValueError, naming the argument, for a wrong shape or range.
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
    fits = rates.dtype.kind in "iuf" and rates.shape in ((), (n_runs,))
    if not fits or not ((rates > 0) & (rates < np.inf)).all():
        raise ValueError(
            f"learning_rate: {learning_rate!r}; give a finite number above 0, or one for each run ({n_runs})"
        )
    check_whole("n_epochs", n_epochs, at_least=0)
    if seeds is not None and len(seeds := checked_seeds(seeds)) != n_runs:
        raise ValueError(f"seeds: {len(seeds)} of them; give one for each of {n_runs} runs")

    with np.errstate(over="ignore"):
        rates = np.broadcast_to(rates, n_runs).astype(params.dtype)
    history = History(
        error=np.empty((n_epochs + 1, n_runs), params.dtype),
        online_error=np.full((n_epochs, n_runs), np.nan, params.dtype),
        params=np.empty(params.shape, params.dtype),
        diagnostics=Diagnostics.empty(diagnostics, n_epochs, n_runs),
    )
    workspace = Workspace()
    inputs, targets = problem.inputs, problem.targets
    rows = [Row(network, x, t, workspace) for x, t in zip(inputs, targets, strict=True)]
    size = max(1, BLOCK // network.n_params)
    for start in range(0, n_runs, size):
        runs = slice(start, start + size)
        trained = workspace.array("params", (network.n_params, rates[runs].size), params.dtype)
        trained[...] = params[network.order, runs]
        draws = Draws(None if seeds is None else seeds[runs])
        online = history.online_error[:, runs] if online_error else None
        watch = partial(history.diagnostics.watch, gradient, runs=runs) if len(diagnostics) else None
        with np.errstate(all="ignore"):
            np.setbufsize(BUFFER)
            _train_block(rows, trained, gradient, rates[runs], draws, history.error[:, runs], online, watch)
        history.params[network.order, runs] = trained
    return history


def _train_block(rows, params, gradient, rates, draws, error, online_error, watch):
    rate = rates[0].item() if (rates == rates[0]).all() else rates  # a number is faster, with the same bits
    descend = getattr(gradient, "descend", None)
    moved = [steps(gradient, row) for row in rows]
    _mean_error(rows, params, out=error[0])
    for epoch in range(len(error) - 1):
        watched, online, last = watch and watch(epoch + 1), None, None
        if online_error is not None:
            online = online_error[epoch]
            online[...] = 0
        for row, blocks in zip(rows, moved, strict=True):
            if descend is None or watched is not None:
                slope = gradient.estimate(row, params, epoch, draws)
                if np.shape(slope) != params.shape:
                    raise ValueError(f"gradient: {gradient} gives {np.shape(slope)}; give {params.shape}")
                if watched is not None:
                    watched.step(row, params, slope)
            if descend is not None:
                descend(row, params, rate)
            else:
                for block in blocks:
                    weights = params[block]
                    weights -= slope[block] * rate
            if online is not None:
                last = row.error(params)
                online += last
        if online is not None:
            online /= len(rows)
        if watched is not None:
            watched.end(rows, params)
        _mean_error(rows, params, out=error[epoch + 1], last=last)


def _mean_error(rows, params, out, last=None):  # last: the last row's error, where it is known
    out[...] = 0
    for row in rows if last is None else rows[:-1]:
        out += row.error(params)
    if last is not None:
        out += last
    out /= len(rows)
