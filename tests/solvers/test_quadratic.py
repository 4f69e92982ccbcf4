"""Where the log-likelihood is concave, and climbs that keep to one hill."""

from dataclasses import fields, replace

import numpy as np
import pytest

from moe_classic._model.model import MoEParams
from moe_classic.solvers import EM, LBFGS, SQUAREM, Newton
from moe_classic.solvers._ascent import MonotoneAscent
from moe_classic.solvers._base import STOPPED, Limits
from moe_classic.solvers._concavity import ConcavityCheck, warmed_up
from moe_classic.solvers._paths import look, walk
from moe_classic.solvers._quadratic import affordable, concave, quadratic

from .problems import beside, drawn, hilly, problem_on


def equal_experts(problem, params):
    """The saddle where both experts say the same and the gate has no opinion."""
    expert, model = params.experts[0], problem.model
    values = {f.name: getattr(expert, f.name) for f in fields(expert)}
    same = {name: np.repeat(v[:1], len(v), axis=0) for name, v in values.items()}
    gate = model.gate.unpack(0.0 * model.gate.pack(params.gate), params.gate, problem.summary)
    return MoEParams(gate, (replace(expert, **same),))


# ------------------------------------------------------------------------- concave or not


def test_top_of_a_hill_is_concave_and_a_saddle_is_not():
    problem, start = drawn(n=150, apart=1.0, seed=1)
    top = EM().run(problem, start, max_iter=1000, tol=1e-10).params
    assert concave(problem, top, quadratic(problem, top))
    saddle = equal_experts(
        problem, EM(finish=None).run(problem, start, max_iter=50, tol=0.0).params
    )
    assert not concave(problem, saddle, quadratic(problem, saddle))


def test_quadratic_agrees_with_value_and_slope():
    problem, start = drawn("student_t", "tree", n=80, n_experts=3)
    seen, (value, slope) = quadratic(problem, start), problem.slope(start)
    assert seen.value == pytest.approx(value, rel=1e-12)
    # The order of summation alone differs.
    np.testing.assert_allclose(seen.gradient, slope, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(seen.matrix, seen.matrix.T, rtol=1e-12, atol=1e-12)


def test_matrix_is_affordable_for_smooth_models_of_moderate_size(rng):
    small, start = drawn(n=30)
    assert affordable(small, start)
    many = replace(small, summary=replace(small.summary, n_rows=10**8))
    assert not affordable(many, start)
    kinks, start = drawn("laplace", n=30)
    assert not affordable(kinks, start)
    wide = problem_on(rng.standard_normal((60, 40)), rng.standard_normal((1, 60)), n_experts=8)
    assert not affordable(wide, wide.model.start([41, 41], wide.summary))


# ------------------------------------------------------------------------- when to go on


def test_lookout_lets_a_walk_go_on_at_once_where_the_objective_is_concave():
    problem, near = drawn(n=150, apart=1.0, seed=1)
    start = beside(problem, near, step=0.01)
    ascent = MonotoneAscent(problem, look(problem, start), Limits(100, 0.0))
    lookout = ConcavityCheck(problem, 100)
    assert walk(problem, lookout(ascent))
    assert ascent.passes == 2
    assert lookout.seen.value == pytest.approx(ascent.best.value, rel=1e-12)


def test_lookout_looks_less_and_less_often_and_not_for_ever():
    problem, start = drawn(n=60, seed=1)
    first = look(problem, equal_experts(problem, start))
    ascent = MonotoneAscent(problem, first, Limits(1000, 0.0))
    lookout, looked = ConcavityCheck(problem, 1000), []
    while not walk(problem, lookout(ascent)):
        if ascent.passes < 190:
            looked.append(ascent.passes)
        ascent.passes += 1
    assert ascent.passes >= 200
    assert lookout.seen is None
    assert sum(np.diff(looked) == 2) < 15  # a look is a pass of its own


def test_warm_up_leaves_half_of_the_passes():
    problem, start = drawn(n=60, seed=1)
    asked = []

    def ascend(problem, params, limits, *, seen):
        asked.append(limits.max_iter)
        yield from ()
        return Newton(warm_up=False).climb(problem, params, limits)

    path = warmed_up(problem, equal_experts(problem, start), Limits(20, 1e-6), ascend)
    walk(problem, path)
    assert len(asked) == 1
    assert asked[0] >= 20 // 2 - 2


@pytest.mark.parametrize("solver", [Newton(), LBFGS()], ids=repr)
def test_warm_up_can_be_stopped_and_keeps_to_the_cap(solver):
    problem, start = hilly(7, 2, 2, 0.6, 2.0)
    stopped = solver.run(problem, start, max_iter=100, tol=1e-8, monitor=lambda i, v: i >= 3)
    assert stopped.message == STOPPED
    assert not stopped.converged
    capped = solver.run(problem, start, max_iter=6, tol=1e-12)
    assert not capped.converged
    # A line search may be under way when the cap is reached.
    assert capped.n_iter <= 8
    assert (np.diff(capped.trace) >= 0.0).all()


def test_saddle_is_left_in_the_end():
    problem, start = drawn(n=150, apart=1.5, seed=1)
    saddle = equal_experts(problem, start)
    result = Newton().run(problem, saddle, max_iter=500, tol=1e-9)
    assert result.converged
    assert result.objective > problem.value(saddle) + 1.0
    assert concave(problem, result.params, quadratic(problem, result.params))


# ------------------------------------------------------------------------- one hill

#: Data on which EM passes a saddle, and Newton or L-BFGS without warm-up end elsewhere: seed,
#: experts, features, separation, sharpness.
SADDLES = [(7, 2, 2, 0.6, 2.0), (5, 3, 5, 0.6, 2.0), (0, 3, 5, 0.4, 1.0), (7, 3, 5, 0.4, 1.0)]


@pytest.mark.parametrize("case", SADDLES, ids=str)
def test_solvers_end_on_the_hill_of_em_past_a_saddle(case):
    problem, start = hilly(*case)
    em = EM(finish=None).run(problem, start, max_iter=20000, tol=1e-12)
    assert not concave(problem, start, quadratic(problem, start))
    for solver in (EM(), EM(finish="lbfgs"), SQUAREM(), Newton(), LBFGS()):
        found = solver.run(problem, start, max_iter=5000, tol=1e-9)
        assert found.converged
        assert found.objective == pytest.approx(em.objective, abs=1e-6), solver
        assert found.n_iter < em.n_iter


@pytest.mark.parametrize("case", SADDLES[:2], ids=str)
def test_newton_without_warm_up_may_end_on_another_hill(case):
    problem, start = hilly(*case)
    em = EM(finish=None).run(problem, start, max_iter=20000, tol=1e-12)
    found = Newton(warm_up=False).run(problem, start, max_iter=5000, tol=1e-9)
    assert found.converged
    assert abs(found.objective - em.objective) > 1.0
