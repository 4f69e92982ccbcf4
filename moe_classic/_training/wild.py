"""Optima that one wild value of a feature hides: a step of Newton's method follows that row alone.

A sentinel at z standard deviations has curvature ``p (1 - p) z^2`` in the slopes of a logistic
part, until ``p`` is within ``1 / z^2`` of 0 or 1. While it lasts, steps are as small as that one
row allows, hardly anything is gained, and the climb seems to be over. So the climb is repeated with
such values moved in, and goes on from there on the rows as they are, if that is higher.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from moe_classic._data import ArraySource, Block
from moe_classic._model import Model, MoEParams
from moe_classic._typing import Floats
from moe_classic.solvers import Problem, Result

#: Standard deviations of all but wild values from which on a value is wild, and where it is put.
_FAR, _MOVED = 1e3, 10.0


@dataclass(frozen=True)
class _MovedIn:
    """Blocks of a source with the values of some features within bounds.

    Attributes
    ----------
    source : ArraySource
    limits : tuple of ndarray of shape (q, 1), one a design; infinite where nothing is moved
    """

    source: ArraySource
    limits: tuple[Floats, ...]

    def __iter__(self) -> Iterator[Block]:
        for block in self.source:
            pairs = zip(block.designs, self.limits, strict=True)
            yield replace(block, designs=tuple(d.within(at) for d, at in pairs))


def past_wild_values(
    problem: Problem, result: Result, run: Callable[[Problem, MoEParams], Result]
) -> Result:
    """The result, or a higher one that begins where wild values have been moved in.

    ``run`` climbs from parameters. Designs in memory only; nothing is done without wild values.
    """
    if not isinstance(problem.source, ArraySource) or not _has_logits(problem.model):
        return result
    limits = _limits(problem.source)
    if not any(np.isfinite(at).any() for at in limits):
        return result
    moved = run(replace(problem, source=_MovedIn(problem.source, limits)), result.params)
    begun = problem.value(moved.params)
    if not begun > result.objective:
        return result
    on = run(problem, moved.params)
    higher = [v for v in (begun, *on.trace[1:]) if v >= begun]
    n_iter = result.n_iter + moved.n_iter + on.n_iter
    return replace(on, trace=result.trace + higher, n_iter=n_iter)


def _has_logits(model: Model) -> bool:
    """Whether experts or gate are logistic in x."""
    classes = model.groups[0].expert.kind.classes
    return model.is_ours and (classes or (model.n_experts > 1 and not model.gate.generative))


def _limits(source: ArraySource) -> tuple[Floats, ...]:
    """Bounds of the rows of each design."""
    farthest: list[Floats] | None = None
    for block in source:
        here = [d.sizes() for d in block.designs]
        farthest = here if farthest is None else list(map(np.maximum, farthest, here))
    return tuple(np.where(far > _FAR, _MOVED, np.inf) for far in farthest or [])
