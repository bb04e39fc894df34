"""The tutorial's two tables, what was run for them, and what start and gradient are worth over many seeds."""

import numpy as np

from experiments.analysis import ARMS, EPOCHS, PRINTED, Analysis
from experiments.report.figures.panel import Panel, Strip, span
from experiments.report.figures.sheet import Sheet, picture
from experiments.report.figures.styles import style_of
from experiments.wording import decades, plural

LOOKS = {mode: style_of(mode) for mode in ARMS}
LAST = EPOCHS[-1]
STARTS = {  # gap over seeds -> mode that ends in it, its name
    "as_run": ("analytic continued", "as the tutorial ran it"),
    "start_numeric": ("numeric h=1e-4 continued", "numeric itself continued"),
    "gradient_fresh": ("analytic", "from equal starts"),
}


@picture(
    "Both printed tables by epoch; the same along one run, where the second is epochs 61 to 120; decades "
    "between the last rows of the two, over many seeds, for each way to start the second."
)
def tutorial(analysed: Analysis) -> Sheet | None:
    claim = analysed.tutorial
    if claim is None or not len(claim.gaps):
        return None
    sheet = Sheet([[1, 1.7], [1]], [2.8, 0.9])
    printed, run, seeds = sheet.panels
    limits = span(*PRINTED.values(), *(claim.table[arm] for arm in ARMS.values()))
    for panel, end in ((printed, LAST + 8), (run, 2 * LAST + 2)):
        panel.logarithmic("y", "printed error" if panel is printed else "", limits)
        panel.set(xlim=(0, end), xticks=range(0, end + 1, 20))
    _as_printed(printed)
    _as_run(run, claim)
    _over_seeds(seeds, claim)
    return sheet


def _as_printed(panel: Panel) -> None:
    _tables(panel, 0)
    numeric, analytic = LOOKS["numeric h=1e-4"].ink, LOOKS["analytic"].ink
    panel.text(
        LAST + 6, PRINTED["numeric"][0], "first table:\nnumeric", color=numeric, ha="right", va="center"
    )
    panel.text(2, PRINTED["analytic"][-1], "second table:\nanalytic", color=analytic, va="bottom")
    panel.set_xlabel("printed epoch")
    panel.above("as printed")


def _tables(panel: Panel, shift: int) -> None:
    """Both printed tables, the second moved along the epochs."""
    for mode, table, later in (("numeric h=1e-4", "numeric", 0), ("analytic", "analytic", shift)):
        marks = {"ls": "", "marker": LOOKS[mode].marker, "color": LOOKS[mode].color}
        panel.plot(np.add(EPOCHS, later), PRINTED[table], **marks)


def _as_run(panel: Panel, claim) -> None:
    """The four arms of the seed whose tables look most alike; continued ones go on from numeric's weights."""
    labels = []
    for mode, arm in reversed(ARMS.items()):
        curve = claim.table[arm].to_numpy()
        epochs = np.array(EPOCHS)
        if mode.endswith("continued"):
            labels.append((curve[-1], f"{mode.split()[0]} from numeric's weights", LOOKS[mode].ink))
            epochs = np.array([LAST, *(epochs + LAST)])
            curve = np.array([claim.table["numeric"].iloc[-1], *curve])
        panel.plot(epochs, curve, lw=1.5, **LOOKS[mode].line)
    _tables(panel, LAST)
    panel.axvline(LAST, color="#888888", lw=0.9, ls=":")
    panel.set_xlabel("epochs since the weights were drawn")
    panel.beside(labels)
    panel.above(f"what was run: table 2 is epochs {LAST + 1} to {2 * LAST} (seed {claim.alike[0]})")


def _over_seeds(panel: Panel, claim) -> None:
    estimates = {row["question"].removeprefix("tutorial_"): row for row in claim.estimates}
    strips = []
    labels = []
    for y, (gap, (mode, name)) in enumerate(STARTS.items()):
        value, low, high = (estimates[gap][key] for key in ("value", "low", "high"))
        look = LOOKS[mode]
        strips.append(Strip(name, look.ink, look, claim.gaps[gap].to_numpy(), value, low, high))
        labels.append((y, decades(value), "black"))
    panel.strips(strips)
    panel.beside(labels)
    panel.axvline(0, color="#444444", lw=1)
    panel.set_xlabel("decades above numeric's table, last row")
    panel.above(f"{plural(len(claim.gaps), 'seed')} that converge; bar: median with its 95 % interval")
