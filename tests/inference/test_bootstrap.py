"""The bootstrap against sandwich and information, on rows, clusters and drawn targets."""

import joblib
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from sklearn.preprocessing import FunctionTransformer

from moe_classic import MoEClassifier, MoERegressor
from moe_classic.experts import MultinomialExpert
from moe_classic.gates import GaussianGate
from moe_classic.inference import inference

from .fits import classes_of, errors, fitted, told


def test_bootstrap_of_rows_agrees_with_hc0(line):
    X, y = line
    result = inference(
        MoERegressor(1).fit(X, y), X, y, kind="bootstrap", n_bootstrap=200, random_state=0
    )
    robust = sm.OLS(y, sm.add_constant(X)).fit(cov_type="HC0")
    # 200 draws know a standard deviation to 5 %; four of those.
    np.testing.assert_allclose(errors(result, rows=slice(3)), robust.bse, rtol=0.2)


def test_bootstrap_of_clusters_agrees_with_the_clustered_sandwich(rng):
    groups = np.repeat(np.arange(60), 5)
    X = np.repeat(rng.standard_normal((60, 1)), 5, axis=0)
    y = X[:, 0] + np.repeat(rng.standard_normal(60), 5) + 0.3 * rng.standard_normal(300)
    fit = MoERegressor(1).fit(X, y)
    wald = inference(fit, X, y, kind="sandwich", clusters=groups)
    draws = inference(fit, X, y, kind="bootstrap", clusters=groups, n_bootstrap=150, random_state=0)
    plain = inference(fit, X, y)
    np.testing.assert_allclose(errors(draws, rows=slice(2)), errors(wald, rows=slice(2)), rtol=0.2)
    assert (errors(draws, rows=slice(2)) > 1.5 * errors(plain, rows=slice(2))).all()


def test_parametric_bootstrap_agrees_with_the_observed_information(pair):
    fit, X, y = pair
    wald = inference(fit, X, y)
    result = inference(fit, X, y, kind="parametric_bootstrap", n_bootstrap=120, random_state=0)
    # 120 draws know a standard deviation to 6 %; the rest is the small sample.
    np.testing.assert_allclose(errors(result), errors(wald), rtol=0.3)
    assert result.draws.shape == (120, 11)
    np.testing.assert_allclose(result.table.low, result.draws.quantile(0.025))
    np.testing.assert_allclose(result.table.std_error, result.draws.std())
    np.testing.assert_allclose(result.covariance, result.draws.cov())


def test_parametric_bootstrap_draws_the_features_of_a_gaussian_gate(line):
    X, y = line
    fit = MoERegressor(1, gate="gaussian").fit(X, y)
    wald = inference(fit, X, y)
    result = inference(fit, X, y, kind="parametric_bootstrap", n_bootstrap=150, random_state=0)
    np.testing.assert_allclose(errors(result), errors(wald), rtol=0.2)


@pytest.mark.parametrize("kind", ["bootstrap", "parametric_bootstrap"])
def test_bootstrap_does_not_depend_on_the_number_of_processes(pair, kind):
    fit, X, y = pair
    options = {"kind": kind, "n_bootstrap": 5, "random_state": 3}
    one = inference(fit, X, y, **options).draws
    with joblib.parallel_config(backend="threading"):
        two = inference(fit, X, y, n_jobs=2, **options).draws
    pd.testing.assert_frame_equal(one, two)


def test_bootstrap_reads_weights_as_counts(line):
    X, y = line
    fit = MoERegressor(1).fit(X, y, sample_weight=np.full(len(y), 4.0))
    options = {"kind": "bootstrap", "n_bootstrap": 120, "random_state": 0}
    heavy = inference(fit, X, y, sample_weight=np.full(len(y), 4.0), **options)
    light = inference(MoERegressor(1).fit(X, y), X, y, **options)
    ratio = errors(light, rows=slice(3)) / errors(heavy, rows=slice(3))
    # Four times the rows halve the errors; both are known to 6 %.
    np.testing.assert_allclose(ratio, 2.0, rtol=0.3)


def test_parametric_bootstrap_of_classes_and_weights(line):
    X, y = line
    label = classes_of(y)
    w = np.full(len(y), 2.0)
    expert = MultinomialExpert(alpha=0.01)
    fit = MoEClassifier(1, expert=expert).fit(X, label, sample_weight=w)
    wald = inference(fit, X, label, sample_weight=w)
    result = inference(
        fit, X, label, kind="parametric_bootstrap", sample_weight=w, n_bootstrap=80, random_state=0
    )
    # Estimates shrunk by the penalty spread less than its posterior: by up to its share.
    assert (errors(result) < 1.2 * errors(wald)).all()
    assert (errors(result) > 0.5 * errors(wald)).all()


def test_delta_after_a_bootstrap_takes_the_draws(pair):
    fit, X, y = pair
    result = inference(fit, X, y, kind="bootstrap", n_bootstrap=20, random_state=0)
    a = ("expert", "expert 1", "slope", "x0")
    row = result.delta(lambda t: t[a] ** 2).iloc[0]
    assert row.std_error == pytest.approx((result.draws[a] ** 2).std())
    assert row.low == pytest.approx((result.draws[a] ** 2).quantile(0.025))
    predicted = result.delta(lambda moe: moe.predict(X[:2]), of="estimator")
    assert (predicted.std_error > 0.0).all()
    with pytest.raises(ValueError, match="gradient has no meaning with kind='bootstrap'"):
        result.delta(lambda t: t[a], gradient=len)


def test_refits_that_fail_are_counted(rng):
    X = rng.standard_normal((12, 1))
    y = X[:, 0] + np.where(np.arange(12) < 6, 4.0, 0.0) + 0.1 * rng.standard_normal(12)
    R = np.eye(2)[(np.arange(12) < 6).astype(int)]
    fit = fitted(MoERegressor(2, gate="constant", init=R, n_init=1), X, y)
    result = told(
        "of 30 refits did not converge or let an expert", fit, X, y,
        kind="bootstrap", n_bootstrap=30, random_state=0,
    )  # fmt: skip
    assert 2 <= len(result.draws) < 28


def test_parametric_bootstrap_needs_whole_weights(line):
    X, y = line
    w = np.full(len(y), 1.5)
    fit = MoERegressor(1).fit(X, y, sample_weight=w)
    with pytest.raises(ValueError, match="sample_weight has fractions"):
        inference(fit, X, y, kind="parametric_bootstrap", sample_weight=w)


def test_parametric_bootstrap_needs_features_that_can_be_drawn(line):
    X, y = line
    gate = GaussianGate(features=FunctionTransformer(np.exp))
    fit = MoERegressor(1, gate=gate).fit(X[:, :1], y)
    with pytest.raises(ValueError, match="cannot be turned back into rows of X"):
        inference(fit, X[:, :1], y, kind="parametric_bootstrap", n_bootstrap=2)


def test_bootstrap_needs_weights_that_count_rows(line):
    X, y = line
    w = np.full(len(y), 1e-3)
    fit = MoERegressor(1).fit(X, y, sample_weight=w)
    with pytest.raises(ValueError, match=r"adds up to 0\.2 rows"):
        inference(fit, X, y, kind="bootstrap", sample_weight=w)
