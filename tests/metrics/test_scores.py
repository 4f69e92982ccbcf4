"""Scores of arrays and of fitted regressors."""

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats
from sklearn.linear_model import LinearRegression

from moe_classic import MoEClassifier, MoERegressor
from moe_classic.datasets import load_tone
from moe_classic.experts import EstimatorExpert
from moe_classic.metrics import (
    crps_mixture,
    crps_samples,
    interval_coverage,
    interval_score,
    interval_width,
    pit_error,
    pit_values,
)


@pytest.fixture(scope="module")
def tone():
    return load_tone(return_X_y=True)


# ------------------------------------------------------------------------- CRPS


@pytest.mark.parametrize("expert", ["gaussian", "laplace", "student_t"])
def test_crps_of_a_fit_is_the_integral_of_its_distribution_function(tone, expert):
    X, y = tone
    moe = MoERegressor(2, expert=expert, gate="constant", n_init=3, random_state=0).fit(X, y)
    grid = np.linspace(-60.0, 64.0, 400_001)
    for row in (0, 77):
        cdf = moe.predict_cdf(np.repeat(X[row : row + 1], grid.size, axis=0), grid)
        square = (cdf - (grid >= y[row])) ** 2
        expected = integrate.trapezoid(square, grid)
        # The trapezoid is off by half a step (3e-4) at the jump at most, its tails by 1e-5.
        assert crps_samples(moe, X[[row]], y[[row]])[0] == pytest.approx(expected, abs=2e-4)


def test_crps_of_a_fit_is_that_of_its_components(tone):
    X, y = tone
    moe = MoERegressor(2, expert="student_t", n_init=3, random_state=0).fit(X, y)
    experts = moe.experts_
    expected = crps_mixture(
        y,
        moe.gate_proba(X),
        moe.expert_predictions(X),
        [e.scale_ for e in experts],
        family="student_t",
        df=[e.df_ for e in experts],
    )
    np.testing.assert_allclose(crps_samples(moe, X, y), expected, rtol=1e-10)


def test_crps_of_estimators_as_experts_uses_the_family_of_their_noise(tone):
    X, y = tone
    expert = EstimatorExpert(LinearRegression(), density="laplace")
    moe = MoERegressor(2, expert=expert, init="kmeans", n_init=1, tol=1e-2, random_state=0)
    moe.fit(X, y)
    expected = crps_mixture(
        y,
        moe.gate_proba(X),
        moe.expert_predictions(X),
        [e.scale_ for e in moe.experts_],
        family="laplace",
    )
    np.testing.assert_allclose(crps_samples(moe, X, y), expected, rtol=1e-10)


def test_scores_are_those_of_scoringrules(rng):
    reference = pytest.importorskip("scoringrules", reason="needs scoringrules, in the extra test")
    n, K = 40, 3
    weights = rng.dirichlet(np.ones(K), n)
    location, scale = rng.normal(size=(n, K)), rng.uniform(0.3, 2.0, (n, K))
    y, df = rng.normal(size=n), 4.5
    np.testing.assert_allclose(
        crps_mixture(y, weights, location, scale),
        reference.crps_mixnorm(y, location, scale, weights),
        rtol=1e-10,
    )
    alone = (y, np.ones((n, 1)), location[:, :1], scale[0, 0])
    for family, expected in (
        ("laplace", reference.crps_laplace(y, location[:, 0], scale[0, 0])),
        ("logistic", reference.crps_logistic(y, location[:, 0], scale[0, 0])),
        ("student_t", reference.crps_t(y, df, location[:, 0], scale[0, 0])),
    ):
        found = crps_mixture(*alone, family=family, df=df)
        np.testing.assert_allclose(found, expected, rtol=2e-7, err_msg=family)
    ends = np.sort(rng.normal(size=(n, 2)), axis=1)
    expected = reference.interval_score(y, *ends.T, 0.2).mean()
    assert interval_score(y, ends, coverage=0.8) == pytest.approx(expected)


def test_crps_keeps_outputs_apart(rng):
    X = rng.standard_normal((60, 1))
    y = np.hstack([X, -2.0 * X]) + rng.standard_normal((60, 2))
    moe = MoERegressor(1).fit(X, y)
    scores = crps_samples(moe, X, y)
    mean, std = moe.predict(X, return_std=True)
    assert scores.shape == y.shape
    for j in range(2):
        one = crps_mixture(y[:, j], [1.0], mean[:, [j]], std[:, [j]])
        np.testing.assert_allclose(scores[:, j], one, rtol=1e-10)


def test_crps_of_the_right_model_is_below_that_of_wrong_ones(rng):
    y = rng.standard_normal(4000)
    right = crps_mixture(y, [1.0], [0.0], 1.0).mean()
    assert right < crps_mixture(y, [1.0], [0.0], 1.3).mean()
    assert right < crps_mixture(y, [1.0], [0.3], 1.0).mean()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": [0.5, 0.4]}, "sum to 1"),
        ({"weights": [[0.5, 0.5]] * 3}, "weights has shape"),
        ({"scale": [1.0, 0.0]}, "scale must be positive"),
        ({"family": "cauchy"}, "family='cauchy' must be one of"),
        ({"family": ["gaussian"] * 3}, "sequence of 2"),
        ({"family": "student_t"}, "df=None must be finite"),
        ({"family": "student_t", "df": [3.0, 0.5]}, "finite and > 0.5"),
        ({"location": [np.nan, 0.0]}, "location has shape"),
    ],
)
def test_crps_of_impossible_components_is_refused(change, message):
    arguments = {"weights": [0.5, 0.5], "location": [0.0, 1.0], "scale": 1.0} | change
    with pytest.raises(ValueError, match=message):
        crps_mixture([0.0, 1.0], **arguments)


def test_crps_of_a_classifier_is_refused(rng):
    X = rng.standard_normal((40, 1))
    moe = MoEClassifier(1).fit(X, X[:, 0] > 0.0)
    with pytest.raises(TypeError, match="estimator with crps"):
        crps_samples(moe, X, X[:, 0] > 0.0)


# ------------------------------------------------------------------------- PIT


def test_pit_of_the_right_model_is_uniform():
    # The model fitted to many rows, looked at on others.
    rng = np.random.default_rng(1)
    X = rng.uniform(-1.0, 1.0, (4000, 1))
    y = np.where(X[:, 0] > 0.0, 3.0 * X[:, 0], 1.0) + 0.2 * rng.standard_normal(4000)
    moe = MoERegressor(2, n_init=3, random_state=0).fit(X[:2000], y[:2000])
    pit = pit_values(moe, X[2000:], y[2000:])
    assert stats.kstest(pit, "uniform").pvalue > 0.01


def test_pit_error_is_the_kolmogorov_smirnov_statistic(rng):
    pit = rng.beta(1.5, 1.0, 80)
    assert pit_error(pit) == pytest.approx(stats.kstest(pit, "uniform").statistic, rel=1e-12)


def test_pit_error_counts_a_weight_of_two_as_a_repeated_row(rng):
    pit = rng.random(30)
    w = np.where(np.arange(30) < 7, 2.0, 1.0)
    repeated = np.concatenate([pit, pit[:7]])
    assert pit_error(pit, sample_weight=w) == pytest.approx(pit_error(repeated), rel=1e-12)


def test_pit_outside_zero_and_one_is_refused():
    with pytest.raises(ValueError, match=r"pit must lie in \[0, 1\]"):
        pit_error([0.5, 1.5])


# ------------------------------------------------------------------------- intervals


def test_interval_scores_are_their_formulas():
    y, ends = [0.0, 1.0, 5.0], [[-1.0, 1.0], [0.0, 1.0], [1.0, 3.0]]
    assert interval_coverage(y, ends) == pytest.approx(2.0 / 3.0)
    assert interval_width(ends) == pytest.approx(5.0 / 3.0)
    # The last target sticks out by 2, which costs 2 / (1 - 0.8) = 10 times as much.
    assert interval_score(y, ends, coverage=0.8) == pytest.approx((5.0 + 20.0) / 3.0)


def test_interval_scores_use_sample_weights():
    y, ends, w = [0.0, 5.0], [[-1.0, 1.0], [1.0, 2.0]], [3.0, 1.0]
    assert interval_coverage(y, ends, sample_weight=w) == pytest.approx(0.75)
    assert interval_width(ends, sample_weight=w) == pytest.approx(1.75)


def test_interval_score_is_least_for_the_right_interval():
    y = stats.norm.ppf((np.arange(2000) + 0.5) / 2000)
    scores = []
    for level in (0.8, 0.9, 0.95):
        reach = stats.norm.ppf(0.5 + 0.5 * level)
        ends = np.tile([-reach, reach], (2000, 1))
        scores.append(interval_score(y, ends, coverage=0.9))
    assert scores[1] == min(scores)


@pytest.mark.parametrize(
    ("ends", "message"),
    [
        ([0.0, 1.0], "last axis of length 2"),
        ([[1.0, 0.0], [0.0, 1.0]], "lower ends"),
        ([[[0.0, 1.0]], [[0.0, 1.0]]], "its intervals have shape"),
    ],
)
def test_intervals_that_make_no_sense_are_refused(ends, message):
    with pytest.raises(ValueError, match=message):
        interval_coverage([0.0, 1.0], ends)


def test_coverage_outside_zero_and_one_is_refused():
    with pytest.raises(ValueError, match="coverage=1"):
        interval_score([0.0], [[0.0, 1.0]], coverage=1.0)


# ------------------------------------------------------------------------- frames


def test_scores_of_frames_keep_their_names(tone):
    X, y = tone
    X = pd.DataFrame(np.asarray(X), columns=["stretchratio"])
    moe = MoERegressor(2, n_init=1, random_state=0).fit(X, y)
    # A warning about missing names would be an error here.
    assert crps_samples(moe, X, y).shape == np.shape(y)
    assert pit_values(moe, X, y).shape == np.shape(y)
