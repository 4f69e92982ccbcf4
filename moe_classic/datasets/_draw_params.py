"""Random parameters of gates and experts, at asked distances from one another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from moe_classic._components import Regions
from moe_classic._data import Design, Summary
from moe_classic._training import BoundModel
from moe_classic._typing import Floats
from moe_classic.experts import LinearExpert


def draw_gate(
    plan: BoundModel,
    pilot: Floats,
    summary: Summary,
    rng: np.random.Generator,
    *,
    sharpness: float,
    shares: Floats,
) -> Any:
    """Parameters of the gate: every expert has a centre, and the nearest centre leads.

    Parameters
    ----------
    plan : bound model
    pilot : rows (n, p) on which regions are laid out
    summary : moments of the target
    rng : Generator
    sharpness : log odds of an expert against its nearest neighbour at its own centre
    shares : relative weights of the experts (K,), which sum to 1
    """
    gate, K, design = plan.model.gate, plan.model.n_experts, plan.maps[plan.model.gate_design]
    start = gate.start(K, design.width, summary)
    return gate.draw(start, Regions(design(pilot)[:-1].T, shares, sharpness, rng))


def draw_experts(
    plan: BoundModel,
    pilot: Floats,
    summary: Summary,
    rng: np.random.Generator,
    *,
    gate_params: Any,
    separation: float,
    noise: Floats,
) -> tuple[Any, ...]:
    """Parameters of the groups of experts: slopes in common, and a part of each expert's own.

    Experts for classes have nothing in common; each is undecided in the middle of its region, so
    that it draws all classes.

    Parameters
    ----------
    plan : bound model
    pilot : rows (n, p) on which distances are measured
    summary : moments of the target
    rng : Generator
    gate_params : parameters of the gate, which say where the regions are
    separation : root mean square difference of two experts' predictors
    noise : scales of the experts (K,)
    """
    designs = [Design(m(pilot)) for m in plan.maps]
    groups = plan.model.groups
    starts = [g.expert.start(g.count, designs[g.design].width, summary) for g in groups]
    own = [rng.standard_normal(p.coef.shape) for p in starts]
    shared: Any = 0.0
    if summary.n_classes:
        log_gate = plan.model.gate.log_gate(gate_params, designs[plan.model.gate_design])
        for group, coef, share in zip(groups, own, plan.model.shares, strict=True):
            g = np.exp(log_gate[share])
            middle = designs[group.design].scores(g) / g.sum(axis=1, keepdims=True)
            coef[..., -1] -= np.einsum("kmq,kq->km", coef, middle)
    elif len({g.design for g in groups}) == 1:
        # Experts that see different features share nothing: it would set them apart.
        shared = rng.standard_normal(own[0].shape[1:])
        shared[:, -1] = 0.0
    lines = [designs[g.design].linear(c) for g, c in zip(groups, own, strict=True)]
    factor = separation / _distance(np.concatenate(lines))
    result = []
    for group, p, part, share in zip(groups, starts, own, plan.model.shares, strict=True):
        changes = group.expert.draw(p, noise[share], rng)
        # What is known, such as coefficients of offsets, stays as it is.
        learned = group.expert.coefficient_places(p) >= 0
        coef = np.where(learned, shared + factor * part, p.coef)
        drawn = replace(p, coef=coef, **changes)
        linear = isinstance(group.expert, LinearExpert)
        result.append(group.expert.agreed(drawn) if linear else drawn)
    return tuple(result)


def _distance(eta: Floats) -> float:
    """Root mean square difference of the predictors (K, M, n) of two experts.

    A single expert is measured against zero, in the unit of two independent ones.
    """
    K = len(eta)
    if K == 1:
        return float(np.sqrt(2.0 * np.square(eta).mean()))
    return float(np.sqrt(2.0 * K / (K - 1) * np.square(eta - eta.mean(axis=0)).mean()))
