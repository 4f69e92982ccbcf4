"""Columns called like parameters: every table says the same as under plain names."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression

from moe_classic import HierarchicalMoERegressor, MetaPiRegressor, MoEClassifier, MoERegressor
from moe_classic.inspection import CoefficientDisplay

PLAIN = ["a", "b", "c"]
#: Names of parameters, of kinds and of parts.
AWKWARD = [["intercept", "scale", "df"], ["share", "weight", "mean a"], ["slope", "expert", "gate"]]
FEW = {"n_init": 1, "max_iter": 30, "random_state": 0}
MODELS = {
    "student_t": MoERegressor(2, expert="student_t", **FEW),
    "gaussian gate": MoERegressor(2, gate="gaussian", **FEW),
    "tree": HierarchicalMoERegressor(branching=(2, 2), **FEW),
    "blend": MetaPiRegressor(LinearRegression(), random_state=0, max_iter=50),
    "classifier": MoEClassifier(2, **FEW),
}
every_model = pytest.mark.parametrize("name", MODELS)
every_naming = pytest.mark.parametrize("names", AWKWARD, ids=" ".join)


def data():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(400, 3))
    first = rng.random(400) < 1.0 / (1.0 + np.exp(-X[:, 0]))
    y = np.where(first, 1.0 + X @ [2.0, -1.0, 0.5], X @ [-1.0, 1.0, 0.0])
    return X, y + rng.standard_t(4.0, 400)


def fitted(name, names):
    X, y = data()
    frame = pd.DataFrame(X, columns=names)
    target = np.digitize(y, [-1.0, 1.0]) if name == "classifier" else y
    extra = {"sources": X[:, 0] > 0.0} if name == "blend" else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return clone(MODELS[name]).fit(frame, target, **extra), frame, target


@every_naming
@every_model
def test_summary_says_the_same_whatever_columns_are_called(name, names):
    plain, awkward = (fitted(name, n)[0].summary() for n in (PLAIN, names))
    assert awkward.index.is_unique
    np.testing.assert_allclose(awkward.to_numpy(), plain.to_numpy(), rtol=1e-9)
    kinds = [table.index.droplevel("term") for table in (plain, awkward)]
    assert list(kinds[0]) == list(kinds[1])


@every_naming
@pytest.mark.parametrize("name", [n for n in MODELS if n != "blend"])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_inference_says_the_same_whatever_columns_are_called(name, names):
    plain, awkward = (m.inference(X, y) for m, X, y in (fitted(name, n) for n in (PLAIN, names)))
    assert awkward.table.index.is_unique
    assert awkward.covariance.columns.is_unique
    for column in ("estimate", "std_error", "low"):
        np.testing.assert_allclose(awkward.table[column], plain.table[column], rtol=1e-6)
    assert list(awkward.table.note) == list(plain.table.note)
    parts = [r.table.index.droplevel("term") for r in (plain, awkward)]
    assert list(parts[0]) == list(parts[1])


@every_naming
@every_model
def test_explanations_have_a_column_for_every_feature(name, names):
    (plain, X, _), (awkward, Z, _) = fitted(name, PLAIN), fitted(name, names)
    expected, found = plain.explain(X[:20]), awkward.explain(Z[:20])
    assert found.columns.is_unique
    numbers = expected.columns.drop("equation")
    assert len(found.columns) == len(expected.columns)
    np.testing.assert_allclose(
        found.drop(columns="equation"), expected[numbers], rtol=1e-9, equal_nan=True
    )


def test_slopes_are_told_from_parameters_of_the_same_name():
    X, y = data()
    names = ["intercept", "scale", "c"]
    model = MoERegressor(1).fit(pd.DataFrame(X, columns=names), y)
    slopes = np.linalg.lstsq(np.column_stack([X, np.ones(len(y))]), y, rcond=None)[0]
    column = model.summary()["expert 1"]
    assert column["expert", "intercept", "intercept"] == pytest.approx(slopes[3], rel=1e-9)
    assert column["expert", "slope", "intercept"] == pytest.approx(slopes[0], rel=1e-9)
    assert column["expert", "slope", "scale"] == pytest.approx(slopes[1], rel=1e-9)
    residuals = y - X @ slopes[:3] - slopes[3]
    spread = np.sqrt(np.mean(residuals**2))
    assert column["expert", "scale", "scale"] == pytest.approx(spread, rel=1e-9)


def test_displays_and_cards_tell_slopes_from_parameters():
    X, y = data()
    frame = pd.DataFrame(X, columns=["intercept", "scale", "c"])
    model = MoERegressor(1).fit(frame, y)
    slopes = CoefficientDisplay.from_estimator(model, frame, y)
    told = ["slope intercept", "slope scale", "c"]
    assert list(slopes.table.term) == told
    np.testing.assert_allclose(slopes.table.estimate, model.experts_[0].coef_, rtol=1e-9)
    both = CoefficientDisplay.from_estimator(model, frame, y, terms=["scale"])
    assert sorted(both.table.term) == ["scale", "slope scale"]
    html = model._repr_html_()
    assert all(f">{name}<" in html for name in (*told, "intercept", "scale"))


def test_scaled_displays_take_the_spread_of_the_column():
    X, y = data()
    frame = pd.DataFrame(X * [10.0, 3.0, 1.0], columns=["intercept", "scale", "c"])
    model = MoERegressor(1).fit(frame, y)
    shown = CoefficientDisplay.from_estimator(model, frame, y, scale=frame.std())
    expected = model.experts_[0].coef_ * frame.std().to_numpy()
    np.testing.assert_allclose(shown.table.estimate, expected, rtol=1e-9)


def test_experts_are_ordered_by_the_parameter_of_a_name():
    X, y = data()
    frame = pd.DataFrame(X, columns=["scale", "b", "c"])
    model = MoERegressor(2, order_by="scale", **FEW)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        scales = [expert.scale_ for expert in model.fit(frame, y).experts_]
    assert scales == sorted(scales)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_sentences_name_the_slope_of_a_column_called_like_a_parameter():
    X, y = data()
    frame = pd.DataFrame(np.column_stack([X[:, 0], np.ones(len(y))]), columns=["x", "scale"])
    result = MoERegressor(1).fit(frame, y).inference(frame, y)
    assert any("expert 1 slope scale: the feature is constant" in s for s in result.warnings)


def test_columns_of_a_target_name_the_outputs():
    X, y = data()
    Y = pd.DataFrame({"height": y, "weight": -y + X[:, 1]})
    model = MoERegressor(2, **FEW)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, Y)
    parts = list(model.summary().index.unique("part"))
    assert parts == ["mixture", "expert: height", "expert: weight", "gate"]
    table = model.explain(X[:3])
    assert list(table.index.unique("output")) == ["height", "weight"]
    line = table.xs(("blend", "height"), level=("expert", "output"))
    np.testing.assert_allclose(line.prediction, model.predict(X[:3])[:, 0], rtol=1e-12)
    assert line.equation.str.startswith("height = ").all()


def test_a_target_of_one_column_is_called_after_it():
    X, y = data()
    model = MoERegressor(1).fit(X, pd.DataFrame({"price": y}))
    assert model.explain(X[:1]).equation.str.startswith("price = ").all()
