"""Targets that are real numbers, one or several."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils import check_array

from moe_classic._data import RawData, Summary, check_largest, summarise, unique_names
from moe_classic._typing import Bools, Floats

from .base import Target, TrainingData

#: Spread of an output, as a share of its mean, that is rounding.
_CONSTANT = 1e-13


@dataclass(frozen=True, eq=False)
class RealTarget(Target):
    """One output (n,), or d outputs (n, d).

    Attributes
    ----------
    flat : whether y has one axis.
    labels : names of the columns of a DataFrame y, or empty.
    """

    kind: ClassVar[str] = "real"

    flat: bool
    shift: Floats
    factor: Floats
    labels: tuple[str, ...] = ()

    @staticmethod
    def validation(*, multi_output: bool) -> dict[str, Any]:
        """Options of scikit-learn's validation of (X, y)."""
        return {"y_numeric": True, "multi_output": multi_output}

    @staticmethod
    def checked(y: Any) -> np.ndarray:
        """Numbers whose squares are numbers too."""
        y = np.asarray(y, dtype=np.float64)
        check_largest("y", y)
        return y

    @classmethod
    def learn(cls, y: np.ndarray, used: Bools | None = None) -> Self:
        """The number of outputs, and how they are written."""
        d = len(np.atleast_2d(y.T))
        return cls(y.ndim == 1, np.zeros(d), np.ones(d))

    def named(self, y: Any) -> Self:
        """The same with the names of the columns of a DataFrame."""
        if not hasattr(y, "columns"):
            return self
        return replace(self, labels=unique_names(map(str, y.columns)))

    def columns(self, y: np.ndarray) -> Floats:
        """The outputs, (d, n)."""
        columns = np.atleast_2d(y.T)
        if len(columns) != self.shift.size:
            raise ValueError(
                f"y has {len(columns)} outputs, the first rows had {self.shift.size}; every batch "
                "must have the same."
            )
        return columns

    def scored(self, y: Any) -> Floats:
        """The outputs of a y to score, (d, n)."""
        columns = np.atleast_2d(check_array(y, ensure_2d=False, dtype=np.float64, input_name="y").T)
        if len(columns) != self.shift.size:
            raise ValueError(
                f"y has {len(columns)} outputs, the model was fitted on {self.shift.size}."
            )
        check_largest("y", columns.T)
        return columns

    def values(self, columns: Floats) -> Floats:
        """The outputs as they are."""
        return columns

    def to_model(self, columns: Floats) -> Floats:
        """Standardised outputs, (d, n)."""
        return (columns - self.shift[:, None]) / self.factor[:, None]

    @property
    def width(self) -> int:
        """Number of outputs."""
        return self.shift.size

    def ideal(self, columns: Floats) -> Floats:
        """The outputs as the model sees them."""
        return self.to_model(columns)

    def blank(self, n: int) -> Floats:
        """Zeros."""
        return np.zeros((self.shift.size, n))

    def training_data(
        self,
        raw: RawData,
        moments: Summary | None,
        *,
        standardize: bool,
        common: bool,
        centred: bool = True,
    ) -> TrainingData:
        """Outputs that are standardised, or not; ``common`` gives all the same factor."""
        first = moments or summarise(raw.key, raw.w)
        if not standardize:
            plain = replace(self, shift=np.zeros_like(self.shift), factor=np.ones_like(self.factor))
            return TrainingData(raw.X, raw.key, raw.w, first, plain, raw.subjects)
        size = np.abs(first.y_mean)
        # Rounding of a large constant must not be blown up to unit variance.
        constant = first.y_scale <= _CONSTANT * size
        factor = np.where(constant, np.maximum(size, 1.0), first.y_scale)
        if common:
            factor = np.full_like(factor, np.sqrt((factor**2).mean()))
        variance = np.where(constant, 0.0, first.y_var / factor**2)
        shift = first.y_mean if centred else np.zeros(size.size)
        mean = np.zeros(size.size) if centred else first.y_mean / factor
        seen = first.y_range
        scaled = None if seen is None else (seen - shift) / factor
        summary = replace(first, y_mean=mean, y_var=variance, y_range=scaled)
        target = replace(self, shift=shift, factor=factor)
        return TrainingData(raw.X, raw.key, raw.w, summary, target, raw.subjects)

    @property
    def names(self) -> list[str]:
        """Names of the outputs."""
        if self.labels:
            return list(self.labels)
        d = self.shift.size
        return ["y"] if d == 1 else [f"y{j}" for j in range(d)]

    def shaped(self, answers: Floats) -> Floats:
        """Answers (..., d, n) as y is written, (n, ...) or (n, ..., d)."""
        return super().shaped(answers[..., 0, :] if self.flat else answers)

    def from_model(self, values: np.ndarray) -> Floats:
        """Outputs in the user's units, written as y was."""
        return self.shaped(self.shift[:, None] + self.factor[:, None] * values)

    def points(self, values: np.ndarray, summary: Summary) -> Floats:
        """Outputs of mean 0 and variance 1."""
        return ((values - summary.y_mean[:, None]) / summary.y_scale[:, None]).T

    def errors(self, values: np.ndarray, predicted: Floats) -> Floats:
        """Residuals."""
        return values.T[:, None] - predicted.reshape(*predicted.shape[:2], -1)
