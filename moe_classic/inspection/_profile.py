"""Rows along which a model is looked at: one or two features vary, the others are held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from moe_classic._typing import Floats, Ints

from ._categories import Varied, alone


@dataclass(frozen=True)
class Profile:
    """Rows for every point of a grid.

    Attributes
    ----------
    varied : tuple of Varied
        The features that vary.
    names : tuple of str
    rows : array or DataFrame of shape (n_points * n_held, n_features)
        For every grid point (the last feature varies fastest) the rows that are averaged over.
    n_held : int
        Rows a grid point.
    held : str
        How the other features are held, for the axis label; empty if there are none.
    """

    varied: tuple[Varied, ...]
    names: tuple[str, ...]
    rows: Any
    n_held: int
    held: str

    @property
    def axes(self) -> tuple[Floats, ...]:
        """Places of the grid points, one array a feature."""
        return tuple(v.at for v in self.varied)

    @property
    def categories(self) -> tuple[str, ...] | None:
        """Names of the values of the first feature where they stand alone."""
        return self.varied[0].names

    def places(self, X: Any, i: int = 0) -> Floats:
        """Where rows of X stand along the feature ``i``, (n,)."""
        return self.varied[i].places(_column(X, self.names[i]))

    def deciles(self, X: Any) -> Floats | None:
        """Deciles of the first feature in X, (9,); None where its values stand alone."""
        if self.categories is not None:
            return None
        return np.nanquantile(self.places(X), np.arange(1, 10) / 10)

    def fold(self, answers: Floats) -> Floats:
        """(n_points * n_held, ...) to the mean over held rows, on the grid: (G1[, G2], ...)."""
        grid = tuple(a.size for a in self.axes)
        return answers.reshape(*grid, self.n_held, *answers.shape[1:]).mean(axis=len(grid))

    def label(self, i: int = 0) -> str:
        """Axis label of a feature; the first says how the others are held."""
        return f"{self.names[i]}  ({self.held})" if self.held and i == 0 else self.names[i]


def make_profile(
    X: Any,
    features: Any,
    *,
    caller: str,
    n_points: int,
    average: bool,
    subsample: int,
    margin: float = 0.0,
    categories: bool = True,
) -> Profile:
    """Profile of the ``features`` (a tuple of names or indices) over the range they have in X.

    Parameters
    ----------
    X : array-like or DataFrame of shape (n_samples, n_features)
    features : tuple of int or str
    caller : str
        Who asks, for messages.
    n_points : int
        Grid points a feature.
    average : bool
        False holds the other features at their median (the most frequent value of what is not a
        number); True averages answers over rows of X, as partial dependence does.
    subsample : int
        Rows averaged over, evenly spaced in X.
    margin : float
        Share of the range that is added at either end, so that marks at the ends are not cut.
    categories : bool
        Whether categories, and numbers with two values, are points of their own; else only numbers
        can be varied, along a range.
    """
    frame = as_frame(X)
    places = [column_number(frame, f, caller) for f in features]
    if len(set(places)) < len(places):
        raise ValueError(f"{caller}: features={features!r} names a column twice.")
    if n_points < 2 or subsample < 1:
        raise ValueError(
            f"{caller}: n_points={n_points} must be at least 2, subsample={subsample} at least 1."
        )
    alone = frame.shape[1] == len(places)
    base = frame.iloc[_spread(len(frame), subsample)] if average and not alone else _typical(frame)
    varied = tuple(
        _along(frame, p, caller, n_points=n_points, margin=margin, categories=categories)
        for p in places
    )
    steps = np.meshgrid(*(np.arange(v.at.size) for v in varied), indexing="ij")
    rows = base.iloc[np.tile(np.arange(len(base)), steps[0].size)].reset_index(drop=True)
    for place, v, step in zip(places, varied, steps, strict=True):
        values = v.values.iloc[np.repeat(step.ravel(), len(base))]
        rows.isetitem(place, values.reset_index(drop=True))
    held = "" if alone else ("averaged over the others" if average else "others at their median")
    names = tuple(str(frame.columns[p]) for p in places)
    back = rows if isinstance(X, pd.DataFrame) else rows.to_numpy()
    return Profile(varied, names, back, len(base), held)


def as_frame(X: Any) -> pd.DataFrame:
    """``X`` as a DataFrame; columns without names are called x0, x1 and so on."""
    if isinstance(X, pd.DataFrame):
        return X
    array = np.asarray(X, dtype=np.float64)
    if array.ndim != 2 or not len(array):
        raise ValueError(f"X has shape {array.shape}; it needs rows and columns.")
    return pd.DataFrame(array, columns=[f"x{j}" for j in range(array.shape[1])])


def column_number(frame: pd.DataFrame, feature: Any, caller: str) -> int:
    """Position of a feature given by name or index; None is the only one there is."""
    names = [str(c) for c in frame.columns]
    if feature is None and len(names) == 1:
        return 0
    if isinstance(feature, str) and feature in names:
        return names.index(feature)
    whole = isinstance(feature, (int, np.integer)) and not isinstance(feature, bool)
    if whole and -len(names) <= feature < len(names):
        return int(feature) % len(names)
    columns = f"{len(names)} columns {names[:8]}{'...' if len(names) > 8 else ''}"
    if feature is None:
        raise ValueError(
            f"{caller}: one feature is varied and X has {columns}; say which by name or index, "
            f"such as feature={names[0]!r}."
        )
    raise ValueError(
        f"{caller}: feature={feature!r} is not a column of X; choose one of its {columns}, by name "
        "or index."
    )


def _column(X: Any, name: str) -> pd.Series:
    """One column of X."""
    frame = as_frame(X)
    return frame.iloc[:, [str(c) for c in frame.columns].index(name)]


def _along(
    frame: pd.DataFrame, place: int, caller: str, *, n_points: int, margin: float, categories: bool
) -> Varied:
    """Values of a column one by one, or evenly spaced over its range."""
    values, name = frame.iloc[:, place], frame.columns[place]
    found = alone(values, name, caller) if categories else None
    if found is not None:
        return found
    if not pd.api.types.is_numeric_dtype(values.dtype):
        raise ValueError(
            f"{caller}: feature {name!r} is not a number and cannot be varied along a range; "
            "GateDisplay and ExpertsDisplay draw categories."
        )
    low, high = float(values.min()), float(values.max())
    room = margin * (high - low)
    at = np.linspace(low - room, high + room, n_points)
    return Varied(at, pd.Series(at), None)


def _spread(n: int, count: int) -> Ints:
    """At most ``count`` of n rows, evenly spaced."""
    return np.unique(np.linspace(0, n - 1, min(n, count)).round().astype(np.intp))


def _typical(frame: pd.DataFrame) -> pd.DataFrame:
    """One row of medians, and of most frequent values for what is not a number."""
    row = {name: [_middle(values)] for name, values in frame.items()}
    return pd.DataFrame(row, columns=frame.columns)


def _middle(values: pd.Series) -> Any:
    """Median; of whole numbers and truth values, which may be codes, one that occurs."""
    if not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        return values.mode().iloc[0]
    if pd.api.types.is_integer_dtype(values):
        return values.quantile(0.5, interpolation="lower")
    return values.median()
