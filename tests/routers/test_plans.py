"""Index arithmetic of plans: taking, putting, and their gradients are adjoint."""

import numpy as np
import pytest

from moe_classic.routers import Pairs, Slots, _plans
from moe_classic.routers._plans import make_pairs
from moe_classic.routers._soft import slots_of


def plans(rng):
    n, E = 20, 5
    chosen = np.array([rng.permutation(E)[:2] for _ in range(n)])
    weights = rng.random((n, 2))
    kept = rng.random((n, 2)) < 0.6
    yield "fixed", make_pairs(chosen, weights, None, E)
    yield "varying", make_pairs(chosen, weights, kept, E)
    yield "slots", slots_of(rng.normal(size=(n, 15)), E)


@pytest.mark.parametrize("number", range(3))
def test_pulls_are_the_adjoints(rng, number):
    _, plan = list(plans(rng))[number]
    h, d, m = rng.normal(size=(20, 3)), 3, plan.n_pairs
    X = plan.take(h)
    Y = rng.normal(size=(m, d))
    G = rng.normal(size=(20, d))
    out = plan.put(Y.copy())
    back = plan.pull_put(G)
    if isinstance(plan, Pairs):
        back = back * plan.weights[:, None]
    assert (out * G).sum() == pytest.approx((Y * back).sum(), rel=1e-13)
    g = rng.normal(size=(m, d))
    assert (X * g).sum() == pytest.approx((h * plan.pull_take(g)).sum(), rel=1e-13)


@pytest.mark.parametrize("number", range(3))
def test_put_is_the_product_with_the_combine_weights(rng, number):
    _, plan = list(plans(rng))[number]
    if isinstance(plan, Slots):
        Y = np.repeat(rng.normal(size=(5, 2)), plan.each, axis=0)
        plan.take(rng.normal(size=(20, 3)))
        expected = plan.combine() @ Y[:: plan.each]
    else:
        per_expert = rng.normal(size=(5, 2))
        Y = np.repeat(per_expert, plan.load, axis=0)
        expected = plan.combine() @ per_expert
    np.testing.assert_allclose(plan.put(Y.copy()), expected, atol=1e-14)


@pytest.mark.parametrize("number", range(3))
def test_sums_are_added_where_they_belong(rng, monkeypatch, number):
    """In place and a slice of the rows at a time they are what they are at once."""
    _, plan = list(plans(rng))[number]
    plan.take(rng.normal(size=(20, 3)))
    Y = rng.normal(size=(plan.n_pairs, 3))
    whole = plan.put(Y.copy()), plan.pull_take(Y.copy())
    monkeypatch.setattr(_plans, "_SLICE", 1)
    monkeypatch.setattr(_plans, "_LEAST", 7)
    wide = rng.normal(size=(20, 4))
    for method, expected in zip((plan.put, plan.pull_take), whole, strict=True):
        np.testing.assert_array_equal(method(Y.copy()), expected)
        stream = wide.copy()
        found = method(Y.copy(), onto=stream[:, :-1])
        assert found.base is stream
        np.testing.assert_allclose(stream[:, :-1], wide[:, :-1] + expected, atol=1e-14)
        np.testing.assert_array_equal(stream[:, -1], wide[:, -1])


def test_pairs_of_an_expert_stand_together_in_the_order_of_the_rows(rng):
    _, plan = next(plans(rng))
    for e in range(5):
        rows = plan.rows[plan.offsets[e] : plan.offsets[e + 1]]
        assert np.all(np.diff(rows) > 0)
    assert plan.load.sum() == 40


def test_more_experts_than_a_byte_counts(rng):
    chosen = rng.integers(0, 300, size=(500, 1))
    plan = make_pairs(chosen, np.ones((500, 1)), None, 300)
    np.testing.assert_array_equal(plan.combine().argmax(axis=1), chosen[:, 0])
