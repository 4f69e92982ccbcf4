"""Batch gradient ascent with limited-memory curvature.

::

    theta <- theta + step H g,   H from the last pairs of steps and gradient changes

Exact gradients by Fisher's identity; coordinates scaled by the complete-data curvature at the
start. The iteration is scipy's L-BFGS-B (Byrd, Lu, Nocedal & Zhu 1995).
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from scipy.optimize import minimize

from moe_classic._gradient import diagonal
from moe_classic._model import Model, MoEParams
from moe_classic._typing import Floats
from moe_classic.experts import Expert

from ._base import (
    CAPPED,
    ENOUGH,
    STOPPED,
    STUCK,
    Problem,
    Result,
    Solver,
    Watcher,
    check_count,
    gain_left,
    polished,
)
from ._posed import check_error, check_gradient, posed, with_noise

#: Relative difference of coordinates that is rounding.
_ROUNDING = 1e-9


class _Stop(Exception):  # noqa: N818 - not an error: leaves scipy's loop
    """Leave the loop: a callback asked to, or what is left is below tol."""


def differentiable(expert: Expert) -> bool:
    """Whether the log density of an expert has a gradient without jumps."""
    return expert.smooth and hasattr(expert, "derivatives")


class LBFGS(Solver):
    """L-BFGS ascent of the log-likelihood in unconstrained, scaled coordinates.

    Parameters
    ----------
    memory : int, default=20
        Pairs of steps and gradient changes that are remembered.
    error : {"likelihood", "cooperative", "competitive", "unit_likelihood"}, default="likelihood"
        What is climbed; see :class:`SGD`.

    References
    ----------
    Byrd, Lu, Nocedal & Zhu (1995), A limited memory algorithm for bound constrained optimization,
    SIAM Journal on Scientific Computing 16.
    """

    name: ClassVar[str] = "lbfgs"

    def __init__(self, *, memory: int = 20, error: str = "likelihood") -> None:
        self.memory = memory
        self.error = error

    @property
    def climbs(self) -> str:
        """The log-likelihood, or minus an error function."""
        return self.error

    def pose(self, problem: Problem) -> Problem:
        """The problem with the objective that is climbed."""
        return posed(problem, self.error)

    def check(self) -> None:
        """Raise if a hyper-parameter is out of range."""
        check_count(self, "memory", "pairs of steps and gradient changes")
        check_error(self)

    def check_model(self, model: Model) -> None:
        """Raise if a component has no gradient, or one with jumps."""
        check_gradient(self, model, smooth=True)

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
        self.check()
        self.check_model(problem.model)
        enough = tol * problem.summary.weight
        climb = _Climb(self.pose(problem), params, max_iter, enough, watch)
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
            climb.message = STUCK if climb.converged else climb.message
        except _Stop:
            pass
        return with_noise(problem, climb.result(), self.error)


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
        self.best, self.left = params, np.inf
        self.trace: list[float] = []
        self.passes, self.converged = 1, False
        self.message = CAPPED
        self.last = (np.full_like(self.start, np.nan), -np.inf)

    def value(self, x: Floats) -> tuple[float, Floats]:
        """Negative penalised objective and gradient at scaled coordinates."""
        theta, model = x / self.scale, self.problem.model
        params = model.unpack(theta, self.like, self.problem.summary)
        value, slope = self.problem.slope(params)
        self.passes += 1
        # Beyond a bound, such as the floor of a scale, the objective is flat.
        inside = np.abs(model.pack(params) - theta) <= _ROUNDING * (1.0 + np.abs(theta))
        slope = np.where(inside, slope / self.scale, 0.0)
        if not np.isfinite(value):
            value, slope = -1e300, np.zeros_like(x)
        if not self.trace:
            self.trace.append(value)
        self.last = (x.copy(), value)
        return -value, -slope

    def accept(self, x: Floats) -> None:
        """Record an accepted step; scipy calls this after each iteration."""
        if not np.array_equal(self.last[0], x):
            self.value(x)
        value = self.last[1]
        if value >= self.trace[-1]:
            self.best = self.problem.model.unpack(x / self.scale, self.like, self.problem.summary)
        self.trace.append(max(value, self.trace[-1]))
        self.left = gain_left(self.trace)
        if self.watch is not None and self.watch(len(self.trace), value):
            self.message = STOPPED
            raise _Stop
        # Steps of a quasi-Newton method are uneven: look at several before trusting the gain.
        little = polished(self.enough, value)
        if len(self.trace) > 6 and self.trace[-1] - self.trace[-6] <= little:
            self.converged, self.message = True, ENOUGH
            raise _Stop
        if self.passes >= self.max_iter:
            raise _Stop

    def result(self) -> Result:
        """What the loop led to."""
        left = 0.0 if self.converged else self.left
        value = self.trace[-1] if self.trace else -np.inf
        return Result(self.best, value, self.trace, self.passes, self.converged, left, self.message)
