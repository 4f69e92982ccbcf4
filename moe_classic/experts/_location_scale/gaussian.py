"""Gaussian experts with linear means.

::

    log p(y | x) = -1/2 sum_j [ (y_j - eta_j)^2 / s_j^2 + log s_j^2 + log 2 pi ],   eta = B z

Link: identity. Step: weighted least squares, then the weighted mean of squared residuals; an exact
M-step. Jacobs, Jordan, Nowlan & Hinton (1991), equation 1.3 with scales; Jordan & Jacobs (1994),
equation 23.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from moe_classic._components import GAUSSIAN, LOG_2PI, Forward, NoiseFamily
from moe_classic._data import Design, Summary
from moe_classic._numerics import empty, frame, least_squares_change
from moe_classic._typing import Floats
from moe_classic.experts._linear import LinearExpert
from moe_classic.experts._shared import shares_any
from moe_classic.penalties import Penalty

from .base import LeastSquaresStats, LocationScaleExpert, ScaleParams
from .gaussian_full import FullGaussian

_COVARIANCES = ("full", "diag", "spherical")


@dataclass(frozen=True)
class GaussianParams(ScaleParams):
    """Coefficients (K, d, q) and standard deviations, (K or 1, d or 1)."""

    @cached_property
    def factor(self) -> Floats:
        """What squared residuals are multiplied by in the log density, (K or 1, d or 1, 1)."""
        return -0.5 / self.scale[:, :, None] ** 2

    @cached_property
    def constant(self) -> Floats:
        """What is subtracted from that, (K or 1, 1)."""
        d = self.coef.shape[1]
        log_scale = np.log(self.scale).sum(axis=1) * (d / self.scale.shape[1])
        return log_scale[:, None] + 0.5 * d * LOG_2PI


class GaussianExpert(LocationScaleExpert):
    """Linear regressions with Gaussian noise.

    Parameters
    ----------
    features : None, list of column names or indices, or transformer, default=None
        What the experts see of X. None: all columns; ``[]``: nothing, so that experts are
        constants; a transformer is cloned and fitted inside.
    alpha : float, default=0.0
        L2 penalty on the slopes in standardised units, per unit of sample weight.
    fit_intercept : bool, default=True
        Whether there is an intercept. Without, lines go through the origin of the features as they
        were given, which are scaled and not centred, and neither is y; a column of ones among the
        features is then a feature like others.
    covariance_type : {"full", "diag", "spherical"}, default="full"
        Covariance of the noise between the outputs; of no consequence for one output.
    tied : bool, default=False
        Whether all experts share one covariance.
    min_scale : float, default=1e-3
        Smallest standard deviation, as a share of the noise: the median absolute residual of one
        linear fit by least absolute deviations, as a standard deviation, or that of y where it is
        smaller, the fit is exact or rows are few. Without a floor the likelihood is unbounded: an
        expert may pass through a few rows exactly.
    penalty : Penalty, default=None
        In place of ``alpha``, which then stays at its default: an object of
        :mod:`moe_classic.penalties`, such as ``Lasso(0.1)``, under which slopes may be exactly
        zero.
    shared : list of column names or indices, default=None
        Columns of X whose slopes all experts have in common: each counts once, has one standard
        error, and is penalised once. A column of levels is shared level by level. With a single
        expert nothing is shared; experts of a list are fitted apart and cannot share.

    References
    ----------
    Jacobs, Jordan, Nowlan & Hinton (1991), Adaptive mixtures of local experts, Neural
    Computation 3. Jordan & Jacobs (1994), Hierarchical mixtures of experts and the EM algorithm,
    Neural Computation 6.

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_tone
    >>> from moe_classic.experts import GaussianExpert
    >>> X, y = load_tone(return_X_y=True)
    >>> moe = MoERegressor(2, expert=GaussianExpert(tied=True), random_state=0).fit(X, y)
    >>> [round(float(e.scale_), 2) for e in moe.experts_]
    [0.08, 0.08]
    """

    name: ClassVar[str] = "gaussian"
    several_outputs: ClassVar[bool] = True
    noise_family: ClassVar[NoiseFamily] = GAUSSIAN

    def __init__(
        self,
        *,
        features: Any = None,
        alpha: float = 0.0,
        fit_intercept: bool = True,
        covariance_type: str = "full",
        tied: bool = False,
        min_scale: float = 1e-3,
        penalty: Penalty | None = None,
        shared: Any = None,
    ) -> None:
        self.features = features
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.covariance_type = covariance_type
        self.tied = tied
        self.min_scale = min_scale
        self.penalty = penalty
        self.shared = shared

    def check(self) -> None:
        """Raise if a hyper-parameter is out of range."""
        super().check()
        if not isinstance(self.tied, (bool, np.bool_)):
            raise TypeError(f"GaussianExpert: tied={self.tied!r} must be True or False.")
        if self.covariance_type not in _COVARIANCES:
            raise ValueError(
                f"GaussianExpert: covariance_type={self.covariance_type!r} is not known; choose "
                f"one of {_COVARIANCES}."
            )

    @property
    def own_scales(self) -> bool:  # type: ignore[override]
        """Whether outputs may be scaled each by its own factor: not with spherical noise."""
        return self.covariance_type != "spherical"

    def bind(self, summary: Summary) -> LinearExpert:
        """Full covariances of several outputs are worked on by an expert of their own."""
        if summary.y_mean.size > 1 and self.covariance_type == "full":
            if self.penalty is not None:
                raise ValueError(
                    f"GaussianExpert: penalty={self.penalty!r} needs noise that is independent "
                    f"between the {summary.y_mean.size} outputs; set covariance_type='diag'."
                )
            if shares_any(self):
                raise ValueError(
                    f"GaussianExpert: shared={self.shared!r} needs noise that is independent "
                    f"between the {summary.y_mean.size} outputs; set covariance_type='diag'."
                )
            return FullGaussian(
                features=self.features,
                alpha=self.alpha,
                fit_intercept=self.fit_intercept,
                tied=self.tied,
                min_scale=self.min_scale,
            )
        return self

    def start(self, n_experts: int, width: int, summary: Summary) -> GaussianParams:
        """Experts at the mean of y with its standard deviation."""
        equal = super().start(n_experts, width, summary)
        scale = equal.scale[: 1 if self.tied else n_experts]
        if self.covariance_type == "spherical":
            scale = np.sqrt((scale**2).mean(axis=1, keepdims=True))
        return GaussianParams(equal.coef, scale)

    def floor(self, summary: Summary) -> Floats:
        """Smallest standard deviations, (d,) or (1,)."""
        floor = super().floor(summary)
        return floor.max(keepdims=True) if self.covariance_type == "spherical" else floor

    def rescale(self, params: GaussianParams, shift: Floats, factor: Floats) -> GaussianParams:
        """Parameters for ``shift + factor * y``; a spherical scale needs equal factors."""
        if params.scale.shape[1] < factor.size:
            scaled = super().rescale(replace(params, scale=np.ones_like(factor)), shift, factor)
            return replace(scaled, scale=params.scale * factor[:1])
        return super().rescale(params, shift, factor)

    # -------------------------------------------------------------------- log density

    def around(self, params: GaussianParams, e: Floats) -> Forward:
        """Log density of residuals and what the statistics reuse."""
        squares = np.multiply(e, e, out=empty(e.shape))
        squares *= params.factor
        log_prob = squares[:, 0] if e.shape[1] == 1 else squares.sum(axis=1)
        log_prob -= params.constant
        return Forward(log_prob, None, e)

    # -------------------------------------------------------------------- curvature and sums

    def curvature(self, params: GaussianParams, fwd: Forward, S: Floats) -> Floats:
        """Row weights of the Grams: the responsibilities themselves."""
        return S

    def statistics(
        self, params: GaussianParams, fwd: Forward, design: Design, S: Floats, grams: Floats
    ) -> LeastSquaresStats:
        """Sums of weighted least squares."""
        e = fwd.work
        with frame():
            weighted = np.multiply(S[:, None, :], e, out=empty(e.shape))
            rss, score = np.einsum("kjn,kjn->kj", weighted, e), design.scores(weighted)
        # The last product of two features is that of the constants, where there are.
        mass = grams[:, -1].copy() if self.fit_intercept else S.sum(axis=1)
        return LeastSquaresStats(grams, score, rss, mass)

    def update(
        self, params: GaussianParams, stats: LeastSquaresStats, summary: Summary
    ) -> GaussianParams:
        """Exact M-step."""
        delta, drop = self.solve_coef(params, stats.gram, stats.score, params.scale**2, summary)
        rss, mass = np.maximum(stats.rss + drop, 0.0), stats.mass[:, None]
        if self.tied:
            rss, mass = rss.sum(axis=0, keepdims=True), mass.sum(axis=0, keepdims=True)
        if params.scale.shape[1] < rss.shape[1]:
            rss = rss.mean(axis=1, keepdims=True)
        scale = np.sqrt(rss / np.maximum(mass, np.finfo(float).tiny))
        scale = np.maximum(scale, self.floor(summary))
        new = GaussianParams(params.coef + delta, scale)
        return self.keep_starved(params, new, stats.mass, summary)

    def exact_change(self, Z: Floats, e: Floats, S: Floats) -> Floats | None:
        """Least squares by factors, where Gram matrices have lost digits."""
        return least_squares_change(Z, e, S)

    def fit_scale(self, params: GaussianParams, e: Floats, S: Floats, floor: Floats) -> Any:
        """``params`` with the likeliest scales, shared as those of the description."""
        own = super().fit_scale(params, e, S, np.zeros(1)).scale ** 2
        mass = S.sum(axis=1, keepdims=True)
        if self.tied:
            own = (mass * own).sum(axis=0, keepdims=True) / mass.sum()
        if params.scale.shape[1] < own.shape[1]:
            own = own.mean(axis=1, keepdims=True)
        return replace(params, scale=np.maximum(np.sqrt(own), floor))

    def derivatives(self, params: GaussianParams, fwd: Forward, y: Floats) -> tuple[Floats, Floats]:
        """In (eta_1..eta_d, log s): ``e / s^2``, ``e^2 / s^2 - 1``; see the base class."""
        K, d, n = fwd.work.shape
        own = params.scale.shape[1]
        inverse = 1.0 / params.scale[:, :, None]
        z = fwd.work * inverse
        first = self.first_derivatives(params, fwd, y)
        second = np.zeros((K, d + own, d + own, n))
        for j in range(d):
            k = d + (j if own > 1 else 0)
            second[:, j, j] = -np.broadcast_to(inverse[:, j % own] ** 2, (K, n))
            second[:, j, k] = second[:, k, j] = -2.0 * first[:, j]
        if own == d:
            index = np.arange(d, 2 * d)
            second[:, index, index] = -2.0 * z**2
        else:
            second[:, d, d] = -2.0 * (z**2).sum(axis=1)
        return first, second

    def first_derivatives(self, params: GaussianParams, fwd: Forward, y: Floats) -> Floats:
        """The first of them alone."""
        K, d, n = fwd.work.shape
        own = params.scale.shape[1]
        inverse = 1.0 / params.scale[:, :, None]
        first = empty((K, d + own, n))
        z = np.multiply(fwd.work, inverse, out=empty(fwd.work.shape))
        np.multiply(z, inverse, out=first[:, :d])
        np.multiply(z, z, out=z)
        if own == d:
            np.subtract(z, 1.0, out=first[:, d:])
        else:
            np.subtract(z.sum(axis=1), float(d), out=first[:, d])
        return first

    # -------------------------------------------------------------------- moments, sampling

    def precision(self, params: GaussianParams, fwd: Forward) -> Floats:
        """Precisions of the noise, (K, 1, d, d)."""
        d = fwd.work.shape[1]
        inverse = np.broadcast_to(params.scale**-2.0, (params.n_experts, d))
        return inverse[:, None, :, None] * np.eye(d)

    def standard_variance(self, params: GaussianParams) -> Floats:
        """Variance of the noise with scale 1."""
        return np.ones((1, 1))

    def standard_sample(
        self, params: GaussianParams, shape: tuple[int, ...], rng: np.random.Generator
    ) -> Floats:
        """Normal noise."""
        return rng.standard_normal(shape)
