"""The squared length of slopes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from moe_classic._typing import Floats


@dataclass(frozen=True)
class Ridge:
    """``pull / 2`` times the squared slopes.

    Parameters
    ----------
    pull : float
        Strength, of the size of a weight of rows.
    """

    pull: float

    def value(self, coef: Floats) -> float:
        """The penalty of coefficients (..., M, q)."""
        return 0.5 * self.pull * float((coef[..., :-1] ** 2).sum()) if self.pull else 0.0

    def each(self, coef: Floats) -> Floats:
        """Penalties (...) of coefficients (..., M, q), one by one."""
        return np.asarray(0.5 * self.pull * (coef[..., :-1] ** 2).sum(axis=(-2, -1)))

    def gradient(self, coef: Floats) -> Floats:
        """Its derivatives, of the shape of ``coef``."""
        return self.pull * without_intercepts(coef)

    def curvature(self, coef: Floats) -> Floats:
        """Diagonal of its Hessian, of the shape of ``coef``."""
        return self.pull * without_intercepts(np.ones(coef.shape))

    def hessian(self, coef: Floats) -> Floats:
        """Its Hessian, (size, size), coefficients in the order of ``coef.ravel()``."""
        return np.diag(self.curvature(coef).ravel())


def without_intercepts(coef: Floats) -> Floats:
    """A copy with zeros in the last column."""
    out = np.array(coef, dtype=np.float64)
    out[..., -1] = 0.0
    return out
