"""Objectives: from a block to the statistics of a step."""

from __future__ import annotations

from dataclasses import dataclass

from ._blocks import Block
from ._linalg import softmax_in_place
from ._model import Model, MoEParams, MoEStats
from ._typing import Floats


@dataclass(frozen=True)
class Mixture:
    """Log-likelihood of the mixture; ``S = w R`` with the posterior R of the experts.

    With a generative gate the likelihood is that of (x, y) jointly.
    """

    model: Model

    def responsibilities(self, params: MoEParams, block: Block) -> Floats:
        """Posterior probabilities of the experts given x and y, (K, n)."""
        seen = self.model.evaluate(params, block)
        R = seen.gate.log_prob + seen.log_prob
        softmax_in_place(R)
        return R

    def __call__(self, params: MoEParams, block: Block) -> MoEStats:
        """Statistics of one block at ``params``."""
        seen = self.model.evaluate(params, block)
        S = seen.gate.log_prob + seen.log_prob
        row = softmax_in_place(S)
        S *= block.w
        return self.model.statistics(params, seen, block, S, float(row @ block.w))


@dataclass(frozen=True)
class Assigned:
    """Complete-data log-likelihood under fixed responsibilities ``R`` (K, n) of a single block.

    What a start climbs before EM takes over.
    """

    model: Model
    R: Floats

    def __call__(self, params: MoEParams, block: Block) -> MoEStats:
        """Statistics of the one block at ``params``."""
        seen = self.model.evaluate(params, block)
        S = self.R * block.w
        objective = float((S * (seen.gate.log_prob + seen.log_prob)).sum())
        return self.model.statistics(params, seen, block, S, objective)
