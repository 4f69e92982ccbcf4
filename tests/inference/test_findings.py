"""Bounds, flat directions and forgotten rows are named."""

import numpy as np
import pytest

from moe_classic import MoERegressor
from moe_classic.experts import GaussianExpert, StudentTExpert
from moe_classic.gates import SoftmaxGate
from moe_classic.inference import inference

from .fits import fitted, told, two_lines


def test_degrees_of_freedom_at_their_bound_are_held_there(lines):
    X, y = lines
    free = MoERegressor(2, expert=StudentTExpert(df_bounds=(2.0, 50.0)), n_init=2, random_state=0)
    result = told("expert 1 df.*at its upper bound 50", fitted(free, X, y), X, y)
    held = result.table.xs("df", level="term")
    assert (held.note == "at its upper bound 50").all()
    assert held.std_error.isna().all()
    fixed = MoERegressor(2, expert=StudentTExpert(df=50.0), n_init=2, random_state=0).fit(X, y)
    others = result.table.drop("df", level="term").std_error
    np.testing.assert_allclose(others, inference(fixed, X, y).table.std_error, rtol=1e-3)


def test_degrees_of_freedom_inside_their_interval_have_an_error(rng):
    X = rng.standard_normal((2000, 1))
    y = X[:, 0] + rng.standard_t(4.0, 2000)
    fit = MoERegressor(1, expert="student_t", tol=1e-9).fit(X, y)
    row = inference(fit, X, y).table.loc["expert", "expert 1", "df", "df"]
    assert row.note == ""
    assert 2.0 < row.low < row.estimate < row.high < 200.0
    assert row.low < 4.0 < row.high


def test_a_scale_at_its_floor_is_held_there(rng):
    X = rng.standard_normal((80, 1))
    y = np.where(np.arange(80) < 20, 3.0 - X[:, 0], rng.standard_normal(80))
    R = np.eye(2)[(np.arange(80) < 20).astype(int)]
    fit = fitted(MoERegressor(2, gate="constant", init=R, n_init=1), X, y)
    result = told("interpolates its rows", fit, X, y)
    row = result.table.loc["expert", "expert 2", "scale", "scale"]
    assert np.isnan(row.std_error)
    assert "min_scale" in row.note
    assert np.isfinite(result.table.std_error.drop(("expert", "expert 2", "scale", "scale"))).all()


@pytest.mark.parametrize("alpha", [0.0, 1e-6])
def test_a_separated_gate_is_named(rng, alpha):
    x = np.linspace(0.0, 1.0, 100)
    y = np.where(x < 0.5, x, 5.0 - x) + 0.1 * rng.standard_normal(100)
    gate = SoftmaxGate(alpha=alpha)
    fit = fitted(MoERegressor(2, gate=gate, n_init=2, random_state=0), x[:, None], y)
    result = told("gate expert 1 x0.*separated", fit, x[:, None], y)
    assert result.gate.note.str.contains("separated").all()
    assert (result.experts.note == "").all()
    # Rows are divided at 0.5: the experts' errors are those of two regressions.
    half = x[x < 0.5]
    slope = result.table.loc["expert", "expert 1", "slope", "x0"]
    scale = result.table.loc["expert", "expert 1", "scale", "scale"].estimate
    expected = scale / np.sqrt(((half - half.mean()) ** 2).sum())
    assert slope.std_error == pytest.approx(expected, rel=1e-4)


def test_slopes_that_the_penalty_sets_are_named(lines):
    X, y = lines
    fit = MoERegressor(1, expert=GaussianExpert(alpha=100.0)).fit(X, y)
    result = told("expert 1 x0, expert 1 x1: set by the penalty", fit, X, y)
    notes = result.table.note
    assert (notes != "").tolist() == [False, True, True, False]


@pytest.mark.parametrize("gate", ["softmax", "gaussian", "constant"])
def test_a_constant_feature_is_named_and_does_no_harm(lines, gate):
    X, y = lines
    estimator = MoERegressor(2, gate=gate, n_init=2, random_state=0, tol=1e-10)
    plain = inference(estimator.fit(X, y), X, y).table
    wide = np.column_stack([X, np.full(len(X), 7.0)])
    result = told("x2.*the feature is constant", estimator.fit(wide, y), wide, y).table
    assert (result.xs("x2", level="term").note == "the feature is constant").all()
    assert result.xs("x2", level="term").std_error.isna().all()
    # reg_covar of the Gaussian gate moves its optimum by 1e-6.
    np.testing.assert_allclose(result.std_error[plain.index], plain.std_error, rtol=1e-5)


def test_collinear_features_are_named_and_others_keep_their_errors(lines):
    X, y = lines
    wide = np.column_stack([X, X[:, 0]])
    estimator = MoERegressor(2, gate="constant", n_init=2, random_state=0, tol=1e-10)
    plain = inference(estimator.fit(X, y), X, y)
    result = told("expert 1 x0, expert 1 x2, .*: aliased", estimator.fit(wide, y), wide, y)
    table = result.table
    assert table.std_error.isna().sum() == 4
    assert table.note[table.std_error.isna()].str.startswith("aliased").all()
    kept = table.index[table.std_error.notna()]
    np.testing.assert_allclose(table.std_error[kept], plain.table.std_error[kept], rtol=1e-5)

    def total(t):
        return t["expert", "expert 1", "slope", "x0"] + t["expert", "expert 1", "slope", "x2"]

    # Their sum is what the data determine.
    slope = plain.table.loc["expert", "expert 1", "slope", "x0"]
    assert result.delta(total).std_error[0] == pytest.approx(slope.std_error, rel=1e-5)
    single = result.delta(lambda t: t["expert", "expert 1", "slope", "x0"])
    assert np.isnan(single.std_error[0])


def test_an_expert_without_rows_is_named(lines):
    X, y = lines
    R = np.tile([1.0, 1e-6], (len(y), 1))
    fit = fitted(MoERegressor(2, gate="constant", init=R, n_init=1), X, y)
    assert fit.experts_[1].weight_ < 1e-5
    result = told("expert 2 x0.*explains fewer rows than it has", fit, X, y)
    assert (
        result.table.loc["expert", "expert 2"]
        .loc[["intercept", "slope"]]
        .note.str.contains("fewer rows")
        .all()
    )
    one = inference(MoERegressor(1).fit(X, y), X, y).table.std_error
    np.testing.assert_allclose(result.table.std_error[one.index], one, rtol=1e-4)


def test_rows_that_were_not_fitted_are_noticed(pair):
    fit, X, y = pair
    told("no maximum of the likelihood of these rows", fit, X[::2], y[::2])


def test_weights_that_were_forgotten_are_noticed(line):
    X, y = line
    fit = MoERegressor(1).fit(X, y, sample_weight=np.full(len(y), 2.0))
    # Equal weights do not move the optimum: only their sum tells.
    told("The rows weigh 200, those of the fit weighed 400", fit, X, y)


def test_bootstrap_says_what_is_at_a_bound(lines):
    X, y = lines
    expert = StudentTExpert(df_bounds=(2.0, 20.0))
    fit = fitted(MoERegressor(1, expert=expert), X, np.tanh(y))
    options = {"kind": "bootstrap", "n_bootstrap": 5, "random_state": 0}
    result = told("expert 1 df: at its upper bound 20", fit, X, np.tanh(y), **options)
    assert result.table.loc["expert", "expert 1", "df", "df"].note == "at its upper bound 20"


def test_a_saddle_is_noticed(rng):
    X, y = two_lines(rng)
    twins = MoERegressor(2, gate="constant", init=np.full((len(y), 2), 0.5), n_init=1)
    told("negative eigenvalue|singular", fitted(twins, X, y), X, y)
