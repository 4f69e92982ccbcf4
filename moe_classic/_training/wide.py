"""Starts of models with so many coefficients that only gradients are affordable.

Experts begin at one fit of all rows, whose classes they share, and the gate alone follows the
responsibilities: what tells the experts apart they find on the way up. A fit of each to its rows
would begin where few rows separate its classes, and cost a Newton system or many bounded steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.optimize import minimize

from moe_classic._data import Block, Summary
from moe_classic._model import Group, Model, MoEParams
from moe_classic._typing import Floats
from moe_classic.solvers import EM, LBFGS, Problem

#: Steps of the one fit of all rows, which is not to fit their noise, and of the gate, which is to
#: stay soft.
_POOLED, _GATE = 10, 5


def climbs_by_gradient(problem: Problem, params: MoEParams) -> bool:
    """Whether the model is wide, and has the gradients that it takes to climb without EM."""
    wide = problem.model.wide(params) and not problem.model.sparse
    return wide and isinstance(EM().finisher(problem, params), LBFGS)


def wide_starts(model: Model, block: Block, several: list[Floats], summary: Summary) -> list[Any]:
    """Parameters at several responsibilities (K, G) of the subjects of a block."""
    equal = model.start([d.width for d in block.designs], summary)
    pairs = zip(model.groups, equal.experts, strict=True)
    experts = tuple(_pooled(group, like, block, summary) for group, like in pairs)
    return [MoEParams(_led(model, equal.gate, block, R, summary), experts) for R in several]


def _pooled(group: Group, like: Any, block: Block, summary: Summary) -> Any:
    """Experts that are all alike, each fitted to all rows."""
    expert, design = group.expert, block.designs[group.design]
    if not expert.wide(like):
        return like
    one = expert.start(1, design.width, summary)

    def height(params: Any) -> tuple[float, Floats]:
        forward = expert.forward(params, design, block.y)
        first = expert.first_derivatives(params, forward, block.y)
        slope = expert.gradient_from(params, design, first, block.w[None])
        value = float(forward.log_prob[0] @ block.w) - expert.penalty_value(params, summary)
        return value, slope - expert.penalty_gradient(params, summary)

    coef = _climbed(expert, one, height, summary, _POOLED).coef
    return replace(like, coef=np.repeat(coef, group.count, axis=0))


def _led(model: Model, like: Any, block: Block, R: Floats, summary: Summary) -> Any:
    """A gate that leads rows to the experts that are responsible for them, by and large."""
    gate, design, S = model.gate, block.designs[model.gate_design], R * block.subject_w

    def height(params: Any) -> tuple[float, Floats]:
        value = float((S * gate.forward(params, design).log_prob).sum())
        slope = gate.gradient(params, design, S)
        value -= gate.penalty_value(params, summary)
        return value, slope - gate.penalty_gradient(params, summary)

    return _climbed(gate, like, height, summary, _GATE)


def _climbed(
    part: Any,
    like: Any,
    height: Callable[[Any], tuple[float, Floats]],
    summary: Summary,
    steps: int,
) -> Any:
    """Parameters of a component after some steps of L-BFGS."""
    theta = part.pack(like)
    if not theta.size:
        return like

    def loss(theta: Floats) -> tuple[float, Floats]:
        value, slope = height(part.unpack(theta, like, summary))
        return -value / summary.weight, -slope / summary.weight

    found = minimize(loss, theta, jac=True, method="L-BFGS-B", options={"maxiter": steps})
    return part.unpack(found.x, like, summary)
