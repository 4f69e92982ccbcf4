"""What estimators that blend fitted experts share, and what they answer."""

from __future__ import annotations

from abc import abstractmethod
from copy import copy
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from moe_classic._adapters import TableColumns, read_table
from moe_classic._data import (
    check_largest,
    check_spread,
    check_weight,
    least_and_most,
    unique_names,
)
from moe_classic._results import (
    Explanation,
    FittedBlend,
    check_expert_missing,
    checked_rows,
    column_names,
    explain_rows,
    names_seen,
    validate_rows,
)
from moe_classic._routing import check_top_k, routed_blend, top_k_weights
from moe_classic._sklearn import BaseComposition, TransformerMixin
from moe_classic._targets import Target
from moe_classic._typing import Floats, Ints, Names, same_as
from moe_classic.estimators import _reporting


class BlendEstimator(TransformerMixin, BaseComposition):
    """Gate and experts side by side; a subclass says what an expert's output is.

    A fit leaves one record, ``_fitted``, and what users see of it, all set at once and last.
    """

    _target: ClassVar[type[Target]]
    #: What of an expert is blended.
    _output_kind: ClassVar[str]
    _fitted: FittedBlend | None = None
    #: What validated rows are called; only of the copy that remembers them during a fit.
    _names: Names = None

    experts_: list[Any]
    gate_: Any

    @same_as(_reporting.get_params)
    def get_params(self) -> Any: ...

    def set_params(self, **params: Any) -> Self:
        """Set arguments by the names that :meth:`get_params` knows."""
        return _reporting.set_params(self, **self._with_parts(params))

    def _with_parts(self, params: dict[str, Any]) -> dict[str, Any]:
        """Parameters to set, with the parts whose own are set; as they are."""
        return params

    @staticmethod
    @abstractmethod
    def _output_of(fitted: Any, X: np.ndarray, target: Any) -> Floats:
        """Output of a fitted expert at the rows of ``X`` (n, p), (width, n)."""

    @abstractmethod
    def _fallback(self) -> Any:
        """What predicts for an expert that could not be fitted."""

    @abstractmethod
    def _given_experts(self) -> list[Any]:
        """The descriptions of the experts, as far as they are estimators."""

    # -------------------------------------------------------------------- what a fit leaves

    def _describes_outputs(self) -> bool:
        """Whether every expert describes several outputs."""
        return False

    def _validated(self, X: Any, y: Any, sample_weight: Any) -> tuple[Any, Floats, Any, Floats]:
        """What remembers the columns of X, and validated X, y and weights.

        The estimator itself is left as it is until the fit has ended well.
        """
        columns = copy(self)
        X, table = read_table(X, None, fresh=True, keep=True)
        options = self._target.validation(multi_output=self._describes_outputs())
        (X, y), missing = validate_rows(
            columns, X, y, dtype=np.float64, ensure_min_samples=2, **options
        )
        columns._names = column_names(columns) if table is None else table
        for expert in self._given_experts() if missing else []:
            check_expert_missing(type(expert).__name__, expert, X, shown_names(columns))
        w = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        names = column_names(columns)
        check_largest("X", X, names)
        check_spread("X", *least_and_most(X), names)
        y = self._target.checked(y)
        if self._target.kind == "real":
            check_spread("y", y.min(axis=0), y.max(axis=0))
        check_weight(w)
        return columns, X, y, w

    def _set_fitted(self, fitted: FittedBlend, columns: Any, **ended: Any) -> None:
        """Keep the record of a fit, and what users see of it."""
        changes = {
            "_fitted": fitted,
            "experts_": fitted.estimators,
            "gate_": fitted.gate,
            "n_features_in_": columns.n_features_in_,
            **fitted.target.attributes,
            **ended,
        }
        self.__dict__.pop("feature_names_in_", None)
        if column_names(columns) is not None:
            changes["feature_names_in_"] = columns.feature_names_in_
        self.__dict__.update(changes)

    def __moe_fitted__(self) -> FittedBlend | None:
        """The record of the last fit, for inference, displays and exports; None before one."""
        return self._fitted

    @property
    def _blend(self) -> Any:
        """The record of the last fit; raises if there was none."""
        check_is_fitted(self)
        return self._fitted

    # -------------------------------------------------------------------- answers

    def _check_rows(self, X: Any) -> Floats:
        """Validated features of new rows."""
        return checked_rows(self, X, dtype=(np.float64,))

    def _all_outputs(self, X: np.ndarray, experts: list[Any], target: Any, names: Names) -> Floats:
        """Outputs of all experts, (K, width, n)."""
        seen = as_given(X, names)
        return np.stack([self._output_of(fitted, seen, target) for fitted in experts])

    def _own_outputs(self, X: Any) -> Floats:
        """Outputs of the fitted experts at rows that nobody has looked at yet, (K, width, n)."""
        X = self._check_rows(X)
        return self._all_outputs(X, self.experts_, self._blend.target, names_seen(self._blend))

    def _blended(self, X: Any, top_k: int | None) -> Floats:
        """Sum of the consulted experts' outputs times their weights, (width, n)."""
        X, target, names = self._check_rows(X), self._blend.target, names_seen(self._blend)
        count = check_top_k(top_k, len(self.experts_))
        normalise = self.gate_.output != "linear"
        weights, consulted = top_k_weights(self.gate_.weights(X), count, normalise=normalise)

        def evaluate(k: int, rows: Ints) -> Floats:
            part = X if rows.size == len(X) else X[rows]
            return self._output_of(self.experts_[k], as_given(part, names), target)

        return routed_blend(weights, consulted, evaluate, target.width)

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

    # -------------------------------------------------------------------- how it reads

    @same_as(_reporting.summary)
    def summary(self) -> Any: ...

    @same_as(_reporting.explain)
    def explain(self) -> Any: ...

    @same_as(_reporting.transform)
    def transform(self) -> Any: ...

    @same_as(_reporting.get_feature_names_out)
    def get_feature_names_out(self) -> Any: ...

    _html_repr = _reporting._html_repr

    def _explanation(self, X: Any) -> Explanation:
        """What experts and gate say about the rows of ``X``."""
        return explain_rows(self, self._blend, X)


def as_given(X: np.ndarray, names: Names) -> Any:
    """Rows as experts see them: of a table not all of numbers, the rows of the table."""
    return names.table(X) if isinstance(names, TableColumns) else X


def shown_names(columns: Any) -> tuple[str, ...]:
    """Names of the columns of X, as given or numbered."""
    return unique_names(columns._names or [f"x{j}" for j in range(columns.n_features_in_)])
