"""The predictive distribution at x: a mixture of the experts' densities, weighted by the gate.

::

    p(y | x) = sum_k g_k(x) p_k(y | x)

Means, variances and distribution functions are sums over experts; quantiles are roots of the
distribution function, bracketed by the experts' own quantiles; modes are fixed points of the
expectation-maximisation map for y.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy.optimize.elementwise import find_root

from moe_classic._data import Block
from moe_classic._model import Model, MoEParams
from moe_classic._numerics import choose
from moe_classic._typing import Floats, Ints

#: Fixed-point steps towards a mode; scale mixtures of normals converge linearly.
_MODE_STEPS = 200
#: Newton steps towards a quantile; rows that are still open then go to the search.
_NEWTON_STEPS = 10


class Predictive:
    """Mixture distribution of a real target at the rows of a block.

    Parameters
    ----------
    model : Model
    params : MoEParams
        On the scale on which answers are wanted.
    block : Block
        Its target is not looked at.

    Attributes
    ----------
    weights : ndarray of shape (K, n)
        Gate probabilities.
    location : ndarray of shape (K, d, n)
        Locations of the experts.
    """

    def __init__(self, model: Model, params: MoEParams, block: Block) -> None:
        self.model, self.params, self.block = model, params, block

    @cached_property
    def weights(self) -> Floats:
        """Gate probabilities, (K, n)."""
        return np.exp(self.model.log_gate(self.params, self.block))

    @cached_property
    def location(self) -> Floats:
        """Locations of the experts, (K, d, n)."""
        return np.concatenate(
            [
                g.expert.location(p, self.block.designs[g.design])
                for g, p in zip(self.model.groups, self.params.experts, strict=True)
            ]
        )

    @cached_property
    def expert_variance(self) -> Floats:
        """Variances of the experts, (K, d, n); infinite where they do not exist."""
        return np.concatenate(
            [
                g.expert.variance(p, self.block.designs[g.design])
                for g, p in zip(self.model.groups, self.params.experts, strict=True)
            ]
        )

    # -------------------------------------------------------------------- moments

    def mean(self) -> Floats:
        """Blended locations: the mean wherever it exists, (d, n)."""
        return np.einsum("kn,kdn->dn", self.weights, self.location)

    def variance(self) -> Floats:
        """Variances, (d, n): within experts plus between experts."""
        between = np.square(self.location - self.mean())
        return np.einsum("kn,kdn->dn", self.weights, self.expert_variance + between)

    # -------------------------------------------------------------------- distribution function

    def _expert_cdf(self, y: Floats, rows: Ints | slice) -> Floats:
        """Distribution functions of the experts at ``y`` (d, r), (K, d, r)."""
        parts = []
        for group, p, share in zip(
            self.model.groups, self.params.experts, self.model.shares, strict=True
        ):
            z = (y - self.location[share][:, :, rows]) / p.scale[:, :, None]
            parts.append(np.broadcast_to(group.expert.standard_cdf(p, z), z.shape))
        return np.concatenate(parts)

    def cdf(self, y: Floats) -> Floats:
        """P(Y_j <= y_j | x) of each output, (d, n); ``y`` is (d, n)."""
        return np.einsum("kn,kdn->dn", self.weights, self._expert_cdf(y, slice(None)))

    def quantile(self, q: float) -> Floats:
        """Quantiles of each output, (d, n)."""
        return np.stack([self._quantile(q, j) for j in range(self.location.shape[1])])

    def _quantile(self, q: float, output: int) -> Floats:
        """Quantile of one output, (n,)."""
        own = []
        for group, p, share in zip(
            self.model.groups, self.params.experts, self.model.shares, strict=True
        ):
            scale = np.broadcast_to(p.scale, (p.n_experts, self.location.shape[1]))[:, output]
            z = group.expert.standard_quantile(p, np.full((1, 1, 1), q))
            own.append(self.location[share, output] + scale[:, None] * z.reshape(-1, 1))
        bracket = np.concatenate(own)
        # An expert without weight must not widen the bracket.
        live = self.weights > 1e-300
        low = np.where(live, bracket, np.inf).min(axis=0)
        high = np.where(live, bracket, -np.inf).max(axis=0)
        answer = 0.5 * (low + high)
        open_rows = np.flatnonzero(high > low)
        if open_rows.size:
            answer[open_rows] = self._roots(q, output, low[open_rows], high[open_rows], open_rows)
        return answer

    def _roots(self, q: float, output: int, low: Floats, high: Floats, rows: Ints) -> Floats:
        """Roots of ``cdf - q`` between ``low`` and ``high`` for some rows.

        A few Newton steps serve nearly all rows; what they leave open goes to a search that keeps
        its bracket, with what they found of it.
        """
        enough = 1e-13 * min(q, 1.0 - q)
        answer = 0.5 * (low + high)
        at, x, below, above = np.arange(rows.size), answer.copy(), low.copy(), high.copy()
        for _ in range(_NEWTON_STEPS):
            excess, slope = self._margin(x, rows[at], output, density=True)
            excess -= q
            np.copyto(below, x, where=excess < 0.0)
            np.copyto(above, x, where=excess > 0.0)
            with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
                new = x - excess / slope
            new = np.where((new > below) & (new < above), new, 0.5 * (below + above))
            answer[at] = np.where(np.abs(excess) <= enough, x, new)
            open_ = (np.abs(excess) > enough) & (np.abs(new - x) > 1e-15 * np.abs(x))
            at, x, below, above = at[open_], new[open_], below[open_], above[open_]
            if not at.size:
                return np.clip(answer, low, high)
        answer[at] = self._search(q, output, below, above, rows[at])
        return np.clip(answer, low, high)

    def _margin(
        self, y: Floats, rows: Ints, output: int, *, density: bool = False
    ) -> tuple[Floats, Floats]:
        """Distribution function of one output at ``y`` (r,), and its density if asked for."""
        value, slope = np.zeros(y.size), np.zeros(y.size)
        for group, p, share in zip(
            self.model.groups, self.params.experts, self.model.shares, strict=True
        ):
            scale = np.broadcast_to(p.scale, (p.scale.shape[0], self.location.shape[1]))
            scale = scale[:, output, None]
            weights = self.weights[share][:, rows]
            z = (y - self.location[share, output][:, rows]) / scale
            value += (weights * group.expert.standard_cdf(p, z[:, None])[:, 0]).sum(axis=0)
            if density:
                weights /= scale
                slope += (weights * group.expert.standard_pdf(p, z[:, None])[:, 0]).sum(axis=0)
        return value, slope

    def _search(self, q: float, output: int, low: Floats, high: Floats, rows: Ints) -> Floats:
        """Roots by a bracketed search that never fails."""

        def excess(y: Floats, at: Ints) -> Floats:
            at = np.broadcast_to(at, y.shape).ravel()
            return (self._margin(y.ravel(), at, output)[0] - q).reshape(y.shape)

        # Rounding may leave the ends a hair on the wrong side.
        margin = 1e-9 * (high - low) + 1e-12 * np.maximum(np.abs(low), np.abs(high))
        found = find_root(
            excess,
            (low - margin, high + margin),
            args=(rows,),
            # Relative to the tail: an absolute tolerance would lose far quantiles.
            tolerances={
                "xatol": 0.0,
                "xrtol": 1e-13,
                "fatol": 1e-13 * min(q, 1.0 - q),
                "frtol": 0.0,
            },
            maxiter=400,
        )
        low_end = excess(low, rows) >= 0.0
        return np.where(np.isfinite(found.x), found.x, np.where(low_end, low, high))

    # -------------------------------------------------------------------- density

    def log_density(self, y: Floats) -> Floats:
        """Log density at ``y`` (d, n), (n,)."""
        return self.model.log_likelihood(self.params, Block(self.block.designs, y, self.block.w))

    def mode(self) -> Floats:
        """Highest point of the density, (d, n).

        Every expert's location is carried uphill by
        ``y <- (sum_k r_k P_k)^-1 sum_k r_k P_k eta_k`` with posteriors r and the experts' current
        precisions P, a step that never lowers the density for scale mixtures of normals; the best
        end point wins.
        """
        best = np.full(self.weights.shape[1], -np.inf)
        answer = np.empty(self.location.shape[1:])
        for start in self.location:
            y = self._climb(start.copy())
            height = self.log_density(y)
            better = height > best
            best[better] = height[better]
            answer[:, better] = y[:, better]
        return answer

    def _climb(self, y: Floats) -> Floats:
        """Fixed-point iteration from ``y`` (d, n), keeping the better of start and end."""
        start, spread = y, np.sqrt(np.einsum("kn,kdn->dn", self.weights, self._scale() ** 2))
        for _ in range(_MODE_STEPS):
            new = self._mode_step(y)
            moved = np.abs(new - y)
            y = new
            if (moved <= 1e-10 * spread).all():
                break
        worse = self.log_density(y) < self.log_density(start)
        return np.where(worse, start, y)

    def _scale(self) -> Floats:
        """Scales of the experts, (K, d, 1)."""
        d = self.location.shape[1]
        return np.concatenate(
            [np.broadcast_to(p.scale, (p.n_experts, d)) for p in self.params.experts]
        )[:, :, None]

    def _mode_step(self, y: Floats) -> Floats:
        """One fixed-point step."""
        block = Block(self.block.designs, y, self.block.w)
        seen = self.model.evaluate(self.params, block)
        joint = np.log(np.maximum(self.weights, 1e-300)) + seen.log_prob
        r = np.exp(joint - joint.max(axis=0))
        n, d = y.shape[1], y.shape[0]
        A, b = np.zeros((n, d, d)), np.zeros((n, d, 1))
        for group, p, fwd, share in zip(
            self.model.groups, self.params.experts, seen.experts, self.model.shares, strict=True
        ):
            P = group.expert.precision(p, fwd)
            weighted = r[share][:, :, None, None] * P
            A += weighted.sum(axis=0)
            b += (weighted @ self.location[share].transpose(0, 2, 1)[..., None]).sum(axis=0)
        return np.asarray(np.linalg.solve(A, b)[:, :, 0].T, dtype=np.float64)

    # -------------------------------------------------------------------- sampling

    def sample(self, rng: np.random.Generator) -> Floats:
        """One draw a row, (d, n)."""
        draws = np.concatenate(
            [
                g.expert.sample(p, self.block.designs[g.design], rng)
                for g, p in zip(self.model.groups, self.params.experts, strict=True)
            ]
        )
        chosen = choose(self.weights, rng)
        return draws[chosen, :, np.arange(chosen.size)].T
