"""Every registered name gives a router for any number of experts."""

import numpy as np
import pytest
from sklearn.base import clone

from moe_classic.routers import ROUTERS, Router, Rows, TopKRouter, make_router


@pytest.mark.parametrize("n_experts", [1, 2, 3, 8, 64])
@pytest.mark.parametrize("name", ROUTERS)
def test_every_name_gives_a_plan(rng, name, n_experts):
    router = make_router(name, n_experts)
    params, state = router.start(4, n_experts, rng, np.float64), router.state(n_experts)
    x = rng.normal(size=(70, 4))
    state = router.prepare(state, x, np.ones(70), n_experts)
    rows = Rows(x, np.ones(70), inputs=x)
    for plan in (router.plan(params, state, rows, rng), router.plan(params, state, rows)):
        assert len(plan.load) == n_experts
        combine = plan.combine()
        assert combine.shape == (70, n_experts + router.extra_experts())
        assert np.isfinite(combine).all()
    if router.convex():
        np.testing.assert_allclose(combine.sum(axis=1), 1.0, rtol=1e-13)


@pytest.mark.parametrize("name", ROUTERS)
def test_float32_stays_float32(rng, name):
    router = make_router(name, 8)
    x = rng.normal(size=(64, 4)).astype(np.float32)
    params, w = router.start(4, 8, rng, np.float32), np.ones(64, np.float32)
    state = router.prepare(router.state(8), x, w, 8)
    plan = router.plan(params, state, Rows(x, w, inputs=x), rng)
    X = plan.take(x)
    assert X.dtype == np.float32
    assert plan.put(X.copy()).dtype == np.float32
    plan.pull_put(x)
    plan.pull_take(X)
    weights = plan.gradients(np.ones(plan.n_pairs, np.float32))
    g_h, g = router.pull(params, plan, weights, np.ones(64))
    assert g_h is None or g_h.dtype == np.float32
    assert all(value.dtype == np.float32 for value in g.values()), {
        k: v.dtype for k, v in g.items()
    }


@pytest.mark.parametrize("name", ROUTERS)
def test_routers_are_descriptions(name):
    router = ROUTERS[name](8)
    assert vars(router) == router.get_params(deep=False)
    assert repr(clone(router)) == repr(router)
    assert isinstance(router, Router)


@pytest.mark.parametrize(
    ("router", "kind", "words"),
    [
        ("swich", ValueError, "'base', 'dbrx'"),
        (3, TypeError, "router=3"),
        (TopKRouter(9), ValueError, "top_k=9 must lie between 1 and n_experts=8"),
    ],
)
def test_what_is_no_router_raises(router, kind, words):
    with pytest.raises(kind, match=words):
        make_router(router, 8)


def test_fine_grained_presets_use_groups_where_they_fit():
    assert ROUTERS["deepseek_v3"](64).n_groups == 8
    assert ROUTERS["deepseek_v3"](8).n_groups == 1
    assert ROUTERS["olmoe"](4).top_k == 4
