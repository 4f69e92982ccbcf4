"""Bayesian logits against optimisation, finite differences and Monte Carlo."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression

from moe_classic._bayes import BayesianClasses, BayesianLogits, Gamma, laplace_covariance
from moe_classic._bayes.logits import _solved, mean_log_softmax
from moe_classic._data import Design


def rows(C, n=150, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    codes = (X @ rng.normal(size=(2, C)) + rng.gumbel(size=(n, C))).argmax(axis=1)
    return X, codes, Design(np.vstack([X.T, np.ones(n)])), np.eye(C)[codes].T


def fitted(family, design, T, rounds):
    q = family.start(1, len(T), design.width)
    w = np.ones((1, T.shape[1]))
    for _ in range(rounds):
        q = family.update(q, design, T[None], w)
    return q, w


@pytest.mark.parametrize("C", [2, 3, 5])
def test_mean_is_the_penalised_fit_and_the_covariance_its_curvature(C):
    X, codes, design, T = rows(C)
    known = 0.7
    family = BayesianLogits(Gamma(1e9, 1e9 / known))
    q, w = fitted(family, design, T, rounds=12)
    ones = np.column_stack([X, np.ones(len(X))])
    # A penalty on centred coefficients: of two classes, half their squared difference.
    strength = 1.0 / known if C > 2 else 2.0 / known
    other = LogisticRegression(C=strength, fit_intercept=False, tol=1e-10, max_iter=5000)
    coef = other.fit(ones, codes).coef_
    mine = q.mean[0] - q.mean[0].mean(axis=0)
    theirs = np.vstack([-0.5 * coef, 0.5 * coef]) if C == 2 else coef - coef.mean(axis=0)
    np.testing.assert_allclose(mine, theirs, atol=2e-5)
    cov = laplace_covariance(q, design, w)[0].reshape(3 * C, 3 * C)
    np.testing.assert_allclose(cov, curvature_inverse(q.mean[0], design, T, known), atol=1e-6)


def curvature_inverse(mean, design, T, known):
    """Inverse of finite differences of the penalised log-likelihood, in contrasts."""
    C, q = mean.shape
    U = np.linalg.svd(np.eye(C) - 1.0 / C)[0][:, :-1]

    def slope(free):
        V = U @ free.reshape(C - 1, q)
        P = np.exp(log_softmax(V @ design.Z, axis=0))
        return (U.T @ ((T - P) @ design.Z.T - known * V)).ravel()

    at, step = (U.T @ mean).ravel(), 1e-5
    eye = np.eye(at.size)
    H = np.array([(slope(at + step * e) - slope(at - step * e)) / (2.0 * step) for e in eye])
    B = np.kron(U, np.eye(q))
    return B @ np.linalg.inv(-0.5 * (H + H.T)) @ B.T


@pytest.mark.parametrize("C", [2, 4])
def test_bound_is_below_the_average_and_rises(C):
    _, _, design, T = rows(C)
    family = BayesianLogits(Gamma(0.5, 0.5))
    q, heights = family.start(1, C, 3), []
    for _ in range(40):
        q = family.update(q, design, T[None], np.ones((1, 150)))
        below = family.expected_log_proba(q, design)[0]
        heights.append(float((T * below).sum() - family.divergence(q)[0]))
    assert (np.diff(heights) > -1e-10).all()
    centre, rng = np.eye(C) - 1.0 / C, np.random.default_rng(0)
    root = np.linalg.cholesky(q.cov[0])
    draws = centre @ rng.standard_normal((4000, C, 3)) @ root.T + q.mean[0]
    seen = log_softmax(draws @ design.Z, axis=1)
    assert (below < seen.mean(axis=0) + 4.0 * seen.std(axis=0) / np.sqrt(4000)).all()


def test_scores_of_classes_are_slopes_of_the_log_probability_of_each_expert():
    K, C = 2, 3
    _, codes, design, _ = rows(C)
    logits = BayesianLogits(Gamma(0.5, 0.5))
    mean = np.random.default_rng(1).normal(size=(K, C, 3))
    q = replace(logits.start(K, C, 3), mean=mean)
    weights = np.full((K, codes.size), 1.0 / K)
    (scores,) = BayesianClasses(logits, C).scores(q, design, codes, weights)
    eta, step, every = mean @ design.Z, 1e-6, np.arange(codes.size)
    for k in range(K):
        for c in range(C):
            moved = [eta[k] + sign * step * np.eye(C)[:, [c]] for sign in (1.0, -1.0)]
            up, down = (log_softmax(e, axis=0)[codes, every] for e in moved)
            np.testing.assert_allclose(scores.factor[k, c], (up - down) / (2 * step), atol=1e-8)


def test_one_class_has_nothing_to_learn():
    _, _, design, _ = rows(2)
    family = BayesianLogits(Gamma(0.5, 0.5))
    q, w = fitted(family, design, np.ones((1, 150)), rounds=2)
    assert not q.mean.any()
    assert not laplace_covariance(q, design, w).any()
    assert family.divergence(q)[0] == pytest.approx(0.0, abs=0.5)
    np.testing.assert_allclose(mean_log_softmax(q.mean, design), 0)


def test_probabilities_are_averages():
    rng = np.random.default_rng(1)
    draws = rng.normal(size=(40, 3, 2))
    design = Design(np.vstack([np.linspace(-2.0, 2.0, 9), np.ones(9)]))
    exact = np.exp(log_softmax(draws @ design.Z, axis=1)).mean(axis=0)
    np.testing.assert_allclose(np.exp(mean_log_softmax(draws, design)), exact)


def test_steps_of_singular_curvatures_move_what_is_known():
    H = np.stack([np.ones((2, 2)), np.diag([2.0, 4.0])])
    step = _solved(H, np.array([[[1.0], [1.0]], [[2.0], [2.0]]]))
    np.testing.assert_allclose(step[..., 0], [[0.5, 0.5], [1.0, 0.5]])
