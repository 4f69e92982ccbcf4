"""Whose a row is."""

import numpy as np
from sklearn.linear_model import LinearRegression

from moe_classic import HardMoERegressor
from moe_classic.inspection._membership import is_share, memberships, shares


def test_mixtures_tell_responsibilities_and_blends_their_weights(plane, plane_moe):
    X, y = plane
    np.testing.assert_array_equal(memberships(plane_moe, X, y), plane_moe.responsibilities(X, y))
    blend = HardMoERegressor(
        2, expert=LinearRegression(), gate="softmax", max_iter=1, random_state=0
    ).fit(X, y)
    np.testing.assert_allclose(memberships(blend, X, y), blend.gate_proba(X))


def test_negative_weights_count_as_none_and_the_largest_takes_what_nobody_wants():
    weights = np.array([[0.6, -0.4, 0.2], [-3.0, -1.0, -2.0], [0.0, 0.0, 1.0]])
    np.testing.assert_allclose(
        shares(weights), [[0.75, 0.0, 0.25], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    )


def test_shares_are_told_from_other_weights():
    assert is_share(np.array([[0.25, 0.75]]))
    assert not is_share(np.array([[-0.25, 1.25]]))
    assert not is_share(np.array([[0.0, 1.5]]))
