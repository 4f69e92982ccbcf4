"""Export to ONNX, checked against onnxruntime."""

import sys

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from moe_classic import (
    HierarchicalMoEClassifier,
    HierarchicalMoERegressor,
    MetaPiRegressor,
    MoEClassifier,
    MoERegressor,
)
from moe_classic.experts import GaussianExpert, SkewNormalExpert, WeibullExpert
from moe_classic.gates import GaussianGate, MixedGate, SoftmaxGate
from moe_classic.gates._tree.gate import TreeGate
from moe_classic.model_selection import path
from moe_classic.onnx import to_onnx
from moe_classic.penalties import Lasso

pytest.importorskip("onnx", reason="needs the extra onnx")
runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime, in the extra test")

# A rounded end of a fit will do: the graph must repeat the model, not find it.
QUICK = {"n_init": 1, "init": "kmeans", "tol": 1e-2, "random_state": 0}
GATES = [
    "softmax",
    "gaussian",
    "constant",
    SoftmaxGate(features=[1]),
    GaussianGate(covariance_type="tied"),
    "mixed",
    TreeGate((2, 2)),
    TreeGate([[2], 1, 1]),
    TreeGate((4,)),
]


@pytest.fixture(scope="module")
def table():
    """Features and a target with large offsets, in single precision to begin with."""
    rng = np.random.default_rng(0)
    offset = np.array([0.0, 10.0, 1000.0])
    X = (rng.uniform(-2.0, 2.0, (150, 3)) + offset).astype(np.float32)
    Z = X.astype(np.float64) - offset
    y = np.where(Z[:, 0] + Z[:, 1] > 1.0, 3.0 * Z[:, 0], np.where(Z[:, 1] < -0.5, -2.0, Z[:, 2]))
    return X, y + 0.2 * rng.standard_normal(150) + 500.0


def run(model, X, *names):
    session = runtime.InferenceSession(model.SerializeToString())
    return session.run(list(names), {"X": X})


@pytest.mark.parametrize("gate", GATES, ids=str)
def test_regression_in_single_precision_agrees_to_1e_5(table, gate):
    X, y = table
    moe = MoERegressor(4, gate=gate, **QUICK).fit(X, y)
    predicted, proba = run(to_onnx(moe), X, "variable", "gate")
    assert predicted.dtype == np.float32
    np.testing.assert_allclose(predicted[:, 0], moe.predict(X), rtol=1e-5)
    np.testing.assert_allclose(proba, moe.gate_proba(X), atol=1e-5)


@pytest.mark.parametrize("gate", GATES, ids=str)
def test_classification_in_single_precision_agrees_to_1e_5(table, gate):
    X, y = table
    classes = np.where(y > 501.0, 7, np.where(y < 499.0, 3, 5))
    moe = MoEClassifier(4, gate=gate, **QUICK).fit(X, classes)
    label, proba, gates = run(to_onnx(moe), X, "label", "probabilities", "gate")
    expected = moe.predict_proba(X)
    np.testing.assert_allclose(proba, expected, atol=1e-5)
    np.testing.assert_allclose(gates, moe.gate_proba(X), atol=1e-5)
    ordered = np.sort(expected, axis=1)
    sure = ordered[:, -1] - ordered[:, -2] > 1e-4
    np.testing.assert_array_equal(label[sure], moe.predict(X)[sure])


def test_mixed_columns_are_exported_with_values_that_nobody_draws():
    rng = np.random.default_rng(0)
    z = rng.random(300) < 0.5
    X = np.column_stack(
        [
            rng.poisson(np.where(z, 2.0, 9.0)),
            rng.gamma(np.where(z, 2.0, 8.0)),
            rng.integers(0, 3, 300) + z,
            rng.exponential(np.where(z, 1.0, 4.0)),
            rng.random(300) < np.where(z, 0.2, 0.6),
        ]
    )
    gate = MixedGate(families={0: "poisson", 2: "categorical", 3: "exponential"})
    y = np.where(z, X[:, 1], 3.0) + X[:, 3] + 0.5 * rng.standard_normal(300)
    moe = MoERegressor(2, gate=gate, **QUICK).fit(X, y)
    X[:5] = [
        [-1, 1, 1, 1, 0],
        [2.5, 1, 1, 1, 0],
        [2, -1, 7, 1, 0],
        [2, 1, 1, -1, 0],
        [2, 1, 1, 1, 3],
    ]
    proba = run(to_onnx(moe, dtype=np.float64), X, "gate")[0]
    np.testing.assert_allclose(proba, moe.gate_proba(X), atol=1e-10)


def test_hierarchies_are_exported(table):
    X, y = table
    tree = HierarchicalMoERegressor((2, 2), **QUICK).fit(X, y)
    predicted = run(to_onnx(tree), X, "variable")[0]
    np.testing.assert_allclose(predicted[:, 0], tree.predict(X), rtol=1e-5)
    classes = HierarchicalMoEClassifier((2, 2), **QUICK).fit(X, y > 500.0)
    proba = run(to_onnx(classes), X, "probabilities")[0]
    np.testing.assert_allclose(proba, classes.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize(
    "expert",
    ["laplace", "student_t", "skew_normal", "skew_t", GaussianExpert(features=[])],
    ids=str,
)
def test_regression_in_double_precision_agrees_to_rounding(table, expert):
    X, y = table
    moe = MoERegressor(2, expert=expert, **QUICK).fit(X, y)
    X = X.astype(np.float64)
    predicted = run(to_onnx(moe, dtype=np.float64), X, "variable")[0]
    np.testing.assert_allclose(predicted[:, 0], moe.predict(X), rtol=1e-12)


def test_penalised_and_relaxed_fits_are_exported(table):
    X, y = table
    expert, gate = GaussianExpert(penalty=Lasso(0.2)), SoftmaxGate(penalty=Lasso(0.02))
    moe = MoERegressor(2, expert=expert, gate=gate, **QUICK).fit(X, y)
    assert any((one.coef_ == 0.0).any() for one in moe.experts_)
    relaxed = path(X, y, estimator=moe, n_experts=2, alphas=[0.5, 0.2]).best_estimator_
    X = X.astype(np.float64)
    for fit in (moe, relaxed):
        predicted = run(to_onnx(fit, dtype=np.float64), X, "variable")[0]
        np.testing.assert_allclose(predicted[:, 0], fit.predict(X), rtol=1e-12)


@pytest.mark.parametrize("cls", [GaussianExpert, SkewNormalExpert, WeibullExpert])
def test_experts_without_intercepts_are_exported(table, cls):
    X, y = table
    y = np.abs(y) + 1.0
    moe = MoERegressor(2, expert=cls(fit_intercept=False), **QUICK).fit(X, y)
    predicted = run(to_onnx(moe, dtype=np.float64), X.astype(np.float64), "variable")[0]
    np.testing.assert_allclose(predicted[:, 0], moe.predict(X), rtol=1e-9)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-4), (np.float64, 1e-9)])
def test_long_tails_are_bent_in_the_graph(table, dtype, tolerance):
    X, y = table
    X = X.copy()
    X[:, 1] = np.random.default_rng(0).standard_cauchy(150)
    X[0, 2] = 9999.0
    moe = MoERegressor(2, gate="gaussian", **QUICK).fit(X, y)
    assert moe.gate_.feature_names_ == ("x0", "asinh(x1)", "asinh(x2)")
    X[1, 1] = 1e15
    proba = run(to_onnx(moe, dtype=dtype), X.astype(dtype), "gate")[0]
    np.testing.assert_allclose(proba, moe.gate_proba(X), atol=tolerance)


def test_unlike_experts_with_columns_of_their_own_are_exported(table):
    X, y = table
    experts = [("line", GaussianExpert(features=[2, 0])), ("level", GaussianExpert(features=[]))]
    moe = MoERegressor(2, expert=experts, **QUICK).fit(X, y)
    predicted = run(to_onnx(moe), X, "variable")[0]
    np.testing.assert_allclose(predicted[:, 0], moe.predict(X), rtol=1e-5)


def test_several_outputs_are_exported(table, rng):
    X, y = table
    moe = MoERegressor(2, **QUICK).fit(X, np.column_stack([y, rng.standard_normal(150)]))
    predicted = run(to_onnx(moe), X, "variable")[0]
    # The second output is near 0: compare on its scale.
    np.testing.assert_allclose(predicted, moe.predict(X), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "names", [["no", "yes"], [False, True], [0.0, 1.0], [-1, 4]], ids=lambda n: type(n[0]).__name__
)
def test_labels_come_back_as_they_were(table, names):
    X, y = table
    classes = np.array(names)[(y > 500.0).astype(int)]
    moe = MoEClassifier(2, expert="logistic", **QUICK).fit(X, classes)
    label = run(to_onnx(moe), X, "label")[0]
    assert (label == moe.predict(X)).mean() > 0.98


def test_search_is_exported_by_its_best_estimator(table):
    X, y = table
    search = GridSearchCV(MoERegressor(**QUICK), {"n_experts": [1]}, cv=2).fit(X, y)
    predicted = run(to_onnx(search), X, "variable")[0]
    np.testing.assert_allclose(predicted[:, 0], search.predict(X), rtol=1e-5)


def test_model_says_who_made_it_and_any_number_of_rows_will_do(table):
    X, y = table
    model = to_onnx(MoERegressor(2, gate="constant", **QUICK).fit(X, y))
    assert model.producer_name == "moe_classic"
    assert run(model, X[:1], "variable")[0].shape == (1, 1)


# ------------------------------------------------------------------------- refused


def test_transformer_inside_a_component_is_refused(table):
    moe = MoERegressor(1, expert=GaussianExpert(features=PolynomialFeatures(2))).fit(*table)
    with pytest.raises(TypeError, match="a transformer inside a component"):
        to_onnx(moe)


def test_estimator_as_expert_is_refused(table):
    moe = MoERegressor(1, expert=LinearRegression(), init="principal", n_init=1).fit(*table)
    with pytest.raises(TypeError, match="cannot export the expert"):
        to_onnx(moe)


def test_pipeline_without_skl2onnx_names_the_extra(table, monkeypatch):
    pipeline = make_pipeline(StandardScaler(), MoERegressor(1)).fit(*table)
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ImportError, match=r"package skl2onnx.*moe_classic\[onnx\]"):
        to_onnx(pipeline)


def test_columns_are_described_for_pipelines_only(table):
    with pytest.raises(ValueError, match="X describes the columns of a pipeline"):
        to_onnx(MoERegressor(1).fit(*table), X=table[0])


def test_blend_of_other_estimators_is_refused_with_advice(table):
    X, y = table
    blend = MetaPiRegressor(LinearRegression()).fit(X, y)
    with pytest.raises(TypeError, match="MetaPiRegressor blends estimators of scikit-learn"):
        to_onnx(blend)


def test_half_precision_is_refused(table):
    moe = MoERegressor(1).fit(*table)
    with pytest.raises(ValueError, match=r"must be numpy\.float32 or numpy\.float64"):
        to_onnx(moe, dtype=np.float16)


def test_missing_package_is_named_with_its_extra(table, monkeypatch):
    moe = MoERegressor(1).fit(*table)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"to_onnx needs the package onnx.*moe_classic\[onnx\]"):
        to_onnx(moe)
