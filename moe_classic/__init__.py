"""Classical mixtures of experts behind scikit-learn's ``fit`` and ``predict``.

Packages and classes are loaded when they are first asked for: ``import moe_classic`` by itself is
quick, and waits neither for scikit-learn nor for pandas.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from moe_classic._version import __version__

if TYPE_CHECKING:
    from moe_classic import (
        datasets,
        experts,
        gates,
        inference,
        inspection,
        metrics,
        model_selection,
        onnx,
        persistence,
        pipeline,
        preprocessing,
        routers,
        solvers,
    )
    from moe_classic import (
        predictive as predictive,
    )
    from moe_classic.estimators import (
        BayesianMoEClassifier,
        BayesianMoERegressor,
        DeepMoEClassifier,
        DeepMoERegressor,
        HardMoEClassifier,
        HardMoERegressor,
        HierarchicalMoEClassifier,
        HierarchicalMoERegressor,
        MetaPiClassifier,
        MetaPiRegressor,
        MixtureOfSoftmaxesClassifier,
        MoEClassifier,
        MoERegressor,
        SparseMoEClassifier,
        SparseMoERegressor,
        upcycle,
    )

__all__ = [
    "BayesianMoEClassifier",
    "BayesianMoERegressor",
    "DeepMoEClassifier",
    "DeepMoERegressor",
    "HardMoEClassifier",
    "HardMoERegressor",
    "HierarchicalMoEClassifier",
    "HierarchicalMoERegressor",
    "MetaPiClassifier",
    "MetaPiRegressor",
    "MixtureOfSoftmaxesClassifier",
    "MoEClassifier",
    "MoERegressor",
    "SparseMoEClassifier",
    "SparseMoERegressor",
    "__version__",
    "datasets",
    "experts",
    "gates",
    "inference",
    "inspection",
    "metrics",
    "model_selection",
    "onnx",
    "persistence",
    "pipeline",
    "preprocessing",
    "routers",
    "solvers",
    "upcycle",
]


def __getattr__(name: str) -> Any:
    """A public package or estimator, imported when it is first asked for (PEP 562)."""
    if name.startswith("_") or name not in [*__all__, "estimators", "predictive"]:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name.islower() and name != "upcycle":
        return import_module(f"{__name__}.{name}")
    value = globals()[name] = getattr(import_module(f"{__name__}.estimators"), name)
    return value


def __dir__() -> list[str]:
    """What tab completion shows, loaded or not."""
    return sorted({*globals(), *__all__})
