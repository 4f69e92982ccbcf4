"""Hierarchical mixtures: posteriors by brute force, starts, the guard, text, recursions."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import PolynomialFeatures

from moe_classic import HierarchicalMoEClassifier, HierarchicalMoERegressor, MoERegressor
from moe_classic._model.model import MoEParams
from moe_classic.estimators._tree.least_squares import log_posteriors
from moe_classic.estimators._tree.recursive_least_squares import recursion
from moe_classic.estimators._tree.trainer import pinched
from moe_classic.experts import GaussianExpert
from moe_classic.gates import SoftmaxGate
from moe_classic.gates._tree.gate import TreeParams
from moe_classic.gates._tree.nodes import tree_shape
from moe_classic.solvers import EM

#: Enough to be at an optimum of the toy data, few enough to be quick.
QUICK = {"n_init": 2, "max_iter": 200, "tol": 1e-4, "random_state": 0}


def bent(rng, n=300, p=2):
    """Rows whose slope changes with the signs of two features."""
    X = rng.uniform(-2.0, 2.0, (n, p))
    y = np.where(X[:, 0] > 0.0, 2.0, -1.0) * X[:, 1] + np.abs(X[:, 0])
    return X, y + 0.1 * rng.standard_normal(n)


@pytest.fixture
def deep(rng):
    """A tree of three levels, a few iterations from its start: nothing is hard yet."""
    X, y = bent(rng)
    options = {"max_iter": 3, "n_init": 1, "tol": 1e3, "solver": EM(finish=None)}
    return X, y, HierarchicalMoERegressor((2, 2, 2), random_state=0, **options).fit(X, y)


# ------------------------------------------------------------------------- nodes


def test_posterior_of_a_deep_tree_equals_brute_force_over_paths(deep):
    X, y, moe = deep
    gate, log_f = moe.gate_proba(X), []
    for expert in moe.experts_:
        z = (y - X @ expert.coef_ - expert.intercept_) / expert.scale_
        log_f.append(-0.5 * z**2 - np.log(expert.scale_) - 0.5 * np.log(2.0 * np.pi))
    joint = np.zeros((len(X), 8))
    for k, leaf in enumerate(moe.tree_.leaves()):
        node, prior = moe.tree_, np.ones(len(X))
        for step in leaf.path:
            scores = np.exp(X @ node.coef_.T + node.intercept_)
            prior *= scores[:, step] / scores.sum(axis=1)
            node = node.children[step]
        np.testing.assert_allclose(prior, gate[:, k], rtol=1e-9, atol=1e-12)
        joint[:, k] = prior * np.exp(log_f[k])
    expected = joint / joint.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(moe.responsibilities(X, y), expected, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(moe.score_samples(X, y), np.log(joint.sum(axis=1)), rtol=1e-9)


@pytest.mark.parametrize("kind", ["prior", "posterior"])
def test_nodes_hold_what_their_children_hold(deep, kind):
    X, y, moe = deep
    P = moe.node_proba(X) if kind == "prior" else moe.node_responsibilities(X, y)
    leaves = moe.gate_proba(X) if kind == "prior" else moe.responsibilities(X, y)
    nodes = moe.tree_.nodes()
    assert [node.number for node in nodes] == list(range(15))
    np.testing.assert_allclose(P[:, 0], 1.0)
    for node in nodes:
        if not node.is_leaf:
            below = P[:, [child.number for child in node.children]].sum(axis=1)
            np.testing.assert_allclose(below, P[:, node.number])
    np.testing.assert_allclose(P[:, [leaf.number for leaf in moe.tree_.leaves()]], leaves)


def test_tree_can_be_walked(deep):
    moe = deep[2]
    tree = moe.tree_
    assert tree.n_leaves == 8
    assert tree.depth == 0
    assert [leaf.expert for leaf in tree.leaves()] == moe.experts_
    assert tree.find((1, 0)) is tree.children[1].children[0]
    assert tree.find((1, 0)).label == "node 2.1"
    assert sum(leaf.weight_ for leaf in tree.leaves()) == pytest.approx(1.0)
    assert sum(1 for _ in tree.walk()) == len(tree.nodes()) == 15
    with pytest.raises(ValueError, match="no child 2"):
        tree.find((0, 2))


def test_gate_reports_one_record_a_node(deep):
    gate = deep[2].gate_
    assert gate.paths_[:3] == [(), (0,), (1,)]
    assert [len(c) for c in gate.coef_] == [2] * 7
    table = deep[2].summary()
    assert ("gate", "slope", "node 1.1 x0") in table.index
    # An expert has the coefficients of the nodes on its own path only.
    experts = [expert.label for expert in deep[2].experts_]
    row = table.loc[("gate", "slope", "node 2 x0"), experts]
    assert row.isna().tolist() == [True] * 4 + [False] * 4


# ------------------------------------------------------------------------- fits


@pytest.mark.parametrize("branching", [(2, 2), [[2], 1], (3,), [[3], [2]]], ids=str)
def test_fit_explains_bent_data_in_any_shape(rng, branching):
    X, y = bent(rng)
    moe = HierarchicalMoERegressor(branching, **QUICK).fit(X, y)
    assert moe.converged_
    assert moe.branching_ == branching
    assert (np.diff(moe.trace_) >= -1e-9 * np.abs(moe.trace_[:-1])).all()
    assert moe.score(X, y) > 0.9


def test_one_level_from_given_responsibilities_equals_the_flat_fit(rng):
    X, y = bent(rng)
    R = rng.dirichlet(np.ones(3), len(X))
    options = {"init": R, "n_init": 1, "tol": 1e-3}
    flat = MoERegressor(3, **options).fit(X, y)
    tree = HierarchicalMoERegressor((3,), **options).fit(X, y)
    np.testing.assert_array_equal(tree.trace_, flat.trace_)


@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
def test_solvers_agree_on_the_optimum(rng, solver):
    X, y = bent(rng)
    R = HierarchicalMoERegressor((2, 2), **QUICK).fit(X, y).responsibilities(X, y)
    # Soft gates, so that there is one hill around.
    options = {"init": R, "node": SoftmaxGate(alpha=0.05), "n_init": 1, "tol": 1e-8}
    em = HierarchicalMoERegressor((2, 2), **options).fit(X, y)
    other = HierarchicalMoERegressor((2, 2), solver=solver, **options).fit(X, y)
    # Both promise to be within 1e-8 nats a row of the optimum of what they climb.
    assert other.trace_[-1] == pytest.approx(em.trace_[-1], abs=1e-4)


def test_weights_equal_repeated_rows(rng):
    X, y = bent(rng, 120)
    w = rng.integers(1, 3, 120)
    weighted = HierarchicalMoERegressor((2, 2), **QUICK).fit(X, y, sample_weight=w)
    repeated = HierarchicalMoERegressor((2, 2), **QUICK).fit(np.repeat(X, w, 0), np.repeat(y, w))
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-8)


def test_several_outputs_have_equations_of_their_own(rng):
    X, y = bent(rng)
    other = X[:, 0] - y + 0.2 * rng.standard_normal(len(y))
    moe = HierarchicalMoERegressor((2, 2), **QUICK).fit(X, np.column_stack([y, other]))
    assert moe.predict(X).shape == (300, 2)
    explained = moe.explain_path(X[:1])[0]
    assert [e.split(" = ")[0] for e in explained.equations] == ["y0", "y1"]
    assert explained.prediction.shape == explained.blended.shape == (2,)


def test_unlike_experts_stand_at_the_leaves_in_the_order_given(rng):
    X, y = bent(rng)
    experts = [("a", "gaussian"), ("b", "laplace"), ("c", "student_t")]
    moe = HierarchicalMoERegressor([[2], 1], expert=experts, **QUICK).fit(X, y)
    assert [leaf.label for leaf in moe.tree_.leaves()] == ["a", "b", "c"]
    assert [expert.name for expert in moe.experts_] == ["gaussian", "laplace", "student_t"]
    assert moe.score(X, y) > 0.5


def test_nodes_see_the_features_of_their_gate(rng):
    X, y = bent(rng)
    frame = pd.DataFrame(X, columns=["side", "slope"])
    moe = HierarchicalMoERegressor((2,), node=SoftmaxGate(features=["side"]), **QUICK)
    moe.fit(frame, y)
    assert moe.tree_.feature_names_ == ("side",)
    assert moe.tree_.coef_.shape == (2, 1)
    moved = frame.assign(slope=0.0)
    np.testing.assert_array_equal(moe.gate_proba(frame), moe.gate_proba(moved))


def test_experts_may_see_a_transform_of_the_features(rng):
    x = rng.uniform(-2.0, 2.0, (300, 1))
    y = np.where(x[:, 0] > 0.0, x[:, 0] ** 2, -x[:, 0]) + 0.05 * rng.standard_normal(300)
    expert = GaussianExpert(features=PolynomialFeatures(2, include_bias=False))
    moe = HierarchicalMoERegressor((2,), expert=expert, **QUICK).fit(x, y)
    assert moe.score(x, y) > 0.99


def test_classifier_separates_a_chessboard(rng):
    X = rng.uniform(-1.0, 1.0, (400, 2))
    y = np.where(X[:, 0] * X[:, 1] > 0.0, "even", "odd")
    moe = HierarchicalMoEClassifier((2, 2), **QUICK).fit(X, y)
    assert moe.score(X, y) > 0.97
    explained = moe.explain_path(X[:3])
    assert explained[0].equations[0].startswith("log P(even) / P(odd) = ")
    assert [e.blended for e in explained] == list(moe.predict(X[:3]))


def test_blocks_give_the_fit_of_all_rows(rng):
    X, y = bent(rng)
    whole = HierarchicalMoERegressor((2, 2), **QUICK).fit(X, y)
    parts = [(X[:100], y[:100]), (X[100:], y[100:])]
    blocks = HierarchicalMoERegressor((2, 2), **QUICK).fit_blocks(parts)
    # The same optimum, approached along another path; tol is 1e-4 nats a row.
    assert blocks.log_likelihood_ == pytest.approx(whole.log_likelihood_, abs=0.1)


def test_partial_fit_goes_on_learning(rng):
    X, y = bent(rng, 900)
    moe = HierarchicalMoERegressor((2, 2), **QUICK).fit(X[:300], y[:300])
    before = moe.tree_
    moe.partial_fit(X[300:600], y[300:600])
    assert moe.tree_ is not before
    assert moe.score(X[600:], y[600:]) > 0.9


# ------------------------------------------------------------------------- the second algorithm


def test_targets_of_the_second_algorithm_are_centred_log_posteriors(rng):
    shape = tree_shape((1, (1, 1, 1)))
    R = rng.dirichlet(np.full(4, 5.0), 6).T
    targets = log_posteriors(shape, shape.up(R))
    conditional = np.log(R[1:] / R[1:].sum(axis=0))
    np.testing.assert_allclose(targets[2:], conditional - conditional.mean(axis=0), rtol=1e-12)
    odds = 0.5 * np.log(R[0] / R[1:].sum(axis=0))
    np.testing.assert_allclose(targets[:2], [odds, -odds], rtol=1e-12)


def test_step_of_the_second_algorithm_is_weighted_least_squares(deep):
    X, y, moe = deep
    posterior = moe.node_responsibilities(X, y)
    # One pass of the second algorithm and a look at where it led, from where the model stands.
    again = clone(moe).set_params(max_iter=1, least_squares_iter=1)
    trainer, data = _trainer_of(again, X, y)
    from moe_classic.estimators._tree.least_squares import _fit_gates, _look

    problem = trainer.all_rows()
    params = moe._fitted.params_for(data.target)
    stats = problem.engine.map_reduce(lambda b: _look(problem.model, params, b), problem.source)
    gate = _fit_gates(params.gate, stats)
    Z = trainer.maps[0](X)
    h, left = posterior[:, 1], np.clip(posterior[:, 3] / posterior[:, 1], 1e-4, 1.0)
    right = np.clip(posterior[:, 4] / posterior[:, 1], 1e-4, 1.0)
    odds = np.log(left / right)
    root = np.sqrt(h)
    expected = np.linalg.lstsq((Z * root).T, root * odds, rcond=None)[0]
    row = int(gate.shape.first_row[1])
    np.testing.assert_allclose(gate.coef[row], expected, rtol=1e-6, atol=1e-8)


def _trainer_of(moe, X, y):
    """The trainer that a fit of ``moe`` would use, and its data."""
    from moe_classic._data.units import slices_of

    checker = moe._checker()
    raw = checker(X, y)
    data = moe._training_data(raw, checker)
    rows, arguments = slices_of(data.X, data.w), moe._resolve_arguments()
    return moe._make_trainer(arguments, data, rows, raw, checker, None, {}), data


def test_warm_start_by_least_squares_leads_to_an_optimum(rng):
    X, y = bent(rng)
    moe = HierarchicalMoERegressor((2, 2), least_squares_iter=5, **QUICK).fit(X, y)
    assert moe.converged_
    assert moe.score(X, y) > 0.9


# ------------------------------------------------------------------------- the guard


def test_pinched_off_branch_is_found_at_its_parent():
    shape = tree_shape(((1, 1), (1, 1)))
    params = MoEParams(TreeParams(np.zeros((3, 2)), shape), ())
    mass = np.array([100.0, 60.0, 40.0, 59.9, 0.1, 20.0, 20.0])
    assert pinched(params, mass) == [1]
    # The topmost branch alone: what lies below is grown anew with it.
    assert pinched(params, np.array([100.0, 99.9, 0.1, 99.9, 0.0, 0.1, 0.0])) == [0]
    assert pinched(params, np.array([100.0, 60.0, 40.0, 40.0, 20.0, 20.0, 20.0])) == []


def test_pinched_off_branch_is_grown_anew(rng):
    X, y = bent(rng)
    moe = HierarchicalMoERegressor((2, 2), solver=EM(finish=None), **QUICK).fit(X, y)
    params = moe._fitted.params
    coef = params.gate.coef.copy()
    coef[1] = [0.0, 0.0, 60.0]  # node 1 sends everything to its first leaf
    gate = TreeParams(coef, params.gate.shape)
    moe._fitted = replace(moe._fitted, params=MoEParams(gate, params.experts))
    assert moe.gate_proba(X)[:, 1].max() < 1e-12
    moe.set_params(warm_start=True).fit(X, y)
    assert moe.responsibilities(X, y).sum(axis=0).min() > 5.0


# ------------------------------------------------------------------------- text


def test_text_names_every_node_and_equation(deep):
    moe = deep[2]
    text = moe.export_text(decimals=2)
    for node in moe.tree_.nodes():
        assert node.label in text
    assert text.count("y = ") == 8
    assert text.count("otherwise") == 7
    slope = moe.tree_.coef_[0, 0]
    assert f"{abs(slope):.2f} x0" in text


def test_graphviz_source_has_a_statement_a_node_and_an_edge_a_branch(deep):
    source = deep[2].export_graphviz()
    assert source.startswith("digraph tree {")
    assert source.count(" -> ") == 14
    assert source.count("style=rounded") == 8
    assert source.count('"') % 2 == 0


def test_explained_path_is_the_likeliest_and_its_equation_holds(deep):
    X, _, moe = deep
    proba, own = moe.gate_proba(X), moe.expert_predictions(X)
    for i, explained in enumerate(moe.explain_path(X[:5])):
        k = proba[i].argmax()
        assert explained.expert is moe.experts_[k]
        assert explained.probability == pytest.approx(proba[i, k])
        assert np.prod(explained.probabilities) == pytest.approx(proba[i, k])
        assert explained.labels[0] == "root"
        assert explained.labels[-1] == f"expert {k + 1}"
        assert explained.prediction == pytest.approx(own[i, k])
        by_hand = X[i] @ explained.expert.coef_ + explained.expert.intercept_
        assert explained.prediction == pytest.approx(by_hand)
        assert f"applies with probability {proba[i, k]:.3f}" in str(explained)


# ------------------------------------------------------------------------- recursions


@pytest.mark.parametrize("keep", [1.0, 0.97])
def test_recursion_is_weighted_least_squares_with_forgetting(rng, keep):
    Z, y, h = rng.standard_normal((150, 4)), rng.standard_normal(150), rng.uniform(0.01, 1.0, 150)
    R, coef = 1e3 * np.eye(4)[None], np.zeros(4)
    for z, target, weight in zip(Z, y, h, strict=True):
        error = target - coef @ z
        R, gain, _ = recursion(R, z, np.array([weight]), keep)
        coef = coef + error * gain[0]
    w = h * keep ** np.arange(149, -1, -1)
    gram = (Z.T * w) @ Z + keep**150 / 1e3 * np.eye(4)
    np.testing.assert_allclose(coef, np.linalg.solve(gram, Z.T @ (w * y)), rtol=1e-9)


def test_recursive_learning_of_one_expert_is_ordinary_least_squares(rng):
    X = rng.standard_normal((400, 3))
    y = X @ [1.0, -2.0, 0.5] + 3.0 + 0.3 * rng.standard_normal(400)
    moe = HierarchicalMoERegressor("grow", n_init=1).fit(X[:100], y[:100])
    assert moe.branching_ == 1
    moe.learn_recursively(X[100:250], y[100:250], forgetting=1.0)
    moe.learn_recursively(X[250:], y[250:], forgetting=1.0)
    ols = LinearRegression().fit(X, y)
    np.testing.assert_allclose(moe.experts_[0].coef_, ols.coef_, rtol=1e-7)
    assert moe.experts_[0].intercept_ == pytest.approx(ols.intercept_, rel=1e-7)
    noise = np.sqrt(np.mean((y - ols.predict(X)) ** 2))
    assert moe.experts_[0].scale_ == pytest.approx(noise, rel=1e-7)


def test_recursive_learning_follows_a_tree_from_its_first_rows(rng):
    X, y = bent(rng, 1500)
    moe = HierarchicalMoERegressor((2, 2), **QUICK)
    moe.learn_recursively(X[:1200], y[:1200], interval=300)
    assert moe.score(X[1200:], y[1200:]) > 0.9
    assert moe.tree_.n_leaves == 4


@pytest.mark.parametrize("expert", [GaussianExpert(tied=True), GaussianExpert()], ids=str)
def test_recursive_learning_knows_several_outputs(rng, expert):
    X, y = bent(rng, 800)
    Y = np.column_stack([y, X[:, 0] - y + 0.2 * rng.standard_normal(800)])
    moe = HierarchicalMoERegressor((2, 2), expert=expert, **QUICK).fit(X[:300], Y[:300])
    moe.learn_recursively(X[300:600], Y[300:600])
    assert moe.score(X[600:], Y[600:]) > 0.9
    assert np.isfinite(moe.score_samples(X, Y)).all()


@pytest.mark.parametrize(
    ("settings", "arguments", "words"),
    [
        ({"expert": "laplace"}, {}, "linear Gaussian experts"),
        ({"expert": GaussianExpert(alpha=0.1)}, {}, "without a penalty"),
        ({}, {"forgetting": 0.0}, r"must lie in \(0, 1\]"),
        ({}, {"approach": 1.5}, r"must lie in \[0, 1\]"),
        ({}, {"interval": 0}, "interval=0"),
    ],
)
def test_recursive_learning_refuses_what_it_cannot_do(rng, settings, arguments, words):
    X, y = bent(rng, 60)
    with pytest.raises(ValueError, match=words):
        HierarchicalMoERegressor(**settings).learn_recursively(X, y, **arguments)


# ------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"branching": ()}, ValueError, "is empty"),
        ({"branching": (2, 1)}, ValueError, "level with 1 children"),
        ({"branching": 1, "depth": 2}, ValueError, "branching=1"),
        ({"branching": 2}, ValueError, "give depth too"),
        ({"branching": (2, 2), "depth": 2}, ValueError, "write branching=2, depth=2"),
        ({"branching": 2, "depth": 0}, ValueError, "depth=0"),
        ({"branching": "sprout"}, ValueError, "'grow'"),
        ({"branching": None}, TypeError, "must be a sequence"),
        ({"node": "gaussian"}, ValueError, "generative gate"),
        ({"branching": (8, 8)}, ValueError, "64 leaves, more than the n_samples=40"),
        ({"least_squares_iter": -1}, ValueError, "least_squares_iter=-1"),
        ({"max_leaves": 8}, ValueError, "max_leaves say how a tree grows"),
        ({"criterion": "held_out"}, ValueError, "criterion say how a tree grows"),
        ({"init": "roots"}, ValueError, "init='roots'"),
        ({"expert": [("a", "gaussian")]}, ValueError, "lists 1 experts but n_experts=4"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(rng, settings, error, words):
    X, y = bent(rng, 40)
    with pytest.raises(error, match=words):
        HierarchicalMoERegressor(**settings).fit(X, y)


def test_depth_with_a_number_of_children_makes_equal_levels(rng):
    X, y = bent(rng)
    moe = HierarchicalMoERegressor(2, depth=3, **QUICK).fit(X, y)
    assert moe.branching_ == (2, 2, 2)


@pytest.mark.parametrize("method", ["export_text", "export_graphviz"])
def test_digits_after_the_point_are_checked(deep, method):
    with pytest.raises(ValueError, match="decimals=-1"):
        getattr(deep[2], method)(decimals=-1)
