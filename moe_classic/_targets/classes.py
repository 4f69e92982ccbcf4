"""Targets that are classes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from moe_classic._data import RawData, Summary, summarise
from moe_classic._typing import Bools, Floats, Ints

from .base import Target, TrainingData

#: Smallest variance of a class that the unit of points is made from.
_LEAST_VARIANCE = 1e-12
#: Labels whose types are looked at.
_LOOKED_AT = 10_000


@dataclass(frozen=True, eq=False)
class ClassTarget(Target):
    """One of C classes.

    Attributes
    ----------
    classes : ndarray of shape (C,)
        Labels in order; codes are places among them.
    """

    kind: ClassVar[str] = "class"
    whole: ClassVar[bool] = True

    classes: np.ndarray
    flat: bool = field(default=True, init=False)
    shift: Floats = field(default_factory=lambda: np.zeros(1))
    factor: Floats = field(default_factory=lambda: np.ones(1))

    @property
    def attributes(self) -> dict[str, Any]:
        """The classes."""
        return {"classes_": self.classes}

    @staticmethod
    def checked(y: Any) -> np.ndarray:
        """Labels, (n,)."""
        try:
            check_classification_targets(y)
            y = column_or_1d(y, warn=True)
            np.unique(y[:_LOOKED_AT])
        except TypeError as error:
            types = _types_of(np.ravel(np.asarray(y, dtype=object)))
            raise ValueError(
                f"y holds labels that cannot be put in order (of type {types}); write all labels "
                "as one type, strings or numbers, for example with y.astype(str)."
            ) from error
        return y

    @classmethod
    def learn(cls, y: np.ndarray, used: Bools | None = None) -> Self:
        """The classes of all rows; raises unless there are two, each with a row of weight."""
        classes = np.unique(y)
        weighed = classes if used is None or used.all() else np.unique(y[used])
        if weighed.size < 2 or weighed.size < classes.size:
            few = "one class, " if weighed.size == 1 else "the classes "
            raise ValueError(
                "y needs at least two classes, each with a row of positive weight; it has "
                f"{classes.size}, and rows with weight have {few}{_listed(weighed)}."
            )
        return cls(classes)

    @classmethod
    def learn_in_parts(cls, parts: Iterable[np.ndarray]) -> Self:
        """The classes of rows that come in parts, all with weight."""
        classes: set[Any] = set()
        for labels in parts:
            classes.update(labels.tolist())
        return cls.learn(np.array(list(classes)))

    def columns(self, y: np.ndarray) -> Floats:
        """Codes, (1, n)."""
        return self._codes(y)[None].astype(np.float64)

    def scored(self, y: Any) -> Floats:
        """Codes of a y to score, (1, n)."""
        return self.columns(column_or_1d(y))

    def _codes(self, y: np.ndarray) -> Ints:
        """Places of known labels among the classes, (n,)."""
        try:
            codes = np.searchsorted(self.classes, y).clip(max=self.classes.size - 1)
        except TypeError as error:
            raise ValueError(unlike_labels(self.classes, y)) from error
        strangers = self.classes[codes] != y
        if strangers.any():
            raise ValueError(
                f"y has the class {y[strangers].tolist()[0]!r}, which was not seen in fit; known "
                f"are {self.classes[:10].tolist()}."
            )
        return codes

    def values(self, columns: Floats) -> Ints:
        """Codes, (n,)."""
        return columns[0].astype(np.intp)

    def to_model(self, columns: Floats) -> Ints:
        """Codes, (n,)."""
        return self.values(columns)

    @property
    def width(self) -> int:
        """Number of classes."""
        return self.classes.size

    def ideal(self, columns: Floats) -> Floats:
        """1 for the class of a row and 0 for others, (C, n)."""
        return (columns == np.arange(self.classes.size)[:, None]).astype(np.float64)

    def blank(self, n: int) -> Ints:
        """The first class."""
        return np.zeros(n, dtype=np.intp)

    def training_data(
        self,
        raw: RawData,
        moments: Summary | None,
        *,
        standardize: bool,
        common: bool,
        centred: bool = True,
    ) -> TrainingData:
        """Class codes."""
        summary = summarise(self.values(raw.key), raw.w, self.classes.size)
        if moments is not None:
            summary = replace(
                summary,
                weight=moments.weight,
                n_rows=moments.n_rows,
                per_row=moments.per_row,
            )
        return TrainingData(raw.X, raw.key, raw.w, summary, self, raw.subjects)

    @property
    def names(self) -> list[str]:
        """Classes but the last, to which the others are relative."""
        return [str(c) for c in self.classes[:-1]]

    @property
    def equations(self) -> list[str]:
        """Log odds against the last class."""
        return [f"log P({name}) / P({self.classes[-1]})" for name in self.names]

    @property
    def reference(self) -> str:
        """The last class."""
        return f"class {self.classes[-1]}"

    def decided(self, predictions: Floats) -> np.ndarray:
        """The most probable classes."""
        return self.classes[predictions.argmax(axis=2)]

    def from_model(self, values: np.ndarray) -> np.ndarray:
        """Labels of codes."""
        return self.classes[values]

    def points(self, values: np.ndarray, summary: Summary) -> Floats:
        """Corners of a simplex, around their mean."""
        share = summary.y_mean
        onehot = np.eye(self.classes.size)[values] - share
        return onehot / np.sqrt(np.maximum(share * (1.0 - share), _LEAST_VARIANCE)).mean()

    def errors(self, values: np.ndarray, predicted: Floats) -> Floats:
        """What is left of 1 and 0 after the probabilities (n, K, C)."""
        return np.eye(predicted.shape[2])[values][:, None] - predicted


def check_labels(classes: np.ndarray, y: Any) -> np.ndarray:
    """Labels to compare with those of a fit, (n,); raises where the two cannot be compared.

    A label that was not seen in the fit is only wrong, and passes.
    """
    y = column_or_1d(y)
    number = all(np.issubdtype(a.dtype, np.number) for a in (y, classes))
    if np.issubdtype(y.dtype, np.floating) and np.isnan(y).any():
        raise ValueError("y contains NaN; a row to score needs a label.")
    if number:
        return y
    try:
        np.unique(np.concatenate([y.astype(object), classes.astype(object)]))
    except TypeError as error:
        raise ValueError(unlike_labels(classes, y)) from error
    return y


def unlike_labels(classes: np.ndarray, y: np.ndarray) -> str:
    """What is wrong with labels of another type than those of the fit."""
    return (
        f"y has labels of another type ({_types_of(y)}) than the fit ({_types_of(classes)}), which "
        f"knew {classes[:10].tolist()}; write them as they were in fit."
    )


def _types_of(labels: np.ndarray) -> str:
    """Names of the types of some labels, for a message."""
    return ", ".join(sorted({type(v).__name__ for v in labels[:_LOOKED_AT].tolist()}))


def _listed(classes: np.ndarray) -> str:
    """Some classes for a message."""
    texts = ", ".join(map(repr, classes[:10].tolist())) or "none"
    return texts + (" ..." if classes.size > 10 else "")
