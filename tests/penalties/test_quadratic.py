"""The quadratic problem of one step under a group lasso."""

import numpy as np
import pytest

from moe_classic.penalties import _quadratic
from moe_classic.penalties._quadratic import group_step


def problem(rng, sizes=(30.0, 2.0, 300.0), n_experts=3):
    """Least squares of experts with unlike Grams, and the groups of their features."""
    q = len(sizes)
    A, g = np.zeros((n_experts * q, n_experts * q)), np.zeros(n_experts * q)
    for k in range(n_experts):
        Z = rng.standard_normal((20, q)) * sizes * 10.0 ** rng.integers(0, 2)
        at = slice(k * q, (k + 1) * q)
        A[at, at], g[at] = Z.T @ Z, Z.T @ rng.standard_normal(20)
    return A, g, [np.arange(j, n_experts * q, q) for j in range(q)]


def value(A, g, cost, groups, x):
    sizes = [np.linalg.norm(x[G]) for G in groups]
    return 0.5 * x @ A @ x - g @ x + cost @ sizes


@pytest.mark.parametrize("seed", range(4))
def test_a_repeated_feature_costs_what_it_costs_once(seed, monkeypatch):
    rounds, newton = [], _quadratic._newton
    monkeypatch.setattr(_quadratic, "_newton", lambda *a: rounds.append(1) or newton(*a))
    A, g, groups = problem(np.random.default_rng(seed))
    cost = np.full(3, 0.5)
    once = group_step(A, g, np.zeros(9), cost, groups)
    # The first feature again, after the nine coefficients that are there.
    twice = np.concatenate([np.arange(9), groups[0]])
    A2, g2, groups2 = A[np.ix_(twice, twice)], g[twice], [*groups, np.arange(9, 12)]
    cost2 = np.append(cost, cost[0])
    rounds.clear()
    begin = np.full(12, 0.01)
    both = group_step(A2, g2 - A2 @ begin, begin, cost2, groups2)
    least = value(A, g, cost, groups, once)
    assert value(A2, g2, cost2, groups2, both) == pytest.approx(least, rel=1e-9)
    np.testing.assert_allclose(both[groups[0]] + both[9:], once[groups[0]], rtol=1e-5)
    assert len(rounds) < 60


def test_a_group_that_curves_nowhere_stays_out():
    groups = [np.array([0]), np.array([1])]
    x = group_step(np.zeros((2, 2)), np.array([3.0, 1.0]), np.zeros(2), np.ones(2), groups)
    np.testing.assert_array_equal(x, 0.0)


@pytest.mark.parametrize("unit", [1.0, 1e6])
def test_conditions_of_optimality(unit, monkeypatch):
    rounds, newton = [], _quadratic._newton
    monkeypatch.setattr(_quadratic, "_newton", lambda *a: rounds.append(1) or newton(*a))
    A, g, groups = problem(np.random.default_rng(5), sizes=(unit, 2.0, 300.0 * unit))
    cost = np.array([0.3, 1e3, 0.3]) * unit
    x = group_step(A, g, np.zeros(9), cost, groups)
    slope = g - A @ x
    # Singular curvatures get 1e-11 of the largest.
    rounding = 2e-11 * A.max() * np.abs(x) + 1e-9 * unit
    for G, c in zip(groups, cost, strict=True):
        size = np.linalg.norm(x[G])
        if size == 0.0:
            assert np.linalg.norm(slope[G]) <= c * (1.0 + 1e-9)
        else:
            assert (np.abs(slope[G] - c * x[G] / size) <= rounding[G] + 1e-9 * c).all()
    assert not x[groups[1]].any()
    assert x[groups[2]].all()
    assert len(rounds) < 60
