"""Penalties at the nodes of a tree: conditions of optimality node by node, zeros, refusals."""

import numpy as np
import pytest

from moe_classic import (
    HierarchicalMoEClassifier,
    HierarchicalMoERegressor,
    MoERegressor,
)
from moe_classic._results import fitted_mixture
from moe_classic.experts import GaussianExpert, MultinomialExpert
from moe_classic.gates import SoftmaxGate, TreeGate
from moe_classic.penalties import ElasticNet, GroupLasso, Lasso, Ridge

QUICK = {"n_init": 1, "init": "cut", "random_state": 0}
#: Violation of the conditions of optimality, in nats per row, that a fit may leave.
_OPTIMAL = 1e-6
SHAPES = [(2,), (2, 2), (4,), (3, 2), [[4], 1], [[[2], 1], 1]]


def regions(n=400, p=6, parts=2):
    """Standardised features, the first two of which cut space in 2 * parts, a line for each."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, p))
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    edges = [0.0] if parts == 2 else [-0.6, 0.6]
    first = np.digitize(X[:, 0] + 0.1 * rng.standard_normal(n), edges)
    second = (X[:, 1] + 0.1 * rng.standard_normal(n) > 0.0).astype(int)
    height = np.array([[2.0, -1.0], [-4.0, 4.0], [6.0, -6.0]])[first, second]
    y = height + np.where(first == second, 2.0 * X[:, 2], -X[:, 3]) + 0.5 * rng.standard_normal(n)
    return X, (y - y.mean()) / y.std()


def tree(branching, penalty, cost=0.05, **own):
    expert, node = GaussianExpert(penalty=Lasso(cost)), SoftmaxGate(penalty=penalty)
    return HierarchicalMoERegressor(branching, expert=expert, node=node, **QUICK | own)


def node_scores(model, X, y):
    """Slopes of the log-likelihood at each node with children, (C, p), and its slopes."""
    share, posterior = model.node_proba(X), model.node_responsibilities(X, y)
    inner = [node for node in model.tree_.nodes() if not node.is_leaf]
    for node, slopes in zip(inner, model.gate_.coef_, strict=True):
        below = [child.number for child in node.children]
        given = share[:, below] / share[:, [node.number]]
        residual = posterior[:, below] - posterior[:, [node.number]] * given
        yield residual.T @ X / len(X), slopes


def check_lasso(score, slopes, cost):
    """The conditions under a lasso; slopes are relative to the last of two, or the middle one."""
    if len(slopes) == 2:
        score, slopes = score[:1], slopes[:1]
    inside = np.abs(score - cost * np.sign(slopes))
    beyond = np.maximum(np.abs(score) - cost, 0.0)
    assert np.where(slopes != 0.0, inside, beyond).max() < _OPTIMAL


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("branching", SHAPES, ids=str)
def test_every_node_ends_where_the_conditions_hold(branching):
    X, y = regions(parts=3)
    model = tree(branching, Lasso(0.02)).fit(X, y)
    for score, slopes in node_scores(model, X, y):
        check_lasso(score, slopes, 0.02)
    assert model.start_report_.kkt_residual.iloc[0] < _OPTIMAL
    assert (np.diff(model.trace_) >= 0.0).all()
    assert sum((slopes == 0.0).all(axis=0).sum() for slopes in model.gate_.coef_) > 1


@pytest.mark.parametrize("branching", [(2, 2), [[3], 1]], ids=str)
def test_trees_of_class_experts_end_where_the_conditions_hold(branching):
    X, z = regions()
    y = np.digitize(z + 0.3 * X[:, 4], [-0.7, 0.6])
    expert, node = MultinomialExpert(penalty=Lasso(0.02)), SoftmaxGate(penalty=Lasso(0.01))
    model = HierarchicalMoEClassifier(branching, expert=expert, node=node, **QUICK).fit(X, y)
    for score, slopes in node_scores(model, X, y):
        check_lasso(score, slopes, 0.01)
    assert (np.diff(model.trace_) >= 0.0).all()


@pytest.mark.parametrize("branching", [(2, 2), (3, 2)], ids=str)
def test_under_the_group_lasso_a_feature_leaves_all_children_of_a_node(branching):
    X, y = regions(parts=3)
    model, kept = tree(branching, GroupLasso(0.03)).fit(X, y), 0
    for score, slopes in node_scores(model, X, y):
        C = len(slopes)
        if C == 2:
            score, slopes = score[:1], (slopes[:1] - slopes[1:])
        else:
            slopes = slopes - slopes.mean(axis=0)
        cost = 0.03 * np.sqrt(1 if C == 2 else C)
        norm = np.linalg.norm(slopes, axis=0)
        inside = norm > 1e-12
        kept += inside.sum()
        gap = score[:, inside] - cost * slopes[:, inside] / norm[inside]
        assert np.abs(gap).max() < _OPTIMAL
        assert (np.linalg.norm(score[:, ~inside], axis=0) <= cost + _OPTIMAL).all()
    assert kept > 1
    assert any((slopes == 0.0).all(axis=0).any() for slopes in model.gate_.coef_)


def test_a_feature_may_leave_one_node_and_stay_at_another():
    X, y = regions(parts=3)
    kept = {tuple(slopes.any(axis=0)) for slopes in tree((3, 2), Lasso(0.02)).fit(X, y).gate_.coef_}
    assert len(kept) > 1


def test_elastic_nets_shrink_and_ridges_are_alpha():
    X, y = regions()
    model = tree((2, 2), ElasticNet(0.03, l1_ratio=0.5)).fit(X, y)
    for score, slopes in node_scores(model, X, y):
        step = slopes[0] - slopes[1]
        # Squares are those of slopes about the mean of two children: half of the difference.
        check_lasso(score[:1] - 0.015 * 0.5 * step, step[None], 0.015)
    by_alpha = {"expert": GaussianExpert(), **QUICK}
    a = HierarchicalMoERegressor((2, 2), node=SoftmaxGate(alpha=0.01), **by_alpha).fit(X, y)
    b = HierarchicalMoERegressor((2, 2), node=SoftmaxGate(penalty=Ridge(0.01)), **by_alpha)
    assert b.fit(X, y).trace_[-1] == pytest.approx(a.trace_[-1], abs=1e-6 * len(X))
    assert b.n_parameters_ == a.n_parameters_


@pytest.mark.parametrize("penalty", [Lasso(0.02), GroupLasso(0.02), ElasticNet(0.02)], ids=repr)
def test_a_tree_of_one_node_is_the_flat_gate(penalty):
    X, y = regions()
    expert, gate = GaussianExpert(penalty=Lasso(0.05)), SoftmaxGate(penalty=penalty)
    flat = MoERegressor(2, expert=expert, gate=gate, **QUICK).fit(X, y)
    for model in (
        tree((2,), penalty),
        MoERegressor(2, expert=expert, gate=TreeGate((2,), node=gate), **QUICK),
    ):
        model.fit(X, y)
        assert model.log_likelihood_ / len(X) == pytest.approx(
            flat.log_likelihood_ / len(X), abs=1e-8
        )
        assert model.n_parameters_ == flat.n_parameters_
        order = [0, 1]
        if not np.allclose(model.experts_[0].coef_, flat.experts_[0].coef_, atol=1e-4):
            order = [1, 0]
        slopes = model.gate_.coef_[0][order]
        np.testing.assert_allclose(
            slopes[0] - slopes[1], flat.gate_.coef_[0] - flat.gate_.coef_[1], atol=1e-6
        )


def test_a_strong_penalty_leaves_no_slope_at_any_node_and_weights_hold_features_out():
    X, y = regions()
    model = tree((2, 2), Lasso(9.0)).fit(X, y)
    assert not any(slopes.any() for slopes in model.gate_.coef_)
    # Shares of leaves, and intercept and scale of each expert beside its slopes.
    inside = sum((expert.coef_ != 0.0).sum() for expert in model.experts_)
    assert model.n_parameters_ == 3 + 8 + inside
    weights = [0.0, np.inf, 1.0, 1.0, 1.0, 1.0]
    model = tree((2, 2), Lasso(0.02, weights=weights)).fit(X, y)
    assert all(c[0].any() and not c[:, 1].any() for c in model.gate_.coef_)


def test_only_slopes_that_are_not_zero_are_parameters():
    X, y = regions(parts=3)
    model = tree((3, 2), Lasso(0.02)).fit(X, y)
    count = sum((expert.coef_ != 0.0).sum() + 2 for expert in model.experts_)
    for slopes in model.gate_.coef_:
        step = slopes if len(slopes) > 2 else slopes[:1] - slopes[1:]
        # Of three children the one in the middle of a slope has a zero anyway.
        count += len(slopes) - 1 + np.minimum((step != 0.0).sum(axis=0), len(slopes) - 1).sum()
    assert model.n_parameters_ == count
    table = model.summary()
    assert np.isfinite(model.bic(X, y))
    assert str(table)


def test_integer_weights_are_repeated_rows():
    X, y = regions(200)
    w = np.random.default_rng(1).integers(1, 4, 200)
    R = np.eye(4)[(2 * (X[:, 0] > 0.0) + (X[:, 1] > 0.0)).astype(int)]
    a = tree((2, 2), Lasso(0.02), init=R).fit(X, y, sample_weight=w)
    rows = np.repeat(np.arange(200), w)
    b = tree((2, 2), Lasso(0.02), init=R[rows], n_init=1).fit(X[rows], y[rows])
    assert a.log_likelihood_ == pytest.approx(b.log_likelihood_, rel=1e-9)
    for one, other in zip(a.gate_.coef_, b.gate_.coef_, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
        assert ((one == 0.0) == (other == 0.0)).all()


@pytest.mark.parametrize("criterion", ["bic", "held_out"])
def test_trees_grow_under_penalties(criterion):
    X, y = regions()
    model = tree("grow", Lasso(0.02), criterion=criterion, max_leaves=6).fit(X, y)
    assert 2 <= model.tree_.n_leaves <= 6
    assert (np.diff(model.trace_) >= 0.0).all()
    assert sum((slopes == 0.0).sum() for slopes in model.gate_.coef_) > 6
    none = tree("grow", Lasso(9.0), criterion=criterion, max_leaves=6).fit(X, y)
    assert not any(slopes.any() for slopes in none.gate_.coef_)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_second_derivatives_of_smooth_and_kinked_penalties_are_differences_of_gradients():
    X, y = regions(parts=3)
    for penalty in (GroupLasso(0.03), ElasticNet(0.02, l1_ratio=0.4), Ridge(0.1)):
        record = fitted_mixture(tree((3, 2), penalty, tol=1e-3).fit(X, y))
        gate, params, summary = record.model.gate, record.standard_params.gate, record.summary
        T, u, _ = gate.support(params)
        np.testing.assert_allclose(T @ u, gate.pack(params), atol=1e-14)

        def at(v, T=T, gate=gate, params=params, summary=summary):
            return gate.unpack(T @ v, params, summary)

        eye = 1e-6 * np.eye(u.size)
        for one, whole in ((gate.penalty_value, gate.penalty_gradient(params, summary) @ T),):
            found = [(one(at(u + e), summary) - one(at(u - e), summary)) / 2e-6 for e in eye]
            np.testing.assert_allclose(found, whole, rtol=1e-5, atol=1e-4)
        bend = T.T @ gate.penalty_hessian(params, summary) @ T
        slope = gate.penalty_gradient
        found = [(slope(at(u + e), summary) - slope(at(u - e), summary)) @ T / 2e-6 for e in eye]
        np.testing.assert_allclose(found, bend, rtol=1e-4, atol=1e-2)


def test_what_has_no_meaning_under_such_a_penalty_is_refused():
    X, y = regions()
    with pytest.raises(ValueError, match="has 1 weights, but there are 6 features"):
        tree((2, 2), Lasso(weights=[1.0])).fit(X, y)
    with pytest.raises(ValueError, match=r"alpha=0\.1 has no meaning together"):
        HierarchicalMoERegressor((2,), node=SoftmaxGate(alpha=0.1, penalty=Lasso())).fit(X, y)
    with pytest.raises(ValueError, match="needs a smooth objective"):
        tree((2, 2), Lasso(0.1), solver="newton").fit(X, y)
    with pytest.raises(ValueError, match="is that of the expert"):
        tree((2, 2), Lasso(0.1)).learn_recursively(X, y)
    plain = HierarchicalMoERegressor((2, 2), node=SoftmaxGate(penalty=Lasso(0.05)), **QUICK)
    with pytest.raises(ValueError, match="no standard errors for TreeGate with a penalty"):
        plain.fit(X, y).inference(X, y)
    plain.expert = GaussianExpert(alpha=0.0)
    with pytest.raises(ValueError, match="is that of the nodes"):
        plain.learn_recursively(X, y)
