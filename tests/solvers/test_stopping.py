"""When climbs end: what is left to gain, and rows that no longer change hands."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.datasets import load_iris, load_wine
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold
from sklearn.naive_bayes import GaussianNB

from moe_classic import MoEClassifier, MoERegressor
from moe_classic.experts import EstimatorExpert, MultinomialExpert
from moe_classic.solvers._apart import Apart
from moe_classic.solvers._stopping import Hands, gain_left


def test_aitken_knows_what_a_geometric_sequence_has_left():
    trace = [-(0.5**i) for i in range(6)]
    assert gain_left(trace) == pytest.approx(0.5**5)
    assert gain_left(trace[:2]) == np.inf


def weights(*shares):
    """Weights (2, 10) of ten rows whose first expert has so much of each row in turn."""
    return [np.vstack([np.full(10, s), np.full(10, 1.0 - s)]) for s in shares]


def test_rows_that_stay_have_settled_after_twenty_passes_and_three_calm_ones():
    hands = Hands(1e-2)
    told = [hands.settled(S) for S in weights(*[0.5] * 30)]
    assert told.index(True) == 21
    # One move in between, and counting begins anew.
    hands = Hands(1e-2)
    told = [hands.settled(S) for S in weights(*[0.5] * 21, *[0.52] * 10)]
    assert told.index(True) == 24


@pytest.mark.parametrize("step", [0.004, 0.02])
def test_what_counts_as_a_move_follows_what_is_allowed(step):
    hands = Hands(1e-2)
    told = [hands.settled(S) for S in weights(*(0.1 + step * np.arange(30)))]
    assert any(told) == (step < 0.01)


def test_records_without_rows_and_other_rows_never_settle():
    hands = Hands(1e-2)
    assert not any(hands.settled(None) for _ in range(40))
    assert not any(hands.settled(np.ones((2, 5 + i))) for i in range(40))


def test_experts_that_are_refitted_end_where_rows_stay_and_predict_as_well():
    X, y = load_iris(return_X_y=True)
    rows = np.random.default_rng(0).permutation(150)
    train, test = rows[:100], rows[100:]
    losses = []
    # With so small a tolerance nothing ends before the last pass.
    for tol in (1e-6, 1e-300):
        moe = MoEClassifier(2, expert=GaussianNB(), n_init=1, max_iter=150, tol=tol, random_state=0)
        with np.errstate(all="ignore"):
            moe = fitted(moe, X[train], y[train], converges=tol == 1e-6)
        losses.append(log_loss(y[test], moe.predict_proba(X[test])))
        assert (moe.n_iter_ < 60) == (tol == 1e-6)
    assert losses[0] <= losses[1] + 0.005


def fitted(moe, X, y, *, converges):
    """The fit, which warns unless it converges."""
    if converges:
        return moe.fit(X, y)
    with pytest.warns(match="stopped after max_iter"):
        return moe.fit(X, y)


def test_least_squares_as_an_estimator_still_ends_at_the_optimum_if_asked():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1.0, 1.0, (300, 1))
    y = np.where(rng.random(300) < 1 / (1 + np.exp(-2 * X[:, 0])), 2 + X[:, 0], -X[:, 0])
    y += 0.5 * rng.normal(size=300)
    options = {"n_init": 2, "tol": 1e-12, "max_iter": 2000, "random_state": 0}
    ours = MoERegressor(2, **options).fit(X, y)
    theirs = MoERegressor(2, expert=EstimatorExpert(LinearRegression()), **options).fit(X, y)
    assert theirs.log_likelihood_ == pytest.approx(ours.log_likelihood_, abs=1e-6)


# ------------------------------------------------------------------------- classes told apart


def told(heights, *, own=0.6, bounded=True, n_experts=2, calm=1e-3):
    """At which point of a trace a problem of 100 rows is told to be apart, if at any.

    The class of every row has the probability 0.9, but for the last row's.
    """
    proba = np.append(np.full(99, 0.9), own)
    model = SimpleNamespace(
        bounded=bounded, n_experts=n_experts, log_likelihood=lambda params, block: np.log(proba)
    )
    problem = SimpleNamespace(model=model, summary=SimpleNamespace(weight=100.0), source=[None])
    apart = Apart(problem, calm)
    found = [i for i in range(len(heights)) if apart(heights[: i + 1], None)]
    return found[:1]


def test_classes_are_apart_where_each_row_is_told_right_and_little_changes():
    slow, fast = [0.005 * i for i in range(30)], [0.021 * i for i in range(30)]
    assert told(slow) == [10]
    assert told(slow, own=0.4) == []
    assert told(fast) == []
    assert told(fast + [fast[-1]] * 10) == [35]


@pytest.mark.parametrize("other", [{"bounded": False}, {"n_experts": 1}, {"calm": 0.0}], ids=str)
def test_climbs_with_an_end_of_their_own_are_followed(other):
    assert told([0.0] * 30, **other) == []


@pytest.mark.parametrize(
    ("model", "bounded"),
    [
        (MoEClassifier(2), True),
        (MoEClassifier(2, gate="gaussian"), False),
        (MoERegressor(2), False),
    ],
    ids=repr,
)
def test_only_the_likelihood_of_classes_is_bounded(model, bounded):
    X, y = load_iris(return_X_y=True)
    fitted = model.set_params(n_init=1, max_iter=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert fitted.fit(X, y)._fitted.model.bounded == bounded


def test_climbs_that_have_no_end_end_and_predict_as_well():
    X, y = load_wine(return_X_y=True)
    losses, passes = np.zeros(2), np.zeros(2)
    for train, test in StratifiedKFold(5, shuffle=True, random_state=0).split(X, y):
        # A small tolerance asks for the end that the penalty sets.
        for i, tol in enumerate((1e-6, 1e-12)):
            moe = MoEClassifier(2, n_init=2, tol=tol, random_state=0).fit(X[train], y[train])
            losses[i] += log_loss(y[test], moe.predict_proba(X[test]))
            passes[i] += moe.start_report_.passes.sum()
            assert moe.converged_
    # Means of five folds, whose own spread is larger.
    assert losses[0] <= losses[1] + 5 * 0.006
    assert passes[0] < 0.5 * passes[1]


def test_one_expert_goes_to_the_end_that_the_penalty_sets():
    X, y = load_wine(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    ours = MoEClassifier(1, expert=MultinomialExpert(alpha=1e-3), standardize=False).fit(X, y)
    theirs = LogisticRegression(C=1.0 / (1e-3 * 178), tol=1e-10, max_iter=10_000).fit(X, y)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-5)
