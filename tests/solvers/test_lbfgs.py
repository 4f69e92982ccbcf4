"""L-BFGS: the optimum, bounds, and what it reports."""

import numpy as np
import pytest

from moe_classic.solvers import EM, LBFGS, Newton

from .problems import beside, drawn, hilly, problem_on


def test_lbfgs_reaches_least_squares_with_one_expert(rng):
    X, w = rng.standard_normal((60, 2)), rng.uniform(0.5, 2.0, 60)
    y = X @ [1.0, -2.0] + rng.standard_normal(60)
    problem = problem_on(X, y[None], n_experts=1, w=w)
    start = problem.model.start([3, 3], problem.summary)
    result = LBFGS().run(problem, start, max_iter=300, tol=1e-10)
    A = np.column_stack([X, np.ones(60)]) * np.sqrt(w)[:, None]
    coef = np.linalg.lstsq(A, y * np.sqrt(w), rcond=None)[0]
    # Five steps that gain less than 1e-9 nats leave about 1e-5 standard errors.
    np.testing.assert_allclose(result.params.experts[0].coef[0, 0], coef, atol=1e-5)


@pytest.mark.parametrize("memory", [3, 20])
def test_lbfgs_ends_where_newton_does_whatever_its_memory(memory):
    problem, near = drawn("student_t", "softmax", n=150, seed=1)
    start = beside(problem, near, step=0.15)
    found = LBFGS(memory=memory).run(problem, start, max_iter=1000, tol=1e-8)
    best = Newton().run(problem, start, max_iter=100, tol=1e-10)
    assert found.converged
    assert found.objective == pytest.approx(best.objective, abs=1e-6)


@pytest.mark.parametrize("solver", [LBFGS(), EM(finish="lbfgs")], ids=repr)
def test_first_steps_keep_to_the_hill_where_the_information_is_known(solver):
    # With coordinates scaled one by one, the first steps led to a hill 16 nats lower.
    problem, start = hilly(3, 2, 2, 0.6, 2.0)
    found = solver.run(problem, start, max_iter=5000, tol=1e-9)
    best = Newton().run(problem, start, max_iter=500, tol=1e-9)
    assert found.objective == pytest.approx(best.objective, abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_a_plateau_is_not_taken_for_the_top(seed):
    problem, _ = drawn("logistic", "tree", n=200, n_experts=3, seed=seed)
    model = problem.model
    equal = model.start([2, 2], problem.summary)
    theta = model.pack(equal)
    theta = theta + 0.05 * np.random.default_rng(seed).standard_normal(theta.size)
    start = model.unpack(theta, equal, problem.summary)
    found = LBFGS().run(problem, start, max_iter=5000, tol=1e-6)
    further = Newton(warm_up=False).run(problem, found.params, max_iter=200, tol=1e-13)
    assert found.converged
    assert further.objective - found.objective < 1e-6


def test_lbfgs_stops_at_the_cap_and_says_so():
    problem, start = drawn("logistic", "softmax", n=100)
    result = LBFGS().run(problem, start, max_iter=9, tol=1e-10)
    assert not result.converged
    assert "largest number" in result.message
    # A line search may be under way when the cap is reached.
    assert result.n_iter <= 10
    assert result.gain_left > 0.0


def test_lbfgs_stays_inside_bounds_where_the_objective_is_flat():
    problem, start = drawn("gaussian", "constant", n=60, seed=1, min_scale=0.7)
    result = LBFGS().run(problem, start, max_iter=300, tol=1e-8)
    floor = problem.model.groups[0].expert.floor(problem.summary)
    assert result.converged
    assert (result.params.experts[0].scale >= floor).all()
    best = Newton().run(problem, result.params, max_iter=100, tol=1e-10)
    assert best.objective == pytest.approx(result.objective, abs=1e-6)
