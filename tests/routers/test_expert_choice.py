"""Expert choice: exact loads, and thresholds that take the training rows as training did."""

import numpy as np
import pytest

from moe_classic.routers import ExpertChoiceRouter, Rows


@pytest.mark.parametrize(("n", "E", "capacity"), [(60, 5, 2.0), (61, 4, 1.3), (50, 4, 9)])
def test_every_expert_takes_exactly_its_room(rng, n, E, capacity):
    router = ExpertChoiceRouter(capacity)
    params = router.start(3, E, rng, np.float64)
    plan = router.plan(params, {}, Rows(rng.normal(size=(n, 3)), np.ones(n)), rng)
    room = capacity if isinstance(capacity, int) else int(np.ceil(capacity * n / E))
    np.testing.assert_array_equal(plan.load, room)
    assert plan.uncovered == pytest.approx((plan.combine().max(axis=1) == 0).mean())


def test_thresholds_take_the_training_rows_as_one_group_did(rng):
    router = ExpertChoiceRouter(1.5)
    params = router.start(3, 6, rng, np.float64)
    rows = Rows(rng.normal(size=(500, 3)), np.ones(500))
    state = router.calibrate(params, {}, rows)
    expected = router.plan(params, {}, rows, rng).combine()
    np.testing.assert_array_equal(router.plan(params, state, rows).combine(), expected)


def test_tokens_compete_within_their_sample(rng):
    router = ExpertChoiceRouter(1.0)
    params = router.start(3, 2, rng, np.float64)
    rows = Rows(rng.normal(size=(40, 3)), np.ones(40), group=8)
    taken = router.plan(params, {}, rows).combine() > 0
    np.testing.assert_array_equal(taken.reshape(5, 8, 2).sum(axis=1), 4)


def test_room_for_all_is_a_dense_layer(rng):
    router = ExpertChoiceRouter(6.0)
    params = router.start(3, 6, rng, np.float64)
    rows = Rows(rng.normal(size=(20, 3)), np.ones(20))
    np.testing.assert_allclose(router.plan(params, {}, rows, rng).combine().sum(axis=1), 1.0)
    state = router.calibrate(params, {}, rows)
    np.testing.assert_allclose(router.plan(params, state, rows).combine().sum(axis=1), 1.0)


def test_without_capacity_experts_cannot_choose():
    with pytest.raises(ValueError, match="capacity=None"):
        ExpertChoiceRouter(None).check(4)
