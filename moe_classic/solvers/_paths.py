"""Ways up that ask for passes over the data and wait: one alone, or several together.

A path is a generator: it yields the parameters at which it wants to stand, is sent a
:class:`Point`, and returns a result. It decides by itself whether to damp, to go on or to end;
whoever walks it decides how the passes are made. Several paths of one problem share theirs: S
starts of K experts are S K experts of one group, and cost as many calls as one.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import TypeVar

import numpy as np

from moe_classic._model import MoEParams, penalties, stack, stackable, unstack

from ._base import Limits, Problem, Result, Solver, StepMonitor

T = TypeVar("T")


@dataclass(frozen=True)
class Point:
    """Parameters, the objective there, and the step of EM from there.

    Attributes
    ----------
    params : MoEParams
    value : float
        Penalised objective.
    ahead : callable
        Returns the parameters after the step.
    """

    params: MoEParams
    value: float
    ahead: Callable[[], MoEParams]


Path = Generator[MoEParams, Point, T]


def look(problem: Problem, params: MoEParams) -> Point:
    """One pass at ``params``; the step is taken once it is asked for."""
    value, stats = problem.evaluate(params)
    return Point(
        params, value, cache(partial(problem.model.update, params, stats, problem.summary))
    )


def look_together(problem: Problem, several: Sequence[MoEParams]) -> list[Point]:
    """One pass at several parameters at once."""
    if len(several) == 1 or not stackable(problem.model, several[0]):
        return [look(problem, params) for params in several]
    model, summary, count = problem.model, problem.summary, len(several)
    stacked = stack(several)
    with np.errstate(over="ignore", invalid="ignore"):
        stats = problem.engine.map_reduce(lambda b: problem.objective(stacked, b), problem.source)
    values = stats.objective - penalties(model, stacked, summary, count)
    ahead = unstack(model.update(stacked, stats, summary), model, count)
    steps = (partial(_known, params) for params in ahead)
    return [Point(*each) for each in zip(several, values.tolist(), steps, strict=True)]


def _known(params: MoEParams) -> MoEParams:
    """A step that was taken with those of others."""
    return params


def walk(problem: Problem, path: Path[T]) -> T:
    """Where a path leads that is walked alone."""
    return walk_together(problem, [path])[0]


def walk_together(problem: Problem, paths: Sequence[Path[T]]) -> list[T]:
    """Where paths lead that advance together; one that has ended leaves the others."""
    ends: dict[int, T] = {}
    asked: dict[int, MoEParams] = {}

    def go_on(number: int, point: Point | None) -> None:
        try:
            asked[number] = next(paths[number]) if point is None else paths[number].send(point)
        except StopIteration as end:
            ends[number] = end.value

    for number in range(len(paths)):
        go_on(number, None)
    while asked:
        numbers, several = list(asked), list(asked.values())
        asked.clear()
        for number, point in zip(numbers, look_together(problem, several), strict=True):
            go_on(number, point)
    return [ends[number] for number in range(len(paths))]


def run_together(
    solver: Solver,
    problem: Problem,
    several: Sequence[MoEParams],
    *,
    max_iter: int,
    tol: float,
    monitors: Sequence[StepMonitor | None],
) -> list[Result]:
    """What :meth:`Solver.run` leads to from several parameters, side by side where that goes."""
    solver.check()
    solver.check_model(problem.model)
    enough = tol * problem.summary.weight
    limits = [Limits(max_iter, enough, monitor) for monitor in monitors]
    starts = list(zip(several, limits, strict=True))
    if len(starts) > 1 and solver.shares_passes and stackable(problem.model, several[0]):
        return walk_together(problem, [solver.path(problem, *start) for start in starts])
    return [solver.climb(problem, *start) for start in starts]
