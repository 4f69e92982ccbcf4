"""Training rows as the user gave them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from moe_classic._typing import Bools, Floats, Ints

from .sample import MOST_ROWS, take_sample
from .sparse import stacked_rows
from .subjects import Subjects, joined


@dataclass(frozen=True)
class RawData:
    """Validated rows with positive weight.

    Attributes
    ----------
    X : (n, p), key : (d, n) target or class codes, w : (n,)
    used : which of the user's rows these are
    subjects : Subjects of the rows, or None
    order : (n,) places of the rows among those used, where they stand by subjects
    """

    X: Floats
    key: Floats
    w: Floats
    used: Bools
    subjects: Subjects | None = None
    order: Ints | None = None

    @property
    def user_rows(self) -> Ints:
        """Places of the rows among the user's, (n,)."""
        places = np.flatnonzero(self.used)
        return places if self.order is None else places[self.order]

    @property
    def size(self) -> int:
        """Number of rows, or of subjects: of what is given to one expert as a whole."""
        return self.w.size if self.subjects is None else self.subjects.count

    @staticmethod
    def stacked(batches: Sequence[RawData]) -> RawData:
        """The rows of several batches, of whose places nothing is kept."""
        subjects = [b.subjects for b in batches if b.subjects is not None]
        return RawData(
            stacked_rows([b.X for b in batches]),
            np.concatenate([b.key for b in batches], axis=1),
            np.concatenate([b.w for b in batches]),
            np.ones(sum(b.w.size for b in batches), dtype=bool),
            joined(subjects) if subjects else None,
        )

    def kept(self) -> RawData:
        """A copy of these rows: the user may fill the same arrays anew."""
        used = np.ones(self.w.size, dtype=bool)
        return RawData(self.X.copy(), self.key.copy(), self.w.copy(), used, self.subjects)

    def merged(self) -> RawData:
        """Distinct rows with summed weights, in an order that depends on their content only.

        Fits then start from the very same numbers however rows are ordered or repeated. Large
        data sets stay as they are: there, rounding does not decide between optima. Subjects are
        merged as wholes.
        """
        if self.w.size > MOST_ROWS:
            return self
        sample = take_sample(self.X, self.key, self.w, MOST_ROWS, self.subjects)
        return RawData(sample.X, sample.y, sample.w, self.used, sample.subjects)
