"""Experts y = eta + scale * noise."""

from .base import LocationScaleExpert, ScaleParams
from .gaussian import GaussianExpert, GaussianParams
from .laplace import LaplaceExpert
from .student_t import StudentTExpert, StudentTParams
from .symmetric import SymmetricNoiseExpert

__all__ = [
    "GaussianExpert",
    "GaussianParams",
    "LaplaceExpert",
    "LocationScaleExpert",
    "ScaleParams",
    "StudentTExpert",
    "StudentTParams",
    "SymmetricNoiseExpert",
]
