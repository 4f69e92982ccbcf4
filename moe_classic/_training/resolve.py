"""From constructor arguments to a bound model: names, capability checks, designs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moe_classic._components import TARGETS
from moe_classic.experts import EXPERTS, Description, UniformExpert, shares_any
from moe_classic.gates import GATES, Gate

from .wrap import labelled, wrapped_expert, wrapped_gate


def by_name(argument: str, value: Any, registry: Mapping[str, type], base: type) -> Any:
    """A component from a registered name or an instance."""
    if isinstance(value, str):
        if value not in registry:
            raise ValueError(
                f"{argument}={value!r} is not known; choose one of {sorted(registry)} or pass an "
                f"instance."
            )
        return registry[value]()
    if isinstance(value, base):
        return value
    hint = f" Write {value.__name__}() with parentheses." if isinstance(value, type) else ""
    raise TypeError(
        f"{argument}={value!r} must be one of {sorted(registry)} or an instance of "
        f"moe_classic.{argument}s.{argument.capitalize()}.{hint}"
    )


def _expert(value: Any) -> Description:
    """An expert from its argument, or an item of it."""
    expert: Description = by_name("expert", wrapped_expert(value), EXPERTS, Description)
    return expert.by_name() if isinstance(value, str) else expert


def resolve_experts(
    value: Any, n_experts: int, target: str
) -> list[tuple[str | None, Description, int]]:
    """Groups (label, expert, count) from the ``expert`` argument; each fits the target."""
    groups: list[tuple[str | None, Description, int]]
    if isinstance(value, (list, tuple)):
        groups = [(label, _expert(item), 1) for label, item in labelled(value)]
        for label, item, _ in groups:
            if shares_any(item):
                raise ValueError(
                    f"expert: {label!r} is one expert of a list, fitted apart from the others, and "
                    f"has shared={item.shared!r}; slopes are shared by the experts of one "
                    f"description: expert={item!r} with n_experts={n_experts}."
                )
            pooling = getattr(item, "pooling", 0.0)
            if pooling:
                raise ValueError(
                    f"expert: {label!r} is one expert of a list, fitted apart from the others, and "
                    f"has pooling={pooling!r}; slopes are drawn towards the mean of the experts of "
                    f"one description: expert={item!r} with n_experts={n_experts}."
                )
        labels = [label for label, _, _ in groups]
        if len(set(labels)) < len(labels):
            raise ValueError(f"expert={value!r}: names must differ, got {labels}.")
        if len(groups) != n_experts:
            raise ValueError(
                f"expert lists {len(groups)} experts but n_experts={n_experts}; make the two agree."
            )
    else:
        groups = [(None, _expert(value), n_experts)]
    for _, expert, _ in groups:
        expert.check()
        if expert.kind.classes != TARGETS[target].classes:
            wanted = TARGETS[target].classes
            right = sorted(n for n, c in EXPERTS.items() if TARGETS[c.target].classes == wanted)
            raise ValueError(
                f"expert={expert.name!r} describes a {expert.target} target, this estimator needs "
                f"a {target} one; choose one of {right}"
                + (", or use MoEClassifier." if target == "real" else ", or use MoERegressor.")
            )
    _check_like([expert for _, expert, _ in groups])
    return groups


def _check_like(experts: list[Description]) -> None:
    """Raise where some experts give single values a probability and others a density."""
    told = {e.intervals: e for e in experts if not isinstance(e, UniformExpert)}
    if len(told) > 1:
        raise ValueError(
            f"expert: {told[True]!r} is told the ends between which y lies and {told[False]!r} is "
            "not; wrap all of them in CensoredExpert, or none."
        )
    kinds = {(e.kind.discrete, e.kind.step): e for e in experts}
    if len(kinds) > 1:
        a, b = list(kinds.values())[:2]
        raise ValueError(
            f"expert: {a.name!r} describes a {a.target} target and {b.name!r} a {b.target} one; "
            "probabilities and densities cannot be mixed. Name experts for one kind of target."
        )


def resolve_gate(value: Any, n_experts: int | None = None, target: str = "real") -> Gate:
    """The gate from its argument; one that can choose between ``n_experts`` for the target."""
    gate = by_name("gate", wrapped_gate(value), GATES, Gate)
    if TARGETS[target].classes:
        gate = gate.for_classes(named=isinstance(value, str))
    gate.check()
    if n_experts is not None:
        gate.check_count(n_experts)
    return gate
