"""Grouped experts: runs of neighbours, and experts without rows."""

import numpy as np
import pytest

from moe_classic._nets import Buffers, Experts, with_ones


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([3, 3, 3], [(0, 3)]),
        ([0, 3, 0, 0, 2, 2, 0], [(1, 2), (4, 6)]),
        ([300, 300, 300], [(0, 1), (1, 2), (2, 3)]),
        ([200, 200, 200, 0], [(0, 2), (2, 3)]),
        ([0, 0], []),
        ([5000], [(0, 1)]),
    ],
)
def test_runs_have_rows_and_no_more_than_fit(counts, expected):
    assert Experts.runs(np.concatenate([[0], np.cumsum(counts)])) == expected


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


def test_weights_are_all_but_the_last_rows():
    experts = Experts(2, 3, 4, 2, "tanh")
    row = experts.is_weight()
    assert row.sum() == 3 * 4 + 4 * 2
    assert not row.reshape(-1)[12:16].any()
