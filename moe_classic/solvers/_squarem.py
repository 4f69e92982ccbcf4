"""SQUAREM: squared extrapolation of EM.

::

    r = F(t) - t,   v = F(F(t)) - F(t) - r,   a = |r| / |v|,   t <- F(t + 2 a r + a^2 v)

with F one EM step in unconstrained coordinates. Near the optimum successive EM steps shrink along
the slowest direction by a constant factor; the extrapolation guesses where they lead. A proposal
that falls below what EM had reached is dropped for plain EM, so the trace never falls. It costs no
matrix and no derivative: for models whose information would be too large, or whose components are
not smooth. Varadhan & Roland (2008), Simple and globally convergent methods for accelerating the
convergence of any EM algorithm, Scandinavian Journal of Statistics 35, scheme S3.
"""

from __future__ import annotations

from typing import ClassVar

from moe_classic._model import MoEParams

from ._base import Limits, Problem, Result, Solver
from ._extrapolation import extrapolated
from ._kinks import settled_zeros


class SQUAREM(Solver):
    """EM with squared extrapolation: fewer passes where experts overlap, without a matrix.

    References
    ----------
    Varadhan & Roland (2008), Simple and globally convergent methods for accelerating the
    convergence of any EM algorithm, Scandinavian Journal of Statistics 35.

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_tone
    >>> from moe_classic.solvers import SQUAREM
    >>> X, y = load_tone(return_X_y=True)
    >>> moe = MoERegressor(2, solver=SQUAREM(), random_state=0).fit(X, y)
    >>> round(moe.score(X, y), 2)
    0.36
    """

    name: ClassVar[str] = "squarem"
    takes_kinks: ClassVar[bool] = True
    requires: ClassVar[tuple[str, ...]] = ("additive", "pack")

    def climb(self, problem: Problem, params: MoEParams, limits: Limits) -> Result:
        """EM with extrapolation."""
        result = extrapolated(problem, params, limits)
        return settled_zeros(problem, result, limits) if problem.model.sparse else result
