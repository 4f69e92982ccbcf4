"""Fits of the families that a family contains, from which it starts too.

Skew-normal noise without slant is Gaussian, skew-t noise with many degrees of freedom is
skew-normal. The fit of the smaller family, from the same starts, is a point of the larger one: a
fit that climbs on from there is never less likely than that, whatever its own starts find.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np

from moe_classic._model import Group, Model, MoEParams

from .ends import Trained
from .finalists import best_first
from .progress import no_monitor
from .stream_trainer import Best, StreamTrainer
from .trainer import Trainer


def from_portfolio(trainer: Trainer, init: str, n_init: int, rng: np.random.Generator) -> Trained:
    """The best of the model's own starts and of the fits of the families inside it."""
    climbs = trainer.keeps_shape and trainer.solver.maximises_likelihood
    smaller, same = nested_models(trainer.model) if climbs else [], deepcopy(rng)
    best = trainer.from_portfolio(init, n_init, rng)
    for model in smaller:
        found = _fit_of(trainer, model, init, n_init, deepcopy(same))
        best = _better(best, _climbed(trainer, model, found), trainer)
    return best


def nested_models(model: Model) -> list[Model]:
    """Models with each group replaced by the families inside it, by turns."""
    inside = [group.expert.nested() for group in model.groups]
    count = max(map(len, inside))
    return [
        replace(
            model,
            groups=tuple(
                replace(group, expert=own[min(i, len(own) - 1)]) if own else group
                for group, own in zip(model.groups, inside, strict=True)
            ),
        )
        for i in range(count)
    ]


def _fit_of(
    trainer: Trainer, model: Model, init: str, n_init: int, rng: np.random.Generator
) -> Trained:
    """The fit of a smaller model to the same rows."""
    # Not a copy: streams stay behind where trainers are copied for other processes.
    other = object.__new__(type(trainer))
    other.__dict__ |= {k: value for k, value in trainer.__dict__.items() if k != "null"}
    other.model, other.monitor_for = model, no_monitor
    if isinstance(other, StreamTrainer):
        other.best = Best()
    return from_portfolio(other, init, n_init, rng)


def _climbed(trainer: Trainer, smaller: Model, found: Trained) -> Trained:
    """Where the larger model gets from the fit of a smaller one; never below it."""
    params = found.result.params
    experts = tuple(
        _lifted(group, other, p)
        for group, other, p in zip(
            trainer.model.groups, smaller.groups, params.experts, strict=True
        )
    )
    return trainer.from_params(MoEParams(params.gate, experts), _name(smaller), never_below=True)


def _lifted(group: Group, other: Group, params: object) -> object:
    """Parameters of a group as those of the family that contains it."""
    return params if other.expert is group.expert else group.expert.from_nested(params)


def _name(model: Model) -> str:
    """What the start is called in the table of starts."""
    return "fit of " + ", ".join(dict.fromkeys(g.expert.name for g in model.groups))


def _better(best: Trained, other: Trained, trainer: Trainer) -> Trained:
    """The one that is higher, without degenerate experts if one has none; all starts reported."""
    mine, more = best.report, [row | {"start": len(best.report) + 1} for row in other.report]
    keys = [(t.n_degenerate > 0, -t.result.objective) for t in (best, other)]
    first, second = (best, other) if keys[0] <= keys[1] else (other, best)
    same = trainer.tol * trainer.summary.weight
    alike = keys[0][0] == keys[1][0] and abs(keys[0][1] - keys[1][1]) <= same
    if not alike:
        # The optimum of the other is not the best one any more, wherever it stood.
        if second is best:
            mine = [_later(row) for row in mine]
        else:
            more = [_later(row) for row in more]
    return replace(first, report=best_first(mine + more))


def _later(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the table of starts whose optimum is one place further from the best."""
    return row | {"optimum": row["optimum"] + (row["optimum"] > 0)}
