"""Rows by what is missing in them, in pieces that are worked on in one call."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from moe_classic._typing import Bools, Floats, Ints

#: Numbers of the largest array of a piece, an expert: matrices of its patterns, or its rows.
_MOST_NUMBERS = 200_000


@dataclass(frozen=True)
class Piece:
    """As many rows of each of some patterns.

    Attributes
    ----------
    seen : ndarray of bool, shape (u, p)
        Which features the rows of each pattern have.
    rows : ndarray of int, shape (u, r)
    """

    seen: Bools
    rows: Ints


def pieces_of(missing: Bools) -> tuple[Piece, ...]:
    """All rows in pieces, by which features (p, n) are missing.

    The rows of a pattern are cut into powers of two, so that all patterns are gone through in a
    few calls, however many there are and however few rows each has.
    """
    p, _ = missing.shape
    codes, number, counts = np.unique(
        np.packbits(missing, axis=0), axis=1, return_inverse=True, return_counts=True
    )
    seen = ~np.unpackbits(codes, axis=0, count=p).astype(bool).T
    order = np.argsort(number.ravel(), kind="stable")
    first = np.cumsum(counts) - counts
    pieces = []
    for power in range(int(counts.max()).bit_length()):
        size = 1 << power
        which = np.flatnonzero(counts & size)
        starts = first[which] + (counts[which] & (size - 1))
        step = max(1, _MOST_NUMBERS // (max(p, 1) * max(p, size)))
        for begin in range(0, which.size, step):
            part = slice(begin, begin + step)
            rows = order[starts[part, None] + np.arange(size)]
            pieces.append(Piece(seen[which[part]], rows))
    return tuple(pieces)


def is_incomplete(Z: Floats) -> bool:
    """Whether a design has missing values."""
    # A sum is cheaper than a look at every number; wild values may overflow it on both sides.
    return bool(np.isnan(Z.sum()) and np.isnan(Z).any())
