"""On-line learning: exact where nothing is latent, close to batch EM where experts are."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from moe_classic import MoEClassifier, MoERegressor
from moe_classic.experts import GaussianExpert


def batches(*arrays, size):
    for start in range(0, len(arrays[0]), size):
        yield tuple(a[start : start + size] for a in arrays)


@pytest.fixture
def regimes(rng):
    X = rng.normal(size=(3000, 2))
    first = X[:, 0] + 0.4 * rng.normal(size=3000) > 0.0
    y = np.where(first, 1.0 + 2.0 * X[:, 1], -1.0 - X[:, 1]) + 0.5 * rng.normal(size=3000)
    return X, y


def test_one_expert_learns_least_squares_exactly(regimes, rng):
    X, y = regimes
    w = rng.uniform(0.5, 2.0, size=len(y))
    moe = MoERegressor(1)
    for X_batch, y_batch, w_batch in batches(X, y, w, size=100):
        moe.partial_fit(X_batch, y_batch, sample_weight=w_batch)
    ols = LinearRegression().fit(X, y, sample_weight=w)
    # Recursive least squares is exact: only rounding remains.
    np.testing.assert_allclose(moe.experts_[0].coef_, ols.coef_, rtol=1e-10)
    np.testing.assert_allclose(moe.experts_[0].intercept_, ols.intercept_, rtol=1e-10)
    rms = np.sqrt(np.average((y - ols.predict(X)) ** 2, weights=w))
    assert moe.experts_[0].scale_ == pytest.approx(rms, rel=1e-10)


def test_one_expert_with_several_outputs_learns_the_residual_covariance_exactly(rng):
    X = rng.normal(size=(400, 2))
    Y = X @ rng.normal(size=(2, 3)) + rng.normal(size=(400, 3)) @ rng.normal(size=(3, 3))
    moe = MoERegressor(1)
    for X_batch, Y_batch in batches(X, Y, size=50):
        moe.partial_fit(X_batch, Y_batch)
    residual = Y - LinearRegression().fit(X, Y).predict(X)
    # Exact up to rounding.
    np.testing.assert_allclose(
        moe.experts_[0].covariance_, residual.T @ residual / 400, rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize(
    ("expert", "gate"),
    [
        ("gaussian", "softmax"),
        ("student_t", "softmax"),
        ("laplace", "softmax"),
        ("gaussian", "gaussian"),
        (GaussianExpert(features=[1]), "softmax"),
    ],
)
def test_twenty_passes_end_near_batch_em(regimes, expert, gate):
    X, y = regimes
    options = {"expert": expert, "gate": gate, "n_init": 3, "random_state": 0}
    batch = MoERegressor(2, **options).fit(X, y)
    online = MoERegressor(2, **options)
    for _ in range(20):
        for X_batch, y_batch in batches(X, y, size=150):
            online.partial_fit(X_batch, y_batch)
    # The project's promise: within half a per cent.
    gap = batch.log_likelihood(X, y) - online.log_likelihood(X, y)
    assert gap <= 0.005 * abs(batch.log_likelihood(X, y))


def test_classes_are_learned_from_batches_that_miss_some(regimes):
    X, y = regimes
    labels = np.array(["low", "middle", "top"])[(y > -0.5).astype(int) + (y > 1.0)]
    first = np.flatnonzero(labels != "top")[:300]  # the first batch has no "top"
    order = np.concatenate([first, np.setdiff1d(np.arange(len(X)), first)])
    X, labels = X[order], labels[order]
    batch = MoEClassifier(2, n_init=2, random_state=0).fit(X, labels)
    moe = MoEClassifier(2, n_init=2, random_state=0)
    for _ in range(10):
        for X_batch, y_batch in batches(X, labels, size=300):
            moe.partial_fit(X_batch, y_batch, classes=["low", "middle", "top"])
    assert list(moe.classes_) == ["low", "middle", "top"]
    proba = moe.predict_proba(X)
    assert np.isfinite(proba).all()
    # About two standard errors of an accuracy of 3/4 on 3000 rows.
    assert moe.score(X, labels) > batch.score(X, labels) - 0.016


def test_partial_fit_goes_on_from_fit(regimes):
    X, y = regimes
    moe = MoERegressor(1).fit(X[:2000], y[:2000]).partial_fit(X[2000:], y[2000:])
    ols = LinearRegression().fit(X, y)
    # Nothing is latent with one expert: the same as all rows at once, up to rounding.
    np.testing.assert_allclose(moe.experts_[0].coef_, ols.coef_, rtol=1e-10)


def test_constant_gate_and_experts_share_what_they_saw(regimes):
    X, y = regimes
    moe = MoERegressor(2, gate="constant", n_init=2, random_state=0)
    for X_batch, y_batch in batches(X, y, size=500):
        moe.partial_fit(X_batch, y_batch)
    assert moe.gate_.weights_.sum() == pytest.approx(1.0)
    assert moe.n_iter_ > 1


def test_partial_fit_refuses_a_new_class(regimes):
    X, y = regimes
    labels = (y > 0).astype(int)
    moe = MoEClassifier(2, n_init=1, random_state=0)
    moe.partial_fit(X[:500], labels[:500], classes=[0, 1])
    with pytest.raises(ValueError, match="class 7"):
        moe.partial_fit(X[:10], np.full(10, 7))
    with pytest.raises(ValueError, match="differs from the classes"):
        moe.partial_fit(X[:10], labels[:10], classes=[0, 1, 2])


def test_partial_fit_asks_for_classes_first(regimes):
    X, y = regimes
    with pytest.raises(ValueError, match="classes must be given"):
        MoEClassifier(2).partial_fit(X, y > 0)


def test_partial_fit_refuses_other_columns_and_empty_batches(regimes):
    X, y = regimes
    moe = MoERegressor(2, n_init=1, random_state=0).partial_fit(X[:500], y[:500])
    with pytest.raises(ValueError, match="3 features"):
        moe.partial_fit(np.column_stack([X, y]), y)
    with pytest.raises(ValueError, match="0 sample"):
        moe.partial_fit(X[:0], y[:0])
