"""Recorded cases of penalties with kinks: fits, paths, stability."""

from __future__ import annotations

from typing import Any

import numpy as np

from moe_classic import (
    HierarchicalMoEClassifier,
    HierarchicalMoERegressor,
    MoEClassifier,
    MoERegressor,
)
from moe_classic.experts import (
    GammaExpert,
    GaussianExpert,
    MultinomialExpert,
    PoissonExpert,
    SkewNormalExpert,
)
from moe_classic.gates import SoftmaxGate
from moe_classic.model_selection import adaptive_weights, path, stability_selection
from moe_classic.penalties import ElasticNet, GroupLasso, Lasso

from .registry import Values, case, classes, counts, fitted, lines, positives, quarters

QUICK = {"n_init": 3, "random_state": 0}


def _wide(X: np.ndarray) -> np.ndarray:
    """Four more columns, which say nothing."""
    return np.column_stack([X, np.random.RandomState(5).standard_normal((len(X), 4)).round(4)])


def _fit(moe: Any, table: Any) -> Values:
    X, y = table()
    moe.fit(_wide(X), y)
    values = fitted(moe, _wide(X), y, regular=False)
    return values | {"zeros": np.array([e.coef_ == 0.0 for e in moe.experts_], dtype=float)}


@case("lasso of Gaussian experts and gate")
def gaussian() -> Values:
    expert, gate = GaussianExpert(penalty=Lasso(0.1)), SoftmaxGate(penalty=Lasso(0.02))
    return _fit(MoERegressor(2, expert=expert, gate=gate, **QUICK), lines)


@case("lasso, group lasso")
def groups() -> Values:
    expert = GaussianExpert(penalty=GroupLasso(0.1))
    return _fit(MoERegressor(2, expert=expert, **QUICK), lines)


@case("lasso of multinomial experts and gate")
def multinomial() -> Values:
    expert, gate = MultinomialExpert(penalty=Lasso(0.02)), SoftmaxGate(penalty=Lasso(0.01))
    return _fit(MoEClassifier(2, expert=expert, gate=gate, **QUICK), classes)


@case("elastic net of Poisson experts")
def poisson() -> Values:
    expert = PoissonExpert(penalty=ElasticNet(0.1, l1_ratio=0.7))
    return _fit(MoERegressor(2, expert=expert, **QUICK), counts)


@case("lasso of gamma experts")
def gamma() -> Values:
    return _fit(MoERegressor(2, expert=GammaExpert(penalty=Lasso(0.1)), **QUICK), positives)


@case("lasso of skew-normal experts")
def skew() -> Values:
    return _fit(MoERegressor(2, expert=SkewNormalExpert(penalty=Lasso(0.1)), **QUICK), lines)


@case("lasso of the nodes of a tree")
def nodes() -> Values:
    X, y = quarters()
    node = SoftmaxGate(penalty=Lasso(0.01))
    return _nodes(HierarchicalMoERegressor((2, 2), node=node, **QUICK), X, y)


@case("group lasso of the nodes of a tree of classifications")
def class_nodes() -> Values:
    X, y = classes()
    node, expert = SoftmaxGate(penalty=GroupLasso(0.01)), MultinomialExpert(penalty=Lasso(0.02))
    return _nodes(HierarchicalMoEClassifier([[2], 1], node=node, expert=expert, **QUICK), X, y)


def _nodes(tree: Any, X: np.ndarray, y: np.ndarray) -> Values:
    tree.fit(_wide(X), y)
    zeros = [slopes == 0.0 for slopes in tree.gate_.coef_]
    values = fitted(tree, _wide(X), y, regular=False)
    return values | {"zeros": np.concatenate(zeros).astype(float)}


@case("path of penalties")
def a_path() -> Values:
    X, y = lines()
    found = path(_wide(X), y, alphas=6)
    return {
        "table": found.table.drop(columns=["converged", "highest"]).to_numpy(dtype=float),
        "coefs_": found.coefs_,
        "gate_coefs_": found.gate_coefs_,
        "weights": adaptive_weights(found.best_estimator_)[:1],
    }


@case("stability selection")
def stability() -> Values:
    X, y = lines()
    found = stability_selection(_wide(X), y, alphas=4, n_pairs=3, random_state=0)
    return {"frequencies_": found.frequencies_, "bound": found.false_positives_}
