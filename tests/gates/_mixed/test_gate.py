"""The mixed gate: products of exponential families, and their posterior."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import get_tags

from moe_classic import HierarchicalMoERegressor, MoERegressor
from moe_classic.experts import Design, GaussianExpert, Summary
from moe_classic.gates import MixedGate, SoftmaxGate, TreeGate
from moe_classic.metrics import get_scorer

FAMILIES = {1: "poisson", 4: "categorical", 5: "exponential"}


@pytest.fixture(scope="module")
def table():
    """Six unlike columns whose distributions differ between two groups."""
    rng = np.random.default_rng(0)
    z = rng.random(300) < 0.5
    X = np.column_stack(
        [
            rng.normal(size=300),
            rng.poisson(np.where(z, 2.0, 9.0)),
            rng.gamma(np.where(z, 2.0, 8.0)),
            rng.random(300) < np.where(z, 0.0, 0.4),
            rng.integers(0, 3, 300) + 2 * z,
            rng.exponential(np.where(z, 1.0, 4.0)),
        ]
    )
    y = np.where(z, X[:, 0], 4.0 - X[:, 0]) + 0.3 * rng.normal(size=300)
    return X, y


@pytest.fixture(scope="module")
def fitted(table):
    return MoERegressor(2, gate=MixedGate(families=FAMILIES), random_state=0).fit(*table)


def test_families_follow_the_values(fitted):
    expected = ["gaussian", "poisson", "gamma", "bernoulli", "categorical", "exponential"]
    assert list(fitted.gate_.families_.values()) == expected


def test_gate_is_bayes_rule_over_scipy_densities(table, fitted):
    X, _ = table
    d, joint = fitted.gate_.densities_, np.log(fitted.gate_.weights_) * np.ones((300, 1))
    codes = X[:, 4].astype(int)
    for k in range(2):
        joint[:, k] += stats.norm.logpdf(X[:, 0], d["x0"]["mean"][k], d["x0"]["std"][k])
        joint[:, k] += stats.poisson.logpmf(X[:, 1], d["x1"]["mean"][k])
        shape = d["x2"]["shape"][k]
        joint[:, k] += stats.gamma.logpdf(X[:, 2], shape, scale=d["x2"]["mean"][k] / shape)
        joint[:, k] += stats.bernoulli.logpmf(X[:, 3], d["x3"]["probability"][k])
        joint[:, k] += np.log(d["x4"]["probability"][k][codes])
        joint[:, k] += stats.expon.logpdf(X[:, 5], scale=d["x5"]["mean"][k])
    total = logsumexp(joint, axis=1)
    np.testing.assert_allclose(fitted.gate_proba(X), np.exp(joint - total[:, None]), atol=1e-10)
    np.testing.assert_allclose(fitted.score_samples(X), total, rtol=1e-9)


def test_trace_never_falls_and_no_probability_is_zero(fitted):
    assert (np.diff(fitted.trace_) >= -1e-9).all()
    density = fitted.gate_.densities_
    assert (density["x4"]["probability"] > 0.0).all()
    assert (density["x3"]["probability"] > 0.0).all()


def test_log_odds_are_linear_in_the_sufficient_statistics(table, fitted):
    X, _ = table
    proba = fitted.gate_proba(X)
    odds = np.log(proba[:, 0] / proba[:, 1])
    t = [X[:, 0], X[:, 0] ** 2, X[:, 1], X[:, 2], np.log(X[:, 2]), X[:, 3], X[:, 5]]
    A = np.column_stack([*t, *(X[:, 4] == level for level in range(5))])
    residual = odds - A @ np.linalg.lstsq(A, odds, rcond=None)[0]
    assert np.abs(residual).max() < 1e-7


def test_an_unseen_category_says_nothing(table, fitted):
    X, _ = table
    other = X.copy()
    other[:, 4] = 9.0
    proba, known = fitted.gate_proba(other), fitted.gate_proba(X)
    p = fitted.gate_.densities_["x4"]["probability"][:, X[:, 4].astype(int)].T
    np.testing.assert_allclose(proba, known / p / (known / p).sum(axis=1, keepdims=True), atol=1e-9)


@pytest.mark.parametrize(
    ("families", "error", "words"),
    [
        ("normal", TypeError, "must be 'auto' or a dict"),
        ({0: "normal"}, ValueError, "choose one of"),
        ({9: "gamma"}, ValueError, "no feature of the gate"),
        ({0: "poisson"}, ValueError, "whole numbers >= 0"),
        ({0: "gaussian", "x0": "gaussian"}, ValueError, "twice"),
    ],
)
def test_families_that_do_not_suit_are_refused(table, families, error, words):
    with pytest.raises(error, match=words):
        MoERegressor(2, gate=MixedGate(families=families)).fit(*table)


def test_trees_refuse_it():
    for node in ("mixed", MixedGate()):
        with pytest.raises(ValueError, match="generative gate"):
            _ = TreeGate((2, 2), node=node).node_gate


def test_units_of_weights_do_not_matter(table, fitted):
    X, y = table
    model = MoERegressor(2, gate=MixedGate(families=FAMILIES), random_state=0)
    heavy = model.fit(X, y, sample_weight=np.full(300, 8.0))
    np.testing.assert_allclose(heavy.predict(X), fitted.predict(X), rtol=1e-6, atol=1e-6)


# ------------------------------------------------------------------------- against a softmax gate


def sufficient(X):
    """Sufficient statistics of the columns of the table, without those of the last category."""
    t = [X[:, 0], X[:, 0] ** 2, X[:, 1], X[:, 2], np.log(X[:, 2]), X[:, 3], X[:, 5]]
    return np.column_stack([*t, *(X[:, 4] == level for level in range(4))])


def test_gate_is_a_softmax_gate_of_the_sufficient_statistics(table, fitted):
    X, _ = table
    T = sufficient(X)
    centre, spread = T.mean(axis=0), T.std(axis=0)
    design = Design(np.vstack([((T - centre) / spread).T, np.ones(300)]))
    S, gate = fitted.gate_proba(X).T, SoftmaxGate(alpha=0.0)
    summary = Summary(300.0, np.zeros(1), np.ones(1))
    params = gate.start(2, 12, summary)
    for _ in range(200):
        fwd = gate.forward(params, design)
        grams = design.grams(gate.curvature(params, fwd, S))
        params = gate.update(params, gate.statistics(params, fwd, design, S, grams), summary)
    np.testing.assert_allclose(np.exp(gate.log_gate(params, design)), S, atol=1e-7)
    # Its slopes are differences of the natural parameters.
    slopes, d = params.coef[0, :-1] / spread, fitted.gate_.densities_
    m, s = d["x0"]["mean"], d["x0"]["std"]
    rate, (a, b) = d["x1"]["mean"], (d["x2"]["shape"], d["x2"]["mean"])
    odds = np.log(d["x3"]["probability"] / (1.0 - d["x3"]["probability"]))
    natural = [m / s**2, -0.5 / s**2, np.log(rate), -a / b, a, odds, -1.0 / d["x5"]["mean"]]
    np.testing.assert_allclose(slopes[:7], [v[0] - v[1] for v in natural], rtol=1e-3, atol=1e-3)


def test_a_softmax_gate_fitted_on_the_statistics_is_near():
    # Both are consistent where columns are independent within an expert; the softmax gate does
    # without the densities of x.
    rng = np.random.default_rng(5)
    z = rng.random(4000) < 0.5
    X = np.column_stack([rng.normal(np.where(z, 0.0, 1.0)), rng.poisson(np.where(z, 2.0, 4.0))])
    y = np.where(z, 6.0, -6.0) + X[:, 0] + rng.normal(size=4000)
    mixed = MoERegressor(2, gate="mixed", n_init=2, random_state=0).fit(X, y)
    squares = FunctionTransformer(lambda A: np.column_stack([A, A[:, 0] ** 2]))
    softmax = MoERegressor(2, gate=SoftmaxGate(features=squares), n_init=2, random_state=0)
    a, b = mixed.gate_proba(X), softmax.fit(X, y).gate_proba(X)
    assert np.abs(a - b).mean() < 0.02


# ------------------------------------------------------------------------- atoms


@pytest.mark.parametrize("family", ["gaussian", "gamma"])
def test_it_does_not_spike_on_atoms(family):
    # Half of a column is one value: a density that shrank on it would be infinitely likely.
    rng = np.random.default_rng(1)
    z = rng.random(600) < 0.5
    x = np.where(rng.random(600) < 0.5, 3.0, rng.gamma(4.0, 1.0, 600))
    other = rng.normal(np.where(z, 2.0, -2.0))
    y = np.where(z, 5.0 + other, -other) + 0.3 * rng.normal(size=600)
    gate = MixedGate(families={0: family})
    moe = MoERegressor(2, gate=gate, random_state=0).fit(np.column_stack([x, other]), y)
    assert moe.start_report_["degenerate_experts"].iloc[0] == 0
    found = moe.responsibilities(np.column_stack([x, other]), y)[:, 0] > 0.5
    assert max((found == z).mean(), (found != z).mean()) > 0.97
    if family == "gaussian":
        assert (moe.gate_.densities_["x0"]["std"] > 0.5).all()
    else:
        assert (moe.gate_.densities_["x0"]["shape"] < 20.0).all()


# ------------------------------------------------------------------------- missing values


@pytest.fixture(scope="module")
def gaps(table):
    """The table with a fifth of the values of all columns but the first missing."""
    X, y = table
    rng = np.random.default_rng(2)
    missing = rng.random(X.shape) < 0.2
    missing[:, 0] = False
    return np.where(missing, np.nan, X), y


@pytest.fixture(scope="module")
def incomplete(gaps):
    gate = MixedGate(families=FAMILIES)
    return MoERegressor(2, expert=GaussianExpert(features=[0]), gate=gate, random_state=0).fit(
        *gaps
    )


def test_missing_values_are_left_out_of_the_product(gaps, incomplete):
    X, _ = gaps
    d, joint = incomplete.gate_.densities_, np.log(incomplete.gate_.weights_) * np.ones((300, 1))
    codes = np.nan_to_num(X[:, 4]).astype(int)
    for k in range(2):
        shape = d["x2"]["shape"][k]
        logs = [
            stats.norm.logpdf(X[:, 0], d["x0"]["mean"][k], d["x0"]["std"][k]),
            stats.poisson.logpmf(X[:, 1], d["x1"]["mean"][k]),
            stats.gamma.logpdf(X[:, 2], shape, scale=d["x2"]["mean"][k] / shape),
            stats.bernoulli.logpmf(X[:, 3], d["x3"]["probability"][k]),
            np.log(d["x4"]["probability"][k][codes]),
            stats.expon.logpdf(X[:, 5], scale=d["x5"]["mean"][k]),
        ]
        joint[:, k] += np.where(np.isnan(X), 0.0, np.column_stack(logs)).sum(axis=1)
    total = logsumexp(joint, axis=1)
    np.testing.assert_allclose(incomplete.gate_proba(X), np.exp(joint - total[:, None]), atol=1e-9)
    np.testing.assert_allclose(incomplete.score_samples(X), total, rtol=1e-9)


def test_climbs_and_information_of_missing_values(gaps, incomplete):
    X, y = gaps
    assert (np.diff(incomplete.trace_) >= -1e-9).all()
    total = (incomplete.score_samples(X, y) + incomplete.score_samples(X)).sum()
    penalty = total - incomplete.trace_[-1]
    assert abs(penalty) < 5.0  # what the prior counts of each expert cost
    found = incomplete.inference(X, y)
    assert np.isfinite(found.experts["std_error"]).all()
    # A row of which the gate knows nothing has the shares.
    blank = np.array([[0.3, *[np.nan] * 5]])
    assert np.isfinite(incomplete.predict(blank)).all()


def test_missing_values_need_experts_that_take_them(gaps):
    X, y = gaps
    with pytest.raises(ValueError, match="GaussianExpert sees and cannot take"):
        MoERegressor(2, gate="mixed").fit(X, y)
    trees = HistGradientBoostingRegressor(max_iter=5, min_samples_leaf=5)
    moe = MoERegressor(2, expert=trees, gate="mixed", n_init=1, max_iter=10, random_state=0)
    assert get_tags(moe).input_tags.allow_nan
    assert not get_tags(MoERegressor(gate="mixed")).input_tags.allow_nan
    assert np.isfinite(moe.fit(X, y).predict(X)).all()


# ------------------------------------------------------------------------- where it goes


def test_grids_try_it_beside_other_gates(table):
    X, y = table
    gates = ["softmax", "mixed", MixedGate(families=FAMILIES)]
    grid = GridSearchCV(
        MoERegressor(2, n_init=1, random_state=0),
        {"gate": gates},
        scoring=get_scorer("log_score"),
        cv=KFold(2, shuffle=True, random_state=0),
    ).fit(X, y)
    assert np.isfinite(grid.cv_results_["mean_test_score"]).all()
    nested = GridSearchCV(
        MoERegressor(2, gate="mixed", n_init=1, random_state=0), {"gate__prior": [1e-3, 0.1]}, cv=2
    ).fit(X, y)
    assert nested.best_estimator_.gate.prior in (1e-3, 0.1)


def test_trees_of_experts_refuse_it(table):
    with pytest.raises(ValueError, match="generative gate"):
        HierarchicalMoERegressor((2, 2), node="mixed").fit(*table)
    with pytest.raises((TypeError, ValueError), match="generative gate"):
        HierarchicalMoERegressor("grow", node=MixedGate()).fit(*table)
