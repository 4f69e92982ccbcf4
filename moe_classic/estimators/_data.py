"""Training rows: as the user gave them, and as the model sees them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from moe_classic._start import MOST_ROWS, take_sample
from moe_classic._stats import Summary, summarise
from moe_classic._typing import Bools, Floats


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


@dataclass(frozen=True)
class TrainingData:
    """Rows as the model sees them.

    Attributes
    ----------
    X : (n, p), y : (d, n) standardised target or (n,) codes, w : (n,)
    key : target as the user gave it, (d, n): rows are told apart by it
    summary : moments of ``y``
    shift, factor : (d,), the user's target is ``shift + factor * y``
    """

    X: Floats
    y: np.ndarray
    w: Floats
    key: Floats
    summary: Summary
    shift: Floats
    factor: Floats


def real_data(raw: RawData, *, standardize: bool, common: bool) -> TrainingData:
    """Real targets, standardised or not; ``common`` gives all outputs the same factor."""
    shift, factor = np.zeros(len(raw.key)), np.ones(len(raw.key))
    if standardize:
        first = summarise(raw.key, raw.w)
        shift, size = first.y_mean, np.abs(first.y_mean)
        # Rounding of a large constant must not be blown up to unit variance.
        factor = np.where(first.y_scale > 1e-13 * size, first.y_scale, np.maximum(size, 1.0))
        if common:
            factor = np.full_like(factor, np.sqrt((factor**2).mean()))
    y = (raw.key - shift[:, None]) / factor[:, None]
    return TrainingData(raw.X, y, raw.w, raw.key, summarise(y, raw.w), shift, factor)


def class_data(raw: RawData, n_classes: int) -> TrainingData:
    """Class codes."""
    codes = raw.key[0].astype(np.intp)
    summary = summarise(codes, raw.w, n_classes)
    return TrainingData(raw.X, codes, raw.w, raw.key, summary, np.zeros(1), np.ones(1))
