"""Dense routers, and the rule that keeps one expert from learning everything."""

import numpy as np
import pytest

from moe_classic.routers import DenseRouter, Rows


def test_running_sums_stay_within_margin_and_a_batch(rng):
    router = DenseRouter(hidden_units=6, margin=30.0)
    params = router.start(3, 4, rng, np.float64)
    params["b"][1] = 5.0
    state = router.state(4)
    for _ in range(60):
        rows = Rows(rng.normal(size=(16, 3)), np.ones(16))
        state = router.settle(state, router.plan(params, state, rows, rng))
        assert state["totals"].max() - state["totals"].mean() <= 30.0 + 16.0
    assert state["totals"].sum() == pytest.approx(60 * 16)


def test_experts_left_out_weigh_nothing_and_the_others_sum_to_one(rng):
    router = DenseRouter(margin=1.0)
    params = router.start(3, 4, rng, np.float64)
    rows = Rows(rng.normal(size=(9, 3)), np.ones(9))
    combine = router.plan(params, {"totals": np.array([9.0, 0, 0, 0])}, rows, rng).combine()
    assert np.array_equal(combine[:, 0], np.zeros(9))
    np.testing.assert_allclose(combine.sum(axis=1), 1.0, rtol=1e-14)
    assert router.plan(params, {"totals": np.array([9.0, 0, 0, 0])}, rows).combine().min() > 0


def test_margin_must_be_positive():
    with pytest.raises(ValueError, match="margin=-1"):
        DenseRouter(margin=-1.0).check(3)
