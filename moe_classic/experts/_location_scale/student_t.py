"""Student-t experts with linear locations.

::

    log p(y | x) = c(v) - log s - (v + 1)/2 log(1 + z^2 / v),   z = (y - eta) / s,   eta = B z
    c(v) = log Gamma((v + 1)/2) - log Gamma(v/2) - 1/2 log(v pi)

Link: identity. Step: exact EM over the latent gamma weight ``u = (v + 1) / (v + z^2)`` for the
coefficients and the scale (parameter-expanded: the scale divides by ``sum S u``, Kent, Tyler &
Vardi 1994), and a safeguarded Newton step on log v. Chamroukhi (2016), Robust mixture of experts
modeling using the t distribution, equations 19-27.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import gammaln

from moe_classic._components import STUDENT_T, Forward, NoiseFamily
from moe_classic._data import Design, Stats, Summary
from moe_classic._numerics import empty, frame
from moe_classic._typing import Floats
from moe_classic.penalties import Penalty

from .base import LocationScaleExpert, ScaleParams
from .student_tail import height_bend, height_slope

#: Largest change of log v in one step.
_MAX_LOG_STEP = 1.0
#: Rounds of the fixed point for the scale alone; each climbs, so few are enough.
_SCALE_ROUNDS = 3


@dataclass(frozen=True)
class StudentTParams(ScaleParams):
    """Coefficients (K, 1, q), scales (K, 1) and degrees of freedom (K, 1)."""

    df: Floats

    @cached_property
    def constant(self) -> Floats:
        """Log density at the location, (K, 1)."""
        df = self.df
        height = gammaln((df + 1) / 2) - gammaln(df / 2) - 0.5 * np.log(df * np.pi)
        return np.asarray(height - np.log(self.scale), dtype=np.float64)


@dataclass(frozen=True)
class StudentTStats(Stats):
    """Sums of weighted least squares with weights ``S u``, and of the derivatives in v."""

    gram: Floats
    score: Floats
    rss: Floats
    weight: Floats
    df_first: Floats
    df_second: Floats
    mass: Floats


class StudentTExpert(LocationScaleExpert):
    """Linear regressions with Student-t noise, robust against outliers in y.

    Parameters
    ----------
    features : None, list of column names or indices, or transformer, default=None
        What the experts see of X; see :class:`GaussianExpert`.
    alpha : float, default=0.0
        L2 penalty on the slopes in standardised units, per unit of sample weight.
    fit_intercept : bool, default=True
        Whether there is an intercept; see :class:`GaussianExpert`.
    df : float or None, default=None
        Degrees of freedom, > 0; None estimates them, for every expert its own. With ``df <= 1``
        the mean does not exist and ``predict`` returns the location; with ``df <= 2`` the variance
        is infinite.
    df_bounds : tuple of float, default=(2.0, 200.0)
        Interval in which degrees of freedom are estimated; not used when ``df`` is given.
        Smaller lower bounds let an expert lock on to a few rows that lie exactly on a line.
    min_scale : float, default=1e-3
        Smallest scale, as a share of the noise; see :class:`GaussianExpert`.
    penalty : Penalty, default=None
        In place of ``alpha``, which then stays at its default: an object of
        :mod:`moe_classic.penalties`, such as ``Lasso(0.1)``, under which slopes may be exactly
        zero.
    shared : list of column names or indices, default=None
        Columns of X whose slopes all experts have in common; see :class:`GaussianExpert`.

    References
    ----------
    Chamroukhi (2016), Robust mixture of experts modeling using the t distribution, Neural Networks
    79. Kent, Tyler & Vardi (1994), A curious likelihood identity for the multivariate
    t-distribution, Communications in Statistics 23.

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_tone
    >>> from moe_classic.experts import StudentTExpert
    >>> X, y = load_tone(return_X_y=True)
    >>> moe = MoERegressor(1, expert=StudentTExpert(df=4.0)).fit(X, y)
    >>> moe.predict([[2.0]]).round(2)
    array([2.01])
    """

    name: ClassVar[str] = "student_t"
    nuisances: ClassVar[dict[str, Any]] = {"scale": "positive", "df": "interval"}
    noise_family: ClassVar[NoiseFamily] = STUDENT_T

    def __init__(
        self,
        *,
        features: Any = None,
        alpha: float = 0.0,
        fit_intercept: bool = True,
        df: float | None = None,
        df_bounds: tuple[float, float] = (2.0, 200.0),
        min_scale: float = 1e-3,
        penalty: Penalty | None = None,
        shared: Any = None,
    ) -> None:
        self.features = features
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.df = df
        self.df_bounds = df_bounds
        self.min_scale = min_scale
        self.penalty = penalty
        self.shared = shared

    def check(self) -> None:
        """Raise if a hyper-parameter is out of range."""
        super().check()
        if self.df is not None and not (isinstance(self.df, Real) and 0.0 < self.df < np.inf):
            raise ValueError(f"StudentTExpert: df={self.df!r} must be > 0 and finite, or None.")
        bounds = self.df_bounds
        pair = isinstance(bounds, (tuple, list, np.ndarray)) and len(bounds) == 2
        numbers = pair and all(isinstance(b, Real) for b in bounds)
        if not (numbers and 0.0 < bounds[0] < bounds[1] < np.inf):
            raise ValueError(
                f"StudentTExpert: df_bounds={self.df_bounds!r} must be two finite numbers with "
                "0 < low < high."
            )

    def start(self, n_experts: int, width: int, summary: Summary) -> StudentTParams:
        """Experts at the mean of y, with df as given or in the robust middle of its range."""
        equal = super().start(n_experts, width, summary)
        df = self.df if self.df is not None else np.clip(4.0, *self.df_bounds)
        return StudentTParams(equal.coef, equal.scale, np.full((n_experts, 1), float(df)))

    def free_nuisances(self, params: StudentTParams) -> list[str]:
        """Scale, and df where it is estimated."""
        return ["scale", "df"] if self.df is None else ["scale"]

    def bounds(self, name: str) -> tuple[float, float] | None:
        """Interval of df."""
        return self.df_bounds if name == "df" else None

    # -------------------------------------------------------------------- log density

    def around(self, params: StudentTParams, e: Floats) -> Forward:
        """Log density of residuals and what the statistics reuse."""
        ratio = np.divide(e[:, 0], params.scale * np.sqrt(params.df), out=empty(e[:, 0].shape))
        ratio *= ratio
        log1p = np.log1p(ratio, out=empty(ratio.shape))
        ratio += 1.0
        near = np.reciprocal(ratio, out=ratio)
        log_prob = np.multiply(log1p, -0.5 * (params.df + 1.0), out=empty(ratio.shape))
        log_prob += params.constant
        return Forward(log_prob, None, (e, near, log1p))

    def _df_slopes(self, df: Floats, near: Floats, log1p: Floats) -> Floats:
        """First derivative of log p in v, (K, n).

        ``near`` is ``1 / (1 + z^2 / v)``, 1 at the location and 0 far away.
        """
        at_location, _ = _df_at_location(df)
        return at_location - 0.5 * log1p + 0.5 * (df + 1.0) / df * (1.0 - near)

    def _df_bends(self, df: Floats, near: Floats) -> Floats:
        """Second derivative of log p in v, (K, n)."""
        share = 1.0 - near
        # d share / d v = -share near / v
        _, at_location = _df_at_location(df)
        slope = share * (df - 1.0) - (df + 1.0) * share * near
        return at_location + slope / (2.0 * df**2)

    # -------------------------------------------------------------------- curvature and sums

    def curvature(self, params: StudentTParams, fwd: Forward, S: Floats) -> Floats:
        """Row weights of the Grams, ``S u``."""
        weight = np.multiply(S, fwd.work[1], out=empty(S.shape))
        return np.multiply(weight, (params.df + 1.0) / params.df, out=weight)

    def statistics(
        self, params: StudentTParams, fwd: Forward, design: Design, S: Floats, grams: Floats
    ) -> StudentTStats:
        """Sums of weighted least squares and, where df is free, of its derivatives."""
        e, near, log1p = fwd.work
        mass = S.sum(axis=1)
        first = second = np.zeros((len(S), 1))
        with frame():
            weight = self.curvature(params, fwd, S)
            weighted = np.multiply(weight[:, None, :], e, out=empty(e.shape))
            rss, score = np.einsum("kjn,kjn->kj", weighted, e), design.scores(weighted)
            total = weight.sum(axis=1)
            if self.df is None:
                # What the derivatives in v sum to takes but three sums over rows.
                df = params.df
                inside, squares = (
                    df / (df + 1.0) * s[:, None]
                    for s in (total, np.einsum("kn,kn->k", weight, near))
                )
                share = mass[:, None] - inside
                at_location, bend = _df_at_location(df)
                logs = np.einsum("kn,kn->k", S, log1p)[:, None]
                first = at_location * mass[:, None] - 0.5 * logs + 0.5 * (df + 1.0) / df * share
                slope = share * (df - 1.0) - (df + 1.0) * (inside - squares)
                second = bend * mass[:, None] + slope / (2.0 * df**2)
        return StudentTStats(grams, score, rss, total, first, second, mass)

    def update(
        self, params: StudentTParams, stats: StudentTStats, summary: Summary
    ) -> StudentTParams:
        """EM step in coefficients and scale, Newton step in log v."""
        delta, drop = self.solve_coef(params, stats.gram, stats.score, params.scale**2, summary)
        weight = np.maximum(stats.weight, np.finfo(float).tiny)[:, None]
        scale = np.sqrt(np.maximum(stats.rss + drop, 0.0) / weight)
        scale = np.maximum(scale, self.floor(summary))
        df = params.df if self.df is not None else self._step_df(params.df, stats)
        new = StudentTParams(params.coef + delta, scale, df)
        return self.keep_starved(params, new, stats.mass, summary)

    def _step_df(self, df: Floats, stats: StudentTStats) -> Floats:
        """Newton step on log v, uphill and bounded."""
        first, curvature = self._df_slope(df, stats)
        step = np.clip(first / curvature, -_MAX_LOG_STEP, _MAX_LOG_STEP)
        return np.clip(df * np.exp(step), *self.df_bounds)

    def _df_slope(self, df: Floats, stats: StudentTStats) -> tuple[Floats, Floats]:
        """Slope in log v and the curvature that steps use, (K, 1) each."""
        first = stats.df_first * df
        second = stats.df_second * df**2 + first
        # Where the curvature has the wrong sign, its size still gives an uphill step.
        return first, np.maximum(np.abs(second), 1e-12 + 1e-3 * np.abs(first))

    def translate(self, stats: StudentTStats, old: Any, new: Any) -> StudentTStats:
        """Sums at ``old`` as they are at ``new``, to second order in log v too."""
        moved: StudentTStats = super().translate(stats, old, new)
        if self.df is not None:
            return moved
        first, curvature = self._df_slope(old.df, moved)
        first = first - curvature * np.log(new.df / old.df)
        # The curvature in log v stays as it is.
        return replace(moved, df_first=first / new.df, df_second=-(curvature + first) / new.df**2)

    def clip(self, params: StudentTParams, summary: Summary) -> StudentTParams:
        """Scales above their floor, df inside its interval."""
        params = super().clip(params, summary)
        if self.df is not None:
            return params
        return replace(params, df=np.clip(params.df, *self.df_bounds))

    def derivatives(self, params: StudentTParams, fwd: Forward, y: Floats) -> tuple[Floats, Floats]:
        """In (eta, log s, logit of df in its interval)."""
        e, near, _ = fwd.work
        df, scale, z = params.df, params.scale, e[:, 0] / params.scale
        u = (df + 1.0) / df * near
        first = self.first_derivatives(params, fwd, y)
        K, J, n = first.shape
        second = np.empty((K, J, J, n))
        # d u / d z = -2 u z near / v: hence the factors.
        second[:, 0, 0] = -u * (2.0 * near - 1.0) / scale**2
        second[:, 0, 1] = second[:, 1, 0] = -2.0 * u * (z / scale) * near
        second[:, 1, 1] = -2.0 * u * z**2 * near
        if self.df is None:
            inside, slope = self._df_units(df)
            du = (1.0 - u) / df * near
            second[:, 0, 2] = second[:, 2, 0] = du * z / scale * slope
            second[:, 1, 2] = second[:, 2, 1] = du * z**2 * slope
            bends = self._df_bends(df, near) * slope**2
            second[:, 2, 2] = bends + first[:, 2] * (1.0 - 2.0 * inside)
        return first, second

    def first_derivatives(self, params: StudentTParams, fwd: Forward, y: Floats) -> Floats:
        """The first of them alone."""
        e, near, log1p = fwd.work
        df, scale = params.df, params.scale
        K, _, n = e.shape
        first = empty((K, 3 if self.df is None else 2, n))
        uz = np.multiply(e[:, 0], near, out=first[:, 0])
        uz *= (df + 1.0) / (df * scale**2)
        np.multiply(uz, e[:, 0], out=first[:, 1])
        first[:, 1] -= 1.0
        if self.df is None:
            np.multiply(self._df_slopes(df, near, log1p), self._df_units(df)[1], out=first[:, 2])
        return first

    def _df_units(self, df: Floats) -> tuple[Floats, Floats]:
        """Where v stands in its interval, and what it changes by with its logit; (K, 1) each."""
        low, high = self.df_bounds
        inside = (df - low) / (high - low)
        return inside, (df - low) * (1.0 - inside)

    # -------------------------------------------------------------------- noise alone

    def latent_precision(self, params: StudentTParams, e: Floats) -> Floats:
        """``u = (v + 1) / (v + z^2)``, (K, n)."""
        z = e[:, 0] / params.scale
        return (params.df + 1.0) / (params.df + z**2)

    def fit_scale(
        self, params: StudentTParams, e: Floats, S: Floats, floor: Floats
    ) -> StudentTParams:
        """EM for the scale, then a bounded search for df; both climb."""
        scale, df, e = params.scale, params.df, e[:, 0]
        for _ in range(_SCALE_ROUNDS):
            u = S * (df + 1.0) / (df + (e / scale) ** 2)
            mass = np.maximum(u.sum(axis=1), np.finfo(float).tiny)
            scale = np.maximum(np.sqrt((u * e**2).sum(axis=1) / mass)[:, None], floor)
        if self.df is None:
            rows = zip(e / scale, S, df, strict=True)
            df = np.array([[_best_df(*row, self.df_bounds)] for row in rows])
        return replace(params, scale=scale, df=df)

    # -------------------------------------------------------------------- moments, sampling

    def precision(self, params: StudentTParams, fwd: Forward) -> Floats:
        """Precisions of the normal that touches the density at the residual, (K, n, 1, 1)."""
        u = (params.df + 1.0) / params.df * fwd.work[1]
        return (u / params.scale**2)[:, :, None, None]

    def standard_variance(self, params: StudentTParams) -> Floats:
        """Variance of the noise with scale 1: ``v / (v - 2)``, infinite for ``v <= 2``."""
        df = params.df
        return np.where(df > 2.0, df / np.where(df > 2.0, df - 2.0, 1.0), np.inf)

    def degrees_of_freedom(self, params: StudentTParams) -> Floats:
        """The field df."""
        return params.df

    def standard_sample(
        self, params: StudentTParams, shape: tuple[int, ...], rng: np.random.Generator
    ) -> Floats:
        """Student noise."""
        return rng.standard_t(np.broadcast_to(params.df[:, :, None], shape))


def _best_df(z: Floats, S: Floats, df: Floats, bounds: tuple[float, float]) -> float:
    """Degrees of freedom under which ``z`` (n,) is likeliest with weights ``S``; never worse."""
    mass = float(S.sum())

    def loss(log_df: float) -> float:
        v = np.exp(log_df)
        constant = gammaln((v + 1.0) / 2.0) - gammaln(v / 2.0) - 0.5 * np.log(v)
        return 0.5 * (v + 1.0) * float(S @ np.log1p(z**2 / v)) - mass * constant

    found = minimize_scalar(
        loss, bounds=tuple(np.log(bounds)), method="bounded", options={"xatol": 1e-4}
    )
    old = float(df[0])
    return float(np.exp(found.x)) if found.fun < loss(np.log(old)) else old


def _df_at_location(df: Floats) -> tuple[Floats, Floats]:
    """First and second derivative of the log density at its location in v, (K, 1) each."""
    return height_slope(df), height_bend(df)
