"""Multinomial (softmax) experts for classes, and logistic experts for two.

::

    log p(y = c | x) = eta_c - log sum_b exp eta_b,   eta_c = u_c z,   eta_last = 0

Link: multinomial logit. Step: Newton with the exact Hessian, cross-class blocks
``P_c (d_cb - P_b)`` included (Chen, Xu & Chi 1999: treating the classes as independent makes EM
unstable); where the Hessian would be too large, the bound of Bohning (1992),
``diag(P) - P P' <= (I - 1 1' / C) / 2``. Jordan & Jacobs (1994), section 5.3.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from moe_classic._components import (
    EXPERT_LIMIT,
    ClassStats,
    Forward,
    bohning_step,
    check_alpha,
    curvatures,
    limited,
    logit_curvature,
    moved_score,
    newton_step,
    normalise,
    wide_from,
)
from moe_classic._data import Design, Summary
from moe_classic._numerics import empty, frame
from moe_classic._typing import Floats
from moe_classic.experts._base import STARVED
from moe_classic.experts._linear import LinearExpert, LinearParams
from moe_classic.penalties import Bound, CentredRidge, Penalty, PooledRidge, SparseSlopes

#: How much larger a Newton system may be where there is a single expert: its steps end at the
#: optimum, those of several wait for the gate.
_ALONE = 3
#: Penalties ``alpha`` and ``pooling`` of experts that are given by name, where they are several and
#: their Newton systems too large. Chosen on digits, where 5,000 coefficients of their own fit
#: noise, and on classes of scikit-learn's generator.
_WIDE = (5e-5, 5e-4)


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
    pooling : float, default=0.0
        L2 penalty on the differences between the slopes of an expert and their mean over all
        experts, in the same units: partial pooling (Gelman & Hill 2007, chapter 12). With many
        features and classes each expert has few rows for its slopes, and borrows from the others.
        Experts that are given by name have ``alpha=5e-5`` and ``pooling=5e-4`` where there are
        several and each has more than 300 coefficients.
    fit_intercept : bool, default=True
        Whether equations have a constant.
    penalty : Penalty, default=None
        What the slopes cost in place of ``alpha``; see :mod:`moe_classic.penalties`.

    References
    ----------
    Gelman & Hill (2007), Data analysis using regression and multilevel/hierarchical models.
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
    ranged: ClassVar[bool] = True

    def __init__(
        self,
        *,
        features: Any = None,
        alpha: float = 1e-4,
        pooling: float = 0.0,
        fit_intercept: bool = True,
        penalty: Penalty | None = None,
    ) -> None:
        self.features = features
        self.alpha = alpha
        self.pooling = pooling
        self.fit_intercept = fit_intercept
        self.penalty = penalty

    #: Whether only its name was given, so that penalties may follow from the size of the data.
    _by_name = False

    def check(self) -> None:
        """Raise if a hyper-parameter is out of range."""
        super().check()
        check_alpha(type(self).__name__, self.pooling, "pooling")
        if self.pooling and self.penalty is not None:
            raise ValueError(
                f"{type(self).__name__}: pooling={self.pooling!r} has no meaning together with "
                f"penalty={self.penalty!r}, which chooses the slopes of every expert by itself; "
                "use alpha=, or leave pooling=0.0."
            )

    @property
    def _free(self) -> bool:
        """Whether slopes cost nothing."""
        return not (self.alpha or self.pooling)

    def by_name(self) -> Self:
        """The description of which only the name was given."""
        named = copy(self)
        named._by_name = True
        return named

    def suited(self, n_experts: int, width: int, summary: Summary) -> Self:
        """By name with penalties for few rows a coefficient, where these are many."""
        if not (self._by_name and n_experts > 1 and width >= wide_from(summary.n_classes)):
            return self
        suited = copy(self)
        suited.alpha, suited.pooling = _WIDE
        return suited

    def wide(self, params: LinearParams) -> bool:
        """Whether gradients alone are affordable: Newton systems of several experts are not."""
        return params.n_experts > 1 and _wide(params)

    def start(self, n_experts: int, width: int, summary: Summary) -> MultinomialParams:
        """Experts that predict the class shares everywhere."""
        share = np.maximum(summary.y_mean, 1e-10)
        coef = np.zeros((n_experts, summary.n_classes - 1, width))
        coef[..., -1] = np.log(share[:-1] / share[-1])
        return MultinomialParams(coef)

    def stacks(self, params: LinearParams) -> bool:
        """Where Newton's systems are small, however many experts there are."""
        return self.penalty is None and not self.pooling and not _wide(params)

    def slopes_penalty(self, summary: Summary) -> Bound:
        """Slopes centred over classes, so that no class is special."""
        if self.penalty is not None:
            return self.penalty.bound(summary.weight, symmetric=True)
        return self._ridge(summary.weight)

    def _ridge(self, weight: float) -> CentredRidge:
        """Squared slopes, pooled or not, for rows of this weight."""
        pull = self.alpha * weight
        return PooledRidge(pull, self.pooling * weight) if self.pooling else CentredRidge(pull)

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
        term, score = self.slopes_penalty(summary), stats.score
        if isinstance(term, PooledRidge):
            score = score + term.towards_mean(params.coef)
            term = term.held()
        if isinstance(term, SparseSlopes):
            rule = "bound" if _wide(params) else "newton"
            A = np.stack([logit_curvature(g, params.coef[0], rule) for g in stats.gram])
            delta = term.step(params.coef, A, score[:, :-1]) - params.coef
        elif _wide(params):
            each = zip(params.coef, stats.gram, score, strict=True)
            delta = np.stack([bohning_step(c, g, s, term.pull) for c, g, s in each])
        else:
            delta = newton_step(params.coef, stats.gram, score, term.pull)
        delta = limited(delta)
        starved = (stats.mass <= STARVED * summary.weight)[:, None, None]
        return MultinomialParams(params.coef + np.where(starved, 0.0, delta))

    def coef_score(self, params: Any, stats: Any) -> Floats:
        """Slopes of the log-likelihood in the coefficients, (K, C - 1, q)."""
        return np.asarray(stats.score[:, :-1])

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
    pooling : float, default=0.0
        L2 penalty on the differences between the slopes of an expert and their mean over all
        experts, in the same units; see :class:`MultinomialExpert`.
    fit_intercept : bool, default=True
        Whether equations have a constant.
    penalty : Penalty, default=None
        What the slopes cost in place of ``alpha``; see :mod:`moe_classic.penalties`.

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
        self,
        *,
        features: Any = None,
        alpha: float = 1e-4,
        pooling: float = 0.0,
        fit_intercept: bool = True,
        penalty: Penalty | None = None,
    ) -> None:
        super().__init__(
            features=features,
            alpha=alpha,
            pooling=pooling,
            fit_intercept=fit_intercept,
            penalty=penalty,
        )

    def slopes_penalty(self, summary: Summary) -> Bound:
        """Twice alpha: centred slopes of two classes are half their difference."""
        if self.penalty is not None:
            return self.penalty.bound(summary.weight, symmetric=True, doubled=True)
        return self._ridge(2.0 * summary.weight)

    def bind(self, summary: Summary) -> LinearExpert:
        """Refuse more than two classes."""
        if summary.n_classes > 2:
            raise ValueError(
                f"LogisticExpert describes two classes, y has {summary.n_classes}. Use "
                "expert='multinomial'."
            )
        return self
