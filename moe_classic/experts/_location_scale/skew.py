"""Linear locations with noise that leans to one side: what skew-normal and skew-t share.

::

    y = eta + s (delta U + sqrt(1 - delta^2) e / sqrt(W)),   U | W ~ |N(0, 1 / W)|,   e ~ N(0, 1)
    delta = lambda / sqrt(1 + lambda^2)

with slant lambda; W = 1 for the skew-normal, gamma with mean 1 for the skew-t. Given U and W this
is least squares of y on x and U, so that the step solves for the coefficients and ``D = s delta``
together. It is expanded by scales of U and W (PX-EM), which end in the estimates as::

    s^2 (1 - delta^2) = sum S E[W (e - D U)^2] / sum S E[W]
    D^2 <- D^2 sum S E[W U^2] / sum S E[W]

Lin, Lee & Yen (2007), Finite mixture modelling using the skew normal distribution, Statistica
Sinica 17; Liu, Rubin & Wu (1998), Parameter expansion to accelerate EM, Biometrika 85.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from moe_classic._components import TARGETS, Forward, invert
from moe_classic._data import Design, Stats, Summary
from moe_classic._numerics import empty, frame, solve_psd, unpack_symmetric
from moe_classic._typing import Floats
from moe_classic.penalties import SparseSlopes

from .base import LocationScaleExpert, ScaleParams

#: Largest size of a slant: noise is then one-sided but for one part in three hundred.
MOST_SLANT = 100.0
#: Slant of made-up data.
_DRAWN = 3.0
#: Share of U that the features must leave for a coefficient of its own.
_LEFT = 1e-10


@dataclass(frozen=True)
class SkewParams(ScaleParams):
    """Coefficients (K, 1, q), scales (K, 1) and slants (K, 1)."""

    slant: Floats

    @cached_property
    def delta(self) -> Floats:
        """``lambda / sqrt(1 + lambda^2)``, (K, 1)."""
        return np.asarray(self.slant / np.sqrt(1.0 + self.slant**2))


@dataclass(frozen=True)
class SkewStats(Stats):
    """Sums over rows, with U in units of the scale.

    Attributes
    ----------
    gram, score, rss, weight : of least squares with weights ``S E[W]``
    beside : (K, 1, q) sums of ``S E[W U] z``
    along, square : (K,) sums of ``S E[W U] e`` and ``S E[W U^2]``
    mass : (K,)
    """

    gram: Floats
    score: Floats
    rss: Floats
    weight: Floats
    beside: Floats
    along: Floats
    square: Floats
    mass: Floats


class SkewExpert(LocationScaleExpert):
    """Base of experts with skew noise."""

    nuisances: ClassVar[dict[str, Any]] = {"scale": "positive", "slant": "real"}
    singular_near: ClassVar[dict[str, tuple[float, float]]] = {"slant": (0.0, 1.0)}

    # -------------------------------------------------------------------- what a family says

    @abstractmethod
    def latent(self, params: Any, fwd: Forward) -> tuple[Floats | None, Floats]:
        """``E[W]``, None where it is 1, and ``E[sqrt(W) r]`` with ``r`` the ratio of Mills."""

    @abstractmethod
    def slopes(self, params: Any, fwd: Forward) -> Sequence[Floats]:
        """First derivatives of the log density with scale 1 in z, lambda and further ones."""

    @abstractmethod
    def bends(self, params: Any, fwd: Forward) -> Sequence[Sequence[Floats]]:
        """Second derivatives in the same: the lower triangle, row by row."""

    @abstractmethod
    def standard_mean(self, params: Any) -> Floats:
        """Mean of the noise with scale 1, (K, 1); 0 where there is none."""

    def shared_settings(self) -> dict[str, Any]:
        """Arguments that the families inside have too."""
        names = ("features", "alpha", "fit_intercept", "min_scale", "penalty")
        return {name: getattr(self, name) for name in names}

    # -------------------------------------------------------------------- the step

    def curvature(self, params: Any, fwd: Forward, S: Floats) -> Floats:
        """Row weights of the Grams, ``S E[W]``."""
        weight = self.latent(params, fwd)[0]
        return S if weight is None else np.multiply(S, weight, out=empty(S.shape))

    def statistics(
        self, params: Any, fwd: Forward, design: Design, S: Floats, grams: Floats
    ) -> SkewStats:
        """Sums of the joint least squares."""
        e, delta = fwd.work[0][:, 0], params.delta
        left = np.sqrt(1.0 - delta**2)
        weight, mills = self.latent(params, fwd)
        with frame():
            weighted = S if weight is None else np.multiply(S, weight, out=empty(S.shape))
            first = np.multiply(weighted, e, out=empty(S.shape))
            pull = np.multiply(S, mills, out=empty(S.shape))
            rss = np.einsum("kn,kn->k", first, e)
            leaning = np.einsum("kn,kn->k", pull, e)
            mass, total = S.sum(axis=1), weighted.sum(axis=1)
            score = design.scores(first[:, None])
            # E[W U] = delta z E[W] + sqrt(1 - delta^2) E[sqrt(W) r], z = e / s.
            slope = delta / params.scale
            pull *= left
            pull += np.multiply(first, slope, out=first)
            beside = design.scores(pull[:, None])
        along = slope[:, 0] * rss + left[:, 0] * leaning
        square = slope[:, 0] * along + left[:, 0] ** 2 * mass
        return SkewStats(grams, score, rss, total, beside, along, square, mass)

    def update(self, params: Any, stats: Any, summary: Summary) -> Any:
        """PX-EM step."""
        weight = np.maximum(stats.weight, np.finfo(float).tiny)
        delta, D, rest = self._joint(params, stats, summary)
        noise = np.maximum(rest / weight, 0.0)
        # Of squares, which rounding leaves below zero where they vanish.
        pull = D * np.sqrt(np.maximum(stats.square, 0.0) / weight)
        scale = np.sqrt(noise + pull**2)
        slant = pull / np.sqrt(np.maximum(noise, np.finfo(float).tiny))
        new = replace(params, coef=params.coef + delta, scale=scale[:, None], slant=slant[:, None])
        new = self.clip(self.adjusted(params, stats, new), summary)
        return self.keep_starved(params, new, stats.mass, summary)

    def adjusted(self, params: Any, stats: Any, new: Any) -> Any:
        """``new`` after what a family does besides."""
        return new

    def _joint(self, params: Any, stats: Any, summary: Summary) -> tuple[Floats, Floats, Floats]:
        """Changes of coefficients, ``D``, and the squares that are left."""
        A, term = unpack_symmetric(stats.gram, params.coef.shape[-1]), self.slopes_penalty(summary)
        sparse = isinstance(term, SparseSlopes)
        solved = self._sparse_pair if sparse else self._pair
        delta, D = solved(params, stats, A, self._noise(params), term)
        b = stats.beside[:, 0]
        drop = np.einsum("kp,kpq,kq->k", delta, A, delta) - 2.0 * (delta * stats.score[:, 0]).sum(1)
        crossed = stats.along - (delta * b).sum(axis=1)
        rest = stats.rss + drop - 2.0 * D * crossed + D**2 * stats.square
        return delta[:, None], D, rest

    @staticmethod
    def _noise(params: Any) -> Floats:
        """Variance of what U leaves, ``s^2 (1 - delta^2)``, (K, 1)."""
        return np.asarray(params.scale**2 * (1.0 - params.delta**2))

    def _pair(
        self, params: Any, stats: Any, A: Floats, noise: Floats, term: Any
    ) -> tuple[Floats, Floats]:
        """Changes of coefficients (K, q) and ``D`` (K,) under a ridge."""
        ridge = (term.pull * noise)[:, :, None] * np.ones(A.shape[-1])
        ridge[..., -1] = 0.0
        lhs = A + ridge * np.eye(A.shape[-1]) if term.pull else A
        rhs = np.concatenate([stats.score - ridge * params.coef, stats.beside], axis=1)
        alone, beside = np.moveaxis(solve_psd(lhs, rhs.transpose(0, 2, 1)), -1, 0)
        b = stats.beside[:, 0]
        left = stats.square - (b * beside).sum(axis=1)
        able = left > _LEFT * stats.square
        D = (stats.along - (b * alone).sum(axis=1)) / np.where(able, left, 1.0)
        D = np.where(able, D, 0.0)
        return alone - D[:, None] * beside, D

    def _sparse_pair(
        self, params: Any, stats: Any, A: Floats, noise: Floats, term: Any
    ) -> tuple[Floats, Floats]:
        """The same under a penalty with kinks: ``D`` is free, and is solved for beforehand."""
        b = stats.beside[:, 0]
        square = np.where(stats.square > 0.0, stats.square, 1.0)
        ratio = stats.along / square
        around = A - b[:, :, None] * (b / square[:, None])[:, None]
        score = stats.score - (ratio[:, None] * b)[:, None]
        delta = self._sparse_change(params.coef, around, score, noise, term)[:, 0]
        return delta, ratio - (delta * b).sum(axis=1) / square

    def coef_score(self, params: Any, stats: Any) -> Floats:
        """Slopes of the log-likelihood in the coefficients, (K, 1, q), by Fisher's identity."""
        leaning = (params.scale * params.delta)[:, :, None] * stats.beside
        return np.asarray((stats.score - leaning) / self._noise(params)[:, :, None])

    def clip(self, params: Any, summary: Summary) -> Any:
        """Scales above their floor, slants of a size that can be told from more."""
        slant = np.clip(params.slant, -MOST_SLANT, MOST_SLANT)
        return replace(super().clip(params, summary), slant=slant)

    def translate(self, stats: Any, old: Any, new: Any) -> Any:
        """Least-squares sums at ``old`` as they are at ``new``; exact in coefficients."""
        change = (new.coef - old.coef)[:, 0]
        along = stats.along - (change * stats.beside[:, 0]).sum(axis=1)
        moved = super().translate(replace(stats, rss=stats.rss[:, None]), old, new)
        return replace(moved, rss=moved.rss[:, 0], along=along)

    def start(self, n_experts: int, width: int, summary: Summary) -> Any:
        """Symmetric experts at the mean of y with its standard deviation."""
        equal = super().start(n_experts, width, summary)
        return SkewParams(equal.coef, equal.scale, np.zeros((n_experts, 1)))

    # -------------------------------------------------------------------- derivatives

    def derivatives(self, params: Any, fwd: Forward, y: Floats) -> tuple[Floats, Floats]:
        """In (eta, log s, lambda, further coordinates)."""
        z, s = fwd.work[1], params.scale
        slopes, bends = self.slopes(params, fwd), self.bends(params, fwd)
        first = self.first_derivatives(params, fwd, y)
        K, J, n = first.shape
        second = np.empty((K, J, J, n))
        g, h = slopes[0], bends[0][0]
        second[:, 0, 0] = h / s**2
        second[:, 0, 1] = second[:, 1, 0] = (h * z + g) / s
        second[:, 1, 1] = (h * z + g) * z
        for i, row in enumerate(bends[1:], 2):
            second[:, 0, i] = second[:, i, 0] = -row[0] / s
            second[:, 1, i] = second[:, i, 1] = -row[0] * z
            for j, value in enumerate(row[1:], 2):
                second[:, i, j] = second[:, j, i] = value
        return first, second

    def first_derivatives(self, params: Any, fwd: Forward, y: Floats) -> Floats:
        """The first of them alone."""
        z, s = fwd.work[1], params.scale
        g, *others = self.slopes(params, fwd)
        return np.stack([-g / s, -g * z - 1.0, *others], axis=1)

    # -------------------------------------------------------------------- answers about y

    def location_at(self, params: Any, eta: Floats) -> Floats:
        """Means; locations where there are none."""
        return eta + (params.scale * self.standard_mean(params))[:, :, None]

    def mean_at(self, params: Any, eta: Floats) -> Floats:
        """The same."""
        return self.location_at(params, eta)

    @abstractmethod
    def standard_log_pdf(self, params: Any, z: Floats) -> Floats:
        """Log density of the noise with scale 1, element by element."""

    def standard_pdf(self, params: Any, z: Floats) -> Floats:
        """Density of the noise with scale 1."""
        return np.exp(self.standard_log_pdf(params, z))

    def standard_quantile(self, params: Any, q: Floats) -> Floats:
        """Quantiles of the noise with scale 1: its distribution function inverted."""
        start = np.zeros(np.broadcast_shapes(np.shape(q), (params.n_experts, 1, 1)))
        return invert(lambda z: self.standard_cdf(params, z), q, start, TARGETS["real"])

    def skew_normal_sample(
        self, params: Any, shape: tuple[int, ...], rng: np.random.Generator
    ) -> Floats:
        """``delta |u| + sqrt(1 - delta^2) e``."""
        delta = params.delta[:, :, None]
        noise = np.sqrt(1.0 - delta**2) * rng.standard_normal(shape)
        return delta * np.abs(rng.standard_normal(shape)) + noise

    def graph(self, graph: Any, params: Any, linear: Any) -> str:
        """The means."""
        coef = params.coef.copy()
        coef[:, :, -1] += params.scale * self.standard_mean(params)
        return str(linear(coef))

    def draw(self, params: Any, noise: Floats, rng: np.random.Generator) -> dict[str, Floats]:
        """Scales of the asked size, and a slant that shows."""
        return super().draw(params, noise, rng) | {"slant": np.full_like(params.slant, _DRAWN)}
