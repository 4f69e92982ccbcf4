"""Batch gradient ascent with limited-memory curvature.

::

    theta <- theta + step H g,   H from the last pairs of steps and gradient changes

Exact gradients by Fisher's identity. Coordinates are those in which the observed information at
the start is the identity, so that first steps are Newton's and stay on the hill; where the
information is not affordable, coordinates are scaled by the complete-data curvature. The iteration
is scipy's L-BFGS-B (Byrd, Lu, Nocedal & Zhu 1995).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import ClassVar

import numpy as np
from scipy.optimize import minimize

from moe_classic._arguments import check_count, check_switch
from moe_classic._model import MoEParams, diagonal
from moe_classic._typing import Floats
from moe_classic.experts import Expert

from ._apart import Apart
from ._base import APART, CAPPED, ENOUGH, STOPPED, STUCK, Limits, Problem, Result, joined_results
from ._concavity import warmed_up
from ._gradient_solver import GradientSolver
from ._newton import Newton
from ._paths import Path, walk
from ._quadratic import Quadratic, affordable
from ._stopping import gain_left, tight_tolerance

#: Relative difference of coordinates that is rounding.
_ROUNDING = 1e-9
#: Smallest curvature, of a largest of about 1, that coordinates are stretched by.
_FLAT = 1e-4


class _Stop(Exception):  # noqa: N818 - not an error: leaves scipy's loop
    """Leave the loop: a callback asked to, or what is left is below tol."""


def differentiable(expert: Expert) -> bool:
    """Whether the log density of an expert has a gradient without jumps."""
    return expert.smooth and expert.has("derivatives")


class LBFGS(GradientSolver):
    """L-BFGS ascent of the log-likelihood in unconstrained, scaled coordinates.

    Parameters
    ----------
    memory : int, default=20
        Pairs of steps and gradient changes that are remembered.
    error : {"likelihood", "cooperative", "competitive", "unit_likelihood"}, default="likelihood"
        What is climbed; see :class:`SGD`.
    warm_up : bool, default=True
        Whether to begin with steps of EM, as in :class:`Newton`, and to let the information judge
        the end: where it says that more is left to gain, as on plateaus and saddles, steps of
        Newton take over. Only under ``error="likelihood"``, and where the information matrix is
        affordable (up to 600 parameters, and 5e8 rows times squared parameters).

    References
    ----------
    Byrd, Lu, Nocedal & Zhu (1995), A limited memory algorithm for bound constrained optimization,
    SIAM Journal on Scientific Computing 16.

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_tone
    >>> from moe_classic.solvers import LBFGS
    >>> X, y = load_tone(return_X_y=True)
    >>> moe = MoERegressor(2, solver=LBFGS(), random_state=0).fit(X, y)
    >>> round(moe.score(X, y), 2)
    0.36
    """

    name: ClassVar[str] = "lbfgs"
    smooth: ClassVar[bool] = True

    def __init__(
        self, *, memory: int = 20, error: str = "likelihood", warm_up: bool = True
    ) -> None:
        self.memory = memory
        self.error = error
        self.warm_up = warm_up

    def check(self) -> None:
        """Raise if a hyper-parameter is out of range."""
        super().check()
        check_count(self, "memory", "pairs of steps and gradient changes")
        check_switch(self, "warm_up")

    def climb(self, problem: Problem, params: MoEParams, limits: Limits) -> Result:
        """L-BFGS, after steps of EM where the log-likelihood is not concave yet."""
        if not (self.warm_up and self.error == "likelihood" and affordable(problem, params)):
            return super().climb(problem, params, limits)
        result = walk(problem, warmed_up(problem, params, limits, self.finish))
        rest = limits.less(result.n_iter)
        if not result.converged or rest.max_iter < 1 or result.message == APART:
            return result
        return joined_results(result, walk(problem, Newton().finish(problem, result.params, rest)))

    def finish(
        self,
        problem: Problem,
        params: MoEParams,
        limits: Limits,
        *,
        seen: Quadratic | None = None,
    ) -> Path[Result]:
        """The same as a path that makes its passes by itself."""
        yield from ()
        return self.ascend(problem, params, limits, seen=seen)

    def ascend(
        self,
        problem: Problem,
        params: MoEParams,
        limits: Limits,
        *,
        seen: Quadratic | None = None,
    ) -> Result:
        """Steps of scipy's L-BFGS-B from ``params``, around which the objective may be known."""
        if self.error != "likelihood":
            limits = replace(limits, calm=0.0)
        climb = _Climb(problem, params, limits, seen)
        try:
            found = minimize(
                climb.value,
                climb.start,
                jac=True,
                method="L-BFGS-B",
                callback=climb.accept,
                options={
                    "maxcor": self.memory,
                    "maxfun": max(limits.max_iter - 1, 1),
                    "maxiter": limits.max_iter,
                    "ftol": 1e-15,
                    "gtol": 0.0,
                    "maxls": 40,
                },
            )
            # scipy reports success when rounding ends the line search: nothing is left to gain.
            climb.converged = climb.passes < limits.max_iter and found.status != 1
            climb.message = STUCK if climb.converged else climb.message
        except _Stop:
            pass
        return climb.result()


class _Coordinates:
    """Coordinates ``x = V' (theta * scale)`` in which the objective curves alike everywhere.

    Parameters
    ----------
    scale : (D,) positive
    V : (D, D) or None
        Axes, each as long as the root of the curvature along it; None for those of theta.
    """

    def __init__(self, scale: Floats, V: Floats | None = None) -> None:
        self.scale, self.V = scale, V
        self.inverse = None if V is None else V / (V**2).sum(axis=0)

    def of(self, theta: Floats) -> Floats:
        """Coordinates x of theta, (D,)."""
        x = theta * self.scale
        return x if self.V is None else self.V.T @ x

    def theta(self, x: Floats) -> Floats:
        """Inverse of :meth:`of`."""
        return (x if self.inverse is None else self.inverse @ x) / self.scale

    def slope(self, gradient: Floats) -> Floats:
        """Gradient in x from the gradient in theta, (D,)."""
        slope = gradient / self.scale
        return slope if self.inverse is None else self.inverse.T @ slope


def _coordinates(problem: Problem, params: MoEParams, seen: Quadratic | None) -> _Coordinates:
    """Coordinates that the information suggests, or the complete-data curvature."""
    weight = problem.summary.weight
    if seen is not None:
        scale = seen.scale(weight)
        values, vectors = np.linalg.eigh(seen.matrix / np.outer(scale, scale))
        return _Coordinates(scale, vectors * np.sqrt(np.maximum(values, _FLAT)))
    curvature = problem.engine.map_reduce(
        partial(diagonal, problem.model, params), problem.source
    ).curvature
    size = curvature + problem.model.penalty_curvature(params, problem.summary)
    return _Coordinates(np.sqrt(np.maximum(size, 1e-6 * weight)))


class _Climb:
    """Bookkeeping around scipy's loop: coordinates, trace, stopping."""

    def __init__(
        self, problem: Problem, params: MoEParams, limits: Limits, seen: Quadratic | None
    ) -> None:
        self.problem, self.like, self.limits = problem, params, limits
        self.at = _coordinates(problem, params, seen)
        self.start = self.at.of(problem.model.pack(params))
        self.best, self.left = params, np.inf
        self.trace: list[float] = []
        self.passes, self.converged = int(seen is None), False
        self.message = CAPPED
        self.apart = Apart(problem, limits.calm)
        self.last = (np.full_like(self.start, np.nan), -np.inf)

    def value(self, x: Floats) -> tuple[float, Floats]:
        """Negative penalised objective and gradient at coordinates x."""
        self.passes += 1
        try:
            # A trial step may lead where nothing can be computed: it is not taken then.
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                value, slope = self._seen(self.at.theta(x))
        except np.linalg.LinAlgError:
            value, slope = -np.inf, np.zeros_like(x)
        if not (np.isfinite(value) and np.isfinite(slope).all()):
            value, slope = -1e300, np.zeros_like(x)
        if not self.trace:
            self.trace.append(value)
        self.last = (x.copy(), value)
        return -value, -slope

    def _seen(self, theta: Floats) -> tuple[float, Floats]:
        """The penalised objective at theta, and its gradient in x."""
        model = self.problem.model
        params = model.unpack(theta, self.like, self.problem.summary)
        value, slope = self.problem.slope(params)
        # Beyond a bound, such as the floor of a scale, the objective is flat.
        inside = np.abs(model.pack(params) - theta) <= _ROUNDING * (1.0 + np.abs(theta))
        return value, self.at.slope(np.where(inside, slope, 0.0))

    def accept(self, x: Floats) -> None:
        """Record an accepted step; scipy calls this after each iteration."""
        if not np.array_equal(self.last[0], x):
            self.value(x)
        value = self.last[1]
        if value >= self.trace[-1]:
            theta = self.at.theta(x)
            self.best = self.problem.model.unpack(theta, self.like, self.problem.summary)
        self.trace.append(max(value, self.trace[-1]))
        self.left, monitor = gain_left(self.trace), self.limits.monitor
        if monitor is not None and monitor(len(self.trace), value):
            self.message = STOPPED
            raise _Stop
        # Steps of a quasi-Newton method are uneven: look at several before trusting the gain.
        little = tight_tolerance(self.limits.enough, value)
        if len(self.trace) > 6 and self.trace[-1] - self.trace[-6] <= little:
            self.converged, self.message = True, ENOUGH
            raise _Stop
        if self.apart(self.trace, self.best):
            self.converged, self.message = True, APART
            raise _Stop
        if self.passes >= self.limits.max_iter:
            raise _Stop

    def result(self) -> Result:
        """What the loop led to."""
        left = 0.0 if self.converged else self.left
        value = self.trace[-1] if self.trace else -np.inf
        return Result(self.best, value, self.trace, self.passes, self.converged, left, self.message)
