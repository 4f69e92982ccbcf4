"""Solvers: ways to climb an objective.

``SOLVERS`` is the registry of names that an estimator's ``solver=`` understands.
"""

from ._base import Problem, Result, Solver
from ._em import EM

SOLVERS: dict[str, type[Solver]] = {"em": EM}

__all__ = ["EM", "SOLVERS", "Problem", "Result", "Solver"]
