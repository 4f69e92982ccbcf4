"""Training rows in the partitions of a Dask collection, on one machine or on many.

A pass is one task a partition and a tree of sums over what they say: rows stay where they are, the
question travels there and statistics back. Dask itself looks after workers that are lost; what they
knew is computed anew.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache, reduce
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np
from threadpoolctl import ThreadpoolController

from .blocks import ArraySource, Block, FeatureMap
from .clusters import Cluster, received
from .stream import RawBlock, RowStream, StreamSource, _mark

T = TypeVar("T")

#: Sums that are added up in one task.
_FAN_IN = 8
#: Part of the memory of all workers that rows may fill which are kept from pass to pass.
_SHARE = 0.25
#: Rows of the first partition that say what columns there are.
_HEAD = 100


def is_dask(*values: Any) -> bool:
    """Whether any of them is a collection of Dask's."""
    return any(hasattr(v, "__dask_graph__") for v in values)


def stream_of(blocks: Any, validate: Callable[[Any, Any, Any, Any], Any]) -> RowStream:
    """A user's blocks, read here or, where they are Dask's, wherever Dask has them."""
    if isinstance(blocks, (list, tuple)) and is_dask(*blocks):
        return DaskStream(blocks, validate)
    return RowStream(blocks, validate)


# ------------------------------------------------------------------------- a user's collections


def dask_parts(
    X: Any, y: Any, sample_weight: Any = None, groups: Any = None, *, labels: Any = None
) -> list[Any]:
    """Partitions ``(X, y, w)``, each to be computed where it is.

    ``groups``, each whole in one partition, come fourth, or ``labels`` of clusters of rows, which
    may be in several.
    """
    from dask.delayed import delayed

    last = {"groups": groups, "clusters": labels}
    given = {"X": X, "y": y, "sample_weight": sample_weight, **last}
    given = {name: value for name, value in given.items() if value is not None}
    check_partitions(given)
    parts: list[Any] = [_delayed(v) for v in given.values()]
    if sample_weight is None and len(parts) > 2:
        parts.insert(2, [None] * len(parts[0]))
    return [delayed(_together, pure=False)(*part) for part in zip(*parts, strict=True)]


def over_partitions(f: Callable[[Any], T], parts: list[Any]) -> list[T]:
    """``f`` of every partition, computed where it is."""
    from dask.base import compute
    from dask.delayed import delayed

    answers: Any = compute  # without types
    return list(answers(*(delayed(f, pure=False)(part) for part in parts)))


def _delayed(value: Any) -> np.ndarray:
    """Partitions of one collection, as many as it says that it has.

    Dask joins files of which few columns are read, unlike numbers for X and for y: not so here.
    """
    if hasattr(value, "chunks"):
        return np.ravel(np.asarray(value.to_delayed(), dtype=object))
    return np.array(value.to_delayed(optimize_graph=False), dtype=object)


def check_partitions(given: dict[str, Any]) -> None:
    """Raise unless all are collections, X and others, with the same partitions."""
    for name, value in given.items():
        if not (is_dask(value) and hasattr(value, "to_delayed")):
            raise TypeError(
                f"{name} is a {type(value).__name__}, and other arguments are Dask collections; X, "
                "y and sample_weight must all be Dask DataFrames, Series or arrays, or none."
            )
    cuts = {name: _cuts(name, value) for name, value in given.items()}
    for name, cut in cuts.items():
        if not _alike(cuts["X"], cut):
            raise ValueError(
                f"X and {name} are partitioned differently: X has {_told(cuts['X'])}, {name} has "
                f"{_told(cut)}. Take both from one collection, or repartition (rechunk) {name}."
            )


def _together(*values: Any) -> tuple[Any, ...]:
    """One partition."""
    return values


@dataclass(frozen=True)
class _Cuts:
    """Number of partitions, with the sizes of chunks or the divisions of an index where known."""

    count: int
    sizes: tuple[Any, ...] | None = None
    divisions: tuple[Any, ...] | None = None


def _cuts(name: str, value: Any) -> _Cuts:
    """Where a collection is cut; raises where its columns are cut, too."""
    if not hasattr(value, "chunks"):
        known = value.divisions if getattr(value, "known_divisions", False) else None
        return _Cuts(value.npartitions, divisions=known)
    if any(len(c) > 1 for c in value.chunks[1:]):
        raise ValueError(
            f"{name} is a Dask array with columns in {len(value.chunks[1])} chunks, "
            f"{value.chunks[1]}; rows must be whole. Use {name}.rechunk({{1: -1}})."
        )
    sizes = value.chunks[0]
    return _Cuts(len(sizes), None if np.isnan(sizes).any() else sizes)


def _alike(a: _Cuts, b: _Cuts) -> bool:
    """Whether two collections may have the same partitions, as far as is known."""
    same = a.count == b.count
    for one, other in ((a.sizes, b.sizes), (a.divisions, b.divisions)):
        same = same and (one is None or other is None or one == other)
    return same


def _told(cut: _Cuts) -> str:
    """Partitions in words."""
    where = cut.sizes if cut.divisions is None else cut.divisions
    what = "rows" if cut.divisions is None else "divisions"
    if where is None:
        return f"{cut.count} partitions"
    shown = ", ".join(map(str, where[:6])) + (", ..." if len(where) > 6 else "")
    return f"{cut.count} partitions with {what} {shown}"


# ------------------------------------------------------------------------- passes


class DaskStream(RowStream):
    """Partitions that are read where Dask has them.

    Parameters
    ----------
    parts : sequence of Delayed
        Tuples ``(X, y)``, ``(X, y, w)`` or ``(X, y, w, groups)``.
    validate : callable
        As for :class:`RowStream`.
    """

    piece: ClassVar[str] = "partition"

    def __init__(self, parts: Sequence[Any], validate: Callable[[Any, Any, Any, Any], Any]) -> None:
        for number, part in enumerate(parts):
            if not is_dask(part):
                raise TypeError(
                    f"block {number} is a {type(part).__name__}, and others are dask.delayed; "
                    "blocks must all be delayed tuples (X, y, w), or none."
                )
        super().__init__(self._pulled, validate)
        self._parts = list(parts)
        self._cluster = Cluster()
        self._row_bytes = 0
        self._kept: list[Any] = []

    def _pulled(self) -> Iterator[Any]:
        """One partition after another, brought here."""
        return map(self._cluster.computed, self._parts)

    def _learn(self) -> None:
        """Let what validates see some rows, before it is sent away; keep the others if few."""
        from dask.delayed import delayed

        for number, part in enumerate(self._parts):
            count, head = self._cluster.computed(delayed(_head, pure=False)(part))
            block = self.checked(number, head)
            if block is not None:
                self._row_bytes = sum(a.nbytes for a in block[:2]) // block[2].size + 8
                if self._is_small(count * len(self._parts)):
                    self._kept = self._keep()
                return
        raise ValueError("the partitions hold no rows with positive weight.")

    def reduce(self, f: Callable[[RawBlock], T], merge: Callable[[T, T], T]) -> T:
        """``f`` of every partition in one pass, merged in a tree that keeps their order."""
        from dask.delayed import delayed

        if not self._begun:
            self._learn()
        sent = self._cluster.sendable(_Pass(f, merge, _Partition([], self._validate), np.geterr()))
        look, join = delayed(_look, pure=False), delayed(_join, pure=False)
        level = [look(sent, number, p) for number, p in enumerate(self._kept or self._parts)]
        while len(level) > 1:
            steps = range(0, len(level), _FAN_IN)
            level = [join(sent, *level[i : i + _FAN_IN]) for i in steps]
        said: _Said[T] | None = self._cluster.computed(level[0])
        if said is None:
            raise ValueError("the partitions hold no rows with positive weight.")
        first = self._rows is None
        self._same(said[0], said[1])
        if first and self._is_small(said[0]) != bool(self._kept):
            # Other partitions are of another size than the first one.
            self._kept = [] if self._kept else self._keep()
        return said[2]

    def _is_small(self, count: int) -> bool:
        """Whether so many rows take a small part of the memory of all workers."""
        return count * self._row_bytes <= _SHARE * self._cluster.memory()

    def _keep(self) -> list[Any]:
        """Validated rows in the memory of workers."""
        from dask.delayed import delayed

        sent = self._cluster.sendable(_Partition([], self._validate))
        check = delayed(_check, pure=False)
        return self._cluster.kept([check(sent, *part) for part in enumerate(self._parts)])

    def source(
        self,
        maps: tuple[FeatureMap, ...],
        target: Callable[[np.ndarray], np.ndarray],
        n_experts: int,
    ) -> StreamSource:
        """The rows as a model of ``n_experts`` sees them."""
        return DaskSource(self, maps, target, n_experts)


#: Number of rows, a sum that tells sets of rows apart, and what is said of them.
_Said = tuple[int, int, T]


class _Partition(RowStream):
    """What a worker needs of a stream to validate a partition."""

    piece: ClassVar[str] = "partition"


@dataclass(frozen=True)
class _Pass:
    """A question about all rows, as it is sent to workers."""

    f: Callable[[RawBlock], Any]
    merge: Callable[[Any, Any], Any]
    rows: RowStream
    errors: Any


class _Kept(NamedTuple):
    """A validated partition, and the sum that tells it from others; no block without rows."""

    block: RawBlock | None
    mark: int


def _check(sent: Any, number: int, part: Any) -> _Kept:
    """A partition, validated."""
    rows: RowStream = received(sent)
    block = rows.checked(number, part)
    return _Kept(block, 0 if block is None else _mark(block))


def _look(sent: Any, number: int, part: Any) -> _Said[Any] | None:
    """What one partition says, None if it has no rows that count."""
    asked: _Pass = received(sent)
    block, mark = part if isinstance(part, _Kept) else _check(asked.rows, number, part)
    if block is None:
        return None
    # Workers have processors for their own threads, not for those of BLAS.
    with np.errstate(**asked.errors), _libraries().limit(limits=1, user_api="blas"):
        said = asked.rows.told(number, block[:2], asked.f, block)
    return block[2].size, mark, said


@cache
def _libraries() -> ThreadpoolController:
    """Libraries with threads of their own, looked for once a process."""
    return ThreadpoolController()


def _join(sent: Any, *parts: _Said[Any] | None) -> _Said[Any] | None:
    """What several partitions say together."""
    some = [part for part in parts if part is not None]
    if not some:
        return None
    asked: _Pass = received(sent)
    with np.errstate(**asked.errors):
        # Merging may fill up its first part, which is to stay as it is if this task is run again.
        said = reduce(asked.merge, [deepcopy(some[0][2]), *(part[2] for part in some[1:])])
    mark = sum(part[1] for part in some) % (1 << 64)
    return sum(part[0] for part in some), mark, said


def _head(part: Any) -> tuple[int, Any]:
    """Rows of a partition, and the first of them, as many as hold some of positive weight."""
    if not isinstance(part, (tuple, list)) or len(part) not in (2, 3, 4):
        return 0, part
    count = part[0].shape[0] if hasattr(part[0], "shape") else len(part[0])
    stop = _HEAD
    if len(part) > 2 and part[2] is not None:
        positive = np.flatnonzero(np.asarray(part[2]))
        stop = int(positive[:_HEAD][-1]) + 1 if positive.size else 0
    return count, tuple(v if v is None else v[:stop] for v in part)


@dataclass(frozen=True)
class DaskSource(StreamSource):
    """Partitions as the model sees them: sums are taken where they are."""

    n_experts: int

    def map_reduce(self, f: Callable[[Block], Any]) -> Any:
        """Sum of ``f(block)`` over blocks of all partitions."""
        ask = _BlockSum(f, self.maps, self.target, self.n_experts)
        return self.stream.reduce(ask, operator.add)


@dataclass(frozen=True)
class _BlockSum:
    """Sum over blocks of a partition that fit into the cache."""

    f: Callable[[Block], Any]
    maps: tuple[FeatureMap, ...]
    target: Callable[[np.ndarray], np.ndarray]
    n_experts: int

    def __call__(self, raw: RawBlock) -> Any:
        source = ArraySource(
            raw.X,
            raw.key,
            raw.w,
            self.maps,
            target=self.target,
            n_experts=self.n_experts,
            subjects=raw.subjects,
            keep=False,
        )
        return reduce(operator.add, map(self.f, source))
