"""What solvers share: the problem they are given, the result they return, when they stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np

from moe_classic._blocks import Block, Source
from moe_classic._engine import SerialEngine, ThreadedEngine
from moe_classic._model import Model, MoEParams, MoEStats
from moe_classic._stats import Summary

#: Called after every accepted step with (iteration, objective); True asks to stop.
Watcher = Callable[[int, float], bool]


@dataclass(frozen=True)
class Problem:
    """Everything a solver needs besides a starting point."""

    model: Model
    objective: Callable[[MoEParams, Block], MoEStats]
    source: Source
    summary: Summary
    engine: SerialEngine | ThreadedEngine = field(default_factory=SerialEngine)

    def evaluate(self, params: MoEParams) -> tuple[float, MoEStats]:
        """Penalised objective and statistics at ``params``: one pass over the data."""
        with np.errstate(over="ignore", invalid="ignore"):
            stats = self.engine.map_reduce(lambda b: self.objective(params, b), self.source)
        return stats.objective - self.model.penalty(params, self.summary), stats


@dataclass(frozen=True)
class Result:
    """Where a solver ended.

    Attributes
    ----------
    params : MoEParams
        The parameters whose objective was evaluated last and accepted.
    objective : float
        Penalised objective at ``params``.
    trace : list of float
        Penalised objective at every accepted point; never falls.
    n_iter : int
        Passes over the data.
    converged : bool
    gain_left : float
        Estimate of what is still to gain, in nats.
    message : str
    """

    params: MoEParams
    objective: float
    trace: list[float]
    n_iter: int
    converged: bool
    gain_left: float
    message: str = ""


@runtime_checkable
class Solver(Protocol):
    """Climbs an objective from a starting point."""

    def run(
        self,
        problem: Problem,
        params: MoEParams,
        *,
        max_iter: int,
        tol: float,
        watch: Watcher | None = None,
    ) -> Result:
        """Climb for at most ``max_iter`` passes; ``tol`` is in nats per unit of weight."""


def gain_left(trace: list[float]) -> float:
    """Aitken's estimate of what a linearly converging sequence has still to gain.

    Two increments d1, d2 with ratio a = d2 / d1 < 1 leave d2 a / (1 - a) to gain. Infinite while
    there is no evidence of convergence.
    """
    if len(trace) < 3:
        return np.inf
    d1, d2 = trace[-2] - trace[-3], trace[-1] - trace[-2]
    if d2 <= 1e-14 * max(1.0, abs(trace[-1])):
        return 0.0
    ratio = d2 / d1 if d1 > 0.0 else np.inf
    return max(d2 * ratio / (1.0 - ratio), d2 * 1e-2) if ratio < 1.0 else np.inf
