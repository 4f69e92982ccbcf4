"""Gate probabilities along one feature."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from moe_classic import MoERegressor
from moe_classic.inspection import GateDisplay


def test_lines_are_the_gate_probabilities(crash, crash_moe):
    display = GateDisplay.from_estimator(crash_moe, crash[0], n_points=50)
    lines = display.ax_.get_lines()
    assert len(lines) == 3
    frame = crash[0].iloc[:50].assign(times=lines[0].get_xdata())
    drawn = np.column_stack([line.get_ydata() for line in lines])
    np.testing.assert_allclose(drawn, crash_moe.gate_proba(frame), rtol=1e-12)


def test_axes_name_feature_experts_and_unit(crash, crash_moe):
    display = GateDisplay.from_estimator(crash_moe, crash[0])
    assert display.ax_.get_xlabel() == "times"
    assert display.ax_.get_ylabel() == "gate probability"
    texts = [t.get_text() for t in display.ax_.get_legend().get_texts()]
    assert texts == ["expert 1", "expert 2", "expert 3", "deciles"]


def test_ticks_stand_at_the_deciles(crash, crash_moe):
    display = GateDisplay.from_estimator(crash_moe, crash[0])
    ticks = next(c for c in display.ax_.collections if c.get_label() == "deciles")
    np.testing.assert_allclose(
        ticks.get_offsets()[:, 0], np.quantile(crash[0].times, np.arange(1, 10) / 10)
    )


def test_stacked_bands_fill_the_height(crash, crash_moe):
    display = GateDisplay.from_estimator(crash_moe, crash[0], kind="stacked")
    tops = [c.get_paths()[0].vertices[:, 1].max() for c in display.ax_.collections[:3]]
    assert max(tops) == pytest.approx(1.0)
    assert display.ax_.get_ylim() == (0.0, 1.0)


def test_given_axes_are_drawn_on(crash, crash_moe):
    figure, ax = plt.subplots()
    display = GateDisplay.from_estimator(crash_moe, crash[0], ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is figure


def test_average_is_the_mean_over_rows(plane, plane_moe):
    X = plane[0].iloc[:40]
    display = GateDisplay.from_estimator(
        plane_moe, X, feature="age", average=True, n_points=2, subsample=40
    )
    lowest = X.assign(age=X.age.min())
    np.testing.assert_allclose(display.gate[0], plane_moe.gate_proba(lowest).mean(axis=0))
    assert "averaged over the others" in display.ax_.get_xlabel()


def test_pipeline_is_drawn_in_the_units_of_its_input(plane):
    X, y = plane
    pipe = make_pipeline(StandardScaler(), MoERegressor(2, n_init=1, random_state=0)).fit(X, y)
    display = GateDisplay.from_estimator(pipe, X, feature="income", n_points=5)
    assert display.values[0] == X.income.min()
    row = X.median().to_frame().T.assign(income=X.income.min())
    gate = pipe[-1].gate_proba(pipe[:-1].transform(row))[0]
    np.testing.assert_allclose(display.gate[0], gate)


def test_unknown_kind_is_refused(crash, crash_moe):
    with pytest.raises(ValueError, match="kind='pie' must be one of"):
        GateDisplay.from_estimator(crash_moe, crash[0], kind="pie")


def test_estimator_without_a_gate_is_refused(crash):
    with pytest.raises(TypeError, match="GateDisplay needs an estimator with gate_proba"):
        GateDisplay.from_estimator(LinearRegression().fit(*crash), crash[0])
