"""Fitted estimators of scikit-learn that are linear in x: their equations on the scale of X.

Linear models are read by ``coef_`` and ``intercept_``, through pipelines whose transformers are
affine::

    z = A x + c,   eta = B z + b = (B A) x + (b + B c)

and through a standardised target. What is read is checked against what the estimator says, near the
place where the equation is zero: a model that only looks linear, such as one with a log link, has
no equation here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.compose import TransformedTargetRegressor
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.feature_selection import SelectorMixin
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

from moe_classic._typing import Floats

from .fitting import FIT_ERRORS, with_feature_names

#: How far an equation may be from what its estimator says, relative to the terms that it adds up.
_AGREEMENT = 1e-9
#: Rows on which an equation is tried.
_TRIALS = 8


@dataclass(frozen=True)
class LinearForm:
    """Linear equations ``coef @ x + intercept``.

    Attributes
    ----------
    coef : ndarray of shape (M, p)
    intercept : ndarray of shape (M,)
    """

    coef: Floats
    intercept: Floats

    def __call__(self, X: Floats) -> Floats:
        """Values at the rows of ``X`` (n, p), (M, n)."""
        return self.coef @ X.T + self.intercept[:, None]

    def of(self, A: Floats, c: Floats) -> LinearForm:
        """The same as an equation in x, where it was one in ``A x + c``; A may be a diagonal."""
        coef = self.coef * A if A.ndim == 1 else self.coef @ A
        return LinearForm(coef, self.intercept + self.coef @ c)

    def against_last(self) -> LinearForm:
        """Differences from the last equation, (M - 1,)."""
        return LinearForm(self.coef[:-1] - self.coef[-1], self.intercept[:-1] - self.intercept[-1])


def linear_mean(estimator: Any, n_features: int) -> LinearForm | None:
    """Equations of the predictions of a fitted regressor; None unless they are linear in x.

    Parameters
    ----------
    estimator : fitted regressor
    n_features : int
        Width p of the rows that it predicts from.

    Returns
    -------
    form : LinearForm of one equation an output, or None
    """
    form = _read(estimator, n_features)
    if form is None or is_classifier(estimator):
        return None

    def said(X: Floats) -> Floats:
        return np.atleast_2d(
            np.asarray(estimator.predict(with_feature_names(estimator, X)), dtype=float).T
        )

    return form if _agrees(form, said) else None


def linear_margin(estimator: Any, n_features: int) -> LinearForm | None:
    """Equations of the decision values of a fitted classifier; None unless they are linear in x.

    Returns
    -------
    form : LinearForm, or None
        One equation, of the second of two classes, or one a class for more.
    """
    form = _read(estimator, n_features)
    if form is None or not hasattr(estimator, "decision_function"):
        return None

    def said(X: Floats) -> Floats:
        return np.atleast_2d(
            np.asarray(estimator.decision_function(with_feature_names(estimator, X))).T
        )

    return form if _agrees(form, said) else None


def linear_log_odds(estimator: Any, n_features: int) -> LinearForm | None:
    """Equations of the log odds against the last class; None unless they are linear in x.

    Returns
    -------
    form : LinearForm of one equation a class but the last, or None
    """
    if isinstance(estimator, DummyClassifier):
        return _constant_odds(estimator, n_features)
    form = linear_margin(estimator, n_features)
    if form is None or not hasattr(estimator, "predict_proba"):
        return None
    odds = form.against_last() if len(form.coef) > 1 else LinearForm(-form.coef, -form.intercept)

    def said(X: Floats) -> Floats:
        logs = np.log(
            np.asarray(estimator.predict_proba(with_feature_names(estimator, X)), dtype=float).T
        )
        return logs[:-1] - logs[-1]

    return odds if _agrees(odds, said) else None


def _constant_odds(estimator: DummyClassifier, n_features: int) -> LinearForm | None:
    """Log odds of class shares, if a dummy tells these."""
    if estimator.strategy != "prior" or len(estimator.classes_) < 2:
        return None
    logs = np.log(np.asarray(estimator.class_prior_, dtype=float))
    return LinearForm(np.zeros((logs.size - 1, n_features)), logs[:-1] - logs[-1])


# ------------------------------------------------------------------------- reading


def _read(estimator: Any, n_features: int) -> LinearForm | None:
    """What coefficients say, unchecked."""
    if isinstance(estimator, FrozenEstimator):
        return _read(estimator.estimator, n_features)
    if hasattr(estimator, "best_estimator_"):
        return _read(estimator.best_estimator_, n_features)
    if isinstance(estimator, DummyRegressor):
        constant = np.ravel(estimator.constant_).astype(float)
        return LinearForm(np.zeros((constant.size, n_features)), constant)
    if isinstance(estimator, Pipeline):
        return _through(estimator, n_features)
    if isinstance(estimator, TransformedTargetRegressor):
        return _on_target(estimator, n_features)
    if not (hasattr(estimator, "coef_") and hasattr(estimator, "intercept_")):
        return None
    coef = estimator.coef_
    coef = coef.toarray() if hasattr(coef, "toarray") else coef
    try:
        coef = np.atleast_2d(np.asarray(coef, dtype=np.float64))
        intercept = np.ravel(np.asarray(estimator.intercept_, dtype=np.float64))
    except (TypeError, ValueError):
        # Not numbers: an estimator from elsewhere that means something else by the names.
        return None
    if coef.ndim != 2 or intercept.size not in (1, len(coef)):
        return None
    return LinearForm(coef, np.broadcast_to(intercept, len(coef)))


def _through(pipeline: Pipeline, n_features: int) -> LinearForm | None:
    """The equation of a pipeline's last step, taken back through its transformers."""
    steps = [step for _, step in pipeline.steps if step not in (None, "passthrough")]
    if not steps:
        return None
    maps, width = [], n_features
    for step in steps[:-1]:
        found = _affine(step, width)
        if found is None:
            return None
        maps.append(found)
        width = len(found[1])
    form = _read(steps[-1], width)
    for A, c in reversed(maps):
        form = None if form is None or form.coef.shape[1] != len(c) else form.of(A, c)
    return form


def _on_target(estimator: TransformedTargetRegressor, n_features: int) -> LinearForm | None:
    """The equation of a regressor of a target that was shifted and scaled."""
    form, transformer = _read(estimator.regressor_, n_features), estimator.transformer_
    plain = estimator.transformer is None and estimator.func is None
    if form is None or plain:
        return form
    found = _affine(transformer, len(form.coef))
    if found is None or found[0].ndim != 1:
        return None
    A, c = found
    return LinearForm(form.coef / A[:, None], (form.intercept - c) / A)


def _affine(step: Any, width: int) -> tuple[Floats, Floats] | None:
    """``A`` (q, p), or its diagonal (p,), and ``c`` (q,) of a fitted transformer; else None."""
    one, zero = np.ones(width), np.zeros(width)
    if getattr(step, "clip", False):
        return None
    match step:
        case StandardScaler():
            A = 1.0 / step.scale_ if step.with_std else one
            return A, -step.mean_ * A if step.with_mean else zero
        case RobustScaler():
            A = 1.0 / step.scale_ if step.with_scaling else one
            return A, -step.center_ * A if step.with_centering else zero
        case MinMaxScaler():
            return step.scale_, step.min_
        case MaxAbsScaler():
            return 1.0 / step.scale_, zero
        case SelectorMixin():
            A = np.eye(width)[step.get_support()]
            return A, np.zeros(len(A))
        case TruncatedSVD():
            return step.components_, np.zeros(len(step.components_))
        case PCA():
            A = step.components_
            A = A / np.sqrt(step.explained_variance_)[:, None] if step.whiten else A
            return A, -A @ step.mean_
    return None


# ------------------------------------------------------------------------- checking


def _agrees(form: LinearForm, said: Any) -> bool:
    """Whether an estimator says what its equations do, where these are of order one."""
    rng = np.random.default_rng(0)
    M, p = form.coef.shape
    nearest = np.linalg.lstsq(form.coef, -form.intercept, rcond=None)[0]
    size = float(np.linalg.norm(form.coef, axis=1).max())
    X: Floats = nearest + rng.standard_normal((_TRIALS, p)) / (size if size > 0.0 else 1.0)
    try:
        with np.errstate(all="ignore"):
            found = np.asarray(said(X))
    except FIT_ERRORS:
        return False
    terms = np.abs(form.coef) @ np.abs(X.T) + np.abs(form.intercept)[:, None]
    return found.shape == (M, _TRIALS) and bool(
        (np.abs(found - form(X)) <= _AGREEMENT * (1.0 + terms)).all()
    )
