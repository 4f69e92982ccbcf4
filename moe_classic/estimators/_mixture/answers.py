"""What all mixtures answer about rows: experts, likelihoods, criteria, standard errors.

Methods of theirs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from moe_classic._arguments import counts_of
from moe_classic._data import is_dask
from moe_classic._numerics import log_normalised, log_sum_exp
from moe_classic._results import (
    checked_pairs,
    checked_rows,
    require_groups,
    subject_log_joint,
    told_experts,
)
from moe_classic._typing import Floats, Ints
from moe_classic.estimators import _answers
from moe_classic.inference import Inference
from moe_classic.inference import inference as standard_errors

from .lazy import (
    counts,
    entropies,
    group_sums,
    group_weights,
    lazily,
    total_entropy,
    total_weight,
)

# -------------------------------------------------------------------- gate and experts


@lazily
def gate_proba(self: Any, X: Any, *, groups: Any = None, history: Any = None) -> Floats:
    """Gate probabilities: which expert where, before y is seen.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    groups : array-like of shape (n_samples,), default=None
        Labels of the subjects that the rows are of; see :meth:`fit`. The gate sees the mean of
        the rows of each. None: every row is a subject of its own.
    history : tuple (X_past, y_past, groups_past), default=None
        Rows that were seen of subjects, by the labels in ``groups``. Those with a history have
        its :meth:`responsibilities` in place of what the gate says; those without are new.

    Returns
    -------
    proba : ndarray of shape (n_samples, n_experts)
    """
    known = groups is not None or history is not None
    log_proba = told_experts(self, checked_rows(self, X), groups, history) if known else None
    return _answers.gate_proba(self, X) if log_proba is None else np.exp(log_proba).T


@lazily
def predict_expert(self: Any, X: Any, *, groups: Any = None, history: Any = None) -> Ints:
    """Number of the expert with the highest gate probability, from 0.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    groups, history
        As for :meth:`gate_proba`.

    Returns
    -------
    expert : ndarray of int of shape (n_samples,)
    """
    return self.gate_proba(X, groups=groups, history=history).argmax(axis=1)


@lazily
def responsibilities(self: Any, X: Any, y: Any, *, groups: Any = None) -> Floats:
    """Posterior probabilities of the experts given x and y.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
    groups : array-like of shape (n_samples,), default=None
        Labels of subjects, whose rows have their posterior in common; see :meth:`fit`.

    Returns
    -------
    R : ndarray of shape (n_samples, n_experts)
    """
    if groups is not None:
        joint, numbers, _ = subject_log_joint(self, X, y, groups)
        return np.exp(log_normalised(joint))[:, numbers].T
    return _answers.responsibilities(self, X, y)


@lazily
def expert_log_density(self: Any, X: Any, y: Any) -> Floats:
    """Log density (log probability for classes) of y given x under each expert by itself.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)

    Returns
    -------
    log_density : ndarray of shape (n_samples, n_experts)
        Natural logarithms, in the units of y. With :meth:`gate_proba` they make up
        :meth:`score_samples` and :meth:`responsibilities`.
    """
    (X, columns), fitted = checked_pairs(self, X, y), self._mixture
    density = fitted.model.log_density
    return np.concatenate(
        fitted.answers(lambda b: density(fitted.params, b).T, X, columns, n_jobs=self.n_jobs)
    )


# -------------------------------------------------------------------- likelihood


@lazily
def score_samples(self: Any, X: Any, y: Any = None, *, groups: Any = None) -> Floats:
    """Log density (log probability for classes) of y given x.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        None scores what the model says without a target: log p(x) with a gate that describes
        x (Gaussian), 0 with any other.
    groups : array-like of shape (n_samples,), default=None
        Labels of subjects, whose rows come from one expert; see :meth:`fit`. None: every row
        is a subject of its own.

    Returns
    -------
    log_density : ndarray of shape (n_samples,), or with groups (n_groups,)
        Natural logarithms; of groups in the order of their sorted labels.
    """
    if groups is not None:
        if y is None:
            raise ValueError("score_samples: groups has no meaning without y; leave it out.")
        return log_sum_exp(subject_log_joint(self, X, y, groups)[0])
    return _answers.score_samples(self, X, y)


def log_likelihood(
    self: Any, X: Any, y: Any, sample_weight: Any = None, *, groups: Any = None
) -> float:
    """Total conditional log-likelihood in nats; see :meth:`score_samples`."""
    if groups is not None:
        return group_sums(self, X, y, sample_weight, groups).height
    parts = self.score_samples(X, y)
    if is_dask(parts):
        weighted = parts if sample_weight is None else parts * sample_weight
        return float(weighted.sum().compute())
    return float(parts @ group_weights(self, X, sample_weight, None))


def aic(
    self: Any,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    weight_kind: str = "frequency",
    groups: Any = None,
) -> float:
    """Akaike's criterion ``-2 L + 2 d`` (1974); lower is better.

    ``weight_kind`` says what weights are, as for :meth:`inference`; ``groups`` are those of
    :meth:`fit`.
    """
    require_groups(self._mixture, groups, "aic")
    sample_weight = counts(X, sample_weight, weight_kind)
    value = self.log_likelihood(X, y, sample_weight, groups=groups)
    return -2.0 * value + 2.0 * self.n_parameters_


def bic(
    self: Any,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    weight_kind: str = "frequency",
    groups: Any = None,
) -> float:
    """Schwarz's criterion ``-2 L + d log n`` (1978), n the total weight; lower is better.

    ``weight_kind`` says what weights are, as for :meth:`inference`. With ``groups``, those of
    :meth:`fit`, n is the number of groups: they are what is independent.
    """
    require_groups(self._mixture, groups, "bic")
    sample_weight = counts(X, sample_weight, weight_kind)
    if groups is not None:
        sums = group_sums(self, X, y, sample_weight, groups)
        return -2.0 * sums.height + self.n_parameters_ * float(np.log(sums.weight))
    value, lazy = self.log_likelihood(X, y, sample_weight), is_dask(X)
    n = (
        total_weight(X, sample_weight)
        if lazy
        else group_weights(self, X, sample_weight, None).sum()
    )
    return -2.0 * value + self.n_parameters_ * float(np.log(n))


def icl(
    self: Any,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    weight_kind: str = "frequency",
    groups: Any = None,
) -> float:
    """Integrated completed likelihood: BIC plus twice the entropy of the responsibilities.

    Biernacki, Celeux & Govaert (2000); lower is better, and lower where experts are told
    apart clearly. ``weight_kind`` says what weights are, as for :meth:`inference`; the entropy
    is that of rows, or of ``groups``.
    """
    require_groups(self._mixture, groups, "icl")
    value = self.bic(X, y, sample_weight, weight_kind=weight_kind, groups=groups)
    if groups is not None:
        w = counts(X, sample_weight, weight_kind)
        return value + 2.0 * group_sums(self, X, y, w, groups).entropy
    if is_dask(X):
        return value + 2.0 * total_entropy(self.responsibilities(X, y), sample_weight)
    w = group_weights(self, X, counts_of(sample_weight, weight_kind), None)
    return value + 2.0 * float(w @ entropies(self.responsibilities(X, y)))


# -------------------------------------------------------------------- standard errors


def inference(
    self: Any,
    X: Any,
    y: Any,
    *,
    kind: str = "observed",
    sample_weight: Any = None,
    clusters: Any = None,
    level: float = 0.95,
    n_bootstrap: int | None = None,
    n_jobs: int | None = None,
    random_state: Any = None,
    weight_kind: str = "frequency",
    groups: Any = None,
) -> Inference:
    """Standard errors, tests and intervals; see :func:`moe_classic.inference.inference`.

    Parameters
    ----------
    X, y : array-like
        The rows that the model was fitted to.
    kind : {"observed", "opg", "sandwich", "bootstrap", "parametric_bootstrap"}
    sample_weight, clusters, level, n_bootstrap, n_jobs, random_state, weight_kind, groups
        As for :func:`moe_classic.inference.inference`.

    Returns
    -------
    result : Inference
        With the tables ``experts`` and ``gate``.
    """
    return standard_errors(
        self,
        X,
        y,
        kind=kind,
        sample_weight=sample_weight,
        clusters=clusters,
        level=level,
        n_bootstrap=n_bootstrap,
        n_jobs=n_jobs,
        random_state=random_state,
        weight_kind=weight_kind,
        groups=groups,
    )
