"""What a mode looks like: one colour, dash and marker everywhere."""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np

from experiments.modes import parse

GREY = "#666666"


@dataclass(frozen=True)
class Style:
    """A line with a dash, or without one a ring of this marker."""

    color: str
    dash: str | tuple = ""
    marker: str = ""

    @property
    def line(self) -> dict:
        return {"color": self.color, "ls": self.dash}

    @property
    def ink(self) -> str:
        """The colour for text: darkened until its contrast with white is 4.5 (WCAG 2.1, 1.4.3)."""
        color = self.color
        while 1.05 / (luminance(color) + 0.05) < 4.5:
            color = _mixed(color, "#000000", 0.08)
        return color


FAMILIES = {  # Okabe & Ito 2008; in the order of pictures
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
SCALES = {  # family: argument, its default, colours between which log10 of its value runs
    "numeric": ("h", 1e-4, {-9: "#2B0A3D", -4: "#D55E00", 0: "#F5BE41"}),
    "forward": ("h", 1e-4, {-9: "#0B1F4B", -4: "#009E73", 0: "#9BD86A"}),
    "hybrid": ("h", 1e-4, {-9: "#3D0F3A", -4: "#CC79A7", 0: "#F2C6DD"}),
    "spsa": ("n_samples", 1, {0: "#F0CC7A", 1.2: "#E69F00", 3: "#6B4A00"}),
    "forward_gradient": ("n_samples", 1, {0: "#B5B5B5", 1.2: "#777777", 3: "#333333"}),
}
VARIANTS = {  # how far towards black, dash, marker
    "nudged": (0.45, (0, (2, 2)), "*"),
    "continued": (0.45, (0, (1, 1.6)), "d"),
    "float32": (0.3, (0, (9, 1.5, 3, 1.5)), ">"),
    "annealed": (0.5, (0, (5, 1, 1, 1, 1, 1)), "*"),
}


def style_of(mode: str, modes: Sequence[str] = ()) -> Style:
    """The mode's colour, dash and marker: its family's, a shade for its h, a darker kind for its variant.

    Whatever other modes there are; but of modes that would look the same the later in the alphabet gives way.
    """
    styles: dict[str, Style] = {}
    for name in sorted({mode, *modes}):
        styles[name] = next(look for look in _looks(name) if look not in styles.values())
    return styles[mode]


def _looks(mode: str) -> Iterator[Style]:
    """The mode's style, then others of its colour, in the order in which they are taken."""
    style = _style(mode)
    yield style
    for k in count(2):
        yield replace(style, dash=(0, (k, 1.5, 1, 1.5)))


@functools.lru_cache(maxsize=512)
def _style(mode: str) -> Style:
    family, arguments, variants = parse(mode)
    style = FAMILIES.get(family) or SPARE[sum(family.encode()) % len(SPARE)]
    if family in SCALES:
        argument, default, scale = SCALES[family]
        value = arguments.get(argument, default)
        if isinstance(value, float | int) and value > 0:
            channels = np.transpose([_rgb(color) for color in scale.values()])
            style = replace(style, color=_hex([np.interp(np.log10(value), [*scale], c) for c in channels]))
    for variant in variants:
        darker, dash, marker = VARIANTS.get(variant, (0.3, style.dash, style.marker))
        style = Style(_mixed(style.color, "#000000", darker), dash, marker)
    return style


def _rgb(color: str) -> np.ndarray:
    return np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255


def _hex(rgb) -> str:
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in rgb)


def _mixed(color: str, other: str, share: float) -> str:
    return _hex((1 - share) * _rgb(color) + share * _rgb(other))


def luminance(color: str) -> float:
    """Relative, as WCAG 2.1 defines it: 0 black, 1 white."""
    c = _rgb(color)
    return float(np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722])
