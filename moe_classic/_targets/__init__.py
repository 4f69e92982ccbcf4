"""What y may be: real numbers, classes; checked, written as numbers, scaled, and given back."""

from .base import Target, TrainingData
from .classes import ClassTarget, check_labels
from .interval import IntervalTarget
from .real import RealTarget

__all__ = [
    "ClassTarget",
    "IntervalTarget",
    "RealTarget",
    "Target",
    "TrainingData",
    "check_labels",
]
