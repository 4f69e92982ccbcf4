"""Sparse prediction: the blend of the highest weights, at the cost of so many experts a row."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LinearRegression

from moe_classic import (
    HardMoEClassifier,
    HardMoERegressor,
    HierarchicalMoEClassifier,
    HierarchicalMoERegressor,
    MetaPiClassifier,
    MetaPiRegressor,
    MoEClassifier,
    MoERegressor,
)
from moe_classic._routing.top_k import routed_blend, top_k_weights
from moe_classic.estimators._blend.net import blended
from moe_classic.experts import GaussianExpert, StudentTExpert

QUICK = {"n_init": 1, "max_iter": 300, "tol": 1e-3, "random_state": 0}


@pytest.fixture
def scene(rng):
    """Rows, a number that bends, and three classes."""
    X = rng.standard_normal((160, 3))
    y = 1e4 + 3.0 * np.abs(X[:, 0]) + X[:, 1] + 0.3 * rng.standard_normal(160)
    return X, y, np.digitize(y, np.quantile(y, [1 / 3, 2 / 3]))


# ------------------------------------------------------------------------- sums


def test_top_k_keeps_the_largest_weights_and_divides_by_their_sum():
    kept, consulted = top_k_weights(np.array([[0.5, 0.1], [0.2, 0.6], [0.3, 0.3]]), 2)
    np.testing.assert_array_equal(consulted, [[True, False], [False, True], [True, True]])
    np.testing.assert_allclose(kept, [[0.625, 0.0], [0.0, 2 / 3], [0.375, 1 / 3]])


def test_top_k_takes_the_first_of_equal_weights():
    _, consulted = top_k_weights(np.full((3, 1), 1 / 3), 1)
    assert consulted[:, 0].tolist() == [True, False, False]


def test_routed_blend_evaluates_each_expert_on_its_rows_only(rng):
    weights = rng.dirichlet(np.ones(5), 40).T
    kept, consulted = top_k_weights(weights, 2)
    outputs, asked = rng.standard_normal((5, 3, 40)), []

    def evaluate(k, rows):
        asked.append(rows.size)
        return outputs[k][:, rows]

    blend = routed_blend(kept, consulted, evaluate, 3)
    np.testing.assert_allclose(blend, blended(outputs, kept), rtol=1e-12)
    assert sum(asked) == 2 * 40


# ------------------------------------------------------------------------- what it answers

REGRESSORS = [
    MoERegressor(3, **QUICK),
    MoERegressor(3, expert=GaussianExpert(features=[0], tied=True), gate="gaussian", **QUICK),
    MoERegressor(3, expert="laplace", gate="constant", **QUICK),
    MoERegressor(3, expert=[("a", "gaussian"), ("b", StudentTExpert(df=4.0)), "laplace"], **QUICK),
    MoERegressor(3, expert=LinearRegression(), **QUICK),
    HierarchicalMoERegressor((2, 2), **QUICK),
    HierarchicalMoERegressor([[2], 1], expert="student_t", **QUICK),
    MetaPiRegressor([LinearRegression(), DummyRegressor(), LinearRegression()]),
    HardMoERegressor(3, expert=LinearRegression(), gate="softmax", max_iter=2, random_state=0),
]
CLASSIFIERS = [
    MoEClassifier(3, **QUICK),
    MoEClassifier(2, expert=[DummyClassifier(), "multinomial"], **QUICK),
    HierarchicalMoEClassifier((2, 2), **QUICK),
]


def wanted(moe, X, top_k):
    """The blend of the highest weights, the long way."""
    g = moe.gate_proba(X)
    order = np.argsort(-g, axis=1, kind="stable")[:, top_k:]
    np.put_along_axis(g, order, 0.0, axis=1)
    return g / g.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("model", REGRESSORS, ids=str)
@pytest.mark.parametrize("top_k", [1, 2])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_regressor_blends_the_experts_of_highest_weight(scene, model, top_k):
    X, y, _ = scene
    moe = clone(model).fit(X, y)
    mean = (wanted(moe, X, top_k) * moe.expert_predictions(X)).sum(axis=1)
    np.testing.assert_allclose(moe.predict(X, top_k=top_k), mean, rtol=1e-10)


@pytest.mark.parametrize("model", CLASSIFIERS, ids=str)
@pytest.mark.parametrize("top_k", [1, 2])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_classifier_blends_the_experts_of_highest_weight(scene, model, top_k):
    X, _, labels = scene
    moe = clone(model).fit(X, labels)
    P = np.einsum("nk,nkc->nc", wanted(moe, X, top_k), moe.expert_predictions(X))
    np.testing.assert_allclose(moe.predict_proba(X, top_k=top_k), P, rtol=1e-10)
    np.testing.assert_allclose(np.exp(moe.predict_log_proba(X, top_k=top_k)), P, rtol=1e-10)
    np.testing.assert_array_equal(moe.predict(X, top_k=top_k), P.argmax(axis=1))


@pytest.mark.parametrize("model", [*REGRESSORS, *CLASSIFIERS], ids=str)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_all_experts_give_the_whole_prediction(scene, model):
    X, y, labels = scene
    moe = clone(model).fit(X, labels if hasattr(model, "predict_proba") else y)
    answer = getattr(moe, "predict_proba", moe.predict)
    whole = answer(X, top_k=moe.gate_proba(X).shape[1])
    # Experts are summed in another way.
    np.testing.assert_allclose(whole, answer(X), rtol=1e-12)


def test_several_outputs_are_blended_too(scene, rng):
    X, y, _ = scene
    Y = np.column_stack([y, X[:, 2] + rng.standard_normal(160)])
    moe = MoERegressor(2, **QUICK).fit(X, Y)
    own = moe.expert_predictions(X)[np.arange(160), moe.predict_expert(X)]
    np.testing.assert_allclose(moe.predict(X, top_k=1), own, rtol=1e-10)


@pytest.mark.parametrize("expert", ["gaussian", StudentTExpert(df=4.0)], ids=str)
def test_deviation_is_that_of_the_experts_consulted(scene, expert):
    X, y, _ = scene
    moe = MoERegressor(3, expert=expert, **QUICK).fit(X, y)
    _, one = moe.predict(X, return_std=True, top_k=1)
    scale = np.array([e.scale_ for e in moe.experts_])[moe.predict_expert(X)]
    # A t with 4 degrees of freedom has twice the variance of its scale squared.
    np.testing.assert_allclose(one, scale * (1.0 if expert == "gaussian" else np.sqrt(2.0)))
    mean, whole = moe.predict(X, return_std=True)
    mean_of_all, of_all = moe.predict(X, return_std=True, top_k=3)
    np.testing.assert_allclose(mean_of_all, mean, rtol=1e-12)
    # Variances are differences of numbers near 1e4.
    np.testing.assert_allclose(of_all, whole, rtol=1e-8)


# ------------------------------------------------------------------------- what it costs


class CountingRegressor(DummyRegressor):
    """Counts calls and the rows that it is asked about."""

    calls = rows = 0

    def predict(self, X):
        type(self).calls, type(self).rows = type(self).calls + 1, type(self).rows + len(X)
        return super().predict(X)


class CountingClassifier(DummyClassifier):
    """Counts calls and the rows that it is asked about."""

    calls = rows = 0

    def predict_proba(self, X):
        type(self).calls, type(self).rows = type(self).calls + 1, type(self).rows + len(X)
        return super().predict_proba(X)


COUNTED = [
    MoERegressor(4, expert=CountingRegressor(), **QUICK),
    HierarchicalMoERegressor((2, 2), expert=CountingRegressor(), **QUICK),
    MetaPiRegressor(CountingRegressor()),
    HardMoERegressor(4, expert=CountingRegressor(), max_iter=2, random_state=0),
    MoEClassifier(4, expert=CountingClassifier(), **QUICK),
    HierarchicalMoEClassifier((2, 2), expert=CountingClassifier(), **QUICK),
    MetaPiClassifier(CountingClassifier()),
    HardMoEClassifier(4, expert=CountingClassifier(), max_iter=2, random_state=0),
]


@pytest.mark.parametrize("model", COUNTED, ids=lambda m: type(m).__name__)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_row_costs_as_many_experts_as_it_consults(scene, model):
    X, y, labels = scene
    classes = hasattr(model, "predict_proba")
    counter = CountingClassifier if classes else CountingRegressor
    options = {"sources": np.arange(160) % 4} if "MetaPi" in type(model).__name__ else {}
    moe = clone(model).fit(X, labels if classes else y, **options)
    for top_k in (1, 2, 3, None):
        counter.calls = counter.rows = 0
        moe.predict(X, top_k=top_k)
        assert counter.rows == (top_k or 4) * len(X)
        assert counter.calls <= 4


# ------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("top_k", "error", "match"),
    [
        (0, ValueError, "top_k=0"),
        (4, ValueError, "top_k=4 is more than the 3 experts"),
        (1.5, ValueError, r"top_k=1\.5"),
        ("all", TypeError, "top_k='all'"),
    ],
)
@pytest.mark.parametrize("target", ["number", "class"])
def test_top_k_that_makes_no_sense_is_refused(scene, top_k, error, match, target):
    X, y, labels = scene
    model = MoERegressor(3, **QUICK) if target == "number" else MoEClassifier(3, **QUICK)
    moe = model.fit(X, y if target == "number" else labels)
    with pytest.raises(error, match=match):
        moe.predict(X, top_k=top_k)
