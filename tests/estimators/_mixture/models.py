"""Estimators, parameters and marks of the tests of flat mixtures."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import log_softmax

from moe_classic import MoEClassifier, MoERegressor

REAL_EXPERTS = ["gaussian", "laplace", "student_t"]
GATES = ["constant", "gaussian", "softmax"]
STRATEGIES = ["principal", "kmeans", "elemental", "residual", "segments", "local"]
every_gate = pytest.mark.parametrize("gate", GATES)
every_real = pytest.mark.parametrize("expert", REAL_EXPERTS)


def regressor(n_experts=2, **options):
    return MoERegressor(n_experts, **{"n_init": 2, "random_state": 0} | options)


def classifier(n_experts=2, **options):
    return MoEClassifier(n_experts, **{"n_init": 2, "random_state": 0} | options)


def gate_by_hand(model, X):
    """Log gate probabilities from the published parameters, (n, K)."""
    gate = model.gate_
    if gate.name == "softmax":
        joint = X @ gate.coef_.T + gate.intercept_
    else:
        joint = np.log(gate.weights_) + np.zeros((len(X), 1))
    if gate.name == "gaussian":
        parts = zip(gate.means_, gate.covariances_, strict=True)
        joint = joint + np.column_stack([stats.multivariate_normal(*p).logpdf(X) for p in parts])
    return log_softmax(joint, axis=1)
