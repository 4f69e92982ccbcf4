"""Several parameter records of one model as one: starts that advance together.

S starts of K experts are S K experts of one group, and the gate has a leading axis of S; whatever
goes over the rows then goes over them once, in one call where there were S::

    gate        coef (S, K - 1, q)       log_prob (S, K, G)
    experts     coef (S K, d, q)         log_prob (S K, n)
    R           (S, K, G)                objective (S,)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import cache
from typing import Any

import numpy as np

from moe_classic._data import Summary
from moe_classic._typing import Floats

from .model import Model, MoEParams


def stackable(model: Model, params: MoEParams) -> bool:
    """Whether parameters of this model may be stacked: none of its experts share a field."""
    experts = zip(model.groups, params.experts, strict=True)
    return (
        model.is_ours
        and model.n_experts > 1
        and model.gate.stacks(params.gate)
        and all(group.expert.stacks(p) for group, p in experts)
    )


def stack(several: Sequence[MoEParams]) -> MoEParams:
    """One record of all starts."""
    gate = _joined([p.gate for p in several], np.stack)
    experts = zip(*(p.experts for p in several), strict=True)
    return MoEParams(gate, tuple(_joined(group, np.concatenate) for group in experts))


def unstack(stacked: MoEParams, model: Model, count: int) -> list[MoEParams]:
    """The records of ``count`` starts."""
    gates = [_part(stacked.gate, s) for s in range(count)]
    groups = [
        [_part(p, slice(s * g.count, (s + 1) * g.count)) for s in range(count)]
        for g, p in zip(model.groups, stacked.experts, strict=True)
    ]
    return [MoEParams(*parts) for parts in zip(gates, zip(*groups, strict=True), strict=True)]


def penalties(model: Model, stacked: MoEParams, summary: Summary, count: int) -> Floats:
    """What is subtracted from the log-likelihood of each start, (S,)."""
    value = np.zeros(count)
    value += model.gate.penalties(stacked.gate, summary.of_gate)
    for group, p in zip(model.groups, stacked.experts, strict=True):
        each = np.broadcast_to(group.expert.penalties(p, summary), count * group.count)
        value += each.reshape(count, -1).sum(axis=1)
    return value


@cache
def _names(kind: Any) -> tuple[str, ...]:
    """Names of the fields of a record."""
    return tuple(f.name for f in fields(kind))


def _joined(records: Sequence[Any], join: Callable[[Sequence[Floats]], Floats]) -> Any:
    """One record with the fields of several; what is no array they have in common."""
    kind: Any = type(records[0])
    columns = ([getattr(r, name) for r in records] for name in _names(kind))
    return kind(*[join(c) if isinstance(c[0], np.ndarray) else c[0] for c in columns])


def _part(record: Any, where: Any) -> Any:
    """A record with part of every array."""
    kind: Any = type(record)
    columns = (getattr(record, name) for name in _names(kind))
    return kind(*[c[where] if isinstance(c, np.ndarray) else c for c in columns])
