"""Parameters of Gaussian gates, and what an M-step needs."""

from __future__ import annotations

from dataclasses import dataclass

from moe_classic._data import Stats
from moe_classic._typing import Floats


@dataclass(frozen=True)
class GaussianGateParams:
    """Proportions (K,), means (K, p), Cholesky factors (K or 1, p, p) of the covariances."""

    proportions: Floats
    means: Floats
    chol: Floats


@dataclass(frozen=True)
class MomentStats(Stats):
    """Packed weighted second moments (K, q (q + 1) / 2) of the design about its fixed origin."""

    gram: Floats
