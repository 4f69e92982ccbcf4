"""Gaussian experts: ordinary least squares and its weighted, tied and penalised relatives."""

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import Ridge

from moe_classic._data.stats import Summary, summarise
from moe_classic.experts import GaussianExpert
from moe_classic.experts._location_scale.gaussian_full import FullGaussian

from ..steps import fit, make_design, statistics, update

# Solutions of well conditioned least squares by two routes.
SAME = {"rtol": 1e-10, "atol": 1e-12}


@pytest.fixture
def line(rng):
    """Two features, two outputs, weights."""
    x = rng.standard_normal((2, 80))
    y = np.array([[1.0, -2.0], [0.5, 3.0]]) @ x + rng.standard_normal((2, 80))
    return make_design(x), y, rng.uniform(0.2, 3.0, 80)


def weighted_least_squares(design, y, w):
    root = np.sqrt(w)
    return np.linalg.lstsq((design.Z * root).T, (y * root).T, rcond=None)[0].T


def test_one_update_is_weighted_least_squares(line):
    design, y, w = line
    params, _ = fit(GaussianExpert(), design, y[:1], w)
    coef = weighted_least_squares(design, y[:1], w)
    np.testing.assert_allclose(params.coef[0], coef, **SAME)
    e = y[:1] - coef @ design.Z
    np.testing.assert_allclose(params.scale[0], np.sqrt(e**2 @ w / w.sum()), **SAME)


def test_update_does_not_depend_on_where_it_starts(line, rng):
    design, y, w = line
    expert, summary = GaussianExpert(), summarise(y[:1], w)
    start = expert.start(1, 3, summary)
    theta = expert.pack(start) + rng.standard_normal(4)
    other = expert.unpack(theta, start, summary)
    a, b = (update(expert, p, design, y[:1], w[None], summary) for p in (start, other))
    np.testing.assert_allclose(a.coef, b.coef, **SAME)
    np.testing.assert_allclose(a.scale, b.scale, **SAME)


def test_expert_without_features_is_the_weighted_mean(line):
    _, y, w = line
    design = make_design(np.empty((0, 80)))
    params, _ = fit(GaussianExpert(features=[]), design, y[:1], w)
    mean = np.average(y[0], weights=w)
    assert params.coef.item() == pytest.approx(mean, rel=1e-12)
    assert params.scale.item() ** 2 == pytest.approx(np.average((y[0] - mean) ** 2, weights=w))


def test_penalty_is_that_of_ridge_regression_with_the_noise_variance(line):
    design, y, _ = line
    expert = GaussianExpert(alpha=0.3)
    params, _ = fit(expert, design, y[:1], times=100)
    strength = 0.3 * 80 * params.scale.item() ** 2
    ridge = Ridge(alpha=strength).fit(design.Z[:-1].T, y[0])
    # Alternating steps in coefficients and scale have converged to about this.
    np.testing.assert_allclose(params.coef[0, 0, :-1], ridge.coef_, rtol=1e-9)
    np.testing.assert_allclose(params.coef[0, 0, -1], ridge.intercept_, rtol=1e-9, atol=1e-9)


def test_log_density_is_that_of_a_normal_with_independent_outputs(line):
    design, y, w = line
    expert = GaussianExpert(covariance_type="diag")
    params, _ = fit(expert, design, y, w)
    expected = stats.norm.logpdf(y, params.coef[0] @ design.Z, params.scale[0][:, None]).sum(axis=0)
    np.testing.assert_allclose(expert.log_prob(params, design, y)[0], expected, rtol=1e-12)


def test_spherical_scale_is_the_mean_of_the_variances_of_the_outputs(line):
    design, y, w = line
    own, _ = fit(GaussianExpert(covariance_type="diag"), design, y, w)
    one, _ = fit(GaussianExpert(covariance_type="spherical"), design, y, w)
    np.testing.assert_allclose(one.coef, own.coef, **SAME)
    np.testing.assert_allclose(one.scale[0] ** 2, (own.scale**2).mean(), **SAME)


def test_tied_scale_pools_the_experts(line, rng):
    design, y, w = line
    S = w * rng.dirichlet(np.ones(3), 80).T
    summary = summarise(y, w)
    scales = []
    for tied in (False, True):
        expert = GaussianExpert(covariance_type="diag", tied=tied)
        start = expert.start(3, 3, summary)
        scales.append(update(expert, start, design, y, S, summary).scale)
    pooled = (scales[0] ** 2 * S.sum(axis=1)[:, None]).sum(axis=0) / w.sum()
    np.testing.assert_allclose(scales[1][0] ** 2, pooled, **SAME)


@pytest.mark.parametrize("offset", [1e6, 1e8])
def test_scale_survives_a_large_offset_of_the_target(line, offset):
    design, y, _ = line
    near, _ = fit(GaussianExpert(), design, y[:1])
    far, _ = fit(GaussianExpert(), design, y[:1] + offset, times=2)
    # The target itself is known to 1e-16 of its offset; raw moments would lose its square.
    np.testing.assert_allclose(far.scale, near.scale, rtol=1e-14 * offset)
    np.testing.assert_allclose(far.coef[0, 0, :2], near.coef[0, 0, :2], rtol=1e-14 * offset)


def test_scale_stops_at_its_floor_when_the_rows_lie_on_a_line(rng):
    x = rng.standard_normal((1, 20))
    expert = GaussianExpert(min_scale=0.01)
    params, summary = fit(expert, make_design(x), 2.0 * x + 1.0)
    assert params.scale.item() == pytest.approx(0.01 * summary.y_scale.item(), rel=1e-12)
    assert expert.degenerate(params, summary).tolist() == [True]


@pytest.mark.parametrize(
    ("covariance_type", "tied", "count"),
    [
        ("diag", False, 3 * 2),
        ("diag", True, 2),
        ("spherical", False, 3),
        ("spherical", True, 1),
        ("full", False, 3 * 3),
        ("full", True, 3),
    ],
)
def test_parameters_are_counted(covariance_type, tied, count):
    summary = Summary(10.0, np.zeros(2), np.ones(2))
    expert = GaussianExpert(covariance_type=covariance_type, tied=tied).bind(summary)
    params = expert.start(3, 4, summary)
    assert expert.n_parameters(params) == 3 * 2 * 4 + count


def test_bind_hands_full_covariances_to_an_expert_of_their_own():
    expert = GaussianExpert(features=[0], alpha=0.1, tied=True, min_scale=0.02)
    one, two = (Summary(10.0, np.zeros(d), np.ones(d)) for d in (1, 2))
    assert expert.bind(one) is expert
    bound = expert.bind(two)
    assert type(bound) is FullGaussian
    assert bound.get_params() == {
        "features": [0],
        "alpha": 0.1,
        "tied": True,
        "min_scale": 0.02,
        "fit_intercept": True,
    }
    diagonal = GaussianExpert(covariance_type="diag")
    assert diagonal.bind(two) is diagonal


def test_unknown_covariance_type_is_refused():
    with pytest.raises(ValueError, match="covariance_type='round' is not known; choose one of"):
        GaussianExpert(covariance_type="round").check()


@pytest.mark.parametrize("covariance_type", ["diag", "spherical", "full"])
def test_translated_statistics_are_those_at_the_new_parameters(line, covariance_type, rng):
    design, y, w = line
    summary = summarise(y, w)
    expert = GaussianExpert(covariance_type=covariance_type).bind(summary)
    S = w * rng.dirichlet(np.ones(2), 80).T
    old = expert.start(2, 3, summary)
    theta = expert.pack(old)
    new = expert.unpack(theta + rng.standard_normal(theta.size), old, summary)
    moved = expert.translate(statistics(expert, old, design, y, S), old, new)
    direct = statistics(expert, new, design, y, S)
    for name in ("gram", "score", "rss", "mass"):
        np.testing.assert_allclose(getattr(moved, name), getattr(direct, name), rtol=1e-10)
