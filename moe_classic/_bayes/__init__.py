"""Variational Bayes: posteriors of gate and experts, the bound, and what they predict."""

from .components import (
    GateParams,
    LineParams,
    PosteriorGaussianExpert,
    PosteriorSoftmaxGate,
)
from .gammas import Gamma
from .lines import BayesianLines
from .logits import BayesianLogits, laplace_covariance
from .mixture import BayesianMixture, Run, State, climb, pruned
from .tables import raw_terms

__all__ = [
    "BayesianLines",
    "BayesianLogits",
    "BayesianMixture",
    "Gamma",
    "GateParams",
    "LineParams",
    "PosteriorGaussianExpert",
    "PosteriorSoftmaxGate",
    "Run",
    "State",
    "climb",
    "laplace_covariance",
    "pruned",
    "raw_terms",
]
