"""Sandwich, clusters and scores, against statsmodels and closed forms."""

import itertools

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.special import ndtri

from moe_classic import MoERegressor
from moe_classic.inference import _curvature as curvature_module
from moe_classic.inference import inference

from .fits import EXACT, errors


def test_sandwich_of_one_expert_equals_hc0(line):
    X, y = line
    result = inference(MoERegressor(1).fit(X, y), X, y, kind="sandwich")
    robust = sm.OLS(y, sm.add_constant(X)).fit(cov_type="HC0")
    np.testing.assert_allclose(errors(result, rows=slice(3)), robust.bse, rtol=EXACT)


def test_clustered_sandwich_of_one_expert_equals_uncorrected_clusters(line):
    X, y = line
    groups = np.arange(len(y)) // 7
    result = inference(
        MoERegressor(1).fit(X, y), X, y, kind="sandwich", clusters=[f"g{g}" for g in groups]
    )
    ols = sm.OLS(y, sm.add_constant(X))
    robust = ols.fit(cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False})
    np.testing.assert_allclose(errors(result, rows=slice(3)), robust.bse, rtol=EXACT)


def test_rows_as_clusters_turn_counts_into_sampling_weights(line, rng):
    X, y = line
    w = rng.uniform(0.2, 3.0, len(y))
    fit = MoERegressor(1).fit(X, y, sample_weight=w)
    rows = np.arange(len(y))
    result = inference(fit, X, y, kind="sandwich", sample_weight=w, clusters=rows)
    robust = sm.WLS(y, sm.add_constant(X), weights=w).fit(cov_type="HC0")
    np.testing.assert_allclose(errors(result, rows=slice(3)), robust.bse, rtol=EXACT)


def test_opg_of_a_laplace_expert_has_its_closed_form(line):
    X, y = line
    fit = MoERegressor(1, expert="laplace").fit(X, y)
    result = inference(fit, X, y, kind="opg")
    Z = np.column_stack([np.ones(len(X)), X])
    b = fit.experts_[0].scale_
    e = y - Z @ result.table.estimate.iloc[:3]
    z, sign = np.abs(e) / b, np.sign(e)
    # The line passes through as many rows as it has coefficients: which side of it they lie on is
    # rounding, and every processor has its own.
    through = np.flatnonzero(z < 1e-9)
    assert len(through) == 3
    known = []
    for sides in itertools.product((-1.0, 0.0, 1.0), repeat=3):
        sign[through] = sides
        scores = np.column_stack([Z * sign[:, None] / b, (z - 1.0) / b])
        known.append(np.linalg.inv(scores.T @ scores))
    gap = [np.abs(result.covariance / C - 1.0).to_numpy().max() for C in known]
    assert min(gap) < 1e-6


def test_sandwich_of_a_laplace_expert_is_that_of_median_regression(line):
    X, y = line
    fit = MoERegressor(1, expert="laplace").fit(X, y)
    result = inference(fit, X, y, kind="sandwich")
    Z = np.column_stack([np.ones(len(X)), X])
    e = y - Z @ result.table.estimate.iloc[:3]
    n, b = len(y), fit.experts_[0].scale_
    # Hall & Sheather (1988), and Powell's kernel estimate of the density of y at the line.
    h = n ** (-1 / 3) * ndtri(0.975) ** (2 / 3) * (1.5 / (2.0 * np.pi)) ** (1 / 3)
    width = b * (ndtri(0.5 + h) - ndtri(0.5 - h))
    density = np.exp(-0.5 * (e / width) ** 2) / (width * np.sqrt(2.0 * np.pi))
    bread = np.linalg.inv((Z.T * density) @ Z)
    expected = np.sqrt(np.diag(0.25 * bread @ Z.T @ Z @ bread))
    # The scale is estimated along: of the order of the imbalance of signs, 3 of 200 rows.
    np.testing.assert_allclose(errors(result, rows=slice(3)), expected, rtol=0.03)


def test_bandwidth_is_that_of_statsmodels():
    assert curvature_module.hall_sheather(np.array(200.0)) == pytest.approx(
        sm.regression.quantile_regression.hall_sheather(200.0, 0.5), rel=1e-12
    )


def test_observed_information_is_refused_where_an_expert_has_a_kink(line):
    X, y = line
    fit = MoERegressor(1, expert="laplace").fit(X, y)
    with pytest.raises(ValueError, match="kind='sandwich'"):
        inference(fit, X, y)
