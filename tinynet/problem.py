"""A problem: rows of inputs, a target each."""

import csv
import io
import itertools
import os
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

LARGEST_FILE = 50_000_000  # bytes; as Python's numbers they take up to twenty times as much
MOST_COLUMNS = 100_000


@dataclass(frozen=True, eq=False)
class Problem:
    """Rows to learn: inputs (n_rows, n_inputs) and targets (n_rows,), kept as read-only float64 copies.

    Raises ValueError for an empty or ragged table, for values that are not finite numbers, and when the
    number of targets is not the number of rows.
    """

    inputs: np.ndarray
    targets: np.ndarray

    def __post_init__(self):
        for field, n_axes, shape in (
            ("inputs", 2, "(n_rows, n_inputs), every row of the same length"),
            ("targets", 1, "(n_rows,)"),
        ):
            value = getattr(self, field)
            try:
                values = np.array(value, dtype=float)
            except (TypeError, ValueError) as error:
                raise ValueError(f"{field}: not a table of numbers ({error}); give {shape}") from None
            if values.ndim != n_axes or values.size == 0:
                raise ValueError(f"{field}: the shape is {values.shape}; give {shape}, at least one of each")
            if not np.isfinite(values).all():
                place = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
                raise ValueError(f"{field}: {values[place]} at {list(place)}; give finite numbers only")
            values.flags.writeable = False
            object.__setattr__(self, field, values)
        if len(self.inputs) != len(self.targets):
            raise ValueError(
                f"targets: {len(self.targets)} values for {len(self.inputs)} rows of inputs; give one a row"
            )

    @property
    def n_rows(self) -> int:
        return self.inputs.shape[0]

    @property
    def n_inputs(self) -> int:
        return self.inputs.shape[1]

    @cached_property
    def zero_error(self) -> float:
        """mean(t²), the error of answering 0 to every row; inf for targets too large to be squared."""
        with np.errstate(over="ignore", under="ignore"):
            return float(np.mean(self.targets**2))

    @classmethod
    def streetlights(cls) -> "Problem":
        """The tutorial's rows: three lights, and whether people walk (1) or stop (0)."""
        return cls([[1, 0, 1], [0, 1, 1], [0, 0, 1], [1, 1, 1]], [1, 1, 0, 0])

    @classmethod
    def xor(cls) -> "Problem":
        """Two bits, 1 where they differ: four rows in counting order."""
        return cls.parity(2)

    @classmethod
    def parity(cls, n_bits: int) -> "Problem":
        """All 2^n_bits rows in counting order, target 1 where the number of ones is odd; 1 ≤ n_bits ≤ 16."""
        if isinstance(n_bits, bool) or not isinstance(n_bits, (int, np.integer)) or not 1 <= n_bits <= 16:
            raise ValueError(f"n_bits: {n_bits!r} is not a number of bits; give an integer from 1 to 16")
        inputs = np.array(list(itertools.product((0, 1), repeat=int(n_bits))))
        return cls(inputs, inputs.sum(axis=1) % 2)

    @classmethod
    def from_csv(cls, path, target: str) -> "Problem":
        """Rows of a comma-separated UTF-8 file whose first line names the columns; `target` names one.

        All other columns are inputs, in the file's order. Raises ValueError, naming file and line, for what
        is not such a file: missing, not text, without rows, ragged, or with values that are not finite.
        """
        if not isinstance(path, (str, os.PathLike)):
            raise ValueError(f"path: {path!r}; give the name of a CSV file")
        path, field = Path(path), f"path: {str(path)!r}"
        if not path.is_file():
            raise ValueError(f"{field} is not a file; give a CSV file")
        if path.stat().st_size > LARGEST_FILE:
            raise ValueError(f"{field} is larger than {LARGEST_FILE:,} bytes; give fewer rows")
        try:
            text = path.read_text(encoding="utf-8-sig")
            if (n_columns := text.partition("\n")[0].count(",") + 1) > MOST_COLUMNS:
                raise ValueError(f"{field} has {n_columns:,} columns; give at most {MOST_COLUMNS:,}")
            reader = csv.reader(io.StringIO(text, newline=""), strict=True)
            lines = [(f"{field}, line {reader.line_num}", line) for line in reader if line]
        except UnicodeDecodeError as error:
            raise ValueError(f"{field} is not UTF-8 text ({error}); save it as UTF-8") from None
        except (OSError, csv.Error) as error:
            raise ValueError(f"{field} cannot be read as CSV ({error})") from None
        if len(lines) < 2:
            raise ValueError(f"{field} has no rows; give a line of column names, then the rows")
        columns = [name.strip() for name in lines[0][1]]
        listed = ", ".join(columns)
        if twice := [name for name, count in Counter(columns).items() if count > 1]:
            raise ValueError(f"{field} has column {twice[0]!r} twice; give each its own name")
        if (name := str(target)) not in columns:
            remedy = f"give one of: {listed}"
            if len(columns) == 1:  # separated by something else
                remedy = f"its only one is {listed!r}; give a comma-separated file with more"
            raise ValueError(f"target: {str(path)!r} has no column {name!r}; {remedy}")
        if len(columns) < 2:
            raise ValueError(f"{field} has only {listed}; give at least one input column")
        values = np.array([_numbers(place, columns, line) for place, line in lines[1:]])
        at = columns.index(name)
        return cls(np.delete(values, at, axis=1), values[:, at])


def _numbers(place, columns, line):
    if len(line) != len(columns):
        raise ValueError(f"{place}: {len(line)} values; give {len(columns)}, one for each column")
    values = []
    for name, text in zip(columns, line, strict=True):
        try:
            value = float(text)
        except ValueError:
            raise ValueError(f"{place}, column {name!r}: {text!r} is not a number; give one") from None
        if not np.isfinite(value):
            raise ValueError(f"{place}, column {name!r}: {text!r}; give finite numbers only")
        values.append(value)
    return values
