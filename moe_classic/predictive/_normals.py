"""Mean distances between long-tailed noises, through sums of normals.

Student-t noise is a scale mixture of normals, ``e = s N / sqrt(G)`` with G gamma distributed, and
Laplace noise one with an exponential variance. The trapezoidal rule in the log of the mixing
variable makes a short sum of normals of it; ``E|m + a - b|``, a smooth function of one variable
that is the same for all rows, is interpolated at Chebyshev points.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from scipy.special import ndtr

from moe_classic._components import NOISES, Noise, normal_pdf
from moe_classic._typing import Floats

#: Degrees of freedom below which means of sizes are infinite, or so large that they cancel.
LONG_TAILED = 1.2
#: Share of a sum of normals that is rounding.
_NO_PART = 1e-15
#: Points, in degrees of a series, up to which normals are added up at each.
_FEW = 3
#: Step of a grid of logarithms of variances, and how many of it share a normal.
_GRID, _NEAR = 0.25, 10
_MIDDLE = 0.5 * (_NEAR - 1)
#: Twice the normal density at 0.
_TWICE_PEAK = float(np.sqrt(2.0 / np.pi))
#: Coefficients of Lagrange's polynomials on that many points about their middle, a column each.
_LAGRANGE = np.linalg.inv(np.vander(np.arange(_NEAR) - _MIDDLE, _NEAR, increasing=True))


def folded_normal(m: Floats, variance: Floats) -> Floats:
    """E|m + s N|."""
    s = np.sqrt(variance)
    z = np.abs(m) / s
    return s * (z * (1.0 - 2.0 * ndtr(-z)) + 2.0 * normal_pdf(z))


def _more_than_at_0(m: Floats, variance: Floats) -> Floats:
    """``E|m + s N| - E|s N|``."""
    s = np.sqrt(variance)
    z = np.abs(m) / s
    return s * (z * (1.0 - 2.0 * ndtr(-z)) + _TWICE_PEAK * np.expm1(-0.5 * z**2))


def by_normals(m: Floats, a: Noise, b: Noise, *, beyond: bool = False) -> Floats:
    """E|m + a - b| for constant scales, through sums of normals.

    With ``beyond``, what that is more than E|a - b|, which is finite for every tail.
    """
    weight_a, variance_a = _normal_mixture(a)
    weight_b, variance_b = _normal_mixture(b)
    weight = np.outer(weight_a, weight_b).ravel()
    variance = np.add.outer(variance_a, variance_b).ravel()
    # A normal adds its weight times its deviation: what is below rounding in all is left out.
    # Where the mean is not asked for, that is what it adds within reach.
    deviation, far = np.sqrt(variance), float(np.abs(m).max(initial=0.0)) + a.scale + b.scale
    part = weight * (far / (far + deviation) if beyond else deviation)
    keep = part > _NO_PART / part.size * part.sum()
    weight, variance = _grouped(weight[keep], variance[keep])
    unit = float(a.scale + b.scale)

    folded = _more_than_at_0 if beyond else folded_normal

    def exact(size: Floats) -> Floats:
        return weight @ folded(size[None, :], variance[:, None])

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
    # A normal counts by its weight times its standard deviation, at most exp(-log_g / 2); by its
    # weight over that where means are infinite or nearly so, and only differences are asked for.
    spread = np.maximum(-0.5 * log_g, 0.0)
    long = NOISES[name].inverse and half < LONG_TAILED / 2.0
    keep = log_weight > spread - 60.0 if long else log_weight + spread > -45.0
    weight = np.exp(log_weight)
    weight, g = weight[keep] / weight.sum(), np.exp(log_g[keep])
    if NOISES[name].inverse:
        return weight, 1.0 / g
    return weight, 2.0 * g
