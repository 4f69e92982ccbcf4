"""Gradients of whole nets by finite differences, and rows that do not see each other."""

import tracemalloc

import numpy as np
import pytest

from moe_classic._nets import Batch, Buffers, with_ones
from moe_classic.routers import ROUTERS, DenseRouter, SoftRouter, TopKRouter

from .nets import Recorder, gradients, make_batch, make_net, numbers


def value(net, batch, y, advantages):
    """Loss with auxiliary ones; draws learn from the logarithm of their chance."""
    step = net.step(batch, y, Buffers(net.dtype), np.random.default_rng(0), Recorder(net))
    total = step.total
    for plan, gain in zip(step.plans, advantages, strict=True):
        if gain is not None:
            w = plan.memo["w"] / plan.memo["w"].sum()
            chance = plan.memo["P"][np.arange(len(w)), plan.memo["chosen"]]
            total += (w * gain * np.log(chance)).sum()
    return total


def worst_error(net, batch, y, rng, step=1e-6):
    """Largest difference to central differences, relative to the largest gradient of an array."""
    first, g = gradients(net, batch, y)
    gains = [None] * len(first.plans)
    if "batch" in first.plans[0].memo:
        row = net.head.losses(net.head.said(stream_of_draws(net, batch)), y)[0]
        gains = [
            layer.router._advantage(p, row)
            for layer, p in zip(net.sparse, first.plans, strict=True)
        ]
    worst = 0.0
    for name, array in numbers(net).items():
        flat, exact = array.reshape(-1), g[name].reshape(-1)
        chosen = rng.choice(flat.size, size=min(flat.size, 10), replace=False)
        for at in chosen:
            before = flat[at]
            flat[at] = before + step
            up = value(net, batch, y, gains)
            flat[at] = before - step
            down = value(net, batch, y, gains)
            flat[at] = before
            numeric = (up - down) / (2 * step)
            scale = max(np.abs(exact).max(), 1e-3)
            worst = max(worst, abs(numeric - exact[at]) / scale)
    return worst


def stream_of_draws(net, batch):
    """The last stream of the training step of seed 0."""
    rng = np.random.default_rng(0)
    return net.streams(batch, Buffers(net.dtype), rng, until=len(net.layers))[0].copy()


@pytest.mark.parametrize("kind", ["real", "class"])
@pytest.mark.parametrize("name", ROUTERS)
def test_gradients_of_every_router_through_two_layers(name, kind):
    rng = np.random.default_rng(3)
    out = 2 if kind == "real" else 3
    net = make_net(name, rng, kind=kind, out=out)
    batch, y = make_batch(net, rng, out=out)
    assert worst_error(net, batch, y, rng) < 1e-5


@pytest.mark.parametrize("kind", ["real", "class"])
@pytest.mark.parametrize("router", ["dense", "top_k", "hash", "mixtral"])
def test_gradients_of_mixed_densities(router, kind):
    rng = np.random.default_rng(4)
    out = 2 if kind == "real" else 3
    net = make_net(router, rng, kind=kind, out=out, mixed=True)
    batch, y = make_batch(net, rng, out=out)
    assert worst_error(net, batch, y, rng) < 1e-5


@pytest.mark.parametrize("router", ["top_k", "soft", "expert_choice", "switch"])
def test_gradients_with_tokens(router):
    rng = np.random.default_rng(5)
    net = make_net(router, rng, places=4)
    batch, y = make_batch(net, rng, n=9, group=4)
    assert worst_error(net, batch, y, rng) < 1e-5


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
@pytest.mark.parametrize("hidden", [0, 6])
def test_gradients_of_every_activation(activation, hidden):
    rng = np.random.default_rng(6)
    net = make_net("top_k", rng, h=hidden, activation=activation)
    batch, y = make_batch(net, rng)
    assert worst_error(net, batch, y, rng) < 1e-5


def test_gradients_of_variants_of_top_k():
    for options in (
        {"normalise": "kept", "capacity": 0.7},
        {"second": "random", "capacity": 1.0, "priority": "score"},
        {"second": "never"},
        {"jitter": 0.1, "z": 0.1, "balance": 0.3},
        {"normalise": False, "scale": 2.0, "balance": 0.0},
        {"score": "sigmoid", "balance": 0.2, "n_shared": 2, "capacity": 0.8},
    ):
        rng = np.random.default_rng(7)
        net = make_net(TopKRouter(2, **options), rng)
        batch, y = make_batch(net, rng)
        assert worst_error(net, batch, y, rng) < 1e-5, options


# ------------------------------------------------------------------------- rows alone


def cut(batch, i):
    T = max(batch.group, 1)
    return Batch(
        batch.X[i * T : (i + 1) * T].copy(),
        batch.w[i : i + 1],
        batch.inputs[i : i + 1],
        batch.group,
    )


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize(("dtype", "limit"), [(np.float64, 1e-12), (np.float32, 5e-6)])
@pytest.mark.parametrize("name", ROUTERS)
def test_a_row_alone_is_answered_as_in_a_batch(name, dtype, limit, mixed):
    rng = np.random.default_rng(8)
    net = make_net(name, rng, dtype=dtype)
    if mixed:
        if not net.sparse[-1].router.full():
            return
        net = make_net(name, rng, dtype=dtype, mixed=True)
    batch, _ = make_batch(net, rng, n=60, dtype=dtype)
    net.calibrate(batch)
    together = net.answer(batch)
    assert together.dtype == dtype
    limit *= max(1.0, np.abs(together).max())
    for i in range(0, 60, 7):
        np.testing.assert_allclose(net.answer(cut(batch, i))[0], together[i], atol=limit)


@pytest.mark.parametrize("name", ["soft", "expert_choice", "switch"])
def test_a_sample_of_tokens_alone_is_answered_as_in_a_batch(name):
    rng = np.random.default_rng(9)
    net = make_net(name, rng, places=4)
    batch, _ = make_batch(net, rng, n=20, group=4)
    together = net.answer(batch)
    for i in range(0, 20, 3):
        np.testing.assert_allclose(net.answer(cut(batch, i))[0], together[i], atol=1e-12)


# ------------------------------------------------------------------------- what must be equal


def test_all_experts_chosen_is_dense():
    rng = np.random.default_rng(10)
    sparse, dense = (make_net(r, np.random.default_rng(1)) for r in (TopKRouter(5), DenseRouter()))
    for mine, theirs in zip(dense.parts, sparse.parts, strict=True):
        mine.arrays = {name: a.copy() for name, a in theirs.arrays.items()}
    for mine, theirs in zip(dense.sparse, sparse.sparse, strict=True):
        mine.table = theirs.table.copy()
    batch, _ = make_batch(sparse, rng)
    np.testing.assert_allclose(sparse.answer(batch), dense.answer(batch), atol=1e-14)


@pytest.mark.parametrize("name", ["top_k", "dense", "noisy_top_k", "hash", "mixtral"])
def test_one_expert_is_a_net_with_a_skip(name):
    rng = np.random.default_rng(11)
    net = make_net(name, rng, E=1, layers=1, activation="relu")
    batch, y = make_batch(net, rng)
    step, g = gradients(net, batch, y)
    W0, Wo = net.parts[0].arrays["W"], net.head.arrays["W"]
    W1, W2 = net.sparse[0].experts.maps(net.sparse[0].table[0])
    h = with_ones(batch.X @ W0)
    H = with_ones(np.maximum(h @ W1, 0))
    u = with_ones(h[:, :-1] + H @ W2)
    np.testing.assert_allclose(net.answer(batch), u @ Wo, atol=1e-12)
    G = (u @ Wo - y) * (batch.w / batch.w.sum())[:, None]
    g_u = G @ Wo[:-1].T
    g_H = (g_u @ W2[:-1].T) * (H[:, :-1] > 0)
    np.testing.assert_allclose(g["2.W"], u.T @ G, atol=1e-12)
    maps = net.sparse[0].experts.maps(g["table0"][0])
    np.testing.assert_allclose(maps[1], H.T @ g_u, atol=1e-12)
    np.testing.assert_allclose(maps[0], h.T @ g_H, atol=1e-12)
    np.testing.assert_allclose(g["0.W"], batch.X.T @ (g_u + g_H @ W1[:-1].T), atol=1e-12)
    assert step.loss == pytest.approx(0.5 * (((u @ Wo - y) ** 2).sum(1) * batch.w).mean())


def test_names_of_experts_do_not_matter():
    rng = np.random.default_rng(12)
    net = make_net("top_k", rng)
    batch, y = make_batch(net, rng)
    before, loss = net.answer(batch), gradients(net, batch, y)[0].total
    order = rng.permutation(5)
    for layer in net.sparse:
        layer.table = layer.table[order]
        layer.arrays = {"W": layer.arrays["W"][:, order], "b": layer.arrays["b"][order]}
    np.testing.assert_allclose(net.answer(batch), before, atol=1e-14)
    assert gradients(net, batch, y)[0].total == pytest.approx(loss, rel=1e-13)


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("name", ["top_k", "dense", "olmoe", "hash", "deepseek_v2"])
def test_weight_two_is_a_row_twice(name, mixed):
    rng = np.random.default_rng(13)
    net = make_net(name, rng, mixed=mixed and name in ("top_k", "dense", "hash"))
    batch, y = make_batch(net, rng)
    w = np.ones(23)
    w[:5] = 2.0
    weighted = Batch(batch.X, w / w.mean(), batch.inputs)
    again = np.r_[np.arange(23), np.arange(5)]
    doubled = Batch(batch.X[again], np.ones(28), batch.inputs[again])
    one, two = gradients(net, weighted, y), gradients(net, doubled, y[again])
    assert one[0].total == pytest.approx(two[0].total, rel=1e-12)
    for key, g in one[1].items():
        np.testing.assert_allclose(g, two[1][key], atol=1e-12, err_msg=key)


# ------------------------------------------------------------------------- cost


def test_prediction_looks_at_k_pairs_a_row_and_holds_no_large_array():
    rng = np.random.default_rng(14)
    n, E = 50_000, 256
    net = make_net("top_k", rng, d=16, E=E, h=16, layers=1, dtype=np.float32)
    x = rng.normal(size=(n, 4)).astype(np.float32)
    rows = [slice(a, a + 8192) for a in range(0, n, 8192)]
    tracemalloc.start()
    seen = 0
    for part in rows:
        batch = Batch(with_ones(x[part]), np.ones(len(x[part]), np.float32))
        net.answer(batch)
        seen += net.sparse[0].plan(net.stream_before(batch, 1), batch, None).n_pairs
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seen == 2 * n
    assert peak < 40e6


def test_soft_router_with_group_is_used_as_given():
    rng = np.random.default_rng(15)
    net = make_net(SoftRouter(2), rng, places=3)
    batch, _ = make_batch(net, rng, n=10, group=3)
    net.calibrate(batch)
    assert all("slots" not in layer.state for layer in net.sparse)
