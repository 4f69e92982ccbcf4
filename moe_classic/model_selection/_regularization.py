"""Fits along a path of penalties: which slopes come in, and where to stop.

A path begins where all slopes are zero and goes down, each fit from the last; since the likelihood
of a mixture has many hills, it is walked from the other end too, from the best of the estimator's
own starts at a weak penalty, and each penalty keeps the higher of its two fits. Chosen is by an
information criterion with the number of slopes that are not zero (Zou, Hastie & Tibshirani 2007,
On the degrees of freedom of the lasso, Annals of Statistics 35)::

    EBIC = -2 log L + df log n + 2 gamma log binom(P, m)

with m of P slopes not zero (Chen & Chen 2008, Extended Bayesian information criteria for model
selection with large model spaces, Biometrika 95).

Penalties shrink what they keep, and a criterion of shrunken fits pays with slopes that are not
needed; so likelihoods that are compared are those of relaxed fits, which have the slopes of a fit
and no penalty on them (Meinshausen 2007, Relaxed lasso, Computational Statistics & Data Analysis
52).
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import gammaln
from sklearn.base import clone

from moe_classic._arguments import check_integer, check_one_of, check_real
from moe_classic._results import fitted_mixture
from moe_classic._typing import Floats
from moe_classic._warnings import without_convergence_warnings
from moe_classic.estimators import MoERegressor
from moe_classic.experts import GaussianExpert
from moe_classic.gates import SoftmaxGate
from moe_classic.penalties import Lasso, Support

_CRITERIA = ("ebic", "bic", "aic")
#: Smallest penalty over the largest, factor by which the end with no slopes is looked for, and
#: most steps of that.
_SHARE, _FACTOR, _MOST = 0.05, 1.5, 40
#: Slopes over rows above which no fit without shrinkage is made.
_RELAXED = 0.2


@dataclass(frozen=True)
class RegularizationPath:
    """Fits along a path of penalties.

    Attributes
    ----------
    table : DataFrame
        One row a fit, strongest penalties first within each ``gate_ratio``: ``alpha``,
        ``gate_ratio``, ``n_slopes`` (not zero), ``n_parameters``, ``log_likelihood``,
        ``objective`` (less the penalty), ``relaxed_log_likelihood`` (without shrinkage; NaN
        where there was no such fit), ``aic``, ``bic``, ``ebic``, ``converged``.
    coefs_ : ndarray of shape (n_fits, K, n_slopes_of_an_expert)
        Slopes of the experts on standardised features, experts as in the fit of that row.
    best_index_ : int
        Row of the table that was chosen.
    best_estimator_ : estimator
        Its fit, relaxed unless asked not to be.
    criterion : str

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
    sample_weight: Any = None,
) -> RegularizationPath:
    """Fit along a path of penalties on the slopes of experts and gate, and choose one.

    Parameters
    ----------
    X : array-like of shape (n, p)
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
    criterion : {"ebic", "bic", "aic"}, default="ebic"
        What is lowest for the fit that is chosen.
    gamma : float, default=1.0
        Weight of the number of models in the extended criterion, from 0, where it is the BIC; 1 is
        consistent however fast the number of slopes grows with that of rows (as a power).
    relaxed : bool, default=True
        Whether criteria are those of fits without shrinkage on the slopes that are not zero, and
        the chosen one is such a fit: a slope is held at zero in the experts in which it was zero.
        Fits with more than a fifth as many slopes as rows are then not chosen, nor those in which
        an expert interpolates its rows.
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
    check_one_of("path", "criterion", criterion, _CRITERIA)
    if not isinstance(gate_ratios, str):
        gate_ratios = _positive("gate_ratios", gate_ratios)
    else:
        check_one_of("path", "gate_ratios", gate_ratios, ("auto",))
    check_real("gamma", gamma, 0.0, "the weight of the number of models")
    if not isinstance(alphas, (int, np.integer)) or isinstance(alphas, bool):
        alphas = sorted(set(_positive("alphas", alphas)), reverse=True)
    else:
        check_integer("alphas", alphas, 2, "the number of penalties, or a list of them")
    walk = _Walk(_template(estimator, n_experts), X, y, sample_weight)
    with without_convergence_warnings():
        ratios = walk.ratios() if gate_ratios == "auto" else gate_ratios
        found = [(r, a, fit) for r in ratios for a, fit in walk.along(alphas, r)]
        fits = [fit for _, _, fit in found]
        others = [walk.relaxed(fit) for fit in fits] if relaxed else fits
    rows = [
        _row(fit, other, a, r, gamma, walk.n)
        for (r, a, fit), other in zip(found, others, strict=True)
    ]
    table = pd.DataFrame(rows)
    if not np.isfinite(table[criterion]).any():
        raise ValueError(
            "path: no fit has few enough slopes for these rows; give stronger alphas, or set "
            "relaxed=False."
        )
    best = int(np.nanargmin(table[criterion].to_numpy()))
    coefs = np.stack([_slopes(fit) for fit in fits])
    return RegularizationPath(table, coefs, best, others[best], criterion)


def _positive(name: str, values: Any) -> list[float]:
    """A list of positive numbers."""
    array = np.asarray(list(values) if isinstance(values, Iterable) else [], dtype=np.float64)
    if not (array.size and np.isfinite(array).all() and (array > 0.0).all()):
        raise ValueError(f"path: {name}={values!r} must be numbers > 0, at least one.")
    return [float(v) for v in array]


def _template(estimator: Any, n_experts: int) -> Any:
    """The estimator whose penalties are set."""
    if estimator is None:
        expert, gate = GaussianExpert(penalty=Lasso()), SoftmaxGate(penalty=Lasso())
        estimator = MoERegressor(expert=expert, gate=gate, random_state=0)
    if not getattr(getattr(estimator, "expert", None), "sparse", False):
        raise ValueError(
            f"path: the experts of estimator={estimator!r} need a penalty under which slopes "
            "may be zero, such as expert=GaussianExpert(penalty=Lasso())."
        )
    return clone(estimator).set_params(n_experts=n_experts, warm_start=False)


@dataclass
class _Walk:
    """Fits of one template under many strengths."""

    template: Any
    X: Any
    y: Any
    w: Any

    @property
    def n(self) -> float:
        """Weight of the rows."""
        return float(len(self.X) if self.w is None else np.sum(self.w))

    @property
    def weak(self) -> float:
        """A penalty below which fits would be mostly noise."""
        return float(np.sqrt(np.log(np.shape(self.X)[1] + 1.0) / self.n))

    def ratios(self) -> list[float]:
        """The ratio at which slopes of gate and experts that do nothing come in together."""
        if not getattr(self.template.gate, "sparse", False) or self.template.n_experts == 1:
            return [1.0]
        fit = self.fit(self.weak, 1.0)
        (params,), g = fitted_mixture(fit).standard_params.experts, fit.gate_proba(self.X)
        if not hasattr(params, "scale"):
            return [1.0]
        share = np.average(g, axis=0, weights=self.w)
        spread = np.average(g * (1.0 - g), axis=0, weights=self.w).mean()
        return [float(np.sqrt(spread / (share[:, None] / params.scale**2).mean()))]

    def along(self, alphas: Any, ratio: float) -> list[tuple[float, Any]]:
        """(alpha, fit) from the strongest down."""
        weak = self.weak
        if not isinstance(alphas, int):
            weak = float(np.clip(weak, alphas[-1], alphas[0]))
        first = self.fit(weak, ratio)
        if isinstance(alphas, int):
            top = self.emptied(first, weak, ratio)
            alphas = [float(a) for a in np.geomspace(top, _SHARE * top, alphas)]
        strong = sum(a >= weak for a in alphas)
        up = self.steps(first, alphas[:strong][::-1], ratio)[::-1]
        up += self.steps(first, alphas[strong:], ratio)
        down = self.steps(up[0], alphas, ratio)
        return [
            (a, max(pair, key=lambda fit: fit.trace_[-1]))
            for a, *pair in zip(alphas, up, down, strict=True)
        ]

    def emptied(self, fit: Any, alpha: float, ratio: float) -> float:
        """A strength, about the weakest, that leaves no slope."""
        for _ in range(_MOST):
            if not _count(fit):
                break
            alpha *= _FACTOR
            fit = self.fit(alpha, ratio, fit)
        return alpha

    def steps(self, fit: Any, alphas: list[float], ratio: float) -> list[Any]:
        """Fits, each from the last."""
        fits = [fit]
        for a in alphas:
            fits.append(self.fit(a, ratio, fits[-1]))
        return fits[1:]

    def relaxed(self, fit: Any) -> Any:
        """The fit without shrinkage on the slopes that are not zero; None where that is unsound."""
        if _count(fit) > _RELAXED * self.n:
            return None
        record = fitted_mixture(fit)
        held = (_slopes(fit) == 0.0).reshape(self.template.n_experts, -1, _width(fit)).all(axis=1)
        new = copy(fit).set_params(warm_start=True)
        new.expert = clone(new.expert).set_params(penalty=Support(_ridge_of(new.expert), held))
        if record.model.gate.sparse:
            lines = record.model.gate.lines(record.standard_params.gate)
            out = (lines[:, :-1] == 0.0).all(axis=0)[None]
            new.gate = clone(new.gate).set_params(penalty=Support(_ridge_of(new.gate), out))
        new.fit(self.X, self.y, sample_weight=self.w)
        after = fitted_mixture(new)
        sound = not after.model.n_degenerate(after.standard_params, after.summary)
        return new.set_params(warm_start=False) if sound else None

    def fit(self, alpha: float, ratio: float, start: Any = None) -> Any:
        """A fit from the estimator's own starts, or from another fit."""
        strengths = {"expert__penalty__alpha": alpha}
        if getattr(self.template.gate, "sparse", False):
            strengths["gate__penalty__alpha"] = alpha * ratio
        new = clone(self.template).set_params(**strengths)
        if start is not None:
            expert, gate = new.expert, new.gate
            new = copy(start).set_params(expert=expert, gate=gate, warm_start=True)
        new.fit(self.X, self.y, sample_weight=self.w)
        return new.set_params(warm_start=False)


def _ridge_of(component: Any) -> float:
    """The ridge that the component has by default."""
    return float(type(component)().alpha)


def _width(fit: Any) -> int:
    """How many features the experts see."""
    (group,), (params,) = fitted_mixture(fit).model.groups, fitted_mixture(fit).params.experts
    return int(group.expert.learned(group.expert.lines(params)).shape[-1] - 1)


def _slopes(fit: Any) -> Floats:
    """Slopes of the experts on standardised features and target, (K, M p)."""
    record = fitted_mixture(fit)
    (group,), (params,) = record.model.groups, record.standard_params.experts
    coef = group.expert.learned(group.expert.lines(params))
    return np.asarray(coef[..., :-1].reshape(len(coef), -1))


def _count(fit: Any) -> int:
    """How many slopes are not zero, of experts and gate."""
    model, params = fitted_mixture(fit).model, fitted_mixture(fit).standard_params
    lines = [np.count_nonzero(_slopes(fit))]
    if model.gate.sparse:
        free = model.gate.n_parameters(params.gate)
        lines.append(free - len(model.gate.lines(params.gate)))
    return int(sum(lines))


def _possible(fit: Any) -> int:
    """How many slopes there are."""
    model, params = fitted_mixture(fit).model, fitted_mixture(fit).standard_params
    gate = model.gate.lines(params.gate)[:, :-1].size if model.gate.sparse else 0
    return int(_slopes(fit).size + gate)


def _row(
    fit: Any, other: Any, alpha: float, ratio: float, gamma: float, n: float
) -> dict[str, Any]:
    """The line of a fit in the table."""
    judged = fit if other is None else other
    m, P, df = _count(judged), _possible(fit), judged.n_parameters_
    models = gammaln(P + 1.0) - gammaln(m + 1.0) - gammaln(P - m + 1.0)
    deviance = np.nan if other is None else -2.0 * other.log_likelihood_
    bic = deviance + df * np.log(n)
    return {
        "alpha": alpha,
        "gate_ratio": ratio,
        "n_slopes": _count(fit),
        "n_parameters": fit.n_parameters_,
        "log_likelihood": fit.log_likelihood_,
        "objective": fit.trace_[-1],
        "relaxed_log_likelihood": -0.5 * deviance if other is not fit else np.nan,
        "aic": deviance + 2.0 * df,
        "bic": bic,
        "ebic": bic + 2.0 * gamma * models,
        "converged": fit.converged_,
    }
