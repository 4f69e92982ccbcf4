"""What a fit begins with and leaves: expanded data, the last look at them, the best run."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from moe_classic._data import Block, DesignMap, Source, Stats, beside_columns
from moe_classic._model import Model, MoEParams, MoEStats
from moe_classic._numerics import log_sum_exp, workspace
from moe_classic._targets import TrainingData
from moe_classic._typing import Floats
from moe_classic.solvers import Result

from .bound_model import BoundModel
from .online import OnlineState


@dataclass(frozen=True)
class FinalPass(Stats):
    """One look at the fitted model.

    Attributes
    ----------
    mass : (K,) weight that each expert explains
    log_likelihood : conditional log-likelihood
    stats : statistics at the fitted parameters, from which on-line learning goes on
    """

    mass: Floats
    log_likelihood: float
    stats: MoEStats

    def state(self, params: MoEParams, weight: float) -> OnlineState:
        """Where on-line learning stands after a fit."""
        return OnlineState(params, self.stats.scaled(1.0 / weight), weight)


@dataclass(frozen=True)
class Trained:
    """The best run, the report on all starts, and a last pass over the training data.

    ``n_degenerate`` counts experts of the best that are spurious or at a bound; ``error`` is to be
    raised once the best run has been kept.
    """

    result: Result
    report: list[dict[str, Any]]
    final_pass: FinalPass
    n_degenerate: int
    error: Exception | None = None


def expand(data: TrainingData, plan: BoundModel) -> tuple[TrainingData, tuple[DesignMap, ...]]:
    """Run transformers once: their output becomes further columns of X."""
    columns, maps, width = [data.X], [], data.X.shape[1]
    for m in plan.maps:
        if m.transformer is None:
            # What took all columns must not take those that are added here.
            every = np.arange(data.X.shape[1])
            maps.append(m if m.columns is not None else replace(m, columns=every))
            continue
        columns.append(m.raw(data.X))
        place = np.arange(width, width + columns[-1].shape[1])
        width += place.size
        maps.append(replace(m, columns=place, transformer=None, names_in=None, bends=None))
    if len(columns) == 1:
        return data, plan.maps
    return replace(data, X=beside_columns(columns)), tuple(maps)


def final_pass(model: Model, params: MoEParams, source: Source, engine: Any) -> FinalPass:
    """Look at the data once with the fitted model."""
    online = model.online()

    def look(block: Block) -> FinalPass:
        # Statistics of bounded size hold no rows: what they were made from may be reused.
        with workspace() if online.additive else nullcontext():
            forward, w = model.evaluate(params, block), block.subject_w
            ll = log_sum_exp(model.log_gate(params, block) + forward.density) @ w
            S, row = forward.posterior()
            S *= w
            mass = block.by_row(S).sum(axis=1)
            stats = online.statistics(params, forward, block, S, float(row @ w))
            return FinalPass(mass, float(ll), stats)

    return engine.map_reduce(look, source)
