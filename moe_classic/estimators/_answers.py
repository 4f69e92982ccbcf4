"""What every mixture answers, whatever its target and however it was fitted.

Written once as functions; the bases of mixtures have them as their methods.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import _check_sample_weight

from moe_classic._data import Block
from moe_classic._numerics import log_sum_exp
from moe_classic._results import FittedMixture, checked_pairs, checked_rows, fitted_mixture
from moe_classic._typing import Floats, Ints


def gate_proba(self: Any, X: Any) -> Floats:
    """Gate probabilities: which expert where, before y is seen.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)

    Returns
    -------
    proba : ndarray of shape (n_samples, n_experts)
    """
    X, fitted = checked_rows(self, X), fitted_mixture(self)
    gate = fitted.answers(lambda b: fitted.gate_proba(b).T, X, n_jobs=self.n_jobs)
    return np.concatenate(gate)


def predict_expert(self: Any, X: Any) -> Ints:
    """Number of the expert with the highest gate probability, from 0.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)

    Returns
    -------
    expert : ndarray of int of shape (n_samples,)
    """
    return np.asarray(self.gate_proba(X).argmax(axis=1))


def responsibilities(self: Any, X: Any, y: Any) -> Floats:
    """Posterior probabilities of the experts given x and y.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)

    Returns
    -------
    R : ndarray of shape (n_samples, n_experts)
    """
    (X, columns), fitted = checked_pairs(self, X, y), fitted_mixture(self)
    posterior = fitted.model.responsibilities
    return np.concatenate(
        fitted.answers(lambda b: posterior(fitted.params, b).T, X, columns, n_jobs=self.n_jobs)
    )


def score_samples(self: Any, X: Any, y: Any = None) -> Floats:
    """Log density (log probability for classes) of y given x.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        None scores what the model says without a target: log p(x) with a gate that describes
        x (Gaussian), 0 with any other.

    Returns
    -------
    log_density : ndarray of shape (n_samples,)
        Natural logarithms.
    """
    if y is None:
        X, columns, density = checked_rows(self, X), None, _log_marginal
    else:
        (X, columns), density = checked_pairs(self, X, y), _log_conditional
    fitted = fitted_mixture(self)
    answers = fitted.answers(lambda b: density(fitted, b), X, columns, n_jobs=self.n_jobs)
    return np.concatenate(answers)


def log_likelihood(self: Any, X: Any, y: Any, sample_weight: Any = None) -> float:
    """Total conditional log-likelihood in nats; see :meth:`score_samples`."""
    rows = self.score_samples(X, y)
    w = _check_sample_weight(
        sample_weight, rows[:, None], dtype=np.float64, ensure_non_negative=True
    )
    return float(rows @ w)


def _log_conditional(fitted: FittedMixture, block: Block) -> Floats:
    """Log p(y | x), (n,)."""
    return fitted.model.log_likelihood(fitted.params, block)


def _log_marginal(fitted: FittedMixture, block: Block) -> Floats:
    """Log p(x) of a generative gate in the units of X, 0 for others; (n,)."""
    gate, number = fitted.model.gate, fitted.model.gate_design
    design = block.designs[number]
    if not gate.generative:
        return np.zeros(design.Z.shape[1])
    log_joint = fitted.model.log_gate_joint(fitted.params, block)
    return log_sum_exp(log_joint) - fitted.maps[number].log_unit_of(design.Z)
