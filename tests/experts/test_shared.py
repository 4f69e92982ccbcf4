"""Slopes that all experts share: dummies in other libraries, standard errors, tables, refusals."""

import pickle

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.optimize import linprog
from scipy.sparse import csr_array
from scipy.special import expit
from sklearn.base import clone
from sklearn.preprocessing import PolynomialFeatures

from moe_classic import (
    HierarchicalMoERegressor,
    MoERegressor,
)
from moe_classic.datasets import make_moe
from moe_classic.experts import (
    BetaExpert,
    BinomialExpert,
    CensoredExpert,
    GammaExpert,
    GaussianExpert,
    InverseGaussianExpert,
    LaplaceExpert,
    LognormalExpert,
    NegativeBinomialExpert,
    PoissonExpert,
    StudentTExpert,
    SymmetricNoiseExpert,
    TruncatedExpert,
    WeibullExpert,
    ZeroInflatedExpert,
)
from moe_classic.experts._shared import solve_together
from moe_classic.inference import likelihood_ratio_test
from moe_classic.inspection import CoefficientDisplay, marginal_effects
from moe_classic.model_selection import select
from moe_classic.penalties import Lasso, Ridge
from moe_classic.persistence import trusted_types
from moe_classic.solvers import Problem

N = 300
FAMILIES = {
    "beta": BetaExpert,
    "binomial": BinomialExpert,
    "gamma": GammaExpert,
    "gaussian": GaussianExpert,
    "inverse_gaussian": InverseGaussianExpert,
    "laplace": LaplaceExpert,
    "lognormal": LognormalExpert,
    "negative_binomial": NegativeBinomialExpert,
    "poisson": PoissonExpert,
    "student_t": StudentTExpert,
    "weibull": WeibullExpert,
}
each = pytest.mark.parametrize("name", FAMILIES)


def expert_of(name, **settings):
    """An expert of a family; twelve trials of a binomial one."""
    trials = {"trials": 12} if name == "binomial" else {}
    return FAMILIES[name](**trials, **settings)


def rows(n=N, seed=0):
    """Features (n, 3) whose second slope differs between two sides of the first, and the sides."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 3))
    side = rng.random(n) < 1.0 / (1.0 + np.exp(-2.0 * X[:, 0]))
    eta = np.where(side, 1.2 + 0.6 * X[:, 1], -0.6 - 0.4 * X[:, 1]) + 0.4 * X[:, 2]
    return X, eta, side, rng


def drawn(name, eta, rng):
    """A target of a family around a predictor."""
    mean, share = np.exp(eta), 1.0 / (1.0 + np.exp(-eta))
    return {
        "gaussian": lambda: 3.0 * eta + rng.standard_normal(eta.size),
        "laplace": lambda: 3.0 * eta + rng.laplace(size=eta.size),
        "student_t": lambda: 3.0 * eta + rng.standard_t(4.0, eta.size),
        "poisson": lambda: rng.poisson(mean).astype(float),
        "negative_binomial": lambda: rng.poisson(mean * rng.gamma(2.0, 0.5, eta.size)) * 1.0,
        "gamma": lambda: mean * rng.gamma(8.0, 0.125, eta.size),
        "inverse_gaussian": lambda: rng.wald(mean, 9.0),
        "lognormal": lambda: mean * np.exp(0.3 * rng.standard_normal(eta.size)),
        "weibull": lambda: mean * rng.weibull(3.0, eta.size),
        "beta": lambda: rng.beta(15.0 * share, 15.0 * (1.0 - share)),
        "binomial": lambda: rng.binomial(12, share).astype(float),
    }[name]()


def data(name, n=N, seed=0):
    X, eta, _, rng = rows(n, seed)
    return X, drawn(name, eta, rng)


def fitted(name, X, y, shared=(2,), K=2, weight=None, expert=None, **settings):
    expert = expert_of(name, shared=None if shared is None else list(shared), **(expert or {}))
    moe = MoERegressor(K, expert=expert, random_state=0, **({"n_init": 2} | settings))
    return moe.fit(X, y, sample_weight=weight)


# ------------------------------------------------------------------------- the system of an arrow


def test_system_of_all_experts_is_solved_as_the_dense_one(rng):
    K, r, shared = 3, 4, (1, 2)
    root = rng.standard_normal((K, r, r))
    A, b = root @ root.swapaxes(1, 2) + np.eye(r), rng.standard_normal((K, r, 2))
    # theta: own rows 0 and 3 of each expert, then the two in common.
    places = np.array([[2 * k, 6, 7, 2 * k + 1] for k in range(K)])
    full, right = np.zeros((8, 8)), np.zeros((8, 2))
    for k in range(K):
        full[np.ix_(places[k], places[k])] += A[k]
        right[places[k]] += b[k]
    dense = np.linalg.solve(full, right)
    np.testing.assert_allclose(solve_together(A, b, shared), dense[places], rtol=1e-12, atol=1e-12)


def test_own_rows_of_an_expert_can_stay(rng):
    root = rng.standard_normal((2, 3, 5))
    A, b = root @ root.swapaxes(1, 2), rng.standard_normal((2, 3, 1))
    x = solve_together(A, b, (1,), np.array([False, True]))
    np.testing.assert_array_equal(x[1, [0, 2]], 0.0)
    assert x[0, 1] == x[1, 1] != 0.0
    # The shared row feels the expert that stays.
    left = A[0][np.ix_([0, 2, 1], [0, 2, 1])].copy()
    left[2, 2] += A[1, 1, 1]
    right = np.r_[b[0, [0, 2, 1], 0]] + np.array([0.0, 0.0, b[1, 1, 0]])
    np.testing.assert_allclose(x[0, [0, 2, 1], 0], np.linalg.solve(left, right), rtol=1e-10)


# ------------------------------------------------------------------------- other libraries


def separated(seed=3, n=120):
    """Rows of two far groups, a design with dummies (own, own, shared), and the groups."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 2))
    side = rng.random(n) < 0.4
    own = np.column_stack([np.ones(n), X[:, 0]])
    D = np.column_stack([own * ~side[:, None], own * side[:, None], X[:, 1]])
    return X, D, side, rng


#: Places of (intercept, own slope) of the lower expert, of the upper one, and the shared slope.
LOWER, UPPER = [0, 1, 4], [2, 3, 4]


def table_of(moe, X, y, **settings):
    """Estimates and standard errors in the order of the dummies, the lower expert first."""
    table = moe.inference(X, y, **settings).experts.loc["expert"]
    low, high = sorted(
        {"expert 1", "expert 2"}, key=lambda e: table.estimate[e, "intercept"].iloc[0]
    )
    picked = [table.loc[(e, kind)] for e in (low, high) for kind in ("intercept", "slope")]
    both = pd.concat([*picked, table.loc[("all", "slope")]])
    return both.estimate.to_numpy(), both.std_error.to_numpy()


@pytest.mark.parametrize("gate", ["constant", "softmax"])
def test_tied_gaussian_experts_far_apart_are_one_regression_with_dummies(gate):
    X, D, _, rng = separated()
    y = D @ [-300.0, 1.0, 300.0, -2.0, 0.7] + rng.standard_normal(len(X))
    moe = MoERegressor(
        2, expert=GaussianExpert(tied=True, shared=[1]), gate=gate, random_state=0, tol=1e-12
    ).fit(X, y)
    ols = sm.OLS(y, D).fit()
    estimates, errors = table_of(moe, X, y)
    np.testing.assert_allclose(estimates, ols.params, rtol=1e-6)
    ratio = np.sqrt(ols.df_resid / len(y))  # maximum likelihood divides by n
    np.testing.assert_allclose(errors, ols.bse * ratio, rtol=1e-6)
    parameters = 5 + 1 + {"constant": 1, "softmax": 3}[gate]
    assert moe.n_parameters_ == parameters


def test_gaussian_experts_far_apart_are_generalised_least_squares():
    X, D, side, rng = separated()
    y = D @ [-300.0, 1.0, 300.0, -2.0, 0.7] + np.where(side, 2.0, 0.5) * rng.standard_normal(len(X))
    moe = MoERegressor(
        2, expert=GaussianExpert(shared=[1]), gate="constant", random_state=0, tol=1e-13
    ).fit(X, y)
    scale = np.ones(len(y))
    for _ in range(200):
        wls = sm.WLS(y, D, 1.0 / scale**2).fit()
        e2 = np.square(y - D @ wls.params)
        scale = np.sqrt(np.where(side, e2[side].mean(), e2[~side].mean()))
    estimates, errors = table_of(moe, X, y)
    np.testing.assert_allclose(estimates, wls.params, rtol=1e-6)
    scales = sorted(float(e.scale_) for e in moe.experts_)
    np.testing.assert_allclose(scales, np.sort(np.unique(scale.round(12))), rtol=1e-6)
    # Observed information in coefficients and both log scales; the shared slope meets the latter.
    e, groups = y - D @ wls.params, np.column_stack([~side, side])
    cross = 2.0 * (D * (e / scale**2)[:, None]).T @ groups
    H = np.block(
        [
            [(D / scale[:, None] ** 2).T @ D, cross],
            [cross.T, 2.0 * np.diag(groups.T @ (e / scale) ** 2)],
        ]
    )
    assert abs(cross[4]).max() > 1.0
    np.testing.assert_allclose(errors, np.sqrt(np.diag(np.linalg.inv(H)))[:5], rtol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
def test_poisson_experts_far_apart_are_one_poisson_regression_with_dummies(weighted):
    X, D, side, rng = separated()
    y = rng.poisson(np.exp(D @ [0.3, 0.2, 8.0, -0.3, 0.25])).astype(float)
    w = rng.integers(1, 4, len(y)).astype(float) if weighted else None
    moe = MoERegressor(
        2, expert=PoissonExpert(alpha=0.0, shared=[1]), gate="constant", random_state=0, tol=1e-13
    ).fit(X, y, sample_weight=w)
    glm = sm.GLM(y, D, sm.families.Poisson(), freq_weights=w).fit(tol=1e-14)
    estimates, errors = table_of(moe, X, y, sample_weight=w)
    np.testing.assert_allclose(estimates, glm.params, rtol=1e-6)
    np.testing.assert_allclose(errors, glm.bse, rtol=1e-6)
    share = np.average(side, weights=w)
    total = len(y) if w is None else w.sum()
    chosen = total * (share * np.log(share) + (1.0 - share) * np.log(1.0 - share))
    assert moe.log_likelihood_ == pytest.approx(glm.llf + chosen, rel=1e-9)


def test_ridge_counts_a_shared_slope_once():
    X, D, side, rng = separated()
    y = D @ [-300.0, 1.0, 300.0, -2.0, 0.7] + rng.standard_normal(len(X))
    alpha, n = 0.3, len(y)
    moe = MoERegressor(
        2,
        expert=GaussianExpert(tied=True, alpha=alpha, shared=[1]),
        gate="constant",
        random_state=0,
        tol=1e-13,
    ).fit(X, y)
    # In standardised units: slopes on X / sd, y / sd(y); the scale of the noise as it was fitted.
    s, spread = float(moe.experts_[0].scale_), np.r_[1.0, X[:, 0].std()]
    pull = np.r_[0.0, spread[1], 0.0, spread[1], X[:, 1].std()] ** 2 * alpha * n / y.std() ** 2
    centred = X - X.mean(axis=0)
    own = np.column_stack([np.ones(n), centred[:, 0]])
    C = np.column_stack([own * ~side[:, None], own * side[:, None], centred[:, 1]])
    expected = np.linalg.solve(C.T @ C + np.diag(pull) * s**2, C.T @ y)
    slopes = np.sort([e.coef_[0] for e in moe.experts_])
    np.testing.assert_allclose(slopes, np.sort(expected[[1, 3]]), rtol=1e-8)
    np.testing.assert_allclose([e.coef_[1] for e in moe.experts_], expected[4], rtol=1e-8)


# ------------------------------------------------------------------------- every family


@each
def test_one_expert_shares_with_nobody(name):
    X, y = data(name)
    one, plain = fitted(name, X, y, K=1), fitted(name, X, y, shared=None, K=1)
    kind = "sandwich" if name == "laplace" else "observed"
    assert one.log_likelihood_ == plain.log_likelihood_
    assert one.n_parameters_ == plain.n_parameters_
    np.testing.assert_array_equal(one.experts_[0].coef_, plain.experts_[0].coef_)
    pd.testing.assert_frame_equal(
        one.inference(X, y, kind=kind).table,
        plain.inference(X, y, kind=kind).table,
        check_exact=True,
    )


@each
def test_shared_slopes_are_one_number_and_the_fit_is_stationary(name):
    X, y = data(name)
    moe = fitted(name, X, y, tol=1e-9)
    free = fitted(name, X, y, shared=None, tol=1e-9)
    first, second = (e.coef_ for e in moe.experts_)
    assert first[2] == second[2] != 0.0
    assert first[1] != second[1]
    assert moe.n_parameters_ == free.n_parameters_ - 1
    assert moe.log_likelihood_ <= free.log_likelihood_ + 1e-6
    trace = np.asarray(moe.trace_)
    assert (np.diff(trace) >= -1e-9 * np.abs(trace[1:])).all()
    case = moe.inference(X, y, kind="sandwich" if name == "laplace" else "observed")
    assert len(case.table) == moe.n_parameters_
    assert np.isfinite(case.experts.std_error).all()


@pytest.mark.parametrize("name", ["gaussian", "poisson", "gamma"])
def test_all_solvers_end_at_the_same_height(name):
    X, y = data(name)
    best = fitted(name, X, y, tol=1e-9).log_likelihood_
    for solver in ("newton", "lbfgs", "squarem", "adam"):
        moe = fitted(name, X, y, solver=solver, tol=1e-9, max_iter=3000)
        near = 2e-3 if solver == "adam" else 1e-5
        assert moe.log_likelihood_ == pytest.approx(best, abs=near), solver
        assert moe.experts_[0].coef_[2] == moe.experts_[1].coef_[2]


@pytest.mark.parametrize("name", ["gaussian", "negative_binomial", "student_t"])
def test_weights_are_repeated_rows_and_blocks_are_one_table(name):
    X, y = data(name, 200)
    w = np.random.default_rng(1).integers(0, 3, len(y))
    settings = {"tol": 1e-9, "init": "kmeans"}
    weighted = fitted(name, X, y, weight=w, **settings)
    repeated = fitted(name, np.repeat(X, w, axis=0), np.repeat(y, w), **settings)
    assert weighted.log_likelihood_ == pytest.approx(repeated.log_likelihood_, rel=1e-9)
    again = clone(weighted).fit_blocks(lambda: ((X[i::3], y[i::3], w[i::3]) for i in range(3)))
    assert again.log_likelihood_ == pytest.approx(weighted.log_likelihood_, rel=1e-7)
    assert again.experts_[0].coef_[2] == again.experts_[1].coef_[2]


def test_several_outputs_share_a_slope_each():
    X, y = data("gaussian")
    Y = np.column_stack([y, 2.0 * X[:, 2] - y])
    expert = {"covariance_type": "diag"}
    moe = fitted("gaussian", X, Y, expert=expert)
    first, second = (e.coef_ for e in moe.experts_)
    np.testing.assert_array_equal(first[:, 2], second[:, 2])
    assert moe.n_parameters_ == fitted("gaussian", X, Y, None, expert=expert).n_parameters_ - 2
    table = moe.inference(X, Y).table
    assert sorted(table.xs("all", level="expert").index.get_level_values("part")) == [
        "expert: y0",
        "expert: y1",
    ]


@pytest.mark.parametrize("gate", ["softmax", "gaussian", "constant"])
@pytest.mark.parametrize("kind", ["observed", "opg", "sandwich"])
def test_every_kind_of_inference_has_one_row_for_it(gate, kind):
    X, y = data("gaussian", 500)
    moe = fitted("gaussian", X, y, gate=gate)
    seen = moe.inference(X, y, kind=kind)
    row = seen.experts.loc["expert", "all", "slope", "x2"]
    assert (row.std_error > 0.0) & (row.std_error < 0.1)
    assert seen.experts.index.get_level_values("term").tolist().count("x2") == 1
    assert row.low < 1.2 < row.high
    assert row.estimate == pytest.approx(moe.experts_[0].coef_[2], rel=1e-14)


def test_a_shared_slope_is_known_better_than_free_ones():
    X, y = data("gaussian", 600)
    one = fitted("gaussian", X, y).inference(X, y).experts
    free = fitted("gaussian", X, y, shared=None).inference(X, y).experts
    apart = free.xs("x2", level="term").std_error
    together = one.xs("x2", level="term").std_error.iloc[0]
    assert together < apart.min()
    # Two independent estimates, pooled.
    assert together == pytest.approx(np.sum(apart**-2.0) ** -0.5, rel=0.05)


def test_tests_speak_of_it():
    X, y = data("gaussian", 400)
    one, free = fitted("gaussian", X, y), fitted("gaussian", X, y, shared=None)
    seen = one.inference(X, y)
    row = seen.experts.loc["expert", "all", "slope", "x2"]
    for hypothesis in ("x2 = 0", "x2[all] = 0"):
        test = seen.wald_test(hypothesis)
        assert test.df == 1
        assert test.statistic == pytest.approx((row.estimate / row.std_error) ** 2, rel=1e-9)
    with pytest.raises(ValueError, match=r"'x2' of one expert, but all share it: 'x2\[all\]'"):
        seen.wald_test("x2[1] = 0")
    ratio = likelihood_ratio_test(one, free)
    assert ratio.df == 1
    assert ratio.statistic == pytest.approx(2.0 * (free.log_likelihood_ - one.log_likelihood_))
    # Both ask whether the slopes are equal.
    wald = free.inference(X, y).wald_test("x2[1] = x2[2]")
    assert wald.statistic == pytest.approx(ratio.statistic, rel=0.2, abs=0.05)


def test_groups_of_rows_share_too():
    X, y = data("gaussian", 240)
    groups = np.repeat(np.arange(60), 4)
    moe = MoERegressor(2, expert=GaussianExpert(shared=[2]), gate="constant", random_state=0)
    moe.fit(X, y, groups=groups)
    assert moe.experts_[0].coef_[2] == moe.experts_[1].coef_[2]
    row = moe.inference(X, y, groups=groups).experts.loc["expert", "all", "slope", "x2"]
    assert row.std_error > 0.0


# ------------------------------------------------------------------------- the surface


@pytest.fixture(scope="module")
def frame():
    X, y = data("gaussian")
    table = pd.DataFrame(X, columns=["a", "b", "age"])
    moe = MoERegressor(2, expert=GaussianExpert(shared=["age"]), random_state=0, n_init=2)
    return moe.fit(table, y), table, y


def test_tables_pictures_and_reports_tell_it(frame):
    moe, X, y = frame
    assert moe.n_features_in_ == 3
    summary = moe.summary()
    assert summary.loc[("expert", "slope", "age"), "expert 1"] == moe.experts_[1].coef_[2]
    display = CoefficientDisplay.from_estimator(moe, X, y)
    assert display.table[display.table.term == "age"].expert.tolist() == ["all"]
    assert "age" in moe._repr_html_()
    assert moe.explain(X[:3]).filter(like="coef age").shape[1] == 1
    assert moe.feature_importances_.shape == (3,)


def test_records_survive_and_are_reordered(frame):
    moe, X, y = frame
    again = pickle.loads(pickle.dumps(moe))
    np.testing.assert_array_equal(again.predict(X), moe.predict(X))
    other = clone(moe).set_params(order_by="intercept").fit(X, y)
    assert other.log_likelihood_ == pytest.approx(moe.log_likelihood_, rel=1e-10)
    assert other.experts_[0].coef_[2] == other.experts_[1].coef_[2]
    warm = clone(moe).set_params(warm_start=True).fit(X, y).fit(X, y)
    assert warm.log_likelihood_ == pytest.approx(moe.log_likelihood_, rel=1e-8)


def test_numbers_names_and_masks_say_the_same(frame):
    moe, X, y = frame
    for shared in ([2], [-1], ("age",), np.array(["age"]), pd.Index(["age"]), [False, False, True]):
        other = clone(moe).set_params(expert=GaussianExpert(shared=shared)).fit(X, y)
        assert other.log_likelihood_ == moe.log_likelihood_
    nothing = clone(moe).set_params(expert=GaussianExpert(shared=[])).fit(X, y)
    assert nothing.n_parameters_ == moe.n_parameters_ + 1


def test_a_column_of_levels_is_shared_level_by_level(frame):
    _, X, y = frame
    town = np.array(["Bergen", "Oslo", "Rome"])[np.arange(len(y)) % 3]
    table, y = X.assign(town=town), y + 0.5 * (town == "Rome")
    moe = MoERegressor(
        2, expert=GaussianExpert(features=["b", "town"], shared=["town"]), random_state=0, n_init=2
    ).fit(table, y)
    first, second = (e.coef_ for e in moe.experts_)
    assert first[0] != second[0]
    np.testing.assert_array_equal(first[1:], second[1:])
    assert len(first) == 3


@pytest.mark.parametrize(
    ("shared", "places"),
    [(["age"], [1]), (["town"], [2, 3]), (["a", "town[T.Rome]"], [0, 3]), (["b:age"], [4])],
)
def test_terms_of_a_formula_are_shared(frame, shared, places):
    pytest.importorskip("formulaic", reason="needs formulaic, in the extra formula")
    _, X, y = frame
    table = X.assign(town=np.array(["Bergen", "Oslo", "Rome"])[np.arange(N) % 3], y=y)
    moe = MoERegressor.from_formula(
        "y ~ a + age + town + b:age | a",
        table,
        n_experts=2,
        expert=GaussianExpert(shared=shared),
        random_state=0,
        n_init=1,
    )
    first, second = (e.coef_ for e in moe.experts_)
    np.testing.assert_array_equal(np.flatnonzero(first == second), places)
    with pytest.raises(ValueError, match="names 'b', which is no term of the experts' formula"):
        clone(moe).set_params(expert__shared=["b"]).fit(table, y)


def test_offsets_are_no_features_and_stay_beside_shared_slopes():
    X, eta, _, rng = rows()
    time = rng.uniform(0.5, 2.0, N)
    y = rng.poisson(time * np.exp(eta)).astype(float)
    table = np.column_stack([X[:, :2], time, X[:, 2]])
    moe = MoERegressor(2, expert=PoissonExpert(exposure=2, shared=[3]), random_state=0, n_init=2)
    moe.fit(table, y)
    first, second = (e.coef_ for e in moe.experts_)
    assert first[2] == second[2] != 0.0
    assert moe.inference(table, y).experts.loc["expert", "all", "slope", "x3"].std_error > 0.0
    with pytest.raises(ValueError, match="names 'x2', which is no feature of these"):
        MoERegressor(2, expert=PoissonExpert(exposure=2, shared=[2])).fit(table, y)


def test_columns_that_say_the_same_are_counted_once():
    X, y = data("gaussian")
    twice = np.column_stack([X, X[:, 2], np.ones(N)])
    plain = fitted("gaussian", X, y)
    moe = fitted("gaussian", twice, y, shared=(2, 3, 4))
    with pytest.warns(UserWarning, match="aliased"):
        seen = moe.inference(twice, y).experts
    # The sum of both slopes is known; that of the constant column is told as such.
    assert "constant" in seen.note["expert", "all", "slope", "x4"]
    assert moe.n_parameters_ == plain.n_parameters_
    assert moe.log_likelihood_ == pytest.approx(plain.log_likelihood_, rel=1e-8)


@pytest.mark.parametrize("branching", [(2, 2), [[2], 1], "grow"])
def test_leaves_of_a_tree_share(branching):
    X, y = data("gaussian")
    tree = HierarchicalMoERegressor(
        expert=GaussianExpert(shared=[2]), random_state=0, n_init=2, branching=branching
    ).fit(X, y)
    slopes = {float(e.coef_[2]) for e in tree.experts_}
    assert len(tree.experts_) > 1
    assert len(slopes) == 1


def test_data_are_drawn_with_shared_slopes_and_selection_counts_them():
    expert = GaussianExpert(shared=[1])
    X, y, truth = make_moe(
        400, n_experts=2, n_features=2, expert=expert, random_state=0, return_params=True
    )
    assert truth.experts_[0].coef_[1] == truth.experts_[1].coef_[1]
    template = MoERegressor(expert=expert, random_state=0, n_init=2)
    counts = select(X, y, estimator=template, n_experts=[1, 2]).table.n_parameters
    # Two slopes, intercept and scale; then two of each but one slope, and the gate.
    assert counts.tolist() == [4, 4 + 3 + 3]


def test_batches_are_learned_with_shared_slopes():
    X, y = data("gaussian", 600)
    moe = MoERegressor(2, expert=GaussianExpert(shared=[2]), random_state=0)
    for part in np.array_split(np.arange(600), 6):
        moe.partial_fit(X[part], y[part])
    assert moe.experts_[0].coef_[2] == moe.experts_[1].coef_[2]
    assert moe.experts_[0].coef_[2] == pytest.approx(1.2, abs=0.2)


# ------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("expert", "error", "says"),
    [
        (GaussianExpert(shared="age"), TypeError, r"must be None or a list.*shared=\['age'\]"),
        (GaussianExpert(shared=3), TypeError, "must be None or a list"),
        (GaussianExpert(shared=["height"]), ValueError, "names 'height', which is not a column"),
        (GaussianExpert(shared=[7]), ValueError, "names 7, which is not a column"),
        (GaussianExpert(shared=["age", 2]), ValueError, "names a column twice"),
        (GaussianExpert(features=["a"], shared=["age"]), ValueError, "they see .'a'."),
        (
            GaussianExpert(features=PolynomialFeatures(2), shared=["age"]),
            ValueError,
            "Transform X before the model",
        ),
        (GaussianExpert(penalty=Lasso(0.1), shared=["age"]), ValueError, "use alpha="),
        (PoissonExpert(penalty=Ridge(0.1), shared=["age"]), ValueError, "use alpha="),
        (ZeroInflatedExpert(PoissonExpert(shared=["age"])), ValueError, "leave shared=None"),
        (CensoredExpert(GaussianExpert(shared=["age"])), ValueError, "leave shared=None"),
        (TruncatedExpert(GaussianExpert(shared=["age"]), low=0), ValueError, "leave shared=None"),
        (
            [("one", GaussianExpert(shared=["age"])), ("two", GaussianExpert())],
            ValueError,
            "'one' is one expert of a list",
        ),
    ],
    ids=str,
)
def test_what_has_no_meaning_is_refused_before_any_work(frame, monkeypatch, expert, error, says):
    _, X, y = frame
    passes = []
    for name in ("evaluate", "value", "slope"):
        monkeypatch.setattr(Problem, name, lambda *_: passes.append(1))
    with pytest.raises(error, match=says):
        MoERegressor(2, expert=expert).fit(X, np.abs(y).round())
    assert not passes


def test_full_covariances_and_recursions_cannot_share(frame):
    _, X, y = frame
    with pytest.raises(ValueError, match="set covariance_type='diag'"):
        fitted("gaussian", X, np.column_stack([y, -y]))
    tree = HierarchicalMoERegressor(expert=GaussianExpert(shared=[2]), branching=(2,), n_init=1)
    tree.fit(X, y)
    with pytest.raises(ValueError, match="makes them move together"):
        tree.learn_recursively(X, y)


# ------------------------------------------------------------------------- elsewhere


@pytest.mark.parametrize("name", ["gaussian", "poisson", "weibull"])
def test_export_predicts_the_same(name):
    runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime, in the extra test")
    from moe_classic.onnx import to_onnx

    X, y = data(name, 150)
    moe = fitted(name, X, y, max_iter=20, tol=1e-2)
    session = runtime.InferenceSession(to_onnx(moe, dtype=np.float64).SerializeToString())
    out = session.run(None, {session.get_inputs()[0].name: X})[0]
    np.testing.assert_allclose(np.ravel(out), moe.predict(X), rtol=1e-9)


def test_files_of_skops_hold_it(frame):
    sio = pytest.importorskip("skops.io", reason="needs skops, in the extra test")
    moe, X, _ = frame
    again = sio.loads(sio.dumps(moe), trusted=trusted_types())
    np.testing.assert_array_equal(again.predict(X), moe.predict(X))
    assert again.expert.shared == ["age"]


def test_effects_on_predictions_follow_the_shared_slope():
    X, y = data("gaussian", 400)
    moe = fitted("gaussian", X, y, gate="constant")
    effect = marginal_effects(moe, X, y).loc[("x2", "y")]
    row = moe.inference(X, y).experts.loc["expert", "all", "slope", "x2"]
    # Under a constant gate every row's prediction rises by the shared slope.
    assert effect.estimate == pytest.approx(row.estimate, rel=1e-6)
    assert effect.std_error == pytest.approx(row.std_error, rel=1e-5)


# ------------------------------------------------------------------------- the last digits


def test_laplace_experts_far_apart_are_one_median_regression_with_dummies():
    X, D, side, rng = separated()
    y = D @ [-300.0, 1.0, 300.0, -2.0, 0.7] + np.where(side, 2.0, 0.5) * rng.laplace(size=len(X))
    moe = MoERegressor(
        2, expert=LaplaceExpert(shared=[1]), gate="constant", random_state=0, tol=1e-9
    ).fit(X, y)
    lower = moe.experts_[0].intercept_ < 0.0
    low, high = moe.experts_ if lower else moe.experts_[::-1]
    scale = np.where(side, high.scale_, low.scale_)
    # Least absolute deviations as a linear programme, with the scales that were found.
    n, q = D.shape
    A = np.hstack([D, np.eye(n), -np.eye(n)])
    cost = np.r_[np.zeros(q), 1.0 / scale, 1.0 / scale]
    free = [(None, None)] * q + [(0.0, None)] * (2 * n)
    best = linprog(cost, A_eq=A, b_eq=y, bounds=free)
    found = [low.intercept_, low.coef_[0], high.intercept_, high.coef_[0], low.coef_[1]]
    np.testing.assert_allclose(found, best.x[:q], rtol=1e-9)


def test_slopes_on_columns_that_are_nearly_one_keep_their_digits():
    X, D, _side, rng = separated()
    y = D @ [-300.0, 1.0, 300.0, -2.0, 0.7] + rng.standard_normal(len(X))
    near = X[:, 1] + 1e-6 * rng.standard_normal(len(X))
    both = np.column_stack([X, near])
    moe = MoERegressor(
        2,
        expert=GaussianExpert(tied=True, shared=[1, 2]),
        gate="constant",
        random_state=0,
        tol=1e-8,
    ).fit(both, y)
    expected = np.linalg.lstsq(np.column_stack([D, near]), y, rcond=None)[0]
    np.testing.assert_allclose(moe.experts_[0].coef_[1:], expected[4:], rtol=1e-8)


class LogisticNoise(SymmetricNoiseExpert):
    """Noise of one's own."""

    name = "logistic_noise"

    def standard_log_pdf(self, params, z):
        size = np.abs(z)
        return -size - 2.0 * np.log1p(np.exp(-size))

    def standard_slopes(self, params, z):
        return -np.tanh(0.5 * z), -2.0 * expit(z) * expit(-z)

    def standard_cdf(self, params, z):
        return expit(z)


def test_families_of_ones_own_share_too():
    X, y = data("gaussian")
    moe = MoERegressor(2, expert=LogisticNoise(shared=[2]), random_state=0, n_init=2).fit(X, y)
    assert moe.experts_[0].coef_[2] == moe.experts_[1].coef_[2]
    row = moe.inference(X, y).experts.loc["expert", "all", "slope", "x2"]
    assert row.low < 1.2 < row.high


def test_sparse_tables_share_as_dense_ones_do():
    X, eta, _, rng = rows()
    X = np.where(rng.random(X.shape) < 0.5, 0.0, X)
    y = 3.0 * eta + rng.standard_normal(N)
    dense = fitted("gaussian", X, y, tol=1e-9)
    lean = fitted("gaussian", csr_array(X), y, tol=1e-9)
    assert lean.log_likelihood_ == pytest.approx(dense.log_likelihood_, rel=1e-8)
    assert lean.experts_[0].coef_[2] == lean.experts_[1].coef_[2]
    assert lean.experts_[0].coef_[2] == pytest.approx(dense.experts_[0].coef_[2], rel=1e-4)
