"""The standardised features of one block of rows, as a component sees them.

The feature axis comes first and the last row is 1, so that an intercept is one more coefficient.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from moe_classic._numerics import (
    empty,
    frame,
    matmul_by_rows,
    pack_symmetric,
    pieces,
    ring_in,
    ring_of,
    ring_products,
    sums_by_rows,
    unring,
    weighted_products,
)
from moe_classic._typing import Floats

from .patterns import Piece, is_incomplete, pieces_of

#: Widest design for which the products z_i z_j are laid out and multiplied in one BLAS call.
_PACK_LIMIT = 32
#: Rows whose products are formed at a time, to be multiplied while they are in cache; a power of
#: two would map all of them to the same cache lines.
PRODUCT_ROWS = 1000


class Design:
    """Features of one block: ``Z`` of shape (q, n), last row 1.

    A design that is kept from pass to pass keeps what its Grams are made from.

    Examples
    --------
    >>> import numpy as np
    >>> from moe_classic.experts import Design
    >>> design = Design(np.array([[0.5, -0.5], [1.0, 1.0]]))
    >>> design.linear(np.array([2.0, 1.0])).tolist()
    [2.0, 0.0]
    """

    __slots__ = ("Z", "_pieces", "_products", "_ring", "keep", "keep_products")

    keep: bool
    keep_products: bool

    def __init__(self, Z: Floats, *, keep: bool = False, keep_products: bool = False) -> None:
        self.Z = Z
        self.keep, self.keep_products = keep, keep_products
        self._ring: Floats | None = None
        self._products: Floats | None = None
        self._pieces: tuple[Piece, ...] | None = None

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """The rows by what is missing in them; none where nothing is. Found once."""
        if self._pieces is None:
            missing = is_incomplete(self.Z)
            self._pieces = pieces_of(np.isnan(self.Z[:-1])) if missing else ()
        return self._pieces

    def __getstate__(self) -> tuple[Floats, int | None, bool, bool]:
        """``Z``, or the array of the ring that it lives in and its q; without products."""
        if self._ring is None:
            return self.Z, None, self.keep, self.keep_products
        whole = cast("Floats", self._ring.base)
        return whole, self.width, self.keep, self.keep_products

    def __setstate__(self, state: tuple[Floats, int | None, bool, bool]) -> None:
        Z, q, self.keep, self.keep_products = state
        self._products, self._pieces = None, None
        self._ring = None if q is None else ring_in(Z, q)
        self.Z = Z if self._ring is None else self._ring[0]

    @property
    def width(self) -> int:
        """Number of rows q of ``Z``: features and the constant."""
        return self.Z.shape[0]

    @property
    def n(self) -> int:
        """Number of rows of the block, or of subjects."""
        return int(self.Z.shape[1])

    def linear(self, coef: Floats) -> Floats:
        """Linear predictors ``coef @ Z``: (..., q) gives (..., n)."""
        flat = coef.reshape(-1, self.width)
        out = matmul_by_rows(flat, self.Z, empty((len(flat), self.Z.shape[1])))
        return out.reshape(*coef.shape[:-1], self.Z.shape[1])

    def scores(self, s: Floats) -> Floats:
        """Sums ``s @ Z'``: (..., n) gives (..., q)."""
        flat = sums_by_rows(s.reshape(-1, s.shape[-1]), self.Z)
        return flat.reshape(*s.shape[:-1], self.width)

    def squared_scores(self, s: Floats) -> Floats:
        """Sums ``s @ (Z^2)'``: (..., n) gives (..., q)."""
        return np.asarray(s @ np.square(self.Z).T)

    def grams(self, *weights: Floats) -> Floats:
        """Weighted Grams ``Z diag(w) Z'`` for each of M rows w in arrays (m, n), packed.

        Returns
        -------
        grams : ndarray of shape (M, q (q + 1) / 2)
        """
        q, n = self.Z.shape
        count = sum(map(len, weights))
        if q > _PACK_LIMIT and count <= q:
            return np.stack([self._wide_gram(w) for rows in weights for w in rows])
        pairs = q * (q + 1) // 2
        if self.keep_products:
            if self._products is None:
                self._products = ring_products(self.Z, self._on_ring(), np.empty((pairs, n)))
            return unring(np.concatenate(weights) @ self._products.T, q)
        whole = n // PRODUCT_ROWS
        split = whole * PRODUCT_ROWS
        parts = np.empty((whole + (split < n), count, pairs))
        with frame():
            arrays = [self.Z, self._on_ring(), *weights]
            if whole:
                Z, ring, *rows = (pieces(a[..., :split], whole) for a in arrays)
                weighted_products(Z, ring, rows, parts[:whole])
            if split < n:
                Z, ring, *rows = (a[None, ..., split:] for a in arrays)
                weighted_products(Z, ring, rows, parts[whole:])
        return unring(np.add.reduce(parts), q)

    def _wide_gram(self, w: Floats) -> Floats:
        """One Gram, packed; of rows times the roots of the weights, which BLAS takes half for."""
        q, n = self.Z.shape
        positive = w.min(initial=0.0) >= 0.0
        gram = np.zeros((q, q))
        with frame():
            factor = np.sqrt(w, out=empty((n,))) if positive else w
            room, part = empty((q, min(n, PRODUCT_ROWS))), empty((q, q))
            for start in range(0, n, PRODUCT_ROWS):
                rows = slice(start, start + PRODUCT_ROWS)
                Z = self.Z[:, rows]
                some = np.multiply(Z, factor[rows], out=room[:, : Z.shape[1]])
                gram += np.matmul(some, some.T if positive else Z.T, out=part)
        return pack_symmetric(gram)

    def settle(self) -> None:
        """Lay out once what Grams are made from, if the design is kept."""
        if self.keep and self.width <= _PACK_LIMIT:
            self._on_ring()

    def _on_ring(self) -> Floats:
        """``Z`` on a ring; a kept design lives in it."""
        if self._ring is not None:
            return self._ring
        q, n = self.Z.shape
        if not self.keep:
            return ring_of(self.Z, empty((q + q // 2, n)))
        self._ring = ring_of(self.Z, np.empty((q + q // 2, n)))
        self.Z = self._ring[0]
        return self._ring

    # -------------------------------------------------------------------- parts and forms

    def at(self, rows: Any) -> Design:
        """Some rows, by a slice, places or a mask."""
        return Design(self.Z[:, rows])

    def dense(self) -> Design:
        """The design with ``Z`` as an array."""
        return self

    def sizes(self) -> Floats:
        """Largest size of each feature, (q, 1)."""
        return np.asarray(np.abs(self.Z).max(axis=1, keepdims=True))

    def within(self, limits: Floats) -> Design:
        """The design with features no larger than ``limits`` (q, 1)."""
        return Design(np.clip(self.Z, -limits, limits))

    def columns(self) -> list[np.ndarray]:
        """What tells rows apart, each (n,)."""
        return list(self.Z)
