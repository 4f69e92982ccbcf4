"""Ridge penalties and their derivatives."""

import numpy as np
import pytest

from moe_classic.penalties import CentredRidge, SquaredSlopes


@pytest.mark.parametrize(
    "penalty", [SquaredSlopes(0.7), CentredRidge(0.7)], ids=["ridge", "centred"]
)
@pytest.mark.parametrize("shape", [(2, 3), (4, 2, 3), (3, 0, 2), (2, 1, 1)])
def test_derivatives_are_those_of_central_differences(rng, penalty, shape):
    coef, step = rng.standard_normal(shape), 1e-5
    size = coef.size

    def moved(i, s):
        theta = coef.ravel().copy()
        theta[i] += s * step
        return theta.reshape(shape)

    pairs = [(moved(i, 1.0), moved(i, -1.0)) for i in range(size)]
    slope = [(penalty.value(a) - penalty.value(b)) / (2 * step) for a, b in pairs]
    np.testing.assert_allclose(penalty.gradient(coef).ravel(), slope, atol=1e-8)
    bend = [(penalty.gradient(a) - penalty.gradient(b)).ravel() / (2 * step) for a, b in pairs]
    hessian = penalty.hessian(coef)
    assert hessian.shape == (size, size)
    np.testing.assert_allclose(hessian, np.reshape(bend, (size, size)), atol=1e-8)
    np.testing.assert_allclose(penalty.curvature(coef).ravel(), np.diag(hessian), rtol=1e-14)


def test_centred_penalty_has_no_special_class(rng):
    full = rng.standard_normal((4, 3))
    values = [
        CentredRidge(1.0).value((full - row)[np.arange(4) != k]) for k, row in enumerate(full)
    ]
    centred = full[:, :-1] - full[:, :-1].mean(axis=0)
    np.testing.assert_allclose(values, 0.5 * (centred**2).sum(), rtol=1e-12)


def test_a_pull_of_zero_costs_nothing(rng):
    assert SquaredSlopes(0.0).value(rng.standard_normal((2, 3))) == 0.0
    assert CentredRidge(0.0).value(rng.standard_normal((2, 3))) == 0.0
