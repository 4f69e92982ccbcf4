"""Which features a fitted mixture uses, in the two forms that scikit-learn's selectors ask for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from moe_classic._data import DesignMap
from moe_classic._typing import Floats, Ints

from .fitted import FittedMixture
from .records import FittedExpert, FittedGate
from .tree import FittedTreeGate

#: What to do where the parameters do not say what a feature does.
_INSTEAD = "use sklearn.inspection.permutation_importance(moe, X, y) instead"


def one_equation(fitted: FittedMixture, n_features: int) -> tuple[Floats, Any]:
    """Slopes and intercepts of the prediction, where it is one linear equation in X.

    Raises
    ------
    AttributeError
        If it is not.
    """
    records, kind = fitted.experts, fitted.model.groups[0].expert.kind
    linear = all(isinstance(e, FittedExpert) for e in records)
    alone = len(records) == 1
    gate: Any = fitted.gate
    blended = gate.name == "constant" and {e.link for e in records} == {"identity"}
    if not linear or not (alone or (blended and not kind.classes)):
        raise AttributeError(
            "predictions of this mixture are no single linear equation in X, so that there is no "
            "coef_: that takes one expert, or experts without a link under a constant gate. See "
            "experts_[k].coef_ and gate_, or feature_importances_."
        )
    weights = [1.0] if alone else gate.weights_
    width = fitted.target.width if not kind.classes else len(fitted.target.names)
    slopes, intercepts = np.zeros((width, n_features)), np.zeros(width)
    for (record, design), weight in zip(_owners(fitted), weights, strict=True):
        slopes[:, columns_of(design, n_features)] += weight * np.atleast_2d(record.coef_)
        intercepts += weight * np.atleast_1d(record.intercept_)
    if kind.classes:
        return _as_classifiers_have_it(slopes, intercepts)
    return (slopes[0], float(intercepts[0])) if fitted.target.flat else (slopes, intercepts)


def _as_classifiers_have_it(slopes: Floats, intercepts: Floats) -> tuple[Floats, Floats]:
    """Equations against the last class as those of the second of two, or of every class."""
    if len(slopes) == 1:
        return -slopes, -intercepts
    slopes, intercepts = np.vstack([slopes, 0.0 * slopes[:1]]), np.append(intercepts, 0.0)
    return slopes - slopes.mean(axis=0), intercepts - intercepts.mean()


def importances(fitted: FittedMixture, n_features: int) -> Floats:
    """How far one standard deviation of each feature moves experts and gate, adding up to one.

    Raises
    ------
    AttributeError
        If an expert or the gate is not described by slopes.
    """
    total = np.zeros(n_features)
    shares = np.array([record.weight_ for record in fitted.experts])
    for record, design in _owners(fitted):
        pull = record.weight_ * _pull(record, fitted)
        total[columns_of(design, n_features)] += pull * design.unit
    design = fitted.maps[fitted.model.gate_design]
    if fitted.gate.name != "constant":
        pull = _gate_pull(fitted.gate, shares, design)
        total[columns_of(design, n_features)] += pull * design.unit
    size = total.sum()
    return total / size if size > 0.0 else total


def _owners(fitted: FittedMixture) -> Iterator[tuple[Any, DesignMap]]:
    """Each expert with what it sees of X."""
    groups = [g.design for g in fitted.model.groups for _ in range(g.count)]
    return zip(fitted.experts, (fitted.maps[number] for number in groups), strict=True)


def columns_of(design: DesignMap, n_features: int) -> Ints:
    """Columns of X that the features of a design are."""
    if design.transformer is not None:
        raise AttributeError(
            f"features go through {design.transformer!r}, so that slopes are not those of the "
            f"columns of X; {_INSTEAD}."
        )
    return np.arange(n_features) if design.columns is None else design.columns


def _pull(record: Any, fitted: FittedMixture) -> Floats:
    """Slopes of an expert in units of its noise, or log odds, mean size over the outputs, (p,)."""
    if not isinstance(record, FittedExpert):
        raise AttributeError(
            f"{record.label} is an estimator, whose slopes, if any, the mixture does not know; "
            f"{_INSTEAD}."
        )
    slopes = np.atleast_2d(record.coef_)
    if fitted.model.groups[0].expert.kind.classes:
        slopes = np.vstack([slopes, np.zeros(slopes.shape[1])])
        slopes = slopes - slopes.mean(axis=0)
    if "covariance_" in record.extras:
        noise = np.sqrt(np.diag(np.atleast_2d(record.extras["covariance_"])))
    else:
        noise = np.atleast_1d(record.extras.get("scale_", 1.0))
    return np.asarray((np.abs(slopes) / noise.reshape(-1, 1)).mean(axis=0))


def _gate_pull(gate: Any, shares: Floats, design: DesignMap) -> Floats:
    """Slopes of the log odds of an expert against the others, mean size over the experts, (q,)."""
    if isinstance(gate, FittedTreeGate):
        return _tree_pull(gate, shares)
    if isinstance(gate, FittedGate) and "coef_" in gate.parameters:
        return _spread(gate.coef_, shares)
    if isinstance(gate, FittedGate) and "covariances_" in gate.parameters:
        within = shares @ np.diagonal(gate.covariances_, axis1=1, axis2=2)
        varies = design.unit > 0.0
        return np.where(varies, _spread(gate.means_, shares) / np.where(varies, within, 1.0), 0.0)
    raise AttributeError(f"a {gate.name} gate is not described by slopes; {_INSTEAD}.")


def _spread(slopes: Floats, shares: Floats) -> Floats:
    """Mean distance of slopes (K, q) from their mean, both by shares."""
    shares = shares / shares.sum()
    return np.asarray(shares @ np.abs(slopes - shares @ slopes))


def _tree_pull(gate: FittedTreeGate, shares: Floats) -> Floats:
    """The same summed over the nodes of a tree, each by the share of the rows below it."""
    total = np.zeros(len(gate.feature_names_))
    for path, slopes in zip(gate.paths_, gate.coef_, strict=True):
        below = np.zeros(len(slopes))
        for leaf, share in zip(gate.leaf_paths, shares, strict=True):
            if leaf[: len(path)] == path:
                below[leaf[len(path)]] += share
        if below.sum() > 0.0:
            total += below.sum() * _spread(slopes, below)
    return total
