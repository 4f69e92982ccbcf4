"""Functions of the parameters, by the delta method and by draws."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.differentiate import jacobian

from moe_classic import MoERegressor
from moe_classic.inference import inference


def test_delta_of_a_linear_function_follows_the_covariance(pair):
    fit, X, y = pair
    result = inference(fit, X, y)
    a, b = ("expert", "expert 1", "slope", "x0"), ("expert", "expert 2", "slope", "x0")
    row = result.delta(lambda t: t[a] - t[b]).iloc[0]
    C = result.covariance
    variance = C.loc[a, b] * -2.0 + C.loc[a, a] + C.loc[b, b]
    assert row.estimate == pytest.approx(result.table.estimate[a] - result.table.estimate[b])
    # Numerical derivatives of a linear function are exact to 1e-9.
    assert row.std_error == pytest.approx(np.sqrt(variance), rel=1e-7)


def test_delta_of_the_estimator_equals_the_interval_of_a_regression(line):
    X, y = line
    result = inference(MoERegressor(1).fit(X, y), X, y)
    table = result.delta(lambda moe: moe.predict(X[:5]), of="estimator")
    n = len(y)
    ols = sm.OLS(y, sm.add_constant(X)).fit()
    se = ols.get_prediction(sm.add_constant(X)[:5]).se_mean * np.sqrt((n - 3) / n)
    np.testing.assert_allclose(table.std_error, se, rtol=1e-6)


def test_delta_of_the_estimator_sees_coefficients_too(pair):
    fit, X, y = pair
    before = fit.experts_[0].coef_.copy()
    result = inference(fit, X, y)
    table = result.delta(lambda moe: moe.experts_[0].coef_, of="estimator")
    expected = result.table.loc["expert", "expert 1"].loc["slope"].std_error
    np.testing.assert_allclose(table.std_error, expected, rtol=1e-6)
    np.testing.assert_array_equal(fit.experts_[0].coef_, before)


def test_differences_are_as_exact_as_those_of_scipy(pair):
    moe, X, y = pair
    found = inference(moe, X, y)
    table = found.delta(lambda at: np.exp(np.cumsum(at) / 50.0))
    at = found.table.estimate.to_numpy()
    by_scipy = jacobian(lambda x: np.exp(np.cumsum(x, axis=0) / 50.0), at).df
    variances = np.diag(by_scipy @ found.covariance.to_numpy() @ by_scipy.T)
    assert (variances > 0.0).all()
    np.testing.assert_allclose(table.std_error, np.sqrt(variances), rtol=1e-7)


def test_delta_takes_a_gradient_and_keeps_labels(pair):
    fit, X, y = pair
    result = inference(fit, X, y)
    scale = ("expert", "expert 1", "scale", "scale")

    def log_scale(t):
        return pd.Series({"log scale": np.log(t[scale])})

    def gradient(t):
        return np.where(t.index == scale, 1.0 / t[scale], 0.0)

    by_hand, by_steps = result.delta(log_scale, gradient=gradient), result.delta(log_scale)
    assert list(by_hand.index) == ["log scale"]
    row = result.table.loc[scale]
    assert by_hand.std_error["log scale"] == pytest.approx(row.std_error / row.estimate, rel=1e-10)
    np.testing.assert_allclose(by_hand.to_numpy(), by_steps.to_numpy(), rtol=1e-6)


def test_delta_refuses_what_it_cannot_use(pair):
    fit, X, y = pair
    result = inference(fit, X, y)
    with pytest.raises(ValueError, match="of='gate'"):
        result.delta(len, of="gate")
    with pytest.raises(ValueError, match="gradient has no meaning with of='estimator'"):
        result.delta(len, of="estimator", gradient=len)
    with pytest.raises(ValueError, match="1 values of 11 parameters need"):
        result.delta(lambda t: t.iloc[0], gradient=lambda t: np.ones(3))
