"""Generalised linear experts: any target, one linear predictor and a link.

::

    log p(y | x) = l(y, eta),   eta = b z

Link: the family's. Step: Newton, or Fisher scoring, with row weights ``-l''`` where they are
positive; one a pass, shortened to a safe length. McCullagh & Nelder (1989), Generalized Linear
Models, section 2.5; Jordan & Jacobs (1994), Hierarchical mixtures of experts and the EM algorithm,
section 5.3.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from moe_classic._components import Forward, limited
from moe_classic._data import Design, Stats, Summary
from moe_classic._numerics import empty, solve_psd, unpack_symmetric
from moe_classic._typing import Floats
from moe_classic.experts._base import STARVED
from moe_classic.experts._linear import LinearExpert, LinearParams

#: Predictors beyond this are taken as this: the exponential stays finite.
_FARTHEST = 500.0
#: Row weights that count as none.
_FLAT = 1e-12


@dataclass(frozen=True)
class GLMStats(Stats):
    """Packed Grams (K, q (q + 1) / 2), scores (K, 1, q) and masses (K,)."""

    gram: Floats
    score: Floats
    mass: Floats


class GLMExpert(LinearExpert):
    """Generalised linear models of your own.

    A family names its ``target`` and ``link`` and says :meth:`link_of`, :meth:`log_density`,
    :meth:`slopes` and :meth:`cdf_at`; means, variances, quantiles, scores and draws follow, means
    and variances better so where :meth:`mean_at` and :meth:`variance_at` know them.

    Parameters
    ----------
    features : None, list of column names or indices, or transformer, default=None
        What the experts see of X; see :class:`GaussianExpert`.
    alpha : float, default=1e-4
        L2 penalty on the slopes in standardised units, per unit of sample weight.

    Attributes
    ----------
    target : what y may be, a name of ``moe_classic.experts.TARGETS``.
    link : name of the function of the mean that is linear, for tables.
    """

    def __init__(self, *, features: Any = None, alpha: float = 1e-4) -> None:
        self.features = features
        self.alpha = alpha

    # -------------------------------------------------------------------- what a family says

    @abstractmethod
    def link_of(self, mean: Floats) -> Floats:
        """The predictor of a mean."""

    @abstractmethod
    def log_density(self, eta: Floats, y: Floats) -> Floats:
        """Log density, or log probability, of ``y`` (n,) under predictors ``eta`` (K, n)."""

    @abstractmethod
    def slopes(self, eta: Floats, y: Floats) -> tuple[Floats, Floats]:
        """First and second derivatives of the log density in ``eta``, (K, n) each."""

    # -------------------------------------------------------------------- the step

    def start(self, n_experts: int, width: int, summary: Summary) -> LinearParams:
        """Experts at the mean of y."""
        coef = np.zeros((n_experts, 1, width))
        low = self.kind.low + 1e-8 if np.isfinite(self.kind.low) else -np.inf
        high = self.kind.high - 1e-8 if np.isfinite(self.kind.high) else np.inf
        coef[..., -1] = self.link_of(np.clip(summary.y_mean, low, high))
        return LinearParams(coef)

    def predictor(self, params: LinearParams, design: Design) -> Floats:
        """Linear predictors inside the range of the exponential, (K, 1, n)."""
        return np.clip(design.linear(params.coef), -_FARTHEST, _FARTHEST)

    def forward(self, params: LinearParams, design: Design, y: Floats) -> Forward:
        """Log density and its slopes."""
        eta = self.predictor(params, design)
        return Forward(self.log_density(eta[:, 0], y[0]), eta, self.slopes(eta[:, 0], y[0]))

    def curvature(self, params: LinearParams, fwd: Forward, S: Floats) -> Floats:
        """Row weights of the Grams, ``- S l''``."""
        return np.multiply(S, np.maximum(-fwd.work[1], _FLAT), out=empty(S.shape))

    def statistics(
        self, params: LinearParams, fwd: Forward, design: Design, S: Floats, grams: Floats
    ) -> GLMStats:
        """Scores and curvatures."""
        return GLMStats(grams, design.scores((S * fwd.work[0])[:, None]), S.sum(axis=1))

    def update(self, params: LinearParams, stats: GLMStats, summary: Summary) -> LinearParams:
        """One Newton step."""
        penalty = self.slopes_penalty(summary)
        q = params.coef.shape[-1]
        curvature = penalty.curvature(params.coef)[:, 0]
        A = unpack_symmetric(stats.gram, q) + curvature[:, :, None] * np.eye(q)
        score = stats.score - penalty.gradient(params.coef)
        delta = limited(solve_psd(A, score.transpose(0, 2, 1)).transpose(0, 2, 1))
        starved = (stats.mass <= STARVED * summary.weight)[:, None, None]
        return LinearParams(params.coef + np.where(starved, 0.0, delta))

    def translate(self, stats: GLMStats, old: LinearParams, new: LinearParams) -> GLMStats:
        """Scores at ``old`` as they are at ``new``, to second order."""
        A = unpack_symmetric(stats.gram, old.coef.shape[-1])
        return replace(stats, score=stats.score - (new.coef - old.coef) @ A)

    def derivatives(
        self, params: LinearParams, fwd: Forward, y: np.ndarray
    ) -> tuple[Floats, Floats]:
        """In eta."""
        first, second = fwd.work
        return first[:, None], second[:, None, None]
