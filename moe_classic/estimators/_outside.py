"""scikit-learn's estimators among the components: wrapping them, and telling them what X is."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from moe_classic._features import DesignMap
from moe_classic.experts import EstimatorExpert, Expert
from moe_classic.gates import EstimatorGate, Gate


def looks_fitted_by_others(value: Any) -> bool:
    """Whether ``value`` is an estimator (or wants to be one) rather than a component."""
    if isinstance(value, (str, type, Expert, Gate)):
        return False
    return hasattr(value, "fit") or hasattr(value, "predict")


def wrapped_expert(value: Any) -> Any:
    """A plain estimator as an expert; everything else as it is."""
    return EstimatorExpert(value) if looks_fitted_by_others(value) else value


def wrapped_gate(value: Any) -> Any:
    """A plain classifier as a gate; everything else as it is."""
    return EstimatorGate(value) if looks_fitted_by_others(value) else value


def components(value: Any) -> list[Any]:
    """The experts of an ``expert`` argument without their names, estimators wrapped."""
    if not isinstance(value, (list, tuple)):
        return [wrapped_expert(value)]
    return [wrapped_expert(item) for _, item in labelled(value)]


def labelled(items: Any) -> list[tuple[str, Any]]:
    """(name, item) of a list of unlike items; what has no name is called after its class.

    Names made up this way are lower-case, with a number where a class stands more than once, as
    in :func:`~sklearn.pipeline.make_pipeline`.
    """
    pairs = [item if _is_pair(item) else (None, item) for item in items]
    plain = [type(item).__name__.lower() for name, item in pairs if name is None]
    many, used, out = Counter(plain), Counter[str](), []
    for name, item in pairs:
        if name is None:
            name = type(item).__name__.lower()
            used[name] += 1
            name = f"{name}-{used[name]}" if many[name] > 1 else name
        out.append((name, item))
    return out


def _is_pair(item: Any) -> bool:
    """Whether ``item`` is (name, something)."""
    return isinstance(item, (list, tuple)) and len(item) == 2 and isinstance(item[0], str)


def describes_outputs(expert: Any) -> bool:
    """Whether an estimator as an expert describes several outputs; False for what is none."""
    return isinstance(expert, EstimatorExpert) and expert.multi_output


def keeps_target(value: Any) -> bool:
    """Whether some expert must see y as the user gave it, not standardised."""
    return any(isinstance(e, EstimatorExpert) for e in components(value))


def adapted(
    component: Any, design: DesignMap, classes: np.ndarray | None, n_jobs: int | None
) -> Any:
    """A bound component that knows the user's names, classes and ``n_jobs`` if it has to."""
    if not getattr(component, "raw", False):
        return component
    names = list(design.names) if design.names_in is not None else None
    return component.adapted(names, design.width - 1, classes, n_jobs)
