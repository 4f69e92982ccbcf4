"""Average effects of features on what a fitted mixture answers, with standard errors.

::

    AME_j = mean_i d f(x_i) / d x_ij          a feature with many values
    AME_j = mean_i f(x_i, high) - f(x_i, low)  a feature with two

where f is the mean, a quantile, a class probability, the gate or what one expert says. Errors are
those of the parameters by the delta method, or a bootstrap's; the rows are taken as given. Bartus
(2005), Estimation of marginal effects using margeff, Stata Journal 5; Williams (2012), Using the
margins command to estimate and interpret adjusted predictions and marginal effects, Stata Journal
12.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from moe_classic._arguments import check_fraction
from moe_classic._results import column_names, fitted_mixture
from moe_classic._typing import Floats, Ints
from moe_classic.inference import inference

#: Step of a derivative, in standard deviations of the feature: errors of both kinds are near 1e-6.
_STEP = 1e-3
#: Answers of an estimator by name.
_ANSWERS = ("mean", "gate", "experts")

Answer = Callable[[Any, np.ndarray], pd.DataFrame]


def marginal_effects(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    of: str | float = "mean",
    features: Sequence[Any] | None = None,
    at: dict[Any, float] | None = None,
    sample_weight: Any = None,
    **inference_options: Any,
) -> pd.DataFrame:
    """Average marginal effects of features.

    Parameters
    ----------
    estimator : fitted MoERegressor, MoEClassifier or hierarchical estimator
        With linear experts.
    X, y, sample_weight :
        The rows on which it was fitted; effects are averages over them.
    of : {"mean", "gate", "experts"} or float in (0, 1), default="mean"
        What is differentiated: ``"mean"`` the prediction (of classifiers the class probabilities),
        ``"gate"`` the probabilities of the experts before y is seen, ``"experts"`` what each expert
        says, a number the quantile of that level.
    features : sequence of names or places, default=None
        Features whose effects are wanted; None is all that vary.
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
        from the lower to the higher one. Answers are outputs, classes or experts.

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
    case = _Rows(estimator, X, at, sample_weight)
    answer = _answer(case, of)
    places = case.places(features)
    options = {"sample_weight": sample_weight, **inference_options}
    found = inference(estimator, X, y, **options)
    return found.delta(lambda moe: case.effects(moe, answer, places), of="estimator")


def predictions_at(
    estimator: Any,
    X: Any,
    y: Any,
    at: dict[Any, Sequence[float]],
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
    case = _Rows(estimator, X, None, sample_weight)
    answer = _answer(case, of)
    if not isinstance(at, dict) or not at:
        raise TypeError(f"at={at!r} must be a dict of values by feature, such as {{'x0': [0, 1]}}.")
    names = [case.names[case.place(feature)] for feature in at]
    grid = pd.MultiIndex.from_product([np.atleast_1d(v) for v in at.values()], names=names)
    settings = [dict(zip(at, values, strict=True)) for values in grid]
    options = {"sample_weight": sample_weight, **inference_options}
    found = inference(estimator, X, y, **options)

    def averages(moe: Any) -> pd.Series:
        pairs = zip(grid, settings, strict=True)
        parts = {key: case.average(answer(moe, case.held(s))) for key, s in pairs}
        return pd.concat(parts, names=[*names, "answer"])

    return found.delta(averages, of="estimator")


class _Rows:
    """Rows over which answers are averaged.

    Attributes
    ----------
    X : (n, p) rows, with what is held
    names : list of p names
    w : (n,) weights that add up to 1
    """

    def __init__(self, estimator: Any, X: Any, at: Any, sample_weight: Any) -> None:
        self.fitted, self.estimator = fitted_mixture(estimator), estimator
        self.columns = column_names(estimator)
        rows = np.array(X[self.columns] if self.columns and hasattr(X, "columns") else X)
        self.X = rows.astype(np.float64)
        self.names = self.columns or [f"x{j}" for j in range(self.X.shape[1])]
        w = np.ones(len(self.X)) if sample_weight is None else np.asarray(sample_weight, float)
        self.w = w / w.sum()
        self.given = [] if at is None else [self.place(feature) for feature in at]
        self.X = self.held(at or {})

    def place(self, feature: Any) -> int:
        """Place of a feature by name or place."""
        if isinstance(feature, numbers.Integral) and not isinstance(feature, bool):
            if 0 <= int(feature) < len(self.names):
                return int(feature)
        elif feature in self.names:
            return self.names.index(feature)
        raise ValueError(
            f"feature {feature!r} is not there; give one of {self.names[:10]} or a place from 0 "
            f"to {len(self.names) - 1}."
        )

    def places(self, features: Sequence[Any] | None) -> Ints:
        """Features whose effects are wanted."""
        if features is not None:
            places = np.array([self.place(feature) for feature in features], dtype=np.intp)
        else:
            places = np.flatnonzero(np.nanmax(self.X, axis=0) > np.nanmin(self.X, axis=0))
        missing = [self.names[j] for j in places if np.isnan(self.X[:, j]).any()]
        if missing:
            raise ValueError(
                f"marginal_effects: features {missing[:10]} are missing in some rows, where they "
                "have no effect; leave these rows out, choose others by features=, or use "
                "predictions_at."
            )
        return places

    def held(self, values: dict[Any, Any]) -> Floats:
        """The rows with some features at given values."""
        X = self.X.copy()
        for feature, value in values.items():
            X[:, self.place(feature)] = value
        return X

    def frame(self, X: Floats) -> Any:
        """Rows as the estimator was given them."""
        return X if self.columns is None else pd.DataFrame(X, columns=self.columns)

    def average(self, answers: pd.DataFrame) -> pd.Series:
        """Weighted means over the rows, by answer."""
        return pd.Series(self.w @ answers.to_numpy(), index=answers.columns)

    def effects(self, moe: Any, answer: Answer, places: Ints) -> pd.Series:
        """Average effects at the parameters of ``moe``."""
        parts = {self.names[j]: self._effect(moe, answer, int(j)) for j in places}
        return pd.concat(parts, names=["feature", "answer"])

    def _effect(self, moe: Any, answer: Answer, j: int) -> pd.Series:
        """Average effect of one feature."""
        low, high = self.X.copy(), self.X.copy()
        values = np.unique(self.X[:, j])
        if values.size == 2:
            low[:, j], high[:, j] = values
            run: Floats = np.ones(len(self.X))
        else:
            step = _STEP * (float(np.std(self.X[:, j])) or 1.0)
            low[:, j] -= step
            high[:, j] += step
            # What was added, not what was meant: far from zero these differ.
            run = high[:, j] - low[:, j]
        change = answer(moe, high) - answer(moe, low)
        return self.average(change.div(run, axis=0))


def _answer(case: _Rows, of: Any) -> Answer:
    """What is averaged: a function of an estimator and rows, one column an answer."""
    target, labels = case.fitted.target, case.fitted.labels
    classifier = hasattr(case.estimator, "predict_proba")
    if isinstance(of, str):
        if of not in _ANSWERS:
            raise ValueError(f"of={of!r} must be one of {_ANSWERS} or a level in (0, 1).")
    elif classifier:
        raise ValueError(f"of={of!r}: a class has no quantiles; use 'mean', 'gate' or 'experts'.")
    else:
        of = check_fraction("of", of)
    outputs = [str(c) for c in case.estimator.classes_] if classifier else target.names
    if of == "gate":
        return _frames(case, "gate_proba", labels)
    if of == "mean":
        return _frames(case, "predict_proba" if classifier else "predict", outputs)
    if of == "experts":
        pairs = [f"{k}: {o}" if len(outputs) > 1 else k for k in labels for o in outputs]
        return _frames(case, "expert_predictions", pairs)
    return _frames(case, "predict_quantile", outputs, of)


def _frames(case: _Rows, method: str, columns: list[str], *arguments: Any) -> Answer:
    """A method of the estimator whose answers get names."""

    def ask(moe: Any, X: np.ndarray) -> pd.DataFrame:
        answers = np.asarray(getattr(moe, method)(case.frame(X), *arguments))
        return pd.DataFrame(answers.reshape(len(X), -1), columns=columns)

    return ask
