"""A scikit-learn classifier as the gate: soft labels, climbs, prefit ones, what is refused."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from moe_classic import MoEClassifier, MoERegressor
from moe_classic._data.blocks import Design
from moe_classic._data.stats import Summary
from moe_classic.gates import EstimatorGate
from moe_classic.gates._estimator import GateRows, GateRowStats

from ..checks import parametrize_with_checks

CHECKED = [
    MoERegressor(2, gate=KNeighborsClassifier(3), n_init=1, max_iter=3),
    MoEClassifier(2, gate=EstimatorGate(LogisticRegression(), features=[0]), n_init=1, max_iter=3),
]
SUMMARY = Summary(1.0, np.zeros(1), np.ones(1))
QUICK = {"n_init": 1, "max_iter": 200, "tol": 1e-3, "random_state": 0}


@pytest.fixture
def steps(rng):
    """Three constants on three stretches of a line: a gate that is linear in x can tell them."""
    X = np.column_stack([rng.uniform(0.0, 3.0, 240), 50.0 + rng.standard_normal(240)])
    stretch = X[:, 0].astype(int)
    y = np.array([0.0, 4.0, 1.0])[stretch] + 0.2 * rng.standard_normal(240)
    return X, y, stretch


@pytest.fixture
def soft(rng):
    """A design and weights of three experts."""
    Z = np.vstack([rng.standard_normal((2, 80)), np.ones(80)])
    S = rng.random((3, 80)) * rng.random(80)
    return Z, S


def updated(gate, Z, S, parts=1):
    """Parameters after one update from the start."""
    params = gate.start(len(S), len(Z), SUMMARY)
    stats = None
    for rows in np.array_split(np.arange(Z.shape[1]), parts):
        design = Design(Z[:, rows])
        fwd = gate.forward(params, design)
        weights = S[:, rows]
        part = gate.statistics(params, fwd, design, weights, gate.curvature(params, fwd, weights))
        stats = part if stats is None else stats + part
    return gate.update(params, stats, SUMMARY)


def test_start_makes_experts_equally_likely(soft):
    gate = EstimatorGate(LogisticRegression())
    params = gate.start(3, 3, SUMMARY)
    np.testing.assert_array_equal(np.exp(gate.log_gate(params, Design(soft[0]))), 1.0 / 3.0)


def test_update_fits_every_row_once_for_each_expert_with_its_weight(soft):
    Z, S = soft
    gate = EstimatorGate(LogisticRegression(), min_proba=1e-9)
    params = updated(gate, Z, S)
    X = Z[:2].T
    labels = np.repeat(np.arange(3), 80)
    direct = LogisticRegression().fit(np.tile(X, (3, 1)), labels, sample_weight=S.ravel())
    # min_proba moves probabilities by its own size.
    np.testing.assert_allclose(
        np.exp(gate.log_gate(params, Design(Z))), direct.predict_proba(X).T, atol=1e-8
    )


def test_update_does_not_depend_on_blocks(soft):
    Z, S = soft
    gate = EstimatorGate(DecisionTreeClassifier(max_depth=2))
    one, five = (updated(gate, Z, S, parts) for parts in (1, 5))
    np.testing.assert_array_equal(gate.log_gate(one, Design(Z)), gate.log_gate(five, Design(Z)))


def test_scaled_rows_have_scaled_weights(soft):
    Z, S = soft
    stats = GateRowStats((GateRows(Z, S, S),)).scaled(0.5)
    np.testing.assert_array_equal(stats.joined().S, 0.5 * S)


def test_refit_that_is_worse_than_the_gate_is_not_taken(soft):
    Z, S = soft
    gate = EstimatorGate(DecisionTreeClassifier(max_depth=1, random_state=0))
    deep = EstimatorGate(DecisionTreeClassifier(max_depth=6, random_state=0))
    good = updated(deep, Z, S)
    fwd = gate.forward(good, Design(Z))
    stats = gate.statistics(good, fwd, Design(Z), S, S[:0])
    assert gate.update(good, stats, SUMMARY) is good


def test_one_class_that_no_weight_goes_to_keeps_a_little_probability(soft):
    Z, S = soft
    S[2] = 0.0
    gate = EstimatorGate(DecisionTreeClassifier(max_depth=2), min_proba=3e-3)
    g = np.exp(gate.log_gate(updated(gate, Z, S), Design(Z)))
    np.testing.assert_allclose(g[2], 1e-3, rtol=1e-9)
    np.testing.assert_allclose(g.sum(axis=0), 1.0, rtol=1e-12)


def test_reorder_moves_the_probabilities(soft):
    Z, S = soft
    gate = EstimatorGate(LogisticRegression())
    params, order = updated(gate, Z, S), np.array([2, 0, 1])
    np.testing.assert_array_equal(
        gate.log_gate(gate.reorder(params, order), Design(Z)),
        gate.log_gate(params, Design(Z))[order],
    )


@pytest.mark.parametrize(
    "classifier",
    [
        LogisticRegression(C=10.0, max_iter=1000),
        DecisionTreeClassifier(max_depth=3),
        KNeighborsClassifier(15),
        RandomForestClassifier(5, max_depth=3),
    ],
    ids=["logistic", "tree", "neighbours without weights", "forest"],
)
@pytest.mark.parametrize("expert", ["gaussian", Ridge()], ids=["gaussian", "ridge"])
def test_em_climbs_under_any_classifier(steps, classifier, expert):
    X, y, stretch = steps
    R = np.eye(3)[stretch] * 0.7 + 0.1
    moe = MoERegressor(3, expert=expert, gate=classifier, init=R, n_init=1, tol=1e-4).fit(X, y)
    assert np.diff(moe.trace_).min() >= 0.0
    # Half of the variance: neighbours and small forests see the noisy column too.
    assert moe.score(X, y) > 0.5
    assert type(moe.gate_.estimator_) is type(classifier)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(CHECKED)
def test_mixture_under_a_classifier_passes_scikit_learns_check(estimator, check):
    check(estimator)


def test_grid_reaches_into_the_classifier(steps):
    X, y, _ = steps
    for gate, name in (
        (EstimatorGate(DecisionTreeClassifier()), "gate__estimator__max_depth"),
        (DecisionTreeClassifier(), "gate__max_depth"),
    ):
        search = GridSearchCV(MoERegressor(2, gate=gate, **QUICK), {name: [1, 2]}, cv=2)
        depth = search.fit(X, y).best_params_[name]
        assert search.best_estimator_.gate_.estimator_.get_depth() <= depth


def test_gate_sees_the_columns_that_features_name(steps):
    X, y, _ = steps
    gate = EstimatorGate(DecisionTreeClassifier(max_depth=2), features=[0])
    moe = MoERegressor(2, gate=gate, **QUICK).fit(X, y)
    assert moe.gate_.estimator_.n_features_in_ == 1


def test_prefit_gate_stays_and_experts_keep_their_order(steps):
    X, y, stretch = steps
    tree = DecisionTreeClassifier(max_leaf_nodes=3).fit(X, stretch)
    moe = MoERegressor(3, gate=FrozenEstimator(tree), **QUICK).fit(X, y)
    np.testing.assert_array_equal(moe.predict_expert(X), stretch)
    means = [moe.predict(X[stretch == k]).mean() for k in range(3)]
    np.testing.assert_allclose(means, [0.0, 4.0, 1.0], atol=0.1)


def test_summary_has_no_rows_for_a_gate_without_coefficients(steps):
    X, y, _ = steps
    moe = MoERegressor(2, gate=DecisionTreeClassifier(max_depth=2), **QUICK).fit(X, y)
    assert "gate" not in moe.summary().index.get_level_values("part")


@pytest.mark.parametrize(
    ("gate", "error", "match"),
    [
        (Ridge(), TypeError, "must be a classifier"),
        (LinearSVC(), TypeError, "CalibratedClassifierCV"),
        (EstimatorGate(LogisticRegression(), min_proba=0.6), ValueError, "min_proba=0.6"),
        (FrozenEstimator(LogisticRegression()), ValueError, "is not fitted"),
        (EstimatorGate(DecisionTreeClassifier(max_depth=-1)), ValueError, "could not be fitted"),
    ],
)
def test_gate_that_makes_no_sense_is_refused(steps, gate, error, match):
    X, y, _ = steps
    with pytest.raises(error, match=match):
        MoERegressor(2, gate=gate, **QUICK).fit(X, y)


def test_prefit_gate_of_other_classes_is_refused(steps):
    X, y, stretch = steps
    stranger = FrozenEstimator(DecisionTreeClassifier(max_depth=2).fit(X, stretch + 1))
    with pytest.raises(ValueError, match="must be numbers of experts, 0 to 2"):
        MoERegressor(3, gate=stranger, **QUICK).fit(X, y)


@pytest.mark.parametrize("solver", ["newton", "lbfgs", "squarem"])
def test_solver_that_needs_more_than_rows_is_refused(steps, solver):
    X, y, _ = steps
    with pytest.raises(ValueError, match="Use solver='em'"):
        MoERegressor(2, gate=LogisticRegression(), solver=solver, **QUICK).fit(X, y)


def test_gate_has_no_gradient(soft):
    gate = EstimatorGate(LogisticRegression())
    params = gate.start(3, 3, SUMMARY)
    with pytest.raises(TypeError, match="no `gradient`"):
        gate.gradient(params, Design(soft[0]), soft[1])
