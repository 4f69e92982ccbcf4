"""Ways up that ask for passes over the data and wait: one alone, or several together.

A path is a generator: it yields the parameters at which it wants to stand and is sent a
:class:`Point`, or it yields a :class:`Survey` and is sent the objective to second order; it returns
a result. It decides by itself whether to damp, to go on or to end; whoever walks it decides how the
passes are made. Several paths of one problem share theirs: S starts of K experts are S K experts of
one group, and cost as many calls as one.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, TypeVar

import numpy as np

from moe_classic._model import (
    MoEParams,
    by_itself,
    observed_information,
    penalties,
    stack,
    stackable,
    unstack,
)
from moe_classic._objectives import WeightedLikelihood
from moe_classic._typing import Floats

from ._base import Limits, Problem, Result, Solver, StepMonitor
from ._quadratic import Quadratic, quadratic

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
    weights : ndarray of shape (K, n), or None
        Weights of the rows for each expert, where statistics hold rows.
    violation : float
        Of the conditions of optimality by slopes under a lasso, in nats per unit of weight.
    """

    params: MoEParams
    value: float
    ahead: Callable[[], MoEParams]
    weights: Floats | None = None
    violation: float = 0.0


@dataclass(frozen=True)
class Survey:
    """Asks for the objective to second order around some parameters."""

    params: MoEParams


#: What a path yields, is sent, and returns.
Path = Generator[MoEParams | Survey, Any, T]

#: Takes a path and returns one that may end earlier.
Watcher = Callable[[Path[Result]], Path[Result]]


def look(problem: Problem, params: MoEParams) -> Point:
    """One pass at ``params``; the step is taken once it is asked for."""
    params = by_itself(params)
    value, stats = problem.evaluate(params)
    step = cache(partial(problem.model.update, params, stats, problem.summary))
    if not problem.model.sparse:
        return Point(params, value, step, stats.row_weights())
    left = problem.model.optimality(params, stats, problem.summary)
    worst = max(float(np.max(part, initial=0.0)) for part in left)
    return Point(params, value, step, stats.row_weights(), worst)


def look_together(problem: Problem, several: Sequence[MoEParams]) -> list[Point]:
    """One pass at several parameters at once."""
    if not several:
        return []
    if len(several) == 1 or not stackable(problem.model, several[0]):
        return [look(problem, params) for params in several]
    model, summary, count = problem.model, problem.summary, len(several)
    stacked = stack(several)
    with np.errstate(over="ignore", invalid="ignore"):
        stats = problem.engine.map_reduce(partial(problem.objective, stacked), problem.source)
    values = stats.objective - penalties(model, stacked, summary, count)
    ahead = unstack(model.update(stacked, stats, summary), model, count)
    steps = (partial(_known, params) for params in ahead)
    return [Point(*each) for each in zip(several, values.tolist(), steps, strict=True)]


def survey_together(problem: Problem, several: Sequence[MoEParams]) -> list[Quadratic]:
    """The objective to second order around several parameters: one pass."""
    if not several:
        return []
    model, summary, count = problem.model, problem.summary, len(several)
    together = count > 1 and stackable(model, several[0])
    if not together:
        return [quadratic(problem, params) for params in several]
    stacked = stack(several)
    with np.errstate(over="ignore", invalid="ignore"):
        stats = problem.engine.map_reduce(
            lambda b: observed_information(model, stacked, b, several[0]), problem.source
        )
    values = stats.objective - penalties(model, stacked, summary, count)
    parts = zip(values.tolist(), stats.gradient, stats.information, several, strict=True)
    return [
        Quadratic(
            value,
            gradient - model.penalty_gradient(params, summary),
            matrix + model.penalty_hessian(params, summary),
        )
        for value, gradient, matrix, params in parts
    ]


def _known(params: MoEParams) -> MoEParams:
    """A step that was taken with those of others."""
    return params


def walk(problem: Problem, path: Path[T]) -> T:
    """Where a path leads that is walked alone."""
    return walk_together(problem, [path])[0]


def walk_together(
    problem: Problem,
    paths: Sequence[Path[T]],
    of: Callable[[list[int]], Problem] | None = None,
) -> list[T]:
    """Where paths lead that advance together; one that has ended leaves the others.

    ``of`` gives the problem that some of them have in common; None says that it is the same.
    """
    ends: dict[int, T] = {}
    answers: dict[int, Any] = dict.fromkeys(range(len(paths)))
    while answers:
        points: dict[int, MoEParams] = {}
        surveys: dict[int, MoEParams] = {}
        for number, answer in answers.items():
            try:
                asked = paths[number].send(answer)
            except StopIteration as end:
                ends[number] = end.value
                continue
            if isinstance(asked, Survey):
                surveys[number] = asked.params
            else:
                points[number] = asked
        now, then = (problem if of is None else of([*asked]) for asked in (points, surveys))
        seen = look_together(now, list(points.values()))
        around = survey_together(then, list(surveys.values()))
        answers = dict(zip([*points, *surveys], [*seen, *around], strict=True))
    return [ends[number] for number in range(len(paths))]


def run_together(
    solver: Solver,
    problem: Problem,
    several: Sequence[MoEParams],
    *,
    max_iter: int,
    tol: float,
    monitors: Sequence[StepMonitor | None],
    watched: Watcher | None = None,
) -> list[Result]:
    """What :meth:`Solver.run` leads to from several parameters, side by side where that goes.

    ``watched`` may end a path early, where its passes can be shared.
    """
    solver.check()
    solver.check_model(problem.model)
    enough = tol * problem.summary.weight
    limits = [Limits(max_iter, enough, monitor, tol**0.5) for monitor in monitors]
    starts = list(zip(several, limits, strict=True))
    if not solver.shares_passes or (len(starts) == 1 and watched is None):
        return [solver.climb(problem, *start) for start in starts]
    paths = [solver.path(problem, *start) for start in starts]
    if watched is not None:
        paths = [watched(path) for path in paths]
    if stackable(problem.model, several[0]):
        return walk_together(problem, paths)
    return [walk(problem, path) for path in paths]


def run_weighted(
    solver: Solver,
    problem: Problem,
    several: Sequence[MoEParams],
    weights: Floats,
    *,
    max_iter: int,
    tol: float,
) -> list[Result]:
    """What a solver of first derivatives leads to where each start weighs the rows in its way.

    Parameters
    ----------
    solver : Solver
        One that shares its passes.
    problem : Problem
        Of a single block.
    several : sequence of MoEParams
    weights : ndarray of shape (S, n)
    max_iter, tol
        As for :meth:`Solver.run`.
    """
    (block,), limits = (
        problem.source,
        Limits(max_iter, tol * problem.summary.weight, None, tol**0.5),
    )
    own = [replace(problem, source=[replace(block, w=w)]) for w in weights]
    starts = zip(own, several, strict=True)

    def of(numbers: list[int]) -> Problem:
        return replace(problem, objective=WeightedLikelihood(problem.model, weights[numbers]))

    return walk_together(problem, [solver.path(each, p, limits) for each, p in starts], of)
