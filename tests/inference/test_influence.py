"""Influence of single rows: against Cook's distance of a line, and refits without the row."""

import numpy as np
import pytest
import statsmodels.api as sm
from sklearn.base import clone

from moe_classic import HardMoERegressor, MoERegressor
from moe_classic.experts import GaussianExpert
from moe_classic.inference import inference, influence

from .fits import line_data, two_lines


def test_one_line_is_near_the_distance_of_cook(rng):
    """Cook's distance has the leverage in it, and no scale among the parameters."""
    X, y = line_data(rng, 400)
    moe = MoERegressor(1, expert=GaussianExpert(alpha=0.0)).fit(X, y)
    ours = influence(moe, X, y)
    fit = sm.OLS(y, sm.add_constant(X)).fit()
    e, s2 = fit.resid, np.mean(fit.resid**2)
    leverage = fit.get_influence().hat_matrix_diag
    # Without leverage in the denominator: s' H^-1 s for the slopes, and for log sigma.
    expected = leverage * e**2 / s2 + (e**2 / s2 - 1.0) ** 2 / 2.0 / len(y)
    np.testing.assert_allclose(ours.distance, expected, rtol=1e-6)


def test_shifts_are_those_of_refits_without_the_row(rng):
    X, y = two_lines(rng)
    moe = MoERegressor(2, n_init=2, random_state=0, tol=1e-12, warm_start=True).fit(X, y)
    ours, table = influence(moe, X, y), inference(moe, X, y).table
    for row in [*ours.largest(2).index, 7]:
        rest = np.arange(len(y)) != row
        again = clone(moe).set_params(
            init=moe.responsibilities(X, y)[rest], warm_start=False, n_init=1
        )
        again.fit(X[rest], y[rest])
        moved = inference(again, X[rest], y[rest]).table["estimate"] - table["estimate"]
        moved = (moved / table["std_error"]).to_numpy()
        # The step is first order in the row's weight: its error is of the size of its square.
        size = np.abs(moved).max()
        np.testing.assert_allclose(ours.shifts.iloc[row], moved, atol=1.5 * size**2 + 1e-3)


def test_weights_and_rows_without_weight(rng):
    X, y = two_lines(rng)
    w = np.ones(len(y))
    w[:5], w[5:8] = 0.0, 2.0
    moe = MoERegressor(2, n_init=2, random_state=0).fit(X, y, sample_weight=w)
    ours = influence(moe, X, y, sample_weight=w)
    assert (ours.distance[:5] == 0.0).all()
    assert (ours.shifts.iloc[:5] == 0.0).all(axis=None)
    repeated = np.repeat(np.arange(len(y)), w.astype(int))
    each = influence(moe, X[repeated], y[repeated])
    np.testing.assert_allclose(ours.distance[8:], each.distance[6:], rtol=1e-8)
    # Both copies together move the estimates twice as far.
    np.testing.assert_allclose(ours.distance[5], 4.0 * each.distance[0], rtol=1e-8)


def test_wild_row_is_first(rng):
    X, y = two_lines(rng)
    y[17] += 8.0
    moe = MoERegressor(2, n_init=2, random_state=0).fit(X, y)
    largest = influence(moe, X, y).largest(3)
    assert largest.index[0] == 17
    assert list(largest.columns) == ["distance", "parameter", "shift"]


def test_what_has_no_parameters_is_refused(rng):
    X, y = two_lines(rng)
    with pytest.raises(TypeError, match="have a likelihood"):
        influence(HardMoERegressor(2, random_state=0).fit(X, y), X, y)
