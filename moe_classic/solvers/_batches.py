"""Mini-batches of shuffled rows, and rows held out; subjects come whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from moe_classic._data import ArraySource, Block, Source, as_design, design_of
from moe_classic._typing import Ints


def batches(source: Source, size: int, rng: np.random.Generator) -> Iterator[Block]:
    """Every row once, ``size`` at a time, in random order.

    Rows of a source in memory are shuffled all together; those of any other within its blocks.
    """
    if isinstance(source, ArraySource):
        for chosen in _cut(len(source.w), _count(source), size, rng):
            yield rows_of(source, chosen)
        return
    for block in source:
        for chosen in _cut(block.w.size, block.subject_w.size, size, rng):
            yield _taken(block, chosen)


def _count(source: ArraySource) -> int:
    """Number of rows, or of subjects."""
    return len(source.w) if source.subjects is None else source.subjects.count


def _cut(n: int, count: int, size: int, rng: np.random.Generator) -> list[Ints]:
    """Shuffled rows or subjects, ``size`` of ``n`` rows at a time.

    In parts of nearly equal size: a last small batch would be all noise.
    """
    return np.array_split(rng.permutation(count), min(-(-n // size), count))


def rows_of(source: ArraySource, chosen: Ints) -> Block:
    """Some rows, or subjects, of a source in memory as one block."""
    subjects = source.subjects
    rows = chosen if subjects is None else subjects.rows_of(chosen)
    taken = None if subjects is None else subjects.taken(chosen)
    X, y = source.X[rows], source.y[..., rows]
    designs = tuple(as_design(design_of(m, X, taken)) for m in source.maps)
    y = y if source.target is None else source.target(y)
    return Block(designs, y, source.w[rows], taken)


def _taken(block: Block, chosen: Ints) -> Block:
    """Some rows, or subjects, of a block."""
    subjects = block.subjects
    if subjects is None:
        designs = tuple(d.at(chosen) for d in block.designs)
        return Block(designs, block.y[..., chosen], block.w[chosen])
    rows = subjects.rows_of(chosen)
    designs = tuple(d.at(rows if d.n == block.w.size else chosen) for d in block.designs)
    return Block(designs, block.y[..., rows], block.w[rows], subjects.taken(chosen))


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
            count = block.subject_w.size
            drawn = np.random.default_rng([self.seed, number]).random(count) < self.share
            chosen = np.flatnonzero(drawn == self.inside)
            if chosen.size:
                yield _taken(block, chosen)


def held_out(source: Source, share: float, seed: int) -> tuple[Source, Source]:
    """The rows to train on, and a random share to judge by."""
    if not isinstance(source, ArraySource):
        return RandomSubset(source, share, seed, inside=False), RandomSubset(
            source, share, seed, inside=True
        )
    order = np.random.default_rng(seed).permutation(_count(source))
    if order.size < 2:
        raise ValueError(
            f"validation_fraction={share!r} needs at least two different rows, one to train on "
            "and one to judge by; leave it at None."
        )
    w = source.w if source.subjects is None else source.subjects.w
    reached = np.cumsum(w[order])
    count = int(np.searchsorted(reached, share * reached[-1]))
    count = int(np.clip(count, 1, order.size - 1))
    return _subset(source, np.sort(order[count:])), _subset(source, np.sort(order[:count]))


def weight_of(source: Source) -> float:
    """Total weight of the rows."""
    return float(sum(block.w.sum() for block in source))


def _subset(source: ArraySource, chosen: Ints) -> ArraySource:
    """Some rows, or subjects, of a source in memory."""
    subjects = source.subjects
    rows = chosen if subjects is None else subjects.rows_of(chosen)
    return ArraySource(
        source.X[rows],
        source.y[..., rows],
        source.w[rows],
        source.maps,
        source.block_size,
        source.target,
        subjects=None if subjects is None else subjects.taken(chosen),
    )
