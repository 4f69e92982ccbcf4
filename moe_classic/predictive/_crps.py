"""The continuous ranked probability score of a mixture of location-scale distributions.

::

    CRPS(F, y) = int (F(t) - 1[t >= y])^2 dt = E|Y - y| - 1/2 E|Y - Y'|
               = sum_k w_k a_k(y - m_k) - 1/2 sum_jk w_j w_k b_jk(m_j - m_k)

with ``a(z) = E|e - z|`` for the noise of one expert and ``b(m) = E|m + e_j - e_k|`` for a pair
(Gneiting & Raftery 2007, Strictly proper scoring rules, equations 20-21). ``a`` is elementary for
every family; ``b`` is elementary between Gaussian and Laplace noise in any combination. Between
Student-t noise and any of these it is a sum of normals: ``_normals``. Where some degrees of freedom
are near 1 or below, so that the two terms do not exist, what both lose alike is taken off first:
``_long_tails``. Between many Gaussian and Student-t experts the sum over pairs is taken as a series
or over neighbours where that is cheaper: ``_distance``.

Where a family is none of the above, or the scales of Student-t noise differ from row to row, the
integral of the squared difference itself is computed by double-exponential quadrature.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import erfc, erfcx

from moe_classic._components import NOISES, Noise, crps_integral, few_cuts
from moe_classic._typing import Floats

from ._distance import half_distance, worthwhile
from ._long_tails import beyond_own_size, shared_tails
from ._normals import LONG_TAILED, by_normals, folded_normal

if TYPE_CHECKING:
    from ._marginal import Marginal
    from ._mixture import Predictive

#: Families of noise that :func:`mixture_crps` knows.
FAMILIES = tuple(NOISES)
_SQRT_2 = float(np.sqrt(2.0))
#: Products of two weights up to this are none, and weights for whose noise nothing is cut.
_UNHEARD, _UNHEARD_ALONE = 1e-18, 1e-12


def mixture_crps(y: Floats, weights: Floats, location: Floats, noise: list[Noise]) -> Floats:
    """Continuous ranked probability score of every row, in the units of y; lower is better.

    Parameters
    ----------
    y : ndarray of shape (n,)
    weights, location : ndarray of shape (K, n)
    noise : list of K Noise

    Returns
    -------
    score : ndarray of shape (n,)
    """
    if any(e.family == "student_t" and e.df <= 0.5 for e in noise):
        return np.full(y.shape, np.inf)
    if not _sums_of_normals(noise):
        return _by_quadrature(y, weights, location, noise)
    if any(e.family == "student_t" and e.df < LONG_TAILED for e in noise):
        return _long_tailed(y, weights, location, noise)
    score = np.zeros(y.shape)
    done = np.zeros((len(noise), len(noise)), dtype=bool)
    series = worthwhile(weights, location, noise)
    if series is not None:
        score -= half_distance(weights, location, noise, series)
        done = series.covers(len(noise))
    for k, e in enumerate(noise):
        score += weights[k] * e.scale * e.absolute((y - location[k]) / e.scale)
        for j in np.flatnonzero(~done[k, : k + 1]):
            # Pairs j < k stand for (k, j) too.
            share = weights[j] * weights[k] * (0.5 if j == k else 1.0)
            rows = _heard(share, noise[j], e)
            if rows is not None:
                gap = (location[j] - location[k])[rows] if j < k else np.zeros(1)
                score[rows] -= share[rows] * _apart(gap, noise[j], e)
    return score


def _long_tailed(y: Floats, weights: Floats, location: Floats, noise: list[Noise]) -> Floats:
    """The same, with what each expert's own size adds to both sums taken off them."""
    score, alone = np.zeros(y.shape), shared_tails(noise)
    for k, e in enumerate(noise):
        score += weights[k] * e.scale * beyond_own_size((y - location[k]) / e.scale, e)
        for j in range(k + 1):
            share = weights[j] * weights[k] * (0.5 if j == k else 1.0)
            rows = _heard(share, noise[j], e)
            if rows is not None:
                gap = (location[j] - location[k])[rows]
                more = _apart_more(gap, noise[j], e) if j < k else 0.0
                score[rows] -= share[rows] * (alone[j, k] + more)
    return score


def _heard(share: Floats, a: Noise, b: Noise) -> Any:
    """Rows (n,) to which a pair of noises adds more than rounding; None if there are none.

    Under a gate that decides, most pairs have no row at all: the cost is that of the pairs that
    share rows, not of all.
    """
    heard = share > _UNHEARD
    count = np.count_nonzero(heard)
    if not count:
        return None
    # Noises that differ from row to row are not cut.
    whole = 2 * count > heard.size or np.ndim(a.scale) or np.ndim(b.scale)
    return slice(None) if whole else np.flatnonzero(heard)


def predictive_crps(mixture: Predictive, y: Floats) -> Floats:
    """Scores of each output at ``y`` (d, n), (d, n)."""
    return np.stack([_marginal_crps(mixture.output(j), row) for j, row in enumerate(y)])


def _marginal_crps(output: Marginal, y: Floats) -> Floats:
    """Scores of one output: closed forms where all experts have one, else an integral or sum."""
    noise = output.noise
    if noise is None:
        return output.crps(y)
    return mixture_crps(y, output.weights, output.location, noise)


def _sums_of_normals(noise: list[Noise]) -> bool:
    """Whether all pairs are elementary, or sums of normals that are the same for all rows."""
    if any(e.family == "student_t" for e in noise) and any(np.ndim(e.scale) for e in noise):
        return False
    return all(e.family == "gaussian" or e.known.shape is not None for e in noise)


# ------------------------------------------------------------------------- E|m + e_j - e_k|


def _apart(m: Floats, a: Noise, b: Noise) -> Floats:
    """E|m + a - b| for independent noises; symmetric in m and in (a, b)."""
    if a.family > b.family:
        a, b = b, a
    pair = _PAIRS.get((a.family, b.family), by_normals)
    return pair(m, a, b)


def _apart_more(m: Floats, a: Noise, b: Noise) -> Floats:
    """``E|m + a - b| - E|a - b|``."""
    if "student_t" in (a.family, b.family):
        return by_normals(m, a, b, beyond=True)
    return _apart(m, a, b) - _apart(np.zeros(1), a, b)


def _two_normals(m: Floats, a: Noise, b: Noise) -> Floats:
    """E|m + N1 - N2|."""
    return folded_normal(m, a.scale**2 + b.scale**2)


def _normal_and_laplace(m: Floats, normal: Noise, laplace: Noise) -> Floats:
    """E|m + N - L|."""
    folded = folded_normal(m, normal.scale**2)
    return folded + 2.0 * laplace.scale**2 * _normal_laplace(m, normal, laplace)


def _two_laplaces(m: Floats, a: Noise, b: Noise) -> Floats:
    """E|m + L1 - L2|."""
    return _folded_laplace_pair(np.abs(m), a.scale, b.scale)


#: Pairs with an elementary form, by the names of the families in alphabetical order.
_PAIRS: dict[tuple[str, str], Callable[[Floats, Noise, Noise], Floats]] = {
    ("gaussian", "gaussian"): _two_normals,
    ("gaussian", "laplace"): _normal_and_laplace,
    ("laplace", "laplace"): _two_laplaces,
}


def _normal_laplace(m: Floats, normal: Noise, laplace: Noise) -> Floats:
    """Density at m of the sum of the two noises.

    ``h(m) = E|m + N + L|`` solves ``h - b^2 h'' = E|m + N|`` with ``h'' = 2 density``.
    """
    s, b = normal.scale, laplace.scale
    value = np.zeros(np.shape(m))
    for sign in (-1.0, 1.0):
        x = (s / b + sign * m / s) / _SQRT_2
        # Scaled complements overflow on the left, plain ones vanish on the right.
        right = erfcx(np.maximum(x, 0.0)) * np.exp(-0.5 * (m / s) ** 2)
        exponent = np.where(x < 0.0, 0.5 * (s / b) ** 2 + sign * m / b, 0.0)
        left = erfc(np.minimum(x, 0.0)) * np.exp(exponent)
        value += np.where(x < 0.0, left, right)
    return value / (4.0 * b)


def _folded_laplace_pair(m: Floats, b1: Floats, b2: Floats) -> Floats:
    """E|m + L1 - L2| for m >= 0: m plus a divided difference of ``b^3 exp(-m / b)`` in b^2."""
    middle, gap = 0.5 * (b1 + b2), b1 - b2
    limit = 0.5 * (3.0 * middle + m) * np.exp(-m / middle)
    # Below this gap the midpoint rule is more exact than the difference.
    close = np.abs(gap) < 1e-5 * middle
    safe = np.where(close, middle, gap)
    difference = b1**3 * np.exp(-m / b1) - b2**3 * np.exp(-m / b2)
    return m + np.where(close, limit, difference / (2.0 * middle * safe))


# ------------------------------------------------------------------------- quadrature


def _by_quadrature(y: Floats, weights: Floats, location: Floats, noise: list[Noise]) -> Floats:
    """The score as an integral, cut at y and at locations."""
    scale = np.array([np.broadcast_to(e.scale, y.shape) for e in noise])
    kinked = np.array([[e.family == "laplace"] for e in noise])
    # What has no weight has nothing to resolve.
    smooth = np.where(weights > _UNHEARD_ALONE, np.where(kinked, 0.0, scale), np.inf)
    cuts = few_cuts(y, location, smooth)
    square = _squared_difference(y, weights, location, noise)
    return crps_integral(square, cuts, scale.max(axis=0))


def _squared_difference(
    y: Floats, weights: Floats, location: Floats, noise: list[Noise]
) -> Callable[[Floats], Floats]:
    """The integrand ``(F(t) - 1[t >= y])^2``; all noises are symmetric about their location."""

    def square(t: Floats) -> Floats:
        side = np.where(t < y, 1.0, -1.0)
        value = np.zeros(t.shape)
        for k, e in enumerate(noise):
            value += weights[k] * e.cdf(side * (t - location[k]) / e.scale)
        return value**2

    return square
