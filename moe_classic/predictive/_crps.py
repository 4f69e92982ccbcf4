"""The continuous ranked probability score of a mixture of location-scale distributions.

::

    CRPS(F, y) = int (F(t) - 1[t >= y])^2 dt = E|Y - y| - 1/2 E|Y - Y'|
               = sum_k w_k a_k(y - m_k) - 1/2 sum_jk w_j w_k b_jk(m_j - m_k)

with ``a(z) = E|e - z|`` for the noise of one expert and ``b(m) = E|m + e_j - e_k|`` for a pair
(Gneiting & Raftery 2007, Strictly proper scoring rules, equations 20-21). ``a`` is elementary for
every family; ``b`` is elementary between Gaussian and Laplace noise in any combination. Student-t
noise is a scale mixture of normals, ``e = s N / sqrt(G)`` with G gamma distributed; the trapezoidal
rule in log G turns it into a short sum of normals, and ``b``, a smooth function of one variable
that is the same for all rows, is interpolated at Chebyshev points. Between many Gaussian and
Student-t experts the sum over pairs is taken as a series or over neighbours where that is cheaper:
``_distance``.

Where the two terms do not exist (Student-t with ``df`` near 1 or below) or a family is none of the
above, the integral of the squared difference itself is computed by double-exponential quadrature.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import erfc, erfcx, ndtr

from moe_classic._components import NOISES, Noise, crps_integral, normal_pdf
from moe_classic._typing import Floats

from ._distance import half_distance, worthwhile

if TYPE_CHECKING:
    from ._marginal import Marginal
    from ._mixture import Predictive

#: Families of noise that :func:`mixture_crps` knows.
FAMILIES = tuple(NOISES)
#: Student-t noise with fewer degrees of freedom goes by quadrature: E|e| is not finite at 1, and
#: close above it the two terms cancel.
_SMALLEST_DF = 1.2
_SQRT_2 = float(np.sqrt(2.0))
#: Share of a sum of normals that is rounding.
_NO_PART = 1e-15
#: Products of two weights up to this are none.
_UNHEARD = 1e-18
#: Points, in degrees of a series, up to which normals are added up at each.
_FEW = 3
#: Step of a grid of logarithms of variances, and how many of it share a normal.
_GRID, _NEAR = 0.25, 10
_MIDDLE = 0.5 * (_NEAR - 1)
#: Coefficients of Lagrange's polynomials on that many points about their middle, a column each.
_LAGRANGE = np.linalg.inv(np.vander(np.arange(_NEAR) - _MIDDLE, _NEAR, increasing=True))


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
    students = [e for e in noise if e.family == "student_t"]
    if students and any(np.ndim(e.scale) for e in noise):
        return False
    known = all(e.family == "gaussian" or e.known.shape is not None for e in noise)
    return known and all(e.df >= _SMALLEST_DF for e in students)


# ------------------------------------------------------------------------- E|m + e_j - e_k|


def _apart(m: Floats, a: Noise, b: Noise) -> Floats:
    """E|m + a - b| for independent noises; symmetric in m and in (a, b)."""
    if a.family > b.family:
        a, b = b, a
    pair = _PAIRS.get((a.family, b.family), _by_normals)
    return pair(m, a, b)


def _two_normals(m: Floats, a: Noise, b: Noise) -> Floats:
    """E|m + N1 - N2|."""
    return _folded_normal(m, a.scale**2 + b.scale**2)


def _normal_and_laplace(m: Floats, normal: Noise, laplace: Noise) -> Floats:
    """E|m + N - L|."""
    folded = _folded_normal(m, normal.scale**2)
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


def _folded_normal(m: Floats, variance: Floats) -> Floats:
    """E|m + s N|."""
    s = np.sqrt(variance)
    z = np.abs(m) / s
    return s * (z * (1.0 - 2.0 * ndtr(-z)) + 2.0 * normal_pdf(z))


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


def _by_normals(m: Floats, a: Noise, b: Noise) -> Floats:
    """E|m + a - b| for constant scales, through sums of normals."""
    weight_a, variance_a = _normal_mixture(a)
    weight_b, variance_b = _normal_mixture(b)
    weight = np.outer(weight_a, weight_b).ravel()
    variance = np.add.outer(variance_a, variance_b).ravel()
    # A normal adds its weight times its deviation: what is below rounding in all is left out.
    part = weight * np.sqrt(variance)
    keep = part > _NO_PART / part.size * part.sum()
    weight, variance = _grouped(weight[keep], variance[keep])
    unit = float(a.scale + b.scale)

    def exact(size: Floats) -> Floats:
        return weight @ _folded_normal(size[None, :], variance[:, None])

    size = np.abs(m)
    reach = max(float(np.arcsinh(size.max() / unit)), 1e-8)
    # The function of u = asinh(m / unit) is analytic for |Im u| < pi / 2: degree for 1e-13.
    degree = int(np.ceil(15.0 / np.arcsinh(np.pi / (2.0 * reach)))) + 4
    # A series takes as long as normals at a few times as many points.
    if size.size <= _FEW * degree:
        return exact(size)
    points, transform = _chebyshev(degree)
    u = reach * np.sqrt(0.5 * (points + 1.0))
    series: Any = transform @ (exact(unit * np.sinh(u)) / np.cosh(u))
    u = np.arcsinh(size / unit)
    x = 2.0 * (u / reach) ** 2 - 1.0
    return np.polynomial.chebyshev.chebval(x, series) * np.sqrt(1.0 + (size / unit) ** 2)


@lru_cache(maxsize=64)
def _chebyshev(degree: int) -> tuple[Floats, Floats]:
    """Chebyshev's points (degree + 1), and what makes coefficients of the values there."""
    order = np.arange(degree + 1)
    angles = np.pi * (order + 0.5) / (degree + 1)
    transform = 2.0 / (degree + 1) * np.cos(order[:, None] * angles)
    transform[0] *= 0.5
    return np.cos(angles), transform


def _grouped(weight: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """The same normals, carried to a grid of variances by local interpolation.

    ``E|m + s N|`` is smooth in log s^2, and for 0 variance beside m it does not change at all:
    polynomials of degree 9 on steps of 0.25 carry a normal to ten of the grid within 1e-13.
    """
    place = np.log(variance) / _GRID
    first = np.floor(place).astype(np.intp) - _NEAR // 2 + 1
    low = int(first.min())
    nodes = np.zeros(int(first.max()) - low + _NEAR)
    if variance.size <= nodes.size:
        return weight, variance
    shares = weight * (_LAGRANGE.T @ _powers(place - first - _MIDDLE))
    first -= low
    for i, share in enumerate(shares):
        nodes += np.bincount(first + i, share, minlength=nodes.size)
    return nodes, np.exp(_GRID * (low + np.arange(nodes.size)))


def _powers(x: Floats) -> Floats:
    """Powers from 0 on, (_NEAR, n)."""
    out = np.ones((_NEAR, x.size))
    for i in range(1, _NEAR):
        np.multiply(out[i - 1], x, out=out[i])
    return out


def _normal_mixture(e: Noise) -> tuple[Floats, Floats]:
    """Weights and variances of normals whose mixture is the noise.

    Student-t noise has precision G / s^2 with ``G ~ Gamma(v / 2, v / 2)``, Laplace noise variance
    ``2 b^2 E`` with E exponential. Both densities are smooth in the logarithm and fall double
    exponentially on the right; the substitution ``u - exp(-u - 6)`` makes them do so on the left.
    Step 0.25 in units of the width leaves an error of 1e-9 at df = 1.5, 1e-12 above df = 3.
    """
    if e.known.shape is None:
        return np.ones(1), np.atleast_1d(e.scale**2)
    weight, variance = _unit_mixture(e.family, float(e.known.shape(e.df)))
    return weight, e.scale**2 * variance


@lru_cache(maxsize=256)
def _unit_mixture(name: str, half: float) -> tuple[Floats, Floats]:
    """The same for scale 1 and half the degrees of freedom, or what stands for them."""
    width = min(1.0, 1.0 / np.sqrt(half))
    u = np.arange(-15.0, 6.0, 0.25)
    bend = np.exp(-u - 6.0)
    log_g = width * (u - bend)
    log_weight = half * (log_g - np.exp(log_g)) + np.log1p(bend)
    log_weight -= log_weight.max()
    # A normal counts by its weight times its standard deviation, at most exp(-log_g / 2).
    keep = log_weight + np.maximum(-0.5 * log_g, 0.0) > -45.0
    weight, g = np.exp(log_weight[keep]), np.exp(log_g[keep])
    weight /= weight.sum()
    if NOISES[name].inverse:
        return weight, 1.0 / g
    return weight, 2.0 * g


# ------------------------------------------------------------------------- quadrature


def _by_quadrature(y: Floats, weights: Floats, location: Floats, noise: list[Noise]) -> Floats:
    """The score as an integral, cut at y and at every location."""
    cuts = np.sort(np.concatenate([location, y[None]]), axis=0)
    unit = np.max([np.broadcast_to(e.scale, y.shape) for e in noise], axis=0)
    return crps_integral(_squared_difference(y, weights, location, noise), cuts, unit)


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
