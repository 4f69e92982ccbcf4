"""Values and slopes of the auxiliary losses."""

import numpy as np
import pytest

from moe_classic.routers import NoisyTopKRouter, Rows, TopKRouter
from moe_classic.routers._losses import balance_loss, cv_squared, z_loss


def test_balance_loss_can_be_less_than_one():
    P = np.array([[0.51, 0.49]] * 74 + [[0.0, 1.0]] * 26)
    value, _ = balance_loss(np.array([0.74, 0.26]), P, np.ones(100))
    assert value == pytest.approx(0.882, abs=5e-4)


def test_zero_logits_give_the_coefficients(rng):
    x = rng.normal(size=(40, 3))
    params = {"W": np.zeros((3, 8)), "b": np.zeros(8)}
    router = TopKRouter(2, balance=0.3, z=0.2)
    plan = router.plan(params, {}, Rows(x, np.ones(40)), rng)
    assert plan.losses["balance"] == pytest.approx(0.3, rel=1e-14)
    assert plan.losses["z"] == pytest.approx(0.2 * np.log(8) ** 2, rel=1e-14)


def test_cv_squared_has_a_gradient_of_zero_at_equal_loads(rng):
    value, slope = cv_squared(np.full(5, 3.0))
    assert value == 0.0
    assert np.array_equal(slope, np.zeros(5))
    v, step = rng.uniform(1, 2, 6), 1e-6
    for e in range(6):
        up, down = v.copy(), v.copy()
        up[e] += step
        down[e] -= step
        numeric = (cv_squared(up)[0] - cv_squared(down)[0]) / (2 * step)
        assert cv_squared(v)[1][e] == pytest.approx(numeric, abs=1e-8)


def test_importance_at_a_router_of_zeros_pulls_nothing(rng):
    x = rng.normal(size=(30, 4))
    router = NoisyTopKRouter(2, noise=1.0, load=0.0)
    params = {"W": np.zeros((4, 6)), "b": np.zeros(6)}
    plan = router.plan(params, {}, Rows(x, np.ones(30)), rng)
    g = router.pull(params, plan, np.zeros(60), None)[1]
    np.testing.assert_allclose(g["W"], 0.0, atol=1e-16)


def test_z_loss_is_weighted(rng):
    lse, w = rng.normal(size=5), np.array([1, 2, 1, 0.5, 0.5])
    assert z_loss(lse, w)[0] == pytest.approx((w * lse**2).sum() / 5)
