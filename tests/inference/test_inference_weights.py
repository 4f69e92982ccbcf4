"""What weights are: counts of rows, or precisions as in weighted least squares."""

import numpy as np
import pytest
import statsmodels.api as sm

from moe_classic import MoERegressor
from moe_classic.inference import inference

from .fits import told, two_lines


def measured(rng, unit):
    """Rows with known errors of their own, in any unit."""
    x = rng.uniform(0.0, 10.0, (80, 1))
    error = unit * rng.uniform(0.5, 2.0, 80)
    return x, unit * (1.0 + 2.0 * x[:, 0]) + error * rng.standard_normal(80), 1.0 / error**2


@pytest.mark.parametrize("unit", [1e-8, 1.0, 1e6])
def test_precisions_give_the_errors_of_weighted_least_squares(rng, unit):
    x, y, w = measured(rng, unit)
    fit = MoERegressor(1).fit(x, y, sample_weight=w)
    table = inference(fit, x, y, sample_weight=w, weight_kind="precision").table
    wls = sm.WLS(y, sm.add_constant(x), weights=w).fit()
    np.testing.assert_allclose(table.estimate[:2], wls.params, rtol=1e-8)
    # statsmodels divides the variance by n - 2, the likelihood by n.
    np.testing.assert_allclose(table.std_error[:2], wls.bse * np.sqrt(78 / 80), rtol=1e-7)


def test_precisions_have_no_unit_and_count_as_rows(rng):
    X, y = two_lines(rng)
    w = rng.uniform(0.5, 2.0, len(y))
    fit = MoERegressor(2, n_init=2, random_state=0).fit(X, y, sample_weight=w)
    errors = [
        inference(fit, X, y, sample_weight=c * w, weight_kind="precision").table.std_error
        for c in (1.0, 1e12)
    ]
    np.testing.assert_allclose(errors[0], errors[1], rtol=1e-9)
    even = w * len(y) / w.sum()
    same = MoERegressor(2, n_init=2, random_state=0).fit(X, y, sample_weight=even)
    expected = inference(same, X, y, sample_weight=even).table.std_error
    np.testing.assert_allclose(errors[0], expected, rtol=1e-4)
    for criterion in ("aic", "bic", "icl"):
        found = getattr(fit, criterion)(X, y, 7.0 * w, weight_kind="precision")
        assert found == pytest.approx(getattr(same, criterion)(X, y, even), rel=1e-6)


def test_weights_that_cannot_be_counts_are_noticed(rng):
    x, y, w = measured(rng, 1e-8)
    fit = MoERegressor(1).fit(x, y, sample_weight=w)
    told(
        "weight_kind='precision'; if they are sampling weights, kind='sandwich'",
        fit,
        x,
        y,
        sample_weight=w,
    )


def test_another_kind_of_weights_is_refused(rng):
    x, y, w = measured(rng, 1.0)
    fit = MoERegressor(1).fit(x, y, sample_weight=w)
    with pytest.raises(ValueError, match="weight_kind='sampling' must be one of"):
        inference(fit, x, y, sample_weight=w, weight_kind="sampling")
    with pytest.raises(ValueError, match="weight_kind='sampling' must be one of"):
        fit.bic(x, y, w, weight_kind="sampling")
