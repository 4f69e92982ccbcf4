"""Lognormal experts for positive targets: Gaussian ones of the logarithm.

::

    log p(y | x) = - z^2 / 2 - log s - log y - log(2 pi) / 2,   z = (log y - eta) / s

Link: the predictor is the mean of log y, the mean of y is ``exp(eta + s^2 / 2)``. Step: weighted
least squares of log y, then the weighted mean of squared residuals; an exact M-step. Aitchison &
Brown (1957), The Lognormal Distribution.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from scipy.special import ndtr, ndtri

from moe_classic._components import LOG_2PI
from moe_classic._data import Summary
from moe_classic._numerics import empty, unpack_symmetric
from moe_classic._typing import Floats
from moe_classic.experts._linear import LinearParams
from moe_classic.penalties import Penalty

from .base import LogMean
from .joint import JointExpert, SpreadParams

#: Logarithm of the largest mean.
_LARGEST = 709.0


class LognormalExpert(LogMean, JointExpert):
    """Linear regressions of log y with Gaussian noise, as densities of a positive y.

    Predictions, scores and intervals are those of y itself: the mean is ``exp(eta + scale^2 / 2)``,
    the median ``exp(eta)``.

    Parameters
    ----------
    features : None, list of column names or indices, or transformer, default=None
        What the experts see of X; see :class:`PoissonExpert`.
    alpha : float, default=0.0
        L2 penalty on the slopes in standardised units, per unit of sample weight.
    fit_intercept : bool, default=True
        Whether there is an intercept; see :class:`GaussianExpert`.
    scale : float, default=None
        Standard deviation of log y. None estimates one of every expert, of 1e-3 at least.
    offset, exposure : str or int, default=None
        Columns of X that are added to the linear predictor, exposures as logarithms; see
        :class:`PoissonExpert`.
    shared : list of column names or indices, default=None
        Columns of X whose slopes all experts have in common; see :class:`GaussianExpert`.
    penalty : Penalty, default=None
        In place of ``alpha``, which then stays at its default: an object of
        :mod:`moe_classic.penalties`, such as ``Lasso(0.1)``, under which slopes may be exactly
        zero.

    References
    ----------
    Aitchison & Brown (1957), The Lognormal Distribution.

    Examples
    --------
    >>> import numpy as np
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.experts import LognormalExpert
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(800, 1))
    >>> income = np.exp(1.0 + x[:, 0] + 0.5 * rng.normal(size=800))
    >>> moe = MoERegressor(1, expert=LognormalExpert()).fit(x, income)
    >>> round(moe.experts_[0].scale_, 1)
    0.5
    """

    name: ClassVar[str] = "lognormal"
    target: ClassVar[str] = "positive"
    nuisances: ClassVar[dict[str, Any]] = {"scale": "positive"}
    limits: ClassVar[tuple[float, float]] = (1e-3, 1e3)
    record: ClassVar[type[LinearParams]] = SpreadParams

    def __init__(
        self,
        *,
        features: Any = None,
        alpha: float = 0.0,
        fit_intercept: bool = True,
        scale: float | None = None,
        offset: str | int | None = None,
        exposure: str | int | None = None,
        shared: Any = None,
        penalty: Penalty | None = None,
    ) -> None:
        self.features = features
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.penalty = penalty
        self.offset = offset
        self.exposure = exposure
        self.scale = scale
        self.shared = shared

    def first_value(self, summary: Summary) -> float:
        """From the ratio of variance and squared mean."""
        square = max(float(summary.y_mean[0]) ** 2, np.finfo(float).tiny)
        return float(np.sqrt(np.log1p(summary.y_var[0] / square)))

    def parts(self, eta: Floats, y: Floats, phi: Floats) -> tuple[Floats, Any]:
        """Log density; z."""
        log_y = np.log(y)
        z = np.subtract(log_y, eta, out=empty(np.broadcast_shapes(eta.shape, y.shape)))
        z /= phi
        log_prob = np.square(z, out=empty(z.shape))
        log_prob *= -0.5
        log_prob -= log_y + 0.5 * LOG_2PI
        log_prob -= np.log(phi)
        return log_prob, z

    def first(self, eta: Floats, y: Floats, phi: Floats, work: Any) -> tuple[Floats, Floats]:
        """``z / s`` and ``z^2 - 1``."""
        return work / phi, work**2 - 1.0

    def second(self, eta: Floats, y: Floats, phi: Floats, work: Any) -> tuple[Floats, ...]:
        """``- 1 / s^2``, ``- 2 z / s`` and ``- 2 z^2``."""
        bend = np.broadcast_to(-1.0 / phi**2, work.shape)
        return bend, -2.0 * work / phi, -2.0 * work**2

    def update(self, params: Any, stats: Any, summary: Summary) -> Any:
        """Weighted least squares, then the scale: both exact."""
        starved, old = self.starved(stats, summary), params.scale
        if self.sparse:
            delta = self.sparse_step(params, stats, summary)
        else:
            A, score = self.system(params, stats, summary)
            delta = self.solved(A, score, starved)
        coef, scale = self.stepped(params, delta, starved), old
        if self.scale is None:
            # Squares of z, in units of the old scale, after the step.
            plain = self.learned_block(unpack_symmetric(stats.gram, params.coef.shape[-1]))
            own = self.learned(stats.score)
            squares = stats.first + stats.mass
            squares = squares - 2.0 * (delta * own).sum(axis=(1, 2))
            squares = squares + ((delta @ plain) * delta).sum(axis=(1, 2))
            share = np.maximum(squares, 0.0) / np.maximum(stats.mass, np.finfo(float).tiny)
            new = np.clip(old * np.sqrt(share)[:, None], *self.bounds_of(summary))
            scale = np.where(starved[:, None], old, new)
        return SpreadParams(coef, scale)

    def from_noise(self, noise: Floats) -> Floats:
        """The noise itself, (K,)."""
        return noise

    # -------------------------------------------------------------------- answers about y

    def mean_at(self, params: Any, eta: Floats) -> Floats:
        """``exp(eta + s^2 / 2)``, (K, 1, n), as large as numbers are."""
        return np.exp(np.minimum(eta + 0.5 * params.scale[:, :, None] ** 2, _LARGEST))

    def variance_at(self, params: Any, eta: Floats) -> Floats:
        """``(exp(s^2) - 1)`` times squared means."""
        square = params.scale[:, :, None] ** 2
        with np.errstate(over="ignore"):
            return np.expm1(square) * np.exp(2.0 * eta + square)

    def cdf_at(self, params: Any, eta: Floats, y: Floats) -> Floats:
        """P(Y <= y), (K, 1, n)."""
        log_y = np.log(np.maximum(y, np.finfo(float).tiny))
        return np.where(y > 0.0, ndtr((log_y - eta) / params.scale[:, :, None]), 0.0)

    def above_at(self, params: Any, eta: Floats, y: Floats) -> Floats:
        """P(Y > y), (K, 1, n)."""
        log_y = np.log(np.maximum(y, np.finfo(float).tiny))
        return np.where(y > 0.0, ndtr((eta - log_y) / params.scale[:, :, None]), 1.0)

    def quantile_at(self, params: Any, eta: Floats, q: Floats) -> Floats:
        """Quantiles, (K, 1, n)."""
        return np.exp(eta + params.scale[:, :, None] * ndtri(q))

    def sample_at(self, params: Any, eta: Floats, rng: np.random.Generator) -> Floats:
        """Lognormal draws, (K, 1, n)."""
        drawn = np.exp(eta + params.scale[:, :, None] * rng.standard_normal(eta.shape))
        return np.clip(drawn, np.finfo(float).tiny, np.finfo(float).max)

    def graph(self, graph: Any, params: Any, linear: Any) -> str:
        """The exponential of predictors moved up by half a variance."""
        coef = params.coef.copy()
        coef[:, 0, -1] += 0.5 * params.scale[:, 0] ** 2
        return str(graph.node("Exp", linear(coef)))
