"""Mixtures of experts by variational Bayes."""

from .classifier import BayesianMoEClassifier
from .fitted import FittedPosterior
from .regressor import BayesianMoERegressor

__all__ = ["BayesianMoEClassifier", "BayesianMoERegressor", "FittedPosterior"]
