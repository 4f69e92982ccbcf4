"""Coefficients with their intervals."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from moe_classic.inference import inference
from moe_classic.inspection import CoefficientDisplay


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "expert": ["expert 1"] * 3 + ["expert 2"] * 3,
            "term": ["intercept", "age", "income"] * 2,
            "estimate": [9.0, 1.0, -2.0, 8.0, 0.5, 3.0],
            "std_error": [1.0] * 6,
            "low": [7.0, 0.5, -2.5, 6.0, 0.0, 2.0],
            "high": [11.0, 1.5, -1.5, 10.0, 1.0, 5.0],
        }
    )


def marks(display):
    """Estimates and bars of each expert."""
    found = {}
    for c in display.ax_.containers:
        bars = np.array([seg[:, 0] for seg in c.lines[2][0].get_segments()])
        found[c.get_label()] = (c.lines[0].get_xdata().tolist(), bars.tolist())
    return found


def test_marks_and_bars_are_the_estimates_and_intervals(table):
    display = CoefficientDisplay.from_table(table)
    assert marks(display) == {
        "expert 1": ([1.0, -2.0], [[0.5, 1.5], [-2.5, -1.5]]),
        "expert 2": ([0.5, 3.0], [[0.0, 1.0], [2.0, 5.0]]),
    }
    assert [t.get_text() for t in display.ax_.get_yticklabels()] == ["age", "income"]


def test_terms_are_drawn_in_the_order_asked_for(table):
    display = CoefficientDisplay.from_table(table, terms=["income", "intercept"])
    assert [t.get_text() for t in display.ax_.get_yticklabels()] == ["income", "intercept"]
    low, high = display.ax_.get_ylim()
    assert low > high  # the first term is on top


def test_experts_of_a_term_do_not_cover_each_other(table):
    display = CoefficientDisplay.from_table(table)
    heights = [c.lines[0].get_ydata() for c in display.ax_.containers]
    assert np.abs(heights[0] - heights[1]).min() > 0.1


def test_scale_multiplies_estimates_and_intervals(table):
    display = CoefficientDisplay.from_table(table, scale={"age": 10.0, "income": -1.0})
    assert marks(display)["expert 2"] == ([5.0, -3.0], [[0.0, 10.0], [-5.0, -2.0]])


def test_table_without_intervals_has_marks_alone(table):
    display = CoefficientDisplay.from_table(table.drop(columns=["low", "high"]))
    assert all(not c.has_xerr for c in display.ax_.containers)


def test_estimator_is_drawn_from_its_inference(plane, plane_moe):
    display = CoefficientDisplay.from_estimator(plane_moe, *plane, level=0.9)
    expected = inference(plane_moe, *plane, level=0.9).table.loc["expert"]
    row = display.table[(display.table.expert == "expert 2") & (display.table.term == "town")]
    np.testing.assert_allclose(
        row[["estimate", "low", "high"]].to_numpy()[0],
        expected.loc[("expert 2", "slope", "town"), ["estimate", "low", "high"]].to_numpy(
            dtype=float
        ),
    )
    assert list(dict.fromkeys(display.table.term)) == ["age", "income", "town"]
    assert "90 %" in display.ax_.get_xlabel()


def test_slopes_in_unlike_units_are_for_a_standard_deviation(plane, plane_moe):
    X, y = plane
    stretched = X.assign(income=1e4 * X["income"])
    moe = clone(plane_moe).fit(stretched, y)
    auto = CoefficientDisplay.from_estimator(moe, stretched, y)
    spread = stretched.std(ddof=0)
    by_hand = CoefficientDisplay.from_estimator(moe, stretched, y, scale=spread)
    pd.testing.assert_frame_equal(auto.table, by_hand.table)
    assert "for a standard deviation" in auto.ax_.get_xlabel()
    plain = CoefficientDisplay.from_estimator(moe, stretched, y, scale=None)
    factor = auto.table.estimate / plain.table.estimate
    np.testing.assert_allclose(factor, plain.table.term.map(spread))


def test_infinite_ends_are_arrows(table):
    open_ = table.assign(high=np.where(table.term == "age", np.inf, table.high))
    display = CoefficientDisplay.from_table(open_)
    arrows = [line for line in display.ax_.lines if line.get_marker() == ">"]
    assert len(arrows) == (table.term == "age").sum()
    assert np.isfinite(display.ax_.get_xlim()).all()


def test_gate_is_drawn_on_demand(plane, plane_moe):
    display = CoefficientDisplay.from_estimator(plane_moe, *plane, part="gate")
    assert set(display.table.term) == {"age", "income", "town"}
    assert set(display.table.expert) == {"expert 1"}


def test_several_outputs_have_terms_of_their_own():
    table = pd.DataFrame(
        {
            "part": ["expert: y0", "expert: y1"],
            "expert": "expert 1",
            "term": "age",
            "estimate": [1.0, 2.0],
        }
    )
    display = CoefficientDisplay.from_table(table)
    assert list(display.table.term) == ["y0: age", "y1: age"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"terms": ["height"]}, r"no terms \['height'\]"),
        ({"scale": {"age": 1.0}}, r"scale has no number for the terms \['income'\]"),
        ({"part": "noise"}, "part='noise'"),
    ],
)
def test_options_that_make_no_sense_are_refused(table, options, message):
    with pytest.raises(ValueError, match=message):
        CoefficientDisplay.from_table(table, **options)


def test_tables_that_lack_columns_are_refused(table):
    with pytest.raises(ValueError, match="low and high together"):
        CoefficientDisplay.from_table(table.drop(columns="low"))
