"""What estimators say about rows, in the form in which it is explained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from moe_classic._explain import Account
from moe_classic._typing import Floats

from ._outside import FittedEstimator
from ._views import AnyExpert


def account(estimator: Any, X: Any) -> Account:
    """Equations of the experts, with the gate's probabilities and what is predicted.

    Parameters
    ----------
    estimator : fitted estimator
        With ``gate_proba``, ``expert_predictions``, and ``predict_proba`` if it tells classes.
    X : array-like of shape (n_samples, n_features)
    """
    views, outputs = estimator._expert_views(), estimator._output_names()
    features, coef, intercept = equations(views, len(outputs))
    classes = hasattr(estimator, "classes_")
    own, mixed = _predictions(estimator, X, len(outputs))
    return Account(
        index=rows_of(X, len(mixed)),
        labels=estimator._expert_labels(),
        gate=estimator.gate_proba(X),
        features=features,
        coef=coef[None],
        intercept=intercept[None],
        own=own,
        mixed=mixed,
        outputs=outputs,
        level="class" if classes else "output" if len(outputs) > 1 else "",
        left=(
            [f"log P({c}) / P({estimator.classes_[-1]})" for c in outputs] if classes else outputs
        ),
        blended=[f"P({c})" for c in outputs] if classes else outputs,
        kinds=[kind(view) for view in views],
        additive=not classes,
    )


def equations(views: Sequence[AnyExpert], M: int) -> tuple[list[str], Floats, Floats]:
    """Names of F features, coefficients (K, M, F) and intercepts (K, M) of all experts."""
    features = list(dict.fromkeys(f for v in views for f in v.feature_names_))
    coef = np.zeros((len(views), M, len(features)))
    intercept = np.zeros((len(views), M))
    for k, view in enumerate(views):
        columns = [features.index(f) for f in view.feature_names_]
        if not isinstance(view, FittedEstimator):
            coef[k][:, columns] = np.atleast_2d(view.coef_)
            intercept[k] = view.intercept_
            continue
        form = view.form(M)
        if form is None:
            coef[k], intercept[k] = np.nan, np.nan
        else:
            coef[k][:, columns], intercept[k] = form.coef, form.intercept
    return features, coef, intercept


def _predictions(estimator: Any, X: Any, M: int) -> tuple[Floats, Floats]:
    """What experts (n, K, M) and all together (n, M) predict for every line of the table."""
    own = estimator.expert_predictions(X)
    if hasattr(estimator, "classes_"):
        return own[:, :, :M], estimator.predict_proba(X)[:, :M]
    mixed = np.asarray(estimator.predict(X))
    return own.reshape(*own.shape[:2], M), mixed.reshape(len(mixed), M)


def rows_of(X: Any, n: int) -> pd.Index:
    """Index of the rows of X."""
    return X.index if isinstance(X, pd.DataFrame) else pd.RangeIndex(n)


def kind(view: AnyExpert) -> str:
    """An expert as a function of x: ``SVR(StandardScaler(x))``."""
    text = "x"
    for step in view.steps if isinstance(view, FittedEstimator) else [view.name]:
        text = f"{step}({text})"
    return text


def margin_account(estimator: Any, X: Any) -> Account:
    """The same of experts whose margins are blended.

    Of more than two classes the zero of a margin is half way between the two highest decision
    values of a row, so that equations differ from row to row.
    """
    views, outputs = estimator._expert_views(), estimator._output_names()
    M = len(outputs)
    features, coef, intercept = equations(views, M)
    own, mixed = estimator.expert_predictions(X), estimator.decision_function(X)
    own, mixed = own.reshape(*own.shape[:2], M), mixed.reshape(len(mixed), M)
    coef, intercept = coef[None], intercept[None]
    if M > 1:
        # Margins are decision values less a number a row: their order is the same.
        highest = np.argsort(own, axis=2)[:, :, -2:, None]
        middle = 0.5 * (
            np.take_along_axis(intercept[..., None], highest, axis=2)[..., 0].sum(
                axis=2, keepdims=True
            )
        )
        intercept = intercept - middle
        coef = coef - 0.5 * np.take_along_axis(coef, highest, axis=2).sum(axis=2, keepdims=True)
    margins = [f"margin of {c}" for c in outputs]
    return Account(
        index=rows_of(X, len(mixed)),
        labels=estimator._expert_labels(),
        gate=estimator.gate_proba(X),
        features=features,
        coef=coef,
        intercept=intercept,
        own=own,
        mixed=mixed,
        outputs=outputs,
        level="class",
        left=margins,
        blended=margins,
        kinds=[kind(view) for view in views],
    )
