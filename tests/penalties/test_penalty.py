"""Penalised fits: conditions of optimality, zeros, other implementations, refusals."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet as ElasticNetOfOne
from sklearn.linear_model import Lasso as LassoOfOne
from sklearn.linear_model import LogisticRegression

from moe_classic import HierarchicalMoERegressor, MoEClassifier, MoERegressor
from moe_classic._results import fitted_mixture
from moe_classic.experts import (
    EXPERTS,
    GaussianExpert,
    LaplaceExpert,
    LogisticExpert,
    MultinomialExpert,
    PoissonExpert,
    SkewNormalExpert,
    SkewTExpert,
    StudentTExpert,
)
from moe_classic.gates import SoftmaxGate
from moe_classic.penalties import ElasticNet, GroupLasso, Lasso, Ridge

QUICK = {"n_init": 2, "random_state": 0}
#: Violation of the conditions of optimality, in nats per row, that a fit may leave.
_OPTIMAL = 1e-6


def scene(n=300, p=6, seed=0):
    """Standardised features, and a side that the first of them tells."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    left = rng.random(n) < 1.0 / (1.0 + np.exp(3.0 * X[:, 0]))
    return rng, X, left


def real(n=300):
    rng, X, left = scene(n)
    y = np.where(left, 2.0 + 2.0 * X[:, 1], -1.5 * X[:, 2]) + 0.5 * rng.standard_normal(n)
    return X, (y - y.mean()) / y.std()


def counts(n=300):
    rng, X, left = scene(n)
    return X, rng.poisson(np.exp(np.where(left, 2.0 + 0.5 * X[:, 1], 0.5 - 0.5 * X[:, 2])))


def classes(n, C):
    rng, X, left = scene(n)
    logits = np.zeros((n, C))
    logits[:, 0] = np.where(left, 2.0 * X[:, 1], -2.0 * X[:, 2])
    logits[:, -1] += X[:, 3]
    return X, (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)


def violation(score, slopes, cost):
    """Largest violation of the conditions by slopes (..., p) with these scores."""
    inside = np.abs(score - cost * np.sign(slopes))
    return np.where(slopes != 0.0, inside, np.maximum(np.abs(score) - cost, 0.0)).max()


def agreeing(coef):
    """Slopes (C, p) about the value in the middle on which most classes agree, to rounding."""
    middle = np.sort(coef, axis=0)[[(len(coef) - 1) // 2, len(coef) // 2]]
    agree = [(np.abs(coef - m) < 1e-12).sum(axis=0) for m in middle]
    out = coef - np.where(agree[1] > agree[0], middle[1], middle[0])
    return np.where(np.abs(out) < 1e-12, 0.0, out)


def gate_violation(moe, X, R, cost):
    """That of the slopes of a softmax gate, all of them about their median."""
    score = (R - moe.gate_proba(X)).T @ X / len(X)
    slopes = moe.gate_.coef_
    if len(slopes) == 2:
        slopes = slopes - slopes[-1]
        score, slopes = score[:1], slopes[:1]
    return violation(score, slopes, cost)


@pytest.mark.parametrize("K", [1, 2, 3])
@pytest.mark.parametrize("gate_cost", [0.0, 0.02])
def test_gaussian_experts_and_gates_end_where_the_conditions_hold(K, gate_cost):
    X, y = real()
    gate = SoftmaxGate(penalty=Lasso(gate_cost)) if gate_cost else "softmax"
    moe = MoERegressor(K, expert=GaussianExpert(penalty=Lasso(0.1)), gate=gate, **QUICK).fit(X, y)
    assert moe.converged_
    R = moe.responsibilities(X, y)
    zeros = 0
    for k, expert in enumerate(moe.experts_):
        e = y - expert.intercept_ - X @ expert.coef_
        weighted = R[:, k] * e / float(expert.scale_) ** 2
        assert violation(weighted @ X / len(X), expert.coef_, 0.1) < _OPTIMAL
        assert abs(weighted.mean()) < _OPTIMAL
        zeros += (expert.coef_ == 0.0).sum()
    assert zeros > 0
    if gate_cost and K > 1:
        assert gate_violation(moe, X, R, gate_cost) < _OPTIMAL
        # Of three experts the one in the middle of a slope has a zero anyway.
        assert (moe.gate_.coef_[:, 3:] == 0.0).sum() > 3
    assert (np.diff(moe.trace_) >= 0.0).all()


@pytest.mark.parametrize("solver", ["em", "squarem"])
def test_poisson_experts_end_where_the_conditions_hold(solver):
    X, y = counts()
    expert = PoissonExpert(penalty=Lasso(0.1))
    moe = MoERegressor(2, expert=expert, solver=solver, **QUICK).fit(X, y)
    R = moe.responsibilities(X, y)
    for k, one in enumerate(moe.experts_):
        score = (R[:, k] * (y - np.exp(one.intercept_ + X @ one.coef_))) @ X / len(X)
        assert violation(score, one.coef_, 0.1) < _OPTIMAL
    assert sum((one.coef_ == 0.0).sum() for one in moe.experts_) > 2


def skewed(name, n=300):
    """A target that suits a family, of two lines."""
    rng, X, left = scene(n)
    eta = np.where(left, 1.5 + 0.5 * X[:, 1], 0.2 - 0.5 * X[:, 2])
    share = 1.0 / (1.0 + np.exp(-eta + 0.5))
    return X, {
        "gamma": lambda: np.exp(eta) * rng.gamma(4.0, 0.25, n),
        "inverse_gaussian": lambda: rng.wald(np.exp(eta), 8.0 * np.exp(eta)),
        "lognormal": lambda: np.exp(eta + 0.4 * rng.standard_normal(n)),
        "weibull": lambda: np.exp(eta) * rng.weibull(2.5, n),
        "negative_binomial": lambda: rng.poisson(np.exp(eta + 1.0) * rng.gamma(4.0, 0.25, n)),
        "beta": lambda: np.clip(rng.beta(12.0 * share, 12.0 * (1.0 - share)), 1e-3, 0.999),
        "binomial": lambda: rng.binomial(12, share),
    }[name]()


SKEWED = [
    "beta",
    "binomial",
    "gamma",
    "inverse_gaussian",
    "lognormal",
    "negative_binomial",
    "weibull",
]


@pytest.mark.parametrize("name", SKEWED)
def test_other_linear_models_end_where_the_conditions_hold(name):
    """Scores by central differences of the log-likelihood itself."""
    X, y = skewed(name)
    own = {"trials": 12} if name == "binomial" else {}
    cost = 0.5 if name in ("lognormal", "weibull", "gamma", "binomial") else 0.2
    expert = EXPERTS[name](penalty=Lasso(cost), **own)
    moe = MoERegressor(1, expert=expert, **QUICK).fit(X, y)
    assert moe.converged_
    assert (np.diff(moe.trace_) >= -1e-9 * abs(moe.trace_[-1])).all()
    coef = moe.experts_[0].coef_
    assert 0 < (coef != 0.0).sum() < X.shape[1]
    record = fitted_mixture(moe)
    (params,) = record.standard_params.experts
    group, h = record.model.groups[0], 1e-5

    def mean_log(j, step):
        moved = params.coef.copy()
        moved[0, 0, j] += step
        own = replace(params, coef=moved)
        design = record.block(X).designs[group.design]
        return group.expert.forward(own, design, y[None].astype(float)).log_prob.mean()

    score = np.array([(mean_log(j, h) - mean_log(j, -h)) / (2.0 * h) for j in range(6)])
    assert violation(score, params.coef[0, 0, :-1], cost) < _OPTIMAL


@pytest.mark.parametrize("name", SKEWED)
def test_two_of_other_linear_models_have_zeros(name):
    X, y = skewed(name)
    own = {"trials": 12} if name == "binomial" else {}
    expert = EXPERTS[name](penalty=Lasso(0.15), **own)
    moe = MoERegressor(2, expert=expert, n_init=1, random_state=0).fit(X, y)
    assert (np.diff(moe.trace_) >= -1e-9 * abs(moe.trace_[-1])).all()
    zeros = sum((one.coef_ == 0.0).sum() for one in moe.experts_)
    assert 0 < zeros < 12


@pytest.mark.parametrize("C", [2, 3, 4])
def test_class_experts_end_where_the_conditions_hold(C):
    X, y = classes(400, C)
    kind = LogisticExpert if C == 2 else MultinomialExpert
    gate = SoftmaxGate(penalty=Lasso(0.01))
    moe = MoEClassifier(2, expert=kind(penalty=Lasso(0.02)), gate=gate, **QUICK).fit(X, y)
    R = moe.responsibilities(X, y)
    assert gate_violation(moe, X, R, 0.01) < _OPTIMAL
    for k, one in enumerate(moe.experts_):
        coef = np.vstack([np.reshape(one.coef_, (C - 1, -1)), np.zeros(X.shape[1])])
        P = softmax(X @ coef.T + np.append(one.intercept_, 0.0), axis=1)
        score = (R[:, k, None] * (np.eye(C)[y] - P)).T @ X / len(X)
        if C == 2:
            score, coef = score[:1], coef[:1]
        else:
            coef = agreeing(coef)
        assert violation(score, coef, 0.02) < _OPTIMAL
        assert (coef == 0.0).any()


@pytest.mark.parametrize(
    "expert",
    [
        SkewNormalExpert(penalty=Lasso(0.15)),
        SkewNormalExpert(penalty=GroupLasso(0.15)),
        SkewNormalExpert(penalty=ElasticNet(0.15)),
        SkewTExpert(penalty=Lasso(0.15), df=8.0),
    ],
    ids=repr,
)
def test_skew_noise_ends_where_the_conditions_hold(expert):
    """Scores by central differences of the likelihood of all rows."""
    penalty = expert.penalty
    rng, X, left = scene(300)
    noise = np.abs(rng.standard_normal(300)) + 0.2 * rng.standard_normal(300)
    y = np.where(left, 2.0 + 2.0 * X[:, 1], -1.5 * X[:, 2]) + noise
    y = (y - y.mean()) / y.std()
    moe = MoERegressor(2, expert=expert, n_init=1, random_state=0).fit(X, y)
    assert moe.converged_
    assert (np.diff(moe.trace_) >= -1e-9 * abs(moe.trace_[-1])).all()
    assert moe.start_report_.kkt_residual.iloc[0] < _OPTIMAL
    record = fitted_mixture(moe)
    (params,), h, block = record.params.experts, 1e-5, record.block(X, y[None])
    assert (np.abs(params.slant) > 0.5).any()

    def mean_log(k, j, step):
        coef = params.coef.copy()
        coef[k, 0, j] += step
        moved = replace(record.params, experts=(replace(params, coef=coef),))
        return record.model.log_likelihood(moved, block).mean()

    score = np.array(
        [[(mean_log(k, j, h) - mean_log(k, j, -h)) / (2.0 * h) for j in range(6)] for k in (0, 1)]
    )
    slopes = params.coef[:, 0, :-1]
    if isinstance(penalty, GroupLasso):
        norm, cost = np.linalg.norm(slopes, axis=0), 0.15 * np.sqrt(2.0)
        inside = norm > 0.0
        gap = score[:, inside] - cost * slopes[:, inside] / norm[inside]
        assert np.abs(gap).max() < 10.0 * _OPTIMAL
        assert (np.linalg.norm(score[:, ~inside], axis=0) <= cost + 10.0 * _OPTIMAL).all()
        return
    ratio = getattr(penalty, "l1_ratio", 1.0)
    score -= 0.15 * (1.0 - ratio) * slopes
    assert violation(score, slopes, 0.15 * ratio) < 10.0 * _OPTIMAL
    assert 0 < (slopes == 0.0).sum() < 12


@pytest.mark.parametrize("kind", [SkewNormalExpert, GaussianExpert])
def test_ridges_are_alpha_in_standard_errors_too(kind):
    X, y = real()
    fits = [
        MoERegressor(2, expert=kind(**own), n_init=1, random_state=0).fit(X, y)
        for own in ({"alpha": 0.1}, {"penalty": Ridge(0.1)})
    ]
    a, b = (moe.inference(X, y).table["std_error"] for moe in fits)
    np.testing.assert_allclose(a, b, rtol=1e-3)


@pytest.mark.parametrize("kind", [StudentTExpert, LaplaceExpert])
def test_other_noise_has_zeros_and_a_trace_that_never_falls(kind):
    X, y = real()
    moe = MoERegressor(2, expert=kind(penalty=Lasso(0.15)), **QUICK).fit(X, y)
    assert sum((one.coef_ == 0.0).sum() for one in moe.experts_) > 3
    assert (np.diff(moe.trace_) >= 0.0).all()


def test_a_feature_leaves_all_experts_at_once_under_the_group_lasso():
    X, y = real()
    moe = MoERegressor(2, expert=GaussianExpert(penalty=GroupLasso(0.1)), **QUICK).fit(X, y)
    R, coef = moe.responsibilities(X, y), np.stack([e.coef_ for e in moe.experts_])
    score = np.stack(
        [
            (R[:, k] * (y - e.intercept_ - X @ e.coef_)) @ X / len(X) / float(e.scale_) ** 2
            for k, e in enumerate(moe.experts_)
        ]
    )
    norm, cost = np.linalg.norm(coef, axis=0), 0.1 * np.sqrt(2.0)
    inside = norm > 0.0
    assert 0 < inside.sum() < X.shape[1]
    assert ((coef == 0.0) == ~inside).all()
    np.testing.assert_allclose(
        score[:, inside], cost * coef[:, inside] / norm[inside], atol=_OPTIMAL
    )
    assert (np.linalg.norm(score[:, ~inside], axis=0) <= cost + _OPTIMAL).all()


@pytest.mark.parametrize("ratio", [1.0, 0.4])
def test_one_gaussian_expert_is_the_lasso_and_the_elastic_net_of_scikit_learn(ratio):
    X, y = real()
    penalty = Lasso(0.2) if ratio == 1.0 else ElasticNet(0.2, l1_ratio=ratio)
    one = MoERegressor(1, expert=GaussianExpert(penalty=penalty)).fit(X, y).experts_[0]
    alpha = 0.2 * float(one.scale_) ** 2
    kind = LassoOfOne(alpha, tol=1e-12) if ratio == 1.0 else None
    model = kind or ElasticNetOfOne(alpha, l1_ratio=ratio, tol=1e-12)
    np.testing.assert_allclose(one.coef_, model.fit(X, y).coef_, atol=1e-7)


def test_one_logistic_expert_is_the_logistic_regression_of_scikit_learn():
    X, y = classes(400, 2)
    moe = MoEClassifier(1, expert=LogisticExpert(penalty=Lasso(0.03))).fit(X, y)
    model = LogisticRegression(
        l1_ratio=1.0, C=1.0 / (0.03 * len(X)), solver="saga", tol=1e-10, max_iter=10_000
    ).fit(X, y)
    np.testing.assert_allclose(moe.predict_proba(X), model.predict_proba(X), atol=1e-6)


def test_strong_penalties_leave_no_slope_and_weights_keep_features_in_or_out():
    X, y = real()
    moe = MoERegressor(2, expert=GaussianExpert(penalty=Lasso(9.0)), **QUICK).fit(X, y)
    assert not any(e.coef_.any() for e in moe.experts_)
    weights = [0.0, np.inf, 1.0, 1.0, 1.0, 1.0]
    held = GaussianExpert(penalty=Lasso(0.1, weights=weights))
    moe = MoERegressor(2, expert=held, **QUICK).fit(X, y)
    assert all(e.coef_[0] != 0.0 and e.coef_[1] == 0.0 for e in moe.experts_)


def test_parameters_that_are_zero_do_not_count():
    X, y = real()
    gate = SoftmaxGate(penalty=Lasso(0.03))
    moe = MoERegressor(2, expert=GaussianExpert(penalty=Lasso(0.1)), gate=gate, **QUICK).fit(X, y)
    slopes = sum((e.coef_ != 0.0).sum() for e in moe.experts_)
    slopes += ((moe.gate_.coef_[0] - moe.gate_.coef_[1]) != 0.0).sum()
    assert moe.n_parameters_ == slopes + 2 + 2 + 1


def test_ridge_is_alpha():
    X, y = real()
    fits = [
        MoERegressor(2, expert=GaussianExpert(**own), gate=SoftmaxGate(**other), **QUICK)
        for own, other in [
            ({"alpha": 0.1}, {"alpha": 0.01}),
            ({"penalty": Ridge(0.1)}, {"penalty": Ridge(0.01)}),
        ]
    ]
    a, b = (moe.fit(X, y).log_likelihood_ for moe in fits)
    assert a == pytest.approx(b, rel=1e-12)


@pytest.mark.parametrize(
    ("expert", "words"),
    [
        (GaussianExpert(alpha=0.1, penalty=Lasso(0.1)), "alpha=0.1 has no meaning together"),
        (PoissonExpert(alpha=0.1, penalty=Lasso(0.1)), "alpha=0.1 has no meaning together"),
        (GaussianExpert(penalty=Lasso(-1.0)), "alpha=-1.0 must be a finite number >= 0"),
        (GaussianExpert(penalty=ElasticNet(l1_ratio=2.0)), "l1_ratio=2.0 must lie in"),
        (GaussianExpert(penalty=Lasso(weights=[-1.0])), "weights must be a list of numbers >= 0"),
        (GaussianExpert(penalty=Lasso(weights=[1.0])), "has 1 weights, but there are 6 features"),
    ],
)
def test_penalties_without_a_meaning_are_refused(expert, words):
    X, y = counts()
    with pytest.raises(ValueError, match=words):
        MoERegressor(2, expert=expert, **QUICK).fit(X, y)


def test_trees_have_penalties_at_their_leaves():
    X, y = real()
    leaf = GaussianExpert(penalty=Lasso(0.1))
    tree = HierarchicalMoERegressor((2,), expert=leaf, **QUICK).fit(X, y)
    flat = MoERegressor(2, expert=leaf, **QUICK).fit(X, y)
    assert sum((one.coef_ == 0.0).sum() for one in tree.experts_) > 3
    assert tree.trace_[-1] == pytest.approx(flat.trace_[-1], abs=1e-5)


def test_other_things_than_penalties_are_refused():
    X, y = real()
    for wrong in (0.1, Lasso):
        with pytest.raises(TypeError, match="must be None or an instance"):
            MoERegressor(2, expert=GaussianExpert(penalty=wrong)).fit(X, y)
    with pytest.raises(ValueError, match="set covariance_type='diag'"):
        MoERegressor(2, expert=GaussianExpert(penalty=Lasso())).fit(X, np.c_[y, X[:, 1]])


@pytest.mark.parametrize("solver", ["newton", "lbfgs", "sgd"])
def test_solvers_that_need_a_smooth_objective_refuse_kinks(solver):
    X, y = real()
    with pytest.raises(ValueError, match="needs a smooth objective"):
        MoERegressor(2, expert=GaussianExpert(penalty=Lasso()), solver=solver).fit(X, y)
    moe = MoERegressor(2, expert=GaussianExpert(penalty=Ridge(0.1)), solver=solver, **QUICK)
    assert moe.set_params(n_init=1, max_iter=20) is moe


def test_penalties_are_parameters():
    moe = MoERegressor(2, expert=GaussianExpert(penalty=Lasso(0.1)))
    moe = clone(moe).set_params(expert__penalty__alpha=0.3)
    assert moe.expert.penalty.alpha == 0.3


@pytest.mark.parametrize("solver", ["em", "squarem"])
def test_what_is_left_of_the_conditions_is_reported(solver):
    X, y = real()
    expert, gate = GaussianExpert(penalty=Lasso(0.1)), SoftmaxGate(penalty=Lasso(0.02))
    moe = MoERegressor(2, expert=expert, gate=gate, solver=solver, n_init=3, random_state=0)
    report = moe.fit(X, y).start_report_
    assert report.kkt_residual.iloc[0] < _OPTIMAL
    R, worst = moe.responsibilities(X, y), 0.0
    for k, one in enumerate(moe.experts_):
        weighted = R[:, k] * (y - one.intercept_ - X @ one.coef_) / float(one.scale_) ** 2
        worst = max(worst, violation(weighted @ X / len(X), one.coef_, 0.1), abs(weighted.mean()))
    worst = max(worst, gate_violation(moe, X, R, 0.02))
    assert report.kkt_residual.iloc[0] == pytest.approx(worst, abs=1e-8)
    short = clone(moe).set_params(max_iter=2, n_init=1)
    with pytest.warns(ConvergenceWarning):
        short.fit(X, y)
    assert short.start_report_.kkt_residual.iloc[0] > _OPTIMAL
    plain = MoERegressor(2, **QUICK).fit(X, y).start_report_
    assert "kkt_residual" not in plain
