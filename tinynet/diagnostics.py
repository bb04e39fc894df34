"""What a run's gradient is worth along its own training, at chosen epochs."""

from dataclasses import dataclass

import numpy as np

from tinynet.gradients import near_kink, steps


@dataclass(frozen=True, eq=False)
class Diagnostics:
    """Of each watched epoch's steps, at the run's own weights before each; arrays (n_watched, n_runs).

    epochs (n_watched,): which; 1 is the first. near_kink: share of steps with some |z| ≤ h, h the mode's own
    (0 for a mode without). error_near and error_beyond: mean ‖g - g_analytic‖ / max(‖g‖, ‖g_analytic‖) over
    these steps and over the others; NaN where there are none. cosine: mean of cos(g, g_analytic) over the
    steps where both are not 0. silent_units: hidden units that answer 0 to every row at the epoch's end.
    """

    epochs: np.ndarray
    near_kink: np.ndarray
    error_near: np.ndarray
    error_beyond: np.ndarray
    cosine: np.ndarray
    silent_units: np.ndarray

    @classmethod
    def empty(cls, epochs, n_epochs: int, n_runs: int) -> "Diagnostics":
        """Raises ValueError unless epochs are integers from 1 to n_epochs, each once."""
        epochs = np.asarray(epochs) if len(epochs) else np.empty(0, dtype=int)
        whole = epochs.ndim == 1 and epochs.dtype.kind in "iu" and len(np.unique(epochs)) == epochs.size
        if not whole or not ((epochs >= 1) & (epochs <= n_epochs)).all():
            raise ValueError(f"diagnostics: {epochs.tolist()!r}; give epochs from 1 to {n_epochs}, each once")
        return cls(epochs, *np.full((5, epochs.size, n_runs), np.nan))

    def watch(self, gradient, epoch: int, runs: slice) -> "Watch | None":
        """For the epoch numbered `epoch`, if it is to be watched."""
        place = np.flatnonzero(self.epochs == epoch)
        return Watch(self, gradient, epoch, (place[0], runs)) if place.size else None


class Watch:
    """Sums over the steps of one epoch."""

    def __init__(self, diagnostics, gradient, epoch, place):
        self._into, self._gradient, self._place = diagnostics, gradient, place
        self._h = getattr(gradient, "h", 0.0) * getattr(gradient, "decay", 1.0) ** (epoch - 1)
        self._sums = [0] * 6  # steps, near a kink, error near, error beyond, cosine, steps with a cosine

    def step(self, row, params, estimated):
        vectors = row.workspace.array("watched", (3, *params.shape), np.dtype(float))
        vectors[1:] = 0  # g - g_analytic, g, g_analytic
        row.gradient(params, out=vectors[2])
        for block in steps(self._gradient, row):
            vectors[1, block] = estimated[block]
        np.subtract(vectors[1], vectors[2], out=vectors[0])
        miss, own, exact = np.sqrt(_folded(np.multiply(vectors, vectors, out=vectors)))
        near = near_kink(row, params, self._h)
        error = miss / np.maximum(np.maximum(own, exact), 1e-300)  # 0 where both are
        both = (own != 0) & (exact != 0)
        cosine = (own / exact + exact / own - miss / own * (miss / exact)) / 2  # by the law of cosines
        terms = 1, near, error * near, error * ~near, np.where(both, cosine, 0), both
        self._sums = [total + term for total, term in zip(self._sums, terms, strict=True)]

    def end(self, rows, params):
        into, place = self._into, self._place
        n, near, error_near, error_beyond, cosine, n_cosines = self._sums
        into.near_kink[place] = near / n
        into.error_near[place] = error_near / near
        into.error_beyond[place] = error_beyond / (n - near)
        into.cosine[place] = cosine / n_cosines
        silent = rows[0].network.activation == "relu"
        for row in rows:
            silent = silent & (row.preactivations(params) <= 0)  # (hidden_size, n_runs)
        into.silent_units[place] = silent.sum(axis=0)


def _folded(terms):  # (k, n, n_runs) -> (k, n_runs), the sum in one order for any number of runs
    n = terms.shape[1]
    while n > 1:
        half = (n + 1) // 2
        upper = terms[:, : n - half]
        upper += terms[:, half:n]
        n = half
    return terms[:, 0]
