"""Softmax gate, linear in x.

::

    g_k(x) = exp(v_k z) / sum_j exp(v_j z),   v_last = 0

Step: Newton on the (K - 1) q coefficients, one step a pass; with many experts, a bound on the
curvature that couples no two of them; with wide data, the bound of Bohning (1992). Jacobs, Jordan,
Nowlan & Hinton (1991); Jordan & Jacobs (1994), equations 3 and 25; Newton as in Chen, Xu & Chi
(1999).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from moe_classic._components import (
    GATE_LIMIT,
    MAX_STEP,
    ComponentTerms,
    Forward,
    LogitStats,
    Regions,
    Units,
    block_rows,
    block_step,
    bohning_step,
    check_alpha,
    curvature_rows,
    curvatures,
    limited,
    line_terms,
    logit_curvature,
    moved_score,
    moved_score_blocks,
    newton_step,
    normalise,
)
from moe_classic._data import Design, DesignMap, Summary
from moe_classic._numerics import empty, frame
from moe_classic._typing import Bools, Floats
from moe_classic.penalties import (
    Bound,
    CentredRidge,
    Penalty,
    SparseSlopes,
    centred_slopes,
    check_penalty,
)

from ._base import Gate, GateRow, line_rows

#: Experts up to which all pairs of their curvatures are formed, and width up to which one curvature
#: an expert is: their Gram matrices grow with the square of either.
MANY, WIDE = 16, 300
#: Penalty on the slopes of a softmax gate that is given by name, where its experts tell classes
#: apart; that of the experts themselves. Where regions are separable, as on many features they
#: are, a gate that is all but free fits noise: digits lose a third of their held-out score.
_CLASS_ALPHA = 1e-4
_STEPS = {"newton": newton_step, "block": block_step, "bound": bohning_step}


@dataclass(frozen=True)
class SoftmaxParams:
    """Coefficients (K - 1, q) relative to the last expert."""

    coef: Floats

    @cached_property
    def full(self) -> Floats:
        """Coefficients with the zeros of the last expert, (K, q)."""
        *lead, m, q = self.coef.shape
        full = np.zeros((*lead, m + 1, q))
        full[..., :m, :] = self.coef
        return full


def _rule(params: SoftmaxParams) -> str:
    """Which curvature the step uses."""
    m, q = params.coef.shape[-2:]
    if m < MANY:
        return "newton" if m * q <= GATE_LIMIT else "bound"
    return "block" if q <= WIDE else "bound"


def sparse_step(term: SparseSlopes, coef: Floats, gram: Floats, score: Floats, rule: str) -> Floats:
    """Coefficients (1, K - 1, q) after a proximal step under a penalty with kinks.

    ``gram`` holds the packed Grams of the rule, ``score`` (K, q) the scores of all classes. Only a
    step that is too long is added up: rounded sums would part slopes of classes that agree.
    """
    A = logit_curvature(gram, coef[0], rule)
    new = term.step(coef, A[None], score[None, :-1])
    delta = new - coef
    return coef + limited(delta) if np.abs(delta).max() > MAX_STEP else new


def _mass(fwd: Forward, S: Floats) -> Floats:
    """Row weights (n,), to which the columns of ``S`` sum."""
    if fwd.mass is not None:
        return fwd.mass
    return S.sum(axis=-2, out=empty((*S.shape[:-2], S.shape[-1])))


class SoftmaxGate(Gate):
    """Multinomial logit of the experts, linear in the features.

    Parameters
    ----------
    features : None, list of column names or indices, or transformer, default=None
        What the gate sees of X. None: all columns; ``[]``: nothing; a transformer is cloned and
        fitted inside.
    alpha : float, default=1e-6
        L2 penalty on the slopes, centred over experts, in standardised units, per unit of sample
        weight. The default lets a gate become steep and keeps separable regions finite. Values
        more than three robust deviations from the median of a feature do not set its units.
    penalty : Penalty, default=None
        In place of ``alpha``, which then stays at its default: an object of
        :mod:`moe_classic.penalties`, such as ``Lasso(0.1)``, under which slopes may be exactly
        zero. Shown are then slopes about the middle one of the experts, so that a feature that
        tells no two of them apart has zeros alone.

    References
    ----------
    Jacobs, Jordan, Nowlan & Hinton (1991), Adaptive mixtures of local experts, Neural Computation
    3. Jordan & Jacobs (1994), Hierarchical mixtures of experts and the EM algorithm, Neural
    Computation 6. Bohning (1992), Multinomial logistic regression algorithm, Annals of the
    Institute of Statistical Mathematics 44.

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_motorcycle
    >>> from moe_classic.gates import SoftmaxGate
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> moe = MoERegressor(2, gate=SoftmaxGate(alpha=0.01), random_state=0).fit(X, y)
    >>> moe.gate_proba([[5.0], [50.0]]).sum(axis=1).round(6)
    array([1., 1.])
    """

    name: ClassVar[str] = "softmax"
    takes_sparse = True

    def __init__(
        self, *, features: Any = None, alpha: float = 1e-6, penalty: Penalty | None = None
    ) -> None:
        self.features = features
        self.alpha = alpha
        self.penalty = penalty

    def check(self) -> None:
        """Raise if a hyper-parameter is out of range."""
        check_alpha("SoftmaxGate", self.alpha)
        check_penalty(self)

    def for_classes(self, *, named: bool) -> SoftmaxGate:
        """By name, with the penalty on slopes that class experts have."""
        return SoftmaxGate(alpha=_CLASS_ALPHA) if named else self

    def stacks(self, params: SoftmaxParams) -> bool:
        """With Newton's steps; bounds are for gates with so much to do that calls cost nothing."""
        return self.penalty is None and _rule(params) == "newton"

    def start(self, n_experts: int, width: int, summary: Summary) -> SoftmaxParams:
        """All experts equally likely everywhere."""
        return SoftmaxParams(np.zeros((n_experts - 1, width)))

    # -------------------------------------------------------------------- evaluation

    def forward(self, params: SoftmaxParams, design: Design) -> Forward:
        """Log gate (K, n) and the gate itself."""
        eta = design.linear(params.full)
        g = normalise(eta)
        return Forward(eta, None, g)

    def curvature(self, params: SoftmaxParams, fwd: Forward, S: Floats) -> Floats:
        """Row weights of the Grams: pairs of experts for Newton, the mass for the bound."""
        mass, rule = _mass(fwd, S), _rule(params)
        if rule == "newton":
            several = S.ndim > 2
            return curvatures(fwd.work, mass) if several else curvature_rows(fwd.work, mass)
        return block_rows(fwd.work, mass) if rule == "block" else mass[None]

    def statistics(
        self, params: SoftmaxParams, fwd: Forward, design: Design, S: Floats, grams: Floats
    ) -> LogitStats:
        """Score (K, q) and curvature sums."""
        with frame():
            mass = _mass(fwd, S)[..., None, :]
            residual = np.multiply(fwd.work, mass, out=empty(S.shape))
            score = design.scores(np.subtract(S, residual, out=residual))
        return LogitStats(grams.reshape(*S.shape[:-2], -1, grams.shape[-1]), score)

    def update(self, params: SoftmaxParams, stats: LogitStats, summary: Summary) -> SoftmaxParams:
        """One Newton or bound step."""
        if not params.coef.size:
            return params
        term, rule = self.slopes_penalty(summary), _rule(params)
        if isinstance(term, SparseSlopes):
            new = sparse_step(term, params.coef[None], stats.gram, stats.score, rule)
            return SoftmaxParams(new[0])
        delta = _STEPS[rule](params.coef, stats.gram, stats.score, term.pull)
        return SoftmaxParams(params.coef + limited(delta))

    def translate(self, stats: LogitStats, old: SoftmaxParams, new: SoftmaxParams) -> LogitStats:
        """Scores at ``old`` as they are at ``new``, to second order."""
        if not old.coef.size:
            return stats
        rule, delta = _rule(old), new.coef - old.coef
        if rule == "block":
            moved = moved_score_blocks(stats.gram, delta)
        else:
            moved = moved_score(stats.gram, delta, bound=rule == "bound")
        return replace(stats, score=stats.score - moved)

    # -------------------------------------------------------------------- derivatives

    def gradient(self, params: SoftmaxParams, design: Design, S: Floats) -> Floats:
        """Gradient of ``sum S log g``: ``(S_k - g_k sum_j S_j) z``, (n_theta,)."""
        g = self.forward(params, design).work
        return design.scores(S - S.sum(axis=0) * g)[:-1].ravel()

    def derivatives(self, params: SoftmaxParams, fwd: Forward, R: Floats) -> tuple[Floats, Floats]:
        """Pointwise derivatives in the K - 1 logits.

        Returns
        -------
        first : ndarray of shape (K - 1, K, n)
            ``d log g_k / d eta_a = 1[k = a] - g_a``.
        curvature : ndarray of shape (K - 1, K - 1, n)
            ``- sum_k R_k d2 log g_k = g_a (1[a = b] - g_b)``.
        """
        g = fwd.work[..., :-1, :]
        A = g.shape[-2]
        first = np.eye(A, A + 1)[:, :, None] - g[..., :, None, :]
        curvature = -g[..., :, None, :] * g[..., None, :, :]
        index = np.arange(A)
        curvature[..., index, index, :] += g
        return first, curvature * R.sum(axis=-2)[..., None, None, :]

    # -------------------------------------------------------------------- penalty

    def penalties(self, params: SoftmaxParams, summary: Summary) -> Floats:
        """Those of several gates, whose coefficients are (S, K - 1, q)."""
        return CentredRidge(self.alpha * summary.weight).each(params.coef)

    @property
    def sparse(self) -> bool:  # type: ignore[override]
        """Whether slopes may be exactly zero."""
        return self.penalty is not None and self.penalty.sparse

    def slopes_penalty(self, summary: Summary) -> Bound:
        """Slopes centred over experts, so that no expert is special."""
        if self.penalty is not None:
            return self.penalty.bound(summary.weight, symmetric=True)
        return CentredRidge(self.alpha * summary.weight)

    def penalty_value(self, params: SoftmaxParams, summary: Summary) -> float:
        """``alpha / 2`` times the squared slopes centred over experts, per unit of weight."""
        return self.slopes_penalty(summary).value(params.coef[None])

    def penalty_gradient(self, params: SoftmaxParams, summary: Summary) -> Floats:
        """Gradient of the penalty, (n_theta,)."""
        return self.slopes_penalty(summary).gradient(params.coef[None]).ravel()

    def penalty_hessian(self, params: SoftmaxParams, summary: Summary) -> Floats:
        """Hessian of the penalty, (n_theta, n_theta)."""
        return self.slopes_penalty(summary).hessian(params.coef[None])

    def optimality(self, params: SoftmaxParams, stats: LogitStats, summary: Summary) -> float:
        """Largest violation of the conditions of optimality, in nats per unit of weight."""
        term = self.slopes_penalty(summary)
        if not (isinstance(term, SparseSlopes) and params.coef.size):
            return 0.0
        left = term.residual(params.coef[None], stats.score[None, :-1])
        return float(left.max() / summary.weight)

    def support(self, params: SoftmaxParams) -> tuple[Floats, Floats, Bools]:
        """Coordinates of what is not held at zero: ``theta = T u``, and whose signs stay."""
        term = None if self.penalty is None else self.penalty.bound(1.0, symmetric=True)
        if not (isinstance(term, SparseSlopes) and params.coef.size):
            return super().support(params)
        return term.support(params.coef[None])

    def n_parameters(self, params: SoftmaxParams) -> int:
        """Number of free parameters: slopes that are zero are none."""
        term = None if self.penalty is None else self.penalty.bound(1.0, symmetric=True)
        if not (isinstance(term, SparseSlopes) and params.coef.size):
            return params.coef.size
        return params.coef.size - term.n_zero(params.coef[None])

    # -------------------------------------------------------------------- packing

    def pack(self, params: SoftmaxParams) -> Floats:
        """Coefficients in one vector."""
        return params.coef.flatten()

    def unpack(self, theta: Floats, like: SoftmaxParams, summary: Summary) -> SoftmaxParams:
        """Coefficients from one vector."""
        return SoftmaxParams(theta.reshape(like.coef.shape).copy())

    def reorder(self, params: SoftmaxParams, order: np.ndarray) -> SoftmaxParams:
        """Coefficients for experts in a new order, relative to the new last one."""
        full = params.full[order]
        return SoftmaxParams((full - full[-1])[:-1])

    def draw(self, params: SoftmaxParams, regions: Regions) -> SoftmaxParams:
        """The nearest centre leads."""
        return SoftmaxParams(regions.lines(regions.centres, regions.shares))

    # -------------------------------------------------------------------- what users see

    def lines(self, params: SoftmaxParams) -> Floats:
        """The coefficients, (K - 1, q)."""
        return params.coef

    def shown(self, params: SoftmaxParams, design: DesignMap) -> dict[str, Any]:
        """Slopes and intercepts relative to the last expert; under a lasso to the middle one."""
        full = params.full
        if self.sparse and params.coef.size and len(full) > 2:
            full = full.copy()
            full[:, :-1] = centred_slopes(params.coef[None])[0]
        slopes, intercepts = design.original(full)
        return {"coef_": slopes, "intercept_": intercepts}

    def rows(self, shown: dict[str, Any], names: tuple[str, ...], K: int) -> list[GateRow]:
        """The line of each expert."""
        return line_rows(shown, names, K)

    def terms(self, params: SoftmaxParams, units: Units) -> ComponentTerms:
        """Lines of all experts but the last."""
        heads = [("gate", label) for label in units.labels[:-1]]
        return line_terms(units.design, heads, lambda p: p.coef)

    def graph(self, graph: Any, params: SoftmaxParams, linear: Any) -> str:
        """Softmax of linear predictors, the last of which is 0."""
        return str(graph.node("Softmax", linear(params.full), axis=1))
