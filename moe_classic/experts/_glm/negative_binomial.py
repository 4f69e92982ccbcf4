"""Negative binomial experts for counts that vary more than Poisson ones.

::

    log p(y | x) = sum_{j<y} log(1 + phi j) + y eta - log y! - (y + 1 / phi) log(1 + phi mu),
    mu = exp(eta)

with variance ``mu + phi mu^2`` (NB2): Poisson counts whose rates are gamma distributed. Written so,
nothing cancels as the dispersion phi goes to 0, where the family is Poisson. Sums over j are looked
up in a table of an expert. Link: logarithm. Step: Newton's in coefficients and log phi. Cameron &
Trivedi (1986), Econometric models based on count data, Journal of Applied Econometrics 1; Hilbe
(2011), Negative Binomial Regression, chapter 8.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from scipy.special import betainc, betaincc, digamma, gammaln, polygamma

from moe_classic._components import Forward
from moe_classic._data import Design, Summary
from moe_classic._numerics import log_factorial
from moe_classic._typing import Floats
from moe_classic.experts._linear import LinearParams
from moe_classic.penalties import Penalty

from .base import LogMean
from .joint import DispersionParams, JointExpert, JointStats, known_parameter

#: Entries a row of the block, and in any case, up to which a table pays.
_ENTRIES, _ALWAYS = 4, 4096


class NegativeBinomialExpert(LogMean, JointExpert):
    """Negative binomial regressions (NB2) for over-dispersed counts, with a log link.

    Parameters
    ----------
    features : None, list of column names or indices, or transformer, default=None
        What the experts see of X; see :class:`PoissonExpert`.
    alpha : float, default=1e-4
        L2 penalty on the slopes in standardised units, per unit of sample weight.
    fit_intercept : bool, default=True
        Whether there is an intercept; see :class:`GaussianExpert`.
    dispersion : float, default=None
        The phi of the variance ``mu + phi mu^2``. None estimates one of every expert, between 1e-6,
        where the family is Poisson, and 1e6.
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
    Cameron & Trivedi (1986), Econometric models based on count data, Journal of Applied
    Econometrics 1. Hilbe (2011), Negative Binomial Regression, chapter 8.

    Examples
    --------
    >>> import numpy as np
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.experts import NegativeBinomialExpert
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(800, 1))
    >>> visits = rng.poisson(np.exp(1.0 + 0.5 * x[:, 0]) * rng.gamma(2.0, 0.5, 800))
    >>> moe = MoERegressor(1, expert=NegativeBinomialExpert()).fit(x, visits)
    >>> round(moe.experts_[0].dispersion_, 1)
    0.5
    """

    name: ClassVar[str] = "negative_binomial"
    target: ClassVar[str] = "count"
    nuisances: ClassVar[dict[str, Any]] = {"dispersion": "positive"}
    unbounded_at: ClassVar[int | None] = None
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
        """What exceeds the mean in the variance, over the squared mean."""
        mean, var = float(summary.y_mean[0]), float(summary.y_var[0])
        return max(var - mean, 0.1 * mean) / max(mean**2, np.finfo(float).tiny)

    def parts(self, eta: Floats, y: Floats, phi: Floats) -> tuple[Floats, Any]:
        """Log probability; ``mu / (1 + phi mu)`` and ``log(1 + phi mu)``."""
        log_mean = eta + np.log(phi)
        # 1 + phi mu, without overflow where eta is large.
        logs = np.logaddexp(0.0, log_mean) if eta.max(initial=0.0) > 100.0 else None
        if logs is None:
            size = np.exp(log_mean)
            logs = np.log1p(size)
            q = size / (phi * (1.0 + size))
        else:
            q = np.exp(eta - logs)
        log_prob = _sums(y, phi, 0) + y * eta
        log_prob -= log_factorial(y)
        log_prob -= (y + 1.0 / phi) * logs
        return log_prob, (q, logs)

    def first(self, eta: Floats, y: Floats, phi: Floats, work: Any) -> tuple[Floats, Floats]:
        """``(y - mu) / (1 + phi mu)``, and phi times the slope in phi."""
        q, logs = work
        slope = y * (1.0 - phi * q) - q
        return slope, phi * _sums(y, phi, 1) + logs / phi - (1.0 + phi * y) * q

    def second(self, eta: Floats, y: Floats, phi: Floats, work: Any) -> tuple[Floats, ...]:
        """``- q (1 + phi y) (1 - phi q)``, ``- phi q`` slopes, and in log phi."""
        q, logs = work
        slope, rise = self.first(eta, y, phi, work)
        bend = (1.0 + phi * y) * q * (phi * q - 1.0)
        inner = phi**2 * _sums(y, phi, 2) - 2.0 * logs / phi + 2.0 * q
        inner += (1.0 + phi * y) * phi * q**2
        return bend, -phi * q * slope, rise + inner

    # -------------------------------------------------------------------- the step

    def weights(self, eta: Floats, y: Floats, phi: Floats, work: Any) -> Floats:
        """Observed information, which is positive."""
        q, _ = work
        return (1.0 + phi * y) * q * (1.0 - phi * q)

    def statistics(
        self, params: Any, fwd: Forward, design: Design, S: Floats, grams: Floats
    ) -> JointStats:
        """Scores and curvatures; sums over j meet the rows only in sums."""
        (_, y, (q, logs)), phi = fwd.work, params.dispersion
        slope = y * (1.0 - phi * q) - q
        slope *= S
        score, mass = design.scores(slope[:, None]), S.sum(axis=1)
        if self.given is not None:
            return known_parameter(grams, score, mass)
        slope *= q
        cross = design.scores(slope[:, None]) * -phi[:, :, None]
        reached = (1.0 + phi * y) * q
        inside = np.einsum("kn,kn->k", S, reached)
        logs_sum, q_sum = np.einsum("kn,kn->k", S, logs), np.einsum("kn,kn->k", S, q)
        squares = np.einsum("kn,kn,kn->k", S, reached, q)
        flat = phi[:, 0]
        ups, bends = _weighted_sums(y, phi, S)
        first = flat * ups + logs_sum / flat - inside
        second = first + flat**2 * bends - 2.0 * logs_sum / flat + 2.0 * q_sum + flat * squares
        return JointStats(grams, score, mass, cross, first, second)

    # -------------------------------------------------------------------- answers about y

    def variance_at(self, params: Any, eta: Floats) -> Floats:
        """``mu + phi mu^2``."""
        mu = np.exp(eta)
        return mu + params.dispersion[:, :, None] * mu**2

    def cdf_at(self, params: Any, eta: Floats, y: Floats) -> Floats:
        """P(Y <= y), (K, 1, n)."""
        phi, whole = params.dispersion[:, :, None], np.floor(np.maximum(y, 0.0))
        return np.where(
            y < 0.0, 0.0, betainc(1.0 / phi, whole + 1.0, 1.0 / (1.0 + phi * np.exp(eta)))
        )

    def above_at(self, params: Any, eta: Floats, y: Floats) -> Floats:
        """P(Y > y), (K, 1, n)."""
        phi, whole = params.dispersion[:, :, None], np.floor(np.maximum(y, 0.0))
        return np.where(
            y < 0.0, 1.0, betaincc(1.0 / phi, whole + 1.0, 1.0 / (1.0 + phi * np.exp(eta)))
        )

    def sample_at(self, params: Any, eta: Floats, rng: np.random.Generator) -> Floats:
        """Poisson draws with gamma rates, (K, 1, n)."""
        r = np.broadcast_to(1.0 / params.dispersion[:, :, None], eta.shape)
        rate = np.exp(np.minimum(eta, 40.0)) * rng.gamma(r) / r
        return rng.poisson(np.minimum(rate, 1e17)).astype(np.float64)


def _terms(j: Floats, phi: Floats, order: int) -> Floats:
    """``log(1 + phi j)`` or its first or second derivative in phi."""
    if order == 0:
        return np.log1p(phi * j)
    inner = j / (1.0 + phi * j)
    return inner if order == 1 else -np.square(inner)


def _tables(most: int, phi: Floats, order: int) -> Floats:
    """Sums of the terms below 0, 1, ..., most; (K, most + 1)."""
    table = np.zeros((len(phi), most + 1))
    np.cumsum(_terms(np.arange(float(most)), phi, order), axis=1, out=table[:, 1:])
    return table


def _pays(y: Floats) -> bool:
    """Whether a table is small beside the rows."""
    return bool(y.max(initial=0.0) <= max(_ALWAYS, _ENTRIES * y.size))


def _sums(y: Floats, phi: Floats, order: int) -> Floats:
    """Sums over ``j < y`` of the terms, (K, n)."""
    if not _pays(y):
        return _closed_sums(y, phi, order)
    table, code = _tables(int(y.max(initial=0.0)), phi, order), y.astype(np.intp)
    if y.ndim == 1:
        return table.take(code, axis=1)
    return np.take_along_axis(table, np.broadcast_to(code, (len(phi), y.shape[-1])), axis=1)


def _weighted_sums(y: Floats, phi: Floats, S: Floats) -> tuple[Floats, Floats]:
    """Sums over rows of ``S`` times those of orders 1 and 2, (K,) each."""
    if not _pays(y):
        return tuple(np.einsum("kn,kn->k", S, _closed_sums(y, phi, o)) for o in (1, 2))
    code, most = y.astype(np.intp), int(y.max(initial=0.0))
    mass = np.stack([np.bincount(code, weights=row, minlength=most + 1) for row in S])
    first, second = ((mass * _tables(most, phi, o)).sum(axis=1) for o in (1, 2))
    return first, second


def _closed_sums(y: Floats, phi: Floats, order: int) -> Floats:
    """The same by gamma functions, good where y is large."""
    r = 1.0 / phi
    if order == 0:
        return gammaln(y + r) - gammaln(r) - y * np.log(r)
    slope = digamma(y + r) - digamma(r) - y / r
    if order == 1:
        return -(r**2) * slope
    bend = polygamma(1, y + r) - polygamma(1, r) + y / r**2
    return 2.0 * r**3 * slope + r**4 * bend
