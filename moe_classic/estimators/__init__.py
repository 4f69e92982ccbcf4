"""Estimators with ``fit`` and ``predict``."""

from ._flat import MoEClassifier, MoERegressor
from ._hard import HardMoEClassifier, HardMoERegressor
from ._hierarchical import HierarchicalMoEClassifier, HierarchicalMoERegressor
from ._meta_pi import MetaPiClassifier, MetaPiRegressor

__all__ = [
    "HardMoEClassifier",
    "HardMoERegressor",
    "HierarchicalMoEClassifier",
    "HierarchicalMoERegressor",
    "MetaPiClassifier",
    "MetaPiRegressor",
    "MoEClassifier",
    "MoERegressor",
]
