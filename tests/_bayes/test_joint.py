"""The joint posterior, point by point and by its draws."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import log_softmax, logsumexp
from scipy.stats import norm

from moe_classic._bayes import BayesianClasses, BayesianLines, BayesianLogits, Gamma
from moe_classic._bayes.gammas import gamma_shape
from moe_classic._bayes.gate import GateParams, PosteriorSoftmaxGate
from moe_classic._bayes.joint import Joint
from moe_classic._bayes.tables import scale_summary
from moe_classic._data import Design

K, Q, N = 2, 2, 25
GATE, NOISE, LINES = Gamma(0.7, 1.5), Gamma(0.5, 0.1), Gamma(0.6, 2.0)


def problem(*, classes=0):
    rng = np.random.default_rng(0)
    x = rng.normal(size=N)
    design, w = Design(np.vstack([x, np.ones(N)])), rng.uniform(0.5, 2.0, N)
    logits = BayesianLogits(GATE)
    if classes:
        family, y = BayesianClasses(BayesianLogits(LINES), classes), rng.integers(classes, size=N)
    else:
        family, y = BayesianLines(NOISE, LINES), np.abs(x)[None] + 0.3 * rng.normal(size=N)
    return Joint(family, logits, design, design, y, w, K)


def free(joint, seed):
    return np.random.default_rng(seed).normal(size=(4, joint.basis.shape[1]))


def marginal(sizes, shape, rate):
    """Log density of centred coefficients of one feature, its precision integrated out."""

    def density(log_b):
        b = np.exp(log_b)
        normal = np.prod(norm.pdf(sizes, scale=b**-0.5))
        return normal * b**shape * np.exp(-rate * b)

    return float(np.log(quad(density, -30.0, 8.0, limit=200)[0]))


def test_log_density_of_lines_is_likelihood_and_priors_integrated_by_quadrature():
    joint = problem()
    X = free(joint, 1)
    got, exact = joint.log_density(X), []
    for theta in (X @ joint.basis.T).reshape(4, K, -1):
        V, b, log_t = theta[:, :Q], theta[:, Q : 2 * Q], theta[:, -1]
        np.testing.assert_allclose(V.sum(axis=0), 0.0, atol=1e-12)
        log_gate = log_softmax(V @ joint.gate_design.Z, axis=0)
        sd = np.exp(-0.5 * log_t)[:, None]
        rows = logsumexp(log_gate + norm.logpdf(joint.y[0], b @ joint.gate_design.Z, sd), axis=0)
        # With two experts a centred pair has one coordinate, sqrt 2 times the first.
        prior = sum(marginal(np.array([np.sqrt(2) * v]), GATE.shape, GATE.rate) for v in V[0])
        for k in range(K):
            t = np.exp(log_t[k])
            prior += NOISE.shape * log_t[k] - NOISE.rate * t
            # Precisions in units of the noise: the coefficient over its noise has that prior.
            prior += sum(
                marginal(np.array([np.sqrt(t) * c]), LINES.shape, LINES.rate) + 0.5 * log_t[k]
                for c in b[k]
            )
        exact.append(rows @ joint.w + prior)
    np.testing.assert_allclose(np.diff(got), np.diff(exact), rtol=1e-6)


def test_log_density_of_classes_is_likelihood_and_priors_integrated_by_quadrature():
    joint = problem(classes=3)
    X = free(joint, 2)
    got, exact = joint.log_density(X), []
    contrasts = np.array([[1.0, -1.0, 0.0], [1.0, 1.0, -2.0]]) / np.sqrt([[2.0], [6.0]])
    for theta in (X @ joint.basis.T).reshape(4, K, -1):
        V, own = theta[:, :Q], theta[:, Q:].reshape(K, 3, Q)
        np.testing.assert_allclose(own.sum(axis=1), 0.0, atol=1e-12)
        log_gate = log_softmax(V @ joint.gate_design.Z, axis=0)
        log_p = log_softmax(own @ joint.gate_design.Z, axis=1)[:, joint.y, np.arange(N)]
        prior = sum(marginal(np.array([np.sqrt(2) * v]), GATE.shape, GATE.rate) for v in V[0])
        for b in own:
            prior += sum(marginal(contrasts @ b[:, j], LINES.shape, LINES.rate) for j in range(Q))
        exact.append(logsumexp(log_gate + log_p, axis=0) @ joint.w + prior)
    np.testing.assert_allclose(np.diff(got), np.diff(exact), rtol=1e-6)


def test_normal_gamma_nearest_to_draws_of_one_is_itself():
    rng = np.random.default_rng(0)
    shape, rate, mean = 3.0, 0.5, np.array([1.0, -2.0])
    L = np.array([[2.0, 0.5], [0.5, 1.0]])
    t = rng.gamma(shape, 1.0 / rate, 200_000)
    b = mean + rng.normal(size=(t.size, 2)) @ np.linalg.cholesky(np.linalg.inv(L)).T / np.sqrt(
        t[:, None]
    )
    own = np.concatenate([b, np.log(t)[:, None]], axis=1)[:, None]
    lines = BayesianLines(NOISE, LINES)
    q = lines.projected(lines.start(1, 2), own, np.full(t.size, 1.0 / t.size), own)
    np.testing.assert_allclose(q.mean[0], mean, atol=0.01)
    np.testing.assert_allclose(q.cov[0], np.linalg.inv(L), atol=0.01)
    assert q.noise.shape[0] == pytest.approx(shape, rel=0.02)
    assert q.noise.rate[0] == pytest.approx(rate, rel=0.02)


@pytest.mark.parametrize("shape", [1e-2, 0.3, 1.0, 40.0, 1e5])
def test_shape_of_a_gamma_distribution_is_found(shape):
    q = Gamma(shape, 2.0)
    assert gamma_shape(np.log(q.mean) - q.mean_log) == pytest.approx(shape, rel=1e-6)


@pytest.mark.parametrize("shape", [5e3, 1e7, 1e12])
def test_a_large_shape_is_not_lost_between_two_logarithms(shape):
    gap = 1.0 / (2.0 * shape) + 1.0 / (12.0 * shape**2)
    assert gamma_shape(np.array(gap)) == pytest.approx(shape, rel=1e-10)
    assert np.isfinite(gamma_shape(np.array([0.0, 1e-18, 1e300]))).all()


def test_a_scale_that_is_hardly_known_has_an_infinite_end():
    _, spread, low, high = scale_summary(1e-4, 1.0, 2.0, 0.025)
    assert spread == high == np.inf
    assert 0.0 < low < np.inf


def test_wide_posteriors_are_left_to_the_normal():
    joint = problem()
    size = joint.basis.shape[0] // K
    wide = Joint(joint.family, joint.gate, *(Design(np.ones((30, N))),) * 2, joint.y, joint.w, K)
    assert wide.draws(np.zeros((K, 61)), np.zeros((K, 61, K, 61))) is None
    found = joint.draws(np.zeros((K, size)), np.eye(K * size).reshape(K, size, K, size))
    assert found.points.shape[1] == K * size


def test_gate_averages_over_its_draws_block_by_block(monkeypatch):
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(60, 3, 2))
    draws -= draws.mean(axis=1, keepdims=True)
    design = Design(np.vstack([rng.normal(size=7), np.ones(7)]))
    gate, params = PosteriorSoftmaxGate(), GateParams(draws)
    exact = np.exp(log_softmax(draws @ design.Z, axis=1)).mean(axis=0)
    np.testing.assert_allclose(np.exp(gate.forward(params, design).log_prob), exact)
    monkeypatch.setattr("moe_classic._bayes.logits._CHUNK", 50)
    np.testing.assert_allclose(np.exp(gate.forward(params, design).log_prob), exact)
    turned = gate.reorder(params, np.array([2, 0, 1]))
    np.testing.assert_array_equal(turned.mean, params.mean[[2, 0, 1]])
    some = gate.posterior_draws(params, 9, np.random.default_rng(0))
    assert all((draws == one).all(axis=(1, 2)).any() for one in some)
