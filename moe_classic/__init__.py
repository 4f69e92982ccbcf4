"""Classical mixtures of experts behind scikit-learn's ``fit`` and ``predict``."""

from moe_classic import (
    datasets,
    experts,
    gates,
    inference,
    inspection,
    metrics,
    model_selection,
    onnx,
    solvers,
)
from moe_classic._version import __version__
from moe_classic.estimators import (
    HardMoEClassifier,
    HardMoERegressor,
    HierarchicalMoEClassifier,
    HierarchicalMoERegressor,
    MetaPiClassifier,
    MetaPiRegressor,
    MoEClassifier,
    MoERegressor,
)

__all__ = [
    "HardMoEClassifier",
    "HardMoERegressor",
    "HierarchicalMoEClassifier",
    "HierarchicalMoERegressor",
    "MetaPiClassifier",
    "MetaPiRegressor",
    "MoEClassifier",
    "MoERegressor",
    "__version__",
    "datasets",
    "experts",
    "gates",
    "inference",
    "inspection",
    "metrics",
    "model_selection",
    "onnx",
    "solvers",
]
