"""All terms of a fitted model: what the tables speak of, component by component."""

from __future__ import annotations

import numpy as np
import pandas as pd

from moe_classic._components import ComponentTerms, Label, Units, block_diagonal
from moe_classic._model import MoEParams
from moe_classic._results import term_index
from moe_classic._typing import Floats

from ._case import FittedModel


class Terms:
    """All terms of a case: experts one by one, for each output, then the gate."""

    def __init__(self, case: FittedModel) -> None:
        model, params = case.model, case.params
        parts = [model.gate.terms(params.gate, _units(case, model.gate_design, case.labels))]
        for group, p, share in zip(model.groups, params.experts, model.shares, strict=True):
            parts.append(group.expert.terms(p, _units(case, group.design, case.labels[share])))
        self._parts: list[ComponentTerms] = parts
        stack = [label for p in parts for label in p.labels]
        self._order = _table_order(stack, case.labels)
        bounds = [pair for p in parts for pair in p.bounds]
        self.labels: list[Label] = [stack[i] for i in self._order]
        self.kinds = {kind for _, _, kind, _ in stack}
        self.bounds = np.array([bounds[i] for i in self._order]).reshape(-1, 2)
        self.coordinates: list[Label] = [label for p in parts for label in p.coordinates]

    def index(self) -> pd.MultiIndex:
        """Labels as an index whose rows are sorted, so that it can be looked into by part."""
        return term_index(self.labels, ["part", "expert", "kind", "term"])

    def values(self, params: MoEParams) -> Floats:
        """Terms (M,) at parameters for the standardised target."""
        pieces = (params.gate, *params.experts)
        values = [p.values(piece) for p, piece in zip(self._parts, pieces, strict=True)]
        return np.concatenate(values)[self._order]

    def jacobian(self, params: MoEParams) -> Floats:
        """Derivatives of the terms in theta, (M, D)."""
        pieces = (params.gate, *params.experts)
        blocks = [p.jacobian(piece) for p, piece in zip(self._parts, pieces, strict=True)]
        return block_diagonal(blocks)[self._order]


def _table_order(labels: list[Label], experts: list[str]) -> list[int]:
    """Part by part, the gate last; expert by expert, what they share last; kind by kind."""
    parts = sorted(dict.fromkeys(part for part, *_ in labels), key="gate".__eq__)
    owners = list(dict.fromkeys([*experts, *(name for _, name, *_ in labels)]))
    kinds = list(dict.fromkeys(kind for *_, kind, _ in labels))
    keys = [(parts.index(p), owners.index(o), kinds.index(kind)) for p, o, kind, _ in labels]
    return sorted(range(len(keys)), key=keys.__getitem__)


def _units(case: FittedModel, design: int, labels: list[str]) -> Units:
    """Units and names of one component."""
    outputs = case.outputs
    parts = ["expert"] if len(outputs) == 1 else [f"expert: {name}" for name in outputs]
    return Units(case.maps[design], labels, parts, case.shift, case.factor)
