"""Grouped experts: runs of neighbours, and experts without rows."""

import numpy as np
import pytest

from moe_classic._nets import Buffers, Experts, with_ones


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([3, 3, 3], [(0, 3)]),
        ([0, 3, 0, 0, 2, 2, 0], [(1, 2), (4, 6)]),
        ([1200, 1200, 1200], [(0, 1), (1, 2), (2, 3)]),
        ([800, 800, 800, 0], [(0, 2), (2, 3)]),
        ([0, 0], []),
        ([5000], [(0, 1)]),
    ],
)
def test_runs_have_rows_and_no_more_than_fit(counts, expected):
    experts = Experts(len(counts), 3, 4, 2, "relu")
    assert experts.runs(np.concatenate([[0], np.cumsum(counts)])) == expected


def test_runs_of_large_experts_are_short():
    experts = Experts(5, 300, 200, 300, "relu")
    assert experts.runs(np.arange(6)) == [(0, 2), (2, 4), (4, 5)]


def test_experts_without_rows_take_no_step_and_others_see_theirs(rng):
    experts = Experts(5, 3, 4, 2, "relu")
    T = experts.start(rng, np.float64)
    offsets = np.array([0, 4, 4, 9, 9, 10])
    X, buffers, seen = with_ones(rng.normal(size=(10, 3))), Buffers(np.float64), []
    Y, H = experts.forward(T, X, offsets, buffers)
    for e in range(5):
        W1, W2 = experts.maps(T[e])
        rows = slice(offsets[e], offsets[e + 1])
        np.testing.assert_allclose(Y[rows], with_ones(np.maximum(X[rows] @ W1, 0)) @ W2)
    G = rng.normal(size=(10, 2))
    products, _ = experts.backward(
        T, X, H, G.copy(), None, offsets, buffers, lambda a, b, g: seen.extend(range(a, b))
    )
    assert seen == [0, 2, 4]
    np.testing.assert_allclose(products, (G * Y).sum(axis=1))


@pytest.mark.parametrize("zero", [False, True])
@pytest.mark.parametrize("hidden", [4, 0])
def test_products_and_gradients_with_weights(rng, hidden, zero):
    """A weight of zero keeps the product that its pair would feel."""
    experts = Experts(3, 3, hidden, 2, "tanh")
    T = experts.start(rng, np.float64)
    offsets, buffers, seen = np.array([0, 4, 7, 9]), Buffers(np.float64), {}
    X, w = with_ones(rng.normal(size=(9, 3))), rng.uniform(0.2, 1.0, 9)
    w[5] *= not zero
    Y, H = experts.forward(T, X, offsets, buffers)
    Y, G = Y.copy(), rng.normal(size=(9, 2))

    def step(first, stop, g):
        seen.update({e: g[e - first].copy() for e in range(first, stop)})

    products, g_X = experts.backward(T, X, H, G.copy(), w, offsets, buffers, step)
    np.testing.assert_allclose(products, (G * Y).sum(axis=1), rtol=1e-13)

    def loss(T, X):
        return float((w[:, None] * G * experts.forward(T, X, offsets, Buffers(float))[0]).sum())

    for e, place in ((0, 1), (1, 5), (2, 7)):
        high, low = T.copy(), T.copy()
        high[e, place] += 1e-6
        low[e, place] -= 1e-6
        slope = (loss(high, X) - loss(low, X)) / 2e-6
        assert seen[e][place] == pytest.approx(slope, rel=1e-6, abs=1e-9)
    for row in (2, 5):
        high, low = X.copy(), X.copy()
        high[row, 1] += 1e-6
        low[row, 1] -= 1e-6
        slope = (loss(T, high) - loss(T, low)) / 2e-6
        assert g_X[row, 1] == pytest.approx(slope, rel=1e-6, abs=1e-9)


def test_weights_are_all_but_the_last_rows():
    experts = Experts(2, 3, 4, 2, "tanh")
    row = experts.is_weight()
    assert row.sum() == 3 * 4 + 4 * 2
    assert not row.reshape(-1)[12:16].any()
