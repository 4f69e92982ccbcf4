"""Training rows that are read block by block, from a source larger than memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

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
            block = self._checked(number, item)
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

    def _checked(self, number: int, item: Any) -> RawBlock | None:
        """One validated block, None if it has no rows that count."""
        if not isinstance(item, (tuple, list)) or len(item) not in (2, 3, 4):
            raise ValueError(
                f"block {number} must be a tuple (X, y), (X, y, w) or (X, y, w, groups); got "
                f"{type(item).__name__}"
                f"{f' of {len(item)}' if isinstance(item, (tuple, list)) else ''}."
            )
        X, y, w, groups = (*item, None, None)[:4]
        if not (hasattr(X, "__len__") or issparse(X)):
            raise ValueError(
                f"block {number} has X={X!r}; X must be rows of features, array-like of shape "
                "(n_samples, n_features)."
            )
        if (X.shape[0] if issparse(X) else len(X)) == 0 or (w is not None and not np.any(w)):
            return None  # partitions without rows are common
        self._begun = True
        try:
            block: RawBlock = self._validate(X, y, w, groups)
        except (TypeError, ValueError) as error:
            raise type(error)(f"block {number}: {error}") from error
        return block if block[2].size else None

    def rows(self) -> Iterator[tuple[np.ndarray, Floats, Subjects | None]]:
        """One pass over features, weights and subjects."""
        return ((X, w, subjects) for X, _, w, subjects in self)


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


def first_pass(stream: RowStream, size: int) -> tuple[Sample, Summary, int]:
    """Sample of at most ``size`` distinct rows, moments of the target, number of rows.

    Where values may be wild the target is read once more, with those beyond the tame range of the
    sample moved in.
    """
    sample: Sample | None = None
    summary: Summary | None = None
    low, high, n_rows = np.array(np.inf), np.array(-np.inf), 0
    whole = _WholeSubjects()
    least, most = np.array(np.inf), np.array(-np.inf)
    for number, (X, key, w, subjects) in enumerate(stream):
        whole.see(subjects, number)
        here = least_and_most(X)
        least, most = np.fmin(least, here[0]), np.fmax(most, here[1])
        sample = merge_sample(sample, X, key, w, size, subjects)
        summary = _merge(summary, plain_moments(key, w))
        low, high = np.minimum(low, key.min(axis=1)), np.maximum(high, key.max(axis=1))
        n_rows += w.size
    if sample is None or summary is None:
        raise ValueError("blocks yielded no rows with positive weight.")
    check_spread("X", least, most)
    check_spread("y", low, high)
    if wild_outputs(summary, low, high):
        tame = summarise(sample.y, sample.w) if sample.complete else None
        summary = _tamed_moments(stream, summary, sample, low, high) if tame is None else tame
    span, share = np.array([low, high]), whole.per_row(summary)
    return sample, replace(summary, n_rows=n_rows, y_range=span, per_row=share), n_rows


class _WholeSubjects:
    """Checks in a first pass that each subject comes whole, in one block, and counts them."""

    def __init__(self) -> None:
        self.weight, self.grouped = 0.0, False
        self.seen: set[Any] = set()

    def see(self, subjects: Subjects | None, number: int) -> None:
        """Take one block into account; raises for a subject that came before."""
        if number and self.grouped != (subjects is not None):
            other = "without" if self.grouped else "with"
            raise ValueError(
                f"block {number} comes {other} groups, unlike those before it; yield "
                "(X, y, w, groups) from all blocks, or from none."
            )
        if subjects is None or subjects.labels is None:
            return
        self.grouped = True
        self.weight += float(subjects.w.sum())
        new = set(subjects.labels.tolist())
        again = self.seen & new
        if again:
            raise ValueError(
                f"block {number} has rows of group {min(again, key=str)!r}, which an earlier block "
                "had too; a group must come whole, in one block. Sort the rows by group and cut "
                "blocks where groups end."
            )
        self.seen |= new

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
    tame: Summary | None = None
    for _, key, w, _ in stream:
        clipped = np.clip(key, least[:, None], most[:, None])
        tame = _merge(tame, plain_moments(clipped, w))
    return summary if tame is None else tame


def _merge(a: Summary | None, b: Summary) -> Summary:
    """Moments of two sets of rows together."""
    if a is None:
        return b
    weight, mean, scatter = merged_moments(
        (a.weight, a.y_mean, a.weight * a.y_var), (b.weight, b.y_mean, b.weight * b.y_var)
    )
    rows = a.n_rows + b.n_rows
    return replace(a, weight=weight, y_mean=mean, y_var=scatter / weight, n_rows=rows)
