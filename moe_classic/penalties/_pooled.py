"""Slopes that are drawn towards zero, and those of each expert towards the mean of all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from moe_classic._typing import Floats

from ._centred import CentredRidge, centring, coupling
from ._squares import without_intercepts


@dataclass(frozen=True)
class PooledRidge(CentredRidge):
    """Besides the squares of slopes, those of their differences to the mean of all experts.

    ``pull / 2 sum_k |B_k|^2 + pooling / 2 sum_k |B_k - mean B|^2`` for slopes (K, M, q - 1) centred
    over the M + 1 classes: the log density of normal slopes around a common normal mean.

    Parameters
    ----------
    pull : float
        Strength towards zero, of the size of a weight of rows.
    pooling : float
        Strength towards the mean.
    """

    pooling: float

    @property
    def _apart(self) -> CentredRidge:
        """The penalty of the differences."""
        return CentredRidge(self.pooling)

    def value(self, coef: Floats) -> float:
        """The penalty of coefficients (K, M, q)."""
        return super().value(coef) + self._apart.value(coef - coef.mean(axis=0))

    def each(self, coef: Floats) -> Floats:
        """What each expert has of it, (K,)."""
        return super().each(coef) + self._apart.each(coef - coef.mean(axis=0))

    def gradient(self, coef: Floats) -> Floats:
        """Its derivatives, of the shape of ``coef``."""
        return super().gradient(coef) + self._apart.gradient(coef - coef.mean(axis=0))

    def curvature(self, coef: Floats) -> Floats:
        """Diagonal of its Hessian, of the shape of ``coef``."""
        share = 1.0 - 1.0 / len(coef)
        return super().curvature(coef) + share * self._apart.curvature(coef)

    def hessian(self, coef: Floats) -> Floats:
        """Its Hessian, (size, size), coefficients in the order of ``coef.ravel()``."""
        K, *_, m, q = coef.shape
        apart = np.kron(np.eye(K) - 1.0 / K, coupling(m, q))
        return np.asarray(super().hessian(coef) + self.pooling * apart, dtype=np.float64)

    def held(self) -> CentredRidge:
        """The penalty of each expert with the mean held: no less than this one, and alike here.

        The mean minimises the squared differences, so that steps under this bound, with scores
        moved by :meth:`towards_mean`, climb under the penalty itself.
        """
        return CentredRidge(self.pull + self.pooling)

    def towards_mean(self, coef: Floats) -> Floats:
        """What the mean adds to the scores of M + 1 classes, (M + 1, q), the same for all."""
        mean = without_intercepts(coef.mean(axis=0))
        own = centring(mean.shape[-2]) @ mean
        return np.asarray(self.pooling * np.vstack([own, -own.sum(axis=0)]))
