"""What is climbed: the likelihood, assignments, the error functions of competing experts."""

from .assignment import SHARES, ClassificationLikelihood, FreeEnergy, SampledLabels, reseed
from .errors import ERRORS, has_outputs
from .likelihood import (
    FixedResponsibilities,
    MixtureLikelihood,
    WeightedLikelihood,
    update_under,
)

__all__ = [
    "ERRORS",
    "SHARES",
    "ClassificationLikelihood",
    "FixedResponsibilities",
    "FreeEnergy",
    "MixtureLikelihood",
    "SampledLabels",
    "WeightedLikelihood",
    "has_outputs",
    "reseed",
    "update_under",
]
