"""Flat mixtures, and what every mixture shares."""

from .arguments import check_init, given_responsibilities, store_arguments
from .base import MixtureEstimator
from .classifier import ClassifierAnswers
from .fitted import LearnedMixture
from .flat import MoEClassifier, MoERegressor
from .online import as_one, set_online, source_of
from .regressor import RegressorAnswers
from .rows import RowChecker

__all__ = [
    "ClassifierAnswers",
    "LearnedMixture",
    "MixtureEstimator",
    "MoEClassifier",
    "MoERegressor",
    "RegressorAnswers",
    "RowChecker",
    "as_one",
    "check_init",
    "given_responsibilities",
    "set_online",
    "source_of",
    "store_arguments",
]
