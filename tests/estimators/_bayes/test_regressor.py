"""Mixtures of regressions with a posterior: what they find, and what they say about it."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from scipy.stats import t as student
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LinearRegression

from moe_classic import BayesianMoERegressor, MoERegressor, inference, onnx
from moe_classic.datasets import load_motorcycle


def regimes(seed=0, n=400, p=2, noise=0.3):
    """Three planes, the borders between them sharp."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    label = (4.0 * X @ rng.normal(size=(p, 3)) + rng.gumbel(size=(n, 3))).argmax(axis=1)
    slope, level = 1.5 * rng.normal(size=(3, p)), 1.5 * rng.normal(size=3)
    y = (X * slope[label]).sum(axis=1) + level[label] + noise * rng.standard_normal(n)
    return X, y


@pytest.fixture(scope="module")
def crash():
    X, y = load_motorcycle(return_X_y=True)
    return BayesianMoERegressor(random_state=0).fit(X, y), X, y


# ------------------------------------------------------------------------- what is found


@pytest.mark.parametrize("seed", range(5))
def test_true_number_of_experts_is_found(seed):
    moe = BayesianMoERegressor(8, n_init=4, random_state=0).fit(*regimes(seed))
    assert moe.n_experts_ == 3
    assert (np.diff(moe.trace_) >= -1e-9 * np.abs(moe.trace_[1:])).all()


def test_single_expert_is_a_bayesian_regression_in_closed_form():
    """Known precisions: a Student-t around a ridge fit, in standardised units."""
    X, y = regimes(n=30)
    known = 2.0
    moe = BayesianMoERegressor(1, coef_prior=(1e8, 1e8 / known), noise_prior=(2.0, 0.5)).fit(X, y)
    unit, scale = X.std(axis=0), y.std()
    Z = np.column_stack([(X - X.mean(axis=0)) / unit, np.ones(30)])
    target = (y - y.mean()) / scale
    L = known * np.eye(3) + Z.T @ Z
    m = np.linalg.solve(L, Z.T @ target)
    a, b = 2.0 + 15.0, 0.5 + 0.5 * (target @ target - m @ L @ m)
    wide = np.sqrt(b / a * (1.0 + np.einsum("ni,ij,nj->n", Z, np.linalg.inv(L), Z)))
    exact = student(2.0 * a, y.mean() + scale * Z @ m, scale * wide)
    np.testing.assert_allclose(moe.predict(X), exact.mean(), rtol=1e-6)
    np.testing.assert_allclose(moe.predict(X, return_std=True)[1], exact.std(), rtol=1e-6)
    np.testing.assert_allclose(moe.predict_quantile(X, 0.1), exact.ppf(0.1), rtol=1e-6)
    np.testing.assert_allclose(moe.predict_cdf(X, y), exact.cdf(y), rtol=1e-5)
    np.testing.assert_allclose(moe.score_samples(X, y), exact.logpdf(y), rtol=1e-5)
    own = student(2.0 * a, m[0] * scale / unit[0], scale * np.sqrt(b / a / unit[0] ** 2))
    row = moe.summary(coverage=0.8).loc["expert", "expert 1", "slope", "x0"]
    sd = np.sqrt(np.linalg.inv(L)[0, 0])
    assert row["mean"] == pytest.approx(own.mean(), rel=1e-6)
    assert row["sd"] == pytest.approx(sd * own.std(), rel=1e-6)
    assert row["low"] == pytest.approx(own.mean() + sd * (own.ppf(0.1) - own.mean()), rel=1e-6)


def test_many_rows_leave_the_maximum_likelihood_fit():
    X, y = regimes(1, n=8000)
    moe = BayesianMoERegressor(4, n_init=3, random_state=0).fit(X, y)
    ml = MoERegressor(3, n_init=3, random_state=0).fit(X, y)
    assert moe.n_experts_ == 3
    for mine, theirs in zip(moe.experts_, ml.experts_, strict=True):
        np.testing.assert_allclose(mine.coef_, theirs.coef_, atol=2e-3)
        assert mine.scale_ == pytest.approx(theirs.scale_, rel=2e-3)
    np.testing.assert_allclose(moe.gate_proba(X), ml.gate_proba(X), atol=0.02)


def test_irrelevant_features_are_shrunk():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 12))
    y = np.where(X[:, 0] > 0.0, 2.0 * X[:, 1], -2.0 * X[:, 1]) + 0.5 * rng.normal(size=200)
    sharp = BayesianMoERegressor(2, coef_prior=(1e-3, 1e-3), random_state=0).fit(X, y)
    flat = MoERegressor(2, random_state=0).fit(X, y)
    rest = [j for j in range(12) if j != 1]
    for mine, theirs in zip(sharp.experts_, flat.experts_, strict=True):
        assert abs(mine.coef_[1]) == pytest.approx(2.0, abs=0.2)
        assert np.abs(mine.coef_[rest]).sum() < 0.6 * np.abs(theirs.coef_[rest]).sum()


def test_credible_intervals_cover():
    rng, hits, count = np.random.default_rng(0), 0, 0
    for seed in range(25):
        x = rng.uniform(-2.0, 2.0, (150, 1))
        right = x[:, 0] > rng.logistic(0.0, 0.05, 150)
        y = np.where(right, 1.0 + 2.0 * x[:, 0], -1.0 - x[:, 0]) + 0.4 * rng.normal(size=150)
        moe = BayesianMoERegressor(2, n_init=2, random_state=seed, order_by="x0").fit(x, y)
        rows = moe.summary().xs("x0", level="term").loc["expert"]
        inside = (rows.low.to_numpy() <= [-1.0, 2.0]) & (rows.high.to_numpy() >= [-1.0, 2.0])
        hits, count = hits + inside.sum(), count + inside.size
    # Of 50 intervals of 90 % each, within three standard errors.
    assert hits >= 39
    assert count == 50


# ------------------------------------------------------------------------- invariances


def test_weight_of_two_is_a_repeated_row():
    X, y = regimes(n=80)
    w = np.where(np.arange(80) < 25, 2.0, 1.0)
    a = BayesianMoERegressor(3, n_init=2, random_state=0).fit(X, y, sample_weight=w)
    b = BayesianMoERegressor(3, n_init=2, random_state=0).fit(
        np.vstack([X, X[:25]]), np.append(y, y[:25])
    )
    np.testing.assert_allclose(a.predict(X), b.predict(X), rtol=1e-7)
    assert a.lower_bound_ == pytest.approx(b.lower_bound_, rel=1e-9)


def test_units_change_nothing_but_units():
    X, y = regimes(n=120)
    plain = BayesianMoERegressor(3, n_init=2, random_state=0).fit(X, y)
    moved = BayesianMoERegressor(3, n_init=2, random_state=0).fit(100.0 * X + 7.0, 1e-3 * y - 5.0)
    np.testing.assert_allclose(
        moved.predict(100.0 * X + 7.0), 1e-3 * plain.predict(X) - 5.0, rtol=1e-6
    )
    assert moved.lower_bound_ == pytest.approx(plain.lower_bound_ - 120 * np.log(1e-3), rel=1e-6)
    np.testing.assert_allclose(
        moved.summary().xs("slope", level="kind").loc["expert"].sd,
        1e-5 * plain.summary().xs("slope", level="kind").loc["expert"].sd,
        rtol=5e-3,
    )


def test_given_responsibilities_are_one_start():
    X, y = regimes()
    R = np.random.default_rng(0).dirichlet(np.ones(4), len(y))
    moe = BayesianMoERegressor(4, init=R, n_init=1, prune=False).fit(X, y)
    assert moe.n_experts_ == 4
    assert list(moe.start_report_.strategy) == ["given"]
    assert list(moe.pruning_report_.n_experts.unique()) == [4]


def test_order_and_features():
    X, y = regimes()
    moe = BayesianMoERegressor(
        3, n_init=3, order_by="scale", gate_features=[0], expert_features=[1], random_state=0
    ).fit(X, y)
    scales = [e.scale_ for e in moe.experts_]
    assert scales == sorted(scales)
    assert moe.gate_.feature_names_ == ("x0",)
    assert {e.feature_names_ for e in moe.experts_} == {("x1",)}


def test_more_experts_than_rows_are_as_many_as_there_are():
    X = np.arange(5.0)[:, None]
    moe = BayesianMoERegressor(8, prune=False, n_init=1).fit(X, X[:, 0] ** 2)
    assert moe.n_experts_ == 5


def test_constant_columns_and_targets():
    X, y = regimes(n=60)
    still = np.column_stack([X, np.full(60, 3.0)])
    moe = BayesianMoERegressor(2, n_init=2, random_state=0).fit(still, y)
    table = moe.summary()
    assert table.xs("x2", level="term")["sd"].isna().all()
    assert table.xs("x2", level="term").note.str.contains("constant").all()
    assert np.isfinite(moe.predict(still)).all()
    level = BayesianMoERegressor(2, n_init=1, random_state=0).fit(X, np.full(60, 4.0))
    assert level.n_experts_ == 1
    np.testing.assert_allclose(level.predict(X), 4.0)


def test_large_tables_start_on_a_sample(monkeypatch):
    X, y = regimes(n=1500)
    monkeypatch.setattr("moe_classic.estimators._bayes.search.MOST_ROWS", 500)
    moe = BayesianMoERegressor(6, n_init=2, random_state=0).fit(X, y)
    assert moe.n_experts_ == 3
    assert moe.trace_[-1] > moe.trace_[0]
    assert moe.lower_bound_ == moe.trace_[-1]


# ------------------------------------------------------------------------- answers


def test_answers_agree_with_each_other(crash):
    moe, X, y = crash
    proba = moe.gate_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    np.testing.assert_allclose((proba * moe.expert_predictions(X)).sum(axis=1), moe.predict(X))
    interval = moe.predict_interval(X, coverage=0.8)
    for end, level in zip(interval.T, (0.1, 0.9), strict=True):
        np.testing.assert_allclose(moe.predict_cdf(X, end), level, atol=1e-8)
    blend = moe.explain(X[:9]).xs("blend", level="expert")
    np.testing.assert_allclose(blend.prediction, moe.predict(X[:9]))
    np.testing.assert_allclose(
        blend.intercept + blend["coef x0"] * X[:9, 0], moe.predict(X[:9]), rtol=1e-10
    )
    assert (moe.score_samples(X, moe.predict_mode(X)) >= moe.score_samples(X, y) - 1e-9).all()
    assert moe.log_likelihood(X, y) == pytest.approx(moe.score_samples(X, y).sum())


def test_density_and_score_are_those_of_the_draws(crash):
    moe, X, y = crash
    few = X[[10, 60, 100]]
    draws = moe.sample(few, 20_000, random_state=0)
    mean, std = moe.predict(few, return_std=True)
    np.testing.assert_allclose(draws.mean(axis=1), mean, atol=0.03 * std.max())
    np.testing.assert_allclose(draws.std(axis=1), std, rtol=0.05)
    truth = y[[10, 60, 100]]
    apart = np.abs(draws[:, ::2] - draws[:, 1::2]).mean(axis=1)
    scores = np.abs(draws - truth[:, None]).mean(axis=1) - 0.5 * apart
    np.testing.assert_allclose(moe.crps(few, truth), scores, rtol=0.03)


def test_draws_have_the_moments_of_the_summary(crash):
    moe, _, _ = crash
    table, draws = moe.summary(coverage=0.9), moe.sample_posterior(20_000, random_state=0)
    assert list(draws.columns) == list(table.index)
    np.testing.assert_allclose(draws.mean(), table["mean"], atol=0.04 * table.sd.max())
    np.testing.assert_allclose(draws.std(), table.sd, rtol=0.04)
    inside = ((draws >= table.low) & (draws <= table.high)).mean()
    np.testing.assert_allclose(inside.loc["expert"], 0.9, atol=0.01)
    # Of the gate 512 draws are kept, of which some are alike.
    np.testing.assert_allclose(inside.loc["gate"], 0.9, atol=0.02)


def test_wide_posteriors_are_told_by_a_normal_and_its_draws():
    """With 77 parameters; a gate told by 512 points that have its moments."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 12))
    y = np.where(X[:, 0] > 0.0, X[:, 1], -X[:, 1]) + 0.3 * rng.normal(size=150)
    moe = BayesianMoERegressor(3, prune=False, n_init=2, random_state=0).fit(X, y)
    table, draws = moe.summary(), moe.sample_posterior(20_000, random_state=0)
    np.testing.assert_allclose(draws.std(), table.sd, rtol=0.05)
    gate = table.loc["gate"]
    normal = (gate.high - gate.low) / (2.0 * 1.645 * gate.sd)
    np.testing.assert_allclose(normal, 1.0, atol=0.15)


def test_gate_probabilities_are_averages_over_the_draws(crash):
    moe, X, _ = crash
    draws = moe.sample_posterior(4000, random_state=0)["gate"]
    eta = np.zeros((4000, len(X), moe.n_experts_))
    for k in range(moe.n_experts_ - 1):
        own = draws[f"expert {k + 1}"]
        eta[:, :, k] = own["slope"].to_numpy() * X[:, 0] + own["intercept"].to_numpy()
    averaged = softmax(eta, axis=2).mean(axis=0)
    np.testing.assert_allclose(moe.gate_proba(X), averaged, atol=0.03)


def test_borders_may_be_sharper_than_the_mode_says():
    """Two lines that touch: any steep border will do, and the posterior of its slope is skew."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1.0, 1.0, (80, 1))
    y = np.where(x[:, 0] > 0.0, 3.0, -3.0) + 0.1 * rng.normal(size=80)
    moe = BayesianMoERegressor(2, prune=False, random_state=0, order_by="intercept").fit(x, y)
    slope = np.abs(moe.sample_posterior(4000, random_state=0)["gate", "expert 1", "slope", "x0"])
    low, middle, high = slope.quantile([0.05, 0.5, 0.95])
    assert high - middle > 1.2 * (middle - low)
    away = np.abs(x[:, 0]) > 0.3
    np.testing.assert_allclose(moe.gate_proba(x)[away, 1], x[away, 0] > 0.0, atol=0.01)


def test_intervals_are_wider_than_those_of_maximum_likelihood():
    X, y = regimes(n=60)
    bayes = BayesianMoERegressor(1).fit(X, y)
    ml = MoERegressor(1).fit(X, y)
    far = 5.0 * X
    assert (bayes.predict(far, return_std=True)[1] > ml.predict(far, return_std=True)[1]).all()


def test_names_travel(crash):
    _, X, y = crash
    frame = pd.DataFrame(X, columns=["ms"])
    moe = BayesianMoERegressor(3, n_init=2, random_state=0).fit(frame, y)
    assert ("expert", "expert 1", "slope", "ms") in moe.summary().index
    assert list(moe.transform(frame[:2]).shape) == [2, moe.n_experts_]
    assert "experts left" in moe._repr_html_()


# ------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_experts": 0}, "n_experts=0"),
        ({"noise_prior": (1.0, 0.0)}, r"noise_prior=\(1.0, 0.0\) must be two positive numbers"),
        ({"coef_prior": 2.0}, "coef_prior=2.0 must be two positive numbers"),
        ({"gate_prior": (1.0, "a")}, "gate_prior"),
        ({"init": "nothing"}, "init='nothing' is not known"),
        ({"tol": -1.0}, "tol"),
        ({"max_iter": 0}, "max_iter"),
        ({"order_by": "nothing"}, "order_by='nothing'"),
    ],
)
def test_arguments_without_a_meaning_are_refused(options, message):
    X, y = regimes(n=20)
    with pytest.raises(ValueError, match=message):
        BayesianMoERegressor(**options).fit(X, y)


def test_flags_are_flags():
    with pytest.raises(TypeError, match="prune='yes' must be True or False"):
        BayesianMoERegressor(prune="yes").fit(*regimes(n=20))


def test_what_needs_a_likelihood_is_refused(crash):
    moe, X, y = crash
    with pytest.raises(ValueError, match="'bayesian_softmax' gates have none"):
        inference.inference(moe, X, y)
    with pytest.raises(TypeError, match="no `graph` of ONNX operators"):
        onnx.to_onnx(moe)
    assert not hasattr(moe, "partial_fit")
    assert not hasattr(moe, "bic")


def test_nothing_is_said_before_a_fit():
    moe = BayesianMoERegressor()
    for ask in (moe.summary, moe.sample_posterior, lambda: moe.predict([[0.0]])):
        with pytest.raises(NotFittedError):
            ask()


def test_fit_that_was_stopped_says_so():
    with pytest.warns(ConvergenceWarning, match="max_iter=2 sweeps"):
        moe = BayesianMoERegressor(6, max_iter=2, n_init=1, random_state=0).fit(*regimes())
    assert not moe.converged_


def test_refused_fit_leaves_the_last_one(crash):
    moe, X, y = crash
    before = moe.predict(X[:3])
    with pytest.raises(ValueError, match="NaN"):
        moe.fit(np.full_like(X, np.nan), y)
    np.testing.assert_array_equal(moe.predict(X[:3]), before)


def test_linear_data_have_one_expert():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 3))
    y = X @ [1.0, 2.0, 0.0] + 0.3 * rng.normal(size=100)
    moe = BayesianMoERegressor(random_state=0).fit(X, y)
    assert moe.n_experts_ == 1
    np.testing.assert_allclose(moe.experts_[0].coef_, LinearRegression().fit(X, y).coef_, atol=0.02)


def test_doubt_about_the_expert_of_a_row_is_in_the_deviations():
    """With many rows they are the standard errors of maximum likelihood, wide as these are."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4000, 1))
    right = rng.random(4000) < 1.0 / (1.0 + np.exp(-2.0 * x[:, 0]))
    y = np.where(right, 1.0 - x[:, 0], -0.5 + x[:, 0]) + 0.6 * rng.normal(size=4000)
    moe = BayesianMoERegressor(2, n_init=2, random_state=0, order_by="x0").fit(x, y)
    ml = MoERegressor(2, n_init=2, random_state=0, order_by="x0").fit(x, y)
    table = moe.summary()
    errors = ml.inference(x, y).table.std_error
    shared = table.index.intersection(errors.index)
    assert len(shared) == 8
    np.testing.assert_allclose(table.loc[shared].sd, errors.loc[shared], rtol=0.06)
    alone = MoERegressor(1).fit(x[right], y[right]).inference(x[right], y[right]).table.std_error
    assert (
        table.xs("x0", level="term").loc["expert"].sd > 1.1 * alone.xs("x0", level="term").iloc[0]
    ).any()
