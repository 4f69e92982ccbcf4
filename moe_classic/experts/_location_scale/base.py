"""Experts y = eta + scale * noise with one scale an output: what Gaussian, Laplace and t share.

The step is weighted least squares in residual form::

    A_k = Z diag(W_k) Z',   g_k = Z (W_k e_k),   delta_k = solve(A_k, g_k)
    rss_new = rss - 2 delta' g + delta' A delta

Raw second moments cancel catastrophically when y has a large offset; residuals do not.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, ClassVar

import numpy as np

from moe_classic._data import Design, Stats, Summary
from moe_classic._numerics import solve_psd, unpack_symmetric
from moe_classic._typing import Bools, Floats
from moe_classic.experts._base import STARVED
from moe_classic.experts._linear import LinearExpert, LinearParams


@dataclass(frozen=True)
class ScaleParams(LinearParams):
    """Coefficients (K, d, q) and scales (K, d); tied scales have a first axis of length 1."""

    scale: Floats


@dataclass(frozen=True)
class LeastSquaresStats(Stats):
    """Sums of weighted least squares.

    Attributes
    ----------
    gram : (K, q (q + 1) / 2), score : (K, d, q), rss : (K, d), mass : (K,)
    """

    gram: Floats
    score: Floats
    rss: Floats
    mass: Floats


class LocationScaleExpert(LinearExpert):
    """Base of experts with a location linear in x and a scale."""

    target: ClassVar[str] = "real"
    nuisances: ClassVar[dict[str, str]] = {"scale": "positive"}
    min_scale: float

    def check(self) -> None:
        """Raise if a hyper-parameter is out of range."""
        super().check()
        if not (isinstance(self.min_scale, Real) and 0.0 < self.min_scale < 1.0):
            raise ValueError(
                f"{type(self).__name__}: min_scale={self.min_scale!r} must lie in (0, 1); it is "
                "the smallest scale of an expert, in standard deviations of y."
            )

    def bind(self, summary: Summary) -> LinearExpert:
        """Refuse several outputs: these families describe one."""
        if summary.y_mean.size > 1:
            raise ValueError(
                f"{type(self).__name__} describes one output, y has {summary.y_mean.size}. Use "
                "GaussianExpert, or sklearn.multioutput.MultiOutputRegressor."
            )
        return self

    def floor(self, summary: Summary) -> Floats:
        """Smallest scales, (d,)."""
        return self.min_scale * summary.y_scale

    def start(self, n_experts: int, width: int, summary: Summary) -> ScaleParams:
        """Experts at the mean of y with its standard deviation."""
        coef = np.zeros((n_experts, summary.y_mean.size, width))
        coef[..., -1] = summary.y_mean
        scale = np.tile(summary.y_scale, (n_experts, 1))
        return ScaleParams(coef, scale)

    def degenerate(self, params: ScaleParams, summary: Summary) -> Bools:
        """Which experts have a scale at its floor, (K,)."""
        low = (params.scale <= self.floor(summary) * (1.0 + 1e-9)).any(axis=1)
        return np.broadcast_to(low, params.n_experts)

    def clip(self, params: Any, summary: Summary) -> Any:
        """Scales moved up to their floor."""
        return replace(params, scale=np.maximum(params.scale, self.floor(summary)))

    def rescale(self, params: Any, shift: Floats, factor: Floats) -> Any:
        """Parameters for ``shift + factor * y`` instead of y; shift and factor (d,)."""
        coef = params.coef * factor[:, None]
        coef[..., -1] += shift
        return replace(params, coef=coef, scale=params.scale * factor)

    # -------------------------------------------------------------------- the step

    def solve_coef(
        self, params: ScaleParams, gram: Floats, score: Floats, unit: Floats, summary: Summary
    ) -> tuple[Floats, Floats]:
        """Penalised least-squares step.

        Parameters
        ----------
        gram : (K, q (q + 1) / 2)
        score : (K, d, q)
        unit : (K, d)
            Variance, or its stand-in, by which the squared error is divided in the objective.

        Returns
        -------
        delta : (K, d, q)
        drop : (K, d)
            What the weighted sum of squares changes by: ``- 2 delta' g + delta' A delta``.
        """
        q = params.coef.shape[-1]
        A = unpack_symmetric(gram, q)
        if self.alpha == 0.0:
            delta = solve_psd(A, score.transpose(0, 2, 1)).transpose(0, 2, 1)
        else:
            ridge = self.alpha * summary.weight * np.broadcast_to(unit, score.shape[:2])
            D = np.ones(q)
            D[-1] = 0.0
            delta = np.empty_like(score)
            for j in range(score.shape[1]):
                pull = ridge[:, j, None] * D
                lhs = A + pull[:, :, None] * np.eye(q)
                rhs = score[:, j] - pull * params.coef[:, j]
                delta[:, j] = solve_psd(lhs, rhs[:, :, None])[:, :, 0]
        drop = ((delta @ A) * delta).sum(-1) - 2.0 * (delta * score).sum(-1)
        return delta, drop

    def translate(self, stats: Any, old: ScaleParams, new: ScaleParams) -> Any:
        """Weighted least-squares sums at ``old`` as they are at ``new``; exact in coefficients."""
        A = unpack_symmetric(stats.gram, old.coef.shape[-1])
        delta = new.coef - old.coef
        moved = delta @ A
        drop = (moved * delta).sum(-1) - 2.0 * (delta * stats.score).sum(-1)
        rss = np.maximum(stats.rss + drop, 0.0)
        return replace(stats, score=stats.score - moved, rss=rss)

    def keep_starved(self, old: Any, new: Any, mass: Floats, summary: Summary) -> Any:
        """``new``, but ``old`` for experts with next to no weight."""
        starved = mass <= STARVED * summary.weight
        if not starved.any():
            return new
        changes = {"coef": np.where(starved[:, None, None], old.coef, new.coef)}
        for name in self.nuisances:
            before, after = getattr(old, name), getattr(new, name)
            if len(after) == len(mass):
                changes[name] = np.where(starved[:, None], before, after)
        return replace(new, **changes)

    # -------------------------------------------------------------------- moments

    def location(self, params: ScaleParams, design: Design) -> Floats:
        """Locations eta, (K, d, n)."""
        return design.linear(params.coef)

    def mean(self, params: ScaleParams, design: Design) -> Floats:
        """Conditional means, (K, d, n)."""
        return self.location(params, design)

    def variance(self, params: ScaleParams, design: Design) -> Floats:
        """Conditional variances, (K, d, n)."""
        v = params.scale**2 * self.standard_variance(params)
        return np.broadcast_to(v[:, :, None], (*params.coef.shape[:2], design.Z.shape[1]))

    def cdf(self, params: ScaleParams, design: Design, y: Floats) -> Floats:
        """P(Y <= y) of each output, (K, d, n); ``y`` broadcasts against that."""
        z = (y - self.location(params, design)) / params.scale[:, :, None]
        return self.standard_cdf(params, z)

    def quantile(self, params: ScaleParams, design: Design, q: Floats) -> Floats:
        """Quantiles of each output, (K, d, n); ``q`` broadcasts against that."""
        z = self.standard_quantile(params, q)
        return self.location(params, design) + params.scale[:, :, None] * z

    def sample(self, params: ScaleParams, design: Design, rng: np.random.Generator) -> Floats:
        """A draw from every expert at every row, (K, d, n)."""
        eta = self.location(params, design)
        return eta + params.scale[:, :, None] * self.standard_sample(params, eta.shape, rng)

    @abstractmethod
    def standard_variance(self, params: Any) -> Floats:
        """Variance of the noise with scale 1, (K, 1)."""

    @abstractmethod
    def standard_pdf(self, params: Any, z: Floats) -> Floats:
        """Density of the noise with scale 1."""

    @abstractmethod
    def standard_cdf(self, params: Any, z: Floats) -> Floats:
        """Distribution function of the noise with scale 1."""

    @abstractmethod
    def standard_quantile(self, params: Any, q: Floats) -> Floats:
        """Quantile function of the noise with scale 1, broadcasting to (K, d, n)."""

    @abstractmethod
    def standard_sample(
        self, params: Any, shape: tuple[int, ...], rng: np.random.Generator
    ) -> Floats:
        """Noise with scale 1."""


def residuals(params: LinearParams, design: Design, y: Floats) -> Floats:
    """Residuals (K, d, n)."""
    eta = design.linear(params.coef)
    return np.subtract(y, eta, out=eta)
