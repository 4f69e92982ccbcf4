"""Gamma distributions of precisions: priors, posteriors and what a bound pays for them.

::

    p(t) = rate^shape t^(shape - 1) exp(-rate t) / Gamma(shape),   E t = shape / rate
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import digamma, gammaln

from moe_classic._typing import Floats


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
