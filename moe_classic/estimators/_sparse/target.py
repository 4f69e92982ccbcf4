"""Real targets and classes: validation, scale, and what is said of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, column_or_1d

from moe_classic._typing import Floats

from .answers import NetAnswers, _mixes_densities

Array = np.ndarray


class RealTarget(RegressorMixin):
    """One or several real outputs, standardised by weighted moments."""

    _kind = "real"

    def __sklearn_tags__(self) -> Any:
        """Tags: several outputs."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        return tags

    def _check_target(self, y: Any, *, classes: Any = None, first: bool = True) -> Array:
        if classes is not None:
            raise ValueError("classes is for classifiers; a regressor takes y as it is.")
        y = np.asarray(y, dtype=np.float64)
        if first:
            self._flat = y.ndim == 1
            self._width = 1 if y.ndim == 1 else y.shape[1]
        width = 1 if y.ndim == 1 else y.shape[1]
        if width != self._width:
            raise ValueError(f"y has {width} outputs, the last fit had {self._width}.")
        return y.reshape(len(y), width)

    def _n_said(self) -> int:
        return self._width

    def _standard_target(self, y: Array, w: Floats, *, first: bool) -> Array:
        if first:
            share = w / w.sum()
            self._shift = share @ y
            spread = np.sqrt(share @ np.square(y - self._shift))
            self._factor = np.where(spread > 0.0, spread, 1.0)
        return ((y - self._shift) / self._factor).astype(self._dtype)

    def _on_scale(self, said: Array) -> Array:
        """Answers of the net on the scale of y, in float64."""
        return said * self._factor + self._shift

    @property
    def _flat_target(self) -> bool:
        """Whether y is (n,)."""
        return self._flat

    def _output_names(self) -> list[str]:
        """Names of the outputs."""
        return ["y"] if self._width == 1 else [f"y{j}" for j in range(self._width)]

    def _shaped(self, said: Array) -> Array:
        """Answers (n, K, d), without the last axis where y has none."""
        return said[..., 0] if self._flat else said

    def predict(self: Any, X: Any, *, return_std: bool = False) -> Any:
        """Predict the mean of y.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        return_std : bool, default=False
            With ``mix="densities"``: standard deviations of the mixtures, too.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        std : ndarray of the same shape
            Only if asked for.
        """
        if return_std:
            _mixes_densities(self)
            return self._moments(X)
        said = self._on_scale(self._answers(X))
        dtype = np.dtype(self._dtype)
        return (said[:, 0] if self._flat else said).astype(dtype)

    def _moments(self: Any, X: Any) -> tuple[Array, Array]:
        """Mean and standard deviation of the mixtures."""
        means, stds = [], []
        for plan, said in self._said_by_pairs(self._check_rows(X)):
            sigma = np.repeat(self._net.head.sigma(), np.diff(plan.offsets), axis=0)
            mean = plan.put(said.copy())
            gap = said - mean[plan.rows]
            stds.append(np.sqrt(plan.put(np.square(gap) + np.square(sigma))))
            means.append(mean)
        mean = self._on_scale(np.concatenate(means))
        std = np.concatenate(stds) * self._factor
        return (mean[:, 0], std[:, 0]) if self._flat else (mean, std)

    @available_if(_mixes_densities)
    def score_samples(self: Any, X: Any, y: Any = None) -> Floats:
        """Log densities of rows, in nats on the scale of y.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            None scores what the model says without a target: 0.

        Returns
        -------
        log_density : ndarray of shape (n_samples,)
        """
        X = self._check_rows(X)
        if y is None:
            return np.zeros(len(X))
        y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
        y = self._check_target(y, first=False)
        target = self._standard_target(y, np.ones(len(y)), first=False)
        return _log_densities(self, X, target) - np.log(self._factor).sum()


class ClassTarget(ClassifierMixin):
    """Classes, as codes."""

    _kind = "class"

    def _check_target(self, y: Any, *, classes: Any = None, first: bool = True) -> Array:
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        if first:
            self.classes_ = np.unique(y if classes is None else np.asarray(classes))
            if self.classes_.size < 2:
                raise ValueError(
                    "y needs at least two classes among rows with weight; it has one class, "
                    f"{self.classes_.tolist()[0]!r}."
                )
        foreign = np.setdiff1d(y, self.classes_)
        if foreign.size:
            raise ValueError(
                f"y has classes {foreign.tolist()[:10]} that are not among {self.classes_.tolist()}"
                "; give all classes in the first call of partial_fit."
            )
        return np.searchsorted(self.classes_, y)

    def _n_said(self) -> int:
        return len(self.classes_)

    def _standard_target(self, y: Array, w: Floats, *, first: bool) -> Array:
        return y

    def predict_proba(self: Any, X: Any) -> Floats:
        """Class probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
        """
        return self._answers(X)

    def predict_log_proba(self, X: Any) -> Floats:
        """Logarithms of :meth:`predict_proba`."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def predict(self, X: Any) -> Array:
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

    @available_if(_mixes_densities)
    def score_samples(self: Any, X: Any, y: Any = None) -> Floats:
        """Log probabilities of the classes of rows, in nats.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), default=None
            None scores what the model says without a target: 0.

        Returns
        -------
        log_proba : ndarray of shape (n_samples,)
        """
        X = self._check_rows(X)
        if y is None:
            return np.zeros(len(X))
        return _log_densities(self, X, self._check_target(y, first=False))


def _log_densities(estimator: Any, X: Array, target: Array) -> Floats:
    """Log densities of standardised targets."""
    if len(X) != len(target):
        raise ValueError(f"X has {len(X)} rows and y has {len(target)}; give one y a row.")
    found, start = [], 0
    for plan, said in NetAnswers._said_by_pairs(estimator, X):
        rows = target[start : start + plan.n_rows]
        found.append(-estimator._net.head.mixed_losses(said, rows, plan)[0])
        start += plan.n_rows
    return np.concatenate(found)
