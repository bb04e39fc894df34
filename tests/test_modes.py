"""Names of gradient modes."""

import pytest

from experiments.modes import name_of


@pytest.mark.parametrize(("mode", "modes", "name"), [
    ("numeric h=1e-4", ["analytic", "numeric h=1e-4"], "numeric"),
    ("numeric h=1e-4", ["numeric h=1e-2", "numeric h=1e-4"], "numeric h=10⁻⁴"),
    ("numeric h=0.3 decay=0.99", ["numeric h=0.3", "numeric h=0.3 decay=0.99"], "numeric annealed"),
    ("numeric h=0.3 decay=0.9", [f"numeric h={h} decay=0.9" for h in (0.3, 0.7)], "numeric h=0.3 annealed"),
    ("spsa h=1e-4 n_samples=16", ["spsa h=1e-4", "spsa h=1e-4 n_samples=16"], "spsa n_samples=16"),
    ("complex_step h=1e-20", ["complex_step h=1e-20"], "complex step"),
    ("analytic continued", ["analytic", "analytic continued"], "analytic continued"),
    ("my_mode kind='a b' nudged", ["my_mode nudged"], "my mode kind='a b' nudged"),
    ("my_mode kind=a", ["my_mode kind=a", "my_mode kind=b"], "my mode kind=a"),
])  # fmt: skip
def test_a_name_tells_a_mode_from_the_others_and_no_more(mode, modes, name):
    assert name_of(mode, modes) == name
