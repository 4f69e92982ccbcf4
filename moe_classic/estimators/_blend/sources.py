"""Sources: rows that experts learn from, each from its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.frozen import FrozenEstimator

from moe_classic._adapters import check_prefit, check_proba, is_estimator, target_of
from moe_classic._training import labelled
from moe_classic._typing import Ints

#: Fewest rows from which an expert learns.
_FEWEST = 2


@dataclass(frozen=True)
class SourceExpert:
    """One expert to be: its name, its estimator, and the source that it learns from.

    Attributes
    ----------
    source : int or None
        Number of the source; None learns from all rows, or not at all if prefit.
    """

    name: str
    estimator: Any
    source: int | None

    @property
    def prefit(self) -> bool:
        """Whether the estimator stays as it is."""
        return isinstance(self.estimator, FrozenEstimator)


def source_codes(sources: Any, n: int) -> tuple[np.ndarray, Ints]:
    """Labels of the sources in order, and the number of every row's source, (n,)."""
    if sources is None:
        return np.array(["all rows"]), np.zeros(n, dtype=np.intp)
    values = np.asarray(sources)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise ValueError(
            f"sources has shape {values.shape}; give one label a row, an array of shape ({n},)."
        )
    if values.size != n:
        raise ValueError(
            f"sources has {values.size} entries and X has {n} rows; give one source a row."
        )
    if pd.isna(values).any():
        raise ValueError(
            "sources must not be missing; give rows without a source a label of their own."
        )
    try:
        labels, codes = np.unique(values, return_inverse=True)
    except TypeError:
        kinds = sorted({type(v).__name__ for v in values.tolist()})
        raise TypeError(
            f"sources mixes labels of the types {kinds}, which cannot be put in order; use one "
            "type, such as str."
        ) from None
    return labels, codes


def check_experts(
    argument: str, experts: Any, target: str, *, probabilities: bool = True
) -> list[str]:
    """Names of listed experts; raises unless they are estimators for the target.

    Parameters
    ----------
    argument : name of the argument, for messages
    experts : estimator, list of estimators, or list of (name, estimator)
    target : {"real", "class"}
    probabilities : whether classifiers need ``predict_proba``
    """
    listed = isinstance(experts, (list, tuple))
    if listed and not experts:
        raise ValueError(f"{argument} is an empty list; give at least one estimator.")
    pairs = labelled(experts) if listed else [(argument, experts)]
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ValueError(f"{argument}: names must differ, got {names}.")
    for name, estimator in pairs:
        owner = f"{argument} ({name})" if listed else argument
        kind = target_of(owner, estimator)
        if kind != target:
            noun = {"real": "regressors", "class": "classifiers"}[target]
            other = {"real": "Classifier", "class": "Regressor"}[target]
            raise TypeError(
                f"{owner}: {estimator!r} must be one of the {noun}; for others there is the "
                f"mixture whose name ends in {other}."
            )
        if kind == "class" and probabilities:
            check_proba(owner, estimator)
        check_prefit(owner, estimator)
    return names if listed else []


def all_experts(experts: Any) -> list[Any]:
    """The estimators among ``experts``, whatever else there is."""
    values = [e for _, e in labelled(experts)] if isinstance(experts, (list, tuple)) else [experts]
    return [e for e in values if is_estimator(e)]


def members(experts: Any, labels: np.ndarray) -> list[SourceExpert]:
    """Who learns from which source.

    One estimator is cloned for every source. Of a list, each learns from the source of its name,
    or else from the one in its place; all learn from all rows if there is but one source; prefit
    ones do not learn.
    """
    if not isinstance(experts, (list, tuple)):
        if isinstance(experts, FrozenEstimator):
            return [SourceExpert(name, e, None) for name, e in labelled([experts])]
        return [SourceExpert(str(label), experts, s) for s, label in enumerate(labels)]
    pairs = labelled(experts)
    names, texts = [name for name, _ in pairs], [str(label) for label in labels]
    if len(labels) == 1 or all(isinstance(e, FrozenEstimator) for _, e in pairs):
        return [SourceExpert(name, e, None) for name, e in pairs]
    if len(pairs) != len(labels):
        raise ValueError(
            f"experts lists {len(pairs)} estimators and there are {len(labels)} sources "
            f"{texts[:10]}; give one estimator a source, a single one for all, or prefit ones."
        )
    by_name = sorted(names) == sorted(texts)
    return [
        SourceExpert(name, e, texts.index(name) if by_name else place)
        for place, (name, e) in enumerate(pairs)
    ]


def check_rows_of(
    who: list[SourceExpert], labels: np.ndarray, codes: Ints, y: np.ndarray | None
) -> None:
    """Raise if a source that an expert learns from has few rows, or classes ``y`` of one kind."""
    for member in who:
        if member.prefit or member.source is None:
            continue
        rows, label = np.flatnonzero(codes == member.source), labels.tolist()[member.source]
        if rows.size < _FEWEST:
            raise ValueError(
                f"source {label!r} has {rows.size} row{'' if rows.size == 1 else 's'} of positive "
                f"weight; an expert needs at least {_FEWEST} to learn from. Merge it with another."
            )
        if y is not None and np.unique(y[rows]).size == 1:
            raise ValueError(
                f"source {label!r} has the one class {y.tolist()[rows[0]]!r}; a classifier cannot "
                "learn from it alone. Merge it with another, or pass a prefit expert for it."
            )
