"""A fitted mixture of experts, reached through pipelines and searches, and the record in it.

An estimator hands out what its fit left when asked by ``__moe_fitted__``, as it hands out its tags
to scikit-learn by ``__sklearn_tags__``; where it keeps the record is its own affair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_array, issparse
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted, validate_data

from moe_classic._adapters import (
    TableColumns,
    pandas_table,
    read_table,
    refuse_missing,
    takes_missing,
)
from moe_classic._components import TARGETS, TargetKind
from moe_classic._data import DesignMap, check_largest, sparse_rows
from moe_classic._typing import Floats, Ints, Names

from .estimator import FittedEstimator
from .fitted import FittedBlend, FittedMixture
from .net import FittedNet
from .records import AnyExpert
from .transformed_target import REFUSED, OnTransformedTarget


def fitted_moe(estimator: Any, *, needs: str, caller: str, named: bool = False) -> Any:
    """The mixture of experts inside ``estimator``.

    Parameters
    ----------
    estimator : estimator
        A fitted mixture of experts; a pipeline that ends in one, a regressor of a transformed
        target around one, or a search whose best estimator is one of these.
    needs : str
        Method or attribute that the answer must have.
    caller : str
        Who asks, for messages.
    named : bool
        Whether features without names are to bear those that the step before gives them.

    Raises
    ------
    TypeError
        If there is no such estimator inside, or a transformed target hides what is needed.
    """
    inner = _inside(estimator, named=named)
    if isinstance(inner, OnTransformedTarget) and needs in REFUSED:
        raise TypeError(
            f"{caller} needs {REFUSED[needs]} of y, and the model describes a transformed y: there "
            "is no rule that turns it back. Quantiles, intervals, log scores and PIT values are."
        )
    if not hasattr(inner, needs):
        raise TypeError(
            f"{caller} needs an estimator with {needs}, got {type(inner).__name__}; pass a fitted "
            "mixture of experts that has it, a pipeline that ends in one, or a search over them."
        )
    return inner


def _inside(estimator: Any, *, named: bool) -> Any:
    """What stands innermost; a transformed target around it."""
    check_is_fitted(estimator)
    if hasattr(estimator, "best_estimator_"):
        return _inside(estimator.best_estimator_, named=named)
    if hasattr(estimator, "steps"):
        inner = _inside(estimator.steps[-1][1], named=named)
        names = _names_before(estimator) if named else None
        return inner if names is None else _with_names(inner, names)
    if _transforms_target(estimator):
        inner = _inside(estimator.regressor_, named=named)
        record = _record_if_any(inner)
        if not isinstance(record, FittedMixture):
            return inner
        return OnTransformedTarget(inner, estimator.transformer_, float(record.target.factor[0]))
    return estimator


def _transforms_target(estimator: Any) -> bool:
    """Whether this is a fitted TransformedTargetRegressor."""
    return hasattr(estimator, "regressor_") and hasattr(estimator, "transformer_")


def _names_before(pipeline: Any) -> list[str] | None:
    """Names of what the transformers of a pipeline give, if they tell."""
    if len(pipeline.steps) < 2:
        return None
    try:
        return [str(v) for v in pipeline[:-1].get_feature_names_out()]
    except (AttributeError, ValueError):
        return None


def _with_names(moe: Any, names: list[str]) -> Any:
    """A mixture that was fitted without names, its features called by ``names``."""
    if isinstance(moe, OnTransformedTarget):
        return OnTransformedTarget(_with_names(moe.moe, names), moe.transformer, moe.spread)
    record = _record_if_any(moe)
    if not isinstance(record, FittedMixture) or any(m.names_in for m in record.maps):
        return moe
    maps = tuple(
        m
        if m.transformer is not None
        else replace(m, names=tuple(names[j] for j in _columns_of(m, len(names))))
        for m in record.maps
    )
    return with_record(moe, replace(record, maps=maps))


def _columns_of(design: DesignMap, width: int) -> Any:
    """Positions of the columns that a design takes."""
    return range(width) if design.columns is None else design.columns


def inner_rows(estimator: Any, X: Any) -> Any:
    """``X`` as the mixture of experts inside ``estimator`` sees it."""
    if hasattr(estimator, "best_estimator_"):
        return inner_rows(estimator.best_estimator_, X)
    if hasattr(estimator, "steps"):
        X = estimator[:-1].transform(X) if len(estimator.steps) > 1 else X
        return inner_rows(estimator.steps[-1][1], X)
    if _transforms_target(estimator):
        return inner_rows(estimator.regressor_, X)
    return X


def unwrapped(estimator: Any, X: Any, y: Any, *, needs: str, caller: str) -> tuple[Any, Any, Any]:
    """The mixture inside ``estimator``, and rows and target as that one sees them."""
    outer = any(hasattr(estimator, name) for name in ("best_estimator_", "steps", "regressor_"))
    if not outer:
        return estimator, X, y
    moe = fitted_moe(estimator, needs=needs, caller=caller, named=True)
    X = inner_rows(estimator, X)
    if isinstance(moe, OnTransformedTarget):
        return moe.moe, X, moe.to_model(y)
    return moe, X, y


# ------------------------------------------------------------------------- records


def fitted_record(estimator: Any) -> FittedMixture | FittedBlend | FittedNet:
    """What the last fit of a mixture, a blend, a hard mixture or a net left."""
    if not isinstance(estimator, OnTransformedTarget):
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


def told_ends(estimator: Any) -> bool:
    """Whether the y of a fitted mixture has two ends a row."""
    record = getattr(estimator, "_fitted", None)
    return isinstance(record, FittedMixture) and record.target.intervals


def fitted_mixture(estimator: Any) -> FittedMixture:
    """What the last fit of a mixture left; raises for what was not fitted by likelihood."""
    if isinstance(estimator, OnTransformedTarget):
        raise TypeError(
            "the model describes a transformed target, whose density cannot be told here; "
            "transform y before the fit."
        )
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
    X = variables_of(estimator, X)
    if table is not None or not isinstance(X, np.ndarray):
        X, _ = read_table(X, table)
    options: dict[str, Any] = {"dtype": list(dtype), "reset": False}
    if issparse(X) and get_tags(estimator).input_tags.sparse:
        options["accept_sparse"] = "csr"
    X, missing = validate_rows(estimator, X, **options)
    if issparse(X):
        X = sparse_rows(X)
        refuse_sparse_missing(X, column_names(estimator), missing=missing)
    if missing:
        check_missing(estimator, X)
    check_largest("X", X, column_names(estimator))
    return X


def variables_of(estimator: Any, X: Any) -> Any:
    """The columns of a table that the formula of an estimator names; without one, X as it is."""
    variables = getattr(estimator, "variables_", None)
    if variables is None or isinstance(X, np.ndarray):
        return X
    X = pandas_table(X)
    columns = getattr(X, "columns", variables)
    absent = [name for name in variables if name not in columns]
    if absent:
        raise ValueError(f"X lacks {absent}, which the formula {estimator.formula_!r} names.")
    return X[variables] if isinstance(X, pd.DataFrame) else X


def validate_rows(estimator: Any, X: Any, *y: Any, **options: Any) -> tuple[Any, bool]:
    """What :func:`~sklearn.utils.validation.validate_data` gives, and whether X misses values."""
    try:
        return validate_data(estimator, X, *y, **options), False
    except ValueError as error:
        if "X contains NaN" not in str(error):
            _refuse_infinite(X, error)
            raise
    try:
        return validate_data(estimator, X, *y, ensure_all_finite="allow-nan", **options), True
    except ValueError as error:
        _refuse_infinite(X, error)
        raise


def _refuse_infinite(X: Any, error: ValueError) -> None:
    """Raise an error that names the columns of infinite values, where that is what is wrong."""
    if "X contains infinity" not in str(error):
        return
    if isinstance(X, pd.DataFrame):
        columns, values = list(X.columns), X.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        values = X if issparse(X) else np.asarray(X, dtype=np.float64)
        columns = [f"x{j}" for j in range(values.shape[1])]
    counts = _counts_of_infinite(values)
    shown = [f"{columns[j]!r} ({counts[j]} rows)" for j in np.flatnonzero(counts)[:5]]
    if shown:
        raise ValueError(
            f"{error} Columns {', '.join(shown)} have infinite values; write NaN where a value is "
            "not known, and a number where it is."
        ) from None


def _counts_of_infinite(values: Any) -> Ints:
    """Infinite values of each column."""
    if not issparse(values):
        return np.asarray(np.isinf(values).sum(axis=0))
    entries = csr_array(values)
    return np.bincount(entries.indices[np.isinf(entries.data)], minlength=values.shape[1])


def refuse_sparse_missing(X: Any, names: Sequence[str] | None, *, missing: bool) -> None:
    """Raise if sparse rows hold NaN."""
    if not missing:
        return
    j = int(X.indices[np.isnan(X.data)][0])
    name = f"x{j}" if names is None else names[j]
    raise ValueError(
        f"Input X contains NaN in column {name!r}, and X is sparse: what a sparse table does not "
        "hold is 0, and a value in it must be known. Impute, or pass X.toarray()."
    )


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
