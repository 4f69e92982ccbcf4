"""Noisy top-k: loads that are even at the start, and their expectation."""

import numpy as np
import pytest

from moe_classic.routers import NoisyTopKRouter, Rows


def test_zero_start_spreads_the_load(rng):
    router = NoisyTopKRouter(2)
    params = router.start(4, 8, rng, np.float64)
    rows = Rows(rng.normal(size=(4000, 4)), np.ones(4000))
    load = router.plan(params, {}, rows, rng).load
    sd = np.sqrt(4000 * 0.25 * 0.75)
    assert np.abs(load - 1000).max() < 4 * sd


def test_smooth_load_counts_k_pairs_a_row_on_average(rng):
    router = NoisyTopKRouter(2)
    params = router.start(4, 5, rng, np.float64)
    params["W"] = rng.normal(size=(4, 5))
    rows = Rows(rng.normal(size=(400, 4)), np.ones(400))
    sums = [router.plan(params, {}, rows, rng).memo["load"].sum() for _ in range(200)]
    assert np.mean(sums) == pytest.approx(800, abs=4 * np.std(sums) / np.sqrt(200))


def test_prediction_has_no_noise(rng):
    router = NoisyTopKRouter(2)
    params = {**router.start(4, 5, rng, np.float64), "W": rng.normal(size=(4, 5))}
    rows = Rows(rng.normal(size=(30, 4)), np.ones(30))
    first, second = router.plan(params, {}, rows), router.plan(params, {}, rows)
    np.testing.assert_array_equal(first.combine(), second.combine())
    np.testing.assert_allclose(first.combine().sum(axis=1), 1.0, rtol=1e-14)


@pytest.mark.parametrize(
    ("router", "words"),
    [
        (NoisyTopKRouter(9), "top_k=9"),
        (NoisyTopKRouter(1), "cannot reach the router"),
        (NoisyTopKRouter(2, noise="much"), "noise='much'"),
        (NoisyTopKRouter(2, noise=0.0), "noise=0.0"),
        (NoisyTopKRouter(2, load=-0.1), "load=-0.1"),
    ],
)
def test_what_makes_no_sense_raises(router, words):
    with pytest.raises(ValueError, match=words):
        router.check(8)
