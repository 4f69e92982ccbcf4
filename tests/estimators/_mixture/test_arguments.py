"""Parameters of components that were given by their names."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from moe_classic import HierarchicalMoERegressor, MoEClassifier, MoERegressor
from moe_classic.experts import GaussianExpert, StudentTExpert
from moe_classic.gates import SoftmaxGate
from moe_classic.solvers import EM

FEW = {"n_init": 1, "max_iter": 20, "random_state": 0}


@pytest.mark.parametrize(
    ("name", "value", "component"),
    [
        ("gate__alpha", 0.25, SoftmaxGate),
        ("expert__alpha", 0.25, GaussianExpert),
        ("expert__min_scale", 0.25, GaussianExpert),
        ("solver__finish", None, EM),
    ],
)
def test_parameters_of_named_components_can_be_set(name, value, component):
    model = MoERegressor(2).set_params(**{name: value})
    head, _, tail = name.partition("__")
    assert type(getattr(model, head)) is component
    assert getattr(getattr(model, head), tail) == value
    assert getattr(clone(model), head).get_params() == getattr(model, head).get_params()


def test_a_new_name_and_its_parameter_go_together():
    model = MoERegressor(2).set_params(expert="student_t", expert__df=4.0)
    assert isinstance(model.expert, StudentTExpert)
    assert model.expert.df == 4.0


def test_experts_of_a_list_are_reached_by_their_own_names():
    model = MoERegressor(2, expert=[("line", "gaussian"), ("wild", "student_t")])
    model.set_params(wild__df=5.0)
    assert model.expert[0] == ("line", "gaussian")
    assert model.expert[1][1].df == 5.0


def test_nodes_of_trees_too():
    model = HierarchicalMoERegressor().set_params(node__alpha=0.5)
    assert model.node.alpha == 0.5


def test_a_named_gate_of_classes_keeps_its_other_settings():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 2))
    y = (X[:, 0] * X[:, 1] > 0.0).astype(int)
    named = MoEClassifier(2, **FEW).fit(X, y)
    same = MoEClassifier(2, **FEW).set_params(gate__features=None).fit(X, y)
    np.testing.assert_array_equal(same.predict_proba(X), named.predict_proba(X))


def test_a_grid_may_vary_parameters_of_the_default_gate():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 2))
    y = np.abs(X[:, 0]) + 0.1 * rng.normal(size=120)
    search = GridSearchCV(
        MoERegressor(2, **FEW), {"gate__alpha": [1e-3, 1.0], "expert__alpha": [0.0]}, cv=2
    ).fit(X, y)
    assert search.best_estimator_.gate.alpha == search.best_params_["gate__alpha"]


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"gate__beta": 1.0}, "Invalid parameter 'beta'"),
        ({"gate": "soft", "gate__alpha": 1.0}, "gate='soft' is not known"),
        ({"nobody__alpha": 1.0}, "Invalid parameter 'nobody'"),
    ],
)
def test_what_there_is_not_is_refused(params, match):
    with pytest.raises(ValueError, match=match):
        MoERegressor(2).set_params(**params)
