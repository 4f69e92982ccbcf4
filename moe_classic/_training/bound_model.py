"""Components bound to the designs that they see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from moe_classic._components import carrying
from moe_classic._data import (
    DesignMap,
    RawData,
    Rows,
    Summary,
    fit_design,
    raw_features,
    same_features,
)
from moe_classic._model import Group, Model
from moe_classic.experts import Description
from moe_classic.gates import Gate

from .wrap import with_data_names


@dataclass(frozen=True)
class BoundModel:
    """A model bound to designs: what ``fit`` works with after all arguments made sense."""

    model: Model
    maps: tuple[DesignMap, ...]

    @property
    def widths(self) -> list[int]:
        """Widths of the designs."""
        return [m.width for m in self.maps]


def bind(
    groups: list[tuple[str | None, Description, int]],
    gate: Gate,
    rows: Rows,
    *,
    raw: RawData,
    summary: Summary,
    names_in: list[str] | None,
    standardize: bool,
    classes: np.ndarray | None = None,
    n_jobs: int | None = None,
) -> BoundModel:
    """Fit the designs that gate and experts see and bind them; like designs are shared.

    Transformers are fitted on ``raw``, rows as the user gave them; moments are those of ``rows``.
    """
    specs: list[Any] = []
    maps: list[DesignMap] = []
    user_rows = np.flatnonzero(raw.used)
    columns = names_in or [f"x{j}" for j in range(raw.X.shape[1])]

    def design_of(component: Any) -> int:
        features, carried = component.sees, getattr(component, "carried", ())
        owner = type(component).__name__
        for number, spec, raw_too, with_it in specs:
            same = raw_too == component.raw and with_it == carried
            if same and same_features(spec, features):
                return number
        specs.append((len(maps), features, component.raw, carried))
        places = [item.place(columns, owner) for item in carried]
        if carried and features is None:
            features = [j for j in range(len(columns)) if j not in places]
        design = fit_design(
            features,
            rows,
            fit_on=(raw.X, raw.key.T.squeeze()),
            names_in=names_in,
            standardize=standardize,
            raw=component.raw,
            owner=owner,
        )
        if carried:
            component.check_carried(raw.X[:, places].T, raw.key, rows=user_rows)
            design = carrying(design, carried, columns, raw.X, raw.w, owner)
        maps.append(design)
        return len(specs) - 1

    gate_design = design_of(gate)
    gate = with_data_names(gate, maps[gate_design], classes, n_jobs)
    if gate.own_units:
        seen = maps[gate_design]
        features = raw_features(raw.X, seen.columns, seen.transformer, seen.names_in)
        gate, maps[gate_design] = gate.seeing(seen, features, raw.w, standardize=standardize)
        specs.clear()  # nobody shares a design in such units
    bound = []
    for label, expert, count in groups:
        expert.check_target(raw.key, rows=user_rows)
        number = design_of(expert)
        seeing = expert.bind(summary).seeing(maps[number], columns)
        bound_expert = with_data_names(seeing, maps[number], classes, n_jobs)
        bound.append(Group(bound_expert, count, number, label))
    return BoundModel(Model(gate, tuple(bound), gate_design), tuple(maps))
