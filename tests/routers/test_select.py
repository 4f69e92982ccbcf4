"""Softmax, largest entries, groups, queues."""

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.special import softmax as reference

from moe_classic.routers._select import (
    capacity_rows,
    keep_groups,
    largest,
    sigmoid,
    softmax,
    within_capacity,
)


def test_softmax_and_its_normaliser(rng):
    S = rng.normal(scale=30.0, size=(50, 7))
    P, lse = softmax(S)
    np.testing.assert_allclose(P, reference(S, axis=1), atol=1e-15)
    np.testing.assert_allclose(lse, logsumexp(S, axis=1), rtol=1e-14)


def test_sigmoid_does_not_overflow():
    np.testing.assert_allclose(sigmoid(np.array([-1e4, 0.0, 1e4])), [0.0, 0.5, 1.0])


@pytest.mark.parametrize("k", [1, 2, 5, 9, 12])
def test_largest_are_those_of_a_stable_sort(rng, k):
    # Rounded, so that there are ties: the lower column wins.
    scores = np.round(rng.normal(size=(200, 12)), 1)
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(largest(scores, k), expected)


def test_groups_that_are_left_out_cannot_win_with_negative_scores():
    scores = np.array([[-1.0, -2.0, -5.0, -6.0]])
    np.testing.assert_array_equal(keep_groups(scores, 2, 1, 1), [[-1, -2, -np.inf, -np.inf]])
    # By the sum of two, the other way round.
    scores = np.array([[0.9, 0.0, 0.6, 0.5]])
    assert np.isinf(keep_groups(scores, 2, 1, 2)[0, :2]).all()


def test_capacity_is_rounded_up_but_not_for_rounding():
    assert capacity_rows(1.25, 1, 100, 8) == 16
    assert capacity_rows(1.1, 1, 10, 1) == 11
    assert capacity_rows(5, 2, 100, 8) == 5


@pytest.mark.parametrize("by_score", [False, True])
def test_queue_by_brute_force(rng, by_score):
    n, k, E, room = 60, 2, 4, 9
    chosen = np.array([rng.permutation(E)[:k] for _ in range(n)])
    wanted = rng.random((n, k)) < 0.8
    first = rng.random(n)
    kept = within_capacity(chosen, wanted, room, E, first if by_score else None)
    load, expected = np.zeros(E, int), np.zeros((n, k), bool)
    for j in range(k):
        for i in np.argsort(-first) if by_score else range(n):
            if wanted[i, j] and load[chosen[i, j]] < room:
                load[chosen[i, j]] += 1
                expected[i, j] = True
    np.testing.assert_array_equal(kept, expected)
