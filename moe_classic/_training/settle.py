"""The last digits of experts whose own steps do not lead there: kinks and ill-conditioned designs.

With responsibilities fixed each expert's weighted problem is solved to the end, with all rows at
once; with several experts in turn with the E-step, which climbs as EM does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from moe_classic._data import (
    MOST_ROWS,
    Block,
    Design,
    DesignMap,
    Source,
    SparseDesign,
    Summary,
    beside,
    is_incomplete,
    joined,
)
from moe_classic._model import Model, MoEParams
from moe_classic._typing import Floats
from moe_classic.solvers import Problem, Result

#: Rounds of E-steps and exact fits, and the gain, in nats per unit of weight, that ends them.
_ROUNDS, _ENOUGH = 30, 1e-13
#: Numbers of a sparse design that are laid out at most.
_MOST_LAID_OUT = 1 << 20
#: Rounding of a feature far from zero, in its spread, beyond which last digits say nothing: a
#: column that others give up to rounding would get a coefficient of its own.
_LOST = 1e-11


def settled(problem: Problem, result: Result, maps: tuple[DesignMap, ...]) -> Result:
    """The result with experts that are fitted to the last digit; the same where that is no higher.

    Only where all rows fit into one block, and for designs ``maps`` whose features kept digits.
    """
    block = _whole(problem.source, problem.summary)
    if block is None:
        return result
    for _ in range(_ROUNDS if problem.model.n_experts > 1 else 1):
        experts = _solved(problem.model, result.params, block, problem.summary, maps)
        if experts is None:
            break
        params = replace(result.params, experts=experts)
        value = problem.value(params)
        if not value > result.objective:
            break
        gain = value - result.objective
        trace = [*result.trace, value]
        result = replace(result, params=params, objective=value, trace=trace)
        if gain <= _ENOUGH * problem.summary.weight:
            break
    return result


def _whole(source: Source, summary: Summary) -> Block | None:
    """All rows as one block, None where they are too many."""
    if summary.n_rows > MOST_ROWS:
        return None
    blocks = list(source)
    if len(blocks) == 1:
        return blocks[0]
    designs = tuple(map(beside, zip(*(b.designs for b in blocks), strict=True)))
    parts = [b.subjects for b in blocks if b.subjects is not None]
    subjects = joined(parts) if parts else None
    y, w = _joined(b.y for b in blocks), _joined(b.w for b in blocks)
    return Block(designs, y, w, subjects)


def _as_it_is(design: Design) -> bool:
    """Whether a design is left alone: with missing values, or sparse and large to be laid out."""
    if isinstance(design, SparseDesign):
        return design.width * design.n > _MOST_LAID_OUT
    return is_incomplete(design.Z)


def _joined(parts: Iterable[Floats]) -> Floats:
    """Arrays (..., n) one after the other."""
    return np.concatenate(list(parts), axis=-1)


def _solved(
    model: Model,
    params: MoEParams,
    block: Block,
    summary: Summary,
    maps: tuple[DesignMap, ...],
) -> tuple[object, ...] | None:
    """Parameters of the experts after their weighted problems; None where nothing changed."""
    S = block.by_row(model.responsibilities(params, block)) * block.w
    experts = tuple(
        p
        if maps[g.design].rounding > _LOST or _as_it_is(block.designs[g.design])
        else g.expert.settle(p, block.designs[g.design].dense(), block.y, S[share], summary)
        for g, p, share in zip(model.groups, params.experts, model.shares, strict=True)
    )
    same = all(a is b for a, b in zip(experts, params.experts, strict=True))
    return None if same else experts
