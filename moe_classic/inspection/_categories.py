"""Features whose values stand alone - categories, and two values: points instead of lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from moe_classic._typing import Floats

from ._style import wrapped

#: Numbers with at most so many values have no line between them.
_TWO = 2
#: Categories for which an axis has room.
_MOST = 40
#: Shares of the distance between two stops that experts, bars and rows may take.
_EXPERTS, _BAR, _ROWS = 0.7, 0.7, 0.12
#: Letters of all names together, for an inch of the axis, that can stand side by side.
_LETTERS_AN_INCH = 11.0
_GOLDEN = 0.6180339887498949


@dataclass(frozen=True)
class Varied:
    """What a feature is along an axis.

    Attributes
    ----------
    at : ndarray of shape (n_points,)
        Places on the axis: the numbers themselves, or 0, 1 and so on for categories.
    values : Series of length n_points
        What the feature is there.
    names : tuple of str or None
        Names of values that stand alone; None for those of a range.
    """

    at: Floats
    values: pd.Series
    names: tuple[str, ...] | None

    def places(self, column: pd.Series) -> Floats:
        """Where rows stand on the axis, (n,); NaN for values that are not on it."""
        if self.names is None or _is_number(column):
            return column.to_numpy(dtype=np.float64)
        found = pd.Index(self.values).get_indexer(pd.Index(column))
        return np.where(found >= 0, self.at[found], np.nan)


def alone(column: pd.Series, name: Any, caller: str) -> Varied | None:
    """Values of a column one by one, if they are categories or two; None for a range."""
    if not _is_number(column):
        values = _categories(column)
        if len(values) > _MOST:
            raise ValueError(
                f"{caller}: feature {name!r} has {len(values)} categories, and an axis has room "
                f"for {_MOST}; choose another feature, or rows of fewer categories."
            )
        return Varied(np.arange(float(len(values))), values, tuple(map(str, values)))
    values = pd.Series(np.unique(column.dropna()), dtype=column.dtype)
    if len(values) > _TWO:
        return None
    at = values.to_numpy(dtype=np.float64)
    return Varied(at, values, tuple(f"{v:g}" for v in at))


def gap(at: Floats) -> float:
    """Distance between neighbouring stops."""
    return float(np.diff(at).min()) if at.size > 1 else 1.0


def beside(at: Floats, k: int, n_experts: int) -> Floats:
    """Stops of expert ``k``, beside those of the others."""
    share = (k + 0.5) / n_experts - 0.5
    return at + _EXPERTS * gap(at) * share


def bar_width(at: Floats) -> float:
    """Width of a bar that stands at each stop alone."""
    return _BAR * gap(at)


def scattered(x: Floats, at: Floats) -> Floats:
    """Rows around their stop, so that they do not hide each other; the same ones every time."""
    share = np.modf(_GOLDEN * np.arange(1, x.size + 1))[0] - 0.5
    return x + 2.0 * _ROWS * gap(at) * share


def name_categories(ax: Any, at: Floats, names: Sequence[str]) -> None:
    """Ticks with the names of the stops, aslant where they are too long to stand side by side."""
    width = ax.figure.get_size_inches()[0] * ax.get_position().width
    crowded = sum(map(len, names)) + 2 * len(names) > _LETTERS_AN_INCH * width
    slant = {"rotation": 40.0, "ha": "right", "rotation_mode": "anchor"} if crowded else {}
    ax.set_xticks(at, [wrapped(n, 24) for n in names], **slant)
    room = 0.6 * gap(at)
    ax.set_xlim(at[0] - room, at[-1] + room)


def _is_number(column: pd.Series) -> bool:
    """Whether the values of a column are numbers, and no truth values."""
    numeric = pd.api.types.is_numeric_dtype(column.dtype)
    return numeric and not pd.api.types.is_bool_dtype(column.dtype)


def _categories(column: pd.Series) -> pd.Series:
    """Categories that occur, in the order that they have or that of their names."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        known = column.cat.remove_unused_categories().cat.categories
        return pd.Series(known).astype(column.dtype)
    values = column.dropna().unique()
    return pd.Series(sorted(values, key=str), dtype=column.dtype)
