"""Recorded cases of systems fitted by squared error: Meta-Pi networks and hard mixtures."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeRegressor

from moe_classic import HardMoEClassifier, HardMoERegressor, MetaPiClassifier, MetaPiRegressor

from .registry import MADE_OF, OPTIMUM, SHOWN, Values, add, classes, lines, outputs, weights

two = partial(classes, n_classes=2)


def _learnt(moe: Any, X: np.ndarray) -> Values:
    """What both systems say."""
    out = {
        MADE_OF: " | ".join([type(moe).__name__, *(type(e).__name__ for e in moe.experts_)]),
        "loss_": moe.loss_,
        "n_iter_": moe.n_iter_,
        "predict": moe.predict(X[:SHOWN]),
        "predict of one": moe.predict(X[:SHOWN], top_k=1),
        "gate_proba": moe.gate_proba(X[:SHOWN]),
        "expert_predictions": moe.expert_predictions(X[:SHOWN]),
        "transform": moe.transform(X[:SHOWN]),
    }
    for name in ("coef_", "intercept_", "hidden_coef_", "hidden_intercept_", "weights_"):
        value = getattr(moe.gate_, name, None)
        out |= {} if value is None else {f"gate {name}": value}
    for name in ("predict_proba", "decision_function"):
        if hasattr(moe, name):
            out[name] = getattr(moe, name)(X[:SHOWN])
    return out


def _blended(moe: Any, table: Any, *, regular: bool, weighted: bool = False) -> Values:
    X, y = table()
    w = weights(len(X)) if weighted else None
    moe.fit(X, y, w, sources=X[:, 0] > 0.3)
    out = _learnt(moe, X) | {"source_table_": moe.source_table_.to_numpy()}
    out |= {"ambiguity": moe.ambiguity(X, y).to_numpy(), "last of trace_": moe.trace_[-1]}
    return out | ({f"{OPTIMUM}loss": moe.loss_} if regular else {})


def _blend(name: str, moe: Any, table: Any, *, regular: bool = True, **about: Any) -> None:
    moe.set_params(random_state=0)
    add(f"blend, {name}", partial(_blended, moe, table, regular=regular, **about))


_blend("softmax gate", MetaPiRegressor(LinearRegression(), alpha=1e-3), lines)
_blend("weights", MetaPiRegressor(LinearRegression(), alpha=1e-3), lines, weighted=True)
_blend("sigmoid gate", MetaPiRegressor(Ridge(), gate="sigmoid", alpha=1e-3), lines, regular=False)
_blend("constant gate", MetaPiRegressor([Ridge(), Ridge(alpha=9.0)], gate="constant"), lines)
_blend("hidden units", MetaPiRegressor(Ridge(), hidden_units=3, max_iter=40), lines, regular=False)
_blend("two outputs", MetaPiRegressor(LinearRegression(), alpha=1e-3), outputs)
_blend("gate of a column", MetaPiRegressor(Ridge(), gate_features=[0], alpha=1e-3), lines)
_blend("joint", MetaPiRegressor(LinearRegression(), joint=True, max_iter=40), lines, regular=False)
_blend("classes", MetaPiClassifier(LogisticRegression(), alpha=1e-3), classes)
_blend("two classes", MetaPiClassifier([("nb", GaussianNB()), ("lr", LogisticRegression())]), two)
_blend(
    "joint classes",
    MetaPiClassifier(LogisticRegression(), joint=True, max_iter=30),
    classes,
    regular=False,
)


def _dealt(moe: Any, table: Any, *, weighted: bool = False) -> Values:
    X, y = table()
    moe.fit(X, y, weights(len(X)) if weighted else None)
    history = moe.history_.select_dtypes("number").drop(columns="seconds", errors="ignore")
    kept = {"partition_": moe.partition_, "best_round_": moe.best_round_}
    return _learnt(moe, X) | kept | {"history_": history.to_numpy()}


def _hard(name: str, moe: Any, table: Any, **about: Any) -> None:
    # Which row changes hands is decided by comparisons: nothing here is fixed by an optimum.
    moe.set_params(random_state=0, max_iter=3, gate_iter=40)
    add(f"hard mixture, {name}", partial(_dealt, moe, table, **about))


_hard("lines", HardMoERegressor(2, expert=LinearRegression()), lines)
_hard("weights", HardMoERegressor(2, expert=LinearRegression()), lines, weighted=True)
_hard("support vectors", HardMoERegressor(2, hidden_units=4), lines)
_hard(
    "softmax gate, balanced",
    HardMoERegressor(
        2, expert=Ridge(), gate="softmax", hidden_units=0, assignment="balanced", capacity=1.3
    ),
    lines,
)
_hard(
    "unlike experts",
    HardMoERegressor(
        2, expert=[Ridge(), DecisionTreeRegressor(max_depth=3)], validation_fraction=0.0
    ),
    lines,
)
_hard("two classes", HardMoEClassifier(2), two)
_hard("three classes", HardMoEClassifier(2, expert=GaussianNB(), gate="sigmoid"), classes)
_hard("few rows for the gate", HardMoEClassifier(2, expert=GaussianNB(), gate_rows=80), two)
