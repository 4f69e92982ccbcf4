"""Mini-batches of shuffled rows, and rows held out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from moe_classic._data import ArraySource, Block, Design, Source
from moe_classic._typing import Bools, Ints


def batches(source: Source, size: int, rng: np.random.Generator) -> Iterator[Block]:
    """Every row once, ``size`` at a time, in random order.

    Rows of a source in memory are shuffled all together; those of any other within its blocks.
    """
    if isinstance(source, ArraySource):
        for rows in _cut(len(source.w), size, rng):
            yield rows_of(source, rows)
        return
    for block in source:
        for rows in _cut(block.w.size, size, rng):
            yield _taken(block, rows)


def _cut(n: int, size: int, rng: np.random.Generator) -> list[Ints]:
    """Shuffled rows in parts of nearly equal size: a last small batch would be all noise."""
    return np.array_split(rng.permutation(n), -(-n // size))


def rows_of(source: ArraySource, rows: Ints) -> Block:
    """Some rows of a source in memory as one block."""
    X, y = source.X[rows], source.y[..., rows]
    designs = tuple(Design(m(X)) for m in source.maps)
    return Block(designs, y if source.target is None else source.target(y), source.w[rows])


def _taken(block: Block, rows: Ints | Bools) -> Block:
    """Some rows of a block."""
    designs = tuple(Design(d.Z[:, rows]) for d in block.designs)
    return Block(designs, block.y[..., rows], block.w[rows])


# ------------------------------------------------------------------------- held out


@dataclass(frozen=True)
class RandomSubset:
    """The rows of a source that belong, or do not belong, to a random share.

    Which rows these are depends on ``seed`` and on the place of a row in its source only.
    """

    source: Source
    share: float
    seed: int
    inside: bool

    def __iter__(self) -> Iterator[Block]:
        for number, block in enumerate(self.source):
            drawn = np.random.default_rng([self.seed, number]).random(block.w.size) < self.share
            rows = drawn == self.inside
            if rows.any():
                yield _taken(block, rows)


def held_out(source: Source, share: float, seed: int) -> tuple[Source, Source]:
    """The rows to train on, and a random share to judge by."""
    if not isinstance(source, ArraySource):
        return RandomSubset(source, share, seed, inside=False), RandomSubset(
            source, share, seed, inside=True
        )
    order = np.random.default_rng(seed).permutation(len(source.w))
    if order.size < 2:
        raise ValueError(
            f"validation_fraction={share!r} needs at least two different rows, one to train on "
            "and one to judge by; leave it at None."
        )
    reached = np.cumsum(source.w[order])
    count = int(np.searchsorted(reached, share * reached[-1]))
    count = int(np.clip(count, 1, order.size - 1))
    return _subset(source, np.sort(order[count:])), _subset(source, np.sort(order[:count]))


def weight_of(source: Source) -> float:
    """Total weight of the rows."""
    return float(sum(block.w.sum() for block in source))


def _subset(source: ArraySource, rows: Ints) -> ArraySource:
    """Some rows of a source in memory."""
    return ArraySource(
        source.X[rows],
        source.y[..., rows],
        source.w[rows],
        source.maps,
        source.block_size,
        source.target,
    )
