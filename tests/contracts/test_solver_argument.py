"""Solvers behind the estimators: names, checks before any work, seeds, running away."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

from moe_classic import MoERegressor
from moe_classic.solvers import EM, LBFGS, SGD, SOLVERS, Adam, DivergenceError, Newton


@pytest.fixture
def data(rng):
    X = rng.uniform(-1.0, 1.0, (200, 1))
    first = rng.random(200) < 0.5
    y = np.where(first, 2.0 * X[:, 0], 1.0 - X[:, 0]) + 0.2 * rng.standard_normal(200)
    return X, y


@pytest.mark.parametrize("name", [n for n in SOLVERS if n not in ("adam", "sgd")])
def test_solvers_end_at_the_same_likelihood(data, name):
    base = MoERegressor(2, gate="constant", random_state=0).fit(*data)
    other = MoERegressor(2, gate="constant", solver=name, random_state=0).fit(*data)
    assert other.log_likelihood_ == pytest.approx(base.log_likelihood_, abs=1e-6)


@pytest.mark.parametrize("solver", [Adam(batch_size=64), SGD(batch_size=64)], ids=repr)
def test_mini_batches_repeat_with_random_state(data, solver):
    fits = []
    for seed in (0, 0, 1):
        moe = MoERegressor(2, solver=solver, init="principal", n_init=1, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fits.append(moe.set_params(max_iter=6).fit(*data).log_likelihood_)
    assert fits[0] == fits[1]
    assert fits[0] != fits[2]


@pytest.mark.parametrize(
    ("solver", "message"),
    [
        (Adam(learning_rate=0.0), r"learning_rate=0.0 must be"),
        (EM(assignment="hard", annealing=0.5), r"annealing=0.5 has no meaning"),
    ],
)
def test_argument_without_meaning_is_refused(data, solver, message):
    with pytest.raises(ValueError, match=message):
        MoERegressor(2, solver=solver).fit(*data)


def test_solver_that_cannot_climb_the_model_is_refused_before_any_start(data, monkeypatch):
    monkeypatch.setattr(EM, "run", lambda *a, **k: pytest.fail("a start was made"))
    with pytest.raises(ValueError, match=r"solver='newton' needs .*laplace"):
        MoERegressor(2, expert="laplace", solver=Newton()).fit(*data)


def test_diverging_rate_raises_and_leaves_the_last_good_fit(data):
    moe = MoERegressor(2, solver=SGD(learning_rate=1e3), random_state=0)
    with pytest.raises(DivergenceError, match=r"learning_rate=1000.*last good parameters"):
        moe.fit(*data)
    assert np.isfinite(moe.predict(data[0])).all()
    assert not moe.converged_
    before = moe.log_likelihood_
    moe.set_params(solver__learning_rate=0.05, solver__decay=None, warm_start=True).fit(*data)
    assert moe.log_likelihood_ > before


def test_learning_rate_is_searched_in_a_grid(data):
    moe = MoERegressor(2, solver=Adam(decay=None, patience=2), n_init=2, random_state=0)
    grid = {"solver__learning_rate": [0.01, 0.1]}
    found = GridSearchCV(moe, grid, cv=2).fit(*data)
    assert found.best_params_["solver__learning_rate"] in grid["solver__learning_rate"]


def test_hard_assignment_reports_the_classification_likelihood(data):
    moe = MoERegressor(2, gate="constant", solver=EM(assignment="hard"), random_state=0).fit(*data)
    assert moe.trace_[-1] <= moe.log_likelihood_
    assert (np.diff(moe.trace_) >= 0.0).all()
    assert (np.diff(moe.start_report_.objective.dropna()) <= 1e-9).all()


@pytest.mark.parametrize("solver", [EM(annealing=0.5), EM(assignment="stochastic")], ids=repr)
def test_trace_never_falls_where_a_solver_begins_anew(data, solver):
    moe = MoERegressor(2, solver=solver, random_state=0).fit(*data)
    assert (np.diff(moe.trace_) >= 0.0).all()
    assert moe.trace_[-1] == pytest.approx(moe.log_likelihood_, abs=1e-3)


def test_error_function_gives_a_density_all_the_same(data):
    X, y = data
    solver = LBFGS(error="cooperative")
    moe = MoERegressor(2, gate="constant", solver=solver, random_state=0).fit(X, y)
    # Lines that are blended with constant weights are one line: least squares.
    A = np.column_stack([X, np.ones(200)])
    fitted = A @ np.linalg.lstsq(A, y, rcond=None)[0]
    np.testing.assert_allclose(moe.predict(X), fitted, atol=1e-4)
    covered = moe.predict_interval(X, coverage=0.9)
    share = ((y >= covered[:, 0]) & (y <= covered[:, 1])).mean()
    # Five standard errors of 200 rows.
    assert share == pytest.approx(0.9, abs=0.11)


@pytest.mark.parametrize(
    ("solver", "what"),
    [(EM(finish=None), "nats of log-likelihood"), (LBFGS(error="cooperative"), "cooperative")],
    ids=repr,
)
def test_a_capped_fit_names_what_it_climbs(data, solver, what):
    moe = MoERegressor(2, solver=solver, max_iter=3, tol=0.0, random_state=0)
    with pytest.warns(ConvergenceWarning, match=f"max_iter=3 passes .*{what}"):
        moe.fit(*data)
