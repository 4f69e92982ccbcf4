"""Categories and two values, drawn as points."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from matplotlib.container import BarContainer
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from moe_classic import MoERegressor
from moe_classic.inspection import ExpertsDisplay, FanDisplay, GateDisplay, ResidualDisplay
from moe_classic.inspection._categories import alone, beside, name_categories, scattered

TOWNS = ["Ash", "Birch", "Cedar"]


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "town": rng.choice(TOWNS, 150),
            "sex": rng.integers(1, 3, 150),
            "age": rng.uniform(20.0, 70.0, 150),
        }
    )
    first = rng.random(150) < np.where(X.town == "Ash", 0.8, 0.2)
    y = np.where(first, X.age, 60.0 + 10.0 * X.sex) + rng.normal(0.0, 5.0, 150)
    return X, pd.Series(y, name="cost")


@pytest.fixture(scope="module")
def pipe(rows):
    towns = make_column_transformer(
        (OneHotEncoder(drop="first", sparse_output=False), ["town"]), remainder="passthrough"
    )
    return make_pipeline(towns, MoERegressor(2, n_init=2, random_state=0)).fit(*rows)


def said(pipe, X, method, **held):
    """What the mixture of a pipeline says at medians, for every town."""
    middle = {"sex": X.sex.quantile(0.5, interpolation="lower"), "age": X.age.median()}
    frame = pd.DataFrame([{"town": town, **middle, **held} for town in TOWNS])
    return getattr(pipe[-1], method)(pipe[:-1].transform(frame))


def names(ax):
    return [t.get_text() for t in ax.get_xticklabels()]


def test_gate_has_a_mark_at_every_category(rows, pipe):
    display = GateDisplay.from_estimator(pipe, rows[0], feature="town")
    lines = display.ax_.get_lines()
    drawn = np.column_stack([line.get_ydata() for line in lines])
    np.testing.assert_allclose(drawn, said(pipe, rows[0], "gate_proba"), rtol=1e-12)
    assert {line.get_linestyle() for line in lines} == {"None"}
    assert names(display.ax_) == TOWNS
    assert len({tuple(line.get_xdata()) for line in lines}) == 2


def test_stacked_gate_has_bars_of_height_one_at_two_values(rows, pipe):
    display = GateDisplay.from_estimator(pipe, rows[0], feature="sex", kind="stacked")
    bars = [c for c in display.ax_.containers if isinstance(c, BarContainer)]
    heights = np.sum([[bar.get_height() for bar in c] for c in bars], axis=0)
    np.testing.assert_allclose(heights, [1.0, 1.0])
    assert display.values.tolist() == [1.0, 2.0]
    assert names(display.ax_) == ["1", "2"]


def test_experts_are_marks_hollow_where_the_gate_does_not_trust_them():
    display = ExpertsDisplay(
        values=np.arange(2.0),
        predictions=np.array([[1.0, 2.0], [3.0, 4.0]]),
        gate=np.array([[0.99, 0.01], [0.5, 0.5]]),
        mixture=np.array([1.0, 3.5]),
        labels=["a", "b"],
        feature_label="town",
        categories=["Ash", "Birch"],
    ).plot()
    full = {line.get_label(): line.get_ydata().tolist() for line in display.ax_.get_lines()}
    assert (full["a"], full["b"]) == ([1.0, 3.0], [4.0])
    hollow = [line for line in display.ax_.get_lines() if line.get_fillstyle() == "none"]
    assert [v for line in hollow for v in line.get_ydata()] == [2.0]


def test_experts_and_rows_stand_at_their_category(rows, pipe):
    X, y = rows
    display = ExpertsDisplay.from_estimator(pipe, X, y, feature="town")
    np.testing.assert_array_equal(display.points[0], [TOWNS.index(t) for t in X.town])
    np.testing.assert_allclose(display.mixture, said(pipe, X, "predict"), rtol=1e-12)
    marks = [c for c in display.ax_.collections if isinstance(c, PathCollection)]
    offsets = np.vstack([c.get_offsets() for c in marks])
    assert np.abs(offsets[:, 0] - offsets[:, 0].round()).max() < 0.15


@pytest.mark.parametrize("kind", ["fan", "density"])
def test_fan_has_a_bar_or_a_column_a_category(rows, pipe, kind):
    X, y = rows
    display = FanDisplay.from_estimator(pipe, X, y, feature="town", n_points=12, kind=kind)
    assert names(display.ax_) == TOWNS
    if kind == "fan":
        outer = display.ax_.containers[0]
        ends = [(b.get_y(), b.get_y() + b.get_height()) for b in outer]
        np.testing.assert_allclose(ends, display.quantiles[:, [0, -1]])


def test_residuals_of_a_category_have_their_own_median(rows, pipe):
    display = ResidualDisplay.from_estimator(pipe, *rows, feature="town")
    (bars,) = display.ax_.containers
    middle = bars.lines[0].get_ydata()
    expected = [np.median(display.residuals[rows[0].town == t]) for t in TOWNS]
    np.testing.assert_allclose(middle, expected)
    coded = ResidualDisplay.from_estimator(pipe, *rows, feature="sex")
    np.testing.assert_array_equal(coded.against, rows[0].sex - 1)


def test_missing_and_unknown_values_have_no_place():
    column = pd.Series(["b", None, "a"])
    found = alone(column, "x", "Here")
    np.testing.assert_array_equal(found.places(column), [1.0, np.nan, 0.0])


def test_numbers_with_more_than_two_values_are_a_range():
    assert alone(pd.Series([1.0, 2.0, 3.0, np.nan]), "x", "Here") is None
    assert alone(pd.Series([2.0, np.nan, 1.0]), "x", "Here").names == ("1", "2")


def test_too_many_categories_are_refused():
    column = pd.Series([f"id {i}" for i in range(41)])
    with pytest.raises(ValueError, match="Here: feature 'id' has 41 categories"):
        alone(column, "id", "Here")


def test_marks_and_rows_keep_to_their_category():
    at = np.array([1.0, 3.0])
    marks = np.array([beside(at, k, 3) for k in range(3)])
    np.testing.assert_allclose(marks.mean(axis=0), at)
    assert np.abs(marks - at).max() < 1.0
    x = scattered(np.repeat(at, 50), at)
    assert np.abs(x - np.repeat(at, 50)).max() < 0.3
    assert np.unique(x).size == 100


def test_long_names_are_written_aslant():
    _, (short, long) = plt.subplots(1, 2, figsize=(8.0, 3.0))
    name_categories(short, np.arange(2.0), ["a", "b"])
    name_categories(long, np.arange(3.0), ["a rather long name"] * 3)
    assert {t.get_rotation() for t in short.get_xticklabels()} == {0.0}
    assert {t.get_rotation() for t in long.get_xticklabels()} == {40.0}
