"""EM under penalties with kinks, and Newton's method on the slopes that are not zero.

::

    theta = T u,   u <- u + (T' H T)^-1 T' g,   u the coordinates that are not zero

The steps of gate and experts minimise their quadratic models less the penalty, so that zeros are
exact; a step that falls is halved. Where such a step no longer changes which slopes are zero, the
penalised objective is smooth in the others, and as EM may crawl there, steps of Newton's method
with the observed information take turns with those of EM. A coordinate that would change its sign
stops at zero; the next step of EM says which slopes come in again. The end is where the conditions
of Karush, Kuhn and Tucker hold. Lee, Sun & Saunders (2014), Proximal Newton-type methods for
minimizing composite functions, SIAM Journal on Optimization 24.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from moe_classic._model import Model, MoEParams
from moe_classic._typing import Floats

from ._ascent import MonotoneAscent
from ._base import ENOUGH, Limits, Problem, Result
from ._paths import Path, Point, Survey
from ._quadratic import affordable, at_bound
from ._stopping import gain_left, tight_tolerance

#: Violation of the conditions of optimality, per unit of weight, at which a climb may end, and
#: passes of EM before the first step on the support.
_OPTIMAL = 1e-8
_FIRST = 3
#: Factor by which passes grow between two tries that failed, and halvings of a step.
_PATIENCE = 1.5
#: Curvature of a coordinate, over the largest, below which it is none.
_FLAT = 1e-14
_HALVINGS = 5


def kinks_path(
    problem: Problem, params: MoEParams, limits: Limits, *, newton: bool = True
) -> Path[Result]:
    """EM, with steps of Newton's method on the support where they are affordable."""
    ascent = MonotoneAscent(problem, (yield params), limits)
    newton = newton and affordable(problem, params)
    enough, turn = tight_tolerance(limits.enough, problem.summary.weight), _FIRST
    while not ascent.over:
        start = ascent.best
        point = yield from ascent.step(start)
        if point is None:
            break
        ascent.accept(point)
        ascent.left = gain_left(ascent.trace)
        if ascent.over:
            break
        if ascent.left <= enough and point.violation <= _OPTIMAL:
            ascent.end(ENOUGH)
        elif newton and ascent.passes >= turn and _same_zeros(problem.model, start, point):
            ahead = yield from _on_support(problem, point, ascent)
            if ahead is None:
                turn = int(_PATIENCE * ascent.passes) + 1
            else:
                ascent.accept(ahead)
    return ascent.result()


def _same_zeros(model: Model, a: Point, b: Point) -> bool:
    """Whether the same slopes are zero."""
    first, second = model.support(a.params)[0], model.support(b.params)[0]
    return first.shape == second.shape and bool((first == second).all())


def _on_support(problem: Problem, point: Point, ascent: MonotoneAscent) -> Path[Point | None]:
    """A point that Newton's method on the support leads to, or None where that does not climb."""
    model, summary = problem.model, problem.summary
    seen = yield Survey(point.params)
    ascent.passes += 1
    T, u, signed = model.support(point.params)
    held = at_bound(problem, model.pack(point.params), seen.gradient, point.params)
    free = ~(np.abs(T[held]).sum(axis=0) > 0.0)
    step = np.zeros_like(u)
    found = _newton_step(T[:, free].T @ seen.gradient, T[:, free].T @ seen.matrix @ T[:, free])
    if found is None:
        return None
    step[free] = found
    for _ in range(_HALVINGS):
        if ascent.passes >= ascent.max_iter:
            return None
        moved = np.where(signed & (u * (u + step) <= 0.0), 0.0, u + step)
        params = model.unpack(T @ moved, point.params, summary)
        ahead = yield from ascent.look(params)
        if ascent.not_below(ahead, point):
            return ahead
        step *= 0.25
    return None


def _newton_step(slope: Floats, matrix: Floats) -> Floats | None:
    """The step of Newton's method; None where the objective is not concave."""
    # A diagonal that is not positive, beside ordinary numbers, overflows where units are taken out.
    diagonal = np.diag(matrix)
    if not (
        np.isfinite(matrix).all() and (diagonal > _FLAT * np.abs(matrix).max(initial=0.0)).all()
    ):
        return None
    scale = np.sqrt(diagonal)
    values, vectors = np.linalg.eigh(matrix / np.outer(scale, scale))
    if values.size and values[0] < 1e-10:
        return None
    return np.asarray(vectors @ (vectors.T @ (slope / scale) / values) / scale)


def settled_zeros(problem: Problem, result: Result, limits: Limits) -> Path[Result]:
    """The result after steps of EM alone, which make zeros of an extrapolation exact."""
    rest = replace(limits, max_iter=max(limits.max_iter - result.n_iter, 2))
    last = yield from kinks_path(problem, result.params, rest, newton=False)
    trace = result.trace + [value for value in last.trace[1:] if value > result.objective]
    return replace(last, trace=trace, n_iter=result.n_iter + last.n_iter)
