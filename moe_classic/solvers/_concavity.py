"""EM until the objective is concave around its steps, and faster steps from there."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np

from moe_classic._model import MoEParams

from ._ascent import MonotoneAscent
from ._base import APART, STOPPED, Limits, Problem, Result, joined_results
from ._paths import Path, Survey
from ._quadratic import Quadratic, concave
from ._squarem import squarem_path

#: Factor by which passes grow between two looks, and passes after which looking ends.
_PATIENCE = 1.5
_MOST = 200


class ConcavityCheck:
    """Tells a walk when it has come to where the objective is concave.

    Looks after 1, 3, 6, 10 ... passes, and no longer after 200: plateaus may go on for ever.

    Attributes
    ----------
    seen : Quadratic or None
        Around the point where the walk was told so.
    """

    def __init__(self, problem: Problem, max_iter: int) -> None:
        self.problem, self.last = problem, min(_MOST, max_iter // 2)
        self.seen: Quadratic | None = None
        self._next = 1

    def __call__(self, ascent: MonotoneAscent) -> Path[bool]:
        """Whether the walk may be left for faster ways up; looking counts as a pass."""
        if ascent.passes >= self.last:
            return True
        if ascent.passes < self._next:
            return False
        seen = yield Survey(ascent.best.params)
        ascent.passes += 1
        self._next = int(_PATIENCE * ascent.passes) + 1
        self.seen = seen if concave(self.problem, ascent.best.params, seen) else None
        return self.seen is not None


class Finish(Protocol):
    """Fast steps from ``params``, around which the objective may have been seen."""

    def __call__(
        self,
        problem: Problem,
        params: MoEParams,
        limits: Limits,
        *,
        seen: Quadratic | None = None,
    ) -> Path[Result]:
        """Where they lead."""


def warmed_up(problem: Problem, params: MoEParams, limits: Limits, finish: Finish) -> Path[Result]:
    """EM until the log-likelihood is concave around its steps, then ``finish`` from there.

    EM is extrapolated, which keeps to its hill and crosses plateaus in fewer passes.
    """
    check = ConcavityCheck(problem, limits.max_iter)
    # What is left to gain is for the faster steps to say.
    blind = replace(limits, enough=-np.inf)
    before = yield from squarem_path(problem, params, blind, check)
    rest = limits.less(before.n_iter)
    if before.message == APART:
        return before
    if rest.max_iter < 1 or before.message == STOPPED:
        return replace(before, converged=False)
    later = yield from finish(problem, before.params, rest, seen=check.seen)
    return joined_results(before, later)
