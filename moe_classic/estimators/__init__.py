"""Estimators with ``fit`` and ``predict``."""

from ._blend import MetaPiClassifier, MetaPiRegressor
from ._hard import HardMoEClassifier, HardMoERegressor
from ._mixture import MoEClassifier, MoERegressor
from ._sparse import SparseMoEClassifier, SparseMoERegressor
from ._tree import HierarchicalMoEClassifier, HierarchicalMoERegressor

__all__ = [
    "HardMoEClassifier",
    "HardMoERegressor",
    "HierarchicalMoEClassifier",
    "HierarchicalMoERegressor",
    "MetaPiClassifier",
    "MetaPiRegressor",
    "MoEClassifier",
    "MoERegressor",
    "SparseMoEClassifier",
    "SparseMoERegressor",
]
