"""Regressors with noise around their predictions; see :class:`EstimatorExpert`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import gammaln

from moe_classic._adapters import count_parameters, outputs_of
from moe_classic._components import Forward
from moe_classic._data import Design, Summary
from moe_classic._typing import Bools, Floats
from moe_classic.experts._location_scale import GaussianParams, ScaleParams, StudentTParams

from .base import BoundEstimator, EstimatorParams, Rows, RowStats, features_of

#: Interval in which degrees of freedom are estimated, as for StudentTExpert.
DF_BOUNDS = (2.0, 200.0)
#: Rounds of the fixed point for the scale of a t density; each climbs, so few are enough.
_SCALE_ROUNDS = 3


class _Known:
    """Stands in for a design whose linear predictors are known: the estimators' predictions."""

    def __init__(self, eta: Floats) -> None:
        self.eta = eta

    def linear(self, coef: Any) -> Floats:
        """The predictions, whatever the coefficients; a copy, for the caller to work in."""
        return self.eta.copy()


def _noise_alone(params: EstimatorParams, d: int) -> ScaleParams:
    """Parameters for d outputs as the families read them, without coefficients."""
    coef = np.empty((len(params.scale), d, 0))
    if params.df is not None:
        return StudentTParams(coef, params.scale, params.df)
    return GaussianParams(coef, params.scale)


class FittedRegressors(BoundEstimator):
    """Regressors with noise around their predictions.

    Parameters
    ----------
    estimator : regressor
    features : what it sees of X
    noise : GaussianExpert, LaplaceExpert or StudentTExpert
        Its density surrounds the predictions; nothing else of it is used.
    n_jobs : int or None
    """

    target: ClassVar[str] = "real"

    def __init__(self, estimator: Any, features: Any, noise: Any, n_jobs: int | None) -> None:
        self.estimator = estimator
        self.features = features
        self.noise = noise
        self.n_jobs = n_jobs

    def start(self, n_experts: int, width: int, summary: Summary) -> EstimatorParams:
        """Experts at the mean of y with its standard deviation."""
        plain = self.noise.start(n_experts, 1, summary)
        params = self._start(n_experts, summary.y_mean)
        return replace(params, scale=plain.scale, df=getattr(plain, "df", None))

    def _one(self, fitted: Any, X: Floats) -> Floats:
        """Predictions of one regressor, (d, n)."""
        return outputs_of(fitted, X)

    def _labels(self, y: Floats) -> Floats:
        """The target as scikit-learn has it, (n,) or (n, d)."""
        return y[0] if len(y) == 1 else y.T

    # -------------------------------------------------------------------- the step

    def forward(self, params: EstimatorParams, design: Design, y: Floats) -> Forward:
        """Log density and the predictions."""
        eta = self.location(params, design)
        fwd = self._around(params, eta, y)
        return Forward(fwd.log_prob, eta, (fwd, y))

    def statistics(
        self, params: EstimatorParams, fwd: Forward, design: Design, S: Floats, grams: Floats
    ) -> RowStats:
        """The rows, with their weights and predictions."""
        return RowStats((Rows(design.Z, fwd.work[1], S, fwd.eta),))

    def update(self, params: EstimatorParams, stats: RowStats, summary: Summary) -> EstimatorParams:
        """Refits and new scales, taken where they raise ``sum S log p``."""
        rows = stats.joined()
        fitted, seen = self.refit(params, rows, rows.S * self._precisions(params, rows), summary)
        new = self._rescaled(fitted, rows, seen, summary)
        old = self._rescaled(params, rows, rows.seen, summary)
        heights = self._height(new, rows, seen), self._height(old, rows, rows.seen)
        starved, keep = self.kept(params, rows.S.sum(axis=1), summary, *heights)

        def field(name: str) -> Any:
            before, stay, go = (getattr(p, name) for p in (params, old, new))
            if before is None:
                return None
            return np.where(starved[:, None], before, np.where(keep[:, None], stay, go))

        estimators = self.chosen(params, fitted, keep)
        return replace(fitted, estimators=estimators, scale=field("scale"), df=field("df"))

    def _height(self, params: EstimatorParams, rows: Rows, seen: Floats) -> Floats:
        """``sum S log p`` of each expert, (K,)."""
        return (rows.S * self._around(params, seen, rows.y).log_prob).sum(axis=1)

    def _around(self, params: EstimatorParams, eta: Floats, y: Floats) -> Forward:
        """Log density of ``y`` around the predictions ``eta``, by the family of the noise."""
        return self.noise.forward(_noise_alone(params, y.shape[0]), _Known(eta), y)

    def _precisions(self, params: EstimatorParams, rows: Rows) -> Any:
        """Latent precisions of a t density, (K, n); 1 for others."""
        if params.df is None:
            return 1.0
        z = (rows.y - rows.seen)[:, 0] / params.scale
        return (params.df + 1.0) / (params.df + z**2)

    def _rescaled(
        self, params: EstimatorParams, rows: Rows, seen: Floats, summary: Summary
    ) -> EstimatorParams:
        """Maximum-likelihood scales, and degrees of freedom, for given predictions."""
        e, S = rows.y - seen, rows.S[:, None, :]
        floor = self.floor(summary)
        if params.df is not None:
            return self._rescaled_t(params, e[:, 0], rows.S, floor)
        mass = np.maximum(S.sum(axis=-1), np.finfo(float).tiny)
        if self.noise.name == "laplace":
            scale = (S * np.abs(e)).sum(axis=-1) / mass
        else:
            scale = np.sqrt((S * e**2).sum(axis=-1) / mass)
        return replace(params, scale=np.maximum(scale, floor))

    def _rescaled_t(
        self, params: EstimatorParams, e: Floats, S: Floats, floor: Floats
    ) -> EstimatorParams:
        """EM for the scale, then a bounded search for df; both climb."""
        scale, df = params.scale, params.df
        for _ in range(_SCALE_ROUNDS):
            u = S * (df + 1.0) / (df + (e / scale) ** 2)
            mass = np.maximum(u.sum(axis=1), np.finfo(float).tiny)
            scale = np.maximum(np.sqrt((u * e**2).sum(axis=1) / mass)[:, None], floor)
        if self.noise.df is None:
            df = np.array([[_best_df(*row)] for row in zip(e / scale, S, df, strict=True)])
        return replace(params, scale=scale, df=df)

    # -------------------------------------------------------------------- moments, sampling

    def floor(self, summary: Summary) -> Floats:
        """Smallest scales, (d,)."""
        return self.noise.floor(summary)

    def degenerate(self, params: EstimatorParams, summary: Summary) -> Bools:
        """Which experts have a scale at its floor, (K,)."""
        return (params.scale <= self.floor(summary) * (1.0 + 1e-9)).any(axis=1)

    def location(self, params: EstimatorParams, design: Design) -> Floats:
        """Predictions, (K, d, n)."""
        return self.predictions(params, features_of(design.Z))

    mean = location

    def variance(self, params: EstimatorParams, design: Design) -> Floats:
        """Conditional variances, (K, d, n)."""
        v = params.scale**2 * self.noise.standard_variance(params)
        return np.broadcast_to(v[:, :, None], (*v.shape, design.Z.shape[1]))

    def cdf(self, params: EstimatorParams, design: Design, y: Floats) -> Floats:
        """P(Y <= y) of each output, (K, d, n)."""
        z = (y - self.location(params, design)) / params.scale[:, :, None]
        return self.noise.standard_cdf(params, z)

    def quantile(self, params: EstimatorParams, design: Design, q: Floats) -> Floats:
        """Quantiles of each output, (K, d, n)."""
        z = self.noise.standard_quantile(params, q)
        return self.location(params, design) + params.scale[:, :, None] * z

    def sample(self, params: EstimatorParams, design: Design, rng: np.random.Generator) -> Floats:
        """A draw from every expert at every row, (K, d, n)."""
        eta = self.location(params, design)
        noise = self.noise.standard_sample(params, eta.shape, rng)
        return eta + params.scale[:, :, None] * noise

    def standard_pdf(self, params: EstimatorParams, z: Floats) -> Floats:
        """Density of the noise with scale 1."""
        return self.noise.standard_pdf(params, z)

    def standard_cdf(self, params: EstimatorParams, z: Floats) -> Floats:
        """Distribution function of the noise with scale 1."""
        return self.noise.standard_cdf(params, z)

    def standard_quantile(self, params: EstimatorParams, q: Floats) -> Floats:
        """Quantile function of the noise with scale 1."""
        return self.noise.standard_quantile(params, q)

    def precision(self, params: EstimatorParams, fwd: Forward) -> Floats:
        """Precisions of the noise, (K, 1 or n, d, d)."""
        return self.noise.precision(params, fwd.work[0])

    def n_parameters(self, params: EstimatorParams) -> float:  # type: ignore[override]
        """Free parameters of the estimators and of the noise; nan where not known."""
        free_df = params.df is not None and self.noise.df is None
        own = params.scale.size + (params.n_experts if free_df else 0)
        return own + sum(count_parameters(e) for e in params.estimators if e is not None)


def _best_df(z: Floats, S: Floats, df: Floats) -> float:
    """Degrees of freedom under which ``z`` (n,) is likeliest with weights ``S``; never worse."""
    mass = float(S.sum())

    def loss(log_df: float) -> float:
        v = np.exp(log_df)
        constant = gammaln((v + 1.0) / 2.0) - gammaln(v / 2.0) - 0.5 * np.log(v)
        return 0.5 * (v + 1.0) * float(S @ np.log1p(z**2 / v)) - mass * constant

    found = minimize_scalar(
        loss, bounds=tuple(np.log(DF_BOUNDS)), method="bounded", options={"xatol": 1e-4}
    )
    old = float(df[0])
    return float(np.exp(found.x)) if found.fun < loss(np.log(old)) else old
