"""Gamma experts for positive targets.

::

    log p(y | x) = a log a - log Gamma(a) - log y + a (log r - r),   r = y / mu,  mu = exp(eta)

with shape ``a = 1 / dispersion``, so that the variance is ``dispersion * mu^2``. Link: logarithm.
Step: Newton's in coefficients and the logarithm of the dispersion; the coefficients do not depend
on the latter. McCullagh & Nelder (1989), Generalized Linear Models, chapter 8.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from scipy.special import digamma, gammainc, gammaincc, gammaincinv, gammaln, polygamma

from moe_classic._data import Summary
from moe_classic._numerics import empty
from moe_classic._typing import Floats
from moe_classic.experts._linear import LinearParams
from moe_classic.penalties import Penalty

from .base import LogMean
from .joint import DispersionParams, JointExpert


class GammaExpert(LogMean, JointExpert):
    """Gamma regressions for positive targets, with the logarithm as link.

    Parameters
    ----------
    features : None, list of column names or indices, or transformer, default=None
        What the experts see of X; see :class:`PoissonExpert`.
    alpha : float, default=1e-4
        L2 penalty on the slopes in standardised units, per unit of sample weight.
    fit_intercept : bool, default=True
        Whether there is an intercept; see :class:`GaussianExpert`.
    dispersion : float, default=None
        Variance over squared mean, which is one over the shape; 1 is the exponential distribution.
        None estimates one of every expert, of 1e-6 at least.
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
    McCullagh & Nelder (1989), Generalized Linear Models, chapter 8.

    Examples
    --------
    >>> import numpy as np
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.experts import GammaExpert
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(800, 1))
    >>> cost = rng.gamma(5.0, np.exp(1.0 + x[:, 0]) / 5.0)
    >>> moe = MoERegressor(1, expert=GammaExpert()).fit(x, cost)
    >>> round(moe.experts_[0].dispersion_, 1)
    0.2
    """

    name: ClassVar[str] = "gamma"
    target: ClassVar[str] = "positive"
    deviance_power: ClassVar[int | None] = 2
    nuisances: ClassVar[dict[str, Any]] = {"dispersion": "positive"}
    floored: ClassVar[frozenset[str]] = frozenset({"dispersion"})
    record: ClassVar[type[LinearParams]] = DispersionParams

    def __init__(
        self,
        *,
        features: Any = None,
        alpha: float = 1e-4,
        fit_intercept: bool = True,
        dispersion: float | None = None,
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
        self.dispersion = dispersion
        self.shared = shared

    def first_value(self, summary: Summary) -> float:
        """Variance over squared mean."""
        return float(summary.y_var[0] / max(summary.y_mean[0] ** 2, np.finfo(float).tiny))

    def parts(self, eta: Floats, y: Floats, phi: Floats) -> tuple[Floats, Any]:
        """Log density; ``r`` and ``log r - r``."""
        a, log_y = 1.0 / phi, np.log(y)
        near = np.subtract(log_y, eta, out=empty(np.broadcast_shapes(eta.shape, y.shape)))
        r = np.exp(near, out=empty(near.shape))
        near -= r
        log_prob = np.multiply(a, near, out=empty(near.shape))
        log_prob -= log_y
        log_prob += a * np.log(a) - gammaln(a)
        return log_prob, (r, near)

    def first(self, eta: Floats, y: Floats, phi: Floats, work: Any) -> tuple[Floats, Floats]:
        """``a (r - 1)`` and ``- a (log a + 1 - psi(a) + log r - r)``."""
        (r, near), a = work, 1.0 / phi
        slope = np.subtract(r, 1.0, out=empty(r.shape))
        slope *= a
        rise = np.add(near, np.log(a) + 1.0 - digamma(a), out=empty(r.shape))
        rise *= -a
        return slope, rise

    def second(self, eta: Floats, y: Floats, phi: Floats, work: Any) -> tuple[Floats, ...]:
        """``- a r``, minus the slope, and what the rise adds to ``a (1 - a psi'(a))``."""
        (r, _), a = work, 1.0 / phi
        slope, rise = self.first(eta, y, phi, work)
        bend = np.multiply(r, -a, out=empty(r.shape))
        np.negative(slope, out=slope)
        # t = log phi runs against log a.
        rise *= -1.0
        rise += a - a**2 * polygamma(1, a)
        return bend, slope, rise

    def weights(self, eta: Floats, y: Floats, phi: Floats, work: Any) -> Floats:
        """Observed information, ``a r``."""
        return np.divide(work[0], phi, out=empty(work[0].shape))

    # -------------------------------------------------------------------- answers about y

    def variance_at(self, params: Any, eta: Floats) -> Floats:
        """Dispersion times squared means."""
        return params.dispersion[:, :, None] * np.exp(2.0 * eta)

    def cdf_at(self, params: Any, eta: Floats, y: Floats) -> Floats:
        """P(Y <= y), (K, 1, n)."""
        a = 1.0 / params.dispersion[:, :, None]
        return gammainc(a, a * np.maximum(y, 0.0) * np.exp(-eta))

    def above_at(self, params: Any, eta: Floats, y: Floats) -> Floats:
        """P(Y > y), (K, 1, n)."""
        a = 1.0 / params.dispersion[:, :, None]
        return gammaincc(a, a * np.maximum(y, 0.0) * np.exp(-eta))

    def quantile_at(self, params: Any, eta: Floats, q: Floats) -> Floats:
        """Quantiles, (K, 1, n)."""
        a = 1.0 / params.dispersion[:, :, None]
        return gammaincinv(a, q) / a * np.exp(eta)

    def sample_at(self, params: Any, eta: Floats, rng: np.random.Generator) -> Floats:
        """Gamma draws, (K, 1, n)."""
        a = 1.0 / params.dispersion[:, :, None]
        drawn = rng.gamma(np.broadcast_to(a, eta.shape)) / a * np.exp(eta)
        return np.maximum(drawn, np.finfo(float).tiny)
