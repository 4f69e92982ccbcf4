"""Blocks of rows, and where they come from.

A :class:`Block` holds one design for the gate and one for each group of experts
(shared where they see the same features), the target and the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy.sparse import issparse

from moe_classic._typing import Floats

from .design import PRODUCT_ROWS, Design
from .sparse import as_design
from .subjects import Subjects

#: Bytes that the arrays of one block may fill: part of a level-3 cache for every thread.
_BLOCK_BYTES = 9_000_000
#: Most rows of a block.
_MOST_ROWS = 12_000
#: The same of designs that are mostly zeros: of each block there is a Gram of all features to add.
_SPARSE_BYTES, _MOST_SPARSE_ROWS = 64_000_000, 1 << 16
#: Numbers that an entry which is there takes, with its places by row and by feature.
_ENTRY = 3
#: Experts that a block is made for where their number is not known.
_USUAL_EXPERTS = 8
#: Designs below this many bytes in all are kept from pass to pass; so are their products.
_KEEP_BYTES = 128 << 20
_KEEP_PRODUCT_BYTES = 1 << 20


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
    def sparse(self) -> bool:
        """Whether the design is a sparse array."""

    @property
    def averaged(self) -> bool:
        """Whether the design has a column a subject, the mean of its rows."""

    def __call__(self, X: np.ndarray) -> Any:
        """Design matrix of the rows of ``X``."""


def design_of(m: FeatureMap, X: np.ndarray, subjects: Subjects | None) -> Any:
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
    return size - size % (2 * PRODUCT_ROWS) if size > 4 * PRODUCT_ROWS else size


def _stored_widths(maps: tuple[FeatureMap, ...], X: Any) -> list[int]:
    """Numbers that each design takes a row; of sparse ones those that are there."""
    if not issparse(X):
        return [m.width for m in maps]
    there = _ENTRY * (1 + X.nnz // max(X.shape[0], 1))
    return [there if m.sparse else m.width for m in maps]


def _sparse_block_size(widths: list[int], n_experts: int, n_each: int) -> int:
    """Rows a block of designs that are mostly zeros; ``n_each`` rows for every thread."""
    row = 8 * (sum(widths) + 12 * n_experts)
    return max(1, min(n_each, int(np.clip(_SPARSE_BYTES // row, 512, _MOST_SPARSE_ROWS))))


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
        mostly_zero = issparse(X) and any(m.sparse for m in maps)
        widths = _stored_widths(maps, X)
        if block_size is None and mostly_zero:
            self.block_size = _sparse_block_size(widths, n_experts, -(-len(w) // n_threads))
        else:
            self.block_size = block_size or default_block_size(widths, n_experts, n_threads)
        if block_size is None and not mostly_zero and n_threads > 1 and self.block_size < len(w):
            # As many blocks for every thread, each of whole pieces.
            count = -(-len(w) // self.block_size)
            pieces_each = -(-len(w) // ((count + -count % n_threads) * PRODUCT_ROWS))
            self.block_size = pieces_each * PRODUCT_ROWS
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
        designs = tuple(as_design(design_of(m, X, subjects), **kept) for m in self.maps)
        y = self.y[..., rows] if self.target is None else self.target(self.y[..., rows])
        block = Block(designs, y, self.w[rows], subjects)
        if self._kept is not None:
            self._kept[i] = block
        return block

    def __iter__(self) -> Iterator[Block]:
        return (self[i] for i in range(len(self)))

    @property
    def n_bytes(self) -> int:
        """What another process needs to go over the blocks, about."""
        if self._kept is None:
            return self.X.nbytes + self.y.nbytes
        return 12 * len(self.w) * sum(m.width for m in self.maps)

    def blocks_from(self, first: int) -> ArraySource | dict[int, Block]:
        """What another process needs of blocks from a number on: those kept, or all rows."""
        if self._kept is None:
            return self
        blocks = {i: self[i] for i in range(first, len(self))}
        for design in (d for block in blocks.values() for d in block.designs):
            design.settle()
        return blocks

    def forget_from(self, first: int) -> None:
        """Do not keep blocks from a number on, which others go over."""
        if self._kept is not None:
            self._kept = {i: block for i, block in self._kept.items() if i < first}

    def _place(self, i: int) -> tuple[slice, Subjects | None]:
        """Rows of a block, and its subjects."""
        if self._cuts is None or self.subjects is None:
            return slice(i * self.block_size, (i + 1) * self.block_size), None
        rows, inside = self._cuts[i]
        return rows, self.subjects.part(inside)
