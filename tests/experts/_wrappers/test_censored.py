"""Censoring against closed forms, scipy's fits, and likelihoods maximised directly."""

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats
from sklearn.metrics import r2_score
from sklearn.model_selection import cross_val_score
from statsmodels.tools.numdiff import approx_hess

from moe_classic import MoERegressor
from moe_classic.experts import (
    CensoredExpert,
    GammaExpert,
    GaussianExpert,
    LognormalExpert,
    PoissonExpert,
    TruncatedExpert,
    UniformExpert,
    WeibullExpert,
)
from moe_classic.metrics import get_scorer


@pytest.fixture(scope="module")
def lines():
    """Features, y, and y of which nothing is known below 0 and above 2."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 2))
    y = 1.0 + x @ [1.0, -0.5] + 0.7 * rng.normal(size=500)
    low = np.where(y < 0.0, -np.inf, np.minimum(y, 2.0))
    high = np.where(y > 2.0, np.inf, np.maximum(y, 0.0))
    return x, y, np.column_stack([low, high])


def fitted(expert, X, Y, n_experts=1, **options):
    """A tight fit."""
    options = {"tol": 1e-12, "random_state": 0} | options
    return MoERegressor(n_experts, expert=CensoredExpert(expert), **options).fit(X, Y)


def test_tobit_with_features_is_the_direct_optimum(lines):
    x, _, Y = lines
    A, hidden = np.column_stack([np.ones(500), x]), Y[:, 0] != Y[:, 1]

    def loss(theta):
        mean, s = A @ theta[:3], np.exp(theta[3])
        inside = stats.norm.cdf(Y[:, 1], mean, s) - stats.norm.cdf(Y[:, 0], mean, s)
        seen = stats.norm.logpdf(np.where(hidden, 0.0, Y[:, 0]), mean, s)
        return -np.where(hidden, np.log(np.maximum(inside, 1e-300)), seen).sum()

    best = optimize.minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-7})
    moe = fitted(GaussianExpert(), x, Y)
    own = moe.experts_[0]
    theta = np.r_[own.intercept_, own.coef_, np.log(own.scale_)]
    np.testing.assert_allclose(theta, best.x, atol=1e-6)
    assert moe.log_likelihood_ == pytest.approx(-best.fun, abs=1e-8)
    assert moe.score_samples(x, Y).sum() == pytest.approx(-best.fun, abs=1e-8)
    errors = np.sqrt(np.diag(np.linalg.inv(approx_hess(theta, loss))))
    errors[3] *= own.scale_
    np.testing.assert_allclose(moe.inference(x, Y).experts.std_error, errors, rtol=1e-5)


@pytest.mark.parametrize("side", ["left", "right", "interval"])
def test_normal_without_features_is_the_fit_of_scipy(side):
    rng = np.random.default_rng(1)
    y = rng.normal(50.0, 4.0, 300)
    low, high = y.copy(), y.copy()
    if side == "left":
        low[y < 48.0], high[y < 48.0] = -np.inf, 48.0
        data = stats.CensoredData.left_censored(np.maximum(y, 48.0), y < 48.0)
    elif side == "right":
        low[y > 52.0], high[y > 52.0] = 52.0, np.inf
        data = stats.CensoredData.right_censored(np.minimum(y, 52.0), y > 52.0)
    else:
        low, high = np.floor(y), np.floor(y) + 1.0
        data = stats.CensoredData(interval=np.column_stack([low, high]))
    mean, scale = stats.norm.fit(data)
    moe = fitted(GaussianExpert(), np.zeros((300, 1)), np.column_stack([low, high]))
    # scipy's own search ends within 1e-4 or so of the top.
    assert moe.experts_[0].intercept_ == pytest.approx(mean, abs=2e-3)
    assert moe.experts_[0].scale_ == pytest.approx(scale, abs=2e-3)


def test_exponential_rate_is_events_over_time():
    rng = np.random.default_rng(2)
    time, end = rng.exponential(3.0, 400), rng.uniform(1.0, 6.0, 400)
    event = time <= end
    low = np.minimum(time, end)
    Y = np.column_stack([low, np.where(event, low, np.inf)])
    x = rng.normal(size=(400, 1))
    moe = fitted(WeibullExpert(shape=1.0, alpha=0.0, features=[]), x, Y)
    rate = event.sum() / low.sum()
    assert np.exp(-moe.experts_[0].intercept_) == pytest.approx(rate, rel=1e-8)
    assert moe.inference(x, Y).experts.std_error.iloc[0] == pytest.approx(
        1.0 / np.sqrt(event.sum()), rel=1e-6
    )


def test_weibull_without_features_is_the_fit_of_scipy():
    rng = np.random.default_rng(3)
    y = 2.0 * rng.weibull(1.7, 400)
    data = stats.CensoredData.right_censored(np.minimum(y, 2.5), y > 2.5)
    shape, _, scale = stats.weibull_min.fit(data, floc=0.0)
    low = np.minimum(y, 2.5)
    moe = fitted(
        WeibullExpert(alpha=0.0),
        np.zeros((400, 1)),
        np.column_stack([low, np.where(y > 2.5, np.inf, y)]),
    )
    assert moe.experts_[0].shape_ == pytest.approx(shape, rel=1e-3)
    assert np.exp(moe.experts_[0].intercept_) == pytest.approx(scale, rel=1e-3)


@pytest.mark.parametrize(
    ("expert", "density"),
    [
        (WeibullExpert(alpha=0.0), lambda m, t: stats.weibull_min(np.exp(t), scale=np.exp(m))),
        (LognormalExpert(), lambda m, t: stats.lognorm(np.exp(t), scale=np.exp(m))),
        (
            GammaExpert(alpha=0.0),
            lambda m, t: stats.gamma(np.exp(-t), scale=np.exp(m) * np.exp(t)),
        ),
    ],
    ids=["weibull", "lognormal", "gamma"],
)
def test_durations_with_features_are_the_direct_optimum(expert, density):
    rng = np.random.default_rng(4)
    x = rng.normal(size=(400, 1))
    y = np.exp(1.0 - 0.5 * x[:, 0]) * rng.weibull(1.5, 400)
    end = rng.uniform(1.0, 6.0, 400)
    low, hidden = np.minimum(y, end), y > end
    Y = np.column_stack([low, np.where(hidden, np.inf, low)])

    def loss(theta):
        family = density(theta[0] + theta[1] * x[:, 0], theta[2])
        return -np.where(hidden, family.logsf(low), family.logpdf(low)).sum()

    moe = fitted(expert, x, Y)
    own = moe.experts_[0]
    nuisance = next(v for k, v in own.extras.items())
    theta = np.r_[own.intercept_, own.coef_, np.log(nuisance)]
    assert moe.log_likelihood_ == pytest.approx(-loss(theta), abs=1e-8)
    slopes = optimize.approx_fprime(theta, loss, 1e-6)
    np.testing.assert_allclose(slopes, 0.0, atol=1e-3)
    errors = np.sqrt(np.diag(np.linalg.inv(approx_hess(theta, loss))))
    errors[2] *= nuisance
    np.testing.assert_allclose(moe.inference(x, Y).experts.std_error, errors, rtol=1e-4)


def test_nothing_censored_is_the_expert_itself():
    rng = np.random.default_rng(7)
    x = rng.uniform(-1.0, 1.0, (400, 1))
    y = np.where(x[:, 0] < 0.1, 2.0 - 3.0 * x[:, 0], 4.0 * x[:, 0]) + 0.3 * rng.normal(size=400)
    for expert in (GaussianExpert(), GaussianExpert(alpha=0.1)):
        options = {"random_state": 0, "tol": 1e-9}
        plain = MoERegressor(2, expert=expert, **options).fit(x, y)
        same = MoERegressor(2, expert=CensoredExpert(expert), **options).fit(x, y)
        assert same.log_likelihood_ == pytest.approx(plain.log_likelihood_, abs=1e-4)
        np.testing.assert_allclose(same.predict(x), plain.predict(x), atol=1e-3)
        np.testing.assert_allclose(same.crps(x, y), plain.crps(x, y), atol=1e-3)


def test_rows_of_which_nothing_is_known_change_nothing(lines):
    x, _, Y = lines
    empty = np.tile([-np.inf, np.inf], (40, 1))
    more = fitted(GaussianExpert(), np.r_[x, x[:40] + 9.0], np.r_[Y, empty])
    moe = fitted(GaussianExpert(), x, Y)
    np.testing.assert_allclose(more.experts_[0].coef_, moe.experts_[0].coef_, rtol=1e-6)
    assert more.log_likelihood_ == pytest.approx(moe.log_likelihood_, abs=1e-8)


def test_units_of_y_change_units_alone(lines):
    x, _, Y = lines
    moe, scaled = (fitted(GaussianExpert(), x, v, 2, tol=1e-9) for v in (Y, 1e4 + 1e3 * Y))
    assert scaled.experts_[0].scale_ == pytest.approx(1e3 * moe.experts_[0].scale_, rel=1e-4)
    seen = (Y[:, 0] == Y[:, 1]).sum()
    height = moe.log_likelihood_ - seen * np.log(1e3)
    assert scaled.log_likelihood_ == pytest.approx(height, abs=1e-3)


def test_all_solvers_end_at_the_same_height(lines):
    x, _, Y = lines
    best = fitted(GaussianExpert(), x, Y, 2, tol=1e-9, n_init=3)
    assert (np.diff(best.trace_) >= -1e-9).all()
    for solver in ("newton", "lbfgs", "squarem"):
        moe = fitted(GaussianExpert(), x, Y, 2, solver=solver, tol=1e-9, n_init=3)
        assert moe.log_likelihood_ == pytest.approx(best.log_likelihood_, abs=1e-2), solver
        assert (np.diff(moe.trace_) >= -1e-9).all()


def test_weight_of_two_is_a_repeated_row(lines):
    x, _, Y = lines
    w = np.random.default_rng(0).integers(1, 3, 500)
    options = {"expert": CensoredExpert(GaussianExpert()), "n_init": 3, "random_state": 0}
    one = MoERegressor(2, **options).fit(x, Y, w)
    two = MoERegressor(2, **options).fit(np.repeat(x, w, 0), np.repeat(Y, w, 0))
    assert one.log_likelihood_ == pytest.approx(two.log_likelihood_, rel=1e-8)


def test_answers_are_of_y_before_it_is_censored(lines):
    x, y, Y = lines
    moe = fitted(GaussianExpert(), x, pd.DataFrame(Y, columns=["from", "to"]))
    own = moe.experts_[0]
    mean = own.intercept_ + x @ own.coef_
    np.testing.assert_allclose(moe.predict(x), mean)
    np.testing.assert_allclose(
        moe.predict_quantile(x, 0.9), stats.norm.ppf(0.9, mean, own.scale_), rtol=1e-9
    )
    np.testing.assert_allclose(moe.predict_cdf(x, y), stats.norm.cdf(y, mean, own.scale_))
    np.testing.assert_allclose(moe.residuals(x, y), (y - mean) / own.scale_, atol=1e-9)
    assert moe.sample(x[:3], 5, random_state=0).shape == (3, 5)
    z = moe.residuals(x, Y, random_state=0)
    assert stats.kstest(z, "norm").pvalue > 1e-3
    for ask in (moe.predict_cdf, moe.crps):
        with pytest.raises(ValueError, match="y is censored in row"):
            ask(x, Y)


def test_counts_between_ends_are_sums():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(300, 1))
    y = rng.poisson(np.exp(1.0 + 0.4 * x[:, 0]))
    Y = np.column_stack([np.where(y > 4, 5, y), np.where(y > 4, np.inf, y)])
    moe = fitted(PoissonExpert(alpha=0.0), x, Y)

    def loss(theta):
        mean = np.exp(theta[0] + theta[1] * x[:, 0])
        return -np.where(y > 4, stats.poisson.logsf(4, mean), stats.poisson.logpmf(y, mean)).sum()

    theta = np.r_[moe.experts_[0].intercept_, moe.experts_[0].coef_]
    assert moe.log_likelihood_ == pytest.approx(-loss(theta), abs=1e-9)
    np.testing.assert_allclose(optimize.approx_fprime(theta, loss, 1e-6), 0.0, atol=1e-3)


def test_censoring_and_truncation_compose():
    rng = np.random.default_rng(6)
    x = rng.normal(size=(1500, 1))
    y = np.exp(1.0 + 0.5 * x[:, 0] + 0.8 * rng.normal(size=1500))
    x, y = x[y > 1.5], y[y > 1.5]
    Y = np.column_stack([np.minimum(y, 8.0), np.where(y > 8.0, np.inf, y)])
    moe = fitted(TruncatedExpert(LognormalExpert(), low=1.5), x, Y)

    def loss(theta):
        family = stats.lognorm(np.exp(theta[2]), scale=np.exp(theta[0] + theta[1] * x[:, 0]))
        seen = np.where(y > 8.0, family.logsf(8.0), family.logpdf(np.minimum(y, 8.0)))
        return -(seen - family.logsf(1.5)).sum()

    own = moe.experts_[0]
    theta = np.r_[own.intercept_, own.coef_, np.log(own.scale_)]
    assert moe.log_likelihood_ == pytest.approx(-loss(theta), abs=1e-8)
    np.testing.assert_allclose(optimize.approx_fprime(theta, loss, 1e-6), 0.0, atol=1e-3)


def test_background_stands_beside_censored_experts(lines):
    x, _, Y = lines
    experts = [CensoredExpert(GaussianExpert()), UniformExpert()]
    moe = MoERegressor(2, expert=experts, random_state=0).fit(x, Y)
    assert np.isfinite(moe.log_likelihood_)
    assert (np.diff(moe.trace_) >= -1e-9).all()


def test_batches_are_learned(lines):
    x, _, Y = lines
    moe = MoERegressor(1, expert=CensoredExpert(GaussianExpert()), random_state=0)
    for start in range(0, 500, 100):
        moe.partial_fit(x[start : start + 100], Y[start : start + 100])
    assert moe.experts_[0].coef_ == pytest.approx([1.0, -0.5], abs=0.15)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda Y: Y[:, [0, 1, 1]], r"shape \(500, 3\)"),
        (lambda Y: np.where(np.arange(500)[:, None] == 7, [[3.0, 2.0]], Y), "in row 7.*lower end"),
        (lambda Y: np.where(np.arange(500)[:, None] == 7, np.nan, Y), "row 7"),
        (lambda Y: np.where(np.arange(500)[:, None] == 7, np.inf, Y), "row 7.*infinity"),
        (lambda Y: np.tile([-np.inf, np.inf], (500, 1)), "no finite end"),
        (lambda Y: Y[:-1], "inconsistent numbers of samples"),
    ],
)
def test_ends_without_sense_are_refused(lines, change, words):
    x, _, Y = lines
    with pytest.raises(ValueError, match=words):
        MoERegressor(1, expert=CensoredExpert(GaussianExpert())).fit(x, change(Y))


def test_ends_where_the_expert_has_no_values_are_refused():
    x, Y = np.zeros((4, 1)), np.array([[1.0, 1.0], [2.0, 3.0], [-2.0, -1.0], [1.0, np.inf]])
    with pytest.raises(ValueError, match=r"between -2 and -1 in row 2.*WeibullExpert"):
        MoERegressor(1, expert=CensoredExpert(WeibullExpert())).fit(x, Y)
    with pytest.raises(ValueError, match=r"between 1.2 and 1.8 in row 1.*PoissonExpert"):
        MoERegressor(1, expert=CensoredExpert(PoissonExpert())).fit(
            np.zeros((3, 1)), np.array([[1.0, 1.0], [1.2, 1.8], [0.0, 4.0]])
        )


def test_ends_and_numbers_do_not_mix(lines):
    x, _, Y = lines
    experts = [CensoredExpert(GaussianExpert()), GaussianExpert()]
    with pytest.raises(ValueError, match="wrap all of them"):
        MoERegressor(2, expert=experts).fit(x, Y)
    with pytest.raises(ValueError, match="fit_blocks reads one number"):
        MoERegressor(1, expert=CensoredExpert(GaussianExpert())).fit_blocks([(x, Y)])


def test_score_needs_the_numbers_themselves(lines):
    x, y, Y = lines
    moe = fitted(GaussianExpert(), x, Y)
    row = int(np.flatnonzero(Y[:, 0] != Y[:, 1])[0])
    with pytest.raises(ValueError, match=f"y is censored in row {row}.*scorer 'log_score'"):
        moe.score(x, Y)
    expected = r2_score(y, moe.predict(x))
    assert moe.score(x, y) == pytest.approx(expected, rel=1e-12)
    assert moe.score(x, np.column_stack([y, y])) == pytest.approx(expected, rel=1e-12)
    log_score = get_scorer("log_score")
    assert log_score(moe, x, Y) == pytest.approx(moe.score_samples(x, Y).mean(), rel=1e-12)
    folds = cross_val_score(moe, x, Y, scoring=log_score, cv=2)
    assert np.isfinite(folds).all()


def test_ends_that_overflow_when_squared_are_refused():
    X, y = np.arange(6.0)[:, None], np.array([[0.0, 1.0], [2.0, np.inf], [1e160, 1e160]] * 2)
    moe = MoERegressor(1, expert=CensoredExpert(GaussianExpert()))
    with pytest.raises(ValueError, match=r"y has the value 1e\+160 in row 2"):
        moe.fit(X, y)
