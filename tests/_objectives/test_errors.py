"""The error functions of Jacobs et al. (1991): values, exact gradients, relations."""

from dataclasses import replace

import numpy as np
import pytest

from moe_classic._objectives.errors import ERRORS, Competitive, Cooperative, UnitLikelihood
from moe_classic._objectives.likelihood import MixtureLikelihood
from moe_classic.solvers import LBFGS, SGD, Adam

from .._model.test_gradient import assert_gradient_is_exact
from ..solvers.problems import drawn, problem_on

SCENES = [
    ("gaussian", "softmax", {}),
    ("gaussian", "constant", {"outputs": 2, "covariance_type": "diag"}),
    ("gaussian", "tree", {"outputs": 2}),
    ("student_t", "gaussian", {}),
    ("laplace", "softmax", {"alpha": 0.2}),
    ("logistic", "softmax", {}),
    ("multinomial", "gaussian", {}),
]


def scene(expert, gate, **settings):
    n_experts = 3 if gate == "tree" else 2
    return drawn(expert, gate, n=60, n_features=2, n_experts=n_experts, **settings)


def posed(problem, error):
    return replace(problem, objective=ERRORS[error](problem.model))


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize(("expert", "gate", "settings"), SCENES, ids=str)
def test_gradient_of_an_error_equals_central_differences(expert, gate, settings, error):
    problem, params = scene(expert, gate, **settings)
    assert_gradient_is_exact(posed(problem, error), params)


def parts(problem, params):
    """Gate (K, n), locations (K, d, n) and target (d, n)."""
    block = next(iter(problem.source))
    group = problem.model.groups[0]
    g = np.exp(problem.model.log_gate(params, block))
    return g, group.expert.location(params.experts[0], block.designs[0]), block.y


def test_errors_are_those_of_equations_1_to_3():
    problem, params = drawn(n=50, n_experts=3)
    g, m, t = parts(problem, params)
    e1 = ((t - (g[:, None] * m).sum(axis=0)) ** 2).sum()
    e2 = (g[:, None] * (t - m) ** 2).sum()
    e3 = -np.log((g * np.exp(-0.5 * ((t - m) ** 2).sum(axis=1))).sum(axis=0)).sum()
    penalty = problem.model.penalty_value(params, problem.summary)
    for error, value in (("cooperative", e1), ("competitive", e2), ("unit_likelihood", e3)):
        # The same sums in another order.
        assert posed(problem, error).value(params) == pytest.approx(-value - penalty, rel=1e-12)


def test_cooperation_gains_the_spread_of_the_outputs_over_competition():
    problem, params = drawn(n=50, n_experts=3, outputs=2)
    g, m, _ = parts(problem, params)
    spread = (g * ((m - np.einsum("kn,kdn->dn", g, m)) ** 2).sum(axis=1)).sum()
    gain = posed(problem, "cooperative").value(params) - posed(problem, "competitive").value(params)
    # Ambiguity decomposition, an identity: E1 = E2 - sum g |m - blend|^2.
    assert gain == pytest.approx(spread, rel=1e-12)


def test_unit_likelihood_is_the_likelihood_of_gaussians_with_unit_scale():
    problem, params = drawn(n=50)
    expert = params.experts[0]
    unit = replace(params, experts=(replace(expert, scale=np.ones_like(expert.scale)),))
    constant = 0.5 * 50 * np.log(2.0 * np.pi)
    likelihood = replace(problem, objective=MixtureLikelihood(problem.model)).value(unit)
    error = posed(problem, "unit_likelihood").value(unit)
    assert error == pytest.approx(likelihood + constant, rel=1e-12)


def test_two_classes_are_one_output():
    problem, params = drawn("logistic", "softmax", n=40)
    block = next(iter(problem.source))
    P = problem.model.groups[0].expert.probabilities(params.experts[0], block.designs[0])
    g = np.exp(problem.model.log_gate(params, block))
    error = ((np.where(block.y == 0, 1.0, 0.0) - (g * P[:, 0]).sum(axis=0)) ** 2).sum()
    assert Cooperative(problem.model).value(params, block).objective == pytest.approx(-error)


def test_best_expert_adapts_fastest_under_the_unit_likelihood_and_slowest_under_competition():
    # The argument of section 1 of the paper: derivatives in the output of the better expert.
    g, t = np.full((2, 1), 0.5), np.zeros((1, 1))
    m = np.array([[[0.5]], [[3.0]]])
    push = {c.name: c(None).derivatives(g, m, t).outputs for c in (Competitive, UnitLikelihood)}
    ratio = {name: abs(v[0, 0, 0] / v[1, 0, 0]) for name, v in push.items()}
    assert ratio["competitive"] < 1.0 < ratio["unit_likelihood"]


# ------------------------------------------------------------------------- as objectives


def test_one_expert_under_the_cooperative_error_is_least_squares_with_its_noise(rng):
    X = rng.standard_normal((80, 2))
    y = X @ [1.0, -2.0] + 0.5 + 0.3 * rng.standard_normal(80)
    problem = problem_on(X, y[None], n_experts=1)
    start = problem.model.start([3, 3], problem.summary)
    found = LBFGS(error="cooperative").run(problem, start, max_iter=200, tol=1e-10).params
    A = np.column_stack([X, np.ones(80)])
    coef, rss = np.linalg.lstsq(A, y, rcond=None)[:2]
    # L-BFGS stops when five steps gained less than 1e-9 of the squared error.
    np.testing.assert_allclose(found.experts[0].coef[0, 0], coef, atol=1e-5)
    # The noise is fitted afterwards: the maximum-likelihood scale of the residuals.
    assert found.experts[0].scale[0, 0] == pytest.approx(np.sqrt(rss[0] / 80), rel=1e-5)


GRADIENT_SOLVERS = [
    LBFGS(error="cooperative"),
    Adam(error="cooperative", batch_size=None, learning_rate=0.05),
    SGD(error="cooperative", batch_size=None),
]


@pytest.mark.parametrize("solver", GRADIENT_SOLVERS, ids=lambda solver: solver.name)
def test_cooperative_optimum_under_a_constant_gate_is_least_squares(solver):
    # Any blend of lines is a line, so that the experts together are as good as one.
    problem, start = drawn("gaussian", "constant", n=80, apart=2.0)
    A = np.column_stack([problem.source.X, np.ones(80)])
    rss = np.linalg.lstsq(A, problem.source.y[0], rcond=None)[1][0]
    result = solver.run(problem, start, max_iter=2000, tol=1e-10)
    # First-order solvers end when ten epochs promise less than 1e-10 of a squared error a row.
    assert result.objective == pytest.approx(-rss, abs=1e-6)


@pytest.mark.parametrize("error", ERRORS)
def test_result_carries_the_error_that_was_climbed(error):
    problem, start = drawn(n=80, apart=2.0)
    reached = posed(problem, error)
    result = LBFGS(error=error).run(problem, start, max_iter=100, tol=1e-6)
    # The noise is fitted afterwards and has no part in the error.
    assert reached.value(result.params) == pytest.approx(result.objective, rel=1e-12)
    assert result.objective > reached.value(start)
    assert (np.diff(result.trace) >= 0.0).all()


def test_solver_says_what_it_climbs():
    assert LBFGS(error="competitive").objective_name == "competitive"
    assert SGD().objective_name == "likelihood"


@pytest.mark.parametrize("solver", [LBFGS, Adam, SGD])
def test_solver_refuses_an_error_under_a_gate_that_describes_x(solver):
    problem, start = drawn("gaussian", "gaussian", n=20)
    with pytest.raises(
        ValueError, match=r"error='competitive' says nothing of x.*'gaussian' gates"
    ):
        solver(error="competitive").run(problem, start, max_iter=5, tol=1e-6)


@pytest.mark.parametrize("solver", [LBFGS, Adam, SGD])
def test_solver_refuses_an_unknown_error(solver):
    problem, start = drawn(n=20)
    with pytest.raises(ValueError, match=r"error='squared' must be one of .*'cooperative'"):
        solver(error="squared").run(problem, start, max_iter=5, tol=1e-6)
