"""What y may be: real numbers, classes; checked, written as numbers, scaled, and given back."""

from .base import Target, TrainingData
from .classes import ClassTarget
from .real import RealTarget

#: Kinds of target by the name that experts give what they describe.
TARGETS: dict[str, type[Target]] = {cls.kind: cls for cls in (RealTarget, ClassTarget)}

__all__ = [
    "TARGETS",
    "ClassTarget",
    "RealTarget",
    "Target",
    "TrainingData",
]
