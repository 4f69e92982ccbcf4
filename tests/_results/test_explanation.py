"""Predictions explained row by row."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.preprocessing import PolynomialFeatures

from moe_classic import MoEClassifier, MoERegressor
from moe_classic._results.explanation import Explanation, _Lines, _texts, equation
from moe_classic.experts import GaussianExpert, PoissonExpert


@pytest.fixture(scope="module")
def plane():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        rng.uniform(-2.0, 2.0, (80, 2)), columns=["weight", "height"], index=np.arange(100, 180)
    )
    y = np.where(X.weight > 0.0, 50.0 + 3.0 * X.height, -X.weight) + 0.3 * rng.standard_normal(80)
    return X, y


@pytest.fixture(scope="module")
def moe(plane):
    return MoERegressor(2, n_init=2, random_state=0).fit(*plane)


def value_of(text, row):
    """Number that an equation in a table gives at a row of features."""
    right = text.split(" = ")[1]
    value = float(right.split()[0])
    for sign, number, name in re.findall(r"([+-]) (\S+) (\w+)", right):
        value += float(sign + number) * row[name]
    return value


def test_equations_of_experts_give_their_predictions(plane, moe):
    X, _ = plane
    table = moe.explain(X)
    own = moe.expert_predictions(X)
    for k in range(2):
        lines = table.xs(f"expert {k + 1}", level="expert")
        fit = lines.intercept + (lines[["coef weight", "coef height"]].to_numpy() * X).sum(axis=1)
        np.testing.assert_allclose(fit, own[:, k], rtol=1e-10)
        np.testing.assert_allclose(lines.prediction, own[:, k], rtol=1e-12)


def test_blend_gives_the_prediction_of_the_mixture(plane, moe):
    X, _ = plane
    blend = moe.explain(X).xs("blend", level="expert")
    fit = blend.intercept + (blend[["coef weight", "coef height"]].to_numpy() * X).sum(axis=1)
    np.testing.assert_allclose(fit, moe.predict(X), rtol=1e-9)
    np.testing.assert_array_equal(blend.weight, 1.0)


def test_texts_say_the_same_as_the_numbers(plane, moe):
    X, _ = plane
    table = moe.explain(X[:10])
    for (row, _), line in table.iterrows():
        # Four digits of numbers up to 50 are good for 0.01 or so.
        assert value_of(line.equation, X.loc[row]) == pytest.approx(line.prediction, abs=0.05)


def test_rows_keep_their_index_and_experts_stand_by_falling_weight(plane, moe):
    X, _ = plane
    table = moe.explain(X[:5])
    assert table.index.names == ["row", "expert"]
    for row in X.index[:5]:
        mine = table.loc[row]
        assert mine.index[-1] == "blend"
        assert (np.diff(mine.weight[:-1]) <= 0.0).all()
        assert mine.weight[:-1].sum() == pytest.approx(1.0)


def test_experts_of_little_weight_are_left_out_but_blended(plane, moe):
    X, _ = plane
    table = moe.explain(X, min_weight=0.9)
    gate = moe.gate_proba(X)
    kept = table.drop(index="blend", level="expert")
    assert len(kept) == np.maximum((gate >= 0.9).sum(axis=1), 1).sum()
    whole = moe.explain(X).xs("blend", level="expert")
    pd.testing.assert_frame_equal(table.xs("blend", level="expert"), whole)


def test_outputs_have_a_line_each(rng):
    X = rng.standard_normal((40, 1))
    y = np.hstack([X, 2.0 - X]) + 0.1 * rng.standard_normal((40, 2))
    moe = MoERegressor(1).fit(X, y)
    table = moe.explain(X)
    assert table.index.names == ["row", "expert", "output"]
    predicted = table.xs("blend", level="expert").prediction.to_numpy().reshape(-1, 2)
    np.testing.assert_allclose(predicted, moe.predict(X))


def test_classes_are_explained_by_log_odds_against_the_last(plane):
    X, y = plane
    classes = np.where(y > 50.0, "high", np.where(y > 1.0, "middle", "low"))
    moe = MoEClassifier(2, n_init=1, random_state=0).fit(X, classes)
    table = moe.explain(X[:6])
    own = moe.expert_predictions(X[:6])
    for k in range(2):
        lines = table.xs((f"expert {k + 1}", "high"), level=("expert", "class"))
        odds = lines.intercept + (lines[["coef weight", "coef height"]].to_numpy() * X[:6]).sum(
            axis=1
        )
        np.testing.assert_allclose(odds, np.log(own[:, k, 0] / own[:, k, 2]), rtol=1e-8)
        assert lines.equation.str.startswith("log P(high) / P(middle) = ").all()
    blend = table.xs("blend", level="expert")
    np.testing.assert_allclose(blend.prediction, moe.predict_proba(X[:6])[:, :2].ravel())
    assert blend.intercept.isna().all()
    assert blend.equation.iloc[0].startswith("P(high) = ")


def test_experts_that_see_other_features_have_zeros_elsewhere(plane):
    X, y = plane
    experts = [
        ("line", GaussianExpert(features=["height"])),
        ("curve", GaussianExpert(features=PolynomialFeatures(2, include_bias=False))),
    ]
    moe = MoERegressor(2, expert=experts, n_init=1, random_state=0).fit(X, y)
    table = moe.explain(X)
    line = table.xs("line", level="expert")
    assert (line["coef weight"] == 0.0).all()
    assert not line.equation.str.contains("weight").any()
    seen = PolynomialFeatures(2, include_bias=False).set_output(transform="pandas").fit_transform(X)
    curve = table.xs("curve", level="expert")
    coef = curve[[f"coef {c}" for c in seen.columns]].to_numpy()
    np.testing.assert_allclose(curve.intercept + (coef * seen).sum(axis=1), curve.prediction)


def test_estimators_as_experts_have_no_equation(plane):
    X, y = plane
    forest = RandomForestRegressor(5, max_depth=2, random_state=0)
    moe = MoERegressor(1, expert=forest, init="principal", n_init=1, random_state=0).fit(X, y)
    table = moe.explain(X[:3])
    assert table.xs("expert 1", level="expert").intercept.isna().all()
    assert (table.xs("expert 1", level="expert").equation == "y = RandomForestRegressor(x)").all()


def test_equation_leaves_out_what_is_exactly_zero():
    assert equation(1.5, [("a", -2.0), ("b", 0.0), ("c", 1234.56)]) == "1.5 - 2 a + 1235 c"


@pytest.mark.parametrize("bad", [-0.1, 1.0])
def test_least_weight_outside_its_range_is_refused(plane, moe, bad):
    with pytest.raises(ValueError, match="min_weight="):
        moe.explain(plane[0], min_weight=bad)


def test_equations_that_differ_from_row_to_row_are_each_written():
    rng = np.random.default_rng(0)
    lines = _Lines(
        row=np.repeat(np.arange(3), 2),
        expert=np.tile([0, 1], 3),
        weight=np.ones(6),
        prediction=np.zeros((6, 1)),
        intercept=np.array([[1.0], [2.0], [1.0], [np.nan], [-3.0], [0.5]]),
        coef=np.array([1.0, 0.0, 1.0, 2.0, -1.5, 4.0]).reshape(6, 1, 1),
    )
    one = rng.normal(size=(3, 1, 1))
    told = Explanation(
        pd.RangeIndex(3),
        ["a"],
        np.ones((3, 1)),
        ["50%"],
        one[:1, :, :, None],
        one[:1],
        one,
        one[0],
        ["y"],
        "",
        ["y"],
        ["y"],
        ["f(x)"],
    )
    assert _texts(told, lines) == [
        "y = 1 + 1 50%",
        "y = 2",
        "y = 1 + 1 50%",
        "y = 1 a",
        "y = -3 - 1.5 50%",
        "y = 0.5 + 4 50%",
    ]


@pytest.mark.parametrize(
    ("options", "end"),
    [({"exposure": "years"}, " + log years"), ({"offset": 1}, " + years"), ({}, "")],
)
def test_equations_end_with_what_is_added_as_it_is(options, end):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"age": rng.normal(size=200), "years": rng.uniform(0.5, 2.0, 200)})
    y = rng.poisson(X.years * np.exp(0.5 + np.abs(X.age)))
    moe = MoERegressor(2, expert=PoissonExpert(**options), n_init=1, random_state=0).fit(X, y)
    table = moe.explain(X[:1]).drop(index="blend", level="expert")
    assert table.equation.str.endswith(end or "years").all()
    added = {" + log years": np.log(X.years[0]), " + years": X.years[0], "": 0.0}[end]
    # What the text says is what is predicted.
    predictor = table.intercept + table["coef age"] * X.age[0] + added
    predictor += table["coef years"] * X.years[0] if not options else 0.0
    np.testing.assert_allclose(np.exp(predictor), table.prediction, rtol=1e-9)
