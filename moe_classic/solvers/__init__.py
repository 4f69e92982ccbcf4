"""Solvers: ways to climb an objective.

``SOLVERS`` is the registry of names that an estimator's ``solver=`` understands.
"""

from ._base import Problem, Result, Solver
from ._em import EM
from ._lbfgs import LBFGS
from ._newton import Newton

SOLVERS: dict[str, type[Solver]] = {"em": EM, "lbfgs": LBFGS, "newton": Newton}

__all__ = ["EM", "SOLVERS", "Problem", "Result", "Solver"]
