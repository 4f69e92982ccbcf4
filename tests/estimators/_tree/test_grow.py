"""Growing and pruning: splits that change nothing, splits that pay, branches that do not."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from moe_classic import HierarchicalMoEClassifier, HierarchicalMoERegressor
from moe_classic._data.blocks import Block, Design
from moe_classic._data.stats import summarise
from moe_classic._engine.map_reduce import SerialEngine
from moe_classic._model.model import Group, Model
from moe_classic._training.starts import StartData
from moe_classic.estimators._tree.branch import (
    Shared,
    assemble,
    copies,
    stack_experts,
    take_apart,
    tree_model,
)
from moe_classic.estimators._tree.grow import _Grower, grow
from moe_classic.estimators._tree.growth import Growth
from moe_classic.estimators._tree.split import Splitter
from moe_classic.experts import GaussianExpert, StudentTExpert
from moe_classic.gates import TreeGate
from moe_classic.solvers import EM

#: Two partitions tried at every leaf.
QUICK = {"n_init": 2, "tol": 1e-4, "random_state": 0}
NAMES = ("kmeans", "principal")


def pieces(rng, n=400):
    """Three straight pieces with noise."""
    x = rng.uniform(0.0, 3.0, n)
    y = np.select([x < 1.0, x < 2.0], [2.0 * x, 4.0 - 2.0 * x], 3.0 * x - 6.0)
    return x[:, None], y + 0.05 * rng.standard_normal(n)


def splitter_on(X, y, expert, branching=(2, 2)):
    """A splitter over all rows for trees of like experts."""
    y = np.atleast_2d(y)
    n, K = len(X), TreeGate(branching).n_leaves
    summary = summarise(y, np.ones(n))
    model = Model(TreeGate(branching), (Group(expert.bind(summary), K, 0),), 0)
    block = Block((Design(np.vstack([X.T, np.ones(n)])),), y, np.ones(n))
    return Splitter(model, StartData(X, y.T, np.ones(n), 2), block, summary)


@pytest.fixture(params=[GaussianExpert(), GaussianExpert(tied=True), StudentTExpert()], ids=str)
def started(rng, request):
    """A splitter and a tree of four leaves from its recursive start."""
    splitter = splitter_on(*pieces(rng), request.param)
    return splitter, splitter.start(NAMES, rng)


# ------------------------------------------------------------------------- surgery


def test_tree_comes_back_from_its_branches(started):
    splitter, params = started
    shared = splitter.shared
    again = assemble(take_apart(splitter.model, params), 2, shared)
    np.testing.assert_array_equal(again.gate.coef, params.gate.coef)
    np.testing.assert_array_equal(splitter.model.pack(again), splitter.model.pack(params))


def test_partitions_that_cut_alike_are_fitted_once(rng, monkeypatch):
    X, y = pieces(rng)
    splitter, known = (splitter_on(X, y, GaussianExpert()) for _ in range(2))
    runs, path = [], EM.path
    monkeypatch.setattr(EM, "path", lambda *a: runs.append(a) or path(*a))
    begun = [splitter.start(("principal",), np.random.default_rng(0)) for _ in range(2)]
    assert len(runs) == len(splitter.tried) > 0
    # Known or not, a start is the same.
    alone = known.start(("principal",), np.random.default_rng(0))
    for params in begun:
        np.testing.assert_array_equal(splitter.model.pack(params), known.model.pack(alone))


@pytest.mark.parametrize("expert", [GaussianExpert(), StudentTExpert(), GaussianExpert(tied=True)])
@pytest.mark.parametrize("branching", [(2, 2), (3, 2), [[2, 2], 1]], ids=str)
def test_local_fits_together_are_those_one_by_one(rng, monkeypatch, expert, branching):
    X, y = pieces(rng)
    names = [("principal",), NAMES, ("cut", "kmeans"), ("principal",)]

    def begun():
        splitter = splitter_on(X, y, expert, branching)
        streams = [np.random.default_rng(i) for i in range(len(names))]
        several = splitter.starts(list(zip(names, streams, strict=True)))
        return np.array([splitter.model.pack(params) for params in several])

    together = begun()
    monkeypatch.setattr("moe_classic.estimators._tree.split._BLOCK_ROWS", 0)
    monkeypatch.setattr(Splitter, "chunks", one_chunk)
    np.testing.assert_allclose(together, begun(), rtol=1e-7, atol=1e-7)


def one_chunk(splitter, h):
    """The rows that reach a node as one block."""
    rows, weight = splitter.rows_of(h), splitter.block.w * h
    return [splitter.part(rows, h * (weight.sum() / weight[rows].sum()))]


def test_shared_parameters_are_told_apart(rng):
    summary = summarise(rng.standard_normal((1, 20)), np.ones(20))
    assert Shared.of(GaussianExpert(tied=True), 3, summary).fields == {"scale"}
    assert not Shared.of(StudentTExpert(), 3, summary)
    tied = GaussianExpert(tied=True).start(2, 3, summary)
    assert len(stack_experts([tied, tied], Shared(frozenset({"scale"}), ())).scale) == 1


@pytest.mark.parametrize("leaf", range(4))
def test_split_into_copies_leaves_the_likelihood_as_it_is(started, leaf):
    splitter, params = started
    tree = take_apart(splitter.model, params)
    number = int(params.gate.shape.leaf_numbers[leaf])
    grown = tree.replaced({number: copies(tree.leaves[leaf].expert, 2, 2)})
    model = tree_model(splitter.model, grown.nested)
    before = splitter.model.log_likelihood(params, splitter.block)
    after = model.log_likelihood(assemble(grown, 2, splitter.shared), splitter.block)
    assert model.n_experts == 5
    # The same density, its logarithm taken of a sum with one more term.
    np.testing.assert_allclose(after, before, rtol=0.0, atol=1e-12 * (1.0 + np.abs(before).max()))


def test_tree_gains_at_least_what_its_split_leaves_gain(started, rng):
    splitter, params = started
    tree, posterior = take_apart(splitter.model, params), splitter.posteriors(params)
    total = splitter.model.log_likelihood(params, splitter.block).sum()
    branches = list(tree.breadth_first())
    for number in params.gate.shape.leaf_numbers:
        h = posterior[number]
        split = splitter.split(h, 2, NAMES, rng).branch
        if splitter.shared:
            continue  # a shared scale moves the other leaves too
        gain = splitter.value(split, h) - splitter.value(branches[number], h)
        grown = tree.replaced({int(number): split})
        model = tree_model(splitter.model, grown.nested)
        after = model.log_likelihood(assemble(grown, 2, splitter.shared), splitter.block).sum()
        assert after - total >= gain - 1e-9 * abs(total)


def test_start_hands_all_weight_down_to_the_leaves(started, rng):
    splitter, params = started
    h = np.ones(400)
    split = splitter.split(h, 3, NAMES, rng)
    np.testing.assert_allclose(split.posterior.sum(axis=0), h)
    assert params.gate.shape.n_leaves == 4
    assert splitter.posteriors(params)[params.gate.shape.leaves].sum(axis=1).min() > 10.0


def test_node_with_too_few_rows_to_divide_gets_equal_leaves(rng):
    splitter = splitter_on(*pieces(rng), GaussianExpert())
    h = np.zeros(400)
    h[:3] = 1.0
    split = splitter.split(h, 2, NAMES, rng)
    assert split.branch.coef.tolist() == [[0.0, 0.0]]
    assert split.branch.children[0].expert is split.branch.children[1].expert
    np.testing.assert_allclose(split.posterior, np.tile(h / 2.0, (2, 1)))


# ------------------------------------------------------------------------- growth


def test_grown_tree_finds_the_pieces(rng):
    X, y = pieces(rng)
    moe = HierarchicalMoERegressor("grow", **QUICK).fit(X, y)
    assert moe.tree_.n_leaves == 3
    assert moe.score(X, y) > 0.99
    assert moe.growth_.action.tolist() == ["split", "split"]
    assert moe.growth_.leaves.tolist() == [2, 3]


def test_score_never_falls_while_a_tree_grows(rng):
    X = rng.uniform(-2.0, 2.0, (500, 2))
    y = np.sin(2.0 * X[:, 0]) * X[:, 1] + 0.1 * rng.standard_normal(500)
    moe = HierarchicalMoERegressor("grow", **QUICK).fit(X, y)
    assert moe.tree_.n_leaves > 4
    assert (np.diff(moe.growth_.score) > 0.0).all()
    assert moe.n_experts == moe.tree_.n_leaves == len(moe.experts_)


def test_straight_line_stays_a_single_expert(rng):
    X = rng.standard_normal((200, 3))
    y = X @ [1.0, 2.0, -1.0] + 0.3 * rng.standard_normal(200)
    moe = HierarchicalMoERegressor("grow", **QUICK).fit(X, y)
    assert moe.branching_ == 1
    assert moe.growth_.empty
    # One expert is least squares; rounding of the normal equations.
    np.testing.assert_allclose(moe.predict(X), LinearRegression().fit(X, y).predict(X), rtol=1e-9)
    assert moe.node_proba(X).tolist() == [[1.0]] * 200
    assert moe.export_text().startswith("expert 1 (100.0%)")


@pytest.mark.parametrize(("limit", "leaves"), [({"max_leaves": 2}, 2), ({"depth": 1}, 2)])
def test_growth_stops_at_its_limits(rng, limit, leaves):
    X, y = pieces(rng)
    moe = HierarchicalMoERegressor("grow", **limit, **QUICK).fit(X, y)
    assert moe.tree_.n_leaves == leaves


def test_rows_held_out_decide_where_the_criterion_says_so(rng):
    X, y = pieces(rng, 600)
    options = {"criterion": "held_out", "validation_fraction": 0.3, **QUICK}
    moe = HierarchicalMoERegressor("grow", **options).fit(X, y)
    assert 3 <= moe.tree_.n_leaves <= 6
    assert moe.score(X, y) > 0.99
    # The final fit takes all rows, held out ones too.
    assert moe.responsibilities(X, y).sum() == pytest.approx(600.0)
    assert moe._fitted.online.weight == pytest.approx(600.0)


@pytest.mark.parametrize("init", ["auto", "cut"])
def test_score_of_rows_held_out_never_falls_and_few_passes_follow(rng, init):
    X = rng.uniform(-2.0, 2.0, (500, 2))
    y = np.sin(2.0 * X[:, 0]) * X[:, 1] + 0.3 * rng.standard_normal(500)
    options = {"criterion": "held_out", "expert": GaussianExpert(tied=True), "init": init, **QUICK}
    moe = HierarchicalMoERegressor("grow", **options).fit(X, y)
    assert moe.tree_.n_leaves > 2
    assert (np.diff(moe.growth_.score) > 0.0).all()
    assert moe.n_iter_ <= 4
    assert moe.converged_


def test_split_falls_back_on_its_start_where_a_leaf_interpolates(rng, monkeypatch):
    X, y = pieces(rng)
    splitter = splitter_on(X, y, GaussianExpert())
    always = np.ones(2, dtype=bool)
    h = np.ones(400)
    climbed = splitter.split(h, 2, ("cut",), rng).branch
    monkeypatch.setattr(GaussianExpert, "degenerate", lambda self, params, summary: always)
    kept = splitter.split(h, 2, ("cut",), rng).branch
    assert splitter.value(kept, h) < splitter.value(climbed, h)
    assert np.isfinite(splitter.value(kept, h))


def test_classifier_grows_a_chessboard(rng):
    X = rng.uniform(-1.0, 1.0, (500, 2))
    y = X[:, 0] * X[:, 1] > 0.0
    moe = HierarchicalMoEClassifier("grow", **QUICK).fit(X, y)
    assert 2 <= moe.tree_.n_leaves <= 6
    assert moe.score(X, y) > 0.97


def test_growth_repeats_itself_for_the_same_seed(rng):
    X, y = pieces(rng)
    first, again = (HierarchicalMoERegressor("grow", **QUICK).fit(X, y) for _ in range(2))
    np.testing.assert_array_equal(first.predict(X), again.predict(X))
    assert first.branching_ == again.branching_


def test_order_and_repetition_of_rows_do_not_matter(rng):
    X, y = pieces(rng, 250)
    w = rng.integers(1, 3, 250)
    weighted = HierarchicalMoERegressor("grow", **QUICK).fit(X, y, sample_weight=w)
    mixed = rng.permutation(np.repeat(np.arange(250), w))
    repeated = HierarchicalMoERegressor("grow", **QUICK).fit(X[mixed], y[mixed])
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-8)


def test_warm_start_goes_on_with_the_grown_tree(rng):
    X, y = pieces(rng)
    moe = HierarchicalMoERegressor("grow", **QUICK).fit(X, y)
    shape, height = moe.branching_, moe.log_likelihood_
    moe.set_params(warm_start=True, tol=1e-8).fit(X, y)
    assert moe.branching_ == shape
    assert moe.log_likelihood_ >= height - 1e-6
    assert not hasattr(moe, "growth_")


# ------------------------------------------------------------------------- pruning


def whole(splitter):
    """Designs of full rank."""
    return tuple(np.empty((width, 0)) for width in splitter.widths)


def test_branch_of_copies_is_merged_again(rng):
    splitter = splitter_on(*pieces(rng), GaussianExpert())
    grower = _Grower(splitter, None, Growth(), NAMES, rng, SerialEngine(), whole(splitter))
    grower.rows = splitter.chunks(np.ones(400), None)
    grown = grow(
        splitter.model,
        splitter.view,
        splitter.block,
        splitter.summary,
        growth=Growth(),
        names=NAMES,
        rng=rng,
        engine=SerialEngine(),
        null=whole(splitter),
    )
    tree = take_apart(grown.model, grown.params)
    number = int(grown.params.gate.shape.leaf_numbers[0])
    bushy = tree.replaced({number: copies(tree.leaves[0].expert, 2, 2)})
    stage = grower._stage(bushy, 1)
    assert stage.model.n_experts == grown.model.n_experts + 1
    pruned = grower._prune(stage)
    assert pruned.model.n_experts == grown.model.n_experts
    assert [step.action for step in grower.history] == ["prune"]
    assert grower._score(pruned) > grower._score(stage)


def test_branch_that_pays_is_not_pruned(rng):
    splitter = splitter_on(*pieces(rng), GaussianExpert(), branching=(3,))
    params = splitter.start(NAMES, rng)
    grower = _Grower(splitter, None, Growth(), NAMES, rng, SerialEngine(), whole(splitter))
    grower.rows = splitter.chunks(np.ones(400), None)
    stage = grower._stage(take_apart(splitter.model, params), 30)
    assert grower._prune(replace(stage)).model.n_experts == 3


# ------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"max_leaves": 1}, ValueError, "max_leaves=1"),
        ({"max_leaves": 2.5}, ValueError, "max_leaves=2.5"),
        ({"depth": 0}, ValueError, "depth=0"),
        ({"criterion": "aic"}, ValueError, "criterion='aic'"),
        (
            {"criterion": "held_out", "validation_fraction": 1.0},
            ValueError,
            "strictly between 0 and 1",
        ),
        ({"validation_fraction": 0.3}, ValueError, "no meaning with criterion='bic'"),
        ({"init": np.ones((60, 2))}, ValueError, "number is to be found"),
        ({"least_squares_iter": 3}, ValueError, "least_squares_iter has no meaning"),
        ({"expert": [("a", "gaussian"), ("b", "laplace")]}, ValueError, "one linear family"),
    ],
)
def test_growth_refuses_arguments_without_meaning(rng, settings, error, words):
    X, y = pieces(rng, 60)
    with pytest.raises(error, match=words):
        HierarchicalMoERegressor("grow", **settings).fit(X, y)
