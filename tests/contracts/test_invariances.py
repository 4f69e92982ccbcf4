"""What must not matter to a fit: how rows come, how they are cut, names, order and units."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from moe_classic import MoEClassifier, MoERegressor
from moe_classic.datasets import make_moe
from moe_classic.experts import GaussianExpert, MultinomialExpert, StudentTExpert
from moe_classic.gates import GaussianGate, SoftmaxGate

N = 60
few_examples = settings(max_examples=2, deadline=None, derandomize=True)
weights = hnp.arrays(np.int64, N, elements=st.integers(0, 3)).filter(lambda w: (w > 0).sum() > 20)
orders = st.permutations(range(N))
shifts = st.floats(-1e3, 1e3)
factors = st.floats(1e-3, 1e3).flatmap(lambda f: st.sampled_from([f, -f]))

#: Without penalties units cancel; experts of every kind with gates of every kind.
REGRESSORS = {
    "gaussian, softmax": MoERegressor(2, gate=SoftmaxGate(alpha=0.0)),
    "gaussian, gaussian": MoERegressor(2, gate="gaussian"),
    "laplace, constant": MoERegressor(2, expert="laplace", gate="constant"),
    "t, tied gaussian": MoERegressor(
        2, expert=StudentTExpert(df=4.0), gate=GaussianGate(covariance_type="tied")
    ),
    "unlike, softmax": MoERegressor(
        2, expert=[("a", GaussianExpert()), ("b", "laplace")], gate=SoftmaxGate(alpha=0.0)
    ),
}
CLASSIFIERS = {
    "multinomial, softmax": MoEClassifier(2, expert=MultinomialExpert(alpha=1e-2)),
    "multinomial, gaussian": MoEClassifier(
        2, expert=MultinomialExpert(alpha=1e-2), gate="gaussian"
    ),
}
MODELS = REGRESSORS | CLASSIFIERS
every_model = pytest.mark.parametrize("name", MODELS)
every_regressor = pytest.mark.parametrize("name", REGRESSORS)


def real_data():
    X, y, truth = make_moe(N, n_features=2, random_state=0, return_params=True)
    return X, y, 0.8 * np.eye(2)[truth.z] + 0.1


def class_data():
    X, y, truth = make_moe(
        N, expert="multinomial", n_classes=3, n_features=2, random_state=1, return_params=True
    )
    return X, y, 0.8 * np.eye(2)[truth.z] + 0.1


DATA = {name: real_data() for name in REGRESSORS} | {name: class_data() for name in CLASSIFIERS}


def fresh(name, **options):
    """An unfitted model."""
    model = MODELS[name]
    options = {"n_init": 1, "random_state": 0, "max_iter": 3000} | options
    return type(model)(**model.get_params(deep=False) | options)


@cache
def fitted(name):
    """The model fitted to the rows as they are."""
    X, y, _ = DATA[name]
    return fresh(name).fit(X, y)


@cache
def fitted_closely(name):
    """The model from the given start, up to 1e-10 nats a row."""
    X, y, R = DATA[name]
    return fresh(name, init=R, n_init=1, tol=1e-10).fit(X, y)


def answers(model, X, y):
    """What a fit says about some rows, experts in an order that depends on their lines only."""
    own = model.expert_predictions(X).reshape(len(X), model.n_experts, -1)
    order = np.lexsort(own[0].T)
    return [
        model.predict_proba(X) if hasattr(model, "classes_") else model.predict(X),
        model.score_samples(X, y),
        model.gate_proba(X)[:, order],
        own[:, order],
    ]


def assert_same(first, second, **tolerance):
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a, b, **tolerance)


# ------------------------------------------------------------------------- rows and weights


@every_model
@few_examples
@given(w=weights)
def test_integer_weights_equal_repeated_rows(name, w):
    X, y, _ = DATA[name]
    if name in CLASSIFIERS:
        w = np.maximum(w, 1)
    weighted = fresh(name, n_init=2).fit(X, y, sample_weight=w)
    repeated = fresh(name, n_init=2).fit(np.repeat(X, w, axis=0), np.repeat(y, w))
    # The start too is a function of the content of the rows: rounding only.
    assert weighted.log_likelihood_ == pytest.approx(repeated.log_likelihood_, rel=1e-10)
    assert_same(answers(weighted, X, y), answers(repeated, X, y), rtol=1e-7, atol=1e-9)


@every_model
@few_examples
@given(w=weights)
def test_zero_weights_equal_removed_rows(name, w):
    X, y, _ = DATA[name]
    kept = w > 0
    if name in CLASSIFIERS and len(np.unique(y[kept])) < 3:
        kept[:] = True
    weighted = fresh(name, n_init=2).fit(X, y, sample_weight=kept.astype(float))
    removed = fresh(name, n_init=2).fit(X[kept], y[kept])
    assert weighted.log_likelihood_ == pytest.approx(removed.log_likelihood_, rel=1e-10)
    assert_same(answers(weighted, X, y), answers(removed, X, y), rtol=1e-7, atol=1e-9)


@every_model
@few_examples
@given(order=orders)
def test_order_of_rows_does_not_matter(name, order):
    X, y, _ = DATA[name]
    order = np.array(order)
    first, second = fitted(name), fresh(name).fit(X[order], y[order])
    np.testing.assert_allclose(first.trace_, second.trace_, rtol=1e-10)
    assert_same(answers(first, X, y), answers(second, X, y), rtol=1e-7, atol=1e-9)


@every_model
@pytest.mark.parametrize("factor", [1e-6, 3.0])
def test_common_factor_of_the_weights_does_not_matter(name, factor):
    X, y, R = DATA[name]
    second = fresh(name, init=R, n_init=1, tol=1e-10).fit(X, y, sample_weight=np.full(N, factor))
    # Penalties and tolerances are per unit of weight; tol is 1e-10 nats of it.
    expected = fitted_closely(name).trace_[-1]
    assert second.trace_[-1] / factor == pytest.approx(expected, abs=1e-5)
    assert_same(answers(fitted_closely(name), X, y), answers(second, X, y), rtol=1e-3, atol=1e-4)


# ------------------------------------------------------------------------- blocks and threads


@every_model
@few_examples
@given(size=st.integers(7, N + 10))
def test_size_of_blocks_does_not_matter(name, size):
    X, y, _ = DATA[name]
    first, second = fitted(name), fresh(name, block_size=size).fit(X, y)
    # Sums in another order: rounding, and what convergence makes of it.
    assert first.log_likelihood_ == pytest.approx(second.log_likelihood_, rel=1e-9)
    assert_same(answers(first, X, y), answers(second, X, y), rtol=1e-6, atol=1e-8)


@every_model
def test_number_of_threads_does_not_matter(name):
    X, y, _ = DATA[name]
    first, second = fitted(name), fresh(name, block_size=11, n_jobs=2).fit(X, y)
    assert first.log_likelihood_ == pytest.approx(second.log_likelihood_, rel=1e-9)
    assert_same(answers(first, X, y), answers(second, X, y), rtol=1e-6, atol=1e-8)


def test_blocks_and_threads_do_not_matter_to_many_rows():
    X, y = make_moe(30_000, n_experts=3, n_features=3, random_state=0)
    options = {"n_init": 2, "random_state": 0}
    first = MoERegressor(3, **options).fit(X, y)
    second = MoERegressor(3, block_size=999, n_jobs=2, **options).fit(X, y)
    # Above 20,000 rows nothing is merged or sorted: rounding alone remains.
    assert first.log_likelihood_ == pytest.approx(second.log_likelihood_, rel=1e-10)
    np.testing.assert_allclose(first.predict(X[:99]), second.predict(X[:99]), rtol=1e-6, atol=1e-8)


# ------------------------------------------------------------------------- ascent


@every_model
@few_examples
@given(seed=st.integers(0, 2**31 - 1))
def test_trace_never_falls_from_any_start(name, seed):
    X, y, _ = DATA[name]
    R = np.random.default_rng(seed).dirichlet([0.3, 0.3], N)
    model = fresh(name, init=R, n_init=1).fit(X, y)
    assert (np.diff(model.trace_) >= 0).all()
    assert np.isfinite(model.trace_).all()


# ------------------------------------------------------------------------- names and order


@every_model
def test_order_of_features_does_not_matter(name):
    X, y, R = DATA[name]
    first = fitted_closely(name)
    second = fresh(name, init=R, n_init=1, tol=1e-10).fit(X[:, ::-1], y)
    assert first.trace_[-1] == pytest.approx(second.trace_[-1], abs=1e-5)
    # Converged to 1e-10 nats a row, parameters to the root of that.
    assert_same(answers(first, X, y), answers(second, X[:, ::-1], y), rtol=1e-3, atol=1e-4)
    for k in (0, 1):
        mine, other = first.experts_[k].coef_, second.experts_[k].coef_
        np.testing.assert_allclose(mine, other[..., ::-1], rtol=1e-3, atol=1e-4)


@every_model
def test_order_of_experts_in_the_start_does_not_matter(name):
    if name.startswith("unlike"):
        # Unlike experts are told apart by their names.
        return
    X, y, R = DATA[name]
    first = fitted_closely(name)
    second = fresh(name, init=R[:, ::-1], n_init=1, tol=1e-10).fit(X, y)
    np.testing.assert_allclose(first.trace_, second.trace_, rtol=1e-9)
    assert_same(answers(first, X, y), answers(second, X, y), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_names_of_classes_do_not_matter(name):
    X, y, R = DATA[name]
    first = fitted_closely(name)
    # Class 2, the reference of the coefficients, now comes first.
    renamed = np.array(["z", "y", "x"])[y]
    second = fresh(name, init=R, n_init=1, tol=1e-10).fit(X, renamed)
    proba = second.predict_proba(X)[:, ::-1]
    np.testing.assert_allclose(first.predict_proba(X), proba, rtol=1e-4, atol=1e-5)


# ------------------------------------------------------------------------- units


@every_regressor
@few_examples
@given(shift=shifts, factor=factors)
def test_fit_follows_the_units_of_the_target(name, shift, factor):
    X, y, R = DATA[name]
    first = fitted_closely(name)
    second = fresh(name, init=R, n_init=1, tol=1e-10).fit(X, shift + factor * y)
    expected = first.log_likelihood_ - N * np.log(abs(factor))
    assert second.log_likelihood_ == pytest.approx(expected, abs=1e-5)
    # Converged to 1e-10 nats a row, parameters to the root of that, in units of y.
    gap = second.predict(X) - shift - factor * first.predict(X)
    assert np.abs(gap).max() < 1e-3 * abs(factor)
    for one, other in zip(first.experts_, second.experts_, strict=True):
        assert other.scale_ == pytest.approx(abs(factor) * one.scale_, rel=1e-3)


@every_model
@few_examples
@given(shift=shifts, factor=factors)
def test_fit_follows_the_units_of_the_features(name, shift, factor):
    X, y, R = DATA[name]
    moved = X * [factor, 1.0] + [shift, 0.0]
    first, second = fitted_closely(name), fresh(name, init=R, n_init=1, tol=1e-10).fit(moved, y)
    # With a Gaussian gate the joint likelihood of (x, y) is what converged to 1e-10 nats a row.
    joint = np.log(abs(factor)) * N if first.gate_.name == "gaussian" else 0.0
    assert second.trace_[-1] == pytest.approx(first.trace_[-1] - joint, abs=1e-5)
    # Converged to 1e-10 nats a row, parameters to the root of that.
    assert_same(answers(first, X, y), answers(second, moved, y), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", [n for n in REGRESSORS if not n.startswith("unlike")])
def test_fit_follows_a_rotation_of_the_features(name):
    X, y, R = DATA[name]
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    # Without standardising nothing but the span of the features matters.
    options = {"init": R, "n_init": 1, "tol": 1e-10, "standardize": False}
    first, second = fresh(name, **options).fit(X, y), fresh(name, **options).fit(X @ turn, y)
    assert first.log_likelihood_ == pytest.approx(second.log_likelihood_, abs=1e-5)
    assert_same(answers(first, X, y), answers(second, X @ turn, y), rtol=1e-3, atol=1e-3)
