"""Average effects of columns of levels, of tables of polars, and behind pipelines."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from moe_classic import MoEClassifier, MoERegressor
from moe_classic.experts import GaussianExpert
from moe_classic.inference import inference, influence
from moe_classic.inspection import marginal_effects, predictions_at, report
from moe_classic.pipeline import MoEPipeline
from moe_classic.preprocessing import TableEncoder


@pytest.fixture(scope="module")
def table():
    """A table with levels, flags, nullable integers, dates and notes, and a target."""
    rng = np.random.default_rng(3)
    n = 300
    city = rng.choice(["Rome", "Oslo", "Lima"], n)
    frame = pd.DataFrame(
        {
            "age": rng.normal(40.0, 10.0, n),
            "city": pd.Categorical(city, ["Rome", "Oslo", "Lima"]),
            "member": rng.random(n) < 0.5,
            "visits": pd.array(rng.integers(0, 5, n), dtype="Int64"),
            "note": [f"{mood} {i}" for i, mood in enumerate(rng.choice(["happy", "sad"], n))],
            "seen": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 99, n), "D"),
        }
    )
    effect = pd.Series(city).map({"Rome": 0.0, "Oslo": 1.0, "Lima": -2.0}).to_numpy()
    y = 0.1 * frame["age"].to_numpy() + effect + 0.5 * frame["member"].to_numpy()
    return frame, y + 0.3 * rng.standard_normal(n)


SEEN = ["age", "city", "member", "visits"]


@pytest.fixture(scope="module")
def line(table):
    X, y = table
    return MoERegressor(1, expert=GaussianExpert(alpha=0.0)).fit(X[SEEN], y)


def test_effects_of_levels_are_differences_from_the_first(table, line):
    X, y = table
    effects = marginal_effects(line, X[SEEN], y)
    features = effects.index.get_level_values("feature").tolist()
    assert features == ["age", "city[Oslo]", "city[Lima]", "member", "visits"]
    slopes = inference(line, X[SEEN], y).table.xs("slope", level="kind")
    for column in ("estimate", "std_error", "low", "high"):
        np.testing.assert_allclose(effects[column], slopes[column], rtol=1e-5)


def test_effects_of_levels_are_changes_of_the_predictions(table):
    X, y = table
    moe = MoERegressor(2, gate="constant", n_init=2, random_state=0).fit(X[SEEN], y)
    found = marginal_effects(moe, X[SEEN], y, features=["city"], of="mean")["estimate"]
    means = [
        moe.predict(X[SEEN].assign(city=pd.Categorical([c] * 300, ["Rome", "Oslo", "Lima"]))).mean()
        for c in ("Rome", "Oslo", "Lima")
    ]
    np.testing.assert_allclose(found.to_numpy(), np.subtract(means[1:], means[0]), rtol=1e-8)


def test_predictions_at_levels(table, line):
    X, y = table
    found = predictions_at(line, X[SEEN], y, {"city": ["Rome", "Lima"], "age": 30})
    assert found.index.names == ["city", "age", "answer"]
    a, b = found["estimate"]
    slope = line.experts_[0].coef_[2]
    assert b - a == pytest.approx(slope, rel=1e-8)
    held = marginal_effects(line, X[SEEN], y, features=["age"], at={"city": "Oslo"})
    assert held["estimate"].iloc[0] == pytest.approx(line.experts_[0].coef_[0], rel=1e-6)


def test_columns_in_another_order_and_of_polars(table, line):
    pl = pytest.importorskip("polars")
    X, y = table
    expected = marginal_effects(line, X[SEEN], y)
    other = marginal_effects(line, X[SEEN[::-1]], y)
    pd.testing.assert_frame_equal(expected, other)
    plain = X[SEEN].astype({"visits": int, "city": str})
    fitted = MoERegressor(1, expert=GaussianExpert(alpha=0.0)).fit(pl.DataFrame(plain), y)
    found = marginal_effects(fitted, pl.DataFrame(plain), y, features=["age", "member"])
    both = expected.loc[["age", "member"]]
    np.testing.assert_allclose(found["estimate"], both["estimate"], rtol=1e-5)


def test_text_and_dates_have_no_effects(table):
    X, y = table
    seen = make_column_transformer(
        (TfidfVectorizer(vocabulary=["happy"]), "note"), ("passthrough", ["age"])
    )
    moe = MoERegressor(
        1, gate="constant", expert=GaussianExpert(alpha=1e-3, features=["age", "city"])
    ).fit(X, y)
    features = marginal_effects(moe, X, y).index.get_level_values("feature")
    assert "note" not in features
    assert "seen" not in features
    with pytest.raises(ValueError, match="'note' has 300 different values"):
        marginal_effects(moe, X, y, features=["note"])
    with pytest.raises(TypeError, match="'seen' holds dates"):
        marginal_effects(moe, X, y, features=["seen"])
    with pytest.raises(ValueError, match=r"'city' is to be 'Paris', which none of the rows is"):
        predictions_at(moe, X, y, {"city": ["Paris"]})
    with pytest.raises(ValueError, match="'age' holds numbers, not 'old'"):
        predictions_at(moe, X, y, {"age": ["old"]})
    text = MoERegressor(1, gate="constant", expert=GaussianExpert(alpha=1e-2, features=seen))
    found = marginal_effects(text.fit(X, y), X, y, features=["age"])
    assert found["estimate"].iloc[0] == pytest.approx(0.1, abs=0.03)


# ------------------------------------------------------------------------- pipelines


@pytest.mark.parametrize("kind", [Pipeline, MoEPipeline])
def test_effects_behind_a_pipeline_are_of_its_own_columns(table, line, kind):
    X, y = table
    last = MoERegressor(1, expert=GaussianExpert(alpha=0.0))
    steps = [("levels", TableEncoder()), ("scale", StandardScaler()), ("moe", last)]
    pipe = kind(steps).fit(X[SEEN], y)
    expected = marginal_effects(line, X[SEEN], y)
    found = marginal_effects(pipe, X[SEEN], y)
    assert found.index.tolist() == expected.index.tolist()
    for column in ("estimate", "std_error"):
        np.testing.assert_allclose(found[column], expected[column], rtol=1e-4)
    at = predictions_at(pipe, X[SEEN], y, {"city": ["Oslo"]})["estimate"]
    direct = predictions_at(line, X[SEEN], y, {"city": ["Oslo"]})["estimate"]
    np.testing.assert_allclose(at, direct, rtol=1e-6)


def test_effects_bend_where_the_pipeline_does(table):
    X, y = table
    ages = X[["age"]].to_numpy()
    pipe = make_pipeline(FunctionTransformer(np.square), MoERegressor(1)).fit(ages, y)
    slope = float(pipe[-1].experts_[0].coef_[0])
    found = marginal_effects(pipe, ages, y)["estimate"].iloc[0]
    assert found == pytest.approx(2.0 * slope * ages.mean(), rel=1e-5)


@pytest.mark.filterwarnings("ignore:.*set by the penalty:UserWarning")
def test_searches_gates_and_classes(table):
    X, y = table
    pipe = make_pipeline(TableEncoder(), MoEClassifier(2, n_init=1, random_state=0))
    grid = GridSearchCV(pipe, {"moeclassifier__n_init": [1]}, cv=2).fit(X[SEEN], y > 4.0)
    found = marginal_effects(grid, X[SEEN], y > 4.0, features=["city"], kind="sandwich")
    assert found.index.get_level_values("answer").unique().tolist() == ["False", "True"]
    np.testing.assert_allclose(found["estimate"].groupby("feature").sum(), 0.0, atol=1e-9)
    shares = predictions_at(grid, X[SEEN], y > 4.0, {"member": [False, True]}, of="gate")
    np.testing.assert_allclose(shares["estimate"].groupby("member").sum(), 1.0)


def test_influence_and_reports_of_pipelines_and_tables(table, line):
    X, y = table
    pipe = make_pipeline(TableEncoder(), MoERegressor(1, expert=GaussianExpert(alpha=0.0)))
    pipe.fit(X[SEEN], y)
    one, other = influence(pipe, X[SEEN], y), influence(line, X[SEEN], y)
    np.testing.assert_allclose(one.distance, other.distance, rtol=1e-5)
    for estimator in (pipe, line):
        page = report(estimator, X[SEEN], y)
        assert "city[Oslo]" in page.html


def test_what_has_no_effect_on_y_itself_is_refused(table):
    X, y = table
    pipe = make_pipeline(
        StandardScaler(),
        TransformedTargetRegressor(MoERegressor(1), func=np.log, inverse_func=np.exp),
    ).fit(X[["age"]], y - y.min() + 1.0)
    with pytest.raises(TypeError, match="the model describes a transformed y"):
        marginal_effects(pipe, X[["age"]], y - y.min() + 1.0)
    rows = sparse.csr_array(X[["age"]].to_numpy())
    with pytest.raises(TypeError, match="marginal_effects changes one column"):
        marginal_effects(MoERegressor(1).fit(rows, y), rows, y)
