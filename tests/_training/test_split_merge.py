"""Split-and-merge moves lead out of optima in which two experts share one region."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from moe_classic import MoERegressor


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
