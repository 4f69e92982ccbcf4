"""What the portfolio of starts looks at: features and targets of a sample, in like units."""

from __future__ import annotations

import numpy as np

from moe_classic._data import (
    Design,
    DesignMap,
    Sample,
    SparseDesign,
    Summary,
    is_incomplete,
    leading_directions,
    summarise,
    tamed,
)
from moe_classic._model import Model
from moe_classic._targets import Target
from moe_classic._typing import Floats

from .missing import filled
from .starts import StartData
from .subject_starts import of_subjects
from .wrap import unit_columns


def view_of(
    sample: Sample, model: Model, maps: tuple[DesignMap, ...], target: Target, summary: Summary
) -> StartData:
    """Standardised features and targets of the sample, as the portfolio sees them."""
    block = sample.block(maps, target.to_model)
    designs = {model.gate_design, *(g.design for g in model.groups)}
    widest = max(designs, key=lambda number: block.designs[number].width)
    Z = _features(block.designs[widest], sample.w)
    if is_incomplete(Z):
        Z = filled(model, block, summary)[:-1]
    if sample.subjects is not None and maps[widest].averaged:
        Z = sample.subjects.at_rows(Z)
    X = unit_columns(Z.T, sample.w, model)
    first = model.groups[0]
    seen = first.expert.start_target(block.y, block.designs[first.design])
    values = block.y
    if seen is not None:
        values, summary = seen, summarise(seen, sample.w)
    points = tamed(target.points(values, summary).T, sample.w).T
    view = StartData(np.ascontiguousarray(X), points, sample.w, model.n_experts)
    return view if sample.subjects is None else of_subjects(view, sample.subjects)


def _features(design: Design, w: Floats) -> Floats:
    """Features (p, m) of a design; of sparse ones the directions in which rows differ most."""
    if isinstance(design, SparseDesign):
        return leading_directions(design.Z, w).T
    return design.Z[:-1]
