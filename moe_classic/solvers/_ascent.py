"""One path uphill by EM steps: what EM and its acceleration share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from moe_classic._model import MoEParams, by_itself

from ._apart import Apart
from ._base import APART, CAPPED, ENOUGH, SETTLED, STOPPED, STUCK, Limits, Problem, Result
from ._paths import Path, Point, walk
from ._stopping import Hands, gain_left

#: Halvings in a row after which a step counts as impossible.
_MAX_HALVINGS = 30
#: Fall, relative to the objective, that is rounding.
_ROUNDING = 1e-12


class MonotoneAscent:
    """Counts passes, keeps the best point and the trace, notes why the path ended.

    Parameters
    ----------
    problem : Problem
    first : Point
        Where the path begins.
    limits : Limits

    Attributes
    ----------
    best : Point
        The last accepted point.
    trace : list of float
    passes : int
    converged : bool
    message : str
    """

    def __init__(self, problem: Problem, first: Point, limits: Limits) -> None:
        self.problem, self.max_iter, self.monitor = problem, limits.max_iter, limits.monitor
        self.passes = 1
        self.trace: list[float] = []
        self.apart = Apart(problem, limits.calm)
        self.converged, self.message = False, CAPPED
        self.left = np.inf
        self.over = False
        self.accept(first)

    def look(self, params: MoEParams) -> Path[Point]:
        """Stand at ``params``: one pass."""
        self.passes += 1
        return (yield params)

    def accept(self, point: Point) -> None:
        """Take a point into the trace and tell the watcher."""
        self.best = point
        self.trace.append(max(point.value, self.trace[-1]) if self.trace else point.value)
        if self.monitor is not None and self.monitor(len(self.trace), self.trace[-1]):
            self.message, self.over = STOPPED, True
        elif self.apart(self.trace, point.params):
            self.end(APART)

    def not_below(self, point: Point, below: Point) -> bool:
        """Whether ``point`` is no lower than ``below``, up to rounding."""
        return bool(point.value >= below.value - _ROUNDING * abs(below.value))

    def step(self, start: Point) -> Path[Point | None]:
        """One EM step, halved until it climbs; None if the path ends here.

        Damping is free: the pass that evaluates a proposal also gives the statistics of the next
        step.
        """
        model, summary = self.problem.model, self.problem.summary
        params = start.ahead()
        for _ in range(_MAX_HALVINGS):
            if self.passes >= self.max_iter:
                self.over = True
                return None
            point = yield from self.look(params)
            if self.not_below(point, start):
                return point
            params = model.between(start.params, params, summary)
        self.end(STUCK)
        return None

    def end(self, message: str) -> None:
        """Note that the path has converged."""
        self.converged, self.message, self.over = True, message, True

    def result(self) -> Result:
        """Where the path led."""
        left = 0.0 if self.message == STUCK else self.left
        return Result(
            by_itself(self.best.params),
            self.trace[-1],
            self.trace,
            self.passes,
            self.converged,
            left,
            self.message,
            kkt_residual=self.best.violation if self.problem.model.sparse else np.nan,
        )


def run_em(problem: Problem, params: MoEParams, limits: Limits) -> Result:
    """EM proper, until little enough is left to gain."""
    return walk(problem, em_path(problem, params, limits))


def em_path(
    problem: Problem,
    params: MoEParams,
    limits: Limits,
    leave: Callable[[MonotoneAscent], bool] | None = None,
) -> Path[Result]:
    """EM proper, until little enough is left to gain, or ``leave`` says that there are faster ways.

    ``leave`` is asked before every step. Components that are refitted end where rows stay.
    """
    ascent = MonotoneAscent(problem, (yield params), limits)
    hands = Hands(limits.calm)
    while not ascent.over:
        if leave is not None and leave(ascent):
            break
        point = yield from ascent.step(ascent.best)
        if point is None:
            break
        ascent.accept(point)
        ascent.left = gain_left(ascent.trace)
        settled = hands.settled(point.weights)
        if not ascent.over and (settled or ascent.left <= limits.enough):
            ascent.end(SETTLED if settled else ENOUGH)
    return ascent.result()
