"""Gamma distributions of precisions: priors, posteriors and what a bound pays for them.

::

    p(t) = rate^shape t^(shape - 1) exp(-rate t) / Gamma(shape),   E t = shape / rate
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import digamma, gammaln, polygamma

from moe_classic._typing import Floats

#: Newton steps to a shape; they converge quadratically from less than 2 per cent away.
_STEPS = 6
#: Gap between the logarithms below which a series says the shape to twelve digits.
_SMALL = 1e-4
#: Gap beyond which all are alike: a shape of 1e-8.
_LARGE = 1e8


@dataclass(frozen=True)
class Gamma:
    """Gamma distributions by shape and rate, which broadcast."""

    shape: Any
    rate: Any

    @property
    def mean(self) -> Floats:
        """Expected precisions."""
        return np.asarray(self.shape / self.rate, dtype=np.float64)

    @property
    def mean_log(self) -> Floats:
        """Expected logarithms."""
        return np.asarray(digamma(self.shape) - np.log(self.rate), dtype=np.float64)

    def divergence(self, prior: Gamma) -> Floats:
        """Kullback-Leibler divergence from ``prior``, in nats."""
        a, b, a0, b0 = self.shape, self.rate, prior.shape, prior.rate
        lead = (a - a0) * digamma(a) - gammaln(a) + gammaln(a0)
        return np.asarray(lead + a0 * (np.log(b) - np.log(b0)) + a * (b0 - b) / b)


def gamma_shape(gap: Floats) -> Floats:
    """Shapes of gamma distributions from ``log E t - E log t``, which is positive.

    The maximum-likelihood equation ``log shape - digamma(shape) = gap``, by Newton's method in the
    inverse of the shape (Minka 2002, Estimating a gamma distribution).
    """
    given = np.maximum(gap, np.finfo(float).eps)
    # Of large shapes the two logarithms cancel, and two terms of Stirling's series are exact:
    # gap = 1 / (2 shape) + 1 / (12 shape^2).
    large = (1.0 + np.sqrt(1.0 + given / 0.75)) / (4.0 * given)
    gap = np.clip(given, _SMALL, _LARGE)
    shape = (3.0 - gap + np.sqrt((gap - 3.0) ** 2 + 24.0 * gap)) / (12.0 * gap)
    for _ in range(_STEPS):
        off = np.log(shape) - digamma(shape) - gap
        shape = 1.0 / (1.0 / shape + off / (shape * (1.0 - shape * polygamma(1, shape))))
    return np.where(given > _SMALL, shape, large)
