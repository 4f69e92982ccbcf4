"""Fitted components as users see them: plain records on the original scale of the features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from moe_classic._components import INTERCEPT, SLOPE
from moe_classic._data import DesignMap
from moe_classic._model import Group, Model, MoEParams
from moe_classic._typing import Floats

from .estimator import FittedEstimator, terms_of
from .tree import FittedTreeGate, view_tree_gate

#: Column of a summary with what must be known of a term, where there is anything.
NOTE = "note"


def _plain(value: Floats) -> Any:
    """Scalars as floats, everything else as it is."""
    return float(value.reshape(-1)[0]) if value.size == 1 else value


@dataclass(frozen=True)
class FittedExpert:
    """One expert on the original scale of the features.

    Attributes
    ----------
    label : str
        Name in tables and legends.
    name : str
        Registered name of the family.
    weight_ : float
        Share of the training weight that it explains.
    coef_ : ndarray of shape (p,) or (M, p)
        Slopes; one row an output, or one a class relative to the last class.
    intercept_ : float or ndarray of shape (M,)
    feature_names_ : tuple of str
        Names of the features that the slopes belong to.
    extras : dict
        Parameters besides the coefficients, such as ``scale_``, ``df_`` or ``covariance_``, also
        available as attributes.
    link : str
        What function of the prediction the equations give: ``"identity"``, ``"logit"``, ``"log"``.
    carried_ : tuple of str
        What is added to the equations with a coefficient of 1: an offset, the logarithm of an
        exposure.
    rows : tuple of (kind, term, value)
        What summaries show besides, such as the logit of additional zeros.
    unlisted : dict
        What of it is available as attributes.
    has_intercept_ : bool
        Whether there is an intercept; without, ``intercept_`` is 0.
    """

    label: str
    name: str
    weight_: float
    coef_: Floats
    intercept_: Any
    feature_names_: tuple[str, ...]
    extras: dict[str, Any] = field(default_factory=dict)
    link: str = "identity"
    carried_: tuple[str, ...] = ()
    rows: tuple[tuple[str, str, float], ...] = ()
    unlisted: dict[str, Any] = field(default_factory=dict)
    has_intercept_: bool = True

    def __getattr__(self, name: str) -> Any:
        for kept in ("extras", "unlisted"):
            if name in self.__dict__.get(kept, {}):
                return self.__dict__[kept][name]
        raise AttributeError(
            f"a fitted {self.__dict__.get('name', '')} expert has no attribute {name!r}"
        )

    def terms(self, outputs: list[str]) -> dict[tuple[str, str, str], float]:
        """Coefficients and nuisance parameters, keyed by (output, kind, term)."""
        slopes, intercepts = np.atleast_2d(self.coef_), np.atleast_1d(self.intercept_)
        terms = terms_of(outputs, self.feature_names_, slopes, intercepts, self.extras)
        terms |= {(outputs[0], kind, term): value for kind, term, value in self.rows}
        if self.has_intercept_:
            return terms
        return {key: value for key, value in terms.items() if key[1] != INTERCEPT}


@dataclass(frozen=True)
class FittedGate:
    """The gate on the original scale of the features.

    Attributes
    ----------
    name : str
        Registered name of the family.
    feature_names_ : tuple of str
    parameters : dict
        Also available as attributes: ``coef_`` (K, p) and ``intercept_`` (K,) of a softmax gate,
        relative to the last expert; ``weights_`` (K,), ``means_`` (K, p), ``covariances_``
        (K, p, p) of a Gaussian gate; ``weights_`` (K,) of a constant gate.
    rows : tuple of K tuples of (kind, term, value)
        What summaries say of each expert.
    """

    name: str
    feature_names_: tuple[str, ...]
    parameters: dict[str, Any]
    rows: tuple[tuple[tuple[str, str, float], ...], ...] = ()

    def __getattr__(self, name: str) -> Any:
        parameters = self.__dict__.get("parameters", {})
        if name in parameters:
            return parameters[name]
        raise AttributeError(
            f"a fitted {self.__dict__.get('name', '')} gate has no attribute {name!r}"
        )

    def terms(self, k: int) -> dict[tuple[str, str], float]:
        """Parameters of the gate that belong to expert ``k``, keyed by (kind, term)."""
        return {(kind, term): value for kind, term, value in self.rows[k]}


AnyExpert = FittedExpert | FittedEstimator
AnyGate = FittedGate | FittedTreeGate


def expert_labels(model: Model) -> list[str]:
    """Names of all experts: the user's, or ``expert 1`` and so on."""
    labels: list[str] = []
    for group in model.groups:
        for _ in range(group.count):
            labels.append(group.label or f"expert {len(labels) + 1}")
    return labels


def view_experts(
    model: Model, params: MoEParams, maps: tuple[DesignMap, ...], shares: Floats
) -> list[AnyExpert]:
    """Views of all experts, in order."""
    labels = expert_labels(model)
    views: list[AnyExpert] = []
    for group, p in zip(model.groups, params.experts, strict=True):
        for k in range(group.count):
            i = len(views)
            views.append(_view_expert(group, p, k, maps[group.design], labels[i], shares[i]))
    return views


def _view_expert(
    group: Group, p: Any, k: int, design: DesignMap, label: str, share: float
) -> AnyExpert:
    """View of expert ``k`` of a group."""
    expert = group.expert
    extras = {
        f"{name}_": _plain(value[k] if len(value) == group.count else value[0])
        for name, value in expert.shown(p).items()
    }
    if not expert.has("lines"):
        inside = expert.estimator_of(p, k) if expert.has("estimator_of") else None
        says = "probability" if expert.kind.classes else "mean"
        return FittedEstimator(label, expert.name, float(share), inside, design.names, extras, says)
    slopes, intercepts = design.original(expert.lines(p)[k])
    one = len(slopes) == 1
    rows, unlisted = expert.further(p, k, design)
    return FittedExpert(
        label,
        expert.name,
        float(share),
        slopes[0] if one else slopes,
        float(intercepts[0]) if one else intercepts,
        design.names,
        extras,
        expert.link,
        design.added,
        rows,
        unlisted,
        bool(design.constant),
    )


def view_gate(model: Model, params: MoEParams, design: DesignMap) -> AnyGate:
    """View of the gate."""
    gate, p = model.gate, params.gate
    if gate.layout(p) is not None:
        return view_tree_gate(p, design, sparse=gate.sparse)
    shown = gate.shown(p, design)
    # Plain tuples: skops and others store no keys but words.
    rows = tuple(
        tuple((*label, value) for label, value in row.items())
        for row in gate.rows(shown, design.names, model.n_experts)
    )
    return FittedGate(gate.name, design.names, shown, rows)


def term_index(labels: Sequence[tuple[str, ...]], names: list[str]) -> pd.MultiIndex:
    """Index of a table of terms, in the order of the labels, whose last two are kind and term.

    Levels are ordered as they come, so that rows that are grouped count as sorted and can be looked
    into by part; slopes first, so that a column called like a parameter keeps its place.
    """
    columns = [list(column) for column in zip(*labels, strict=True)]
    slopes = [label[-1] for label in labels if label[-2] == SLOPE]
    levels = [list(dict.fromkeys(column)) for column in columns]
    levels[-1] = list(dict.fromkeys([*slopes, *columns[-1]]))
    codes = [
        list(map({value: i for i, value in enumerate(level)}.__getitem__, column))
        for level, column in zip(levels, columns, strict=True)
    ]
    return pd.MultiIndex(levels=levels, codes=codes, names=names)


def summary_table(
    experts: Sequence[AnyExpert],
    gate: Any,
    outputs: list[str],
    remarks: dict[tuple[str, str, str], str] | None = None,
) -> pd.DataFrame:
    """Parameters as a table: one row a term, one column an expert; a column of remarks, if any."""
    columns = {}
    for k, expert in enumerate(experts):
        column = {("mixture", "share", "share"): expert.weight_}
        for (output, kind, term), value in expert.terms(outputs).items():
            part = "expert" if len(outputs) == 1 else f"expert: {output}"
            column[part, kind, term] = value
        for (kind, term), value in gate.terms(k).items():
            column["gate", kind, term] = value
        columns[expert.label] = column
    rows = list(dict.fromkeys(key for column in columns.values() for key in column))
    kinds = list(dict.fromkeys(kind for _, kind, _ in rows))
    parts = list(dict.fromkeys(part for part, *_ in rows))
    parts.sort(key=lambda part: (part != "mixture", part == "gate"))
    rows.sort(key=lambda key: (parts.index(key[0]), kinds.index(key[1])))
    index = term_index(rows, ["part", "kind", "term"])
    table = pd.DataFrame(
        {label: [column.get(row, np.nan) for row in rows] for label, column in columns.items()},
        index=index,
    )
    if remarks:
        table[NOTE if NOTE not in table else f"{NOTE}s"] = [remarks.get(row, "") for row in rows]
    return table
