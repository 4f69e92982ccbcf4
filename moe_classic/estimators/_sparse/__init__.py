"""Nets with layers of experts, of which every row consults a few."""

from .deep import DeepMoEClassifier, DeepMoERegressor
from .mixture_of_softmaxes import MixtureOfSoftmaxesClassifier
from .sparse import SparseMoEClassifier, SparseMoERegressor
from .upcycling import upcycle

__all__ = [
    "DeepMoEClassifier",
    "DeepMoERegressor",
    "MixtureOfSoftmaxesClassifier",
    "SparseMoEClassifier",
    "SparseMoERegressor",
    "upcycle",
]
