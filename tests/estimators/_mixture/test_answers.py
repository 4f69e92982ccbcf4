"""What mixtures answer about rows of subjects, known and new."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from moe_classic import MoEClassifier, MoERegressor
from moe_classic.gates import SoftmaxGate

from .subjects import matched, three_classes

QUICK = {"n_init": 4, "random_state": 0}


@pytest.fixture(scope="module")
def table():
    return three_classes(0)


@pytest.fixture(scope="module")
def moe(table):
    X, y, groups, _ = table
    gate = SoftmaxGate(features=[1])
    return MoERegressor(3, gate=gate, **QUICK).fit(X, y, groups=groups)


@pytest.fixture(scope="module")
def halves(table):
    """Three visits of each subject that were seen, and three that are to come."""
    past = np.arange(360) % 6 < 3
    X, y, groups, _ = table
    return (X[past], y[past], groups[past]), (X[~past], y[~past], groups[~past])


# ------------------------------------------------------------------------- densities


def test_densities_of_experts_are_those_of_their_equations(table, moe):
    X, y, _, _ = table
    density = moe.expert_log_density(X, y)
    assert density.shape == (360, 3)
    for k, expert in enumerate(moe.experts_):
        mean = expert.intercept_ + X @ expert.coef_
        np.testing.assert_allclose(density[:, k], norm.logpdf(y, mean, expert.scale_), atol=1e-10)
    joint = density + np.log(moe.gate_proba(X))
    np.testing.assert_allclose(np.logaddexp.reduce(joint, axis=1), moe.score_samples(X, y))


def test_densities_of_classes_are_log_probabilities(table):
    X, y, _, _ = table
    classes = np.where(y > 1.0, "high", "low")
    moe = MoEClassifier(2, **QUICK).fit(X, classes)
    density = moe.expert_log_density(X, classes)
    own = np.log(moe.expert_predictions(X))
    at = np.searchsorted(moe.classes_, classes)
    np.testing.assert_allclose(density, own[np.arange(360), :, at], atol=1e-12)


# ------------------------------------------------------------------------- criteria


def test_criteria_count_groups(table, moe):
    X, y, groups, _ = table
    L, d = moe.log_likelihood_, moe.n_parameters_
    assert moe.aic(X, y, groups=groups) == pytest.approx(2.0 * d - 2.0 * L)
    assert moe.bic(X, y, groups=groups) == pytest.approx(d * np.log(60.0) - 2.0 * L)
    R = moe.responsibilities(X, y, groups=groups)[::6]
    entropy = -np.sum(R * np.log(np.where(R > 0.0, R, 1.0)))
    icl = moe.icl(X, y, groups=groups)
    assert icl == pytest.approx(moe.bic(X, y, groups=groups) + 2.0 * entropy)
    w = 1.0 + (groups % 2)
    weighted = moe.bic(X, y, w, groups=groups)
    value = moe.score_samples(X, y, groups=groups) @ (1.0 + np.arange(60) % 2)
    assert weighted == pytest.approx(d * np.log(90.0) - 2.0 * value)


def test_scores_stand_in_the_order_of_sorted_labels(table, moe):
    X, y, groups, _ = table
    names = np.array([f"{g:02d}" for g in 59 - groups])
    here, there = (moe.score_samples(X, y, groups=g) for g in (groups, names))
    np.testing.assert_allclose(here, there[::-1], atol=1e-12)


# ------------------------------------------------------------------------- known subjects


def test_a_history_takes_the_place_of_the_gate(moe, halves):
    past, (X, y, groups) = halves
    R = moe.responsibilities(past[0], past[1], groups=past[2])
    known = pd.DataFrame(R).groupby(past[2]).first().to_numpy()[groups]
    means = moe.expert_predictions(X)
    told = moe.predict(X, groups=groups, history=past)
    np.testing.assert_allclose(told, (known * means).sum(axis=1), atol=1e-10)
    np.testing.assert_allclose(moe.gate_proba(X, groups=groups, history=past), known, atol=1e-12)
    np.testing.assert_array_equal(
        moe.predict_expert(X, groups=groups, history=past), known.argmax(axis=1)
    )
    new = moe.predict(X, groups=groups)
    assert np.mean((told - y) ** 2) < 0.5 * np.mean((new - y) ** 2)


def test_predictive_distributions_know_the_history(moe, halves):
    past, (X, y, groups) = halves
    about = {"groups": groups, "history": past}
    low, high = moe.predict_interval(X, 0.9, **about).T
    assert 0.8 < np.mean((low <= y) & (y <= high)) < 0.98
    assert np.mean(high - low) < 0.7 * np.mean(np.diff(moe.predict_interval(X, 0.9)))
    cdf = moe.predict_cdf(X, low, **about)
    np.testing.assert_allclose(cdf, 0.05, atol=1e-8)
    assert moe.crps(X, y, **about).mean() < 0.8 * moe.crps(X, y).mean()
    mean, std = moe.predict(X, return_std=True, **about)
    assert np.isfinite(std).all()
    assert std.mean() < moe.predict(X, return_std=True)[1].mean()
    mode = moe.predict_mode(X, **about)
    certain = moe.gate_proba(X, **about).max(axis=1) > 0.999
    np.testing.assert_allclose(mode[certain], mean[certain], atol=0.02)
    top = moe.predict(X, top_k=3, **about)
    np.testing.assert_allclose(top, mean, atol=1e-10)


def test_what_was_seen_and_what_comes_make_up_the_whole(table, moe, halves):
    X, y, groups, _ = table
    past, (later, target, ids) = halves
    seen = moe.score_samples(*past[:2], groups=past[2])
    known = moe.gate_proba(later, groups=ids, history=past)
    joint = np.log(np.maximum(known, 1e-300))[::3]
    joint = joint + np.add.reduceat(moe.expert_log_density(later, target), np.arange(0, 180, 3))
    whole = moe.score_samples(X, y, groups=groups)
    np.testing.assert_allclose(seen + np.logaddexp.reduce(joint, axis=1), whole, atol=1e-9)


def test_a_new_subject_has_the_gate(moe, halves):
    past, (X, _, groups) = halves
    some = past[2] < 30
    history = tuple(a[some] for a in past)
    told = moe.gate_proba(X, groups=groups, history=history)
    np.testing.assert_allclose(told[groups >= 30], moe.gate_proba(X, groups=groups)[groups >= 30])
    strangers = moe.gate_proba(X, groups=groups + 100, history=history)
    np.testing.assert_allclose(strangers, moe.gate_proba(X, groups=groups + 100))


def test_classifiers_know_the_history(table):
    X, y, groups, _ = table
    classes = np.where(y > 1.0, "high", "low")
    moe = MoEClassifier(2, gate="constant", **QUICK).fit(X, classes, groups=groups)
    history = (X, classes, groups)
    proba = moe.predict_proba(X, groups=groups, history=history)
    R = moe.responsibilities(X, classes, groups=groups)
    expected = np.einsum("nk,nkc->nc", R, moe.expert_predictions(X))
    np.testing.assert_allclose(proba, expected, atol=1e-10)
    log_proba = moe.predict_log_proba(X, groups=groups, history=history)
    np.testing.assert_allclose(np.exp(log_proba), proba)
    told = moe.predict(X, groups=groups, history=history)
    assert (told == classes).mean() > (moe.predict(X) == classes).mean()


def test_histories_without_a_meaning_are_refused(moe, halves):
    past, (X, _, groups) = halves
    with pytest.raises(ValueError, match="history needs groups"):
        moe.predict(X, history=past)
    with pytest.raises(ValueError, match="must be a tuple"):
        moe.predict(X, groups=groups, history=past[:2])
    with pytest.raises(ValueError, match="groups_past is None"):
        moe.predict(X, groups=groups, history=(*past[:2], None))
    with pytest.raises(ValueError, match=r"groups_past has shape \(9,\), X has 180 rows"):
        moe.predict(X, groups=groups, history=(*past[:2], past[2][:9]))
    with pytest.raises(ValueError, match=r"groups has shape \(9,\)"):
        moe.predict(X, groups=groups[:9])
    with pytest.raises(TypeError, match="numbers and others are never the same subject"):
        moe.predict(X, groups=groups.astype(str), history=past)
    with pytest.raises(ValueError, match="groups has no meaning without y"):
        moe.score_samples(X, groups=groups)


def test_a_generative_gate_answers_for_groups(table):
    X, y, groups, kind = table
    moe = MoERegressor(3, gate="gaussian", **QUICK).fit(X, y, groups=groups)
    labels = moe.responsibilities(X, y, groups=groups).argmax(axis=1)
    assert matched(labels, kind)[0] > 0.98
    assert moe.log_likelihood(X, y, groups=groups) == pytest.approx(moe.log_likelihood_)
