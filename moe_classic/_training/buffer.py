"""The first rows of a stream, kept until there are enough of them to choose a start by."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from moe_classic._data import MOST_ROWS, RawData, Sample, merge_sample

#: Rows that wait before equal ones are looked for, at least.
_WAITING = 1000


@dataclass(frozen=True)
class RowBuffer:
    """Rows that were seen, equal ones merged now and then.

    Attributes
    ----------
    sample : Sample
        Distinct rows with summed weights.
    weight : float
        Weight of all rows.
    waiting : tuple of RawData
        Batches that are not merged yet.
    weight_fitted : float
        Weight of all rows when they were last fitted.
    """

    sample: Sample
    weight: float
    waiting: tuple[RawData, ...] = ()
    weight_fitted: float = 0.0

    @classmethod
    def of(cls, raw: RawData) -> RowBuffer:
        """Rows of the first batch."""
        sample = merge_sample(None, raw.X, raw.key, raw.w, raw.w.size, raw.subjects)
        return cls(sample, float(raw.w.sum()))

    @property
    def size(self) -> int:
        """Number of distinct rows, those that wait left out."""
        return self.sample.w.size

    @property
    def is_full(self) -> bool:
        """Whether these are as many rows as starts are ever tried on."""
        return self.size >= MOST_ROWS

    @property
    def needs_refit(self) -> bool:
        """Whether it is time for a fit: their weight has doubled, or no more will be kept."""
        return self.is_full or self.weight >= 2.0 * self.weight_fitted

    def append(self, raw: RawData) -> RowBuffer:
        """With the rows of one more batch."""
        waiting = (*self.waiting, raw.kept())
        joined = replace(self, waiting=waiting, weight=self.weight + float(raw.w.sum()))
        count = sum(b.w.size for b in waiting)
        # Merging costs as much as there are rows: it waits for as many new ones, up to the bound.
        enough = self.size if self.size + count < MOST_ROWS else _WAITING
        return joined.merged() if count >= max(_WAITING, enough) else joined

    def merged(self) -> RowBuffer:
        """With no batch waiting."""
        if not self.waiting:
            return self
        new = RawData.stacked(self.waiting)
        size = self.size + new.w.size
        sample = merge_sample(self.sample, new.X, new.key, new.w, size, new.subjects)
        return replace(self, sample=sample, waiting=())

    def fitted(self) -> RowBuffer:
        """After a fit of these rows."""
        return replace(self, weight_fitted=self.weight)

    def rows(self) -> RawData:
        """The distinct rows as a fit takes them."""
        s = self.sample
        return RawData(s.X, s.y, s.w, np.ones(s.w.size, dtype=bool), s.subjects)
