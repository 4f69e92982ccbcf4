"""Split-and-merge moves lead out of optima in which two experts share one region."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from moe_classic import MoERegressor
from moe_classic._training.finalists import StartRun
from moe_classic._training.split_merge import Search
from moe_classic.solvers import Result


@pytest.fixture
def three_lines(rng):
    X = np.sort(rng.uniform(-3.0, 3.0, size=(600, 1)), axis=0)
    y = np.select([X[:, 0] < -1.0, X[:, 0] < 1.0], [X[:, 0], -2.0 * X[:, 0]], 3.0 + X[:, 0])
    return X, y + 0.1 * rng.normal(size=600)


def shared_start(X):
    """Experts 1 and 2 share the left region, expert 3 has to serve the other two."""
    left = X[:, 0] < -1.0
    R = np.column_stack([0.5 * left, 0.5 * left, ~left]) + 0.02
    return R / R.sum(axis=1, keepdims=True)


def test_proposals_free_an_expert_from_a_shared_region(three_lines):
    from moe_classic._training.split_merge import candidates
    from moe_classic._training.starts import StartData

    X, y = three_lines
    with pytest.warns(ConvergenceWarning):  # it is stopped while it is stuck
        stuck = MoERegressor(3, init=shared_start(X), max_iter=5, tol=0.0).fit(X, y)
    block = stuck._fitted.block(X, y[None])
    view = StartData(block.designs[0].Z[:-1].T, ((y - y.mean()) / y.std())[:, None], block.w, 3)
    moves = list(candidates(stuck._fitted.model, stuck._fitted.params, block, view))
    assert moves
    for R in moves:
        np.testing.assert_allclose(R.sum(axis=0), 1.0, atol=1e-12)
    heights = [MoERegressor(3, init=R.T).fit(X, y).log_likelihood_ for R in moves]
    assert max(heights) > stuck.log_likelihood_ + 50.0


def test_default_starts_find_the_three_lines(three_lines):
    X, y = three_lines
    moe = MoERegressor(3, random_state=0).fit(X, y)
    scales = [e.scale_ for e in moe.experts_]
    np.testing.assert_allclose(scales, 0.1, rtol=0.2)  # about four standard errors


# ------------------------------------------------------------------------- the search


def end(height, degenerate=0):
    """A run that ended at a height, which stands for its parameters too."""
    result = Result(height, height, [height], 1, converged=True, gain_left=0.0)
    return StartRun("", height, result, degenerate)


def never(a, b):
    """No two runs have met."""
    return False


def searched(ends, children, numbers=10_000, met=never, finished=None):
    """Where a search leads in which moves from a height lead to other heights; parents asked."""
    asked, finished = [], [] if finished is None else finished

    def proposed(height):
        asked.append(height)
        return iter(children.get(height, []))

    def climb(moves, passes):
        return [end(move.R).result for move in moves]

    search = Search(
        proposed,
        climb,
        lambda results, passes: results,
        lambda results: [finished.append(r.objective) or end(r.objective) for r in results],
        weight=1000.0,
        numbers=numbers,
        met=met,
    )
    return search.best(ends), asked


def test_search_goes_over_optima_that_are_not_the_best():
    best, asked = searched([end(5.0), end(3.0)], {3.0: [4.0], 4.0: [8.0]}, numbers=100)
    assert best.objective == 8.0
    assert asked[:2] == [5.0, 3.0]
    assert len(asked) == len(set(asked))


def test_search_that_finds_nothing_better_returns_none():
    best, _ = searched([end(5.0), end(3.0)], {5.0: [2.0], 3.0: [5.0]})
    assert best is None


def test_search_gives_up_what_is_far_below():
    best, _ = searched([end(50.0)], {50.0: [39.0], 39.0: [60.0]}, numbers=100)
    assert best is None


def test_moves_that_lead_back_are_not_followed_to_the_end():
    finished = []
    ends, children = [end(5.0), end(4.5)], {5.0: [4.5, 6.0, 6.0], 6.0: [5.0]}
    best, _ = searched(ends, children, 100, lambda a, b: a.objective == b.objective, finished)
    assert best.objective == 6.0
    assert finished == [6.0]


def test_starts_that_agree_leave_less_to_look_for():
    few = {5.0: [1.0, 2.0, 3.0, 4.0, 9.0]}
    agree, _ = searched([end(5.0)] * 3, few, numbers=100)
    disagree, _ = searched([end(5.0), end(4.5)], few, numbers=100)
    assert agree is None  # four moves are looked at
    assert disagree.objective == 9.0


def test_degenerate_end_is_no_gain():
    search = Search(iter, list, list, list, weight=1.0, numbers=1, met=never)
    assert not search.beats(end(9.0, degenerate=1), end(5.0))
    assert search.beats(end(9.0), end(5.0, degenerate=1))
    heights = [run.objective for run in search.distinct([end(1.0), end(2.0), end(2.0 + 1e-9)])]
    assert heights == [2.0 + 1e-9, 1.0]
