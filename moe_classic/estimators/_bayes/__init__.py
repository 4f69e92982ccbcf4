"""Mixtures of experts by variational Bayes."""

from .fitted import FittedPosterior
from .regressor import BayesianMoERegressor

__all__ = ["BayesianMoERegressor", "FittedPosterior"]
