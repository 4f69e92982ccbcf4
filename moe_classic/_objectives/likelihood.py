"""Objectives: from a block to the statistics of a step.

An objective is a sum over rows. Called with parameters and a block it gives the statistics of one
update of every component, which is what EM needs; ``value`` gives the sum alone, ``gradient`` the
sum and its gradient in unconstrained coordinates, which is what gradient solvers need.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np

from moe_classic._data import Block, Stats
from moe_classic._model import GradientStats, Model, MoEParams, MoEStats, likelihood_gradient
from moe_classic._numerics import log_sum_exp, softmax_in_place, workspace
from moe_classic._typing import Floats


@dataclass(frozen=True)
class ValueStats(Stats):
    """Objective without penalties."""

    objective: float


@dataclass(frozen=True)
class MixtureLikelihood:
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
        # Statistics of bounded size hold no rows: what they were made from may be reused.
        reuse = self.model.additive
        with workspace() if reuse else nullcontext():
            seen = self.model.evaluate(params, block)
            prior, density = seen.gate.log_prob, seen.log_prob
            S = np.add(prior, density, out=density if reuse else None)
            row = softmax_in_place(S, block.w)
            seen.gate.mass = block.w
            return self.model.statistics(params, seen, block, S, float(row @ block.w))

    def value(self, params: MoEParams, block: Block) -> ValueStats:
        """Log-likelihood of one block."""
        seen = self.model.evaluate(params, block)
        row = log_sum_exp(seen.gate.log_prob + seen.log_prob)
        return ValueStats(float(row @ block.w))

    def gradient(self, params: MoEParams, block: Block) -> GradientStats:
        """Log-likelihood of one block and its gradient, by Fisher's identity."""
        return likelihood_gradient(self.model, params, block)


@dataclass(frozen=True)
class FixedResponsibilities:
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
