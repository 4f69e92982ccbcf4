"""Blends of given experts: Meta-Pi networks."""

from .gate import FittedBlendGate, GateOptions, train_gate
from .meta_pi import MetaPiClassifier, MetaPiRegressor
from .net import BlendData, error_of
from .prediction import BlendSurface, RealBlend, names_of
from .sources import all_experts, check_experts

__all__ = [
    "BlendData",
    "BlendSurface",
    "FittedBlendGate",
    "GateOptions",
    "MetaPiClassifier",
    "MetaPiRegressor",
    "RealBlend",
    "all_experts",
    "check_experts",
    "error_of",
    "names_of",
    "train_gate",
]
