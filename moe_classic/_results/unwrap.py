"""A fitted mixture of experts, reached through pipelines and searches."""

from __future__ import annotations

from typing import Any

from sklearn.utils.validation import check_is_fitted

from moe_classic._components import TARGETS, TargetKind


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


def kind_of(moe: Any) -> TargetKind:
    """What the target of a fitted regressor may be."""
    model = getattr(moe, "_model", None)
    return TARGETS["real"] if model is None else model.groups[0].expert.kind
