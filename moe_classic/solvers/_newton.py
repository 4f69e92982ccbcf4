"""Newton's method on the observed log-likelihood, in a trust region.

::

    maximise  g' d - 1/2 d' I d   over  |D d| <= radius,   theta <- theta + d

with the exact gradient g and the observed information I by Louis' identity (Louis 1982). Where EM
crawls because experts overlap, Newton converges quadratically. The radius follows the agreement of
predicted and actual gain (More & Sorensen 1983); the subproblem is solved exactly by eigenvalues.
scipy's ``trust-exact`` takes as many passes and more time, and neither knows bounds nor waits for
passes that several starts share.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np

from moe_classic._arguments import check_range, check_switch
from moe_classic._model import MoEParams
from moe_classic._typing import Floats

from ._base import CAPPED, STOPPED, STUCK, Limits, Problem, Result, Solver
from ._concavity import warmed_up
from ._paths import Path, Survey, walk
from ._quadratic import Quadratic, at_bound
from ._stopping import tight_tolerance


class Newton(Solver):
    """Trust-region Newton ascent with the observed information.

    Parameters
    ----------
    radius : float, default=1.0
        First radius of the trust region, in units of the scaled parameters.
    warm_up : bool, default=True
        Whether to begin with steps of EM, 200 at most, until the log-likelihood is concave around
        them. Before that, as on the way past a saddle, long steps often lead to another hill than
        EM climbs, higher or lower; after it they seldom do.

    References
    ----------
    Louis (1982), Finding the observed information matrix when using the EM algorithm, Journal of
    the Royal Statistical Society B 44. More & Sorensen (1983), Computing a trust region step, SIAM
    Journal on Scientific and Statistical Computing 4.

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_tone
    >>> from moe_classic.solvers import Newton
    >>> X, y = load_tone(return_X_y=True)
    >>> moe = MoERegressor(2, solver=Newton(), random_state=0).fit(X, y)
    >>> round(moe.score(X, y), 2)
    0.36
    """

    name: ClassVar[str] = "newton"
    requires: ClassVar[tuple[str, ...]] = ("derivatives", "smooth")

    def __init__(self, *, radius: float = 1.0, warm_up: bool = True) -> None:
        self.radius = radius
        self.warm_up = warm_up

    def check(self) -> None:
        """Raise if a hyper-parameter is out of range."""
        check_range(self, "radius", "the first radius of the trust region")
        check_switch(self, "warm_up")

    def climb(self, problem: Problem, params: MoEParams, limits: Limits) -> Result:
        """Newton's steps, after steps of EM where the log-likelihood is not concave yet."""
        if not self.warm_up:
            return walk(problem, self.finish(problem, params, limits))
        return walk(problem, warmed_up(problem, params, limits, self.finish))

    def finish(
        self,
        problem: Problem,
        params: MoEParams,
        limits: Limits,
        *,
        seen: Quadratic | None = None,
    ) -> Path[Result]:
        """Newton's steps from ``params``, around which the objective may have been seen."""
        model, summary = problem.model, problem.summary
        theta, best, n_iter = model.pack(params), params, 0
        if seen is None:
            seen, n_iter = (yield Survey(params)), 1
        trace, radius, left = [seen.value], self.radius, np.inf
        converged, message = False, CAPPED
        while n_iter < limits.max_iter:
            # Scaling fixed by the curvature makes the region the same for every parametrisation.
            scale = seen.scale(summary.weight)
            free = ~at_bound(problem, theta, seen.gradient, best)
            step = np.zeros_like(theta)
            step[free], predicted, interior = trust_step(
                (seen.gradient / scale)[free],
                (seen.matrix / np.outer(scale, scale))[np.ix_(free, free)],
                radius * np.sqrt(summary.weight),
            )
            left = predicted if interior else np.inf
            enough = tight_tolerance(limits.enough, seen.value)
            if (interior or radius >= self.radius) and predicted <= enough:
                converged, message = True, "the Newton decrement is below tol"
                break
            proposal = model.unpack(theta + step / scale, best, summary)
            new = yield Survey(proposal)
            n_iter += 1
            gain = new.value - seen.value
            ratio = gain / predicted if np.isfinite(gain) and predicted > 0.0 else -1.0
            length = np.linalg.norm(step) / np.sqrt(summary.weight)
            radius = 0.25 * length if ratio < 0.25 else radius
            if ratio > 0.75 and not interior:
                radius = 2.0 * radius
            if ratio > 1e-4:
                best, theta, seen = proposal, model.pack(proposal), new
                trace.append(max(seen.value, trace[-1]))
                if limits.monitor is not None and limits.monitor(len(trace), seen.value):
                    message = STOPPED
                    break
            elif predicted <= 1e-12 * max(1.0, abs(seen.value)) or radius < 1e-12:
                converged, message, left = True, STUCK, 0.0
                break
        return Result(best, trace[-1], trace, n_iter, converged, left, message)


def trust_step(g: Floats, matrix: Floats, radius: float) -> tuple[Floats, float, bool]:
    """Maximise ``g' d - d' M d / 2`` over ``|d| <= radius``.

    Returns
    -------
    d : ndarray of shape (D,)
    predicted : float
        The gain that the quadratic promises.
    interior : bool
        Whether the constraint does not bind.
    """
    if not (np.isfinite(g).all() and np.isfinite(matrix).all()):
        return np.zeros_like(g), 0.0, False
    if not g.size:
        return np.zeros_like(g), 0.0, True
    values, vectors = np.linalg.eigh(matrix)
    b = vectors.T @ g
    # Directions without curvature or slope stay where they are.
    flat = 1e-13 * max(values[-1], 0.0)
    live = (np.abs(values) > flat) | (np.abs(b) > 1e-9 * np.linalg.norm(b))

    def step(shift: float) -> Floats:
        return np.where(live, b / np.where(live, values + shift, 1.0), 0.0)

    low = max(0.0, -values[live].min()) if live.any() else 0.0
    positive = not live.any() or values[live].min() > flat
    if positive and np.linalg.norm(step(0.0)) <= radius:
        d = step(0.0)
        return vectors @ d, float(b @ d - 0.5 * (values * d) @ d), True
    floor = low + 1e-12 * max(abs(values[-1]), abs(values[0]))
    d = step(_shift_to(radius, step, values, (floor, floor + np.linalg.norm(b) / radius)))
    if values[0] < -flat and np.linalg.norm(d) < (1.0 - 1e-6) * radius:
        # Where the slope says nothing of the most curved way up, as between equal experts, the
        # rest of the radius goes that way: the hard case of More & Sorensen (1983).
        rest = np.sqrt(max(radius**2 - float(d @ d), 0.0))
        d[0] += rest if b[0] >= 0.0 else -rest
    return vectors @ d, float(b @ d - 0.5 * (values * d) @ d), False


def _shift_to(
    radius: float,
    step: Callable[[float], Floats],
    values: Floats,
    bracket: tuple[float, float],
) -> float:
    """Shift of the eigenvalues at which the step is as long as the radius.

    Newton's method on 1 / radius - 1 / length, which is nearly linear in the shift (More &
    Sorensen 1983), inside a bracket that shrinks.
    """
    low, high = bracket
    shift = low
    for _ in range(100):
        d = step(shift)
        length = float(np.linalg.norm(d))
        if abs(length - radius) <= 1e-11 * radius:
            return shift
        low, high = (shift, high) if length > radius else (low, shift)
        if high - low <= 4e-16 * high:
            break
        slope = float((d**2) @ (1.0 / np.where(values + shift > 0.0, values + shift, np.inf)))
        new = shift + length**2 / max(slope, np.finfo(float).tiny) * (length / radius - 1.0)
        shift = new if low < new < high else 0.5 * (low + high)
    return high
