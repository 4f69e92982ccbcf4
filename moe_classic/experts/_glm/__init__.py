"""Generalised linear experts."""

from .multinomial import LogisticExpert, MultinomialExpert

__all__ = [
    "LogisticExpert",
    "MultinomialExpert",
]
