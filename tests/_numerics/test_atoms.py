"""Variances that densities of columns with repeated values must have."""

import numpy as np
import pytest

from moe_classic._numerics import atom_variance


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
