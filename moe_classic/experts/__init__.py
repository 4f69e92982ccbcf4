"""Experts: conditional densities p(y | x, expert).

``EXPERTS`` is the registry of names that an estimator's ``expert=`` understands.
"""

from ._base import Description as Description
from ._base import Expert
from ._glm import LogisticExpert, MultinomialExpert
from ._linear import LinearExpert as LinearExpert
from ._linear import LinearParams as LinearParams
from ._location_scale import GaussianExpert, LaplaceExpert, StudentTExpert
from ._wrapped import EstimatorExpert
from ._wrapped import EstimatorParams as EstimatorParams

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
