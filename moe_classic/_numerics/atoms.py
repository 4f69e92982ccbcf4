"""Columns whose values repeat: how close a density may look before it sees single values.

A normal density that shrinks on to a value that repeats has no end to its likelihood. Values that
are h apart stand for intervals of that width, of variance ``h^2 / 12`` within (Sheppard 1898), and
that much every density must have.

For single indicators that is enough: densities of their own for 0 and 1 raise a mean log-likelihood
by ``log(p (1 - p) / f) / 2``, with f the least variance, and cost the entropy of p, so that they
gain nothing from f = 1 / 16 on. Levels of one category are further apart than their indicators
say: 0 and 1 of an indicator and its complement by the square root of 2, which takes 1 / 8.
"""

from __future__ import annotations

import numpy as np

from moe_classic._typing import Floats

#: Repeated values that are looked at, the heaviest.
_MOST = 200


def atom_variance(x: Floats, w: Floats) -> float:
    """Variance about the repeated values of ``x`` (m,) that densities must have; 0: none.

    The distance h from a value is that of the nearest other rows, as many as there are at it:
    one step for counts, rounded values and indicators, into the continuous part for columns with
    many zeros. Each value counts by its weight.
    """
    values, place, counts = np.unique(x, return_inverse=True, return_counts=True)
    mass = np.bincount(place, weights=w).astype(np.float64, copy=False)
    atoms = np.flatnonzero(counts > 1)
    if values.size < 2 or not atoms.size:
        return 0.0
    heaviest = atoms[np.argsort(-mass[atoms], kind="stable")[:_MOST]]
    squares = [mass[a] * _square_beside(values, mass, a) for a in heaviest]
    return float(np.sum(squares) / (12.0 * w.sum()))


def _square_beside(values: Floats, mass: Floats, a: int) -> float:
    """Mean square of the distance from value number ``a`` to as much weight as is on it."""
    square = np.square(values - values[a])
    order = np.argsort(square, kind="stable")[1:]
    before = np.cumsum(mass[order]) - mass[order]
    taken = np.clip(mass[a] - before, 0.0, mass[order])
    return float(taken @ square[order] / taken.sum())


def indicator_variances(Z: Floats, w: Floats) -> Floats:
    """Variances (p,) that indicators of one category must have, rows of ``Z`` (p, m); 0: others.

    Indicators are columns of two values; those of one category are never 1 in the same row.
    """
    gap = np.array([_gap(x) for x in Z])
    places = np.flatnonzero(gap)
    out = np.zeros(len(Z))
    if places.size < 2:
        return out
    ones = (Z[places] == Z[places].max(axis=1, keepdims=True)).astype(np.float64)
    together = (ones * w) @ ones.T
    np.fill_diagonal(together, 1.0)
    shared = places[(together == 0.0).any(axis=1)]
    out[shared] = np.square(gap[shared]) / 8.0
    return out


def _gap(x: Floats) -> float:
    """Distance of the two values of an indicator; 0 for other columns."""
    low, high = x.min(initial=np.inf), x.max(initial=-np.inf)
    return float(high - low) if high > low and ((x == low) | (x == high)).all() else 0.0
