"""How a fit went."""

import numpy as np
import pytest

from moe_classic.inspection import ConvergenceDisplay


def test_trace_is_drawn_step_by_step(crash_moe):
    display = ConvergenceDisplay.from_estimator(crash_moe)
    np.testing.assert_array_equal(display.ax_.get_lines()[0].get_ydata(), crash_moe.trace_)
    assert "converged" in display.ax_.get_xlabel()


def test_gap_is_what_was_still_to_gain(crash_moe):
    display = ConvergenceDisplay.from_estimator(crash_moe, kind="gap")
    line = display.ax_.get_lines()[0]
    steps = line.get_xdata()
    np.testing.assert_allclose(
        line.get_ydata(), crash_moe.trace_[-1] - crash_moe.trace_[steps], rtol=1e-12
    )
    assert display.ax_.get_yscale() == "log"


def test_starts_are_drawn_below_the_best_by_strategy(crash_moe):
    display = ConvergenceDisplay.from_estimator(crash_moe, kind="starts")
    offsets = np.vstack([c.get_offsets() for c in display.ax_.collections])
    report = crash_moe.start_report_
    below = report.objective.max() - report.objective
    np.testing.assert_allclose(np.sort(offsets[:, 0]), np.sort(below), atol=1e-12)
    names = [t.get_text() for t in display.ax_.get_yticklabels()]
    assert set(names) == set(report.strategy)
    same = (below <= 0.01).sum()
    assert f"{same} of {len(report)} within" in display.ax_.get_xlabel()


def test_run_that_was_stopped_says_so(crash_moe):
    display = ConvergenceDisplay(
        trace=crash_moe.trace_, starts=crash_moe.start_report_, converged=False
    ).plot()
    assert "stopped before it converged" in display.ax_.get_xlabel()


def test_unknown_kind_is_refused(crash_moe):
    with pytest.raises(ValueError, match="kind='loss'"):
        ConvergenceDisplay.from_estimator(crash_moe, kind="loss")
