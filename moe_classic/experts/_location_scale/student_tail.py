"""Logarithms of Student's distribution function, far into its tail, and their derivatives in df.

::

    log T_f(-x) = G_f(s) - log(1 + x) - (f - 1)/2 log(1 + x^2 / f),   s = (k - x) / (k + x),  x >= 0

``G`` is smooth on [-1, 1], so that few Chebyshev coefficients of each expert say it for all rows:
they come from the distribution function where that is an ordinary number and from the continued
fraction of the incomplete beta function (Abramowitz & Stegun 1964, 26.5.8) beyond. The form with
``(k - x) / (k + x)`` is that of Schonfelder (1978), Chebyshev expansions for the error and related
functions, Mathematics of Computation 32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import betaln, digamma, polygamma, stdtr

from moe_classic._numerics import empty
from moe_classic._typing import Floats

#: Coefficients of each function, and the x that is in the middle.
_DEGREE, _MIDDLE = 30, 2.5
_NODES = np.cos(np.pi * (np.arange(_DEGREE) + 0.5) / _DEGREE)
#: From values at the nodes to coefficients.
_TRANSFORM = np.linalg.inv(np.polynomial.chebyshev.chebvander(_NODES, _DEGREE - 1))
#: From here on the continued fraction, with so many pairs of terms.
_FAR, _TERMS = 8.0, 30
#: From here on derivatives of the height are those of its series: differences have lost digits.
_MANY = 1000.0
#: Step in log f of the five-point rules, and these for no, one and two derivatives.
_STEP = 0.02
_RULES = np.array(
    [
        [0.0, 0.0, 1.0, 0.0, 0.0],
        np.array([1.0, -8.0, 0.0, 8.0, -1.0]) / (12.0 * _STEP),
        np.array([-1.0, 16.0, -30.0, 16.0, -1.0]) / (12.0 * _STEP**2),
    ]
)


def log_height(df: Any) -> Any:
    """Log density of Student's t at 0, without loss of digits for large df."""
    return -betaln(0.5 * df, 0.5) - 0.5 * np.log(df)


@dataclass(frozen=True)
class StudentTail:
    """Student's distribution function with degrees of freedom ``df`` (K, 1).

    Attributes
    ----------
    df : (K, 1)
    height : (K, 1)
        Log density at 0.
    coefficients : (3, _DEGREE, K, 1)
        Of G and its first two derivatives in f.
    """

    df: Floats
    height: Floats
    coefficients: Floats

    @classmethod
    def of(cls, df: Floats) -> StudentTail:
        """From degrees of freedom (K, 1)."""
        x = _MIDDLE * (1.0 - _NODES) / (1.0 + _NODES)
        f = df * np.exp(_STEP * np.arange(-2, 3))
        values = _smooth_part(f[:, :, None], x)
        # Not by a product of matrices, whose rows may differ in the last digit by their place.
        value, slope, bend = np.einsum("ij,kjd,cd->ikc", _RULES, values, _TRANSFORM)
        # From derivatives in log f to those in f.
        table = np.stack([value, slope / df, (bend - slope) / df**2])
        return cls(df, log_height(df), np.moveaxis(table, 2, 1)[..., None])

    def logs(self, m: Floats) -> TailLogs:
        """What is known at the points ``m`` (K, n)."""
        x, squares = np.abs(m, out=empty(m.shape)), np.multiply(m, m, out=empty(m.shape))
        squares /= self.df
        near = np.add(squares, 1.0, out=empty(m.shape))
        np.reciprocal(near, out=near)
        logs = np.log1p(squares, out=squares)
        s = np.add(x, _MIDDLE, out=empty(m.shape))
        np.divide(2.0 * _MIDDLE, s, out=s)
        s -= 1.0
        low = self._polynomial(0, s)
        x += 1.0
        low -= np.log(x, out=x)
        low -= np.multiply(0.5 * (self.df - 1.0), logs, out=x)
        value = np.where(m > 0.0, np.log1p(-np.exp(low)), low)
        log_pdf = np.multiply(-0.5 * (self.df + 1.0), logs, out=x)
        log_pdf += self.height
        log_pdf -= value
        return TailLogs(self, m, value, np.exp(log_pdf, out=log_pdf), low, s, near, logs)

    def _polynomial(self, order: int, s: Floats) -> Floats:
        """Clenshaw's recursion at ``s`` (K, n)."""
        table = self.coefficients[order]
        twice = np.multiply(2.0, s, out=empty(s.shape))
        here, before, work = (empty(s.shape) for _ in range(3))
        here[:], before[:] = table[-1], 0.0
        for c in table[-2:0:-1]:
            np.multiply(twice, here, out=work)
            work += c
            np.subtract(work, before, out=before)
            here, before = before, here
        np.multiply(s, here, out=here)
        here += table[0]
        return np.subtract(here, before, out=here)


@dataclass(frozen=True)
class TailLogs:
    """Logarithms at points ``m`` (K, n), and what their derivatives reuse.

    Attributes
    ----------
    value : log T_f(m)
    ratio : t_f(m) / T_f(m)
    """

    tail: StudentTail
    m: Floats
    value: Floats
    ratio: Floats
    low: Floats
    s: Floats
    near: Floats
    logs: Floats

    def df_slope(self) -> Floats:
        """First derivative of ``log T_f(m)`` in f, (K, n)."""
        slope = self._low_slope()
        return np.where(self.m > 0.0, -self._odds * slope, slope)

    def df_slopes(self) -> tuple[Floats, Floats]:
        """First and second derivatives in f."""
        df, share = self.tail.df, 1.0 - self.near
        slope, bend = self._low_slope(), self.tail._polynomial(2, self.s)
        bend += share / (2.0 * df**2) * (df + 1.0 - (df - 1.0) * self.near)
        upper, high = self.m > 0.0, -self._odds * slope
        return (
            np.where(upper, high, slope),
            np.where(upper, -self._odds * (bend + slope**2) - high**2, bend),
        )

    def _low_slope(self) -> Floats:
        """The same of ``log T_f(-|m|)``."""
        df = self.tail.df
        slope = self.tail._polynomial(1, self.s)
        slope -= 0.5 * self.logs
        slope += 0.5 * (df - 1.0) / df * (1.0 - self.near)
        return slope

    @property
    def _odds(self) -> Floats:
        """``T(-m) / T(m)`` where m > 0."""
        return np.exp(np.minimum(self.low - self.value, 0.0))

    def mixed(self) -> Floats:
        """Derivative of the ratio in f, (K, n)."""
        df = self.tail.df
        log_pdf = height_slope(df) - 0.5 * self.logs + 0.5 * (df + 1.0) / df * (1.0 - self.near)
        return self.ratio * (log_pdf - self.df_slope())

    def ratio_slope(self) -> Floats:
        """Derivative of the ratio in m, (K, n)."""
        df = self.tail.df
        return -self.ratio * ((df + 1.0) / df * self.m * self.near + self.ratio)


def _smooth_part(f: Floats, x: Floats) -> Floats:
    """G at ``x`` (d,) for degrees of freedom ``f`` (K, 5, 1): (K, 5, d)."""
    far = x > _FAR
    out = np.empty(np.broadcast_shapes(f.shape, x.shape))
    near, beyond = x[~far], x[far]
    out[..., ~far] = np.log(stdtr(f, -near)) + 0.5 * (f - 1.0) * np.log1p(near**2 / f)
    mills = np.log(beyond / f) - np.log(_fraction(f, beyond))
    out[..., far] = mills + log_height(f) - np.log1p(beyond**2 / f)
    return out + np.log1p(x)


def _fraction(f: Floats, x: Floats) -> Floats:
    """``f T_f(-x) / (x t_f(x))`` upside down, a continued fraction."""
    a, w = 0.5 * f, f / (f + x**2)
    value = np.ones(np.broadcast_shapes(f.shape, x.shape))
    for m in range(_TERMS, 0, -1):
        value = 1.0 + m * (0.5 - m) * w / ((a + 2 * m - 1.0) * (a + 2 * m)) / value
        j = m - 1
        value = 1.0 - (a + j) * (a + 0.5 + j) * w / ((a + 2 * j) * (a + 2 * j + 1.0)) / value
    return value


def height_slope(df: Any) -> Any:
    """First derivative of :func:`log_height` in df."""
    difference = 0.5 * (digamma(0.5 * (df + 1.0)) - digamma(0.5 * df) - 1.0 / df)
    return np.where(df < _MANY, difference, 0.25 / df**2 - 0.125 / df**4)


def height_bend(df: Any) -> Any:
    """Second derivative of :func:`log_height` in df."""
    halves = polygamma(1, 0.5 * (df + 1.0)) - polygamma(1, 0.5 * df)
    return np.where(df < _MANY, 0.25 * halves + 0.5 / df**2, 0.5 / df**5 - 0.5 / df**3)
