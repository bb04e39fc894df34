"""The trainer beside the tutorial's loop, and how far their results lie apart."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

import tinynet
from experiments.benchmark.measuring import Line, by_turns, timed
from experiments.benchmark.peers import N_EPOCHS, plain_loop

N_STEPS = 4 * N_EPOCHS  # the tutorial has four rows
MODES = {"analytic": tinynet.gradients.Analytic(), "numeric": tinynet.gradients.Numeric(h=1e-4)}
APART = {"analytic": 1e-13, "numeric": 1e-6}  # the most that results may differ, relatively
GOALS = {  # (mode, hidden size) -> runs in the stack -> the ratio to reach
    ("analytic", 4): {1: 0.77, 1000: 400, 10000: 1000},  # 0.77: 1.3 times as slow
    ("numeric", 4): {1: 8, 1000: 350, 10000: 600},
}


def lines(_folder, hidden_sizes=(4, 16), stacks=(1, 10, 100, 1000, 10000), rounds=15) -> Iterator[Line]:
    for hidden_size in hidden_sizes:
        for mode in MODES:
            yield from lines_of_mode(mode, hidden_size, stacks, rounds)


def lines_of_mode(mode: str, hidden_size: int, stacks: Sequence[int], rounds: int) -> Iterator[Line]:
    evaluations = MODES[mode].evaluations(tinynet.Network(3, hidden_size))
    goals = GOALS.get((mode, hidden_size), {})
    theirs = partial(timed, looped, mode, 0, hidden_size)
    for n_runs in stacks:
        ours = partial(timed, training(mode, hidden_size, range(n_runs)))
        seconds, seconds_theirs = by_turns(rounds, ours, theirs)
        what = f"{mode} (evaluations: {evaluations}), H={hidden_size}, stack of {n_runs:,}"
        step = 1e6 * seconds / (N_STEPS * n_runs)
        step_theirs = 1e6 * seconds_theirs / N_STEPS
        yield Line(what, step, "µs", step_theirs, goal=goals.get(n_runs))
    apart = max(disagreement(mode, hidden_size, seed) for seed in range(3))
    yield Line(f"{mode}, H={hidden_size}: relative difference of results", apart, "", goal=APART[mode])


def training(mode: str, hidden_size: int, seeds: Sequence[int]) -> Callable[[], tinynet.History]:
    """To call, as often as one likes: it trains fresh nets on the tutorial's four rows."""
    problem = tinynet.Problem.streetlights()
    network = tinynet.Network(3, hidden_size)
    return partial(tinynet.train, network, problem, network.initial(seeds), MODES[mode], 0.1, N_EPOCHS)


def looped(mode: str, seed: int, hidden_size: int) -> list[tuple]:
    return list(plain_loop(mode, seed, hidden_size))


def disagreement(mode: str, hidden_size: int, seed: int) -> float:
    """The largest difference in a run's two curves and last weights, relative to each one's largest value."""
    history = training(mode, hidden_size, [seed])()
    # W and v are trained in place: every entry is the last
    error, online_error, W, v = zip(*looped(mode, seed, hidden_size), strict=True)
    pairs = [
        (history.error[:, 0], np.array(error)),
        (history.online_error[:, 0], np.array(online_error[1:])),
        (history.params[:, 0], np.concatenate([W[-1].ravel(), v[-1].ravel()])),
    ]
    return max(float(np.abs(ours - theirs).max() / np.abs(theirs).max()) for ours, theirs in pairs)
