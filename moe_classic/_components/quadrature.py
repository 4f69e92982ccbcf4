"""Answers about a distribution that follow from its distribution function alone.

Quantiles by bracketed inversion, moments by sums of tails, the continuous ranked probability score
as an integral. All work on many rows at once and stop after a bounded number of steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.optimize.elementwise import find_root
from scipy.special import expit

from moe_classic._typing import Floats

from .targets import TargetKind

#: A distribution function of arrays, element by element.
CDF = Callable[[Floats], Floats]

#: Doublings of a bracket: a double has no more.
_DOUBLINGS = 1100
#: Doublings after which a bracket grows faster and faster, up to this.
_PATIENT, _WIDEST = 60, 2.0**1000
#: Share of a step by which a quotient may fall short of a whole number.
_EVEN = 1e-9
#: Scales from a cut within which smooth noise is resolved, to 1e-9.
_RESOLVED = 2.0
#: Step of the double-exponential rules; 1e-7 relative where a score is 1000 times a scale.
_STEP = 0.0625
#: Tails below this are rounding.
_NO_TAIL = 1e-13
#: Share of a second moment by which the square of the first may be larger.
_ROUNDING = 1e-9
#: Values of a lattice that are added one by one, and those to either side of a median where there
#: are more.
_LONG, _NEAR = 4096, 512
#: Largest count that is told apart from infinity.
_FAR = 1e150
#: Units of a distribution in which no window need be longer.
_FARTHEST = 1e140
#: Rule for normal windows, twice the depth in nats that it reaches, and where all are alike.
_RULE, _DEPTH, _OUT = np.polynomial.legendre.leggauss(64), 92.0, 1e150


def invert(cdf: CDF, q: Floats, start: Floats, kind: TargetKind) -> Floats:
    """Quantiles: where ``cdf`` reaches ``q``, of the shape of ``start``.

    Parameters
    ----------
    cdf : callable
        Of an array of that shape.
    q : ndarray that broadcasts to it, in (0, 1)
    start : ndarray
        Points from which brackets grow.
    kind : TargetKind
        Of a discrete target the quantile is the smallest value whose ``cdf`` is at least ``q``: one
        that is attained.
    """
    q = np.broadcast_to(np.asarray(q, dtype=np.float64), start.shape)
    low, high = _bracket(cdf, q, start, kind)
    if kind.discrete:
        found = first_reaching(cdf, q, low, high, kind.step)
    else:
        found = _roots(cdf, q, low, high)
    return np.clip(found, kind.low, kind.high)


def _bracket(cdf: CDF, q: Floats, start: Floats, kind: TargetKind) -> tuple[Floats, Floats]:
    """Points below (``cdf < q``) and above (``cdf >= q``) the quantiles."""
    unit = kind.step or 1.0
    if kind.step:
        start = np.rint(start / kind.step) * kind.step
    floor = kind.low - unit if np.isfinite(kind.low) else -np.inf
    low, high = np.maximum(start - unit, floor), np.minimum(start + unit, kind.high)
    reach, growth = unit, 2.0
    for i in range(_DOUBLINGS):
        below, above = (cdf(high) < q) & (high < kind.high), (cdf(low) >= q) & (low > floor)
        if not (below.any() or above.any()):
            break
        growth = growth * 2.0 if i >= _PATIENT and reach < _WIDEST else 2.0
        reach = max(2.0 * reach, min(reach * growth, _WIDEST))
        low = np.where(above, np.maximum(start - reach, floor), low)
        high = np.where(below, np.minimum(start + reach, kind.high), high)
    return low, high


def first_reaching(cdf: CDF, q: Floats, low: Floats, high: Floats, step: float) -> Floats:
    """Smallest values at which a step function reaches ``q``: ``cdf(low) < q <= cdf(high)``.

    Bisection over the lattice of a discrete target, or, with ``step`` 0, over all numbers.
    """
    for _ in range(2 * _DOUBLINGS):
        half = 0.5 * (high - low)
        middle = low + (np.floor(half / step + _EVEN) * step if step else half)
        open_ = (middle > low) & (middle < high - 0.5 * step)
        if not open_.any():
            break
        reached = cdf(middle) >= q
        high = np.where(open_ & reached, middle, high)
        low = np.where(open_ & ~reached, middle, low)
    return high


def _roots(cdf: CDF, q: Floats, low: Floats, high: Floats) -> Floats:
    """Roots of ``cdf - q`` in brackets, by a search that never leaves them."""
    shape = low.shape
    place = np.arange(low.size)

    def excess(y: Floats, at: np.ndarray) -> Floats:
        full = low.ravel().copy()
        at = np.broadcast_to(at, y.shape)
        full[at] = y
        return (cdf(full.reshape(shape)) - q).ravel()[at]

    found = find_root(
        excess,
        (low.ravel(), high.ravel()),
        args=(place,),
        tolerances={"xatol": 0.0, "xrtol": 1e-15, "fatol": 0.0, "frtol": 0.0},
        maxiter=400,
    )
    return np.where(np.isfinite(found.x), found.x, high.ravel()).reshape(shape)


# ------------------------------------------------------------------------- moments


def moments(
    cdf: CDF, centre: Floats, unit: Floats, low: float = -np.inf, high: float = np.inf
) -> tuple[Floats, Floats]:
    """Means and variances of continuous distributions, from the sums of their tails.

    ::

        E[Y - c] = int_0^inf (1 - F(c + t)) - F(c - t) dt
        E[(Y - c)^2] = int_0^inf 2 t (1 - F(c + t) + F(c - t)) dt

    Parameters
    ----------
    cdf : callable
    centre, unit : ndarrays
        A point in the middle of each distribution, and its size.
    low, high : float
        The smallest and the largest value of y.
    """
    # A tail may end, and then with a step.
    reach = high - centre if np.isfinite(high) else unit
    nodes = _segment() if np.isfinite(high) else _half_line()
    right = _tail_sums(lambda t: 1.0 - cdf(centre + t * reach), nodes, reach)
    reach = centre - low if np.isfinite(low) else unit
    nodes = _segment() if np.isfinite(low) else _half_line()
    left = _tail_sums(lambda t: cdf(centre - t * reach), nodes, reach)
    first, second = right[0] - left[0], right[1] + left[1]
    return centre + first, _left(second, first)


def _tail_sums(
    tail: Callable[[Any], Floats], nodes: Iterable[tuple[Any, Any]], unit: Floats
) -> tuple[Floats, Floats]:
    """Integrals of a tail and of 2 t times the tail, in units whose squares may overflow."""
    first, second = np.zeros(1), np.zeros(1)
    for t, d in nodes:
        p = _tail(tail(t))
        first = first + d * p
        second = second + d * 2.0 * t * p
    with np.errstate(over="ignore"):
        return first * unit, second * unit * unit


def window_moments(
    cdf: CDF, centre: Floats, unit: Floats, low: Floats, high: Floats
) -> tuple[Floats, Floats]:
    """The same inside windows (n,), whose ends are finite for all rows or for none.

    Ends may be near or far, in units of the distribution: the rule is stretched towards them. Sums
    are taken in these units.
    """
    one = np.ones(1)
    right = _tail_sums(
        lambda t: 1.0 - cdf(centre + t * unit), _towards((high - centre) / unit), one
    )
    left = _tail_sums(lambda t: cdf(centre - t * unit), _towards((centre - low) / unit), one)
    first, second = right[0] - left[0], right[1] + left[1]
    with np.errstate(over="ignore"):
        return centre + unit * first, unit * unit * _left(second, first)


def normal_window_moments(
    centre: Floats, unit: Floats, low: Floats, high: Floats
) -> tuple[Floats, Floats]:
    """Means and variances of normal distributions inside windows, however far out those lie.

    ::

        z = c + t,   c = the highest point of the window,   p(t) ~ exp(-c t - t^2 / 2)

    by a rule of Gauss over what of the window is above 1e-20 of that height: nothing cancels.
    """
    highest = np.clip(centre, low, high)
    with np.errstate(over="ignore"):
        c = np.clip((highest - centre) / unit, -_OUT, _OUT)
        ends = [(end - highest) / unit for end in (low, high)]
    reach = _DEPTH / (np.abs(c) + np.sqrt(c * c + _DEPTH))
    # At the highest point of all both sides fall alike; at an end one of them is outside.
    a, b = np.maximum(ends[0], -reach), np.minimum(ends[1], reach)
    nodes, weights = (part.reshape(-1, *[1] * np.ndim(c)) for part in _RULE)
    t = 0.5 * (a + b) + 0.5 * (b - a) * nodes
    p = weights * np.exp(-c * t - 0.5 * t * t)
    p = p / p.sum(axis=0)
    first = (p * t).sum(axis=0)
    with np.errstate(over="ignore"):
        return highest + unit * first, unit * unit * (p * (t - first) ** 2).sum(axis=0)


def _towards(reach: Floats) -> Iterator[tuple[Any, Any]]:
    """Nodes and weights on (0, reach): tanh-sinh in ``log(1 + t)``; exp-sinh to infinity."""
    if not np.isfinite(reach).all():
        yield from _half_line()
        return
    length = np.log1p(np.minimum(reach, _FARTHEST))
    for u, d in _segment():
        yield np.expm1(u * length), d * length * np.exp(u * length)


def lattice_moments(cdf: CDF, last: Floats, kind: TargetKind) -> tuple[Floats, Floats]:
    """Means and variances of targets on a lattice that begins at ``kind.low``.

    ``last`` is the largest value that counts. Of long supports the values about the median are
    added one by one, and those far away as an integral.
    """
    if last.max(initial=0.0) > kind.low + _LONG * kind.step:
        return _long_lattice_moments(cdf, last, kind)
    first, second = np.zeros(last.shape), np.zeros(last.shape)
    for y in np.arange(kind.low, last.max(initial=0.0) + kind.step, kind.step):
        tail = _tail(1.0 - cdf(np.full(last.shape, y)))
        first += kind.step * tail
        second += kind.step * (2.0 * (y - kind.low) + kind.step) * tail
    return kind.low + first, _left(second, first)


def _long_lattice_moments(cdf: CDF, last: Floats, kind: TargetKind) -> tuple[Floats, Floats]:
    """The same about medians c, in numbers of steps.

    ::

        E[Y - c] = sum_(j >= 0) (1 - F(c + j)) - sum_(j >= 1) F(c - j)
        E[(Y - c)^2] = sum_(j >= 0) (2 j + 1) (1 - F(c + j)) + sum_(j >= 1) (2 j - 1) F(c - j)

    From the m-th term on a sum is half that term, and the integral of the terms joined by lines.
    """
    zeros = np.zeros(last.shape)
    # Means that overflow have quantiles that do.
    last = np.minimum(last, _FAR)
    low, centre, high = (
        np.minimum(invert(cdf, np.asarray(q), zeros, kind), _FAR) for q in (0.25, 0.5, 0.75)
    )
    unit = np.maximum((high - low) / kind.step, _NEAR)

    def above(j: Any) -> Floats:
        return _tail(1.0 - cdf(centre + j * kind.step))

    def below(j: Any) -> Floats:
        return _tail(cdf(centre - j * kind.step))

    first, second = zeros.copy(), zeros.copy()
    for sign, term, end in ((1.0, above, last), (-1.0, below, kind.low)):
        for j in range(sign < 0.0, _NEAR):
            first += sign * term(j)
            second += (2.0 * j + sign) * term(j)
        reach = sign * (end - centre) / kind.step - _NEAR
        for part, total in _far_sums(term, unit, reach, sign):
            first += sign * part
            second += total
    return centre + kind.step * first, kind.step**2 * _left(second, first)


def _far_sums(
    term: CDF, unit: Floats, reach: Floats, sign: float
) -> Iterator[tuple[Floats, Floats]]:
    """Parts of the sums of ``term(j)`` and ``(2 j + sign) term(j)`` over j from m to m + reach."""
    there = reach >= 0.0
    reach = np.maximum(reach, 0.0)
    for j in (np.full(unit.shape, float(_NEAR)), _NEAR + reach):
        half = np.where(there, 0.5, 0.0) * term(j)
        yield half, (2.0 * j + sign) * half
    for u, e in _towards(reach / unit):
        t, d = u * unit, e * unit
        whole = np.floor(t)
        a, b = term(_NEAR + whole), term(_NEAR + whole + 1.0)
        # The line to what is beyond the last term is that term.
        b = np.where(whole + 1.0 > reach, a, b)
        joined = np.where(there, d * (a + (t - whole) * (b - a)), 0.0)
        yield joined, (2.0 * (_NEAR + t) + sign) * joined


def _left(second: Floats, first: Floats) -> Floats:
    """Variances from moments; infinite where the rule ends before the tail does."""
    left = second - first**2
    return np.where(left < -_ROUNDING * second, np.inf, np.maximum(left, 0.0))


def _tail(p: Floats) -> Floats:
    """Probabilities of a tail, 0 where they are rounding."""
    return np.where(p > _NO_TAIL, p, 0.0)


def _half_line() -> Iterator[tuple[float, float]]:
    """Nodes and weights of the exp-sinh rule on (0, inf)."""
    u = np.arange(-4.0, 5.0 + _STEP, _STEP)
    far = np.exp(0.5 * np.pi * np.sinh(u))
    return zip(far, _STEP * 0.5 * np.pi * np.cosh(u) * far, strict=True)


def _segment() -> Iterator[tuple[float, float]]:
    """Nodes and weights of the tanh-sinh rule on (0, 1)."""
    u = np.arange(-3.3, 3.3 + _STEP, _STEP)
    v = 0.5 * np.pi * np.sinh(u)
    # Distances from the nearer end, without cancellation.
    weights = 0.25 * _STEP * np.pi * np.cosh(u) / np.cosh(v) ** 2
    return zip(expit(2.0 * v), weights, strict=True)


# ------------------------------------------------------------------------- CRPS


def crps_integral(square: CDF, cuts: Floats, unit: Floats) -> Floats:
    """``int square(t) dt`` row by row, cut at sorted points (m, n).

    Between cuts the rule is tanh-sinh, outside exp-sinh: their nodes crowd at the cuts, where
    experts with a small scale step, and reach far into heavy tails.
    """
    score = np.zeros(cuts.shape[1])
    for low, high in pairwise(cuts):
        length = high - low
        for t, d in _segment():
            score += d * length * square(low + t * length)
    for t, d in _half_line():
        score += d * unit * (square(cuts[0] - t * unit) + square(cuts[-1] + t * unit))
    return score


def few_cuts(y: Floats, location: Floats, scale: Floats) -> Floats:
    """Sorted cuts (m, n) at y, at the outermost locations (K, n) and where one stands alone.

    Nodes crowd at a cut: noise that is smooth on a scale (K, n) of half the way from the next cut
    on the left, or more, needs none of its own; that with a kink, of scale 0, does. Rows with
    fewer cuts than others repeat their last.
    """
    places = np.concatenate([location, y[None]])
    order = np.argsort(places, axis=0)
    places = np.take_along_axis(places, order, axis=0)
    smooth = np.take_along_axis(np.concatenate([scale, 0.0 * y[None]]), order, axis=0)
    last, top = places[0], places[-1]
    alone = np.ones(places.shape, dtype=bool)
    for i in range(1, len(places) - 1):
        alone[i] = places[i] - last > _RESOLVED * smooth[i]
        last = np.where(alone[i], places[i], last)
    most = int(alone.sum(axis=0).max(initial=0))
    return np.sort(np.where(alone, places, top), axis=0)[:most]


def crps_of_cdf(cdf: CDF, y: Floats, cuts: Floats, unit: Floats) -> Floats:
    """The score of any continuous distribution, ``int (F(t) - 1[t >= y])^2 dt``."""

    def square(t: Floats) -> Floats:
        value = cdf(t)
        return np.square(_tail(np.where(t < y, value, 1.0 - value)))

    return crps_integral(square, np.sort(np.concatenate([cuts, y[None]]), axis=0), unit)


def crps_on_lattice(cdf: CDF, y: Floats, first: Floats, last: Floats, step: float) -> Floats:
    """The same on a lattice, a sum from ``first`` to ``last`` and to y, row by row.

    Czado, Gneiting & Held (2009), Predictive model assessment for count data, equation 3.
    """
    low, high = np.minimum(first, y), np.maximum(last, y)
    score, t = np.zeros(y.shape), low.copy()
    for _ in range(int(np.ceil((high - low).max(initial=0.0) / step)) + 1):
        inside = t <= high
        score += np.where(inside, step * np.square(cdf(t) - (t >= y)), 0.0)
        t = t + step
    return score
