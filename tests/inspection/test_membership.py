"""Whose a row is."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from moe_classic import HardMoERegressor, MoERegressor
from moe_classic.inspection import assignments
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


def test_assignments_tell_the_expert_and_how_sure_it_is(plane, plane_moe):
    X, y = plane
    R, table = plane_moe.responsibilities(X, y), assignments(plane_moe, X, y)
    best = R.argmax(axis=1)
    assert list(table.expert) == [f"expert {k + 1}" for k in best]
    assert (table.second != table.expert).all()
    np.testing.assert_allclose(table.uncertainty, 1.0 - R.max(axis=1), atol=1e-12)
    sure = np.where(R > 0.0, R, 1.0)
    np.testing.assert_allclose(table.entropy, -(sure * np.log(sure)).sum(axis=1), atol=1e-12)
    # What the criteria take off, the entropy of the responsibilities, is its sum.
    extra = plane_moe.icl(X, y) - plane_moe.bic(X, y)
    assert extra == pytest.approx(2.0 * table.entropy.sum())


def test_assignments_keep_the_index_and_take_pipelines(plane):
    values, y = np.asarray(plane[0]), plane[1]
    X = pd.DataFrame(values).set_axis([f"row {i}" for i in range(len(values))])
    pipe = make_pipeline(StandardScaler(), MoERegressor(1)).fit(values, y)
    alone = assignments(pipe, values, y)
    assert list(alone.index) == list(range(len(values)))
    assert (alone.expert == "expert 1").all()
    assert alone.second.isna().all()
    assert (alone.uncertainty == 0.0).all()
    assert list(assignments(MoERegressor(1).fit(X, y), X, y).index) == list(X.index)


def test_assignments_need_responsibilities(plane):
    blend = HardMoERegressor(2, expert=LinearRegression(), max_iter=1, random_state=0).fit(*plane)
    with pytest.raises(TypeError, match="assignments"):
        assignments(blend, *plane)
