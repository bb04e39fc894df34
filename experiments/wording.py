"""Numbers, intervals and lists as people write them, and settings as they type them."""

import re
from collections.abc import Sequence

import numpy as np

from tinynet.outcomes import FLOOR, at_floor

RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(x: float, digits: int = 3) -> str:
    """1.2·10⁻¹⁷, 0.03, −2.5."""
    if x != x:
        return "–"
    mantissa, e, exponent = f"{x:.{digits}g}".replace("inf", "∞").partition("e")
    if not e and 0 < abs(x) <= 1e-3:
        mantissa, e, exponent = f"{x:.{digits - 1}e}".partition("e")
    if e:
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        power = "10" + str(int(exponent)).translate(RAISED)
        mantissa = power if mantissa == "1" else f"{mantissa}·{power}"
    return mantissa.replace("-", "−")


def exact(value: object) -> str:
    """The value of a setting, written as no other is."""
    return number(value, 12) if isinstance(value, float) else str(value)


def signed(x: float) -> str:
    return ("+" if x > 0 else "") + number(x)


def decades(x: float) -> str:
    """Two places, which is more than the intervals of depths tell."""
    if x != x or abs(x) == float("inf"):
        return signed(x)
    return "0.00" if abs(x) < 0.005 else f"{x:+.2f}".replace("-", "−")


def depth(error: float) -> str:
    """A final error; where it is rounding, as the bound that it is."""
    return f"≤ {number(FLOOR, 2)} (rounding)" if at_floor(error) else number(error, 2)


def points(x: float) -> str:
    """A difference of shares, in points of percent."""
    return ("+" if x > 0 else "") + percent(x)[:-2]


def percent(x: float) -> str:
    if x != x:
        return "–\u202f%"
    digits = f"{100 * x:.1f}".removesuffix(".0") if abs(x) >= 0.1 else number(100 * x, 2)
    return digits.replace("inf", "∞").replace("-", "−") + "\u202f%"


def plural(n: float, noun: str) -> str:
    count = f"{n:,.0f}" if n == int(n) else number(n)
    return f"{count} {noun}" if n == 1 else f"{count} {noun}s"


def listed(parts: Sequence[str]) -> str:
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def tidy(value: object) -> str:
    """0.0001 -> 1e-4, 600.0 -> 600: as short as people write it, and exact."""
    if not isinstance(value, float):
        return str(value)
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        return np.format_float_positional(value, trim="-")
    return np.format_float_scientific(value, trim="-", exp_digits=1).replace("e+", "e")


def written(value: object) -> str:
    """A setting's value as Hydra's command line has it, without spaces but in quotes: 0.1, [1,2], 'a b'."""
    return tidy(value) if isinstance(value, float) else exactly(value)


def exactly(value: object) -> str:
    """As `written`, but of 1.0 and 1, or '1', or true, no two alike."""
    if value is None:
        return "null"
    if isinstance(value, list):
        return f"[{','.join(map(exactly, value))}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{exactly(item)}" for key, item in value.items()) + "}"
    if isinstance(value, str) and not _is_plain(value):
        doubled = re.sub(r"(\\+)('|$)", r"\1\1\2", value)  # a backslash counts where a quote follows
        return "'" + doubled.replace("'", "\\'") + "'"
    return str(value)


def _is_plain(text: str) -> bool:
    """Whether Hydra takes this for text, of one word."""
    if not re.fullmatch(r"[\w./:-]+", text, re.ASCII) or text.lower() in ("true", "false", "null", "none"):
        return False
    try:
        float(text)
    except ValueError:
        return True
    return False


def times(x: float) -> str:
    return f"× {number(x)}"
