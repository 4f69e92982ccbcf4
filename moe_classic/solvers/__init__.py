"""Solvers: ways to climb an objective.

``SOLVERS`` is the registry of names that an estimator's ``solver=`` understands.
"""

from ._base import DivergenceError, Problem, Result, Solver
from ._em import EM
from ._lbfgs import LBFGS
from ._newton import Newton
from ._squarem import SQUAREM

SOLVERS: dict[str, type[Solver]] = {cls.name: cls for cls in (EM, LBFGS, Newton, SQUAREM)}

__all__ = [
    "EM",
    "LBFGS",
    "SOLVERS",
    "SQUAREM",
    "DivergenceError",
    "Newton",
    "Problem",
    "Result",
    "Solver",
]
