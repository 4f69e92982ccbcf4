"""Generalised linear experts."""

from .multinomial import LogisticExpert, MultinomialExpert, draw_classes

__all__ = [
    "LogisticExpert",
    "MultinomialExpert",
    "draw_classes",
]
