"""The predictive distribution at x: a mixture of the experts' densities, weighted by the gate.

::

    p(y | x) = sum_k g_k(x) p_k(y | x)

Means, variances and distribution functions are sums over experts; quantiles are roots of the
distribution function, bracketed by the experts' own quantiles; modes are fixed points of the
expectation-maximisation map for y.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from moe_classic._components import TargetKind
from moe_classic._data import Block, Design
from moe_classic._model import Model, MoEParams, check_said
from moe_classic._numerics import choose
from moe_classic._typing import Floats, Ints
from moe_classic.experts import Expert

from ._marginal import Marginal
from ._moments import Said, blended, blended_variance

#: Fixed-point steps towards a mode; scale mixtures of normals converge linearly.
_MODE_STEPS = 200


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

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_tone
    >>> from moe_classic.predictive import Predictive
    >>> X, y = load_tone(return_X_y=True)
    >>> fitted = MoERegressor(2, random_state=0).fit(X, y).__moe_fitted__()
    >>> ahead = Predictive(fitted.model, fitted.params, fitted.block(X[:5]))
    >>> ahead.mean().shape, ahead.quantile(0.9).shape
    ((1, 5), (1, 5))
    """

    model: Model
    params: MoEParams
    block: Block

    def __init__(self, model: Model, params: MoEParams, block: Block) -> None:
        self.model, self.params, self.block = model, params, block

    @cached_property
    def weights(self) -> Floats:
        """Gate probabilities, (K, n)."""
        return np.exp(self.model.log_gate(self.params, self.block))

    @cached_property
    def parts(self) -> list[tuple[Expert, Any, Floats]]:
        """Expert, parameters and predictor (K, M, n) of every group."""
        return [
            (g.expert, p, g.expert.predictor(p, self.block.designs[g.design]))
            for g, p in zip(self.model.groups, self.params.experts, strict=True)
        ]

    @cached_property
    def kind(self) -> TargetKind:
        """What y may be."""
        return self.model.groups[0].expert.kind

    @cached_property
    def location(self) -> Floats:
        """Locations of the experts, (K, d, n)."""
        said = _stacked([e.location_at(p, eta) for e, p, eta in self.parts])
        return check_said(self.model, "location", said)

    @cached_property
    def expert_variance(self) -> Floats:
        """Variances of the experts, (K, d, n); infinite where they do not exist."""
        return _stacked([e.variance_at(p, eta) for e, p, eta in self.parts])

    @cached_property
    def spread(self) -> Floats:
        """Sizes of the noise of the experts, (K, d, n)."""
        spreads = np.concatenate(
            [np.broadcast_to(e.spread_at(p, eta), self._shape(eta)) for e, p, eta in self.parts]
        )
        return np.broadcast_to(spreads, self.location.shape)

    def _shape(self, eta: Floats) -> tuple[int, int, int]:
        """Shape of what a group says about y."""
        return len(eta), self.location.shape[1], eta.shape[-1]

    def output(self, j: int) -> Marginal:
        """The distribution of output ``j`` alone."""
        several = self.location.shape[1] > 1
        own = slice(j, j + 1) if several else slice(None)
        parts = [(e, e.output(p, j), eta[:, own]) for e, p, eta in self.parts]
        return Marginal(parts, self.weights, self.location[:, j], self.spread[:, j], self.kind)

    # -------------------------------------------------------------------- moments

    def mean(self) -> Floats:
        """Blended locations: the mean wherever it exists, (d, n)."""
        return blended(self._said(self.location), self.weights.shape[1])

    def variance(self) -> Floats:
        """Variances, (d, n): within experts plus between experts."""
        said = self._said(self.location), self._said(self.expert_variance)
        return blended_variance(*said, self.weights.shape[1])

    def _said(self, answers: Floats) -> list[Said]:
        """Answers (K, d, n) of experts that are all asked about all rows."""
        return [(slice(None), p, a) for p, a in zip(self.weights, answers, strict=True)]

    # -------------------------------------------------------------------- distribution function

    def cdf(self, y: Floats) -> Floats:
        """P(Y_j <= y_j | x) of each output, (d, n); ``y`` is (d, n)."""
        return self._mixed("cdf_at", y)

    def below(self, y: Floats) -> Floats:
        """P(Y_j < y_j | x): less than :meth:`cdf` where single values have a probability."""
        return self._mixed("below_at", y)

    def _mixed(self, answer: str, y: Floats) -> Floats:
        """An answer of the experts about ``y`` (d, n), weighted by the gate."""
        said = [getattr(e, answer)(p, eta, y) for e, p, eta in self.parts]
        said = [
            np.broadcast_to(a, self._shape(eta))
            for a, (_, _, eta) in zip(said, self.parts, strict=True)
        ]
        return np.einsum("kn,kdn->dn", self.weights, _stacked(said))

    def quantile(self, q: float) -> Floats:
        """Quantiles of each output, (d, n); of discrete targets values that are attained."""
        return np.stack([self.output(j).quantile(q) for j in range(self.location.shape[1])])

    # -------------------------------------------------------------------- density

    def log_density(self, y: Floats) -> Floats:
        """Log density at ``y`` (d, n), (n,)."""
        return self.model.log_likelihood(self.params, replace(self.block, y=y))

    def mode(self) -> Floats:
        """Highest point of the density, (d, n).

        Where experts know their precisions, every expert's location is carried uphill by
        ``y <- (sum_k r_k P_k)^-1 sum_k r_k P_k eta_k`` with posteriors r and current precisions P,
        a step that never lowers the density for scale mixtures of normals; the best end point
        wins. Elsewhere the best of a grid of the experts' quantiles is refined; a discrete target
        has all its likely values tried.
        """
        if not all(e.has("precision") for e, _, _ in self.parts):
            return self.output(0).mode()[None]
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
        start, y = y, y.copy()
        spread = np.sqrt(np.einsum("kn,kdn->dn", self.weights, self.spread**2))
        # Most rows are there after a few steps: only the others go on.
        rows, designs = np.arange(y.shape[1]), self.block.designs
        for _ in range(_MODE_STEPS):
            new = self._mode_step(y[:, rows], rows, designs)
            still = (np.abs(new - y[:, rows]) > 1e-10 * spread[:, rows]).any(axis=0)
            y[:, rows] = new
            if not still.any():
                break
            if not still.all():
                rows = rows[still]
                designs = tuple(d.at(still) for d in designs)
        worse = self.log_density(y) < self.log_density(start)
        return np.where(worse, start, y)

    def _mode_step(self, y: Floats, rows: Ints, designs: tuple[Design, ...]) -> Floats:
        """One fixed-point step of some rows."""
        log_density, precisions = self._heights(y, rows, designs)
        joint = np.log(np.maximum(self.weights[:, rows], 1e-300)) + log_density
        r = np.exp(joint - joint.max(axis=0))
        n, d = y.shape[1], y.shape[0]
        A, b = np.zeros((n, d, d)), np.zeros((n, d, 1))
        for P, share in zip(precisions, self.model.shares, strict=True):
            weighted = r[share][:, :, None, None] * P
            A += weighted.sum(axis=0)
            location = self.location[share][:, :, rows].transpose(0, 2, 1)
            b += (weighted @ location[..., None]).sum(axis=0)
        return np.asarray(np.linalg.solve(A, b)[:, :, 0].T, dtype=np.float64)

    def _heights(
        self, y: Floats, rows: Ints, designs: tuple[Design, ...]
    ) -> tuple[Floats, list[Floats]]:
        """Log densities (K, n) of the experts at some rows, their precisions in every group."""
        block = Block(designs, y, self.block.w[rows])
        seen = self.model.evaluate(self.params, block)
        groups = zip(self.model.groups, self.params.experts, seen.experts, strict=True)
        return seen.log_prob, [g.expert.precision(p, fwd) for g, p, fwd in groups]

    # -------------------------------------------------------------------- sampling

    def sample(self, rng: np.random.Generator) -> Floats:
        """One draw a row, (d, n)."""
        draws = _stacked([e.sample_at(p, eta, rng) for e, p, eta in self.parts])
        chosen = choose(self.weights, rng)
        return draws[chosen, :, np.arange(chosen.size)].T


def _stacked(parts: list[Floats]) -> Floats:
    """What all groups say, one below the other; a single one is not copied."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
