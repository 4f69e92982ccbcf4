"""Training rows: as the user gave them, and as the model sees them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from moe_classic._typing import Bools, Floats

from .sample import MOST_ROWS, take_sample
from .stats import Summary, summarise


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
    """Rows, and how the model sees their target.

    Attributes
    ----------
    X : (n, p), key : (d, n) target as the user gave it, or class codes, w : (n,)
    summary : moments of the target as the model sees it
    shift, factor : (d,), the user's target is ``shift + factor * y``
    """

    X: Floats
    key: Floats
    w: Floats
    summary: Summary
    shift: Floats
    factor: Floats

    def target(self, key: Floats) -> np.ndarray:
        """Standardised target (d, n), or class codes (n,), for some of the rows."""
        if self.summary.n_classes:
            return key[0].astype(np.intp)
        return (key - self.shift[:, None]) / self.factor[:, None]


def real_data(
    raw: RawData, moments: Summary | None, *, standardize: bool, common: bool
) -> TrainingData:
    """Real targets, standardised or not; ``common`` gives all outputs the same factor."""
    d = len(raw.key)
    shift, factor = np.zeros(d), np.ones(d)
    first = moments or summarise(raw.key, raw.w)
    if not standardize:
        return TrainingData(raw.X, raw.key, raw.w, first, shift, factor)
    shift, size = first.y_mean, np.abs(first.y_mean)
    # Rounding of a large constant must not be blown up to unit variance.
    constant = first.y_scale <= 1e-13 * size
    factor = np.where(constant, np.maximum(size, 1.0), first.y_scale)
    if common:
        factor = np.full_like(factor, np.sqrt((factor**2).mean()))
    variance = np.where(constant, 0.0, first.y_var / factor**2)
    summary = replace(first, y_mean=np.zeros(d), y_var=variance)
    return TrainingData(raw.X, raw.key, raw.w, summary, shift, factor)


def class_data(raw: RawData, n_classes: int, moments: Summary | None) -> TrainingData:
    """Class codes; ``raw`` may be a sample of the rows that ``moments`` are of."""
    summary = summarise(raw.key[0].astype(np.intp), raw.w, n_classes)
    if moments is not None:
        summary = replace(summary, weight=moments.weight, n_rows=moments.n_rows)
    return TrainingData(raw.X, raw.key, raw.w, summary, np.zeros(1), np.ones(1))
