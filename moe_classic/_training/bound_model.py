"""Components bound to the designs that they see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import issparse

from moe_classic._adapters import TableColumns
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
from moe_classic._model import Group, Model, ObservedModel
from moe_classic._typing import Names
from moe_classic.experts import Description
from moe_classic.gates import Gate
from moe_classic.penalties import Penalty

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
    names_in: Names,
    standardize: bool,
    classes: np.ndarray | None = None,
    n_jobs: int | None = None,
    marginal: bool = False,
) -> BoundModel:
    """Fit the designs that gate and experts see and bind them; like designs are shared.

    Where rows belong to subjects the gate has a design of its own, of their means.

    Transformers are fitted on ``raw``, rows as the user gave them; moments are those of ``rows``.
    A ``marginal`` model marginalises what is missing in its rows.
    """
    specs: list[Any] = []
    maps: list[DesignMap] = []
    user_rows = raw.user_rows
    columns = list(names_in) if names_in else [f"x{j}" for j in range(raw.X.shape[1])]

    def design_of(component: Any, *, averaged: bool = False) -> int:
        features, carried = component.sees, getattr(component, "carried", ())
        intercept = getattr(component, "fit_intercept", True)
        owner = type(component).__name__
        takes_missing = component.takes_missing or marginal
        bends = getattr(component, "bends", False) and not marginal
        takes_sparse = component.takes_sparse or not issparse(raw.X)
        facts = [component.raw, takes_missing, takes_sparse, carried, intercept, bends]
        for number, spec, *rest in specs:
            same = rest == facts and averaged == maps[number].averaged
            if same and same_features(spec, features):
                return number
        specs.append((len(maps), features, *facts))
        places = [item.place(columns, owner) for item in carried]
        _check_numbers(names_in, places, owner, sparse=issparse(raw.X))
        if carried and features is None:
            features = [j for j in range(len(columns)) if j not in places]
        design = fit_design(
            features,
            rows,
            fit_on=(raw.X, raw.key.T.squeeze()),
            names_in=names_in,
            standardize=standardize,
            raw=component.raw,
            averaged=averaged,
            intercept=intercept,
            missing=takes_missing,
            sparse=takes_sparse,
            bends=bends,
            owner=owner,
        )
        if design.bends is None:
            specs[-1] = (*specs[-1][:-1], False)
        if carried:
            component.check_carried(raw.X[:, places].T, raw.key, rows=user_rows)
            design = carrying(design, carried, columns, raw.X, raw.w, owner)
        maps.append(design)
        return len(maps) - 1

    gate_design = design_of(gate, averaged=raw.subjects is not None)
    check_widths(gate, maps[gate_design])
    gate = with_data_names(gate, maps[gate_design], classes, n_jobs)
    if gate.own_units:
        if raw.subjects is not None:
            raise ValueError(
                f"{type(gate).__name__} describes counts and categories, and with groups a gate "
                "sees the means of each subject, which are none; use gate='softmax' or 'gaussian'."
            )
        seen = maps[gate_design]
        features = raw_features(raw.X, seen.columns, seen.transformer, seen.names_in)
        gate, maps[gate_design] = gate.seeing(seen, features, raw.w, standardize=standardize)
        specs.clear()  # nobody shares a design in such units
    bound = []
    for label, expert, count in groups:
        expert.check_target(raw.key, rows=user_rows)
        number = design_of(expert)
        check_widths(expert, maps[number])
        seeing = expert.bind(summary).seeing(maps[number], columns)
        bound_expert = with_data_names(seeing, maps[number], classes, n_jobs)
        bound.append(Group(bound_expert, count, number, label))
    model = (ObservedModel if marginal else Model)(gate, tuple(bound), gate_design)
    return BoundModel(model, tuple(maps))


def _check_numbers(names_in: Names, places: list[int], owner: str, *, sparse: bool) -> None:
    """Raise if columns that stand in equations as they are do not hold numbers."""
    if places and sparse:
        raise TypeError(
            f"{owner}: a column of X that stands in an equation as it is, an offset or an "
            "exposure, must be dense; X is sparse. Leave it out, or pass X.toarray()."
        )
    for j in places:
        if isinstance(names_in, TableColumns) and not names_in.numeric[j]:
            raise ValueError(
                f"{owner}: column {names_in[j]!r} must hold numbers to stand in an equation as it "
                "is; it holds others."
            )


def check_widths(component: Any, design: DesignMap) -> None:
    """Raise unless the penalty of a component has a weight for each feature of its design."""
    penalty = getattr(component, "penalty", None)
    if isinstance(penalty, Penalty):
        penalty.check_width(type(component).__name__, design.names)
