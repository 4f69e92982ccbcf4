"""Rows by what is missing in them, in pieces that are worked on in one call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from moe_classic._typing import Bools, Floats, Ints

#: Numbers of the largest array of a piece, an expert: matrices of its patterns, or its rows.
_MOST_NUMBERS = 40_000
#: How many times the rows of the least pattern of a piece its largest has.
_SPARE = 2


@dataclass(frozen=True)
class Piece:
    """As many rows of each of some patterns.

    Attributes
    ----------
    seen : ndarray of bool, shape (u, p)
        Which features the rows of each pattern have.
    rows : ndarray of int, shape (u, r)
        A pattern with fewer rows has its first one again in the places that are left.
    counted : ndarray of bool, shape (u, r)
        Which places are no such repetition.
    """

    seen: Bools
    rows: Ints
    counted: Bools


def pieces_of(missing: Bools) -> tuple[Piece, ...]:
    """All rows in pieces, by which features (p, n) are missing.

    A piece has patterns with about as many rows, so that all are gone through in a few calls,
    however many there are and however few rows each has.
    """
    p, _ = missing.shape
    codes, number, counts = np.unique(
        np.packbits(missing, axis=0), axis=1, return_inverse=True, return_counts=True
    )
    seen = ~np.unpackbits(codes, axis=0, count=p).astype(bool).T
    order = np.argsort(number.ravel(), kind="stable")
    first = np.cumsum(counts) - counts
    pieces = []
    for which in _alike(counts, p):
        places = np.arange(counts[which].max())
        counted = places < counts[which, None]
        rows = order[first[which, None] + np.where(counted, places, 0)]
        pieces.append(Piece(seen[which], rows, counted))
    return tuple(pieces)


def _alike(counts: Ints, p: int) -> Iterator[Ints]:
    """Numbers of patterns in sets of which the largest has at most twice the rows of the least."""
    falling = np.argsort(-counts, kind="stable")
    start = 0
    while start < falling.size:
        most = int(counts[falling[start]])
        enough = np.searchsorted(-counts[falling], -max(most // _SPARE, 1), side="right")
        stop = min(int(enough), start + max(1, _MOST_NUMBERS // (max(p, 1) * max(p, most))))
        yield falling[start:stop]
        start = stop


def is_incomplete(Z: Floats) -> bool:
    """Whether a design has missing values."""
    # A sum is cheaper than a look at every number; wild values may overflow it on both sides.
    return bool(np.isnan(Z.sum()) and np.isnan(Z).any())
