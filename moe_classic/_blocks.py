"""Blocks of rows, and where they come from.

A :class:`Design` is the standardised feature matrix of one block with the feature axis first and a
last row of ones. A :class:`Block` holds one design for the gate and one for each group of experts
(shared where they see the same features), the target and the weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ._linalg import pack_symmetric, packed_products
from ._typing import Floats

#: Widest design for which the products z_i z_j are laid out and multiplied in one BLAS call.
_PACK_LIMIT = 32
#: Bytes of products that one block may fill; measured best near the size of a level-2 cache.
_BLOCK_BYTES = 1 << 20
#: Designs below this many bytes in all are kept from pass to pass, with their products.
_KEEP_BYTES = 32 << 20


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
        flat = coef.reshape(-1, self.width) @ self.Z
        return flat.reshape(*coef.shape[:-1], self.Z.shape[1])

    def scores(self, s: Floats) -> Floats:
        """Sums ``s @ Z'``: (..., n) gives (..., q)."""
        flat = s.reshape(-1, s.shape[-1]) @ self.Z.T
        return flat.reshape(*s.shape[:-1], self.width)

    def grams(self, weights: Floats) -> Floats:
        """Weighted Grams ``Z diag(weights_m) Z'``, packed: (M, n) gives (M, q (q + 1) / 2)."""
        if self.width <= _PACK_LIMIT or len(weights) > self.width:
            products = self._products
            if products is None:
                products = packed_products(self.Z)
                if self.keep:
                    self._products = products
            return weights @ products.T
        return np.stack([pack_symmetric((self.Z * row) @ self.Z.T) for row in weights])


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

    width: int

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
    """

    def __init__(
        self,
        X: np.ndarray,
        y: np.ndarray,
        w: Floats,
        maps: tuple[FeatureMap, ...],
        block_size: int | None = None,
    ) -> None:
        self.X, self.y, self.w, self.maps = X, y, w, maps
        widths = [m.width for m in maps]
        self.block_size = block_size or default_block_size(widths)
        products = sum(q * (q + 1) // 2 + q for q in widths) * 8 * len(w)
        self._kept: dict[int, Block] | None = {} if products <= _KEEP_BYTES else None

    def __len__(self) -> int:
        return -(-len(self.w) // self.block_size)

    def __getitem__(self, i: int) -> Block:
        if self._kept is not None and i in self._kept:
            return self._kept[i]
        rows = slice(i * self.block_size, (i + 1) * self.block_size)
        X, keep = self.X[rows], self._kept is not None
        designs = tuple(Design(m(X), keep=keep) for m in self.maps)
        block = Block(designs, self.y[..., rows], self.w[rows])
        if self._kept is not None:
            self._kept[i] = block
        return block

    def __iter__(self) -> Iterator[Block]:
        return (self[i] for i in range(len(self)))
