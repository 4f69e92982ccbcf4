"""Exported nets against their estimators, run by onnxruntime."""

import re

import numpy as np
import pytest
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler

from moe_classic import (
    DeepMoERegressor,
    MixtureOfSoftmaxesClassifier,
    SparseMoEClassifier,
    SparseMoERegressor,
    upcycle,
)
from moe_classic.datasets import make_regimes
from moe_classic.onnx import to_onnx
from moe_classic.routers import ROUTERS, Features, TopKRouter, make_router

pytest.importorskip("onnx", reason="needs the extra onnx")
runtime = pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore::moe_classic.routers.RoutingWarning"
)

EXPORTED = sorted(set(ROUTERS) - {"hash", "soft"})
X, Y = make_regimes(300, n_regimes=4, n_features=3, random_state=0)
CLASSES = np.array(["low", "mid", "high"])[np.digitize(Y, [-1.0, 1.0])]


def run(moe, dtype=np.float64):
    model = to_onnx(moe, dtype=dtype)
    session = runtime.InferenceSession(model.SerializeToString())
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"X": X.astype(dtype)}), strict=True))


def small(cls=SparseMoERegressor, **options):
    return cls(8, width=6, expert_width=5, max_iter=4, random_state=0, **options)


@pytest.mark.parametrize("name", EXPORTED)
def test_regressor_behind_every_router_of_pairs(name):
    moe = small(router=name, n_layers=2).fit(X, Y)
    found = run(moe)
    np.testing.assert_allclose(found["variable"][:, 0], moe.predict(X), atol=1e-10)
    np.testing.assert_allclose(found["gate"], moe.gate_proba(X), atol=1e-12)


@pytest.mark.parametrize("mix", ["outputs", "densities"])
def test_classifier(mix):
    moe = small(SparseMoEClassifier, mix=mix).fit(X, CLASSES)
    found = run(moe)
    np.testing.assert_allclose(found["probabilities"], moe.predict_proba(X), atol=1e-12)
    np.testing.assert_array_equal(found["label"], moe.predict(X))


def test_single_precision():
    moe = small(dtype=np.float32).fit(X.astype(np.float32), Y)
    expected = moe.predict(X.astype(np.float32))
    np.testing.assert_allclose(run(moe, np.float32)["variable"][:, 0], expected, atol=1e-4)


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
def test_activations_stems_and_streams(activation):
    for options in ({"stem": "relu"}, {}):
        moe = small(activation=activation, **options).fit(X, Y)
        np.testing.assert_allclose(run(moe)["variable"][:, 0], moe.predict(X), atol=1e-10)


def test_groups_with_a_bias_and_a_router_of_its_own_columns():
    router = TopKRouter(
        2, score="sigmoid", n_groups=4, top_groups=2, bias_rate=0.1, n_shared=1, features=[1, 2]
    )
    moe = small(router=router).fit(X, Y)
    np.testing.assert_allclose(run(moe)["variable"][:, 0], moe.predict(X), atol=1e-10)


def test_published_systems_and_upcycled_perceptrons():
    deep = DeepMoERegressor(3, max_iter=3, random_state=0).fit(X, Y)
    np.testing.assert_allclose(run(deep)["variable"][:, 0], deep.predict(X), atol=1e-10)
    mos = MixtureOfSoftmaxesClassifier(3, max_iter=3, random_state=0).fit(X, CLASSES)
    np.testing.assert_allclose(run(mos)["probabilities"], mos.predict_proba(X), atol=1e-12)
    mlp = MLPRegressor(hidden_layer_sizes=(7, 6), max_iter=5, random_state=0).fit(X, Y)
    for place in ("first", "last"):
        moe = upcycle(mlp, 4, place=place, random_state=0)
        np.testing.assert_allclose(run(moe)["variable"][:, 0], mlp.predict(X), atol=1e-10)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"router": "soft"}, r"the router SoftRouter\(\); it knows \['TopKRouter', .*Router'\]\."),
        ({"router": "hash"}, r"the router HashRouter\(\); it knows \['TopKRouter', .*Router'\]\."),
        ({"tokens": Features()}, r"tokens=Features\(\); it knows rows only\."),
        ({"tokens": Features(), "router": "soft"}, r"tokens=Features\(\)"),
        (
            {"router": TopKRouter(features=StandardScaler())},
            r"features=StandardScaler\(\) of a router, a transformer; transform X before the fit\.",
        ),
    ],
)
@pytest.mark.parametrize("cls", [SparseMoERegressor, SparseMoEClassifier])
def test_what_cannot_be_exported_says_so(cls, options, words):
    moe = small(cls, **options).fit(X, Y if cls is SparseMoERegressor else CLASSES)
    with pytest.raises(TypeError, match=f"^to_onnx cannot export {words}"):
        to_onnx(moe)


def test_what_is_named_as_known_is_what_can_be_exported():
    with pytest.raises(TypeError) as error:
        to_onnx(small(router="soft").fit(X, Y))
    known = {type(make_router(name, 8)).__name__ for name in EXPORTED}
    assert known == set(re.findall(r"'(\w+)'", str(error.value)))
