"""Weights of the adaptive lasso."""

import numpy as np
import pytest

from moe_classic import MoERegressor
from moe_classic.experts import GaussianExpert
from moe_classic.gates import SoftmaxGate
from moe_classic.model_selection import adaptive_weights
from moe_classic.penalties import Lasso


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 5)) * [1.0, 10.0, 0.1, 1.0, 1.0]
    right = rng.random(400) < 1.0 / (1.0 + np.exp(-4.0 * X[:, 0]))
    y = np.where(right, 2.0 + 0.15 * X[:, 1], -2.0 - 10.0 * X[:, 2])
    return X, y + 0.4 * rng.standard_normal(400)


@pytest.fixture(scope="module")
def first(rows):
    return MoERegressor(2, n_init=3, random_state=0).fit(*rows)


def test_weights_are_inverse_lengths_of_standardised_slopes(rows, first):
    X, _ = rows
    slopes = np.stack([e.coef_ for e in first.experts_]) * X.std(axis=0)
    lengths = np.linalg.norm(slopes, axis=0)
    weights = adaptive_weights(first)
    np.testing.assert_allclose(weights, lengths.max() / lengths, rtol=1e-8)
    np.testing.assert_allclose(adaptive_weights(first, exponent=2.0), np.square(weights))
    gate = (first.gate_.coef_[0] - first.gate_.coef_[1]) * X.std(axis=0)
    expected = np.abs(gate).max() / np.abs(gate)
    np.testing.assert_allclose(adaptive_weights(first, part="gate"), expected, rtol=1e-6)


def test_under_them_the_right_slopes_are_left_and_hardly_shrunk(rows, first):
    X, y = rows
    expert = GaussianExpert(penalty=Lasso(0.05, weights=adaptive_weights(first)))
    gate = SoftmaxGate(penalty=Lasso(0.002, weights=adaptive_weights(first, part="gate")))
    moe = MoERegressor(2, expert=expert, gate=gate, n_init=3, random_state=0).fit(X, y)
    coef = np.stack([e.coef_ for e in moe.experts_])
    assert np.flatnonzero(coef.any(axis=0)).tolist() == [1, 2]
    assert np.abs(coef).max(axis=0)[1:3] == pytest.approx([0.15, 10.0], rel=0.1)


def test_features_without_a_slope_stay_out(rows):
    X, y = rows
    lasso = MoERegressor(2, expert=GaussianExpert(penalty=Lasso(0.5)), n_init=3, random_state=0)
    weights = np.array(adaptive_weights(lasso.fit(X, y)))
    gone = ~np.stack([e.coef_ for e in lasso.experts_]).any(axis=0)
    assert gone.any()
    assert (np.isinf(weights) == gone).all()


def test_what_has_no_slopes_is_refused(rows, first):
    X, y = rows
    empty = MoERegressor(1, expert=GaussianExpert(penalty=Lasso(9.0))).fit(X, y)
    with pytest.raises(ValueError, match="all slopes of the experts are zero"):
        adaptive_weights(empty)
    with pytest.raises(ValueError, match="part='gate' needs a softmax gate"):
        adaptive_weights(MoERegressor(2, gate="constant", n_init=1).fit(X, y), part="gate")
    mixed = MoERegressor(2, expert=["gaussian", "laplace"], n_init=1, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="one family of linear experts"):
        adaptive_weights(mixed)
    with pytest.raises(ValueError, match="part='tree'"):
        adaptive_weights(first, part="tree")
