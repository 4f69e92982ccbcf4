"""Experts that a likelihood finds in noise: few rows that happen to lie all but on one line.

BIC charges half a log n for a coefficient, as if it were known to the noise of all rows over root
n. One that is known to a noise r times smaller has taken r times as much choice: Laplace's
approximation of the evidence charges ``log r`` more (Kass & Raftery 1995, Bayes factors, Journal of
the American Statistical Association 90). An expert that is worth less to the likelihood than it
costs by that account is spurious (Day 1969, Estimating the components of a mixture of normal
distributions, Biometrika 56).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np

from moe_classic._data import Block, Summary, summed
from moe_classic._numerics import log_sum_exp
from moe_classic._typing import Bools, Floats, Ints

from .model import Model, MoEParams

#: How much more precise than the others an expert is that is looked at.
_PRECISE = float(np.log(3.0))
#: What the choice of a scale costs, all being as likely on the log scale down to a usual floor.
_ANY_SCALE = float(np.log(np.log(1e3)))
#: Largest worth of a row, in nats: where no other expert reaches it is infinite.
_MOST = 1e6


def spurious(model: Model, params: MoEParams, blocks: Iterable[Block], summary: Summary) -> Bools:
    """Which experts are worth less than they cost, (K,); only those that are very precise."""
    K = model.n_experts
    pairs = list(zip(model.groups, params.experts, strict=True))
    excess = [g.expert.excess_precision(p, summary) for g, p in pairs]
    suspect = np.concatenate(excess) > _PRECISE
    if K == 1 or not suspect.any():
        return np.zeros(K, dtype=bool)
    coefs = [np.full(g.count, _coefficients(p)) for g, p in pairs]
    size = [np.full(g.count, g.expert.n_parameters(p) / g.count) for g, p in pairs]
    gate = model.gate.n_parameters(params.gate) / (K - 1)
    half = 0.5 * np.log(max(summary.weight, 2.0))
    cost = half * (np.concatenate(size) + gate)
    cost += np.concatenate(coefs) * np.concatenate(excess) + _ANY_SCALE
    looked_at = np.flatnonzero(suspect)
    worth = summed(partial(_worth, model, params, looked_at), blocks)
    suspect[looked_at] = worth < cost[looked_at]
    return suspect


def _worth(model: Model, params: MoEParams, looked_at: Ints, block: Block) -> Floats:
    """What the log-likelihood of a block loses where an expert falls to the others, (suspects,)."""
    gate = model.log_gate(params, block)
    joint = gate + model.evaluate(params, block).density
    whole, lost = log_sum_exp(joint), np.empty(looked_at.size)
    for i, k in enumerate(looked_at.tolist()):
        others = np.delete(np.arange(len(joint)), k)
        left = log_sum_exp(joint[others]) - log_sum_exp(gate[others])
        lost[i] = block.subject_w @ np.maximum(whole - left, -_MOST).clip(max=_MOST)
    return lost


def _coefficients(params: Any) -> float:
    """Coefficients of one expert."""
    return float(params.coef[0].size) if hasattr(params, "coef") else 0.0
