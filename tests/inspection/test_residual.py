"""Quantile residuals drawn: what is on the axes is what the estimator says."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtri
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from moe_classic import MoEClassifier, MoERegressor
from moe_classic.inspection import ResidualDisplay


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.standard_normal((200, 2)), columns=["a", "b"])
    return X, np.where(X["a"] > 0, X["a"], -X["a"]) + 0.2 * rng.standard_normal(200)


@pytest.fixture(scope="module")
def moe(rows):
    return MoERegressor(2, n_init=2, random_state=0).fit(*rows)


def points(display):
    return np.asarray(display.ax_.collections[-1].get_offsets())


def test_points_are_residuals_against_the_mean_or_a_feature(moe, rows):
    X, y = rows
    left = moe.residuals(X, y)
    for feature, label, at in ((None, "predicted mean", moe.predict(X)), ("b", "b", X["b"])):
        display = ResidualDisplay.from_estimator(moe, X, y, feature=feature)
        np.testing.assert_allclose(display.ax_.collections[0].get_offsets(), np.c_[at, left])
        assert display.ax_.get_xlabel() == label


def test_quantiles_lie_in_their_band_for_normal_residuals():
    n = 99
    left = ndtri((np.arange(1, n + 1) - 0.375) / (n + 0.25))
    display = ResidualDisplay(residuals=left[::-1], against=np.zeros(n), label="").plot(kind="qq")
    at, drawn = points(display).T
    np.testing.assert_allclose(drawn, left)
    # Blom's positions are those of means, these are those of medians.
    np.testing.assert_allclose(at, left, atol=0.04)
    worm = points(display.plot(kind="worm"))
    np.testing.assert_allclose(worm[:, 1], left - at, atol=1e-12)
    # The ends of the band are quantiles of the least and the largest of n uniform numbers.
    low = display.ax_.collections[0].get_paths()[0].vertices[:, 1].min()
    assert low < ndtri(1.0 - 0.975 ** (1.0 / n)) - at[0] + 1e-9


def test_running_median_follows_what_the_model_missed(rows):
    X, y = rows
    line = MoERegressor(1).fit(X, y)
    display = ResidualDisplay.from_estimator(line, X, y, feature="a")
    at, median = display.ax_.lines[1].get_data()
    middle = median[np.abs(at).argmin()]
    assert median[0] > middle + 0.5
    assert median[-1] > middle + 0.5


def test_several_outputs_and_pipelines(rows):
    X, y = rows
    Y = np.column_stack([y, -2.0 * y + np.sin(9.0 * X["b"])])
    both = make_pipeline(StandardScaler(), MoERegressor(1)).fit(X, Y)
    display = ResidualDisplay.from_estimator(both, X, Y, output=1, feature="a")
    np.testing.assert_allclose(display.against, X["a"])
    with pytest.raises(ValueError, match="0 to 1: the target has several"):
        ResidualDisplay.from_estimator(both, X, Y)


def test_what_cannot_be_drawn_is_refused(moe, rows):
    X, y = rows
    with pytest.raises(ValueError, match="single one"):
        ResidualDisplay.from_estimator(moe, X, y, output=0)
    with pytest.raises(ValueError, match="must be one of"):
        ResidualDisplay.from_estimator(moe, X, y, kind="box")
    with pytest.raises(ValueError, match="is not a column of X"):
        ResidualDisplay.from_estimator(moe, X, y, feature="z")
    classes = MoEClassifier(1).fit(X, y > 1.0)
    with pytest.raises(TypeError, match="residuals"):
        ResidualDisplay.from_estimator(classes, X, y > 1.0)
