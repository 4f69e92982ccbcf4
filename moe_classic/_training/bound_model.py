"""Components bound to the designs that they see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import issparse

from moe_classic._adapters import TableColumns
from moe_classic._components import carrying, wide_from
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
    ranged = any(expert.ranged and count > 1 for _, expert, count in groups)
    wide = wide_from(summary.n_classes) if ranged else None
    designs = _Designs(rows, raw, names_in, wide, standardize=standardize, marginal=marginal)
    gate_design = designs.of(gate, averaged=raw.subjects is not None)
    check_widths(gate, designs.maps[gate_design])
    gate = with_data_names(gate, designs.maps[gate_design], classes, n_jobs)
    if gate.own_units:
        gate = designs.in_own_units(gate, gate_design)
    bound = []
    for label, expert, count in groups:
        expert.check_target(raw.key, rows=raw.user_rows)
        number = designs.of(expert)
        design = designs.maps[number]
        check_widths(expert, design)
        seeing = expert.bind(summary).seeing(design, designs.columns)
        seeing = seeing.suited(count, design.width, summary)
        bound.append(Group(with_data_names(seeing, design, classes, n_jobs), count, number, label))
    model = (ObservedModel if marginal else Model)(gate, tuple(bound), gate_design)
    return BoundModel(model, tuple(designs.maps))


class _Designs:
    """Designs that were fitted to rows so far; components that see the same share one."""

    def __init__(
        self,
        rows: Rows,
        raw: RawData,
        names_in: Names,
        wide: int | None,
        *,
        standardize: bool,
        marginal: bool,
    ) -> None:
        self.rows, self.raw, self.names_in, self.wide = rows, raw, names_in, wide
        self.standardize, self.marginal = standardize, marginal
        self.columns = list(names_in) if names_in else [f"x{j}" for j in range(raw.X.shape[1])]
        self.maps: list[DesignMap] = []
        self._specs: list[Any] = []

    def of(self, component: Any, *, averaged: bool = False) -> int:
        """Number of the design that a component sees."""
        features, how = component.sees, self._how(component)
        facts = [getattr(component, "carried", ()), *how.values()]
        for number, spec, *rest in self._specs:
            same = rest == facts and averaged == self.maps[number].averaged
            if same and same_features(spec, features):
                return int(number)
        self._specs.append((len(self.maps), features, *facts))
        design = self._fitted(component, how, averaged=averaged)
        if design.bends is None:
            self._specs[-1] = (*self._specs[-1][:-1], False)
        self.maps.append(design)
        return len(self.maps) - 1

    def _how(self, component: Any) -> dict[str, bool]:
        """In which way a component sees its features; whether they bend stands last."""
        return {
            "raw": component.raw,
            "missing": component.takes_missing or self.marginal,
            "sparse": component.takes_sparse or not issparse(self.raw.X),
            "intercept": getattr(component, "fit_intercept", True),
            "bends": getattr(component, "bends", False) and not self.marginal,
        }

    def _fitted(self, component: Any, how: dict[str, bool], *, averaged: bool) -> DesignMap:
        """A design of its own."""
        raw, owner = self.raw, type(component).__name__
        features, carried = component.sees, getattr(component, "carried", ())
        places = [item.place(self.columns, owner) for item in carried]
        _check_numbers(self.names_in, places, owner, sparse=issparse(raw.X))
        if carried and features is None:
            features = [j for j in range(len(self.columns)) if j not in places]
        design = fit_design(
            features,
            self.rows,
            fit_on=(raw.X, raw.key.T.squeeze()),
            names_in=self.names_in,
            standardize=self.standardize,
            averaged=averaged,
            wide=self.wide,
            owner=owner,
            **how,
        )
        if not carried:
            return design
        component.check_carried(raw.X[:, places].T, raw.key, rows=raw.user_rows)
        return carrying(design, carried, self.columns, raw.X, raw.w, owner)

    def in_own_units(self, gate: Gate, number: int) -> Gate:
        """The gate, which has its design in units of its own from now on."""
        raw, seen = self.raw, self.maps[number]
        if raw.subjects is not None:
            raise ValueError(
                f"{type(gate).__name__} describes counts and categories, and with groups a gate "
                "sees the means of each subject, which are none; use gate='softmax' or 'gaussian'."
            )
        features = raw_features(raw.X, seen.columns, seen.transformer, seen.names_in)
        gate, self.maps[number] = gate.seeing(seen, features, raw.w, standardize=self.standardize)
        self._specs.clear()  # nobody shares a design in such units
        return gate


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
