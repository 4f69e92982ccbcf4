"""The tree gate: brute force over paths, the softmax gate at depth one, what it refuses."""

import pickle

import numpy as np
import pytest
from scipy.special import log_softmax

from moe_classic import MoERegressor
from moe_classic._data.blocks import Design
from moe_classic._data.stats import Summary
from moe_classic.gates import ConstantGate, GaussianGate, SoftmaxGate, TreeGate
from moe_classic.gates._softmax import SoftmaxParams
from moe_classic.gates._tree.branching import parse_branching, write_branching
from moe_classic.gates._tree.coefficients import TreeParams
from moe_classic.gates._tree.nodes import tree_shape

SHAPES = [(2, 2, 2), (3, 2), (2, 3), [[2, 2], 1], [1, 3, [2]], [[[2], 1], [2, 2]]]
each_shape = pytest.mark.parametrize("branching", SHAPES, ids=str)
#: Sums of a hundred terms in another order.
ROUNDING = 1e-12


def scene(branching, rng, *, n=120, p=2):
    """A gate with random coefficients, a design, and weighted responsibilities."""
    gate = TreeGate(branching)
    K = gate.n_leaves
    design = Design(np.vstack([rng.standard_normal((p, n)), np.ones(n)]))
    summary = Summary(float(n), np.zeros(1), np.ones(1))
    start = gate.start(K, p + 1, summary)
    params = TreeParams(rng.standard_normal(start.coef.shape), start.shape)
    S = rng.uniform(0.5, 2.0, n) * rng.dirichlet(np.ones(K), n).T
    return gate, params, design, S, summary


def statistics(gate, params, design, S):
    fwd = gate.forward(params, design)
    return gate.statistics(params, fwd, design, S, design.grams(gate.curvature(params, fwd, S)))


def brute_force(params, design):
    """Log probabilities of the leaves: for each leaf, the product along its path."""
    shape, eta = params.shape, params.coef @ design.Z
    log_g = []
    for path in [shape.paths()[leaf] for leaf in shape.leaf_numbers]:
        node, total = 0, 0.0
        for step in path:
            first, size = shape.first_row[node], shape.n_children[node]
            logits = np.vstack([eta[first : first + size - 1], np.zeros(design.Z.shape[1])])
            total = total + log_softmax(logits, axis=0)[step]
            node = shape.children_of(node)[step]
        log_g.append(total)
    return np.array(log_g)


# ------------------------------------------------------------------------- one level is a softmax


@pytest.mark.parametrize("K", [2, 3, 6])
def test_tree_of_one_gate_equals_the_softmax_gate_to_the_last_bit(rng, K):
    gate, params, design, S, summary = scene((K,), rng)
    flat, same = SoftmaxGate(), SoftmaxParams(params.coef)
    fwd, other = gate.forward(params, design), flat.forward(same, design)
    np.testing.assert_array_equal(fwd.log_prob, other.log_prob)
    np.testing.assert_array_equal(
        gate.curvature(params, fwd, S), flat.curvature(same, other, S), strict=True
    )
    mine, theirs = statistics(gate, params, design, S), statistics(flat, same, design, S)
    new = gate.update(params, mine, summary)
    np.testing.assert_array_equal(new.coef, flat.update(same, theirs, summary).coef)
    np.testing.assert_array_equal(gate.gradient(params, design, S), flat.gradient(same, design, S))
    for a, b in zip(
        gate.derivatives(params, fwd, S), flat.derivatives(same, other, S), strict=True
    ):
        np.testing.assert_array_equal(a, b)
    assert gate.penalty_value(params, summary) == flat.penalty_value(same, summary)
    np.testing.assert_array_equal(
        gate.penalty_gradient(params, summary), flat.penalty_gradient(same, summary)
    )


def test_fit_with_a_tree_of_one_gate_equals_the_flat_fit(rng):
    X = rng.standard_normal((150, 2))
    y = np.abs(X[:, 0]) + 0.1 * rng.standard_normal(150)
    options = {"n_init": 2, "max_iter": 30, "tol": 1e-3, "random_state": 0}
    flat = MoERegressor(3, **options).fit(X, y)
    tree = MoERegressor(3, gate=TreeGate((3,)), **options).fit(X, y)
    # starts of the flat one advance together, which adds in another order
    np.testing.assert_allclose(tree.trace_, flat.trace_, rtol=1e-11)


# ------------------------------------------------------------------------- values and steps


@each_shape
def test_gate_equals_brute_force_over_paths(rng, branching):
    gate, params, design, _, _ = scene(branching, rng)
    log_g = gate.log_gate(params, design)
    np.testing.assert_allclose(log_g, brute_force(params, design), rtol=ROUNDING, atol=ROUNDING)


@each_shape
def test_probabilities_of_nodes_add_up_to_their_parent(rng, branching):
    gate, params, design, _, _ = scene(branching, rng)
    proba, shape = np.exp(gate.log_nodes(params, design)), params.shape
    for j in shape.inner:
        children = proba[list(shape.children_of(j))].sum(axis=0)
        np.testing.assert_allclose(children, proba[j], rtol=ROUNDING)
    np.testing.assert_allclose(proba[shape.leaves], np.exp(gate.log_gate(params, design)))


@each_shape
def test_step_of_a_node_is_that_of_its_gate_alone_with_the_nodes_mass_as_weight(rng, branching):
    gate, params, design, S, summary = scene(branching, rng)
    new = gate.update(params, statistics(gate, params, design, S), summary)
    shape, mass = params.shape, params.shape.up(S)
    for j in shape.inner:
        rows = slice(shape.first_row[j], shape.first_row[j] + shape.n_children[j] - 1)
        alone = SoftmaxParams(params.coef[rows])
        stats = statistics(SoftmaxGate(), alone, design, mass[list(shape.children_of(j))])
        step = SoftmaxGate().update(alone, stats, summary)
        # The same small systems, their Grams summed in another order.
        np.testing.assert_allclose(new.coef[rows], step.coef, rtol=1e-9, atol=1e-9)


@each_shape
def test_logits_far_out_of_range_give_finite_probabilities(rng, branching):
    gate, params, design, _, _ = scene(branching, rng)
    steep = TreeParams(1e4 * params.coef, params.shape)
    log_g = gate.log_gate(steep, design)
    assert np.isfinite(log_g).all()
    np.testing.assert_allclose(np.exp(log_g).sum(axis=0), 1.0, rtol=ROUNDING)


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_binary_tree_asks_for_one_gram_a_gate(rng, depth):
    # The cost of a pass grows with the leaves; the pairs of a flat gate grow with their square.
    gate, params, design, S, _ = scene((2,) * depth, rng)
    fwd = gate.forward(params, design)
    assert len(gate.curvature(params, fwd, S)) == 2**depth - 1


def test_node_with_very_many_children_climbs_under_its_bound(rng):
    gate, params, design, S, summary = scene((18, 2), rng)
    params = gate.start(36, 3, summary)

    def height(p):
        return (S * gate.log_joint(p, design)).sum() - gate.penalty_value(p, summary)

    values = [height(params)]
    for _ in range(5):
        params = gate.update(params, statistics(gate, params, design, S), summary)
        values.append(height(params))
    assert (np.diff(values) > 0.0).all()


def test_translated_scores_are_those_at_the_new_parameters_to_second_order(rng):
    gate, params, design, S, _ = scene([[3], 2], rng)
    stats = statistics(gate, params, design, S)
    errors = []
    for size in (1e-2, 1e-3):
        new = TreeParams(params.coef + size * np.cos(np.arange(12)).reshape(4, 3), params.shape)
        moved = gate.translate(stats, params, new)
        errors.append(np.abs(moved.score - statistics(gate, new, design, S).score).max())
    # A tenth of the step leaves a hundredth of the error.
    assert errors[1] < 0.02 * errors[0]


# ------------------------------------------------------------------------- shapes


@each_shape
def test_branching_survives_parsing_and_writing(branching):
    nested = parse_branching(branching, "TreeGate")
    assert parse_branching(write_branching(nested), "TreeGate") == nested


def test_unbalanced_branching_is_written_as_nested_lists():
    assert write_branching(parse_branching([[2, 2], 1], "TreeGate")) == [[2, 2], 1]
    assert write_branching(parse_branching(np.array([2, 3]), "TreeGate")) == (2, 3)


@pytest.mark.parametrize("K", [1, 2, 5, 8])
def test_gate_without_branching_takes_any_number_of_experts(rng, K):
    gate = TreeGate()
    params = gate.start(K, 3, Summary(1.0, np.zeros(1), np.ones(1)))
    assert params.shape.n_leaves == K
    assert len(params.shape.levels) - 1 == int(np.ceil(np.log2(K)))


def test_leaves_below_a_node_follow_each_other():
    shape = tree_shape(parse_branching([[[2], 1], 3], "TreeGate"))
    assert [list(r) for r in shape.leaf_ranges()][:4] == [[*range(6)], [0, 1, 2], [3, 4, 5], [0, 1]]


def test_shape_comes_back_from_a_pickle_as_the_cached_one():
    shape = tree_shape(parse_branching((2, 2), "TreeGate"))
    assert pickle.loads(pickle.dumps(shape)) is shape


def test_reordered_experts_keep_their_probabilities_when_branches_change_places(rng):
    gate, params, design, _, _ = scene((2, 2), rng)
    order = np.array([3, 2, 0, 1])
    swapped = gate.reorder(params, order)
    np.testing.assert_allclose(
        gate.log_gate(swapped, design), gate.log_gate(params, design)[order], rtol=1e-10
    )


def test_order_that_tears_a_branch_apart_is_refused(rng):
    gate, params, _, _, _ = scene((2, 2), rng)
    with pytest.raises(ValueError, match="tears a branch apart"):
        gate.reorder(params, np.array([0, 2, 1, 3]))


# ------------------------------------------------------------------------- nodes


def test_constant_nodes_see_no_features(rng):
    X = rng.standard_normal((80, 2))
    gate = TreeGate((2, 2), node="constant")
    moe = MoERegressor(4, gate=gate, n_init=1, tol=1e-3, random_state=0)
    proba = moe.fit(X, np.abs(X[:, 0]) + 0.1 * rng.standard_normal(80)).gate_proba(X)
    np.testing.assert_allclose(proba, np.tile(proba[0], (80, 1)), rtol=ROUNDING)
    assert TreeGate((2,), node=ConstantGate()).features == []


def test_nodes_take_features_and_penalty_from_their_gate():
    gate = TreeGate((2, 2), node=SoftmaxGate(features=[1], alpha=0.5))
    assert gate.features == [1]
    assert gate.alpha == 0.5


@pytest.mark.parametrize("node", ["gaussian", GaussianGate()])
def test_generative_nodes_are_refused(node):
    with pytest.raises(ValueError, match=r"generative gate.*counted once a level"):
        TreeGate((2, 2), node=node).check()


@pytest.mark.parametrize(
    ("node", "error", "words"),
    [
        ("median", ValueError, "choose one of"),
        (SoftmaxGate, TypeError, "must be one of"),
        (SoftmaxGate(alpha=-1.0), ValueError, "alpha=-1.0"),
    ],
)
def test_unknown_nodes_are_refused(node, error, words):
    with pytest.raises(error, match=words):
        TreeGate((2, 2), node=node).check()


@pytest.mark.parametrize(
    ("branching", "error", "words"),
    [
        ((), ValueError, "is empty"),
        ([[], 1], ValueError, "is empty"),
        ((2, 1), ValueError, "level with 1 children"),
        ((0,), ValueError, "level with 0 children"),
        ([[2, 2]], ValueError, "a single child"),
        ([[2], 0], ValueError, "the child 0"),
        ((2.5, 2), TypeError, "must be a sequence"),
        ("grow", TypeError, "must be a sequence"),
        (4, TypeError, "must be a sequence"),
        ((2,) * 40, ValueError, "more than 16384 leaves"),
    ],
)
def test_branching_that_is_no_tree_is_refused(branching, error, words):
    with pytest.raises(error, match=words):
        TreeGate(branching).check()


def test_branching_that_disagrees_with_n_experts_is_refused(rng):
    X = rng.standard_normal((40, 2))
    moe = MoERegressor(3, gate=TreeGate((2, 2)))
    with pytest.raises(ValueError, match=r"4 leaves but there are n_experts=3"):
        moe.fit(X, X[:, 0])
