"""The whole predictive distribution along one feature."""

import numpy as np
import pytest

from moe_classic import MoERegressor
from moe_classic.datasets import make_moe
from moe_classic.experts import GammaExpert, GaussianExpert, PoissonExpert, TruncatedExpert
from moe_classic.inspection import FanDisplay


def test_fan_is_made_of_the_predicted_quantiles(crash, crash_moe):
    display = FanDisplay.from_estimator(crash_moe, *crash, coverages=(0.5, 0.9), n_points=12)
    np.testing.assert_allclose(display.levels, [0.05, 0.25, 0.5, 0.75, 0.95])
    frame = crash[0].iloc[:12].assign(times=display.values)
    expected = crash_moe.predict_quantile(frame, [0.05, 0.25, 0.5, 0.75, 0.95])
    np.testing.assert_allclose(display.quantiles, expected, rtol=1e-9)
    np.testing.assert_allclose(display.mean, crash_moe.predict(frame), rtol=1e-12)
    texts = [t.get_text() for t in display.ax_.get_legend().get_texts()]
    assert texts == ["90 %", "50 %", "median", "data", "mean"]


def test_density_is_that_of_the_mixture_and_integrates_to_one(crash, crash_moe):
    display = FanDisplay.from_estimator(crash_moe, *crash, n_points=60, kind="density")
    frame = crash[0].iloc[:60].assign(times=display.values)
    expected = np.exp(crash_moe.score_samples(frame, np.full(60, display.targets[17])))
    np.testing.assert_allclose(display.density[:, 17], expected, rtol=1e-10)
    mass = np.trapezoid(display.density[-1], display.targets)
    # The picture is cut at the outermost quantiles and the data.
    assert 0.95 < mass < 1.01


def test_averaged_quantiles_are_those_of_the_mixed_distribution(plane, plane_moe):
    X = plane[0].iloc[:15]
    display = FanDisplay.from_estimator(
        plane_moe, X, feature="age", average=True, n_points=3, coverages=[0.6], subsample=15
    )
    for g, value in enumerate(display.values):
        rows = X.assign(age=value)
        for q, y in zip(display.levels, display.quantiles[g], strict=True):
            cdf = plane_moe.predict_cdf(rows, np.full(15, y)).mean()
            assert cdf == pytest.approx(q, abs=1e-9)


def test_density_shades_are_relative_to_the_peak_of_their_column(crash, crash_moe):
    display = FanDisplay.from_estimator(crash_moe, crash[0], kind="density", n_points=20)
    shades = display.ax_.collections[0].get_array()
    np.testing.assert_allclose(shades.max(axis=0), 1.0)
    assert len(display.figure_.axes) == 2


@pytest.mark.parametrize("coverages", [(), (0.5, 1.0), (0.0,)])
def test_coverages_outside_zero_and_one_are_refused(crash, crash_moe, coverages):
    with pytest.raises(ValueError, match="coverages="):
        FanDisplay.from_estimator(crash_moe, crash[0], coverages=coverages)


def test_several_outputs_are_refused(rng):
    X = rng.standard_normal((30, 1))
    moe = MoERegressor(1).fit(X, rng.standard_normal((30, 2)))
    with pytest.raises(ValueError, match="draws one output"):
        FanDisplay.from_estimator(moe, X)


@pytest.mark.parametrize(
    "expert",
    [GammaExpert(), PoissonExpert(), TruncatedExpert(GaussianExpert(), low=0.0)],
    ids=lambda e: e.name,
)
def test_values_that_cannot_be_have_density_zero(expert):
    X, y = make_moe(200, expert=expert, n_experts=1, random_state=0)
    moe = MoERegressor(1, expert=expert).fit(X, y)
    display = FanDisplay.from_estimator(moe, X, y, n_points=20)
    below = display.targets < 0.0
    assert below.any()
    assert (display.density[:, below] == 0.0).all()
    if not expert.kind.step:
        inside = ~below
        mass = np.trapezoid(display.density[:, inside], display.targets[inside], axis=1)
        assert mass == pytest.approx(1.0, abs=0.2)
