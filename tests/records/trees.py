"""Recorded cases of hierarchical mixtures: shapes, growing, least squares, on-line learning."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from moe_classic import HierarchicalMoEClassifier, HierarchicalMoERegressor
from moe_classic.experts import MultinomialExpert
from moe_classic.gates import SoftmaxGate

from .registry import SHOWN, Values, add, case, classes, fitted, outputs, quarters, shares, weights

QUICK = {"n_init": 2, "random_state": 0}
node = SoftmaxGate(alpha=1e-3)


def _walked(tree: Any, X: np.ndarray, y: np.ndarray) -> Values:
    """What trees alone say."""
    return {
        "node_proba": tree.node_proba(X[:SHOWN]),
        "node_responsibilities": tree.node_responsibilities(X[:SHOWN], y[:SHOWN]),
        "shape": str(tree.branching_),
        "text": tree.export_text(),
        "graph": tree.export_graphviz(),
        "paths": "\n".join(map(str, tree.explain_path(X[:2]))),
    }


def _fit(tree: Any, table: Any, *, weighted: bool = False, regular: bool = True) -> Values:
    X, y = table()
    w = weights(len(X)) if weighted else None
    tree.fit(X, y, w)
    return fitted(tree, X, y, w, regular=regular) | _walked(tree, X, y)


def _real(name: str, shape: Any, table: Any = quarters, **settings: Any) -> None:
    about = {k: settings.pop(k) for k in ("weighted", "regular") if k in settings}
    tree = HierarchicalMoERegressor(shape, **({"node": node} | QUICK | settings))
    add(f"tree of regressions, {name}", partial(_fit, tree, table, **about))


def _class(name: str, shape: Any, **settings: Any) -> None:
    regular = settings.pop("regular", True)
    expert = MultinomialExpert(alpha=1e-2)
    tree = HierarchicalMoEClassifier(shape, **({"node": node, "expert": expert} | QUICK | settings))
    add(f"tree of classifiers, {name}", partial(_fit, tree, classes, regular=regular))


# A balanced tree has its optimum in several orders of leaves, and starts that agree to the last
# digit end in different ones: a single start leaves nothing to choose.
_real("two levels", (2, 2), n_init=1)
_real("one level", (4,), regular=False)
_real("depth", 2, depth=2, n_init=1)
_real("uneven", [[2], 1, 1], regular=False)
_real("weights", (2, 2), weighted=True)
_real("two outputs", (2,), outputs)
_real("unlike experts", (2,), expert=[("a", "gaussian"), ("b", "student_t")], regular=False)
_real("laplace experts", (2, 2), expert="laplace", regular=False)
_real("constant nodes", (2,), outputs, node="constant", regular=False)
_real("nodes of a column", (2,), outputs, node=SoftmaxGate(features=[0]))
_real("least squares", (2, 2), least_squares_iter=5, n_init=1)
_real("started by cuts", (2, 2), init="cut")
_real("L-BFGS", (2, 2), solver="lbfgs", n_init=1)
_real("SGD", (2, 2), solver="sgd", n_init=1, regular=False, max_iter=30)
_class("one level", (2,), regular=False)
_class("two levels", (2, 2), regular=False, max_iter=60)
_class("SQUAREM", (2,), solver="squarem", regular=False)


def _grown(tree: Any, table: Any) -> Values:
    X, y = table()
    tree.fit(X, y)
    steps = tree.growth_
    told = {"growth": steps[["leaves", "depth", "log_likelihood", "score"]].to_numpy()}
    told["actions"] = " ".join(steps["action"])
    return fitted(tree, X, y, regular=False) | _walked(tree, X, y) | told


def _growing(name: str, tree: Any, table: Any) -> None:
    add(f"grown tree, {name}", partial(_grown, tree, table))


_growing("bic", HierarchicalMoERegressor("grow", max_leaves=6, **QUICK), quarters)
_growing(
    "held out",
    HierarchicalMoERegressor(
        "grow", max_leaves=5, criterion="held_out", validation_fraction=0.25, **QUICK
    ),
    partial(quarters, 200),
)
_growing("depth", HierarchicalMoERegressor("grow", depth=1, **QUICK), quarters)
_growing(
    "classes",
    HierarchicalMoEClassifier("grow", expert=MultinomialExpert(alpha=1e-2), max_leaves=4, **QUICK),
    classes,
)


@case("tree of regressions, given responsibilities")
def given_responsibilities() -> Values:
    X, y = outputs()
    tree = HierarchicalMoERegressor((2,), node=node, init=shares(X, 2), n_init=1).fit(X, y)
    return fitted(tree, X, y) | _walked(tree, X, y)


def _answers(tree: Any, X: np.ndarray, y: np.ndarray) -> Values:
    out = {"predict": tree.predict(X[:9]), "gate_proba": tree.gate_proba(X[:9])}
    return out | {"log_likelihood": tree.log_likelihood(X, y)}


@case("tree of regressions, learn_recursively")
def learn_recursively() -> Values:
    X, y = quarters(400)
    tree = HierarchicalMoERegressor((2, 2), **QUICK)
    tree.learn_recursively(X, y, weights(400), interval=100)
    return _answers(tree, X, y)


@case("tree of regressions, learn_recursively after fit")
def learn_recursively_after_fit() -> Values:
    X, y = quarters(200)
    tree = HierarchicalMoERegressor((2, 2), **QUICK).fit(X[:120], y[:120])
    tree.learn_recursively(X[120:], y[120:], forgetting=1.0)
    return _answers(tree, X, y)


@case("tree of regressions, partial_fit")
def partial_fit() -> Values:
    X, y = quarters(200)
    tree = HierarchicalMoERegressor((2, 2), **QUICK).fit(X[:120], y[:120])
    tree.partial_fit(X[120:], y[120:])
    return _answers(tree, X, y)


@case("tree of regressions, fit_blocks")
def fit_blocks() -> Values:
    X, y = quarters()
    cut = [(X[:70], y[:70]), (X[70:], y[70:])]
    tree = HierarchicalMoERegressor((2, 2), node=node, **QUICK).fit_blocks(cut)
    return fitted(tree, X, y) | _walked(tree, X, y)
