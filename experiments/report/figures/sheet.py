"""What pictures are made of: a sheet of panels below a title and a key, placed by what stands around them.

Same input, same bytes, whatever matplotlib's settings.
"""

import functools
import io
import textwrap
from collections.abc import Callable

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from experiments.report.figures import Picture
from experiments.report.figures.panel import Panel
from experiments.report.figures.styles import Style

STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: all machines agree
    "font.size": 9.5,
    "axes.labelsize": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titley": 1.0,  # no titles, so none to find a place for
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "lines.linewidth": 1.8,
    "legend.frameon": False,
    "legend.borderaxespad": 0.3,
    "legend.handlelength": 3,
    "hatch.linewidth": 0.6,
    "text.parse_math": False,  # names of modes are the user's
    "svg.hashsalt": "tinynet",
}
WIDTH, PAD = 10.0, 0.12  # inches: of a sheet, and between what stands around two panels
DPI = 150  # of PNGs; panels are placed by the size that texts have there
CSS_DPI = 96
TITLE_SIZE, TITLE_LETTERS = 11, 9  # points; letters an inch


def _styled(function):
    """Under STYLE and nothing else: neither the user's matplotlibrc nor what was set before counts."""

    @functools.wraps(function)
    def styled(*arguments, **options):
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(STYLE)
            return function(*arguments, **options)

    return styled


def picture(alt: str) -> Callable[[Callable], Callable[..., "Sheet | None"]]:
    """Makes a function that draws a sheet, or has nothing to show, place and name it, by its own name.

    alt: what is drawn, for those who do not see it.
    """

    def placing(draw: Callable[..., "Sheet | None"]) -> Callable[..., "Sheet | None"]:
        @_styled
        @functools.wraps(draw)
        def drawn(*arguments, **options):
            sheet = draw(*arguments, **options)
            if sheet is not None:
                sheet.name = draw.__name__
                sheet.alt = alt
                sheet.place()
            return sheet

        return drawn

    return placing


class Sheet:
    """Rows of panels below a title and a key, placed when all is drawn.

    widths: of each row's panels, relative to each other; heights: of the rows, in inches. key: lines, rings
    (Styles without a dash) or patches (dicts), with their texts. shared: inner panels have no tick labels.
    title: a sentence.
    """

    name = ""  # of its picture
    alt = ""

    def __init__(self, widths, heights, key=(), width: float = WIDTH, shared=False, title: str | None = None):
        self.widths = widths
        self.heights = heights
        self.width = width
        self.figure = Figure(dpi=DPI, facecolor="white")  # also on a dark page
        self.canvas = FigureCanvasAgg(self.figure)
        self.rows = [[self._panel() for _ in row] for row in widths]
        self.panels = [panel for row in self.rows for panel in row]
        for row in self.rows if shared else ():
            for panel in row:
                panel.tick_params(labelleft=panel is row[0], labelbottom=row is self.rows[-1])
        self.title = self._title(title) if title else None
        self.key = self._key(key) if key else None

    def _panel(self) -> Panel:
        return self.figure.add_axes(Panel(self.figure, (0.1, 0.1, 0.8, 0.8)))

    def _title(self, sentence: str):
        lines = textwrap.fill(sentence, int(TITLE_LETTERS * self.width))
        return self.figure.text(0, 1, lines, size=TITLE_SIZE, weight="bold", va="top")

    def _key(self, key):
        """With as many columns as fit."""
        handles = [_handle(style) for style, _ in key]
        texts = [text for _, text in key]
        for n_columns in range(len(key), 0, -1):
            legend = self.figure.legend(handles, texts, ncols=n_columns, loc="upper left")
            width = legend.get_window_extent(self.canvas.get_renderer()).width
            if width < 0.97 * self.width * DPI or n_columns == 1:
                return legend
            legend.remove()

    def place(self) -> None:
        """Panels of one column stand in line where rows have equally many."""
        for last in (False, True):  # ticks follow the size of their panel
            renderer = self.canvas.get_renderer()
            edges = [np.array([panel.edges(renderer) for panel in row]) / DPI for row in self.rows]
            for row in edges:  # (n_panels, 4)
                alike = [other[:, :2] for other in edges if len(other) == len(row)]
                row[:, :2] = np.max(alike, axis=0)
            for panel in self.panels if last else ():
                panel.pin_labels()
            self._move(edges, self._head(renderer))
        for panel in self.panels:
            panel.spread_labels(renderer)

    def _head(self, renderer) -> list[float]:
        """Inches from the top to the title, to the key, and to what is below."""
        ends = [PAD]
        for part, air in ((self.title, PAD), (self.key, 0)):
            height = part.get_window_extent(renderer).height / DPI + air if part else 0
            ends.append(ends[-1] + height)
        return ends

    def _move(self, edges: list[np.ndarray], head: list[float]) -> None:
        """Every panel, such that its edges (left, right, bottom, top) are clear of the next."""
        across = [row[:, :2].sum() + PAD * (len(row) + 1) for row in edges]
        sizes = [
            np.divide(widths, sum(widths)) * max(self.width - taken, len(widths))
            for widths, taken in zip(self.widths, across, strict=True)
        ]
        width = max(size.sum() + taken for size, taken in zip(sizes, across, strict=True))
        height = head[-1] + sum(self.heights) + sum(row[:, 2:].max(axis=0).sum() + PAD for row in edges)
        self.figure.set_size_inches(width, height)
        if self.title:
            self.title.set_position((PAD / width, 1 - head[0] / height))
        if self.key:
            self.key.set_bbox_to_anchor((0, 0, 1, 1 - (head[1] - PAD) / height))
        y = height - head[-1]
        for panels, row, size, tall in zip(self.rows, edges, sizes, self.heights, strict=True):
            y -= row[:, 3].max() + tall
            x = np.cumsum(PAD + row[:, 0] + np.concatenate([[0], (row[:, 1] + size)[:-1]]))
            for panel, left, wide in zip(panels, x, size, strict=True):
                panel.set_position((left / width, y / height, wide / width, tall / height))
            y -= row[:, 2].max() + PAD

    @_styled
    def rendered(self) -> Picture:
        """Drawn once as PNG and once as SVG, which leaves its figure at the scale of the SVG."""
        png = io.BytesIO()
        svg = io.BytesIO()
        packing = {"compress_level": 3}  # three quarters of the time of 6, 3 % more bytes
        self.canvas.print_png(png, metadata={"Software": None}, pil_kwargs=packing)
        FigureCanvasSVG(self.figure).print_svg(svg, metadata={"Date": None, "Creator": None})
        width = round(CSS_DPI * self.figure.get_figwidth())
        return Picture(self.name, self.alt, width, png.getvalue(), svg.getvalue())


def _handle(style: Style | dict):
    if isinstance(style, dict):
        return Patch(**style)
    marker = "" if style.dash else style.marker
    return Line2D([], [], mfc="none", mec=style.color, marker=marker, **style.line)
