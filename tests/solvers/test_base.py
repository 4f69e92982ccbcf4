"""What solvers share: parameters, registry, arguments, stopping."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone

from moe_classic import MoERegressor
from moe_classic.solvers import EM, LBFGS, SGD, SOLVERS, SQUAREM, Adam, Newton, Result
from moe_classic.solvers._base import joined_results
from moe_classic.solvers._stopping import gain_left, tight_tolerance

from .problems import drawn

OTHER = [
    EM(finish=None),
    EM(assignment="stochastic"),
    EM(annealing=0.5),
    LBFGS(memory=7, error="competitive"),
    Newton(radius=0.5),
    SGD(learning_rate=0.2, momentum=0.5, scaling=None, batch_size=None),
    Adam(learning_rate=0.3, decay=None, validation_fraction=0.2),
    SQUAREM(),
]
each = pytest.mark.parametrize("solver", OTHER, ids=repr)


@each
def test_solver_clones_and_pickles_with_its_parameters(solver):
    for copy in (clone(solver), pickle.loads(pickle.dumps(solver))):
        assert type(copy) is type(solver)
        assert copy.get_params() == solver.get_params()


@each
def test_solver_parameters_are_nested_in_those_of_an_estimator(solver):
    moe = MoERegressor(solver=solver)
    names = {f"solver__{name}" for name in solver.get_params()}
    assert names <= set(moe.get_params())
    assert clone(moe).solver.get_params() == solver.get_params()


def test_nested_parameters_can_be_set():
    moe = MoERegressor(solver=Adam()).set_params(solver__learning_rate=0.5)
    assert moe.solver.learning_rate == 0.5


@pytest.mark.parametrize("name", SOLVERS)
def test_registered_solver_carries_its_name_and_passes_its_own_check(name):
    solver = SOLVERS[name]()
    assert solver.name == name
    solver.check()


@each
def test_solver_keeps_the_contract_of_a_result(solver):
    problem, start = drawn(n=100, apart=2.0)
    posed = solver.with_objective(problem)
    result = solver.run(problem, start, max_iter=30, tol=1e-6)
    # The parameters are those whose objective is reported, up to the order of summation.
    assert posed.value(result.params) == pytest.approx(result.objective, rel=1e-11)
    assert 1 <= result.n_iter <= 30 + (solver.get_params().get("error", "") == "competitive") * 100
    assert result.message
    assert result.failure == ""
    if solver.get_params().get("validation_fraction") is None:
        assert result.trace[-1] == result.objective
        assert (np.diff(result.trace) >= 0.0).all()


@each
def test_solver_leaves_its_start_unchanged(solver):
    problem, start = drawn(n=60)
    before = problem.model.pack(start).copy()
    solver.run(problem, start, max_iter=8, tol=1e-6)
    np.testing.assert_array_equal(problem.model.pack(start), before)


@each
def test_solver_repeats_itself(solver):
    problem, start = drawn(n=60)
    first, second = (solver.run(problem, start, max_iter=12, tol=1e-6) for _ in range(2))
    assert first.trace == second.trace


@pytest.mark.parametrize("solver", [cls() for cls in SOLVERS.values()], ids=repr)
def test_watcher_can_stop_a_climb(solver):
    problem, start = drawn(n=100, apart=0.7)
    seen = []

    def monitor(iteration, value):
        seen.append((iteration, value))
        return len(seen) == 3

    result = solver.run(problem, start, max_iter=100, tol=1e-12, monitor=monitor)
    assert len(seen) == 3
    assert not result.converged
    assert "callback" in result.message
    assert result.objective == seen[-1][1]


@pytest.mark.parametrize(
    ("solver", "kind", "message"),
    [
        (EM(finish="bfgs"), ValueError, r"EM: finish='bfgs' must be one of"),
        (EM(assignment="crisp"), ValueError, r"assignment='crisp' must be one of"),
        (EM(assignment="hard", finish="newton"), ValueError, r"no meaning with assignment='hard'"),
        (EM(assignment="hard", annealing=0.5), ValueError, r"annealing=0.5 has no meaning"),
        (EM(assignment="stochastic", annealing=0.5), ValueError, r"annealing=0.5 has no meaning"),
        (EM(annealing=1.5), ValueError, r"annealing=1.5 must be .* in \(0, 1\)"),
        (EM(annealing="slow"), TypeError, r"annealing='slow' must be"),
        (Newton(radius=0.0), ValueError, r"radius=0.0 must be a finite number > 0"),
        (Newton(warm_up=1), TypeError, r"Newton: warm_up=1 must be True or False"),
        (LBFGS(warm_up="em"), TypeError, r"LBFGS: warm_up='em' must be True or False"),
        (LBFGS(memory=0), ValueError, r"memory=0 must be an integer >= 1"),
        (LBFGS(memory=2.5), TypeError, r"memory=2.5 must be an integer"),
        (SGD(learning_rate=-1.0), ValueError, r"SGD: learning_rate=-1.0 must be"),
        (SGD(learning_rate=np.nan), ValueError, r"learning_rate=nan must be"),
        (SGD(momentum=1.0), ValueError, r"momentum=1.0 must be .* in \(0, 1\)"),
        (SGD(scaling="fisher"), ValueError, r"scaling='fisher' must be one of"),
        (SGD(scaling="curvature", error="competitive"), ValueError, r"has no meaning with error"),
        (SGD(batch_size=0), ValueError, r"batch_size=0 must be"),
        (SGD(decay=1.0), ValueError, r"decay=1.0 must be"),
        (Adam(patience=True), TypeError, r"patience=True must be"),
        (Adam(beta1=1.0), ValueError, r"beta1=1.0 must be"),
        (Adam(beta2=0.0), ValueError, r"beta2=0.0 must be"),
        (Adam(validation_fraction=1.0), ValueError, r"validation_fraction=1.0 must be"),
    ],
)
def test_argument_without_meaning_is_refused_before_any_pass(solver, kind, message):
    problem, start = drawn(n=20)
    watched = []
    with pytest.raises(kind, match=message):
        solver.run(problem, start, max_iter=5, tol=1e-6, monitor=lambda *a: watched.append(a))
    assert not watched


@pytest.mark.parametrize("solver", [Newton(), LBFGS(), EM(finish="newton"), EM(finish="lbfgs")])
def test_smooth_solver_refuses_a_density_with_kinks(solver):
    problem, start = drawn("laplace", n=30)
    with pytest.raises(ValueError, match=r"solver='(newton|lbfgs)' needs .*laplace.*solver='em'"):
        solver.run(problem, start, max_iter=5, tol=1e-6)


# ------------------------------------------------------------------------- stopping


def test_gain_left_is_exact_for_a_geometric_sequence():
    trace = [1.0 - 0.8**t for t in range(6)]
    # What is left of sum 0.2 * 0.8^t after five terms.
    assert gain_left(trace) == pytest.approx(0.8**5, rel=1e-12)


def test_gain_left_is_infinite_without_evidence_of_convergence():
    assert gain_left([0.0, 1.0]) == np.inf
    assert gain_left([0.0, 1.0, 3.0]) == np.inf


def test_gain_left_is_zero_when_the_last_step_was_rounding():
    assert gain_left([0.0, 1.0, 1.0]) == 0.0


def test_polished_is_a_thousandth_within_bounds():
    assert tight_tolerance(1e-6, 1.0) == pytest.approx(1e-9)
    assert tight_tolerance(1.0, 1.0) == 1e-7
    assert tight_tolerance(1e-12, 1e6) == pytest.approx(1e-9)


def test_a_run_that_went_on_and_ended_lower_by_rounding_leaves_the_higher_end():
    first = Result("a", 5.0, [1.0, 5.0], 2, True, 0.0, "there")
    lower = Result("b", 5.0 - 1e-9, [5.0 - 1e-8, 5.0 - 1e-9], 3, True, 0.0, "there")
    joined = joined_results(first, lower)
    assert (joined.params, joined.objective, joined.n_iter) == ("a", 5.0, 5)
    assert joined.trace == [1.0, 5.0]
    higher = joined_results(first, Result("c", 6.0, [5.0, 5.5, 6.0], 3, True, 0.0, "there"))
    assert (higher.params, higher.trace) == ("c", [1.0, 5.0, 5.5, 6.0])
