"""Gradient ascent on mini-batches: rules, schedules, early stopping, running away."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

from moe_classic._model.gradient import diagonal
from moe_classic.solvers import EM, SGD, Adam
from moe_classic.solvers._base import Limits
from moe_classic.solvers._epochs import Epochs, squared_scores

from .problems import beside, drawn, problem_on


def step_of(solver, problem, start):
    """How far theta moves in one full-batch step, and the slope per unit of weight there."""
    epochs = Epochs(solver, problem, start, Limits(10, 1e-9))
    epochs._judge()
    before, slope = problem.model.pack(start), problem.slope(start)[1] / problem.summary.weight
    epochs._advance(1)
    return problem.model.pack(epochs.params) - before, slope


# ------------------------------------------------------------------------- rules


def test_plain_step_is_the_rate_times_the_mean_gradient():
    problem, start = drawn(n=50)
    solver = SGD(learning_rate=0.01, batch_size=None, scaling=None)
    step, slope = step_of(solver, problem, start)
    # Coordinates go through a logarithm and back.
    np.testing.assert_allclose(step, 0.01 * slope, rtol=1e-9, atol=1e-14)


def test_momentum_adds_shares_of_earlier_steps():
    rule = SGD(momentum=0.5).rule()
    steps = [rule(np.ones(2), np.ones(2))[0] for _ in range(4)]
    assert steps == [1.0, 1.5, 1.75, 1.875]


def test_scaled_step_is_divided_by_the_squared_scores():
    problem, start = drawn(n=50)
    solver = SGD(learning_rate=0.01, batch_size=None, scaling="curvature")
    step, slope = step_of(solver, problem, start)
    squares = squared_scores(problem.model, start, problem.source[0]).squares
    # The penalty of the gate adds 1e-6.
    np.testing.assert_allclose(step, 0.01 * slope / (squares / 50), rtol=1e-4)


def test_first_adam_step_is_the_rate_in_every_coordinate():
    problem, start = drawn(n=50)
    step, slope = step_of(Adam(learning_rate=0.01, batch_size=None), problem, start)
    np.testing.assert_allclose(step, 0.01 * np.sign(slope), rtol=1e-6)


def test_adam_rule_follows_algorithm_1():
    rule, gradients = Adam(beta1=0.8, beta2=0.9).rule(), [1.0, -2.0, 0.5]
    first = second = 0.0
    for t, g in enumerate(gradients, start=1):
        first = 0.8 * first + 0.2 * g
        second = 0.9 * second + 0.1 * g**2
        expected = first / (1.0 - 0.8**t) / (np.sqrt(second / (1.0 - 0.9**t)) + 1e-10)
        assert rule(np.array([g]), np.ones(1))[0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("expert", ["gaussian", "laplace", "multinomial", "student_t"])
def test_squared_scores_are_near_the_information_at_the_truth(expert):
    # E s^2 = -E d2 log p, in each coordinate.
    problem, near = drawn(expert, "constant", n=4000, n_experts=1)
    optimum = EM().run(problem, near, max_iter=200, tol=1e-8).params
    model, p = problem.model, optimum.experts[0]
    found = sum(squared_scores(model, optimum, b).squares for b in problem.source)
    information = sum(diagonal(model, optimum, b).curvature for b in problem.source)
    if expert == "laplace":
        # The density has a kink and no second derivative, but an information: 1 / b^2.
        Z = np.concatenate([b.designs[0].Z for b in problem.source], axis=1)
        information[: p.coef.size] = (Z**2).sum(axis=1) / p.scale[0, 0] ** 2
    # Sampling error of squares over 4000 rows.
    np.testing.assert_allclose(found, information, rtol=0.15)


# ------------------------------------------------------------------------- schedules


@pytest.mark.parametrize("solver", [Adam(), SGD()], ids=repr)
@pytest.mark.parametrize("expert", ["gaussian", "laplace", "logistic"])
def test_default_ends_near_the_optimum_by_batches(solver, expert):
    problem, near = drawn(expert, "constant", n=600, apart=2.0, seed=1)
    start = beside(problem, near, step=0.15)
    best = EM().run(problem, start, max_iter=500, tol=1e-8)
    result = solver.run(problem, start, max_iter=1500, tol=1e-6)
    assert result.converged
    assert result.failure == ""
    # tol promises 6e-4 nats, kinks as much again for each of their many directions.
    assert best.objective - result.objective < (0.05 if expert == "laplace" else 2e-3)


def test_batches_make_progress_from_the_first_epochs():
    problem, near = drawn("gaussian", "softmax", n=2000, apart=2.0, seed=1)
    start = beside(problem, near, step=0.15)
    for solver in (Adam(), SGD()):
        few = solver.run(problem, start, max_iter=4, tol=1e-6)
        assert few.objective > few.trace[0] + 10.0


def test_weights_count_as_repeated_rows_where_all_rows_make_a_step(rng):
    X, y = rng.standard_normal((40, 1)), rng.standard_normal((1, 40))
    w = rng.integers(1, 4, 40).astype(float)
    index = np.repeat(np.arange(40), w.astype(int))
    weighted, repeated = problem_on(X, y, w=w), problem_on(X[index], y[:, index])
    start = weighted.model.start([2, 2], weighted.summary)
    start = beside(weighted, start, step=0.2)
    a, b = (
        Adam(batch_size=None).run(p, start, max_iter=40, tol=1e-9) for p in (weighted, repeated)
    )
    assert a.objective == pytest.approx(b.objective, rel=1e-10)


def test_rate_without_decay_stays_and_ends_when_nothing_is_gained():
    problem, near = drawn("gaussian", "constant", n=200, apart=3.0, seed=1)
    result = SGD(decay=None, patience=3).run(problem, near, max_iter=500, tol=1e-3)
    assert result.converged
    assert "no epoch gained" in result.message


def test_seed_decides_the_order_of_rows():
    problem, start = drawn(n=300, apart=0.7)
    heights = [
        Adam().run(replace(problem, seed=seed), start, max_iter=5, tol=1e-9).objective
        for seed in (0, 0, 1)
    ]
    assert heights[0] == heights[1]
    assert heights[0] != heights[2]


def test_stream_of_blocks_is_climbed_too():
    problem, start = drawn(n=400, apart=2.0, seed=1)
    stream = replace(problem, source=list(problem.source))
    for fraction in (None, 0.25):
        result = Adam(validation_fraction=fraction).run(stream, start, max_iter=20, tol=1e-6)
        assert result.objective > problem.value(start)
        assert problem.value(result.params) == pytest.approx(result.objective, rel=1e-11)


# ------------------------------------------------------------------------- early stopping


def overfitted():
    """Few rows, many useless features, and a start that has not seen them."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((60, 25))
    y = X[:, :1].T + rng.standard_normal((1, 60))
    problem = problem_on(X, y, n_experts=1)
    return problem, problem.model.start([26, 26], problem.summary)


def test_held_out_rows_stop_the_climb_before_it_overfits():
    problem, start = overfitted()
    free = SGD(batch_size=None).run(problem, start, max_iter=400, tol=1e-8)
    stopped = SGD(batch_size=None, validation_fraction=0.3).run(
        problem, start, max_iter=400, tol=1e-8
    )
    assert stopped.converged
    assert "held-out" in stopped.message
    assert stopped.n_iter < free.n_iter
    fresh = np.random.default_rng(4)
    X = fresh.standard_normal((2000, 25))
    y = X[:, :1].T + fresh.standard_normal((1, 2000))
    new = replace(problem, source=problem_on(X, y).source)
    assert new.value(stopped.params) > new.value(free.params)


def test_early_stopping_reports_the_objective_on_all_rows():
    problem, start = overfitted()
    result = Adam(validation_fraction=0.3).run(problem, start, max_iter=60, tol=1e-8)
    assert problem.value(result.params) == pytest.approx(result.objective, rel=1e-12)
    assert result.trace[-1] == result.objective


# ------------------------------------------------------------------------- running away


RUNAWAYS = [
    SGD(learning_rate=100.0),
    SGD(learning_rate=1e9, batch_size=None),
    SGD(learning_rate=1e4, batch_size=None, scaling=None, momentum=0.0),
    SGD(learning_rate=1e3, error="cooperative"),
    SGD(learning_rate=1e3, validation_fraction=0.2),
    Adam(learning_rate=1e3),
    Adam(learning_rate=1e300, batch_size=None),
]


@pytest.mark.parametrize("solver", RUNAWAYS, ids=repr)
@pytest.mark.parametrize("gate", ["softmax", "gaussian"])
def test_diverging_rate_is_named_and_the_last_good_parameters_are_kept(solver, gate):
    if solver.error != "likelihood":
        gate = "constant"  # errors say nothing of x
    problem, start = drawn("gaussian", gate, n=100, apart=2.0)
    posed = solver.with_objective(problem)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = solver.run(problem, start, max_iter=100, tol=1e-6)
    assert not result.converged
    assert f"learning_rate={solver.learning_rate:g}" in result.failure
    assert "smaller learning_rate" in result.failure
    assert result.objective >= posed.value(start)
    assert posed.value(result.params) == pytest.approx(result.objective, rel=1e-11)


def test_rate_that_diverges_within_the_cap_is_noticed():
    problem, start = drawn(n=100, apart=2.0)
    result = SGD(learning_rate=1e3).run(problem, start, max_iter=3, tol=1e-6)
    assert "ran away" in result.failure


def test_good_rate_carries_no_failure():
    problem, start = drawn(n=100, apart=2.0)
    result = SGD().run(problem, start, max_iter=3, tol=1e-6)
    assert result.failure == ""
