"""Classical mixtures of experts behind scikit-learn's ``fit`` and ``predict``."""

from importlib.metadata import PackageNotFoundError, version

from moe_classic import (
    datasets,
    experts,
    gates,
    inference,
    inspection,
    metrics,
    model_selection,
    onnx,
    routers,
    solvers,
)
from moe_classic.estimators import (
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

try:
    __version__ = version("moe_classic")
except PackageNotFoundError:  # a plain checkout that was never installed
    __version__ = "0+unknown"

__all__ = [
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
    "routers",
    "solvers",
    "upcycle",
]
