"""Standard noises: symmetric distributions with location 0 and scale 1, and what is known of them.

::

    a(z) = E|e - z|        for the continuous ranked probability score

A family knows its density, distribution function, quantiles and this first term in closed form;
some are mixtures of normals, which is what pairs without an elementary form go by.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit, gammaln, ndtr, ndtri, stdtr, stdtrit

from moe_classic._typing import Floats

LOG_2PI = float(np.log(2.0 * np.pi))


def normal_pdf(z: Floats) -> Floats:
    """Standard normal density."""
    return np.exp(-0.5 * (z**2 + LOG_2PI))


def student_pdf(z: Floats, df: Any) -> Floats:
    """Student's density."""
    constant = gammaln((df + 1) / 2) - gammaln(df / 2) - 0.5 * np.log(df * np.pi)
    return np.exp(constant - 0.5 * (df + 1.0) * np.log1p(z**2 / df))


def laplace_cdf(z: Floats) -> Floats:
    """Laplace distribution function."""
    tail = 0.5 * np.exp(-np.abs(z))
    return np.where(z < 0.0, tail, 1.0 - tail)


def laplace_quantile(q: Floats) -> Floats:
    """Laplace quantiles."""
    with np.errstate(divide="ignore"):
        return np.where(q < 0.5, np.log(2.0 * q), -np.log(2.0 - 2.0 * q))


def _student_absolute(z: Floats, v: float) -> Floats:
    size = np.abs(z)
    density = student_pdf(size, v)
    return size * (1.0 - 2.0 * stdtr(v, -size)) + 2.0 * density * (v + size**2) / (v - 1.0)


def _normal_absolute(z: Floats, v: float) -> Floats:
    size = np.abs(z)
    return size * (2.0 * ndtr(size) - 1.0) + 2.0 * normal_pdf(size)


def _laplace_absolute(z: Floats, v: float) -> Floats:
    return np.abs(z) + np.exp(-np.abs(z))


def _logistic_absolute(z: Floats, v: float) -> Floats:
    return np.abs(z) + 2.0 * np.log1p(np.exp(-np.abs(z)))


@dataclass(frozen=True)
class NoiseFamily:
    """What is known of a family in closed form; every function takes z or q, then df.

    Attributes
    ----------
    name : str
    pdf, cdf, quantile, absolute : callables
    shape : gamma shape of the mixing variable of its normals as a function of df, or None
    inverse : whether that variable divides the variance (Student-t) or multiplies it (Laplace)
    """

    name: str
    pdf: Callable[..., Floats]
    cdf: Callable[..., Floats]
    quantile: Callable[..., Floats]
    absolute: Callable[[Floats, float], Floats]
    shape: Callable[[float], float] | None = None
    inverse: bool = False


GAUSSIAN = NoiseFamily(
    "gaussian",
    lambda z, df=None: normal_pdf(z),
    lambda z, df=None: ndtr(z),
    lambda q, df=None: ndtri(q),
    _normal_absolute,
)
LAPLACE = NoiseFamily(
    "laplace",
    lambda z, df=None: 0.5 * np.exp(-np.abs(z)),
    lambda z, df=None: laplace_cdf(z),
    lambda q, df=None: laplace_quantile(q),
    _laplace_absolute,
    lambda df: 1.0,
)
LOGISTIC = NoiseFamily(
    "logistic",
    lambda z, df=None: expit(z) * expit(-z),
    lambda z, df=None: expit(z),
    lambda q, df=None: np.log(q) - np.log1p(-q),
    _logistic_absolute,
)
STUDENT_T = NoiseFamily(
    "student_t",
    student_pdf,
    lambda z, df: stdtr(df, z),
    lambda q, df: stdtrit(df, q),
    _student_absolute,
    lambda df: 0.5 * df,
    inverse=True,
)
NOISES = {family.name: family for family in (GAUSSIAN, LAPLACE, LOGISTIC, STUDENT_T)}


@dataclass(frozen=True)
class Noise:
    """Noise of one expert: a family by name, a scale () or (n,), degrees of freedom."""

    family: str
    scale: Floats
    df: float = np.inf

    @property
    def known(self) -> NoiseFamily:
        """The family itself."""
        return NOISES[self.family]

    def cdf(self, z: Floats) -> Floats:
        """Distribution function with scale 1."""
        return self.known.cdf(z, self.df)

    def absolute(self, z: Floats) -> Floats:
        """E|e - z| with scale 1."""
        return self.known.absolute(z, self.df)
