"""Nets with layers of experts, of which every row consults a few."""

from .sparse import SparseMoEClassifier, SparseMoERegressor

__all__ = ["SparseMoEClassifier", "SparseMoERegressor"]
