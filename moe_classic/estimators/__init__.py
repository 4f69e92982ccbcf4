"""Estimators with ``fit`` and ``predict``."""

from ._bayes import BayesianMoEClassifier, BayesianMoERegressor
from ._blend import MetaPiClassifier, MetaPiRegressor
from ._hard import HardMoEClassifier, HardMoERegressor
from ._mixture import MoEClassifier, MoERegressor
from ._sparse import (
    DeepMoEClassifier,
    DeepMoERegressor,
    MixtureOfSoftmaxesClassifier,
    SparseMoEClassifier,
    SparseMoERegressor,
    upcycle,
)
from ._tree import HierarchicalMoEClassifier, HierarchicalMoERegressor

__all__ = [
    "BayesianMoEClassifier",
    "BayesianMoERegressor",
    "DeepMoEClassifier",
    "DeepMoERegressor",
    "HardMoEClassifier",
    "HardMoERegressor",
    "HierarchicalMoEClassifier",
    "HierarchicalMoERegressor",
    "MetaPiClassifier",
    "MetaPiRegressor",
    "MixtureOfSoftmaxesClassifier",
    "MoEClassifier",
    "MoERegressor",
    "SparseMoEClassifier",
    "SparseMoERegressor",
    "upcycle",
]
