"""Multinomial (softmax) experts for classes, and logistic experts for two.

::

    log p(y = c | x) = eta_c - log sum_b exp eta_b,   eta_c = u_c z,   eta_last = 0

Link: multinomial logit. Step: Newton with the exact Hessian, cross-class blocks
``P_c (d_cb - P_b)`` included (Chen, Xu & Chi 1999: treating the classes as independent makes EM
unstable); where the Hessian would be too large, the bound of Bohning (1992),
``diag(P) - P P' <= (I - 1 1' / C) / 2``. Jordan & Jacobs (1994), section 5.3.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from moe_classic._components import (
    EXPERT_LIMIT,
    ClassStats,
    Forward,
    bohning_step,
    curvatures,
    limited,
    moved_score,
    newton_step,
    normalise,
)
from moe_classic._data import Design, Summary
from moe_classic._numerics import empty, frame
from moe_classic._typing import Floats
from moe_classic.experts._base import STARVED
from moe_classic.experts._linear import LinearExpert, LinearParams
from moe_classic.penalties import CentredRidge

#: How much larger a Newton system may be where there is a single expert: its steps end at the
#: optimum, those of several wait for the gate.
_ALONE = 3


@dataclass(frozen=True)
class MultinomialParams(LinearParams):
    """Coefficients (K, C - 1, q) relative to the last class."""

    @cached_property
    def full(self) -> Floats:
        """Coefficients with the zeros of the last class, (K, C, q)."""
        return np.concatenate([self.coef, np.zeros_like(self.coef[:, :1])], axis=1)


def _wide(params: LinearParams) -> bool:
    """Whether a Newton system of one expert is too large; a lone expert is worth more work."""
    limit = EXPERT_LIMIT if params.n_experts > 1 else _ALONE * EXPERT_LIMIT
    return params.coef[0].size > limit


class MultinomialExpert(LinearExpert):
    """Multinomial logistic regressions over two or more classes.

    Parameters
    ----------
    features : None, list of column names or indices, or transformer, default=None
        What the experts see of X; see :class:`GaussianExpert`.
    alpha : float, default=1e-4
        L2 penalty on the slopes of all classes (as in
        :class:`~sklearn.linear_model.LogisticRegression` with ``C = 1 / (alpha n)``), in
        standardised units, per unit of sample weight. Inside its region an expert often finds its
        classes separable; without a penalty its slopes are then infinite.
    fit_intercept : bool, default=True
        Whether there is an intercept; see :class:`GaussianExpert`.

    References
    ----------
    Jordan & Jacobs (1994), Hierarchical mixtures of experts and the EM algorithm, Neural
    Computation 6. Chen, Xu & Chi (1999), Improved learning algorithms for mixture of experts in
    multiclass classification, Neural Networks 12. Bohning (1992), Multinomial logistic regression
    algorithm, Annals of the Institute of Statistical Mathematics 44.

    Examples
    --------
    >>> from moe_classic import MoEClassifier
    >>> from moe_classic.experts import MultinomialExpert
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> moe = MoEClassifier(1, expert=MultinomialExpert(alpha=0.01)).fit(X, y)
    >>> round(moe.score(X, y), 2)
    0.96
    """

    name: ClassVar[str] = "multinomial"
    target: ClassVar[str] = "class"
    link: ClassVar[str] = "logit"

    def __init__(
        self, *, features: Any = None, alpha: float = 1e-4, fit_intercept: bool = True
    ) -> None:
        self.features = features
        self.alpha = alpha
        self.fit_intercept = fit_intercept

    def start(self, n_experts: int, width: int, summary: Summary) -> MultinomialParams:
        """Experts that predict the class shares everywhere."""
        share = np.maximum(summary.y_mean, 1e-10)
        coef = np.zeros((n_experts, summary.n_classes - 1, width))
        coef[..., -1] = np.log(share[:-1] / share[-1])
        return MultinomialParams(coef)

    def stacks(self, params: LinearParams) -> bool:
        """Where Newton's systems are small, however many experts there are."""
        return not _wide(params)

    def slopes_penalty(self, summary: Summary) -> CentredRidge:
        """Slopes centred over classes, so that no class is special."""
        return CentredRidge(self.alpha * summary.weight)

    # -------------------------------------------------------------------- log density

    def probabilities(self, params: MultinomialParams, design: Design) -> Floats:
        """Class probabilities, (K, C, n)."""
        return normalise(design.linear(params.full))

    def forward(self, params: MultinomialParams, design: Design, y: np.ndarray) -> Forward:
        """Log probability of the observed classes, and all probabilities."""
        log_P = design.linear(params.full)
        P = normalise(log_P)
        picked = log_P[:, y, np.arange(y.size)]
        return Forward(picked, None, (P, y))

    # -------------------------------------------------------------------- curvature and sums

    def curvature(self, params: LinearParams, fwd: Forward, S: Floats) -> Floats:
        """Row weights of the Grams: pairs of classes for Newton, ``S`` for the bound."""
        return S if _wide(params) else curvatures(fwd.work[0], S)

    def statistics(
        self, params: LinearParams, fwd: Forward, design: Design, S: Floats, grams: Floats
    ) -> ClassStats:
        """Score and curvature sums: (K, C, q) and (K, pairs, q (q + 1) / 2)."""
        P, y = fwd.work
        with frame():
            residual = np.multiply(P, S[:, None], out=empty(P.shape))
            np.negative(residual, out=residual)
            residual[:, y, np.arange(y.size)] += S
            score = design.scores(residual)
        grams = grams.reshape(len(S), -1, grams.shape[-1])
        return ClassStats(grams, score, S.sum(axis=1))

    def update(
        self, params: LinearParams, stats: ClassStats, summary: Summary
    ) -> MultinomialParams:
        """One Newton or bound step for every expert."""
        pull = self.slopes_penalty(summary).pull
        if _wide(params):
            each = zip(params.coef, stats.gram, stats.score, strict=True)
            delta = np.stack([bohning_step(c, g, s, pull) for c, g, s in each])
        else:
            delta = newton_step(params.coef, stats.gram, stats.score, pull)
        delta = limited(delta)
        starved = (stats.mass <= STARVED * summary.weight)[:, None, None]
        return MultinomialParams(params.coef + np.where(starved, 0.0, delta))

    def translate(self, stats: ClassStats, old: LinearParams, new: LinearParams) -> ClassStats:
        """Scores at ``old`` as they are at ``new``, to second order."""
        bound = _wide(old)
        moved = [
            moved_score(g, d, bound=bound)
            for g, d in zip(stats.gram, new.coef - old.coef, strict=True)
        ]
        return replace(stats, score=stats.score - np.stack(moved))

    def derivatives(
        self, params: LinearParams, fwd: Forward, y: np.ndarray
    ) -> tuple[Floats, Floats]:
        """In eta_1..eta_{C-1}: ``1[y = c] - P_c`` and ``-P_c (d_cb - P_b)``."""
        P = fwd.work[0][:, :-1]
        classes = np.arange(P.shape[1])
        second = P[:, :, None] * P[:, None, :]
        second[:, classes, classes] -= P
        return self.first_derivatives(params, fwd, y), second

    def first_derivatives(self, params: LinearParams, fwd: Forward, y: np.ndarray) -> Floats:
        """The first of them alone."""
        P = fwd.work[0][:, :-1]
        first = np.negative(P, out=empty(P.shape))
        rows = np.flatnonzero(y < P.shape[1])
        first[:, y[rows], rows] += 1.0
        return first

    # -------------------------------------------------------------------- moments, sampling

    def predictor(self, params: MultinomialParams, design: Design) -> Floats:
        """Class probabilities, (K, C, n)."""
        return self.probabilities(params, design)

    def mean_at(self, params: MultinomialParams, eta: Floats) -> Floats:
        """Class probabilities, (K, C, n)."""
        return eta

    def sample_at(
        self, params: MultinomialParams, eta: Floats, rng: np.random.Generator
    ) -> np.ndarray:
        """A class code from every expert at every row, (K, n)."""
        return draw_classes(eta, rng)

    def output_slopes(self, params: MultinomialParams, m: Floats, v: Floats) -> Floats:
        """Those of the logits, from those of the probabilities."""
        slope = m * (v - (m * v).sum(axis=1, keepdims=True))
        return slope[:, : max(m.shape[1] - 1, 1)]

    def graph(self, graph: Any, params: MultinomialParams, linear: Any) -> str:
        """Class probabilities: the softmax of the logits, the last of which is 0."""
        return str(graph.node("Softmax", linear(params.full), axis=2))


def draw_classes(P: Floats, rng: np.random.Generator) -> np.ndarray:
    """A class code from every expert at every row, (K, n), with probabilities (K, C, n)."""
    below = P.cumsum(axis=1)
    u = rng.random((below.shape[0], 1, below.shape[2]))
    return np.minimum((u > below).sum(axis=1), below.shape[1] - 1)


class LogisticExpert(MultinomialExpert):
    """Logistic regressions for two classes.

    The same density as :class:`MultinomialExpert` with two classes; the penalty acts on the one
    vector of slopes, as in :class:`~sklearn.linear_model.LogisticRegression`.

    Parameters
    ----------
    features : None, list of column names or indices, or transformer, default=None
        What the experts see of X; see :class:`GaussianExpert`.
    alpha : float, default=1e-4
        L2 penalty on the slopes in standardised units, per unit of sample weight.
    fit_intercept : bool, default=True
        Whether there is an intercept; see :class:`GaussianExpert`.

    References
    ----------
    Jordan & Jacobs (1994), Hierarchical mixtures of experts and the EM algorithm, section 5.3.

    Examples
    --------
    >>> from moe_classic import MoEClassifier
    >>> from moe_classic.datasets import make_moe
    >>> from moe_classic.experts import LogisticExpert
    >>> X, y = make_moe(200, expert="logistic", n_experts=2, random_state=0)
    >>> moe = MoEClassifier(2, expert=LogisticExpert(alpha=0.01), random_state=0).fit(X, y)
    >>> moe.predict_proba(X).shape
    (200, 2)
    """

    name: ClassVar[str] = "logistic"

    def __init__(
        self, *, features: Any = None, alpha: float = 1e-4, fit_intercept: bool = True
    ) -> None:
        super().__init__(features=features, alpha=alpha, fit_intercept=fit_intercept)

    def slopes_penalty(self, summary: Summary) -> CentredRidge:
        """Twice alpha: centred slopes of two classes are half their difference."""
        return CentredRidge(2.0 * self.alpha * summary.weight)

    def bind(self, summary: Summary) -> LinearExpert:
        """Refuse more than two classes."""
        if summary.n_classes > 2:
            raise ValueError(
                f"LogisticExpert describes two classes, y has {summary.n_classes}. Use "
                "expert='multinomial'."
            )
        return self
