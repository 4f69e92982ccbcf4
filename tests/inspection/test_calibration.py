"""Whether predictive distributions keep what they promise."""

import numpy as np
import pytest

from moe_classic.inspection import CalibrationDisplay
from moe_classic.inspection._calibration import _band


def stairs(display):
    return display.ax_.patches[0].get_data()


def test_histogram_is_the_density_of_the_pit(rng):
    pit = rng.beta(2.0, 1.0, 500)
    display = CalibrationDisplay(pit=pit).plot(bins=8)
    expected, edges = np.histogram(pit, bins=8, range=(0.0, 1.0), density=True)
    np.testing.assert_allclose(stairs(display).values, expected)
    np.testing.assert_allclose(stairs(display).edges, edges)


def test_weights_count_as_repeated_rows(rng):
    pit, w = rng.random(40), rng.integers(1, 4, 40)
    one = CalibrationDisplay(pit=pit, sample_weight=w).plot()
    other = CalibrationDisplay(pit=np.repeat(pit, w)).plot()
    np.testing.assert_allclose(stairs(one).values, stairs(other).values)


def test_coverage_curve_is_the_coverage_of_the_intervals(crash, crash_moe):
    display = CalibrationDisplay.from_estimator(crash_moe, *crash, kind="coverage")
    curve = next(li for li in display.ax_.get_lines() if li.get_label() == "this model")
    for level in (0.2, 0.5, 0.9):
        ends = crash_moe.predict_interval(crash[0], level)
        inside = ((ends[:, 0] <= crash[1]) & (crash[1] <= ends[:, 1])).mean()
        place = np.abs(curve.get_xdata() - level).argmin()
        assert curve.get_ydata()[place] == pytest.approx(inside)


def test_band_holds_nearly_all_calibrated_shares(rng):
    low, high = _band(100.0, np.array([0.1, 0.5, 0.9]))
    shares = rng.binomial(100, [0.1, 0.5, 0.9], (4000, 3)) / 100.0
    inside = ((low <= shares) & (shares <= high)).mean(axis=0)
    # Counts are whole: a band of 95 % holds 95 % or a little more; three standard errors are 0.01.
    assert (inside > 0.94).all()
    assert (inside < 0.985).all()


def test_band_is_drawn_around_the_diagonal(rng):
    display = CalibrationDisplay(pit=rng.random(100)).plot(kind="coverage")
    band = display.ax_.collections[0].get_paths()[0].vertices
    half = band[np.isclose(band[:, 0], 0.5), 1]
    assert half.min() == pytest.approx(0.4)
    assert half.max() == pytest.approx(0.6)


def test_several_outputs_are_pooled(rng):
    pit = rng.random((30, 2))
    display = CalibrationDisplay(pit=pit).plot(bins=4)
    expected, _ = np.histogram(pit, bins=4, range=(0.0, 1.0), density=True)
    np.testing.assert_allclose(stairs(display).values, expected)


@pytest.mark.parametrize(
    ("options", "message"), [({"kind": "qq"}, "kind='qq'"), ({"bins": 1}, "bins=1")]
)
def test_options_that_make_no_sense_are_refused(rng, options, message):
    with pytest.raises(ValueError, match=message):
        CalibrationDisplay(pit=rng.random(5)).plot(**options)


def test_classifier_is_refused(plane, plane_classifier):
    moe, classes = plane_classifier
    with pytest.raises(TypeError, match="predict_cdf"):
        CalibrationDisplay.from_estimator(moe, plane[0], classes)
