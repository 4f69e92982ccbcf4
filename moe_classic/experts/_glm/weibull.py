"""Weibull experts for positive targets, durations above all.

::

    log p(y | x) = log k + z - log y - exp(z),   z = k (log y - eta)

with scale ``exp(eta)`` and shape k: accelerated failure times, and proportional hazards with
coefficients ``- k b`` too. Link: the predictor is the logarithm of the scale, the mean of y is
``exp(eta) Gamma(1 + 1 / k)``. Step: Newton's in coefficients and log k. Kalbfleisch & Prentice
(2002), The Statistical Analysis of Failure Time Data, chapter 3.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from scipy.special import gamma, gammaln

from moe_classic._data import Summary
from moe_classic._numerics import empty
from moe_classic._typing import Floats
from moe_classic.experts._linear import LinearParams
from moe_classic.penalties import Penalty

from .base import LogMean
from .joint import JointExpert, ShapeParams

#: Exponents beyond this are taken as this: products of derivatives stay finite.
_FARTHEST = 250.0


class WeibullExpert(LogMean, JointExpert):
    """Weibull regressions for positive targets; linear in x is the logarithm of the scale.

    Parameters
    ----------
    features : None, list of column names or indices, or transformer, default=None
        What the experts see of X; see :class:`PoissonExpert`.
    alpha : float, default=1e-4
        L2 penalty on the slopes in standardised units, per unit of sample weight.
    fit_intercept : bool, default=True
        Whether there is an intercept; see :class:`GaussianExpert`.
    shape : float, default=None
        The power k: hazards fall below 1 and rise above it; 1 is the exponential distribution.
        None estimates one of every expert, of 1000 at most.
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
    Weibull (1951), A statistical distribution function of wide applicability, Journal of Applied
    Mechanics 18. Kalbfleisch & Prentice (2002), The Statistical Analysis of Failure Time Data,
    chapter 3.

    Examples
    --------
    >>> import numpy as np
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.experts import WeibullExpert
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(800, 1))
    >>> months = np.exp(2.0 - 0.5 * x[:, 0]) * rng.weibull(1.5, 800)
    >>> moe = MoERegressor(1, expert=WeibullExpert()).fit(x, months)
    >>> round(moe.experts_[0].shape_, 1)
    1.5
    """

    name: ClassVar[str] = "weibull"
    target: ClassVar[str] = "positive"
    nuisances: ClassVar[dict[str, Any]] = {"shape": "positive"}
    floored: ClassVar[frozenset[str]] = frozenset({"shape"})
    limits: ClassVar[tuple[float, float]] = (1e-3, 1e3)
    unbounded_at: ClassVar[int | None] = 1
    record: ClassVar[type[LinearParams]] = ShapeParams

    def __init__(
        self,
        *,
        features: Any = None,
        alpha: float = 1e-4,
        fit_intercept: bool = True,
        shape: float | None = None,
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
        self.shape = shape
        self.shared = shared

    def first_value(self, summary: Summary) -> float:
        """About the shape whose mean and variance are those of y; Justus et al. (1978)."""
        mean, spread = float(summary.y_mean[0]), float(np.sqrt(summary.y_var[0]))
        return (max(spread, 1e-9) / max(mean, 1e-9)) ** -1.086

    def parts(self, eta: Floats, y: Floats, phi: Floats) -> tuple[Floats, Any]:
        """Log density; z and ``exp(z)``."""
        log_y = np.log(y)
        z = np.subtract(log_y, eta, out=empty(np.broadcast_shapes(eta.shape, y.shape)))
        z *= phi
        u = np.minimum(z, _FARTHEST, out=empty(z.shape))
        np.exp(u, out=u)
        log_prob = np.subtract(z, u, out=empty(z.shape))
        log_prob -= log_y
        log_prob += np.log(phi)
        return log_prob, (z, u)

    def first(self, eta: Floats, y: Floats, phi: Floats, work: Any) -> tuple[Floats, Floats]:
        """``k (u - 1)`` and ``1 + z (1 - u)``."""
        z, u = work
        slope = np.subtract(u, 1.0, out=empty(u.shape))
        rise = np.multiply(z, slope, out=empty(u.shape))
        np.subtract(1.0, rise, out=rise)
        slope *= phi
        return slope, rise

    def second(self, eta: Floats, y: Floats, phi: Floats, work: Any) -> tuple[Floats, ...]:
        """``- k^2 u``, ``k (u - 1 + u z)`` and ``z (1 - u - u z)``."""
        z, u = work
        mixed = np.multiply(u, z, out=empty(u.shape))
        mixed += u
        mixed -= 1.0
        rest = np.multiply(z, mixed, out=empty(u.shape))
        np.negative(rest, out=rest)
        mixed *= phi
        return -self.weights(eta, y, phi, work), mixed, rest

    def weights(self, eta: Floats, y: Floats, phi: Floats, work: Any) -> Floats:
        """Observed information, ``k^2 u``."""
        return np.multiply(work[1], phi**2, out=empty(work[1].shape))

    def from_noise(self, noise: Floats) -> Floats:
        """The shape of about this coefficient of variation, (K,)."""
        return noise**-1.086

    # -------------------------------------------------------------------- answers about y

    def mean_at(self, params: Any, eta: Floats) -> Floats:
        """``exp(eta) Gamma(1 + 1 / k)``, (K, 1, n)."""
        return np.exp(eta + gammaln(1.0 + 1.0 / params.shape[:, :, None]))

    def variance_at(self, params: Any, eta: Floats) -> Floats:
        """``exp(2 eta) (Gamma(1 + 2 / k) - Gamma(1 + 1 / k)^2)``."""
        k = params.shape[:, :, None]
        with np.errstate(over="ignore"):
            ratio = np.expm1(gammaln(1.0 + 2.0 / k) - 2.0 * gammaln(1.0 + 1.0 / k))
            return ratio * np.exp(2.0 * eta) * gamma(1.0 + 1.0 / k) ** 2

    def cdf_at(self, params: Any, eta: Floats, y: Floats) -> Floats:
        """P(Y <= y), (K, 1, n)."""
        log_y = np.log(np.maximum(y, np.finfo(float).tiny))
        z = np.minimum(params.shape[:, :, None] * (log_y - eta), _FARTHEST)
        return np.where(y > 0.0, -np.expm1(-np.exp(z)), 0.0)

    def above_at(self, params: Any, eta: Floats, y: Floats) -> Floats:
        """P(Y > y), (K, 1, n)."""
        log_y = np.log(np.maximum(y, np.finfo(float).tiny))
        z = np.minimum(params.shape[:, :, None] * (log_y - eta), _FARTHEST)
        return np.where(y > 0.0, np.exp(-np.exp(z)), 1.0)

    def quantile_at(self, params: Any, eta: Floats, q: Floats) -> Floats:
        """Quantiles, (K, 1, n)."""
        return np.exp(eta + np.log(-np.log1p(-q)) / params.shape[:, :, None])

    def sample_at(self, params: Any, eta: Floats, rng: np.random.Generator) -> Floats:
        """Weibull draws, (K, 1, n)."""
        noise = rng.standard_exponential(eta.shape)
        drawn = np.exp(eta + np.log(noise) / params.shape[:, :, None])
        return np.clip(drawn, np.finfo(float).tiny, np.finfo(float).max)

    def graph(self, graph: Any, params: Any, linear: Any) -> str:
        """The exponential of predictors moved by ``log Gamma(1 + 1 / k)``."""
        coef = params.coef.copy()
        coef[:, 0, -1] += gammaln(1.0 + 1.0 / params.shape[:, 0])
        return str(graph.node("Exp", linear(coef)))
