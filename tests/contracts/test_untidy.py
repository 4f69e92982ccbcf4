"""Untidy data: what one row, one column or a precise target may not spoil."""

from functools import cache

import numpy as np
import pytest
from scipy.optimize import linprog, minimize
from scipy.special import expit
from scipy.stats import t
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from moe_classic import HierarchicalMoERegressor, MoEClassifier, MoERegressor
from moe_classic.experts import GaussianExpert, MultinomialExpert, StudentTExpert
from moe_classic.gates import GaussianGate, SoftmaxGate

# ------------------------------------------------------------------------- one wild target


def a_line(n=200, seed=0, wild=99999.0):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-3.0, 3.0, (n, 1))
    y = 2.0 * x[:, 0] + rng.normal(size=n)
    y[5] = wild
    return x, y


def two_lines(n=300, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-3.0, 3.0, (n, 1))
    slope = np.where(rng.random(n) < 0.5, 2.0, -2.0)
    return x, slope * (x[:, 0] + 0.5) + 0.5 * rng.normal(size=n)


@pytest.mark.parametrize("df", [2.5, 4.0])
@pytest.mark.parametrize("wild", [99999.0, -1e9])
def test_a_wild_target_leaves_the_likeliest_t_line(df, wild):
    x, y = a_line(wild=wild)
    model = MoERegressor(1, expert=StudentTExpert(df=df), tol=1e-10, max_iter=2000).fit(x, y)

    def loss(theta):
        return -t.logpdf(y, df, theta[0] + theta[1] * x[:, 0], np.exp(theta[2])).sum()

    right = minimize(loss, [0.0, 2.0, -0.3], method="Nelder-Mead", options={"xatol": 1e-9})
    expert = model.experts_[0]
    assert model.log_likelihood_ == pytest.approx(-right.fun, abs=1e-5)
    found = [expert.intercept_, expert.coef_[0], np.log(expert.scale_)]
    np.testing.assert_allclose(np.ravel(found), right.x, atol=1e-4)


@pytest.mark.parametrize("estimator", [MoERegressor(2), HierarchicalMoERegressor((2,))])
@pytest.mark.parametrize("wild", [99999.0, -1e7])
@pytest.mark.parametrize("seed", [0, 1])
def test_two_lines_stay_two_beside_a_wild_target(estimator, wild, seed):
    x, y = two_lines(seed=seed)
    y[5] = wild
    model = estimator.set_params(expert="student_t", random_state=0).fit(x, y)
    slopes = sorted(float(e.coef_[0]) for e in model.experts_)
    np.testing.assert_allclose(slopes, [-2.0, 2.0], atol=0.12)
    assert all(0.2 < e.scale_ < 0.6 for e in model.experts_)


def test_blocks_know_wild_targets_as_arrays_do():
    x, y = two_lines()
    y[5] = 99999.0
    settings = {"expert": "student_t", "random_state": 0}
    whole = MoERegressor(2, **settings).fit(x, y)
    blocks = [(x[i : i + 50], y[i : i + 50]) for i in range(0, 300, 50)]
    parts = MoERegressor(2, **settings).fit_blocks(blocks)
    assert parts.log_likelihood_ == pytest.approx(whole.log_likelihood_, abs=1e-3)


def test_a_stream_too_long_for_its_sample_moves_wild_targets_in():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30_000, 1))
    y = x[:, 0] + rng.normal(size=30_000)
    y[[3, 20_000]] = [1e9, -1e8]
    blocks = [(x[i : i + 5000], y[i : i + 5000]) for i in range(0, 30_000, 5000)]
    model = MoERegressor(1, expert=StudentTExpert(df=3.0)).fit_blocks(blocks)
    whole = MoERegressor(1, expert=StudentTExpert(df=3.0)).fit(x, y)
    assert model._fitted.target.factor == pytest.approx(np.sqrt(2.0), rel=0.05)
    assert model.experts_[0].scale_ == pytest.approx(whole.experts_[0].scale_, rel=1e-3)


# ------------------------------------------------------------------------- least absolute sums


def least_sum(x, y, w):
    """The least weighted sum of absolute residuals of a line, by a linear programme."""
    n = len(y)
    eye = np.eye(n)
    programme = linprog(
        np.r_[np.zeros(x.shape[1] + 1), w, w],
        A_eq=np.hstack([np.c_[x, np.ones(n)], eye, -eye]),
        b_eq=y,
        bounds=[(None, None)] * (x.shape[1] + 1) + [(0.0, None)] * (2 * n),
    )
    return programme.fun


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("block_size", [None, 100])
def test_one_laplace_expert_has_the_least_sum_of_absolute_errors(seed, block_size):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(300, 2))
    y, w = x @ [1.0, -2.0] + rng.standard_t(2.0, 300), rng.integers(1, 4, 300).astype(float)
    model = MoERegressor(1, expert="laplace", block_size=block_size).fit(x, y, w)
    total = w @ np.abs(y - model.predict(x))
    assert total == pytest.approx(least_sum(x, y, w), rel=1e-9)
    assert model.experts_[0].scale_ == pytest.approx(total / w.sum(), rel=1e-9)


@pytest.mark.parametrize("estimator", [MoERegressor(2), HierarchicalMoERegressor((2,))])
def test_each_laplace_expert_has_the_least_weighted_sum(estimator):
    x, y = two_lines()
    model = estimator.set_params(expert="laplace", random_state=0).fit(x, y)
    R, lines = model.responsibilities(x, y), model.expert_predictions(x)
    for k in range(2):
        total = R[:, k] @ np.abs(y - lines[:, k])
        assert total == pytest.approx(least_sum(x, y, R[:, k]), rel=1e-8)
    assert np.all(np.diff(model.trace_) >= 0.0)


# ------------------------------------------------------------------------- Gaussian gates and atoms


def beside(kind, n, rng):
    """A column that has nothing to do with y, and repeats its values."""
    return {
        "indicator": lambda: rng.random((n, 1)) < 0.3,
        "one-hot": lambda: np.eye(4)[rng.integers(0, 4, n)],
        "count": lambda: rng.poisson(3.0, (n, 1)),
        "rounded": lambda: np.round(rng.normal(size=(n, 1))),
        "zeros": lambda: np.where(rng.random((n, 1)) < 0.6, 0.0, rng.normal(2.0, 0.5, (n, 1))),
        "spend": lambda: np.where(rng.random((n, 1)) < 0.6, 0.0, rng.lognormal(size=(n, 1))),
        "skewed": lambda: rng.lognormal(0.0, 2.5, (n, 1)),
        "heavy": lambda: rng.standard_cauchy((n, 1)),
        "sentinel": lambda: np.where(np.arange(n)[:, None] == 7, 9999.0, rng.normal(size=(n, 1))),
    }[kind]().astype(float)


def switching(kind, seed, n=400, *, classes=False):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-3.0, 3.0, n)
    right = rng.random(n) < expit(6.0 * (x - 0.3))
    y = np.where(right, 2.0 * x + 1.0, -2.0 * x - 1.0) + 0.3 * rng.normal(size=n)
    if classes:
        y = np.where(right, x > 1.5, x < -1.5).astype(int)
    return np.c_[x, beside(kind, n, rng)] if kind else x[:, None], y


#: Scores without the column, which are the same whatever it is like.
WITHOUT: dict[str, float] = {}


def held_out(model, kind, seed, **settings):
    """Score on new rows, and of the same without the column."""
    with_column = clone(model).fit(*switching(kind, seed, **settings))
    score = with_column.score(*switching(kind, seed + 100, **settings))
    name = repr((model, seed, settings))
    if name not in WITHOUT:
        without = clone(model).fit(*switching(None, seed, **settings))
        WITHOUT[name] = without.score(*switching(None, seed + 100, **settings))
    return score, WITHOUT[name]


@pytest.mark.parametrize("covariance", ["full", "diag", "tied"])
@pytest.mark.parametrize("kind", ["indicator", "one-hot", "count", "rounded", "zeros"])
def test_a_column_with_atoms_does_not_take_a_gaussian_gate_over(kind, covariance):
    gate = GaussianGate(covariance_type=covariance)
    score, without = held_out(MoERegressor(2, gate=gate, random_state=0), kind, 0)
    assert score > without - 0.06


@pytest.mark.parametrize("kind", ["indicator", "one-hot", "count", "rounded"])
def test_nor_the_gate_of_a_classifier(kind):
    model = MoEClassifier(2, gate=GaussianGate(), random_state=0)
    score, without = held_out(model, kind, 0, classes=True)
    assert score > without - 0.08


@cache
def without_the_column(cls, seed):
    """The same whatever the column is like."""
    X, y = switching(None, seed, classes=cls is MoEClassifier)
    return cls(2, gate="gaussian", random_state=0).fit(X, y)


@pytest.mark.parametrize("cls", [MoERegressor, MoEClassifier])
@pytest.mark.parametrize("kind", ["spend", "skewed", "heavy", "sentinel"])
def test_nor_does_a_column_with_a_long_tail(kind, cls):
    model = cls(2, gate="gaussian", random_state=0)
    if cls is MoERegressor:
        # Slopes on a column that is far out are not what is asked here.
        model.set_params(expert=GaussianExpert(features=[0]))
    differences = []
    for seed in (1000, 1001, 1003):
        X, y = switching(kind, seed, classes=cls is MoEClassifier)
        new, right = switching(kind, seed + 100, classes=cls is MoEClassifier)
        usual = np.abs(new[:, 1]) < 9999.0
        ours = clone(model).fit(X, y).score(new[usual], right[usual])
        without = without_the_column(cls, seed).score(new[usual, :1], right[usual])
        differences.append(ours - without)
    assert np.mean(differences) > -0.02


def test_an_indicator_that_gates_still_gates():
    rng = np.random.default_rng(0)
    x, z = rng.uniform(-3.0, 3.0, 800), rng.random(800) < 0.4
    y = np.where(z, 2.0 * x + 1.0, -2.0 * x - 1.0) + 0.3 * rng.normal(size=800)
    X = np.c_[x, z]
    fits = [
        MoERegressor(2, gate=g, random_state=0).fit(X[:400], y[:400])
        for g in ("gaussian", "softmax")
    ]
    ours, softmax = (m.log_likelihood(X[400:], y[400:]) for m in fits)
    assert ours > softmax - 8.0


def test_a_gate_that_shrank_is_counted_and_told():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 3))
    y = x[:, 0] + rng.normal(size=120)
    x[:4] = x[0] + 1e-9 * rng.normal(size=(4, 3))
    y[:4] = 9.0 + 0.1 * rng.normal(size=4)
    R = np.full((120, 2), [0.0, 1.0])
    R[:4] = [1.0, 0.0]
    model = MoERegressor(2, gate="gaussian", init=R)
    with pytest.warns(ConvergenceWarning, match="shrunk on to single values for 1 of 2 experts"):
        model.fit(x, y)
    assert model.start_report_.degenerate_experts.iloc[0] == 1
    constant = np.c_[x[4:], np.ones(116)]
    regular = MoERegressor(2, gate="gaussian", random_state=0).fit(constant, y[4:])
    assert regular.start_report_.degenerate_experts.iloc[0] == 0


# ------------------------------------------------------------------------- skewed features


def logistic(x, threshold, seed=7):
    chance = expit(4.0 * (x[:, 0] - threshold))
    return (np.random.default_rng(seed).random(len(x)) < chance).astype(int)


@pytest.mark.parametrize("n_experts", [1, 2])
@pytest.mark.parametrize("sentinel", [9999.0, -1e5])
def test_one_sentinel_does_not_set_the_units_of_a_penalty(n_experts, sentinel):
    x = np.random.default_rng(0).uniform(-3.0, 3.0, (1000, 1))
    y = logistic(x, 0.5)
    x[0], y[0] = sentinel, sentinel > 0.0
    model = MoEClassifier(n_experts, random_state=0).fit(x, y)
    right = LogisticRegression(C=1e6, max_iter=10_000).fit(x[1:], y[1:])
    assert model.score(x[1:], y[1:]) > right.score(x[1:], y[1:]) - 0.01


@pytest.mark.parametrize("sigma", [1.0, 2.0, 2.5, 3.0])
def test_penalties_on_skewed_features_cost_less_than_a_hundredth_of_a_nat(sigma):
    rng = np.random.default_rng(1)
    x = rng.lognormal(0.0, sigma, (1000, 1))
    y = logistic(x, 1.0)
    model = MoEClassifier(1, random_state=0).fit(x, y)
    free = MoEClassifier(1, expert=MultinomialExpert(alpha=0.0), random_state=0).fit(x, y)
    assert free.converged_
    assert model.log_likelihood_ > free.log_likelihood_ - 10.0
    level = np.where(rng.random(1000) < expit(3.0 * (x[:, 0] - 1.0)), 1.0, -1.0)
    target = level + 0.3 * rng.normal(size=1000)
    heights = [
        MoERegressor(
            2, expert=GaussianExpert(features=[]), gate=SoftmaxGate(alpha=alpha), random_state=0
        )
        .fit(x, target)
        .log_likelihood_
        for alpha in (1e-6, 0.0)
    ]
    assert heights[0] > heights[1] - 10.0


# ------------------------------------------------------------------------- far sentinels


@pytest.mark.parametrize("value", [1e5, 1e7, -1e9, 1e12])
@pytest.mark.parametrize("seed", [3, 4])
def test_a_far_sentinel_does_not_stop_the_climb_of_a_classifier(value, seed):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-3.0, 3.0, (600, 2))
    y = (rng.random(600) < expit(4.0 * (x[:, 0] - 0.5) - x[:, 1])).astype(int)
    right = LogisticRegression(C=1.0 / (1e-4 * 600), tol=1e-8).fit(x, y)
    x[0], y[0] = [value, 0.0], int(value > 0.0)
    model = MoEClassifier(1, random_state=0).fit(x, y)
    np.testing.assert_allclose(model.coef_, right.coef_, atol=0.15)
    assert np.all(np.diff(model.trace_) >= 0.0)
    # A row that contradicts everything leaves no better line than none.
    y[0] = int(value < 0.0)
    against = MoEClassifier(1, random_state=0).fit(x, y)
    assert abs(float(against.coef_[0, 0])) < 100.0 / abs(value)


def test_a_far_sentinel_does_not_stop_the_climb_of_a_gate():
    rng = np.random.default_rng(0)
    x = rng.uniform(-3.0, 3.0, (500, 1))
    right = rng.random(500) < expit(4.0 * (x[:, 0] - 0.5))
    y = np.where(right, 1.0, -1.0) + 0.3 * rng.normal(size=500)
    level = GaussianExpert(features=[])
    clean = MoERegressor(2, expert=level, random_state=0).fit(x, y).log_likelihood_
    x[0] = 1e8 if right[0] else -1e8
    model = MoERegressor(2, expert=level, random_state=0).fit(x, y)
    assert model.log_likelihood_ == pytest.approx(clean, abs=3.0)
