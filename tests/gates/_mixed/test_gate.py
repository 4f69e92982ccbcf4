"""The mixed gate: products of exponential families, and their posterior."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

from moe_classic import MoERegressor
from moe_classic.gates import MixedGate, TreeGate

FAMILIES = {4: "categorical", 5: "exponential"}


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
