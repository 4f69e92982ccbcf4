"""Fits of scikit-learn estimators that stand inside a mixture: weights, seeds, names, failures.

Five rules hold wherever the package fits an estimator of the user's:

- **Weights** go to ``sample_weight``, of the last step in a pipeline. An estimator that takes none,
  or is wrapped around one that takes none, sees the rows repeated: as often as the weights say if
  these are whole numbers, or else as many rows as the weights are worth, Kish's effective number
  ``m = (sum w)^2 / sum w^2`` (1965), in which row i stands ``floor(m C_i + 1/2) -
  floor(m C_{i-1} + 1/2)`` times, with ``C_i`` the share of the weight of the rows up to i. Nothing
  is random, equal fractions repeat nothing, and no run of rows is off by more than one row.
- **Seeds**: a ``random_state`` of None, nested ones too, becomes the number of the expert, so that
  refits repeat their randomness and a fit can be repeated.
- **Names**: an estimator fitted on a DataFrame is given a DataFrame.
- **One class**: a classifier whose rows are all of one class would refuse them; a
  :class:`~sklearn.dummy.DummyClassifier` that always says so takes its place.
- **Warnings** of estimators are kept and given once a fit, those of the last refit.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from sklearn import config_context
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.compose import TransformedTargetRegressor
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from moe_classic._typing import Floats, Ints, Names
from moe_classic._warnings import quiet

from .tables import TableColumns, as_frame

#: Rows below this share of the largest weight are left out: they cost time and change nothing.
_NEGLIGIBLE = 1e-9
#: Whole weights are followed to the letter while they repeat a row this often on average.
_MOST_COPIES = 10
#: What an estimator raises when it cannot use the rows that it was given.
FIT_ERRORS = (ValueError, ArithmeticError, RuntimeError)
#: Warnings that estimators gave: category and text.
Notices: TypeAlias = tuple[tuple[type[Warning], str], ...]


# ------------------------------------------------------------------------- what is accepted


def is_estimator(value: Any) -> bool:
    """Whether ``value`` is an instance that scikit-learn can clone, fit and predict with."""
    if isinstance(value, type):
        return False
    return all(hasattr(value, name) for name in ("fit", "predict", "get_params"))


def takes_missing(estimator: Any) -> bool:
    """Whether an estimator says that it takes NaN; one without tags does not."""
    return is_estimator(estimator) and bool(get_tags(estimator).input_tags.allow_nan)


def target_of(owner: str, estimator: Any) -> str:
    """What an estimator predicts: "class" for classifiers, "real" for regressors."""
    if not is_estimator(estimator):
        hint = (
            f" Write {estimator.__name__}() with parentheses."
            if isinstance(estimator, type)
            else ""
        )
        raise TypeError(
            f"{owner}: {estimator!r} is not a scikit-learn estimator; it needs fit, predict and "
            f"get_params.{hint}"
        )
    if is_classifier(estimator):
        return "class"
    if is_regressor(estimator):
        return "real"
    raise TypeError(
        f"{owner}: {estimator!r} is neither a regressor nor a classifier for scikit-learn; derive "
        "it from RegressorMixin or ClassifierMixin."
    )


def check_proba(owner: str, estimator: Any) -> None:
    """Raise unless a classifier gives probabilities."""
    if not hasattr(estimator, "predict_proba"):
        raise TypeError(
            f"{owner}: {estimator!r} has no predict_proba; wrap it in "
            "sklearn.calibration.CalibratedClassifierCV, which adds probabilities."
        )


def check_prefit(owner: str, estimator: Any, n_features: int | None = None) -> None:
    """Raise if a frozen estimator was never fitted, or on another number of features."""
    if not isinstance(estimator, FrozenEstimator):
        return
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        raise ValueError(
            f"{owner}: the prefit estimator {estimator.estimator!r} is not fitted; fit it before "
            "it goes into FrozenEstimator."
        ) from None
    width = getattr(estimator, "n_features_in_", n_features)
    if n_features is not None and width != n_features:
        raise ValueError(
            f"{owner}: the prefit estimator {estimator.estimator!r} was fitted on {width} "
            f"features, here it would see {n_features}."
        )


# ------------------------------------------------------------------------- one fit


def with_feature_names(estimator: Any, X: Any, columns: Names = None) -> Any:
    """``X`` in the form in which a fitted estimator knows it.

    ``columns`` are those of the rows: with those of a table not all of numbers, it is given back.
    """
    if isinstance(columns, TableColumns):
        return columns.table(X)
    names = getattr(estimator, "feature_names_in_", None)
    if names is None or len(names) != X.shape[1] or isinstance(X, pd.DataFrame):
        return X
    return as_frame(X, list(names))


def weight_argument(estimator: Any) -> str | None:
    """Argument of ``fit`` that carries the sample weights, or None."""
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        inner = weight_argument(last)
        return None if inner is None else f"{name}__{inner}"
    if isinstance(estimator, TransformedTargetRegressor):
        return None if estimator.regressor is None else weight_argument(estimator.regressor)
    inner = getattr(estimator, "estimator", None)
    if is_estimator(inner) and not has_fit_parameter(inner, "sample_weight"):
        # A meta-estimator would refuse the weights, or use them for its own part alone.
        return None
    return "sample_weight" if has_fit_parameter(estimator, "sample_weight") else None


def repeat_counts(w: Floats) -> Ints:
    """How often each row is repeated where weights cannot be given, (n,); see the module."""
    if w.sum() <= _MOST_COPIES * w.size and np.array_equal(w, np.floor(w)):
        return w.astype(np.intp)
    size = max(1.0, np.round(w.sum() ** 2 / np.square(w).sum()))
    edge = np.floor(np.cumsum(w) * size / w.sum() + 0.5)
    return np.diff(edge, prepend=0.0).astype(np.intp)


def with_seed(estimator: Any, seed: int) -> Any:
    """``estimator`` with every ``random_state`` of None set to ``seed``."""
    free = {
        name: seed
        for name, value in estimator.get_params().items()
        if name.split("__")[-1] == "random_state" and value is None
    }
    return estimator.set_params(**free) if free else estimator


@dataclass(frozen=True)
class FitTask:
    """One fit: a description, rows, and the expert it is for.

    Attributes
    ----------
    estimator : estimator
        Not changed; a clone is fitted.
    X : (n, p), y : (n,) or (n, d), w : (n,)
    seed : int
        Stands in for ``random_state=None``.
    names : sequence of str, or None
        Column names of X; columns of a table give it back.
    """

    estimator: Any
    X: np.ndarray
    y: np.ndarray
    w: Floats
    seed: int
    names: Names = None

    def run(self) -> Any:
        """The fitted clone; a frozen estimator as it is."""
        if isinstance(self.estimator, FrozenEstimator):
            return self.estimator
        fresh = with_seed(clone(self.estimator), self.seed)
        rows = np.flatnonzero(self.w > _NEGLIGIBLE * self.w.max())
        if is_classifier(fresh) and np.all(self.y[rows] == self.y[rows[0]]):
            fresh = DummyClassifier(strategy="prior")
        argument = weight_argument(fresh)
        if argument is None:
            rows, weights = np.repeat(rows, repeat_counts(self.w[rows])), {}
        else:
            weights = {argument: self.w[rows]}
        # Weights go straight to the step that uses them, whatever the user routes elsewhere.
        with config_context(enable_metadata_routing=False):
            return fresh.fit(as_frame(self.X[rows], self.names), self.y[rows], **weights)

    def try_run(self) -> Outcome:
        """The fitted clone, or why there is none."""
        try:
            return Outcome(self.run())
        except FIT_ERRORS as error:
            return Outcome(None, f"{type(error).__name__}: {error}")


@dataclass(frozen=True)
class Outcome:
    """A fitted estimator and what a probe said of it, or None and the error that was raised."""

    estimator: Any
    error: str | None = None
    answer: Any = None

    def probed(self, probe: Callable[[Any], Any]) -> Outcome:
        """With what ``probe`` says of the estimator; an error if it cannot."""
        if self.error is not None:
            return self
        try:
            return replace(self, answer=probe(self.estimator))
        except FIT_ERRORS as error:
            return Outcome(None, f"{type(error).__name__}: {error}")


def run_jobs(jobs: list[FitTask], n_jobs: int | None) -> tuple[list[Outcome], Notices]:
    """Fits in parallel, in threads unless a joblib context says otherwise.

    Returns
    -------
    outcomes : list of Outcome, in the order of the jobs
    notices : the warnings that estimators gave, each once; they are not shown
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        outcomes = parallel_map(FitTask.try_run, jobs, n_jobs)
    return outcomes, tuple(dict.fromkeys((c.category, str(c.message)) for c in caught))


def fit_all(
    jobs: list[FitTask], labels: list[str], n_jobs: int | None, probe: Callable[[Any], Any]
) -> tuple[list[Outcome], Notices]:
    """Fits side by side, of which those count whose estimator answers to ``probe``.

    Raises
    ------
    ValueError
        If none does; ``labels`` are the names of the experts.
    """
    outcomes, notices = run_jobs(jobs, n_jobs)
    outcomes = [outcome.probed(probe) for outcome in outcomes]
    if all(outcome.error is not None for outcome in outcomes):
        raise ValueError(f"No expert could be fitted; {labels[0]} raised {outcomes[0].error}")
    return outcomes, notices


def parallel_map(function: Callable[[Any], Any], items: list[Any], n_jobs: int | None) -> list[Any]:
    """``function`` of every item, in threads where there is more than one job."""
    if len(items) < 2 or n_jobs in (None, 1):
        return [function(item) for item in items]
    return Parallel(n_jobs=n_jobs, prefer="threads")(delayed(function)(item) for item in items)


def emit_warnings(notices: Notices, *, stacklevel: int) -> None:
    """Give the warnings that refits gave: once a fit, not once a refit."""
    for category, message in dict.fromkeys(notices):
        if not (quiet() and issubclass(category, ConvergenceWarning)):
            warnings.warn(message, category, stacklevel=stacklevel + 1)


# ------------------------------------------------------------------------- what comes back


def outputs_of(estimator: Any, X: np.ndarray, columns: Names = None) -> Floats:
    """Predictions of a fitted regressor, (d, n)."""
    seen = with_feature_names(estimator, X, columns)
    said = np.asarray(estimator.predict(seen), dtype=np.float64)
    return np.atleast_2d(finite("predict", said, estimator, len(X)).T)


def finite(method: str, said: Floats, estimator: Any, n: int) -> Floats:
    """What a method of an estimator said of ``n`` rows; raises unless it is a number for each."""
    if said.shape[:1] != (n,):
        raise ValueError(
            f"{method} of {estimator!r} gave an array of shape {said.shape} for {n} rows; it must "
            "say something of every row."
        )
    wrong = ~np.isfinite(said)
    if wrong.any():
        row = int(np.argwhere(wrong)[0, 0])
        raise ValueError(
            f"{method} of {estimator!r} gave {said[wrong][0]} in row {row} of {n}; what an "
            "estimator says must be finite. Check its settings and the scale of its features, or "
            "leave it out."
        )
    return said


def proba_of(estimator: Any, X: np.ndarray, classes: np.ndarray, columns: Names = None) -> Floats:
    """Class probabilities of a fitted classifier, (C, n); classes it never saw have none."""
    out = np.zeros((classes.size, len(X)))
    places = class_places("classifier", estimator, classes)
    seen = with_feature_names(estimator, X, columns)
    said = np.asarray(estimator.predict_proba(seen), dtype=np.float64)
    out[places] = finite("predict_proba", said, estimator, len(X)).T
    return out


def class_places(owner: str, estimator: Any, classes: np.ndarray) -> Ints:
    """Where the classes of a fitted classifier stand among ``classes``."""
    own = np.asarray(getattr(estimator, "classes_", classes))
    foreign = [c for c in own.tolist() if c not in classes.tolist()]
    if foreign:
        raise ValueError(
            f"{owner}: {estimator!r} knows the classes {foreign}, which y does not have; y has "
            f"{classes.tolist()[:10]}."
        )
    return np.searchsorted(classes, own)


def count_parameters(estimator: Any) -> float:
    """Numbers that a fitted estimator learned: coefficients, leaves; nan where unknown."""
    if isinstance(estimator, FrozenEstimator):
        return 0
    if isinstance(estimator, Pipeline):
        return count_parameters(estimator[-1])
    if hasattr(estimator, "coefs_"):
        return sum(np.size(a) for a in (*estimator.coefs_, *estimator.intercepts_))
    if hasattr(estimator, "coef_") and hasattr(estimator, "intercept_"):
        free = np.size(estimator.intercept_) if getattr(estimator, "fit_intercept", True) else 0
        return np.size(estimator.coef_) + free
    if hasattr(estimator, "tree_"):
        values = estimator.tree_.value[0].size - int(is_classifier(estimator))
        return int(estimator.tree_.n_leaves) * values
    if hasattr(estimator, "estimators_"):
        return float(sum(count_parameters(e) for e in np.ravel(estimator.estimators_)))
    return np.nan


def redundant_coefficients(estimator: Any, width: int, rank: int) -> int:
    """Coefficients on ``width`` columns, of which ``rank`` are independent, that say nothing."""
    if isinstance(estimator, Pipeline):
        return redundant_coefficients(estimator[-1], width, rank)
    coef = np.asarray(getattr(estimator, "coef_", np.empty(0)))
    counted = hasattr(estimator, "coef_") and hasattr(estimator, "intercept_")
    fits = counted and width > 0 and coef.ndim > 0 and coef.shape[-1] == width
    return coef.size // width * (width - rank) if fits else 0
