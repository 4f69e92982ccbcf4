"""Deep mixtures: layers that blend all their experts."""

import numpy as np
import pytest
from sklearn.datasets import load_iris

from moe_classic import DeepMoEClassifier, DeepMoERegressor
from moe_classic._results import fitted_net
from moe_classic.datasets import make_regimes

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_margin_holds_in_the_first_epochs_only():
    X, y = make_regimes(400, n_regimes=4, n_features=3, random_state=0)
    moe = DeepMoERegressor(max_iter=3, balance_iter=5, margin=20.0, random_state=0).fit(X, y)
    assert all(layer.router.margin == 20.0 for layer in moe.routers_)
    for layer in moe.routers_:
        totals = layer.state["totals"]
        assert totals.max() - totals.mean() <= 20.0 + 25.0
        # All rows of the best of three epochs.
        assert totals.sum() == pytest.approx(360 * moe.best_iter_, rel=1e-6)
    moe = DeepMoERegressor(max_iter=7, balance_iter=2, random_state=0).fit(X, y)
    assert all(layer.router.margin is None for layer in moe.routers_)
    assert moe.margin == 100.0


def test_layers_have_gates_of_their_own():
    X, y = load_iris(return_X_y=True)
    moe = DeepMoEClassifier(random_state=0).fit(X, y)
    assert moe.score(X, y) > 0.95
    first, second = moe.gate_proba(X, layer=0), moe.gate_proba(X, layer=1)
    np.testing.assert_allclose(first.sum(axis=1), 1.0)
    assert not np.allclose(first, second)


def test_forward_by_hand():
    X, y = load_iris(return_X_y=True)
    moe = DeepMoERegressor(2, n_layers=1, max_iter=3, random_state=0).fit(X, y)
    h = (X - X.mean(axis=0)) / X.std(axis=0)
    layer = moe.routers_[0]
    a = layer.arrays
    s = np.maximum(h @ a["V"] + a["c"], 0) @ a["W"] + a["b"]
    g = np.exp(s) / np.exp(s).sum(axis=1, keepdims=True)
    mixed = 0.0
    for e in range(2):
        (W,) = layer.experts.maps(layer.table[e])
        mixed = mixed + g[:, e : e + 1] * np.maximum(h @ W[:-1] + W[-1], 0)
    B = fitted_net(moe).net.head.arrays["W"]
    expected = (mixed @ B[:-1] + B[-1])[:, 0] * y.std() + y.mean()
    np.testing.assert_allclose(moe.predict(X), expected, rtol=1e-10)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"margin": 0.0}, "margin=0.0"),
        ({"gate_units": 0}, "gate_units=0"),
        ({"n_layers": 0}, "n_l"),
    ],
)
def test_bad_arguments_raise(options, words):
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match=words):
        DeepMoEClassifier(**options).fit(X, y)
