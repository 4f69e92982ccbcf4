"""The squared length of slopes that are centred over classes, so that no class is special."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from moe_classic._typing import Floats

from ._squares import without_intercepts


@cache
def centring(m: int) -> Floats:
    """Projection that centres m coefficients and the reference's zero, in reference coordinates."""
    return np.eye(m) - 1.0 / (m + 1)


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
        slopes = np.diag(np.r_[np.ones(q - 1), 0.0])
        one = np.kron(centring(m), slopes)
        several = np.kron(np.eye(int(np.prod(groups))), one)
        return np.asarray(self.pull * several, dtype=np.float64)
