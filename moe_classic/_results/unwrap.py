"""A fitted mixture of experts, reached through pipelines and searches, and the record in it.

An estimator hands out what its fit left when asked by ``__moe_fitted__``, as it hands out its tags
to scikit-learn by ``__sklearn_tags__``; where it keeps the record is its own affair.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted, validate_data

from moe_classic._adapters import (
    TableColumns,
    read_table,
    refuse_missing,
    takes_missing,
)
from moe_classic._components import TARGETS, TargetKind
from moe_classic._typing import Floats, Names

from .estimator import FittedEstimator
from .fitted import FittedBlend, FittedMixture
from .net import FittedNet
from .records import AnyExpert


def fitted_moe(estimator: Any, *, needs: str, caller: str) -> Any:
    """The mixture of experts inside ``estimator``.

    Parameters
    ----------
    estimator : estimator
        A fitted mixture of experts, or a pipeline that ends in one, or a search whose best
        estimator is one of these.
    needs : str
        Method or attribute that the answer must have.
    caller : str
        Who asks, for messages.

    Raises
    ------
    TypeError
        If there is no such estimator inside.
    """
    inner = estimator
    while True:
        check_is_fitted(inner)
        if hasattr(inner, "best_estimator_"):
            inner = inner.best_estimator_
        elif hasattr(inner, "steps"):
            inner = inner.steps[-1][1]
        else:
            break
    if not hasattr(inner, needs):
        raise TypeError(
            f"{caller} needs an estimator with {needs}, got {type(inner).__name__}; pass a fitted "
            "mixture of experts that has it, a pipeline that ends in one, or a search over them."
        )
    return inner


def inner_rows(estimator: Any, X: Any) -> Any:
    """``X`` as the mixture of experts inside ``estimator`` sees it."""
    if hasattr(estimator, "best_estimator_"):
        return inner_rows(estimator.best_estimator_, X)
    if hasattr(estimator, "steps"):
        X = estimator[:-1].transform(X) if len(estimator.steps) > 1 else X
        return inner_rows(estimator.steps[-1][1], X)
    return X


# ------------------------------------------------------------------------- records


def fitted_record(estimator: Any) -> FittedMixture | FittedBlend | FittedNet:
    """What the last fit of a mixture, a blend, a hard mixture or a net left."""
    check_is_fitted(estimator)
    record: FittedMixture | FittedBlend | FittedNet = estimator.__moe_fitted__()
    return record


def fitted_experts(estimator: Any) -> list[AnyExpert] | list[FittedEstimator]:
    """The experts of a fitted mixture, blend or hard mixture as records."""
    check_is_fitted(estimator)
    record: FittedMixture | FittedBlend = estimator.__moe_fitted__()
    return record.experts


def fitted_net(estimator: Any) -> FittedNet:
    """What the last fit of a net with experts left."""
    check_is_fitted(estimator)
    record: FittedNet = estimator.__moe_fitted__()
    return record


def _record_if_any(estimator: Any) -> Any:
    """What the last fit left; None before it, and of estimators that are not ours."""
    ask = getattr(estimator, "__moe_fitted__", None)
    return None if ask is None else ask()


def kind_of(estimator: Any) -> TargetKind:
    """What the target of a fitted regressor may be."""
    record = _record_if_any(estimator)
    if isinstance(record, FittedMixture):
        return record.model.groups[0].expert.kind
    return TARGETS["real"]


def fitted_mixture(estimator: Any) -> FittedMixture:
    """What the last fit of a mixture left; raises for what was not fitted by likelihood."""
    record = _record_if_any(estimator)
    if isinstance(record, FittedMixture):
        return record
    if isinstance(record, FittedBlend) or not hasattr(type(estimator), "log_likelihood"):
        raise TypeError(
            f"estimator={estimator!r} must be an estimator whose parameters have a likelihood, "
            "such as MoERegressor or MoEClassifier."
        )
    check_is_fitted(estimator)
    raise TypeError(f"estimator={estimator!r} holds no record of its fit; fit it again.")


def with_record(estimator: Any, record: FittedMixture) -> Any:
    """A fitted estimator as it would be with another record."""
    return estimator.__moe_with__(record)


# ------------------------------------------------------------------------- rows


def checked_rows(estimator: Any, X: Any, *, dtype: Any = (np.float64, np.float32)) -> Floats:
    """Validated features of rows for a fitted estimator; those of a table as numbers."""
    check_is_fitted(estimator)
    table = _table_of(_record_if_any(estimator))
    if table is not None or not isinstance(X, np.ndarray):
        X, _ = read_table(X, table)
    X, missing = validate_rows(estimator, X, dtype=list(dtype), reset=False)
    if missing:
        check_missing(estimator, X)
    return X


def validate_rows(estimator: Any, X: Any, *y: Any, **options: Any) -> tuple[Any, bool]:
    """What :func:`~sklearn.utils.validation.validate_data` gives, and whether X misses values."""
    try:
        return validate_data(estimator, X, *y, **options), False
    except ValueError as error:
        if "X contains NaN" not in str(error):
            raise
    return validate_data(estimator, X, *y, ensure_all_finite="allow-nan", **options), True


def check_missing(estimator: Any, X: Floats) -> None:
    """Raise if rows (n, p) miss values that some part of a fitted estimator cannot do without."""
    record = fitted_record(estimator)
    for design in record.designs:
        design.check_missing(X)
    if isinstance(record, FittedBlend):
        for label, expert in zip(record.labels, record.estimators, strict=True):
            check_expert_missing(label, expert, X, record.features)


def check_expert_missing(label: str, expert: Any, X: Floats, names: Sequence[str]) -> None:
    """Raise if an expert that sees all columns is to see NaN and does not take it."""
    if not takes_missing(expert):
        missing = np.isnan(X).sum(axis=0)
        refuse_missing(dict(zip(names, map(int, missing), strict=True)), f"the expert {label!r}")


def _table_of(record: Any) -> TableColumns | None:
    """Columns of the table of a fit, if some do not hold numbers."""
    names = names_seen(record)
    # Asked for every prediction: an abstract class takes its time about its instances.
    return names if type(names) is TableColumns else None


def names_seen(record: Any) -> Names:
    """Column names of the rows of a fit; the columns of a table if some do not hold numbers."""
    return None if record is None else record.designs[0].names_in


def checked_pairs(estimator: Any, X: Any, y: Any) -> tuple[Floats, Floats]:
    """Validated features (n, p) and columns (c, n) of the target of rows to score."""
    X = checked_rows(estimator, X)
    columns = fitted_mixture(estimator).target.scored(y)
    if columns.shape[1] != len(X):
        raise ValueError(f"X has {len(X)} rows and y has {columns.shape[1]}; give one y a row.")
    return X, columns


def column_names(estimator: Any) -> list[str] | None:
    """Column names that an estimator was fitted on, or None."""
    names = getattr(estimator, "feature_names_in_", None)
    return None if names is None else [str(v) for v in names]
