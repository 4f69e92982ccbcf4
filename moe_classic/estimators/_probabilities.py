"""What classifiers say by way of their probabilities: methods of those that have some."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_is_fitted

from moe_classic._targets import check_labels
from moe_classic._typing import Floats


def predict_log_proba(self: Any, X: Any, *, top_k: int | None = None) -> Floats:
    """Logarithms of :meth:`predict_proba`."""
    with np.errstate(divide="ignore"):
        return np.log(self.predict_proba(X, top_k=top_k))


def predict(self: Any, X: Any, *, top_k: int | None = None) -> np.ndarray:
    """Most probable class.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    top_k : int or None, default=None
        How many experts a row consults, those that the gate ranks highest, their weights
        scaled to sum to one; None consults all. An expert is evaluated on the rows that
        consult it and on no others, which pays where experts are expensive.

    Returns
    -------
    y : ndarray of shape (n_samples,)
    """
    best = self.predict_proba(X, top_k=top_k).argmax(axis=1)
    return self.classes_[best]


def score(self: Any, X: Any, y: Any, sample_weight: Any = None) -> float:
    """Share of the rows whose class is predicted.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    y : array-like of shape (n_samples,)
        Labels of the type that they had in ``fit``.
    sample_weight : array-like of shape (n_samples,), default=None

    Returns
    -------
    accuracy : float
    """
    check_is_fitted(self)
    y = check_labels(self.classes_, y)
    return float(accuracy_score(y, self.predict(X), sample_weight=sample_weight))
