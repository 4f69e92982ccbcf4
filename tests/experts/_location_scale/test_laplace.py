"""Laplace experts: medians and least absolute deviations."""

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import QuantileRegressor

from moe_classic._data.stats import summarise
from moe_classic.experts import LaplaceExpert

from ..steps import fit, make_design, statistics, update


@pytest.fixture
def heavy(rng):
    """A line in two features with Laplace noise, and weights."""
    x = rng.standard_normal((2, 101))
    y = np.array([[1.0, -2.0]]) @ x + 0.5 + rng.laplace(size=(1, 101))
    return make_design(x), y, rng.uniform(0.2, 3.0, 101)


def test_fit_without_features_is_the_weighted_median(heavy):
    _, y, w = heavy
    design = make_design(np.empty((0, 101)))
    params, _ = fit(LaplaceExpert(features=[]), design, y, w, times=300)
    order = np.argsort(y[0])
    below = np.cumsum(w[order])
    median = y[0, order[np.searchsorted(below, 0.5 * w.sum())]]
    # The quadratic majoriser closes in on a kink slowly.
    assert params.coef.item() == pytest.approx(median, abs=1e-5)
    deviation = np.average(np.abs(y[0] - median), weights=w)
    assert params.scale.item() == pytest.approx(deviation, rel=1e-8)


def test_fit_is_least_absolute_deviations(heavy):
    design, y, w = heavy
    params, _ = fit(LaplaceExpert(), design, y, w, times=1000)
    exact = QuantileRegressor(alpha=0.0, solver="highs")
    exact.fit(design.Z[:-1].T, y[0], sample_weight=w)
    least = np.abs(y[0] - exact.predict(design.Z[:-1].T)) @ w
    mine = np.abs(y[0] - params.coef[0, 0] @ design.Z) @ w
    # Exact by linear programming; reached from above by the majoriser.
    assert least * (1.0 - 1e-9) <= mine <= least * (1.0 + 1e-7)
    np.testing.assert_allclose(params.coef[0, 0, :-1], exact.coef_, atol=1e-5)
    assert params.scale.item() == pytest.approx(least / w.sum(), rel=1e-6)


def test_penalised_fit_cannot_be_improved(rng):
    x = rng.standard_normal((2, 101))
    design = make_design(x)
    y = np.array([[1.0, -2.0]]) @ x + 0.2 * rng.laplace(size=(1, 101))
    expert = LaplaceExpert(alpha=0.5)
    params, summary = fit(expert, design, y, times=1000)
    theta = expert.pack(params)

    def objective(theta):
        at = expert.unpack(theta, params, summary)
        return expert.log_prob(at, design, y).sum() - expert.penalty_value(at, summary)

    best = objective(theta)
    # The objective is concave in the coefficients: no direction may climb.
    for direction in rng.standard_normal((100, 4)):
        assert objective(theta + 1e-3 * direction) < best


def test_log_density_is_that_of_the_laplace_distribution(heavy):
    design, y, w = heavy
    params, _ = fit(LaplaceExpert(), design, y, w)
    expected = stats.laplace.logpdf(y[0], params.coef[0, 0] @ design.Z, params.scale.item())
    np.testing.assert_allclose(LaplaceExpert().log_prob(params, design, y)[0], expected, rtol=1e-12)


def test_variance_is_twice_the_squared_scale(heavy):
    design, y, w = heavy
    params, _ = fit(LaplaceExpert(), design, y, w)
    variance = LaplaceExpert().variance(params, design)
    np.testing.assert_allclose(variance, 2.0 * params.scale.item() ** 2)


def test_rows_exactly_on_the_line_do_no_harm(heavy):
    design, y, w = heavy
    expert = LaplaceExpert()
    params, summary = fit(expert, design, y, w)
    on_line = y.copy()
    on_line[0, :40] = params.coef[0, 0] @ design.Z[:, :40]
    stats_ = statistics(expert, params, design, on_line, w[None])
    assert np.isfinite(stats_.gram).all()
    before = expert.log_prob(params, design, on_line) @ w
    new = update(expert, params, design, on_line, w[None], summary)
    assert expert.log_prob(new, design, on_line) @ w >= before


def test_outlier_moves_the_line_no_further_than_its_sign(heavy):
    design, y, _ = heavy
    far = y.copy()
    far[0, 0] = 1e3 * np.sign(y[0, 0] - np.median(y))
    farther = far.copy()
    farther[0, 0] *= 1e3
    a, b = (fit(LaplaceExpert(), design, t, times=600)[0].coef for t in (far, farther))
    np.testing.assert_allclose(a, b, atol=1e-4)


def test_scale_stops_at_its_floor_when_the_rows_lie_on_a_line(rng):
    x = rng.standard_normal((1, 20))
    expert = LaplaceExpert(min_scale=0.01)
    params, summary = fit(expert, make_design(x), 2.0 * x + 1.0, times=50)
    assert params.scale.item() == pytest.approx(0.01 * summary.y_scale.item(), rel=1e-12)
    assert expert.degenerate(params, summary).all()


def test_several_outputs_are_refused(rng):
    with pytest.raises(ValueError, match="LaplaceExpert describes one output, y has 3"):
        LaplaceExpert().bind(summarise(rng.standard_normal((3, 9)), np.ones(9)))
