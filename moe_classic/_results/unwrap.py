"""A fitted mixture of experts, reached through pipelines and searches, and the record in it.

An estimator hands out what its fit left when asked by ``__moe_fitted__``, as it hands out its tags
to scikit-learn by ``__sklearn_tags__``; where it keeps the record is its own affair.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted, validate_data

from moe_classic._components import TARGETS, TargetKind
from moe_classic._typing import Floats

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


def checked_rows(estimator: Any, X: Any) -> Floats:
    """Validated features of rows for a fitted mixture."""
    check_is_fitted(estimator)
    return validate_data(estimator, X, dtype=[np.float64, np.float32], reset=False)


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
