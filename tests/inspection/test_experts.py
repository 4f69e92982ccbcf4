"""What the experts say along one feature."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from moe_classic import MoERegressor
from moe_classic.inspection import ExpertsDisplay


def test_lines_are_strong_where_the_gate_lets_an_expert_speak(crash, crash_moe):
    display = ExpertsDisplay.from_estimator(crash_moe, crash[0])
    strong = [line for line in display.ax_.get_lines() if line.get_label().startswith("expert")]
    frame = crash[0].iloc[:1].loc[[crash[0].index[0]] * 200].assign(times=display.values)
    own, gate = crash_moe.expert_predictions(frame), crash_moe.gate_proba(frame)
    for k, line in enumerate(strong):
        np.testing.assert_allclose(
            line.get_ydata(), np.where(gate[:, k] >= 0.05, own[:, k], np.nan), rtol=1e-10
        )


def test_mixture_line_is_the_prediction(crash, crash_moe):
    display = ExpertsDisplay.from_estimator(crash_moe, crash[0], n_points=30)
    frame = crash[0].iloc[:30].assign(times=display.values)
    np.testing.assert_allclose(display.mixture, crash_moe.predict(frame), rtol=1e-10)


@pytest.mark.parametrize("expert", ["gaussian", "laplace"])
def test_bands_are_the_central_intervals_of_the_noise(crash, expert):
    moe = MoERegressor(2, expert=expert, n_init=1, max_iter=1000, random_state=0).fit(*crash)
    display = ExpertsDisplay.from_estimator(moe, crash[0], coverage=0.5, n_points=3)
    noise = stats.norm if expert == "gaussian" else stats.laplace
    reach = noise.ppf(0.75) * np.array([e.scale_ for e in moe.experts_])
    width = display.bands[..., 1] - display.bands[..., 0]
    np.testing.assert_allclose(width, np.tile(2.0 * reach, (3, 1)), rtol=1e-10)


def test_points_have_the_marker_of_the_most_responsible_expert(crash, crash_moe):
    display = ExpertsDisplay.from_estimator(crash_moe, *crash)
    owners = crash_moe.responsibilities(*crash).argmax(axis=1)
    drawn = [c.get_offsets() for c in display.ax_.collections if len(c.get_offsets()) > 1]
    assert sorted(map(len, drawn)) == sorted(np.bincount(owners))
    assert display.ax_.get_ylabel() == "accel"


def test_classes_are_drawn_as_probabilities_of_one(plane, plane_classifier):
    moe, classes = plane_classifier
    display = ExpertsDisplay.from_estimator(
        moe, plane[0], pd.Series(classes, name="size"), feature="age", target="low", n_points=4
    )
    row = plane[0].median().to_frame().T.assign(age=plane[0].age.min())
    np.testing.assert_allclose(display.predictions[0], moe.expert_predictions(row)[0, :, 1])
    assert display.mixture[0] == pytest.approx(moe.predict_proba(row)[0, 1])
    assert set(display.points[1]) == {0.0, 1.0}
    assert display.bands is None
    assert display.ax_.get_ylabel() == "probability of low"


def test_one_of_several_outputs_is_drawn(rng):
    X = rng.standard_normal((40, 1))
    y = np.hstack([X, -2.0 * X]) + 0.1 * rng.standard_normal((40, 2))
    moe = MoERegressor(1).fit(X, y)
    display = ExpertsDisplay.from_estimator(moe, X, y, target=1, n_points=5)
    np.testing.assert_allclose(display.mixture, moe.predict(display.values[:, None])[:, 1])
    np.testing.assert_array_equal(display.points[1], y[:, 1])
    assert display.ax_.get_ylabel() == "y1"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"coverage": 1.0}, "coverage=1.0 must lie"),
        ({"target": 2}, "target=2: there is one output"),
        ({"feature": "speed"}, "feature='speed' is not a column"),
    ],
)
def test_options_that_make_no_sense_are_refused(crash, crash_moe, options, message):
    with pytest.raises(ValueError, match=message):
        ExpertsDisplay.from_estimator(crash_moe, crash[0], **options)


def test_three_classes_need_a_target(plane, plane_classifier):
    with pytest.raises(ValueError, match="target=None must be one of the classes"):
        ExpertsDisplay.from_estimator(plane_classifier[0], plane[0], feature="age")
