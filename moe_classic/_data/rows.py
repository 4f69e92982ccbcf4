"""Training rows as the user gave them."""

from __future__ import annotations

from dataclasses import dataclass

from moe_classic._typing import Bools, Floats

from .sample import MOST_ROWS, take_sample


@dataclass(frozen=True)
class RawData:
    """Validated rows with positive weight.

    Attributes
    ----------
    X : (n, p), key : (d, n) target or class codes, w : (n,)
    used : which of the user's rows these are
    """

    X: Floats
    key: Floats
    w: Floats
    used: Bools

    def merged(self) -> RawData:
        """Distinct rows with summed weights, in an order that depends on their content only.

        Fits then start from the very same numbers however rows are ordered or repeated. Large
        data sets stay as they are: there, rounding does not decide between optima.
        """
        if self.w.size > MOST_ROWS:
            return self
        sample = take_sample(self.X, self.key, self.w, MOST_ROWS)
        return RawData(sample.X, sample.y, sample.w, self.used)
