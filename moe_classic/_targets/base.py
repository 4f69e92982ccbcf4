"""The contract of a target: what stands between the user's y and the numbers of a model.

::

    y  -- columns -->  (c, n) numbers  -- values -->    what experts see, in the user's units
                                       -- to_model -->  the same, standardised
    y  <-- from_model --  standardised values that were drawn from a model

Columns are what rows are merged, sampled and sent by. A new kind of target is a class of its own,
learned from the y of a fit. What single values may be, counts for example, experts say (``kind``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from moe_classic._data import RawData, Subjects, Summary
from moe_classic._typing import Bools, Floats


@dataclass(frozen=True)
class TrainingData:
    """Rows, and how the model sees their target.

    Attributes
    ----------
    X : (n, p), key : (c, n) columns of the target, w : (n,)
    summary : moments of the target as the model sees it
    target : Target
    subjects : Subjects of the rows, or None
    """

    X: Floats
    key: Floats
    w: Floats
    summary: Summary
    target: Target
    subjects: Subjects | None = None


class Target(ABC):
    """The y of one fit.

    Attributes
    ----------
    kind : name of what experts must describe, as in ``moe_classic._components.TARGETS``.
    whole : whether all rows must be seen to know what y is.
    intervals : whether y has two columns, ends between which it is known to lie.
    flat : whether y has one axis.
    shift, factor : ndarrays of shape (d,), y is ``shift + factor`` times what the model sees.
    """

    kind: ClassVar[str]
    whole: ClassVar[bool] = False
    intervals: ClassVar[bool] = False
    flat: bool
    shift: Floats
    factor: Floats

    @property
    def log_unit(self) -> float:
        """What a density of y loses against one of what the model sees, in nats."""
        return float(np.log(self.factor).sum())

    @property
    def attributes(self) -> dict[str, Any]:
        """What of it users see as attributes of a fitted estimator."""
        return {}

    # -------------------------------------------------------------------- learned from y

    @staticmethod
    def validation(*, multi_output: bool) -> dict[str, Any]:
        """Options of scikit-learn's validation of (X, y)."""
        return {}

    @staticmethod
    @abstractmethod
    def checked(y: Any) -> np.ndarray:
        """A validated y that is of this kind, (n,) or (n, d)."""

    @classmethod
    @abstractmethod
    def learn(cls, y: np.ndarray, used: Bools | None = None) -> Self:
        """The target of all rows ``y``, of which those ``used`` (n,) have weight."""

    def named(self, y: Any) -> Self:
        """The same with names that the user's y brings along."""
        return self

    @classmethod
    def learn_in_parts(cls, parts: Iterable[np.ndarray]) -> Self:
        """The target of rows that come in parts, all with weight."""
        raise NotImplementedError(f"a {cls.kind} target is known from its first rows")

    # -------------------------------------------------------------------- the user's y as numbers

    @abstractmethod
    def columns(self, y: np.ndarray) -> Floats:
        """Rows of numbers (c, n) of a checked y; raises if y is not what it was in the fit."""

    @abstractmethod
    def scored(self, y: Any) -> Floats:
        """Columns (c, n) of a y that nobody has looked at yet, such as one to score."""

    def exact(self, columns: Floats) -> Floats:
        """Columns of a y that is known; raises where only ends of it are."""
        return columns

    def number(self, columns: Floats) -> Floats:
        """Columns with one number in the place of ends."""
        return columns

    @abstractmethod
    def values(self, columns: Floats) -> np.ndarray:
        """What experts see in the user's units: (d, n), or codes (n,)."""

    @abstractmethod
    def to_model(self, columns: Floats) -> np.ndarray:
        """What experts see where they are fitted: standardised (d, n), or codes (n,)."""

    @property
    @abstractmethod
    def width(self) -> int:
        """Number of rows of a prediction: outputs d, or classes C."""

    @abstractmethod
    def ideal(self, columns: Floats) -> Floats:
        """What a perfect prediction would be, (width, n)."""

    @abstractmethod
    def blank(self, n: int) -> np.ndarray:
        """Values for rows whose target is not looked at."""

    @abstractmethod
    def training_data(
        self,
        raw: RawData,
        moments: Summary | None,
        *,
        standardize: bool,
        common: bool,
        centred: bool = True,
    ) -> TrainingData:
        """Rows as the model sees them.

        Parameters
        ----------
        raw : validated rows
        moments : moments of the columns where already known; ``raw`` may then be a sample
        standardize : whether y may be shifted and scaled
        common : whether all outputs have the same factor
        centred : whether it may be shifted
        """

    # -------------------------------------------------------------------- answers as a y

    @property
    @abstractmethod
    def names(self) -> list[str]:
        """Names of the linear predictors of an expert."""

    @property
    def equations(self) -> list[str]:
        """Left sides of the equations of an expert."""
        return self.names

    @property
    def reference(self) -> str | None:
        """The class against which log odds of experts are, or None."""
        return None

    def shaped(self, answers: Floats) -> Floats:
        """Answers (..., d, n) with the rows first, (n, ..., d)."""
        return np.moveaxis(answers, -1, 0)

    def decided(self, predictions: Floats) -> np.ndarray:
        """Predictions (n, K[, d or C]) as one answer each, in the user's terms."""
        return predictions

    @abstractmethod
    def from_model(self, values: np.ndarray) -> np.ndarray:
        """The user's y from what a fitted model drew, standardised values or codes."""

    # -------------------------------------------------------------------- geometry

    @abstractmethod
    def points(self, values: np.ndarray, summary: Summary) -> Floats:
        """Values as points (n, r) in equal units, for partitions of the rows."""

    @abstractmethod
    def errors(self, values: np.ndarray, predicted: Floats) -> Floats:
        """What predictions (n, K[, d or C]) miss, (n, K, d or C)."""
