"""Newton's method on the observed log-likelihood, in a trust region.

::

    maximise  g' d - 1/2 d' I d   over  |D d| <= radius,   theta <- theta + d

with the exact gradient g and the observed information I by Louis' identity (Louis 1982). Where EM
crawls because experts overlap, Newton converges quadratically. The radius follows the agreement of
predicted and actual gain (More & Sorensen 1983); the subproblem is solved exactly by eigenvalues.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from moe_classic._information import information, supported
from moe_classic._model import Model, MoEParams
from moe_classic._typing import Bools, Floats

from ._base import CAPPED, STOPPED, STUCK, Problem, Result, Solver, Watcher, check_range, polished

#: Step by which bounds are felt for.
_NUDGE = 1e-6


class Newton(Solver):
    """Trust-region Newton ascent with the observed information.

    Parameters
    ----------
    radius : float, default=1.0
        First radius of the trust region, in units of the scaled parameters.

    References
    ----------
    Louis (1982), Finding the observed information matrix when using the EM algorithm, Journal of
    the Royal Statistical Society B 44. More & Sorensen (1983), Computing a trust region step, SIAM
    Journal on Scientific and Statistical Computing 4.
    """

    name: ClassVar[str] = "newton"

    def __init__(self, *, radius: float = 1.0) -> None:
        self.radius = radius

    def check(self) -> None:
        """Raise if a hyper-parameter is out of range."""
        check_range(self, "radius", "the first radius of the trust region")

    def check_model(self, model: Model) -> None:
        """Raise if a component has no second derivatives."""
        if not supported(model):
            raise ValueError(
                "solver='newton' needs experts and gates with second derivatives; "
                f"{[g.expert.name for g in model.groups]} under a {model.gate.name!r} gate do not "
                "have them. Use solver='em'."
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
        self.check()
        self.check_model(problem.model)
        enough = tol * problem.summary.weight
        theta, best = problem.model.pack(params), params
        value, gradient, matrix = quadratic(problem, params)
        trace, radius, left = [value], self.radius, np.inf
        converged, message, n_iter = False, CAPPED, 1
        while n_iter < max_iter:
            # Scaling fixed by the curvature makes the region the same for every parametrisation.
            scale = np.sqrt(np.maximum(np.abs(np.diag(matrix)), 1e-8 * problem.summary.weight))
            free = ~held(problem, theta, gradient, best)
            step = np.zeros_like(theta)
            step[free], predicted, interior = trust_step(
                (gradient / scale)[free],
                (matrix / np.outer(scale, scale))[np.ix_(free, free)],
                radius * np.sqrt(problem.summary.weight),
            )
            left = predicted if interior else np.inf
            if (interior or radius >= self.radius) and predicted <= polished(enough, value):
                converged, message = True, "the Newton decrement is below tol"
                break
            proposal = problem.model.unpack(theta + step / scale, best, problem.summary)
            new = quadratic(problem, proposal)
            n_iter += 1
            gain = new[0] - value
            ratio = gain / predicted if np.isfinite(gain) and predicted > 0.0 else -1.0
            length = np.linalg.norm(step) / np.sqrt(problem.summary.weight)
            radius = 0.25 * length if ratio < 0.25 else radius
            if ratio > 0.75 and not interior:
                radius = 2.0 * radius
            if ratio > 1e-4:
                best, theta = proposal, problem.model.pack(proposal)
                value, gradient, matrix = new
                trace.append(max(value, trace[-1]))
                if watch is not None and watch(len(trace), value):
                    message = STOPPED
                    break
            elif predicted <= 1e-12 * max(1.0, abs(value)) or radius < 1e-12:
                converged, message, left = True, STUCK, 0.0
                break
        return Result(best, trace[-1], trace, n_iter, converged, left, message)


def quadratic(problem: Problem, params: MoEParams) -> tuple[float, Floats, Floats]:
    """Penalised objective, its gradient (D,) and the negative Hessian (D, D)."""
    model, summary = problem.model, problem.summary
    with np.errstate(over="ignore", invalid="ignore"):
        stats = problem.engine.map_reduce(lambda b: information(model, params, b), problem.source)
    value = stats.objective - model.penalty(params, summary)
    gradient = stats.gradient - model.penalty_gradient(params, summary)
    return value, gradient, stats.information + model.penalty_hessian(params, summary)


def held(problem: Problem, theta: Floats, gradient: Floats, like: MoEParams) -> Bools:
    """Which coordinates sit at a bound, such as the floor of a scale, with the gradient outwards.

    Steps cannot move them, so the quadratic must not promise anything from them; (D,).
    """
    outwards = theta + _NUDGE * np.sign(gradient)
    back = problem.model.pack(problem.model.unpack(outwards, like, problem.summary))
    return np.abs(back - outwards) > 0.5 * _NUDGE


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
    high = floor + np.linalg.norm(b) / radius
    for _ in range(100):
        middle = 0.5 * (floor + high)
        if np.linalg.norm(step(middle)) > radius:
            floor = middle
        else:
            high = middle
    d = step(high)
    if values[0] < -flat:
        # Where the slope says nothing of the most curved way up, as between equal experts, the
        # rest of the radius goes that way: the hard case of More & Sorensen (1983).
        rest = np.sqrt(max(radius**2 - float(d @ d), 0.0))
        d[0] += rest if b[0] >= 0.0 else -rest
    return vectors @ d, float(b @ d - 0.5 * (values * d) @ d), False
