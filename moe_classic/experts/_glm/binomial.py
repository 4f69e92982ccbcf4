"""Binomial experts for counts of successes in known numbers of trials.

::

    log p(y | x) = log C(m, y) + y eta - m log(1 + exp(eta))

Link: logit, the canonical one. Step: Newton's, which is Fisher scoring here. McCullagh & Nelder
(1989), Generalized Linear Models, chapter 4.
"""

from __future__ import annotations

from dataclasses import replace
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from scipy.special import betainc, expit, logit

from moe_classic._components import TARGETS, Carried, Forward, TargetKind
from moe_classic._data import Design, Summary
from moe_classic._numerics import log_factorial
from moe_classic._typing import Floats
from moe_classic.experts._linear import LinearParams
from moe_classic.penalties import Penalty

from .base import GLMExpert

#: Predictors beyond this are taken as this: no probability is 0.
_FARTHEST = 200.0


class BinomialExpert(GLMExpert):
    """Binomial regressions for counts of successes, with the logit as link.

    Parameters
    ----------
    features : None, list of column names or indices, or transformer, default=None
        What the experts see of X; see :class:`GaussianExpert`. None: all columns but those that
        ``trials`` and ``offset`` name.
    alpha : float, default=1e-4
        L2 penalty on the slopes in standardised units, per unit of sample weight.
    fit_intercept : bool, default=True
        Whether there is an intercept; see :class:`GaussianExpert`.
    trials : int, str, or None, default=None
        In how many trials the successes were counted: the name of a column of X, or one number for
        all rows. None is 1: y is 0 or 1. A column of an array without names is given by
        ``trials_column``.
    trials_column : int, default=None
        Index of the column of X that has the numbers of trials.
    offset : str or int, default=None
        Column of X, by name or index, that is added to the linear predictor.
    shared : list of column names or indices, default=None
        Columns of X whose slopes all experts have in common; see :class:`GaussianExpert`.
    penalty : Penalty, default=None
        In place of ``alpha``, which then stays at its default: an object of
        :mod:`moe_classic.penalties`, such as ``Lasso(0.1)``, under which slopes may be exactly
        zero.

    References
    ----------
    McCullagh & Nelder (1989), Generalized Linear Models, chapter 4.

    Examples
    --------
    >>> import numpy as np
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.experts import BinomialExpert
    >>> rng = np.random.default_rng(0)
    >>> dose, animals = rng.normal(size=300), rng.integers(5, 30, 300)
    >>> ill = rng.binomial(animals, 1.0 / (1.0 + np.exp(1.0 - 2.0 * dose)))
    >>> X = np.column_stack([dose, animals])
    >>> moe = MoERegressor(1, expert=BinomialExpert(trials_column=1)).fit(X, ill)
    >>> moe.experts_[0].coef_.round()
    array([2.])
    """

    name: ClassVar[str] = "binomial"
    target: ClassVar[str] = "count"
    link: ClassVar[str] = "logit"

    def __init__(
        self,
        *,
        features: Any = None,
        alpha: float = 1e-4,
        fit_intercept: bool = True,
        trials: int | str | None = None,
        trials_column: int | None = None,
        offset: str | int | None = None,
        shared: Any = None,
        penalty: Penalty | None = None,
    ) -> None:
        self.features = features
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.penalty = penalty
        self.offset = offset
        self.trials = trials
        self.trials_column = trials_column
        self.shared = shared

    def check(self) -> None:
        """Raise if a hyper-parameter is out of range."""
        super().check()
        m = self.trials
        if m is not None and self.trials_column is not None:
            raise ValueError(
                f"BinomialExpert: trials={m!r} and trials_column={self.trials_column!r} both say "
                "how many trials there were; give one of them."
            )
        number = isinstance(m, Real) and not isinstance(m, bool) and float(m) == np.rint(m) >= 1
        if not (m is None or isinstance(m, str) or number):
            raise ValueError(
                f"BinomialExpert: trials={m!r} must be a whole number >= 1, the name of a column "
                "of X, or None for one trial a row."
            )

    @property
    def _column(self) -> Any:
        """The column of X with the numbers of trials, or None."""
        return self.trials if isinstance(self.trials, str) else self.trials_column

    @property
    def _number(self) -> float:
        """The number of trials of all rows, where there is one."""
        return 1.0 if self.trials is None else float(self.trials)

    @property
    def carried(self) -> tuple[Carried, ...]:
        """Offset, then trials."""
        known = super().carried
        return known if self._column is None else (*known, Carried("trials", self._column))

    @property
    def kind(self) -> TargetKind:
        """Counts, up to the number of trials where it is the same in all rows."""
        if self._column is not None:
            return TARGETS["count"]
        m = self._number
        return replace(TARGETS["count"], high=m, says=f"0 to {m:g} successes in {m:g} trials")

    def check_carried(self, columns: Floats, y: np.ndarray, *, rows: Any = None) -> None:
        """Raise unless there are trials, and as many as successes."""
        super().check_carried(columns, y, rows=rows)
        if self._column is not None:
            self._check_limit(y[0], columns[-1], rows)

    def _check_limit(self, y: Floats, m: Floats, rows: Any = None) -> None:
        """Raise where ``y`` (n,) has more successes than there were trials."""
        more = np.flatnonzero(y > m)
        if more.size:
            i = int(more[0])
            row = i if rows is None else int(rows[i])
            raise ValueError(
                f"BinomialExpert: y has {y[i]:g} successes in row {row}, but the column "
                f"trials={self._column!r} of X has {m[i]:g} trials there. Counts without "
                "a limit suit PoissonExpert or NegativeBinomialExpert."
            )

    def link_of(self, mean: Floats) -> Floats:
        """The logit of a share."""
        return np.asarray(logit(mean), dtype=np.float64)

    def start(self, n_experts: int, width: int, summary: Summary) -> LinearParams:
        """Experts at the share of successes; at one half where the trials are a column."""
        coef = self.known(np.zeros((n_experts, 1, width)))
        if self._column is None:
            share = np.clip(summary.y_mean[0] / self._number, 1e-6, 1.0 - 1e-6)
            coef[..., -1] = self.link_of(share)
        return LinearParams(coef)

    def start_target(self, y: np.ndarray, design: Design) -> Floats | None:
        """Logits of shares, with half a success and half a failure added."""
        m = self._trials_of(design)
        row = self.carried_row("offset", design)
        return np.log((y + 0.5) / (m - y + 0.5)) - (0.0 if row is None else row)

    def _trials_of(self, design: Design) -> Floats:
        """Numbers of trials, (n,)."""
        row = self.carried_row("trials", design)
        return np.full(design.Z.shape[1], self._number) if row is None else row

    # -------------------------------------------------------------------- log density

    def predictor(self, params: LinearParams, design: Design) -> Floats:
        """Linear predictors, then numbers of trials, (K, 2, n)."""
        eta = np.clip(design.linear(params.coef), -_FARTHEST, _FARTHEST)
        m = np.broadcast_to(self._trials_of(design), eta.shape)
        return np.concatenate([eta, m], axis=1)

    def forward(self, params: LinearParams, design: Design, y: Floats) -> Forward:
        """Log probability and its slopes."""
        eta = np.clip(design.linear(params.coef), -_FARTHEST, _FARTHEST)
        m, row = self._trials_of(design), y[0]
        self.check_target(y)
        self._check_limit(row, m)
        small = np.exp(-np.abs(eta[:, 0]))
        p = 1.0 / (1.0 + small)
        log_prob = row * eta[:, 0] - m * (np.maximum(eta[:, 0], 0.0) - np.log(p))
        log_prob += _log_choose(row, m)
        small *= p
        p = np.where(eta[:, 0] < 0.0, small, p)
        first = row - m * p
        p *= p - 1.0
        p *= m
        return Forward(log_prob, eta, (first, p))

    def log_density(self, eta: Floats, y: Floats) -> Floats:
        """Of the number of trials that all rows have."""
        return _log_prob(eta, y, np.array(self._number))

    def slopes(self, eta: Floats, y: Floats) -> tuple[Floats, Floats]:
        """``y - m p`` and ``- m p (1 - p)``."""
        p = expit(eta)
        return y - self._number * p, -self._number * p * (1.0 - p)

    # -------------------------------------------------------------------- answers about y

    def density_at(self, params: Any, eta: Floats, y: Floats) -> Floats:
        """Probability of a value, (K, 1, n)."""
        m = eta[:, 1:]
        possible = TARGETS["count"].allowed(y) & (y <= m)
        return np.where(possible, np.exp(_log_prob(eta[:, :1], np.where(possible, y, 0.0), m)), 0.0)

    def mean_at(self, params: Any, eta: Floats) -> Floats:
        """Expected successes, (K, 1, n)."""
        return eta[:, 1:] * expit(eta[:, :1])

    def variance_at(self, params: Any, eta: Floats) -> Floats:
        """``m p (1 - p)``."""
        return eta[:, 1:] * expit(eta[:, :1]) * expit(-eta[:, :1])

    def cdf_at(self, params: Any, eta: Floats, y: Floats) -> Floats:
        """P(Y <= y), (K, 1, n)."""
        m = eta[:, 1:]
        whole = np.clip(np.floor(y), 0.0, np.maximum(m - 1.0, 0.0))
        below = betainc(np.maximum(m - whole, 1.0), whole + 1.0, expit(-eta[:, :1]))
        return np.where(y < 0.0, 0.0, np.where(y >= m, 1.0, below))

    def sample_at(self, params: Any, eta: Floats, rng: np.random.Generator) -> Floats:
        """Binomial draws, (K, 1, n)."""
        m = np.rint(eta[:, 1:]).astype(np.int64)
        return rng.binomial(m, expit(eta[:, :1])).astype(np.float64)

    def graph(self, graph: Any, params: Any, linear: Any) -> str:
        """Trials times the logistic function of the predictor; a column of trials has no place."""
        if self._column is not None:
            raise self.lacks("graph")
        share = graph.node("Sigmoid", linear(params.coef))
        return str(graph.node("Mul", share, graph.constant(np.array(self._number))))


def _log_prob(eta: Floats, y: Floats, m: Floats) -> Floats:
    """``log C(m, y) + y eta - m log(1 + exp(eta))``."""
    return _log_choose(y, m) + y * eta - m * np.logaddexp(0.0, eta)


def _log_choose(y: Floats, m: Floats) -> Floats:
    """``log C(m, y)``."""
    return log_factorial(m) - log_factorial(y) - log_factorial(m - y)
