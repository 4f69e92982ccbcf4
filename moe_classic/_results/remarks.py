"""What must be known of parameters besides their numbers: which are none of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from moe_classic._components import INTERCEPT, MEAN, SLOPE, STD, spoken
from moe_classic._data import DesignMap
from moe_classic._model import aliased_terms, constant_columns
from moe_classic._typing import Floats

from .tree import node_label

if TYPE_CHECKING:
    from .fitted import FittedMixture

ALIASED = "aliased: other columns say the same"
CONSTANT = "the feature is constant"
#: (part, kind, term), as in summaries.
Row = tuple[str, str, str]


def alias_remarks(fitted: FittedMixture) -> dict[Row, str]:
    """Terms that the data do not determine, since columns are constant or depend on each other."""
    model, found = fitted.model, dict(_of_gate(fitted))
    outputs = fitted.target.names
    parts = ["expert"] if len(outputs) == 1 else [f"expert: {name}" for name in outputs]
    owners: dict[tuple[Row, str], list[str]] = {}
    for group, share in zip(model.groups, model.shares, strict=True):
        for kind, term, text in _of_lines(fitted.null[group.design], fitted.maps[group.design]):
            for part in parts:
                owners.setdefault(((part, kind, term), text), []).extend(fitted.labels[share])
    for (row, text), labels in owners.items():
        own = text if len(labels) == model.n_experts else f"{text} ({', '.join(labels)})"
        found[row] = f"{found[row]}; {own}" if row in found else own
    return found


def _of_gate(fitted: FittedMixture) -> Iterator[tuple[Row, str]]:
    """Rows of the gate."""
    gate, number = fitted.model.gate, fitted.model.gate_design
    null, design = fitted.null[number], fitted.maps[number]
    tree = gate.layout(fitted.params.gate)
    if not gate.has("lines"):
        if gate.generative:
            for j in np.flatnonzero(constant_columns(null)[:-1]):
                yield ("gate", MEAN, design.names[j]), CONSTANT
                yield ("gate", STD, design.names[j]), CONSTANT
        return
    paths = [()] if tree is None else [tree.paths()[j] for j in tree.inner]
    for path in paths:
        for kind, term, text in _of_lines(null, design):
            if tree is not None:
                node = node_label(path)
                term = node if kind == INTERCEPT else f"{node} {term}"
            yield ("gate", kind, term), text


def _of_lines(null: Floats, design: DesignMap) -> Iterator[tuple[str, str, str]]:
    """(kind, term, text) of the terms of a line."""
    if not null.size:
        return
    slopes, intercept = aliased_terms(null, design)
    still = constant_columns(null)[:-1]
    if intercept:
        yield INTERCEPT, INTERCEPT, ALIASED
    for name, aliased, constant in zip(design.names, slopes, still, strict=True):
        if aliased or constant:
            yield SLOPE, name, CONSTANT if constant else ALIASED


def sentences(remarks: dict[Row, str]) -> list[str]:
    """The remarks in running text, terms with the same one together."""
    kinds = {kind for _, kind, _ in remarks}
    terms: dict[str, list[str]] = {}
    for (part, kind, term), text in remarks.items():
        terms.setdefault(text, []).append(f"{part} {spoken(kind, term, kinds)}")
    return [f"{', '.join(dict.fromkeys(names))}: {text}." for text, names in terms.items()]
