"""Inverse Gaussian experts for positive targets with heavy right tails.

::

    log p(y | x) = (log l - log 2 pi - 3 log y - l D) / 2,
    D = (y - mu)^2 / (mu^2 y),   mu = exp(eta)

with ``l = 1 / dispersion``, so that the variance is ``dispersion * mu^3``. Link: logarithm. Step: a
scoring step in the coefficients whose weights are more than half the curvature, Newton's in the
logarithm of the dispersion. Tweedie (1957), Statistical properties of inverse Gaussian
distributions, Annals of Mathematical Statistics 28.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from scipy.special import erfcx, log_ndtr, ndtr

from moe_classic._components import LOG_2PI, TARGETS, invert
from moe_classic._data import Summary
from moe_classic._typing import Floats
from moe_classic.experts._linear import LinearParams
from moe_classic.penalties import Penalty

from .base import LogMean
from .joint import DispersionParams, JointExpert

#: Largest y, and inverse of the smallest.
_EXTENT = 1e30
#: Logarithm of the most means that y is taken for.
_MOST_MEANS = 300.0


class InverseGaussianExpert(LogMean, JointExpert):
    """Inverse Gaussian regressions for positive targets, with the logarithm as link.

    Parameters
    ----------
    features : None, list of column names or indices, or transformer, default=None
        What the experts see of X; see :class:`PoissonExpert`.
    alpha : float, default=1e-4
        L2 penalty on the slopes in standardised units, per unit of sample weight.
    fit_intercept : bool, default=True
        Whether there is an intercept; see :class:`GaussianExpert`.
    dispersion : float, default=None
        Variance over the third power of the mean, in units of 1 / y. None estimates one of every
        expert, of 1e-6 over the mean of y at least.
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
    Tweedie (1957), Statistical properties of inverse Gaussian distributions, Annals of
    Mathematical Statistics 28. McCullagh & Nelder (1989), Generalized Linear Models, chapter 8.

    Examples
    --------
    >>> import numpy as np
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.experts import InverseGaussianExpert
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(800, 1))
    >>> cost = rng.wald(np.exp(1.0 + 0.5 * x[:, 0]), 5.0)
    >>> moe = MoERegressor(1, expert=InverseGaussianExpert()).fit(x, cost)
    >>> round(moe.experts_[0].dispersion_, 1)
    0.2
    """

    name: ClassVar[str] = "inverse_gaussian"
    target: ClassVar[str] = "positive"
    deviance_power: ClassVar[int | None] = 3
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

    def check_target(self, y: np.ndarray, *, rows: Any = None) -> None:
        """Raise for impossible values, and for those whose squares over each other overflow."""
        super().check_target(y, rows=rows)
        wrong = np.flatnonzero((y[0] < 1.0 / _EXTENT) | (y[0] > _EXTENT))
        if wrong.size:
            row = wrong[0] if rows is None else rows[wrong[0]]
            raise ValueError(
                f"{type(self).__name__} works in the units of y, within [{1.0 / _EXTENT:g}, "
                f"{_EXTENT:g}]; y has {y[0, wrong[0]]:g} in row {row}. Divide y by a constant, or "
                "use LognormalExpert."
            )

    def first_value(self, summary: Summary) -> float:
        """Variance over the third power of the mean."""
        return float(summary.y_var[0] / max(summary.y_mean[0] ** 3, np.finfo(float).tiny))

    def bounds_of(self, summary: Summary) -> tuple[float, float]:
        """Limits for y in units of its mean."""
        mean, (low, high) = float(summary.y_mean[0]), self.limits
        unit = mean if mean > 0.0 else 1.0
        return low / unit, high / unit

    def parts(self, eta: Floats, y: Floats, phi: Floats) -> tuple[Floats, Any]:
        """Log density; ``1 / mu``, ``y / mu`` and D."""
        inverse = np.exp(-eta)
        r = y * inverse
        D = np.square(r - 1.0) / y
        return 0.5 * (-np.log(phi) - LOG_2PI - 3.0 * np.log(y) - D / phi), (inverse, r, D)

    def first(self, eta: Floats, y: Floats, phi: Floats, work: Any) -> tuple[Floats, Floats]:
        """``l (r - 1) / mu`` and ``(l D - 1) / 2``."""
        inverse, r, D = work
        return (r - 1.0) * inverse / phi, 0.5 * (D / phi - 1.0)

    def second(self, eta: Floats, y: Floats, phi: Floats, work: Any) -> tuple[Floats, ...]:
        """``- l (2 r - 1) / mu``, minus the slope, ``- l D / 2``."""
        inverse, r, D = work
        bend = (1.0 - 2.0 * r) * inverse / phi
        return bend, (1.0 - r) * inverse / phi, -0.5 * D / phi

    def weights(self, eta: Floats, y: Floats, phi: Floats, work: Any) -> Floats:
        """``l max(1, r) / mu``: more than half the observed information ``l (2 r - 1) / mu``.

        That may be negative; its mean ``l / mu`` may be less than half of it where y exceeds its
        mean, and steps then swing from side to side for ever.
        """
        inverse, r, _ = work
        weights: Floats = np.maximum(r, 1.0) * inverse / phi
        return weights

    # -------------------------------------------------------------------- answers about y

    def variance_at(self, params: Any, eta: Floats) -> Floats:
        """Dispersion times the third power of means."""
        return params.dispersion[:, :, None] * np.exp(3.0 * eta)

    def cdf_at(self, params: Any, eta: Floats, y: Floats) -> Floats:
        """P(Y <= y), (K, 1, n); Shuster (1968)."""
        gap, log_second = self._both_terms(params, eta, y)
        return np.where(y > 0.0, np.minimum(ndtr(gap) + np.exp(log_second), 1.0), 0.0)

    def above_at(self, params: Any, eta: Floats, y: Floats) -> Floats:
        """P(Y > y), (K, 1, n): small ones to their last digits."""
        gap, log_second = self._both_terms(params, eta, y)
        log_first = log_ndtr(-gap)
        tail = np.exp(log_first) * -np.expm1(np.minimum(log_second - log_first, 0.0))
        return np.where(y > 0.0, tail, 1.0)

    def _both_terms(self, params: Any, eta: Floats, y: Floats) -> tuple[Floats, Floats]:
        """P(Y <= y) is Phi(gap) and a second term, of which this is the logarithm.

        With ``l = 1 / phi`` and ``z = sqrt(l / y) (y / mu + 1)`` the second term,
        ``exp(2 l / mu) Phi(-z)``, is ``erfcx(z / sqrt 2) exp(-(l / y) (y / mu - 1)^2 / 2) / 2``,
        whose factors do not overflow.
        """
        phi, at = params.dispersion[:, :, None], np.where(y > 0.0, y, 1.0)
        r = np.exp(np.minimum(np.log(at) - eta, _MOST_MEANS))
        with np.errstate(over="ignore", divide="ignore"):
            root = 1.0 / np.sqrt(phi * at)
            z, gap = root * (r + 1.0), root * (r - 1.0)
            return gap, np.log(0.5 * erfcx(z / np.sqrt(2.0))) - 0.5 * gap**2

    def quantile_at(self, params: Any, eta: Floats, q: Floats) -> Floats:
        """Quantiles, (K, 1, n): logarithms of y are searched for, from that of the mean."""
        found = invert(
            lambda t: self.cdf_at(params, eta, np.exp(np.minimum(t, 700.0))),
            q,
            eta,
            TARGETS["real"],
        )
        return np.exp(found)

    def sample_at(self, params: Any, eta: Floats, rng: np.random.Generator) -> Floats:
        """Inverse Gaussian draws, (K, 1, n); Michael, Schucany & Haas (1976).

        The smaller root is written without a difference: NumPy's ``wald`` loses it to
        cancellation where the mean is far above the inverse of the dispersion.
        """
        mu = np.exp(np.clip(eta, -300.0, 300.0))
        a = 0.5 * mu * params.dispersion[:, :, None] * np.square(rng.standard_normal(eta.shape))
        smaller = 1.0 / (1.0 + a + np.sqrt(a * (2.0 + a)))
        inverse = rng.uniform(size=eta.shape) * (1.0 + smaller) > 1.0
        return mu * np.where(inverse, 1.0 / smaller, smaller)
