"""Newton's method: the subproblem, quadratic convergence, bounds."""

import numpy as np
import pytest

from moe_classic._model.model import MoEParams
from moe_classic.solvers import EM, Newton
from moe_classic.solvers._newton import trust_step
from moe_classic.solvers._quadratic import at_bound, quadratic

from .problems import beside, drawn, problem_on


def promised(g, M, d):
    return g @ d - 0.5 * d @ M @ d


def random_quadratic(rng, size=6, *, lowest=None):
    """A slope and a symmetric matrix, positive or with a lowest eigenvalue as given."""
    Q = np.linalg.qr(rng.standard_normal((size, size)))[0]
    values = rng.uniform(0.5, 3.0, size)
    values[0] = values[0] if lowest is None else lowest
    return rng.standard_normal(size), (Q * values) @ Q.T, Q


def test_interior_step_solves_the_linear_system(rng):
    g, M, _ = random_quadratic(rng)
    d, gain, interior = trust_step(g, M, 1e3)
    assert interior
    np.testing.assert_allclose(d, np.linalg.solve(M, g), rtol=1e-10)
    assert gain == pytest.approx(promised(g, M, d), rel=1e-12)


@pytest.mark.parametrize("lowest", [None, -0.7], ids=["convex", "indefinite"])
def test_boundary_step_satisfies_the_conditions_of_the_optimum(rng, lowest):
    g, M, _ = random_quadratic(rng, lowest=lowest)
    radius = 0.4
    d, gain, interior = trust_step(g, M, radius)
    assert not interior
    assert np.linalg.norm(d) == pytest.approx(radius, rel=1e-9)
    # (M + shift) d = g with shift >= -lowest: More & Sorensen (1983), lemma 2.3.
    shift = (g - M @ d) @ d / radius**2
    np.testing.assert_allclose((M + shift * np.eye(6)) @ d, g, rtol=0.0, atol=1e-8)
    assert np.linalg.eigvalsh(M + shift * np.eye(6)).min() >= -1e-9
    assert gain == pytest.approx(promised(g, M, d), rel=1e-12)


def test_step_leaves_a_saddle_without_slope_along_the_most_curved_way(rng):
    _, M, Q = random_quadratic(rng, lowest=-2.0)
    d, gain, interior = trust_step(np.zeros(6), M, 0.5)
    assert not interior
    assert abs(Q[:, 0] @ d) == pytest.approx(0.5, rel=1e-9)
    assert gain == pytest.approx(0.5 * 2.0 * 0.25, rel=1e-9)


def test_step_ignores_directions_without_slope_and_curvature():
    d, _, interior = trust_step(np.array([1.0, 0.0]), np.diag([2.0, 0.0]), 10.0)
    assert interior
    np.testing.assert_array_equal(d, [0.5, 0.0])


def test_step_is_nothing_when_the_quadratic_is_not_finite():
    d, gain, interior = trust_step(np.array([np.nan, 1.0]), np.eye(2), 1.0)
    assert not d.any()
    assert gain == 0.0
    assert not interior


def test_gaps_shrink_quadratically():
    problem, near = drawn("gaussian", "softmax", n=150, apart=1.0, seed=1)
    start = beside(problem, near, step=0.02)
    trace = np.array(Newton().run(problem, start, max_iter=50, tol=1e-13).trace)
    gap = trace[-1] - trace[:-1]
    gap = gap[gap > 1e-10]
    # Quadratic in theta, so the gaps square up to a constant: the digits double, roughly.
    assert gap.size >= 2
    assert gap[-1] < gap[-2] ** 1.5


def test_newton_reaches_logistic_regression_with_one_expert(rng):
    X = rng.standard_normal((100, 2))
    y = (X @ [1.0, -1.0] + 0.3 * rng.standard_normal(100) < 0.0).astype(np.intp)
    problem = problem_on(X, y, "logistic", n_experts=1, alpha=0.1)
    start = problem.model.start([3, 3], problem.summary)
    result = Newton().run(problem, start, max_iter=50, tol=1e-10)
    _, slope = problem.slope(result.params)
    assert result.converged
    # At the optimum of a strictly concave objective the slope vanishes.
    assert np.abs(slope).max() < 1e-6


def test_scale_at_its_floor_is_held_and_the_rest_converges():
    problem, start = drawn("gaussian", "constant", n=60, seed=1)
    # One expert passes through three rows exactly.
    X, y = problem.source.X, problem.source.y.copy()
    y[0, :3] = 40.0 + 5.0 * X[:3, 0]
    problem = problem_on(X, y, "gaussian", "constant")
    expert = start.experts[0]
    coef, scale = expert.coef.copy(), expert.scale.copy()
    coef[1, 0], scale[1] = [5.0, 40.0], problem.model.groups[0].expert.floor(problem.summary)
    params = MoEParams(start.gate, (type(expert)(coef, scale),))
    theta = problem.model.pack(params)
    fixed = at_bound(problem, theta, quadratic(problem, params).gradient, params)
    assert fixed.tolist() == [False] * 6 + [True]
    result = Newton().run(problem, params, max_iter=100, tol=1e-9)
    assert result.converged
    assert np.abs(problem.slope(result.params)[1][~fixed]).max() < 1e-3
    patient = EM(finish=None).run(problem, result.params, max_iter=500, tol=1e-12)
    assert patient.objective - result.objective < 1e-6


def test_newton_needs_second_derivatives_of_the_gate(monkeypatch):
    problem, start = drawn("gaussian", "gaussian", n=30)
    monkeypatch.delattr(type(problem.model.gate), "derivatives")
    with pytest.raises(ValueError, match=r"solver='newton' needs .*'gaussian' gate"):
        Newton().run(problem, start, max_iter=5, tol=1e-6)
