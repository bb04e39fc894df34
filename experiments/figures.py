"""What pictures are made of: the style of a mode, the table they read, the page.

A page is laid out in inches, from the room its text needs, so that nothing overlaps whatever the data. Errors
are drawn as log10 of the error lifted to eps². Same sweep, same bytes.
The only file that imports matplotlib.
"""

import functools
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.textpath import text_to_path
from scipy.optimize import isotonic_regression

from experiments.comparison import FLOOR, lift
from experiments.pairs import Pairing
from experiments.verdicts import RAISED, listed, number

STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: all machines agree
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "lines.linewidth": 1.8,
    "hatch.linewidth": 0.6,
    "text.parse_math": False,  # names of modes are the user's
    "savefig.facecolor": "white",  # also on a dark page
    "svg.hashsalt": "tinynet",
}
GREY, SMALL = "#666666", 8.5
MOST_MODES, MOST_VALUES, MOST_MARKS = 10, 6, 500  # in one picture, or scatter; captions say what is left out
FEWEST = 6  # runs that a median is drawn of as such: below, its 95 % interval does not exist
HIGHEST = 3  # log10 of the error above which nothing is drawn

# ---------------------------------------------------------------------------------------- style of a mode


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

    @property
    def line(self) -> dict:
        return {"color": self.color, "ls": self.dash}


FAMILIES = {  # Okabe & Ito 2008
    "analytic": Style("#0072B2", "solid", "o"),
    "numeric": Style("#D55E00", (0, (5, 2)), "s"),
    "forward": Style("#009E73", (0, (1.2, 1.2)), "^"),
    "hybrid": Style("#CC79A7", (0, (7, 1.5, 1.5, 1.5, 1.5, 1.5)), "D"),
    "complex_step": Style("#56B4E9", (0, (6, 1.5, 1.5, 1.5)), "v"),
    "spsa": Style("#E69F00", (0, (9, 2)), "P"),
    "forward_gradient": Style("#777777", (0, (3, 1.2)), "X"),
}
SPARE = (  # for modes of the user's own
    Style("#000000", (0, (4, 1, 1, 1)), "h"),
    Style("#8C4B14", (0, (2, 1)), "p"),
    Style("#5D3A9B", (0, (8, 1)), "<"),
)
VARIANTS = {  # how far towards black, dash, marker
    "nudged": (0.45, (0, (2, 2)), "*"),
    "continued": (0.45, (0, (1, 1.6)), "d"),
    "float32": (0.3, (0, (9, 1.5, 3, 1.5)), ">"),
    "annealed": (0.5, (0, (5, 1, 1, 1, 1, 1)), "*"),
}
SHADED_BY = {  # family: argument, its default, its value at the pure colour, how far to white per decade
    **dict.fromkeys(("numeric", "forward", "hybrid"), ("h", 1e-4, 1e-4, 0.14)),
    **dict.fromkeys(("spsa", "forward_gradient"), ("n_samples", 1, 16, -0.4)),
}


def parse(mode: str) -> tuple[str, dict[str, object], list[str]]:
    """A mode's label, as Settings.mode writes it, in parts: family, arguments, variant words."""
    family, *words = mode.split()
    arguments = {key: _value(value) for key, _, value in (word.partition("=") for word in words) if value}
    variants = [word for word in words if "=" not in word] + ["annealed"] * ("decay" in arguments)
    return family, arguments, variants


def _value(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def style_of(mode: str, modes: Sequence[str] = ()) -> Style:
    """The mode's colour, dash and marker: its family's, a shade for its h, a darker kind for its variant.

    Whatever other modes there are; but of modes that would look the same the later in the alphabet gives way.
    """
    styles: dict[str, Style] = {}
    for name in sorted({mode, *modes}):
        options = (_own_style(name, step) for step in range(12))
        styles[name] = next((style for style in options if style not in styles.values()), _own_style(name, 0))
    return styles[mode]


@functools.lru_cache(maxsize=512)
def _own_style(mode: str, step: int) -> Style:
    family, arguments, variants = parse(mode)
    style = FAMILIES.get(family) or SPARE[(sum(family.encode()) + step) % len(SPARE)]
    color, dash, marker = style.color, style.dash, style.marker
    if family in SHADED_BY:
        argument, default, base, per_decade = SHADED_BY[family]
        value = arguments.get(argument, default)
        lighter = per_decade * np.log10(value / base) if isinstance(value, float | int) and value > 0 else 0
        color = _mix(color, "#ffffff" if lighter > 0 else "#000000", min(abs(lighter), 0.55))
    for variant in variants:
        darker, dash, marker = VARIANTS.get(variant, (0.3, dash, marker))
        color = _mix(color, "#000000", darker)
    return Style(_mix(color, "#000000", min(0.8, 0.15 * step)) if step else color, dash, marker)


def _rgb(color: str) -> np.ndarray:
    return np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255


def _mix(color: str, other: str, share: float) -> str:
    return "#" + "".join(f"{round(255 * c):02x}" for c in (1 - share) * _rgb(color) + share * _rgb(other))


def _luminance(color: str) -> float:
    c = _rgb(color)
    return float(np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722])


def name_of(mode: str, modes: Sequence[str] = ()) -> str:
    """The mode's name in pictures: without the arguments that all modes of its kind in `modes` share."""
    family, arguments, variants = parse(mode)
    kin = [other[1] for other in map(parse, modes) if other[::2] == (family, variants)]
    told = [k for k, v in arguments.items() if not kin or any(a.get(k) != v for a in kin)]
    words = [f"{k}={number(v) if isinstance(v := arguments[k], float) else v}" for k in told]
    return " ".join([family.replace("_", " "), *words, *variants])


def in_order(modes: Sequence[str], reference: str) -> list[str]:
    """The reference first, then by family and from wide h to narrow."""

    def place(mode):
        family, arguments, variants = parse(mode)
        order = [*FAMILIES].index(family) if family in FAMILIES else len(FAMILIES)
        h = arguments.get("h", 0)
        return mode != reference, order, variants, -h if isinstance(h, float) else 0, mode

    return sorted(modes, key=place)


# ---------------------------------------------------------------------------------------- what is drawn


@dataclass(frozen=True)
class Picture:
    name: str  # file name without ending
    figure: Figure = field(repr=False)
    caption: str  # what the picture shows, with its numbers
    alt: str  # what is drawn, for those who do not see it

    def png(self, dpi: int = 150) -> bytes:
        return self._saved(format="png", dpi=dpi, metadata={"Software": None})

    def svg(self) -> bytes:
        return self._saved(format="svg", metadata={"Date": None, "Creator": None})

    def _saved(self, **options) -> bytes:
        file = io.BytesIO()
        drawn(self.figure.savefig)(file, **options)
        return file.getvalue()


@dataclass(frozen=True)
class Sweep:
    """The runs of a sweep, as the pictures read them.

    runs: a table with a row per run and columns mode, learning_rate, hidden_size, seed, outcome, final_error
    (not finite for runs that diverged) and, if known, evaluations, seconds, n_params; error
    (n_epochs + 1, n_runs) in the order of its rows, NaN where nothing was recorded; pairs:
    pairs.pair_up(runs, mode, reference) by mode; n_rows of the problem, None if unknown.
    """

    runs: Mapping[str, Sequence]
    error: np.ndarray
    reference: str
    pairs: Mapping[str, Pairing]
    online_error: np.ndarray | None = None  # (n_epochs, n_runs), row t of epoch t + 1
    n_rows: int | None = 4
    omitted: str = ""  # what is not in it, for captions

    def fresh(self) -> "Sweep":
        """Without arms that go on from trained weights, where the mode also has a fresh one."""
        own = {mode: " ".join(w for w in mode.split() if w != "continued") for mode in self.modes}
        later = [m for m in self.modes if own[m] != m and own[m] in own and m != self.reference]
        keep = ~np.isin(self.column("mode"), later)
        row = keep.cumsum() - 1
        pairs = {m: p._replace(a=row[p.a], b=row[p.b]) for m, p in self.pairs.items() if m not in later}
        runs = {name: self.column(name)[keep] for name in self.runs}
        told = f" Not drawn: {listed([*map(self.name, later)])}, whose epochs go on from trained weights."
        return replace(self, runs=runs, error=self.error[:, keep], pairs=pairs, online_error=None,
                       omitted=told if later else "")  # fmt: skip

    def column(self, name: str) -> np.ndarray:
        return np.asarray(self.runs[name])

    def values(self, name: str) -> list:
        return sorted(set(self.column(name).tolist()))

    @functools.cached_property
    def modes(self) -> list[str]:
        return in_order(self.values("mode"), self.reference)

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
        """log10 of the final error, lifted to eps²; inf for runs that diverged."""
        error = self.column("final_error").astype(float)
        lost = ~np.isfinite(error) | (self.column("outcome") == "diverged")
        return np.log10(lift(np.where(lost, np.inf, error)))

    def grid(self) -> tuple[list, list]:
        """The learning rates and hidden sizes that are drawn."""
        return few(self.values("learning_rate"), MOST_VALUES), few(self.values("hidden_size"), MOST_VALUES)

    def cell(self, learning_rate: float, hidden_size: int) -> np.ndarray:
        """Its runs, a mask."""
        return (self.column("learning_rate") == learning_rate) & (self.column("hidden_size") == hidden_size)

    def cells(self) -> dict[tuple, np.ndarray]:
        """All that hold runs."""
        pairs = ((r, s) for r in self.values("learning_rate") for s in self.values("hidden_size"))
        return {pair: of for pair in pairs if (of := self.cell(*pair)).any()}

    def main_cell(self) -> tuple[float, int]:
        """The tutorial's if it is there and converges, else the one with most converged runs."""
        counts = {pair: int((of & self.converged).sum()) for pair, of in self.cells().items()}
        return (0.1, 4) if counts.get((0.1, 4)) else max(counts, key=counts.get)

    def rows(self, mode: str, of: np.ndarray | bool = True) -> np.ndarray:
        """Those of the mode's runs in the mask `of`."""
        return np.flatnonzero((self.column("mode") == mode) & of)

    def matched(self, mode: str, of: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the mode and of the reference, pair by pair, of the runs in the mask `of`."""
        a, b = self.pairs[mode].a, self.pairs[mode].b
        return (a, b) if of is None else (a[of[a]], b[of[a]])

    def both(self, mode: str, of: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Of these the pairs in which both converge."""
        a, b = self.matched(mode, of)
        keep = self.converged[a] & self.converged[b]
        return a[keep], b[keep]

    @functools.cached_property
    def none_converges(self) -> bool:
        both = any(len(self.both(mode)[0]) for mode in self.others)
        return not both if self.others else not self.converged.any()

    def typical(self, mode: str, of: np.ndarray) -> np.ndarray:
        """The runs whose median is drawn: halves of pairs in which both converge, or all if none do."""
        if self.none_converges:
            return self.rows(mode, of)
        if mode in self.others:
            return self.both(mode, of)[0]
        if mode == self.reference and self.others:
            return np.unique(np.concatenate([self.both(other, of)[1] for other in self.others]))
        return self.rows(mode, of & self.converged)

    def style(self, mode: str) -> Style:
        return style_of(mode, self.modes)

    def name(self, mode: str) -> str:
        return name_of(mode, self.modes)

    def key(self, modes: Sequence[str]) -> list[tuple[Style, str]]:
        return [(self.style(mode), self.name(mode)) for mode in modes]

    def left_out(self) -> str:
        """What a picture leaves out, as the end of its caption."""
        n_all, n_drawn = len(self.cells()), sum(map(len, self.grid()))
        parts = []
        if len(self.shown) < len(self.modes):
            parts.append(f"{len(self.shown)} of {len(self.modes)} modes")
        if n_drawn < len(self.values("learning_rate")) + len(self.values("hidden_size")):
            parts.append(f"at most {MOST_VALUES} × {MOST_VALUES} of {n_all} cells")
        return self.omitted + (f" Drawn: {listed(parts)}; the tables hold all." if parts else "")


def few(values: Sequence, most: int) -> list:
    """At most so many of the values, evenly spaced, with the first and the last."""
    chosen = np.linspace(0, len(values) - 1, min(most, len(values))).round().astype(int)
    return [values[i] for i in chosen]


def pictures(sweep: Sweep) -> list[Picture]:
    """The pictures that the sweep has something to show in, in the order of the report."""
    from experiments import appendix, pictures

    fresh = sweep.fresh()
    drawn = [
        appendix.tutorial(sweep),
        *(draw(fresh) for draw in (*pictures.OF_A_SWEEP, *appendix.OF_A_SWEEP)),
    ]
    return [picture for picture in drawn if picture is not None]


def drawn(function):
    """Draw under STYLE and nothing else: neither the user's matplotlibrc nor what was set before counts."""

    @functools.wraps(function)
    def styled(*arguments, **options):
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(STYLE)
            return function(*arguments, **options)

    return styled


# ---------------------------------------------------------------------------------------- the page


def inches(text: str, size: float = 10, weight: str = "normal") -> float:
    """How wide a text is drawn, its widest line."""
    return max(_line_inches(line, size, weight) for line in text.split("\n"))


@functools.lru_cache(maxsize=4096)
def _line_inches(text: str, size: float, weight: str) -> float:
    font = FontProperties(family="DejaVu Sans", size=size, weight=weight)
    return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0] / 72


class Page:
    """A figure with panels [row][column] of given widths and heights below a key; all sizes in inches.

    key: (handle, text), handles are a Style, ("mark", marker, face, edge), ("patch", face, hatch), or None.
    """

    def __init__(
        self, widths, heights, key=(), left=0.85, right=0.2, top=0.35, bottom=0.6, gap_x=0.3, gap_y=0.5
    ):
        gaps = [*np.broadcast_to(gap_x, len(widths) - 1), 0.0]
        self.width = left + sum(widths) + sum(gaps) + right
        lines = self._flow(key)
        self.top = top + sum(heights) + gap_y * (len(heights) - 1) + bottom
        self.height = self.top + 0.24 * len(lines) + 0.1 * bool(lines)
        self.figure = Figure(figsize=(self.width, self.height), facecolor="white")
        FigureCanvasAgg(self.figure)
        self.axes, y = [], self.top - top
        for h in heights:
            x = left + np.cumsum([0.0, *np.add(widths, gaps)])
            self.axes.append(
                [self._panel(*box) for box in zip(x, [y - h] * len(x), widths, [h] * len(x), strict=False)]
            )
            y -= h + gap_y
        for i, line in enumerate(lines):
            for x, handle, text in line:
                self._entry(x, self.height - 0.2 - 0.24 * i, handle, text)

    def _panel(self, x, y, w, h):
        return self.figure.add_axes((x / self.width, y / self.height, w / self.width, h / self.height))

    def _flow(self, key) -> list:
        """The key's entries in lines that fit."""
        lines, used = [], np.inf
        for handle, text in key:
            wide = inches(text) + (0.8 if handle else 0.3)
            if used + wide > self.width - 0.1:
                lines, used = [*lines, []], 0.15
            lines[-1].append((used, handle, text))
            used += wide
        return lines

    def _entry(self, x, y, handle, text):
        if isinstance(handle, Style):
            self.draw(Line2D([x, x + 0.42], [y, y], lw=2.2, **handle.line))
        elif handle and handle[0] == "mark":
            self.mark(x + 0.25, y, *handle[1:], size=5)
        elif handle:
            face, hatch = handle[1:]
            self.draw(Rectangle((x + 0.1, y - 0.07), 0.32, 0.14, fc=face, ec=HATCH, hatch=hatch, lw=0))
        self.text(x + (0.5 if handle else 0), y, text, va="center_baseline")

    def draw(self, artist):
        artist.set_transform(self.figure.dpi_scale_trans)
        self.figure.add_artist(artist)

    def mark(self, x, y, marker, face, edge="black", size=7.0):
        self.draw(Line2D([x], [y], marker=marker, mfc=face, mec=edge, mew=0.8, ls="", ms=size))

    def text(self, x, y, text, **options):
        self.figure.text(x, y, text, transform=self.figure.dpi_scale_trans, **options)

    def box(self, ax) -> tuple[float, float, float, float]:
        """x0, y0, x1, y1 of a panel."""
        (x0, y0), (x1, y1) = ax.get_position().get_points() * [self.width, self.height]
        return x0, y0, x1, y1

    def place(self, ax, left: float, width: float):
        box = ax.get_position()
        ax.set_position((left / self.width, box.y0, width / self.width, box.height))

    def above(self, ax, *lines: str | tuple[str, str], size: float = SMALL, start: float = 0.08):
        """Lines of text, or (text, colour), above a panel, the last nearest to it."""
        x0, _, _, y1 = self.box(ax)
        for i, line in enumerate(reversed(lines)):
            text, color = (line, "black") if isinstance(line, str) else line
            self.text(x0, y1 + start + 0.165 * i, text, color=color, fontsize=size)

    def beside(self, ax, labels: Sequence[tuple[float, str, str]], size: float = 9.5):
        """Labels (y, text, colour) right of a panel, each as near to its y as the others let it be."""
        (_, y0, x, y1), (low, high) = self.box(ax), ax.get_ylim()
        placed = [
            ((y - low) / (high - low) * (y1 - y0), text, color) for y, text, color in labels if np.isfinite(y)
        ]
        if not placed:
            return
        wanted, texts, colors = zip(*sorted(placed), strict=True)
        wanted = np.clip(wanted, 0, y1 - y0)
        tall = 0.175 * np.array([1 + text.count("\n") for text in texts])
        ahead = np.concatenate([[0.0], np.cumsum((tall[1:] + tall[:-1]) / 2)])
        free = isotonic_regression(wanted - ahead).x.clip(0, max(0.0, y1 - y0 - ahead[-1])) + ahead
        for at, y, text, color in zip(wanted, free, texts, colors, strict=True):
            if abs(at - y) > 0.03:
                self.draw(Line2D([x + 0.02, x + 0.11], [y0 + at, y0 + y], color=color, lw=0.7))
            self.text(x + 0.14, y0 + y, text, color=color, fontsize=size, va="center")


HATCH = "#d9c469"


def error_axis(axis, low: float, high: float, label: str = ""):
    """From low to high, an axis of log10 errors with few ticks."""
    if high - low < 2:
        values = [m * 10.0**k for k in range(int(np.floor(low)), int(np.ceil(high))) for m in (1, 2, 5)]
        ticks = np.log10([v for v in values if low <= np.log10(v) <= high])
    else:
        step = next(s for s in (1, 2, 4, 5, 10, 20, 50, 100, np.inf) if (high - low) / s <= 4.5)
        ticks = np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
    axis.set_ticks(ticks, [power_of_ten(k) for k in ticks])
    axis.set_label_text(label)


def decades_axis(axis, low: float, high: float, label: str):
    """From low to high, an axis of log10 of what spans a few decades: minor ticks where there is room."""
    error_axis(axis, low, high, label)
    if high - low <= 6:
        minor = np.add.outer(np.arange(np.floor(low), np.ceil(high)), np.log10(np.arange(2, 10))).ravel()
        axis.set_ticks(minor[(low <= minor) & (minor <= high)], minor=True)


def epochs_axis(ax, n_epochs: int, label: str):
    ax.set(xlim=(0, max(1, n_epochs)), xticks=sorted({0, n_epochs // 2, n_epochs}), xlabel=label)


def infinity(axis, at: float):
    """A tick for runs that diverged, in place of those too near to it."""
    room = 0.05 * abs(np.subtract(*axis.get_view_interval()))
    ticks = [t for t in axis.get_ticklocs() if at - t > room]
    axis.set_ticks([*ticks, at], [*map(power_of_ten, ticks), "∞"])


def power_of_ten(k: float) -> str:
    """10^k: -15 -> 10⁻¹⁵, -15.6 -> 2.5·10⁻¹⁶, 0 -> 1."""
    return number(10.0**k, 2) if k == 0 or k % 1 else "10" + f"{k:.0f}".translate(RAISED)


def depth(k: float) -> str:
    """A median of log10 errors, lifted to eps², in a sentence."""
    at_floor = k <= np.log10(FLOOR) + 1e-9
    return f"≤ {power_of_ten(k)} (rounding)" if at_floor else power_of_ten(k)


def span(values, pad: float = 0.04) -> tuple[float, float]:
    """Limits for log10 errors: their range, at least one decade, with some air."""
    finite = np.concatenate([np.ravel(v) for v in values])
    finite = finite[np.isfinite(finite) & (finite <= HIGHEST)]
    low, high = (finite.min(), finite.max()) if finite.size else (-3.0, 1.0)
    low = min(low, high - 1)
    return float(low - pad * (high - low)), float(high + pad * (high - low))


def quartiles(sweep: Sweep, rows: np.ndarray, epochs: np.ndarray) -> np.ndarray:
    """Of log10 error over runs, at some epochs, (3, n_epochs); NaN where they are not finite."""
    if not len(rows):
        return np.full((3, len(epochs)), np.nan)
    error = sweep.error[np.ix_(epochs, rows)]
    logs = np.log10(lift(np.where(np.isfinite(error), error, np.inf)))
    with np.errstate(invalid="ignore"):  # between inf and inf
        quartile = np.quantile(logs, [0.25, 0.5, 0.75], axis=1)
    return np.where(np.isfinite(quartile), quartile, np.nan)


def last(curve: np.ndarray) -> float:
    finite = curve[np.isfinite(curve)]
    return float(finite[-1]) if finite.size else np.nan


def marks(ax, x, y, style: Style | tuple, size: float = 3.5, spread: float = 0.0, across: str = "x"):
    """A scatter of rings, spread evenly and repeatably along x or y; infinite errors at the end of the axis.

    Of rings that cover each other one is drawn, and of very many so few that an SVG stays small.
    """
    marker, color = style if isinstance(style, tuple) else (style.marker, style.color)
    noise = spread * ((np.arange(1, np.size(x) + 1) * 0.6180339887498949) % 1 - 0.5)  # golden ratio
    x, y = (x + noise, y) if across == "x" else (x, y + noise)
    x, y = (
        np.where(np.isfinite(v), v, max(limits)) for v, limits in ((x, ax.get_xlim()), (y, ax.get_ylim()))
    )
    places, room, keep = ax.transData.transform(np.column_stack([x, y])), 0.6 * size, slice(None)
    while len(x) and (room == 0.6 * size or len(keep) > MOST_MARKS):
        keep = np.sort(np.unique(np.round(places / room), axis=0, return_index=True)[1])
        room *= 1.3
    options = {"marker": marker, "ms": size, "mfc": "none", "mec": color, "mew": 0.7, "clip_on": False}
    ax.plot(x[keep], y[keep], ls="", **options)
