"""What must be known of parameters besides their numbers: which are none of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from moe_classic._components import INTERCEPT, MEAN, SLOPE, STD, spoken
from moe_classic._data import DesignMap
from moe_classic._model import (
    Model,
    MoEParams,
    Separation,
    aliased_terms,
    constant_columns,
    separated_terms,
)
from moe_classic._targets import Target
from moe_classic._typing import Floats

from .tree import node_label

ALIASED = "aliased: other columns say the same"
CONSTANT = "the feature is constant"
SEPARATED = "separated: infinite, or set by the penalty"
#: (part, kind, term), as in summaries.
Row = tuple[str, str, str]


class Determined(Protocol):
    """What is asked of a fit: its model, and what the data left open."""

    @property
    def model(self) -> Model: ...
    @property
    def params(self) -> MoEParams: ...
    @property
    def maps(self) -> tuple[DesignMap, ...]: ...
    @property
    def null(self) -> tuple[Floats, ...]: ...
    @property
    def separated(self) -> tuple[Separation, ...]: ...
    @property
    def target(self) -> Target: ...
    @property
    def labels(self) -> list[str]: ...


def remarks_of(fitted: Determined) -> dict[Row, str]:
    """Terms that the data do not determine: of columns that say nothing new, or separated."""
    model, found = fitted.model, dict(_separated_gate(fitted)) | dict(_of_gate(fitted))
    outputs = fitted.target.names
    parts = ["expert"] if len(outputs) == 1 else [f"expert: {name}" for name in outputs]
    owners: dict[tuple[Row, str], list[str]] = {}
    for label, row in _separated_experts(fitted, parts):
        owners.setdefault((row, SEPARATED), []).append(label)
    for group, share in zip(model.groups, model.shares, strict=True):
        for kind, term, text in _of_lines(fitted.null[group.design], fitted.maps[group.design]):
            for part in parts:
                owners.setdefault(((part, kind, term), text), []).extend(fitted.labels[share])
    for (row, text), labels in owners.items():
        own = text if len(labels) == model.n_experts else f"{text} ({', '.join(labels)})"
        found[row] = f"{found[row]}; {own}" if row in found else own
    return found


def _of_gate(fitted: Determined) -> Iterator[tuple[Row, str]]:
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


def _separated_gate(fitted: Determined) -> Iterator[tuple[Row, str]]:
    """Rows of the gate whose coefficients the data push to infinity."""
    design, params = fitted.maps[fitted.model.gate_design], fitted.params.gate
    shape = fitted.model.gate.layout(params)
    for s in fitted.separated:
        if s.component > 0:
            continue
        node = None
        if shape is not None:
            (j,) = (j for j in shape.inner if shape.first_row[j] == s.first)
            node = node_label(shape.paths()[j])
        for line in range(s.lines):
            for kind, name in _separated_line(s, line, design):
                term = name if node is None else node if kind == INTERCEPT else f"{node} {name}"
                yield ("gate", kind, term), SEPARATED


def _separated_experts(fitted: Determined, parts: list[str]) -> Iterator[tuple[str, Row]]:
    """Label of an expert, and its row whose coefficient the data push to infinity."""
    for s in fitted.separated:
        if s.component == 0:
            continue
        number = s.component - 1
        label = fitted.labels[fitted.model.shares[number]][s.first // s.lines]
        design = fitted.maps[fitted.model.groups[number].design]
        for line in range(s.lines):
            for kind, term in _separated_line(s, line, design):
                yield label, (parts[line], kind, term)


def _separated_line(s: Separation, line: int, design: DesignMap) -> Iterator[tuple[str, str]]:
    """(kind, term) of what is not determined of a line."""
    slopes, intercept = separated_terms(s, line, design)
    if intercept:
        yield INTERCEPT, INTERCEPT
    for j in np.flatnonzero(slopes):
        yield SLOPE, design.names[j]


def _of_lines(null: Floats, design: DesignMap) -> Iterator[tuple[str, str, str]]:
    """(kind, term, text) of the terms of a line."""
    if not null.size:
        return
    slopes, intercept = aliased_terms(null, design)
    still = constant_columns(null)[: len(design.names)]
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
