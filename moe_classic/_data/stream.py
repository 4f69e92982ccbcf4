"""Training rows that are read block by block, from a source larger than memory."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial, reduce
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np
from scipy.sparse import issparse

from moe_classic._numerics import tame_range
from moe_classic._typing import Floats

from .blocks import Block, FeatureMap, design_of
from .magnitudes import check_spread, least_and_most
from .sample import Sample, merge_sample, row_hashes
from .sparse import as_design, row_columns
from .stats import Summary, merged_moments, plain_moments, summarise, wild_outputs
from .subjects import Subjects

T = TypeVar("T")

#: What errors about values that are no finite numbers speak of.
_NOT_FINITE = re.compile("NaN|infinit|missing")


class RawBlock(NamedTuple):
    """A validated block: features (n, p), target (d, n) as numbers or codes, weights (n,)."""

    X: np.ndarray
    key: Floats
    w: Floats
    subjects: Subjects | None = None


class RowStream:
    """A user's blocks, validated anew on every pass.

    Parameters
    ----------
    blocks : callable or iterable
        A callable without arguments that returns an iterable of ``(X, y)`` or ``(X, y, w)``, or
        an iterable that can be iterated over again (a list, not a generator).
    validate : callable
        ``validate(X, y, w, groups)`` returns a :data:`RawBlock` or raises.
    """

    #: What errors call one of its pieces.
    piece: ClassVar[str] = "block"

    def __init__(self, blocks: Any, validate: Callable[[Any, Any, Any, Any], Any]) -> None:
        if not callable(blocks):
            if not isinstance(blocks, Iterable):
                raise TypeError(
                    f"blocks={blocks!r} must be a callable that returns an iterable of (X, y) or "
                    "(X, y, w), or an iterable of such tuples."
                )
            if isinstance(blocks, Iterator):
                raise TypeError(
                    "blocks is an iterator, which can be read only once, and a fit reads its rows "
                    "many times. Pass a callable that returns a new iterator each time."
                )
        self._open = blocks if callable(blocks) else lambda: blocks
        self._validate = validate
        self._begun = False
        self._rows: tuple[int, int] | None = None

    def __iter__(self) -> Iterator[RawBlock]:
        opened = self._open()
        if not isinstance(opened, Iterable):
            raise TypeError(
                f"blocks() returned {opened!r}; it must return an iterable of (X, y) or (X, y, w)."
            )
        count, mark, begun = 0, 0, self._begun
        for number, item in enumerate(opened):
            block = self.checked(number, item)
            if block is not None:
                count += block[2].size
                mark = (mark + _mark(block)) % (1 << 64)
                yield block
        if count == 0 and begun:
            raise ValueError(
                "blocks() yielded rows in an earlier pass and none now; it must return a new "
                "iterator each time, and a fit reads its rows many times."
            )
        if count == 0:
            raise ValueError("blocks yielded no rows with positive weight.")
        self._same(count, mark)

    def reduce(self, f: Callable[[RawBlock], T], merge: Callable[[T, T], T]) -> T:
        """``f`` of every block of one pass, merged in their order."""
        return reduce(merge, map(f, self))

    def source(
        self,
        maps: tuple[FeatureMap, ...],
        target: Callable[[np.ndarray], np.ndarray],
        n_experts: int,
    ) -> StreamSource:
        """The rows as a model of ``n_experts`` sees them."""
        return StreamSource(self, maps, target)

    def _same(self, count: int, mark: int) -> None:
        """Raise unless a whole pass had the rows of the passes before, in whatever order."""
        if self._rows is None:
            self._rows = (count, mark)
        first, known = self._rows
        if (first, known) == (count, mark):
            return
        how = f"{first} rows, then {count}" if count != first else f"{count} rows, other values"
        raise ValueError(
            f"blocks() yielded other rows than in an earlier pass ({how}); a fit reads its rows "
            "many times, and they must be the same every time: give random draws a fixed seed, and "
            "leave the source alone during the fit."
        )

    def checked(self, number: int, item: Any) -> RawBlock | None:
        """One validated block, None if it has no rows that count."""
        if not isinstance(item, (tuple, list)) or len(item) not in (2, 3, 4):
            raise ValueError(
                f"{self.piece} {number} must be a tuple (X, y), (X, y, w) or (X, y, w, groups); "
                f"got {type(item).__name__}"
                f"{f' of {len(item)}' if isinstance(item, (tuple, list)) else ''}."
            )
        X, y, w, groups = (*item, None, None)[:4]
        if not (hasattr(X, "__len__") or issparse(X)):
            raise ValueError(
                f"{self.piece} {number} has X={X!r}; X must be rows of features, array-like of "
                "shape (n_samples, n_features)."
            )
        if (X.shape[0] if issparse(X) else len(X)) == 0 or (w is not None and not np.any(w)):
            return None  # partitions without rows are common
        self._begun = True
        block = self.told(number, (X, y), self._validate, X, y, w, groups)
        return block if block[2].size else None

    def told(self, number: int, part: Any, f: Callable[..., T], *arguments: Any) -> T:
        """``f(*arguments)`` about a piece ``part``, whose number and row errors bear."""
        try:
            return f(*arguments)
        except (TypeError, ValueError) as error:
            where = _first_missing(*part[:2]) if _NOT_FINITE.search(str(error)) else ""
            raise type(error)(f"{self.piece} {number}: {error}{where}") from error

    @property
    def rows(self) -> StreamRows:
        """Passes over features, weights and subjects."""
        return StreamRows(self)


@dataclass(frozen=True)
class StreamRows:
    """Passes over features, weights and subjects of a stream."""

    stream: RowStream

    def __call__(self) -> Iterator[tuple[np.ndarray, Floats, Subjects | None]]:
        return ((X, w, subjects) for X, _, w, subjects in self.stream)

    def reduce(self, f: Callable[..., T], merge: Callable[[T, T], T]) -> T:
        """``f(X, w, subjects)`` of every block, merged in their order."""
        return self.stream.reduce(partial(_without_target, f), merge)


def _without_target(f: Callable[..., T], block: RawBlock) -> T:
    """What is said of a block whose target is not looked at."""
    return f(block.X, block.w, block.subjects)


def _first_missing(X: Any, y: Any) -> str:
    """Which row of a block holds the first value that is no finite number, for messages."""
    for name, values in (("X", X), ("y", y)):
        try:
            finite = np.isfinite(np.asarray(values, dtype=np.float64))
        except (TypeError, ValueError):
            continue
        if finite.ndim and not finite.all():
            return f" (The first is in row {np.argwhere(~finite)[0][0]} of {name} there.)"
    return ""


def _mark(block: RawBlock) -> int:
    """A sum over rows that tells sets of rows apart, whatever their order."""
    X, key, w = block[:3]
    # Labels as the user wrote them are read in one pass, and not compared.
    columns = [*row_columns(X), *(key if key.ndim == 2 else ()), w]
    return int(row_hashes(columns).sum(dtype=np.uint64))


@dataclass(frozen=True)
class StreamSource:
    """Blocks as the model sees them, one pass at a time."""

    stream: RowStream
    maps: tuple[FeatureMap, ...]
    target: Callable[[np.ndarray], np.ndarray]

    def __iter__(self) -> Iterator[Block]:
        for X, key, w, subjects in self.stream:
            designs = tuple(as_design(design_of(m, X, subjects)) for m in self.maps)
            yield Block(designs, self.target(key), w, subjects)


def summed(f: Callable[[Block], Any], source: Iterable[Block]) -> Any:
    """Sum of ``f`` over blocks, by the source itself where it can: its rows may be elsewhere."""
    own = getattr(source, "map_reduce", None)
    return reduce(operator.add, map(f, source)) if own is None else own(f)


def first_pass(stream: RowStream, size: int) -> tuple[Sample, Summary, int]:
    """Sample of at most ``size`` distinct rows, moments of the target, number of rows.

    Where values may be wild the target is read once more, with those beyond the tame range of the
    sample moved in.
    """
    seen = stream.reduce(partial(_first_look, size), partial(_looked_at_both, size))
    sample, summary, (low, high) = seen.sample, seen.summary, seen.y_range
    check_spread("X", *seen.X_range)
    check_spread("y", low, high)
    if wild_outputs(summary, low, high):
        tame = summarise(sample.y, sample.w) if sample.complete else None
        summary = _tamed_moments(stream, summary, sample, low, high) if tame is None else tame
    summary = replace(summary, n_rows=seen.n_rows, y_range=np.array([low, high]))
    return sample, replace(summary, per_row=seen.whole.per_row(summary)), seen.n_rows


@dataclass(frozen=True)
class _FirstLook:
    """What the first pass says about some blocks.

    Attributes
    ----------
    X_range, y_range : least and greatest values of each column, missing ones left out
    n_blocks : blocks that it has seen
    """

    sample: Sample
    summary: Summary
    X_range: tuple[Floats, Floats]
    y_range: tuple[Floats, Floats]
    whole: _WholeSubjects
    n_blocks: int = 1

    @property
    def n_rows(self) -> int:
        """Rows that it has seen."""
        return self.summary.n_rows


def _first_look(size: int, block: RawBlock) -> _FirstLook:
    """One block."""
    X, key, w, subjects = block
    return _FirstLook(
        merge_sample(None, X, key, w, size, subjects),
        plain_moments(key, w),
        least_and_most(X),
        (key.min(axis=1), key.max(axis=1)),
        _WholeSubjects.of(subjects),
    )


def _looked_at_both(size: int, a: _FirstLook, b: _FirstLook) -> _FirstLook:
    """Blocks, and those that come after them."""
    whole = a.whole.joined(b.whole, a.n_blocks)
    new = b.sample
    sample = merge_sample(a.sample, new.X, new.y, new.w, size, new.subjects)
    return _FirstLook(
        replace(sample, complete=sample.complete and new.complete),
        _merge(a.summary, b.summary),
        _wider(a.X_range, b.X_range),
        _wider(a.y_range, b.y_range),
        whole,
        a.n_blocks + b.n_blocks,
    )


def _wider(a: tuple[Floats, Floats], b: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """Least and greatest values of both."""
    return np.fmin(a[0], b[0]), np.fmax(a[1], b[1])


@dataclass(frozen=True)
class _WholeSubjects:
    """Checks in a first pass that each subject comes whole, in one block, and counts them."""

    grouped: bool = False
    weight: float = 0.0
    seen: set[Any] = field(default_factory=set)

    @classmethod
    def of(cls, subjects: Subjects | None) -> _WholeSubjects:
        """Those of one block."""
        if subjects is None or subjects.labels is None:
            return cls()
        return cls(True, float(subjects.w.sum()), set(subjects.labels.tolist()))  # noqa: FBT003

    def joined(self, later: _WholeSubjects, number: int) -> _WholeSubjects:
        """With those of later blocks, from ``number`` on; raises for a subject in both."""
        if self.grouped != later.grouped:
            other = "without" if self.grouped else "with"
            raise ValueError(
                f"block {number} comes {other} groups, unlike those before it; yield "
                "(X, y, w, groups) from all blocks, or from none."
            )
        again = self.seen & later.seen
        if again:
            raise ValueError(
                f"block {number} has rows of group {min(again, key=str)!r}, which an earlier block "
                "had too; a group must come whole, in one block or partition. Sort the rows by "
                "group and cut where groups end."
            )
        seen = self.seen
        seen |= later.seen
        return replace(self, weight=self.weight + later.weight, seen=seen)

    def per_row(self, summary: Summary) -> float:
        """Weight of the subjects over that of the rows."""
        if self.grouped and len(self.seen) < 2:
            raise ValueError("groups holds a single group; at least two are needed.")
        return self.weight / summary.weight if self.grouped else 1.0


def _tamed_moments(
    stream: RowStream, summary: Summary, sample: Sample, low: Floats, high: Floats
) -> Summary:
    """Moments of all rows with the wild values of outputs that have some moved in."""
    least, most = low.copy(), high.copy()
    for j in wild_outputs(summary, low, high):
        least[j], most[j] = tame_range(sample.y[j], sample.w)
    clipped = partial(_clipped_moments, least[:, None], most[:, None])
    return stream.reduce(clipped, _merge)


def _clipped_moments(least: Floats, most: Floats, block: RawBlock) -> Summary:
    """Moments of the target of a block moved within bounds."""
    return plain_moments(np.clip(block.key, least, most), block.w)


def _merge(a: Summary, b: Summary) -> Summary:
    """Moments of two sets of rows together."""
    weight, mean, scatter = merged_moments(
        (a.weight, a.y_mean, a.weight * a.y_var), (b.weight, b.y_mean, b.weight * b.y_var)
    )
    rows = a.n_rows + b.n_rows
    return replace(a, weight=weight, y_mean=mean, y_var=scatter / weight, n_rows=rows)
