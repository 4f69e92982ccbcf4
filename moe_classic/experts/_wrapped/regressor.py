"""Regressors with noise around their predictions; see :class:`EstimatorExpert`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from moe_classic._adapters import count_parameters, outputs_of
from moe_classic._components import Forward, Noise
from moe_classic._data import Design, Summary
from moe_classic._typing import Bools, Floats
from moe_classic.experts._location_scale import LocationScaleExpert

from .base import BoundEstimator, EstimatorParams, Rows, RowStats


class FittedRegressors(BoundEstimator):
    """Regressors with noise around their predictions.

    Parameters
    ----------
    estimator : regressor
    features : what it sees of X
    noise : LocationScaleExpert
        Its density surrounds the predictions; nothing else of it is used.
    n_jobs : int or None
    """

    target: ClassVar[str] = "real"
    several_outputs: ClassVar[bool] = True

    def __init__(
        self, estimator: Any, features: Any, noise: LocationScaleExpert, n_jobs: int | None
    ) -> None:
        self.estimator = estimator
        self.features = features
        self.noise = noise
        self.n_jobs = n_jobs

    def start(self, n_experts: int, width: int, summary: Summary) -> EstimatorParams:
        """Experts at the mean of y with its standard deviation."""
        # Without coefficients: the estimators are in their place.
        noise = self.noise.start(n_experts, 1, summary)
        noise = replace(noise, coef=noise.coef[..., :0])
        return replace(self._start(n_experts, summary.y_mean), noise=noise)

    def _one(self, fitted: Any, X: Floats) -> Floats:
        """Predictions of one regressor, (d, n)."""
        return outputs_of(fitted, X, self.names)

    def _labels(self, y: Floats) -> Floats:
        """The target as scikit-learn has it, (n,) or (n, d)."""
        return y[0] if len(y) == 1 else y.T

    # -------------------------------------------------------------------- the step

    def forward(self, params: EstimatorParams, design: Design, y: Floats) -> Forward:
        """Log density and the predictions."""
        eta = self.predictor(params, design)
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
        precision = self.noise.latent_precision(params.noise, rows.y - rows.seen)
        fitted, seen = self.refit(params, rows, rows.S * precision, summary)
        new = self._rescaled(fitted, rows, seen, summary)
        old = self._rescaled(params, rows, rows.seen, summary)
        heights = self._height(new, rows, seen), self._height(old, rows, rows.seen)
        starved, keep = self.kept(params, rows.S.sum(axis=1), summary, *heights)

        def field(name: str) -> Floats:
            before, stay, go = (getattr(p.noise, name) for p in (params, old, new))
            return np.where(starved[:, None], before, np.where(keep[:, None], stay, go))

        noise = replace(params.noise, **{name: field(name) for name in self.noise.nuisances})
        return replace(fitted, estimators=self.chosen(params, fitted, keep), noise=noise)

    def _height(self, params: EstimatorParams, rows: Rows, seen: Floats) -> Floats:
        """``sum S log p`` of each expert, (K,)."""
        return (rows.S * self._around(params, seen, rows.y).log_prob).sum(axis=1)

    def _around(self, params: EstimatorParams, eta: Floats, y: Floats) -> Forward:
        """Log density of ``y`` around the predictions ``eta``, by the family of the noise."""
        return self.noise.around(params.noise, y - eta)

    def _rescaled(
        self, params: EstimatorParams, rows: Rows, seen: Floats, summary: Summary
    ) -> EstimatorParams:
        """The likeliest noise for given predictions."""
        noise = self.noise.fit_scale(params.noise, rows.y - seen, rows.S, self.floor(summary))
        return replace(params, noise=noise)

    # -------------------------------------------------------------------- moments, sampling

    def floor(self, summary: Summary) -> Floats:
        """Smallest scales, (d,)."""
        return self.noise.floor(summary)

    def degenerate(self, params: EstimatorParams, summary: Summary) -> Bools:
        """Which experts have a scale at its floor, (K,)."""
        low: Bools = (params.noise.scale <= self.floor(summary) * (1.0 + 1e-9)).any(axis=1)
        return low

    def reorder(self, params: EstimatorParams, order: np.ndarray) -> EstimatorParams:
        """Parameters with the experts of the group in a new order."""
        noise = self.noise.reorder(params.noise, order)
        return replace(super().reorder(params, order), noise=noise)

    def shown(self, params: EstimatorParams) -> dict[str, Floats]:
        """What the noise shows."""
        return self.noise.shown(params.noise)

    def output(self, params: EstimatorParams, j: int) -> EstimatorParams:
        """Noise of output ``j`` alone."""
        return replace(params, noise=self.noise.output(params.noise, j))

    def location_at(self, params: EstimatorParams, eta: Floats) -> Floats:
        """Predictions, (K, d, n)."""
        return eta

    def mean_at(self, params: EstimatorParams, eta: Floats) -> Floats:
        """Predictions, (K, d, n)."""
        return eta

    def variance_at(self, params: EstimatorParams, eta: Floats) -> Floats:
        """Conditional variances, (K, d, n)."""
        return self.noise.variance_at(params.noise, eta)

    def spread_at(self, params: EstimatorParams, eta: Floats) -> Floats:
        """Scale of the noise, (K, d, 1)."""
        return self.noise.spread_at(params.noise, eta)

    def cdf_at(self, params: EstimatorParams, eta: Floats, y: Floats) -> Floats:
        """P(Y <= y) of each output, (K, d, n)."""
        return self.noise.cdf_at(params.noise, eta, y)

    def density_at(self, params: EstimatorParams, eta: Floats, y: Floats) -> Floats:
        """Density of each output, (K, d, n)."""
        return self.noise.density_at(params.noise, eta, y)

    def cdf_and_density_at(
        self, params: EstimatorParams, eta: Floats, y: Floats
    ) -> tuple[Floats, Floats]:
        """Both of each output, (K, d, n)."""
        return self.noise.cdf_and_density_at(params.noise, eta, y)

    def quantile_at(self, params: EstimatorParams, eta: Floats, q: Floats) -> Floats:
        """Quantiles of each output, (K, d, n)."""
        return self.noise.quantile_at(params.noise, eta, q)

    def sample_at(self, params: EstimatorParams, eta: Floats, rng: np.random.Generator) -> Floats:
        """A draw from every expert at every row, (K, d, n)."""
        return self.noise.sample_at(params.noise, eta, rng)

    def noise_of(self, params: EstimatorParams) -> list[Noise] | None:
        """The noise of each expert."""
        return self.noise.noise_of(params.noise)

    def precision(self, params: EstimatorParams, fwd: Forward) -> Floats:
        """Precisions of the noise, (K, 1 or n, d, d)."""
        return self.noise.precision(params.noise, fwd.work[0])

    def n_parameters(self, params: EstimatorParams) -> float:
        """Free parameters of the estimators and of the noise; nan where not known."""
        own = self.noise.pack(params.noise).size
        return own + sum(count_parameters(e) for e in params.estimators if e is not None)
