"""Truncation against scipy's densities maximised directly, and answers inside the window."""

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, optimize, stats
from scipy.special import erfcx
from statsmodels.discrete.truncated_model import TruncatedLFPoisson
from statsmodels.tools.numdiff import approx_hess

from moe_classic import MoERegressor
from moe_classic._components import normal_window_moments
from moe_classic.datasets import make_moe
from moe_classic.experts import (
    GaussianExpert,
    LognormalExpert,
    PoissonExpert,
    TruncatedExpert,
    WeibullExpert,
)


@pytest.fixture(scope="module")
def losses():
    """Features, deductibles and losses above them."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"age": rng.normal(size=3000)})
    frame["deductible"] = rng.choice([0.5, 1.0, 2.0], 3000)
    y = np.exp(0.8 + 0.4 * frame.age + 0.9 * rng.normal(size=3000))
    seen = y > frame.deductible
    return frame[seen].reset_index(drop=True), y[seen].to_numpy()


def fitted(expert, X, y, n_experts=1, **options):
    """A tight fit."""
    return MoERegressor(n_experts, expert=expert, tol=1e-12, random_state=0, **options).fit(X, y)


def test_normal_in_a_window_is_the_direct_optimum():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(1500, 2))
    y = 10.0 + x @ [2.0, -1.0] + 2.0 * rng.normal(size=1500)
    seen = (y > 8.0) & (y < 14.0)
    x, y = x[seen], y[seen]
    A = np.column_stack([np.ones(len(x)), x])

    def loss(theta):
        mean, s = A @ theta[:3], np.exp(theta[3])
        a, b = (8.0 - mean) / s, (14.0 - mean) / s
        return -stats.truncnorm.logpdf(y, a, b, mean, s).sum()

    best = optimize.minimize(loss, [10.0, 1.0, -1.0, 0.5], method="BFGS")
    moe = fitted(TruncatedExpert(GaussianExpert(), low=8.0, high=14.0), x, y)
    own = moe.experts_[0]
    theta = np.r_[own.intercept_, own.coef_, np.log(own.scale_)]
    assert moe.log_likelihood_ == pytest.approx(-best.fun, abs=1e-6)
    np.testing.assert_allclose(theta, best.x, atol=2e-4)
    errors = np.sqrt(np.diag(np.linalg.inv(approx_hess(theta, loss))))
    errors[3] *= own.scale_
    np.testing.assert_allclose(moe.inference(x, y).experts.std_error, errors, rtol=1e-4)
    law = stats.truncnorm(
        (8.0 - A @ theta[:3]) / own.scale_,
        (14.0 - A @ theta[:3]) / own.scale_,
        A @ theta[:3],
        own.scale_,
    )
    mean, std = moe.predict(x, return_std=True)
    np.testing.assert_allclose(mean, law.mean(), rtol=1e-7)
    np.testing.assert_allclose(std, law.std(), rtol=1e-5)
    np.testing.assert_allclose(moe.predict_cdf(x, y), law.cdf(y), rtol=1e-9)
    np.testing.assert_allclose(moe.predict_quantile(x, 0.05), law.ppf(0.05), rtol=1e-8)
    # Fifty rows of six thousand values each.
    a, b, mean, s = (np.broadcast_to(v, len(x))[:50] for v in law.args)
    law = stats.truncnorm(a, b, mean, s)
    grid = np.linspace(8.0, 14.0, 6001)
    score = integrate.trapezoid(
        (law.cdf(grid[:, None]) - (grid[:, None] >= y[:50])) ** 2, grid, axis=0
    )
    np.testing.assert_allclose(moe.crps(x[:50], y[:50]), score, rtol=1e-3, atol=1e-3)


def test_counts_from_one_on_are_those_of_statsmodels():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(800, 2))
    y = rng.poisson(np.exp(0.3 + 0.5 * x[:, 0]))
    x, y = x[y > 0], y[y > 0]
    moe = fitted(TruncatedExpert(PoissonExpert(alpha=0.0), low=1), x, y)
    model = TruncatedLFPoisson(y, np.column_stack([np.ones(len(x)), x]))
    known = model.fit(disp=0, maxiter=200, method="bfgs", gtol=1e-8)
    own = moe.experts_[0]
    theta = np.r_[own.intercept_, own.coef_]
    np.testing.assert_allclose(theta, known.params, atol=1e-6)
    assert moe.log_likelihood_ == pytest.approx(known.llf, abs=1e-8)
    errors = np.sqrt(np.diag(np.linalg.inv(-approx_hess(theta, model.loglike))))
    np.testing.assert_allclose(moe.inference(x, y).experts.std_error, errors, rtol=1e-5)
    mu = np.exp(theta[0] + x @ theta[1:])
    np.testing.assert_allclose(moe.predict(x), mu / -np.expm1(-mu), rtol=1e-9)
    assert moe.predict_quantile(x, 0.01).min() == 1.0
    assert moe.sample(x, 3, random_state=0).min() == 1.0


def test_windows_that_are_columns(losses):
    frame, y = losses
    expert = TruncatedExpert(LognormalExpert(), low="deductible")
    moe = fitted(expert, frame, y, gate="constant")

    def loss(theta):
        family = stats.lognorm(np.exp(theta[2]), scale=np.exp(theta[0] + theta[1] * frame.age))
        return -(family.logpdf(y) - family.logsf(frame.deductible)).sum()

    own = moe.experts_[0]
    assert own.feature_names_ == ("age",)
    theta = np.r_[own.intercept_, own.coef_, np.log(own.scale_)]
    assert theta == pytest.approx([0.8, 0.4, np.log(0.9)], abs=0.15)
    assert moe.log_likelihood_ == pytest.approx(-loss(theta), abs=1e-8)
    np.testing.assert_allclose(optimize.approx_fprime(theta, loss, 1e-6), 0.0, atol=5e-3)
    by_index = TruncatedExpert(LognormalExpert(), low_column=1)
    same = fitted(by_index, frame.to_numpy(), y, gate="constant")
    assert same.log_likelihood_ == pytest.approx(moe.log_likelihood_, abs=1e-9)
    family = stats.lognorm(own.scale_, scale=np.exp(theta[0] + theta[1] * frame.age))
    below, whole = family.cdf(frame.deductible), family.sf(frame.deductible)
    np.testing.assert_allclose(
        moe.predict_cdf(frame, y), (family.cdf(y) - below) / whole, rtol=1e-9
    )
    assert (moe.predict_quantile(frame, 0.001) > frame.deductible).all()
    assert (moe.sample(frame, random_state=0)[:, 0] >= frame.deductible).all()
    assert stats.kstest(moe.residuals(frame, y), "norm").pvalue > 1e-3
    # Mean excess of a lognormal, in closed form.
    eta, s = theta[0] + theta[1] * frame.age, own.scale_
    mean = np.exp(eta + 0.5 * s**2) * stats.norm.sf((np.log(frame.deductible) - eta) / s - s)
    np.testing.assert_allclose(moe.predict(frame), mean / whole, rtol=1e-6)


def test_all_solvers_end_at_the_same_height(losses):
    frame, y = losses[0][:1200], losses[1][:1200]
    expert = TruncatedExpert(WeibullExpert(features=["age"]), low=0.5)
    options = {"expert": expert, "gate": "constant", "random_state": 0, "n_init": 3, "tol": 1e-8}
    best = MoERegressor(2, **options).fit(frame, y)
    assert (np.diff(best.trace_) >= -1e-9).all()
    for solver in ("newton", "lbfgs", "squarem"):
        moe = MoERegressor(2, solver=solver, **options).fit(frame, y)
        assert moe.log_likelihood_ == pytest.approx(best.log_likelihood_, abs=0.05), solver
        assert (np.diff(moe.trace_) >= -1e-9).all()


def test_a_window_without_effect_is_the_expert_itself(losses):
    frame, y = losses
    X = frame[["age"]]
    plain = fitted(LognormalExpert(), X, y)
    wide = fitted(TruncatedExpert(LognormalExpert(), low=1e-9, high=1e9), X, y)
    assert wide.log_likelihood_ == pytest.approx(plain.log_likelihood_, abs=1e-7)
    np.testing.assert_allclose(wide.predict(X), plain.predict(X), rtol=1e-5)
    np.testing.assert_allclose(wide.crps(X, y), plain.crps(X, y), rtol=1e-3)


def test_experts_that_would_leave_the_window_stay_finite(losses):
    frame, y = losses
    moe = fitted(TruncatedExpert(GaussianExpert(features=["age"]), low=0.5), frame, y, 3)
    assert np.isfinite(moe.log_likelihood_)
    assert np.isfinite(moe.predict(frame)).all()
    assert (np.diff(moe.trace_) >= -1e-9).all()


def test_bad_windows_are_refused(losses):
    frame, y = losses
    with pytest.raises(ValueError, match=r"y has .* in row .*, outside the window from low=1"):
        MoERegressor(1, expert=TruncatedExpert(LognormalExpert(), low=1.0)).fit(frame, y)
    turned = frame.assign(top=frame.deductible - 0.1)
    expert = TruncatedExpert(LognormalExpert(), low="deductible", high="top")
    with pytest.raises(ValueError, match=r"window of row 0 .* is empty"):
        MoERegressor(1, expert=expert).fit(turned, y)
    above = frame.assign(deductible=5.0)
    with pytest.raises(ValueError, match="outside the window from low=5"):
        MoERegressor(1, expert=TruncatedExpert(LognormalExpert(), low="deductible")).fit(above, y)
    with pytest.raises(ValueError, match="low='excess' is not a column"):
        MoERegressor(1, expert=TruncatedExpert(LognormalExpert(), low="excess")).fit(frame, y)
    moe = fitted(TruncatedExpert(LognormalExpert(), low=0.5), frame, y)
    with pytest.raises(ValueError, match="outside the window"):
        moe.score_samples(frame[:1], [0.2])
    assert moe.predict_cdf(frame[:2], [0.2, 0.4]) == pytest.approx([0.0, 0.0])


def test_no_graph_is_said():
    from moe_classic.onnx import to_onnx

    pytest.importorskip("onnx")
    X, y = make_moe(200, expert=TruncatedExpert(PoissonExpert(), low=1), random_state=0)
    assert y.min() >= 1.0
    moe = MoERegressor(1, expert=TruncatedExpert(PoissonExpert(), low=1)).fit(X, y)
    with pytest.raises((TypeError, ValueError), match="graph"):
        to_onnx(moe)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e140])
@pytest.mark.parametrize("far", [-1e9, -40.0, -6.0, 0.0, 3.0, 12.0])
def test_moments_of_a_normal_in_a_window_are_those_of_mills(scale, far):
    """Location ``far`` scales beside a lower end; Cohen (1991), by scipy's scaled erfc."""
    z = -far
    mean, variance = normal_window_moments(
        np.full((1, 1, 1), 5.0 * scale + far * scale),
        np.full((1, 1, 1), scale),
        np.full(1, 5.0 * scale),
        np.full(1, np.inf),
    )
    if z > 30.0:  # the asymptotic series of the ratio of Mills
        above = 1.0 / z - 2.0 / z**3 + 10.0 / z**5 - 74.0 / z**7 + 706.0 / z**9
        left = 1.0 / z**2 - 6.0 / z**4 + 50.0 / z**6
    else:
        ratio = np.sqrt(2.0 / np.pi) / erfcx(z / np.sqrt(2.0))
        above, left = ratio - z, 1.0 - ratio * (ratio - z)
    np.testing.assert_allclose(mean / scale, 5.0 + above, rtol=1e-12)
    np.testing.assert_allclose(variance / scale / scale, left, rtol=1e-5 if z > 0.0 else 1e-10)


@pytest.mark.parametrize(
    "ends", [(-1.0, 2.0), (-1e-7, 2e-7), (4.0, 4.5), (-9.0, -8.0), (-50.0, 3.0)]
)
def test_moments_of_a_normal_between_two_ends_are_those_of_quadrature(ends):
    low, high = ends
    mean, variance = normal_window_moments(
        np.zeros((1, 1, 1)), np.ones((1, 1, 1)), np.full(1, low), np.full(1, high)
    )
    top = max(low, min(0.0, high))

    def density(z, k):
        return (z - top) ** k * np.exp(-0.5 * (z - top) * (z + top))

    whole, first, second = (
        integrate.quad(density, max(low, -12.0), min(high, 12.0), (k,), epsabs=0.0, epsrel=1e-12)[0]
        for k in range(3)
    )
    off = first / whole
    np.testing.assert_allclose(mean, top + off, rtol=1e-12, atol=1e-20)
    np.testing.assert_allclose(variance, second / whole - off**2, rtol=1e-8)
