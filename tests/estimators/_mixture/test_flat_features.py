"""Which features gate and experts see."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import log_softmax
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import PolynomialFeatures, SplineTransformer, StandardScaler

from moe_classic.datasets import make_moe
from moe_classic.experts import GaussianExpert
from moe_classic.gates import GaussianGate, SoftmaxGate

from .models import regressor


@pytest.fixture(scope="module")
def frame():
    X, y = make_moe(150, n_features=3, random_state=2)
    return pd.DataFrame(X, columns=["age", "dose", "time"]), y


@pytest.mark.parametrize(
    "features", [["dose"], [1], [-2], np.array([1]), [False, True, False], pd.Index(["dose"])]
)
def test_features_may_be_names_numbers_or_a_mask(frame, features):
    X, y = frame
    gate = SoftmaxGate(features=features)
    model = regressor(expert=GaussianExpert(features=features), gate=gate).fit(X, y)
    assert model.gate_.feature_names_ == model.experts_[0].feature_names_ == ("dose",)
    alone = regressor().fit(X[["dose"]], y)
    # Rows are put in another order inside, and tol is 1e-6 nats a row.
    np.testing.assert_allclose(model.predict(X), alone.predict(X[["dose"]]), atol=1e-3)


def test_gate_and_experts_may_see_different_features(frame):
    X, y = frame
    model = regressor(expert=GaussianExpert(features=["age"]), gate=GaussianGate(features=[2]))
    model.fit(X, y)
    assert model.experts_[0].feature_names_ == ("age",)
    assert model.gate_.feature_names_ == ("time",)
    moved = X.assign(dose=X["dose"] + 5.0)
    np.testing.assert_array_equal(model.predict(X), model.predict(moved))
    moved = X.assign(age=X["age"] + 5.0)
    np.testing.assert_array_equal(model.gate_proba(X), model.gate_proba(moved))
    assert not np.allclose(model.predict(X), model.predict(moved))


def test_experts_without_features_are_constants(tone):
    X, y = tone
    model = regressor(expert=GaussianExpert(features=[])).fit(X, y)
    assert [e.coef_.shape for e in model.experts_] == [(0,), (0,)]
    levels = [e.intercept_ for e in model.experts_]
    np.testing.assert_allclose(model.expert_predictions(X), np.tile(levels, (150, 1)))
    R = model.responsibilities(X, y)
    # M-step: levels are weighted means; tol leaves some 1e-4
    np.testing.assert_allclose(levels, R.T @ y / R.sum(axis=0), atol=1e-3)


def test_gate_without_features_is_a_constant_gate(real):
    X, y = real
    blind = regressor(3, gate=SoftmaxGate(features=[]), n_init=6).fit(X, y)
    constant = regressor(3, gate="constant", n_init=6).fit(X, y)
    # tol is 1e-6 nats a row
    assert blind.log_likelihood_ == pytest.approx(constant.log_likelihood_, abs=1e-3)
    np.testing.assert_allclose(blind.gate_proba(X), constant.gate_proba(X), atol=1e-2)


TRANSFORMERS = {
    "polynomials": PolynomialFeatures(2, include_bias=False),
    "splines": SplineTransformer(4, degree=2, include_bias=False),
    "columns": ColumnTransformer([("scaled", StandardScaler(), ["age"])], remainder="drop"),
}


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_features_may_come_from_a_transformer(frame, name):
    X, y = frame
    transformer = TRANSFORMERS[name]
    before = dict(vars(transformer))
    model = regressor(1, expert=GaussianExpert(features=transformer)).fit(X, y)
    assert vars(transformer) == before, "the user's transformer is cloned"
    design = np.column_stack([np.ones(len(y)), transformer.fit_transform(X)])
    least_squares = design @ np.linalg.lstsq(design, y, rcond=None)[0]
    np.testing.assert_allclose(model.predict(X), least_squares, rtol=1e-7, atol=1e-8)
    names = tuple(transformer.get_feature_names_out())
    assert model.experts_[0].feature_names_ == names


def test_transformer_of_the_gate_is_fitted_inside(frame):
    X, y = frame
    model = regressor(gate=SoftmaxGate(features=PolynomialFeatures(2, include_bias=False)))
    model.fit(X[["age"]], y)
    Z = np.column_stack([X["age"], X["age"] ** 2])
    expected = np.exp(log_softmax(Z @ model.gate_.coef_.T + model.gate_.intercept_, axis=1))
    np.testing.assert_allclose(model.gate_proba(X[["age"]]), expected, atol=1e-8)


@pytest.mark.parametrize(
    ("features", "error", "message"),
    [
        (["weight"], ValueError, "names 'weight', which is not a column of X; X has 3 columns"),
        ([3], ValueError, "names 3, which is not a column"),
        ([0, 0], ValueError, "names a column twice"),
        (["age", 0], ValueError, "names a column twice"),
        ("age", TypeError, "must be None, a list of column names or indices, or a transformer"),
        (1, TypeError, "must be None, a list"),
    ],
    ids=str,
)
@pytest.mark.parametrize("part", ["gate", "expert"])
def test_features_that_are_not_there_are_named(frame, features, error, message, part):
    component = {"gate": SoftmaxGate, "expert": GaussianExpert}[part](features=features)
    with pytest.raises(error, match=f"{type(component).__name__}: features=.*{message}"):
        regressor(**{part: component}).fit(*frame)
