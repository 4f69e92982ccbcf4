"""Expectation-maximisation, one pass over the data an iteration.

::

    R_nk  = g_k(x_n) p_k(y_n | x_n) / sum_j g_j p_j                 (E-step)
    theta <- update(theta, sum over blocks of statistics(theta, R))   (M-step)

Damping is free: the pass that gives the statistics for the next step evaluates the proposal anyway.
If the objective fell, the solver goes back half way towards the accepted parameters, so that the
trace never falls. Jordan & Jacobs (1994), section 6; Dempster, Laird & Rubin (1977).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from moe_classic._model import MoEParams

from ._base import Problem, Result, Watcher, gain_left

#: Halvings in a row after which a step counts as impossible.
_MAX_HALVINGS = 30


@dataclass(frozen=True)
class EM:
    """EM with free damping and Aitken stopping."""

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
        model, summary = problem.model, problem.summary
        enough = tol * summary.weight
        best, trace, halvings, left = params, [], 0, np.inf
        converged, message = False, "the largest number of iterations was reached"
        n_iter = 0
        for n_iter in range(1, max_iter + 1):
            value, stats = problem.evaluate(params)
            slack = 1e-12 * abs(trace[-1]) if trace else 0.0
            if trace and not value >= trace[-1] - slack:
                halvings += 1
                if halvings > _MAX_HALVINGS:
                    converged, message = True, "no step climbs any further"
                    break
                params = model.between(best, params, summary)
                continue
            halvings = 0
            best = params
            trace.append(max(value, trace[-1]) if trace else value)
            left = gain_left(trace)
            if watch is not None and watch(len(trace), trace[-1]):
                message = "stopped by a callback"
                break
            if left <= enough:
                converged, message = True, "what is left to gain is below tol"
                break
            params = model.update(params, stats, summary)
        objective = trace[-1] if trace else -np.inf
        return Result(best, objective, trace, n_iter, converged, left, message)
