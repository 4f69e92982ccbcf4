"""Classes that are told apart without error: where a climb has no end of its own."""

from __future__ import annotations

import numpy as np

from moe_classic._model import MoEParams

from ._base import Problem

#: Points over which the objective is watched, and between two looks at all rows.
_WATCHED = 10


class Apart:
    """Tells a climb when classes are told apart and fitted probabilities hardly change.

    Where every row's own class has a probability of more than one half, larger coefficients make
    all of them more certain: the likelihood has no end but that of the penalty. Mean probabilities
    change by less than mean log-likelihoods; over ten points it counts for nothing where the
    objective gains less than ``calm`` per unit of weight.

    Parameters
    ----------
    problem : Problem
    calm : change of mean probabilities that is none; with 0 the climb goes on to its end
    """

    def __init__(self, problem: Problem, calm: float) -> None:
        model = problem.model
        self.problem, self.calm = problem, calm
        self.active = calm > 0.0 and model.bounded and model.n_experts > 1
        self.next = _WATCHED

    def __call__(self, trace: list[float], params: MoEParams) -> bool:
        """Whether nothing worth having is left at the last point of the trace, ``params``."""
        place = len(trace) - 1
        if not self.active or place < self.next:
            return False
        gain = trace[place] - trace[place - _WATCHED]
        if gain > self.calm * self.problem.summary.weight:
            return False
        self.next = place + _WATCHED
        return self._all_told(params)

    def _all_told(self, params: MoEParams) -> bool:
        """Whether the class of every row has a probability above one half: a light pass."""
        model = self.problem.model
        return all(
            bool((model.log_likelihood(params, block) > -np.log(2.0)).all())
            for block in self.problem.source
        )
