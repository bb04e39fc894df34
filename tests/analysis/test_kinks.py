"""Beside a kink a unit creeps as 1/t and the error falls as t⁻⁴; gradient errors obey theory."""

import numpy as np
import pytest

from experiments.report.figures import kinks as probes
from experiments.wording import number


def test_a_unit_creeps_to_minus_h_and_backpropagation_stops_at_the_kink():
    epochs, ratio, error, _, n_creeping = probes.creeping_unit()
    late = epochs > 500
    t = np.log(epochs[late])
    assert np.polyfit(t, np.log(1 + ratio["numeric"][late]), 1)[0] == pytest.approx(-1, abs=0.15)
    assert np.polyfit(t, np.log(error["numeric"][late]), 1)[0] == pytest.approx(-4, abs=0.5)
    assert np.abs(ratio["analytic"][late]).max() < 1e-6
    assert error["analytic"][-1] < 1e-30
    assert 1 <= n_creeping <= 4 * probes.N_NETS


def test_gradient_errors_follow_h_and_jump_at_a_kink():
    found = probes.gradient_errors(60)

    def error(place, mode, h, distance=0):
        return found[place, distance, mode][np.isclose(probes.STEPS, h, atol=0)].item()

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


def test_what_the_pictures_say_is_what_was_computed():
    forward, (epochs, ratio, *_) = probes.gradient_errors()["smooth", 0, "forward"], probes.creeping_unit()
    assert (
        f"{epochs[-1]:,} epochs 1 + z/h is {number(1 + ratio['numeric'][-1], 2)}"
        in probes.mechanism().caption
    )
    least = f"forward {number(forward.min(), 2)} at h={number(probes.STEPS[forward.argmin()], 2)}"
    assert least in probes.gradient_error().caption
