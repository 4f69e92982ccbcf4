"""What nets with classes for a target answer."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils import column_or_1d

from moe_classic._compat import with_callbacks
from moe_classic._results import checked_rows, fitted_net
from moe_classic._sklearn import ClassifierMixin
from moe_classic._targets import ClassTarget, Target
from moe_classic._typing import Floats, same_as
from moe_classic.estimators import _probabilities


class NetClassifier(ClassifierMixin):
    """Predictions of classes."""

    _target: ClassVar[type[Target]] = ClassTarget
    classes_: np.ndarray
    n_jobs: int | None

    @same_as(_probabilities.score)
    def score(self) -> Any: ...

    @with_callbacks
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """One epoch over some rows; nothing is held out.

        The first call fixes the moments by which features are standardised, and the classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        classes : array-like of shape (n_classes,), default=None
            All classes that will ever occur, in the first call; None takes those of ``y``. Must
            agree later.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self : estimator

        Raises
        ------
        ValueError, TypeError
            If an argument or the data cannot be used, X has other columns than before, or y a
            class that was not named.
        """
        net: Any = self
        target = None
        if net._fitted is None and classes is not None:
            target = ClassTarget(np.unique(column_or_1d(classes)))
            if target.classes.size < 2:
                raise ValueError(f"classes={classes!r} must name at least two classes.")
        elif classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(
                f"classes={classes!r} differs from the classes of the first call, "
                f"{self.classes_.tolist()}."
            )
        net._learn_batch(X, y, sample_weight, target)
        return self

    def predict_proba(self, X: Any) -> Floats:
        """Class probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
        """
        X = checked_rows(self, X)
        return fitted_net(self).predictions(X, n_jobs=self.n_jobs)

    def predict_log_proba(self, X: Any) -> Floats:
        """Logarithms of :meth:`predict_proba`."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def predict(self, X: Any) -> np.ndarray:
        """Most probable classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]
