"""REINFORCE is unbiased: the mean over all draws, by enumeration."""

import itertools

import numpy as np
import pytest

from moe_classic.routers import ReinforceRouter, Rows

from .by_hand import Given


def expected_loss(params, x, losses, w):
    """Mean loss over the draws, exactly: each row draws by itself."""
    S = x @ params["W"] + params["b"]
    P = np.exp(S) / np.exp(S).sum(axis=1, keepdims=True)
    return (w[:, None] * P * losses).sum() / w.sum()


@pytest.mark.parametrize("moments", [[0.0, 1.0, 1.0], [0.7, 1.49, 1.0]])
def test_mean_over_all_draws_is_the_gradient_of_the_mean(rng, moments):
    n, E = 3, 3
    router = ReinforceRouter(entropy=0.0, balance=0.0)
    params = {"W": rng.normal(size=(2, E)), "b": rng.normal(size=E)}
    x, w, losses = rng.normal(size=(n, 2)), np.array([0.5, 1.0, 1.5]), rng.random((n, E))
    state = {"losses": np.array(moments)}
    S = x @ params["W"] + params["b"]
    P = np.exp(S) / np.exp(S).sum(axis=1, keepdims=True)
    upper = P.cumsum(axis=1)
    mean = {name: 0.0 for name in params}
    for draw in itertools.product(range(E), repeat=n):
        middle = np.array([upper[i, e] - P[i, e] / 2 for i, e in enumerate(draw)])
        plan = router.plan(params, state, Rows(x, w), Given(uniform=middle))
        assert tuple(plan.combine().argmax(axis=1)) == draw
        row_loss = losses[np.arange(n), list(draw)]
        g = router.pull(params, plan, np.zeros(n), row_loss)[1]
        chance = np.prod([P[i, e] for i, e in enumerate(draw)])
        for name in mean:
            mean[name] = mean[name] + chance * g[name]
    # The spread of losses in both states is 1.
    for name, array in params.items():
        for at in np.ndindex(array.shape):
            step, before = 1e-6, array[at]
            array[at] = before + step
            up = expected_loss(params, x, losses, w)
            array[at] = before - step
            down = expected_loss(params, x, losses, w)
            array[at] = before
            assert mean[name][at] == pytest.approx((up - down) / (2 * step), abs=1e-8)


def test_baseline_is_the_running_mean_of_losses(rng):
    router = ReinforceRouter(memory=0.5)
    params = router.start(2, 3, rng, np.float64)
    state, rows = router.state(3), Rows(rng.normal(size=(4, 2)), np.ones(4))
    for loss in (1.0, 3.0):
        plan = router.plan(params, state, rows, rng)
        router.pull(params, plan, np.zeros(4), np.full(4, loss))
        state = router.settle(state, plan)
    first, second, filled = state["losses"]
    assert first / filled == pytest.approx((0.25 * 1 + 0.5 * 3) / 0.75)
    assert second / filled == pytest.approx((0.25 * 1 + 0.5 * 9) / 0.75)


def test_memory_is_a_share():
    with pytest.raises(ValueError, match=r"memory=1\.5"):
        ReinforceRouter(memory=1.5).check(3)
