"""Parameters of parts are set by nested names, or refused in a sentence."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from moe_classic import (
    HardMoEClassifier,
    HardMoERegressor,
    HierarchicalMoEClassifier,
    MetaPiRegressor,
    MoERegressor,
    SparseMoEClassifier,
    SparseMoERegressor,
)


@pytest.mark.parametrize(
    ("estimator", "name", "value"),
    [
        (HardMoERegressor(2), "expert__regressor__svr__C", 7.0),
        (HardMoEClassifier(2), "expert", None),
        (SparseMoERegressor(4), "router__top_k", 2),
        (SparseMoEClassifier(4, router="switch"), "router__capacity", 2.0),
        (HierarchicalMoEClassifier((2, 2)), "expert__alpha", 0.3),
        (MetaPiRegressor([("line", MoERegressor(1)), ("two", MoERegressor(2))]), "two__tol", 0.1),
    ],
)
def test_parts_of_parts_given_by_name_or_left_out(estimator, name, value):
    before = repr(estimator)
    changed = clone(estimator).set_params(**{name: value})
    assert changed.get_params()[name] == value
    assert repr(estimator) == before


def test_a_grid_over_parameters_of_the_default_expert():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 1))
    y = np.abs(X[:, 0])
    grid = {"expert__regressor__svr__C": [1e-3, 10.0]}
    search = GridSearchCV(HardMoERegressor(2, max_iter=1, random_state=0), grid, cv=2)
    scores = search.fit(X, y).cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    assert abs(scores[0] - scores[1]) > 1e-3


def test_a_router_by_name_is_made_for_the_experts_that_are_set():
    moe = SparseMoERegressor(8, router="mixtral").set_params(n_experts=4, router__features=[0])
    assert moe.router.features == [0]
    assert moe.n_experts == 4


@pytest.mark.parametrize(
    ("estimator", "name", "words"),
    [
        (HardMoERegressor(2), "gate__alpha", "gate='linear', which is no object"),
        (MetaPiRegressor([MoERegressor(1)]), "gate__alpha", "no object that has any"),
        (MetaPiRegressor([MoERegressor(1)]), "experts__tol", r"it is first__tol"),
        (MoERegressor(expert=["gaussian", "laplace"]), "expert__alpha", "it is first__alpha"),
        (SparseMoERegressor(4), "n_experts__x", "n_experts=4, which is no object"),
    ],
)
def test_what_has_no_parameters_is_named(estimator, name, words):
    with pytest.raises(ValueError, match=words) as raised:
        estimator.set_params(**{name: 0.5})
    assert f"{type(estimator).__name__}: {name}=0.5" in str(raised.value)
