"""Validated rows of a blend: equal rows merged, in an order that depends on their content only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from moe_classic._typing import Floats, Ints

from .sample import equal_rows


@dataclass(frozen=True)
class BlendRows:
    """Distinct rows of positive weight.

    A fit that starts from them does not depend on how rows are ordered, and a weight of 2 is the
    same as a repeated row.

    Attributes
    ----------
    X : (m, p), y : (m,) or (m, d), w : (m,) summed weights, codes : (m,)
    place : ndarray of int of shape (n,)
        Where each of the user's rows went; -1 for rows without weight.
    """

    X: Floats
    y: np.ndarray
    w: Floats
    codes: Ints
    place: Ints


def distinct_rows(X: Floats, y: np.ndarray, w: Floats, codes: Ints) -> BlendRows:
    """Merge rows that agree in X (n, p), y and codes (n,); drop those without weight."""
    used = np.flatnonzero(w > 0.0)
    if not used.size:
        raise ValueError("sample_weight is zero for every row; give at least one row weight.")
    taught = y[used]
    if taught.dtype.kind not in "fiub":
        taught = np.unique(taught, return_inverse=True)[1]
    columns = [*X[used].T, *np.atleast_2d(taught.T), codes[used]]
    columns = [np.asarray(c, dtype=np.float64) for c in columns]
    first, member, weight = equal_rows(columns, w[used])
    place = np.full(w.size, -1, dtype=np.intp)
    place[used] = member
    chosen = used[first]
    return BlendRows(X[chosen], y[chosen], weight, codes[chosen], place)
