"""Numbers that cannot be worked with: squares that overflow or vanish are refused by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.sparse import issparse

from moe_classic._typing import Floats

#: Largest number, and largest total weight, whose square and the sum of many are finite.
LARGEST = 1e150
#: Smallest difference within a column whose square is a number.
LEAST = 1e-150


def check_largest(name: str, values: Any, labels: Sequence[str] | None = None) -> None:
    """Raise if a number is too large to be squared; NaN is nobody's business here.

    Parameters
    ----------
    name : str
        What it is: "X", "y".
    values : ndarray of shape (n,) or (n, c), or sparse rows
    labels : sequence of c names of the columns, or None
    """
    if values.size == 0:
        return
    columns = values if issparse(values) else values.reshape(len(values), -1)
    entries = columns.data if issparse(values) else columns
    if max(float(entries.max(initial=0.0)), -float(entries.min(initial=0.0))) <= LARGEST:
        return
    size = np.nan_to_num(np.abs(entries), posinf=np.inf)
    if float(size.max()) <= LARGEST:
        return
    row, j = _place(columns, int(size.argmax()))
    raise ValueError(
        f"{name} has the value {columns[row, j]:.6g} in row {row}{_column(values, j, labels)};"
        f" numbers beyond {LARGEST:g} overflow when they are squared. Divide the column by a "
        "constant, or if the value stands for a missing one, impute it."
    )


def _place(columns: Any, entry: int) -> tuple[int, int]:
    """Row and column of an entry of an array, or of sparse rows."""
    if issparse(columns):
        row = int(np.searchsorted(columns.indptr, entry, side="right")) - 1
        return row, int(columns.indices[entry])
    return entry // columns.shape[1], entry % columns.shape[1]


def least_and_most(X: Any) -> tuple[Floats, Floats]:
    """Least and greatest values (p,) of the columns of ``X`` (n, p), missing ones left out."""
    if issparse(X):
        return X.min(axis=0).toarray().ravel(), X.max(axis=0).toarray().ravel()
    return np.fmin.reduce(X, axis=0), np.fmax.reduce(X, axis=0)


def check_spread(name: str, low: Floats, high: Floats, labels: Sequence[str] | None = None) -> None:
    """Raise if a column varies by so little that squares vanish; ``low`` and ``high`` are (c,)."""
    low, high = np.atleast_1d(low), np.atleast_1d(high)
    # Ends of censored targets may all be infinite, which is a constant as well.
    gap = np.subtract(high, low, out=np.zeros(high.shape), where=high > low)
    tiny = np.flatnonzero((gap > 0.0) & (gap < LEAST))
    if tiny.size:
        j = int(tiny[0])
        raise ValueError(
            f"{name} varies by no more than {gap[j]:.6g}{_column(gap[None], j, labels)}; "
            f"differences below {LEAST:g} vanish when they are squared. Multiply the column by a "
            "constant."
        )


def check_weight(w: Floats) -> None:
    """Raise if weights (n,) are so large or small that sums overflow or vanish."""
    largest = float(w.max(initial=0.0))
    if largest > LARGEST or 0.0 < largest < LEAST:
        raise ValueError(
            f"sample_weight has {largest:.6g} as its largest value, beyond [{LEAST:g}, "
            f"{LARGEST:g}]; divide all weights by a constant."
        )


def _column(values: np.ndarray, j: int, labels: Sequence[str] | None) -> str:
    """Which column, for a message; nothing where there is only one."""
    if labels is not None:
        return f" of column {labels[j]!r}"
    return f" of column {j}" if values.ndim > 1 and values.shape[1] > 1 else ""
