"""Beside a kink a unit creeps as 1/t and the error falls as t⁻⁴; gradient errors obey theory."""

import numpy as np
import pytest

from experiments.analysis import kinks


def test_a_unit_creeps_to_minus_h_and_backpropagation_stops_at_the_kink():
    creep = kinks.creeping_unit()
    late = creep.epochs > 500
    t = np.log(creep.epochs[late])
    assert np.polyfit(t, np.log(1 + creep.ratio["numeric"][late]), 1)[0] == pytest.approx(-1, abs=0.15)
    assert np.polyfit(t, np.log(creep.error["numeric"][late]), 1)[0] == pytest.approx(-4, abs=0.5)
    assert np.abs(creep.ratio["analytic"][late]).max() < 1e-6
    assert creep.error["analytic"][-1] < 1e-30
    assert 1 <= creep.n_creeping <= 4 * creep.n_nets


def test_gradient_errors_follow_h_and_jump_at_a_kink():
    errors = kinks.gradient_errors(60)

    def error(place, mode, h, distance=0):
        return errors[place, distance, mode][np.isclose(kinks.STEPS, h, atol=0)].item()

    for low, high, mode, power in (
        (1e-3, 1e-2, "numeric", 2),
        (1e-6, 1e-4, "forward", 1),
        (1e-4, 1e-2, "complex_step", 2),
    ):
        rise = error("smooth", mode, high) / error("smooth", mode, low)
        assert np.log(rise) / np.log(high / low) == pytest.approx(power, abs=0.1)
    assert error("relu", "numeric", 1e-2) < 1e-13
    assert error("kink", "numeric", 1e-7, 1e-6) < 1e-8
    assert error("kink", "numeric", 1e-5, 1e-6) > 0.01
    assert all(error("kink", "numeric", h) > 0.01 for h in (1e-9, 1e-5, 1e-1))
