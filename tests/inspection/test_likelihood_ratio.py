"""The statistic of a bootstrap test among those of simulated data."""

import numpy as np

from moe_classic.inspection import LikelihoodRatioDisplay


def test_line_stands_at_the_statistic_and_bars_count_the_draws():
    null = np.random.default_rng(0).chisquare(4, 99)
    display = LikelihoodRatioDisplay(statistic=30.0, null=null, n_experts=1, p_value=0.01).plot()
    assert display.ax_.lines[0].get_xdata()[0] == 30.0
    assert sum(bar.get_height() for bar in display.ax_.patches) == 99
    assert display.ax_.get_xlabel() == "twice the gain from 1 to 2 experts"
    assert "p = 0.010" in display.ax_.texts[0].get_text()
