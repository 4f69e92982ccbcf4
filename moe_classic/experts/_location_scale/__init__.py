"""Experts y = eta + scale * noise."""

from .base import LeastSquaresStats, LocationScaleExpert, ScaleParams
from .gaussian import GaussianExpert, GaussianParams
from .laplace import LaplaceExpert
from .skew import SkewExpert
from .skew_normal import SkewNormalExpert
from .skew_t import SkewTExpert
from .student_t import StudentTExpert, StudentTParams
from .symmetric import SymmetricNoiseExpert

__all__ = [
    "GaussianExpert",
    "GaussianParams",
    "LaplaceExpert",
    "LeastSquaresStats",
    "LocationScaleExpert",
    "ScaleParams",
    "SkewExpert",
    "SkewNormalExpert",
    "SkewTExpert",
    "StudentTExpert",
    "StudentTParams",
    "SymmetricNoiseExpert",
]
