"""What is recorded of trained runs."""

import numpy as np
import pytest

from experiments.sweep import finished_runs, read, train
from tests.sweep.test_settings import PLAIN, streetlights
from tinynet import outcomes


@pytest.mark.parametrize(
    ("target", "converged_below"), [(1.0, 0.002), (0.01, 0.002), (100.0, 0.1), (1.0, 0.6)]
)
def test_outcomes_are_relative_to_the_error_of_answering_0_which_is_recorded(target, converged_below):
    problem = streetlights(target)
    settings = [read(PLAIN | {"seed": seed, "problem": problem, "converged_below": converged_below})
                for seed in range(20)]  # fmt: skip
    trained = train(settings)
    runs = finished_runs(settings, trained)
    error = trained.curves["error"][1]
    zero_error = np.mean((target * np.array([1, 1, 0, 0])) ** 2)
    assert {run.metrics["zero_error"] for run in runs} == {zero_error}
    assert {run.params["converged_below"] for run in runs} == {converged_below}
    recorded = np.array([run.tags["outcome"] for run in runs])
    assert ((recorded == "converged") == (error[-1] < converged_below * zero_error)).all()
    assert (recorded == outcomes.classify(error, runs[0].metrics["zero_error"], converged_below)).all()


def test_runs_on_targets_of_a_hundredth_do_not_all_converge():
    settings = [read(PLAIN | {"seed": seed, "problem": streetlights(0.01)}) for seed in range(40)]
    runs = finished_runs(settings, train(settings))
    assert max(run.metrics["final_error"] for run in runs) < 1e-2
    assert {"silent", "stuck"} & {run.tags["outcome"] for run in runs}


def test_the_share_that_converges_is_named_only_where_it_varies():
    settings = read(PLAIN | {"converged_below": 0.05})
    assert "converged" not in settings.name()
    assert "converged_below=0.05" in settings.name(("converged_below",))
