"""Errors of one expert and of two, against statsmodels, closed forms and numerical Hessians."""

import numpy as np
import pytest
import statsmodels.api as sm
from statsmodels.tools.numdiff import approx_hess

from moe_classic import MoEClassifier, MoERegressor
from moe_classic.experts import LogisticExpert, MultinomialExpert
from moe_classic.gates import SoftmaxGate
from moe_classic.inference import inference

from .fits import EXACT, classes_of, errors, two_lines

# ------------------------------------------------------------------------- one expert


def test_errors_of_one_gaussian_expert_equal_least_squares(line):
    X, y = line
    result = inference(MoERegressor(1).fit(X, y), X, y)
    ols = sm.OLS(y, sm.add_constant(X)).fit()
    n = len(y)
    # Maximum likelihood divides by n, least squares by n - 3.
    expected = ols.cov_params() * (n - 3) / n
    np.testing.assert_allclose(result.covariance.iloc[:3, :3], expected, rtol=EXACT)
    np.testing.assert_allclose(result.table.estimate[:3], ols.params, rtol=EXACT)


def test_error_of_the_scale_of_one_gaussian_expert_has_its_closed_form(line):
    X, y = line
    row = inference(MoERegressor(1).fit(X, y), X, y).table.loc[
        "expert", "expert 1", "scale", "scale"
    ]
    assert row.std_error == pytest.approx(row.estimate / np.sqrt(2 * len(y)), rel=EXACT)


def test_errors_of_one_logistic_expert_equal_logit(line):
    X, y = line
    label = (y > np.median(y)).astype(int)
    result = inference(MoEClassifier(1, expert=LogisticExpert(alpha=0.0)).fit(X, label), X, label)
    # The expert is relative to the last class, Logit to the first.
    logit = sm.Logit(1 - label, sm.add_constant(X)).fit(disp=0, tol=1e-12)
    # Newton stops at 1e-6 nats a row: the optimum is known to some 1e-6.
    np.testing.assert_allclose(result.table.estimate, logit.params, rtol=1e-5)
    np.testing.assert_allclose(result.table.std_error, logit.bse, rtol=1e-5)


def test_errors_of_one_multinomial_expert_equal_mnlogit(line):
    X, y = line
    label = classes_of(y)
    result = inference(
        MoEClassifier(1, expert=MultinomialExpert(alpha=0.0)).fit(X, label), X, label
    )
    logit = sm.MNLogit((label - 2) % 3, sm.add_constant(X)).fit(disp=0, tol=1e-12)
    # As above; MNLogit has one column a class.
    np.testing.assert_allclose(errors(result), logit.bse.T.ravel(), rtol=1e-4)


def test_penalty_enters_the_observed_information(line):
    X, y = line
    label, alpha = (y > np.median(y)).astype(int), 0.05
    result = inference(MoEClassifier(1, expert=LogisticExpert(alpha=alpha)).fit(X, label), X, label)
    Z = np.column_stack([np.ones(len(X)), X])
    p = 1.0 / (1.0 + np.exp(-Z @ result.table.estimate.to_numpy()))
    # alpha n / 2 times the squared slopes of standardised features.
    penalty = np.diag(np.r_[0.0, alpha * len(X) * X.var(axis=0)])
    covariance = np.linalg.inv((Z.T * (p * (1.0 - p))) @ Z + penalty)
    np.testing.assert_allclose(result.covariance, covariance, rtol=EXACT)


# ------------------------------------------------------------------------- two experts


def log_likelihood(theta, X, y):
    """Two Gaussian lines and a softmax gate in raw units, written for this test alone."""
    Z = np.column_stack([np.ones(len(X)), X])
    one, two, gate = theta[:4], theta[4:8], theta[8:]

    def log_normal(part):
        z = (y - Z @ part[:3]) / part[3]
        return -0.5 * z**2 - np.log(part[3]) - 0.5 * np.log(2.0 * np.pi)

    logit = Z @ gate
    first = log_normal(one) - np.logaddexp(0.0, -logit)
    second = log_normal(two) - np.logaddexp(0.0, logit)
    return np.logaddexp(first, second).sum()


def test_covariance_of_two_experts_inverts_the_hessian_in_raw_units(lines):
    X, y = lines
    X = X * [2.0, 30.0] + [1.0, -40.0]
    gate = SoftmaxGate(alpha=0.0)
    fit = MoERegressor(2, gate=gate, n_init=2, random_state=0, tol=1e-12).fit(X, y)
    result = inference(fit, X, y)
    theta = result.table.estimate.to_numpy()
    assert log_likelihood(theta, X, y) == pytest.approx(fit.log_likelihood_, rel=1e-10)
    # Complex steps are accurate to rounding in the first derivative, to 1e-6 in the second.
    hessian = approx_hess(theta, log_likelihood, args=(X, y))
    expected = np.linalg.inv(-hessian)
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    np.testing.assert_allclose(result.covariance / scale, expected / scale, rtol=0.0, atol=1e-4)


def test_opg_and_sandwich_agree_with_observed_when_the_model_is_right(rng):
    X, y = two_lines(rng, n=20000)
    fit = MoERegressor(2, n_init=1, init="kmeans", random_state=0).fit(X, y)
    observed = errors(inference(fit, X, y))
    # The information of 20000 rows is known to about one percent.
    for kind in ("opg", "sandwich"):
        np.testing.assert_allclose(errors(inference(fit, X, y, kind=kind)), observed, rtol=0.05)
