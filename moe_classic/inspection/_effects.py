"""Average effects of features on what a fitted mixture answers, with standard errors.

::

    AME_j = mean_i d f(x_i) / d x_ij          a feature with many values
    AME_j = mean_i f(x_i, high) - f(x_i, low)  a feature with two, or a level and the first one

where f is the mean, a quantile, a class probability, the gate or what one expert says. Errors are
those of the parameters by the delta method, or a bootstrap's; the rows are taken as given. Bartus
(2005), Estimation of marginal effects using margeff, Stata Journal 5; Williams (2012), Using the
margins command to estimate and interpret adjusted predictions and marginal effects, Stata Journal
12.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from moe_classic._arguments import check_fraction
from moe_classic._results import OnTransformedTarget, fitted_mixture
from moe_classic.inference import inference

from ._table_rows import Answer, TableRows

#: Answers of an estimator by name.
_ANSWERS = ("mean", "gate", "experts", "contrasts")


def marginal_effects(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    of: str | float = "mean",
    features: Sequence[Any] | None = None,
    at: dict[Any, Any] | None = None,
    sample_weight: Any = None,
    **inference_options: Any,
) -> pd.DataFrame:
    """Average marginal effects of features.

    Parameters
    ----------
    estimator : fitted MoERegressor, MoEClassifier or hierarchical estimator
        With linear experts; a pipeline that ends in one, or a search over them. Effects are then
        those of the columns of X as the pipeline takes them.
    X, y, sample_weight :
        The rows on which it was fitted; effects are averages over them. X may be a table with
        columns of levels.
    of : {"mean", "gate", "experts", "contrasts"} or float in (0, 1), default="mean"
        What is differentiated: ``"mean"`` the prediction (of classifiers the class probabilities),
        ``"gate"`` the probabilities of the experts before y is seen, ``"experts"`` what each expert
        says, ``"contrasts"`` what each says beyond every later one, a number the quantile of that
        level.
    features : sequence of names or places, default=None
        Features whose effects are wanted; None is all that vary, but for dates and columns with
        more than a hundred levels.
    at : dict, default=None
        Values, by name or place, at which other features are held in all rows.
    **inference_options
        Passed to :func:`moe_classic.inference.inference`: ``kind``, ``clusters``, ``level``,
        ``n_bootstrap``, ``random_state``, ``n_jobs``, ``weight_kind``.

    Returns
    -------
    effects : DataFrame
        Indexed by (feature, answer), with ``estimate``, ``std_error``, ``z``, ``p_value``, ``low``
        and ``high``; in units of the answer by unit of the feature, for a feature with two values
        from the lower to the higher one, for one with levels from the first to each other level,
        called ``city[Rome]``. Answers are outputs, classes or experts; of contrasts
        ``expert 1 - expert 2``.

    Raises
    ------
    ValueError, TypeError
        If an argument cannot be used.

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_tone
    >>> from moe_classic.inspection import marginal_effects
    >>> X, y = load_tone(return_X_y=True)
    >>> moe = MoERegressor(2, random_state=0).fit(X, y)
    >>> effects = marginal_effects(moe, X, y)
    >>> bool(effects["p_value"].iloc[0] < 0.001)
    True
    """
    case = TableRows(estimator, X, at, sample_weight, caller="marginal_effects")
    answer = _answer(case, of)
    places = case.places(features)
    options = {"sample_weight": sample_weight, **inference_options}
    found = inference(estimator, X, y, **options)
    return found.delta(lambda moe: case.effects(moe, answer, places), of="estimator")


def predictions_at(
    estimator: Any,
    X: Any,
    y: Any,
    at: dict[Any, Sequence[Any]],
    *,
    of: str | float = "mean",
    sample_weight: Any = None,
    **inference_options: Any,
) -> pd.DataFrame:
    """Average answers with some features set to given values in all rows.

    Parameters
    ----------
    estimator, X, y, of, sample_weight, **inference_options :
        As for :func:`marginal_effects`.
    at : dict of sequences
        Values by name or place of a feature; all combinations are looked at.

    Returns
    -------
    predictions : DataFrame
        Indexed by the values and the answer, with the columns of :func:`marginal_effects`.

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_tone
    >>> from moe_classic.inspection import predictions_at
    >>> X, y = load_tone(return_X_y=True)
    >>> moe = MoERegressor(2, random_state=0).fit(X, y)
    >>> table = predictions_at(moe, X, y, {0: [1.5, 2.0, 2.5]}, of="gate")
    >>> table.shape
    (6, 6)
    """
    case = TableRows(estimator, X, None, sample_weight, caller="predictions_at")
    answer = _answer(case, of)
    if not isinstance(at, dict) or not at:
        raise TypeError(f"at={at!r} must be a dict of values by feature, such as {{'x0': [0, 1]}}.")
    names = [case.names[case.place(feature)] for feature in at]
    values = [[v] if np.ndim(v) == 0 else list(v) for v in at.values()]
    grid = pd.MultiIndex.from_product(values, names=names)
    settings = [dict(zip(at, given, strict=True)) for given in grid]
    options = {"sample_weight": sample_weight, **inference_options}
    found = inference(estimator, X, y, **options)

    def averages(moe: Any) -> pd.Series:
        pairs = zip(grid, settings, strict=True)
        parts = {key: case.average(answer(moe, case.held(s))) for key, s in pairs}
        return pd.concat(parts, names=[*names, "answer"])

    return found.delta(averages, of="estimator")


def _mixture_of(case: TableRows) -> Any:
    """The record of the mixture inside; raises where y is transformed around it."""
    if isinstance(case.moe, OnTransformedTarget):
        raise TypeError(
            "effects on y need the mean of y, and the model describes a transformed y, whose mean "
            "is not that of y; fit the transformed target itself and give it as y."
        )
    return fitted_mixture(case.moe)


def _answer(case: TableRows, of: Any) -> Answer:
    """What is averaged: a function of an estimator and rows, one column an answer."""
    fitted = _mixture_of(case)
    target, labels = fitted.target, fitted.labels
    classifier = hasattr(case.moe, "predict_proba")
    if isinstance(of, str):
        if of not in _ANSWERS:
            raise ValueError(f"of={of!r} must be one of {_ANSWERS} or a level in (0, 1).")
    elif classifier:
        raise ValueError(f"of={of!r}: a class has no quantiles; use 'mean', 'gate' or 'experts'.")
    else:
        of = check_fraction("of", of)
    outputs = [str(c) for c in case.moe.classes_] if classifier else target.names
    if of == "gate":
        return _frames(case, "gate_proba", labels)
    if of == "mean":
        return _frames(case, "predict_proba" if classifier else "predict", outputs)
    if of == "experts":
        pairs = [f"{k}: {o}" if len(outputs) > 1 else k for k in labels for o in outputs]
        return _frames(case, "expert_predictions", pairs)
    if of == "contrasts":
        return _contrasts(case, labels, outputs)
    return _frames(case, "predict_quantile", outputs, of)


def _frames(case: TableRows, method: str, columns: list[str], *arguments: Any) -> Answer:
    """A method of the mixture whose answers get names."""

    def ask(moe: Any, X: pd.DataFrame) -> pd.DataFrame:
        answers = np.asarray(getattr(moe, method)(case.seen(X), *arguments))
        return pd.DataFrame(answers.reshape(len(X), -1), columns=columns)

    return ask


def _contrasts(case: TableRows, labels: Sequence[str], outputs: Sequence[str]) -> Answer:
    """What each expert says minus what every later one says."""
    if len(labels) < 2:
        raise ValueError("of='contrasts' compares experts, and there is one; use of='experts'.")
    first, second = np.triu_indices(len(labels), 1)
    pairs = [f"{labels[a]} - {labels[b]}" for a, b in combinations(range(len(labels)), 2)]
    columns = [f"{k}: {o}" if len(outputs) > 1 else k for k in pairs for o in outputs]

    def ask(moe: Any, X: pd.DataFrame) -> pd.DataFrame:
        said = np.asarray(moe.expert_predictions(case.seen(X)))
        return pd.DataFrame((said[:, first] - said[:, second]).reshape(len(X), -1), columns=columns)

    return ask
