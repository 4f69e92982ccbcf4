"""How fitted estimators describe themselves: tables of parameters, explanations, cards."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd
from sklearn.base import TransformerMixin
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from moe_classic._results import AnyExpert, Explanation, explain, html_repr, summary_table
from moe_classic._typing import Floats


class Described:
    """``summary``, ``explain`` and the HTML view."""

    gate_: Any

    def summary(self) -> pd.DataFrame:
        """Fitted parameters on the original scale: one row a term, one column an expert.

        Returns
        -------
        table : DataFrame
            Indexed by (part, term):

            - ``mixture``: the share of the training weight that an expert explains, is blended
              with, or, in hard mixtures, learned from;
            - ``expert``: coefficients and scales. Estimators of scikit-learn have coefficients
              where these are an equation in x of what is mixed, and NaN elsewhere;
            - ``gate``: parameters of the gate. Those of a softmax gate are relative to the last
              expert, those of a blend as in ``gate_``; one with hidden units has none to show.
        """
        check_is_fitted(self)
        return summary_table(self._expert_views(), self.gate_, self._output_names())

    def explain(self, X: Any, *, min_weight: float = 0.0) -> pd.DataFrame:
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
        return explain(self, X, min_weight=min_weight)

    def _html_repr(self) -> str:
        """scikit-learn's diagram, and a card an expert once fitted."""
        return html_repr(self)

    @abstractmethod
    def _expert_views(self) -> Sequence[AnyExpert]:
        """The experts as records: name, share, estimator or coefficients."""

    @abstractmethod
    def _output_names(self) -> list[str]:
        """Names of the linear predictors of an expert."""

    @abstractmethod
    def _account(self, X: Any) -> Explanation:
        """What experts and gate say about the rows of ``X``."""

    @abstractmethod
    def _headline(self) -> str:
        """One line about the fit."""


class Gated(Protocol):
    """What ``transform`` needs."""

    def gate_proba(self, X: Any) -> Floats:
        """Probabilities of the gate (n, K)."""

    def _expert_labels(self) -> list[str]:
        """Names of the experts in tables and legends."""


class GateFeatures(TransformerMixin):
    """``transform`` of estimators with a gate."""

    def transform(self: Gated, X: Any) -> Floats:
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

    def get_feature_names_out(self: Gated, input_features: Any = None) -> np.ndarray:
        """Names of the columns of :meth:`transform`: those of the experts.

        Parameters
        ----------
        input_features : array-like of str, optional
            Checked against ``feature_names_in_``; the names do not depend on it.

        Returns
        -------
        names : ndarray of str objects of shape (n_experts,)
        """
        check_is_fitted(self)
        _check_feature_names_in(self, input_features, generate_names=False)
        return np.asarray(self._expert_labels(), dtype=object)
