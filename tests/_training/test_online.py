"""On-line learning: exact where nothing is latent, close to batch EM where experts are."""

import pickle

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from moe_classic import HierarchicalMoERegressor, MoEClassifier, MoERegressor
from moe_classic.datasets import make_moe
from moe_classic.experts import GaussianExpert
from moe_classic.solvers import EM, LBFGS


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


CLASSES = {"logistic": 2, "multinomial": 3}


def overlapping(expert, gate="softmax", *, n_samples=400, n_experts=2, seed=0):
    """An estimator's class and rows of a mixture like it."""
    options = {"n_experts": n_experts, "n_features": 2, "random_state": seed, "gate": gate}
    if expert in CLASSES:
        options["n_classes"] = CLASSES[expert]
    X, y = make_moe(n_samples, expert=expert, **options)
    return (MoEClassifier if expert in CLASSES else MoERegressor), X, y


def learned(moe, X, y, *, size, passes, seed=0):
    """The estimator after passes in batches of ``size``, in a new order each time."""
    named = {"classes": np.unique(y)} if isinstance(moe, MoEClassifier) else {}
    rng = np.random.default_rng(seed)
    for _ in range(passes):
        order = rng.permutation(len(X))
        for X_batch, y_batch in batches(X[order], y[order], size=size):
            moe.partial_fit(X_batch, y_batch, **named)
    return moe


def assert_near_batch(batch, online, X, y):
    """The project's promise: within half a per cent of batch EM."""
    top = batch.log_likelihood(X, y)
    assert top - online.log_likelihood(X, y) <= 0.005 * abs(top)


@pytest.mark.parametrize(
    ("expert", "gate", "size"),
    [
        *((e, "softmax", 25) for e in ("gaussian", "laplace", "student_t", "logistic")),
        *((e, "softmax", 200) for e in ("gaussian", "student_t", "multinomial")),
        *((e, "gaussian", 50) for e in ("gaussian", "laplace", "multinomial")),
    ],
)
def test_twenty_passes_end_near_batch_em_whatever_the_first_batch(expert, gate, size):
    kind, X, y = overlapping(expert, gate, n_samples=250)
    options = {"expert": expert, "gate": gate, "n_init": 2, "random_state": 0}
    batch = kind(2, **options).fit(X, y)
    online = learned(kind(2, **options), X, y, size=size, passes=20)
    assert_near_batch(batch, online, X, y)


@pytest.mark.parametrize("expert", ["gaussian", "laplace", "student_t", "logistic", "multinomial"])
def test_running_sums_alone_end_near_batch_em(expert):
    kind, X, y = overlapping(expert, n_samples=2000)
    options = {"expert": expert, "n_init": 3, "random_state": 0}
    batch = kind(2, **options).fit(X, y)
    # After fit no rows are kept.
    online = learned(kind(2, **options).fit(X[:600], y[:600]), X, y, size=200, passes=20)
    assert online._fitted.buffer is None
    assert_near_batch(batch, online, X, y)


@pytest.mark.parametrize(
    "expert", [[("a", "gaussian"), ("b", "laplace")], GaussianExpert(features=[1])]
)
def test_unlike_experts_and_features_end_near_batch_em(regimes, expert):
    X, y = (a[:1000] for a in regimes)
    options = {"expert": expert, "n_init": 3, "random_state": 0}
    batch = MoERegressor(2, **options).fit(X, y)
    assert_near_batch(batch, learned(MoERegressor(2, **options), X, y, size=50, passes=5), X, y)


def test_a_higher_hill_is_kept(regimes):
    X, y = (a[:200] for a in regimes)
    moe = MoERegressor(2, n_init=5, random_state=0)
    for X_batch, y_batch in batches(X[:150], y[:150], size=50):
        moe.partial_fit(X_batch, y_batch)
    # The next fit has a single start, whose labels say next to nothing.
    poor = MoERegressor(2, n_init=1, init="segments", random_state=3).fit(X, y)
    moe.set_params(n_init=1, init="segments", random_state=3).partial_fit(X[150:], y[150:])
    assert moe._fitted.buffer.weight_fitted == 200.0
    best = MoERegressor(2, n_init=5, random_state=0).fit(X, y)
    assert best.log_likelihood_ > poor.log_likelihood_ + 1.0
    assert moe.log_likelihood_ == pytest.approx(best.log_likelihood_, rel=1e-6)


def test_trees_end_near_batch_em(regimes):
    X, y = (a[:600] for a in regimes)
    batch = HierarchicalMoERegressor((2, 2), n_init=2, random_state=0).fit(X, y)
    tree = HierarchicalMoERegressor((2, 2), n_init=2, random_state=0)
    assert_near_batch(batch, learned(tree, X, y, size=100, passes=4), X, y)


def test_rows_are_kept_up_to_a_bound(regimes, monkeypatch):
    monkeypatch.setattr("moe_classic._training.buffer.MOST_ROWS", 500)
    monkeypatch.setattr("moe_classic.estimators._mixture.online.MOST_ROWS", 500)
    monkeypatch.setattr("moe_classic._training.buffer._WAITING", 100)
    X, y = regimes
    batch = MoERegressor(2, n_init=3, random_state=0).fit(X, y)
    moe = MoERegressor(2, n_init=3, random_state=0)
    sizes = []
    for X_batch, y_batch in batches(X, y, size=60):
        kept = moe.partial_fit(X_batch, y_batch)._fitted.buffer
        sizes.append(0 if kept is None else kept.size + sum(b.w.size for b in kept.waiting))
        # Every batch leaves a model that predicts.
        assert np.isfinite(moe.predict(X[:5])).all()
    assert max(sizes) < 2 * 500 + 60
    assert set(sizes[17:]) == {0}
    assert_near_batch(batch, learned(moe, X, y, size=60, passes=2), X, y)


def test_weights_equal_repeated_rows_while_rows_are_kept(regimes, rng):
    X, y = (a[:240] for a in regimes)
    w = rng.integers(1, 4, size=240)
    weighted = MoERegressor(2, n_init=2, random_state=0)
    repeated = MoERegressor(2, n_init=2, random_state=0)
    for X_batch, y_batch, w_batch in batches(X, y, w, size=40):
        weighted.partial_fit(X_batch, y_batch, sample_weight=w_batch)
        repeated.partial_fit(np.repeat(X_batch, w_batch, axis=0), np.repeat(y_batch, w_batch))
    # The steps between fits add in another order.
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-8, atol=1e-8)


def test_arrays_may_be_filled_anew(regimes):
    X, y = (a[:320] for a in regimes)
    fresh = MoERegressor(2, n_init=2, random_state=0)
    reused = MoERegressor(2, n_init=2, random_state=0)
    X_same, y_same = np.empty((40, 2)), np.empty(40)
    for X_batch, y_batch in batches(X, y, size=40):
        fresh.partial_fit(X_batch, y_batch)
        X_same[:], y_same[:] = X_batch, y_batch
        reused.partial_fit(X_same, y_same)
    np.testing.assert_array_equal(reused.predict(X), fresh.predict(X))


@pytest.mark.parametrize("after", [3, 12])
def test_learning_goes_on_after_pickling(regimes, after, monkeypatch):
    monkeypatch.setattr("moe_classic._training.buffer.MOST_ROWS", 400)
    X, y = (a[:1000] for a in regimes)
    moe = MoERegressor(2, n_init=2, random_state=0)
    for number, (X_batch, y_batch) in enumerate(batches(X, y, size=50)):
        if number == after:
            twin = pickle.loads(pickle.dumps(moe))
        if number >= after:
            twin.partial_fit(X_batch, y_batch)
        moe.partial_fit(X_batch, y_batch)
    np.testing.assert_array_equal(twin.predict(X), moe.predict(X))


@pytest.mark.parametrize(
    "solver", [EM(assignment="hard"), LBFGS(error="competitive")], ids=["hard", "competitive"]
)
def test_partial_fit_refuses_solvers_that_climb_something_else(regimes, solver):
    X, y = regimes
    with pytest.raises(ValueError, match="partial_fit climbs the likelihood"):
        MoERegressor(2, solver=solver).partial_fit(X, y)


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


def test_partial_fit_refuses_another_number_of_outputs(regimes):
    X, y = regimes
    moe = MoERegressor(2, n_init=1, random_state=0).partial_fit(X[:500], y[:500])
    with pytest.raises(ValueError, match="y has 2 outputs, the first rows had 1"):
        moe.partial_fit(X, np.column_stack([y, y]))
    # What was learned is whole.
    assert moe.partial_fit(X[500:600], y[500:600]).predict(X).shape == y.shape
