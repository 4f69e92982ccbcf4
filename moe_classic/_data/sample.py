"""A bounded sample of distinct rows, cut by the content of the rows, never by their position."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from moe_classic._typing import Floats, Ints

from .blocks import Block, FeatureMap, design_of
from .sparse import as_design, row_columns, stacked_rows
from .subjects import Subjects, joined

#: Largest sample, and largest data set whose equal rows are merged before anything else.
MOST_ROWS = 20000


#: Fewest subjects of a sample, however many rows they have.
_LEAST_SUBJECTS = 200
#: Rows hashed at a time.
_SLICE = 1 << 17


def row_hashes(columns: list[np.ndarray]) -> np.ndarray:
    """A 64-bit hash of each row, the same wherever the row stands; columns are (n,) float64."""
    mixed = np.full(columns[0].size, 0x9E3779B97F4A7C15, dtype=np.uint64)
    for column in columns:
        bits = np.ascontiguousarray(column + 0.0, dtype=np.float64).view(np.uint64)
        mixed ^= bits + (mixed << np.uint64(6)) + (mixed >> np.uint64(2))
        mixed *= np.uint64(0xBF58476D1CE4E5B9)
        mixed ^= mixed >> np.uint64(31)
    return mixed


def equal_rows(columns: list[np.ndarray], w: Floats) -> tuple[Ints, Ints, Floats]:
    """Distinct rows by their hashes: their first places, where each row went, summed weights."""
    keys = row_hashes(columns)
    _, first, member = np.unique(keys, return_index=True, return_inverse=True)
    return first, member, np.bincount(member, weights=w).astype(np.float64, copy=False)


def subject_hashes(rows: np.ndarray, subjects: Subjects) -> np.ndarray:
    """A hash of each subject (G,) from those of its rows (n,), in whatever order these stand."""
    mixed = rows ^ (rows >> np.uint64(29))
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(32)
    return subjects.sums(mixed)


@dataclass(frozen=True)
class Sample:
    """Distinct rows in hash order with their summed weights.

    Attributes
    ----------
    X : (m, p), y : (d, m) target or class codes, w : (m,)
    complete : whether all distinct rows are in it.
    subjects : Subjects of the rows, or None; a sample then is one of distinct subjects.
    """

    X: np.ndarray
    y: np.ndarray
    w: Floats
    complete: bool
    subjects: Subjects | None = None

    def block(
        self, maps: tuple[FeatureMap, ...], target: Callable[[np.ndarray], np.ndarray]
    ) -> Block:
        """The sample as one block whose products are kept."""
        designs = tuple(as_design(design_of(m, self.X, self.subjects), keep=True) for m in maps)
        return Block(designs, target(self.y), self.w, self.subjects)


def take_sample(
    X: np.ndarray, y: np.ndarray, w: Floats, size: int, subjects: Subjects | None = None
) -> Sample:
    """The ``size`` distinct rows with the smallest hashes, equal rows merged.

    Works through slices and keeps the best few rows of each, so that its memory does not grow
    with the number of rows. Of ``subjects`` whole ones are taken, at once.
    """
    if subjects is not None:
        return merge_sample(None, X, y, w, size, subjects)
    sample = merge_sample(None, X[:_SLICE], y[:, :_SLICE], w[:_SLICE], size)
    for start in range(_SLICE, len(w), _SLICE):
        rows = slice(start, start + _SLICE)
        sample = merge_sample(sample, X[rows], y[:, rows], w[rows], size)
    return sample


def merge_sample(
    sample: Sample | None,
    X: np.ndarray,
    y: np.ndarray,
    w: Floats,
    size: int,
    subjects: Subjects | None = None,
) -> Sample:
    """Merge further rows into a sample and cut it to ``size`` distinct rows."""
    if sample is not None:
        X, y = stacked_rows([sample.X, X]), np.concatenate([sample.y, y], axis=1)
        w = np.concatenate([sample.w, w])
    whole = sample is None or sample.complete
    if subjects is not None:
        before = [] if sample is None or sample.subjects is None else [sample.subjects]
        return _sample_of_subjects(X, y, joined([*before, subjects]), size, whole=whole)
    first, _, weight = equal_rows([*row_columns(X), *y], w)
    complete = first.size <= size and whole
    chosen = first[:size]
    return Sample(X[chosen], y[:, chosen], weight[:size], complete)


def _sample_of_subjects(
    X: np.ndarray, y: np.ndarray, subjects: Subjects, size: int, *, whole: bool
) -> Sample:
    """Distinct subjects in hash order with summed weights, up to ``size`` rows; rows in theirs."""
    rows = row_hashes([*row_columns(X), *y])
    order = np.lexsort((rows, subjects.member))
    _, first, member = np.unique(
        subject_hashes(rows, subjects), return_index=True, return_inverse=True
    )
    weight = np.bincount(member, weights=subjects.w).astype(np.float64, copy=False)
    fits = int(np.searchsorted(np.cumsum(subjects.sizes[first]), size, side="right"))
    most = max(fits, _LEAST_SUBJECTS)
    chosen = first[:most]
    kept = subjects.taken(chosen, weight[:most])
    places = order[subjects.rows_of(chosen)]
    complete = first.size <= most and whole
    return Sample(X[places], y[:, places], kept.rows_weight, complete, kept)


def sample_size(n_parameters: int) -> int:
    """Rows on which starts are tried: twenty a parameter, within bounds."""
    return int(np.clip(20 * n_parameters, 2000, MOST_ROWS))
