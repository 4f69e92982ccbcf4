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
from ._glm import (
    BetaExpert,
    BinomialExpert,
    GammaExpert,
    GLMExpert,
    InverseGaussianExpert,
    LogisticExpert,
    LognormalExpert,
    MultinomialExpert,
    NegativeBinomialExpert,
    PoissonExpert,
    WeibullExpert,
)
from ._linear import LinearExpert
from ._linear import LinearParams as LinearParams
from ._location_scale import (
    GaussianExpert,
    LaplaceExpert,
    SkewNormalExpert,
    SkewTExpert,
    StudentTExpert,
    SymmetricNoiseExpert,
)
from ._location_scale import LeastSquaresStats as LeastSquaresStats
from ._shared import shares_any as shares_any
from ._wrapped import EstimatorExpert
from ._wrapped import EstimatorParams as EstimatorParams
from ._wrappers import CensoredExpert, TruncatedExpert, UniformExpert, ZeroInflatedExpert

EXPERTS: dict[str, type[Expert]] = {
    cls.name: cls
    for cls in (
        BetaExpert,
        BinomialExpert,
        GammaExpert,
        GaussianExpert,
        InverseGaussianExpert,
        LaplaceExpert,
        LogisticExpert,
        LognormalExpert,
        MultinomialExpert,
        NegativeBinomialExpert,
        PoissonExpert,
        SkewNormalExpert,
        SkewTExpert,
        StudentTExpert,
        UniformExpert,
        WeibullExpert,
    )
}

__all__ = [
    "EXPERTS",
    "TARGETS",
    "BetaExpert",
    "BinomialExpert",
    "CensoredExpert",
    "Design",
    "EstimatorExpert",
    "Expert",
    "Forward",
    "GLMExpert",
    "GammaExpert",
    "GaussianExpert",
    "InverseGaussianExpert",
    "LaplaceExpert",
    "LinearExpert",
    "LogisticExpert",
    "LognormalExpert",
    "MultinomialExpert",
    "NegativeBinomialExpert",
    "PoissonExpert",
    "SkewNormalExpert",
    "SkewTExpert",
    "Stats",
    "StudentTExpert",
    "Summary",
    "SymmetricNoiseExpert",
    "TruncatedExpert",
    "UniformExpert",
    "WeibullExpert",
    "ZeroInflatedExpert",
]
