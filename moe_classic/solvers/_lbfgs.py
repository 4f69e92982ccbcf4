"""Batch gradient ascent with limited-memory curvature.

::

    theta <- theta + step H g,   H from the last pairs of steps and gradient changes

Exact gradients by Fisher's identity; coordinates scaled by the complete-data curvature at the
start. The iteration is scipy's L-BFGS-B (Byrd, Lu, Nocedal & Zhu 1995).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from moe_classic._gradient import diagonal, gradient
from moe_classic._model import MoEParams
from moe_classic._typing import Floats

from ._base import Problem, Result, Watcher, gain_left


class _Stop(Exception):  # noqa: N818 - not an error: leaves scipy's loop
    """Leave the loop: a callback asked to, or what is left is below tol."""


@dataclass(frozen=True)
class LBFGS:
    """L-BFGS ascent of the log-likelihood in unconstrained, scaled coordinates.

    Parameters
    ----------
    memory : int, default=20
        Pairs of steps and gradient changes that are remembered.
    """

    memory: int = 20

    def check(self, problem: Problem) -> None:
        """Raise if a component has no gradient, or one with jumps."""
        for group in problem.model.groups:
            if not (group.expert.smooth and hasattr(group.expert, "derivatives")):
                raise ValueError(
                    f"solver='lbfgs' needs a smooth log density; {group.expert.name!r} experts "
                    "have none. Use solver='em'."
                )

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
        self.check(problem)
        climb = _Climb(problem, params, max_iter, tol * problem.summary.weight, watch)
        try:
            found = minimize(
                climb.value,
                climb.start,
                jac=True,
                method="L-BFGS-B",
                callback=climb.accept,
                options={
                    "maxcor": self.memory,
                    "maxfun": max(max_iter - 1, 1),
                    "maxiter": max_iter,
                    "ftol": 1e-15,
                    "gtol": 0.0,
                    "maxls": 40,
                },
            )
            # scipy reports success when rounding ends the line search: nothing is left to gain.
            climb.converged = climb.passes < max_iter and found.status != 1
            climb.message = "no step climbs any further" if climb.converged else climb.message
        except _Stop:
            pass
        return climb.result()


class _Climb:
    """Bookkeeping around scipy's loop: scaling, trace, stopping."""

    def __init__(
        self,
        problem: Problem,
        params: MoEParams,
        max_iter: int,
        enough: float,
        watch: Watcher | None,
    ) -> None:
        self.problem, self.like, self.watch = problem, params, watch
        self.enough, self.max_iter = enough, max_iter
        curvature = problem.engine.map_reduce(
            lambda b: diagonal(problem.model, params, b), problem.source
        ).curvature
        size = curvature + np.diag(problem.model.penalty_hessian(params, problem.summary))
        self.scale = np.sqrt(np.maximum(size, 1e-6 * problem.summary.weight))
        self.start = problem.model.pack(params) * self.scale
        self.best, self.trace, self.left = params, [], np.inf
        self.passes, self.converged = 1, False
        self.message = "the largest number of iterations was reached"
        self.last: tuple[Floats, float] | None = None

    def value(self, x: Floats) -> tuple[float, Floats]:
        """Negative penalised objective and gradient at scaled coordinates."""
        model, summary = self.problem.model, self.problem.summary
        params = model.unpack(x / self.scale, self.like, summary)
        with np.errstate(over="ignore", invalid="ignore"):
            stats = self.problem.engine.map_reduce(
                lambda b: gradient(model, params, b), self.problem.source
            )
        self.passes += 1
        value = stats.objective - model.penalty(params, summary)
        slope = (stats.gradient - model.penalty_gradient(params, summary)) / self.scale
        if not np.isfinite(value):
            value, slope = -1e300, np.zeros_like(x)
        if not self.trace:
            self.trace.append(value)
        self.last = (x.copy(), value)
        return -value, -slope

    def accept(self, x: Floats) -> None:
        """Record an accepted step; scipy calls this after each iteration."""
        if self.last is None or not np.array_equal(self.last[0], x):
            self.value(x)
        value = self.last[1]
        if value >= self.trace[-1]:
            self.best = self.problem.model.unpack(x / self.scale, self.like, self.problem.summary)
        self.trace.append(max(value, self.trace[-1]))
        self.left = gain_left(self.trace)
        if self.watch is not None and self.watch(len(self.trace), value):
            self.message = "stopped by a callback"
            raise _Stop
        # Steps of a quasi-Newton method are uneven: look at several before trusting the gain.
        if len(self.trace) > 6 and self.trace[-1] - self.trace[-6] <= 0.1 * self.enough:
            self.converged, self.message = True, "what is left to gain is below tol"
            raise _Stop
        if self.passes >= self.max_iter:
            raise _Stop

    def result(self) -> Result:
        """What the loop led to."""
        left = 0.0 if self.converged else self.left
        value = self.trace[-1] if self.trace else -np.inf
        return Result(self.best, value, self.trace, self.passes, self.converged, left, self.message)
