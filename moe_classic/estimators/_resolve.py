"""From constructor arguments to a bound model: names, capability checks, designs."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from moe_classic._features import DesignMap, Rows, fit_design, same_features
from moe_classic._model import Group, Model
from moe_classic._stats import Summary
from moe_classic.experts import EXPERTS, Expert
from moe_classic.gates import GATES, Gate, SoftmaxGate, TreeGate

from ._data import RawData
from ._outside import adapted, labelled, wrapped_expert, wrapped_gate

#: Penalty on the slopes of a softmax gate that is given by name, where its experts tell classes
#: apart; that of the experts themselves. Where regions are separable, as on many features they
#: are, a gate that is all but free fits noise: digits lose a third of their held-out score.
_CLASS_ALPHA = 1e-4


def check_integer(name: str, value: Any, low: int, what: str) -> int:
    """``value`` as an int, or an error that says what is allowed."""
    if isinstance(value, numbers.Integral) and not isinstance(value, bool) and int(value) >= low:
        return int(value)
    kind = TypeError if not isinstance(value, numbers.Real) else ValueError
    raise kind(f"{name}={value!r} must be an integer >= {low}: {what}.")


def check_real(name: str, value: Any, low: float, what: str) -> float:
    """``value`` as a float, or an error that says what is allowed."""
    if isinstance(value, numbers.Real) and low <= float(value) < np.inf:
        return float(value)
    kind = TypeError if not isinstance(value, numbers.Real) else ValueError
    raise kind(f"{name}={value!r} must be a finite number >= {low}: {what}.")


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
        f"{base.__module__.rsplit('._', 1)[0]}.{base.__name__}.{hint}"
    )


def resolve_experts(
    value: Any, n_experts: int, target: str
) -> list[tuple[str | None, Expert, int]]:
    """Groups (label, expert, count) from the ``expert`` argument; each fits the target."""
    groups: list[tuple[str | None, Expert, int]]
    if isinstance(value, (list, tuple)):
        groups = [
            (label, by_name("expert", wrapped_expert(item), EXPERTS, Expert), 1)
            for label, item in labelled(value)
        ]
        labels = [label for label, _, _ in groups]
        if len(set(labels)) < len(labels):
            raise ValueError(f"expert={value!r}: names must differ, got {labels}.")
        if len(groups) != n_experts:
            raise ValueError(
                f"expert lists {len(groups)} experts but n_experts={n_experts}; make the two agree."
            )
    else:
        groups = [(None, by_name("expert", wrapped_expert(value), EXPERTS, Expert), n_experts)]
    for _, expert, _ in groups:
        if expert.target != target:
            right = sorted(n for n, cls in EXPERTS.items() if cls.target == target)
            raise ValueError(
                f"expert={expert.name!r} describes a {expert.target} target, this estimator needs "
                f"a {target} one; choose one of {right}"
                + (", or use MoEClassifier." if target == "real" else ", or use MoERegressor.")
            )
        expert.check()
    return groups


def resolve_gate(value: Any, n_experts: int | None = None, target: str = "real") -> Gate:
    """The gate from its argument; one that can choose between ``n_experts`` for the target."""
    gate = by_name("gate", wrapped_gate(value), GATES, Gate)
    if target == "class":
        gate = _between_classifiers(value, gate)
    gate.check()
    if n_experts is not None:
        gate.check_count(n_experts)
    return gate


def _between_classifiers(given: Any, gate: Gate) -> Gate:
    """Gates that were named rather than made get the slopes' penalty of class experts."""
    if isinstance(given, str) and given == "softmax":
        return SoftmaxGate(alpha=_CLASS_ALPHA)
    if isinstance(gate, TreeGate) and isinstance(gate.node, str) and gate.node == "softmax":
        return TreeGate(gate.branching, node=SoftmaxGate(alpha=_CLASS_ALPHA))
    return gate


@dataclass(frozen=True)
class Plan:
    """A model bound to designs: what ``fit`` works with after all arguments made sense."""

    model: Model
    maps: tuple[DesignMap, ...]

    @property
    def widths(self) -> list[int]:
        """Widths of the designs."""
        return [m.width for m in self.maps]


def bind(
    groups: list[tuple[str | None, Expert, int]],
    gate: Gate,
    rows: Rows,
    *,
    raw: RawData,
    summary: Summary,
    names_in: list[str] | None,
    standardize: bool,
    classes: np.ndarray | None = None,
    n_jobs: int | None = None,
) -> Plan:
    """Fit the designs that gate and experts see and bind them; like designs are shared.

    Transformers are fitted on ``raw``, rows as the user gave them; moments are those of ``rows``.
    """
    specs: list[Any] = []
    maps: list[DesignMap] = []

    def design_of(component: Any) -> int:
        features = getattr(component, "features", None)
        raw_rows = getattr(component, "raw", False)
        for number, (spec, raw_too) in enumerate(specs):
            if raw_too == raw_rows and same_features(spec, features):
                return number
        specs.append((features, raw_rows))
        maps.append(
            fit_design(
                features,
                rows,
                fit_on=(raw.X, raw.key.T.squeeze()),
                names_in=names_in,
                standardize=standardize,
                raw=raw_rows,
                owner=type(component).__name__,
            )
        )
        return len(specs) - 1

    gate_design = design_of(gate)
    gate = adapted(gate, maps[gate_design], classes, n_jobs)
    bound = []
    for label, expert, count in groups:
        number = design_of(expert)
        told = adapted(expert.bind(summary), maps[number], classes, n_jobs)
        bound.append(Group(told, count, number, label))
    return Plan(Model(gate, tuple(bound), gate_design), tuple(maps))
