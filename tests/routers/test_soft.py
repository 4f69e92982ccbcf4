"""Soft mixtures: sums of weights, and slots that are frozen after training."""

import numpy as np
import pytest

from moe_classic.routers import Rows, SoftRouter


def ready(rng, n=30, group=0, weights=None):
    router = SoftRouter(2)
    params = router.start(4, 3, rng, np.float64)
    w = np.ones(n) if weights is None else weights
    return router, params, Rows(rng.normal(size=(n, 4)), w, group=group)


def test_columns_of_dispatch_and_rows_of_combine_sum_to_one(rng):
    router, params, rows = ready(rng, weights=rng.uniform(0.5, 1.5, 30))
    plan = router.plan(params, {}, rows, rng)
    np.testing.assert_allclose(plan.D.sum(axis=1), 1.0, rtol=1e-13)
    np.testing.assert_allclose(plan.C.sum(axis=2), 1.0, rtol=1e-13)


def test_a_row_of_weight_two_counts_as_two_rows(rng):
    router, params, rows = ready(rng, n=5, weights=np.array([2.0, 1, 1, 1, 1]))
    twice = Rows(rows.h[[0, 0, 1, 2, 3, 4]], np.ones(6))
    slots = router.plan(params, {}, rows, rng).take(rows.h)
    np.testing.assert_allclose(router.plan(params, {}, twice, rng).take(twice.h), slots, atol=1e-14)


def test_frozen_slots_are_those_of_all_training_rows(rng):
    router, params, rows = ready(rng, n=200, weights=rng.uniform(0.5, 1.5, 200))
    state = router.calibrate(params, {}, rows)
    plan, trained = router.plan(params, state, rows), router.plan(params, {}, rows, rng)
    np.testing.assert_allclose(plan.take(rows.h), trained.take(rows.h), atol=1e-12)
    Y = rng.normal(size=(6, 2))
    np.testing.assert_allclose(plan.put(Y.copy()), trained.put(Y.copy()), atol=1e-12)


def test_tokens_mix_within_their_sample_alone(rng):
    router, params, rows = ready(rng, n=30, group=10)
    slots = router.plan(params, {}, rows).take(rows.h).reshape(3, 3, 2, 4)
    alone = Rows(rows.h[10:20], np.ones(10), group=10)
    np.testing.assert_allclose(
        router.plan(params, {}, alone).take(alone.h).reshape(3, 2, 4), slots[:, 1], atol=1e-14
    )


def test_slots_must_be_counted():
    with pytest.raises(ValueError, match="slots=0"):
        SoftRouter(0).check(4)
