"""scikit-learn's estimators among the components: wrapping them, and telling them what X is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from moe_classic._features import DesignMap
from moe_classic._linear import LinearForm, linear_log_odds, linear_margin, linear_mean
from moe_classic._model import Model
from moe_classic._typing import Floats
from moe_classic.experts import EstimatorExpert, Expert
from moe_classic.experts._estimator_base import EstimatorParams
from moe_classic.gates import EstimatorGate, Gate


def is_outsider(value: Any) -> bool:
    """Whether ``value`` is an estimator (or wants to be one) rather than a component."""
    if isinstance(value, (str, type, Expert, Gate)):
        return False
    return hasattr(value, "fit") or hasattr(value, "predict")


def wrapped_expert(value: Any) -> Any:
    """A plain estimator as an expert; everything else as it is."""
    return EstimatorExpert(value) if is_outsider(value) else value


def wrapped_gate(value: Any) -> Any:
    """A plain classifier as a gate; everything else as it is."""
    return EstimatorGate(value) if is_outsider(value) else value


def components(value: Any) -> list[Any]:
    """The experts of an ``expert`` argument without their names, estimators wrapped."""
    if not isinstance(value, (list, tuple)):
        return [wrapped_expert(value)]
    return [wrapped_expert(item) for _, item in labelled(value)]


def labelled(items: Any) -> list[tuple[str, Any]]:
    """(name, item) of a list of unlike items; what has no name is called after its kind.

    That is its registered name, or the class of an estimator in lower case, with a number where
    it stands more than once, as in :func:`~sklearn.pipeline.make_pipeline`.
    """
    pairs = [item if _is_pair(item) else (None, item) for item in items]
    many, used, out = (
        Counter(_class_name(item) for name, item in pairs if not name),
        Counter[str](),
        [],
    )
    for name, item in pairs:
        if name is None:
            name = _class_name(item)
            used[name] += 1
            name = f"{name}-{used[name]}" if many[name] > 1 else name
        out.append((name, item))
    return out


def _class_name(item: Any) -> str:
    """A registered name itself; else the class of an item, or of the estimator in it."""
    if isinstance(item, str):
        return item
    while isinstance(item, (EstimatorExpert, FrozenEstimator)):
        item = item.estimator
    return type(item).__name__.lower()


def _is_pair(item: Any) -> bool:
    """Whether ``item`` is (name, something)."""
    return isinstance(item, (list, tuple)) and len(item) == 2 and isinstance(item[0], str)


def describes_outputs(expert: Any) -> bool:
    """Whether an estimator as an expert describes several outputs; False for what is none."""
    return isinstance(expert, EstimatorExpert) and expert.multi_output


def keeps_target(value: Any) -> bool:
    """Whether some expert must see y as the user gave it, not standardised."""
    return any(isinstance(e, EstimatorExpert) for e in components(value))


def refuse_blocks(groups: list[tuple[str | None, Any, int]], gate: Any) -> None:
    """Raise if a component needs all rows at once: its statistics are no sums of bounded size."""
    for component in (gate, *(expert for _, expert, _ in groups)):
        if not getattr(component, "additive", True):
            raise ValueError(
                f"{component!r} is refitted on all rows at once and cannot be trained block by "
                "block; use fit, or components of moe_classic's own such as expert='gaussian'."
            )


def learns_by_batches(estimator: Any) -> bool:
    """Whether a mixture has ``partial_fit``: not with estimators, which see all rows at once."""
    parts = [wrapped_gate(estimator.gate), *components(estimator.expert)]
    outside = [p for p in parts if isinstance(p, (EstimatorExpert, EstimatorGate))]
    if outside:
        raise AttributeError(
            f"partial_fit needs components that learn from sums; {outside[0]!r} is refitted on all "
            "rows at once. Use fit."
        )
    return True


def adapted(
    component: Any, design: DesignMap, classes: np.ndarray | None, n_jobs: int | None
) -> Any:
    """A bound component that knows the user's names, classes and ``n_jobs`` if it has to."""
    if not getattr(component, "raw", False):
        return component
    names = list(design.names) if design.names_in is not None else None
    return component.adapted(names, design.width - 1, classes, n_jobs)


def unit_columns(X: Floats, w: Floats, model: Model) -> Floats:
    """Features (m, p) for the starts: standardised here if an estimator is to see them raw."""
    parts = [model.gate, *(g.expert for g in model.groups)]
    if not any(getattr(c, "raw", False) for c in parts):
        return X
    centre = w @ X / w.sum()
    spread = np.sqrt(w @ np.square(X - centre) / w.sum())
    return (X - centre) / np.where(spread > 0.0, spread, 1.0)


# ------------------------------------------------------------------------- how users see them


@dataclass(frozen=True)
class FittedEstimator:
    """A fitted estimator as an expert.

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

    def __getattr__(self, name: str) -> Any:
        extras = self.__dict__.get("extras", {})
        if name in extras:
            return extras[name]
        if not name.startswith("__") and hasattr(self.__dict__.get("estimator_"), name):
            return getattr(self.estimator_, name)
        raise AttributeError(f"a fitted estimator expert has no attribute {name!r}")

    def form(self, n_equations: int) -> LinearForm | None:
        """Equations of what the estimator says; None unless it is linear in x, or has others."""
        if self.says not in _FORMS:
            return None
        width = len(self.feature_names_)
        form = _FORMS[self.says](self.estimator_, width)
        return form if form is not None and form.coef.shape == (n_equations, width) else None

    @property
    def steps(self) -> list[str]:
        """Class names of the estimator, or of the steps of a pipeline, in their order."""
        return _steps(self.estimator_)

    def terms(self, outputs: list[str]) -> dict[tuple[str, str], float]:
        """Coefficients of a linear estimator, and noise, keyed by (output, term)."""
        table: dict[tuple[str, str], float] = {}
        form = self.form(len(outputs))
        if form is not None:
            for output, slope, intercept in zip(outputs, form.coef, form.intercept, strict=True):
                table[output, "intercept"] = float(intercept)
                for name, value in zip(self.feature_names_, slope, strict=True):
                    table[output, name] = float(value)
        for name in ("scale_", "df_"):
            for output, value in zip(outputs, np.ravel(self.extras.get(name, [])), strict=False):
                table[output, name[:-1]] = float(value)
        return table


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


def view_estimator(
    params: EstimatorParams, k: int, names: tuple[str, ...], label: str, share: float
) -> FittedEstimator:
    """View of expert ``k`` of a group of estimators."""
    extras = {}
    for source, name in (("scale", "scale_"), ("df", "df_")):
        value = getattr(params, source)
        if value is not None:
            extras[name] = float(value[k, 0]) if value.shape[1] == 1 else value[k]
    says = "mean" if params.scale is not None else "probability"
    fitted = params.estimators[k]
    return FittedEstimator(label, "estimator", float(share), fitted, names, extras, says)
