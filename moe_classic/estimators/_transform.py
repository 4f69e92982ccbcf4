"""Gate probabilities as features for what comes next in a pipeline."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from sklearn.base import TransformerMixin
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from moe_classic._typing import Floats


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
