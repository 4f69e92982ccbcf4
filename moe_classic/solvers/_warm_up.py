"""What EM may do before it climbs: annealing, and wandering under drawn labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from moe_classic._model import MoEParams
from moe_classic._objectives import FreeEnergy, SampledLabels

from ._ascent import run_em
from ._base import Limits, Problem

#: Factor by which the inverse temperature grows, and the largest number of passes at each.
_HEATING = 1.25
_PASSES = 10
#: Gain left, in nats per unit of weight, at which a temperature has done its work.
_SETTLED = 1e-4
#: Most passes under drawn labels.
_DRAWS = 50


def anneal(
    problem: Problem, params: MoEParams, beta: float, max_iter: int
) -> tuple[MoEParams, int]:
    """Climb the free energy at rising inverse temperatures below 1; parameters and passes."""
    passes = 0
    while beta < 1.0 and passes < max_iter:
        tempered = replace(problem, objective=FreeEnergy(problem.model, beta))
        limits = Limits(min(_PASSES, max_iter - passes), _SETTLED * problem.summary.weight)
        result = run_em(tempered, params, limits)
        passes += result.n_iter
        params, beta = result.params, beta * _HEATING
    return params, passes


def stochastic_em(problem: Problem, params: MoEParams, max_iter: int) -> tuple[MoEParams, int]:
    """Stochastic EM: the likeliest parameters seen under drawn labels, and the passes taken.

    A draw that leaves an expert with next to no rows lets it pass through them exactly; such
    parameters are not followed, the next draw starts from where this one did.
    """
    model, draws = problem.model, min(_DRAWS, max_iter)
    best, highest = params, -np.inf
    for draw in range(draws):
        drawn = replace(problem, objective=SampledLabels(model, problem.seed, draw))
        value, stats = drawn.evaluate(params)
        if value > highest:
            best, highest = params, value
        proposal = model.update(params, stats, problem.summary)
        if model.n_degenerate(proposal, problem.summary) == 0:
            params = proposal
    return best, draws
