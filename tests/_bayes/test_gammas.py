"""Gamma distributions against scipy and quadrature."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import gamma

from moe_classic._bayes import Gamma


@pytest.mark.parametrize(("a", "b", "a0", "b0"), [(2.5, 3.0, 0.5, 0.5), (40.0, 1.5, 1.0, 1e-3)])
def test_divergence_is_that_of_the_densities(a, b, a0, b0):
    q, p = gamma(a, scale=1.0 / b), gamma(a0, scale=1.0 / b0)
    exact = quad(lambda t: q.pdf(t) * (q.logpdf(t) - p.logpdf(t)), *q.ppf([1e-13, 1 - 1e-13]))[0]
    assert Gamma(a, b).divergence(Gamma(a0, b0)) == pytest.approx(exact, rel=1e-6)


def test_moments():
    q = Gamma(np.array([2.0]), np.array([4.0]))
    mean_log = gamma(2.0, scale=0.25).expect(np.log)
    np.testing.assert_allclose(q.mean, 0.5)
    np.testing.assert_allclose(q.mean_log, mean_log, rtol=1e-7)
    np.testing.assert_allclose(q.divergence(q), 0.0, atol=1e-14)
