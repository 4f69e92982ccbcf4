"""Margins of classifiers, and what a blend of margins says about classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from moe_classic._adapters import finite, with_feature_names
from moe_classic._targets import ClassTarget
from moe_classic._typing import Floats

#: Probabilities are kept this far from 0 and 1 when they become margins.
_LEAST_PROBA = 1e-4
#: Margin of a class that an expert never saw, where its own margins have the scale of an SVM's.
_NEVER = -1.0


@dataclass(frozen=True, eq=False)
class MarginTarget(ClassTarget):
    """Classes that are told apart by margins: one of the second of two, or one a class."""

    @property
    def width(self) -> int:
        """Number of margins."""
        return 1 if self.classes.size == 2 else self.classes.size

    @property
    def names(self) -> list[str]:
        """Classes that have a margin."""
        return [str(c) for c in self.classes[-self.width :]]

    def ideal(self, columns: Floats) -> Floats:
        """1 for the class of a row and -1 for others, (width, n)."""
        return signs_of(self.values(columns), self.classes.size)

    def shaped(self, answers: Floats) -> Floats:
        """Margins (..., width, n) with the rows first; a single one has no axis of its own."""
        return super().shaped(answers[..., 0, :] if self.width == 1 else answers)


def margins_of(fitted: Any, X: np.ndarray, classes: np.ndarray) -> Floats:
    """Margins of a fitted classifier: (1, n) of the second of two classes, or (C, n).

    Decision values where the classifier has them; else half the log odds of its probabilities,
    whose tanh is ``2 P - 1``. A class that it never saw is below all others.
    """
    if classes.size == 2:
        return _of_two(fitted, X, classes)
    places = np.searchsorted(classes, fitted.classes_)
    decision = _decisions(fitted, X)
    if decision is None:
        out = np.zeros((classes.size, len(X)))
        proba = np.asarray(fitted.predict_proba(with_feature_names(fitted, X)))
        out[places] = finite("predict_proba", proba, fitted, len(X)).T
        return _half_log_odds(out)
    out = np.tile(np.minimum(decision.min(axis=0), _NEVER), (classes.size, 1))
    out[places] = decision
    return out


def _of_two(fitted: Any, X: np.ndarray, classes: np.ndarray) -> Floats:
    """Margin of the second of two classes, (1, n)."""
    decision = _decisions(fitted, X)
    if decision is not None and decision.shape[0] == 2:
        return decision[1:]
    labels = fitted.classes_.tolist()
    second = np.zeros(len(X))
    if classes[1] in labels:
        proba = np.asarray(fitted.predict_proba(with_feature_names(fitted, X)))
        proba = finite("predict_proba", proba, fitted, len(X))
        second = proba[:, labels.index(classes[1])]
    return _half_log_odds(second[None])


def _decisions(fitted: Any, X: np.ndarray) -> Floats | None:
    """Margins from decision values, one row a class, (c, n); None if there are no such values.

    Of more than two classes the zero is put half way between the two highest values of a row:
    what a value means by itself differs from classifier to classifier.
    """
    if not hasattr(fitted, "decision_function") or len(fitted.classes_) < 2:
        return None
    values = np.asarray(fitted.decision_function(with_feature_names(fitted, X)), dtype=np.float64)
    values = finite("decision_function", values, fitted, len(X))
    if values.ndim == 1:
        return np.stack([-values, values])
    highest = np.sort(values, axis=1)[:, -2:]
    return (values - highest.mean(axis=1, keepdims=True)).T


def _half_log_odds(P: Floats) -> Floats:
    """``log(P / (1 - P)) / 2``, kept finite."""
    P = np.clip(P, _LEAST_PROBA, 1.0 - _LEAST_PROBA)
    return 0.5 * (np.log(P) - np.log1p(-P))


def signs_of(codes: np.ndarray, n_classes: int) -> Floats:
    """What a blend should say: 1 for the class of a row and -1 for others, (1 or C, n)."""
    signs = 2.0 * (codes == np.arange(n_classes)[:, None]) - 1.0
    return signs[1:] if n_classes == 2 else signs


def proba_from(blend: Floats) -> Floats:
    """Class probabilities (n, C) from a blend of margins (1 or C, n).

    The blend's tanh is trained on 1 and -1 by squared error, whose minimum is ``2 P - 1``.
    """
    P = 0.5 * (1.0 + np.tanh(blend))
    if len(P) == 1:
        return np.column_stack([1.0 - P[0], P[0]])
    P = np.maximum(P, np.finfo(float).tiny).T
    return P / P.sum(axis=1, keepdims=True)
