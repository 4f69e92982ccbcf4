"""Passes of mini-batch gradient ascent: judge, step, cut the rate, notice when it runs away."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from moe_classic._blocks import ArraySource, Block
from moe_classic._engine import SerialEngine
from moe_classic._linalg import softmax_in_place
from moe_classic._model import Model, MoEParams
from moe_classic._stats import Stats
from moe_classic._typing import Floats

from ._base import CAPPED, ENOUGH, STOPPED, Problem, Result, Watcher
from ._batches import batches, held_out, weight_of

if TYPE_CHECKING:
    from ._adam import GradientAscent

#: Cuts of the learning rate in a row that gained nothing, after which the climb is over.
_CUTS = 3
#: Fall below the best score, per unit of weight, that counts as running away when it lasts.
_COLLAPSE = 1.0
#: Smallest curvature per unit of weight by which a slope is divided.
_FLAT = 1e-3


class Epochs:
    """One climb by epochs.

    The score that decides is the objective per unit of weight, on held-out rows if there are any.
    """

    def __init__(
        self,
        solver: GradientAscent,
        problem: Problem,
        params: MoEParams,
        tol: float,
        watch: Watcher | None,
    ) -> None:
        self.solver, self.problem, self.tol, self.watch = solver, problem, tol, watch
        self.train, self.test = problem, None
        if solver.validation_fraction is not None:
            parts = held_out(problem.source, solver.validation_fraction, problem.seed)
            self.train, self.test = (_on(problem, part) for part in parts)
        self.rng = np.random.default_rng([problem.seed, 1])
        self.rate, self.rule = solver.learning_rate, solver.rule()
        self.curvature = np.ones(1)
        self.params = self.best = params
        self.trace: list[float] = []
        self.scores: list[float] = []
        self.high = self.mark = -np.inf
        self.waited = self.low = self.vain = 0
        self.gain_at_cut = -np.inf
        self.message, self.failure, self.converged = CAPPED, "", False

    # -------------------------------------------------------------------- the loop

    def run(self, max_iter: int) -> Result:
        """Up to ``max_iter`` epochs."""
        epoch = 0
        while epoch < max_iter:
            epoch += 1
            score, slope = self._judge()
            if not self._keep(score) or self._runs_away(slope) or self._over():
                break
            if epoch & (epoch - 1) == 0 and self.solver.scaled:
                # Epochs 1, 2, 4, 8 ...: the curvature settles as the fit does.
                self._measure()
            with np.errstate(over="ignore", invalid="ignore"):
                self._advance(slope)
        else:
            self._collapsed(CAPPED)
        return self._result(epoch)
