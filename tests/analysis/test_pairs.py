"""No run is dropped silently: it is in a pair, or left out for a reason that has a name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.analysis import analyse
from experiments.analysis.pairs import pair_up
from tests.loaded import loaded, made_up

RUN = st.tuples(
    st.sampled_from("pqr"), st.sampled_from("abc"), st.sampled_from(["s", "t", ""]), st.booleans()
)


def table(rows):
    columns = zip(*rows, strict=True) if rows else ((), (), (), ())
    return dict(zip(("pair", "mode", "start", "failed"), map(list, columns), strict=True))


@given(st.lists(RUN, max_size=12))
def test_no_run_of_the_two_modes_is_dropped_silently(rows):
    pairing = pair_up(table(rows), "a", "b")
    used = [*pairing.a, *pairing.b, *(row for item in pairing.left_out for row in item.rows)]
    assert sorted(used) == [row for row, run in enumerate(rows) if run[1] in "ab"]
    for i, j in zip(pairing.a, pairing.b, strict=True):
        assert (rows[i][1], rows[j][1]) == ("a", "b")
        assert rows[i][0] == rows[j][0]
        assert rows[i][2] == rows[j][2] != ""
        assert not rows[i][3]
        assert not rows[j][3]
    swapped = pair_up(table(rows), "b", "a")
    assert (swapped.a.tolist(), swapped.b.tolist()) == (pairing.b.tolist(), pairing.a.tolist())


def test_every_reason_to_leave_a_run_out_is_named():
    runs = table(
        [
            ("good", "b", "s", False),
            ("good", "a", "s", False),
            ("alone", "a", "s", False),
            ("moved", "a", "s", False),
            ("moved", "b", "t", False),
            ("twice", "a", "s", False),
            ("twice", "b", "s", False),
            ("twice", "b", "s", False),
            ("broken", "a", "s", False),
            ("broken", "b", "s", True),
            ("mended", "a", "s", False),
            ("mended", "b", "s", True),
            ("mended", "b", "s", False),
        ]
    )
    pairing = pair_up(runs, "a", "b")
    assert (pairing.a.tolist(), pairing.b.tolist()) == ([1, 10], [0, 12])
    assert [tuple(item) for item in pairing.left_out] == [
        ("alone", "b", "missing", (), 2),
        ("alone", "a", "no partner", (2,), 2),
        ("moved", "a", "other start", (3,), 3),
        ("moved", "b", "other start", (4,), 3),
        ("twice", "b", "duplicate", (6, 7), 5),
        ("twice", "a", "no partner", (5,), 5),
        ("broken", "b", "failed", (9,), 8),
        ("broken", "a", "no partner", (8,), 8),
        ("mended", "b", "failed", (11,), 10),
    ]


def test_a_mode_is_not_paired_with_itself():
    with pytest.raises(ValueError, match="two modes"):
        pair_up(table([]), "a", "a")


@pytest.mark.parametrize("reference", ["analytic", "analytic continued"])
def test_pictures_show_the_modes_that_start_as_the_reference(reference):
    arms = ["analytic", "numeric h=1e-4", "analytic continued", "numeric h=1e-4 continued"]
    analysed = analyse(loaded(*made_up(arms, n_seeds=8)), reference)
    alike = [mode for mode in arms if mode.endswith("continued") == reference.endswith("continued")]
    assert analysed.drawn_modes == alike
    assert analysed.others == alike[1:]
