"""Expectation-maximisation, one pass over the data an iteration.

::

    R_nk  = g_k(x_n) p_k(y_n | x_n) / sum_j g_j p_j                 (E-step)
    theta <- update(theta, sum over blocks of statistics(theta, R))   (M-step)

Damping is free: the pass that gives the statistics for the next step evaluates the proposal anyway.
If the objective fell, the solver goes back half way towards the accepted parameters, so that the
trace never falls. Jordan & Jacobs (1994), section 6; Dempster, Laird & Rubin (1977).

EM gains ground fast and then, where experts overlap, crawls at a rate set by the missing
information. The finish hands over to Newton's method, or to L-BFGS where the information matrix
would be large (Jamshidian & Jennrich 1997, Acceleration of the EM algorithm by using quasi-Newton
methods).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from moe_classic._information import supported
from moe_classic._model import MoEParams

from ._base import Problem, Result, Watcher, gain_left
from ._lbfgs import LBFGS
from ._newton import Newton

#: Halvings in a row after which a step counts as impossible.
_MAX_HALVINGS = 30
#: Passes after which EM may hand over, and the rate of convergence above which it does.
_PATIENCE = 12
_SLOW = 0.6
#: Most parameters for which the information matrix is formed.
_NEWTON_LIMIT = 600
_FINISHES = ("auto", "newton", "lbfgs", None)


@dataclass(frozen=True)
class EM:
    """EM with free damping, Aitken stopping and a quadratic finish.

    Parameters
    ----------
    finish : {"auto", "newton", "lbfgs", None}, default="auto"
        What takes over when EM has become slow, and polishes the optimum. ``"auto"`` takes Newton
        for models of up to 600 parameters, L-BFGS above, and nothing where a component is not
        smooth (Laplace); None never hands over.
    """

    finish: str | None = "auto"

    def check(self, problem: Problem) -> None:
        """Raise if the finish is unknown or impossible for the components."""
        if self.finish not in _FINISHES:
            raise ValueError(f"EM: finish={self.finish!r} must be one of {_FINISHES}.")
        if self.finish in ("newton", "lbfgs"):
            {"newton": Newton(), "lbfgs": LBFGS()}[self.finish].check(problem)

    def finisher(self, problem: Problem, params: MoEParams) -> Newton | LBFGS | None:
        """The solver that takes over, or None."""
        if self.finish is None or problem.model.n_experts == 1:
            return None
        if self.finish == "newton":
            return Newton()
        if self.finish == "lbfgs":
            return LBFGS()
        if not supported(problem.model):
            return None
        small = problem.model.n_parameters(params) <= _NEWTON_LIMIT
        return Newton() if small else LBFGS()

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
        finisher = self.finisher(problem, params)
        patience = max_iter if finisher is None else _PATIENCE
        result = self._climb(problem, params, max_iter, tol, watch, patience)
        rest = max_iter - result.n_iter
        if finisher is None or rest < 1 or result.message == _STOPPED:
            return result
        later = finisher.run(problem, result.params, max_iter=rest, tol=tol, watch=watch)
        if not later.objective >= result.objective:
            return result
        trace = result.trace + later.trace[1:]
        return replace(later, trace=trace, n_iter=result.n_iter + later.n_iter)

    def _climb(
        self,
        problem: Problem,
        params: MoEParams,
        max_iter: int,
        tol: float,
        watch: Watcher | None,
        patience: int,
    ) -> Result:
        """EM proper, until it converges, or has been slow for longer than ``patience``."""
        model, summary = problem.model, problem.summary
        best, trace, halvings, left = params, [], 0, np.inf
        converged, message = False, "the largest number of iterations was reached"
        passes = 0
        while passes < max_iter:
            passes += 1
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
                message = _STOPPED
                break
            if left <= tol * summary.weight:
                converged, message = True, "what is left to gain is below tol"
                break
            if passes >= patience and _rate(trace) > _SLOW:
                break
            params = model.update(params, stats, summary)
        objective = trace[-1] if trace else -np.inf
        return Result(best, objective, trace, passes, converged, left, message)


_STOPPED = "stopped by a callback"


def _rate(trace: list[float]) -> float:
    """Ratio of the last two increments: the local rate of convergence."""
    if len(trace) < 3:
        return 0.0
    before = trace[-2] - trace[-3]
    return (trace[-1] - trace[-2]) / before if before > 0.0 else 1.0
