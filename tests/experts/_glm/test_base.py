"""Experts of counts, shares and positive targets: other libraries, densities, exposures, errors."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from moe_classic import MoERegressor
from moe_classic.experts import (
    BetaExpert,
    BinomialExpert,
    GammaExpert,
    InverseGaussianExpert,
    LognormalExpert,
    NegativeBinomialExpert,
    PoissonExpert,
    WeibullExpert,
)

N = 400


def rows(seed=0):
    """Features (n, 2), a mean on the log scale, exposures, a generator."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1.5, 1.5, (N, 2))
    return x, np.exp(0.8 + 0.5 * x[:, 0] - 0.3 * x[:, 1]), rng.uniform(0.3, 3.0, N), rng


def drawn(name, mean, rng):
    """A target of a family with mean ``mean`` (or share mean / (1 + mean))."""
    share = mean / (1.0 + mean)
    return {
        "poisson": lambda: rng.poisson(mean).astype(float),
        "negative_binomial": lambda: rng.poisson(mean * rng.gamma(2.0, 0.5, N)).astype(float),
        "gamma": lambda: mean * rng.gamma(3.0, 1.0 / 3.0, N),
        "inverse_gaussian": lambda: rng.wald(mean, 4.0),
        "lognormal": lambda: mean * np.exp(0.5 * rng.standard_normal(N)),
        "weibull": lambda: mean * rng.weibull(1.6, N),
        "beta": lambda: rng.beta(8.0 * share, 8.0 * (1.0 - share)),
        "binomial": lambda: rng.binomial(12, share).astype(float),
    }[name]()


FAMILIES = {
    "poisson": PoissonExpert(alpha=0.0),
    "negative_binomial": NegativeBinomialExpert(alpha=0.0),
    "gamma": GammaExpert(alpha=0.0),
    "inverse_gaussian": InverseGaussianExpert(alpha=0.0),
    "lognormal": LognormalExpert(),
    "weibull": WeibullExpert(alpha=0.0),
    "beta": BetaExpert(alpha=0.0),
    "binomial": BinomialExpert(alpha=0.0, trials=12),
}
each = pytest.mark.parametrize("name", FAMILIES)
#: Families that may have an exposure, and those whose scale goes with it.
EXPOSED = [n for n, e in FAMILIES.items() if "exposure" in e.get_params()]


def one(expert, X, y, **options):
    """A single expert fitted as far as it goes."""
    return MoERegressor(1, expert=expert, tol=1e-13, **options).fit(X, y)


# ------------------------------------------------------------------------- other libraries


def statsmodels_fit(name, x, y):
    """statsmodels' fit: parameters (intercept first), standard errors, log-likelihood."""
    sm = pytest.importorskip("statsmodels.api", reason="needs the extra test")
    from statsmodels.othermod.betareg import BetaModel

    Z, options = sm.add_constant(x), {"disp": 0, "maxiter": 500}
    if name == "negative_binomial":
        found = sm.NegativeBinomial(y, Z).fit(method="newton", tol=1e-14, **options)
    elif name == "beta":
        start = np.r_[np.zeros(3), 1.0]
        rough = BetaModel(y, Z).fit(start_params=start, **options)
        found = BetaModel(y, Z).fit(
            start_params=rough.params, method="newton", tol=1e-14, **options
        )
    else:
        pair = np.column_stack([y, 12 - y])
        family = {
            "poisson": sm.families.Poisson(),
            "binomial": sm.families.Binomial(),
            "gamma": sm.families.Gamma(sm.families.links.Log()),
            "inverse_gaussian": sm.families.InverseGaussian(sm.families.links.Log()),
        }[name]
        found = sm.GLM(pair if name == "binomial" else y, Z, family=family).fit(tol=1e-14)
    return found


@pytest.mark.parametrize("name", ["poisson", "negative_binomial", "beta", "binomial"])
def test_one_expert_is_the_regression_of_statsmodels(name):
    x, mean, _, rng = rows()
    y = drawn(name, mean, rng)
    found = statsmodels_fit(name, x, y)
    moe = one(FAMILIES[name], x, y)
    table = moe.inference(x, y).experts
    estimate = np.r_[moe.experts_[0].intercept_, moe.experts_[0].coef_]
    np.testing.assert_allclose(estimate, found.params[:3], rtol=1e-6)
    np.testing.assert_allclose(table.std_error.to_numpy()[:3], found.bse[:3], rtol=1e-6)
    assert moe.log_likelihood_ == pytest.approx(found.llf, rel=1e-8)
    if name == "negative_binomial":
        assert moe.experts_[0].dispersion_ == pytest.approx(found.params[3], rel=1e-6)
        assert table.std_error.iloc[3] == pytest.approx(found.bse[3], rel=1e-6)
    if name == "beta":
        # There on the log scale.
        assert moe.experts_[0].concentration_ == pytest.approx(np.exp(found.params[3]), rel=1e-6)


@pytest.mark.parametrize("name", ["gamma", "inverse_gaussian"])
def test_coefficients_are_those_of_generalised_linear_models(name):
    x, mean, _, rng = rows()
    y = drawn(name, mean, rng)
    found = statsmodels_fit(name, x, y)
    moe = one(FAMILIES[name], x, y)
    estimate = np.r_[moe.experts_[0].intercept_, moe.experts_[0].coef_]
    np.testing.assert_allclose(estimate, found.params, rtol=1e-6)
    # There the dispersion is by moments; at ours the likelihood is highest.
    at_ours = found.family.loglike(y, found.mu, scale=moe.experts_[0].dispersion_)
    assert moe.log_likelihood_ == pytest.approx(at_ours, rel=1e-8)
    for factor in (0.99, 1.01):
        near = found.family.loglike(y, found.mu, scale=factor * moe.experts_[0].dispersion_)
        assert near < moe.log_likelihood_


def test_inverse_gaussian_dispersion_has_its_closed_form():
    x, mean, _, rng = rows()
    y = drawn("inverse_gaussian", mean, rng)
    moe = one(FAMILIES["inverse_gaussian"], x, y)
    mu = moe.predict(x)
    assert moe.experts_[0].dispersion_ == pytest.approx(np.mean((y - mu) ** 2 / (mu**2 * y)))


def test_lognormal_is_least_squares_of_logarithms():
    x, mean, _, rng = rows()
    y = drawn("lognormal", mean, rng)
    moe = one(LognormalExpert(), x, y)
    Z = np.column_stack([np.ones(N), x])
    coef, rss, *_ = np.linalg.lstsq(Z, np.log(y), rcond=None)
    np.testing.assert_allclose(np.r_[moe.experts_[0].intercept_, moe.experts_[0].coef_], coef)
    scale = np.sqrt(rss[0] / N)
    assert moe.experts_[0].scale_ == pytest.approx(scale)
    assert moe.log_likelihood_ == pytest.approx(
        stats.lognorm.logpdf(y, scale, scale=np.exp(Z @ coef)).sum()
    )
    error = scale * np.sqrt(np.diag(np.linalg.inv(Z.T @ Z)))
    table = moe.inference(x, y).experts.std_error
    np.testing.assert_allclose(table[:3], error, rtol=1e-6)
    assert table.iloc[3] == pytest.approx(scale / np.sqrt(2.0 * N), rel=1e-6)


def test_weibull_without_features_is_the_fit_of_scipy():
    _, _, _, rng = rows()
    y = 3.0 * rng.weibull(1.6, N)
    moe = one(WeibullExpert(features=[]), np.zeros((N, 1)), y)
    shape, _, scale = stats.weibull_min.fit(y, floc=0.0)
    assert moe.experts_[0].shape_ == pytest.approx(shape, rel=1e-4)
    assert np.exp(moe.experts_[0].intercept_) == pytest.approx(scale, rel=1e-4)
    best = stats.weibull_min.logpdf(y, shape, scale=scale).sum()
    assert moe.log_likelihood_ >= best - 1e-9


def test_exponential_is_weibull_and_gamma_with_the_parameter_one():
    x, mean, _, rng = rows()
    y = mean * rng.standard_exponential(N)
    a = one(WeibullExpert(alpha=0.0, shape=1.0), x, y)
    b = one(GammaExpert(alpha=0.0, dispersion=1.0), x, y)
    np.testing.assert_allclose(a.experts_[0].coef_, b.experts_[0].coef_, rtol=1e-7)
    assert a.log_likelihood_ == pytest.approx(b.log_likelihood_, rel=1e-10)
    assert len(a.inference(x, y).experts) == 3


def test_negative_binomial_without_dispersion_is_poisson():
    x, mean, _, rng = rows()
    y = drawn("poisson", mean, rng)
    known = one(PoissonExpert(alpha=0.0), x, y)
    given = one(NegativeBinomialExpert(alpha=0.0, dispersion=1e-9), x, y)
    np.testing.assert_allclose(given.experts_[0].coef_, known.experts_[0].coef_, rtol=1e-6)
    assert given.log_likelihood_ == pytest.approx(known.log_likelihood_, rel=1e-7)
    # The smallest dispersion, 1e-6, is Poisson up to some 1e-7 a row.
    free = one(NegativeBinomialExpert(alpha=0.0), x, y)
    assert free.log_likelihood_ >= known.log_likelihood_ - 1e-3


# ------------------------------------------------------------------------- densities


def frozen(name, e, mean):
    """scipy's distribution of a fitted expert at means ``mean``."""
    if name == "poisson":
        return stats.poisson(mean)
    if name == "negative_binomial":
        r = 1.0 / e.dispersion_
        return stats.nbinom(r, r / (r + mean))
    if name == "gamma":
        return stats.gamma(1.0 / e.dispersion_, scale=mean * e.dispersion_)
    if name == "inverse_gaussian":
        return stats.invgauss(mean * e.dispersion_, scale=1.0 / e.dispersion_)
    if name == "lognormal":
        return stats.lognorm(e.scale_, scale=mean * np.exp(-0.5 * e.scale_**2))
    if name == "weibull":
        unit = stats.weibull_min(e.shape_).mean()
        return stats.weibull_min(e.shape_, scale=mean / unit)
    if name == "beta":
        return stats.beta(e.concentration_ * mean, e.concentration_ * (1.0 - mean))
    return stats.binom(12, mean / 12.0)


@each
def test_answers_are_those_of_scipy(name):
    x, mean, _, rng = rows()
    y = drawn(name, mean, rng)
    moe = one(FAMILIES[name], x, y)
    mu, std = moe.predict(x, return_std=True)
    known = frozen(name, moe.experts_[0], mu)
    log = known.logpmf(y) if hasattr(known.dist, "logpmf") else known.logpdf(y)
    np.testing.assert_allclose(moe.score_samples(x, y), log, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(moe.predict_cdf(x, y), known.cdf(y), rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(std, known.std(), rtol=1e-7)
    for q in (0.01, 0.5, 0.975):
        np.testing.assert_allclose(moe.predict_quantile(x, q), known.ppf(q), rtol=1e-6)


@each
def test_crps_is_that_of_draws(name):
    x, mean, _, rng = rows()
    y = drawn(name, mean, rng)
    moe = one(FAMILIES[name], x, y)
    draws = moe.sample(x[:3], 20000, random_state=0)
    near = np.abs(draws - y[:3, None]).mean(axis=1)
    apart = np.abs(draws - np.roll(draws, 1, axis=1)).mean(axis=1)
    np.testing.assert_allclose(moe.crps(x[:3], y[:3]), near - 0.5 * apart, rtol=0.05)


# ------------------------------------------------------------------------- mixtures


@each
def test_mixture_climbs_and_answers(name):
    x, _, _, rng = rows()
    left = x[:, 0] < 0.0
    mean = np.exp(np.where(left, 0.2 + 0.6 * x[:, 1], 1.6 - 0.6 * x[:, 1]))
    y = drawn(name, mean, rng)
    moe = MoERegressor(2, expert=clone(FAMILIES[name]), random_state=0, n_init=4).fit(x, y)
    assert np.diff(moe.trace_).min() > -1e-9 * abs(moe.log_likelihood_)
    again = one(FAMILIES[name], x, y)
    assert moe.log_likelihood_ > again.log_likelihood_ + 10.0
    interval = moe.predict_interval(x, 0.9)
    inside = np.mean((y >= interval[:, 0]) & (y <= interval[:, 1]))
    assert 0.85 < inside < 1.0
    mode = moe.predict_mode(x[:20])
    middle = moe.predict_quantile(x[:20], 0.5)
    assert (moe.score_samples(x[:20], mode) >= moe.score_samples(x[:20], middle) - 1e-9).all()


@each
def test_integer_weights_are_repeated_rows(name):
    x, mean, _, rng = rows()
    y, w = drawn(name, mean, rng), rng.integers(1, 4, N)
    options = {"expert": FAMILIES[name], "random_state": 0, "n_init": 2}
    weighted = MoERegressor(2, **options).fit(x, y, sample_weight=w)
    repeated = MoERegressor(2, **options).fit(np.repeat(x, w, axis=0), np.repeat(y, w))
    assert weighted.log_likelihood_ == pytest.approx(repeated.log_likelihood_, rel=1e-9)
    np.testing.assert_allclose(weighted.predict(x), repeated.predict(x), rtol=1e-6)


@pytest.mark.parametrize("name", ["poisson", "binomial"])
def test_expected_sums_are_observed_ones_at_canonical_optima(name):
    x, mean, _, rng = rows()
    y = drawn(name, mean, rng)
    moe = MoERegressor(2, expert=FAMILIES[name], random_state=0, tol=1e-12).fit(x, y)
    h = moe.responsibilities(x, y)
    expected = (h * moe.expert_predictions(x)).sum(axis=0)
    np.testing.assert_allclose((h * y[:, None]).sum(axis=0), expected, rtol=1e-4)


# ------------------------------------------------------------------------- offsets, exposures


@pytest.mark.parametrize("name", EXPOSED)
def test_exposure_is_an_offset_of_its_logarithm(name):
    x, mean, exposure, rng = rows()
    y = drawn(name, mean, rng) if name == "negative_binomial" else drawn(name, mean * exposure, rng)
    X, L = np.column_stack([x, exposure]), np.column_stack([x, np.log(exposure)])
    a = one(clone(FAMILIES[name]).set_params(exposure=2), X, y)
    b = one(clone(FAMILIES[name]).set_params(offset=2), L, y)
    assert a.log_likelihood_ == pytest.approx(b.log_likelihood_, rel=1e-10)
    np.testing.assert_allclose(a.predict(X), b.predict(L), rtol=1e-7)
    assert a.experts_[0].coef_.shape == (2,)


@pytest.mark.parametrize("name", EXPOSED)
def test_doubled_exposure_shifts_the_intercept(name):
    x, mean, exposure, rng = rows()
    y = drawn(name, mean * exposure, rng)
    X, twice = np.column_stack([x, exposure]), np.column_stack([x, 2.0 * exposure])
    expert = clone(FAMILIES[name]).set_params(exposure=2)
    a, b = one(expert, X, y), one(expert, twice, y)
    np.testing.assert_allclose(a.experts_[0].coef_, b.experts_[0].coef_, rtol=1e-6)
    assert a.experts_[0].intercept_ - b.experts_[0].intercept_ == pytest.approx(np.log(2.0))
    assert a.log_likelihood_ == pytest.approx(b.log_likelihood_, rel=1e-10)
    np.testing.assert_allclose(a.predict(twice), 2.0 * a.predict(X), rtol=1e-12)


def test_exposure_is_that_of_statsmodels():
    sm = pytest.importorskip("statsmodels.api", reason="needs the extra test")
    x, mean, exposure, rng = rows()
    y = rng.poisson(mean * exposure)
    found = sm.GLM(y, sm.add_constant(x), family=sm.families.Poisson(), exposure=exposure).fit()
    X = pd.DataFrame({"a": x[:, 0], "years": exposure, "b": x[:, 1]})
    moe = one(PoissonExpert(alpha=0.0, exposure="years"), X, y)
    e = moe.experts_[0]
    np.testing.assert_allclose(np.r_[e.intercept_, e.coef_], found.params, rtol=1e-6)
    table = moe.inference(X, y).experts
    assert table.index.get_level_values("term").tolist() == ["intercept", "a", "b"]
    np.testing.assert_allclose(table.std_error, found.bse, rtol=1e-6)
    assert moe.bic(X, y) == pytest.approx(-2.0 * found.llf + 3.0 * np.log(N))


def test_trials_may_differ_from_row_to_row():
    sm = pytest.importorskip("statsmodels.api", reason="needs the extra test")
    x, mean, _, rng = rows()
    trials = rng.integers(1, 30, N)
    y = rng.binomial(trials, mean / (1.0 + mean))
    pair = np.column_stack([y, trials - y])
    found = sm.GLM(pair, sm.add_constant(x), family=sm.families.Binomial()).fit()
    X = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "m": trials})
    moe = one(BinomialExpert(alpha=0.0, trials="m"), X, y)
    e = moe.experts_[0]
    np.testing.assert_allclose(np.r_[e.intercept_, e.coef_], found.params, rtol=1e-6)
    np.testing.assert_allclose(moe.inference(X, y).experts.std_error, found.bse, rtol=1e-6)
    share = moe.predict(X) / trials
    np.testing.assert_allclose(moe.predict_cdf(X, y), stats.binom.cdf(y, trials, share), rtol=1e-8)
    np.testing.assert_array_equal(moe.predict_quantile(X, 0.3), stats.binom.ppf(0.3, trials, share))
    drawn_y = moe.sample(X, 5, random_state=0)
    assert (drawn_y <= trials[:, None]).all()
    # By number for arrays without names.
    again = one(BinomialExpert(alpha=0.0, trials_column=2), X.to_numpy(float), y)
    np.testing.assert_allclose(again.experts_[0].coef_, e.coef_, rtol=1e-9)


@pytest.mark.parametrize("solver", ["em", "newton", "lbfgs", "squarem"])
def test_every_solver_knows_the_coefficient_of_an_exposure(solver):
    x, _, exposure, rng = rows()
    left = x[:, 0] < 0.0
    mean = np.exp(np.where(left, 0.2 + 0.6 * x[:, 1], 2.0 - 0.6 * x[:, 1]))
    X, y = np.column_stack([x, exposure]), rng.poisson(mean * exposure)
    options = {"expert": PoissonExpert(exposure=-1), "random_state": 0, "tol": 1e-8}
    moe = MoERegressor(2, solver=solver, max_iter=2000, **options).fit(X, y)
    usual = MoERegressor(2, **options).fit(X, y)
    assert moe.log_likelihood_ == pytest.approx(usual.log_likelihood_, abs=1e-3)


def test_exposure_travels_through_pipelines_and_grids():
    x, mean, exposure, rng = rows()
    X = pd.DataFrame({"a": x[:, 0], "years": exposure, "b": x[:, 1]})
    y = rng.poisson(mean * exposure)
    moe = MoERegressor(1, expert=PoissonExpert(exposure="years"))
    pipe = make_pipeline(FunctionTransformer(), moe).set_output(transform="pandas")
    grid = {"moeregressor__expert__alpha": [0.0, 0.1]}
    search = GridSearchCV(pipe, grid, cv=2, error_score="raise").fit(X, y)
    assert search.best_score_ > 0.2
    best = search.best_estimator_[-1]
    np.testing.assert_allclose(
        best.predict(X.assign(years=3.0)), 3.0 * best.predict(X.assign(years=1.0))
    )


def test_features_and_exposures_may_overlap_where_asked_for():
    x, mean, exposure, rng = rows()
    X, y = np.column_stack([x, exposure]), rng.poisson(mean * exposure)
    moe = one(PoissonExpert(features=[0, 1, 2], exposure=2), X, y)
    assert moe.experts_[0].coef_.shape == (3,)
    alone = one(PoissonExpert(features=[], exposure=2), X, y)
    assert np.exp(alone.experts_[0].intercept_) == pytest.approx(y.sum() / exposure.sum())


def test_batches_keep_their_exposures():
    x, mean, exposure, rng = rows()
    X, y = np.column_stack([x, exposure]), rng.poisson(mean * exposure)
    moe = MoERegressor(1, expert=PoissonExpert(exposure=2), random_state=0)
    for part in np.array_split(np.arange(N), 4):
        moe.partial_fit(X[part], y[part])
    whole = MoERegressor(1, expert=PoissonExpert(exposure=2)).fit(X, y)
    assert moe.log_likelihood(X, y) > whole.log_likelihood_ - 1.0


# ------------------------------------------------------------------------- bad input

WRONG = [
    (PoissonExpert(), -1.0, "PoissonExpert describes a count.*-1 in row 3.*GaussianExpert"),
    (PoissonExpert(), 0.5, "PoissonExpert describes a count.*0.5 in row 3.*GammaExpert"),
    (GammaExpert(), 0.0, "GammaExpert describes a positive.*0 in row 3.*PoissonExpert"),
    (LognormalExpert(), -2.0, "LognormalExpert describes a positive.*-2 in row 3"),
    (WeibullExpert(), 0.0, "WeibullExpert describes a positive.*0 in row 3"),
    (InverseGaussianExpert(), 0.0, "InverseGaussianExpert describes a positive.*0 in row 3"),
    (BetaExpert(), 1.0, "BetaExpert describes a share.*between 0 and 1; y has .* in row 0"),
    (NegativeBinomialExpert(), -3.0, "NegativeBinomialExpert describes a count.*-3 in row 3"),
    (BinomialExpert(trials=2), 3.0, "BinomialExpert describes a count.*0 to 2 successes.*row"),
]


@pytest.mark.parametrize(("expert", "value", "message"), WRONG, ids=lambda v: str(v)[:30])
def test_target_that_a_family_does_not_describe_is_named(expert, value, message):
    x = rows()[0]
    y = np.ones(N)
    y[3] = value
    with pytest.raises(ValueError, match=message):
        MoERegressor(1, expert=expert).fit(x, y)


@pytest.mark.parametrize("name", FAMILIES)
def test_values_to_score_are_checked_too(name):
    x, mean, _, rng = rows()
    y = drawn(name, mean, rng)
    moe = one(FAMILIES[name], x, y)
    y[2] = -1.0
    for ask in (moe.score_samples, moe.responsibilities, moe.log_likelihood):
        with pytest.raises(ValueError, match=r"Expert describes a .*-1 in row 2"):
            ask(x, y)


def test_row_is_that_of_the_user_where_rows_without_weight_come_before():
    x, w, y = rows()[0], np.ones(N), np.ones(N)
    w[:2], y[3] = 0.0, -1.0
    with pytest.raises(ValueError, match="-1 in row 3"):
        MoERegressor(1, expert=PoissonExpert()).fit(x, y, sample_weight=w)


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_exposure_that_cannot_be_is_named(value):
    x, mean, exposure, rng = rows()
    y = rng.poisson(mean)
    exposure = exposure.copy()
    X = pd.DataFrame({"a": x[:, 0], "years": exposure})
    moe = MoERegressor(1, expert=PoissonExpert(exposure="years")).fit(X, y)
    bad = X.copy()
    bad.loc[5, "years"] = value
    sentence = f"PoissonExpert: the column exposure='years' of X has {value:g}"
    with pytest.raises(ValueError, match=sentence + " in row 5.*> 0"):
        clone(moe).fit(bad, y)
    with pytest.raises(ValueError, match=sentence):
        moe.predict(bad)


def test_trials_that_cannot_be_are_named():
    x, _, _, _ = rows()
    y, trials = np.ones(N), np.full(N, 3.0)
    for place, value, message in (
        (2, 0.5, "trials=1.*has 0.5 in row 2.*whole numbers >= 1"),
        (4, 0.0, "has 0 in row 4"),
    ):
        wrong = trials.copy()
        wrong[place] = value
        X = np.column_stack([x[:, 0], wrong])
        with pytest.raises(ValueError, match=message):
            MoERegressor(1, expert=BinomialExpert(trials_column=1)).fit(X, y)
    y[7] = 4.0
    X = np.column_stack([x[:, 0], trials])
    with pytest.raises(ValueError, match=r"4 successes in row 7.*has 3 trials.*PoissonExpert"):
        MoERegressor(1, expert=BinomialExpert(trials_column=1)).fit(X, y)


@pytest.mark.parametrize(
    ("expert", "message"),
    [
        (PoissonExpert(exposure="weeks"), "exposure='weeks' is not a column of X"),
        (GammaExpert(offset=9), "offset=9 is not a column of X"),
        (GammaExpert(dispersion=0.0), "dispersion=0.0 must be a finite number > 0"),
        (WeibullExpert(shape="k"), "shape='k' must be a finite number > 0"),
        (BinomialExpert(trials=0), "trials=0 must be a whole number >= 1"),
        (BinomialExpert(trials=3, trials_column=0), "give one of them"),
        (PoissonExpert(alpha=-1.0), "alpha=-1.0"),
    ],
    ids=str,
)
def test_settings_without_a_meaning_are_refused(expert, message):
    x = rows()[0]
    with pytest.raises(ValueError, match=message):
        MoERegressor(1, expert=expert).fit(x, np.ones(N))


def test_all_zeros_and_constant_targets_give_finite_answers():
    x = rows()[0]
    for expert in (PoissonExpert(), NegativeBinomialExpert(), BinomialExpert(trials=4)):
        moe = MoERegressor(1, expert=expert).fit(x, np.zeros(N))
        assert np.isfinite(moe.predict(x)).all()
        assert (moe.predict(x) < 1e-3).all()
    for expert in (GammaExpert(), LognormalExpert(), WeibullExpert(), InverseGaussianExpert()):
        with pytest.warns(ConvergenceWarning, match="smallest scale"):
            moe = MoERegressor(1, expert=expert).fit(x, np.full(N, 2.5))
        np.testing.assert_allclose(moe.predict(x), 2.5, rtol=1e-2)


def test_export_of_carried_columns_is_refused_in_a_sentence():
    pytest.importorskip("onnx", reason="needs the extra onnx")
    from moe_classic.onnx import to_onnx

    x, mean, exposure, rng = rows()
    X, y = np.column_stack([x, exposure]), rng.poisson(mean * exposure)
    with pytest.raises(TypeError, match=r"offsets, exposures or trials have no place"):
        to_onnx(MoERegressor(1, expert=PoissonExpert(exposure=2)).fit(X, y))


@pytest.mark.parametrize("name", [n for n in FAMILIES if n != "binomial"])
def test_graph_predicts_what_the_fit_does(name):
    pytest.importorskip("onnx", reason="needs the extra onnx")
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    from moe_classic.onnx import to_onnx

    x, mean, _, rng = rows()
    y = drawn(name, mean, rng)
    moe = MoERegressor(2, expert=FAMILIES[name], random_state=0, n_init=1).fit(x, y)
    graph = to_onnx(moe, dtype=np.float64).SerializeToString()
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    (found, *_) = session.run(None, {session.get_inputs()[0].name: x})
    np.testing.assert_allclose(np.ravel(found), moe.predict(x), rtol=1e-9)
