"""Constraints of parameters besides coefficients: where they live, and their free coordinates.

A new constraint is a class here and a line of ``CONSTRAINTS``; a family may also bring one of its
own, as an instance among its ``nuisances``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from moe_classic._typing import Floats

#: Largest logarithm of a packed scale, and logit of a packed share: both ends of the exponential.
_MAX_LOG, _MAX_LOGIT = 300.0, 30.0
#: Smallest distance of a share from 0 and 1 when it is packed.
_SMALLEST_SHARE = 1e-12
Bounds = tuple[float, float] | None


class Constraint(ABC):
    """Where the values of a field (K or 1, ...) may lie."""

    @abstractmethod
    def pack(self, value: Floats, bounds: Bounds) -> Floats:
        """Unconstrained coordinates, experts first."""

    @abstractmethod
    def unpack(self, block: Floats, bounds: Bounds) -> Floats:
        """Inverse of :meth:`pack`."""

    def interval(self, bounds: Bounds) -> tuple[float, float]:
        """Open interval in which every entry lies."""
        return (-np.inf, np.inf)

    def slope(self, value: Floats, bounds: Bounds) -> Floats:
        """Derivatives of the entries (V,) of one expert in its coordinates (J,), (V, J)."""
        return np.eye(value.size)


class Real(Constraint):
    """Any number."""

    def pack(self, value: Floats, bounds: Bounds) -> Floats:
        """The value itself."""
        return np.asarray(value, dtype=np.float64)

    def unpack(self, block: Floats, bounds: Bounds) -> Floats:
        """The coordinate itself."""
        return np.array(block, dtype=np.float64)


class Positive(Constraint):
    """Numbers > 0, on the log scale."""

    def pack(self, value: Floats, bounds: Bounds) -> Floats:
        """Logarithms."""
        return np.log(value)

    def unpack(self, block: Floats, bounds: Bounds) -> Floats:
        """Exponentials."""
        return np.exp(np.clip(block, -_MAX_LOG, _MAX_LOG))

    def interval(self, bounds: Bounds) -> tuple[float, float]:
        """The positive half line."""
        return (0.0, np.inf)

    def slope(self, value: Floats, bounds: Bounds) -> Floats:
        """The values themselves."""
        return np.diag(value.ravel())


class Interval(Constraint):
    """Numbers between two bounds, on the logit scale."""

    def pack(self, value: Floats, bounds: Bounds) -> Floats:
        """Logits of the place between the bounds."""
        low, high = self.interval(bounds)
        inside = np.clip((value - low) / (high - low), _SMALLEST_SHARE, 1.0 - _SMALLEST_SHARE)
        return np.log(inside) - np.log1p(-inside)

    def unpack(self, block: Floats, bounds: Bounds) -> Floats:
        """Places between the bounds."""
        low, high = self.interval(bounds)
        return low + (high - low) / (1.0 + np.exp(-np.clip(block, -_MAX_LOGIT, _MAX_LOGIT)))

    def interval(self, bounds: Bounds) -> tuple[float, float]:
        """The bounds, 0 and 1 where a family gives none."""
        return (0.0, 1.0) if bounds is None else bounds

    def slope(self, value: Floats, bounds: Bounds) -> Floats:
        """``(v - low) (high - v) / (high - low)``."""
        low, high = self.interval(bounds)
        return np.diag(((value - low) * (high - value) / (high - low)).ravel())


class Simplex(Constraint):
    """Shares (..., C) that sum to 1, as logits relative to the last."""

    def pack(self, value: Floats, bounds: Bounds) -> Floats:
        """Logits of all but the last."""
        logs = np.log(np.maximum(value, np.finfo(float).tiny))
        return logs[..., :-1] - logs[..., -1:]

    def unpack(self, block: Floats, bounds: Bounds) -> Floats:
        """Shares."""
        logits = np.concatenate([block, np.zeros_like(block[..., :1])], axis=-1)
        shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=-1, keepdims=True), dtype=np.float64)

    def interval(self, bounds: Bounds) -> tuple[float, float]:
        """From 0 to 1."""
        return (0.0, 1.0)

    def slope(self, value: Floats, bounds: Bounds) -> Floats:
        """``diag(p) - p p'`` without the last column."""
        p = value.ravel()
        return (np.diag(p) - np.outer(p, p))[:, :-1]


class Cholesky(Constraint):
    """Lower triangular factors (..., d, d) with a positive diagonal, which is on the log scale."""

    def pack(self, value: Floats, bounds: Bounds) -> Floats:
        """Entries row by row, diagonal ones as logarithms."""
        rows, cols = np.tril_indices(value.shape[-1])
        log_diagonal = value.copy()
        index = np.arange(value.shape[-1])
        log_diagonal[:, index, index] = np.log(value[:, index, index])
        return log_diagonal[:, rows, cols]

    def unpack(self, block: Floats, bounds: Bounds) -> Floats:
        """Factors."""
        size = int((np.sqrt(8 * block.shape[-1] + 1) - 1) / 2)
        rows, cols = np.tril_indices(size)
        chol = np.zeros((block.shape[0], size, size))
        chol[:, rows, cols] = block
        index = np.arange(size)
        chol[:, index, index] = np.exp(np.clip(chol[:, index, index], -_MAX_LOG, _MAX_LOG))
        return chol


CONSTRAINTS: dict[str, Constraint] = {
    "real": Real(),
    "positive": Positive(),
    "interval": Interval(),
    "simplex": Simplex(),
    "cholesky": Cholesky(),
}


def constraint_of(kind: Any) -> Constraint:
    """A constraint from its name, or itself."""
    return CONSTRAINTS[kind] if isinstance(kind, str) else kind


def pack_field(kind: Any, value: Floats, bounds: Bounds = None) -> Floats:
    """Unconstrained coordinates of one field, experts first."""
    return constraint_of(kind).pack(value, bounds)


def unpack_field(kind: Any, block: Floats, bounds: Bounds = None) -> Floats:
    """Inverse of :func:`pack_field`."""
    return constraint_of(kind).unpack(block, bounds)
