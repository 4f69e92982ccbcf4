"""Generalised linear experts: any target, a linear predictor and a link."""

from .base import GLMExpert
from .beta import BetaExpert
from .binomial import BinomialExpert
from .gamma import GammaExpert
from .inverse_gaussian import InverseGaussianExpert
from .lognormal import LognormalExpert
from .multinomial import LogisticExpert, MultinomialExpert, draw_classes
from .negative_binomial import NegativeBinomialExpert
from .poisson import PoissonExpert
from .weibull import WeibullExpert

__all__ = [
    "BetaExpert",
    "BinomialExpert",
    "GLMExpert",
    "GammaExpert",
    "InverseGaussianExpert",
    "LogisticExpert",
    "LognormalExpert",
    "MultinomialExpert",
    "NegativeBinomialExpert",
    "PoissonExpert",
    "WeibullExpert",
    "draw_classes",
]
