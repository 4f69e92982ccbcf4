"""Linear locations with any symmetric noise that is a mixture of normals over their variance.

::

    log p(y | x) = g(z) - log s,   z = (y - eta) / s,   eta = B z

Link: identity. Step: where g is convex in z^2, ``g(z) >= g(z_0) - u_0 (z^2 - z_0^2) / 2`` with
``u = -g'(z) / z``, so that coefficients and scale get weighted least squares with weights ``S u``
and ``s^2 = sum S u e^2 / sum S``; the surrogate is maximised exactly, hence every step climbs.
Andrews & Mallows (1974), Scale mixtures of normal distributions, Journal of the Royal Statistical
Society B 36; Lange, Hunter & Yang (2000), Optimization transfer using surrogate objective
functions, Journal of Computational and Graphical Statistics 9.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from moe_classic._components import TARGETS, Forward, invert, moments
from moe_classic._data import Design, Summary
from moe_classic._numerics import empty, frame
from moe_classic._typing import Floats

from .base import LeastSquaresStats, LocationScaleExpert, ScaleParams

#: Residuals, in scales, below which the weight is its limit ``-g''(0)``.
_AT_LOCATION = 1e-8


class SymmetricNoiseExpert(LocationScaleExpert):
    """Linear regressions with symmetric noise of your own.

    A family says three things about its noise with scale 1: :meth:`standard_log_pdf`,
    :meth:`standard_slopes` and :meth:`standard_cdf`. Quantiles, variance and draws follow; override
    them where they are known. The log density must be convex in the square of the noise, as it is
    for mixtures of normals (logistic, hyperbolic, exponential power up to 2): tails are then no
    lighter than those of a normal.

    Parameters
    ----------
    features : None, list of column names or indices, or transformer, default=None
        What the experts see of X; see :class:`GaussianExpert`.
    alpha : float, default=0.0
        L2 penalty on the slopes in standardised units, per unit of sample weight.
    fit_intercept : bool, default=True
        Whether there is an intercept; see :class:`GaussianExpert`.
    min_scale : float, default=1e-3
        Smallest scale, as a share of the noise; see :class:`GaussianExpert`.
    shared : list of column names or indices, default=None
        Columns of X whose slopes all experts have in common; see :class:`GaussianExpert`.

    Examples
    --------
    >>> from moe_classic.experts import LaplaceExpert, SymmetricNoiseExpert
    >>> issubclass(LaplaceExpert, SymmetricNoiseExpert)
    False
    """

    def __init__(
        self,
        *,
        features: Any = None,
        alpha: float = 0.0,
        fit_intercept: bool = True,
        min_scale: float = 1e-3,
        shared: Any = None,
    ) -> None:
        self.features = features
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.min_scale = min_scale
        self.shared = shared

    # -------------------------------------------------------------------- what a family says

    @abstractmethod
    def standard_log_pdf(self, params: Any, z: Floats) -> Floats:
        """Log density of the noise with scale 1, element by element."""

    @abstractmethod
    def standard_slopes(self, params: Any, z: Floats) -> tuple[Floats, Floats]:
        """First and second derivatives of the log density in z."""

    @abstractmethod
    def standard_cdf(self, params: Any, z: Floats) -> Floats:
        """Distribution function of the noise with scale 1."""

    # -------------------------------------------------------------------- the step

    def around(self, params: ScaleParams, e: Floats) -> Forward:
        """Log density of residuals and what the statistics reuse: z, slopes, weights."""
        z = e[:, 0] / params.scale
        first, second = self.standard_slopes(params, z)
        far = np.abs(z) > _AT_LOCATION
        u = np.where(far, -first / np.where(far, z, 1.0), -second)
        log_prob = self.standard_log_pdf(params, z) - np.log(params.scale)
        return Forward(log_prob, None, (e, z, first, second, u))

    def curvature(self, params: ScaleParams, fwd: Forward, S: Floats) -> Floats:
        """Row weights of the Grams, ``S u``."""
        return np.multiply(S, fwd.work[4], out=empty(S.shape))

    def statistics(
        self, params: ScaleParams, fwd: Forward, design: Design, S: Floats, grams: Floats
    ) -> LeastSquaresStats:
        """Sums of weighted least squares."""
        e = fwd.work[0]
        with frame():
            weighted = np.multiply(self.curvature(params, fwd, S)[:, None], e, out=empty(e.shape))
            rss, score = np.einsum("kjn,kjn->kj", weighted, e), design.scores(weighted)
        return LeastSquaresStats(grams, score, rss, S.sum(axis=1))

    def update(
        self, params: ScaleParams, stats: LeastSquaresStats, summary: Summary
    ) -> ScaleParams:
        """Maximiser of the quadratic surrogate."""
        delta, drop = self.solve_coef(params, stats.gram, stats.score, params.scale**2, summary)
        mass = np.maximum(stats.mass, np.finfo(float).tiny)[:, None]
        scale = np.sqrt(np.maximum(stats.rss + drop, 0.0) / mass)
        new = ScaleParams(params.coef + delta, np.maximum(scale, self.floor(summary)))
        return self.keep_starved(params, new, stats.mass, summary)

    def derivatives(self, params: ScaleParams, fwd: Forward, y: Floats) -> tuple[Floats, Floats]:
        """In (eta, log s): ``-g' / s`` and ``-g' z - 1``."""
        _, z, g, h, _ = fwd.work
        s = params.scale
        first = np.stack([-g / s, -g * z - 1.0], axis=1)
        second = np.empty((len(z), 2, 2, z.shape[1]))
        second[:, 0, 0] = h / s**2
        second[:, 0, 1] = second[:, 1, 0] = (h * z + g) / s
        second[:, 1, 1] = h * z**2 + g * z
        return first, second

    def precision(self, params: ScaleParams, fwd: Forward) -> Floats:
        """Precisions of the normal that touches the density at the residual, (K, n, 1, 1)."""
        u: Floats = fwd.work[4]
        return (u / params.scale**2)[:, :, None, None]

    # -------------------------------------------------------------------- standard noise

    def standard_pdf(self, params: Any, z: Floats) -> Floats:
        """Density of the noise with scale 1."""
        return np.exp(self.standard_log_pdf(params, z))

    def standard_variance(self, params: Any) -> Floats:
        """Variance of the noise with scale 1, (K, 1), from its tails."""
        middle = np.zeros((params.n_experts, 1, 1))
        unit = np.ones_like(middle)
        return moments(lambda z: self.standard_cdf(params, z), middle, unit)[1][:, :, 0]

    def standard_quantile(self, params: Any, q: Floats) -> Floats:
        """Quantiles of the noise with scale 1: its distribution function inverted."""
        start = np.zeros(np.broadcast_shapes(np.shape(q), (params.n_experts, 1, 1)))
        return invert(lambda z: self.standard_cdf(params, z), q, start, TARGETS["real"])

    def standard_sample(
        self, params: Any, shape: tuple[int, ...], rng: np.random.Generator
    ) -> Floats:
        """Noise with scale 1: quantiles at random levels."""
        u = np.maximum(rng.random(shape), np.finfo(float).tiny)
        return self.standard_quantile(params, u)
