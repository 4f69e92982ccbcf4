"""Variational Bayes: posteriors of gate and experts, the bound, and what they predict."""

from .components import (
    LineParams,
    LogitParams,
    PosteriorGaussianExpert,
    PosteriorMultinomialExpert,
)
from .gammas import Gamma
from .gate import GateParams, PosteriorSoftmaxGate
from .lines import BayesianLines
from .logits import BayesianClasses, BayesianLogits, laplace_covariance
from .mixture import BayesianMixture, Run, State, Step, climb, pruned
from .tables import raw_terms

__all__ = [
    "BayesianClasses",
    "BayesianLines",
    "BayesianLogits",
    "BayesianMixture",
    "Gamma",
    "GateParams",
    "LineParams",
    "LogitParams",
    "PosteriorGaussianExpert",
    "PosteriorMultinomialExpert",
    "PosteriorSoftmaxGate",
    "Run",
    "State",
    "Step",
    "climb",
    "laplace_covariance",
    "pruned",
    "raw_terms",
]
