"""SQUAREM: squared extrapolation of EM.

::

    r = F(t) - t,   v = F(F(t)) - F(t) - r,   a = -|r| / |v|,   t <- F(t - 2 a r + a^2 v)

with F one EM step in unconstrained coordinates. Near the optimum successive EM steps shrink along
the slowest direction by a constant factor; the extrapolation guesses where they lead. A proposal
that falls below what EM had reached is dropped for plain EM, so the trace never falls. Costs no
matrix: for models whose information would be too large, or where components are not smooth.
Varadhan & Roland (2008), Simple and globally convergent methods for accelerating the convergence
of any EM algorithm, Scandinavian Journal of Statistics 35, scheme S3.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from moe_classic._model import Model, MoEParams, MoEStats
from moe_classic._typing import Floats

from ._base import CAPPED, ENOUGH, STOPPED, STUCK, Problem, Result, Solver, Watcher, gain_left

#: Halvings in a row after which a step counts as impossible.
_MAX_HALVINGS = 30
#: Factor by which the longest extrapolation grows when it was of use, shrinks when it was not.
_GROWTH = 4.0


class SQUAREM(Solver):
    """EM with squared extrapolation.

    References
    ----------
    Varadhan & Roland (2008), Simple and globally convergent methods for accelerating the
    convergence of any EM algorithm, Scandinavian Journal of Statistics 35.
    """

    name: ClassVar[str] = "squarem"

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
        raise NotImplementedError
