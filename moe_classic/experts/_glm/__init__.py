"""Generalised linear experts."""

from .base import GLMExpert
from .multinomial import LogisticExpert, MultinomialExpert, draw_classes

__all__ = [
    "GLMExpert",
    "LogisticExpert",
    "MultinomialExpert",
    "draw_classes",
]
