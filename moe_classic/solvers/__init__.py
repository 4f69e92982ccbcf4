"""Solvers: ways to climb an objective.

``SOLVERS`` is the registry of names that an estimator's ``solver=`` understands.
"""

from ._adam import SGD, Adam
from ._adam import GradientAscent as GradientAscent
from ._base import OUTDONE as OUTDONE
from ._base import STOPPED as STOPPED
from ._base import DivergenceError, Problem, Result, Solver
from ._base import joined_results as joined_results
from ._em import EM
from ._lbfgs import LBFGS
from ._newton import Newton
from ._paths import Watcher as Watcher
from ._paths import run_together as run_together
from ._paths import run_weighted as run_weighted
from ._race import Race as Race
from ._squarem import SQUAREM

SOLVERS: dict[str, type[Solver]] = {
    cls.name: cls for cls in (SGD, SQUAREM, Adam, EM, LBFGS, Newton)
}

__all__ = [
    "EM",
    "LBFGS",
    "SGD",
    "SOLVERS",
    "SQUAREM",
    "Adam",
    "DivergenceError",
    "Newton",
    "Problem",
    "Result",
    "Solver",
]
