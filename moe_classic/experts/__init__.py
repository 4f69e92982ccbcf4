"""Experts: conditional densities p(y | x, expert).

``EXPERTS`` is the registry of names that an estimator's ``expert=`` understands, ``TARGETS`` that
of the kinds of y. ``Expert``, ``LinearExpert``, ``GLMExpert`` and ``SymmetricNoiseExpert`` are
there to build on; ``Design``, ``Forward``, ``Stats`` and ``Summary`` are what their methods are
given and give.
"""

from moe_classic._components import TARGETS, Forward
from moe_classic._data import Design, Stats, Summary

from ._base import Description as Description
from ._base import Expert
from ._glm import GLMExpert, LogisticExpert, MultinomialExpert
from ._linear import LinearExpert
from ._linear import LinearParams as LinearParams
from ._location_scale import GaussianExpert, LaplaceExpert, StudentTExpert, SymmetricNoiseExpert
from ._wrapped import EstimatorExpert
from ._wrapped import EstimatorParams as EstimatorParams

EXPERTS: dict[str, type[Expert]] = {
    cls.name: cls
    for cls in (GaussianExpert, LaplaceExpert, LogisticExpert, MultinomialExpert, StudentTExpert)
}

__all__ = [
    "EXPERTS",
    "TARGETS",
    "Design",
    "EstimatorExpert",
    "Expert",
    "Forward",
    "GLMExpert",
    "GaussianExpert",
    "LaplaceExpert",
    "LinearExpert",
    "LogisticExpert",
    "MultinomialExpert",
    "Stats",
    "StudentTExpert",
    "Summary",
    "SymmetricNoiseExpert",
]
