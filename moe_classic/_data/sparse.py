"""Rows that are mostly zeros: stored, scaled and multiplied without them.

Features are scaled by their largest size and never centred, which would fill in the zeros; with an
intercept that moves no optimum. A Gram matrix is made of the products of the entries of each row
where few
are there; from one in ten on, blocks of rows are laid out and go through BLAS.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.sparse import csc_array, csr_array, hstack, issparse, vstack
from sklearn.utils.extmath import randomized_svd

from moe_classic._typing import Floats

from .design import Design

#: Share of entries that are there from which on Gram matrices are dense products.
_DENSE = 0.1
#: Rows that are laid out at a time.
_PIECE = 1000
#: Products of entries that are formed at a time, and those that a design keeps.
_PAIRS, _MOST_KEPT = 1 << 22, 1 << 24
#: Directions of sparse features that starts look at.
_DIRECTIONS = 20
#: Odd constants of the hash of an entry and of its place.
_MIX, _PLACE = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x9E3779B97F4A7C15)


class SparseRows(csr_array):
    """Rows (n, p) of X that are mostly zeros; they have a length, as arrays do.

    Others are given plain sparse arrays: NumPy takes what has a length for a list.
    """

    def __len__(self) -> int:
        return int(self.shape[0])


def sparse_rows(X: Any) -> SparseRows:
    """Rows of any sparse format as float64, each entry once and in order, zeros left out.

    A copy where something had to be done: what the user gave stays as it is.
    """
    rows = SparseRows(X, dtype=np.float64)
    clean = rows.has_canonical_format and bool(np.all(rows.data != 0.0))
    if not clean:
        rows = rows.copy()
        rows.sum_duplicates()
        rows.eliminate_zeros()
    return rows


def stacked_rows(parts: Sequence[Any]) -> Any:
    """Rows one after the other, dense or sparse like the first."""
    if not issparse(parts[0]):
        return np.concatenate(parts)
    return SparseRows(vstack([csr_array(part) for part in parts], format="csr"))


def beside_columns(parts: Sequence[Any]) -> Any:
    """Columns (n, p_i) side by side; sparse where the first are."""
    if not issparse(parts[0]):
        return np.column_stack(parts)
    return SparseRows(hstack([csr_array(part) for part in parts], format="csr"))


def row_columns(X: Any) -> list[np.ndarray]:
    """What tells rows (n, p) apart, each (n,): the columns, or halves of hashes of the entries."""
    if not issparse(X):
        return list(X.T)
    hashes = _entry_hashes(X)
    halves = hashes >> np.uint64(32), hashes & np.uint64(0xFFFFFFFF)
    return [half.astype(np.float64) for half in halves]


def _entry_hashes(X: Any) -> np.ndarray:
    """A 64-bit hash of the entries of each row, (n,)."""
    bits = np.ascontiguousarray(X.data).view(np.uint64)
    mixed = (bits ^ (bits >> np.uint64(31))) * _MIX
    mixed ^= (X.indices.astype(np.uint64) + np.uint64(1)) * _PLACE
    mixed = (mixed ^ (mixed >> np.uint64(29))) * _MIX
    sums = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(mixed, dtype=np.uint64)])
    return np.asarray(sums[X.indptr[1:]] - sums[X.indptr[:-1]])


def sparse_design(raw: Any, inverse: Floats, constant: float) -> csc_array:
    """Features (n, q - 1) in their units with a last row of a constant, (q, n)."""
    rows = csr_array(raw)
    rows.sum_duplicates()
    n, width = rows.shape
    last = rows.indptr[1:] + np.arange(n, dtype=rows.indptr.dtype)
    own = np.ones(rows.nnz + n, dtype=bool)
    own[last] = False
    data, indices = np.empty(own.size), np.empty(own.size, dtype=rows.indices.dtype)
    data[own], indices[own] = rows.data * inverse[rows.indices], rows.indices
    data[last], indices[last] = constant, width
    indptr = rows.indptr + np.arange(n + 1, dtype=rows.indptr.dtype)
    return csc_array((data, indices, indptr), shape=(width + 1, n))


class SparseDesign(Design):
    """The features of a block where most are zero: ``Z`` (q, n) is a sparse array."""

    __slots__ = ("_pairs",)

    Z: Any

    def __init__(self, Z: Any, *, keep: bool = False, keep_products: bool = False) -> None:
        super().__init__(Z, keep=keep)
        self._pairs: list[csc_array] | None = None

    def __setstate__(self, state: tuple[Any, int | None, bool, bool]) -> None:
        super().__setstate__(state)
        self._pairs = None

    def settle(self) -> None:
        """Form once the products that Grams are made from, if they are kept."""
        if self.keep and self._is_sparse:
            self._all_products()

    @property
    def _is_sparse(self) -> bool:
        """Whether few entries are there."""
        return bool(self.Z.nnz - self.n < _DENSE * (self.width - 1) * self.n)

    def linear(self, coef: Floats) -> Floats:
        """Linear predictors ``coef @ Z``: (..., q) gives (..., n)."""
        out = self.Z.T @ coef.reshape(-1, self.width).T
        return np.ascontiguousarray(out.T).reshape(*coef.shape[:-1], self.n)

    def scores(self, s: Floats) -> Floats:
        """Sums ``s @ Z'``: (..., n) gives (..., q)."""
        out = self.Z @ s.reshape(-1, self.n).T
        return np.ascontiguousarray(out.T).reshape(*s.shape[:-1], self.width)

    def squared_scores(self, s: Floats) -> Floats:
        """Sums ``s @ (Z^2)'``: (..., n) gives (..., q)."""
        return SparseDesign(self.Z.power(2)).scores(s)

    def grams(self, *weights: Floats) -> Floats:
        """Weighted Grams ``Z diag(w) Z'`` for each of M rows w in arrays (m, n), packed."""
        if not self._is_sparse:
            return self._dense_grams(*weights)
        flat = np.concatenate(weights)
        total = np.zeros((self.width * (self.width + 1) // 2, len(flat)))
        start = 0
        for products in self._all_products():
            rows = slice(start, start := start + products.shape[1])
            total += products @ flat[:, rows].T
        return np.ascontiguousarray(total.T)

    def _all_products(self) -> Iterable[csc_array]:
        """Products of the entries of each row, some rows at a time; a kept design keeps them."""
        if self._pairs is not None:
            return self._pairs
        counts = np.diff(self.Z.indptr).astype(np.int64)
        pairs = np.cumsum(counts * (counts + 1) // 2)
        cuts = np.searchsorted(pairs, np.arange(_PAIRS, pairs[-1] if pairs.size else 0, _PAIRS))
        edges = np.unique([0, *cuts, self.n])
        parts = (_products(self.Z[:, a:b]) for a, b in pairwise(edges))
        if self.keep and pairs.size and pairs[-1] <= _MOST_KEPT:
            self._pairs = list(parts)
            return self._pairs
        return parts

    def _dense_grams(self, *weights: Floats) -> Floats:
        """Grams of blocks of rows that are laid out, one after another."""
        starts = range(0, max(self.n, 1), _PIECE)
        cuts = [slice(start, start + _PIECE) for start in starts]
        parts = (self.at(rows).dense().grams(*(w[:, rows] for w in weights)) for rows in cuts)
        total = next(parts).copy()
        for part in parts:
            total += part
        return total

    def at(self, rows: Any) -> SparseDesign:
        """Some rows, by a slice, places or a mask."""
        return SparseDesign(self.Z[:, rows])

    def dense(self) -> Design:
        """The same with its zeros."""
        return Design(self.Z.toarray())

    def sizes(self) -> Floats:
        """At most one, of all features."""
        return np.ones((self.width, 1))

    def within(self, limits: Floats) -> SparseDesign:
        """Itself: sizes are at most one."""
        return self

    def columns(self) -> list[np.ndarray]:
        """What tells rows apart, each (n,)."""
        return row_columns(self.Z.T)


def _products(Z: csc_array) -> csc_array:
    """Products of every two entries of each row of a sparse ``Z`` (q, n), packed by features.

    Returns
    -------
    products : csc_array of shape (q (q + 1) / 2, n)
        Times row weights, the packed upper triangle of ``Z diag(w) Z'``.
    """
    q, n = Z.shape
    counts = np.diff(Z.indptr).astype(np.int64)
    # Each entry meets itself and those after it in its row.
    ahead = np.repeat(Z.indptr[1:].astype(np.int64), counts) - np.arange(Z.nnz)
    first = np.repeat(np.arange(Z.nnz), ahead)
    before = np.cumsum(ahead) - ahead
    second = np.arange(first.size) - np.repeat(before - np.arange(Z.nnz), ahead)
    i, j = Z.indices[first].astype(np.int64), Z.indices[second].astype(np.int64)
    place = i * q - i * (i - 1) // 2 + j - i
    size = q * (q + 1) // 2
    ends = np.concatenate([[0], np.cumsum(counts * (counts + 1) // 2)])
    kind = np.int32 if max(size, first.size) < np.iinfo(np.int32).max else np.int64
    parts = Z.data[first] * Z.data[second], place.astype(kind), ends.astype(kind)
    return csc_array(parts, shape=(size, n))


def as_design(Z: Any, *, keep: bool = False, keep_products: bool = False) -> Design:
    """The design of a matrix (q, n), sparse or not."""
    kind = SparseDesign if issparse(Z) else Design
    return kind(Z, keep=keep, keep_products=keep_products)


def beside(designs: Sequence[Design]) -> Design:
    """The rows of several designs, one after the other."""
    if isinstance(designs[0], SparseDesign):
        whole = vstack([d.Z.T for d in designs], format="csr")
        return SparseDesign(whole.T)
    return Design(np.concatenate([d.Z for d in designs], axis=1))


def leading_directions(Z: Any, w: Floats) -> Floats:
    """Positions (m, r) of sparse rows ``Z`` (q, m) along the directions in which they differ most.

    Starts look at distances and thresholds, for which a dense table of all columns would be made.
    Halko, Martinsson & Tropp (2011), Finding structure with randomness, SIAM Review 53.
    """
    features, total = Z[:-1].tocsr(), w.sum()
    centre = features @ w / total
    spread = np.sqrt(np.maximum(features.power(2) @ w / total - centre**2, 0.0))
    unit = np.where(spread > 0.0, 1.0 / np.where(spread > 0.0, spread, 1.0), 0.0)
    if len(unit) <= _DIRECTIONS:
        return (features.toarray().T - centre) * unit
    rows = csr_array(features.T.multiply(np.sqrt(w)[:, None]).multiply(unit))
    count = min(_DIRECTIONS, min(rows.shape))
    U, values, _ = randomized_svd(rows, count, n_iter=4, random_state=0)
    positions = U * values / np.sqrt(w)[:, None]
    positions -= w @ positions / total
    size = np.sqrt((w @ np.square(positions)).max() / total)
    return np.asarray(positions / size if size > 0.0 else positions)
