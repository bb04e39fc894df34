"""How a run went and ended, read off its error curve. Arrays in, arrays out.

`error` is (n_epochs + 1, n_runs): row t holds the mean error over all rows of the problem at the end of
epoch t, row 0 before training. All runs of one array share the last epoch E = n_epochs. Values that were not
recorded, because the run had left the finite numbers, are NaN. NumPy only: every sweep imports this.

Outcomes are relative to zero = mean(t²), the error of answering 0, so that a problem's units don't matter.
"""

import numpy as np

OUTCOMES = ("converged", "falling", "silent", "stuck", "diverged")  # the order of tables and pictures
CONVERGED_BELOW = 0.002  # times zero, as the next two
SILENT_WITHIN = 0.002
DIVERGED_ABOVE = 10.0
FALLING_BELOW = 0.9  # of the error at half time
CONVERGED_ERROR = 1e-3  # CONVERGED_BELOW times the tutorial's zero, 0.5
FLOOR = np.finfo(np.float64).eps ** 2  # 4.9e-32: differences between errors below this are rounding
LAWS = ("exponential", "power", "mixed", "flat", "undecided", "none")


def classify(error, zero_error, converged_below=CONVERGED_BELOW):
    """The outcome of every run, an array (n_runs,) of names from OUTCOMES: the first that applies.

    With E the last epoch, zero = zero_error and the share converged_below, numbers or (n_runs,):
    diverged: any value not finite, or e_E > 10·zero (a run may start above that and come back);
    converged: e_E < converged_below·zero;
    falling: e_E < 0.9·e_{E/2}, for odd E the epoch before half time, E // 2;
    silent: |e_E − zero| < 0.002·zero;  stuck: the rest.
    """
    error = _curves(error)
    zero = np.asarray(zero_error, dtype=float)
    last = error[-1]
    half = error[(len(error) - 1) // 2]
    with np.errstate(over="ignore", invalid="ignore"):  # of targets too large to be squared
        return np.select(
            [
                ~np.isfinite(error).all(axis=0) | (last > DIVERGED_ABOVE * zero),
                last < converged_below * zero,
                last < FALLING_BELOW * half,
                np.abs(last - zero) < SILENT_WITHIN * zero,
            ],
            ["diverged", "converged", "falling", "silent"],
            default="stuck",
        )


def diverged_epoch(error, zero_error):
    """The epoch in which each diverged run was lost, (n_runs,) floats; NaN for runs that did not diverge.

    The first epoch that is not finite, or the first of those above 10·zero from then to the end.
    """
    error = _curves(error)
    zero = np.asarray(zero_error, dtype=float)
    n_epochs = len(error) - 1
    with np.errstate(over="ignore"):
        held = error <= DIVERGED_ABOVE * zero
    lost = np.where(held.any(axis=0), n_epochs + 1 - held[::-1].argmax(axis=0), 0)
    first_bad = np.where(np.isfinite(error).all(axis=0), n_epochs + 1, (~np.isfinite(error)).argmax(axis=0))
    epoch = np.minimum(lost, first_bad).astype(float)
    return np.where(epoch <= n_epochs, epoch, np.nan)


def epochs_to(error, tau):
    """The first epoch whose error is ≤ tau, (n_runs,) floats; NaN for runs that never get there.

    It may rise again later. NaN means "not within the n_epochs that were run": censored, not missing.
    """
    within = _curves(error) <= tau
    return np.where(within.any(axis=0), within.argmax(axis=0), np.nan)


def final_error(error):
    """The error after the last epoch, (n_runs,); inf where it is not finite, so that it sorts last."""
    last = _curves(error)[-1]
    return np.where(np.isfinite(last), last, np.inf)


def lift(error):
    """Errors lifted to FLOOR = eps²: below it they differ by rounding, and 0 has no logarithm."""
    return np.maximum(np.asarray(error, dtype=float), FLOOR)


def at_floor(error) -> bool:
    """Whether it is no more than FLOOR, also where that went through a logarithm: then it is a bound."""
    return error <= FLOOR * (1 + 1e-9)


def law(error, converged_error=CONVERGED_ERROR):
    """By which law each run converges: (names from LAWS, exponent s), both (n_runs,).

    converged_error, a number or (n_runs,): below it a run has converged, converged_below·zero.
    de/dt = −k·e^(1 + s) is an exponential for s = 0, a power law t^(−1/s) for s > 0 wherever its t = 0 is,
    and any three equidistant epochs a, m, b obey (e_a^−s + e_b^−s)/2 = e_m^−s. Window: from the first
    e ≤ converged_error to the last e > 1e-28, first quarter dropped (up to one epoch more, so that m exists).
    The first that applies: none: n_epochs < 300 or not e_E < converged_error;  undecided: b − a < 16 epochs;
    flat: under 0.1 decade of fall;  undecided: under 1 decade;  exponential: |s| < 0.05;
    power: 1/8 < s < 1;  mixed: the rest.
    s is NaN for the first four, and ±inf where a half of the window does not fall: nothing solves it.
    """
    error = _curves(error)
    converged_error = np.asarray(converged_error, dtype=float)
    n_epochs = len(error) - 1
    n_runs = error.shape[1]
    if n_epochs < 300:
        return np.full(n_runs, "none"), np.full(n_runs, np.nan)
    above = error > 1e-28
    first = (error <= converged_error).argmax(axis=0)
    last = np.where(above.any(axis=0), n_epochs - above[::-1].argmax(axis=0), 0)
    b = np.maximum(first, last)
    a = first + (b - first + 3) // 4
    a += (b - a) % 2
    with np.errstate(divide="ignore", invalid="ignore"):
        log_a, log_m, log_b = (np.log(error[t, np.arange(n_runs)], dtype=float) for t in (a, (a + b) // 2, b))
        decades = (log_a - log_b) / np.log(10)
        s = _exponent(log_a - log_m, log_m - log_b)
    names = np.select(
        [
            ~(error[-1] < converged_error),
            b - a < 16,
            ~(decades >= 0.1),
            decades < 1,
            np.abs(s) < 0.05,
            (s > 1 / 8) & (s < 1),
        ],
        ["none", "undecided", "flat", "undecided", "exponential", "power"],
        default="mixed",
    )
    return names, np.where(np.isin(names, ("exponential", "power", "mixed")), s, np.nan)


def _exponent(fall_am, fall_mb):
    """The s ≠ 0 with exp(−s·fall_am) + exp(s·fall_mb) = 2, by bisection; 0 for equal falls."""
    # The left side is convex and 2 at s = 0: the other root lies beyond its minimum. Exchanging the falls
    # turns the sign of s, so it is enough to solve for the longer fall first, in units of 1 / the shorter.
    shorter, longer = np.minimum(fall_am, fall_mb), np.maximum(fall_am, fall_mb)
    ratio = longer / shorter
    left, right = np.log(ratio) / (1 + ratio), np.full(ratio.shape, np.log(2))
    for _ in range(55):
        middle = (left + right) / 2
        beyond = np.expm1(-middle * ratio) + np.expm1(middle) > 0
        left, right = np.where(beyond, left, middle), np.where(beyond, middle, right)
    size = np.where(shorter > 0, right / shorter, np.inf)
    return np.where(fall_am == fall_mb, 0.0, np.where(fall_am > fall_mb, size, -size))


def _curves(error):
    error = np.asarray(error)
    if error.ndim != 2 or len(error) == 0:
        raise ValueError(f"error: shape {error.shape}; it must be (n_epochs + 1, n_runs) with n_epochs ≥ 0")
    return error
