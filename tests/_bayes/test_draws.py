"""Adaptive importance sampling against densities whose moments are known."""

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import gamma, multivariate_normal

from moe_classic._bayes.draws import Draws, adapted, normal_cloud

MEAN = np.array([1.0, -2.0, 0.5])
COV = np.array([[2.0, 0.9, 0.0], [0.9, 1.0, -0.2], [0.0, -0.2, 0.3]])


def moments(draws):
    mean = draws.weights @ draws.points
    off = draws.points - mean
    return mean, (off.T * draws.weights) @ off


@pytest.mark.parametrize("shift", [0.0, 3.0])
def test_moments_of_a_normal_are_found_from_a_wrong_start(shift):
    normal = multivariate_normal(MEAN, COV)
    draws = adapted(normal.logpdf, MEAN + shift, 0.5 * np.eye(3), 4096)
    mean, cov = moments(draws)
    assert draws.weights.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(mean, MEAN, atol=0.06)
    np.testing.assert_allclose(cov, COV, atol=0.12)


def test_skew_density_has_its_mean_and_not_its_mode():
    """Logarithms of gamma variables, of shape 0.7: a long tail to the left."""
    exact = gamma(0.7)

    def log_target(x):
        return exact.logpdf(np.exp(x[:, 0])) + x[:, 0]

    draws = adapted(log_target, np.log([0.7]), np.array([[1.0 / 0.7]]), 1024)
    x = draws.points[:, 0]
    assert draws.weights @ np.exp(x) == pytest.approx(0.7, rel=0.05)
    below = [draws.weights[np.exp(x) <= exact.ppf(p)].sum() for p in (0.1, 0.5, 0.9)]
    np.testing.assert_allclose(below, [0.1, 0.5, 0.9], atol=0.03)


def test_two_hills_are_both_found_where_they_overlap():
    def log_target(x):
        return logsumexp([-0.5 * (x[:, 0] - 2.0) ** 2, -0.5 * (x[:, 0] + 2.0) ** 2], axis=0)

    draws = adapted(log_target, np.array([2.0]), np.eye(1), 2048)
    assert draws.weights[draws.points[:, 0] < 0.0].sum() == pytest.approx(0.5, abs=0.05)


def test_what_draws_do_not_reach_is_given_up():
    """A shell in forty dimensions around the start, thin as paper."""

    def log_target(x):
        return -0.5e6 * (np.linalg.norm(x, axis=1) - 50.0) ** 2

    assert adapted(log_target, np.zeros(40), np.eye(40), 256) is None


def test_equal_calls_have_equal_draws():
    normal = multivariate_normal(MEAN, COV)
    one, other = (adapted(normal.logpdf, MEAN, np.eye(3), 256) for _ in range(2))
    np.testing.assert_array_equal(one.points, other.points)
    np.testing.assert_array_equal(one.weights, other.weights)


def test_resampled_points_have_the_weighted_distribution():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 2)) * [3.0, 1.0]
    w = np.exp(0.5 * X[:, 0])
    draws = Draws(X, w / w.sum())
    points = draws.resampled(800)
    mean, cov = moments(draws)
    assert points.shape == (800, 2)
    np.testing.assert_allclose(points.mean(axis=0), mean, atol=0.12)
    np.testing.assert_allclose(np.cov(points.T), cov, atol=0.25)
    # Along the longest axis they stand as the weights do.
    for p in (0.1, 0.5, 0.9):
        cut = np.quantile(points[:, 0], p)
        assert draws.weights[X[:, 0] <= cut].sum() == pytest.approx(p, abs=0.02)


def test_cloud_has_the_moments_of_its_normal():
    flat = np.array([[1.0, -1.0], [-1.0, 1.0]])
    cloud = normal_cloud(np.array([3.0, 4.0]), flat, 200)
    np.testing.assert_allclose(cloud.mean(axis=0), [3.0, 4.0])
    np.testing.assert_allclose(cloud.T @ cloud / 200 - np.outer([3, 4], [3, 4]), flat, atol=1e-8)
    assert np.isfinite(normal_cloud(np.zeros(40), np.eye(40), 20)).all()
