"""First batches that are too small to fit, batches without weight."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from moe_classic import HierarchicalMoERegressor, MoEClassifier, MoERegressor

FEW = {"n_init": 1, "max_iter": 50, "random_state": 0}
MODELS = {
    "one": MoERegressor(1),
    "two": MoERegressor(2, **FEW),
    "classes": MoEClassifier(2, **FEW),
    "tree": HierarchicalMoERegressor((2,), **FEW),
}
every_model = pytest.mark.parametrize("name", MODELS)


def rows(name):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 2))
    y = np.abs(X[:, 0]) + 0.3 * rng.normal(size=80)
    return X, (y > 0.7).astype(int) if name == "classes" else y


def learn(model, X, y, w=None):
    more = {"classes": [0, 1]} if isinstance(model, MoEClassifier) else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.partial_fit(X, y, sample_weight=w, **more)


@every_model
def test_a_first_batch_of_one_row_waits_for_more(name):
    X, y = rows(name)
    model = learn(clone(MODELS[name]), X[:1], y[:1])
    with pytest.raises(NotFittedError):
        model.predict(X)
    learn(model, X[1:], y[1:])
    whole = learn(clone(MODELS[name]), X, y)
    np.testing.assert_allclose(model.predict(X), whole.predict(X), rtol=1e-9)


@every_model
def test_batches_without_weight_change_nothing(name):
    X, y = rows(name)
    model = learn(clone(MODELS[name]), X[:9], y[:9], np.zeros(9))
    with pytest.raises(NotFittedError):
        model.predict(X)
    learn(model, X, y)
    before = {k: v for k, v in vars(model).items() if k not in ("_fitted", "tree_")}
    record, answers = model._fitted, model.predict(X)
    learn(model, X[:9], y[:9], np.zeros(9))
    assert model._fitted is record
    assert all(vars(model)[k] is v for k, v in before.items())
    np.testing.assert_array_equal(model.predict(X), answers)


@every_model
def test_batches_that_wait_must_agree(name):
    X, y = rows(name)
    model = learn(clone(MODELS[name]), X[:1], y[:1])
    with pytest.raises(ValueError, match="features"):
        learn(model, X[:5, :1], y[:5])
    learn(model, X[1:], y[1:])
    assert model.n_features_in_ == 2


def test_fit_forgets_rows_that_wait():
    X, y = rows("two")
    model = learn(MoERegressor(2, **FEW), X[:1] + 100.0, y[:1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y)
        fresh = MoERegressor(2, **FEW).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), fresh.predict(X))


def test_a_first_block_of_one_row_is_fine():
    X, y = rows("two")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = MoERegressor(2, **FEW).fit_blocks([(X[:1], y[:1]), (X[1:], y[1:])])
        whole = MoERegressor(2, **FEW).fit_blocks([(X, y)])
    np.testing.assert_allclose(model.predict(X), whole.predict(X), rtol=1e-6)
    with pytest.raises(ValueError, match="a single row"):
        MoERegressor(1).fit_blocks([(X[:1], y[:1])])


def test_a_wrong_value_is_told_by_its_row_in_the_batch():
    X, y = np.arange(40.0)[:, None], np.arange(40.0) % 5
    wrong, w = y.copy(), np.ones(40)
    wrong[30], w[:3] = 0.5, 0.0
    first = MoERegressor(1, expert="poisson").partial_fit(X, y)
    few = MoERegressor(2, expert="poisson").partial_fit(X[:1], y[:1])
    for moe in (first, few, MoERegressor(1, expert="poisson")):
        for weights in (None, w):
            with pytest.raises(ValueError, match=r"PoissonExpert describes .* 0\.5 in row 30\."):
                moe.partial_fit(X, wrong, sample_weight=weights)
