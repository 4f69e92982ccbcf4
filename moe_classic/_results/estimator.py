"""scikit-learn's estimators as experts, as users see them after a fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from moe_classic._adapters import LinearForm, linear_log_odds, linear_margin, linear_mean
from moe_classic._components import INTERCEPT, SLOPE
from moe_classic._typing import Floats


@dataclass(frozen=True)
class FittedEstimator:
    """A fitted estimator as an expert, or an expert without equations of its own.

    Attributes
    ----------
    label : str
        Name in tables and legends.
    name : str
        ``"estimator"``.
    weight_ : float
        Share of the training weight that it explains.
    estimator_ : fitted estimator, or None
        None if no fit succeeded. Its attributes (``coef_``, ``feature_importances_`` ...) are
        attributes of this record too.
    feature_names_ : tuple of str
        Names of the features that it sees.
    extras : dict
        ``scale_`` and ``df_`` of the noise around a regressor, also available as attributes.
    says : {"mean", "probability", "log odds", "margin"}
        What is told about the estimator. A mixture spreads a little of the probability of a
        classifier over all classes, so that its log odds are not those of the estimator.
    """

    label: str
    name: str
    weight_: float
    estimator_: Any
    feature_names_: tuple[str, ...]
    extras: dict[str, Any] = field(default_factory=dict)
    says: str = "mean"
    link: str = "identity"

    def __getattr__(self, name: str) -> Any:
        extras = self.__dict__.get("extras", {})
        if name in extras:
            return extras[name]
        if not name.startswith("__") and hasattr(self.__dict__.get("estimator_"), name):
            return getattr(self.estimator_, name)
        raise AttributeError(f"a fitted estimator expert has no attribute {name!r}")

    def form(self, n_equations: int) -> LinearForm | None:
        """Equations of what the estimator says; None unless it is linear in x, or has others."""
        if self.says not in _FORMS or self.estimator_ is None:
            return None
        width = len(self.feature_names_)
        form = _FORMS[self.says](self.estimator_, width)
        return form if form is not None and form.coef.shape == (n_equations, width) else None

    @property
    def steps(self) -> list[str]:
        """Class names of the estimator, or of the steps of a pipeline, in their order."""
        return _steps(self.estimator_)

    def terms(self, outputs: list[str]) -> dict[tuple[str, str, str], float]:
        """Coefficients of a linear estimator, and noise, keyed by (output, kind, term)."""
        form = self.form(len(outputs))
        if form is None:
            return terms_of(outputs, (), np.empty((0, 0)), np.empty(0), self.extras)
        return terms_of(outputs, self.feature_names_, form.coef, form.intercept, self.extras)


def terms_of(
    outputs: list[str],
    features: tuple[str, ...],
    slopes: Floats,
    intercepts: Floats,
    extras: dict[str, Any],
) -> dict[tuple[str, str, str], float]:
    """Coefficients of the equations that there are, and others, by (output, kind, term)."""
    table: dict[tuple[str, str, str], float] = {}
    for output, slope, intercept in zip(outputs, slopes, intercepts, strict=False):
        table[output, INTERCEPT, INTERCEPT] = float(intercept)
        for name, value in zip(features, slope, strict=True):
            table[output, SLOPE, name] = float(value)
    return table | extra_terms(extras, outputs)


def _steps(estimator: Any) -> list[str]:
    """Class names of what an estimator does one after the other."""
    if isinstance(estimator, FrozenEstimator):
        return _steps(estimator.estimator)
    if hasattr(estimator, "best_estimator_"):
        return _steps(estimator.best_estimator_)
    if isinstance(estimator, TransformedTargetRegressor):
        return _steps(estimator.regressor_)
    if isinstance(estimator, Pipeline):
        parts = [part for _, part in estimator.steps if part not in (None, "passthrough")]
        return [name for part in parts for name in _steps(part)]
    return [type(estimator).__name__]


#: How the equations of an estimator are found, by what it says.
_FORMS = {"mean": linear_mean, "log odds": linear_log_odds, "margin": linear_margin}


def extra_terms(extras: dict[str, Any], outputs: list[str]) -> dict[tuple[str, str, str], float]:
    """Numbers besides coefficients, one an output, keyed by (output, kind, term)."""
    return {
        (output, name.removesuffix("_"), name.removesuffix("_")): float(value)
        for name, values in extras.items()
        if np.ndim(values) < 2
        for output, value in zip(outputs, np.ravel(values), strict=False)
    }
