"""How clearly the experts share the data out."""

import numpy as np
import pytest

from moe_classic.inspection import ResponsibilityDisplay
from moe_classic.inspection._responsibility import _square_ticks


@pytest.fixture
def display(crash, crash_moe):
    return ResponsibilityDisplay.from_estimator(crash_moe, *crash)


def test_columns_fill_the_height_and_keep_the_mass(crash, crash_moe, display):
    bands = display.ax_.patches
    R = crash_moe.responsibilities(*crash)
    tops = bands[-1].get_data().values
    np.testing.assert_allclose(tops, 1.0)
    for k, band in enumerate(bands):
        data = band.get_data()
        assert (data.values - data.baseline).sum() == pytest.approx(R[:, k].sum())


def test_columns_are_sorted_by_expert_and_certainty(display):
    data = [band.get_data() for band in display.ax_.patches]
    R = np.column_stack([d.values - d.baseline for d in data])
    owner = R.argmax(axis=1)
    assert (np.diff(owner) >= 0).all()
    for k in range(3):
        assert (np.diff(R[owner == k].max(axis=1)) <= 1e-12).all()


def test_many_rows_are_thinned_and_keep_their_number_on_the_axis(rng):
    R = rng.dirichlet([0.3, 0.3], 5000)
    display = ResponsibilityDisplay(responsibilities=R, labels=["a", "b"]).plot()
    assert len(display.ax_.patches[0].get_data().values) == 1000
    assert display.ax_.get_xlim() == (0.0, 5000.0)


def test_histogram_counts_rows_that_are_not_surely_anothers(crash, crash_moe, display):
    display.plot(kind="histogram")
    R = crash_moe.responsibilities(*crash)
    for k, bars in enumerate(display.ax_.containers):
        heights = np.array([bar.get_height() for bar in bars])
        assert (heights**2).sum() == pytest.approx((R[:, k] >= 0.01).sum())


@pytest.mark.parametrize("top", [1.0, 3.0, 40.0])
def test_ticks_of_a_square_root_axis_are_whole_and_inside_by_about_one(top):
    ticks = _square_ticks(top)
    assert ticks[0] == 0
    assert (np.diff(ticks) > 0).all()
    assert np.sqrt(ticks[-1]) <= 1.1 * top


def test_unknown_kind_is_refused(display):
    with pytest.raises(ValueError, match="kind='lines'"):
        display.plot(kind="lines")
