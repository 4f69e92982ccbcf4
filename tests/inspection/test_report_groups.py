"""A page, and pictures, of a fit to subjects."""

import numpy as np

from moe_classic import MoERegressor
from moe_classic.inspection import CoefficientDisplay, ResponsibilityDisplay, report


def test_a_page_of_subjects_counts_them():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(30), 4)
    x = rng.uniform(-1.0, 1.0, 120)
    y = np.where(groups % 2, x, -x) + 0.3 * rng.normal(size=120)
    X = x[:, None]
    moe = MoERegressor(2, gate="constant", n_init=3, random_state=0).fit(X, y, groups=groups)
    page = report(moe, X, y, groups=groups).html
    assert "120 in 30 groups" in page
    assert "Groups that move the fit most" in page
    assert "No standard errors" not in page
    assert "pass groups=" in report(moe, X, y).html
    display = ResponsibilityDisplay.from_estimator(moe, X, y, groups=groups)
    np.testing.assert_array_equal(
        display.responsibilities, moe.responsibilities(X, y, groups=groups)
    )
    shown = CoefficientDisplay.from_estimator(moe, X, y, groups=groups).table
    own = moe.inference(X, y, groups=groups).experts
    assert set(np.round(shown.estimate, 10)) <= set(np.round(own.estimate, 10))
