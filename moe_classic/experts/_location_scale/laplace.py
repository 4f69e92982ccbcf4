"""Laplace experts with linear medians.

::

    log p(y | x) = -|y - eta| / b - log(2 b),   eta = B z

Link: identity. Step: |e| is majorised by ``e^2 / (2 |e_0|) + |e_0| / 2``, so that the coefficients
get weighted least squares with weights ``S / |e_0|`` and b the mean of the majorant; the surrogate
is maximised exactly in both, hence every step climbs. Nguyen & McLachlan (2016), Laplace mixture
of linear experts, equations 14-20.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.special import ndtri

from moe_classic._components import LAPLACE, Forward, NoiseFamily
from moe_classic._data import Design, Stats, Summary
from moe_classic._numerics import empty, frame, least_absolute_change
from moe_classic._typing import Floats
from moe_classic.penalties import Penalty

from .base import LocationScaleExpert, ScaleParams

#: Residuals below this share of b count as this share: the curvature of |e| at 0 is infinite.
_SMOOTHING = 1e-9
#: The same where curvatures are carried along: one that is all but infinite would hold for ever.
_ONLINE_SMOOTHING = 0.1


@dataclass(frozen=True)
class LaplaceStats(Stats):
    """Weighted least-squares sums with weights ``S / |e|``, and ``sum S |e|``."""

    gram: Floats
    score: Floats
    rss: Floats
    absolute: Floats
    mass: Floats


class LaplaceExpert(LocationScaleExpert):
    """Linear median regressions: Laplace noise, robust against outliers in y.

    Parameters
    ----------
    features : None, list of column names or indices, or transformer, default=None
        What the experts see of X; see :class:`GaussianExpert`.
    alpha : float, default=0.0
        L2 penalty on the slopes in standardised units, per unit of sample weight.
    fit_intercept : bool, default=True
        Whether there is an intercept; see :class:`GaussianExpert`.
    min_scale : float, default=1e-3
        Smallest scale b, as a share of the noise; see :class:`GaussianExpert`.
    penalty : Penalty, default=None
        In place of ``alpha``, which then stays at its default: an object of
        :mod:`moe_classic.penalties`, such as ``Lasso(0.1)``, under which slopes may be exactly
        zero.
    shared : list of column names or indices, default=None
        Columns of X whose slopes all experts have in common; see :class:`GaussianExpert`.

    References
    ----------
    Nguyen & McLachlan (2016), Laplace mixture of linear experts, Computational Statistics & Data
    Analysis 93.

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_tone
    >>> from moe_classic.experts import LaplaceExpert
    >>> X, y = load_tone(return_X_y=True)
    >>> moe = MoERegressor(1, expert=LaplaceExpert(alpha=0.0)).fit(X, y)
    >>> moe.predict([[2.0]]).round(2)
    array([2.01])
    """

    name: ClassVar[str] = "laplace"
    smooth: ClassVar[bool] = False
    noise_family: ClassVar[NoiseFamily] = LAPLACE
    _smoothing = _SMOOTHING

    def __init__(
        self,
        *,
        features: Any = None,
        alpha: float = 0.0,
        fit_intercept: bool = True,
        min_scale: float = 1e-3,
        penalty: Penalty | None = None,
        shared: Any = None,
    ) -> None:
        self.features = features
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.min_scale = min_scale
        self.penalty = penalty
        self.shared = shared

    def online(self) -> LaplaceExpert:
        """The expert with curvatures that are bounded."""
        bounded = copy(self)
        bounded._smoothing = _ONLINE_SMOOTHING
        return bounded

    def coef_score(self, params: Any, stats: Any) -> Floats:
        """Slopes of the log-likelihood in the coefficients, (K, 1, q)."""
        return np.asarray(stats.score / params.scale[:, :, None])

    # -------------------------------------------------------------------- log density

    def around(self, params: ScaleParams, e: Floats) -> Forward:
        """Log density of residuals and what the statistics reuse."""
        size = np.abs(e[:, 0], out=empty(e[:, 0].shape))
        log_prob = np.divide(size, -params.scale, out=empty(size.shape))
        log_prob -= np.log(2.0 * params.scale)
        return Forward(log_prob, None, (e, size))

    # -------------------------------------------------------------------- curvature and sums

    def curvature(self, params: ScaleParams, fwd: Forward, S: Floats) -> Floats:
        """Row weights of the Grams, ``S / |e|``."""
        size = np.maximum(fwd.work[1], self._smoothing * params.scale, out=empty(S.shape))
        return np.divide(S, size, out=size)

    def statistics(
        self, params: ScaleParams, fwd: Forward, design: Design, S: Floats, grams: Floats
    ) -> LaplaceStats:
        """Sums of weighted least squares and of absolute residuals."""
        e, size = fwd.work
        with frame():
            weight = self.curvature(params, fwd, S)[:, None, :]
            weighted = np.multiply(weight, e, out=empty(e.shape))
            rss, score = np.einsum("kjn,kjn->kj", weighted, e), design.scores(weighted)
        absolute = np.einsum("kn,kn->k", S, size)[:, None]
        return LaplaceStats(grams, score, rss, absolute, S.sum(axis=1))

    def update(self, params: ScaleParams, stats: LaplaceStats, summary: Summary) -> ScaleParams:
        """Maximiser of the quadratic surrogate."""
        delta, drop = self.solve_coef(params, stats.gram, stats.score, params.scale, summary)
        surrogate = 0.5 * (np.maximum(stats.rss + drop, 0.0) + stats.absolute)
        scale = surrogate / np.maximum(stats.mass, np.finfo(float).tiny)[:, None]
        new = ScaleParams(params.coef + delta, np.maximum(scale, self.floor(summary)))
        return self.keep_starved(params, new, stats.mass, summary)

    def error_unit(self, params: ScaleParams) -> Floats:
        """Absolute errors are divided by the scale."""
        return params.scale

    def exact_change(self, Z: Floats, e: Floats, S: Floats) -> Floats | None:
        """Least absolute deviations, a line through as many rows as it has coefficients."""
        return least_absolute_change(Z, e[0], S)[None]

    def standard_scale(self, S: Floats, e: Floats, mass: Floats) -> Floats:
        """The likeliest scale: the mean absolute residual."""
        return (S * np.abs(e)).sum(axis=-1) / mass

    def smoothed(self, params: ScaleParams, h: Floats) -> LaplaceExpert:
        """The expert with its kink seen through a normal kernel."""
        width = params.scale * (ndtri(0.5 + h) - ndtri(0.5 - h))
        smooth = SmoothedLaplace(
            width,
            features=self.features,
            alpha=self.alpha,
            fit_intercept=self.fit_intercept,
            min_scale=self.min_scale,
            penalty=self.penalty,
            shared=self.shared,
        )
        smooth._shared = self._shared
        return smooth

    def derivatives(self, params: ScaleParams, fwd: Forward, y: Floats) -> tuple[Floats, Floats]:
        """In (eta, log b), almost everywhere: ``sign(e) / b``, ``|e| / b - 1``."""
        e, size = fwd.work[0][:, 0], fwd.work[1]
        slope = np.sign(e) / params.scale
        z = size / params.scale
        first = np.stack([slope, z - 1.0], axis=1)
        second = np.zeros((len(e), 2, 2, e.shape[1]))
        second[:, 0, 1] = second[:, 1, 0] = -slope
        second[:, 1, 1] = -z
        return first, second

    # -------------------------------------------------------------------- moments, sampling

    def precision(self, params: ScaleParams, fwd: Forward) -> Floats:
        """Precisions of the normal that touches the density at the residual, (K, n, 1, 1)."""
        size = np.maximum(fwd.work[1], self._smoothing * params.scale)
        return (1.0 / (params.scale * size))[:, :, None, None]

    def standard_variance(self, params: ScaleParams) -> Floats:
        """Variance of the noise with b = 1."""
        return np.full((1, 1), 2.0)

    def standard_sample(
        self, params: ScaleParams, shape: tuple[int, ...], rng: np.random.Generator
    ) -> Floats:
        """Laplace noise."""
        return rng.laplace(size=shape)


class SmoothedLaplace(LaplaceExpert):
    """Laplace experts whose kink is seen through a kernel.

    The second derivative of ``-|e| / b`` is ``-(2 / b) delta(e)``; the normal density of standard
    deviation ``width`` stands in for Dirac's delta, so that the sum over rows estimates the density
    of y at the line. For one expert this is the sandwich of median regression: Powell (1991).

    Parameters
    ----------
    width : ndarray of shape (K, 1)
    features, alpha, min_scale
        As for :class:`LaplaceExpert`.
    """

    smooth: ClassVar[bool] = True

    def __init__(self, width: Floats, **settings: Any) -> None:
        super().__init__(**settings)
        self.width = width

    def derivatives(self, params: ScaleParams, fwd: Forward, y: Floats) -> tuple[Floats, Floats]:
        """First derivatives almost everywhere, second ones smoothed."""
        first, second = super().derivatives(params, fwd, y)
        z = fwd.work[0][:, 0] / self.width
        density = np.exp(-0.5 * z**2) / (np.sqrt(2.0 * np.pi) * self.width)
        second[:, 0, 0] -= 2.0 / params.scale * density
        return first, second
