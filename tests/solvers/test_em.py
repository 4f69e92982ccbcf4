"""EM: ascent, damping, the finish, and its other E-steps."""

import warnings
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from moe_classic._model.model import MoEParams
from moe_classic._objectives.assignment import ClassificationLikelihood
from moe_classic.experts import EXPERTS, LinearExpert
from moe_classic.solvers import EM, LBFGS, SQUAREM, Newton
from moe_classic.solvers._warm_up import anneal, stochastic_em

from .problems import drawn, problem_on


@pytest.mark.parametrize("gate", ["constant", "gaussian", "softmax", "tree"])
@pytest.mark.parametrize(
    "expert", [n for n, cls in EXPERTS.items() if issubclass(cls, LinearExpert)]
)
def test_trace_never_falls_and_ends_at_the_objective(expert, gate):
    problem, start = drawn(expert, gate, n=80, n_experts=3)
    result = EM(finish=None).run(problem, start, max_iter=25, tol=0.0)
    values = np.array(result.trace)
    assert values.size > 3
    assert (np.diff(values) >= 0.0).all()
    # The trace forgives a fall of 1e-12, which is rounding.
    assert problem.value(result.params) == pytest.approx(values[-1], rel=1e-11)


def test_step_is_uphill_along_the_gradient(rng):
    # An EM step is the gradient times a positive definite matrix (Jordan & Xu 1995).
    problem, start = drawn("gaussian", "constant", n=80)
    model, summary = problem.model, problem.summary
    for _ in range(20):
        theta = model.pack(start) + 0.5 * rng.standard_normal(model.pack(start).size)
        here = model.unpack(theta, start, summary)
        new = model.update(here, problem.evaluate(here)[1], summary)
        assert (model.pack(new) - theta) @ problem.slope(here)[1] > 0.0


def test_one_expert_is_weighted_least_squares_in_one_step(rng):
    X, w = rng.standard_normal((50, 2)), rng.uniform(0.5, 2.0, 50)
    y = X @ [1.0, -2.0] + rng.standard_normal(50)
    problem = problem_on(X, y[None], n_experts=1, w=w)
    start = problem.model.start([3, 3], problem.summary)
    result = EM().run(problem, start, max_iter=10, tol=1e-9)
    A = np.column_stack([X, np.ones(50)]) * np.sqrt(w)[:, None]
    coef = np.linalg.lstsq(A, y * np.sqrt(w), rcond=None)[0]
    np.testing.assert_allclose(result.params.experts[0].coef[0, 0], coef, rtol=1e-10)
    assert result.converged


def test_result_is_not_converged_when_passes_run_out():
    problem, start = drawn(n=200, apart=0.7, seed=1)
    result = EM(finish=None).run(problem, start, max_iter=20, tol=1e-10)
    assert not result.converged
    assert result.n_iter == 20
    assert "largest number" in result.message
    left = Newton().run(problem, result.params, max_iter=100, tol=1e-12).objective
    # Aitken's estimate is good to a factor of a few once EM crawls.
    assert result.gain_left == pytest.approx(left - result.objective, rel=5.0)


# ------------------------------------------------------------------------- the finish


@cache
def crawl():
    """A problem on which EM crawls, a start, and where patient EM ends."""
    problem, start = drawn(n=400, apart=0.7, seed=1)
    return problem, start, EM(finish=None).run(problem, start, max_iter=5000, tol=1e-10)


@pytest.mark.parametrize("finish", ["auto", "newton", "lbfgs", "squarem"])
def test_finish_ends_at_the_same_height_as_patient_em_in_fewer_passes(finish):
    problem, start, plain = crawl()
    finished = EM(finish=finish).run(problem, start, max_iter=5000, tol=1e-6)
    assert finished.objective == pytest.approx(plain.objective, abs=1e-6)
    assert finished.n_iter < 0.5 * plain.n_iter
    assert (np.diff(finished.trace) >= 0.0).all()


def test_finish_counts_all_passes_within_the_cap():
    problem, start = drawn(n=200, apart=0.7, seed=1)
    result = EM().run(problem, start, max_iter=14, tol=1e-6)
    assert result.n_iter == 14
    assert not result.converged


@pytest.mark.parametrize(
    ("expert", "gate", "kind"),
    [
        ("gaussian", "softmax", Newton),
        ("gaussian", "gaussian", SQUAREM),
        ("laplace", "softmax", SQUAREM),
    ],
)
def test_automatic_finish_is_one_that_the_components_allow(expert, gate, kind):
    problem, start = drawn(expert, gate, n=30)
    assert isinstance(EM().finisher(problem, start), kind)


def test_automatic_finish_forms_no_matrix_for_many_parameters(rng):
    X = rng.standard_normal((60, 40))
    problem = problem_on(X, rng.standard_normal((1, 60)), n_experts=8)
    start = problem.model.start([41, 41], problem.summary)
    assert isinstance(EM().finisher(problem, start), LBFGS)


def test_automatic_finish_forms_no_matrix_for_many_rows():
    problem, start = drawn(n=30)
    many = replace(problem, summary=replace(problem.summary, n_rows=10**8))
    assert isinstance(EM().finisher(many, start), LBFGS)


def test_laplace_fit_gets_past_false_kinks():
    # Plain EM stalls where a residual is near zero: its weight, 1 / |e|, pins the row.
    gains = []
    for seed in range(4):
        problem, start = drawn("laplace", "softmax", n=200, apart=1.0, seed=seed)
        plain = EM(finish=None).run(problem, start, max_iter=500, tol=1e-6)
        finished = EM().run(problem, start, max_iter=500, tol=1e-6)
        assert finished.converged
        gains.append(finished.objective - plain.objective)
    assert min(gains) > -1e-6
    assert max(gains) > 1e-3


# ------------------------------------------------------------------------- hard assignment


@pytest.mark.parametrize("gate", ["constant", "gaussian", "softmax"])
def test_classification_em_climbs_to_labels_that_reproduce_themselves(gate):
    problem, start = drawn("gaussian", gate, n=150, apart=3.0, n_experts=3, seed=3)
    result = EM(assignment="hard").run(problem, start, max_iter=300, tol=1e-10)
    assert result.converged
    assert (np.diff(result.trace) >= 0.0).all()
    hard = replace(problem, objective=ClassificationLikelihood(problem.model))
    value, stats = hard.evaluate(result.params)
    assert value == pytest.approx(result.objective, rel=1e-12)
    after = problem.model.update(result.params, stats, problem.summary)
    before, later = labels(problem, result.params), labels(problem, after)
    np.testing.assert_array_equal(before, later)


def test_classification_em_ends_after_finitely_many_steps():
    # With exact M-steps the labels repeat, and then nothing moves, not even in the last digit.
    problem, start = drawn("gaussian", "constant", n=150, apart=3.0, n_experts=3, seed=3)
    result = EM(assignment="hard").run(problem, start, max_iter=300, tol=0.0)
    assert result.converged
    assert result.gain_left == 0.0


def test_classification_likelihood_stays_below_the_likelihood():
    problem, start = drawn("gaussian", "softmax", n=150, apart=2.0, seed=3)
    result = EM(assignment="hard").run(problem, start, max_iter=100, tol=1e-8)
    soft = EM().run(problem, start, max_iter=100, tol=1e-8)
    assert result.objective <= problem.value(result.params) <= soft.objective + 1e-6
    assert EM(assignment="hard").objective_name == "classification likelihood"


@pytest.mark.parametrize("seed", [0, 3, 6])
def test_classification_em_gives_an_emptied_expert_rows_again(seed):
    problem, start = drawn("gaussian", "constant", n=200, apart=4.0, n_experts=3, seed=seed)
    g = start.gate.proportions * [1.0, 1.0, 0.0]
    bare = MoEParams(replace(start.gate, proportions=g / g.sum()), start.experts)
    assert np.unique(labels(problem, bare)).size == 2
    result = EM(assignment="hard").run(problem, bare, max_iter=300, tol=1e-8)
    assert np.unique(labels(problem, result.params)).size == 3
    assert (np.diff(result.trace) >= 0.0).all()


def labels(problem, params):
    return np.concatenate(
        [problem.model.responsibilities(params, b).argmax(axis=0) for b in problem.source]
    )


# ------------------------------------------------------------------------- drawn labels, annealing


def test_stochastic_em_can_leave_a_poor_hill():
    problem, _ = drawn("gaussian", "softmax", n=150, apart=3.0, n_experts=3, seed=3)
    gains = []
    for seed in range(4):
        start = scattered(problem, seed)
        plain = EM().run(problem, start, max_iter=300, tol=1e-6)
        drawn_first = EM(assignment="stochastic").run(problem, start, max_iter=300, tol=1e-6)
        assert drawn_first.converged
        gains.append(drawn_first.objective - plain.objective)
    assert max(gains) > 1.0


def scattered(problem, seed):
    """Parameters after one update under arbitrary responsibilities."""
    rng = np.random.default_rng(seed)
    block = problem.source[0]
    params = problem.model.start([d.width for d in block.designs], problem.summary)
    S = rng.dirichlet(np.ones(problem.model.n_experts), block.w.size).T * block.w
    seen = problem.model.evaluate(params, block)
    stats = problem.model.statistics(params, seen, block, S, 0.0)
    return problem.model.update(params, stats, problem.summary)


def test_stochastic_em_depends_on_the_seed_and_on_nothing_else():
    problem, start = drawn("gaussian", "softmax", n=100, apart=1.0)
    first, _ = stochastic_em(problem, start, 20)
    again, passes = stochastic_em(problem, start, 20)
    other, _ = stochastic_em(replace(problem, seed=5), start, 20)
    pack = problem.model.pack
    assert passes == 20
    np.testing.assert_array_equal(pack(first), pack(again))
    assert np.abs(pack(first) - pack(other)).max() > 1e-3


def test_wandering_returns_parameters_no_worse_than_its_start():
    problem, start = drawn("student_t", "softmax", n=100, apart=1.0)
    best, _ = stochastic_em(problem, start, 20)
    assert problem.value(best) >= problem.value(start)


def test_annealing_makes_much_of_the_start_irrelevant():
    problem, _ = drawn("gaussian", "constant", n=200, apart=4.0, n_experts=2, seed=2)
    spread = {}
    for beta in (None, 0.2):
        heights = [
            EM(annealing=beta).run(problem, scattered(problem, s), max_iter=300, tol=1e-6).objective
            for s in range(8)
        ]
        spread[beta] = max(heights) - min(heights)
    assert spread[0.2] <= spread[None] + 1e-6
    assert spread[0.2] < 1e-5


def test_annealing_climbs_free_energies_only_below_one():
    problem, start = drawn("gaussian", "softmax", n=80)
    warm, passes = anneal(problem, start, 0.9, 100)
    assert 1 < passes <= 10
    assert problem.value(warm) != problem.value(start)
    same, none = anneal(problem, start, 1.0, 100)
    assert none == 0
    assert same is start


def test_stages_leave_half_of_the_passes_to_the_climb():
    problem, start = drawn("gaussian", "softmax", n=80, apart=0.7)
    for solver in (EM(annealing=0.1), EM(assignment="stochastic")):
        result = solver.run(problem, start, max_iter=20, tol=1e-12)
        assert result.n_iter == 20
        assert 1 <= len(result.trace) <= 10


def test_nothing_warns_on_hard_problems():
    problem, start = drawn("gaussian", "softmax", n=40, apart=30.0, n_experts=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for solver in (EM(), EM(assignment="hard"), EM(assignment="stochastic"), EM(annealing=0.3)):
            solver.run(problem, start, max_iter=60, tol=1e-8)
