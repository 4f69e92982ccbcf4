"""Means and variances of mixtures."""

import numpy as np
import pytest

from moe_classic.predictive._moments import blended_variance


@pytest.mark.parametrize("far", [1e10, 1e200])
def test_what_has_no_weight_leaves_a_variance_finite_and_an_overflow_is_infinite(far):
    weights = np.array([[1.0, 0.5], [0.0, 0.5]])
    at = np.array([[[0.0, far]], [[far, -far]]])
    inside = np.array([[[2.0, 2.0]], [[np.inf, 1.0]]])
    said = [(slice(None), p, a) for p, a in zip(weights, at, strict=True)]
    noise = [(slice(None), p, v) for p, v in zip(weights, inside, strict=True)]
    variance = blended_variance(said, noise, 2)
    assert variance[0, 0] == 2.0
    assert variance[0, 1] == (np.inf if far > 1e150 else pytest.approx(1.5 + far**2))
