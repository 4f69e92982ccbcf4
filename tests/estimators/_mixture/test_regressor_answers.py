"""What mixtures answer, from their published parameters."""

import numpy as np
from scipy import stats
from scipy.special import log_softmax, logsumexp

from moe_classic.datasets import make_moe

from .models import every_gate, every_real, gate_by_hand, regressor


@every_gate
def test_gate_proba_is_the_published_gate(real, gate):
    X, y = real
    model = regressor(3, gate=gate).fit(X, y)
    proba = model.gate_proba(X)
    assert proba.shape == (150, 3)
    # rounding of coefficients moved between scales
    np.testing.assert_allclose(proba, np.exp(gate_by_hand(model, X)), atol=1e-9)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_array_equal(model.predict_expert(X), proba.argmax(axis=1))


@every_gate
def test_responsibilities_are_the_posterior_of_the_experts(real, gate):
    X, y = real
    model = regressor(3, gate=gate).fit(X, y)
    scale = np.array([e.scale_ for e in model.experts_])
    log_p = stats.norm.logpdf(y[:, None], model.expert_predictions(X), scale)
    R = model.responsibilities(X, y)
    # rounding of coefficients moved between scales
    np.testing.assert_allclose(R, np.exp(log_softmax(gate_by_hand(model, X) + log_p, 1)), atol=1e-9)
    np.testing.assert_allclose(R.sum(axis=1), 1.0, rtol=1e-12)


@every_real
def test_expert_predictions_are_the_published_lines(real, expert):
    X, y = real
    model = regressor(3, expert=expert).fit(X, y)
    lines = np.column_stack([X @ e.coef_ + e.intercept_ for e in model.experts_])
    np.testing.assert_allclose(model.expert_predictions(X), lines, rtol=1e-9, atol=1e-9)
    blend = (model.gate_proba(X) * lines).sum(axis=1)
    np.testing.assert_allclose(model.predict(X), blend, rtol=1e-9, atol=1e-9)


def test_several_outputs_are_predicted_by_the_published_planes():
    X, y = make_moe(150, n_features=2, n_outputs=3, random_state=0)
    model = regressor().fit(X, y)
    planes = np.stack([X @ e.coef_.T + e.intercept_ for e in model.experts_], axis=1)
    np.testing.assert_allclose(model.expert_predictions(X), planes, rtol=1e-9, atol=1e-9)
    blend = np.einsum("nk,nkd->nd", model.gate_proba(X), planes)
    np.testing.assert_allclose(model.predict(X), blend, rtol=1e-9, atol=1e-9)
    log_p = [
        stats.multivariate_normal(cov=e.covariance_).logpdf(y - planes[:, k])
        for k, e in enumerate(model.experts_)
    ]
    expected = logsumexp(np.log(model.gate_proba(X)) + np.column_stack(log_p), axis=1)
    np.testing.assert_allclose(model.score_samples(X, y), expected, atol=1e-8)


def test_target_with_one_column_keeps_its_shape(real):
    X, y = real
    model = regressor().fit(X, y[:, None])
    assert model.predict(X).shape == (150, 1)
    np.testing.assert_array_equal(model.predict(X)[:, 0], regressor().fit(X, y).predict(X))


def test_blocks_of_rows_do_not_change_answers(real, monkeypatch):
    X, y = real
    model = regressor(3).fit(X, y)
    whole = model.predict(X), model.score_samples(X, y), model.predict_quantile(X, 0.1)
    monkeypatch.setattr("moe_classic._results.fitted._ROWS", 17)
    parts = model.predict(X), model.score_samples(X, y), model.predict_quantile(X, 0.1)
    for a, b in zip(whole, parts, strict=True):
        # BLAS sums in another order
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
