"""What a mode looks like in every picture, and what it is called: one colour and dash per mode everywhere."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, count

import numpy as np

from experiments.wording import number

GREY = "#666666"
DIFFERENCES = ("numeric", "forward", "hybrid")  # families that have a step h


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


def parse(mode: str) -> tuple[str, dict[str, float | str], list[str]]:
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
        own = _own_style(name)
        dashes = chain([own.dash], ((0, (k, 1.5, 1, 1.5)) for k in count(2)))
        looks = (replace(own, dash=dash) for dash in dashes)
        styles[name] = next(look for look in looks if look not in styles.values())
    return styles[mode]


@functools.lru_cache(maxsize=512)
def _own_style(mode: str) -> Style:
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
