"""Inference against statsmodels, closed forms and numerical Hessians written down on their own."""

import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.special import ndtr, ndtri
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import FunctionTransformer
from statsmodels.tools.numdiff import approx_hess

from moe_classic import MoEClassifier, MoERegressor
from moe_classic._model.labelling import check_order_by, match_experts
from moe_classic.experts import (
    EXPERTS,
    GaussianExpert,
    LogisticExpert,
    MultinomialExpert,
    StudentTExpert,
)
from moe_classic.gates import GaussianGate, SoftmaxGate
from moe_classic.gates._tree.gate import TreeGate
from moe_classic.inference import _curvature as curvature_module
from moe_classic.inference import inference, order_of

#: The same formula in another order of summation, at an optimum found to some 1e-12.
EXACT = 1e-8
LINE = ["intercept", "x0", "x1"]


def line_data(rng, n=200):
    """One line, noise that grows with x0; features far from zero."""
    X = rng.uniform(-1.0, 1.0, (n, 2)) * [1.0, 50.0] + [3.0, 1000.0]
    noise = (0.5 + 0.3 * (X[:, 0] - 2.0)) * rng.standard_normal(n)
    return X, 1.0 + 2.0 * X[:, 0] - 0.05 * X[:, 1] + noise


def two_lines(rng, n=300):
    """Two crossing lines, noises of their own, a soft gate."""
    X = rng.standard_normal((n, 2))
    first = rng.random(n) < 1.0 / (1.0 + np.exp(-0.3 - 1.5 * X[:, 0] + X[:, 1]))
    one = 1.0 + 2.0 * X[:, 0] - X[:, 1] + 0.4 * rng.standard_normal(n)
    two = -1.0 - X[:, 0] + 0.5 * X[:, 1] + 0.7 * rng.standard_normal(n)
    return X, np.where(first, one, two)


def classes_of(y, count=3):
    return np.digitize(y, np.quantile(y, np.arange(1, count) / count))


@pytest.fixture
def line(rng):
    return line_data(rng)


@pytest.fixture
def lines(rng):
    return two_lines(rng)


@pytest.fixture
def pair(lines):
    """A fit of two experts, with its rows."""
    X, y = lines
    return MoERegressor(2, n_init=2, random_state=0, tol=1e-10).fit(X, y), X, y


def fitted(estimator, X, y, **fit):
    """A fit whose own warnings are not what the test is about."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(X, y, **fit)


def told(message, *args, **kwargs):
    """The result of an inference that warns once, of ``message``."""
    with pytest.warns(UserWarning, match=message) as record:
        result = inference(*args, **kwargs)
    assert len(record) == 1
    return result


def errors(result, *, rows=slice(None)):
    return result.table.std_error.to_numpy()[rows]


# ------------------------------------------------------------------------- one expert


def test_errors_of_one_gaussian_expert_equal_least_squares(line):
    X, y = line
    result = inference(MoERegressor(1).fit(X, y), X, y)
    ols = sm.OLS(y, sm.add_constant(X)).fit()
    n = len(y)
    # Maximum likelihood divides by n, least squares by n - 3.
    expected = ols.cov_params() * (n - 3) / n
    np.testing.assert_allclose(result.covariance.iloc[:3, :3], expected, rtol=EXACT)
    np.testing.assert_allclose(result.table.estimate[:3], ols.params, rtol=EXACT)


def test_error_of_the_scale_of_one_gaussian_expert_has_its_closed_form(line):
    X, y = line
    row = inference(MoERegressor(1).fit(X, y), X, y).table.loc["expert", "expert 1", "scale"]
    assert row.std_error == pytest.approx(row.estimate / np.sqrt(2 * len(y)), rel=EXACT)


def test_tests_and_intervals_are_normal(line):
    X, y = line
    table = inference(MoERegressor(1).fit(X, y), X, y, level=0.9).table.iloc[:3]
    reach = ndtri(0.95) * table.std_error
    np.testing.assert_allclose(table.z, table.estimate / table.std_error)
    np.testing.assert_allclose(table.p_value, 2.0 * ndtr(-table.z.abs()))
    np.testing.assert_allclose(table.low, table.estimate - reach)
    np.testing.assert_allclose(table.high, table.estimate + reach)


def test_errors_of_one_logistic_expert_equal_logit(line):
    X, y = line
    label = (y > np.median(y)).astype(int)
    result = inference(MoEClassifier(1, expert=LogisticExpert(alpha=0.0)).fit(X, label), X, label)
    # The expert is relative to the last class, Logit to the first.
    logit = sm.Logit(1 - label, sm.add_constant(X)).fit(disp=0, tol=1e-12)
    # Newton stops at 1e-6 nats a row: the optimum is known to some 1e-6.
    np.testing.assert_allclose(result.table.estimate, logit.params, rtol=1e-5)
    np.testing.assert_allclose(result.table.std_error, logit.bse, rtol=1e-5)


def test_errors_of_one_multinomial_expert_equal_mnlogit(line):
    X, y = line
    label = classes_of(y)
    result = inference(
        MoEClassifier(1, expert=MultinomialExpert(alpha=0.0)).fit(X, label), X, label
    )
    logit = sm.MNLogit((label - 2) % 3, sm.add_constant(X)).fit(disp=0, tol=1e-12)
    # As above; MNLogit has one column a class.
    np.testing.assert_allclose(errors(result), logit.bse.T.ravel(), rtol=1e-4)


def test_penalty_enters_the_observed_information(line):
    X, y = line
    label, alpha = (y > np.median(y)).astype(int), 0.05
    result = inference(MoEClassifier(1, expert=LogisticExpert(alpha=alpha)).fit(X, label), X, label)
    Z = np.column_stack([np.ones(len(X)), X])
    p = 1.0 / (1.0 + np.exp(-Z @ result.table.estimate.to_numpy()))
    # alpha n / 2 times the squared slopes of standardised features.
    penalty = np.diag(np.r_[0.0, alpha * len(X) * X.var(axis=0)])
    covariance = np.linalg.inv((Z.T * (p * (1.0 - p))) @ Z + penalty)
    np.testing.assert_allclose(result.covariance, covariance, rtol=EXACT)


# ------------------------------------------------------------------------- robust errors


def test_sandwich_of_one_expert_equals_hc0(line):
    X, y = line
    result = inference(MoERegressor(1).fit(X, y), X, y, kind="sandwich")
    robust = sm.OLS(y, sm.add_constant(X)).fit(cov_type="HC0")
    np.testing.assert_allclose(errors(result, rows=slice(3)), robust.bse, rtol=EXACT)


def test_clustered_sandwich_of_one_expert_equals_uncorrected_clusters(line):
    X, y = line
    groups = np.arange(len(y)) // 7
    result = inference(
        MoERegressor(1).fit(X, y), X, y, kind="sandwich", clusters=[f"g{g}" for g in groups]
    )
    ols = sm.OLS(y, sm.add_constant(X))
    robust = ols.fit(cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False})
    np.testing.assert_allclose(errors(result, rows=slice(3)), robust.bse, rtol=EXACT)


def test_rows_as_clusters_turn_counts_into_sampling_weights(line, rng):
    X, y = line
    w = rng.uniform(0.2, 3.0, len(y))
    fit = MoERegressor(1).fit(X, y, sample_weight=w)
    rows = np.arange(len(y))
    result = inference(fit, X, y, kind="sandwich", sample_weight=w, clusters=rows)
    robust = sm.WLS(y, sm.add_constant(X), weights=w).fit(cov_type="HC0")
    np.testing.assert_allclose(errors(result, rows=slice(3)), robust.bse, rtol=EXACT)


def test_opg_of_a_laplace_expert_has_its_closed_form(line):
    X, y = line
    fit = MoERegressor(1, expert="laplace").fit(X, y)
    result = inference(fit, X, y, kind="opg")
    Z = np.column_stack([np.ones(len(X)), X])
    b = fit.experts_[0].scale_
    z = np.abs(y - Z @ result.table.estimate.iloc[:3]) / b
    sign = np.sign(y - Z @ result.table.estimate.iloc[:3])
    scores = np.column_stack([Z * sign[:, None] / b, (z - 1.0) / b])
    np.testing.assert_allclose(result.covariance, np.linalg.inv(scores.T @ scores), rtol=1e-6)


def test_sandwich_of_a_laplace_expert_is_that_of_median_regression(line):
    X, y = line
    fit = MoERegressor(1, expert="laplace").fit(X, y)
    result = inference(fit, X, y, kind="sandwich")
    Z = np.column_stack([np.ones(len(X)), X])
    e = y - Z @ result.table.estimate.iloc[:3]
    n, b = len(y), fit.experts_[0].scale_
    # Hall & Sheather (1988), and Powell's kernel estimate of the density of y at the line.
    h = n ** (-1 / 3) * ndtri(0.975) ** (2 / 3) * (1.5 / (2.0 * np.pi)) ** (1 / 3)
    width = b * (ndtri(0.5 + h) - ndtri(0.5 - h))
    density = np.exp(-0.5 * (e / width) ** 2) / (width * np.sqrt(2.0 * np.pi))
    bread = np.linalg.inv((Z.T * density) @ Z)
    expected = np.sqrt(np.diag(0.25 * bread @ Z.T @ Z @ bread))
    # The scale is estimated along: of the order of the imbalance of signs, 3 of 200 rows.
    np.testing.assert_allclose(errors(result, rows=slice(3)), expected, rtol=0.03)


def test_bandwidth_is_that_of_statsmodels():
    assert curvature_module.hall_sheather(np.array(200.0)) == pytest.approx(
        sm.regression.quantile_regression.hall_sheather(200.0, 0.5), rel=1e-12
    )


def test_observed_information_is_refused_where_an_expert_has_a_kink(line):
    X, y = line
    fit = MoERegressor(1, expert="laplace").fit(X, y)
    with pytest.raises(ValueError, match="kind='sandwich'"):
        inference(fit, X, y)


# ------------------------------------------------------------------------- two experts


def log_likelihood(theta, X, y):
    """Two Gaussian lines and a softmax gate in raw units, written for this test alone."""
    Z = np.column_stack([np.ones(len(X)), X])
    one, two, gate = theta[:4], theta[4:8], theta[8:]

    def log_normal(part):
        z = (y - Z @ part[:3]) / part[3]
        return -0.5 * z**2 - np.log(part[3]) - 0.5 * np.log(2.0 * np.pi)

    logit = Z @ gate
    first = log_normal(one) - np.logaddexp(0.0, -logit)
    second = log_normal(two) - np.logaddexp(0.0, logit)
    return np.logaddexp(first, second).sum()


def test_covariance_of_two_experts_inverts_the_hessian_in_raw_units(lines):
    X, y = lines
    X = X * [2.0, 30.0] + [1.0, -40.0]
    gate = SoftmaxGate(alpha=0.0)
    fit = MoERegressor(2, gate=gate, n_init=2, random_state=0, tol=1e-12).fit(X, y)
    result = inference(fit, X, y)
    theta = result.table.estimate.to_numpy()
    assert log_likelihood(theta, X, y) == pytest.approx(fit.log_likelihood_, rel=1e-10)
    # Complex steps are accurate to rounding in the first derivative, to 1e-6 in the second.
    hessian = approx_hess(theta, log_likelihood, args=(X, y))
    expected = np.linalg.inv(-hessian)
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    np.testing.assert_allclose(result.covariance / scale, expected / scale, rtol=0.0, atol=1e-4)


def test_tables_follow_the_units_of_features_and_target(lines):
    X, y = lines
    a, b, c, d = np.array([4.0, 0.01]), np.array([100.0, -3.0]), 0.25, 7.0
    estimator = MoERegressor(2, n_init=2, random_state=0, tol=1e-12)
    plain = inference(estimator.fit(X, y), X, y).table
    moved = inference(estimator.fit(a * X + b, c * y + d), a * X + b, c * y + d).table
    for part, factor in (("expert", c), ("gate", 1.0)):
        for j in (0, 1):
            rows = (part, slice(None), f"x{j}")
            for column in ("estimate", "std_error", "low", "high"):
                expected = plain.loc[rows, column] * factor / a[j]
                # Both fits end within rounding of the optimum.
                np.testing.assert_allclose(moved.loc[rows, column], expected, rtol=1e-5)
    scales = ("expert", slice(None), "scale")
    np.testing.assert_allclose(moved.loc[scales, "low"], c * plain.loc[scales, "low"], rtol=1e-5)


def test_a_row_of_weight_two_is_two_rows(lines, rng):
    X, y = lines
    w = rng.integers(1, 3, len(y)).astype(float)
    rows = np.repeat(np.arange(len(y)), w.astype(int))
    estimator = MoERegressor(2, n_init=2, random_state=0, tol=1e-12)
    for kind in ("observed", "opg", "sandwich"):
        weighted = inference(estimator.fit(X, y, w), X, y, kind=kind, sample_weight=w)
        repeated = inference(estimator.fit(X[rows], y[rows]), X[rows], y[rows], kind=kind)
        np.testing.assert_allclose(errors(weighted), errors(repeated), rtol=1e-6)


def test_rows_of_weight_zero_do_not_count(pair):
    fit, X, y = pair
    w = np.r_[np.ones(len(y)), 0.0]
    more = inference(fit, np.vstack([X, [[9.0, 9.0]]]), np.r_[y, 50.0], sample_weight=w)
    np.testing.assert_allclose(errors(more), errors(inference(fit, X, y)), rtol=1e-12)


def test_blocks_do_not_matter(rng):
    X, y = two_lines(rng, n=9000)
    fit = MoERegressor(2, n_init=1, init="kmeans", random_state=0).fit(X, y)
    whole = inference(fit, X, y, kind="sandwich", clusters=np.arange(9000) // 3)
    order = rng.permutation(9000)
    mixed = inference(fit, X[order], y[order], kind="sandwich", clusters=order // 3)
    np.testing.assert_allclose(errors(whole), errors(mixed), rtol=1e-10)


def test_opg_and_sandwich_agree_with_observed_when_the_model_is_right(rng):
    X, y = two_lines(rng, n=20000)
    fit = MoERegressor(2, n_init=1, init="kmeans", random_state=0).fit(X, y)
    observed = errors(inference(fit, X, y))
    # The information of 20000 rows is known to about one percent.
    for kind in ("opg", "sandwich"):
        np.testing.assert_allclose(errors(inference(fit, X, y, kind=kind)), observed, rtol=0.05)


# ------------------------------------------------------------------------- other components


@pytest.mark.parametrize("covariance_type", ["full", "diag", "tied"])
def test_errors_of_a_gaussian_gate_have_their_closed_forms(line, covariance_type):
    X, y = line
    gate = GaussianGate(covariance_type=covariance_type, reg_covar=0.0)
    table = inference(MoERegressor(1, gate=gate).fit(X, y), X, y).gate
    n = len(X)
    owner = "all" if covariance_type == "tied" and len(table) == 0 else "expert 1"
    for j in (0, 1):
        mean, std = table.loc["gate", owner, f"mean x{j}"], table.loc["gate", owner, f"std x{j}"]
        assert std.estimate == pytest.approx(X[:, j].std(), rel=1e-6)
        assert mean.std_error == pytest.approx(std.estimate / np.sqrt(n), rel=1e-6)
        assert std.std_error == pytest.approx(std.estimate / np.sqrt(2 * n), rel=1e-6)
    if covariance_type != "diag":
        row = table.loc["gate", owner, "correlation x1 x0"]
        assert row.estimate == pytest.approx(np.corrcoef(X.T)[0, 1], rel=1e-6)
        assert row.std_error == pytest.approx((1.0 - row.estimate**2) / np.sqrt(n), rel=1e-6)


def test_errors_of_a_full_covariance_have_their_closed_forms(line):
    X, y = line
    Y = np.column_stack([100.0 * y, 0.4 * y + np.sin(7.0 * X[:, 1])])
    table = inference(MoERegressor(1).fit(X, Y), X, Y).table
    n = len(y)
    for part in ("expert: y0", "expert: y1"):
        row = table.loc[part, "expert 1", "scale"]
        assert row.std_error == pytest.approx(row.estimate / np.sqrt(2 * n), rel=1e-6)
    row = table.loc["expert: y1", "expert 1", "correlation y0"]
    E = (
        Y
        - np.column_stack([np.ones(n), X])
        @ np.linalg.lstsq(np.column_stack([np.ones(n), X]), Y, rcond=None)[0]
    )
    assert row.estimate == pytest.approx(np.corrcoef(E.T)[0, 1], rel=1e-8)
    assert row.std_error == pytest.approx((1.0 - row.estimate**2) / np.sqrt(n), rel=1e-6)


def test_errors_of_proportions_are_binomial_when_experts_are_far_apart(rng):
    n = 500
    side = rng.random(n) < 0.3
    X = rng.standard_normal((n, 1))
    y = np.where(side, 50.0, -50.0) + rng.standard_normal(n)
    fit = MoERegressor(2, gate="constant", n_init=2, random_state=0).fit(X, y)
    row = inference(fit, X, y).table.loc["gate", "expert 2", "weight"]
    share = side.mean()
    assert row.estimate == pytest.approx(share, rel=1e-6)
    assert row.std_error == pytest.approx(np.sqrt(share * (1.0 - share) / n), rel=1e-6)
    logit, reach = np.log(share / (1.0 - share)), ndtri(0.975) / np.sqrt(n * share * (1.0 - share))
    assert row.low == pytest.approx(1.0 / (1.0 + np.exp(reach - logit)), rel=1e-5)
    assert row.high == pytest.approx(1.0 / (1.0 + np.exp(-reach - logit)), rel=1e-5)


def test_parameters_that_experts_share_appear_once(lines):
    X, y = lines
    expert = GaussianExpert(tied=True)
    fit = MoERegressor(2, expert=expert, n_init=2, random_state=0).fit(X, y)
    scales = inference(fit, X, y).table.xs("scale", level="term")
    assert list(scales.index) == [("expert", "all")]


def test_a_tree_with_one_node_equals_the_softmax_gate(pair):
    fit, X, y = pair
    tree = MoERegressor(2, gate=TreeGate((2,)), n_init=2, random_state=0, tol=1e-10).fit(X, y)
    flat = inference(fit, X, y).gate
    node = inference(tree, X, y).gate
    sign = np.sign(node.estimate.iloc[1] * flat.estimate.iloc[1])
    assert set(node.index.get_level_values("expert")) == {"node 1"}
    np.testing.assert_allclose(sign * node.estimate, flat.estimate, rtol=1e-5)
    np.testing.assert_allclose(errors_of(node), errors_of(flat), rtol=1e-5)


def errors_of(table):
    return table.std_error.to_numpy()


def test_nodes_of_a_tree_are_named_by_their_paths(rng):
    X, y = two_lines(rng)
    estimator = MoERegressor(3, gate=TreeGate([[2], 1]), n_init=2, random_state=0)
    names = inference(estimator.fit(X, y), X, y).gate.index.get_level_values("expert")
    assert list(dict.fromkeys(names)) == ["node 1", "node 1.1"]


def test_labels_use_column_names_experts_and_classes(lines):
    X, y = lines
    frame = pd.DataFrame(X, columns=["age", "dose"])
    named = [("line", GaussianExpert()), ("heavy", StudentTExpert(df=4.0))]
    fit = MoERegressor(2, expert=named, n_init=2, random_state=0).fit(frame, y)
    index = inference(fit, frame, y).table.index
    assert ("expert", "line", "age") in index
    assert ("expert", "heavy", "scale") in index
    assert ("gate", "line", "dose") in index
    label = np.array(["low", "middle", "top"])[classes_of(y)]
    classes = MoEClassifier(1).fit(frame, label)
    index = inference(classes, frame, label).table.index
    assert ("expert: low", "expert 1", "dose") in index
    assert ("expert: top", "expert 1", "dose") not in index


def test_estimates_equal_the_views_of_the_estimator(rng):
    X, y = two_lines(rng)
    Y = np.column_stack([y, rng.standard_normal(len(y))])
    fit = MoERegressor(2, gate="gaussian", n_init=2, random_state=0).fit(X, Y)
    table = inference(fit, X, Y).table
    for k, expert in enumerate(fit.experts_):
        for j in (0, 1):
            rows = table.loc[f"expert: y{j}", f"expert {k + 1}"].estimate
            np.testing.assert_allclose(rows[["x0", "x1"]], expert.coef_[j], rtol=1e-10)
            assert rows["intercept"] == pytest.approx(expert.intercept_[j], rel=1e-8)
        gate = table.loc["gate", f"expert {k + 1}"].estimate
        np.testing.assert_allclose(gate[["mean x0", "mean x1"]], fit.gate_.means_[k], rtol=1e-10)
        deviations = np.sqrt(np.diag(fit.gate_.covariances_[k]))
        np.testing.assert_allclose(gate[["std x0", "std x1"]], deviations, rtol=1e-10)


@pytest.mark.parametrize("name", [n for n, cls in EXPERTS.items() if cls.target == "real"])
@pytest.mark.parametrize("gate", ["softmax", "gaussian", "constant"])
def test_every_real_expert_has_finite_errors(lines, name, gate):
    X, y = lines
    expert = StudentTExpert(df=5.0) if name == "student_t" else EXPERTS[name]()
    fit = fitted(MoERegressor(2, expert=expert, gate=gate, n_init=2, random_state=0), X, y)
    table = inference(fit, X, y, kind="sandwich").table
    assert np.isfinite(table.std_error).all()
    assert ((table.low < table.estimate) & (table.estimate < table.high)).all()


def test_tables_can_be_looked_into_by_part_and_expert(pair):
    fit, X, y = pair
    result = inference(fit, X, y)
    # pandas warns if an index is not sorted for this.
    assert list(result.table.loc["expert", "expert 2"].index) == [*LINE, "scale"]
    assert len(result.experts) == 8
    assert list(result.gate.index.get_level_values("term")) == LINE
    assert list(result.table.columns) == [
        "estimate", "std_error", "z", "p_value", "low", "high", "note",
    ]  # fmt: skip


# ------------------------------------------------------------------------- bounds and weak spots


def test_interval_of_a_scale_is_that_of_its_logarithm(pair):
    fit, X, y = pair
    row = inference(fit, X, y).table.loc["expert", "expert 1", "scale"]
    factor = np.exp(ndtri(0.975) * row.std_error / row.estimate)
    assert row.low == pytest.approx(row.estimate / factor, rel=1e-12)
    assert row.high == pytest.approx(row.estimate * factor, rel=1e-12)
    assert np.isnan(row.z)
    assert np.isnan(row.p_value)


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
    row = inference(fit, X, y).table.loc["expert", "expert 1", "df"]
    assert row.note == ""
    assert 2.0 < row.low < row.estimate < row.high < 200.0
    assert row.low < 4.0 < row.high


def test_a_scale_at_its_floor_is_held_there(rng):
    X = rng.standard_normal((80, 1))
    y = np.where(np.arange(80) < 20, 3.0 - X[:, 0], rng.standard_normal(80))
    R = np.eye(2)[(np.arange(80) < 20).astype(int)]
    fit = fitted(MoERegressor(2, gate="constant", init=R, n_init=1), X, y)
    result = told("interpolates its rows", fit, X, y)
    row = result.table.loc["expert", "expert 2", "scale"]
    assert np.isnan(row.std_error)
    assert "min_scale" in row.note
    assert np.isfinite(result.table.std_error.drop(("expert", "expert 2", "scale"))).all()


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
    slope = result.table.loc["expert", "expert 1", "x0"]
    scale = result.table.loc["expert", "expert 1", "scale"].estimate
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
    result = told("singular in expert 1 x0, expert 1 x2", estimator.fit(wide, y), wide, y)
    table = result.table
    assert table.std_error.isna().sum() == 4
    assert (table.note[table.std_error.isna()] == "not determined by the data").all()
    kept = table.index[table.std_error.notna()]
    np.testing.assert_allclose(table.std_error[kept], plain.table.std_error[kept], rtol=1e-5)

    def total(t):
        return t["expert", "expert 1", "x0"] + t["expert", "expert 1", "x2"]

    # Their sum is what the data determine.
    slope = plain.table.loc["expert", "expert 1", "x0"]
    assert result.delta(total).std_error[0] == pytest.approx(slope.std_error, rel=1e-5)
    single = result.delta(lambda t: t["expert", "expert 1", "x0"])
    assert np.isnan(single.std_error[0])


def test_an_expert_without_rows_is_named(lines):
    X, y = lines
    R = np.tile([1.0, 1e-6], (len(y), 1))
    fit = fitted(MoERegressor(2, gate="constant", init=R, n_init=1), X, y)
    assert fit.experts_[1].weight_ < 1e-5
    result = told("expert 2 x0.*explains fewer rows than it has", fit, X, y)
    assert result.table.loc["expert", "expert 2"].note[LINE].str.contains("fewer rows").all()
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
    assert result.table.loc["expert", "expert 1", "df"].note == "at its upper bound 20"


def test_a_saddle_is_noticed(rng):
    X, y = two_lines(rng)
    twins = MoERegressor(2, gate="constant", init=np.full((len(y), 2), 0.5), n_init=1)
    told("negative eigenvalue|singular", fitted(twins, X, y), X, y)


# ------------------------------------------------------------------------- functions


def test_delta_of_a_linear_function_follows_the_covariance(pair):
    fit, X, y = pair
    result = inference(fit, X, y)
    a, b = ("expert", "expert 1", "x0"), ("expert", "expert 2", "x0")
    row = result.delta(lambda t: t[a] - t[b]).iloc[0]
    C = result.covariance
    variance = C.loc[a, b] * -2.0 + C.loc[a, a] + C.loc[b, b]
    assert row.estimate == pytest.approx(result.table.estimate[a] - result.table.estimate[b])
    # Numerical derivatives of a linear function are exact to 1e-9.
    assert row.std_error == pytest.approx(np.sqrt(variance), rel=1e-7)


def test_delta_of_the_estimator_equals_the_interval_of_a_regression(line):
    X, y = line
    result = inference(MoERegressor(1).fit(X, y), X, y)
    table = result.delta(lambda moe: moe.predict(X[:5]), of="estimator")
    n = len(y)
    ols = sm.OLS(y, sm.add_constant(X)).fit()
    se = ols.get_prediction(sm.add_constant(X)[:5]).se_mean * np.sqrt((n - 3) / n)
    np.testing.assert_allclose(table.std_error, se, rtol=1e-6)


def test_delta_of_the_estimator_sees_coefficients_too(pair):
    fit, X, y = pair
    before = fit.experts_[0].coef_.copy()
    result = inference(fit, X, y)
    table = result.delta(lambda moe: moe.experts_[0].coef_, of="estimator")
    expected = result.table.loc["expert", "expert 1"].std_error[["x0", "x1"]]
    np.testing.assert_allclose(table.std_error, expected, rtol=1e-6)
    np.testing.assert_array_equal(fit.experts_[0].coef_, before)


def test_delta_takes_a_gradient_and_keeps_labels(pair):
    fit, X, y = pair
    result = inference(fit, X, y)
    scale = ("expert", "expert 1", "scale")

    def log_scale(t):
        return pd.Series({"log scale": np.log(t[scale])})

    def gradient(t):
        return np.where(t.index == scale, 1.0 / t[scale], 0.0)

    by_hand, by_steps = result.delta(log_scale, gradient=gradient), result.delta(log_scale)
    assert list(by_hand.index) == ["log scale"]
    row = result.table.loc[scale]
    assert by_hand.std_error["log scale"] == pytest.approx(row.std_error / row.estimate, rel=1e-10)
    np.testing.assert_allclose(by_hand.to_numpy(), by_steps.to_numpy(), rtol=1e-6)


def test_delta_refuses_what_it_cannot_use(pair):
    fit, X, y = pair
    result = inference(fit, X, y)
    with pytest.raises(ValueError, match="of='gate'"):
        result.delta(len, of="gate")
    with pytest.raises(ValueError, match="gradient has no meaning with of='estimator'"):
        result.delta(len, of="estimator", gradient=len)
    with pytest.raises(ValueError, match="1 values of 11 parameters need"):
        result.delta(lambda t: t.iloc[0], gradient=lambda t: np.ones(3))


# ------------------------------------------------------------------------- bootstrap


def test_bootstrap_of_rows_agrees_with_hc0(line):
    X, y = line
    result = inference(
        MoERegressor(1).fit(X, y), X, y, kind="bootstrap", n_bootstrap=200, random_state=0
    )
    robust = sm.OLS(y, sm.add_constant(X)).fit(cov_type="HC0")
    # 200 draws know a standard deviation to 5 %; four of those.
    np.testing.assert_allclose(errors(result, rows=slice(3)), robust.bse, rtol=0.2)


def test_bootstrap_of_clusters_agrees_with_the_clustered_sandwich(rng):
    groups = np.repeat(np.arange(60), 5)
    X = np.repeat(rng.standard_normal((60, 1)), 5, axis=0)
    y = X[:, 0] + np.repeat(rng.standard_normal(60), 5) + 0.3 * rng.standard_normal(300)
    fit = MoERegressor(1).fit(X, y)
    wald = inference(fit, X, y, kind="sandwich", clusters=groups)
    draws = inference(fit, X, y, kind="bootstrap", clusters=groups, n_bootstrap=150, random_state=0)
    plain = inference(fit, X, y)
    np.testing.assert_allclose(errors(draws, rows=slice(2)), errors(wald, rows=slice(2)), rtol=0.2)
    assert (errors(draws, rows=slice(2)) > 1.5 * errors(plain, rows=slice(2))).all()


def test_parametric_bootstrap_agrees_with_the_observed_information(pair):
    fit, X, y = pair
    wald = inference(fit, X, y)
    result = inference(fit, X, y, kind="parametric_bootstrap", n_bootstrap=120, random_state=0)
    # 120 draws know a standard deviation to 6 %; the rest is the small sample.
    np.testing.assert_allclose(errors(result), errors(wald), rtol=0.3)
    assert result.draws.shape == (120, 11)
    np.testing.assert_allclose(result.table.low, result.draws.quantile(0.025))
    np.testing.assert_allclose(result.table.std_error, result.draws.std())
    np.testing.assert_allclose(result.covariance, result.draws.cov())


def test_parametric_bootstrap_draws_the_features_of_a_gaussian_gate(line):
    X, y = line
    fit = MoERegressor(1, gate="gaussian").fit(X, y)
    wald = inference(fit, X, y)
    result = inference(fit, X, y, kind="parametric_bootstrap", n_bootstrap=150, random_state=0)
    np.testing.assert_allclose(errors(result), errors(wald), rtol=0.2)


@pytest.mark.parametrize("kind", ["bootstrap", "parametric_bootstrap"])
def test_bootstrap_does_not_depend_on_the_number_of_processes(pair, kind):
    fit, X, y = pair
    options = {"kind": kind, "n_bootstrap": 5, "random_state": 3}
    one = inference(fit, X, y, **options).draws
    with joblib.parallel_config(backend="threading"):
        two = inference(fit, X, y, n_jobs=2, **options).draws
    pd.testing.assert_frame_equal(one, two)


def test_bootstrap_reads_weights_as_counts(line):
    X, y = line
    fit = MoERegressor(1).fit(X, y, sample_weight=np.full(len(y), 4.0))
    options = {"kind": "bootstrap", "n_bootstrap": 120, "random_state": 0}
    heavy = inference(fit, X, y, sample_weight=np.full(len(y), 4.0), **options)
    light = inference(MoERegressor(1).fit(X, y), X, y, **options)
    ratio = errors(light, rows=slice(3)) / errors(heavy, rows=slice(3))
    # Four times the rows halve the errors; both are known to 6 %.
    np.testing.assert_allclose(ratio, 2.0, rtol=0.3)


def test_parametric_bootstrap_of_classes_and_weights(line):
    X, y = line
    label = classes_of(y)
    w = np.full(len(y), 2.0)
    expert = MultinomialExpert(alpha=0.01)
    fit = MoEClassifier(1, expert=expert).fit(X, label, sample_weight=w)
    wald = inference(fit, X, label, sample_weight=w)
    result = inference(
        fit, X, label, kind="parametric_bootstrap", sample_weight=w, n_bootstrap=80, random_state=0
    )
    # Estimates shrunk by the penalty spread less than its posterior: by up to its share.
    assert (errors(result) < 1.2 * errors(wald)).all()
    assert (errors(result) > 0.5 * errors(wald)).all()


def test_delta_after_a_bootstrap_takes_the_draws(pair):
    fit, X, y = pair
    result = inference(fit, X, y, kind="bootstrap", n_bootstrap=20, random_state=0)
    a = ("expert", "expert 1", "x0")
    row = result.delta(lambda t: t[a] ** 2).iloc[0]
    assert row.std_error == pytest.approx((result.draws[a] ** 2).std())
    assert row.low == pytest.approx((result.draws[a] ** 2).quantile(0.025))
    predicted = result.delta(lambda moe: moe.predict(X[:2]), of="estimator")
    assert (predicted.std_error > 0.0).all()
    with pytest.raises(ValueError, match="gradient has no meaning with kind='bootstrap'"):
        result.delta(lambda t: t[a], gradient=len)


def test_refits_that_fail_are_counted(rng):
    X = rng.standard_normal((12, 1))
    y = X[:, 0] + np.where(np.arange(12) < 6, 4.0, 0.0) + 0.1 * rng.standard_normal(12)
    R = np.eye(2)[(np.arange(12) < 6).astype(int)]
    fit = fitted(MoERegressor(2, gate="constant", init=R, n_init=1), X, y)
    result = told(
        "of 30 refits did not converge or let an expert", fit, X, y,
        kind="bootstrap", n_bootstrap=30, random_state=0,
    )  # fmt: skip
    assert 2 <= len(result.draws) < 28


def test_parametric_bootstrap_needs_whole_weights(line):
    X, y = line
    w = np.full(len(y), 1.5)
    fit = MoERegressor(1).fit(X, y, sample_weight=w)
    with pytest.raises(ValueError, match="sample_weight has fractions"):
        inference(fit, X, y, kind="parametric_bootstrap", sample_weight=w)


def test_parametric_bootstrap_needs_features_that_can_be_drawn(line):
    X, y = line
    gate = GaussianGate(features=FunctionTransformer(np.exp))
    fit = MoERegressor(1, gate=gate).fit(X[:, :1], y)
    with pytest.raises(ValueError, match="cannot be turned back into rows of X"):
        inference(fit, X[:, :1], y, kind="parametric_bootstrap", n_bootstrap=2)


def test_bootstrap_needs_weights_that_count_rows(line):
    X, y = line
    w = np.full(len(y), 1e-3)
    fit = MoERegressor(1).fit(X, y, sample_weight=w)
    with pytest.raises(ValueError, match=r"adds up to 0\.2 rows"):
        inference(fit, X, y, kind="bootstrap", sample_weight=w)


# ------------------------------------------------------------------------- labels


def test_experts_are_matched_by_their_responsibilities(rng):
    R = rng.dirichlet(np.full(4, 0.3), 100).T
    order = np.array([2, 0, 3, 1])
    noisy = R[order] * rng.uniform(0.8, 1.2, R.shape)
    noisy /= noisy.sum(axis=0)
    found = match_experts(R, noisy, np.ones(100))
    np.testing.assert_array_equal(order[found], np.arange(4))


def test_matching_heeds_the_weights():
    R = np.array([[0.9, 0.1, 0.1], [0.1, 0.9, 0.9]])
    other = np.array([[0.9, 0.9, 0.9], [0.1, 0.1, 0.1]])
    np.testing.assert_array_equal(match_experts(R, other, np.array([9.0, 1.0, 1.0])), [0, 1])
    np.testing.assert_array_equal(match_experts(R, other, np.array([1.0, 9.0, 9.0])), [1, 0])


def test_draws_keep_their_labels_where_masses_are_equal(rng):
    X = rng.standard_normal((200, 1))
    side = np.arange(200) % 2
    y = np.where(side, 3.0, -3.0) * X[:, 0] + 0.5 * rng.standard_normal(200)
    fit = MoERegressor(2, gate="constant", n_init=2, random_state=0).fit(X, y)
    draws = inference(fit, X, y, kind="bootstrap", n_bootstrap=30, random_state=0).draws
    slopes = draws.xs("x0", axis=1, level="term")
    assert (np.sign(slopes) == np.sign(slopes.iloc[0])).all().all()


def test_experts_are_ordered_by_mass_or_by_a_term(rng):
    X, y = two_lines(rng)
    experts = MoERegressor(2, expert="student_t", n_init=2, random_state=0)
    experts = fitted(experts, X, y).experts_
    assert order_of(experts).tolist() == np.argsort([-e.weight_ for e in experts]).tolist()
    for term, values in {
        "x1": [e.coef_[1] for e in experts],
        "intercept": [e.intercept_ for e in experts],
        "scale": [e.scale_ for e in experts],
        "df": [e.df_ for e in experts],
    }.items():
        assert order_of(experts, term).tolist() == np.argsort(values, kind="stable").tolist()


def test_order_by_a_term_of_several_outputs_takes_its_number(lines):
    X, y = lines
    Y = np.column_stack([y, np.sin(5.0 * y) - 2.0 * y])
    fit = MoERegressor(2, n_init=2, random_state=0).fit(X, Y)
    first, second = order_of(fit.experts_, "x0"), order_of(fit.experts_, (1, "x0"))
    assert first.tolist() == order_of(fit.experts_, (0, "x0")).tolist() == second[::-1].tolist()
    with pytest.raises(ValueError, match="output number from 0 to 1"):
        order_of(fit.experts_, (2, "x0"))


def test_order_is_refused_by_a_term_that_experts_do_not_have(pair):
    fit, _, _ = pair
    with pytest.raises(ValueError, match="order_by='x7' is not a term of 'expert 1'"):
        order_of(fit.experts_, "x7")


@pytest.mark.parametrize("order_by", ["mass", "intercept", "x1", "scale", "df", (0, "x0")])
def test_order_that_can_be_followed_is_accepted(line, order_by):
    X, y = line
    fit = MoERegressor(1, expert=StudentTExpert(df=5.0)).fit(X, y)
    check_order_by(order_by, fit._fitted.model, fit._fitted.maps, 1)
    assert order_of(fit.experts_, order_by).tolist() == [0]


@pytest.mark.parametrize("order_by", ["weight", "df", (1, "x0"), ("x0",), None, 3])
def test_order_that_cannot_be_followed_is_refused_before_the_fit(line, order_by):
    X, y = line
    fit = MoERegressor(1).fit(X, y)
    with pytest.raises(ValueError, match="must be 'mass' or one of"):
        check_order_by(order_by, fit._fitted.model, fit._fitted.maps, 1)


def test_order_by_a_term_has_no_meaning_for_estimators(line):
    moe = MoERegressor(2, expert=LinearRegression(), order_by="intercept")
    with pytest.raises(ValueError, match="order_by='intercept' has no meaning for 'estimator'"):
        moe.fit(*line)


def test_order_has_no_meaning_where_it_is_given(lines):
    X, y = lines
    named = [("a", GaussianExpert()), ("b", GaussianExpert())]
    fit = MoERegressor(2, expert=named, n_init=1).fit(X, y)
    with pytest.raises(ValueError, match="list of unlike experts or by a tree"):
        check_order_by("x0", fit._fitted.model, fit._fitted.maps, 1)


# ------------------------------------------------------------------------- arguments


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "wald"}, "kind='wald' is not known"),
        ({"level": 1.0}, "level=1.0 must lie strictly"),
        ({"level": "high"}, "level='high' must lie strictly"),
        ({"n_bootstrap": 10}, "n_bootstrap=10 has no meaning with kind='observed'"),
        ({"n_jobs": 2}, "n_jobs=2 has no meaning"),
        ({"random_state": 0}, "random_state=0 has no meaning"),
        ({"clusters": [0] * 200}, "clusters has no meaning with kind='observed'"),
        ({"clusters": [0] * 200, "kind": "sandwich"}, "clusters has a single label"),
        ({"clusters": [0, 1], "kind": "sandwich"}, "clusters has shape"),
        ({"n_bootstrap": 1, "kind": "bootstrap"}, "n_bootstrap=1 must be an integer >= 2"),
        ({"n_bootstrap": True, "kind": "bootstrap"}, "n_bootstrap=True must be"),
        ({"sample_weight": [1.0, 2.0]}, "sample_weight has shape"),
        ({"sample_weight": np.full(200, -1.0)}, "sample_weight must be finite"),
        ({"sample_weight": np.zeros(200)}, "sample_weight must be finite"),
    ],
)
def test_argument_without_meaning_is_refused(line, options, message):
    X, y = line
    fit = MoERegressor(1).fit(X, y)
    with pytest.raises(ValueError, match=message):
        inference(fit, X, y, **options)


def test_estimator_without_parameters_is_refused(line):
    X, y = line
    with pytest.raises(TypeError, match="such as MoERegressor"):
        inference(LinearRegression().fit(X, y), X, y)
    with pytest.raises(NotFittedError):
        inference(MoERegressor(), X, y)


def test_experts_without_parameters_are_refused(line):
    from moe_classic.experts import EstimatorExpert

    X, y = line
    fit = fitted(MoERegressor(1, expert=EstimatorExpert(LinearRegression())), X, y)
    with pytest.raises(ValueError, match="'estimator' experts have none"):
        inference(fit, X, y)


def test_result_prints_and_pickles(pair):
    fit, X, y = pair
    result = inference(fit, X, y)
    assert "kind='observed'" in repr(result)
    assert "std_error" in repr(result)
    again = pickle.loads(pickle.dumps(result))
    pd.testing.assert_frame_equal(again.table, result.table)
    a = ("expert", "expert 1", "x0")
    assert again.delta(lambda t: t[a]).std_error[0] == pytest.approx(result.table.std_error[a])
