"""Pictures are the same bytes in every process, and no process that fails or is left costs one."""

import contextlib
import multiprocessing
import os
from functools import partial

import pytest

from experiments.analysis import analyse
from experiments.report import figures
from experiments.report.figures import drawn
from tests.loaded import loaded, made_up
from tests.report.test_sheet import curves


def test_workers_draw_the_same_bytes_in_the_same_order():
    jobs = [partial(curves, rate) for rate in (0.1, 0.0, 0.2, 0.3)]
    here = drawn(jobs, 1)
    assert here == [curves(rate).rendered() for rate in (0.1, 0.2, 0.3)]
    assert here == drawn(jobs, 2) == drawn(jobs, 9)


@pytest.fixture
def children():
    """The processes begun by this test and not ended: others of this worker may have left theirs."""
    before = {process.pid for process in multiprocessing.active_children()}
    return lambda: {process.pid for process in multiprocessing.active_children()} - before


@pytest.fixture
def only_curves(monkeypatch):
    """All that there is to draw is the function that this is called with."""
    return lambda draw: monkeypatch.setattr(figures, "_draws", lambda: [draw, curves])


def deadly(rate):
    """Draws in the process of the tests, and ends every other."""
    if multiprocessing.parent_process() is not None:
        os._exit(1)
    return curves(rate)


def faulty(rate):
    raise ZeroDivisionError("of the drawing")


@pytest.mark.parametrize("n_workers", [1, 2])
def test_a_studio_draws_the_pictures_and_leaves_no_process(n_workers, only_curves, children):
    only_curves(curves)
    with figures.studio(n_workers) as draw:
        assert draw(0.2) == figures.pictures(0.2, 1) == [curves(0.2).rendered()] * 2
    assert not children()


def test_a_studio_that_is_not_needed_leaves_no_process(children):
    with contextlib.suppress(KeyboardInterrupt), figures.studio(2):
        assert len(children()) == 1
        raise KeyboardInterrupt
    assert not children()


def test_what_a_dead_process_leaves_undone_is_drawn_here(only_curves, children):
    jobs = [partial(curves, 0.1), partial(deadly, 0.2), partial(curves, 0.3)]
    assert drawn(jobs, 2) == [curves(rate).rendered() for rate in (0.1, 0.2, 0.3)]
    only_curves(deadly)
    with figures.studio(2) as draw:
        assert draw(0.2) == [curves(0.2).rendered()] * 2
    assert not children()


@pytest.mark.parametrize("n_workers", [1, 2])
def test_an_error_in_a_drawing_is_raised(n_workers, only_curves, capfd):
    only_curves(faulty)
    with figures.studio(n_workers) as draw:
        for call in (draw, partial(figures.pictures, n_workers=n_workers)):
            with pytest.raises(ZeroDivisionError, match="of the drawing"):
                call(0.1)
    assert capfd.readouterr().err == ""


def test_pictures_need_no_curve_of_a_run():
    analysed = analyse(loaded(*made_up(n_seeds=6)))
    small = analysed.for_pictures()
    assert small.error.nbytes == 0
    assert figures.pictures(small, 1) == figures.pictures(analysed, 1)
