"""Densities of a mixed gate as users see them: in their units, as rows and as terms."""

from __future__ import annotations

from typing import Any

import numpy as np

from moe_classic._components import WEIGHT, ComponentTerms, Units, constraint_of
from moe_classic._data import DesignMap
from moe_classic._typing import Floats
from moe_classic.gates._base import GateRow

from .places import Place


def density_of(p: Place, values: Floats, design: DesignMap) -> dict[str, Floats]:
    """Values of one column in the units of the user, each (K,); of categories (K, levels)."""
    if p.column.family == "categorical":
        return {"levels": np.array(p.column.levels), "probability": values.copy()}
    shift, factor = _units(p, design)
    return dict(zip(dict(p.family.kinds), (shift + factor * values).T, strict=True))


def table_rows(shown: dict[str, Any]) -> list[GateRow]:
    """Proportion, and the values of every density, of each expert."""
    table: list[GateRow] = [{(WEIGHT, WEIGHT): float(w)} for w in shown["weights_"]]
    for name, density in shown["densities_"].items():
        levels = density.get("levels")
        for kind, values in density.items():
            if kind == "levels":
                continue
            for k, row in enumerate(table):
                if levels is None:
                    row[kind, name] = float(values[k])
                else:
                    row.update(zip(_titles(kind, name, levels), values[k].tolist(), strict=True))
    return table


def column_terms(p: Place, label: str, k: int, units: Units) -> ComponentTerms:
    """Values of one column under one expert."""
    name, kinds = units.design.names[p.number], p.family.kinds
    if p.column.family == "categorical":
        titles = _titles(kinds[0][0], name, p.column.levels)
    else:
        titles = [(kind, name) for kind, _ in kinds]
    bounds = [constraint_of(c).interval(None) for _, c in kinds]
    shift, factor = _units(p, units.design)
    labels = [("gate", label, *title) for title in titles]
    return ComponentTerms(
        labels,
        bounds if len(bounds) == len(labels) else bounds * len(labels),
        labels[: p.j.stop - p.j.start],
        lambda params: shift + factor * params.values[k, p.v],
        lambda params: (
            (factor * np.ones(len(labels)))[:, None] * p.family.value_slopes(params.values[k, p.v])
        ),
    )


def _units(p: Place, design: DesignMap) -> tuple[Floats, Floats]:
    """Shift and factor from the units of the design to those of the user, one a value."""
    takes = np.array(p.family.units)
    shift = np.zeros(takes.size)
    shift[0] = design.centre[p.number]
    return shift, np.where(takes, design.unit[p.number], 1.0)


def _titles(kind: str, name: str, levels: Any) -> list[tuple[str, str]]:
    """Kind and term of every level of a categorical column."""
    return [(kind, f"{name}[{level:g}]") for level in levels]
