"""Rows that belong together: all rows of a subject come from one expert.

Rows of a subject stand side by side, so that sums over subjects are sums over consecutive rows.
What a gate sees of a subject is the mean of its rows, one column a subject.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from moe_classic._typing import Bools, Floats, Ints

#: Rows of every subject up to which their sums are taken row by row.
_FEW = 16


@dataclass(frozen=True)
class Subjects:
    """G subjects, each with some consecutive rows.

    Attributes
    ----------
    sizes : ndarray of int of shape (G,)
        Rows of each.
    w : ndarray of shape (G,)
        Weights of the subjects, those of their rows: a weight of 2 is a subject seen twice.
    labels : ndarray of shape (G,), or None
        The user's names of them, where these are still asked for.
    """

    sizes: Ints
    w: Floats
    labels: np.ndarray | None = None
    starts: Ints = field(init=False, repr=False)
    member: Ints = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "starts", np.cumsum(self.sizes) - self.sizes)
        object.__setattr__(self, "member", np.repeat(np.arange(self.sizes.size), self.sizes))

    @property
    def count(self) -> int:
        """Number of subjects G."""
        return self.sizes.size

    @property
    def rows_weight(self) -> Floats:
        """The weights of the subjects at each of their rows, (n,)."""
        return self.w[self.member]

    def sums(self, a: np.ndarray) -> np.ndarray:
        """Sums (..., G) over the rows of each, of (..., n)."""
        size = self._size
        if size is None:
            return np.add.reduceat(a, self.starts, axis=-1)
        out = a[..., ::size].copy()
        for j in range(1, size):
            out += a[..., j::size]
        return out

    @cached_property
    def _size(self) -> int | None:
        """Rows of each where all have as few: their sums then are sums of strided arrays."""
        size = int(self.sizes[0])
        return size if size <= _FEW and (self.sizes == size).all() else None

    def means(self, a: Floats) -> Floats:
        """Means (..., G) over the rows of each, of (..., n)."""
        return self.sums(a) / self.sizes

    def at_rows(self, a: np.ndarray) -> np.ndarray:
        """What is said of subjects (..., G) at each of their rows, (..., n)."""
        return a.take(self.member, axis=-1)

    def rows_of(self, chosen: Ints) -> Ints:
        """Rows of some subjects, one subject after another."""
        sizes = self.sizes[chosen]
        before = np.cumsum(sizes) - sizes
        return np.arange(sizes.sum()) + np.repeat(self.starts[chosen] - before, sizes)

    def taken(self, chosen: Ints, w: Floats | None = None) -> Subjects:
        """Some subjects, in this order, with other weights if given."""
        return Subjects(self.sizes[chosen], self.w[chosen] if w is None else w)

    def cut(self, step: int) -> Iterator[tuple[slice, slice]]:
        """Slices of about ``step`` rows that end where subjects do, and those of the subjects."""
        stops = np.cumsum(self.sizes)
        marks = np.arange(step, stops[-1] + step, step)
        ends = np.unique(np.searchsorted(stops, marks.clip(max=stops[-1])) + 1)
        first = 0
        for end in ends:
            row = int(self.starts[first])
            yield slice(row, int(stops[end - 1])), slice(first, int(end))
            first = int(end)

    def part(self, chosen: slice) -> Subjects:
        """Consecutive subjects."""
        return Subjects(self.sizes[chosen], self.w[chosen])

    def varying(self, a: Floats, share: float) -> Bools:
        """Which rows of ``a`` (c, n) differ within a subject by more than a share of their size."""
        size = np.abs(a).max(axis=1, initial=0.0)
        gap = np.abs(a - self.at_rows(self.means(a))).max(axis=1, initial=0.0)
        return np.asarray(gap > share * size)


def gathered(member: Ints, w: Floats, labels: np.ndarray) -> tuple[Ints, Subjects]:
    """The order of the rows in which subjects stand together, and the subjects.

    ``member`` (n,) numbers the subject of each row from 0, ``w`` (n,) are weights of the rows,
    alike within a subject, and ``labels`` (G,) the user's names of the subjects.
    """
    order = np.argsort(member, kind="stable")
    sizes = np.bincount(member)
    first = order[np.cumsum(sizes) - sizes]
    return order, Subjects(sizes, np.asarray(w[first], dtype=np.float64), labels)


def joined(parts: list[Subjects]) -> Subjects:
    """Subjects of several sets of rows, one set after another."""
    return Subjects(np.concatenate([p.sizes for p in parts]), np.concatenate([p.w for p in parts]))
