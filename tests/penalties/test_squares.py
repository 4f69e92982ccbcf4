"""Ridge penalties and their derivatives."""

import numpy as np
import pytest

from moe_classic.penalties import CentredRidge, PooledRidge, SquaredSlopes

SHAPES = [(4, 2, 3), (3, 0, 2), (2, 1, 1)]
PLAIN = [SquaredSlopes(0.7), CentredRidge(0.7)]


@pytest.mark.parametrize(
    ("penalty", "shape"),
    [
        *((penalty, shape) for penalty in PLAIN for shape in [(2, 3), *SHAPES]),
        *((PooledRidge(0.7, 0.4), shape) for shape in SHAPES),
    ],
)
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


def test_experts_that_are_alike_cost_nothing_besides_the_ridge(rng):
    same = np.repeat(rng.standard_normal((1, 2, 4)), 3, axis=0)
    assert PooledRidge(0.3, 5.0).value(same) == pytest.approx(CentredRidge(0.3).value(same))
    apart = same + rng.standard_normal(same.shape)
    both = CentredRidge(0.3).value(apart) + CentredRidge(5.0).value(apart - apart.mean(axis=0))
    assert PooledRidge(0.3, 5.0).value(apart) == pytest.approx(both)
    np.testing.assert_allclose(PooledRidge(0.3, 5.0).each(apart).sum(), both)


def test_the_penalty_with_the_mean_held_bounds_the_pooled_one(rng):
    penalty, here = PooledRidge(0.3, 2.0), rng.standard_normal((3, 2, 4))
    score = penalty.towards_mean(here)[:-1]
    # Alike to first order where the mean is, and above it everywhere else.
    np.testing.assert_allclose(penalty.held().gradient(here) - score, penalty.gradient(here))

    def gap(coef):
        return penalty.held().value(coef) - (score * coef).sum() - penalty.value(coef)

    for _ in range(20):
        assert gap(here + rng.standard_normal(here.shape)) >= gap(here) - 1e-12
