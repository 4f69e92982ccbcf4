"""Mixtures of multinomial logits with a posterior."""

import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from moe_classic import BayesianMoEClassifier, MoEClassifier


def crossed(seed=0, n=400):
    """Two classes whose slope along one feature changes its sign along the other."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    right = X[:, 0] + 0.2 * rng.logistic(size=n) > 0.0
    z = np.where(right, 3.0, -3.0) * X[:, 1]
    return X, np.where(rng.random(n) < 1.0 / (1.0 + np.exp(-z)), "yes", "no")


@pytest.fixture(scope="module")
def cross():
    X, y = crossed()
    return BayesianMoEClassifier(5, n_init=5, random_state=0).fit(X, y), X, y


def test_two_experts_are_found_and_score_no_worse_than_maximum_likelihood(cross):
    moe, X, y = cross
    assert moe.n_experts_ == 2
    assert (np.diff(moe.trace_) >= -1e-9 * np.abs(moe.trace_[1:])).all()
    new, truth = crossed(seed=1, n=4000)
    ml = MoEClassifier(2, random_state=0).fit(X, y)
    assert moe.log_likelihood(new, truth) > ml.log_likelihood(new, truth)


def test_linear_classes_have_one_expert_which_averages_over_its_posterior():
    X, y = load_iris(return_X_y=True)
    moe = BayesianMoEClassifier(3, n_init=2, random_state=0).fit(X, y)
    assert moe.n_experts_ == 1
    draws = moe.sample_posterior(4000, random_state=0)
    names = [f"x{j}" for j in range(4)]
    eta = np.zeros((4000, 3, len(X)))
    for c in range(2):
        own = draws[f"expert: {c}", "expert 1"]
        slopes = own["slope"][names].to_numpy()
        eta[:, c] = slopes @ X.T + own["intercept"].to_numpy()
    averaged = np.exp(log_softmax(eta, axis=1)).mean(axis=0).T
    np.testing.assert_allclose(moe.predict_proba(X), averaged, atol=0.02)


def test_many_rows_leave_the_maximum_likelihood_fit():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(6000, 2))
    y = (X @ rng.normal(size=(2, 3)) + rng.gumbel(size=(6000, 3))).argmax(axis=1)
    moe = BayesianMoEClassifier(1).fit(X, y)
    ml = LogisticRegression(C=np.inf, tol=1e-8).fit(X, y)
    np.testing.assert_allclose(
        moe.experts_[0].coef_, ml.coef_[:-1] - ml.coef_[-1], atol=0.01, rtol=0.01
    )
    errors = MoEClassifier(1).fit(X, y).inference(X, y).table.std_error
    table = moe.summary()
    np.testing.assert_allclose(table.sd, errors.loc[table.index], rtol=0.06)


def test_weight_of_two_is_a_repeated_row():
    X, y = crossed(n=80)
    w = np.where(np.arange(80) < 25, 2.0, 1.0)
    a = BayesianMoEClassifier(2, n_init=2, random_state=0).fit(X, y, sample_weight=w)
    b = BayesianMoEClassifier(2, n_init=2, random_state=0).fit(
        np.vstack([X, X[:25]]), np.append(y, y[:25])
    )
    np.testing.assert_allclose(a.predict_proba(X), b.predict_proba(X), rtol=1e-7)
    assert a.lower_bound_ == pytest.approx(b.lower_bound_, rel=1e-9)


def test_answers_agree_with_each_other(cross):
    moe, X, y = cross
    proba, gate, own = moe.predict_proba(X), moe.gate_proba(X), moe.expert_predictions(X)
    np.testing.assert_allclose(np.einsum("nk,nkc->nc", gate, own), proba)
    codes = (y == "yes").astype(int)
    np.testing.assert_allclose(moe.score_samples(X, y), np.log(proba[np.arange(400), codes]))
    assert set(moe.predict(X)) == {"no", "yes"}
    assert (moe.predict(X, top_k=1) == moe.predict(X)).mean() > 0.8
    share = (moe.sample(X[:5], 4000, random_state=0) == "yes").mean(axis=1)
    np.testing.assert_allclose(share, proba[:5, 1], atol=0.03)
    assert list(moe.explain(X[:2]).index.names) == ["row", "expert", "class"]
    table, draws = moe.summary(), moe.sample_posterior(8000, random_state=0)
    np.testing.assert_allclose(draws.std(), table.sd, rtol=0.05)


def test_single_class_is_refused():
    with pytest.raises(ValueError, match="class"):
        BayesianMoEClassifier().fit(np.arange(6.0)[:, None], np.zeros(6))
