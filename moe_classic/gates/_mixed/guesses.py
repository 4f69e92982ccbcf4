"""The family of a column that nobody named: the likeliest, of those that could draw its values.

A family that cannot carry how a column varies ruins a gate that multiplies densities: experts then
differ by what describes that column, not by what describes y. A Poisson density of counts of mean
m and variance v loses about ``(v / m - 1 - log(v / m)) / 2`` a row against a normal one, which is
a test of their dispersion without a level to choose; a normal density of a column with long tails
loses without a bound against one of its bend.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import gammaln, ndtr, xlogy

from moe_classic._data import Bends, likeliest_bend
from moe_classic._typing import Floats

from .families import FAMILIES

#: Largest mean of whole numbers that are taken for counts: further out these look normal.
_COUNT_MEAN = 20.0
#: Gain of a normal density over Poisson's, a row, that is more than chance and would do harm.
_GAIN = 0.01
#: Smallest probability of a count, and spread.
_TINY = 1e-300


class Guess(NamedTuple):
    """A family, and middle and unit of the bend under which its values are seen; unit 0: none."""

    family: str
    middle: float = 0.0
    unit: float = 0.0


def guessed(x: Floats, w: Floats, *, bends: bool) -> Guess:
    """The family for known values of a column (n,), which may be bent or not."""
    if x.size == 0 or x.min() == x.max():
        return Guess("gaussian")
    whole = x.min() >= 0.0 and (np.rint(x) == x).all()
    if whole and x.max() <= 1.0:
        return Guess("bernoulli")
    normal = Guess("gaussian", *(likeliest_bend(x, w) if bends else (0.0, 0.0)))
    if whole:
        return Guess("poisson") if _are_counts(x, w, normal) else normal
    if x.min() > 0.0 and _gamma_height(x, w) > _normal_height(x, w, normal):
        return Guess("gamma")
    return normal


def _are_counts(x: Floats, w: Floats, normal: Guess) -> bool:
    """Whether no normal density is likelier for whole numbers (n,) than a Poisson one."""
    mean = float(w @ x / w.sum())
    if mean > _COUNT_MEAN:
        return False
    values, place = np.unique(x, return_inverse=True)
    mass = np.bincount(place, weights=w).astype(np.float64, copy=False)
    ends = _bent(values[:, None] + [-0.5, 0.0, 0.5], normal)
    centre, spread = moments(ends[:, 1], mass)
    # Probabilities of intervals, of the tail on their side of the mean.
    low, high = ((ends[:, [0, 2]] - centre) / spread).T
    flip = low > 0.0
    low, high = np.where(flip, -high, low), np.where(flip, -low, high)
    intervals = np.log(np.maximum(ndtr(high) - ndtr(low), _TINY))
    counts = xlogy(values, mean) - mean - gammaln(values + 1.0)
    return bool(mass @ (intervals - counts) <= _GAIN * mass.sum())


def _gamma_height(x: Floats, w: Floats) -> float:
    """Mean log-likelihood of the best gamma density for positive values."""
    family, unit = FAMILIES["gamma"], float(w @ x / w.sum())
    sums = (family.statistics(x / unit, ()) @ w / w.sum())[None]
    return float((family.natural(family.fitted(sums, 1e-10)) * sums).sum() - np.log(unit))


def _normal_height(x: Floats, w: Floats, normal: Guess) -> float:
    """The same of the best normal density of values that may be bent."""
    _, spread = moments(_bent(x, normal), w)
    height = -float(np.log(max(spread, _TINY))) - 0.5 * float(np.log(2.0 * np.pi) + 1.0)
    if not normal.unit:
        return height
    return height - float(w @ np.log(np.hypot(normal.unit, x - normal.middle)) / w.sum())


def _bent(x: Floats, normal: Guess) -> Floats:
    """Values as a normal density sees them."""
    return np.arcsinh((x - normal.middle) / normal.unit) if normal.unit else x


def moments(x: Floats, w: Floats) -> tuple[float, float]:
    """Weighted mean and standard deviation."""
    mean = float(w @ x / w.sum())
    return mean, float(np.sqrt(w @ np.square(x - mean) / w.sum()))


def bends_of(guesses: list[Guess]) -> Bends | None:
    """Bends of all columns; None where none is bent."""
    if not any(guess.unit for guess in guesses):
        return None
    return Bends(*(np.array(v) for v in zip(*((g.middle, g.unit) for g in guesses), strict=True)))
