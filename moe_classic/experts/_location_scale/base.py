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

from moe_classic._components import Forward, Noise, NoiseFamily
from moe_classic._data import Design, Stats, Summary
from moe_classic._numerics import solve_psd, unpack_symmetric
from moe_classic._typing import Bools, Floats
from moe_classic.experts._base import STARVED
from moe_classic.experts._linear import LinearExpert, LinearParams
from moe_classic.experts._shared import places_of, solve_together
from moe_classic.penalties import SparseSlopes

#: Largest design of all experts together, in numbers, that is worth its factors.
_MOST_NUMBERS = 20_000_000


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
    equivariant: ClassVar[bool] = True
    nuisances: ClassVar[dict[str, str]] = {"scale": "positive"}
    #: What is known of the noise in closed form, if anything.
    noise_family: ClassVar[NoiseFamily | None] = None
    min_scale: float

    def check(self) -> None:
        """Raise if a hyper-parameter is out of range."""
        super().check()
        if not (isinstance(self.min_scale, Real) and 0.0 < self.min_scale < 1.0):
            raise ValueError(
                f"{type(self).__name__}: min_scale={self.min_scale!r} must lie in (0, 1); it is "
                "the smallest scale of an expert, as a share of what one robust fit leaves of y."
            )

    def floor(self, summary: Summary) -> Floats:
        """Smallest scales, (d,)."""
        return self.min_scale * summary.noise_unit

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

    def excess_precision(self, params: ScaleParams, summary: Summary) -> Floats:
        """The scale against the largest of the group or what one fit leaves, mean of outputs."""
        scale = np.broadcast_to(params.scale, (params.n_experts, params.scale.shape[1]))
        usual = summary.noise_unit[: scale.shape[1]]
        if params.n_experts > 1:
            usual = np.minimum(usual, scale.max(axis=0))
        return np.log(np.maximum(usual / scale, 1.0)).mean(axis=1)

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
        A, term = unpack_symmetric(gram, q), self.slopes_penalty(summary)
        if isinstance(term, SparseSlopes):
            delta = self._sparse_change(params.coef, A, score, unit, term)
        elif self.common(params.coef):
            delta = self._joint_change(params.coef, A, score, unit, term)
        elif not term.pull:
            delta = solve_psd(A, score.transpose(0, 2, 1)).transpose(0, 2, 1)
        else:
            ridge = term.pull * np.broadcast_to(unit, score.shape[:2])
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

    def _joint_change(
        self, coef: Floats, A: Floats, score: Floats, unit: Floats, term: Any
    ) -> Floats:
        """The step (K, d, q) where slopes are shared: each output is one system of all experts."""
        unit = np.broadcast_to(unit, score.shape[:2])[:, :, None]
        slopes = score / unit - term.gradient(self.once(coef))
        pull = self.once(term.curvature(coef))
        delta = np.empty_like(score)
        for j in range(score.shape[1]):
            curves = A / unit[:, j, :, None] + pull[:, j, :, None] * np.eye(coef.shape[-1])
            step = solve_together(curves, slopes[:, j, :, None], self._shared)
            delta[:, j] = step[:, :, 0]
        return delta

    def _sparse_change(
        self, coef: Floats, A: Floats, score: Floats, unit: Floats, term: SparseSlopes
    ) -> Floats:
        """The step (K, d, q) under a penalty with kinks: every output is a problem of its own."""
        K, d, q = coef.shape
        unit = np.broadcast_to(unit, (K, d))
        curves = (A[:, None] / unit[:, :, None, None]).reshape(-1, q, q)
        slopes = (score / unit[:, :, None]).reshape(-1, 1, q)
        new = term.step(coef.reshape(-1, 1, q), curves, slopes)
        return np.asarray(new.reshape(coef.shape) - coef)

    def coef_score(self, params: Any, stats: Any) -> Floats:
        """Slopes of the log-likelihood in the coefficients, (K, d, q)."""
        return np.asarray(stats.score / params.scale[:, :, None] ** 2)

    def settle(self, params: Any, design: Design, y: Floats, S: Floats, summary: Summary) -> Any:
        """Lines of the weighted problems to the last digit; penalised ones are smooth enough."""
        if self.alpha or self.penalty is not None:
            return params
        together = bool(self.common(params.coef))
        changes_of = self._exact_together if together else self._exact_apart
        delta = changes_of(params, design.Z, residuals(params, design, y), S)
        if delta is None:
            return params
        coef = params.coef + delta
        moved = replace(params, coef=coef)
        e = residuals(moved, design, y)
        new = self.fit_scale(moved, e, S, self.floor(summary))
        return self.keep_starved(params, new, S.sum(axis=1), summary)

    def _exact_apart(self, params: Any, Z: Floats, e: Floats, S: Floats) -> Floats | None:
        """What coefficients (K, d, q) lack, expert by expert; None: nothing."""
        changes = [self.exact_change(Z, *row) for row in zip(e, S, strict=True)]
        if all(change is None for change in changes):
            return None
        zero = np.zeros_like(params.coef[0])
        return np.stack([zero if change is None else change for change in changes])

    def _exact_together(self, params: Any, Z: Floats, e: Floats, S: Floats) -> Floats | None:
        """The same where slopes are shared: the rows of all experts are those of one regression."""
        (K, d, q), n = params.coef.shape, Z.shape[1]
        places = places_of((K, 1, q), self._shared)[:, 0]
        if (places.max() + 1) * K * n > _MOST_NUMBERS:
            return None
        rows = np.zeros((places.max() + 1, K, n))
        for k, place in enumerate(places):
            rows[place, k] = Z
        unit, delta, found = self.error_unit(params), np.zeros((K, d, q)), False
        for j in range(d):
            weight = S / np.broadcast_to(unit, (K, d))[:, j, None]
            flat = rows.reshape(len(rows), -1), e[:, j].reshape(1, -1), weight.ravel()
            change = self.exact_change(*flat)
            if change is not None:
                delta[:, j], found = change[0, places], True
        return delta if found else None

    def error_unit(self, params: Any) -> Floats:
        """What errors are divided by in the objective, (K or 1, d or 1)."""
        return np.square(params.scale)

    def exact_change(self, Z: Floats, e: Floats, S: Floats) -> Floats | None:
        """What coefficients (d, q) of one expert lack by its residuals e (d, n); None: nothing."""
        return None

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
        stays = np.tile(starved[:, None, None], (1, 1, new.coef.shape[-1]))
        stays[..., list(self.common(new.coef))] = False
        changes = {"coef": np.where(stays, old.coef, new.coef)}
        for name in self.nuisances:
            before, after = getattr(old, name), getattr(new, name)
            if len(after) == len(mass):
                changes[name] = np.where(starved[:, None], before, after)
        return replace(new, **changes)

    # -------------------------------------------------------------------- log density

    def forward(self, params: Any, design: Design, y: Floats) -> Forward:
        """Log density and what the statistics reuse."""
        return self.around(params, residuals(params, design, y))

    @abstractmethod
    def around(self, params: Any, e: Floats) -> Forward:
        """The same from residuals ``e`` (K, d, n), which are the caller's to spoil."""

    def output_slopes(self, params: Any, m: Floats, v: Floats) -> Floats:
        """The same: locations are the predictors themselves."""
        return v

    def fit_scale(self, params: Any, e: Floats, S: Floats, floor: Floats) -> Any:
        """``params`` with the likeliest noise for residuals ``e`` (K, d, n), weights S (K, n)."""
        mass = np.maximum(S[:, None, :].sum(axis=-1), np.finfo(float).tiny)
        scale = self.standard_scale(S[:, None, :], e, mass)
        return replace(params, scale=np.maximum(scale, floor))

    def standard_scale(self, S: Floats, e: Floats, mass: Floats) -> Floats:
        """The likeliest scale (K, d): of a normal, the root mean square."""
        return np.sqrt((S * e**2).sum(axis=-1) / mass)

    def latent_precision(self, params: Any, e: Floats) -> Any:
        """What rows count beyond their weight in least squares, (K, n), or 1."""
        return 1.0

    # -------------------------------------------------------------------- answers about y

    def output(self, params: Any, j: int) -> Any:
        """Parameters of output ``j`` alone; a spherical scale is that of every output."""
        own = slice(j, j + 1) if params.scale.shape[1] > 1 else slice(0, 1)
        return replace(params, scale=params.scale[:, own])

    def location_at(self, params: Any, eta: Floats) -> Floats:
        """Locations: the predictors themselves."""
        return eta

    def mean_at(self, params: Any, eta: Floats) -> Floats:
        """Conditional means, where there are any: the locations."""
        return eta

    def variance_at(self, params: Any, eta: Floats) -> Floats:
        """Conditional variances, (K, d, n)."""
        v = params.scale**2 * self.standard_variance(params)
        return np.broadcast_to(v[:, :, None], eta.shape)

    def spread_at(self, params: Any, eta: Floats) -> Floats:
        """The scale, (K, d, 1)."""
        d = eta.shape[1]
        return np.broadcast_to(params.scale, (len(eta), d))[:, :, None]

    def cdf_at(self, params: Any, eta: Floats, y: Floats) -> Floats:
        """P(Y <= y) of each output, (K, d, n)."""
        return self.standard_cdf(params, (y - eta) / params.scale[:, :, None])

    def density_at(self, params: Any, eta: Floats, y: Floats) -> Floats:
        """Density of each output, (K, d, n)."""
        scale = params.scale[:, :, None]
        return self.standard_pdf(params, (y - eta) / scale) / scale

    def cdf_and_density_at(self, params: Any, eta: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Both at the same standardised residuals."""
        scale = params.scale[:, :, None]
        z = (y - eta) / scale
        return self.standard_cdf(params, z), self.standard_pdf(params, z) / scale

    def quantile_at(self, params: Any, eta: Floats, q: Floats) -> Floats:
        """Quantiles of each output, (K, d, n)."""
        return eta + params.scale[:, :, None] * self.standard_quantile(params, q)

    def sample_at(self, params: Any, eta: Floats, rng: np.random.Generator) -> Floats:
        """A draw from every expert at every row, (K, d, n)."""
        return eta + params.scale[:, :, None] * self.standard_sample(params, eta.shape, rng)

    def noise_of(self, params: Any) -> list[Noise] | None:
        """The family, the scale of one output and the degrees of freedom of each expert."""
        if self.noise_family is None:
            return None
        K = params.n_experts
        scale = np.broadcast_to(params.scale, (K, params.scale.shape[1]))[:, 0]
        dfs = np.broadcast_to(self.degrees_of_freedom(params), (K, 1))[:, 0]
        return [Noise(self.noise_family.name, s, float(v)) for s, v in zip(scale, dfs, strict=True)]

    def degrees_of_freedom(self, params: Any) -> Floats:
        """Those of the noise, (K, 1); infinite where it has none."""
        return np.full((1, 1), np.inf)

    # -------------------------------------------------------------------- standard noise

    @abstractmethod
    def standard_variance(self, params: Any) -> Floats:
        """Variance of the noise with scale 1, (K, 1)."""

    def standard_pdf(self, params: Any, z: Floats) -> Floats:
        """Density of the noise with scale 1."""
        return self._family.pdf(z, self.degrees_of_freedom(params)[:, :, None])

    def standard_cdf(self, params: Any, z: Floats) -> Floats:
        """Distribution function of the noise with scale 1."""
        return self._family.cdf(z, self.degrees_of_freedom(params)[:, :, None])

    def standard_quantile(self, params: Any, q: Floats) -> Floats:
        """Quantile function of the noise with scale 1, broadcasting to (K, d, n)."""
        return self._family.quantile(q, self.degrees_of_freedom(params)[:, :, None])

    @abstractmethod
    def standard_sample(
        self, params: Any, shape: tuple[int, ...], rng: np.random.Generator
    ) -> Floats:
        """Noise with scale 1."""

    @property
    def _family(self) -> NoiseFamily:
        """The family in closed form."""
        if self.noise_family is None:
            raise self.lacks("cdf_at")
        return self.noise_family

    def graph(self, graph: Any, params: Any, linear: Any) -> str:
        """The locations."""
        return str(linear(params.coef))


def residuals(params: LinearParams, design: Design, y: Floats) -> Floats:
    """Residuals (K, d, n)."""
    eta = design.linear(params.coef)
    return np.subtract(y, eta, out=eta)
