"""The report's pictures: tables in, Figure out. One public function per picture; the only file that imports matplotlib.

A picture is laid out in inches, from the room its text needs, so that nothing overlaps whatever the data. Errors are
drawn as log10 of the error lifted to eps². Numbers come from comparison and outcomes. A function returns None where
the sweep has nothing to show. Same sweep, same bytes.
"""

import functools
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.textpath import text_to_path
from scipy.optimize import isotonic_regression

from experiments.comparison import Pairing, lift

STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: all machines agree
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "grid.color": "#e4e4e4",
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "butt",
    "hatch.linewidth": 0.6,
    "savefig.facecolor": "white",  # also on a dark page
    "svg.hashsalt": "tinynet",
    "svg.fonttype": "path",
}
GREY, SMALL = "#666666", 8.5
DPI = 150
MOST_MODES, MOST_VALUES, MOST_MARKS = 8, 6, 1500  # in one picture; more are thinned, and the caption says so
TAUS = (1e-3, 1e-9, 1e-15)
PER_DECADE = "⁰¹²³⁴⁵⁶⁷⁸⁹"

# ------------------------------------------------------------------------------------------------ style of a mode


@dataclass(frozen=True)
class Style:
    """How a mode is drawn, everywhere."""

    color: str
    dash: str | tuple
    marker: str

    @property
    def ink(self) -> str:
        """The colour for text: darkened until its contrast with white is 4.5 (WCAG 2.1, 1.4.3)."""
        color = self.color
        while 1.05 / (_luminance(color) + 0.05) < 4.5:
            color = _mix(color, "#000000", 0.08)
        return color


FAMILIES = {  # Okabe & Ito 2008
    "analytic": Style("#0072B2", "solid", "o"),
    "numeric": Style("#D55E00", (0, (5, 2)), "s"),
    "forward": Style("#009E73", (0, (1.2, 1.2)), "^"),
    "hybrid": Style("#CC79A7", (0, (7, 1.5, 1.5, 1.5, 1.5, 1.5)), "D"),
    "complex_step": Style("#56B4E9", (0, (6, 1.5, 1.5, 1.5)), "v"),
    "spsa": Style("#E69F00", (0, (9, 2)), "P"),
    "forward_gradient": Style("#777777", (0, (3, 1.2)), "X"),
}
SPARE = (
    Style("#000000", (0, (4, 1, 1, 1)), "h"),
    Style("#8C4B14", (0, (2, 1)), "p"),
    Style("#5D3A9B", (0, (8, 1)), "<"),
)
VARIANTS = {  # how far towards black, dash, marker
    "nudged": (0.45, (0, (2, 2)), "*"),
    "continued": (0.75, (0, (1, 2)), "d"),
    "float32": (0.3, (0, (9, 1.5, 3, 1.5)), ">"),
    "decay": (0.5, (0, (5, 1, 1, 1, 1, 1)), "*"),
}
SHADED_BY = {
    "h": (1e-4, 0.14),
    "n_samples": (16, -0.3),
}  # base value, how far towards white per decade above it


def parse(mode: str) -> tuple[str, dict[str, str], list[str]]:
    """A mode's label, as Settings.mode writes it, in parts: family, arguments, variant words."""
    family, *words = mode.split()
    arguments = dict(word.split("=", 1) for word in words if "=" in word)
    return family, arguments, [word for word in words if "=" not in word] + ["decay"] * ("decay" in arguments)


def style_of(mode: str, modes: Sequence[str] = ()) -> Style:
    """The mode's colour, dash and marker: its family's, a shade for its h, a darker kind for its variant.

    Does not depend on the other modes, except for a user's own mode whose place in SPARE is taken, and modes that
    would look the same: the later in the alphabet gives way.
    """
    styles = {}
    for name in sorted({mode, *modes}):
        style, step = _own_style(name, 0), 0
        while style in styles.values() and step < 12:
            step += 1
            style = _own_style(name, step)
        styles[name] = style
    return styles[mode]


@functools.lru_cache(maxsize=512)
def _own_style(mode: str, step: int) -> Style:
    family, arguments, variants = parse(mode)
    style = FAMILIES.get(family) or SPARE[(sum(family.encode()) + step) % len(SPARE)]
    color, dash, marker = style.color, style.dash, style.marker
    for name, (base, per_decade) in SHADED_BY.items():
        # the steps of a complex step or of spsa are no axis of ours: their h is far below the others'
        if name in arguments and (name == "n_samples" or family in ("numeric", "forward", "hybrid")):
            lighter = np.clip(per_decade * np.log10(_number(arguments[name]) / base), -0.5, 0.55)
            color = _mix(color, "#ffffff" if lighter > 0 else "#000000", abs(lighter))
    for variant in variants:
        darker, dash, marker = VARIANTS.get(variant, (0.3, dash, marker))
        color = _mix(color, "#000000", darker)
    if family in FAMILIES and step:
        color = _mix(color, "#000000", min(0.8, 0.15 * step))
    return Style(color, dash, marker)


def _number(text: str) -> float:
    try:
        return max(float(text), 1e-300)
    except ValueError:
        return 1.0


def _rgb(color: str) -> np.ndarray:
    return np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255


def _mix(color: str, other: str, share: float) -> str:
    mixed = (1 - share) * _rgb(color) + share * _rgb(other)
    return "#" + "".join(f"{round(255 * c):02x}" for c in mixed)


def _luminance(color: str) -> float:
    c = _rgb(color)
    return float(np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722])


def name_of(mode: str, modes: Sequence[str] = ()) -> str:
    """The mode's name in pictures: without the arguments that all modes of its kind in `modes` share."""
    family, arguments, variants = parse(mode)
    kin = [parse(other)[1] for other in modes if parse(other)[::2] == (family, variants)]
    told = [f"{k}={power(v)}" for k, v in arguments.items() if not kin or any(a.get(k) != v for a in kin)]
    return " ".join([family.replace("_", " "), *told, *(v for v in variants if v != "decay" or not told)])


def power(value: float | str) -> str:
    """1e-4 -> 10⁻⁴, 3e-5 -> 3·10⁻⁵, 0.01 -> 0.01."""
    mantissa, e, exponent = (f"{value:g}" if isinstance(value, float) else str(value)).partition("e")
    if not e:
        return mantissa
    raised = "10" + "".join("⁻" if c == "-" else PER_DECADE[int(c)] for c in str(int(exponent)))
    return raised if mantissa == "1" else f"{mantissa}·{raised}"


def decade(k: float) -> str:
    return "1" if k == 0 else power(f"1e{round(k)}")


# ------------------------------------------------------------------------------------------------ what is drawn


@dataclass(frozen=True)
class Picture:
    name: str  # file name without ending
    figure: Figure = field(repr=False)
    caption: str  # one sentence, with numbers: what the picture shows
    alt: str  # what is drawn, for those who do not see it

    def png(self, dpi: int = DPI) -> bytes:
        return self._saved("png", dpi=dpi, metadata={"Software": None})

    def svg(self) -> bytes:
        return self._saved("svg", metadata={"Date": None, "Creator": None})

    def _saved(self, kind: str, **options) -> bytes:
        file = io.BytesIO()
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(STYLE)
            self.figure.savefig(file, format=kind, **options)
        return file.getvalue()


@dataclass(frozen=True)
class Sweep:
    """The runs of a sweep, as the pictures read them.

    runs: a table with a row per run, columns mode, learning_rate, hidden_size, seed, outcome, final_error (NaN for
    runs that diverged); error (n_epochs + 1, n_runs) in the order of its rows, NaN where nothing was recorded;
    pairs: comparison.pair_up(runs, mode, reference) for every other mode.
    """

    runs: Mapping[str, Sequence]
    error: np.ndarray
    reference: str
    pairs: Mapping[str, Pairing]
    online_error: np.ndarray | None = None  # (n_epochs, n_runs)

    def column(self, name: str) -> np.ndarray:
        return np.asarray(self.runs[name])

    @functools.cached_property
    def modes(self) -> list[str]:
        """The reference first, then by family and from wide h to narrow."""

        def place(mode):
            family, arguments, variants = parse(mode)
            order = [*FAMILIES].index(family) if family in FAMILIES else len(FAMILIES)
            return mode != self.reference, order, variants, -_number(arguments.get("h", "0")), mode

        return sorted(set(self.column("mode").tolist()), key=place)

    @functools.cached_property
    def shown(self) -> list[str]:
        return few(self.modes, MOST_MODES)

    @functools.cached_property
    def others(self) -> list[str]:
        """The modes shown that have pairs with the reference."""
        return [mode for mode in self.shown if mode in self.pairs and len(self.pairs[mode].a)]

    @functools.cached_property
    def n_epochs(self) -> int:
        return len(self.error) - 1

    @functools.cached_property
    def converged(self) -> np.ndarray:
        return self.column("outcome") == "converged"

    @functools.cached_property
    def final(self) -> np.ndarray:
        """log10 of the final error, lifted to eps²; inf for runs that have none."""
        error = self.column("final_error").astype(float)
        return np.log10(lift(np.where(np.isfinite(error), error, np.inf)))

    def values(self, name: str) -> list:
        return sorted(set(self.column(name).tolist()))

    def cells(self) -> tuple[list, list]:
        """The learning rates and hidden sizes that are drawn."""
        return few(self.values("learning_rate"), MOST_VALUES), few(self.values("hidden_size"), MOST_VALUES)

    def cell(self, learning_rate: float, hidden_size: int) -> np.ndarray:
        return (self.column("learning_rate") == learning_rate) & (self.column("hidden_size") == hidden_size)

    def matched(self, mode: str, of: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the mode and of the reference, pair by pair, of the runs in the mask `of`."""
        a, b = self.pairs[mode].a, self.pairs[mode].b
        return (a, b) if of is None else (a[of[a]], b[of[a]])

    def both(self, mode: str, of: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        a, b = self.matched(mode, of)
        keep = self.converged[a] & self.converged[b]
        return a[keep], b[keep]

    @functools.cached_property
    def none_converges(self) -> bool:
        return (
            not any(len(self.both(mode)[0]) for mode in self.others)
            if self.others
            else not self.converged.any()
        )

    def typical(self, mode: str, of: np.ndarray) -> np.ndarray:
        """The runs whose median is drawn: halves of pairs in which both converge; all, if there are none anywhere."""
        own = of & (self.column("mode") == mode)
        if self.none_converges:
            return np.flatnonzero(own)
        if mode in self.others:
            return self.both(mode, of)[0]
        if mode == self.reference and self.others:
            return np.unique(np.concatenate([self.both(other, of)[1] for other in self.others]))
        return np.flatnonzero(own & self.converged)

    def style(self, mode: str) -> Style:
        return style_of(mode, self.modes)

    def name(self, mode: str) -> str:
        return name_of(mode, self.modes)

    def left_out(self) -> str:
        """What the picture leaves out, as a clause of its caption."""
        rates, sizes = self.cells()
        whole = len(self.values("learning_rate")) * len(self.values("hidden_size"))
        clauses = []
        if len(self.shown) < len(self.modes):
            clauses.append(f"{len(self.shown)} of {len(self.modes)} modes")
        if len(rates) * len(sizes) < whole:
            clauses.append(f"{len(rates) * len(sizes)} of {whole} cells")
        return f" Drawn: {' and '.join(clauses)}; the tables hold all." if clauses else ""


def few(values: Sequence, most: int) -> list:
    """At most so many of the values, evenly spaced, with the first and the last."""
    return [
        values[i] for i in sorted({round(i) for i in np.linspace(0, len(values) - 1, min(most, len(values)))})
    ]


# ------------------------------------------------------------------------------------------------ the page


def drawn(function):
    """Draw under STYLE and nothing else: neither the user's matplotlibrc nor what was set before counts."""

    @functools.wraps(function)
    def styled(*arguments, **options):
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(STYLE)
            return function(*arguments, **options)

    return styled


def inches(text: str, size: float = 10, weight: str = "normal") -> float:
    """How wide a text is drawn, its widest line."""
    return max(_line_inches(line, size, weight) for line in text.split("\n")) if text else 0.0


@functools.lru_cache(maxsize=4096)
def _line_inches(text: str, size: float, weight: str) -> float:
    font = FontProperties(family="DejaVu Sans", size=size, weight=weight)
    return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0] / 72


class Page:
    """A figure with panels [row][column] of given widths and heights, and a key above them; all sizes in inches."""

    def __init__(
        self, widths, heights, key=(), left=0.85, right=0.2, top=0.35, bottom=0.55, gap_x=0.3, gap_y=0.5
    ):
        gaps = np.broadcast_to(gap_x, max(0, len(widths) - 1))
        width = left + sum(widths) + gaps.sum() + right
        self.keys = [entry for entry in key if entry is not None]
        self.lines = self._flow(width)
        key_height = 0.24 * len(self.lines) + 0.1 * bool(self.lines)
        height = key_height + top + sum(heights) + gap_y * (len(heights) - 1) + bottom
        self.width, self.height, self.left, self.top = width, height, left, height - key_height
        self.figure = Figure(figsize=(width, height), facecolor="white")
        FigureCanvasAgg(self.figure)
        self.axes, y = [], height - key_height - top
        for h in heights:
            x, y, row = left, y - h, []
            for w, gap in zip(widths, [*gaps, 0.0], strict=True):
                row.append(self.figure.add_axes((x / width, y / height, w / width, h / height)))
                x += w + gap
            self.axes.append(row)
            y -= gap_y
        self._draw_key()

    def _flow(self, width):
        """The key's entries in lines that fit."""
        lines, used = [], np.inf
        for handle, text in self.keys:
            wide = inches(text, 10) + (0.5 if handle else 0) + 0.3
            if used + wide > width - 0.1:
                lines, used = [*lines, []], 0.15
            lines[-1].append((used, handle, text))
            used += wide
        return lines

    def _draw_key(self):
        for i, line in enumerate(self.lines):
            y = self.height - 0.2 - 0.24 * i
            for x, handle, text in line:
                if isinstance(handle, Style):
                    self.draw(Line2D([x, x + 0.42], [y, y], color=handle.color, ls=handle.dash, lw=2.2))
                elif handle and handle[0] == "mark":
                    self.mark(x + 0.25, y, *handle[1:])
                elif handle:  # "patch", face colour, hatch
                    _, face, hatch = handle
                    self.draw(
                        Rectangle((x + 0.1, y - 0.07), 0.32, 0.14, fc=face, ec="#d9c469", hatch=hatch, lw=0)
                    )
                self.text(x + (0.5 if handle else 0), y, text, va="center_baseline")

    def mark(self, x, y, marker, face, edge="black", size=7.0):
        self.draw(Line2D([x], [y], marker=marker, mfc=face, mec=edge, mew=0.8, ls="", ms=size))

    def widen(self, row: int, width: float):
        """The row's first panel takes the place of all."""
        first, *others = self.axes[row]
        for ax in others:
            ax.remove()
        box = first.get_position()
        first.set_position((box.x0, box.y0, width / self.width, box.height))
        return first

    def draw(self, artist):
        artist.set_transform(self.figure.dpi_scale_trans)
        self.figure.add_artist(artist)

    def text(self, x, y, text, **options):
        return self.figure.text(x, y, text, transform=self.figure.dpi_scale_trans, **options)

    def above(self, ax, lines: Sequence[tuple[str, str]], start: float = 0.08, size: float = SMALL):
        """Lines of (text, colour) above a panel, the last nearest to it."""
        box = ax.get_position()
        for i, (text, color) in enumerate(reversed(lines)):
            y = box.y1 * self.height + start + 0.165 * i
            self.text(box.x0 * self.width, y, text, color=color, fontsize=size)

    def beside(self, ax, ends: Sequence[tuple[float, str, str]], size: float = 9.5):
        """Labels (y, text, colour) right of a panel, each as near to its y as the others let it be."""
        ends = [end for end in sorted(ends, key=lambda end: end[0]) if np.isfinite(end[0])]
        if not ends:
            return
        box, (low, high) = ax.get_position(), ax.get_ylim()
        tall = (box.y1 - box.y0) * self.height
        wanted = np.clip([(y - low) / (high - low) * tall for y, _, _ in ends], 0, tall)
        heights = np.array([0.175 * (1 + text.count("\n")) for _, text, _ in ends])
        ahead = np.concatenate([[0.0], np.cumsum((heights[1:] + heights[:-1]) / 2)])
        placed = isotonic_regression(wanted - ahead).x.clip(0, max(0.0, tall - ahead[-1])) + ahead
        x, y0 = box.x1 * self.width, box.y0 * self.height
        for at, y, (_, text, color) in zip(wanted, placed, ends, strict=True):
            if abs(at - y) > 0.03:
                self.draw(Line2D([x + 0.02, x + 0.11], [y0 + at, y0 + y], color=color, lw=0.7))
            self.text(x + 0.14, y0 + y, text, color=color, fontsize=size, va="center")


def error_axis(axis, low: float, high: float, label: str | None = None):
    """An axis of log10 errors with few ticks, from low to high."""
    step = next(s for s in (1, 2, 4, 5, 10, 20, 50, 100, np.inf) if (high - low) / s <= 4.5)
    ticks = np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
    axis.set_ticks(ticks, [decade(k) for k in ticks])
    if label:
        axis.set_label_text(label)


def decades_axis(axis, low: float, high: float, label: str | None = None):
    """An axis of log10 of something that spans a few decades: a tick at each, minor ones where there is room."""
    error_axis(axis, low, high, label)
    if high - low <= 6:
        minor = np.add.outer(np.arange(np.floor(low), np.ceil(high)), np.log10(np.arange(2, 10))).ravel()
        axis.set_ticks(minor[(low <= minor) & (minor <= high)], minor=True)


def span(values, pad: float = 0.04) -> tuple[float, float]:
    """Limits for log10 errors: their range, at least one decade, with some air."""
    finite = np.concatenate([np.ravel(v) for v in values] or [[]])
    finite = finite[np.isfinite(finite)]
    low, high = (finite.min(), finite.max()) if finite.size else (-3.0, 0.0)
    low, high = min(low, high - 1), max(high, low + 1) if finite.size else high
    air = pad * (high - low)
    return float(low - air), float(high + air)


def bands(sweep: Sweep, rows: np.ndarray, epochs: np.ndarray) -> np.ndarray:
    """Quartiles of log10 error (3, n_epochs) over runs, at some epochs; not finite where half of the runs are not."""
    if not len(rows):
        return np.full((3, len(epochs)), np.nan)
    logs = np.log10(lift(np.nan_to_num(sweep.error[np.ix_(epochs, rows)], nan=np.inf, posinf=np.inf)))
    with np.errstate(invalid="ignore"):
        quartiles = np.quantile(logs, [0.25, 0.5, 0.75], axis=1)
    return np.where(np.isfinite(quartiles), quartiles, np.nan)


def jitter(n: int) -> np.ndarray:
    """Even, repeatable noise in [-0.5, 0.5): multiples of the golden ratio."""
    return (np.arange(1, n + 1) * 0.6180339887498949) % 1 - 0.5


def marks(ax, x, y, cell: float = 0.012, **options):
    """A scatter of rings; of those that cover each other one is drawn, and very many become an image in the SVG."""
    (x0, x1), (y0, y1) = ax.get_xlim(), ax.get_ylim()
    grid = np.round(np.column_stack([(x - x0) / (x1 - x0), (y - y0) / (y1 - y0)]) / cell)
    keep = np.sort(np.unique(grid, axis=0, return_index=True)[1])
    ax.plot(x[keep], y[keep], ls="", rasterized=len(keep) > MOST_MARKS, **options)


def plural(n: int, noun: str) -> str:
    return f"{n:,} {noun}" + ("" if n == 1 else "s")


def percent(share: float) -> str:
    if not np.isfinite(share):
        return "none"
    return f"{100 * share:.2g} %" if share < 0.0995 else f"{100 * share:.1f} %".replace(".0 ", " ")


def listed(parts: Sequence[str]) -> str:
    """a, b and c."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def raised(x: float) -> str:
    """log10 of an error as a power of ten with one digit: -15.7 -> 2·10⁻¹⁶."""
    return power(f"{10.0**x:.0e}") if np.isfinite(x) else "∞"


def rate(value: float) -> str:
    return power(f"{value:g}")
