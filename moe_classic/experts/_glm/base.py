"""Generalised linear experts: any target, one linear predictor and a link.

::

    log p(y | x) = l(y, eta),   eta = b z + offset + log exposure

Link: the family's. Step: Newton, or Fisher scoring, with row weights ``-l''`` where they are
positive; one a pass, shortened to a safe length. McCullagh & Nelder (1989), Generalized Linear
Models, section 2.5; Jordan & Jacobs (1994), Hierarchical mixtures of experts and the EM algorithm,
section 5.3.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from moe_classic._components import Carried, Forward, limited
from moe_classic._data import Design, Stats, Summary
from moe_classic._numerics import empty, solve_psd, unpack_symmetric
from moe_classic._typing import Floats
from moe_classic.experts._base import STARVED
from moe_classic.experts._linear import LinearExpert, LinearParams
from moe_classic.experts._shared import own_features, solve_together
from moe_classic.penalties import Penalty

#: Predictors beyond this are taken as this: products of derivatives stay finite.
_FARTHEST = 200.0
#: Row weights that count as none.
FLAT = 1e-12
#: What is added to a count, in means, before its logarithm is taken for a start.
_HALF = 0.25


@dataclass(frozen=True)
class GLMStats(Stats):
    """Packed Grams (K, q (q + 1) / 2), scores (K, 1, q) and masses (K,)."""

    gram: Floats
    score: Floats
    mass: Floats


class GLMExpert(LinearExpert):
    """Generalised linear models of your own.

    A family names its ``target`` and ``link`` and says :meth:`link_of`, :meth:`log_density`,
    :meth:`slopes` and :meth:`cdf_at`; means, variances, quantiles, scores and draws follow, means
    and variances better so where :meth:`mean_at` and :meth:`variance_at` know them.

    Parameters
    ----------
    features : None, list of column names or indices, or transformer, default=None
        What the experts see of X; see :class:`GaussianExpert`. None: all columns but those that
        ``offset`` and ``exposure`` name.
    alpha : float, default=1e-4
        L2 penalty on the slopes in standardised units, per unit of sample weight.
    fit_intercept : bool, default=True
        Whether there is an intercept; see :class:`GaussianExpert`.
    offset : str or int, default=None
        Column of X, by name or index, that is added to the linear predictor.
    exposure : str or int, default=None
        Column of X whose logarithm is added to the linear predictor: under a log link the mean is
        proportional to it.
    penalty : Penalty, default=None
        In place of ``alpha``, which then stays at its default: an object of
        :mod:`moe_classic.penalties`, such as ``Lasso(0.1)``, under which slopes may be exactly
        zero.
    shared : list of column names or indices, default=None
        Columns of X whose slopes all experts have in common; see :class:`GaussianExpert`.

    Attributes
    ----------
    target : what y may be, a name of ``moe_classic.experts.TARGETS``.
    link : name of the function of the mean that is linear, for tables.

    Examples
    --------
    >>> from moe_classic.experts import GLMExpert, PoissonExpert
    >>> issubclass(PoissonExpert, GLMExpert)
    True
    """

    def __init__(
        self,
        *,
        features: Any = None,
        alpha: float = 1e-4,
        fit_intercept: bool = True,
        offset: str | int | None = None,
        exposure: str | int | None = None,
        penalty: Penalty | None = None,
        shared: Any = None,
    ) -> None:
        self.features = features
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.offset = offset
        self.exposure = exposure
        self.penalty = penalty
        self.shared = shared

    @property
    def carried(self) -> tuple[Carried, ...]:
        """Offset and exposure, where there are."""
        named = {role: getattr(self, role, None) for role in ("offset", "exposure")}
        own = (Carried(role, c) for role, c in named.items() if c is not None)
        return (*self.outer, *own)

    # -------------------------------------------------------------------- what a family says

    @abstractmethod
    def link_of(self, mean: Floats) -> Floats:
        """The predictor of a mean."""

    @abstractmethod
    def log_density(self, eta: Floats, y: Floats) -> Floats:
        """Log density, or log probability, of ``y`` (n,) under predictors ``eta`` (K, n)."""

    @abstractmethod
    def slopes(self, eta: Floats, y: Floats) -> tuple[Floats, Floats]:
        """First and second derivatives of the log density in ``eta``, (K, n) each."""

    # -------------------------------------------------------------------- the step

    def start(self, n_experts: int, width: int, summary: Summary) -> LinearParams:
        """Experts at the mean of y."""
        coef = self.known(np.zeros((n_experts, 1, width)))
        coef[..., -1] = self.link_of(self.inside(summary.y_mean))
        return LinearParams(coef)

    def inside(self, y: Floats) -> Floats:
        """``y`` moved off the ends of its range."""
        low = self.kind.low + 1e-8 if np.isfinite(self.kind.low) else -np.inf
        high = self.kind.high - 1e-8 if np.isfinite(self.kind.high) else np.inf
        return np.clip(y, low, high)

    def start_target(self, y: np.ndarray, design: Design) -> Floats | None:
        """``link(y) - offset``, counts moved up first."""
        up = _HALF * max(float(y.mean()), 1.0) if self.kind.low == 0.0 and self.kind.discrete else 0
        seen = self.link_of(self.inside(y + up))
        for role in ("offset", "exposure"):
            row = self.carried_row(role, design)
            seen = seen if row is None else seen - row
        return seen

    def predictor(self, params: LinearParams, design: Design) -> Floats:
        """Linear predictors inside the range of the exponential, (K, 1, n)."""
        eta = design.linear(params.coef)
        return np.clip(eta, -_FARTHEST, _FARTHEST, out=eta)

    def forward(self, params: LinearParams, design: Design, y: Floats) -> Forward:
        """Log density and its slopes; raises for values that rows to score may have."""
        self.check_target(y)
        eta = self.predictor(params, design)
        return Forward(self.log_density(eta[:, 0], y[0]), eta, self.slopes(eta[:, 0], y[0]))

    def curvature(self, params: LinearParams, fwd: Forward, S: Floats) -> Floats:
        """Row weights of the Grams, ``- S l''``."""
        out = np.negative(fwd.work[1], out=empty(S.shape))
        np.maximum(out, FLAT, out=out)
        return np.multiply(S, out, out=out)

    def statistics(
        self, params: LinearParams, fwd: Forward, design: Design, S: Floats, grams: Floats
    ) -> GLMStats:
        """Scores and curvatures."""
        weighted = np.multiply(S, fwd.work[0], out=empty(S.shape))
        return GLMStats(grams, design.scores(weighted[:, None]), S.sum(axis=1))

    def system(self, params: LinearParams, stats: Any, summary: Summary) -> tuple[Floats, Floats]:
        """Curvatures (K, r, r) and scores (K, 1, r) of the learned coefficients, penalised."""
        penalty, coef = self.slopes_penalty(summary), self.learned(params.coef)
        A = self.learned_block(unpack_symmetric(stats.gram, params.coef.shape[-1]))
        pull = self.once(penalty.curvature(coef))
        A = A + pull[:, 0, :, None] * np.eye(coef.shape[-1])
        return A, self.learned(stats.score) - penalty.gradient(self.once(coef))

    def solved(self, A: Floats, score: Floats, starved: Any) -> Floats:
        """Steps (K, 1, r) of the learned coefficients; shared slopes move as one."""
        b, common = score.transpose(0, 2, 1), self.common(A)
        step = solve_together(A, b, common, starved) if common else solve_psd(A, b)
        return step.transpose(0, 2, 1)

    def limited(self, delta: Floats) -> Floats:
        """Steps shortened to a safe length, those of experts with shared slopes alike."""
        if not self.common(delta):
            return limited(delta)
        return limited(delta.reshape(1, -1, delta.shape[-1])).reshape(delta.shape)

    def learned_block(self, A: Floats) -> Floats:
        """Rows and columns (..., r, r) of the learned coefficients of matrices (..., q, q)."""
        return self.learned(self.learned(A).swapaxes(-1, -2)) if self.carried else A

    def update(self, params: LinearParams, stats: GLMStats, summary: Summary) -> LinearParams:
        """One Newton step."""
        if self.sparse:
            delta = self.sparse_step(params, stats, summary)
        else:
            A, score = self.system(params, stats, summary)
            delta = self.limited(self.solved(A, score, self.starved(stats, summary)))
        return LinearParams(self.stepped(params, delta, self.starved(stats, summary)))

    def starved(self, stats: Any, summary: Summary) -> Any:
        """Experts with next to no weight, (K,) of bool."""
        return stats.mass <= STARVED * summary.weight

    def stepped(self, params: LinearParams, delta: Floats, starved: Any) -> Floats:
        """Coefficients after a step of the learned ones, (K, 1, r)."""
        own = own_features(delta.shape[-1], self.common(delta))
        delta = np.where(starved[:, None, None] & own, 0.0, delta)
        return self.with_carried(self.learned(params.coef) + delta, params.coef)

    def translate(self, stats: GLMStats, old: LinearParams, new: LinearParams) -> GLMStats:
        """Scores at ``old`` as they are at ``new``, to second order."""
        A = unpack_symmetric(stats.gram, old.coef.shape[-1])
        return replace(stats, score=stats.score - (new.coef - old.coef) @ A)

    def sparse_step(self, params: Any, stats: Any, summary: Summary) -> Floats:
        """One of proximal Newton under a penalty with kinks, (K, 1, r)."""
        term: Any = self.slopes_penalty(summary)
        coef = self.learned(params.coef)
        A = self.learned_block(unpack_symmetric(stats.gram, params.coef.shape[-1]))
        return limited(term.step(coef, A, self.coef_score(params, stats)) - coef)

    def derivatives(
        self, params: LinearParams, fwd: Forward, y: np.ndarray
    ) -> tuple[Floats, Floats]:
        """In eta."""
        first, second = fwd.work
        return first[:, None], second[:, None, None]

    # -------------------------------------------------------------------- answers about y

    def density_at(self, params: Any, eta: Floats, y: Floats) -> Floats:
        """Density, or probability of a value, (K, 1, n)."""
        value, possible = self.moved_inside(y)
        with np.errstate(over="ignore"):
            density = np.exp(self.log_density(eta[:, 0], value[:, 0]))[:, None]
        return np.where(possible, density, 0.0)

    def moved_inside(self, y: Floats) -> tuple[Floats, Any]:
        """``y`` with a possible value in place of impossible ones, and which are possible."""
        possible = self.kind.allowed(y)
        return np.where(possible, y, 1.0 if self.kind.high > 1.0 else 0.5), possible


class LogMean(GLMExpert):
    """Base of families whose mean is the exponential of the predictor."""

    link: ClassVar[str] = "log"

    def link_of(self, mean: Floats) -> Floats:
        """The logarithm."""
        return np.log(mean)

    def mean_at(self, params: Any, eta: Floats) -> Floats:
        """Means, (K, 1, n)."""
        return np.exp(eta)

    def output_slopes(self, params: Any, m: Floats, v: Floats) -> Floats:
        """Of the predictor from those of the mean: the mean times them."""
        return m * v

    def graph(self, graph: Any, params: Any, linear: Any) -> str:
        """The exponential of the predictor."""
        return str(graph.node("Exp", linear(params.coef)))
