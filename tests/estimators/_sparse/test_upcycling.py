"""Upcycled perceptrons predict the same, and learn on."""

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from moe_classic import upcycle
from moe_classic.datasets import make_regimes

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore::moe_classic.routers.RoutingWarning"
)


def data(n_outputs=1, classes=0):
    X, y = make_regimes(300, n_regimes=4, n_features=3, n_outputs=n_outputs, random_state=0)
    return (
        (X, np.digitize(y, np.quantile(y, np.arange(1, classes) / classes))) if classes else (X, y)
    )


@pytest.mark.parametrize("hidden", [(9,), (9, 7), (9, 7, 5)])
@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
@pytest.mark.parametrize("place", ["first", "last"])
def test_regressor_predicts_the_same(hidden, activation, place):
    X, y = data(2)
    mlp = MLPRegressor(
        hidden_layer_sizes=hidden, activation=activation, max_iter=20, random_state=0
    ).fit(X, y)
    moe = upcycle(mlp, 5, place=place, random_state=0)
    np.testing.assert_allclose(moe.predict(X), mlp.predict(X), atol=1e-12)


@pytest.mark.parametrize("router", ["mixtral", "top_k", "dense", "gshard", "noisy_top_k", "nllb"])
@pytest.mark.parametrize("classes", [2, 3])
def test_classifier_predicts_the_same(classes, router):
    X, y = data(classes=classes)
    mlp = MLPClassifier(hidden_layer_sizes=(9,), max_iter=20, random_state=0).fit(X, y)
    moe = upcycle(mlp, 4, router=router, random_state=0)
    np.testing.assert_allclose(moe.predict_proba(X), mlp.predict_proba(X), atol=1e-12)


def test_scalers_become_the_standardisation():
    X, y = data()
    X = 1e3 * X + 40.0
    mlp = MLPRegressor(hidden_layer_sizes=(9,), max_iter=20, random_state=0)
    whole = TransformedTargetRegressor(
        make_pipeline(StandardScaler(), mlp), transformer=StandardScaler()
    )
    whole.fit(X, 50.0 * y + 3.0)
    moe = upcycle(whole, 4, random_state=0)
    np.testing.assert_allclose(moe.predict(X), whole.predict(X), rtol=1e-11)


def test_learning_goes_on_from_what_was_learned():
    X, y = data()
    mlp = MLPRegressor(hidden_layer_sizes=(32,), max_iter=300, random_state=0).fit(X, y)
    moe = upcycle(mlp, 4, random_state=0, max_iter=1, validation_fraction=0)
    before = 0.5 * np.mean((moe.predict(X) - y) ** 2)
    moe.fit(X, y)
    assert 0.5 * np.mean((moe.predict(X) - y) ** 2) <= 1.01 * before
    moe.set_params(max_iter=40).fit(X, y)
    assert moe.score(X, y) > mlp.score(X, y)
    table = moe.routers_[0].table
    assert np.abs(table - table.mean(axis=0)).max() > 1e-3


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"router": "olmoe"}, ValueError, "do not sum to one"),
        ({"router": "soft"}, ValueError, "do not sum to one"),
        ({"router": "hash"}, ValueError, "needs the training rows"),
        ({"place": "middle"}, ValueError, "place='middle'"),
        ({"n_experts": 0}, ValueError, "n_experts=0"),
    ],
)
def test_what_cannot_be_upcycled_says_why(options, kind, words):
    X, y = data()
    mlp = MLPRegressor(hidden_layer_sizes=(9,), max_iter=5, random_state=0).fit(X, y)
    with pytest.raises(kind, match=words):
        upcycle(mlp, **{"n_experts": 4} | options)


def test_only_perceptrons_and_standard_scalers():
    X, y = data()
    mlp = MLPRegressor(hidden_layer_sizes=(9,), max_iter=5, random_state=0)
    with pytest.raises(TypeError, match="pipeline of a StandardScaler"):
        upcycle(make_pipeline(MinMaxScaler(), mlp).fit(X, y))
    with pytest.raises(TypeError, match="got StandardScaler"):
        upcycle(StandardScaler().fit(X))
