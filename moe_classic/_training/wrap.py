"""scikit-learn's estimators among the components: wrapping them, and telling them what X is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.impute import KNNImputer, MissingIndicator, SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import get_tags

from moe_classic._adapters import TableColumns
from moe_classic._data import DesignMap, refuse_sparse
from moe_classic._model import Model
from moe_classic._typing import Floats, Names
from moe_classic.experts import EXPERTS, Description, EstimatorExpert
from moe_classic.gates import GATES, ConstantGate, EstimatorGate, Gate, MixedGate


def is_outsider(value: Any) -> bool:
    """Whether ``value`` is an estimator (or wants to be one) rather than a component."""
    if isinstance(value, (str, type, Description, Gate)):
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
    """Whether an expert, by name or itself, describes several outputs."""
    return described("several_outputs", expert)


def admits(estimator: Any) -> tuple[bool, bool, bool]:
    """Whether gate and experts all take missing values, levels and sparse X in what they see."""
    # The gate of a tree is made of its nodes' arguments, which need not be valid yet.
    gate = estimator.node if hasattr(estimator, "node") else estimator.gate
    parts = (wrapped_gate(gate), *components(estimator.expert))
    return (
        all(map(_admits_missing, parts)),
        all(map(_admits_levels, parts)),
        not _without_sparse(estimator, parts),
    )


def check_sparse(estimator: Any) -> None:
    """Raise if X is sparse and a component, which the message names, cannot see it so."""
    gate = estimator.node if hasattr(estimator, "node") else estimator.gate
    cannot = _without_sparse(estimator, (wrapped_gate(gate), *components(estimator.expert)))
    if cannot:
        raise TypeError(refuse_sparse(cannot[0]))


def _without_sparse(estimator: Any, parts: Sequence[Any]) -> list[str]:
    """Names of what cannot see sparse rows of X."""
    if hasattr(estimator, "node"):
        return [f"{type(estimator).__name__}, a tree of gates,"]
    kinds = zip((GATES, *[EXPERTS] * len(parts)), parts, strict=False)
    return [_name_of(part) for kind, part in kinds if not _admits_sparse(kind, part)]


def _name_of(part: Any) -> str:
    """What a component is called in messages."""
    return repr(part) if isinstance(part, str) else type(part).__name__


def _admits_sparse(registry: Any, part: Any) -> bool:
    """Whether a component takes sparse rows: by itself, seeing nothing, or behind what does."""
    kind = registry.get(part) if isinstance(part, str) else part
    features = None if isinstance(part, str) else getattr(part, "features", None)
    if isinstance(features, (list, tuple)) and not features:
        return True
    if hasattr(features, "transform"):
        return not hasattr(features, "__sklearn_tags__") or bool(
            get_tags(features).input_tags.sparse
        )
    return getattr(kind, "takes_sparse", False) is True and not getattr(part, "carried", ())


def _admits_missing(part: Any) -> bool:
    """Whether a component takes NaN: by itself, seeing nothing, or behind what fills them in."""
    if isinstance(part, str):
        return part in (ConstantGate.name, MixedGate.name)
    features = getattr(part, "features", None)
    if isinstance(features, (list, tuple)) and not features:
        return True
    if hasattr(features, "transform"):
        return _fills(features)
    return getattr(part, "takes_missing", False) is True


def _fills(transformer: Any) -> bool:
    """Whether a transformer takes NaN and gives numbers: imputers, indicators, unions of these."""
    if isinstance(transformer, FeatureUnion):
        return all(_fills(part) for _, part in transformer.transformer_list)
    first = transformer[0] if isinstance(transformer, Pipeline) else transformer
    return isinstance(first, (SimpleImputer, KNNImputer, MissingIndicator)) or (
        isinstance(first, FeatureUnion) and _fills(first)
    )


def _admits_levels(part: Any) -> bool:
    """Whether a component takes columns of levels: estimators and transformers by their tags."""
    if isinstance(part, str):
        return True
    features, inner = getattr(part, "features", None), getattr(part, "estimator", None)
    judge = features if hasattr(features, "transform") else inner
    return not hasattr(judge, "__sklearn_tags__") or bool(get_tags(judge).input_tags.categorical)


def keeps_target(value: Any) -> bool:
    """Whether some expert must see y as the user gave it, not standardised."""
    return not all(described("equivariant", e) for e in components(value))


def keeps_origin(value: Any) -> bool:
    """Whether y may be scaled and not shifted: some expert has no intercept."""
    return not all(getattr(e, "fit_intercept", True) for e in components(value))


def described(fact: str, expert: Any) -> bool:
    """A fact about an expert given by name or as itself; False for what is neither."""
    expert = EXPERTS.get(expert) if isinstance(expert, str) else expert
    return bool(getattr(expert, fact, False))


def refuse_blocks(
    groups: list[tuple[str | None, Any, int]], gate: Any, missing: str = "error"
) -> None:
    """Raise if a component needs all rows at once: its statistics are no sums of bounded size."""
    if missing != "error":
        raise ValueError(
            f"missing={missing!r} needs rows in memory: fit_blocks and Dask collections take "
            "complete ones. Use fit on arrays or tables, or set missing='error'."
        )
    for component in (gate, *(expert for _, expert, _ in groups)):
        if not component.additive:
            raise ValueError(
                f"{component!r} is refitted on all rows at once and cannot be trained block by "
                "block; use fit, or components of moe_classic's own such as expert='gaussian'."
            )


def learns_by_batches(estimator: Any) -> bool:
    """Whether a mixture has ``partial_fit``: not with estimators, which see all rows at once."""
    if not hasattr(estimator, "expert"):
        raise AttributeError(f"{type(estimator).__name__} learns from all rows at once. Use fit.")
    parts = [wrapped_gate(estimator.gate), *components(estimator.expert)]
    if getattr(estimator, "missing", "error") != "error":
        raise AttributeError(
            f"partial_fit takes complete rows, and missing={estimator.missing!r} is for others. "
            "Use fit, or set missing='error'."
        )
    outside = [p for p in parts if not getattr(p, "additive", True)]
    if outside:
        raise AttributeError(
            f"partial_fit needs components that learn from sums; {outside[0]!r} is refitted on all "
            "rows at once. Use fit."
        )
    return True


def with_data_names(
    component: Any, design: DesignMap, classes: np.ndarray | None, n_jobs: int | None
) -> Any:
    """A bound component that knows the user's names, classes and ``n_jobs`` if it has to."""
    if not component.raw:
        return component
    names: Names = list(design.names) if design.names_in is not None else None
    if isinstance(design.names_in, TableColumns) and design.transformer is None:
        names = design.names_in.taken(design.columns)
    return component.with_data_names(names, design.width - 1, classes, n_jobs)


def unit_columns(X: Floats, w: Floats, model: Model) -> Floats:
    """Features (m, p) for the starts: standardised here if some component has not."""
    parts = [model.gate, *(g.expert for g in model.groups)]
    if not (model.gate.own_units or any(c.raw for c in parts)):
        return X
    missing = np.isnan(X)
    if missing.any():
        X = np.where(missing, (w @ np.where(missing, 0.0, X)) / np.maximum(w @ ~missing, 1e-300), X)
    centre = w @ X / w.sum()
    spread = np.sqrt(w @ np.square(X - centre) / w.sum())
    return (X - centre) / np.where(spread > 0.0, spread, 1.0)
