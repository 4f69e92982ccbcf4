"""Gaussian experts with full covariances of several outputs."""

import numpy as np
import pytest
from scipy import stats

from moe_classic._data.stats import summarise
from moe_classic.experts import GaussianExpert
from moe_classic.experts._location_scale.gaussian_full import (
    FullGaussian,
    FullParams,
    floored_cholesky,
)

from ..steps import fit, make_design, update

# Solutions of well conditioned least squares by two routes.
SAME = {"rtol": 1e-9, "atol": 1e-11}
MIXING = np.array([[2.0, 0.3, 0.0], [-1.0, 0.5, 4.0], [0.1, 0.1, -0.3]])


@pytest.fixture
def cloud(rng):
    """Two features, three correlated outputs, responsibilities of two experts."""
    x = rng.standard_normal((2, 120))
    noise = np.array([[1.0, 0, 0], [0.8, 0.5, 0], [-0.3, 0.2, 0.7]]) @ rng.standard_normal((3, 120))
    y = rng.standard_normal((3, 2)) @ x + noise
    return make_design(x), y, rng.dirichlet(np.ones(2), 120).T


def climb(design, y, S, *, times=1, tied=False, alpha=0.0):
    expert = FullGaussian(min_scale=1e-3, tied=tied, alpha=alpha)
    summary = summarise(y, S.sum(axis=0))
    start = expert.start(len(S), design.width, summary)
    return update(expert, start, design, y, S, summary, times=times)


def test_one_update_is_least_squares_with_the_residual_covariance(cloud):
    design, y, _ = cloud
    params, _ = fit(GaussianExpert(), design, y)
    coef = np.linalg.lstsq(design.Z.T, y.T, rcond=None)[0].T
    e = y - coef @ design.Z
    np.testing.assert_allclose(params.coef[0], coef, **SAME)
    np.testing.assert_allclose(params.covariance[0], e @ e.T / 120, **SAME)


def test_log_density_is_that_of_a_multivariate_normal(cloud):
    design, y, S = cloud
    params = climb(design, y, S)
    log_prob = FullGaussian(min_scale=1e-3).log_prob(params, design, y)
    for k in range(2):
        e = (y - params.coef[k] @ design.Z).T
        expected = stats.multivariate_normal.logpdf(e, np.zeros(3), params.covariance[k])
        np.testing.assert_allclose(log_prob[k], expected, rtol=1e-10)


@pytest.mark.parametrize("tied", [False, True])
def test_fit_follows_any_linear_map_of_the_outputs(cloud, tied):
    design, y, S = cloud
    before = climb(design, y, S, tied=tied)
    after = climb(design, MIXING @ y, S, tied=tied)
    np.testing.assert_allclose(after.coef, MIXING @ before.coef, **SAME)
    np.testing.assert_allclose(after.covariance, MIXING @ before.covariance @ MIXING.T, **SAME)
    expert = FullGaussian(min_scale=1e-3)
    moved = expert.log_prob(after, design, MIXING @ y)
    expected = expert.log_prob(before, design, y) - np.log(abs(np.linalg.det(MIXING)))
    np.testing.assert_allclose(moved, expected, rtol=1e-8)


def test_tied_covariance_pools_the_experts(cloud):
    design, y, S = cloud
    own, tied = climb(design, y, S), climb(design, y, S, tied=True)
    share = (S.sum(axis=1) / S.sum())[:, None, None]
    np.testing.assert_allclose(tied.covariance[0], (share * own.covariance).sum(axis=0), **SAME)


def test_one_output_is_the_scalar_expert(cloud):
    design, y, S = cloud
    full = climb(design, y[:1], S, alpha=0.1, times=3)
    summary = summarise(y[:1], S.sum(axis=0))
    scalar = GaussianExpert(alpha=0.1)
    start = scalar.start(2, 3, summary)
    plain = update(scalar, start, design, y[:1], S, summary, times=3)
    np.testing.assert_allclose(full.coef, plain.coef, **SAME)
    np.testing.assert_allclose(full.scale, plain.scale, **SAME)


def test_samples_have_the_covariance_of_the_record(cloud, rng):
    design, y, S = cloud
    params = climb(design, y, S)
    many = make_design(np.zeros((2, 20000)))
    drawn = FullGaussian(min_scale=1e-3).sample(params, many, rng)
    for k in range(2):
        white = np.linalg.solve(params.chol[k], drawn[k] - params.coef[k][:, -1:])
        # Entries of a sample covariance of 20000 draws have standard errors up to .01.
        np.testing.assert_allclose(np.cov(white), np.eye(3), atol=0.04)


def test_collinear_outputs_stop_at_the_floor(rng):
    x = rng.standard_normal((1, 50))
    y = np.vstack([x + rng.standard_normal((1, 50))] * 2) * [[1.0], [2.0]]
    expert = FullGaussian(min_scale=0.01)
    params, summary = fit(GaussianExpert(min_scale=0.01), make_design(x), y)
    floor = 0.01 * summary.y_scale
    values = np.linalg.eigvalsh(params.covariance[0] / np.outer(floor, floor))
    assert values[0] == pytest.approx(1.0, rel=1e-6)
    assert expert.degenerate(params, summary).tolist() == [True]
    assert np.isfinite(expert.log_prob(params, make_design(x), y)).all()


def test_floor_leaves_covariances_above_it_alone(rng):
    A = rng.standard_normal((2, 3, 3))
    covariance = A @ A.transpose(0, 2, 1) + np.eye(3)
    chol = floored_cholesky(covariance, 1.0, np.array([0.1, 0.01, 0.5]))
    np.testing.assert_allclose(chol @ chol.transpose(0, 2, 1), covariance, **SAME)
    np.testing.assert_array_equal(chol, np.tril(chol))


def test_floored_covariance_is_the_most_likely_one_above_the_floor(rng):
    sample = np.diag([0.2, 3.0])
    rotation = np.linalg.qr(rng.standard_normal((2, 2)))[0]
    sample = rotation @ sample @ rotation.T

    def log_likelihood(C):
        return -np.linalg.slogdet(C)[1] - np.trace(np.linalg.solve(C, sample))

    chol = floored_cholesky(sample[None], 1.0, np.ones(2))[0]
    best = log_likelihood(chol @ chol.T)
    for _ in range(300):
        turn = np.linalg.qr(rng.standard_normal((2, 2)))[0]
        rival = turn @ np.diag(1.0 + rng.exponential(2.0, 2)) @ turn.T
        assert log_likelihood(rival) < best


def test_record_tells_covariance_and_scale():
    chol = np.array([[[2.0, 0.0], [3.0, 4.0]]])
    params = FullParams(np.zeros((1, 2, 1)), chol)
    np.testing.assert_allclose(params.covariance[0], [[4.0, 6.0], [6.0, 25.0]])
    np.testing.assert_allclose(params.scale, [[2.0, 5.0]])
