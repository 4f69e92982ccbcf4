"""Skew-normal experts with linear locations.

::

    log p(y | x) = log 2 - log s + log phi(z) + log Phi(lambda z),   z = (y - eta) / s,   eta = B z

Link: identity; the mean is ``eta + s delta sqrt(2 / pi)``. Step: PX-EM over a half-normal latent
variable. Lambda = 0 is a stationary point of any likelihood, an inflection: it rises to the side to
which the residuals lean by their third moment. From 0, and from close to it on the other side, a
step goes to the lambda of that moment; the solver comes back where that is not higher. Azzalini
(1985), A class of distributions which includes the normal ones, Scandinavian Journal of Statistics
12; Chamroukhi (2015), Non-normal mixtures of experts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from scipy.special import log_ndtr, ndtr, owens_t

from moe_classic._components import LOG_2PI, Forward
from moe_classic._data import Design
from moe_classic._numerics import empty
from moe_classic._typing import Floats
from moe_classic.experts._base import Expert
from moe_classic.penalties import Penalty

from .gaussian import GaussianExpert
from .skew import SkewExpert, SkewParams, SkewStats

#: Points below which the ratio of Mills is that of its asymptotic series.
_FAR = -1e3
#: Slants that count as none; those from which a step may change sides; the share of squares that a
#: line must have stopped to explain before its residuals tell to which side they lean.
_SYMMETRIC, _SMALL, _SETTLED = 1e-9, 0.5, 0.01
#: Largest skewness that such a step goes by; that of any slant is below .9953.
_MOST_SKEWNESS = 0.9
#: Standardised residuals that count as far as any: sums of cubes of larger ones may overflow.
_FARTHEST = 1e90
#: Variances of residuals that are rounding: relative to their mean square, and in units of scales.
_ROUNDED, _NONE = 1e-14, 1e-100


@dataclass(frozen=True)
class SkewNormalStats(SkewStats):
    """The same, and sums of the first three powers of residuals, (K, 3), of small slants.

    Residuals are in units of the scale: cubes of other units overflow, or vanish.
    """

    moments: Floats


class SkewNormalExpert(SkewExpert):
    """Linear regressions with skew-normal noise.

    A fit starts from that with Gaussian noise too, which is the case ``slant = 0``, and is never
    less likely. There the information matrix is singular: standard errors of a slant near 0 say
    little, and the likelihood ratio against Gaussian noise is no chi-squared variable.

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
    penalty : Penalty, default=None
        In place of ``alpha``, which then stays at its default: an object of
        :mod:`moe_classic.penalties`, under which slopes of the location may be exactly zero.

    Notes
    -----
    ``slant_`` is Azzalini's shape parameter, lambda above, between -100 and 100; ``scale_`` that of
    his density, not the standard deviation, which is
    ``scale sqrt(1 - 2 delta^2 / pi)`` with ``delta = slant / sqrt(1 + slant^2)``. Coefficients are
    those of the location: predictions add ``scale delta sqrt(2 / pi)``. Distribution functions are
    exact (Owen's T), the continuous ranked probability score is an integral over them.

    References
    ----------
    Azzalini (1985), A class of distributions which includes the normal ones, Scandinavian Journal
    of Statistics 12. Chamroukhi (2015), Non-normal mixtures of experts.

    Examples
    --------
    >>> import numpy as np
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.experts import SkewNormalExpert
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(1000, 1))
    >>> late = np.abs(rng.normal(size=1000)) + 0.3 * rng.normal(size=1000)
    >>> moe = MoERegressor(1, expert=SkewNormalExpert()).fit(x, 2.0 + x[:, 0] + late)
    >>> moe.experts_[0].slant_ > 2.0
    True
    """

    name: ClassVar[str] = "skew_normal"

    def __init__(
        self,
        *,
        features: Any = None,
        alpha: float = 0.0,
        fit_intercept: bool = True,
        min_scale: float = 1e-3,
        penalty: Penalty | None = None,
    ) -> None:
        self.features = features
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.min_scale = min_scale
        self.penalty = penalty

    # -------------------------------------------------------------------- nested fits

    def nested(self) -> tuple[Expert, ...]:
        """Gaussian noise."""
        return (GaussianExpert(**self.shared_settings()),)

    def from_nested(self, params: Any) -> SkewParams:
        """The same density, with slant 0."""
        scale = np.array(params.scale)
        return SkewParams(params.coef, scale, np.zeros_like(scale))

    # -------------------------------------------------------------------- log density

    def around(self, params: SkewParams, e: Floats) -> Forward:
        """Log density of residuals; e, z, ``lambda z`` and the ratio of Mills there."""
        z = np.divide(e[:, 0], params.scale, out=empty(e[:, 0].shape))
        m = np.multiply(z, params.slant, out=empty(z.shape))
        tail = log_ndtr(m, out=empty(z.shape))
        log_prob = np.multiply(z, z, out=empty(z.shape))
        log_prob *= -0.5
        log_prob += tail
        log_prob += np.log(2.0) - 0.5 * LOG_2PI - np.log(params.scale)
        ratio = np.multiply(m, m, out=empty(z.shape))
        ratio *= -0.5
        ratio -= tail
        ratio -= 0.5 * LOG_2PI
        far = m < _FAR
        ratio[far] = 0.0
        np.exp(ratio, out=ratio)
        # Differences of squares have lost the digits that the asymptotic series has.
        x = -m[far]
        ratio[far] = x + 1.0 / x - 2.0 / x**3
        return Forward(log_prob, None, (e, z, m, ratio))

    def latent(self, params: SkewParams, fwd: Forward) -> tuple[None, Floats]:
        """W is 1."""
        return None, fwd.work[3]

    def slopes(self, params: SkewParams, fwd: Forward) -> Sequence[Floats]:
        """``- z + lambda r`` and ``z r``."""
        _, z, _, r = fwd.work
        return params.slant * r - z, z * r

    def bends(self, params: SkewParams, fwd: Forward) -> Sequence[Sequence[Floats]]:
        """With ``r' = - r (m + r)``."""
        _, z, m, r = fwd.work
        slope, slant = -r * (m + r), params.slant
        return (slant**2 * slope - 1.0,), (r + m * slope, z**2 * slope)

    # -------------------------------------------------------------------- the step

    def statistics(
        self, params: SkewParams, fwd: Forward, design: Design, S: Floats, grams: Floats
    ) -> SkewNormalStats:
        """Sums of the joint least squares, and moments where slants are small."""
        sums = super().statistics(params, fwd, design, S, grams)
        moments = np.zeros((len(S), 3))
        for k in np.flatnonzero(np.abs(params.slant[:, 0]) <= _SMALL):
            z = np.clip(fwd.work[1][k], -_FARTHEST, _FARTHEST)
            moments[k] = [S[k] @ z, (S[k] * z) @ z, (S[k] * z) @ (z * z)]
        return SkewNormalStats(**vars(sums), moments=moments)

    def translate(self, stats: Any, old: Any, new: Any) -> Any:
        """Least-squares sums at ``old`` as they are at ``new``, moments in units of its scale."""
        units = (old.scale / new.scale) ** np.arange(1, 4)
        moved = super().translate(stats, old, new)
        return replace(moved, moments=stats.moments * units)

    def adjusted(self, params: SkewParams, stats: SkewNormalStats, new: SkewParams) -> SkewParams:
        """``new``, or with the variance of the old noise and the skewness of its residuals."""
        old, leaning = params.slant[:, 0], _skewness(stats)
        settled = np.sqrt(1.0 - _SETTLED) * params.scale < new.scale
        from_zero = np.abs(old) <= _SYMMETRIC
        crosses = (np.abs(old) <= _SMALL) & (np.sign(leaning) == -np.sign(old))
        leaves = settled & (from_zero | crosses)[:, None] & (leaning != 0.0)[:, None]
        if not (leaves.any() and self.fit_intercept):
            return new
        delta = _delta_of(leaning)[:, None]
        mean, spread = self.standard_mean(params), np.sqrt(self.standard_variance(params))
        there = replace(params, slant=delta / np.sqrt(1.0 - delta**2))
        scale = params.scale * spread / np.sqrt(self.standard_variance(there))
        coef = params.coef.copy()
        coef[:, :, -1] += params.scale * mean - scale * self.standard_mean(there)
        return SkewParams(
            np.where(leaves[:, :, None], coef, new.coef),
            np.where(leaves, scale, new.scale),
            np.where(leaves, there.slant, new.slant),
        )

    # -------------------------------------------------------------------- standard noise

    def standard_mean(self, params: SkewParams) -> Floats:
        """``delta sqrt(2 / pi)``, (K, 1)."""
        return np.sqrt(2.0 / np.pi) * params.delta

    def standard_variance(self, params: SkewParams) -> Floats:
        """``1 - 2 delta^2 / pi``, (K, 1)."""
        return 1.0 - self.standard_mean(params) ** 2

    def standard_log_pdf(self, params: SkewParams, z: Floats) -> Floats:
        """Log density of the noise with scale 1."""
        return np.log(2.0) - 0.5 * (z**2 + LOG_2PI) + log_ndtr(params.slant[:, :, None] * z)

    def standard_cdf(self, params: SkewParams, z: Floats) -> Floats:
        """``Phi(z) - 2 T(z, lambda)``, T being Owen's function."""
        below = ndtr(z) - 2.0 * owens_t(z, params.slant[:, :, None])
        return np.clip(below, 0.0, 1.0)

    def standard_sample(
        self, params: SkewParams, shape: tuple[int, ...], rng: np.random.Generator
    ) -> Floats:
        """Draws by the latent variable."""
        return self.skew_normal_sample(params, shape, rng)


def _skewness(stats: SkewNormalStats) -> Floats:
    """Skewness of residuals, (K,); 0 where they do not vary, or have not been looked at."""
    mass = np.where(stats.mass > 0.0, stats.mass, 1.0)
    mean, second, third = stats.moments.T / mass
    variance = second - mean**2
    # Not what rounding leaves of residuals that are one, or of none.
    some = variance > np.maximum(_ROUNDED * second, _NONE)
    central = third - 3.0 * mean * second + 2.0 * mean**3
    return np.where(some, central / np.where(some, variance, 1.0) ** 1.5, 0.0)


def _delta_of(skewness: Floats) -> Floats:
    """Delta of the skew-normal with this skewness; Azzalini (1985), section 2."""
    size = np.minimum(np.abs(skewness), _MOST_SKEWNESS)
    power = (2.0 * size / (4.0 - np.pi)) ** (2.0 / 3.0)
    return np.sign(skewness) * np.sqrt(0.5 * np.pi * power / (1.0 + power))
