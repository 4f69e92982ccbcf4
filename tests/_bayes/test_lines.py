"""Bayesian regressions: closed forms, and the exact evidence where precisions are known."""

import numpy as np
import pytest
from scipy.special import gammaln
from sklearn.linear_model import ARDRegression

from moe_classic._bayes import BayesianLines, Gamma
from moe_classic._bayes.lines import inverse
from moe_classic._data import Design

NOISE = Gamma(1.0, 0.3)


def rows(n=40, q=3, seed=0):
    rng = np.random.default_rng(seed)
    Z = np.vstack([rng.normal(size=(q - 1, n)), np.ones(n)])
    y = np.array([1.0, -0.5, 0.2])[:q] @ Z + 0.4 * rng.normal(size=n)
    return Design(Z), y[None], rng.uniform(0.5, 2.0, n)


def fitted(family, design, y, w, rounds):
    q = family.start(1, design.width)
    for _ in range(rounds):
        q = family.update(q, design, y, w[None])
    return q


def bound(family, q, design, y, w):
    fit = family.expected_log_density(q, design, y)[0]
    return float(fit @ w - family.divergence(q)[0])


def test_bound_is_the_evidence_of_a_regression_whose_precisions_are_known():
    design, y, w = rows()
    known = np.array(2.0)
    family = BayesianLines(NOISE, Gamma(1e7, 1e7 / known))
    q = fitted(family, design, y, w, rounds=3)
    # Normal-gamma with rows of weight w: the evidence of y given the precisions of the slopes.
    Z, y0 = design.Z, y[0]
    L = known * np.eye(3) + (Z * w) @ Z.T
    m = np.linalg.solve(L, (Z * w) @ y0)
    a, b = NOISE.shape + 0.5 * w.sum(), NOISE.rate + 0.5 * (w @ y0**2 - m @ L @ m)
    evidence = (
        gammaln(a)
        - gammaln(NOISE.shape)
        + NOISE.shape * np.log(NOISE.rate)
        - a * np.log(b)
        + 0.5 * (3 * np.log(known) - np.linalg.slogdet(L)[1])
        - 0.5 * w.sum() * np.log(2.0 * np.pi)
    )
    np.testing.assert_allclose(q.mean[0], m, rtol=1e-7)
    assert bound(family, q, design, y, w) == pytest.approx(evidence, abs=1e-5)


def test_bound_rises_with_every_update_and_stays():
    design, y, w = rows()
    family = BayesianLines(NOISE, Gamma(0.5, 0.5))
    q, heights = family.start(1, 3), []
    for _ in range(60):
        q = family.update(q, design, y, w[None])
        heights.append(bound(family, q, design, y, w))
    assert (np.diff(heights) > -1e-10).all()
    assert heights[-1] - heights[-2] < 1e-9


def test_features_without_effect_are_shrunk():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(200, 10))
    y = X[:, :2] @ [1.0, -2.0] + 0.5 * rng.normal(size=200)
    design = Design(np.vstack([X.T, np.ones(200)]))
    family = BayesianLines(Gamma(1e-6, 1e-6), Gamma(1e-6, 1e-6))
    q = fitted(family, design, y[None], np.ones(200), rounds=500)
    free = np.linalg.lstsq(design.Z.T, y)[0]
    np.testing.assert_allclose(q.mean[0, :2], free[:2], atol=0.01)
    assert (np.abs(q.mean[0, 2:10]) < 0.5 * np.abs(free[2:10])).all()
    # scikit-learn's regression prunes by the same precisions, which it maximises over.
    ard = ARDRegression(max_iter=500, threshold_lambda=1e10).fit(X, y)
    np.testing.assert_allclose(q.mean[0, :10], ard.coef_, atol=0.02)


def test_weight_of_two_is_a_repeated_row():
    design, y, _ = rows()
    twice = Design(np.hstack([design.Z, design.Z[:, :10]]))
    w = np.where(np.arange(40) < 10, 2.0, 1.0)
    family = BayesianLines(NOISE, Gamma(0.5, 0.5))
    a = fitted(family, design, y, w, rounds=5)
    b = fitted(family, twice, np.hstack([y, y[:, :10]]), np.ones(50), rounds=5)
    np.testing.assert_allclose(a.mean, b.mean, rtol=1e-10)
    np.testing.assert_allclose(a.noise.rate, b.noise.rate, rtol=1e-10)


def test_inverse_of_a_matrix_whose_prior_is_lost_in_rounding():
    A = 1e20 * np.ones((2, 3, 3)) + 1e-3 * np.eye(3)
    A[1] = np.diag([1.0, 2.0, 4.0])
    found = inverse(A)
    assert np.isfinite(found).all()
    assert (np.linalg.eigvalsh(found)[0] > -1e-12 * np.abs(found[0]).max()).all()
    np.testing.assert_allclose(found[1], np.diag([1.0, 0.5, 0.25]), rtol=1e-12)
