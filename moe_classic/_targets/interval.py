"""Targets of which only two ends are known: (n, 2) lower and upper, equal where y was seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from moe_classic._data import RawData, Summary, check_largest, summarise
from moe_classic._typing import Bools, Floats

from .base import TrainingData
from .real import RealTarget


@dataclass(frozen=True, eq=False)
class IntervalTarget(RealTarget):
    """One number a row, known to lie between two ends; infinite where nothing is known.

    Attributes
    ----------
    seen : share of the weight in whose rows y was seen.
    """

    intervals: ClassVar[bool] = True

    seen: float = 1.0

    @property
    def log_unit(self) -> float:
        """Densities change with the unit, probabilities of intervals do not."""
        return self.seen * super().log_unit

    @staticmethod
    def checked(y: Any) -> Floats:
        """Ends (n, 2) that make sense; y of shape (n,) was seen in all rows."""
        try:
            ends = np.asarray(y, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"y must hold numbers, the lower and the upper end of each row: {error}"
            ) from None
        if ends.ndim == 1:
            ends = np.column_stack([ends, ends])
        if ends.ndim != 2 or ends.shape[1] != 2:
            raise ValueError(
                f"y has shape {np.shape(y)}; censored experts need (n_samples, 2), the lower and "
                "the upper end of each row, equal where y was seen, infinite where nothing is "
                "known; or (n_samples,) where it was seen in all rows."
            )
        _refuse(np.isnan(ends).any(axis=1), ends, "Write -inf or inf for an end that is not known")
        _refuse(ends[:, 0] > ends[:, 1], ends, "The lower end must not exceed the upper one")
        same = (ends[:, 0] == ends[:, 1]) & ~np.isfinite(ends[:, 0])
        _refuse(same, ends, "Two ends at the same infinity are no number")
        check_largest("y", np.where(np.isinf(ends), 0.0, ends))
        return ends

    @classmethod
    def learn(cls, y: np.ndarray, used: Bools | None = None) -> Self:
        """One output, written as (n,)."""
        rows = y if used is None else y[used]
        if rows.size and not np.isfinite(rows).any():
            raise ValueError(
                "y has no finite end in any row with weight: nothing is known of it. Give at least "
                "some rows in which it was seen."
            )
        return cls(flat=True, shift=np.zeros(1), factor=np.ones(1))

    def named(self, y: Any) -> Self:
        """The same: columns are ends, not outputs."""
        return self

    def columns(self, y: np.ndarray) -> Floats:
        """Both ends, (2, n)."""
        return np.ascontiguousarray(y.T)

    def scored(self, y: Any) -> Floats:
        """Ends of a y to score, (2, n)."""
        return self.columns(self.checked(y))

    def exact(self, columns: Floats) -> Floats:
        """What was seen, (1, n); raises where y was not."""
        hidden = np.flatnonzero(columns[0] != columns[-1])
        if hidden.size:
            i = int(hidden[0])
            raise ValueError(
                f"y is censored in row {i}, between {columns[0, i]:g} and {columns[-1, i]:g}; this "
                "answer needs the number itself. Leave such rows out, or use score_samples, "
                "log_likelihood, residuals(kind='quantile') or the scorer 'log_score' of "
                "metrics.get_scorer, which do with ends."
            )
        return columns[:1]

    def ideal(self, columns: Floats) -> Floats:
        """One number a row, as the model sees it."""
        return self.to_model(self.number(columns))

    def number(self, columns: Floats) -> Floats:
        """One number a row, (1, n): the middle of the ends, or the one that is known."""
        low, high = columns[0], columns[-1]
        with np.errstate(invalid="ignore"):
            middle = low + 0.5 * (high - low)
        number = np.where(np.isfinite(low), np.where(np.isfinite(high), middle, low), high)
        known = np.isfinite(number)
        usual = float(number[known].mean()) if known.any() else 0.0
        return np.where(known, number, usual)[None]

    def training_data(
        self,
        raw: RawData,
        moments: Summary | None,
        *,
        standardize: bool,
        common: bool,
        centred: bool = True,
    ) -> TrainingData:
        """Ends that are standardised, or not, by the moments of one number a row."""
        middle = summarise(self.number(raw.key), raw.w)
        finite = raw.key[np.isfinite(raw.key)]
        middle = replace(middle, y_range=np.array([[finite.min()], [finite.max()]]))
        how = {"standardize": standardize, "common": common, "centred": centred}
        data = super().training_data(raw, middle, **how)
        seen = float(raw.w @ (raw.key[0] == raw.key[1])) / float(raw.w.sum())
        return replace(data, target=replace(data.target, seen=seen))  # type: ignore[type-var]

    def points(self, values: np.ndarray, summary: Summary) -> Floats:
        """One number a row, of mean 0 and variance 1."""
        return super().points(self.number(values), summary)

    def errors(self, values: np.ndarray, predicted: Floats) -> Floats:
        """Residuals of one number a row."""
        return super().errors(self.number(values), predicted)


def _refuse(bad: Any, ends: Floats, what: str) -> None:
    """Raise where ends make no sense."""
    rows = np.flatnonzero(bad)
    if rows.size:
        i = int(rows[0])
        raise ValueError(f"y has the ends {ends[i, 0]:g} and {ends[i, 1]:g} in row {i}. {what}.")
