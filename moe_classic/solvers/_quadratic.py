"""The objective to second order around some parameters, and whether it is concave there.

On the way to an optimum a mixture passes saddles, where experts begin to tell rows apart. There the
observed information is not positive definite, and steps that use curvature may lead to another hill
than small ones do; once it is, all ways up end at the same top, seldom excepted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from moe_classic._model import Model, MoEParams, available, observed_information
from moe_classic._typing import Bools, Floats

from ._base import Problem

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
    value = stats.objective - model.penalty_value(params, summary)
    problem.seen(params, value)
    return Quadratic(
        value,
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
