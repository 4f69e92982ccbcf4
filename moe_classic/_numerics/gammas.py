"""Logarithms of the gamma function with their first two derivatives, and of factorials.

Arguments are moved up by eight, where what is left of Stirling's series is a short polynomial; one
product of eight factors and its derivatives serve all three functions, at a fraction of what they
take one by one. Abramowitz & Stegun (1964), Handbook of Mathematical Functions, equations 6.1.40,
6.3.18 and 6.4.12.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.special import gammaln

from moe_classic._typing import Floats

from .memory import empty

_UP = 8
_HALF_LOG_2PI = 0.5 * float(np.log(2.0 * np.pi))
#: What follows in Stirling's series, as polynomials in 1 / z^2 that interpolate at Chebyshev's
#: nodes for z >= 8, highest power first: of log Gamma times z, of digamma times z^2, of trigamma
#: times z^3. Errors are below 1e-15, with two terms less than the series needs.
_LOG = (
    *(7.726514467211638551e-4, -5.943175908563629011e-4, 7.9364571611153899e-4),
    *(-2.777777767912451838e-3, 8.333333333333025349e-2),
)
_FIRST = (
    *(6.82627523986508219e-3, -4.156728463754064839e-3, 3.968199261569387098e-3),
    *(-8.333333227140548969e-3, 8.333333333330018708e-2),
)
_SECOND = (
    *(6.689813481913303342e-2, -3.321643946829581785e-2, 2.38088817732318221e-2),
    *(-3.333333208830503665e-2, 1.666666666662781269e-1),
)
#: Factorials that are looked up in any case, and for every value asked for.
_ALWAYS, _EACH = 4096, 4


def gamma_functions(x: Floats) -> tuple[Floats, Floats, Floats]:
    """``log Gamma``, digamma and trigamma of positive numbers, from 1e-150 to 1e30."""
    log_gamma, psi, bend = (empty(x.shape) for _ in range(3))
    z, r, s, product = (empty(x.shape) for _ in range(4))
    _moved_up(x, psi, bend, product, (z, r, s))
    np.add(x, float(_UP), out=z)
    np.divide(1.0, z, out=r)
    np.square(r, out=s)
    # log Gamma(z) less the logarithm of the product.
    _polynomial(_LOG, s, log_gamma)
    log_gamma *= r
    log_gamma -= np.log(product, out=product)
    log_gamma += _HALF_LOG_2PI
    log_gamma -= z
    log_z = np.log(z, out=product)
    z -= 0.5
    log_gamma += np.multiply(z, log_z, out=z)
    # log z - (1/2 + F / z) / z, and (1 + (1/2 + G / z) / z) / z.
    rest = _polynomial(_FIRST, s, z)
    rest *= r
    rest += 0.5
    rest *= r
    psi += rest
    np.subtract(log_z, psi, out=psi)
    rest = _polynomial(_SECOND, s, z)
    for whole in (0.5, 1.0):
        rest *= r
        rest += whole
    rest *= r
    bend += rest
    return log_gamma, psi, bend


def _moved_up(
    x: Floats, first: Floats, second: Floats, product: Floats, rooms: tuple[Floats, ...]
) -> None:
    """Sums of 1 / (x + i) and of its square for i from 0 to 7, and the product of x + i.

    The terms at x + i and x + 7 - i have the product p + i (7 - i) with p = x (x + 7), so that all
    is in P = p (p + 6) (p + 10) (p + 12) and its derivatives in p: with u = p + 7 those are
    P' = 4 (u (u^2 - 21) - 16) and P'' = 12 (u^2 - 7), and the sums are P' p' / P and
    (P' p' / P)^2 - (P'' p'^2 + 2 P') / P.
    """
    p, slope, bend = rooms
    np.add(x, _UP - 1.0, out=p)
    p *= x
    np.add(p, 28.0, out=product)
    product *= p
    product += 252.0
    product *= p
    product += 720.0
    product *= p
    u = np.add(p, 7.0, out=first)
    np.square(u, out=bend)
    np.subtract(bend, 21.0, out=slope)
    slope *= u
    slope -= 16.0
    bend -= 7.0
    np.divide(8.0, product, out=first)
    slope *= first
    bend *= first
    np.add(x, 3.5, out=first)
    first *= slope
    # p'^2 = 4 p + 49.
    p *= 6.0
    p += 73.5
    bend *= p
    bend += slope
    np.square(first, out=second)
    second -= bend


def _polynomial(coefficients: tuple[float, ...], s: Floats, out: Floats) -> Floats:
    """By Horner's rule; the first coefficient is that of the highest power."""
    np.multiply(s, coefficients[0], out=out)
    for c in coefficients[1:-1]:
        out += c
        out *= s
    out += coefficients[-1]
    return out


@lru_cache(maxsize=2)
def _table(size: int) -> Floats:
    """``log y!`` for y below ``size``."""
    return gammaln(np.arange(1.0, size + 1.0))


def log_factorial(y: Floats) -> Floats:
    """``log y!`` of whole numbers >= 0: looked up, unless they are large."""
    most = float(y.max(initial=0.0))
    if most >= max(_ALWAYS, _EACH * y.size):
        return gammaln(y + 1.0)
    size = _ALWAYS if most < _ALWAYS else 2 ** int(np.ceil(np.log2(most + 1.0)))
    return _table(size).take(y.astype(np.intp))
