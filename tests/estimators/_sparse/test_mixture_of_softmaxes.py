"""Mixtures of softmaxes: rank, and one softmax as a special case."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from moe_classic import MixtureOfSoftmaxesClassifier
from moe_classic._results import fitted_net

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def rank_of_log_proba(n_experts):
    X, y = load_digits(return_X_y=True)
    mos = MixtureOfSoftmaxesClassifier(
        n_experts, latent_width=2, context_width=16, max_iter=6, random_state=0
    ).fit(X[:600], y[:600])
    return np.linalg.matrix_rank(mos.predict_log_proba(X[:600]), tol=1e-6)


def test_one_softmax_has_the_rank_of_its_head_and_a_mixture_more():
    # Two latent numbers, a constant and the normaliser.
    assert rank_of_log_proba(1) <= 4
    assert rank_of_log_proba(4) == 10


def test_forward_by_hand():
    X, y = load_digits(return_X_y=True)
    X, y = X[:200], y[:200]
    mos = MixtureOfSoftmaxesClassifier(3, max_iter=2, random_state=0).fit(X, y)
    scale = np.where(X.std(axis=0) > 0, X.std(axis=0), 1.0)
    h = (X - X.mean(axis=0)) / scale
    A = fitted_net(mos).net.layers[0].arrays["W"]
    c = np.tanh(h @ A[:-1] + A[-1])
    layer, B = mos.routers_[0], fitted_net(mos).net.head.arrays["W"]
    assert "b" not in layer.arrays
    s = c @ layer.arrays["W"]
    p = np.exp(s) / np.exp(s).sum(axis=1, keepdims=True)
    total = 0.0
    for k in range(3):
        (W,) = layer.experts.maps(layer.table[k])
        logits = np.tanh(c @ W[:-1] + W[-1]) @ B[:-1] + B[-1]
        e = np.exp(logits)
        total = total + p[:, k : k + 1] * e / e.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(mos.predict_proba(X), total, atol=1e-12)
    np.testing.assert_allclose(mos.gate_proba(X), p, atol=1e-12)


def test_bad_arguments_raise():
    X, y = load_digits(return_X_y=True)
    with pytest.raises(ValueError, match="latent_width=0"):
        MixtureOfSoftmaxesClassifier(latent_width=0).fit(X, y)
