"""What y may be: real numbers, classes; checked, written as numbers, scaled, and given back."""

from .base import Target, TrainingData
from .classes import ClassTarget, check_labels
from .real import RealTarget

__all__ = [
    "ClassTarget",
    "RealTarget",
    "Target",
    "TrainingData",
    "check_labels",
]
