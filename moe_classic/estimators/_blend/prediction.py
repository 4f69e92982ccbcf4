"""What estimators that blend fitted experts answer."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from moe_classic._adapters import outputs_of, proba_of
from moe_classic._results import Explanation, FittedEstimator, explain_rows
from moe_classic._routing import check_top_k, routed_blend, top_k_weights
from moe_classic._typing import Floats, Ints
from moe_classic.estimators._described import Described, GateFeatures
from moe_classic.estimators._probabilities import FromProba


def names_of(estimator: Any) -> list[str] | None:
    """Column names that an estimator was fitted on, or None."""
    names = getattr(estimator, "feature_names_in_", None)
    return None if names is None else [str(v) for v in names]


class BlendSurface(GateFeatures, Described, BaseEstimator, metaclass=ABCMeta):
    """Gate and experts side by side; a subclass says what an expert's output is."""

    experts_: list[Any]
    gate_: Any
    n_features_in_: int
    #: Share of the training weight that each expert has, (K,).
    _shares: Floats
    #: What of an expert is blended.
    _output_kind: ClassVar[str]

    @abstractmethod
    def _output_of(self, fitted: Any, X: np.ndarray) -> Floats:
        """Output of a fitted expert at the rows of ``X`` (n, p), (d, n)."""

    @property
    @abstractmethod
    def _width(self) -> int:
        """Number of rows d of an expert's output."""

    def _expert_labels(self) -> list[str]:
        """Names of the experts in tables and legends."""
        numbered = [f"expert {k + 1}" for k in range(len(self.experts_))]
        return list(getattr(self, "expert_names_", numbered))

    def _expert_views(self) -> list[FittedEstimator]:
        """The experts as records."""
        names = names_of(self) or [f"x{j}" for j in range(self.n_features_in_)]
        parts = zip(self._expert_labels(), self._shares, self.experts_, strict=True)
        return [
            FittedEstimator(
                label, "estimator", float(share), fitted, tuple(names), says=self._output_kind
            )
            for label, share, fitted in parts
        ]

    def _account(self, X: Any) -> Explanation:
        """What experts and gate say about the rows of ``X``."""
        return explain_rows(self, X)

    def _check_rows(self, X: Any) -> Floats:
        """Validated features of new rows."""
        check_is_fitted(self)
        return validate_data(self, X, dtype=np.float64, reset=False)

    def _all_outputs(self, X: np.ndarray) -> Floats:
        """Outputs of all experts, (K, d, n)."""
        return np.stack([self._output_of(fitted, X) for fitted in self.experts_])

    def _blend(self, X: Any, top_k: int | None) -> Floats:
        """Sum of the consulted experts' outputs times their weights, (d, n)."""
        X = self._check_rows(X)
        count = check_top_k(top_k, len(self.experts_))
        normalise = self.gate_.output != "linear"
        weights, consulted = top_k_weights(self.gate_.weights(X), count, normalise=normalise)

        def evaluate(k: int, rows: Ints) -> Floats:
            return self._output_of(self.experts_[k], X if rows.size == len(X) else X[rows])

        return routed_blend(weights, consulted, evaluate, self._width)

    def gate_proba(self, X: Any) -> Floats:
        """Weights with which the experts are blended.

        They are not negative and sum to one, save those of a linear gate, which may be anything.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        weights : ndarray of shape (n_samples, n_experts)
        """
        return self.gate_.weights(self._check_rows(X)).T

    def predict_expert(self, X: Any) -> Ints:
        """Number of the expert with the highest weight, from 0.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        expert : ndarray of int of shape (n_samples,)
        """
        return self.gate_proba(X).argmax(axis=1)


class RealBlend(BlendSurface):
    """Blends of regressors."""

    _output_kind = "mean"
    _flat_target: bool
    _n_outputs: int

    def _output_of(self, fitted: Any, X: np.ndarray) -> Floats:
        """Predictions of an expert, (d, n)."""
        return outputs_of(fitted, X)

    @property
    def _width(self) -> int:
        """Number of outputs d."""
        return self._n_outputs

    def _output_names(self) -> list[str]:
        """Names of the outputs."""
        d = self._n_outputs
        return ["y"] if d == 1 else [f"y{j}" for j in range(d)]

    def predict(self, X: Any, *, top_k: int | None = None) -> Floats:
        """Blend of the experts' predictions.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        top_k : int or None, default=None
            How many experts a row consults, those of highest weight, their weights scaled to sum
            to one; None consults all. An expert is evaluated on the rows that consult it and on
            no others.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        """
        blend = self._blend(X, top_k)
        return blend[0] if self._flat_target else blend.T

    def expert_predictions(self, X: Any) -> Floats:
        """What each expert predicts by itself.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples, n_experts) or (n_samples, n_experts, n_outputs)
        """
        out = self._all_outputs(self._check_rows(X))
        return out[:, 0].T if self._flat_target else out.transpose(2, 0, 1)


class ClassBlend(FromProba, BlendSurface):
    """Blends of class probabilities."""

    _output_kind = "log odds"
    classes_: np.ndarray

    def _output_of(self, fitted: Any, X: np.ndarray) -> Floats:
        """Class probabilities of an expert, (C, n)."""
        return proba_of(fitted, X, self.classes_)

    @property
    def _width(self) -> int:
        """Number of classes C."""
        return self.classes_.size

    def _output_names(self) -> list[str]:
        """Names of the log odds: classes but the last."""
        return [str(c) for c in self.classes_[:-1]]

    def predict_proba(self, X: Any, *, top_k: int | None = None) -> Floats:
        """Class probabilities, the experts' blended by the gate.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        top_k : int or None, default=None
            How many experts a row consults; see :meth:`predict`.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
        """
        proba = self._blend(X, top_k).T
        return proba / proba.sum(axis=1, keepdims=True)

    def expert_predictions(self, X: Any) -> Floats:
        """Class probabilities of each expert by itself.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        proba : ndarray of shape (n_samples, n_experts, n_classes)
        """
        return self._all_outputs(self._check_rows(X)).transpose(2, 0, 1)
