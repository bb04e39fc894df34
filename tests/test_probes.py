"""Beside a kink a unit creeps as 1/t and the error falls as t⁻⁴; gradient errors obey theory."""

import numpy as np
import pytest

from experiments import probes


def test_a_unit_creeps_to_minus_h_and_backpropagation_stops_at_the_kink():
    found = probes.creeping_unit()
    numeric, analytic = found["z"]["numeric h=1e-4"] / found["h"], found["z"]["analytic"] / found["h"]
    late = found["epochs"] > 500
    t = np.log(found["epochs"][late])
    assert np.polyfit(t, np.log(1 + numeric[late]), 1)[0] == pytest.approx(-1, abs=0.15)
    assert np.polyfit(t, np.log(found["error"]["numeric h=1e-4"][late]), 1)[0] == pytest.approx(-4, abs=0.5)
    assert np.abs(analytic[late]).max() < 1e-6
    assert found["error"]["analytic"][-1] < 1e-30


def test_gradient_errors_follow_h_and_jump_at_a_kink():
    table = {name: np.array(values) for name, values in probes.gradient_errors(60).items()}

    def error(place, mode, h, distance=None):
        of = (table["place"] == place) & (table["mode"] == mode) & np.isclose(table["h"], h, atol=0)
        (value,) = table["error"][of if distance is None else of & (table["distance"] == distance)]
        return value

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
    assert all(error("kink", "numeric", h, 0.0) > 0.01 for h in (1e-9, 1e-5, 1e-1))
