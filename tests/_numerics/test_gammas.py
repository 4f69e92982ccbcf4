"""Gamma functions against scipy's."""

import numpy as np
from scipy.special import digamma, gammaln, polygamma

from moe_classic._numerics import gamma_functions, log_factorial


def test_functions_and_slopes_are_those_of_scipy():
    x = np.concatenate([np.geomspace(1e-12, 1e9, 4001), np.linspace(0.5, 20.0, 2000)])
    log_gamma, psi, bend = gamma_functions(x)
    scale = np.maximum(1.0, np.abs(gammaln(x)))
    np.testing.assert_allclose(log_gamma / scale, gammaln(x) / scale, atol=1e-14, rtol=0.0)
    np.testing.assert_allclose(psi, digamma(x), rtol=1e-13, atol=2e-14)
    np.testing.assert_allclose(bend, polygamma(1, x), rtol=5e-14)


def test_factorials_are_looked_up_or_computed():
    for y in (np.arange(300.0), np.array([0.0, 5000.0, 2.0]), np.array([3e7]), np.empty(0)):
        np.testing.assert_allclose(log_factorial(y), gammaln(y + 1.0), rtol=1e-14)
    many = np.arange(20000.0)
    np.testing.assert_allclose(log_factorial(many), gammaln(many + 1.0), rtol=1e-14)
    assert log_factorial(np.full((2, 1, 3), 4.0)).shape == (2, 1, 3)
