"""One panel of a picture: its scales, the labels around it, and the marks of many runs."""

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, Formatter, Locator, LogLocator, NullFormatter
from matplotlib.transforms import offset_copy

from experiments.report.figures.styles import Style
from experiments.wording import RAISED
from tinynet.outcomes import CONVERGED_ERROR

SMALL = 9  # points, of labels
HIGHEST = 1e6  # times the error of converged runs; what is above is not drawn
PLAIN = (0.01, 5000)  # ticks within are written out, if all of their axis are
MOST_MARKS = 300  # of one kind, that an SVG holds one by one
STRIDES = (1, 2, 3, 4, 5, 6, 8, 10, 20, 50, 100)  # powers of ten from tick to tick
GOLDEN = 0.6180339887498949
Label = tuple[float, str, str]  # at, text, colour


class Strip(NamedTuple):
    """The values of many runs, and their median with its interval; what is not finite is not drawn."""

    name: str
    ink: str
    style: Style
    values: np.ndarray
    median: float
    low: float = np.nan
    high: float = np.nan


class Panel(Axes):
    """Axes that know our scales, labels and marks. Labels come when limits are set."""

    def logarithmic(self, which: str, label: str = "", limits: tuple[float, float] | None = None) -> None:
        """A logarithmic axis, "x" or "y", with few ticks; without limits for what is drawn by now."""
        self.set(**{f"{which}scale": "log", f"{which}label": label})
        if limits:
            self.set(**{f"{which}lim": limits})
        axis = getattr(self, f"{which}axis")
        low, high = sorted(axis.get_view_interval())
        axis.set_major_locator(_few_ticks(low, high))
        axis.set_major_formatter(PowersOfTen())
        axis.set_minor_formatter(NullFormatter())
        axis.set_minor_locator(LogLocator(subs="all", numticks=10) if high < 1e7 * low else FixedLocator([]))

    def errors(self, which, drawn: Sequence, label="", lost=False, converged=CONVERGED_ERROR) -> None:
        """An axis of errors, with a line at that of converged runs; lost: it ends at infinity."""
        low, high = span(*drawn, converged=converged)
        end = high * (high / low) ** 0.08 if lost else high
        self.logarithmic(which, label, (low, end))
        line = {"x": self.axvline, "y": self.axhline}[which]
        if converged:
            line(converged, color="#999999", lw=0.8, ls=":", zorder=1)
        if lost:
            axis = getattr(self, f"{which}axis")
            clear = (end / low) ** 0.1  # of the label of infinity
            axis.set_major_locator(FixedLocator([at for at in axis.get_majorticklocs() if at * clear < end]))
            axis.set_minor_locator(FixedLocator([end]))
            axis.set_minor_formatter(lambda x, _: "∞")

    def epochs(self, n_epochs: int, label: str = "epoch") -> None:
        self.set(xlim=(0, max(1, n_epochs)), xticks=sorted({0, n_epochs // 2, n_epochs}), xlabel=label)

    def beside(self, labels: Sequence[Label]) -> None:
        """Labels at heights y, right of the panel."""
        low, high = sorted(self.get_ylim())
        for y, text, color in labels:
            if not np.isfinite(y):
                continue
            at = (1, np.clip(y, low, high))
            options = {"va": "center", "annotation_clip": False, "gid": "beside"}
            self._note(textwrap.fill(text, 44), at, (14, 0), self.get_yaxis_transform(), color, **options)

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
        x = np.where(np.isfinite(x), x, max(self.get_xlim()))
        y = np.where(np.isfinite(y), y, max(self.get_ylim()))
        ring = {"marker": style.marker, "ms": 3.5, "mfc": "none", "mec": style.color, "mew": 0.7}
        ring |= {"clip_on": False, "in_layout": False, "rasterized": len(x) > MOST_MARKS}
        self.plot(x, y, ls="", **ring | options)

    def named_rows(self, names: Sequence[str], inks: Sequence[str]) -> None:
        """Rows from top to bottom, each with its name at the left, where there are labels."""
        self.set(ylim=(len(names) - 0.5, -0.5), yticks=[])
        self.grid(axis="y", visible=False)
        if self.yaxis.get_tick_params()["labelleft"]:
            self.set_yticks(range(len(names)), [textwrap.fill(name, 36) for name in names], fontsize=SMALL)
            for label, ink in zip(self.get_yticklabels(), inks, strict=True):
                label.set_color(ink)

    def strips(self, rows: Sequence[Strip]) -> None:
        """A named row of rings for each, spread evenly and repeatably, with the median as a bar."""
        self.named_rows([row.name for row in rows], [row.ink for row in rows])
        for y, row in enumerate(rows):
            noise = 0.6 * ((np.arange(1, len(row.values) + 1) * GOLDEN) % 1 - 0.5)
            self.marks(row.values, y + noise, row.style)
            self.plot([row.median] * 2, [y - 0.4, y + 0.4], color=row.ink, lw=3, zorder=4)
            self.plot([row.low, row.high], [y, y], color=row.ink, lw=2, zorder=4)

    def edges(self, renderer) -> np.ndarray:
        """Pixels that texts take at its left, right, bottom and top."""
        inner = self.bbox
        outer = self.get_tightbbox(renderer, bbox_extra_artists=self.texts)
        return np.array([inner.x0 - outer.x0, outer.x1 - inner.x1, inner.y0 - outer.y0, outer.y1 - inner.y1])

    def pin_labels(self) -> None:
        """Keep the labels of its axes as far from it as they were measured, which saves each drawing 7 %."""
        x, y = self.xaxis.label.get_position()
        below = offset_copy(self.transAxes, self.figure, y=(y - self.bbox.y0) / self.figure.dpi)
        self.xaxis.set_label_coords(x, 0, below)
        x, y = self.yaxis.label.get_position()
        left = offset_copy(self.transAxes, self.figure, x=(x - self.bbox.x0) / self.figure.dpi)
        self.yaxis.set_label_coords(0, y, left)

    def spread_labels(self, renderer) -> None:
        """Move the labels beside it apart: each as near to its height as the others let it be, within the
        panel, with a line that leads there."""
        labels = [text for text in self.texts if text.get_gid() == "beside"]
        if not labels:
            return
        labels.sort(key=lambda label: self.transData.transform(label.xy)[1])
        heights = [self.transData.transform(label.xy)[1] for label in labels]
        sizes = [label.get_window_extent(renderer).height for label in labels]
        low, high = self.bbox.intervaly
        point = self.figure.dpi / 72
        x = 1 + np.array([1.5, 11]) * point / self.bbox.width
        for label, old, new in zip(labels, heights, apart(heights, sizes, low, high), strict=True):
            label.xyann = np.add(label.xyann, (0, (new - old) / point))
            y = (np.array([old, new]) - low) / (high - low)
            line = Line2D(x, y, color=label.get_color(), lw=0.7, transform=self.transAxes)
            self.figure.add_artist(line)


def _few_ticks(low: float, high: float) -> Locator:
    """At most five, at multiples of a power of ten, 1 among them, where they span many."""
    first, last = np.log10([low, high])
    stride = next((n for n in STRIDES if (last - first) / n < 4.5), STRIDES[-1])
    if stride > 1:
        powers = np.arange(np.ceil(first / stride), np.floor(last / stride) + 1) * stride
        return FixedLocator(10.0**powers)
    return LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,), numticks=5)


class PowersOfTen(Formatter):
    """Ticks of a logarithmic axis, all written alike."""

    def format_ticks(self, values) -> list[str]:
        low, high = sorted(self.axis.get_view_interval())
        return names_of_ticks(values, [value for value in values if low <= value <= high])

    def __call__(self, value, position=None) -> str:
        return self.format_ticks([value])[0]


def names_of_ticks(values: Sequence[float], seen: Sequence[float]) -> list[str]:
    """All written alike: as powers of ten where one that is seen is very small or large."""
    sizes = [abs(value) for value in seen if value]
    is_plain = PLAIN[0] <= min(sizes, default=1) and max(sizes, default=1) <= PLAIN[1]
    return [f"{value:.4g}".replace("-", "−") if is_plain else power_of_ten(value) for value in values]


def power_of_ten(value: float) -> str:
    """Of a tick: 0, 10⁻⁸, −5·10⁻⁸."""
    if value == 0:
        return "0"
    sign = "−" if value < 0 else ""
    digits, _, exponent = f"{abs(value):.2e}".partition("e")
    digits = digits.rstrip("0").rstrip(".")
    power = "10" + str(int(exponent)).translate(RAISED)
    return sign + (power if digits == "1" else f"{digits}·{power}")


def apart(wanted: Sequence[float], sizes: Sequence[float], low: float, high: float) -> np.ndarray:
    """Places for labels of these sizes, in order and clear of each other, nearest to those wanted.

    Least squares by pooling neighbours that meet, between low and high if they fit there.
    """
    sizes = np.asarray(sizes)
    ahead = np.concatenate([[0.0], np.cumsum((sizes[1:] + sizes[:-1]) / 2)])  # of the first, at the least
    pools = []  # of labels that touch: the mean of where the first would stand, and how many
    for place in np.subtract(wanted, ahead):
        n = 1
        while pools and pools[-1][0] > place:
            mean, n_before = pools.pop()
            place = (mean * n_before + place * n) / (n_before + n)
            n += n_before
        pools.append((place, n))
    first = np.repeat([place for place, _ in pools], [n for _, n in pools])
    return first.clip(low, max(low, high - ahead[-1])) + ahead


def span(*errors, converged: float | None = CONVERGED_ERROR) -> tuple[float, float]:
    """Limits for errors: their range, from below that of converged runs at least, with some air."""
    converged = converged or CONVERGED_ERROR
    every = np.concatenate([np.ravel(some) for some in errors])
    every = np.log10(every[(every > 0) & (every <= HIGHEST * converged)])
    low = every.min(initial=np.log10(converged) - 1)
    high = every.max(initial=np.log10(converged) + 2)
    air = 0.04 * (high - low)
    return 10.0 ** (low - air), 10.0 ** (high + air)
