"""What gates and experts have in common: forward records and unconstrained coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from moe_classic._typing import Floats


@dataclass
class Forward:
    """What one evaluation of a component on one block leaves for its statistics.

    Attributes
    ----------
    log_prob : ndarray of shape (K, n)
        Log density of an expert, or log mixing term of a gate.
    eta : ndarray
        Linear predictors, if any: (K, M, n).
    work : Any
        Intermediates that the component's own statistics reuse.
    mass : ndarray of shape (n,), or None
        What the columns of S sum to, where whoever made S knows it.
    """

    log_prob: Floats
    eta: Floats | None = None
    work: Any = None
    mass: Floats | None = None


def check_alpha(owner: str, alpha: float) -> None:
    """Raise unless ``alpha`` is a finite number that is not negative."""
    if not (isinstance(alpha, Real) and 0.0 <= float(alpha) < np.inf):
        raise ValueError(
            f"{owner}: alpha={alpha!r} must be a finite number >= 0, the L2 penalty on slopes "
            "per unit of sample weight, in standardised units."
        )


def pack_field(kind: str, value: Floats, bounds: tuple[float, float] | None = None) -> Floats:
    """Unconstrained coordinates of one field, experts first."""
    if kind == "positive":
        return np.log(value)
    if kind == "interval" and bounds is not None:
        low, high = bounds
        inside = np.clip((value - low) / (high - low), 1e-12, 1.0 - 1e-12)
        return np.log(inside) - np.log1p(-inside)
    rows, cols = np.tril_indices(value.shape[-1])  # "cholesky"
    log_diagonal = value.copy()
    index = np.arange(value.shape[-1])
    log_diagonal[:, index, index] = np.log(value[:, index, index])
    return log_diagonal[:, rows, cols]


def unpack_field(kind: str, block: Floats, bounds: tuple[float, float] | None = None) -> Floats:
    """Inverse of :func:`pack_field`."""
    if kind == "positive":
        return np.exp(np.clip(block, -700.0, 700.0))
    if kind == "interval" and bounds is not None:
        low, high = bounds
        return low + (high - low) / (1.0 + np.exp(-np.clip(block, -30.0, 30.0)))
    size = int((np.sqrt(8 * block.shape[-1] + 1) - 1) / 2)
    rows, cols = np.tril_indices(size)
    chol = np.zeros((block.shape[0], size, size))
    chol[:, rows, cols] = block
    index = np.arange(size)
    chol[:, index, index] = np.exp(np.clip(chol[:, index, index], -700.0, 700.0))
    return chol
