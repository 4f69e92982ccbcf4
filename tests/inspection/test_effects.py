"""Average marginal effects: closed forms, statsmodels, refitted predictions, a bootstrap."""

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from sklearn.base import clone

from moe_classic import HardMoERegressor, MoEClassifier, MoERegressor
from moe_classic.experts import GaussianExpert, LogisticExpert
from moe_classic.inference import inference
from moe_classic.inspection import marginal_effects, predictions_at


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 2))
    X[:, 1] = X[:, 1] > 0.3
    first = rng.random(400) < 1.0 / (1.0 + np.exp(-2.0 * X[:, 0]))
    y = np.where(first, 1.0 + 2.0 * X[:, 0], -X[:, 0] + 0.5 * X[:, 1])
    return X, y + 0.3 * rng.standard_normal(400)


@pytest.fixture(scope="module")
def moe(rows):
    return MoERegressor(2, n_init=3, random_state=0, tol=1e-10).fit(*rows)


def test_effects_of_one_line_are_its_slopes(rows):
    X, y = rows
    moe = MoERegressor(1, expert=GaussianExpert(alpha=0.0)).fit(X, y)
    effects, table = marginal_effects(moe, X, y), inference(moe, X, y).table
    slopes = table.xs("slope", level="kind")
    for column in ("estimate", "std_error", "low", "high"):
        np.testing.assert_allclose(effects[column], slopes[column], rtol=1e-6)


def test_effects_of_one_logit_are_those_of_statsmodels(rows):
    X, y = rows
    labels = (y > np.median(y)).astype(int)
    moe = MoEClassifier(1, expert=LogisticExpert(alpha=0.0)).fit(X, labels)
    other = sm.Logit(labels, sm.add_constant(X)).fit(disp=0).get_margeff(dummy=True)
    mine = marginal_effects(moe, X, labels).xs("1", level="answer")
    np.testing.assert_allclose(mine["estimate"], other.margeff, rtol=1e-5)
    np.testing.assert_allclose(mine["std_error"], other.margeff_se, rtol=1e-4)


def test_effect_is_the_slope_of_the_predictions(moe, rows):
    X, y = rows
    effects = marginal_effects(moe, X, y)["estimate"]
    step = np.array([1e-5, 0.0])
    slope = (moe.predict(X + step) - moe.predict(X - step)).mean() / 2e-5
    np.testing.assert_allclose(effects["x0", "y"], slope, rtol=1e-5)
    low, high = (np.column_stack([X[:, 0], np.full(len(X), v)]) for v in (0.0, 1.0))
    change = (moe.predict(high) - moe.predict(low)).mean()
    np.testing.assert_allclose(effects["x1", "y"], change, rtol=1e-10)


def _answers(moe, X, of):
    """What effects are averages of, one column an answer."""
    if isinstance(of, float):
        return moe.predict_quantile(X, of)[:, None]
    return moe.gate_proba(X) if of == "gate" else moe.predict(X)[:, None]


@pytest.mark.parametrize("of", ["mean", "gate", 0.9])
def test_effect_is_the_slope_of_refitted_predictions(moe, rows, of):
    """Rows moved by h, refitted: what is said of the rows where they were is said h before."""
    (X, y), step = rows, np.array([1e-2, 0.0])
    effects = marginal_effects(moe, X, y, of=of)["estimate"]
    up, down = (_answers(clone(moe).fit(X + s, y), X, of) for s in (-step, step))
    np.testing.assert_allclose(effects["x0"], (up - down).mean(axis=0) / 2e-2, rtol=1e-3)
    # A feature with two values, counted from the other one.
    turned = clone(moe).fit(np.column_stack([X[:, 0], 1.0 - X[:, 1]]), y)
    high, low = (np.column_stack([X[:, 0], np.full(len(X), v)]) for v in (0.0, 1.0))
    change = (_answers(turned, high, of) - _answers(turned, low, of)).mean(axis=0)
    np.testing.assert_allclose(effects["x1"], change, rtol=1e-3)


def test_contrasts_are_differences_between_experts(moe, rows):
    """Of lines: differences of slopes, with the error that their covariance gives."""
    found = inference(moe, *rows)
    effects = marginal_effects(moe, *rows, of="contrasts").loc["x0", "expert 1 - expert 2"]
    one, two = (("expert", f"expert {k}", "slope", "x0") for k in (1, 2))
    expected = found.delta(lambda table: table[one] - table[two]).iloc[0]
    np.testing.assert_allclose(effects["estimate"], expected["estimate"], rtol=1e-6)
    np.testing.assert_allclose(effects["std_error"], expected["std_error"], rtol=1e-4)
    # Where the lines cross they say the same.
    lines = found.table.loc["expert"].estimate.unstack(["kind", "term"])
    at = {
        1: [0.0],
        0: [-np.diff(lines["intercept"], axis=0)[0, 0] / np.diff(lines["slope", "x0"])[0]],
    }
    crossed = predictions_at(moe, *rows, at, of="contrasts")
    np.testing.assert_allclose(crossed["estimate"], 0.0, atol=1e-8)
    alone = MoERegressor(1).fit(*rows)
    with pytest.raises(ValueError, match="compares experts"):
        marginal_effects(alone, *rows, of="contrasts")


@pytest.mark.parametrize("of", ["mean", "gate", 0.9])
def test_effects_of_a_feature_in_other_units(moe, rows, of):
    X, y = rows
    tenfold = X * [10.0, 1.0]
    other = marginal_effects(clone(moe).fit(tenfold, y), tenfold, y, of=of, features=[0])
    mine = marginal_effects(moe, X, y, of=of, features=[0])
    for column in ("estimate", "std_error"):
        np.testing.assert_allclose(other[column], mine[column] / 10.0, rtol=1e-3)


def test_effects_on_the_gate_add_up_to_zero(moe, rows):
    effects = marginal_effects(moe, *rows, of="gate")["estimate"].unstack("answer")
    np.testing.assert_allclose(effects.sum(axis=1), 0.0, atol=1e-10)
    assert list(effects.columns) == ["expert 1", "expert 2"]


def test_effects_on_experts_are_their_slopes(moe, rows):
    effects = marginal_effects(moe, *rows, of="experts")
    slopes = inference(moe, *rows).table.loc["expert"].xs("slope", level="kind")
    for label in ("expert 1", "expert 2"):
        mine = effects.xs(label, level="answer")
        np.testing.assert_allclose(mine["estimate"], slopes.loc[label, "estimate"], rtol=1e-6)
        np.testing.assert_allclose(mine["std_error"], slopes.loc[label, "std_error"], rtol=1e-4)


def test_delta_method_and_bootstrap_agree(moe, rows):
    options = {"kind": "bootstrap", "n_bootstrap": 60, "random_state": 0}
    for of in ("mean", "gate", 0.9):
        delta = marginal_effects(moe, *rows, of=of, features=[0])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            drawn = marginal_effects(moe, *rows, of=of, features=[0], **options)
        np.testing.assert_allclose(delta["estimate"], drawn["estimate"])
        # 60 draws know a standard error to some 10 %; rows are drawn, not only parameters.
        np.testing.assert_allclose(delta["std_error"], drawn["std_error"], rtol=0.35)


def test_names_held_values_and_weights(rows):
    X, y = rows
    frame = pd.DataFrame(X, columns=["age", "sex"])
    moe = MoERegressor(2, n_init=2, random_state=0).fit(frame, y)
    effects = marginal_effects(moe, frame, y, features=["age"], at={"sex": 1.0})
    held, step = frame.assign(sex=1.0), 1e-5
    up, down = (moe.predict(held.assign(age=held["age"] + s)) for s in (step, -step))
    np.testing.assert_allclose(effects["estimate"], (up - down).mean() / (2 * step), rtol=1e-5)
    w = np.arange(len(y)) % 3 + 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        weighed = marginal_effects(moe, frame, y, features=["age"], sample_weight=w)
        repeated = marginal_effects(
            moe,
            frame.loc[np.repeat(frame.index, w.astype(int))],
            np.repeat(y, w.astype(int)),
            features=["age"],
        )
    columns = ["estimate", "std_error", "low", "high"]
    np.testing.assert_allclose(weighed[columns], repeated[columns], rtol=1e-6)


def test_predictions_at_values_are_averages(rows):
    X, y = rows
    frame = pd.DataFrame(X, columns=["age", "sex"])
    moe = MoERegressor(2, n_init=2, random_state=0).fit(frame, y)
    table = predictions_at(moe, frame, y, {"sex": [0.0, 1.0], "age": [-1.0, 0.0, 1.0]})
    assert table.index.names == ["sex", "age", "answer"]
    assert len(table) == 6
    said = moe.predict(frame.assign(sex=1.0, age=-1.0)).mean()
    np.testing.assert_allclose(table.loc[(1.0, -1.0, "y"), "estimate"], said)
    assert (table["std_error"] > 0.0).all()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"of": "median"}, ValueError, "must be one of"),
        ({"of": 1.5}, ValueError, "strictly between 0 and 1"),
        ({"features": ["z"]}, ValueError, "feature 'z' is not there"),
        ({"features": [7]}, ValueError, "feature 7 is not there"),
        ({"at": {"z": 1.0}}, ValueError, "feature 'z' is not there"),
    ],
)
def test_what_is_not_there_is_refused(moe, rows, options, error, message):
    with pytest.raises(error, match=message):
        marginal_effects(moe, *rows, **options)


def test_other_estimators_are_refused(rows):
    X, y = rows
    with pytest.raises(TypeError, match="have a likelihood"):
        marginal_effects(HardMoERegressor(2, random_state=0).fit(X, y), X, y)
    labels = (y > np.median(y)).astype(int)
    moe = MoEClassifier(1).fit(X, labels)
    with pytest.raises(ValueError, match="no quantiles"):
        marginal_effects(moe, X, labels, of=0.5)
    with pytest.raises(TypeError, match="must be a dict"):
        predictions_at(moe, X, labels, [0, 1])
