"""Hierarchical mixtures."""

from .hierarchical import HierarchicalMoEClassifier, HierarchicalMoERegressor

__all__ = [
    "HierarchicalMoEClassifier",
    "HierarchicalMoERegressor",
]
