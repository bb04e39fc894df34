"""What whole numbers and seeds must be, wherever they come in. Raises ValueError: field, value, remedy."""

import numpy as np


def check_whole(field: str, value, at_least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < at_least:
        raise ValueError(f"{field}: {value!r}; give an integer of {at_least} or more")


def checked_seeds(seeds) -> list[int]:
    seeds = np.asarray(seeds)
    whole = seeds.ndim == 1 and seeds.size and seeds.dtype.kind in "iu"
    if not whole or not ((seeds >= 0) & (seeds < 2**32)).all():
        raise ValueError(
            f"seeds: {seeds.tolist()!r}; give a list of integers from 0 to 2**32 - 1, one for each run"
        )
    return seeds.tolist()
