"""Quantiles, moments and scores that follow from a distribution function alone."""

import numpy as np
import pytest
from scipy import stats

from moe_classic._components.quadrature import (
    _left,
    crps_of_cdf,
    crps_on_lattice,
    invert,
    lattice_moments,
    moments,
    window_moments,
)
from moe_classic._components.targets import TARGETS

LEVELS = np.array([[1e-9, 0.01, 0.3, 0.5, 0.97, 1 - 1e-9]])


@pytest.mark.parametrize(
    ("kind", "law"),
    [
        ("real", stats.norm(1e6, 1e-3)),
        ("real", stats.cauchy(0.0, 1e4)),
        ("real", stats.skewnorm(5.0)),
        ("positive", stats.gamma(0.3)),
        ("positive", stats.lognorm(2.0)),
    ],
)
def test_quantiles_invert_the_distribution_function(kind, law):
    found = invert(law.cdf, LEVELS, np.zeros(LEVELS.shape), TARGETS[kind])
    np.testing.assert_allclose(law.cdf(found), LEVELS, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("law", [stats.poisson(0.2), stats.poisson(7.3), stats.nbinom(2, 1e-4)])
def test_quantiles_of_counts_are_attained(law):
    found = invert(law.cdf, LEVELS, np.zeros(LEVELS.shape), TARGETS["count"])
    np.testing.assert_array_equal(found, law.ppf(LEVELS))


@pytest.mark.parametrize("law", [stats.norm(3.0, 0.1), stats.gamma(2.5), stats.t(6.0, 1.0, 5.0)])
def test_moments_are_those_of_the_density(law):
    centre, unit = np.array([law.median()]), np.array([law.std()])
    mean, variance = moments(law.cdf, centre, unit, law.support()[0])
    np.testing.assert_allclose(mean, law.mean(), rtol=1e-6)
    np.testing.assert_allclose(variance, law.var(), rtol=1e-5)


@pytest.mark.parametrize("law", [stats.poisson(0.2), stats.poisson(70.3), stats.nbinom(2, 0.1)])
def test_moments_of_counts_are_those_of_the_probabilities(law):
    mean, variance = lattice_moments(law.cdf, np.array([law.ppf(1 - 1e-13)]), TARGETS["count"])
    np.testing.assert_allclose([mean, variance], [[law.mean()], [law.var()]], rtol=1e-9)


def test_score_of_a_normal_is_the_closed_form():
    y = np.array([-3.0, 0.1, 8.0])
    z = (y - 1.0) / 2.0
    closed = 2.0 * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - np.pi**-0.5)
    centre, unit = np.full((1, 3), 1.0), np.full(3, 2.0)
    found = crps_of_cdf(stats.norm(1.0, 2.0).cdf, y, centre, unit)
    np.testing.assert_allclose(found, closed, rtol=1e-7)


def test_score_of_counts_is_the_expectation_over_pairs():
    law, y = stats.poisson(4.2), np.array([0.0, 4.0, 15.0])
    values = np.arange(60.0)
    p = law.pmf(values)
    spread = p @ np.abs(values[:, None] - values) @ p
    expected = np.abs(values - y[:, None]) @ p - 0.5 * spread
    found = crps_on_lattice(law.cdf, y, np.zeros(3), np.full(3, 60.0), 1.0)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize(
    "law",
    [
        stats.poisson(3e4),
        stats.poisson(1e9),
        stats.nbinom(0.3, 3e-5),  # most of it near zero, and a long tail
        stats.nbinom(40.0, 1e-4),
        stats.binom(10**6, 1.0 - 1e-4),  # narrow, far from zero
        stats.randint(0, 10**5),
    ],
)
def test_moments_on_long_lattices(law):
    kind = TARGETS["count"]
    last = np.array([law.ppf(1 - 1e-13), law.ppf(1 - 1e-13)])
    mean, variance = lattice_moments(law.cdf, last, kind)
    np.testing.assert_allclose(mean, law.mean(), rtol=1e-6)
    np.testing.assert_allclose(variance, law.var(), rtol=1e-5)


def test_long_sums_agree_with_those_value_by_value():
    law, kind = stats.nbinom(0.4, 2e-3), TARGETS["count"]
    last = np.array([law.ppf(1 - 1e-13)])
    assert last > 4096
    y = np.arange(0.0, last[0] + 1.0)
    tail = law.sf(y)
    mean, variance = lattice_moments(law.cdf, last, kind)
    assert mean[0] == pytest.approx(tail.sum(), rel=1e-7)
    assert variance[0] == pytest.approx(((2.0 * y + 1.0) * tail).sum() - tail.sum() ** 2, rel=1e-6)


def test_a_tail_longer_than_the_rule_has_no_negative_variance():
    # Nearly Lévy's distribution, which has no mean: the tail ends after sixty decades.
    law = stats.invgauss(1e60)
    centre, low = np.array([0.5]), np.zeros(1)
    for mean, variance in (
        moments(law.cdf, centre, np.ones(1), 0.0, np.inf),
        window_moments(law.cdf, centre, np.ones(1), low, np.full(1, np.inf)),
    ):
        assert np.isfinite(mean).all()
        assert variance >= 0.0
    assert _left(np.array([1.0, 1.0, 2.0]), np.array([3.0, 1.0, 1.0])).tolist() == [
        np.inf,
        0.0,
        1.0,
    ]


def test_counts_whose_mean_overflows_have_numbers_for_moments():
    mean, variance = lattice_moments(
        lambda y: np.where(y < 1e200, 0.0, 1.0), np.full(1, np.inf), TARGETS["count"]
    )
    assert np.isfinite(mean).all()
    assert not np.isnan(variance).any()
