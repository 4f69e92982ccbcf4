"""Generated one-dimensional problems: their formulas, their noise and their checks."""

import numpy as np
import pytest
from scipy import stats

from moe_classic.datasets import make_inverse_sine, make_piecewise_linear

GENERATORS = [make_inverse_sine, make_piecewise_linear]
generators = pytest.mark.parametrize("make", GENERATORS)


@generators
def test_generator_returns_float_columns_of_the_asked_length(make):
    X, y = make(37, random_state=0)
    assert X.shape == (37, 1)
    assert y.shape == (37,)
    assert X.dtype == y.dtype == np.float64


@generators
def test_generator_repeats_its_rows_for_the_same_seed(make):
    for first, second in zip(make(random_state=3), make(random_state=3), strict=True):
        np.testing.assert_array_equal(first, second)


@generators
def test_generator_draws_other_rows_for_another_seed(make):
    assert not np.array_equal(make(random_state=3)[0], make(random_state=4)[0])


@generators
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n_samples": 0}, ValueError, "n_samples=0 must be .* >= 1"),
        ({"n_samples": 10.0}, ValueError, r"n_samples=10\.0 must be an integer"),
        ({"n_samples": True}, ValueError, "n_samples=True must be an integer"),
        ({"noise": -0.5}, ValueError, r"noise=-0\.5 must be .* >= 0"),
        ({"noise": float("nan")}, ValueError, "noise=nan must be a finite number"),
        ({"noise": "loud"}, TypeError, "noise='loud' must be a finite number"),
        ({"random_state": "seed"}, ValueError, "'seed' cannot be used to seed"),
    ],
)
def test_generator_names_the_argument_it_cannot_use(make, arguments, error, message):
    with pytest.raises(error, match=message):
        make(**arguments)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n_pieces": 0}, ValueError, "n_pieces=0 must be .* >= 1"),
        ({"n_pieces": 2.5}, ValueError, r"n_pieces=2\.5 must be an integer"),
        ({"jump": float("inf")}, ValueError, "jump=inf must be a finite number"),
    ],
)
def test_piecewise_linear_names_the_argument_it_cannot_use(arguments, error, message):
    with pytest.raises(error, match=message):
        make_piecewise_linear(**arguments)


def test_piecewise_linear_follows_its_formula_when_there_is_no_noise():
    X, y = make_piecewise_linear(2000, n_pieces=3, jump=0.5, noise=0.0, random_state=0)
    x = X[:, 0]
    # Pieces of width 2/3 on [-1, 1]: the three lines written out by hand.
    lines = [3 * x + 2, 0.5 - 3 * x, 3 * x - 2]
    expected = np.select([x < -1 / 3, x < 1 / 3], lines[:2], lines[2])
    # a few units in the last place of numbers up to 3
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-14)


def test_piecewise_linear_is_continuous_when_the_jump_is_zero():
    X, y = make_piecewise_linear(4000, n_pieces=5, jump=0.0, noise=0.0, random_state=0)
    order = np.argsort(X[:, 0])
    steps, gaps = np.abs(np.diff(y[order])), np.diff(X[order, 0])
    # Every slope is 5 in size; 1e-12 covers rounding.
    assert np.all(steps <= 5 * gaps + 1e-12)


def test_piecewise_linear_steps_by_the_jump_at_every_border():
    X, y = make_piecewise_linear(200_000, n_pieces=4, jump=0.7, noise=0.0, random_state=0)
    order = np.argsort(X[:, 0])
    x, y = X[order, 0], y[order]
    borders = np.searchsorted(x, [-0.5, 0.0, 0.5])
    # Neighbours are some 1e-5 apart, the widest of 200,000 gaps about 1.3e-4, and slopes are 4.
    np.testing.assert_allclose(y[borders] - y[borders - 1], [0.7, -0.7, 0.7], atol=1.5e-3)


def test_piecewise_linear_adds_gaussian_noise_of_the_asked_size():
    X, y = make_piecewise_linear(5000, noise=0.3, random_state=0)
    same, line = make_piecewise_linear(5000, noise=0.0, random_state=0)
    np.testing.assert_array_equal(X, same)
    assert stats.kstest((y - line) / 0.3, "norm").pvalue > 0.01


def test_inverse_sine_follows_its_formula_when_there_is_no_noise():
    X, y = make_inverse_sine(1000, noise=0.0, random_state=0)
    np.testing.assert_array_equal(X[:, 0], y + 0.3 * np.sin(2 * np.pi * y))


def test_inverse_sine_adds_uniform_noise_of_the_asked_half_width():
    X, y = make_inverse_sine(5000, noise=0.2, random_state=0)
    noise = X[:, 0] - y - 0.3 * np.sin(2 * np.pi * y)
    assert stats.kstest(noise, stats.uniform(-0.2, 0.4).cdf).pvalue > 0.01


def test_inverse_sine_has_three_branches_in_the_middle():
    X, y = make_inverse_sine(20_000, noise=0.01, random_state=0)
    middle = np.sort(y[np.abs(X[:, 0] - 0.5) < 0.01])
    # The roots of y + 0.3 sin(2 pi y) = 1/2 are 0.2096, 0.5 and 0.7904; noise blurs each by 0.02.
    assert np.sum(np.diff(middle) > 0.1) == 2


def test_inverse_sine_takes_a_random_state_instance_and_advances_it():
    state = np.random.RandomState(0)
    first, second = make_inverse_sine(random_state=state), make_inverse_sine(random_state=state)
    assert not np.array_equal(first[0], second[0])
