"""Columns whose values repeat: how close a density may look before it sees single values.

A normal density that shrinks on to a value that repeats has no end to its likelihood. Values that
are h apart stand for intervals of that width, of variance ``h^2 / 12`` within (Sheppard 1898), and
that much every density must have.
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
