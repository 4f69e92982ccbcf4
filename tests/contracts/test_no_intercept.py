"""Linear experts without intercepts: against other implementations; what is counted and told."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from sklearn.linear_model import LinearRegression, LogisticRegression, QuantileRegressor

from moe_classic import MoEClassifier, MoERegressor
from moe_classic.experts import (
    EXPERTS,
    BinomialExpert,
    GammaExpert,
    GaussianExpert,
    InverseGaussianExpert,
    LaplaceExpert,
    LogisticExpert,
    LognormalExpert,
    MultinomialExpert,
    NegativeBinomialExpert,
    PoissonExpert,
    StudentTExpert,
    WeibullExpert,
)
from moe_classic.experts._linear import LinearExpert

LINEAR = sorted(name for name, cls in EXPERTS.items() if issubclass(cls, LinearExpert))


def table(rng, n=400):
    """Features far from zero mean, in unlike units."""
    return np.column_stack([rng.normal(3.0, 1.0, n), rng.normal(-20.0, 10.0, n)])


def eta(X):
    """A predictor without a constant."""
    return 0.4 * X[:, 0] + 0.02 * X[:, 1]


def target(expert, X, rng):
    """A target of the kind that the expert describes."""
    line = eta(X)
    kind = EXPERTS[expert].target
    if expert == "binomial":
        return rng.binomial(1, 1.0 / (1.0 + np.exp(-line)))
    if kind == "count":
        return rng.poisson(np.exp(line) * rng.gamma(3.0, 1.0 / 3.0, len(X)))
    if kind == "positive":
        return np.exp(line) * rng.gamma(3.0, 1.0 / 3.0, len(X))
    if kind == "share":
        return rng.beta(4.0 / (1.0 + np.exp(-line)), 4.0 / (1.0 + np.exp(line)))
    if kind == "class":
        return (rng.random(len(X)) < 1.0 / (1.0 + np.exp(-line))).astype(int)
    return line + 0.3 * rng.standard_normal(len(X))


def fit(expert, X, y, **settings):
    """One expert, to the last digits."""
    cls = MoEClassifier if expert.kind.classes else MoERegressor
    return cls(1, expert=expert, tol=1e-12, max_iter=3000, **settings).fit(X, y)


@pytest.mark.parametrize("standardize", [True, False])
def test_gaussian_lines_are_those_of_scikit_learn(rng, standardize):
    X = table(rng)
    y = 100.0 + eta(X) + 0.3 * rng.standard_normal(400)
    moe = fit(GaussianExpert(fit_intercept=False), X, y, standardize=standardize)
    line = LinearRegression(fit_intercept=False).fit(X, y)
    np.testing.assert_allclose(moe.experts_[0].coef_, line.coef_, rtol=1e-9)
    np.testing.assert_allclose(moe.predict(X), line.predict(X), rtol=1e-9)
    assert moe.experts_[0].intercept_ == 0.0
    ols = sm.OLS(y, X).fit()
    assert moe.log_likelihood_ == pytest.approx(ols.llf, rel=1e-9)
    errors = moe.inference(X, y).table.xs("slope", level="kind").std_error
    np.testing.assert_allclose(errors, ols.bse * np.sqrt(398 / 400), rtol=1e-6)


def test_several_outputs_are_those_of_scikit_learn(rng):
    X = table(rng)
    Y = np.column_stack([5.0 + eta(X), 2.0 * eta(X)]) + rng.standard_normal((400, 2))
    for kind in ("full", "diag", "spherical"):
        moe = fit(GaussianExpert(fit_intercept=False, covariance_type=kind), X, Y)
        line = LinearRegression(fit_intercept=False).fit(X, Y)
        np.testing.assert_allclose(moe.experts_[0].coef_, line.coef_, rtol=1e-8)


def test_laplace_lines_are_medians(rng):
    X = table(rng)
    y = 1.0 + eta(X) + rng.laplace(size=400)
    moe = fit(LaplaceExpert(fit_intercept=False), X, y)
    line = QuantileRegressor(alpha=0.0, fit_intercept=False).fit(X, y)
    np.testing.assert_allclose(moe.experts_[0].coef_, line.coef_, rtol=1e-5)


GLMS = [
    (PoissonExpert, sm.families.Poisson()),
    (GammaExpert, sm.families.Gamma(sm.families.links.Log())),
    (InverseGaussianExpert, sm.families.InverseGaussian(sm.families.links.Log())),
    (BinomialExpert, sm.families.Binomial()),
]


@pytest.mark.parametrize(("expert", "family"), GLMS)
def test_generalised_linear_models_are_those_of_statsmodels(expert, family, rng):
    X = table(rng)
    y = target(expert.name, X, rng)
    moe = fit(expert(alpha=0.0, fit_intercept=False), X, y)
    glm = sm.GLM(y, X, family=family).fit(tol=1e-12)
    np.testing.assert_allclose(moe.experts_[0].coef_, glm.params, rtol=1e-6)


def test_offsets_stay_where_they_are(rng):
    X = table(rng)
    exposure = rng.uniform(0.5, 2.0, 400)
    y = rng.poisson(exposure * np.exp(eta(X)))
    moe = fit(PoissonExpert(alpha=0.0, exposure=2, fit_intercept=False), np.c_[X, exposure], y)
    glm = sm.GLM(y, X, family=sm.families.Poisson(), exposure=exposure).fit(tol=1e-12)
    np.testing.assert_allclose(moe.experts_[0].coef_, glm.params, rtol=1e-7)
    assert moe.log_likelihood_ == pytest.approx(glm.llf, rel=1e-9)


def test_negative_binomial_lognormal_and_student_t(rng):
    X = table(rng)
    y = target("negative_binomial", X, rng)
    moe = fit(NegativeBinomialExpert(alpha=0.0, fit_intercept=False), X, y)
    known = sm.NegativeBinomial(y, X).fit(disp=0, method="newton", maxiter=200)
    assert moe.log_likelihood_ == pytest.approx(known.llf, abs=1e-5)
    positive = target("gamma", X, rng)
    moe = fit(LognormalExpert(alpha=0.0, fit_intercept=False), X, positive)
    line = LinearRegression(fit_intercept=False).fit(X, np.log(positive))
    np.testing.assert_allclose(moe.experts_[0].coef_, line.coef_, rtol=1e-7)
    real = target("gaussian", X, rng)
    moe = fit(StudentTExpert(fit_intercept=False, df=5.0), X, real)
    e = real - X @ moe.experts_[0].coef_
    u = 6.0 / (5.0 + (e / moe.experts_[0].scale_) ** 2)
    np.testing.assert_allclose(X.T @ (u * e), 0.0, atol=1e-3)


@pytest.mark.parametrize("expert", [LogisticExpert, MultinomialExpert])
def test_classes_are_those_of_scikit_learn(expert, rng):
    X = table(rng)
    y = target("logistic", X, rng)
    moe = fit(expert(alpha=0.0, fit_intercept=False), X, y)
    line = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10, max_iter=2000).fit(X, y)
    np.testing.assert_allclose(moe.predict_proba(X), line.predict_proba(X), atol=1e-5)


def test_weibull_follows_its_likelihood_equations(rng):
    X = table(rng)
    y = np.exp(eta(X)) * rng.weibull(1.5, 400)
    moe = fit(WeibullExpert(alpha=0.0, fit_intercept=False), X, y)
    u = (y / np.exp(X @ moe.experts_[0].coef_)) ** moe.experts_[0].shape_
    np.testing.assert_allclose(X.T @ (u - 1.0) / len(y), 0.0, atol=1e-5)


# Overlapping experts of few rows may pass through some of them.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", LINEAR)
def test_every_linear_expert_goes_through_the_origin(name, rng):
    X = table(rng, 200)
    y = target(name, X, rng)
    expert = EXPERTS[name](fit_intercept=False)
    cls = MoEClassifier if expert.kind.classes else MoERegressor
    moe = cls(2, expert=expert, n_init=1, random_state=0).fit(X, y)
    plain = cls(2, expert=name, n_init=1, random_state=0).fit(X, y)
    assert plain.n_parameters_ - moe.n_parameters_ == 2
    assert all(np.all(e.intercept_ == 0.0) for e in moe.experts_)
    summary = moe.summary()
    experts = summary.loc[[key for key in summary.index if "gate" not in str(key[0])]]
    assert "intercept" not in experts.index.get_level_values("kind")
    assert experts.index.get_level_values("kind").isin(["slope"]).sum() == 2
    assert np.isfinite(moe.score_samples(X, y)).all()


def test_at_the_origin_the_prediction_is_zero(rng):
    X = table(rng)
    moe = MoERegressor(2, expert=GaussianExpert(fit_intercept=False), random_state=0)
    moe.fit(X, 7.0 + target("gaussian", X, rng))
    np.testing.assert_allclose(moe.predict(np.zeros((1, 2))), 0.0, atol=1e-12)


def test_a_column_of_ones_is_a_feature(rng):
    X = table(rng)
    y = 3.0 + target("gaussian", X, rng)
    ones = np.column_stack([X, np.ones(400)])
    moe = fit(GaussianExpert(fit_intercept=False), ones, y)
    plain = fit(GaussianExpert(), X, y)
    np.testing.assert_allclose(moe.experts_[0].coef_[-1], plain.experts_[0].intercept_, rtol=1e-8)
    assert moe.log_likelihood_ == pytest.approx(plain.log_likelihood_, rel=1e-10)
    assert moe.n_parameters_ == plain.n_parameters_


def test_experts_with_and_without_stand_side_by_side(rng):
    X = pd.DataFrame(table(rng), columns=["u", "v"])
    y = target("gaussian", X.to_numpy(), rng)
    experts = [("through", GaussianExpert(fit_intercept=False)), ("free", GaussianExpert())]
    moe = MoERegressor(2, expert=experts, n_init=2, random_state=0).fit(X, y)
    table_ = moe.inference(X, y).experts
    kinds = table_.reset_index().groupby("expert").kind.apply(set)
    assert "intercept" not in kinds["through"]
    assert "intercept" in kinds["free"]
    assert np.isfinite(table_.std_error).all()


@pytest.mark.parametrize("value", ["no", None, 2])
def test_other_values_are_refused(value):
    with pytest.raises(TypeError, match="GaussianExpert: fit_intercept="):
        GaussianExpert(fit_intercept=value).check()
