"""Gaussian experts with several outputs and a full covariance of the noise.

::

    log p(y | x) = -1/2 | L^-1 (y - B z) |^2 - sum_j log L_jj - d/2 log 2 pi,   C = L L'

Link: identity. Step: the outputs share one weighted least-squares factorisation, then
``C = sum S e e' / sum S`` with the new coefficients. Jordan & Jacobs (1991), Hierarchies of
adaptive experts, section 2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from scipy.special import ndtr, ndtri

from moe_classic._components import Forward, Noise, normal_pdf
from moe_classic._data import Design, Summary
from moe_classic._numerics import (
    empty,
    floored_cholesky,
    least_squares_change,
    solve_psd,
    unpack_symmetric,
)
from moe_classic._typing import Bools, Floats
from moe_classic.experts._base import STARVED
from moe_classic.experts._linear import LinearExpert, LinearParams

from .base import LeastSquaresStats, ScaleParams, residuals


@dataclass(frozen=True)
class FullParams(LinearParams):
    """Coefficients (K, d, q) and Cholesky factors (K or 1, d, d) of the covariances."""

    chol: Floats

    @property
    def covariance(self) -> Floats:
        """Covariances of the noise, (K or 1, d, d)."""
        return self.chol @ self.chol.transpose(0, 2, 1)

    @property
    def scale(self) -> Floats:
        """Standard deviations of the noise, (K or 1, d)."""
        return np.sqrt((self.chol**2).sum(axis=2))


class FullGaussian(LinearExpert):
    """Working expert behind ``GaussianExpert(covariance_type="full")`` with several outputs."""

    name: ClassVar[str] = "gaussian"
    target: ClassVar[str] = "real"
    equivariant: ClassVar[bool] = True
    several_outputs: ClassVar[bool] = True
    nuisances: ClassVar[dict[str, Any]] = {"chol": "cholesky"}

    def __init__(
        self,
        *,
        features: Any = None,
        alpha: float = 0.0,
        fit_intercept: bool = True,
        tied: bool = False,
        min_scale: float,
    ) -> None:
        self.features = features
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.tied = tied
        self.min_scale = min_scale

    def start(self, n_experts: int, width: int, summary: Summary) -> FullParams:
        """Experts at the mean of y with independent outputs."""
        coef = np.zeros((n_experts, summary.y_mean.size, width))
        coef[..., -1] = summary.y_mean
        chol = np.tile(np.diag(summary.y_scale), (1 if self.tied else n_experts, 1, 1))
        return FullParams(coef, chol)

    def degenerate(self, params: FullParams, summary: Summary) -> Bools:
        """Which experts have a covariance with an eigenvalue at its floor, (K,)."""
        floor = self.min_scale * summary.noise_unit
        scaled = params.covariance / (floor[:, None] * floor[None, :])
        low = np.linalg.eigvalsh(scaled).min(axis=1) <= 1.0 + 1e-6
        return np.broadcast_to(low, params.n_experts)

    def excess_precision(self, params: FullParams, summary: Summary) -> Floats:
        """Root of the determinant against the largest, or what one fit leaves; mean of outputs."""
        usual = np.log(summary.noise_unit).mean()
        size = np.log(np.einsum("kii->ki", params.chol)).mean(axis=1)
        size = np.broadcast_to(size, params.n_experts)
        if params.n_experts > 1:
            usual = min(usual, size.max())
        return np.maximum(usual - size, 0.0)

    def clip(self, params: FullParams, summary: Summary) -> FullParams:
        """Covariances with eigenvalues above their floor."""
        floor = self.min_scale * summary.noise_unit
        return replace(params, chol=floored_cholesky(params.covariance, 1.0, floor))

    def rescale(self, params: FullParams, shift: Floats, factor: Floats) -> FullParams:
        """Parameters for ``shift + factor * y`` instead of y; shift and factor (d,)."""
        coef = params.coef * factor[:, None]
        coef[..., -1] += shift
        return replace(params, coef=coef, chol=params.chol * factor[:, None])

    # -------------------------------------------------------------------- log density

    def forward(self, params: FullParams, design: Design, y: Floats) -> Forward:
        """Log density and what the statistics reuse: residuals and whitened residuals."""
        e = residuals(params, design, y)
        white = np.linalg.solve(params.chol, np.eye(e.shape[1])[None]) @ e
        log_det = np.log(np.einsum("kii->ki", params.chol)).sum(axis=1)
        constant = log_det + 0.5 * e.shape[1] * np.log(2.0 * np.pi)
        return Forward(-0.5 * (white**2).sum(axis=1) - constant[:, None], None, (e, white))

    # -------------------------------------------------------------------- curvature and sums

    def curvature(self, params: FullParams, fwd: Forward, S: Floats) -> Floats:
        """Row weights of the Grams: the responsibilities themselves."""
        return S

    def statistics(
        self, params: FullParams, fwd: Forward, design: Design, S: Floats, grams: Floats
    ) -> LeastSquaresStats:
        """Sums of weighted least squares; ``rss`` is (K, d, d)."""
        e = fwd.work[0]
        weighted = S[:, None, :] * e
        rss = weighted @ e.transpose(0, 2, 1)
        return LeastSquaresStats(grams, design.scores(weighted), rss, S.sum(axis=1))

    def _step(self, params: FullParams, A: Floats, score: Floats, summary: Summary) -> Floats:
        """Change of the coefficients, (K, d, q)."""
        if self.alpha == 0.0:
            return solve_psd(A, score.transpose(0, 2, 1)).transpose(0, 2, 1)
        K, d, q = score.shape
        slopes = np.tile(np.r_[np.ones(q - 1), 0.0], d)
        pull = self.alpha * summary.weight * slopes
        inverse = np.linalg.inv(np.broadcast_to(params.covariance, (K, d, d)))
        lhs = np.stack([np.kron(inverse[k], A[k]) for k in range(K)]) + np.diag(pull)
        rhs = (inverse @ score).reshape(K, -1) - pull * params.coef.reshape(K, -1)
        return solve_psd(lhs, rhs[:, :, None]).reshape(score.shape)

    def update(self, params: FullParams, stats: LeastSquaresStats, summary: Summary) -> FullParams:
        """Exact M-step without a penalty, conditional maximisation with one."""
        A = unpack_symmetric(stats.gram, params.coef.shape[-1])
        delta = self._step(params, A, stats.score, summary)
        cross = delta @ stats.score.transpose(0, 2, 1)
        rss = stats.rss - cross - cross.transpose(0, 2, 1) + delta @ A @ delta.transpose(0, 2, 1)
        mass = stats.mass[:, None, None]
        if self.tied:
            rss, mass = rss.sum(axis=0, keepdims=True), mass.sum(axis=0, keepdims=True)
        covariance = rss / np.maximum(mass, np.finfo(float).tiny)
        chol = floored_cholesky(covariance, 1.0, self.min_scale * summary.noise_unit)
        starved = (stats.mass <= STARVED * summary.weight)[:, None, None]
        coef = np.where(starved, params.coef, params.coef + delta)
        if not self.tied:
            chol = np.where(starved, params.chol, chol)
        return FullParams(coef, chol)

    def settle(
        self, params: FullParams, design: Design, y: Floats, S: Floats, summary: Summary
    ) -> FullParams:
        """Least squares by factors, where Gram matrices have lost digits."""
        e = residuals(params, design, y)
        changes = [least_squares_change(design.Z, *row) for row in zip(e, S, strict=True)]
        if self.alpha or all(change is None for change in changes):
            return params
        zero = np.zeros_like(params.coef[0])
        delta = np.stack([zero if change is None else change for change in changes])
        e = residuals(replace(params, coef=params.coef + delta), design, y)
        stats = LeastSquaresStats(
            np.zeros((len(S), design.width * (design.width + 1) // 2)),
            np.zeros_like(params.coef),
            (S[:, None, :] * e) @ e.transpose(0, 2, 1),
            S.sum(axis=1),
        )
        scales = self.update(params, stats, summary)
        starved = (stats.mass <= STARVED * summary.weight)[:, None, None]
        return replace(scales, coef=params.coef + np.where(starved, 0.0, delta))

    def translate(
        self, stats: LeastSquaresStats, old: FullParams, new: FullParams
    ) -> LeastSquaresStats:
        """Least-squares sums at ``old`` as they are at ``new``; exact."""
        A = unpack_symmetric(stats.gram, old.coef.shape[-1])
        delta = new.coef - old.coef
        cross = delta @ stats.score.transpose(0, 2, 1)
        rss = stats.rss - cross - cross.transpose(0, 2, 1) + delta @ A @ delta.transpose(0, 2, 1)
        return replace(stats, score=stats.score - delta @ A, rss=rss)

    def derivatives(self, params: FullParams, fwd: Forward, y: Floats) -> tuple[Floats, Floats]:
        """In (eta, log-Cholesky factor).

        With u = L^-1 e and P = L^-1, du = -P dL u, so that for the entry (a, b) of L::

            d log p / d L_ab = r_a u_b - [a = b] / L_aa,   r = P' u
            d r / d L_ab     = -(P'_{:b} r_a + (P' P)_{:a} u_b)
        """
        e, u = fwd.work
        K, d, n = e.shape
        P, unit = _factors(params, K)
        Q = P.transpose(0, 2, 1) @ P
        rows, cols = np.tril_indices(d)
        first = self.first_derivatives(params, fwd, y)
        J, r = first.shape[1], first[:, :d]
        second = np.empty((K, J, J, n))
        second[:, :d, :d] = -Q[..., None]
        for i, (a, b) in enumerate(zip(rows, cols, strict=True)):
            scale = unit[:, i, None, None]
            dr = -(P[:, b, :, None] * r[:, a, None, :] + Q[:, :, a, None] * u[:, b, None, :])
            du = -P[:, :, a, None] * u[:, b, None, :]
            second[:, :d, d + i] = second[:, d + i, :d] = dr * scale
            mixed = dr[:, rows] * u[:, cols] + r[:, rows] * du[:, cols]
            second[:, d:, d + i] = mixed * scale * unit[..., None]
            if a == b:
                second[:, d + i, d + i] += first[:, d + i] + 1.0
        return first, second

    def first_derivatives(self, params: FullParams, fwd: Forward, y: Floats) -> Floats:
        """The first of them alone."""
        e, u = fwd.work
        K, d, n = e.shape
        P, unit = _factors(params, K)
        rows, cols = np.tril_indices(d)
        first = empty((K, d + rows.size, n))
        r = np.matmul(P.transpose(0, 2, 1), u, out=first[:, :d])
        np.multiply(r[:, rows], u[:, cols], out=first[:, d:])
        first[:, d:] *= unit[..., None]
        first[:, d:] -= (rows == cols)[:, None]
        return first

    # -------------------------------------------------------------------- moments, sampling

    def location_at(self, params: FullParams, eta: Floats) -> Floats:
        """Locations: the predictors themselves."""
        return eta

    def mean_at(self, params: FullParams, eta: Floats) -> Floats:
        """Conditional means, (K, d, n)."""
        return eta

    def variance_at(self, params: FullParams, eta: Floats) -> Floats:
        """Conditional variances, (K, d, n)."""
        return np.broadcast_to(params.scale[:, :, None] ** 2, eta.shape)

    def output_slopes(self, params: FullParams, m: Floats, v: Floats) -> Floats:
        """The same: locations are the predictors themselves."""
        return v

    def graph(self, graph: Any, params: FullParams, linear: Any) -> str:
        """The locations."""
        return str(linear(params.coef))

    def shown(self, params: Any) -> dict[str, Floats]:
        """Standard deviations and covariances of the noise."""
        return {"scale": params.scale, "covariance": params.covariance}

    # Of each output on its own.

    def output(self, params: FullParams, j: int) -> ScaleParams:
        """Coefficients and scale of output ``j`` alone."""
        return ScaleParams(params.coef[:, j : j + 1], params.scale[:, j : j + 1])

    def spread_at(self, params: Any, eta: Floats) -> Floats:
        """The scale, (K, d, 1)."""
        return np.broadcast_to(params.scale, eta.shape[:2])[:, :, None]

    def cdf_at(self, params: Any, eta: Floats, y: Floats) -> Floats:
        """P(Y_j <= y_j), (K, d, n)."""
        return ndtr((y - eta) / params.scale[:, :, None])

    def density_at(self, params: Any, eta: Floats, y: Floats) -> Floats:
        """Density, (K, d, n)."""
        scale = params.scale[:, :, None]
        return normal_pdf((y - eta) / scale) / scale

    def quantile_at(self, params: Any, eta: Floats, q: Floats) -> Floats:
        """Quantiles, (K, d, n)."""
        return eta + params.scale[:, :, None] * ndtri(q)

    def noise_of(self, params: Any) -> list[Noise]:
        """Normal noise with the scale of the output."""
        scale = np.broadcast_to(params.scale, (params.n_experts, params.scale.shape[1]))[:, 0]
        return [Noise("gaussian", s) for s in scale]

    def standard_pdf(self, params: FullParams, z: Floats) -> Floats:
        """Normal density of one output with scale 1."""
        return normal_pdf(z)

    def standard_cdf(self, params: FullParams, z: Floats) -> Floats:
        """Normal distribution function of one output with scale 1."""
        return ndtr(z)

    def precision(self, params: FullParams, fwd: Forward) -> Floats:
        """Precisions of the noise, (K, 1, d, d)."""
        return np.linalg.inv(
            np.broadcast_to(params.covariance, (params.n_experts, *params.chol.shape[1:]))
        )[:, None]

    def sample_at(self, params: FullParams, eta: Floats, rng: np.random.Generator) -> Floats:
        """A draw from every expert at every row, (K, d, n)."""
        return eta + params.chol @ rng.standard_normal(eta.shape)


def _factors(params: FullParams, K: int) -> tuple[Floats, Floats]:
    """Inverse Cholesky factors (K, d, d), and what their entries move by, (K, d (d + 1) / 2).

    Diagonal entries are optimised on the log scale: dL = L dlog L.
    """
    d = params.chol.shape[1]
    L = np.broadcast_to(params.chol, (K, d, d))
    P = np.linalg.solve(L, np.broadcast_to(np.eye(d), (K, d, d)))
    rows, cols = np.tril_indices(d)
    unit: Floats = np.where(rows == cols, L[:, rows, cols], 1.0)
    return np.asarray(P, dtype=np.float64), unit
