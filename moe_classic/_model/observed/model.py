"""A Gaussian gate and Gaussian experts on rows of which features are missing.

The likelihood is that of what was observed, ``log sum_k pi_k N(x_o, y | k)``; missing at random, it
is that of the model. E-step: responsibilities, and of every expert the moments of what is missing;
M-step: the very same updates of gate and experts, on sums of expected products. Ghahramani &
Jordan (1994), Supervised learning from incomplete data via an EM approach, NIPS 6.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from moe_classic._components import Forward
from moe_classic._data import Block, Design
from moe_classic._model.model import Model, ModelForward, MoEParams, MoEStats
from moe_classic._numerics import log_normalised, pack_symmetric
from moe_classic._typing import Floats
from moe_classic.experts import LeastSquaresStats
from moe_classic.gates import SMALLEST, MomentStats

from .laws import Ahead, Completed, Joint, ahead, completed


@dataclass(frozen=True)
class ObservedModel(Model):
    """The model of a Gaussian gate and Gaussian experts that see all of one design.

    Blocks without missing values go the way of every model.
    """

    def misses(self, block: Block) -> bool:
        """Whether a block has missing values."""
        return bool(self._design(block).pieces)

    def _design(self, block: Block) -> Design:
        """The design that all components share."""
        return block.designs[self.gate_design]

    def joint(self, params: MoEParams) -> Joint:
        """Gate and experts as normal laws of (x, y)."""
        gate = params.gate
        K, p = gate.means.shape
        covariance = np.broadcast_to(gate.chol @ gate.chol.transpose(0, 2, 1), (K, p, p))
        coef = np.concatenate([part.coef for part in params.experts])
        noise = np.concatenate([noise_of(part) for part in params.experts])
        prior = np.log(np.maximum(gate.proportions, SMALLEST))
        return Joint(prior, gate.means, covariance, coef[..., :-1], coef[..., -1], noise)

    def ahead(self, params: MoEParams, block: Block) -> list[Ahead]:
        """What is known of rows before their targets are, piece by piece."""
        joint, design = self.joint(params), self._design(block)
        return [ahead(joint, design.Z, piece) for piece in design.pieces]

    # -------------------------------------------------------------------- evaluation

    def evaluate(self, params: MoEParams, block: Block) -> ModelForward:
        """Forward records; densities are those of what is seen."""
        if not self.misses(block):
            return super().evaluate(params, block)
        return self.observed(params, block)

    def observed(self, params: MoEParams, block: Block) -> ModelForward:
        """The same piece by piece, which the gate's record keeps for the statistics."""
        known = self.ahead(params, block)
        whole = [completed(part, block.y) for part in known]
        gate = Forward(self._by_row(known, "log_x", block), None, whole)
        density = self._by_row(whole, "log_y", block)
        experts = tuple(Forward(density[share].copy()) for share in self.shares)
        return ModelForward(gate, experts)

    def _by_row(self, parts: Any, name: str, block: Block) -> Floats:
        """What pieces say (u, K, r), as (K, n)."""
        out = np.empty((self.n_experts, block.w.size))
        for part in parts:
            out[:, part.rows] = getattr(part, name).swapaxes(0, 1)
        return out

    def log_gate_joint(self, params: MoEParams, block: Block) -> Floats:
        """Log of prior times density of what is seen of x, (K, n)."""
        if not self.misses(block):
            return self.gate.log_joint(params.gate, self._design(block))
        return self._by_row(self.ahead(params, block), "log_x", block)

    def log_gate(self, params: MoEParams, block: Block) -> Floats:
        """Log gate probabilities given what is seen, (K, n), or what is told in their place."""
        if block.told is not None or not self.misses(block):
            return super().log_gate(params, block)
        return log_normalised(self.log_gate_joint(params, block))

    def log_density(self, params: MoEParams, block: Block) -> Floats:
        """Log densities of the experts at every row, (K, n)."""
        return self.evaluate(params, block).log_prob

    # -------------------------------------------------------------------- statistics

    def statistics(
        self, params: MoEParams, forward: ModelForward, block: Block, S: Floats, objective: Any
    ) -> MoEStats:
        """Expected statistics of gate and experts, for weights ``S`` (K, n)."""
        if not isinstance(forward.gate.work, list):
            return super().statistics(params, forward, block, S, objective)
        gram, score, rss = expected_products(forward.gate.work, S)
        packed, mass = pack_symmetric(gram), gram[:, -1, -1].copy()
        experts = tuple(
            LeastSquaresStats(
                packed[share],
                score[share],
                rss[share] if hasattr(p, "chol") else np.einsum("kjj->kj", rss[share]),
                mass[share],
            )
            for p, share in zip(params.experts, self.shares, strict=True)
        )
        return MoEStats(objective, MomentStats(packed), experts)


def expected_products(parts: list[Completed], S: Floats) -> tuple[Floats, Floats, Floats]:
    """Weighted sums over rows of the expected products of (x, 1) and residuals.

    Returns
    -------
    gram : (K, q, q) of (x, 1) with itself, score : (K, d, q) of residuals with it, rss : (K, d, d)
    """
    sums: Any = (0.0, 0.0, 0.0)
    for part in parts:
        s = (S[:, part.rows] * part.counted).swapaxes(0, 1)[:, :, None]
        x = np.concatenate([part.x, np.ones_like(s)], axis=2)
        weighted, mass = s * part.e, s.sum(axis=-1, keepdims=True)
        turned, p = x.swapaxes(-1, -2), part.left.shape[-1]
        gram, score = (s * x) @ turned, weighted @ turned
        gram[..., :p, :p] += mass * part.left
        score[..., :p] += mass * part.shared
        rss = weighted @ part.e.swapaxes(-1, -2)
        rss -= mass * (part.shared @ part.slopes.swapaxes(-1, -2))
        here = (a.sum(axis=0) for a in (gram, score, rss))
        sums = tuple(a + b for a, b in zip(sums, here, strict=True))
    gram, score, rss = sums
    return gram, score, rss


def noise_of(params: Any) -> Floats:
    """Covariances of the noise of a group, (K, d, d)."""
    K, d = params.coef.shape[:2]
    if hasattr(params, "chol"):
        return np.broadcast_to(params.covariance, (K, d, d))
    return np.broadcast_to(params.scale, (K, d))[..., None] ** 2 * np.eye(d)
