"""Experts: conditional densities p(y | x, expert).

``EXPERTS`` is the registry of names that an estimator's ``expert=`` understands.
"""

from ._base import Expert
from ._estimator import EstimatorExpert
from ._gaussian import GaussianExpert
from ._laplace import LaplaceExpert
from ._multinomial import LogisticExpert, MultinomialExpert
from ._student_t import StudentTExpert

EXPERTS: dict[str, type[Expert]] = {
    cls.name: cls
    for cls in (GaussianExpert, LaplaceExpert, LogisticExpert, MultinomialExpert, StudentTExpert)
}

__all__ = [
    "EXPERTS",
    "EstimatorExpert",
    "Expert",
    "GaussianExpert",
    "LaplaceExpert",
    "LogisticExpert",
    "MultinomialExpert",
    "StudentTExpert",
]
