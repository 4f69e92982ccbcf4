"""The shared expert and the routed ones share a row."""

import numpy as np
import pytest

from moe_classic.routers import Rows, SharedOrExpertsRouter


def test_weights_are_shares_of_one(rng):
    router = SharedOrExpertsRouter(2)
    params = router.start(4, 5, rng, np.float64)
    x = rng.normal(size=(30, 4))
    combine = router.plan(params, {}, Rows(x, np.ones(30))).combine()
    np.testing.assert_allclose(combine.sum(axis=1), 1.0, rtol=1e-14)
    s = 1 / (1 + np.exp(-(x @ params["v"])))
    np.testing.assert_allclose(combine[:, 5], 1 - s, atol=1e-14)


def test_dropout_scales_what_is_left_as_published(rng):
    router = SharedOrExpertsRouter(2, dropout=0.5, budget=0.3, budget_loss=1.0)
    params = router.start(4, 5, rng, np.float64)
    plan = router.plan(params, {}, Rows(rng.normal(size=(400, 4)), np.ones(400)), rng)
    routed = plan.combine()[:, :5].sum(axis=1)
    s = plan.memo["s"]
    assert np.all(np.isclose(routed, 0.0) | np.isclose(routed, 2 * s))
    assert plan.losses["budget"] == pytest.approx(abs(s.mean() - 0.3))


@pytest.mark.parametrize("name", ["budget", "dropout", "masking"])
def test_shares_are_shares(name):
    with pytest.raises(ValueError, match=f"{name}=1.5"):
        SharedOrExpertsRouter(2, **{name: 1.5}).check(4)
