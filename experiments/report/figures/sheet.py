"""What pictures are made of: a sheet of panels below a key; scales, labels and marks of a panel.

Panels are placed by what stands around them, and labels of lines move apart: nothing overlaps, whatever the
data. Same input, same bytes. The only file that imports matplotlib.
"""

import functools
import io
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator, LogLocator, NullFormatter
from scipy.optimize import isotonic_regression

from experiments.report.figures.styles import Style
from experiments.wording import number
from tinynet.outcomes import CONVERGED_BELOW

STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: all machines agree
    "font.size": 9.5,
    "axes.labelsize": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "lines.linewidth": 1.8,
    "legend.frameon": False,
    "legend.borderaxespad": 0.3,
    "legend.handlelength": 3,
    "hatch.linewidth": 0.6,
    "text.parse_math": False,  # names of modes are the user's
    "savefig.facecolor": "white",  # also on a dark page
    "svg.hashsalt": "tinynet",
}
WIDTH, PAD = 10.0, 0.12  # inches: of a sheet, and between what stands around two panels
SMALL = 9
HIGHEST = 1e3  # error above which nothing is drawn
MOST_MARKS = 300  # of one kind, that an SVG holds one by one
Label = tuple[float, str, str]  # at, text, colour


@dataclass(frozen=True)
class Picture:
    name: str  # file name without ending
    figure: Figure = field(repr=False)
    caption: str  # what the picture shows, with its numbers
    alt: str  # what is drawn, for those who do not see it

    def png(self, dpi: int = 150) -> bytes:
        return self._saved(format="png", dpi=dpi, metadata={"Software": None})

    def svg(self) -> bytes:
        return self._saved(format="svg", dpi=150, metadata={"Date": None, "Creator": None})

    def _saved(self, **options) -> bytes:
        file = io.BytesIO()
        _styled(self.figure.savefig)(file, **options)
        return file.getvalue()


def _styled(function):
    """Under STYLE and nothing else: neither the user's matplotlibrc nor what was set before counts."""

    @functools.wraps(function)
    def styled(*arguments, **options):
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(STYLE)
            return function(*arguments, **options)

    return styled


def picture(draw: Callable[..., tuple["Sheet", str] | None]) -> Callable[..., Picture | None]:
    """Makes a function that gives (sheet, caption), or None, give a Picture; alt is its docstring's head."""

    @_styled
    @functools.wraps(draw)
    def drawn(*arguments, **options):
        if (made := draw(*arguments, **options)) is None:
            return None
        sheet, caption = made
        sheet.place()
        return Picture(draw.__name__, sheet.figure, caption, " ".join(draw.__doc__.split("\n\n")[0].split()))

    return drawn


class Panel(Axes):
    """Axes that know our scales, labels and marks. Labels come when limits are set."""

    def logarithmic(self, which: str, label: str = "", limits: tuple[float, float] | None = None) -> None:
        """A logarithmic axis, "x" or "y", with few ticks; without limits for what is drawn by now."""
        self.set(**{f"{which}scale": "log", f"{which}label": label})
        if limits:
            self.set(**{f"{which}lim": limits})
        axis = getattr(self, f"{which}axis")
        low, high = sorted(axis.get_view_interval())
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,), numticks=5))
        axis.set_major_formatter(lambda x, _: number(x))
        axis.set_minor_formatter(NullFormatter())
        axis.set_minor_locator(LogLocator(subs="all", numticks=10) if high < 1e7 * low else FixedLocator([]))

    def errors(self, which: str, drawn: Sequence, label: str = "", lost: bool = False) -> None:
        """An axis of errors, with a line at that of converged runs; lost: its end is infinity."""
        low, high = span(*drawn)
        end = high * (high / low) ** 0.08 if lost else high
        self.logarithmic(which, label, (low, end))
        line = {"x": self.axvline, "y": self.axhline}[which]
        line(CONVERGED_BELOW, color="#999999", lw=0.8, ls=":", zorder=1)
        if lost:
            axis = getattr(self, f"{which}axis")
            apart = (end / low) ** 0.1  # from the label of infinity
            axis.set_major_locator(FixedLocator([at for at in axis.get_majorticklocs() if at * apart < end]))
            axis.set_minor_locator(FixedLocator([end]))
            axis.set_minor_formatter(lambda x, _: "∞")

    def epochs(self, n_epochs: int, label: str = "epoch") -> None:
        self.set(xlim=(0, max(1, n_epochs)), xticks=sorted({0, n_epochs // 2, n_epochs}), xlabel=label)

    def beside(self, labels: Sequence[Label]) -> None:
        """Labels at heights y, right of the panel."""
        for y, text, color in labels:
            if np.isfinite(y):
                arrow = {"arrowstyle": "-", "color": color, "lw": 0.7, "relpos": (0, 0.5), "shrinkA": 1}
                at, place = (1, np.clip(y, *sorted(self.get_ylim()))), self.get_yaxis_transform()
                options = {"va": "center", "arrowprops": arrow, "annotation_clip": False, "gid": "beside"}
                self._note(textwrap.fill(text, 44), at, (14, 0), place, color, **options)

    def above(self, *lines: str | tuple[str, str]) -> None:
        """Lines of text, or (text, colour), above the panel, the last nearest to it."""
        height = 4.0
        for line in reversed(lines):
            text, color = (line, "black") if isinstance(line, str) else line
            text = textwrap.fill(text, 60)
            self._note(text, (0, 1), (0, height), "axes fraction", color)
            height += 12.5 * (1 + text.count("\n"))

    def _note(self, text, at, offset, place, color, **options) -> None:
        where = {"xycoords": place, "textcoords": "offset points"}
        self.annotate(text, at, offset, color=color, fontsize=SMALL, **where, **options)

    def marks(self, x, y, style: Style, **options) -> None:
        """A scatter of rings; what is infinite stands at the end of its axis."""
        ends = ((x, self.get_xlim()), (y, self.get_ylim()))
        x, y = (np.where(np.isfinite(values), values, max(limits)) for values, limits in ends)
        ring = {"marker": style.marker, "ms": 3.5, "mfc": "none", "mec": style.color, "mew": 0.7}
        ring |= {"clip_on": False, "in_layout": False, "rasterized": len(x) > MOST_MARKS}
        self.plot(x, y, ls="", **ring | options)

    def named_rows(self, names: Sequence[str], inks: Sequence[str]) -> None:
        """Rows from top to bottom, each with its name at the left."""
        self.set(ylim=(len(names) - 0.5, -0.5))
        self.set_yticks(range(len(names)), [textwrap.fill(name, 36) for name in names], fontsize=SMALL)
        for label, ink in zip(self.get_yticklabels(), inks, strict=False):  # none where they are hidden
            label.set_color(ink)
        self.grid(axis="y", visible=False)

    def strips(self, rows: Sequence["Strip"]) -> None:
        """A named row of rings for each, spread evenly and repeatably, with the median as a bar."""
        self.named_rows([row.name for row in rows], [row.ink for row in rows])
        for y, row in enumerate(rows):
            noise = 0.6 * ((np.arange(1, len(row.values) + 1) * 0.6180339887498949) % 1 - 0.5)  # golden ratio
            self.marks(row.values, y + noise, row.style)
            self.plot([row.median] * 2, [y - 0.4, y + 0.4], color=row.ink, lw=3, zorder=4)
            self.plot([row.low, row.high], [y, y], color=row.ink, lw=2, zorder=4)


class Strip(NamedTuple):
    """The values of many runs, and their median with its interval; what is not finite is not drawn."""

    name: str
    ink: str
    style: Style
    values: np.ndarray
    median: float
    low: float = np.nan
    high: float = np.nan


class Sheet:
    """Rows of panels below a key, placed when all is drawn.

    widths: of each row's panels, relative to each other; heights: of the rows, in inches. key: lines, rings
    (Styles without a dash) or patches (dicts), with their texts. shared: inner panels have no tick labels.
    """

    def __init__(self, widths, heights, key=(), width: float = WIDTH, shared: bool = False):
        self.widths, self.heights, self.width, self.key = widths, heights, width, None
        self.figure = Figure()
        new = functools.partial(Panel, self.figure, (0.1, 0.1, 0.8, 0.8))
        self.rows = [[self.figure.add_axes(new()) for _ in row] for row in widths]
        self.panels = [panel for row in self.rows for panel in row]
        for row in self.rows if shared else ():
            for panel in row:
                panel.tick_params(labelleft=panel is row[0], labelbottom=row is self.rows[-1])
        handles, texts = [_handle(style) for style, _ in key], [text for _, text in key]
        for n_columns in range(len(key), 0, -1):  # as many as fit
            self.key = self.figure.legend(handles, texts, ncols=n_columns, loc="upper left")
            if self.key.get_window_extent().width < 0.97 * width * self.figure.dpi or n_columns == 1:
                break
            self.key.remove()

    def place(self) -> None:
        """Panels of one column stand in line where rows have equally many."""
        top = PAD + (self.key.get_window_extent().height / self.figure.dpi if self.key else 0)
        for _ in range(2):  # ticks follow the size of their panel
            self.figure.draw_without_rendering()
            edges = [np.array([_edges(panel) for panel in row]) for row in self.rows]  # (n_panels, 4)
            for own in edges:
                own[:, :2] = np.max([other[:, :2] for other in edges if len(other) == len(own)], axis=0)
            taken = [own[:, :2].sum() + PAD * (len(own) + 1) for own in edges]
            sizes = [
                np.divide(of, sum(of)) * max(self.width - t, len(of))
                for of, t in zip(self.widths, taken, strict=True)
            ]
            width = max(size.sum() + t for size, t in zip(sizes, taken, strict=True))
            height = top + sum(self.heights) + sum(own[:, 2:].max(axis=0).sum() + PAD for own in edges)
            self.figure.set_size_inches(width, height)
            y = height - top
            for row, own, size, tall in zip(self.rows, edges, sizes, self.heights, strict=True):
                y -= own[:, 3].max() + tall
                x = np.cumsum(PAD + own[:, 0] + np.concatenate([[0], (own[:, 1] + size)[:-1]]))
                for panel, left, wide in zip(row, x, size, strict=True):
                    panel.set_position((left / width, y / height, wide / width, tall / height))
                y -= own[:, 2].max() + PAD
        for panel in self.panels:
            _spread(panel)


def _handle(style: Style | dict):
    if isinstance(style, dict):
        return Patch(**style)
    marker = "" if style.dash else style.marker
    return Line2D([], [], mfc="none", mec=style.color, marker=marker, **style.line)


def _edges(panel: Panel) -> np.ndarray:
    """Inches that a panel's texts take at its left, right, bottom and top."""
    inner, outer = panel.get_window_extent(), panel.get_tightbbox()
    edges = inner.x0 - outer.x0, outer.x1 - inner.x1, inner.y0 - outer.y0, outer.y1 - inner.y1
    return np.array(edges) / panel.figure.dpi


def _spread(panel: Panel) -> None:
    """Move the labels beside it: each as near to its height as the others let it be, within the panel."""
    labels = [text for text in panel.texts if text.get_gid() == "beside"]
    if not labels:
        return
    low, high = panel.bbox.intervaly
    place = np.array([panel.transData.transform(label.xy)[1] for label in labels])
    order = np.argsort(place, kind="stable")
    place, size = place[order], np.array([Text.get_window_extent(labels[i]).height for i in order])
    ahead = np.concatenate([[0.0], np.cumsum((size[1:] + size[:-1]) / 2)])
    start = isotonic_regression(place - ahead).x.clip(low, max(low, high - ahead[-1]))
    for i, shift in zip(order, (start + ahead - place) * 72 / panel.figure.dpi, strict=True):
        labels[i].xyann = np.add(labels[i].xyann, (0, shift))


def span(*errors) -> tuple[float, float]:
    """Limits for errors: their range, from below that of converged runs at least, with some air."""
    every = np.concatenate([np.ravel(e) for e in errors])
    every = np.log10(every[np.isfinite(every) & (every <= HIGHEST)])
    low, high = min(every.min(initial=0), np.log10(CONVERGED_BELOW) - 1), every.max(initial=-1)
    air = 0.04 * (high - low)
    return 10.0 ** (low - air), 10.0 ** (high + air)


def last(curve: np.ndarray) -> float:
    """Its last finite value, or NaN."""
    finite = curve[np.isfinite(curve)]
    return float(finite[-1]) if finite.size else np.nan
