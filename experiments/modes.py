"""Labels of gradient modes, as settings write them ("numeric h=1e-4 nudged"): parts, order, short names."""

import re
from collections.abc import Sequence

from experiments.wording import exact

FAMILIES = ("analytic", "numeric", "forward", "hybrid", "complex_step", "spsa", "forward_gradient")
PART = re.compile(r"(?:'(?:[^'\\]|\\.)*'|\S)+")  # a space in quotes belongs to a value
DIFFERENCES = ("numeric", "forward", "hybrid")  # families that have a step h


def parse(mode: str) -> tuple[str, dict[str, float | str], list[str]]:
    """A label in parts: family, arguments, variant words."""
    family, *parts = PART.findall(mode)
    arguments = {}
    variants = []
    for part in parts:
        key, equals, value = part.partition("=")
        if equals:
            arguments[key] = _value(value)
        else:
            variants.append(part)
    if "decay" in arguments:
        variants.append("annealed")
    return family, arguments, variants


def _value(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def in_order(modes: Sequence[str], reference: str | None = None) -> list[str]:
    """The reference first, then by family, plain before variants, from wide h to narrow."""

    def place(mode: str) -> tuple:
        family, arguments, variants = parse(mode)
        order = FAMILIES.index(family) if family in FAMILIES else len(FAMILIES)
        h = arguments.get("h", 0.0)
        width = h if isinstance(h, float) else 0.0
        return mode != reference, order, variants, -width, mode

    return sorted(modes, key=place)


def names_of(modes: Sequence[str]) -> dict[str, str]:
    """Label -> name for people: without the arguments that all modes of its kind in `modes` share."""
    return {mode: name_of(mode, modes) for mode in modes}


def name_of(mode: str, modes: Sequence[str] = ()) -> str:
    family, arguments, variants = parse(mode)
    kin = []
    for other in modes:
        other_family, other_arguments, other_variants = parse(other)
        if (other_family, other_variants) == (family, variants):
            kin.append(other_arguments)
    parts = [family.replace("_", " ")]
    for key, value in arguments.items():
        shared = bool(kin) and all(other.get(key) == value for other in kin)
        if not shared:
            parts.append(f"{key}={exact(value)}")
    return " ".join([*parts, *variants])
