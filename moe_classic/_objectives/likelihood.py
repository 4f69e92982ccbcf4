"""Objectives: from a block to the statistics of a step.

An objective is a sum over rows. Called with parameters and a block it gives the statistics of one
update of every component, which is what EM needs; ``value`` gives the sum alone, ``gradient`` the
sum and its gradient in unconstrained coordinates, which is what gradient solvers need.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np

from moe_classic._data import Block, Stats, Summary, total
from moe_classic._model import (
    GradientStats,
    Model,
    MoEParams,
    MoEStats,
    check_densities,
    likelihood_gradient,
)
from moe_classic._numerics import log_sum_exp, softmax_in_place, workspace
from moe_classic._typing import Floats


@dataclass(frozen=True)
class ValueStats(Stats):
    """Objective without penalties."""

    objective: float


@dataclass(frozen=True)
class MixtureLikelihood:
    """Log-likelihood of the mixture; ``S = w R`` with the posterior R of the experts.

    Where rows belong to subjects it is the sum over these of ``log sum_k g_k prod f_k``. With a
    generative gate the likelihood is that of (x, y) jointly.
    """

    model: Model

    def __call__(self, params: MoEParams, block: Block) -> MoEStats:
        """Statistics of one block at ``params``."""
        # Statistics of bounded size hold no rows: what they were made from may be reused.
        reuse = self.model.additive
        with workspace() if reuse else nullcontext():
            forward = self.model.evaluate(params, block)
            prior, density = forward.gate.log_prob, forward.density
            w = self.weights(block, prior.ndim)
            S = np.add(prior, density, out=density if reuse else None)
            row = softmax_in_place(S, w)
            forward.gate.mass = w
            height = row @ w if w.ndim == 1 else (row * w).sum(axis=-1)
            if np.isnan(height).any():
                check_densities(self.model, params, block)
            return self.model.statistics(params, forward, block, S, height)

    def weights(self, block: Block, ndim: int) -> Floats:
        """Weights of the subjects, (G,)."""
        return block.subject_w

    def value(self, params: MoEParams, block: Block) -> ValueStats:
        """Log-likelihood of one block."""
        row = log_sum_exp(self.model.log_joint(params, block))
        return ValueStats(float(row @ block.subject_w))

    def gradient(self, params: MoEParams, block: Block) -> GradientStats:
        """Log-likelihood of one block and its gradient, by Fisher's identity."""
        return likelihood_gradient(self.model, params, block)


@dataclass(frozen=True)
class WeightedLikelihood(MixtureLikelihood):
    """Log-likelihoods of several mixtures that each give the rows of one block weights (S, n)."""

    W: Floats

    def weights(self, block: Block, ndim: int) -> Floats:
        """Those of all mixtures, or of the one there is: log priors have a leading axis or not."""
        return self.W if ndim > 2 else self.W[0]


@dataclass(frozen=True)
class FixedResponsibilities:
    """Complete-data log-likelihood under fixed responsibilities ``R`` (K, G) of a single block.

    Those of several starts are (S, K, G).

    What a start climbs before EM takes over.
    """

    model: Model
    R: Floats

    def __call__(self, params: MoEParams, block: Block) -> MoEStats:
        """Statistics of the one block at ``params``."""
        forward = self.model.evaluate(params, block)
        S = self.R * block.subject_w
        objective = (S * forward.log_joint()).sum(axis=(-2, -1))
        return self.model.statistics(params, forward, block, S, objective)


def update_under(
    model: Model,
    params: MoEParams,
    blocks: Iterable[Block],
    R: Floats,
    summary: Summary,
    *,
    n_updates: int,
) -> MoEParams:
    """Parameters after some updates under fixed responsibilities ``R``, (K, G) or (S, K, G).

    Subjects of ``R`` are those of all blocks, which are read once an update, in their order.
    """
    for _ in range(n_updates):
        stop, parts = 0, []
        for block in blocks:
            start, stop = stop, stop + block.subject_w.size
            parts.append(FixedResponsibilities(model, R[..., start:stop])(params, block))
        params = model.update(params, total(parts), summary)
    return params
