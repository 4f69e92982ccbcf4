"""What walks along penalties ask of rows, in memory or in partitions: sums over them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from moe_classic._data import dask_parts, is_dask, over_partitions
from moe_classic._typing import Floats


@dataclass(frozen=True)
class Rows:
    """Features, target and weights, of which there may be none."""

    X: Any
    y: Any
    w: Any

    @property
    def width(self) -> int:
        """Number of features."""
        return int(np.shape(self.X)[1])

    @property
    def weight(self) -> float:
        """Weight of the rows, or their number."""
        return float(self._summed(_weight))

    def shares(self, fit: Any) -> tuple[Floats, float]:
        """Mean gate probabilities (K,), and that of their variances as indicators."""
        sums = self._summed(partial(_shares, fit))
        weight, K = sums[-1], (sums.size - 1) // 2
        return sums[:K] / weight, float(sums[K:-1].mean() / weight)

    def overlaps(self, fits: list[Any], pairs: list[tuple[int, int]]) -> Floats:
        """For pairs of fits the rows that an expert of each is responsible for, (pairs, K, K)."""
        return np.asarray(self._summed(partial(_overlaps, fits, pairs)))

    def _summed(self, f: Callable[[Any, Any, Any], Any]) -> Any:
        """Sum of ``f(X, y, w)`` over all rows, taken where these are."""
        if not is_dask(self.X, self.y, self.w):
            return f(self.X, self.y, self.w)
        told = over_partitions(partial(_told, f), dask_parts(self.X, self.y, self.w))
        return sum(value for value in told if value is not None)


def _told(f: Callable[[Any, Any, Any], Any], part: Any) -> Any:
    """What one partition says, None if it has no rows."""
    X, y, w = (*part, None)[:3]
    return f(X, y, w) if len(X) else None


def _weights(X: Any, w: Any) -> Floats:
    """One weight a row."""
    return np.ones(X.shape[0]) if w is None else np.asarray(w, dtype=np.float64)


def _weight(X: Any, y: Any, w: Any) -> float:
    """What rows weigh together."""
    return float(_weights(X, w).sum())


def _shares(fit: Any, X: Any, y: Any, w: Any) -> Floats:
    """Weighted sums of gate probabilities, and of their variances, and the weight."""
    w, g = _weights(X, w), fit.gate_proba(X)
    return np.concatenate([w @ g, w @ (g * (1.0 - g)), [w.sum()]])


def _overlaps(fits: list[Any], pairs: list[tuple[int, int]], X: Any, y: Any, w: Any) -> Floats:
    """Tables of two fits each, whose rows count once whatever their weights."""
    R = [fit.responsibilities(X, y) for fit in fits]
    return np.stack([R[a].T @ R[b] for a, b in pairs])
