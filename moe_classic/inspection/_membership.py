"""Which expert a row of data belongs to, as far as an estimator can tell."""

from __future__ import annotations

from typing import Any

import numpy as np

from moe_classic._typing import Floats


def memberships(moe: Any, X: Any, y: Any) -> Floats:
    """Shares of the experts in every row, (n, K): responsibilities, or, of blends, gate weights.

    Blends are trained on squared error: what lies between y and an expert says nothing about whose
    the row is.
    """
    if hasattr(moe, "responsibilities"):
        return moe.responsibilities(X, y)
    return shares(moe.gate_proba(X))


def shares(weights: Floats) -> Floats:
    """Weights (..., K) as parts of one; those of a linear gate may be negative, and count as none.

    Where no weight is positive, all belongs to the largest.
    """
    parts = np.maximum(weights, 0.0)
    total = parts.sum(axis=-1, keepdims=True)
    largest = weights == weights.max(axis=-1, keepdims=True)
    parts = np.where(total > 0.0, parts, largest)
    return parts / parts.sum(axis=-1, keepdims=True)


def is_share(weights: Floats) -> bool:
    """Whether all weights (..., K) lie between 0 and 1, as those of a linear gate need not."""
    return bool(weights.min() >= 0.0 and weights.max() <= 1.0 + 1e-9)
