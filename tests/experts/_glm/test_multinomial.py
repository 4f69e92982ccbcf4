"""Multinomial and logistic experts: their optimum is that of logistic regression."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from moe_classic import MoEClassifier
from moe_classic._data.stats import Summary, summarise
from moe_classic.experts import LogisticExpert, MultinomialExpert
from moe_classic.experts._glm import multinomial as _multinomial
from moe_classic.penalties import Lasso

from ..steps import fit, make_design, statistics, update


@pytest.fixture
def classes(rng):
    """Two features, three overlapping classes, weights."""
    x = rng.standard_normal((2, 200))
    logits = np.array([[1.0, -1.0], [0.0, 1.5], [-1.0, 0.0]]) @ x
    y = (logits + rng.gumbel(size=logits.shape)).argmax(axis=0)
    return make_design(x), y, rng.uniform(0.2, 3.0, 200)


@pytest.fixture
def bound(monkeypatch):
    """Every Newton system counts as too large, so that the bound of Bohning serves."""
    monkeypatch.setattr(_multinomial, "EXPERT_LIMIT", 0)


def reference(design, y, w, alpha):
    """scikit-learn's optimum of the same penalised likelihood."""
    model = LogisticRegression(C=1.0 / (alpha * w.sum()), tol=1e-12, solver="newton-cholesky")
    return model.fit(design.Z[:-1].T, y, sample_weight=w)


@pytest.mark.parametrize("alpha", [0.01, 1.0])
def test_optimum_is_that_of_multinomial_regression(classes, alpha):
    design, y, w = classes
    params, _ = fit(MultinomialExpert(alpha=alpha), design, y, w, times=12, n_classes=3)
    proba = MultinomialExpert().probabilities(params, design)[0].T
    expected = reference(design, y, w, alpha).predict_proba(design.Z[:-1].T)
    # Newton on both sides.
    np.testing.assert_allclose(proba, expected, rtol=1e-8)


def test_bound_reaches_the_optimum_of_newton(classes, bound):
    design, y, w = classes
    params, _ = fit(MultinomialExpert(alpha=0.1), design, y, w, times=300, n_classes=3)
    proba = MultinomialExpert().probabilities(params, design)[0].T
    expected = reference(design, y, w, 0.1).predict_proba(design.Z[:-1].T)
    # The bound converges linearly, at about .9 a step here.
    np.testing.assert_allclose(proba, expected, rtol=1e-8)


def test_bound_never_overshoots(classes, bound, rng):
    design, y, w = classes
    expert, summary = MultinomialExpert(alpha=0.01), summarise(y, w, 3)
    start = expert.start(1, 3, summary)
    for _ in range(5):
        theta = 3.0 * rng.standard_normal(6)
        params, value = expert.unpack(theta, start, summary), -np.inf
        for _ in range(10):
            new = expert.log_prob(params, design, y) @ w - expert.penalty_value(params, summary)
            assert new >= value - 1e-9 * abs(new)  # a theorem: rounding only
            value = new
            params = update(expert, params, design, y, w[None], summary)


def test_statistics_of_the_bound_add(classes, bound):
    design, y, w = classes
    expert, summary = MultinomialExpert(), summarise(y, w, 3)
    params = expert.start(1, 3, summary)
    whole = statistics(expert, params, design, y, w[None])
    halves = [slice(0, 70), slice(70, 200)]
    a, b = (
        statistics(expert, params, make_design(design.Z[:-1, h]), y[h], w[None, h]) for h in halves
    )
    np.testing.assert_allclose((a + b).gram, whole.gram, rtol=1e-12, atol=1e-10)
    assert whole.gram.shape == (1, 1, 6)


@pytest.mark.parametrize("alpha", [0.01, 1.0])
def test_logistic_optimum_is_that_of_logistic_regression(classes, alpha):
    design, y, w = classes
    y = (y > 0).astype(int)
    params, _ = fit(LogisticExpert(alpha=alpha), design, y, w, times=12, n_classes=2)
    model = reference(design, y, w, alpha)
    # Coefficients of the last class stand for the reference: signs turn.
    np.testing.assert_allclose(params.coef[0, :, :-1], -model.coef_, rtol=1e-8)
    np.testing.assert_allclose(params.coef[0, :, -1], -model.intercept_, rtol=1e-8)


def test_logistic_is_multinomial_with_two_classes(classes):
    design, y, w = classes
    y = (y > 0).astype(int)
    # The penalty of the one acts on the difference, that of the other on both centred slopes.
    one, summary = fit(LogisticExpert(alpha=0.1), design, y, w, times=3, n_classes=2)
    two, _ = fit(MultinomialExpert(alpha=0.2), design, y, w, times=3, n_classes=2)
    np.testing.assert_allclose(one.coef, two.coef, rtol=1e-12)
    assert LogisticExpert(alpha=0.1).penalty_value(one, summary) == pytest.approx(
        0.05 * w.sum() * (one.coef[..., :-1] ** 2).sum(), rel=1e-12
    )
    assert MultinomialExpert(alpha=0.2).penalty_value(two, summary) == pytest.approx(
        LogisticExpert(alpha=0.1).penalty_value(one, summary), rel=1e-12
    )


def test_optimum_does_not_depend_on_the_names_of_the_classes(classes):
    design, y, w = classes
    order = np.array([2, 0, 1])
    expert = MultinomialExpert(alpha=0.1)
    a, _ = fit(expert, design, y, w, times=12, n_classes=3)
    b, _ = fit(expert, design, order[y], w, times=12, n_classes=3)
    np.testing.assert_allclose(
        expert.probabilities(a, design), expert.probabilities(b, design)[:, order], rtol=1e-9
    )


def test_expected_counts_equal_observed_ones_at_the_optimum(classes):
    design, y, w = classes
    params, _ = fit(MultinomialExpert(alpha=0.5), design, y, w, times=12, n_classes=3)
    expected = MultinomialExpert().probabilities(params, design)[0] @ w
    # Intercepts are not penalised.
    np.testing.assert_allclose(expected, np.bincount(y, weights=w), rtol=1e-9)


def log_probabilities(expert, params, design):
    """Of every class, (K, C, n): the log density of its code."""
    n, classes = design.Z.shape[1], params.coef.shape[1] + 1
    each = [expert.forward(params, design, np.full(n, c)).log_prob for c in range(classes)]
    return np.stack(each, axis=1)


def test_log_probabilities_hold_far_out(classes):
    design, y, _ = classes
    expert = MultinomialExpert()
    coef = 400.0 * np.array([[[1.0, -1.0, 2.0], [3.0, 0.5, -1.0]]])
    params = expert.unpack(
        coef.ravel(), expert.start(1, 3, Summary(1.0, np.ones(3) / 3, np.ones(3), 3)), None
    )
    eta = np.concatenate([coef[0] @ design.Z, np.zeros((1, 200))])
    expected = log_softmax(eta, axis=0)
    # Logits of some thousands are known to 1e-12.
    found = log_probabilities(expert, params, design)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-11)
    picked = expert.log_prob(params, design, y)[0]
    np.testing.assert_array_equal(
        picked, log_probabilities(expert, params, design)[0, y, range(200)]
    )
    assert np.isfinite(picked).all()


def test_separable_classes_give_finite_steps_without_a_penalty(rng):
    x = np.sort(rng.standard_normal((1, 40)))
    y = (np.arange(40) >= 20).astype(int)
    design, expert = make_design(x), MultinomialExpert(alpha=0.0)
    summary = summarise(y, np.ones(40), 2)
    params = expert.start(1, 2, summary)
    for _ in range(60):
        new = update(expert, params, design, y, np.ones((1, 40)), summary)
        # The largest change of a coefficient in one step.
        assert np.abs(new.coef - params.coef).max() <= 8.0 + 1e-12
        params = new
    assert np.isfinite(expert.log_prob(params, design, y)).all()


def test_separable_classes_have_a_finite_optimum_with_the_default_penalty(rng):
    x = np.sort(rng.standard_normal((1, 40)))
    y = (np.arange(40) >= 20).astype(int)
    design, w = make_design(x), np.ones(40)
    # An exact step may overshoot there; the optimum is where scikit-learn finds it.
    expert, summary = LogisticExpert(), summarise(y, w, 2)
    model = reference(design, y, w, expert.alpha)
    theta = -np.r_[model.coef_.ravel(), model.intercept_]
    params = expert.unpack(theta, expert.start(1, 2, summary), summary)
    again = update(expert, params, design, y, w[None], summary)
    np.testing.assert_allclose(again.coef, params.coef, rtol=1e-6)


def test_start_predicts_the_class_shares(classes):
    design, y, w = classes
    expert, summary = MultinomialExpert(), summarise(y, w, 3)
    P = expert.probabilities(expert.start(2, 3, summary), design)
    np.testing.assert_allclose(P, np.broadcast_to(summary.y_mean[:, None], P.shape), rtol=1e-12)


def test_start_is_finite_when_a_class_has_no_rows(classes):
    design, _, w = classes
    expert, summary = MultinomialExpert(), summarise(np.zeros(200, dtype=int), w, 3)
    start = expert.start(1, 3, summary)
    assert np.isfinite(log_probabilities(expert, start, design)).all()


def test_parameters_are_counted():
    summary = Summary(9.0, np.full(4, 0.25), np.full(4, 0.1), 4)
    expert = MultinomialExpert()
    assert expert.n_parameters(expert.start(3, 5, summary)) == 3 * 3 * 5


def test_logistic_refuses_three_classes():
    summary = Summary(9.0, np.full(3, 1 / 3), np.full(3, 0.2), 3)
    with pytest.raises(ValueError, match="LogisticExpert describes two classes, y has 3"):
        LogisticExpert().bind(summary)


def test_translated_scores_are_right_to_second_order(classes, rng):
    design, y, w = classes
    expert, summary = MultinomialExpert(), summarise(y, w, 3)
    old = expert.start(1, 3, summary)
    before = statistics(expert, old, design, y, w[None])
    direction = rng.standard_normal(6)
    errors = []
    for step in (1e-2, 1e-3):
        new = expert.unpack(expert.pack(old) + step * direction, old, summary)
        after = statistics(expert, new, design, y, w[None])
        errors.append(np.abs(expert.translate(before, old, new).score - after.score).max())
    assert errors[0] > 0.0
    # A tenth of the step leaves a hundredth of the error, and a little.
    assert errors[1] < 0.012 * errors[0]


def pooled_height(expert, theta, design, y, S, summary):
    """Penalised log-likelihood of all rows in both experts, with weights S (2, n)."""
    params = expert.unpack(theta, expert.start(2, design.width, summary), summary)
    rows = expert.forward(params, design, y).log_prob
    return float((S * rows).sum()) - expert.penalty_value(params, summary)


@pytest.mark.parametrize("limit", [0, 300], ids=["bound", "newton"])
@pytest.mark.parametrize("kind", [MultinomialExpert, LogisticExpert])
def test_pooled_experts_climb_to_the_optimum_that_scipy_finds(
    classes, rng, monkeypatch, kind, limit
):
    monkeypatch.setattr(_multinomial, "EXPERT_LIMIT", limit)
    design, y, w = classes
    n_classes = 3 if kind is MultinomialExpert else 2
    y = np.minimum(y, n_classes - 1)
    share = rng.uniform(size=w.size)
    S, summary = np.stack([share * w, (1.0 - share) * w]), summarise(y, w, n_classes)
    expert = kind(alpha=0.01, pooling=0.3)
    params, before = expert.start(2, design.width, summary), -np.inf
    for _ in range(400):
        params = update(expert, params, design, y, S, summary)
        height = pooled_height(expert, expert.pack(params), design, y, S, summary)
        assert height >= before - 1e-9  # the mean held is a bound
        before = height
    found = minimize(
        lambda theta: -pooled_height(expert, theta, design, y, S, summary),
        np.zeros(expert.pack(params).size),
        tol=1e-12,
    )
    assert before == pytest.approx(-found.fun, abs=1e-6)
    np.testing.assert_allclose(expert.pack(params), found.x, atol=1e-4)


def test_pooling_draws_experts_together(classes, rng):
    design, y, w = classes
    S, summary = np.stack([w * (y == 0), w * (y != 0)]) + 0.1, summarise(y, w, 3)

    def apart(pooling):
        expert = MultinomialExpert(alpha=0.01, pooling=pooling)
        start = expert.start(2, design.width, summary)
        coef = update(expert, start, design, y, S, summary, times=200).coef
        return np.abs(coef[0] - coef[1])[:, :-1].max()

    assert apart(0.0) > 2.0 * apart(0.1) > 4.0 * apart(10.0)


@pytest.mark.parametrize("pooling", [-1.0, np.inf, "much"])
def test_pooling_is_a_number_that_is_not_negative(pooling):
    with pytest.raises(ValueError, match=r"pooling=.* must be a finite number >= 0"):
        MultinomialExpert(pooling=pooling).check()


def test_pooling_has_no_meaning_beside_other_penalties_or_for_one_of_a_list():
    with pytest.raises(ValueError, match=r"pooling=0.1 has no meaning together with penalty=Lasso"):
        MultinomialExpert(pooling=0.1, penalty=Lasso(0.1)).check()
    each = [MultinomialExpert(pooling=0.1), "multinomial"]
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match=r"one expert of a list.*has pooling=0.1"):
        MoEClassifier(2, expert=each).fit(X, y)
