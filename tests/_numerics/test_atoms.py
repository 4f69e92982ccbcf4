"""Variances that densities of columns with repeated values must have."""

import numpy as np
import pytest

from moe_classic._numerics import atom_variance, indicator_variances


@pytest.mark.parametrize("share", [0.05, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("step", [1.0, 0.25])
def test_indicators_have_the_variance_of_an_interval_of_one_step(share, step):
    x = np.repeat([0.0, step], [200 - round(200 * share), round(200 * share)])
    assert atom_variance(x, np.ones(200)) == pytest.approx(step**2 / 12.0)


@pytest.mark.parametrize("step", [1.0, 0.1])
def test_rounded_columns_have_that_of_what_was_rounded_away(step):
    x = np.random.default_rng(0).normal(size=5000)
    rounded = np.round(x / step) * step
    lost = np.var(x - rounded)
    assert lost == pytest.approx(step**2 / 12.0, rel=0.05)
    # Rows beside a value of the tails are further away than one step.
    assert atom_variance(rounded, np.ones(5000)) == pytest.approx(lost, rel=0.25)


def test_values_that_do_not_repeat_and_constants_have_none():
    x = np.random.default_rng(0).normal(size=300)
    assert atom_variance(x, np.ones(300)) == 0.0
    assert atom_variance(np.zeros(50), np.ones(50)) == 0.0
    # A weight is no repetition.
    assert atom_variance(x, np.full(300, 2.0)) == 0.0


def test_many_zeros_see_the_other_half():
    rest = np.random.default_rng(0).exponential(size=400)
    x = np.r_[np.zeros(600), rest]
    right = 0.6 * np.mean(rest**2) / 12.0
    assert atom_variance(x, np.ones(1000)) == pytest.approx(right)


def test_units_go_along_and_places_do_not():
    x, w = np.random.default_rng(0).poisson(2.0, 400).astype(float), np.ones(400)
    assert atom_variance(-3.0 * x + 7.0, w) == pytest.approx(9.0 * atom_variance(x, w))


def entropy(shares):
    return -np.sum(shares * np.log(shares))


@pytest.mark.parametrize("levels", [2, 3, 4, 6])
def test_levels_of_a_category_gain_nothing_from_densities_of_their_own(levels):
    X = np.repeat(np.eye(levels), 60, axis=0)
    f = indicator_variances(X.T, np.ones(len(X)))
    assert f == pytest.approx(np.full(levels, 1.0 / 8.0))
    for own in range(1, levels):
        sets = [X[X[:, :own].any(axis=1)], X[~X[:, :own].any(axis=1)]]
        shares = np.array([len(s) for s in sets]) / len(X)
        whole, *parts = (
            np.log(np.maximum(np.linalg.eigvalsh(np.cov(s.T, bias=True)), f[0])).sum()
            for s in [X, *sets]
        )
        gain = 0.5 * (whole - shares @ parts) - entropy(shares)
        assert gain <= 1e-9


def test_indicators_of_other_things_are_none_of_a_category():
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 300)) < 0.4
    count = rng.poisson(2.0, 300)
    Z = np.stack([a, b, count, np.ones(300), ~a]).astype(float)
    np.testing.assert_array_equal(indicator_variances(Z, np.ones(300)) > 0.0, [1, 0, 0, 0, 1])
    # In other units, and other places.
    np.testing.assert_allclose(
        indicator_variances(3.0 * Z - 1.0, np.ones(300)), 9.0 * indicator_variances(Z, np.ones(300))
    )
