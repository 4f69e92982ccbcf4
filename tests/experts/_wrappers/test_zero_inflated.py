"""Zero inflation against statsmodels, sums over values, and what users see of the logit."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from statsmodels.discrete.count_model import ZeroInflatedNegativeBinomialP, ZeroInflatedPoisson
from statsmodels.tools.numdiff import approx_fprime

from moe_classic import MoERegressor
from moe_classic.datasets import make_moe
from moe_classic.experts import (
    BinomialExpert,
    NegativeBinomialExpert,
    PoissonExpert,
    TruncatedExpert,
    ZeroInflatedExpert,
)
from moe_classic.gates import SoftmaxGate


@pytest.fixture(scope="module")
def fish():
    """Features and counts, three in ten of which are zero for a reason of their own."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 2))
    caught = rng.poisson(np.exp(1.0 + 0.5 * x[:, 0]) * rng.gamma(3.0, 1.0 / 3.0, 600))
    return x, caught * (rng.random(600) < 1.0 / (1.0 + np.exp(-0.8 - 0.6 * x[:, 1])))


def reference(model, start):
    """Optimum of a model of statsmodels from ``start`` on, standard errors and likelihood.

    Its Hessian of the zero-inflated Poisson is not the derivative of its score (errors differ by
    some per cent), which is therefore differentiated here.
    """
    options = {"method": "newton", "maxiter": 100, "tol": 1e-12, "disp": 0}
    found = model.fit(start_params=start, **options)
    assert found.mle_retvals["converged"]
    hessian = approx_fprime(found.params, model.score, centered=True)
    errors = np.sqrt(np.diag(np.linalg.inv(-0.5 * (hessian + hessian.T))))
    return found.params, errors, model.loglike(found.params)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("family", ["poisson", "negative_binomial"])
@pytest.mark.parametrize("features", [None, ["x1"], []], ids=str)
def test_one_expert_is_that_of_statsmodels(fish, family, features):
    x, y = fish
    X = pd.DataFrame(x, columns=["x0", "x1"])
    A = sm.add_constant(x)
    count = {"poisson": ZeroInflatedPoisson, "negative_binomial": ZeroInflatedNegativeBinomialP}
    inflated = {None: A, "x1": A[:, [0, 2]], "": A[:, :1]}
    key = None if features is None else "".join(features)
    inside = {"poisson": PoissonExpert, "negative_binomial": NegativeBinomialExpert}[family]
    expert = ZeroInflatedExpert(inside(alpha=0.0), features=features, alpha=0.0)
    moe = MoERegressor(1, expert=expert, tol=1e-13, max_iter=5000).fit(X, y)
    fitted, m = moe.experts_[0], inflated[key].shape[1]
    own = np.r_[fitted.inflation_intercept_, fitted.inflation_coef_]
    own = np.r_[own, fitted.intercept_, fitted.coef_]
    own = np.r_[own, fitted.dispersion_] if family == "negative_binomial" else own
    # Not where ours is, so that the two need not agree.
    best, errors, height = reference(count[family](y, A, exog_infl=inflated[key]), 1.05 * own)
    assert moe.log_likelihood_ == pytest.approx(height, abs=1e-8)
    assert moe.n_parameters_ == best.size
    np.testing.assert_allclose(own, best, rtol=1e-6)
    table = moe.inference(X, y).experts
    found = table.std_error.to_numpy()
    np.testing.assert_allclose(np.r_[found[-m:], found[:-m]], errors, rtol=1e-6)
    kinds = table.index.get_level_values("kind")
    assert list(kinds[-m:]) == ["inflation"] * m


def test_all_zeros_from_the_logit_are_a_hurdle(fish):
    x, y = fish
    expert = ZeroInflatedExpert(TruncatedExpert(PoissonExpert(alpha=0.0), low=1), alpha=0.0)
    moe = MoERegressor(1, expert=expert, tol=1e-12).fit(x, y)
    A = sm.add_constant(x)
    logit = sm.Logit((y == 0).astype(float), A).fit(disp=0)
    fitted = moe.experts_[0]
    np.testing.assert_allclose(
        np.r_[fitted.inflation_intercept_, fitted.inflation_coef_], logit.params, rtol=1e-6
    )
    above = MoERegressor(1, expert=TruncatedExpert(PoissonExpert(alpha=0.0), low=1), tol=1e-12)
    above.fit(x[y > 0], y[y > 0])
    np.testing.assert_allclose(fitted.coef_, above.experts_[0].coef_, rtol=1e-6)
    total = logit.llf + above.log_likelihood_
    assert moe.log_likelihood_ == pytest.approx(total, abs=1e-6)


def test_answers_are_sums_over_values(fish):
    x, y = fish
    moe = MoERegressor(2, expert=ZeroInflatedExpert(PoissonExpert()), random_state=0).fit(x, y)
    rows, values = x[:20], np.arange(200.0)
    p = np.exp([moe.score_samples(rows, np.full(20, v)) for v in values])
    np.testing.assert_allclose(p.sum(axis=0), 1.0, rtol=1e-10)
    mean, std = moe.predict(rows, return_std=True)
    np.testing.assert_allclose(mean, values @ p, rtol=1e-9)
    np.testing.assert_allclose(std**2, values**2 @ p - mean**2, rtol=1e-8)
    below = np.cumsum(p, axis=0)
    np.testing.assert_allclose(moe.predict_cdf(rows, np.full(20, 3.0)), below[3], rtol=1e-10)
    median = (below < 0.5).sum(axis=0)
    np.testing.assert_array_equal(moe.predict_quantile(rows, 0.5), median)
    np.testing.assert_array_equal(moe.predict_mode(rows), p.argmax(axis=0))
    score = ((below - (values[:, None] >= y[:20])) ** 2).sum(axis=0)
    np.testing.assert_allclose(moe.crps(rows, y[:20]), score, rtol=1e-8)
    drawn = moe.sample(rows, 4000, random_state=0)
    np.testing.assert_allclose((drawn == 0).mean(axis=1), p[0], atol=0.03)
    assert abs(moe.residuals(x, y, random_state=0).std() - 1.0) < 0.1


def test_logit_sees_columns_of_its_own():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(rng.normal(size=(800, 3)), columns=["a", "b", "c"])
    frame["years"] = rng.uniform(0.5, 2.0, 800)
    share = 1.0 / (1.0 + np.exp(1.0 - 1.5 * frame.c - 0.5 * frame.years))
    y = rng.poisson(frame.years * np.exp(1.0 + 0.5 * frame.a)) * (rng.random(800) >= share)
    inside = PoissonExpert(features=["a"], exposure="years", alpha=0.0)
    expert = ZeroInflatedExpert(inside, features=["c", "years"], alpha=0.0)
    moe = MoERegressor(1, expert=expert, tol=1e-12).fit(frame, y)
    A, B = sm.add_constant(frame[["a"]]), sm.add_constant(frame[["c", "years"]])
    model = ZeroInflatedPoisson(y, A, exog_infl=B, exposure=frame.years)
    fitted = moe.experts_[0]
    assert fitted.feature_names_ == ("a",)
    assert set(fitted.inflation_feature_names_) == {"c", "years"}
    by_name = dict(zip(fitted.inflation_feature_names_, fitted.inflation_coef_, strict=True))
    theta = [fitted.inflation_intercept_, by_name["c"], by_name["years"]]
    theta = np.array([*theta, fitted.intercept_, *fitted.coef_])
    assert model.loglike(theta) == pytest.approx(moe.log_likelihood_, abs=1e-8)
    np.testing.assert_allclose(model.score(theta), 0.0, atol=1e-3)
    assert moe.n_parameters_ == 5
    table = moe.inference(frame, y).experts
    assert np.isfinite(table.std_error).all()
    rows = moe.summary().loc[("expert", "inflation")]
    assert set(rows.index) == {"intercept", "c", "years"}
    twice = moe.predict(frame.assign(years=2.0 * frame.years))
    assert twice.shape == (800,)


# Steps that extrapolate may creep within rounding of the top; where they end is what counts.
@pytest.mark.filterwarnings("ignore:The fit stopped:sklearn.exceptions.ConvergenceWarning")
def test_all_solvers_end_at_the_same_height(fish):
    x, y = fish
    expert = ZeroInflatedExpert(PoissonExpert(), features=[])
    options = {"expert": expert, "gate": SoftmaxGate(alpha=1e-2), "tol": 1e-8, "n_init": 3}
    best = MoERegressor(2, random_state=0, **options).fit(x, y)
    assert (np.diff(best.trace_) >= -1e-9).all()
    for solver in ("newton", "lbfgs", "squarem"):
        moe = MoERegressor(2, solver=solver, random_state=0, **options).fit(x, y)
        assert moe.trace_[-1] == pytest.approx(best.trace_[-1], abs=1e-3), solver
        assert (np.diff(moe.trace_) >= -1e-9).all()


def test_weight_of_two_is_a_repeated_row(fish):
    x, y = fish
    w = np.random.default_rng(0).integers(1, 3, 600)
    expert = ZeroInflatedExpert(NegativeBinomialExpert())
    options = {"expert": expert, "n_init": 2, "random_state": 0}
    one = MoERegressor(2, **options).fit(x, y, w)
    two = MoERegressor(2, **options).fit(np.repeat(x, w, 0), np.repeat(y, w))
    assert one.log_likelihood_ == pytest.approx(two.log_likelihood_, rel=1e-8)


def test_no_zeros_and_all_zeros():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 1))
    expert = ZeroInflatedExpert(PoissonExpert())
    none = MoERegressor(1, expert=expert).fit(x, 1 + rng.poisson(3.0, 200))
    assert np.isfinite(none.predict(x)).all()
    only = MoERegressor(1, expert=expert).fit(x, np.zeros(200))
    np.testing.assert_allclose(only.predict(x), 0.0, atol=1e-3)


@pytest.mark.parametrize(("value", "words"), [(-1.0, "-1"), (0.5, "0.5")])
def test_what_is_no_count_is_refused(fish, value, words):
    x, y = fish
    y = y.astype(float)
    y[3] = value
    with pytest.raises(ValueError, match=f"ZeroInflatedExpert .* y has {words} in row 3"):
        MoERegressor(1, expert=ZeroInflatedExpert(PoissonExpert())).fit(x, y)


def test_unknown_feature_of_the_logit_is_refused(fish):
    x, y = fish
    with pytest.raises(ValueError, match="not a column of X"):
        MoERegressor(1, expert=ZeroInflatedExpert(PoissonExpert(), features=["age"])).fit(x, y)


def test_truth_can_be_drawn_and_is_as_likely_as_it_should_be():
    expert = ZeroInflatedExpert(PoissonExpert(), features=[])
    options = {"expert": expert, "random_state": 3, "separation": 1.0}
    X, y, truth = make_moe(4000, return_params=True, **options)
    moe = MoERegressor(2, expert=expert, random_state=0).fit(X, y)
    # Twice the gain over the truth is about chi squared.
    assert 0.0 <= moe.log_likelihood_ - truth.log_density.sum() < 2.0 * moe.n_parameters_
    assert all(np.isfinite(e.inflation_intercept_) for e in truth.experts_)


def test_graph_gives_the_same_means(fish):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    from moe_classic.onnx import to_onnx

    x, y = fish
    expert = ZeroInflatedExpert(BinomialExpert(trials=60), features=[0])
    moe = MoERegressor(2, expert=expert, random_state=0).fit(x, y)
    session = runtime.InferenceSession(to_onnx(moe, dtype=np.float64).SerializeToString())
    (found, *_) = session.run(None, {session.get_inputs()[0].name: x})
    np.testing.assert_allclose(np.ravel(found), moe.predict(x), rtol=1e-10)
