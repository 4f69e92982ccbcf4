"""Several parameter records of one model as one: starts that advance together.

S starts of K experts are S K experts of one group, and the gate has a leading axis of S; whatever
goes over the rows then goes over them once, in one call where there were S::

    gate        coef (S, K - 1, q)       log_prob (S, K, G)
    experts     coef (S K, d, q)         log_prob (S K, n)
    R           (S, K, G)                objective (S,)

What a pass makes of all starts is taken apart only where one of them is asked for its own: those
that go on together are the whole as it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import cache, cached_property
from typing import Any

import numpy as np

from moe_classic._data import Summary
from moe_classic._typing import Floats

from .model import Model, MoEParams


class Taken(MoEParams):
    """The parameters of start ``number`` of ``count``, taken from the ``whole`` once asked for."""

    whole: MoEParams
    model: Model
    number: int
    count: int

    def __init__(self, whole: MoEParams, model: Model, number: int, count: int) -> None:
        self.__dict__.update(whole=whole, model=model, number=number, count=count)

    @cached_property
    def gate(self) -> Any:
        """Those of the gate."""
        return _part(self.whole.gate, self.number)

    @cached_property
    def experts(self) -> tuple[Any, ...]:
        """Those of each group of experts."""
        groups = zip(self.model.groups, self.whole.experts, strict=True)
        return tuple(_part(p, _place(self.number, g.count)) for g, p in groups)

    def __reduce__(self) -> tuple[type[MoEParams], tuple[Any, ...]]:
        """Sent elsewhere it leaves the others behind."""
        return MoEParams, (self.gate, self.experts)


def by_itself(params: MoEParams) -> MoEParams:
    """Parameters that hold nothing of other starts."""
    return MoEParams(params.gate, params.experts) if isinstance(params, Taken) else params


def stackable(model: Model, params: MoEParams) -> bool:
    """Whether parameters of this model may be stacked: none of its experts share a field."""
    if isinstance(params, Taken):
        return True
    experts = zip(model.groups, params.experts, strict=True)
    return (
        model.is_ours
        and model.n_experts > 1
        and model.gate.stacks(params.gate)
        and all(group.expert.stacks(p) for group, p in experts)
    )


def stack(several: Sequence[MoEParams]) -> MoEParams:
    """One record of all starts."""
    together = _still_together(several)
    if together is not None:
        return together
    gate = _joined([p.gate for p in several], np.stack)
    experts = zip(*(p.experts for p in several), strict=True)
    return MoEParams(gate, tuple(_joined(group, np.concatenate) for group in experts))


def unstack(stacked: MoEParams, model: Model, count: int) -> list[MoEParams]:
    """The records of ``count`` starts."""
    return [Taken(stacked, model, s, count) for s in range(count)]


def _still_together(several: Sequence[MoEParams]) -> MoEParams | None:
    """The record that all were taken from, or what is left of it; None if there is none."""
    first = several[0]
    if not isinstance(first, Taken):
        return None
    whole, groups = first.whole, first.model.groups
    numbers = [p.number for p in several if isinstance(p, Taken) and p.whole is whole]
    if len(numbers) < len(several):
        return None
    if numbers == list(range(first.count)):
        return whole
    rows = np.array(numbers)
    places = [(rows[:, None] * g.count + np.arange(g.count)).ravel() for g in groups]
    experts = zip(whole.experts, places, strict=True)
    return MoEParams(_part(whole.gate, rows), tuple(_part(p, place) for p, place in experts))


def _place(number: int, count: int) -> slice:
    """Where the experts of a start are among those of all."""
    return slice(number * count, (number + 1) * count)


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
