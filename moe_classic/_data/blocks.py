"""Blocks of rows, and where they come from.

A :class:`Design` is the standardised feature matrix of one block with the feature axis first and a
last row of ones. A :class:`Block` holds one design for the gate and one for each group of experts
(shared where they see the same features), the target and the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from moe_classic._numerics import (
    empty,
    frame,
    matmul_by_rows,
    pack_symmetric,
    pieces,
    ring_of,
    ring_products,
    sums_by_rows,
    unring,
    weighted_products,
)
from moe_classic._typing import Floats

from .patterns import Piece, is_incomplete, pieces_of
from .subjects import Subjects

#: Widest design for which the products z_i z_j are laid out and multiplied in one BLAS call.
_PACK_LIMIT = 32
#: Rows whose products are formed at a time, to be multiplied while they are in cache; a power of
#: two would map all of them to the same cache lines.
_PRODUCT_ROWS = 1000
#: Bytes that the arrays of one block may fill: part of a level-3 cache for every thread.
_BLOCK_BYTES = 9_000_000
#: Most rows of a block.
_MOST_ROWS = 12_000
#: Experts that a block is made for where their number is not known.
_USUAL_EXPERTS = 8
#: Designs below this many bytes in all are kept from pass to pass; so are their products.
_KEEP_BYTES = 128 << 20
_KEEP_PRODUCT_BYTES = 1 << 20


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

    @property
    def width(self) -> int:
        """Number of rows q of ``Z``: features and the constant."""
        return self.Z.shape[0]

    def linear(self, coef: Floats) -> Floats:
        """Linear predictors ``coef @ Z``: (..., q) gives (..., n)."""
        flat = coef.reshape(-1, self.width)
        out = matmul_by_rows(flat, self.Z, empty((len(flat), self.Z.shape[1])))
        return out.reshape(*coef.shape[:-1], self.Z.shape[1])

    def scores(self, s: Floats) -> Floats:
        """Sums ``s @ Z'``: (..., n) gives (..., q)."""
        flat = sums_by_rows(s.reshape(-1, s.shape[-1]), self.Z)
        return flat.reshape(*s.shape[:-1], self.width)

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
        whole = n // _PRODUCT_ROWS
        split = whole * _PRODUCT_ROWS
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
            room, part = empty((q, min(n, _PRODUCT_ROWS))), empty((q, q))
            for start in range(0, n, _PRODUCT_ROWS):
                rows = slice(start, start + _PRODUCT_ROWS)
                Z = self.Z[:, rows]
                some = np.multiply(Z, factor[rows], out=room[:, : Z.shape[1]])
                gram += np.matmul(some, some.T if positive else Z.T, out=part)
        return pack_symmetric(gram)

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


@dataclass(frozen=True)
class Block:
    """A block of n rows.

    Attributes
    ----------
    designs : tuple of Design
        Indexed by the design numbers of the gate and of the groups of experts.
    y : ndarray of shape (d, n), or (n,) class codes
    w : ndarray of shape (n,)
    subjects : Subjects or None
        Rows that belong to one expert as a whole; the gate's design then has a column a subject.
        Without, every row is a subject of its own.
    told : ndarray of shape (K, n), or None
        Log probabilities of the experts that are known better than from the gate: in predictions.
    """

    designs: tuple[Design, ...]
    y: np.ndarray
    w: Floats
    subjects: Subjects | None = None
    told: Floats | None = None

    @property
    def subject_w(self) -> Floats:
        """Weights of the subjects, (G,)."""
        return self.w if self.subjects is None else self.subjects.w

    def by_subject(self, a: Floats) -> Floats:
        """Sums over the rows of each subject: (..., n) gives (..., G)."""
        return a if self.subjects is None else self.subjects.sums(a)

    def by_row(self, a: Floats) -> Floats:
        """What is said of subjects at each of their rows: (..., G) gives (..., n)."""
        return a if self.subjects is None else self.subjects.at_rows(a)


class FeatureMap(Protocol):
    """Turns raw rows (n, p) into a design matrix (q, n)."""

    @property
    def width(self) -> int:
        """Rows q of the design."""

    @property
    def averaged(self) -> bool:
        """Whether the design has a column a subject, the mean of its rows."""

    def __call__(self, X: np.ndarray) -> Floats:
        """Design matrix of the rows of ``X``."""


def design_of(m: FeatureMap, X: np.ndarray, subjects: Subjects | None) -> Floats:
    """What a component sees of some rows: a column a row, or of a gate of subjects a subject."""
    Z = m(X)
    return Z if subjects is None or not m.averaged else subjects.means(Z)


class Source(Protocol):
    """Anything that can be passed over, block by block, as often as needed."""

    def __iter__(self) -> Iterator[Block]:
        """Blocks in a fixed order."""


def default_block_size(
    widths: list[int], n_experts: int = _USUAL_EXPERTS, n_threads: int = 1
) -> int:
    """Rows a block: enough that calls cost little, few enough that its arrays stay in cache.

    A pass has about twelve arrays of a number an expert in use, besides the designs. Threads queue
    for the interpreter between calls: for them, blocks are larger by half.
    """
    row = 8 * (sum(widths) + 12 * n_experts)
    more = 1.0 if n_threads == 1 else 1.5
    size = int(np.clip(more * _BLOCK_BYTES // row, 512, more * _MOST_ROWS))
    # Products are formed for two pieces at a time.
    return size - size % (2 * _PRODUCT_ROWS) if size > 4 * _PRODUCT_ROWS else size


class ArraySource:
    """Blocks cut from arrays in memory (or mapped from a file).

    Parameters
    ----------
    X : ndarray of shape (n, p)
    y : ndarray of shape (d, n), or (n,) class codes
    w : ndarray of shape (n,)
    maps : tuple of FeatureMap
    block_size : int or None
        Rows a block; None chooses from the cache size.
    target : callable or None
        Turns a slice of ``y`` into what the model works with; None leaves it as it is.
    n_experts, n_threads : int
        Experts of the model and threads that share its blocks, which their size depends on.
    subjects : Subjects, default=None
        Rows that belong together; blocks end where they do.
    keep : bool, default=True
        Whether blocks may be kept from pass to pass.
    """

    y: np.ndarray
    w: Floats
    maps: tuple[FeatureMap, ...]
    target: Callable[[np.ndarray], np.ndarray] | None
    block_size: int

    def __init__(
        self,
        X: np.ndarray,
        y: np.ndarray,
        w: Floats,
        maps: tuple[FeatureMap, ...],
        block_size: int | None = None,
        target: Callable[[np.ndarray], np.ndarray] | None = None,
        n_experts: int = _USUAL_EXPERTS,
        n_threads: int = 1,
        subjects: Subjects | None = None,
        *,
        keep: bool = True,
    ) -> None:
        self.X, self.y, self.w, self.maps, self.target = X, y, w, maps, target
        self.subjects = subjects
        widths = [m.width for m in maps]
        self.block_size = block_size or default_block_size(widths, n_experts, n_threads)
        if block_size is None and n_threads > 1 and self.block_size < len(w):
            # As many blocks for every thread, each of whole pieces.
            count = -(-len(w) // self.block_size)
            pieces_each = -(-len(w) // ((count + -count % n_threads) * _PRODUCT_ROWS))
            self.block_size = pieces_each * _PRODUCT_ROWS
        self._cuts = None if subjects is None else list(subjects.cut(self.block_size))
        products = sum(q * (q + 1) // 2 for q in widths) * 8 * len(w)
        self._keep_products = keep and products <= _KEEP_PRODUCT_BYTES
        doubled = sum(q + q // 2 for q in widths) * 8 * len(w)
        self._kept: dict[int, Block] | None = {} if keep and doubled <= _KEEP_BYTES else None

    def __getstate__(self) -> dict[str, Any]:
        """Without the blocks it keeps, which can be cut again."""
        return {**self.__dict__, "_kept": None if self._kept is None else {}}

    def __len__(self) -> int:
        return -(-len(self.w) // self.block_size) if self._cuts is None else len(self._cuts)

    def __getitem__(self, i: int) -> Block:
        if self._kept is not None and i in self._kept:
            return self._kept[i]
        rows, subjects = self._place(i)
        X = self.X[rows]
        kept = {"keep": self._kept is not None, "keep_products": self._keep_products}
        designs = tuple(Design(design_of(m, X, subjects), **kept) for m in self.maps)
        y = self.y[..., rows] if self.target is None else self.target(self.y[..., rows])
        block = Block(designs, y, self.w[rows], subjects)
        if self._kept is not None:
            self._kept[i] = block
        return block

    def __iter__(self) -> Iterator[Block]:
        return (self[i] for i in range(len(self)))

    def _place(self, i: int) -> tuple[slice, Subjects | None]:
        """Rows of a block, and its subjects."""
        if self._cuts is None or self.subjects is None:
            return slice(i * self.block_size, (i + 1) * self.block_size), None
        rows, inside = self._cuts[i]
        return rows, self.subjects.part(inside)
