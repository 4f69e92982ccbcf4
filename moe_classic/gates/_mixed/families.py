"""Exponential families of one column: what a mixed gate needs of each.

::

    log f(x | v) = natural(v) . t(x) + base(x)

with the sufficient statistics t, so that densities are one product of matrices, sums over rows are
``S @ t'``, and all derivatives in the free coordinates are those of ``natural``. The step solves
``E[t | v] = sum h t / sum h``: Jordan & Xu (1995), Convergence results for the EM approach to
mixtures of experts architectures, Neural Networks 8. Values outside the support have t = 0 and say
nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import digamma, gammaln, polygamma

from moe_classic._components import MEAN, STD, constraint_of
from moe_classic._typing import Bools, Floats

_HALF_LOG_2PI = 0.5 * float(np.log(2.0 * np.pi))
#: Smallest variance of logarithms under a gamma density: beyond, its terms cancel.
_SMALLEST_LOG_VARIANCE = 1e-8
#: Gap between the logarithm of a mean and the mean of logarithms that is told apart from rounding.
_SMALLEST_GAP = 1e-14
#: Newton steps for the shape of a gamma density: seven reach rounding from Minka's start.
_NEWTON_STEPS = 12
_SMALLEST_MEAN = 1e-150


@dataclass(frozen=True)
class Column:
    """One column as a gate describes it.

    Attributes
    ----------
    family : str
        Key of ``FAMILIES``.
    levels : tuple of float
        Values of a categorical column, in order.
    floor : float
        Smallest variance of densities, of the logarithm for gamma ones, in units of the design.
    typical : ndarray of shape (V,)
        Values of the family fitted to all rows, from which experts start.
    prior : ndarray of shape (T,)
        Statistics of a typical row for families whose values reach the end of their range, else 0.
    """

    family: str
    levels: tuple[float, ...]
    floor: float
    typical: Floats
    prior: Floats


class Family(ABC):
    """An exponential family; values (K, V), coordinates (K, J), statistics T a row.

    Attributes
    ----------
    name : key of ``FAMILIES``
    says : what its values are, in words
    kinds : what each value is called, with its constraint
    units : which values scale with the column
    discrete : whether values that vanish need a prior
    """

    name: ClassVar[str]
    says: ClassVar[str]
    kinds: ClassVar[tuple[tuple[str, str], ...]]
    units: ClassVar[tuple[bool, ...]]
    centred: ClassVar[bool] = False
    scaled: ClassVar[bool] = False
    discrete: ClassVar[bool] = False

    @abstractmethod
    def supports(self, z: Floats, levels: tuple[float, ...]) -> Bools:
        """Which values (n,) can be drawn."""

    @abstractmethod
    def terms(self, z: Floats, levels: tuple[float, ...]) -> list[Floats]:
        """Sufficient statistics of values that can be drawn, T arrays (n,)."""

    @abstractmethod
    def natural(self, v: Floats) -> Floats:
        """Natural parameters of values (K, V), (K, T)."""

    @abstractmethod
    def slopes(self, v: Floats) -> Floats:
        """Derivatives of :meth:`natural` in the coordinates, (K, J, T)."""

    @abstractmethod
    def bends(self, v: Floats) -> Floats:
        """Second derivatives, (K, J, J, T)."""

    @abstractmethod
    def fitted(self, sums: Floats, floor: float) -> Floats:
        """Values (K, V) that maximise ``natural . sums`` for sums (K, T) of positive mass."""

    def bounded(self, v: Floats, floor: float) -> Floats:
        """Values (K, V) moved to where they may lie."""
        return v

    def variances(self, v: Floats) -> Floats:
        """What floors bound: variances, of logarithms for gamma densities; (K,)."""
        return np.full(len(v), np.inf)

    def statistics(self, z: Floats, levels: tuple[float, ...]) -> Floats:
        """T (T, n), zero where a value is missing or cannot be drawn."""
        known = self.supports(z, levels)
        inside = z if known.all() else np.where(known, z, self._inside(levels))
        return np.array([np.where(known, t, 0.0) for t in self.terms(inside, levels)])

    def _inside(self, levels: tuple[float, ...]) -> float:
        """Some value that can be drawn."""
        return 1.0

    def base(self, z: Floats, levels: tuple[float, ...]) -> Floats | float:
        """What densities do not share with the values, (n,) or 0."""
        return 0.0

    def mass(self, sums: Floats) -> Floats:
        """Weight of the rows in which the column is known, (K,)."""
        return sums[:, 0]

    def width(self, levels: tuple[float, ...]) -> tuple[int, int, int]:
        """Numbers V of values, J of coordinates and T of statistics."""
        return len(self.kinds), len(self.kinds), 1 + len(self.kinds)

    def pack(self, v: Floats) -> Floats:
        """Coordinates (K, J)."""
        parts = [constraint_of(c).pack(v[:, i], None) for i, (_, c) in enumerate(self.kinds)]
        return np.column_stack(parts)

    def unpack(self, theta: Floats) -> Floats:
        """Inverse of :meth:`pack`."""
        parts = [constraint_of(c).unpack(theta[:, i], None) for i, (_, c) in enumerate(self.kinds)]
        return np.column_stack(parts)

    def value_slopes(self, v: Floats) -> Floats:
        """Derivatives (V, J) of the values (V,) of one expert in its coordinates."""
        parts = [constraint_of(c).slope(v[i : i + 1], None) for i, (_, c) in enumerate(self.kinds)]
        return np.diag([float(p[0, 0]) for p in parts])

    @abstractmethod
    def draw(self, v: Floats, levels: tuple[float, ...], rng: np.random.Generator) -> Floats:
        """A value (n,) for every row of values (n, V)."""


def _cube(entries: list[list[Floats]]) -> Floats:
    """(K, J, T) from J lists of T arrays (K,)."""
    shape = np.broadcast_shapes(*(np.shape(e) for row in entries for e in row))
    return np.array([[np.broadcast_to(e, shape) for e in row] for row in entries]).transpose(
        2, 0, 1
    )


def _hyper(entries: list[list[list[Floats]]]) -> Floats:
    """(K, J, J, T) likewise."""
    return np.stack([_cube(rows) for rows in entries], axis=1)


def _whole(z: Floats) -> Bools:
    """Which values are whole numbers from 0 on."""
    return np.isfinite(z) & (z >= 0.0) & (np.rint(z) == z)


class _Gaussian(Family):
    """Normal; t = 1, x, x^2."""

    name, says = "gaussian", "any finite numbers"
    kinds, units = ((MEAN, "real"), (STD, "positive")), (True, True)
    centred = scaled = True

    def supports(self, z: Floats, levels: tuple[float, ...]) -> Bools:
        return np.isfinite(z)

    def terms(self, z: Floats, levels: tuple[float, ...]) -> list[Floats]:
        return [np.ones(z.size), z, np.square(z)]

    def natural(self, v: Floats) -> Floats:
        m, s = v.T
        p = 1.0 / np.square(s)
        return np.stack([-0.5 * m * m * p - np.log(s) - _HALF_LOG_2PI, m * p, -0.5 * p], axis=1)

    def slopes(self, v: Floats) -> Floats:
        m, s = v.T
        p, zero = 1.0 / np.square(s), np.zeros(len(v))
        return _cube([[-m * p, p, zero], [m * m * p - 1.0, -2.0 * m * p, p]])

    def bends(self, v: Floats) -> Floats:
        m, s = v.T
        p, zero = 1.0 / np.square(s), np.zeros(len(v))
        edge = [2.0 * m * p, -2.0 * p, zero]
        return _hyper([[[-p, zero, zero], edge], [edge, [-2.0 * m * m * p, 4.0 * m * p, -2.0 * p]]])

    def fitted(self, sums: Floats, floor: float) -> Floats:
        mean = sums[:, 1] / sums[:, 0]
        variance = sums[:, 2] / sums[:, 0] - np.square(mean)
        return np.column_stack([mean, np.sqrt(np.maximum(variance, floor))])

    def bounded(self, v: Floats, floor: float) -> Floats:
        return np.column_stack([v[:, 0], np.maximum(v[:, 1], np.sqrt(floor))])

    def variances(self, v: Floats) -> Floats:
        return np.square(v[:, 1])

    def draw(self, v: Floats, levels: tuple[float, ...], rng: np.random.Generator) -> Floats:
        return rng.normal(v[:, 0], v[:, 1])


class _Bernoulli(Family):
    """Zeros and ones; t = 1, x."""

    name, says = "bernoulli", "0 and 1"
    kinds, units, discrete = (("probability", "interval"),), (False,), True

    def supports(self, z: Floats, levels: tuple[float, ...]) -> Bools:
        return (z == 0.0) | (z == 1.0)

    def terms(self, z: Floats, levels: tuple[float, ...]) -> list[Floats]:
        return [np.ones(z.size), z]

    def natural(self, v: Floats) -> Floats:
        return np.column_stack([np.log1p(-v), np.log(v) - np.log1p(-v)])

    def slopes(self, v: Floats) -> Floats:
        return _cube([[-v[:, 0], np.ones(len(v))]])

    def bends(self, v: Floats) -> Floats:
        p = v[:, 0]
        return _hyper([[[-p * (1.0 - p), np.zeros(len(v))]]])

    def fitted(self, sums: Floats, floor: float) -> Floats:
        return sums[:, 1:] / sums[:, :1]

    def draw(self, v: Floats, levels: tuple[float, ...], rng: np.random.Generator) -> Floats:
        return (rng.random(len(v)) < v[:, 0]).astype(np.float64)


class _Categorical(Family):
    """Codes of categories; t = indicators of all levels."""

    name, says = "categorical", "whole numbers that stand for categories"
    kinds, units, discrete = (("probability", "simplex"),), (False,), True

    def supports(self, z: Floats, levels: tuple[float, ...]) -> Bools:
        return np.isin(z, levels)

    def terms(self, z: Floats, levels: tuple[float, ...]) -> list[Floats]:
        return [(z == level).astype(np.float64) for level in levels]

    def _inside(self, levels: tuple[float, ...]) -> float:
        return levels[0]

    def natural(self, v: Floats) -> Floats:
        return np.log(v)

    def slopes(self, v: Floats) -> Floats:
        C = v.shape[1]
        return np.eye(C)[:-1] - v[:, :-1, None] * np.ones(C)

    def bends(self, v: Floats) -> Floats:
        p = v[:, :-1]
        spread = p[:, :, None] * np.eye(p.shape[1]) - p[:, :, None] * p[:, None, :]
        return -spread[..., None] * np.ones(v.shape[1])

    def fitted(self, sums: Floats, floor: float) -> Floats:
        return sums / sums.sum(axis=1, keepdims=True)

    def mass(self, sums: Floats) -> Floats:
        return np.asarray(sums.sum(axis=1))

    def width(self, levels: tuple[float, ...]) -> tuple[int, int, int]:
        C = len(levels)
        return C, C - 1, C

    def pack(self, v: Floats) -> Floats:
        return constraint_of("simplex").pack(v, None)

    def unpack(self, theta: Floats) -> Floats:
        return constraint_of("simplex").unpack(theta, None)

    def value_slopes(self, v: Floats) -> Floats:
        return constraint_of("simplex").slope(v, None)

    def draw(self, v: Floats, levels: tuple[float, ...], rng: np.random.Generator) -> Floats:
        below = np.cumsum(v, axis=1)
        place = (rng.random((len(v), 1)) * below[:, -1:] >= below[:, :-1]).sum(axis=1)
        return np.asarray(levels)[place]


class _Poisson(Family):
    """Counts; t = 1, x."""

    name, says = "poisson", "whole numbers >= 0"
    kinds, units, discrete = ((MEAN, "positive"),), (False,), True

    def supports(self, z: Floats, levels: tuple[float, ...]) -> Bools:
        return _whole(z)

    def terms(self, z: Floats, levels: tuple[float, ...]) -> list[Floats]:
        return [np.ones(z.size), z]

    def base(self, z: Floats, levels: tuple[float, ...]) -> Floats:
        return -gammaln(np.where(_whole(z), z, 0.0) + 1.0)

    def natural(self, v: Floats) -> Floats:
        return np.column_stack([-v, np.log(v)])

    def slopes(self, v: Floats) -> Floats:
        return _cube([[-v[:, 0], np.ones(len(v))]])

    def bends(self, v: Floats) -> Floats:
        return _hyper([[[-v[:, 0], np.zeros(len(v))]]])

    def fitted(self, sums: Floats, floor: float) -> Floats:
        return np.maximum(sums[:, 1:] / sums[:, :1], _SMALLEST_MEAN)

    def draw(self, v: Floats, levels: tuple[float, ...], rng: np.random.Generator) -> Floats:
        return rng.poisson(v[:, 0]).astype(np.float64)


class _Exponential(Family):
    """Waiting times; t = 1, x."""

    name, says = "exponential", "numbers >= 0"
    kinds, units, scaled = ((MEAN, "positive"),), (True,), True

    def supports(self, z: Floats, levels: tuple[float, ...]) -> Bools:
        return np.isfinite(z) & (z >= 0.0)

    def terms(self, z: Floats, levels: tuple[float, ...]) -> list[Floats]:
        return [np.ones(z.size), z]

    def natural(self, v: Floats) -> Floats:
        return np.column_stack([-np.log(v), -1.0 / v])

    def slopes(self, v: Floats) -> Floats:
        return _cube([[-np.ones(len(v)), 1.0 / v[:, 0]]])

    def bends(self, v: Floats) -> Floats:
        return _hyper([[[np.zeros(len(v)), -1.0 / v[:, 0]]]])

    def fitted(self, sums: Floats, floor: float) -> Floats:
        return self.bounded(sums[:, 1:] / sums[:, :1], floor)

    def bounded(self, v: Floats, floor: float) -> Floats:
        return np.maximum(v, np.sqrt(floor))

    def variances(self, v: Floats) -> Floats:
        return np.square(v[:, 0])

    def draw(self, v: Floats, levels: tuple[float, ...], rng: np.random.Generator) -> Floats:
        return rng.exponential(v[:, 0])


class _Gamma(Family):
    """Positive numbers with mean m and shape a; t = 1, x, log x."""

    name, says = "gamma", "numbers > 0"
    kinds, units, scaled = ((MEAN, "positive"), ("shape", "positive")), (True, False), True

    def supports(self, z: Floats, levels: tuple[float, ...]) -> Bools:
        return np.isfinite(z) & (z > 0.0)

    def terms(self, z: Floats, levels: tuple[float, ...]) -> list[Floats]:
        return [np.ones(z.size), z, np.log(z)]

    def natural(self, v: Floats) -> Floats:
        m, a = v.T
        return np.stack([a * np.log(a / m) - gammaln(a), -a / m, a - 1.0], axis=1)

    def slopes(self, v: Floats) -> Floats:
        m, a = v.T
        lead = a * (np.log(a / m) + 1.0 - digamma(a))
        return _cube([[-a, a / m, np.zeros(len(v))], [lead, -a / m, a]])

    def bends(self, v: Floats) -> Floats:
        m, a = v.T
        zero = np.zeros(len(v))
        edge = [-a, a / m, zero]
        lead = a * (np.log(a / m) + 1.0 - digamma(a)) + a * (1.0 - a * polygamma(1, a))
        return _hyper([[[zero, -a / m, zero], edge], [edge, [lead, -a / m, a]]])

    def fitted(self, sums: Floats, floor: float) -> Floats:
        mean = np.maximum(sums[:, 1] / sums[:, 0], _SMALLEST_MEAN)
        gap = np.maximum(np.log(mean) - sums[:, 2] / sums[:, 0], _SMALLEST_GAP)
        return self.bounded(np.column_stack([mean, _gamma_shape(gap)]), floor)

    def bounded(self, v: Floats, floor: float) -> Floats:
        most = 1.0 / max(floor, _SMALLEST_LOG_VARIANCE)
        return np.column_stack([v[:, 0], np.minimum(v[:, 1], most)])

    def variances(self, v: Floats) -> Floats:
        return 1.0 / v[:, 1]

    def draw(self, v: Floats, levels: tuple[float, ...], rng: np.random.Generator) -> Floats:
        return rng.gamma(v[:, 1], v[:, 0] / v[:, 1])


def _gamma_shape(gap: Floats) -> Floats:
    """Root a of ``log a - digamma(a) = gap``, by Newton's method in 1 / a.

    Start and step: Minka (2002), Estimating a gamma distribution, equations 8-10.
    """
    a = (3.0 - gap + np.sqrt(np.square(gap - 3.0) + 24.0 * gap)) / (12.0 * gap)
    for _ in range(_NEWTON_STEPS):
        slope = np.minimum(1.0 / a - polygamma(1, a), -0.5 / np.square(a) * (1.0 - 1e-9))
        a = 1.0 / np.maximum(
            1.0 / a + (np.log(a) - digamma(a) - gap) / (np.square(a) * slope), 0.1 / a
        )
    return a


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        _Gaussian(),
        _Bernoulli(),
        _Categorical(),
        _Poisson(),
        _Gamma(),
        _Exponential(),
    )
}
