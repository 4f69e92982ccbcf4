"""Top-k routers: capacity, groups, bias, what raises."""

import numpy as np
import pytest

from moe_classic.routers import Rows, TopKRouter


def ready(router, E, rng, n=64, d=5):
    x = rng.normal(size=(n, d))
    params = {"W": rng.normal(size=(d, E)), "b": rng.normal(size=E)}
    return Rows(x, np.ones(n)), params, router.state(E)


@pytest.mark.parametrize("capacity", [0.5, 1.0, 1.25, 3, 7])
@pytest.mark.parametrize("priority", ["order", "score"])
def test_capacity_holds_and_nothing_is_lost(rng, capacity, priority):
    router = TopKRouter(2, capacity=capacity, priority=priority)
    rows, params, state = ready(router, 8, rng)
    plan = router.plan(params, state, rows, rng)
    room = capacity if isinstance(capacity, int) else int(np.ceil(capacity * 2 * 64 / 8))
    assert plan.load.max() <= room
    assert plan.load.sum() + round(plan.dropped * 128) == 128
    assert router.plan(params, state, rows).load.sum() == 128


def test_capacity_of_all_experts_drops_nothing(rng):
    router = TopKRouter(2, capacity=4.0)
    rows, params, state = ready(router, 8, rng)
    assert router.plan(params, state, rows, rng).dropped == 0.0


def test_by_score_the_largest_of_a_choice_are_kept(rng):
    router = TopKRouter(2, capacity=0.5, priority="score")
    rows, params, state = ready(router, 4, rng, n=200)
    plan = router.plan(params, state, rows, rng)
    memo = plan.memo
    first = memo["picked"][:, 0]
    for e in range(4):
        for j in range(2):
            mine = memo["chosen"][:, j] == e
            kept, lost = first[mine & memo["kept"][:, j]], first[mine & ~memo["kept"][:, j]]
            assert not kept.size or not lost.size or kept.min() >= lost.max()


def test_bias_moves_against_the_load_and_only_the_choice_sees_it(rng):
    router = TopKRouter(2, score="sigmoid", bias_rate=0.05)
    rows, params, state = ready(router, 6, rng)
    params["b"][0] = 9.0
    for step in range(1, 4):
        state = router.settle(state, router.plan(params, state, rows, rng))
        assert state["bias"][0] == pytest.approx(-0.05 * step)
    shifted = {"bias": state["bias"] + 3.0}
    plan, same = router.plan(params, state, rows), router.plan(params, shifted, rows)
    np.testing.assert_array_equal(plan.combine(), same.combine())


def test_experts_of_groups_left_out_are_never_chosen(rng):
    router = TopKRouter(2, score="sigmoid", bias_rate=0.1, n_groups=4, top_groups=2)
    rows, params, _ = ready(router, 16, rng, n=300)
    state = {"bias": np.full(16, -2.0) + 0.1 * rng.normal(size=16)}
    combine = router.plan(params, state, rows).combine()
    q = 1 / (1 + np.exp(-(rows.h @ params["W"] + params["b"]))) + state["bias"]
    value = np.sort(q.reshape(-1, 4, 4), axis=2)[:, :, -2:].sum(axis=2)
    best = np.argsort(-value, axis=1)[:, :2]
    group = np.nonzero(combine)[1].reshape(-1, 2) // 4
    assert all(set(g) <= set(b) for g, b in zip(group.tolist(), best.tolist(), strict=True))


def test_single_choice_teaches_the_router(rng):
    router = TopKRouter(1, balance=0.0)
    rows, params, state = ready(router, 4, rng)
    plan = router.plan(params, state, rows, rng)
    g = router.pull(params, plan, rng.normal(size=64), None)[1]
    assert np.abs(g["W"]).max() > 0.1


def test_second_choice_at_random_is_used_as_often_as_said(rng):
    router = TopKRouter(2, second="random")
    rows, params, state = ready(router, 4, rng, n=4000)
    plan = router.plan(params, state, rows, rng)
    g2 = plan.memo["picked"][:, 1] / plan.memo["picked"].sum(axis=1)
    expected, variance = (2 * g2).sum(), (2 * g2 * (1 - 2 * g2)).sum()
    assert abs(plan.memo["kept"][:, 1].sum() - expected) < 4 * np.sqrt(variance)
    assert plan.dropped == 0.0


@pytest.mark.parametrize(
    ("router", "E", "words"),
    [
        (TopKRouter(5), 4, "top_k=5"),
        (TopKRouter(0), 4, "top_k=0"),
        (TopKRouter(1, normalise=True), 4, "loss cannot reach the router"),
        (TopKRouter(2, capacity=0), 4, "capacity=0"),
        (TopKRouter(2, capacity=-1.0), 4, "capacity=-1.0"),
        (TopKRouter(2, n_groups=3), 8, "n_groups=3 must divide"),
        (TopKRouter(3, n_groups=4, top_groups=1), 8, "top_groups=1"),
        (TopKRouter(3, second="random"), 8, "needs top_k=2"),
        (TopKRouter(2, score="tanh"), 8, "score='tanh'"),
        (TopKRouter(2, balance=-1.0), 8, "balance=-1.0"),
        (TopKRouter(2, score="sigmoid", z=0.1), 8, "z=0.1"),
    ],
)
def test_what_makes_no_sense_raises_and_says_so(router, E, words):
    with pytest.raises(ValueError, match=words):
        router.check(E)
