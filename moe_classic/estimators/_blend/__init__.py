"""Blends of given experts: Meta-Pi networks."""

from .gate import FittedBlendGate, GateOptions, train_gate
from .meta_pi import MetaPiClassifier, MetaPiRegressor
from .net import BlendData, error_of
from .prediction import BlendEstimator, as_given, shown_names
from .sources import all_experts, check_experts

__all__ = [
    "BlendData",
    "BlendEstimator",
    "FittedBlendGate",
    "GateOptions",
    "MetaPiClassifier",
    "MetaPiRegressor",
    "all_experts",
    "as_given",
    "check_experts",
    "error_of",
    "shown_names",
    "train_gate",
]
