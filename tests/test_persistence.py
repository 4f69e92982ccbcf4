"""Fitted estimators come back from disk as they were."""

import pickle
from importlib import import_module

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.preprocessing import PolynomialFeatures

from moe_classic import (
    BayesianMoEClassifier,
    BayesianMoERegressor,
    HardMoEClassifier,
    HardMoERegressor,
    HierarchicalMoEClassifier,
    HierarchicalMoERegressor,
    MetaPiClassifier,
    MetaPiRegressor,
    MoEClassifier,
    MoERegressor,
)
from moe_classic.experts import (
    CensoredExpert,
    GaussianExpert,
    StudentTExpert,
    TruncatedExpert,
)
from moe_classic.gates import SoftmaxGate
from moe_classic.gates._tree.gate import TreeGate
from moe_classic.penalties import ElasticNet, GroupLasso, Lasso
from moe_classic.persistence import trusted_types

QUICK = {"n_init": 1, "init": "kmeans", "tol": 1e-2, "random_state": 0}
MODELS = {
    "softmax": MoERegressor(2, **QUICK),
    "gaussian gate": MoERegressor(2, expert="laplace", gate="gaussian", **QUICK),
    "constant gate": MoERegressor(2, expert=StudentTExpert(), gate="constant", **QUICK),
    "tree": MoERegressor(4, gate=TreeGate((2, 2)), **QUICK),
    "features": MoERegressor(
        2, expert=GaussianExpert(features=PolynomialFeatures(2, include_bias=False)), **QUICK
    ),
    "unlike": MoERegressor(2, expert=[("a", "gaussian"), ("b", "laplace")], **QUICK),
    "background": MoERegressor(2, expert=["gaussian", "uniform"], **QUICK),
    "wrapped": MoERegressor(
        2, expert=CensoredExpert(TruncatedExpert(GaussianExpert(), low=-40.0)), **QUICK
    ),
    "estimator": MoERegressor(2, expert=LinearRegression(), **QUICK),
    "lasso": MoERegressor(
        2,
        expert=GaussianExpert(penalty=Lasso(0.05, weights=[1.0, 2.0])),
        gate=SoftmaxGate(penalty=ElasticNet(0.01)),
        **QUICK,
    ),
    "group lasso": MoERegressor(2, expert=StudentTExpert(penalty=GroupLasso(0.05)), **QUICK),
    "classes": MoEClassifier(2, **QUICK),
    "hierarchy": HierarchicalMoERegressor((2, 2), **QUICK),
    "hierarchy of classes": HierarchicalMoEClassifier((2, 2), **QUICK),
    "grown": HierarchicalMoERegressor("grow", max_leaves=3, random_state=0),
}
#: Systems without a likelihood, and the tables that a fit leaves.
BLENDS = {
    "bayes": (BayesianMoERegressor(3, n_init=1, random_state=0), "pruning_report_"),
    "bayes classes": (BayesianMoEClassifier(2, n_init=1, random_state=0), "pruning_report_"),
    "hard": (HardMoERegressor(2, max_iter=2, random_state=0), "history_"),
    "hard classes": (HardMoEClassifier(2, max_iter=2, random_state=0), "history_"),
    "meta-pi": (MetaPiRegressor(LinearRegression(), random_state=0), "source_table_"),
    "meta-pi classes": (MetaPiClassifier(LogisticRegression(), random_state=0), "source_table_"),
}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.uniform(-2.0, 2.0, (60, 2)), columns=["a", "b"])
    return X, np.where(X.a > 0.0, 3.0 * X.b, -X.a) + 0.3 * rng.standard_normal(60)


@pytest.fixture(scope="module", params=MODELS)
def fitted(request, table):
    X, y = table
    model = clone(MODELS[request.param])
    return model.fit(X, y > 0.0 if request.param.endswith("classes") else y)


def same(a, b, X):
    np.testing.assert_array_equal(a.predict(X), b.predict(X))
    np.testing.assert_array_equal(a.gate_proba(X), b.gate_proba(X))
    pd.testing.assert_frame_equal(a.summary(), b.summary())
    pd.testing.assert_frame_equal(a.start_report_, b.start_report_)
    assert a.log_likelihood_ == b.log_likelihood_
    assert list(a.feature_names_in_) == list(b.feature_names_in_)
    assert repr(a) == repr(b)


def test_trusted_types_are_enough_for_skops(fitted, table):
    sio = pytest.importorskip("skops.io", reason="needs skops, in the extra test")
    same(sio.loads(sio.dumps(fitted), trusted=trusted_types()), fitted, table[0])


def test_trusted_types_are_our_own_and_can_be_built():
    names = trusted_types()
    assert names == sorted(set(names))
    for name in names:
        module, _, item = name.rpartition(".")
        assert module.startswith("moe_classic.")
        assert isinstance(getattr(import_module(module), item), type)


def test_pickle_brings_everything_back(fitted, table):
    same(pickle.loads(pickle.dumps(fitted)), fitted, table[0])


def test_joblib_brings_everything_back(fitted, table, tmp_path):
    joblib.dump(fitted, tmp_path / "moe.joblib")
    same(joblib.load(tmp_path / "moe.joblib"), fitted, table[0])


def test_skops_brings_everything_back_trusting_this_package_alone(fitted, table):
    sio = pytest.importorskip("skops.io", reason="needs skops, in the extra test")
    data = sio.dumps(fitted)
    wanted = sio.get_untrusted_types(data=data)
    assert [name for name in wanted if not name.startswith("moe_classic.")] == []
    same(sio.loads(data, trusted=wanted), fitted, table[0])


@pytest.mark.parametrize("name", BLENDS)
def test_systems_without_a_likelihood_come_back_too(table, name):
    sio = pytest.importorskip("skops.io", reason="needs skops, in the extra test")
    model, attribute = BLENDS[name]
    X, y = table
    model.fit(X, y > 0.0 if name.endswith("classes") else y)
    data = sio.dumps(model)
    wanted = sio.get_untrusted_types(data=data)
    assert [kind for kind in wanted if not kind.startswith("moe_classic.")] == []
    for again in (sio.loads(data, trusted=wanted), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(again.predict(X), model.predict(X))
        np.testing.assert_array_equal(again.gate_proba(X), model.gate_proba(X))
        pd.testing.assert_frame_equal(getattr(again, attribute), getattr(model, attribute))


def test_grown_tree_keeps_its_history(table):
    sio = pytest.importorskip("skops.io", reason="needs skops, in the extra test")
    model = clone(MODELS["grown"]).fit(*table)
    data = sio.dumps(model)
    again = sio.loads(data, trusted=sio.get_untrusted_types(data=data))
    pd.testing.assert_frame_equal(again.growth_, model.growth_)


def test_model_that_came_back_can_be_fitted_again(fitted, table):
    X, y = table
    target = y > 0.0 if hasattr(fitted, "classes_") else y
    again = pickle.loads(pickle.dumps(fitted)).fit(X, target)
    same(again, fitted, X)


def test_a_table_with_levels_and_dates_comes_back(table):
    sio = pytest.importorskip("skops.io", reason="needs skops, in the extra test")
    X, y = table
    X = X.assign(
        city=np.where(X.b > 0.0, "Rome", "Oslo"),
        grade=pd.Categorical(np.where(X.b > 1.0, "high", "low")),
        day=pd.Timestamp("2020-01-01"),
        parts=[[i] for i in range(len(y))],
    )
    seen = ["a", "city", "grade"]
    gate = SoftmaxGate(features=seen)
    model = MoERegressor(2, expert=GaussianExpert(features=seen), gate=gate, **QUICK).fit(X, y)
    data = sio.dumps(model)
    assert set(sio.get_untrusted_types(data=data)) <= set(trusted_types())
    new = X.iloc[:5].assign(parts=None)
    for again in (sio.loads(data, trusted=trusted_types()), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(again.predict(X), model.predict(X))
        np.testing.assert_array_equal(again.predict(new), model.predict(new))
