"""Fits along a path of penalties: which slopes come in, and where to stop.

A path begins where all slopes are zero and goes down, each fit from the last; since the likelihood
of a mixture has many hills, it is walked from the other end too, from the best of the estimator's
own starts at a weak penalty. Both walks make candidates: a strong penalty may rate few slopes and
wide noise above the hill on which the slopes are right. Chosen is by an information criterion with
the number of slopes that are not zero (Zou, Hastie & Tibshirani 2007, On the degrees of freedom of
the lasso, Annals of Statistics 35)::

    EBIC = -2 log L + df log n + 2 gamma log binom(P, m)

with m of P slopes not zero (Chen & Chen 2008, Extended Bayesian information criteria for model
selection with large model spaces, Biometrika 95).

Penalties shrink what they keep, and a criterion of shrunken fits pays with slopes that are not
needed; so likelihoods that are compared are those of relaxed fits, which have the slopes of a fit
and no penalty on them (Meinshausen 2007, Relaxed lasso, Computational Statistics & Data Analysis
52). The log score of held-out rows needs no count of parameters: each fold walks the path anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import gammaln

from moe_classic._arguments import check_one_of, check_real
from moe_classic._data import is_dask
from moe_classic._typing import Floats
from moe_classic._warnings import without_convergence_warnings

from ._partitions import check_path
from ._templates import checked_grid, penalised_template, positive
from ._walk import (
    Step,
    Walk,
    aligned,
    gate_slopes_of,
    held_out_scores,
    n_possible,
    n_slopes,
    slopes_of,
    terms_of,
)

_CRITERIA = ("ebic", "bic", "aic", "log_score")


@dataclass(frozen=True)
class RegularizationPath:
    """Fits along a path of penalties.

    Attributes
    ----------
    table : DataFrame
        One row a fit, strongest penalties first within each ``gate_ratio``: ``alpha``,
        ``gate_ratio``, ``n_slopes`` (not zero), ``n_parameters``, ``log_likelihood``,
        ``objective`` (less the penalty), ``relaxed_log_likelihood`` (without shrinkage; NaN
        where there was no such fit), ``aic``, ``bic``, ``ebic``, ``converged``; with
        ``criterion="log_score"`` the mean ``log_score`` of held-out rows and its standard error.
        Where the two walks end with other slopes, the lower fit has a row too, in which
        ``highest`` is False.
    coefs_ : ndarray of shape (n_fits, K, n_slopes_of_an_expert)
        Slopes of the experts on standardised features, of features within outputs or classes.
        Experts are those of ``best_estimator_`` along the whole path, matched from fit to fit by
        the rows that they are responsible for.
    gate_coefs_ : ndarray of shape (n_fits, K, n_features_of_the_gate), or None
        Slopes of a softmax gate with a penalty under which they may be zero, about the mean of two
        experts, about the median of more; None for other gates.
    best_index_ : int
        Row of the table that was chosen.
    best_estimator_ : estimator
        Its fit, relaxed unless asked not to be.
    criterion : str
    terms_ : list of str
        What the last axis of ``coefs_`` stands for.
    gate_terms_ : list of str
        The same of ``gate_coefs_``.

    Examples
    --------
    >>> import numpy as np
    >>> from moe_classic.model_selection import path
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((200, 8))
    >>> y = 2.0 * X[:, 1] - X[:, 4] + rng.standard_normal(200)
    >>> found = path(X, y, n_experts=1, alphas=12)
    >>> np.flatnonzero(found.best_estimator_.experts_[0].coef_)
    array([1, 4])
    """

    table: pd.DataFrame
    coefs_: Floats
    best_index_: int
    best_estimator_: Any
    criterion: str
    terms_: list[str]
    gate_coefs_: Floats | None = None
    gate_terms_: list[str] = field(default_factory=list)


def path(
    X: Any,
    y: Any,
    *,
    estimator: Any = None,
    n_experts: int = 2,
    alphas: Any = 50,
    gate_ratios: Any = "auto",
    criterion: str = "ebic",
    gamma: float = 1.0,
    relaxed: bool = True,
    cv: Any = None,
    sample_weight: Any = None,
) -> RegularizationPath:
    """Fit along a path of penalties on the slopes of experts and gate, and choose one.

    Parameters
    ----------
    X : array-like of shape (n, p)
        Or, with y and the weights, Dask collections: each fit reads them where they are, so that
        ``X.persist()`` pays.
    y : array-like of shape (n,) or (n, d)
    estimator : MoERegressor or MoEClassifier, default=None
        Template whose experts, and gate unless that has no penalty, have a lasso, an elastic net or
        a group lasso as ``penalty``; strengths are set by the path. None: Gaussian experts and a
        softmax gate with a :class:`~moe_classic.penalties.Lasso` each.
    n_experts : int, default=2
        Number of experts; with an estimator that of the estimator is replaced.
    alphas : int or list of float, default=50
        Strengths of the penalty of the experts, or how many: from the weakest that leaves no slope,
        in equal ratios, down to a twentieth of it.
    gate_ratios : "auto" or list of float, default="auto"
        Strengths of the gate's penalty over those of the experts: a path each. ``"auto"`` is the
        ratio of what scores of slopes that do nothing spread by, one path: for experts with noise
        of scale s the root of the mean of ``g_k (1 - g_k)`` over that of ``g_k / s_k^2``; 1 for
        other families.
    criterion : {"ebic", "bic", "aic", "log_score"}, default="ebic"
        What is lowest for the fit that is chosen; the last, the mean log density of held-out rows,
        is highest.
    gamma : float, default=1.0
        Weight of the number of models in the extended criterion, from 0, where it is the BIC; 1 is
        consistent however fast the number of slopes grows with that of rows (as a power).
    relaxed : bool, default=True
        Whether criteria are those of fits without shrinkage on the slopes that are not zero, and
        the chosen one is such a fit: a slope is held at zero in the experts in which it was zero.
        Fits with more than a fifth as many slopes as rows are then not chosen, nor those in which
        an expert interpolates its rows.
    cv : int, splitter or iterable, default=None
        Folds for ``criterion="log_score"``; None means 5. Each walks the same penalties.
    sample_weight : array-like of shape (n,), default=None

    Returns
    -------
    found : RegularizationPath

    Raises
    ------
    ValueError
        If an argument is out of range or the experts have no penalty with kinks.

    References
    ----------
    Friedman, Hastie & Tibshirani (2010), Regularization paths for generalized linear models via
    coordinate descent, Journal of Statistical Software 33, of warm starts.

    Examples
    --------
    >>> from moe_classic.datasets import load_tone
    >>> from moe_classic.model_selection import path
    >>> X, y = load_tone(return_X_y=True)
    >>> path(X, y, alphas=[1.0, 0.1, 0.01]).table.n_slopes.is_monotonic_increasing
    True
    """
    alphas, gate_ratios = _checked(alphas, gate_ratios, criterion, gamma, cv)
    template = penalised_template("path", estimator, n_experts)
    if is_dask(X, y, sample_weight):
        check_path(criterion)
    walk = Walk(template, X, y, sample_weight)
    with without_convergence_warnings():
        ratios = walk.ratios() if gate_ratios == "auto" else gate_ratios
        steps = [step for ratio in ratios for step in walk.along(alphas, ratio)]
        others = walk.all_relaxed(steps) if relaxed else [step.fit for step in steps]
    rows = [_row(step, other, gamma, walk.n) for step, other in zip(steps, others, strict=True)]
    table = pd.DataFrame(rows)
    if not np.isfinite(table.aic).any():
        raise ValueError(
            "path: no fit has few enough slopes for these rows; give stronger alphas, or set "
            "relaxed=False."
        )
    if criterion == "log_score":
        scores = held_out_scores(walk, steps, 5 if cv is None else cv, relaxed=relaxed)
        table["log_score"], table["log_score_std_error"] = scores
    best = _best(table, criterion)
    return _result(table, steps, others, best, criterion, walk)


def _checked(alphas: Any, ratios: Any, criterion: Any, gamma: Any, cv: Any) -> tuple[Any, Any]:
    """Penalties and ratios as they are walked; raises for arguments without a meaning."""
    check_one_of("path", "criterion", criterion, _CRITERIA)
    if cv is not None and criterion != "log_score":
        raise ValueError(
            f"path: cv={cv!r} has no meaning with criterion={criterion!r}, which needs no held-out "
            "rows; leave it out or use criterion='log_score'."
        )
    if not isinstance(ratios, str):
        ratios = positive("path", "gate_ratios", ratios)
    else:
        check_one_of("path", "gate_ratios", ratios, ("auto",))
    check_real("gamma", gamma, 0.0, "the weight of the number of models")
    return checked_grid("path", alphas), ratios


def _best(table: pd.DataFrame, criterion: str) -> int:
    """Row of the table with the best criterion; of equals a higher fit, and a simpler one."""
    values = table[criterion] * (-1.0 if criterion == "log_score" else 1.0)
    values = values.where(np.isfinite(table.aic))
    near = table[values <= values.min() + 1e-6]
    return int(near.sort_values(["highest", "alpha"], ascending=False, kind="stable").index[0])


def _result(
    table: pd.DataFrame, steps: list[Step], others: list[Any], best: int, criterion: str, walk: Walk
) -> RegularizationPath:
    """The path, with experts in the order of the chosen fit all along."""
    orders = aligned(walk, steps, others[best], best)
    coefs = np.stack([slopes_of(step.fit)[k] for step, k in zip(steps, orders, strict=True)])
    with without_convergence_warnings():
        chosen = walk.completed(others[best])
    terms, gate_terms = terms_of(chosen)
    if not gate_terms:
        return RegularizationPath(table, coefs, best, chosen, criterion, terms)
    gate = np.stack([gate_slopes_of(step.fit)[k] for step, k in zip(steps, orders, strict=True)])
    return RegularizationPath(table, coefs, best, chosen, criterion, terms, gate, gate_terms)


def _row(step: Step, other: Any, gamma: float, n: float) -> dict[str, Any]:
    """The line of a fit in the table."""
    fit = step.fit
    judged = fit if other is None else other
    m, P, df = n_slopes(judged), n_possible(fit), judged.n_parameters_
    models = gammaln(P + 1.0) - gammaln(m + 1.0) - gammaln(P - m + 1.0)
    deviance = np.nan if other is None else -2.0 * other.log_likelihood_
    bic = deviance + df * np.log(n)
    return {
        "alpha": step.alpha,
        "gate_ratio": step.ratio,
        "n_slopes": n_slopes(fit),
        "n_parameters": fit.n_parameters_,
        "log_likelihood": fit.log_likelihood_,
        "objective": fit.trace_[-1],
        "relaxed_log_likelihood": -0.5 * deviance if other is not fit else np.nan,
        "aic": deviance + 2.0 * df,
        "bic": bic,
        "ebic": bic + 2.0 * gamma * models,
        "converged": fit.converged_,
        "highest": step.highest,
    }
