"""Gate probabilities as features."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from moe_classic import (
    HardMoERegressor,
    HierarchicalMoERegressor,
    MetaPiClassifier,
    MetaPiRegressor,
    MoEClassifier,
    MoERegressor,
)

QUICK = {"n_init": 1, "init": "kmeans", "tol": 1e-2, "random_state": 0}
MODELS = {
    "flat": MoERegressor(2, **QUICK),
    "classes": MoEClassifier(2, **QUICK),
    "tree": HierarchicalMoERegressor((2, 2), **QUICK),
    "named": MoERegressor(2, expert=[("a line", "gaussian"), ("b line", "laplace")], **QUICK),
    "blend": MetaPiRegressor([("ols", LinearRegression()), ("twice", LinearRegression())]),
    "hard": HardMoERegressor(2, expert=LinearRegression(), max_iter=1, random_state=0),
}
NAMES = {"named": ["a line", "b line"], "blend": ["ols", "twice"]}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.uniform(-2.0, 2.0, (120, 2)), columns=["a", "b"])
    return X, np.where(X.a > 0.0, 3.0 * X.b, -X.a) + 0.3 * rng.standard_normal(120)


@pytest.mark.parametrize("name", MODELS)
def test_features_are_the_gate_probabilities_under_the_names_of_the_experts(table, name):
    X, y = table
    model = MODELS[name].fit(X, y > 0.0 if name == "classes" else y)
    np.testing.assert_array_equal(model.transform(X), model.gate_proba(X))
    count = model.transform(X).shape[1]
    expected = NAMES.get(name, [f"expert {k + 1}" for k in range(count)])
    assert list(model.get_feature_names_out()) == expected


def test_frames_come_out_when_asked_for(table):
    X, y = table
    model = MoERegressor(2, **QUICK).set_output(transform="pandas").fit(X, y)
    found = model.transform(X)
    assert list(found.columns) == ["expert 1", "expert 2"]
    assert found.index.equals(X.index)
    pd.testing.assert_frame_equal(found, model.fit_transform(X, y))


def test_other_columns_than_those_of_the_fit_are_refused(table):
    model = MoERegressor(2, **QUICK).fit(*table)
    with pytest.raises(ValueError, match="input_features is not equal to feature_names_in_"):
        model.get_feature_names_out(["b", "a"])


def test_regimes_help_a_linear_model_in_a_pipeline(table):
    X, y = table
    regimes = make_pipeline(StandardScaler(), MoERegressor(2, gate="gaussian", **QUICK))
    both = FeatureUnion([("rows", FunctionTransformer()), ("regimes", regimes)])
    plain = cross_val_score(LinearRegression(), X, y, cv=3).mean()
    assert cross_val_score(make_pipeline(both, LinearRegression()), X, y, cv=3).mean() > plain


def test_searches_and_blends_pass_sources_through_fit_transform(rng):
    X = rng.standard_normal((90, 2))
    sources = np.repeat([0, 1, 2], 30)
    y = X[:, 0] * np.array([1.0, -1.0, 0.5])[sources] > 0.0
    model = MetaPiClassifier(LogisticRegression(), random_state=0)
    found = model.fit_transform(X, y, sources=sources)
    np.testing.assert_array_equal(found, model.gate_proba(X))
