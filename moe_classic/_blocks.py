"""Blocks of rows, and where they come from.

A :class:`Design` is the standardised feature matrix of one block with the feature axis first and a
last row of ones. A :class:`Block` holds one design for the gate and one for each group of experts
(shared where they see the same features), the target and the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ._linalg import pack_symmetric, packed_products
from ._typing import Floats
from ._workspace import empty

#: Widest design for which the products z_i z_j are laid out and multiplied in one BLAS call.
_PACK_LIMIT = 32
#: Bytes of products that one block may fill; measured best near the size of a level-2 cache.
_BLOCK_BYTES = 2 << 20
#: Designs below this many bytes in all are kept from pass to pass; so are their products.
_KEEP_BYTES = 128 << 20
_KEEP_PRODUCT_BYTES = 32 << 20


class Design:
    """Features of one block: ``Z`` of shape (q, n), last row 1."""

    __slots__ = ("Z", "_products", "keep")

    def __init__(self, Z: Floats, *, keep: bool = False) -> None:
        self.Z = Z
        self.keep = keep
        self._products: Floats | None = None

    @property
    def width(self) -> int:
        """Number of rows q of ``Z``: features and the constant."""
        return self.Z.shape[0]

    def linear(self, coef: Floats) -> Floats:
        """Linear predictors ``coef @ Z``: (..., q) gives (..., n)."""
        flat = coef.reshape(-1, self.width)
        out = np.matmul(flat, self.Z, out=empty((len(flat), self.Z.shape[1])))
        return out.reshape(*coef.shape[:-1], self.Z.shape[1])

    def scores(self, s: Floats) -> Floats:
        """Sums ``s @ Z'``: (..., n) gives (..., q)."""
        flat = s.reshape(-1, s.shape[-1]) @ self.Z.T
        return flat.reshape(*s.shape[:-1], self.width)

    def grams(self, weights: Floats) -> Floats:
        """Weighted Grams ``Z diag(weights_m) Z'``, packed: (M, n) gives (M, q (q + 1) / 2)."""
        if self.width <= _PACK_LIMIT or len(weights) > self.width:
            return weights @ self._all_products().T
        return np.stack([pack_symmetric((self.Z * row) @ self.Z.T) for row in weights])

    def _all_products(self) -> Floats:
        """Products z_i z_j of the rows of ``Z``; kept, or temporary."""
        if self._products is not None:
            return self._products
        if self.keep:
            self._products = packed_products(self.Z)
            return self._products
        q, n = self.Z.shape
        return packed_products(self.Z, empty((q * (q + 1) // 2, n)))


@dataclass(frozen=True)
class Block:
    """A block of n rows.

    Attributes
    ----------
    designs : tuple of Design
        Indexed by the design numbers of the gate and of the groups of experts.
    y : ndarray of shape (d, n), or (n,) class codes
    w : ndarray of shape (n,)
    """

    designs: tuple[Design, ...]
    y: np.ndarray
    w: Floats


class FeatureMap(Protocol):
    """Turns raw rows (n, p) into a design matrix (q, n)."""

    @property
    def width(self) -> int:
        """Rows q of the design."""

    def __call__(self, X: np.ndarray) -> Floats:
        """Design matrix of the rows of ``X``."""


class Source(Protocol):
    """Anything that can be passed over, block by block, as often as needed."""

    def __iter__(self) -> Iterator[Block]:
        """Blocks in a fixed order."""


def default_block_size(widths: list[int]) -> int:
    """Rows a block so that the packed products of one block stay in cache."""
    q = min(max(widths), _PACK_LIMIT)
    return int(np.clip(_BLOCK_BYTES // (8 * q * (q + 1) // 2), 512, 8192))


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
    """

    def __init__(
        self,
        X: np.ndarray,
        y: np.ndarray,
        w: Floats,
        maps: tuple[FeatureMap, ...],
        block_size: int | None = None,
        target: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> None:
        self.X, self.y, self.w, self.maps, self.target = X, y, w, maps, target
        widths = [m.width for m in maps]
        self.block_size = block_size or default_block_size(widths)
        products = sum(q * (q + 1) // 2 for q in widths) * 8 * len(w)
        self._keep_products = products <= _KEEP_PRODUCT_BYTES
        self._kept: dict[int, Block] | None = {}
        if sum(widths) * 8 * len(w) > _KEEP_BYTES:
            self._kept = None

    def __len__(self) -> int:
        return -(-len(self.w) // self.block_size)

    def __getitem__(self, i: int) -> Block:
        if self._kept is not None and i in self._kept:
            return self._kept[i]
        rows = slice(i * self.block_size, (i + 1) * self.block_size)
        X = self.X[rows]
        designs = tuple(Design(m(X), keep=self._keep_products) for m in self.maps)
        y = self.y[..., rows] if self.target is None else self.target(self.y[..., rows])
        block = Block(designs, y, self.w[rows])
        if self._kept is not None:
            self._kept[i] = block
        return block

    def __iter__(self) -> Iterator[Block]:
        return (self[i] for i in range(len(self)))
