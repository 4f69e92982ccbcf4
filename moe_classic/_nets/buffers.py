"""Arrays that are used again in every step: fresh ones cost page faults."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = np.ndarray


class Buffers:
    """Kept arrays by name; a name's array lives until the name is asked for again."""

    dtype: np.dtype[Any]

    def __init__(self, dtype: Any) -> None:
        self.dtype = np.dtype(dtype)
        self._flat: dict[str, Array] = {}
        self._rows: dict[tuple[str, int], Array] = {}

    def get(self, name: str, *shape: int) -> Array:
        """An array of this shape, with whatever numbers are in it."""
        size = math.prod(shape)
        flat = self._flat.get(name)
        if flat is None or flat.size < size:
            flat = self._flat[name] = np.empty(size, dtype=self.dtype)
        return flat[:size].reshape(shape)

    def rows(self, name: str, n: int, width: int) -> Array:
        """An array (n, width + 1) whose last column is 1; that is written once."""
        kept = self._rows.get((name, width))
        if kept is None or len(kept) < n:
            kept = self._rows[name, width] = np.empty((n, width + 1), dtype=self.dtype)
            kept[:, width] = 1.0
        return kept[:n]


def with_ones(X: Array) -> Array:
    """Rows with a last column of ones, so that biases are rows of their matrices."""
    return np.concatenate([X, np.ones((len(X), 1), dtype=X.dtype)], axis=1)
