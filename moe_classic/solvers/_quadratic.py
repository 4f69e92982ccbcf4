"""The objective to second order around some parameters, and whether it is concave there.

On the way to an optimum a mixture passes saddles, where experts begin to tell rows apart. There the
observed information is not positive definite, and steps that use curvature may lead to another hill
than small ones do; once it is, all ways up end at the same top, seldom excepted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from moe_classic._model import Model, MoEParams, available, observed_information
from moe_classic._typing import Bools, Floats

from ._ascent import MonotoneAscent
from ._base import APART, STOPPED, Limits, Problem, Result, joined_results
from ._extrapolation import extrapolated

#: Most parameters for which the information matrix is formed, and most rows times squared
#: parameters: a pass with the matrix costs some fifteenth of their number in passes with the
#: gradient, and Newton saves a factor of five to ten in passes. Beyond (16 experts, 10,000 rows)
#: fits took twice as long and ended no higher.
_LIMIT = 600
_WORK = 5e8
#: Step by which bounds are felt for.
_NUDGE = 1e-6
#: Eigenvalues of the scaled information above minus this are rounding.
_ROUNDING = 1e-7
#: Factor by which passes grow between two looks, and passes after which looking ends.
_PATIENCE = 1.5
_MOST = 200


@dataclass(frozen=True)
class Quadratic:
    """Penalised objective, its gradient (D,) and the negative Hessian (D, D)."""

    value: float
    gradient: Floats
    matrix: Floats

    def scale(self, weight: float) -> Floats:
        """Units (D,) in which all coordinates curve alike; ``weight`` is that of the rows."""
        return np.sqrt(np.maximum(np.abs(np.diag(self.matrix)), 1e-8 * weight))


def quadratic(problem: Problem, params: MoEParams) -> Quadratic:
    """One pass with the information matrix."""
    model, summary = problem.model, problem.summary
    with np.errstate(over="ignore", invalid="ignore"):
        stats = problem.engine.map_reduce(
            lambda b: observed_information(model, params, b), problem.source
        )
    return Quadratic(
        stats.objective - model.penalty_value(params, summary),
        stats.gradient - model.penalty_gradient(params, summary),
        stats.information + model.penalty_hessian(params, summary),
    )


def affordable(problem: Problem, params: MoEParams) -> bool:
    """Whether the information matrix exists and costs little beside the passes that it saves."""
    model: Model = problem.model
    size = model.pack(params).size
    small = size <= _LIMIT and problem.summary.n_rows * size**2 <= _WORK
    return small and available(model)


def at_bound(problem: Problem, theta: Floats, gradient: Floats, like: MoEParams) -> Bools:
    """Which coordinates sit at a bound, such as the floor of a scale, with the gradient outwards.

    Steps cannot move them, so the quadratic must not promise anything from them; (D,).
    """
    outwards = theta + _NUDGE * np.sign(gradient)
    back = problem.model.pack(problem.model.unpack(outwards, like, problem.summary))
    return np.abs(back - outwards) > 0.5 * _NUDGE


def concave(problem: Problem, params: MoEParams, seen: Quadratic) -> bool:
    """Whether no direction that is free to move curves upwards."""
    if not np.isfinite(seen.matrix).all():
        return False
    free = ~at_bound(problem, problem.model.pack(params), seen.gradient, params)
    scale = seen.scale(problem.summary.weight)[free]
    matrix = seen.matrix[np.ix_(free, free)] / np.outer(scale, scale)
    return not matrix.size or bool(np.linalg.eigvalsh(matrix)[0] >= -_ROUNDING)


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

    def __call__(self, ascent: MonotoneAscent) -> bool:
        """Whether the walk may be left for faster ways up; looking counts as a pass."""
        if ascent.passes >= self.last:
            return True
        if ascent.passes < self._next:
            return False
        seen = quadratic(self.problem, ascent.best.params)
        ascent.passes += 1
        self._next = int(_PATIENCE * ascent.passes) + 1
        self.seen = seen if concave(self.problem, ascent.best.params, seen) else None
        return self.seen is not None


class Ascend(Protocol):
    """Fast steps from ``params``, around which the objective may have been seen."""

    def __call__(
        self,
        problem: Problem,
        params: MoEParams,
        limits: Limits,
        *,
        seen: Quadratic | None = None,
    ) -> Result:
        """Where they lead."""


def warmed_up(problem: Problem, params: MoEParams, limits: Limits, ascend: Ascend) -> Result:
    """EM until the log-likelihood is concave around its steps, then ``ascend`` from there.

    EM is extrapolated, which keeps to its hill and crosses plateaus in fewer passes.
    """
    check = ConcavityCheck(problem, limits.max_iter)
    # What is left to gain is for the faster steps to say.
    before = extrapolated(problem, params, replace(limits, enough=-np.inf), check)
    rest = limits.less(before.n_iter)
    if before.message == APART:
        return before
    if rest.max_iter < 1 or before.message == STOPPED:
        return replace(before, converged=False)
    return joined_results(before, ascend(problem, before.params, rest, seen=check.seen))
