"""Tables: tests, intervals, units, labels, how one looks into them."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr, ndtri

from moe_classic import MoEClassifier, MoERegressor
from moe_classic.experts import GaussianExpert, StudentTExpert
from moe_classic.inference import inference

from .fits import LINE, classes_of, two_lines

# ------------------------------------------------------------------------- one expert


def test_tests_and_intervals_are_normal(line):
    X, y = line
    table = inference(MoERegressor(1).fit(X, y), X, y, level=0.9).table.iloc[:3]
    reach = ndtri(0.95) * table.std_error
    np.testing.assert_allclose(table.z, table.estimate / table.std_error)
    np.testing.assert_allclose(table.p_value, 2.0 * ndtr(-table.z.abs()))
    np.testing.assert_allclose(table.low, table.estimate - reach)
    np.testing.assert_allclose(table.high, table.estimate + reach)


# ------------------------------------------------------------------------- two experts


def test_tables_follow_the_units_of_features_and_target(lines):
    X, y = lines
    a, b, c, d = np.array([4.0, 0.01]), np.array([100.0, -3.0]), 0.25, 7.0
    estimator = MoERegressor(2, n_init=2, random_state=0, tol=1e-12)
    plain = inference(estimator.fit(X, y), X, y).table
    moved = inference(estimator.fit(a * X + b, c * y + d), a * X + b, c * y + d).table
    for part, factor in (("expert", c), ("gate", 1.0)):
        for j in (0, 1):
            rows = (part, slice(None), "slope", f"x{j}")
            for column in ("estimate", "std_error", "low", "high"):
                expected = plain.loc[rows, column] * factor / a[j]
                # Both fits end within rounding of the optimum.
                np.testing.assert_allclose(moved.loc[rows, column], expected, rtol=1e-5)
    scales = ("expert", slice(None), "scale", "scale")
    np.testing.assert_allclose(moved.loc[scales, "low"], c * plain.loc[scales, "low"], rtol=1e-5)


# ------------------------------------------------------------------------- other components


def test_labels_use_column_names_experts_and_classes(lines):
    X, y = lines
    frame = pd.DataFrame(X, columns=["age", "dose"])
    named = [("line", GaussianExpert()), ("heavy", StudentTExpert(df=4.0))]
    fit = MoERegressor(2, expert=named, n_init=2, random_state=0).fit(frame, y)
    index = inference(fit, frame, y).table.index
    assert ("expert", "line", "slope", "age") in index
    assert ("expert", "heavy", "scale", "scale") in index
    assert ("gate", "line", "slope", "dose") in index
    label = np.array(["low", "middle", "top"])[classes_of(y)]
    classes = MoEClassifier(1).fit(frame, label)
    index = inference(classes, frame, label).table.index
    assert ("expert: low", "expert 1", "slope", "dose") in index
    assert ("expert: top", "expert 1", "slope", "dose") not in index


def test_estimates_equal_the_views_of_the_estimator(rng):
    X, y = two_lines(rng)
    Y = np.column_stack([y, rng.standard_normal(len(y))])
    fit = MoERegressor(2, gate="gaussian", n_init=2, random_state=0).fit(X, Y)
    table = inference(fit, X, Y).table
    for k, expert in enumerate(fit.experts_):
        for j in (0, 1):
            rows = table.loc[f"expert: y{j}", f"expert {k + 1}"].estimate
            np.testing.assert_allclose(rows["slope"], expert.coef_[j], rtol=1e-10)
            assert rows["intercept", "intercept"] == pytest.approx(expert.intercept_[j], rel=1e-8)
        gate = table.loc["gate", f"expert {k + 1}"].estimate
        np.testing.assert_allclose(gate["mean"], fit.gate_.means_[k], rtol=1e-10)
        deviations = np.sqrt(np.diag(fit.gate_.covariances_[k]))
        np.testing.assert_allclose(gate["std"], deviations, rtol=1e-10)


def test_tables_can_be_looked_into_by_part_and_expert(pair):
    fit, X, y = pair
    result = inference(fit, X, y)
    # pandas warns if an index is not sorted for this.
    terms = result.table.loc["expert", "expert 2"].index
    assert list(terms.get_level_values("term")) == [*LINE, "scale"]
    assert list(terms.unique("kind")) == ["intercept", "slope", "scale"]
    assert len(result.experts) == 8
    assert list(result.gate.index.get_level_values("term")) == LINE
    assert list(result.table.columns) == [
        "estimate", "std_error", "z", "p_value", "low", "high", "note",
    ]  # fmt: skip


# ------------------------------------------------------------------------- bounds and weak spots


def test_interval_of_a_scale_is_that_of_its_logarithm(pair):
    fit, X, y = pair
    row = inference(fit, X, y).table.loc["expert", "expert 1", "scale", "scale"]
    factor = np.exp(ndtri(0.975) * row.std_error / row.estimate)
    assert row.low == pytest.approx(row.estimate / factor, rel=1e-12)
    assert row.high == pytest.approx(row.estimate * factor, rel=1e-12)
    assert np.isnan(row.z)
    assert np.isnan(row.p_value)


# ------------------------------------------------------------------------- arguments


def test_result_prints_and_pickles(pair):
    fit, X, y = pair
    result = inference(fit, X, y)
    assert "observed" in repr(result)
    assert "std error" in repr(result)
    again = pickle.loads(pickle.dumps(result))
    pd.testing.assert_frame_equal(again.table, result.table)
    a = ("expert", "expert 1", "slope", "x0")
    assert again.delta(lambda t: t[a]).std_error[0] == pytest.approx(result.table.std_error[a])
