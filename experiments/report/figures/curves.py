"""Errors over the epochs: who comes within an error, how far runs fall; how a mode's line is drawn."""

import numpy as np

from experiments.analysis import FEWEST, Analysis, epochs_name
from experiments.report.figures.panel import Label, Panel
from experiments.report.figures.sheet import WIDTH, Sheet, picture
from experiments.report.figures.styles import GREY, Style, style_of
from experiments.wording import listed, number, plural, signed

MOST_STEPS = 240  # of a line of shares
MOST_BANDS = 3  # modes; more are mud
FEW_RATES = 5  # from so many on there is little room above a panel
BAND = "#d9d9d9"
DEEP = 1e-4  # the least error that a profile goes to


def style(analysed: Analysis, mode: str) -> Style:
    return style_of(mode, analysed.modes)


def line(analysed: Analysis, mode: str, n_runs: int) -> dict:
    """How the median of so many runs is drawn: thin, if they are few."""
    options = style(analysed, mode).line
    return options if n_runs >= FEWEST else options | {"lw": 0.8}


def label(analysed: Analysis, mode: str, at: float, note: str = "") -> Label:
    """The mode's name, and a note, in its ink."""
    return at, analysed.names[mode] + note, style(analysed, mode).ink


def main_cell(analysed: Analysis) -> str:
    """The title of a picture of one cell."""
    cells = analysed.cells
    title = f"Learning rate {number(cells.learning_rate)}, {plural(cells.hidden_size, 'hidden unit')}"
    if analysed.pooled_keys:
        title += f", every {listed(analysed.pooled_keys)}".replace("_", " ")
    return title


def few_runs(n_runs: int) -> str:
    """How many runs stand behind a line, if they are few."""
    return f" ({plural(n_runs, 'run')})" if 0 < n_runs < FEWEST else ""


@picture(
    "Share of all runs that have come within an error over the epochs, a panel for each error; then the "
    "share of runs within any error at the end. A line per mode."
)
def precision(analysed: Analysis) -> Sheet | None:
    reached = analysed.curves.reached
    if not any(share.any() for share in reached.profile.values()):
        return None
    n_panels = len(reached.by_epoch) + 1
    widths = [[1, 1]] * 2 if n_panels > 2 else [[1] * n_panels]
    heights = [max(1.9, 0.17 * len(analysed.shown))] * len(widths)
    sheet = Sheet(widths, heights, width=WIDTH if n_panels > 1 else 0.7 * WIDTH)
    for panel in sheet.panels[n_panels:]:
        panel.axis("off")
    for panel, (tau, shares) in zip(sheet.panels, reached.by_epoch.items(), strict=False):
        _share_by_epoch(panel, analysed, tau, shares)
    _profile(sheet.panels[n_panels - 1], analysed)
    return sheet


def _share_by_epoch(panel: Panel, analysed: Analysis, tau: float, shares) -> None:
    n_epochs = analysed.n_epochs
    epochs = np.linspace(0, n_epochs, min(MOST_STEPS, n_epochs) + 1).astype(int)
    panel.set(ylim=(0, 1.01), ylabel="share of runs")
    panel.epochs(n_epochs)
    panel.above(f"error ≤ {number(tau)}")
    labels = []
    for mode, share in shares.items():
        panel.step(epochs, share[epochs], where="post", **style(analysed, mode).line)
        labels.append(label(analysed, mode, share[-1], _later(analysed, mode, tau)))
    panel.beside(labels)


def _later(analysed: Analysis, mode: str, tau: float) -> str:
    """How many epochs later than the reference the median pair gets there."""
    if mode not in analysed.others:
        return ""
    estimate = analysed.estimate(mode, epochs_name(tau))
    if not estimate["n_pairs"]:
        return ", never"
    if not np.isfinite(estimate["value"]):
        return ", undetermined"
    if estimate["value"] == 0:
        return ", same epoch"
    noun = "epoch" if abs(estimate["value"]) == 1 else "epochs"
    return f", {signed(estimate['value'])} {noun}"


def _profile(panel: Panel, analysed: Analysis) -> None:
    reached = analysed.curves.reached
    shares = np.array(list(reached.profile.values()))
    deepest = reached.depths[shares.any(axis=0)].min(initial=DEEP)
    panel.set(ylim=(0, 1.01), ylabel="share of runs")
    panel.logarithmic("x", f"error at most … after {plural(analysed.n_epochs, 'epoch')}", (4, deepest / 5))
    panel.above("within any error, at the end")
    for mode, share in reached.profile.items():
        panel.plot(reached.depths, share, **style(analysed, mode).line)
    if not reached.by_epoch:
        panel.beside([label(analysed, mode, share[-1]) for mode, share in reached.profile.items()])


@picture(
    "Median error over the epochs, logarithmic, a panel for each learning rate and hidden size, a line per "
    "mode; with up to three modes also the middle half."
)
def convergence(analysed: Analysis) -> Sheet:
    cells = analysed.cells
    rates, sizes = cells.grid
    is_single = cells.n_cells == 1
    heights = [2.8] if len(sizes) == 1 else [1.2] * len(sizes)
    width = 7.5 if is_single else 10
    sheet = Sheet([[1] * len(rates)] * len(sizes), heights, _key(analysed), width, shared=True)
    drawn = [quartile for curve in analysed.curves.medians.values() for quartile in curve.quartiles]
    for row, size in zip(sheet.rows, sizes, strict=True):
        for panel, rate in zip(row, rates, strict=True):
            panel.epochs(analysed.n_epochs, "epoch" if row is sheet.rows[-1] else "")
            unit = f"{plural(size, 'hidden unit')}\nmean error" if panel is row[0] else ""
            panel.errors("y", drawn, unit, converged=analysed.converged_error)
            labels = _medians(panel, analysed, rate, size)
            if is_single:
                panel.beside(labels)
            head = [f"learning rate {number(rate)}"] if row is sheet.rows[0] else []
            panel.above(*head, (_support(analysed, rate, size), GREY))
    return sheet


def _has_bands(analysed: Analysis) -> bool:
    return len(analysed.shown) <= MOST_BANDS


def _key(analysed: Analysis) -> list:
    is_single = analysed.cells.n_cells == 1
    key = []
    if not is_single:
        key = [(style(analysed, mode), analysed.names[mode]) for mode in analysed.shown]
    if _has_bands(analysed):
        key.append(({"fc": BAND}, f"middle half of the {'pairs' if analysed.others else 'runs'}"))
    if not is_single and any(0 < curve.n_runs < FEWEST for curve in analysed.curves.medians.values()):
        key.append(({"fc": "none"}, f"thin: median of fewer than {FEWEST} runs"))
    return key


def _medians(panel: Panel, analysed: Analysis, rate: float, size: int) -> list[Label]:
    """Draws the lines of a cell; gives their labels."""
    labels = []
    for mode in analysed.shown:
        curve = analysed.curves.medians[rate, size, mode]
        if _has_bands(analysed) and curve.n_runs >= FEWEST:
            color = style(analysed, mode).color
            panel.fill_between(curve.epochs, curve.low, curve.high, color=color, alpha=0.2, lw=0)
        panel.plot(curve.epochs, curve.middle, **line(analysed, mode, curve.n_runs))
        labels.append(label(analysed, mode, curve.last, few_runs(curve.n_runs)))
    return labels


def _support(analysed: Analysis, rate: float, size: int) -> str:
    """How many pairs, or runs, stand behind a panel's lines."""
    panels = analysed.cells.panels
    panels = panels[(panels["learning_rate"] == rate) & (panels["hidden_size"] == size)]
    paired = panels[panels["n_pairs"] > 0]
    if len(paired):
        n = plural(paired["n_pairs"].max(), "pair")
        counts = sorted({paired["n_both"].min(), paired["n_both"].max()})
    elif panels["n_runs"].any():
        n = plural(panels["n_runs"].sum(), "run")
        counts = [panels["converged"].sum()]
    else:
        return "no runs"
    if analysed.none_converges:
        return n
    converge = " converge" if len(analysed.cells.grid[0]) < FEW_RATES else ""
    return f"{'–'.join(map(str, counts))} of {n}{converge}"
