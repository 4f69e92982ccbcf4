"""Whole pipelines in ONNX, checked against scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import StackingRegressor, VotingRegressor
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures, StandardScaler

from moe_classic import (
    HierarchicalMoERegressor,
    MoEClassifier,
    MoERegressor,
    SparseMoERegressor,
)
from moe_classic.onnx import register_converters, to_onnx

skl2onnx = pytest.importorskip("skl2onnx", reason="needs skl2onnx, in the extra onnx")
runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime, in the extra test")

QUICK = {"n_init": 1, "init": "kmeans", "tol": 1e-2, "random_state": 0}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = rng.uniform(-2.0, 2.0, (120, 2))
    y = np.where(X[:, 0] > 0.0, 3.0 * X[:, 1], X[:, 0]) + 0.2 * rng.standard_normal(120)
    return X, y


def run(model, given, *names):
    session = runtime.InferenceSession(model.SerializeToString())
    assert {o.name for o in session.get_outputs()} >= set(names)
    return session.run(list(names), given)


@pytest.mark.parametrize(("dtype", "close"), [(np.float32, 2e-5), (np.float64, 1e-10)])
@pytest.mark.parametrize(
    "moe", [MoERegressor(2, **QUICK), HierarchicalMoERegressor((2, 2), **QUICK)], ids=str
)
def test_pipeline_predicts_what_it_did(table, moe, dtype, close):
    X, y = table
    pipe = make_pipeline(StandardScaler(), PolynomialFeatures(2, include_bias=False), moe)
    pipe.fit(X.astype(dtype), y)
    mean, gate = run(to_onnx(pipe, dtype=dtype), {"X": X.astype(dtype)}, "variable", "gate")
    assert mean.dtype == dtype
    np.testing.assert_allclose(mean[:, 0], pipe.predict(X.astype(dtype)), atol=close * np.ptp(y))
    inside = pipe[:-1].transform(X.astype(dtype))
    np.testing.assert_allclose(gate, pipe[-1].gate_proba(inside), atol=20.0 * close)


@pytest.mark.parametrize("classes", [["low", "high"], [3, 7], [False, True]], ids=str)
def test_classifier_gives_labels_and_probabilities(table, classes):
    X, y = table
    pipe = make_pipeline(StandardScaler(), MoEClassifier(2, **QUICK))
    pipe.fit(X, np.array(classes)[(y > 0).astype(int)])
    label, proba = run(to_onnx(pipe, dtype=np.float64), {"X": X}, "label", "probabilities")
    np.testing.assert_array_equal(label, pipe.predict(X))
    np.testing.assert_allclose(proba, pipe.predict_proba(X), atol=1e-10)


def test_columns_of_a_frame_are_inputs(table):
    X, y = table
    frame = pd.DataFrame(X, columns=["age", "income"])
    frame["town"] = np.where(np.arange(120) % 3 == 0, "Ash", "Birch")
    towns = make_column_transformer(
        (OneHotEncoder(sparse_output=False), ["town"]), (StandardScaler(), ["age", "income"])
    )
    pipe = make_pipeline(towns, MoERegressor(2, **QUICK)).fit(frame, y)
    model = to_onnx(pipe, dtype=np.float64, X=frame)
    given = {c: frame[[c]].to_numpy() for c in frame.columns}
    np.testing.assert_allclose(run(model, given, "variable")[0][:, 0], pipe.predict(frame))
    with pytest.raises(TypeError, match="X of type ndarray must be a DataFrame"):
        to_onnx(pipe, X=X)


def test_search_over_pipelines_exports_the_best(table):
    X, y = table
    pipe = make_pipeline(StandardScaler(), MoERegressor(1, **QUICK))
    search = GridSearchCV(pipe, {"moeregressor__n_experts": [1, 2]}, cv=2).fit(X, y)
    mean = run(to_onnx(search, dtype=np.float64), {"X": X}, "variable")[0]
    np.testing.assert_allclose(mean[:, 0], search.predict(X))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::moe_classic.routers.RoutingWarning")
def test_net_goes_through_as_well(table):
    X, y = table
    net = SparseMoERegressor(3, width=4, expert_width=4, max_iter=3, random_state=0)
    pipe = make_pipeline(StandardScaler(), net).fit(X, y)
    mean = run(to_onnx(pipe, dtype=np.float64), {"X": X}, "variable")[0]
    np.testing.assert_allclose(mean[:, 0], pipe.predict(X), atol=1e-9)


@pytest.mark.parametrize("opset", [17, 21])
@pytest.mark.parametrize("ensemble", [StackingRegressor, VotingRegressor])
def test_registered_estimators_are_found_inside_others(table, ensemble, opset):
    X, y = table
    register_converters()
    parts = [("moe", MoERegressor(2, **QUICK)), ("line", LinearRegression())]
    whole = ensemble(parts).fit(X, y)
    model = skl2onnx.to_onnx(whole, X, target_opset=opset)
    np.testing.assert_allclose(run(model, {"X": X}, "variable")[0][:, 0], whole.predict(X))


def test_two_inputs_without_a_column_transformer_are_refused(table):
    X, y = table
    frame = pd.DataFrame(X, columns=["age", "income"])
    pipe = make_pipeline(MoERegressor(2, **QUICK)).fit(frame, y)
    with pytest.raises(ValueError, match="MoERegressor takes one matrix, and 2 columns"):
        to_onnx(pipe, X=frame)


def test_what_has_no_graph_is_refused_inside_a_pipeline(table):
    pipe = make_pipeline(StandardScaler(), MoERegressor(1, expert=LinearRegression(), n_init=1))
    pipe.fit(*table)
    with pytest.raises(TypeError, match="to_onnx cannot export the expert"):
        to_onnx(pipe)
