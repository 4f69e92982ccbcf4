"""Quantiles with weights, wild values, noise of a target."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.optimize import linprog

from moe_classic._numerics import (
    has_wild,
    noise_scale,
    tame_range,
    weighted_quantile,
    weighted_quantiles,
)


@pytest.mark.parametrize("q", [0.1, 0.25, 0.5, 0.75, 0.9])
def test_quantiles_are_those_of_repeated_values(q):
    rng = np.random.default_rng(0)
    values, times = rng.normal(size=31), rng.integers(1, 5, 31)
    repeated = np.quantile(np.repeat(values, times), q, method="inverted_cdf")
    assert weighted_quantile(values, times.astype(float), q) == repeated


def test_bounds_are_ten_deviations_of_a_normal_and_one_value_does_not_move_them():
    rng = np.random.default_rng(1)
    values, w = rng.normal(3.0, 2.0, 4000), np.ones(4000)
    low, high = tame_range(values, w)
    np.testing.assert_allclose([low, high], [3.0 - 20.0, 3.0 + 20.0], atol=1.0)
    values[0] = 1e9
    np.testing.assert_allclose(tame_range(values, w), [low, high], atol=0.05)
    assert has_wild(values.min(), values.max(), values.mean(), values.std())


def test_values_that_are_mostly_alike_have_bounds_from_further_out_or_none():
    values, w = np.zeros(100), np.ones(100)
    values[:20] = np.arange(20.0)
    low, high = tame_range(values, w)
    assert low < 0.0
    assert 19.0 < high < np.inf
    values[:20] = 0.0
    values[0] = 5.0
    assert tame_range(values, w) == (-np.inf, np.inf)


@pytest.mark.parametrize("wild", [0.0, 1e8])
@pytest.mark.parametrize("size", [1e-7, 1.0])
def test_noise_is_that_about_a_line(wild, size):
    rng = np.random.default_rng(2)
    Z = np.vstack([rng.normal(size=(2, 2000)), np.ones(2000)])
    y = [3.0, -1.0, 5.0] @ Z + size * rng.normal(size=2000)
    y[:3] += wild
    assert noise_scale(Z, y, np.ones(2000)) == pytest.approx(size, rel=0.06)


def test_noise_is_the_median_residual_of_the_linear_programme():
    rng = np.random.default_rng(3)
    n = 60
    Z, w = np.vstack([rng.normal(size=n), np.ones(n)]), rng.integers(1, 4, n).astype(float)
    y = 2.0 * Z[0] + rng.standard_t(2.0, n)
    eye = np.eye(n)
    least = linprog(
        np.r_[0.0, 0.0, w, w],
        A_eq=np.hstack([Z.T, eye, -eye]),
        b_eq=y,
        bounds=[(None, None)] * 2 + [(0.0, None)] * (2 * n),
    )
    size = np.abs(y - least.x[:2] @ Z)
    left = size > 1e-9
    median = np.quantile(np.repeat(size[left], w[left].astype(int)), 0.5, method="inverted_cdf")
    assert noise_scale(Z, y, w) == pytest.approx(1.4826022 * median, rel=0.05)


def test_nothing_is_said_of_exact_targets_constants_and_few_rows():
    rng = np.random.default_rng(4)
    Z = np.vstack([rng.normal(size=50), np.ones(50)])
    w = np.ones(50)
    assert noise_scale(Z, 3.0 * Z[0] - 1.0, w) == 0.0
    assert noise_scale(Z, np.full(50, 7.0), w) == 0.0
    assert noise_scale(Z[:, :5], rng.normal(size=5), w[:5]) == 0.0


@pytest.mark.parametrize(
    ("of_x", "of_y"), [(1e140, 1e-140), (1e-140, 1e140), (2.0**300, 1.0), (1e30, 1e-30)]
)
def test_a_noise_scale_does_not_depend_on_units(rng, of_x, of_y):
    Z, w = np.vstack([rng.normal(size=(2, 60)), np.ones(60)]), np.ones(60)
    y = Z[0] - Z[1] + 0.1 * rng.normal(size=60)
    scaled = noise_scale(Z * [[of_x], [1.0], [1.0]], of_y * y, w)
    assert scaled == pytest.approx(of_y * noise_scale(Z, y, w), rel=1e-9)


def test_quantiles_for_one_sort_are_attained_with_equal_weights_and_unequal_ones(rng):
    values, w = rng.choice(rng.normal(size=40), size=101), rng.integers(0, 4, size=101) * 0.3
    shares = (0.01, 0.25, 0.5, 1.0 / 3.0, 0.99, 1.0)
    repeated = np.repeat(values, np.round(w / 0.3).astype(int))
    inverted = np.quantile(repeated, shares, method="inverted_cdf")
    assert_array_equal(weighted_quantiles(values, w, shares), inverted)
    assert_array_equal(weighted_quantiles(repeated, np.full(len(repeated), 0.3), shares), inverted)
