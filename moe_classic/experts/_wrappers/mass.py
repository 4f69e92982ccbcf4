"""Probabilities of intervals, and how they follow the local variables of an expert.

::

    M = P(a <= Y <= b | x),   log M with its slopes in predictors and unconstrained nuisances

Normal, lognormal and Weibull experts are a pivot ``z = (g(y) - eta) / s`` with a distribution
function G that is free of parameters: ``d log M = r_b dz_b - r_a dz_a`` with ``r = G'(z) / M``
(the inverse Mills ratios), written so that no tail cancels. For other families the logarithm of
the distribution function is differenced by a rule of fourth order, good to about 1e-9.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.special import log_ndtr

from moe_classic._components import LOG_2PI, pack_field, unpack_field
from moe_classic._typing import Floats
from moe_classic.experts._glm import LognormalExpert, WeibullExpert
from moe_classic.experts._location_scale import (
    GaussianExpert,
    StudentTExpert,
    SymmetricNoiseExpert,
)

#: Smallest probability of an interval.
_LEAST = 1e-300
#: Standardised ends beyond this count as this far: squares of them stay finite.
_FAR = 1e8
#: Step of a difference, in units of the expert's spread or of a logarithm.
_STEP = 0.02
#: Exponents beyond this are taken as this: products of derivatives stay finite.
_MOST = 250.0


#: Slopes that nobody asked for.
NONE: Floats = np.empty(0)


@dataclass(frozen=True)
class Mass:
    """Log probability of intervals (K, n), with slopes (K, J, n) and (K, J, J, n) if asked for."""

    log: Floats
    first: Floats = field(default_factory=lambda: NONE)
    second: Floats = field(default_factory=lambda: NONE)


def mass_of(
    expert: Any,
    params: Any,
    eta: Floats,
    low: Floats,
    high: Floats,
    *,
    slopes: bool,
    known: Floats | None = None,
) -> Mass:
    """``P(low <= Y <= high)`` of rows with ends (n,) or (K, n), which may be infinite.

    Parameters
    ----------
    expert : bound expert
    params : its parameters
    eta : its predictor, (K, P, n)
    slopes : whether derivatives are wanted
    known : the log probabilities, where they are there already
    """
    if hasattr(expert, "mass"):
        mass: Mass = expert.mass(params, eta, low, high, slopes=slopes)
        return mass
    pivot = _pivot_of(expert, params)
    if pivot is not None:
        return pivot.mass(eta[:, 0], low, high, slopes=slopes, known=known)
    return _differenced(expert, params, eta, low, high, slopes=slopes)


# ------------------------------------------------------------------------- pivots


@dataclass(frozen=True)
class _Noise:
    """Distribution of a pivot: log G and log (1 - G), log density, its slope."""

    log_below: Callable[[Floats], Floats]
    log_above: Callable[[Floats], Floats]
    log_density: Callable[[Floats], Floats]
    slope: Callable[[Floats], Floats]
    #: A point on whose right upper tails are the smaller ones.
    middle: float


def _minus_exp(z: Floats) -> Floats:
    """``- exp(z)``, bounded."""
    return -np.exp(np.minimum(z, _MOST))


NORMAL = _Noise(
    log_ndtr,
    lambda z: np.asarray(log_ndtr(-z), dtype=np.float64),
    lambda z: -0.5 * z**2 - 0.5 * LOG_2PI,
    lambda z: -z,
    0.0,
)
EXTREME = _Noise(
    # log(1 - exp(-e^z)), which is z - e^z / 2 far on the left.
    lambda z: np.where(
        z < -30.0, z, np.log(-np.expm1(np.minimum(_minus_exp(np.maximum(z, -30.0)), -1e-300)))
    ),
    _minus_exp,
    lambda z: z + _minus_exp(z),
    lambda z: 1.0 + _minus_exp(z),
    -0.4,
)


@dataclass(frozen=True)
class _Pivot:
    """``z = (g(y) - eta) / s`` with scales s (K, 1).

    Attributes
    ----------
    logs : whether g is the logarithm
    sign : what the logarithm of s moves by with the nuisance, 1 or -1; 0 where s is given
    """

    noise: _Noise
    scale: Floats
    logs: bool
    sign: float

    def ends(self, eta: Floats, y: Floats) -> Floats:
        """Standardised ends, (K, n); infinite where there is none."""
        with np.errstate(divide="ignore"):
            seen = np.log(np.maximum(y, 0.0)) if self.logs else y
        z = (seen - eta) / self.scale
        return np.where(np.isfinite(z), np.clip(z, -_FAR, _FAR), z)

    def mass(
        self, eta: Floats, low: Floats, high: Floats, *, slopes: bool, known: Floats | None
    ) -> Mass:
        """Log probabilities, and slopes in eta and the nuisance."""
        a, b = self.ends(eta, low), self.ends(eta, high)
        log = known
        if log is None:
            log = np.maximum(_log_between(self.noise, a, b), -1e300)
        if not slopes:
            return Mass(log)
        count = 2 if self.sign else 1
        first = np.zeros((len(a), count, a.shape[1]))
        second = np.zeros((len(a), count, count, a.shape[1]))
        for z, side in ((b, 1.0), (a, -1.0)):
            rows = np.flatnonzero(np.isfinite(z).any(axis=0))
            if rows.size:
                self._add(first, second, z[:, rows], side, log[:, rows], rows)
        second -= first[:, :, None] * first[:, None]
        return Mass(log, first, second)

    def _add(
        self, first: Floats, second: Floats, z: Floats, side: float, log: Floats, rows: Any
    ) -> None:
        """What one end adds: r z', and r (G'' / G' z' z'' + z'')."""
        end = np.isfinite(z)
        z = np.where(end, z, 0.0)
        ratio = side * np.where(
            end, np.exp(np.minimum(self.noise.log_density(z) - log, _MOST)), 0.0
        )
        bend, s = self.noise.slope(z), self.scale
        first[:, 0, rows] -= ratio / s
        second[:, 0, 0, rows] += ratio * bend / s**2
        if not self.sign:
            return
        first[:, 1, rows] -= self.sign * ratio * z
        mixed = self.sign * ratio * (bend * z + 1.0) / s
        second[:, 0, 1, rows] += mixed
        second[:, 1, 0, rows] += mixed
        second[:, 1, 1, rows] += ratio * (bend * z + 1.0) * z


def _log_between(noise: _Noise, a: Floats, b: Floats) -> Floats:
    """``log(G(b) - G(a))``, of rows that are open on one side from one tail."""
    left, right = np.isneginf(a).all(axis=0), np.isposinf(b).all(axis=0)
    if right.all():
        return noise.log_above(a)
    if left.all():
        return noise.log_below(b)
    if not (left.any() or right.any()):
        return _log_closed(noise, a, b)
    out, closed = np.empty(a.shape), ~(left | right)
    out[:, right] = noise.log_above(a[:, right])
    out[:, left] = noise.log_below(b[:, left])
    out[:, closed] = _log_closed(noise, a[:, closed], b[:, closed])
    return out


def _log_closed(noise: _Noise, a: Floats, b: Floats) -> Floats:
    """The same of rows with two ends, on the side of the smaller tail."""
    right = a > noise.middle
    near = np.where(right, noise.log_above(a), noise.log_below(b))
    far = np.where(right, noise.log_above(b), noise.log_below(a))
    gap = np.minimum(np.where(np.isneginf(far), -np.inf, far - near), -1e-16)
    # log(1 - exp(gap)), Maechler (2012).
    with np.errstate(divide="ignore"):
        rest = np.where(gap > -0.6931, np.log(-np.expm1(gap)), np.log1p(-np.exp(gap)))
    return near + rest


def _pivot_of(expert: Any, params: Any) -> _Pivot | None:
    """The pivot of an expert, if it has one."""
    if isinstance(expert, GaussianExpert):
        return _Pivot(NORMAL, params.scale, logs=False, sign=1.0)
    if isinstance(expert, LognormalExpert):
        return _Pivot(NORMAL, params.scale, logs=True, sign=float(expert.given is None))
    if isinstance(expert, WeibullExpert):
        return _Pivot(EXTREME, 1.0 / params.shape, logs=True, sign=-float(expert.given is None))
    return None


# ------------------------------------------------------------------------- any other family


def probability(expert: Any, params: Any, eta: Floats, low: Floats, high: Floats) -> Floats:
    """``P(low <= Y <= high)`` from distribution functions, (K, n), on the side of the smaller tail.

    The ends are (n,) or (K, n) and may be infinite.
    """
    low, high = np.atleast_2d(low)[:, None], np.atleast_2d(high)[:, None]
    top, bottom = np.isfinite(high), np.isfinite(low)
    b, a = np.where(top, high, 1.0), np.where(bottom, low, 1.0)
    step = expert.kind.step
    below_b = np.where(top, expert.cdf_at(params, eta, b), 1.0) if top.any() else 1.0
    below_a = np.where(bottom, expert.below_at(params, eta, a), 0.0)
    right, between = below_a > 0.5, below_b - below_a
    if not right.any():
        return np.asarray(between[:, 0])
    above_b = np.where(top, _above(expert, params, eta, b), 0.0) if top.any() else 0.0
    above_a = np.where(bottom, _above(expert, params, eta, a - step), 1.0)
    return np.where(right, above_a - above_b, between)[:, 0]


def _above(expert: Any, params: Any, eta: Floats, y: Floats) -> Floats:
    """``P(Y > y)``; of symmetric noise by reflection."""
    if isinstance(expert, (StudentTExpert, SymmetricNoiseExpert)):
        return expert.standard_cdf(params, (eta - y) / params.scale[:, :, None])
    tail: Floats = expert.above_at(params, eta, y)
    return tail


def _differenced(
    expert: Any, params: Any, eta: Floats, low: Floats, high: Floats, *, slopes: bool
) -> Mass:
    """Log probabilities, and slopes by differences."""

    def at(moves: dict[int, Floats]) -> Floats:
        moved_eta, moved_params = _moved(expert, params, eta, moves)
        mass = probability(expert, moved_params, moved_eta, low, high)
        return np.log(np.maximum(mass, _LEAST))

    middle = at({})
    if not slopes:
        return Mass(middle)
    units = _units(expert, params, eta)
    count = len(units)
    first = np.empty((len(middle), count, middle.shape[1]))
    second = np.empty((len(middle), count, count, middle.shape[1]))
    for i, h in enumerate(units):
        one, two = [[at({i: side * size * h}) for side in (1.0, -1.0)] for size in (1.0, 2.0)]
        first[:, i] = (8.0 * (one[0] - one[1]) - (two[0] - two[1])) / (12.0 * h)
        bend = 16.0 * (one[0] + one[1]) - (two[0] + two[1]) - 30.0 * middle
        second[:, i, i] = bend / (12.0 * h**2)
        for j in range(i):
            near, wide = (_mixed(at, i, j, size * h, size * units[j]) for size in (1.0, 2.0))
            second[:, i, j] = second[:, j, i] = (4.0 * near - wide) / 3.0
    return Mass(middle, first, second)


def _mixed(at: Callable[[dict[int, Floats]], Floats], i: int, j: int, h: Floats, g: Floats) -> Any:
    """The mixed difference of second order."""
    same = at({i: h, j: g}) + at({i: -h, j: -g})
    other = at({i: h, j: -g}) + at({i: -h, j: g})
    return (same - other) / (4.0 * h * g)


def _moved(expert: Any, params: Any, eta: Floats, moves: dict[int, Floats]) -> tuple[Floats, Any]:
    """Predictors and parameters with some local variables moved."""
    lines = params.coef.shape[1]
    moved_eta, moved_params = eta, params
    for i, h in moves.items():
        if i < lines:
            moved_eta = moved_eta.copy() if moved_eta is eta else moved_eta
            moved_eta[:, i] += h
            continue
        name = expert.free_nuisances(params)[i - lines]
        kind, bounds = expert.nuisances[name], expert.bounds(name)
        block = pack_field(kind, getattr(moved_params, name), bounds) + h[:1]
        moved_params = replace(moved_params, **{name: unpack_field(kind, block, bounds)})
    return moved_eta, moved_params


def _units(expert: Any, params: Any, eta: Floats) -> list[Floats]:
    """Steps of each local variable: of a predictor (K, n), of a nuisance (1, 1)."""
    mean = expert.location_at(params, eta)
    spread = np.broadcast_to(expert.spread_at(params, eta), mean.shape)
    per = (
        np.abs(expert.output_slopes(params, mean, np.ones_like(mean)))
        if expert.has("output_slopes")
        else np.ones_like(mean)
    )
    real = expert.target == "real"
    with np.errstate(divide="ignore", over="ignore"):
        size = spread / np.maximum(per, np.finfo(float).tiny)
    size = size if real else np.clip(size, 1e-4, 1.0)
    steps = [_STEP * size[:, 0]] * params.coef.shape[1]
    return steps + [np.full((1, 1), _STEP)] * len(expert.free_nuisances(params))
