"""HardMoERegressor and HardMoEClassifier: shares, capacities, rounds, bad input."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linear_sum_assignment
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.dummy import DummyRegressor
from sklearn.exceptions import FitFailedWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, Perceptron, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsRegressor
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from moe_classic import HardMoEClassifier, HardMoERegressor
from moe_classic._routing.capacity import (
    balanced_assignment,
    capacity_of,
    greedy_assignment,
    random_partition,
)
from moe_classic.estimators._hard.margins import margins_of, proba_from, signs_of

from ...checks import parametrize_with_checks


@parametrize_with_checks(
    [
        HardMoERegressor(max_iter=1, gate_iter=20),
        HardMoERegressor(2, expert=LinearRegression(), gate="softmax", hidden_units=0, max_iter=2),
        HardMoEClassifier(max_iter=1, gate_iter=20),
        HardMoEClassifier(
            3, expert=LogisticRegression(), assignment="balanced", capacity=1.2, max_iter=2
        ),
        HardMoEClassifier(
            2, expert=DecisionTreeClassifier(max_depth=2), validation_fraction=0, max_iter=2
        ),
        HardMoERegressor(
            2,
            expert=[("line", Ridge()), ("near", KNeighborsRegressor(2))],
            gate="sigmoid",
            gate_features=[0],
            gate_rows=20,
            max_iter=2,
        ),
    ]
)
def test_estimator_passes_scikit_learns_check(estimator, check):
    check(estimator)


@pytest.fixture
def board(rng):
    """A chess board of nine fields."""
    X = rng.uniform(0.0, 3.0, (400, 2))
    return X, np.where(np.floor(X).sum(axis=1) % 2 == 0, "white", "black")


@pytest.fixture
def tent(rng):
    X = rng.uniform(-2.0, 2.0, (300, 2))
    return X, 100.0 * np.abs(X[:, 0]) + X[:, 1]


# ------------------------------------------------------------------------- what it is for


def test_gated_experts_beat_one_of_their_kind_and_their_vote():
    rng = np.random.default_rng(0)
    X, X_new = (rng.uniform(0.0, 3.0, (n, 2)) for n in (600, 2000))
    y, y_new = (np.floor(Z).sum(axis=1) % 2 for Z in (X, X_new))
    machine = SVC(gamma=0.5)
    moe = HardMoEClassifier(6, expert=machine, random_state=0).fit(X, y)
    one = clone(machine).fit(X, y)
    votes = [clone(machine).fit(X[k::6], y[k::6]).decision_function(X_new) for k in range(6)]
    uniform = np.mean((np.mean(votes, axis=0) > 0) == y_new)
    assert moe.score(X_new, y_new) > one.score(X_new, y_new) + 0.15
    assert one.score(X_new, y_new) > uniform


def test_regression_finds_the_two_sides_of_a_tent(tent):
    X, y = tent
    moe = HardMoERegressor(
        2, expert=LinearRegression(), gate="softmax", assignment="balanced", random_state=0
    ).fit(X, y)
    assert moe.score(X, y) > 0.99
    # Two slopes of opposite sign, each near 100.
    slopes = sorted(e.coef_[0] for e in moe.experts_)
    np.testing.assert_allclose(slopes, [-100.0, 100.0], rtol=0.2)


def test_default_expert_does_not_care_about_scales(tent):
    X, y = tent
    one = HardMoERegressor()._default_expert().fit(X, y)
    other = HardMoERegressor()._default_expert().fit(8.0 * X - 5.0, 1024.0 * y + 3.0)
    # Standardised values differ by rounding, and libsvm stops at its own tolerance of 1e-3.
    np.testing.assert_allclose(
        other.predict(8.0 * X - 5.0), 1024.0 * one.predict(X) + 3.0, rtol=1e-3, atol=300.0
    )


def test_one_expert_under_a_linear_gate_is_scaled(tent):
    X, y = tent
    moe = HardMoERegressor(
        1, expert=Ridge(), gate="linear", hidden_units=0, gate_features=[], validation_fraction=0
    ).fit(X, y)
    s = Ridge().fit(X, y).predict(X) - y.mean()
    # The plain expert times the least-squares scalar around the mean, up to the gate's tolerance.
    wanted = y.mean() + s * (s @ (y - y.mean())) / (s @ s)
    np.testing.assert_allclose(moe.predict(X), wanted, rtol=1e-3)


def test_fit_does_not_depend_on_where_y_is(tent):
    X, y = tent
    # With one expert and no rows held out nothing is left to chance.
    model = HardMoERegressor(
        1, expert=LinearRegression(), hidden_units=0, validation_fraction=0, tol=1e-12
    )
    one, other = clone(model).fit(X, y), clone(model).fit(X, 1e6 + y)
    # Twelve digits of a million and L-BFGS's own end.
    np.testing.assert_allclose(other.predict(X) - 1e6, one.predict(X), atol=1e-4)
    np.testing.assert_allclose(other.expert_predictions(X) - 1e6, one.expert_predictions(X))
    many = [HardMoERegressor(4, random_state=0).fit(X, c + y).score(X, c + y) for c in (0.0, 1e6)]
    # Other shares, because rows are dealt by their content, but as good a fit.
    assert min(many) > 0.9


# ------------------------------------------------------------------------- shares


def test_dealt_shares_are_even_in_every_stratum(rng):
    strata = rng.integers(0, 3, 103)
    share = random_partition(strata, 4, rng)
    assert np.ptp(np.bincount(share)) <= 1
    for c in range(3):
        assert np.ptp(np.bincount(share[strata == c], minlength=4)) <= 1


def test_greedy_assignment_prefers_in_order_and_respects_room():
    weights = np.array([[0.9, 0.8, 0.7], [0.1, 0.2, 0.3]])
    assert greedy_assignment(weights, 2, np.arange(3)).tolist() == [0, 0, 1]
    assert greedy_assignment(weights, 2, np.array([2, 1, 0])).tolist() == [1, 0, 0]


@pytest.mark.parametrize(("K", "n", "extra"), [(1, 5, 0), (3, 30, 0), (5, 101, 1), (7, 120, 4)])
def test_balanced_assignment_is_the_best_of_all(rng, K, n, extra):
    weights = rng.random((K, n)) ** 3
    weights[0] += 0.3
    capacity = int(np.ceil(n / K)) + extra
    share = balanced_assignment(weights, capacity)
    places = np.repeat(weights, capacity, axis=0)
    best = places[linear_sum_assignment(-places)].sum()
    assert np.bincount(share, minlength=K).max() <= capacity
    # The order of summation differs.
    assert weights[share, np.arange(n)].sum() == pytest.approx(best, rel=1e-12)


def test_balanced_assignment_ends_where_all_weights_are_equal():
    share = balanced_assignment(np.full((4, 30), 0.25), 8)
    assert np.bincount(share, minlength=4).max() <= 8


def test_balanced_assignment_moves_rows_around_cycles():
    # Greedy gives row 0 to expert 0 and strands row 1; the best swaps both.
    weights = np.array([[1.0, 0.9], [0.9, 0.0]])
    assert balanced_assignment(weights, 1).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("capacity", "rows"), [(None, 12), (15, 15), (1.5, 16), (11, 11), (1.0, 11), (10**9, 101)]
)
def test_capacity_is_rows_or_a_multiple_of_an_even_share(capacity, rows):
    assert capacity_of(capacity, 101, 10) == rows


@pytest.mark.parametrize("capacity", [9, 0.95, -1, np.nan])
def test_capacity_that_cannot_hold_all_rows_is_refused(capacity):
    with pytest.raises(ValueError, match="in 10 experts, and there are 100"):
        capacity_of(capacity, 100, 10)


@pytest.mark.parametrize("assignment", ["greedy", "balanced"])
@pytest.mark.parametrize("capacity", [None, 1.3])
def test_no_share_is_above_its_capacity(board, assignment, capacity):
    X, y = board
    moe = HardMoEClassifier(
        4, expert=GaussianNB(), assignment=assignment, capacity=capacity, random_state=0
    ).fit(X, y)
    most = capacity_of(capacity, int((moe.partition_ >= 0).sum()), 4)
    assert moe.history_.largest_share.max() <= most
    assert np.bincount(moe.partition_[moe.partition_ >= 0]).max() <= most


def test_shares_and_rows_held_out_make_up_all_rows(board):
    X, y = board
    moe = HardMoEClassifier(3, expert=GaussianNB(), random_state=0, validation_fraction=0.25)
    moe.fit(X, y)
    held = moe.partition_ == -1
    assert held.sum() == 100
    # Every class is held out in proportion, but for one row.
    assert abs((y[held] == "white").sum() - 0.25 * (y == "white").sum()) <= 1.0
    assert set(moe.partition_[~held]) == {0, 1, 2}


def test_experts_are_those_of_the_published_partition(tent):
    X, y = tent
    moe = HardMoERegressor(2, expert=LinearRegression(), random_state=0).fit(X, y)
    for k, expert in enumerate(moe.experts_):
        mine = moe.partition_ == k
        np.testing.assert_allclose(expert.coef_, LinearRegression().fit(X[mine], y[mine]).coef_)


# ------------------------------------------------------------------------- rounds


def test_best_round_on_rows_held_out_is_kept(board):
    X, y = board
    moe = HardMoEClassifier(6, expert=SVC(), random_state=3, max_iter=5).fit(X, y)
    assert moe.best_round_ == moe.history_.validation_loss.idxmin()
    assert moe.loss_ == moe.history_.validation_loss.min()
    held = moe.partition_ == -1
    signs = np.where(y[held] == moe.classes_[1], 1.0, -1.0)
    blend = np.tanh(moe.decision_function(X[held]))
    assert np.mean((signs - blend) ** 2) == pytest.approx(moe.loss_, rel=1e-9)


def test_training_loss_decides_where_nothing_is_held_out(board):
    X, y = board
    moe = HardMoEClassifier(3, expert=GaussianNB(), random_state=0, validation_fraction=0.0)
    moe.fit(X, y)
    assert moe.history_.validation_loss.isna().all()
    assert moe.loss_ == moe.history_.loss.min()


def test_rounds_end_when_no_row_moves(tent):
    X, y = tent
    moe = HardMoERegressor(1, expert=Ridge(), max_iter=9).fit(X, y)
    assert moe.n_iter_ == 1


def test_gate_may_learn_from_some_rows_only(board):
    X, y = board
    options = {"expert": GaussianNB(), "random_state": 0, "max_iter": 2}
    few = HardMoEClassifier(3, gate_rows=50, **options).fit(X, y)
    most = HardMoEClassifier(3, gate_rows=10**6, **options).fit(X, y)
    every = HardMoEClassifier(3, **options).fit(X, y)
    np.testing.assert_array_equal(most.predict_proba(X), every.predict_proba(X))
    assert not np.allclose(few.predict_proba(X), every.predict_proba(X))


@pytest.mark.parametrize("n_jobs", [2, None])
def test_fit_does_not_depend_on_threads_or_order(board, rng, n_jobs):
    X, y = board
    model = HardMoEClassifier(3, expert=DecisionTreeClassifier(max_depth=3), random_state=0)
    order = rng.permutation(len(X))
    one = clone(model).fit(X, y)
    other = clone(model).set_params(n_jobs=n_jobs).fit(X[order], y[order])
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
    np.testing.assert_array_equal(one.partition_[order], other.partition_)


# ------------------------------------------------------------------------- margins, predictions


def test_margin_of_two_classes_is_the_decision_value(board):
    X, y = board
    machine = SVC().fit(X, y)
    np.testing.assert_array_equal(
        margins_of(machine, X, np.unique(y))[0], machine.decision_function(X)
    )


def test_margin_of_a_probability_has_its_expectation_for_tanh(board):
    X, y = board
    bayes = GaussianNB().fit(X, y)
    P = bayes.predict_proba(X)[:, 1]
    np.testing.assert_allclose(np.tanh(margins_of(bayes, X, np.unique(y))[0]), 2 * P - 1)


def test_margins_of_many_classes_have_zero_between_the_best_two(board, rng):
    X, _ = board
    y = rng.integers(0, 4, len(X))
    m = margins_of(SVC().fit(X, y), X, np.arange(4))
    highest = np.sort(m, axis=0)[-2:]
    np.testing.assert_allclose(highest.sum(axis=0), 0.0, atol=1e-12)


@pytest.mark.parametrize("expert", [SVC(), GaussianNB()], ids=["values", "probabilities"])
def test_class_that_an_expert_never_saw_has_the_lowest_margin(board, rng, expert):
    X, _ = board
    y = rng.integers(0, 4, len(X))
    some = y != 2
    m = margins_of(expert.fit(X[some], y[some]), X, np.arange(4))
    assert (m[2] <= m.min(axis=0)).all()


def test_expert_of_one_class_is_sure_of_it(board):
    X, y = board
    sure = DecisionTreeClassifier().fit(X, np.full(len(X), "black"))
    assert (margins_of(sure, X, np.unique(y)) < -4.0).all()
    m = margins_of(sure, X, np.array(["black", "grey", "white"]))
    assert (m[0] > 4.0).all()
    assert (m[1:] < -4.0).all()


def test_signs_and_probabilities_belong_together():
    codes = np.array([0, 2, 1])
    assert signs_of(codes, 3).T.tolist() == [[1, -1, -1], [-1, -1, 1], [-1, 1, -1]]
    assert signs_of(np.array([0, 1]), 2).tolist() == [[-1, 1]]
    assert proba_from(3.0 * signs_of(codes, 3)).argmax(axis=1).tolist() == codes.tolist()
    np.testing.assert_allclose(proba_from(np.array([[0.0]])), 0.5)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("top_k", [None, 1])
def test_answers_agree_with_each_other(board, n_classes, top_k):
    X, _ = board
    y = (np.floor(X).sum(axis=1) % n_classes).astype(int)
    moe = HardMoEClassifier(3, expert=SVC(), gate="softmax", random_state=0, max_iter=2)
    moe.fit(X, y)
    value = moe.decision_function(X, top_k=top_k)
    P, label = moe.predict_proba(X, top_k=top_k), moe.predict(X, top_k=top_k)
    assert value.shape == ((400,) if n_classes == 2 else (400, n_classes))
    np.testing.assert_allclose(P.sum(axis=1), 1.0)
    np.testing.assert_array_equal(P.argmax(axis=1), label)
    np.testing.assert_allclose(np.exp(moe.predict_log_proba(X, top_k=top_k)), P, rtol=1e-12)
    own = moe.expert_predictions(X)
    if top_k == 1:
        np.testing.assert_allclose(value, own[np.arange(400), moe.predict_expert(X)])
    else:
        np.testing.assert_allclose(value, np.einsum("nk,nk...->n...", moe.gate_proba(X), own))


def test_linear_gate_uses_its_weights_as_they_are(board):
    X, y = board
    moe = HardMoEClassifier(3, expert=SVC(), random_state=0, max_iter=2).fit(X, y)
    best = moe.predict_expert(X)
    rows = np.arange(len(X))
    wanted = moe.gate_proba(X)[rows, best] * moe.expert_predictions(X)[rows, best]
    np.testing.assert_allclose(moe.decision_function(X, top_k=1), wanted)


class Counting(DummyRegressor):
    """Counts the rows that it is asked about."""

    def predict(self, X):
        self.asked_ = getattr(self, "asked_", 0) + len(X)
        return super().predict(X)


def test_sparse_prediction_asks_each_expert_about_its_rows_only(tent):
    X, y = tent
    moe = HardMoERegressor(5, expert=Counting(), random_state=0, max_iter=2).fit(X, y)
    for expert in moe.experts_:
        expert.asked_ = 0
    moe.predict(X, top_k=2)
    assert sum(expert.asked_ for expert in moe.experts_) == 2 * len(X)


def test_unlike_experts_stand_side_by_side(tent):
    X, y = tent
    moe = HardMoERegressor(2, expert=[Ridge(), KNeighborsRegressor(3)], random_state=0).fit(X, y)
    assert [type(e) for e in moe.experts_] == [Ridge, KNeighborsRegressor]


def test_frame_reaches_experts_with_its_names(tent):
    X, y = tent
    frame = pd.DataFrame(X, columns=["a", "b"])
    moe = HardMoERegressor(2, expert=LinearRegression(), gate_features=["a"], random_state=0)
    moe.fit(frame, y)
    assert moe.experts_[0].feature_names_in_.tolist() == ["a", "b"]
    assert moe.gate_.hidden_coef_.shape == (20, 1)
    assert moe.score(frame, y) > 0.9


def test_fitted_mixture_survives_a_pickle(board):
    X, y = board
    moe = HardMoEClassifier(2, random_state=0, max_iter=1).fit(X, y)
    again = pickle.loads(pickle.dumps(moe))
    np.testing.assert_array_equal(again.predict_proba(X), moe.predict_proba(X))


def test_grid_reaches_into_the_expert(tent):
    X, y = tent
    moe = HardMoERegressor(2, expert=DecisionTreeRegressor(), random_state=0, max_iter=2)
    search = GridSearchCV(moe, {"expert__max_depth": [1, 5], "n_experts": [2]}, cv=2).fit(X, y)
    depth = search.best_params_["expert__max_depth"]
    assert [e.get_depth() for e in search.best_estimator_.experts_] == [depth, depth]
    assert np.ptp(search.cv_results_["mean_test_score"]) > 0.0


def test_grid_reaches_into_a_list_of_experts_by_name(tent):
    X, y = tent
    moe = HardMoERegressor(2, expert=[("line", Ridge()), ("near", KNeighborsRegressor())])
    moe.set_params(random_state=0, max_iter=2)
    search = GridSearchCV(moe, {"near__n_neighbors": [5, 50]}, cv=2).fit(X, y)
    assert search.best_params_ == {"near__n_neighbors": 5}
    assert "line__alpha" in moe.get_params()


# ------------------------------------------------------------------------- bad input


class Picky(ClassifierMixin, BaseEstimator):
    """Naive Bayes that refuses shares around a corner."""

    def fit(self, X, y):
        if X.mean() > self.limit_:
            raise ValueError("too far out")
        self.model_ = GaussianNB().fit(X, y)
        self.classes_ = self.model_.classes_
        return self

    limit_ = 1.6

    def predict_proba(self, X):
        return self.model_.predict_proba(X)

    def predict(self, X):
        return self.model_.predict(X)


def test_expert_that_fails_is_named_and_the_rest_is_kept(board):
    X, y = board
    moe = HardMoEClassifier(4, expert=Picky(), random_state=0, hidden_units=0, max_iter=4)
    with pytest.warns(FitFailedWarning, match=r"Expert \d could not be fitted.*too far out"):
        moe.fit(X, y)
    assert len(moe.experts_) == 4
    assert np.isfinite(moe.predict_proba(X)).all()


def test_stand_in_takes_the_place_of_an_expert_that_never_fitted(tent):
    X, y = tent
    experts = [Ridge(alpha=-1.0), Ridge()]
    moe = HardMoERegressor(2, expert=experts, random_state=0, max_iter=1)
    with pytest.warns(FitFailedWarning, match="Expert 1 could not be fitted"):
        moe.fit(X, y)
    np.testing.assert_allclose(moe.expert_predictions(X)[:, 0], y[moe.partition_ == 0].mean())


def test_experts_that_all_fail_are_an_error(tent):
    X, y = tent
    with pytest.raises(ValueError, match="No expert could be fitted; expert 1 raised"):
        HardMoERegressor(2, expert=Ridge(alpha=-1.0)).fit(X, y)


@pytest.mark.parametrize(
    ("model", "error", "match"),
    [
        (HardMoERegressor(0), ValueError, "n_experts=0"),
        (HardMoERegressor(2, expert=StandardScaler()), TypeError, "needs fit, predict"),
        (HardMoERegressor(2, expert=GaussianNB()), TypeError, "must be one of the regressors"),
        (HardMoERegressor(2, expert=GaussianNB()), TypeError, r"^expert: GaussianNB\(\)"),
        (HardMoERegressor(2, expert=[("a", Ridge()), ("tol", Ridge())]), ValueError, "conflict"),
        (HardMoERegressor(2, expert=[]), ValueError, "expert is an empty list"),
        (HardMoERegressor(2, expert=[Ridge()]), ValueError, "lists 1 experts but n_experts=2"),
        (HardMoERegressor(2, gate="constant"), ValueError, "gate='constant' is not known"),
        (HardMoERegressor(2, assignment="random"), ValueError, "assignment='random'"),
        (HardMoERegressor(2, capacity=10), ValueError, "leaves room for 20 rows in 2 experts"),
        (HardMoERegressor(2, capacity="all"), TypeError, "capacity='all'"),
        (HardMoERegressor(2, capacity=True), TypeError, "capacity=True"),
        (HardMoERegressor(2, max_iter=0), ValueError, "max_iter=0"),
        (HardMoERegressor(2, gate_iter=0), ValueError, "gate_iter=0"),
        (HardMoERegressor(2, gate_rows=0), ValueError, "gate_rows=0"),
        (HardMoERegressor(2, hidden_units=2.5), ValueError, "hidden_units=2.5"),
        (HardMoERegressor(2, validation_fraction=1.0), ValueError, "must be less than 1"),
        (HardMoERegressor(2, validation_fraction=-0.1), ValueError, "validation_fraction=-0.1"),
        (HardMoERegressor(300), ValueError, "n_experts=300 is more than the n_samples=270"),
    ],
)
def test_argument_that_makes_no_sense_is_refused(tent, model, error, match):
    X, y = tent
    with pytest.raises(error, match=match):
        model.fit(X, y)


def test_prefit_expert_is_refused(tent):
    X, y = tent
    with pytest.raises(ValueError, match="cannot learn from its share"):
        HardMoERegressor(2, expert=FrozenEstimator(Ridge().fit(X, y))).fit(X, y)


class NoMargins(ClassifierMixin, BaseEstimator):
    """Says which class and nothing else."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


def test_expert_without_margins_is_refused(board):
    X, y = board
    with pytest.raises(TypeError, match="neither decision_function nor predict_proba"):
        HardMoEClassifier(2, expert=NoMargins()).fit(X, y)


def test_pairwise_margins_are_refused(board):
    X, y = board
    with pytest.raises(ValueError, match="decision_function_shape='ovr'"):
        HardMoEClassifier(2, expert=SVC(decision_function_shape="ovo")).fit(X, y)


def test_one_class_is_refused(board):
    X, _ = board
    with pytest.raises(ValueError, match="one class, 'a'"):
        HardMoEClassifier(2).fit(X, np.full(len(X), "a"))


def test_perceptron_without_probabilities_will_do(board):
    X, y = board
    moe = HardMoEClassifier(2, expert=Perceptron(), random_state=0, max_iter=2).fit(X, y)
    assert moe.predict(X).shape == y.shape
