"""Flat mixtures, and what every mixture shares."""

from .base import BaseMoE
from .classifier import ClassSurface
from .flat import MoEClassifier, MoERegressor
from .regressor import RealSurface

__all__ = [
    "BaseMoE",
    "ClassSurface",
    "MoEClassifier",
    "MoERegressor",
    "RealSurface",
]
