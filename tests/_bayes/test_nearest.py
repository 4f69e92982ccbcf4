"""The nearest normal distribution: against quadrature, and where nothing is to be done."""

import numpy as np
import pytest
from scipy.optimize import minimize

from moe_classic._bayes import BayesianLogits, Gamma, laplace_covariance
from moe_classic._bayes.nearest import nearest_normal
from moe_classic._data import Design

PRIOR = (0.5, 2.0)


def posterior(X, labels, C, sweeps=60):
    """The bound's own posterior, where steps start."""
    logits = BayesianLogits(Gamma(*PRIOR))
    design, targets = Design(X.T), np.eye(C)[labels].T
    q = logits.start(1, C, X.shape[1])
    for _ in range(sweeps):
        q = logits.update(q, design, targets[None], np.ones((1, len(X))))
    return q, targets, design


def test_two_classes_and_one_slope_are_those_of_quadrature():
    rng = np.random.default_rng(0)
    x = rng.standard_normal(40)
    labels = (x + 0.2 * rng.standard_normal(40) < 0.0).astype(int)
    q, targets, design = posterior(x[:, None], labels, 2)
    w = np.ones(40)
    mean, cov = nearest_normal(q, PRIOR, targets, w, design)
    np.testing.assert_allclose(mean.sum(axis=0), 0.0, atol=1e-9)
    b = (PRIOR[0] + 0.5) / (PRIOR[1] + 0.5 * float((mean**2).sum() + np.einsum("cjcj->", cov)))
    points, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()

    def loss(parameters):
        """Less the objective of the slope a = 2 v of the first class over the second."""
        m, log_s = parameters
        a = m + np.exp(log_s) * points
        signs = np.where(labels == 0, 1.0, -1.0)
        fit = -(np.logaddexp(0.0, -signs[:, None] * x[:, None] * a).sum(axis=0) @ weights)
        # Two coefficients of half the slope each.
        return -(fit - 0.25 * b * (m**2 + np.exp(2.0 * log_s)) + log_s)

    m, log_s = minimize(loss, [5.0, 0.0], method="Nelder-Mead", options={"fatol": 1e-10}).x
    slope = float(mean[0, 0] - mean[1, 0])
    spread = float(np.sqrt(cov[0, 0, 0, 0] + cov[1, 0, 1, 0] - 2.0 * cov[0, 0, 1, 0]))
    # Averages over 128 points, and steps that end at a thousandth of a standard deviation.
    assert slope == pytest.approx(m, rel=0.01)
    assert spread == pytest.approx(np.exp(log_s), rel=0.02)
    # The mode of a sharp border is too flat.
    assert slope > 1.05 * float(q.mean[0, 0, 0] - q.mean[0, 1, 0])


def test_many_rows_leave_mode_and_curvature_as_they_are():
    rng = np.random.default_rng(1)
    X = np.column_stack([rng.standard_normal(20_000), np.ones(20_000)])
    labels = (X @ rng.standard_normal((2, 3)) + rng.gumbel(size=(20_000, 3))).argmax(axis=1)
    q, targets, design = posterior(X, labels, 3)
    w = np.ones(len(X))
    mean, cov = nearest_normal(q, PRIOR, targets, w, design)
    own = laplace_covariance(q, design, w[None])[0]
    np.testing.assert_allclose(mean, q.mean[0], atol=0.01 * np.sqrt(np.einsum("cjcj->", own)) * 10)
    np.testing.assert_allclose(cov, own, atol=0.01 * np.abs(own).max())


def test_weights_are_repeated_rows_and_classes_may_change_places():
    rng = np.random.default_rng(2)
    X = np.column_stack([rng.standard_normal(30), np.ones(30)])
    side = X[:, 0] + 0.5 * rng.standard_normal(30)
    labels = (side > 0.3).astype(int) + (side > 1.0)
    twice = np.repeat(np.arange(30), 2)
    a, targets, design = posterior(X[twice], labels[twice], 3)
    mean, cov = nearest_normal(a, PRIOR, targets, np.ones(60), design)
    few = Design(X.T)
    same, _ = nearest_normal(a, PRIOR, targets[:, ::2], np.full(30, 2.0), few)
    np.testing.assert_allclose(same, mean, rtol=1e-8)
    order = np.array([2, 0, 1])
    moved, told = nearest_normal(
        type(a)(a.mean[:, order], a.cov, a.precision), PRIOR, targets[order], np.ones(60), design
    )
    # Points of the averages stand otherwise.
    scale = np.sqrt(np.einsum("cjcj->cj", cov))
    assert (np.abs(moved - mean[order]) < 0.1 * scale[order]).all()
    np.testing.assert_allclose(told, cov[order][:, :, order], rtol=0.2, atol=0.1 * cov.max())
