"""The squared length of slopes that are centred over classes, so that no class is special."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from moe_classic._typing import Floats

from ._ridge import without_intercepts


@cache
def centring(m: int) -> Floats:
    """Projection that centres m coefficients and the reference's zero, in reference coordinates."""
    return np.eye(m) - 1.0 / (m + 1)


@cache
def coupling(m: int, q: int) -> Floats:
    """Hessian (m q, m q) of half the squared slopes, centred: it couples classes, not slopes."""
    both = np.kron(centring(m), np.diag(np.r_[np.ones(q - 1), 0.0]))
    return np.asarray(both, dtype=np.float64)


@cache
def _several(groups: int, m: int, q: int) -> Floats:
    """The same of several groups of classes."""
    return np.asarray(np.kron(np.eye(groups), coupling(m, q)), dtype=np.float64)


@dataclass(frozen=True)
class CentredRidge:
    """``pull / 2`` times the squared slopes of M + 1 classes, centred over the classes.

    Coefficients (..., M, q) are relative to the last class, whose own are 0.

    Parameters
    ----------
    pull : float
        Strength, of the size of a weight of rows.
    """

    pull: float

    def value(self, coef: Floats) -> float:
        """The penalty of coefficients (..., M, q)."""
        if not self.pull:
            return 0.0
        slopes = coef[..., :-1]
        squares = (slopes**2).sum() - (slopes.sum(axis=-2) ** 2).sum() / (slopes.shape[-2] + 1)
        return 0.5 * self.pull * float(squares)

    def each(self, coef: Floats) -> Floats:
        """Penalties (...) of coefficients (..., M, q), one by one."""
        slopes = coef[..., :-1]
        squares = (slopes**2).sum(axis=(-2, -1))
        squares -= (slopes.sum(axis=-2) ** 2).sum(axis=-1) / (slopes.shape[-2] + 1)
        return np.asarray(0.5 * self.pull * squares)

    def gradient(self, coef: Floats) -> Floats:
        """Its derivatives, of the shape of ``coef``."""
        return self.pull * (centring(coef.shape[-2]) @ without_intercepts(coef))

    def curvature(self, coef: Floats) -> Floats:
        """Diagonal of its Hessian, of the shape of ``coef``."""
        share = 1.0 - 1.0 / (coef.shape[-2] + 1)
        return self.pull * without_intercepts(np.full(coef.shape, share))

    def hessian(self, coef: Floats) -> Floats:
        """Its Hessian, (size, size), coefficients in the order of ``coef.ravel()``."""
        *groups, m, q = coef.shape
        return np.asarray(self.pull * _several(math.prod(groups), m, q), dtype=np.float64)
