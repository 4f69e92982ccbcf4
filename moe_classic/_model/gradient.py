"""The exact gradient of the mixture log-likelihood, and the size of its curvature.

Fisher's identity: with responsibilities ``S = w R`` held at their values,
``dL / dtheta = sum S d log(g_k p_k) / dtheta``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from moe_classic._data import Block, Stats
from moe_classic._numerics import empty, workspace
from moe_classic._typing import Floats

from .model import Model, MoEParams


@dataclass(frozen=True)
class GradientStats(Stats):
    """Objective without penalties, and its gradient (D,)."""

    objective: float
    gradient: Floats


@dataclass(frozen=True)
class DiagonalStats(Stats):
    """Size of the complete-data curvature along each coordinate, (D,)."""

    curvature: Floats


def likelihood_gradient(model: Model, params: MoEParams, block: Block) -> GradientStats:
    """Objective and gradient on one block."""
    with workspace():
        return _gradient(model, params, block)


def _gradient(model: Model, params: MoEParams, block: Block) -> GradientStats:
    """The same, with arrays that are reused."""
    forward = model.evaluate(params, block)
    S, row = forward.posterior(empty(forward.gate.log_prob.shape))
    S *= block.subject_w
    parts = [model.gate.gradient(params.gate, block.designs[model.gate_design], S)]
    rows = block.by_row(S)
    for group, p, fwd, share in zip(
        model.groups, params.experts, forward.experts, model.shares, strict=True
    ):
        first = group.expert.first_derivatives(p, fwd, block.y)
        design = block.designs[group.design]
        parts.append(group.expert.gradient_from(p, design, first, rows[share]))
    return GradientStats(float(row @ block.subject_w), np.concatenate(parts))


def diagonal(model: Model, params: MoEParams, block: Block) -> DiagonalStats:
    """Absolute complete-data curvature along each coordinate on one block.

    Serves as a scaling: gradient methods then see coordinates of like importance.
    """
    forward = model.evaluate(params, block)
    S, _ = forward.posterior()
    S *= block.subject_w
    size = model.gate.pack(params.gate).size
    if model.gate.has("derivatives") and not model.gate.plain:
        _, curvature = model.gate.derivatives(params.gate, forward.gate, S)
        design = block.designs[model.gate_design]
        parts = [design.squared_scores(np.einsum("aan->an", curvature)).ravel()]
    else:
        parts = [np.full(size, block.subject_w.sum())]
    rows = block.by_row(S)
    for group, p, fwd, share in zip(
        model.groups, params.experts, forward.experts, model.shares, strict=True
    ):
        _, second = group.expert.derivatives(p, fwd, block.y)
        weighted = np.abs(np.einsum("kjjn->kjn", second)) * rows[share][:, None]
        m = p.coef.shape[1]
        out = np.zeros(group.expert.pack(p).size)
        places = group.expert.coefficient_places(p)
        learned = places >= 0
        squares = block.designs[group.design].squared_scores(weighted[:, :m])
        np.add.at(out, places[learned], squares[learned])
        np.add.at(out, group.expert.nuisance_map(p), weighted[:, m:].sum(axis=-1))
        parts.append(out)
    return DiagonalStats(np.concatenate(parts))
