"""The softmax gate: its optimum is that of multinomial regression with soft targets."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from moe_classic._data.blocks import Design
from moe_classic._data.stats import Summary
from moe_classic.gates import SoftmaxGate, _softmax
from moe_classic.gates._softmax import SoftmaxParams


@pytest.fixture
def soft(rng):
    """Two features, weighted responsibilities of three experts that depend on them."""
    x = rng.standard_normal((2, 150))
    logits = np.array([[1.0, -1.0], [0.0, 1.5], [-1.0, 0.0]]) @ x
    R = np.exp(logits + rng.gumbel(size=logits.shape))
    return Design(np.vstack([x, np.ones(150)])), rng.uniform(0.2, 3.0, 150) * R / R.sum(axis=0)


@pytest.fixture
def bound(monkeypatch):
    """Every Newton system counts as too large, so that the bound of Bohning serves."""
    monkeypatch.setattr(_softmax, "GATE_LIMIT", 0)


def summary_of(S):
    return Summary(float(S.sum()), np.zeros(1), np.ones(1))


def statistics(gate, params, design, S):
    fwd = gate.forward(params, design)
    grams = design.grams(gate.curvature(params, fwd, S))
    return gate.statistics(params, fwd, design, S, grams)


def climb(gate, design, S, *, times):
    params = gate.start(len(S), design.width, summary_of(S))
    for _ in range(times):
        params = gate.update(params, statistics(gate, params, design, S), summary_of(S))
    return params


def reference(design, S, alpha):
    """scikit-learn's probabilities: every row stands once for every expert, weighted by S."""
    K, n = S.shape
    # With two classes scikit-learn penalises the difference, not both centred halves of it.
    strength = alpha * S.sum() * (0.5 if K == 2 else 1.0)
    model = LogisticRegression(C=1.0 / strength, tol=1e-12, solver="newton-cholesky")
    X = np.tile(design.Z[:-1].T, (K, 1))
    model.fit(X, np.repeat(np.arange(K), n), sample_weight=S.ravel())
    return model.predict_proba(design.Z[:-1].T).T


@pytest.mark.parametrize("alpha", [0.01, 1.0])
@pytest.mark.parametrize("K", [2, 3])
def test_optimum_is_that_of_logistic_regression_on_soft_targets(soft, alpha, K):
    design, S = soft
    gate = SoftmaxGate(alpha=alpha)
    params = climb(gate, design, S[:K], times=12)
    probability = np.exp(gate.log_gate(params, design))
    # Newton on both sides.
    np.testing.assert_allclose(probability, reference(design, S[:K], alpha), rtol=1e-8)


def test_optimum_is_that_of_logistic_regression_on_hard_targets(soft):
    design, S = soft
    hard = np.eye(3)[S.argmax(axis=0)].T
    gate = SoftmaxGate(alpha=0.01)
    probability = np.exp(gate.log_gate(climb(gate, design, hard, times=15), design))
    model = LogisticRegression(C=1.0 / (0.01 * 150), tol=1e-12, solver="newton-cholesky")
    model.fit(design.Z[:-1].T, hard.argmax(axis=0))
    expected = model.predict_proba(design.Z[:-1].T).T
    np.testing.assert_allclose(probability, expected, rtol=1e-8)


def test_bound_reaches_the_optimum_of_newton(soft, bound):
    design, S = soft
    gate = SoftmaxGate(alpha=0.1)
    probability = np.exp(gate.log_gate(climb(gate, design, S, times=300), design))
    # The bound converges linearly.
    np.testing.assert_allclose(probability, reference(design, S, 0.1), rtol=1e-8)


def test_bound_never_overshoots(soft, bound, rng):
    design, S = soft
    gate = SoftmaxGate(alpha=0.01)
    for _ in range(5):
        params, value = SoftmaxParams(3.0 * rng.standard_normal((2, 3))), -np.inf
        for _ in range(10):
            penalty = gate.penalty_value(params, summary_of(S))
            new = (S * gate.log_gate(params, design)).sum() - penalty
            assert new >= value - 1e-9 * abs(new)  # a theorem: rounding only
            value = new
            stats = statistics(gate, params, design, S)
            params = gate.update(params, stats, summary_of(S))


def test_statistics_of_the_bound_need_one_gram_matrix(soft, bound):
    design, S = soft
    gate = SoftmaxGate()
    params = gate.start(3, 3, summary_of(S))
    mass = gate.curvature(params, gate.forward(params, design), S)
    np.testing.assert_allclose(mass, S.sum(axis=0)[None])
    assert statistics(gate, params, design, S).gram.shape == (1, 6)


def test_expected_mass_equals_posterior_mass_at_the_optimum(soft):
    design, S = soft
    gate = SoftmaxGate(alpha=0.5)
    g = np.exp(gate.log_gate(climb(gate, design, S, times=12), design))
    # Intercepts are not penalised: mean posterior = mean gate.
    np.testing.assert_allclose(g @ S.sum(axis=0), S.sum(axis=1), rtol=1e-10)


def test_probabilities_hold_far_out(soft):
    design, _ = soft
    gate = SoftmaxGate()
    log_gate = gate.log_gate(SoftmaxParams(1e4 * np.array([[1.0, 2, 3], [-1, 0, 1]])), design)
    assert np.isfinite(log_gate).all()
    np.testing.assert_allclose(np.exp(log_gate).sum(axis=0), 1.0, rtol=1e-12)
    # Some probabilities underflow; their logarithms do not.
    assert log_gate.min() < -1e4


def test_shift_of_large_logits_does_not_show():
    # Logits on both sides of the size from which they are shifted before the exponential.
    gate, design = SoftmaxGate(), Design(np.array([[-1.0, 1.0], [1.0, 1.0]]))
    near, far = (gate.log_gate(SoftmaxParams(np.array([[c, 0.0]])), design) for c in (299.9, 300.1))
    np.testing.assert_allclose(near - far, [[0.2, 0.0], [0.0, 0.2]], atol=1e-10)


def test_separable_regions_give_finite_steps_without_a_penalty():
    x = np.linspace(-1.0, 1.0, 40)
    design, S = Design(np.vstack([x, np.ones(40)])), np.stack([x > 0.0, x <= 0.0]) * 1.0
    gate = SoftmaxGate(alpha=0.0)
    params = gate.start(2, 2, summary_of(S))
    for _ in range(60):
        new = gate.update(params, statistics(gate, params, design, S), summary_of(S))
        # The largest change of a coefficient in one step.
        assert np.abs(new.coef - params.coef).max() <= 8.0 + 1e-12
        params = new
    log_gate = gate.log_gate(params, design)
    assert np.isfinite(log_gate).all()
    # The supremum, 0, is approached in steps of bounded size.
    assert (S * log_gate).sum() > -1e-3


def test_reorder_changes_the_reference(soft):
    design, S = soft
    gate = SoftmaxGate()
    params = climb(gate, design, S, times=3)
    moved = gate.reorder(params, np.array([2, 0, 1]))
    np.testing.assert_allclose(moved.coef[0], -params.coef[1], rtol=1e-14)
    np.testing.assert_allclose(moved.coef[1], params.coef[0] - params.coef[1], rtol=1e-13)


def test_one_expert_needs_no_gate(soft):
    design, S = soft
    gate = SoftmaxGate()
    params = gate.start(1, 3, summary_of(S))
    assert gate.n_parameters(params) == 0
    np.testing.assert_array_equal(gate.log_gate(params, design), np.zeros((1, 150)))
    stats = statistics(gate, params, design, S[:1])
    assert gate.update(params, stats, summary_of(S)).coef.shape == (0, 3)


def test_parameters_are_counted():
    gate = SoftmaxGate()
    assert gate.n_parameters(gate.start(5, 4, summary_of(np.ones((5, 1))))) == 4 * 4


def test_translated_scores_are_right_to_second_order(soft, rng):
    design, S = soft
    gate = SoftmaxGate()
    old = gate.start(3, 3, summary_of(S))
    before = statistics(gate, old, design, S)
    direction = rng.standard_normal((2, 3))
    errors = []
    for step in (1e-2, 1e-3):
        new = SoftmaxParams(old.coef + step * direction)
        after = statistics(gate, new, design, S)
        errors.append(np.abs(gate.translate(before, old, new).score - after.score).max())
    assert errors[0] > 0.0
    # A tenth of the step leaves a hundredth of the error, and a little.
    assert errors[1] < 0.012 * errors[0]
