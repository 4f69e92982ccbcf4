"""How estimators with experts and a gate describe themselves, and how their experts are reached.

Written once as functions; the bases of mixtures and of blends have them as their methods.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

import numpy as np
import pandas as pd
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from moe_classic._results import (
    Explanation,
    check_min_weight,
    fitted_experts,
    fitted_record,
    html_repr,
    summary_table,
)
from moe_classic._results import explain as explanation_table
from moe_classic._sklearn import BaseEstimator
from moe_classic._typing import Floats

#: An estimator, whichever.
E = TypeVar("E")


class Reporting(Protocol):
    """What the functions of this module need of an estimator."""

    gate_: Any
    #: Argument that may be a list of (name, expert) pairs.
    _listed: str

    def gate_proba(self, X: Any) -> Floats:
        """Probabilities of the gate (n, K)."""

    def _explanation(self, X: Any) -> Explanation:
        """What experts and gate say about the rows of ``X``."""

    def _headline(self) -> str:
        """One line about the fit."""


# ------------------------------------------------------------------------- tables and cards


def summary(self: Reporting) -> pd.DataFrame:
    """Fitted parameters on the original scale: one row a term, one column an expert.

    Returns
    -------
    table : DataFrame
        Indexed by (part, kind, term); the kind tells a slope from an intercept or a scale,
        whatever a column is called:

        - ``mixture``: the share of the training weight that an expert explains, is blended
          with, or, in hard mixtures, learned from;
        - ``expert``: coefficients and scales. Estimators of scikit-learn have coefficients
          where these are an equation in x of what is mixed, and NaN elsewhere;
        - ``gate``: parameters of the gate. Those of a softmax gate are relative to the last
          expert, those of a blend as in ``gate_``; one with hidden units has none to show.

        A last column ``note`` is there where something must be known of a term: slopes of
        columns that are constant, or that depend on others, are not determined by the data.
    """
    record = fitted_record(self)
    remarks = getattr(record, "remarks", None)
    return summary_table(fitted_experts(self), self.gate_, record.target.names, remarks)


def explain(self: Reporting, X: Any, *, min_weight: float = 0.0) -> pd.DataFrame:
    """For each row its experts, their weights, and the linear equation that applies.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    min_weight : float in [0, 1), default=0.0
        Experts with less weight are left out.

    Returns
    -------
    table : DataFrame
        Indexed by row and expert, the last of each row being ``blend``: weight, prediction,
        intercept, a column ``coef <feature>`` a feature, and the equation as text. Where an
        expert is not linear in x, its prediction stands alone: the numbers of the equation are
        NaN, and its text names the estimator. With the linear gate of a hard mixture of
        regressors, ``mean`` is the mean of y, with the weight that others leave of one.
    """
    check_is_fitted(self)
    check_min_weight(min_weight)
    return explanation_table(self._explanation(X), min_weight=min_weight)


def _html_repr(self: Reporting) -> str:
    """scikit-learn's diagram, and a card an expert once fitted."""
    return html_repr(self, self._headline)


# ------------------------------------------------------------------------- gates as features


def transform(self: Reporting, X: Any) -> Floats:
    """Gate probabilities of the experts, as features: soft memberships that need no target.

    Inside a pipeline they say to the next step in which regime a row is. With
    ``set_output(transform="pandas")`` the columns have the names of the experts.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)

    Returns
    -------
    proba : ndarray of shape (n_samples, n_experts)
        What :meth:`gate_proba` returns.
    """
    return self.gate_proba(X)


def get_feature_names_out(self: Reporting, input_features: Any = None) -> np.ndarray:
    """Names of the columns of :meth:`transform`: those of the experts.

    Parameters
    ----------
    input_features : array-like of str, optional
        Checked against ``feature_names_in_``; the names do not depend on it.

    Returns
    -------
    names : ndarray of str objects of shape (n_experts,)
    """
    record = fitted_record(self)
    _check_feature_names_in(self, input_features, generate_names=False)
    return np.asarray(record.labels, dtype=object)


# ------------------------------------------------------------------------- nested names


def get_params(self: Any, deep: bool = True) -> dict[str, Any]:  # noqa: FBT001, FBT002
    """Arguments by name, with ``deep`` also those of gate, solver and experts.

    A single expert is reached as ``expert__df``, one of a list by its own name: ``line``
    replaces it, ``line__alpha`` changes it.
    """
    if _by_name(getattr(self, self._listed)):
        return self._get_params(self._listed, deep=deep)
    return BaseEstimator.get_params(self, deep=deep)


def set_params(self: E, **params: Any) -> E:
    """Set arguments by the names that :meth:`get_params` knows."""
    mine: Any = self
    refuse_parts(mine, params)
    if _by_name(params.get(mine._listed, getattr(mine, mine._listed))):
        mine._set_params(mine._listed, **params)
    else:
        BaseEstimator.set_params(mine, **params)
    return self


def refuse_parts(estimator: Any, params: dict[str, Any]) -> None:
    """Raise if a parameter is to be set of an argument that is no object with parameters."""
    owned = BaseEstimator.get_params(estimator, deep=False)
    for name, value in params.items():
        head, nested, own = name.partition("__")
        part = params.get(head, owned.get(head))
        if not nested or head not in owned or hasattr(part, "set_params"):
            continue
        if isinstance(part, (list, tuple)) and part:
            pair = part[0] if _by_name(part) else ("first", part[0])
            hint = f"with {head}=[({pair[0]!r}, {pair[1]!r}), ...] it is {pair[0]}__{own}"
        else:
            hint = "set the arguments of the estimator itself, or pass an object with parameters"
        raise ValueError(
            f"{type(estimator).__name__}: {name}={value!r} sets a parameter of {head}={part!r}, "
            f"which is no object that has any; {hint}."
        )


def _by_name(expert: Any) -> bool:
    """Whether ``expert`` is a list of (name, expert) pairs."""
    return isinstance(expert, (list, tuple)) and all(
        isinstance(item, (list, tuple)) and len(item) == 2 for item in expert
    )
